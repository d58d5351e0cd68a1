//! How far an attempt has come: what a timeout has to say, and the phases of an exchange.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{
    failure::{Failure, FailureKind},
    observation::Phases,
    time::short_duration,
};

/// What an attempt is doing right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Resolving the name.
    #[default]
    Resolving,
    /// Opening the connection.
    Connecting,
    /// Shaking hands over TLS.
    Securing,
    /// Presenting credentials.
    LoggingIn,
    /// Waiting for the answer to begin.
    Asking,
    /// Receiving the answer.
    Reading,
}

/// The state of one attempt, such as a poll, kept outside of its future, so that it can still be read after
/// the future was given up.
#[derive(Debug)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// What it has done, and how long each part took. Parts that happen more than once,
    /// as with redirects, are added up.
    pub phases: Phases,
    /// When it will be given up.
    pub deadline: Instant,
}

impl Progress {
    /// An attempt that starts now and has that long.
    pub fn new(limit: Duration) -> Self {
        Self {
            stage: Stage::default(),
            phases: Phases::default(),
            deadline: Instant::now() + limit,
        }
    }

    /// The time that is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The failure of an attempt that ran out of time.
    pub fn too_late(&self, limit: Duration) -> Failure {
        let limit = short_duration(limit);
        let failure = Failure::new(FailureKind::Timeout, String::new());
        let (message, hint) = match self.stage {
            Stage::Resolving => {
                let message = format!("the name did not resolve within {limit}");
                return Failure::new(FailureKind::Dns, message);
            }
            Stage::Connecting => (
                format!("no connection within {limit}: packets go unanswered"),
                Some("a firewall or an allow-list may drop them"),
            ),
            Stage::Securing => (
                format!("connected, but no TLS handshake within {limit}"),
                Some("the port may not speak TLS"),
            ),
            Stage::LoggingIn => (format!("connected, but no login within {limit}"), None),
            Stage::Asking => (format!("connected, but no answer within {limit}"), None),
            Stage::Reading => (format!("the answer began, but did not end within {limit}"), None),
        };
        Failure { message, hint: hint.map(str::to_owned), ..failure }
    }
}

/// Adds the time since `start` to a phase.
pub fn add(phase: &mut Option<Duration>, start: Instant) {
    *phase = Some(phase.unwrap_or_default() + start.elapsed());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_says_how_far_it_got() {
        let table = [
            (Stage::Resolving, FailureKind::Dns, "did not resolve within 5s"),
            (Stage::Connecting, FailureKind::Timeout, "no connection within 5s"),
            (Stage::Securing, FailureKind::Timeout, "no TLS handshake within 5s"),
            (Stage::LoggingIn, FailureKind::Timeout, "no login within 5s"),
            (Stage::Asking, FailureKind::Timeout, "no answer within 5s"),
            (Stage::Reading, FailureKind::Timeout, "did not end within 5s"),
        ];
        for (stage, kind, words) in table {
            let limit = Duration::from_secs(5);
            let progress =
                Progress { stage, phases: Phases::default(), deadline: Instant::now() + limit };
            let failure = progress.too_late(limit);
            assert_eq!(failure.kind, kind, "{stage:?}");
            assert!(failure.message.contains(words), "{}", failure.message);
        }
    }
}
