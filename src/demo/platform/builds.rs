//! Deployments: what was built from what, with which variables, and how far a build is.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::NAME;

/// How far a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::demo) enum State {
    /// It waits.
    Queued,
    /// It is under way.
    Building,
    /// It can be served.
    Ready,
    /// It failed.
    Error,
    /// Somebody stopped it.
    Canceled,
}

impl State {
    /// As the platform calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Building => "BUILDING",
            Self::Ready => "READY",
            Self::Error => "ERROR",
            Self::Canceled => "CANCELED",
        }
    }

    /// Whether something is still going to happen to it.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Building)
    }
}

/// One deployment.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    pub(super) id: String,
    pub(super) sha: &'static str,
    pub(super) message: &'static str,
    pub(super) created: Timestamp,
    pub(super) state: State,
    pub(super) building: Option<Timestamp>,
    pub(super) ready: Option<Timestamp>,
    /// Whether it was ever served.
    pub(super) promoted: bool,
    /// Whether it is one that answers slowly.
    pub(super) bad: bool,
    /// Whether it is an earlier one built again, which the platform notes.
    pub(super) again: bool,
    /// The variables that it was built with, and keeps.
    pub(super) variables: BTreeMap<String, String>,
}

impl Deployment {
    /// One that was built and served in the past.
    pub(super) fn past(
        id: &str,
        sha: &'static str,
        message: &'static str,
        created: Timestamp,
    ) -> Self {
        let after = |seconds: i64| created.checked_add(seconds.seconds()).ok();
        Self {
            id: id.to_owned(),
            sha,
            message,
            created,
            state: State::Ready,
            building: after(4),
            ready: after(97),
            promoted: true,
            bad: false,
            again: false,
            variables: BTreeMap::new(),
        }
    }

    /// As the platform shows it. `serving` is whether it is what is served.
    pub(super) fn shown(&self, serving: bool) -> Value {
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        let ready = self.state == State::Ready;
        json!({
            "id": self.id,
            "uid": self.id,
            "name": NAME,
            "url": format!("exodrive-{}.vercel.app", &self.sha[..9]),
            "created": self.created.as_millisecond(),
            "createdAt": self.created.as_millisecond(),
            "buildingAt": millis(self.building),
            "ready": millis(self.ready),
            "state": self.state.name(),
            "readyState": self.state.name(),
            "readySubstate": ready.then_some(if self.promoted { "PROMOTED" } else { "STAGED" }),
            "aliasAssigned": serving,
            "target": "production",
            "isRollbackCandidate": ready && self.promoted && !serving,
            "meta": {
                "githubCommitSha": self.sha,
                "githubCommitMessage": self.message,
                "githubCommitRef": "main",
                "githubCommitAuthorName": "exodrive-dev",
                "action": self.again.then_some("redeploy"),
            },
        })
    }
}
