//! The hosting platform: deployments, which of them is served, and a small configuration
//! that the service reads while it runs. Paths and answers follow the public REST API of
//! Vercel (<https://vercel.com/docs/rest-api>).

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

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

#[derive(Clone, Debug)]
struct Deployment {
    id: &'static str,
    sha: &'static str,
    message: &'static str,
    created: Timestamp,
}

/// A change of what is served.
#[derive(Clone, Debug)]
struct Job {
    kind: Kind,
    status: &'static str,
    requested: Timestamp,
    from: &'static str,
    to: &'static str,
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
}

/// The platform.
#[derive(Debug)]
pub(super) struct Platform {
    deployments: Vec<Deployment>,
    serving: &'static str,
    job: Option<Job>,
    follows_new: bool,
    items: BTreeMap<String, Value>,
}

impl Platform {
    /// Two good deployments, the newer one served.
    pub(super) fn new(now: Timestamp) -> Self {
        let ago = |hours: i64| now.checked_sub(hours.hours()).unwrap_or(now);
        let older = Deployment {
            id: OLDER,
            sha: "1c9e07b52d6fa8340be7d15c92f06a7738be41d0",
            message: "Show delivery fees in the booking summary",
            created: ago(71),
        };
        let good = Deployment {
            id: GOOD,
            sha: "a47d3f0198c2eb65d0f9417ac3586bd2e97f1c08",
            message: "Cache car details for half an hour",
            created: ago(26),
        };
        Self {
            deployments: vec![good, older],
            serving: GOOD,
            job: None,
            follows_new: true,
            items: BTreeMap::new(),
        }
    }

    /// Whether the build that answers slowly is served.
    pub(super) fn serves_bad(&self) -> bool {
        self.serving == BAD
    }

    /// A new build goes live, and it is the slow one.
    pub(super) fn release_bad(&mut self, now: Timestamp) {
        self.deployments.retain(|deployment| deployment.id != BAD);
        let message = "Rework availability search";
        let sha = "e2b06c418f7d93a5501cde87f64b20a9d8137e5c";
        self.deployments.insert(0, Deployment { id: BAD, sha, message, created: now });
        self.job = Some(Job {
            kind: Kind::Promote,
            status: "succeeded",
            requested: now,
            from: self.serving,
            to: BAD,
        });
        self.serving = BAD;
        self.follows_new = true;
    }

    /// Somebody else puts the good build back.
    pub(super) fn serve_good(&mut self) {
        if self.serves_bad() {
            self.serving = GOOD;
        }
    }

    /// Begins a change of what is served; answers with what will be.
    pub(super) fn begin(
        &mut self,
        kind: Kind,
        id: &str,
        now: Timestamp,
    ) -> Result<&'static str, Refusal> {
        let busy = |job: &Job| matches!(job.status, "pending" | "in-progress");
        let to = self.deployments.iter().find(|deployment| deployment.id == id).map(|d| d.id);
        let to = to.ok_or(Refusal::Unknown)?;
        if self.job.as_ref().is_some_and(busy) {
            return Err(Refusal::Busy);
        }
        let from = self.serving;
        self.job = Some(Job { kind, status: "pending", requested: now, from, to });
        Ok(to)
    }

    /// The change goes on: the aliases are being moved.
    pub(super) fn progress(&mut self) {
        if let Some(job) = &mut self.job {
            job.status = "in-progress";
        }
    }

    /// The change is done.
    pub(super) fn finish(&mut self) {
        if let Some(job) = &mut self.job {
            job.status = "succeeded";
            self.serving = job.to;
            self.follows_new = job.kind == Kind::Promote;
        }
    }

    /// Whether an item of the configuration is `true`, or the text `true`.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.items.get(key).is_some_and(|value| *value == true || *value == "true")
    }

    /// Whether this names the project.
    pub(super) fn is_project(id: &str) -> bool {
        id == PROJECT || id == NAME
    }

    /// The project.
    pub(super) fn project(&self) -> Value {
        let serving = self.deployments.iter().find(|deployment| deployment.id == self.serving);
        let job = self.job.as_ref().map(|job| {
            json!({
                "type": job.kind.name(),
                "jobStatus": job.status,
                "requestedAt": job.requested.as_millisecond(),
                "fromDeploymentId": job.from,
                "toDeploymentId": job.to,
            })
        });
        json!({
            "id": PROJECT,
            "name": NAME,
            "accountId": TEAM,
            "framework": "nextjs",
            "autoAssignCustomDomains": self.follows_new,
            "targets": { "production": serving.map(|serving| self.deployment(serving)) },
            "lastAliasRequest": job,
            "crons": {
                "enabledAt": 1_750_000_000_000_i64,
                "disabledAt": null,
                "deploymentId": self.serving,
                "definitions": [{
                    "host": "api.exodrive.com",
                    "path": "/api/admin/process-payment-captures",
                    "schedule": "*/15 * * * *",
                }],
            },
        })
    }

    /// The deployments, newest first.
    pub(super) fn list(&self, limit: usize, candidates_only: bool) -> Value {
        let shown = self.deployments.iter().filter(|d| !candidates_only || d.id != self.serving);
        let list: Vec<Value> = shown.take(limit).map(|d| self.deployment(d)).collect();
        json!({ "pagination": { "count": list.len(), "next": null, "prev": null }, "deployments": list })
    }

    fn deployment(&self, deployment: &Deployment) -> Value {
        let created = deployment.created.as_millisecond();
        json!({
            "id": deployment.id,
            "uid": deployment.id,
            "name": NAME,
            "url": format!("exodrive-{}.vercel.app", &deployment.sha[..9]),
            "created": created,
            "createdAt": created,
            "buildingAt": created + 4_000,
            "ready": created + 97_000,
            "state": "READY",
            "readyState": "READY",
            "readySubstate": "PROMOTED",
            "target": "production",
            "isRollbackCandidate": deployment.id != self.serving,
            "meta": {
                "githubCommitSha": deployment.sha,
                "githubCommitMessage": deployment.message,
                "githubCommitRef": "main",
                "githubCommitAuthorName": "exodrive-dev",
            },
        })
    }

    /// The items of the configuration.
    pub(super) fn items(&self) -> Value {
        let item = |(key, value): (&String, &Value)| json!({ "key": key, "value": value });
        self.items.iter().map(item).collect()
    }

    /// Changes items of the configuration, all of them or none.
    pub(super) fn patch(&mut self, body: &Value) -> Result<(), String> {
        let operations = body["items"].as_array().ok_or("`items` should be an array")?;
        if operations.len() > MOST_ITEMS {
            return Err(format!("at most {MOST_ITEMS} items are allowed"));
        }
        let mut items = self.items.clone();
        for operation in operations {
            let key = operation["key"].as_str().ok_or("`key` should be a string")?;
            let known = items.contains_key(key);
            match (operation["operation"].as_str(), operation.get("value")) {
                (Some("upsert"), Some(value)) => _ = items.insert(key.to_owned(), value.clone()),
                (Some("create"), Some(value)) if !known => {
                    items.insert(key.to_owned(), value.clone());
                }
                (Some("update"), Some(value)) if known => {
                    items.insert(key.to_owned(), value.clone());
                }
                (Some("delete"), _) if known => _ = items.remove(key),
                (Some("upsert" | "create" | "update" | "delete"), _) => {
                    return Err(format!("the operation does not fit the item `{key}`"));
                }
                _ => return Err("`operation` should be create, update, upsert or delete".into()),
            }
        }
        if items.len() > MOST_ITEMS {
            return Err(format!("at most {MOST_ITEMS} items are allowed"));
        }
        self.items = items;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_takes_effect_when_it_is_done_and_not_before() {
        let mut platform = Platform::new(Timestamp::UNIX_EPOCH);
        platform.release_bad(Timestamp::UNIX_EPOCH);
        assert_eq!(
            platform.begin(Kind::Rollback, "dpl_none", Timestamp::UNIX_EPOCH),
            Err(Refusal::Unknown)
        );
        assert_eq!(platform.begin(Kind::Rollback, GOOD, Timestamp::UNIX_EPOCH), Ok(GOOD));
        platform.progress();
        assert!(platform.serves_bad());
        assert_eq!(platform.begin(Kind::Promote, BAD, Timestamp::UNIX_EPOCH), Err(Refusal::Busy));
        platform.finish();
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
}
