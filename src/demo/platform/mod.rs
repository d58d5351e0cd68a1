//! The hosting platform: deployments, which of them is served, variables, cron jobs, and a
//! small configuration that the service reads while it runs. Paths and answers follow the
//! public REST API of Vercel (<https://vercel.com/docs/rest-api>).

mod builds;
mod firewall;
mod shown;
mod variables;

pub(super) mod api;
pub(super) mod settings_api;

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use builds::{Deployment, State};
use firewall::Firewall;
use variables::{Stored, Variables};

/// The identifiers that requests have to name.
pub(super) const PROJECT: &str = "prj_Demo9ExoDrive4kTq";
pub(super) const TEAM: &str = "team_Demo7OnCall";
pub(super) const EDGE_CONFIG: &str = "ecfg_demo2exodrive";
/// The project's name, which may stand for its identifier.
const NAME: &str = "exodrive";
/// The build that serves at first, and that a rollback goes back to.
pub(super) const GOOD: &str = "dpl_Demo4GoodYx8mVtQ2";
const OLDER: &str = "dpl_Demo2OlderKc5wLp9";
const BAD: &str = "dpl_Demo6BadRz3nHs7";
/// The most items that a patch of the configuration may have, and that it may hold.
const MOST_ITEMS: usize = 64;
/// The most deployments that are remembered; the oldest that is not served goes first.
const MOST_DEPLOYMENTS: usize = 60;
/// The variable that decides whether the service has a client for Redis at all.
pub(super) const REDIS_ADDRESS: &str = "UPSTASH_REDIS_REST_URL";
/// Its value while Redis is to be used.
pub(super) const REDIS_AT: &str = "https://exodrive-cache.upstash.example";

/// A change of what is served.
#[derive(Clone, Debug)]
struct Job {
    kind: Kind,
    status: &'static str,
    requested: Timestamp,
    from: String,
    to: String,
}

/// Which way a change of what is served goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Back to an earlier deployment. New ones are no longer served by themselves.
    Rollback,
    /// To any deployment. New ones are served by themselves again.
    Promote,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Promote => "promote",
        }
    }
}

/// Why a change was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such deployment.
    Unknown,
    /// Another change is under way.
    Busy,
    /// That deployment cannot be served.
    NotReady,
}

/// The platform.
#[derive(Debug)]
pub(super) struct Platform {
    /// The newest first.
    deployments: Vec<Deployment>,
    serving: String,
    job: Option<Job>,
    follows_new: bool,
    items: BTreeMap<String, Value>,
    variables: Variables,
    firewall: Firewall,
    crons_disabled: Option<Timestamp>,
    made: u32,
}

impl Platform {
    /// Two good deployments, the newer one served.
    pub(super) fn new(now: Timestamp) -> Self {
        let ago = |hours: i64| now.checked_sub(hours.hours()).unwrap_or(now);
        let older = Deployment::past(
            OLDER,
            "1c9e07b52d6fa8340be7d15c92f06a7738be41d0",
            "Show delivery fees in the booking summary",
            ago(71),
        );
        let good = Deployment::past(
            GOOD,
            "a47d3f0198c2eb65d0f9417ac3586bd2e97f1c08",
            "Cache car details for half an hour",
            ago(26),
        );
        let mut platform = Self {
            deployments: vec![good, older],
            serving: GOOD.to_owned(),
            job: None,
            follows_new: true,
            items: BTreeMap::new(),
            variables: Variables::default(),
            firewall: Firewall::default(),
            crons_disabled: None,
            made: 0,
        };
        platform.preset(REDIS_ADDRESS, REDIS_AT, now);
        for key in ["UPSTASH_REDIS_REST_TOKEN", "KV_URL", "KV_REST_API_URL", "KV_REST_API_TOKEN"] {
            platform.preset(key, "demo", now);
        }
        platform
    }

    /// Stores a variable as if it had always been there: every deployment was built with it.
    pub(super) fn preset(&mut self, key: &str, value: &str, now: Timestamp) {
        self.variables.preset(key, value, now);
        self.build_with(key, value);
    }

    /// The same of one whose value is shown to whoever may list them.
    pub(super) fn preset_plain(&mut self, key: &str, value: &str, now: Timestamp) {
        self.variables.preset_plain(key, value, now);
        self.build_with(key, value);
    }

    fn build_with(&mut self, key: &str, value: &str) {
        for deployment in &mut self.deployments {
            deployment.variables.insert(key.to_owned(), value.to_owned());
        }
    }

    fn find(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == id)
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|deployment| deployment.id == id)
    }

    /// Whether a build that answers slowly is served.
    pub(super) fn serves_bad(&self) -> bool {
        self.find(&self.serving).is_some_and(|deployment| deployment.bad)
    }

    /// A variable as what is served was built with it.
    pub(super) fn served_variable(&self, key: &str) -> Option<&str> {
        self.find(&self.serving)?.variables.get(key).map(String::as_str)
    }

    /// Whether what is served has a usable address of Redis. Without one it has no client at
    /// all, and no other variable is looked at.
    pub(super) fn has_redis_address(&self) -> bool {
        self.served_variable(REDIS_ADDRESS).is_some_and(|url| url.starts_with("https://"))
    }

    /// A new build goes live, and it is the slow one.
    pub(super) fn release_bad(&mut self, now: Timestamp) {
        self.deployments.retain(|deployment| deployment.id != BAD);
        let message = "Rework availability search";
        let sha = "e2b06c418f7d93a5501cde87f64b20a9d8137e5c";
        let mut bad = Deployment::past(BAD, sha, message, now);
        bad.bad = true;
        bad.variables = self.variables.values();
        self.deployments.insert(0, bad);
        self.job = Some(Job {
            kind: Kind::Promote,
            status: "succeeded",
            requested: now,
            from: std::mem::replace(&mut self.serving, BAD.to_owned()),
            to: BAD.to_owned(),
        });
        self.follows_new = true;
    }

    /// Somebody else puts the good build back.
    pub(super) fn serve_good(&mut self) {
        if self.serves_bad() {
            GOOD.clone_into(&mut self.serving);
        }
    }

    /// Begins a change of what is served.
    pub(super) fn begin(&mut self, kind: Kind, id: &str, now: Timestamp) -> Result<(), Refusal> {
        let to = self.find(id).ok_or(Refusal::Unknown)?;
        if to.state != State::Ready {
            return Err(Refusal::NotReady);
        }
        let busy = |job: &Job| matches!(job.status, "pending" | "in-progress");
        if self.job.as_ref().is_some_and(busy) {
            return Err(Refusal::Busy);
        }
        let from = self.serving.clone();
        let to = to.id.clone();
        self.job = Some(Job { kind, status: "pending", requested: now, from, to });
        Ok(())
    }

    /// The change goes on: the aliases are being moved.
    pub(super) fn progress(&mut self) {
        if let Some(job) = &mut self.job {
            job.status = "in-progress";
        }
    }

    /// The change is done, or has failed and changed nothing.
    pub(super) fn finish(&mut self, succeeds: bool) {
        let Some(job) = &mut self.job else { return };
        if !succeeds {
            job.status = "failed";
            return;
        }
        job.status = "succeeded";
        self.serving.clone_from(&job.to);
        self.follows_new = job.kind == Kind::Promote;
        let to = job.to.clone();
        if let Some(deployment) = self.find_mut(&to) {
            deployment.promoted = true;
        }
    }

    /// Begins to build an earlier deployment again, with the variables of now.
    pub(super) fn rebuild(&mut self, of: &str, now: Timestamp) -> Result<Value, Refusal> {
        let of = self.find(of).ok_or(Refusal::Unknown)?.clone();
        self.made += 1;
        let id = format!("dpl_DemoAgain{:04}", self.made);
        let built = Deployment {
            id,
            created: now,
            state: State::Queued,
            building: None,
            ready: None,
            promoted: false,
            again: true,
            variables: self.variables.values(),
            ..of
        };
        let answer = built.shown(false);
        self.deployments.insert(0, built);
        if self.deployments.len() > MOST_DEPLOYMENTS {
            let spare = self.deployments.iter().rposition(|one| one.id != self.serving);
            let _ = spare.map(|at| self.deployments.remove(at));
        }
        Ok(answer)
    }

    /// A build goes on; false where it is not waiting any more.
    pub(super) fn build_begins(&mut self, id: &str, now: Timestamp) -> bool {
        let Some(build) = self.find_mut(id).filter(|build| build.state == State::Queued) else {
            return false;
        };
        build.state = State::Building;
        build.building = Some(now);
        true
    }

    /// A build ends. A good one is served, unless the project stands rolled back.
    pub(super) fn build_ends(&mut self, id: &str, succeeds: bool, now: Timestamp) {
        let follows = self.follows_new;
        let Some(build) = self.find_mut(id).filter(|build| build.state == State::Building) else {
            return;
        };
        if !succeeds {
            build.state = State::Error;
            return;
        }
        build.state = State::Ready;
        build.ready = Some(now);
        if follows {
            build.promoted = true;
            id.clone_into(&mut self.serving);
        }
    }

    /// Stops a build that has not ended.
    pub(super) fn cancel(&mut self, id: &str) -> Result<Value, Refusal> {
        let build = self.find_mut(id).ok_or(Refusal::Unknown)?;
        if !build.state.is_open() {
            return Err(Refusal::NotReady);
        }
        build.state = State::Canceled;
        Ok(build.shown(false))
    }

    /// Whether an item of the configuration is `true`, or the text `true`.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.items.get(key).is_some_and(|value| *value == true || *value == "true")
    }

    /// Whether cron jobs are started.
    pub(super) fn runs_crons(&self) -> bool {
        self.crons_disabled.is_none()
    }

    /// The status that a request from an address is refused with before it reaches the
    /// service, where it is.
    pub(super) fn refusal(&self, address: &str) -> Option<u16> {
        self.firewall.refusal(address)
    }

    /// Whether this names the project.
    pub(super) fn is_project(id: &str) -> bool {
        id == PROJECT || id == NAME
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_takes_effect_when_it_is_done_and_not_before() {
        let mut platform = Platform::new(Timestamp::UNIX_EPOCH);
        platform.release_bad(Timestamp::UNIX_EPOCH);
        assert_eq!(
            platform.begin(Kind::Rollback, "dpl_none", Timestamp::UNIX_EPOCH),
            Err(Refusal::Unknown)
        );
        assert_eq!(platform.begin(Kind::Rollback, GOOD, Timestamp::UNIX_EPOCH), Ok(()));
        platform.progress();
        assert!(platform.serves_bad());
        assert_eq!(platform.begin(Kind::Promote, BAD, Timestamp::UNIX_EPOCH), Err(Refusal::Busy));
        platform.finish(true);
        assert!(!platform.serves_bad());
        let project = platform.project();
        assert_eq!(project["lastAliasRequest"]["jobStatus"], "succeeded");
        assert_eq!(project["targets"]["production"]["id"], GOOD);
        assert_eq!(project["autoAssignCustomDomains"], false);
    }

    #[test]
    fn a_patch_is_all_or_nothing() {
        let mut platform = Platform::new(Timestamp::UNIX_EPOCH);
        let bad = json!({"items": [
            {"operation": "upsert", "key": "disable_redis", "value": true},
            {"operation": "update", "key": "missing", "value": 1},
        ]});
        assert!(platform.patch(&bad).is_err());
        assert!(!platform.is_set("disable_redis"));
        let on =
            json!({"items": [{"operation": "upsert", "key": "disable_redis", "value": "true"}]});
        platform.patch(&on).unwrap();
        assert!(platform.is_set("disable_redis"));
        let off = json!({"items": [{"operation": "delete", "key": "disable_redis"}]});
        platform.patch(&off).unwrap();
        assert!(!platform.is_set("disable_redis"));
    }

    #[test]
    fn a_failed_change_serves_what_was_served() {
        let mut platform = Platform::new(Timestamp::UNIX_EPOCH);
        platform.release_bad(Timestamp::UNIX_EPOCH);
        platform.begin(Kind::Rollback, GOOD, Timestamp::UNIX_EPOCH).unwrap();
        platform.progress();
        platform.finish(false);
        assert!(platform.serves_bad());
        assert_eq!(platform.project()["lastAliasRequest"]["jobStatus"], "failed");
        assert_eq!(platform.failed_aliases()["aliases"][0]["alias"], "api.exodrive.com");
        assert_eq!(platform.begin(Kind::Rollback, GOOD, Timestamp::UNIX_EPOCH), Ok(()));
    }

    #[test]
    fn a_stored_variable_counts_in_what_is_built_afterwards_and_is_served() {
        let now = Timestamp::UNIX_EPOCH;
        let mut platform = Platform::new(now);
        let off = json!({"key": REDIS_ADDRESS, "value": "off", "type": "plain", "target": ["production"]});
        platform.store(&off, true, now).unwrap();
        assert!(platform.has_redis_address(), "what runs was built before");
        let id = platform.rebuild(GOOD, now).unwrap()["id"].as_str().unwrap().to_owned();
        assert_eq!(platform.begin(Kind::Promote, &id, now), Err(Refusal::NotReady));
        assert!(platform.build_begins(&id, now) && !platform.build_begins(&id, now));
        assert!(platform.has_redis_address(), "it is still being built");
        platform.build_ends(&id, true, now);
        assert!(!platform.has_redis_address());
        // What a roll-back goes to has the variables of its own time.
        platform.begin(Kind::Rollback, GOOD, now).unwrap();
        platform.finish(true);
        assert!(platform.has_redis_address());
        // A project that stands rolled back builds, and serves what it served.
        let id = platform.rebuild(GOOD, now).unwrap()["id"].as_str().unwrap().to_owned();
        platform.build_begins(&id, now);
        platform.build_ends(&id, true, now);
        assert!(platform.has_redis_address());
        assert_eq!(platform.deployment(&id).unwrap()["readySubstate"], "STAGED");
    }

    #[test]
    fn a_build_that_fails_or_is_stopped_is_never_served() {
        let now = Timestamp::UNIX_EPOCH;
        let mut platform = Platform::new(now);
        for (stopped, state) in [(false, "ERROR"), (true, "CANCELED")] {
            let id = platform.rebuild(GOOD, now).unwrap()["id"].as_str().unwrap().to_owned();
            platform.build_begins(&id, now);
            if stopped {
                platform.cancel(&id).unwrap();
                assert_eq!(platform.cancel(&id), Err(Refusal::NotReady));
            }
            platform.build_ends(&id, false, now);
            assert_eq!(platform.deployment(&id).unwrap()["readyState"], state);
            assert_eq!(platform.project()["targets"]["production"]["id"], GOOD);
        }
    }
}
