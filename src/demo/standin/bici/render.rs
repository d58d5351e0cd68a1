//! Render, as far as the agent is concerned: stored variables, deploys, and which of them is
//! live. A stored variable changes nothing until a deploy brings it to the process.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};

/// The service that requests have to name.
pub(super) const SERVICE: &str = "srv-demo7bici4agent";
/// The deploy that is live at first, and that a roll-back goes to.
pub(super) const GOOD: &str = "dep-demo0good";
const OLDER: &str = "dep-demo0older";
/// The variable that decides whether the agent uses Redis.
const SWITCH: &str = "REDIS_ENABLED";
/// The variable that decides whether the agent watches it.
const WATCHED: &str = "REDIS_MONITORING_ENABLED";
/// The most variables and deploys that are kept.
const MOST_VARIABLES: usize = 64;
const MOST_DEPLOYS: usize = 60;
const MOST_KEY_VALUES: usize = 8;
/// How long a new Redis server takes to be there.
const STARTS_WITHIN: SignedDuration = SignedDuration::from_secs(2);

#[derive(Clone, Debug)]
struct Deploy {
    id: String,
    status: &'static str,
    trigger: &'static str,
    created: Timestamp,
    finished: Option<Timestamp>,
    /// Whether the agent does not start in this build.
    bad: bool,
}

impl Deploy {
    fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "status": self.status,
            "trigger": self.trigger,
            "commit": {
                "id": if self.bad { "b90c31e7" } else { "44d7aa02" },
                "message": if self.bad { "Speak while looking up" } else { "Greet by name" },
            },
            "createdAt": self.created.to_string(),
            "finishedAt": self.finished.map(|at| at.to_string()),
        })
    }
}

/// What a deploy that has ended brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Brings {
    /// Whether the process uses Redis.
    pub(super) enabled: bool,
}

/// A Redis server as it is sold.
#[derive(Clone, Debug)]
struct KeyValue {
    name: String,
    region: String,
    created: Timestamp,
}

impl KeyValue {
    fn new(name: &str, region: &str, created: Timestamp) -> Self {
        Self { name: name.to_owned(), region: region.to_owned(), created }
    }

    fn id(&self) -> String {
        format!("red-demo-{}", self.name)
    }

    /// Its access list is empty, as it is at first: nobody comes in from outside.
    fn shown(&self, now: Timestamp) -> Value {
        let ready = now.duration_since(self.created) >= STARTS_WITHIN;
        json!({
            "id": self.id(),
            "name": self.name,
            "plan": "starter",
            "region": self.region,
            "status": if ready { "available" } else { "creating" },
            "options": { "maxmemoryPolicy": "allkeys_lru" },
            "ipAllowList": [],
            "createdAt": self.created.to_string(),
        })
    }
}

/// The platform.
#[derive(Debug)]
pub(super) struct Render {
    variables: BTreeMap<String, String>,
    /// The newest last.
    deploys: Vec<Deploy>,
    auto_deploy: bool,
    suspended: bool,
    made: u32,
    key_values: Vec<KeyValue>,
}

impl Render {
    /// Two good deploys, the newer one live, with Redis switched on.
    pub(super) fn new(now: Timestamp) -> Self {
        let past = |id: &str, status, hours: i64| {
            let created = now.checked_sub(hours.hours()).unwrap_or(now);
            let finished = created.checked_add(3.minutes()).ok();
            Deploy {
                id: id.to_owned(),
                status,
                trigger: "new_commit",
                created,
                finished,
                bad: false,
            }
        };
        let created = now.checked_sub(2_000.hours()).unwrap_or(now);
        Self {
            variables: BTreeMap::from(
                [SWITCH, WATCHED].map(|name| (name.to_owned(), "true".to_owned())),
            ),
            deploys: vec![past(OLDER, "deactivated", 90), past(GOOD, "live", 20)],
            auto_deploy: true,
            suspended: false,
            made: 0,
            key_values: vec![KeyValue::new("bici-redis-prod", "oregon", created)],
        }
    }

    /// The Redis servers of that name, or all.
    pub(super) fn key_values(&self, name: Option<&str>, now: Timestamp) -> Value {
        let named = self.key_values.iter().filter(|one| name.is_none_or(|name| one.name == name));
        named.map(|one| json!({ "keyValue": one.shown(now), "cursor": one.id() })).collect()
    }

    /// Creates a Redis server; none where there are too many, as on a plan.
    pub(super) fn create(&mut self, name: &str, region: &str, now: Timestamp) -> Option<Value> {
        if self.key_values.len() >= MOST_KEY_VALUES {
            return None;
        }
        let made = KeyValue::new(name, region, now);
        let shown = made.shown(now);
        self.key_values.push(made);
        Some(shown)
    }

    /// Whether the agent does not start in what is live.
    pub(super) fn serves_bad(&self) -> bool {
        self.deploys.iter().any(|deploy| deploy.status == "live" && deploy.bad)
    }

    /// Whether the service was taken off.
    pub(super) fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Takes the service off, or brings it back.
    pub(super) fn suspend(&mut self, suspended: bool) {
        self.suspended = suspended;
    }

    /// A push brings a build, good or not, which is live at once.
    pub(super) fn push(&mut self, bad: bool, now: Timestamp) -> Brings {
        let id = self.begin("new_commit", Some(bad), now);
        self.end(&id, true, now).unwrap_or_else(|| self.brings())
    }

    /// Begins a deploy of the last build, of a build that is named by another deploy, or of
    /// one that is as good as said.
    fn begin(&mut self, trigger: &'static str, bad: Option<bool>, now: Timestamp) -> String {
        let last = self.deploys.iter().rev().find(|deploy| deploy.finished.is_some());
        let bad = bad.unwrap_or_else(|| last.is_some_and(|deploy| deploy.bad));
        self.made += 1;
        let id = format!("dep-demo{:04}", self.made);
        let status = "update_in_progress";
        let deploy = Deploy { id: id.clone(), status, trigger, created: now, finished: None, bad };
        self.deploys.push(deploy);
        if self.deploys.len() > MOST_DEPLOYS {
            let spare = self.deploys.iter().position(|one| one.status == "deactivated");
            let _ = spare.map(|at| self.deploys.remove(at));
        }
        id
    }

    /// Begins to deploy what is live again, with the stored variables.
    pub(super) fn deploy(&mut self, now: Timestamp) -> Value {
        let bad = self.serves_bad();
        let id = self.begin("api", Some(bad), now);
        self.one(&id).unwrap_or_default()
    }

    /// Begins to go back to the build of another deploy. Automatic deploys stay as they are.
    pub(super) fn roll_back(&mut self, to: &str, now: Timestamp) -> Option<Value> {
        let bad = self.deploys.iter().find(|deploy| deploy.id == to)?.bad;
        let id = self.begin("rollback", Some(bad), now);
        self.one(&id)
    }

    /// A deploy ends: it is live, or its build has failed and nothing has changed. What it
    /// brings to the process, where it is live.
    pub(super) fn end(&mut self, id: &str, succeeds: bool, now: Timestamp) -> Option<Brings> {
        let place = self.deploys.iter().position(|one| one.id == id && one.finished.is_none())?;
        if succeeds {
            for deploy in self.deploys.iter_mut().filter(|deploy| deploy.status == "live") {
                deploy.status = "deactivated";
            }
        }
        let deploy = &mut self.deploys[place];
        deploy.status = if succeeds { "live" } else { "build_failed" };
        deploy.finished = Some(now);
        succeeds.then(|| self.brings())
    }

    fn brings(&self) -> Brings {
        Brings { enabled: self.variables.get(SWITCH).is_some_and(|value| value == "true") }
    }

    /// A deploy.
    pub(super) fn one(&self, id: &str) -> Option<Value> {
        self.deploys.iter().find(|deploy| deploy.id == id).map(Deploy::shown)
    }

    /// The deploys, newest first.
    pub(super) fn list(&self, limit: usize) -> Value {
        let entry = |deploy: &Deploy| json!({ "deploy": deploy.shown(), "cursor": deploy.id });
        self.deploys.iter().rev().take(limit).map(entry).collect()
    }

    /// A stored variable.
    pub(super) fn variable(&self, key: &str) -> Option<Value> {
        self.variables.get(key).map(|value| json!({ "key": key, "value": value }))
    }

    /// All stored variables.
    pub(super) fn variables(&self) -> Value {
        let entry = |(key, value): (&String, &String)| json!({ "envVar": { "key": key, "value": value }, "cursor": key });
        self.variables.iter().map(entry).collect()
    }

    /// Stores one variable; false where there is no more room.
    pub(super) fn store(&mut self, key: &str, value: &str) -> bool {
        let room = self.variables.len() < MOST_VARIABLES || self.variables.contains_key(key);
        if room {
            self.variables.insert(key.to_owned(), value.to_owned());
        }
        room
    }

    /// Puts these variables in the place of all that are stored: a PUT on the list does that.
    pub(super) fn replace(&mut self, body: &Value) -> Option<()> {
        let pair = |one: &Value| {
            Some((one["key"].as_str()?.to_owned(), one["value"].as_str()?.to_owned()))
        };
        let all = body.as_array().filter(|all| all.len() <= MOST_VARIABLES)?;
        self.variables = all.iter().map(pair).collect::<Option<_>>()?;
        Some(())
    }

    /// Removes a variable; false where there is none.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        self.variables.remove(key).is_some()
    }

    /// Lets pushes be deployed by themselves, or not.
    pub(super) fn set_auto_deploy(&mut self, on: bool) {
        self.auto_deploy = on;
    }

    /// The service.
    pub(super) fn service(&self) -> Value {
        json!({
            "id": SERVICE,
            "name": "bici-agent",
            "type": "web_service",
            "autoDeploy": if self.auto_deploy { "yes" } else { "no" },
            "suspended": if self.suspended { "suspended" } else { "not_suspended" },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn id(deploy: &Value) -> String {
        deploy["id"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_stored_variable_reaches_the_process_with_a_deploy_that_goes_live() {
        let mut render = Render::new(NOW);
        render.store(SWITCH, "false");
        let failed = id(&render.deploy(NOW));
        assert_eq!(render.end(&failed, false, NOW), None);
        assert_eq!(render.one(&failed).unwrap()["status"], "build_failed");
        assert_eq!(render.list(9)[1]["deploy"]["status"], "live", "what served goes on serving");
        let live = id(&render.deploy(NOW));
        assert_eq!(render.end(&live, true, NOW), Some(Brings { enabled: false }));
        assert_eq!(render.end(&live, true, NOW), None, "it ends once");
        let live: Vec<_> = render.deploys.iter().filter(|one| one.status == "live").collect();
        assert_eq!(live.len(), 1);
    }

    #[test]
    fn a_roll_back_brings_the_build_and_not_the_variables_of_then() {
        let mut render = Render::new(NOW);
        render.store(SWITCH, "false");
        render.push(true, NOW);
        assert!(render.serves_bad());
        let again = id(&render.deploy(NOW));
        render.end(&again, true, NOW);
        assert!(render.serves_bad(), "the last build is the bad one");
        assert!(render.roll_back("dep-none", NOW).is_none());
        let back = id(&render.roll_back(GOOD, NOW).unwrap());
        assert_eq!(render.end(&back, true, NOW), Some(Brings { enabled: false }));
        assert!(!render.serves_bad());
        assert_eq!(render.service()["autoDeploy"], "yes");
        assert_eq!(render.list(1)[0]["deploy"]["trigger"], "rollback");
    }

    #[test]
    fn a_list_of_variables_replaces_every_other() {
        let mut render = Render::new(NOW);
        assert!(render.replace(&json!([{"key": "A"}])).is_none());
        assert!(render.variable(SWITCH).is_some());
        render.replace(&json!([{"key": "A", "value": "1"}])).unwrap();
        assert!(render.variable(SWITCH).is_none());
    }
}
