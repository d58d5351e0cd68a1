//! Why a source could not answer, told apart by what the operator would do about it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// One failed attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The class, which decides the verdict and the retry.
    pub kind: FailureKind,
    /// What happened, in full, without secrets and without control characters.
    pub message: String,
    /// What the operator can do about it, where the console knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How long the other side asked us to stay away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, retry_after: None }
    }

    /// The same failure with a cure.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.word(), self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// The classes of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No answer in time: stopped, blocked, or the connection is half open.
    Timeout,
    /// Nothing listens there.
    Refused,
    /// No route, or the network is down.
    Unreachable,
    /// The name does not resolve.
    Dns,
    /// The certificate or the handshake.
    Tls,
    /// The connection was closed under us.
    Closed,
    /// The server answered with a failure of its own (5xx, `-ERR`).
    Server,
    /// Starting up, loading its data.
    Starting,
    /// Shutting down.
    Stopping,
    /// No connection slots left.
    Full,
    /// Blocked by something long.
    Busy,
    /// Out of memory.
    OutOfMemory,
    /// Missing or wrong credentials (401, NOAUTH, 28P01).
    NotAuthorised,
    /// Valid credentials without the right (403, NOPERM).
    Forbidden,
    /// The endpoint is not there (404, 410). Not the same as down.
    MissingEndpoint,
    /// The endpoint is there and does not take the method (405, 501).
    WrongMethod,
    /// It answered, but not with what was asked for.
    BadAnswer,
    /// Asked to slow down (429).
    Throttled,
    /// A paid quota is used up.
    Quota,
    /// The configuration cannot work.
    Misconfigured,
}

impl FailureKind {
    /// The word on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Dns => "DNS",
            Self::Tls => "TLS",
            Self::Closed => "closed",
            Self::Server => "server error",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Full => "full",
            Self::Busy => "busy",
            Self::OutOfMemory => "out of memory",
            Self::NotAuthorised => "not authorised",
            Self::Forbidden => "forbidden",
            Self::MissingEndpoint => "missing endpoint",
            Self::WrongMethod => "wrong method",
            Self::BadAnswer => "bad answer",
            Self::Throttled => "throttled",
            Self::Quota => "quota used up",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// Whether the failure is evidence against the thing that is watched. The others say
    /// that the console could not look (wrong credentials, wrong path, told to wait): the
    /// verdict is then unknown, never down and never well.
    pub fn means_down(self) -> bool {
        match self {
            Self::Timeout
            | Self::Refused
            | Self::Unreachable
            | Self::Dns
            | Self::Tls
            | Self::Closed
            | Self::Server
            | Self::Starting
            | Self::Stopping
            | Self::Full
            | Self::Busy
            | Self::OutOfMemory => true,
            Self::NotAuthorised
            | Self::Forbidden
            | Self::MissingEndpoint
            | Self::WrongMethod
            | Self::BadAnswer
            | Self::Throttled
            | Self::Quota
            | Self::Misconfigured => false,
        }
    }

    /// Whether trying again soon would do harm: locked accounts, noise in the other
    /// side's logs, a used-up quota.
    pub fn retry_slowly(self) -> bool {
        matches!(self, Self::NotAuthorised | Self::Forbidden | Self::Quota | Self::Misconfigured)
    }
}
