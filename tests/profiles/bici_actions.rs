//! Every action of the profile `bici`, run for real: what worked is confirmed, and what only
//! says so is not.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    process::{Command, Stdio},
};

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;
use watchfloor::demo::System;

use super::{common::servers::wait_until, standin::Standin};

const PROGRAM: &str = env!("CARGO_BIN_EXE_watchfloor");

/// Shorter waits than in production, and nothing else changed.
const FAST: &str = r#"
profile = "bici"
[defaults]
interval = "500ms"
timeout = "400ms"
backoff_max = "1s"
[source.performance]
interval = "500ms"
[source.redis]
interval = "500ms"
[source.render]
interval = "500ms"
[source.key_value]
interval = "500ms"
"#;

struct Desk {
    agent: Standin,
    variables: BTreeMap<String, String>,
    directory: TempDir,
}

/// How a run ended.
struct Ended {
    code: i32,
    outcome: String,
    document: Value,
    said: String,
}

impl Ended {
    #[track_caller]
    fn is(&self, outcome: &str) {
        assert_eq!(self.outcome, outcome, "{}\n{}", self.document, self.said);
        assert_eq!(self.code == 0, outcome == "confirmed");
    }

    fn summary(&self) -> &str {
        self.document["summary"].as_str().unwrap_or_default()
    }
}

impl Desk {
    fn new() -> Self {
        let proofs: String = ACTIONS
            .iter()
            .map(|name| format!("[action.{name}]\nproof_within = \"8s\"\ncooldown = \"0s\"\n"))
            .collect();
        Self::with(&format!("{FAST}{proofs}"))
    }

    fn with(text: &str) -> Self {
        let agent = Standin::start(System::Bici);
        let mut variables = agent.demo().variables();
        let programs = agent.demo().programs().unwrap().display().to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        variables.insert("PATH".to_owned(), path);
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let text = format!("{text}[state]\ndir = {:?}\n", state.to_str().unwrap());
        std::fs::write(directory.path().join("watchfloor.toml"), text).unwrap();
        Self { agent, variables, directory }
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.directory.path()).envs(&self.variables);
        command
    }

    /// Runs one action to its end.
    fn run(&self, action: &str, asked: &[&str]) -> Ended {
        let mut arguments = vec!["run", action, "--json", "--reason", "trying it out"];
        arguments.extend(["--confirm", "bici/production"]);
        for one in asked {
            arguments.extend(["--ask", one]);
        }
        let output = self.program(&arguments).env("NEW_VALUE", "rediss://new@host:6379").output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let document: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{action}: {said}"));
        let outcome = document["outcome"].as_str().unwrap_or("refused").to_owned();
        Ended { code: output.status.code().unwrap(), outcome, document, said }
    }

    fn asked(&self, method: Method, path: &str) -> Value {
        let url = format!("{}{path}", self.variables["BICI_URL"]);
        self.agent.ask(method, &url, &self.variables["RENDER_API_KEY"])
    }

    fn platform(&self, path: &str) -> Value {
        let service = &self.variables["RENDER_SERVICE_ID"];
        self.asked(Method::GET, &format!("/v1/services/{service}{path}"))
    }

    fn uses_redis(&self) -> bool {
        self.asked(Method::GET, "/api/monitoring/health/redis")["redis"]["enabled"] == true
    }

    fn live(&self) -> String {
        let deploys = self.platform("/deploys");
        let live = deploys.as_array().unwrap().iter().find(|one| one["deploy"]["status"] == "live");
        live.unwrap()["deploy"]["id"].as_str().unwrap().to_owned()
    }

    /// The ways in which our deploys ended, the newest first.
    fn deploys_of(&self, trigger: &str) -> Vec<String> {
        let deploys = self.platform("/deploys");
        let all = deploys.as_array().unwrap().iter().map(|one| &one["deploy"]);
        let ours = all.filter(|one| one["trigger"] == trigger);
        ours.map(|one| one["status"].as_str().unwrap().to_owned()).collect()
    }

    fn toggle(&self, fault: &str) {
        self.agent.demo().toggle(fault);
    }
}

/// What has a proof that a test must not wait for long.
const ACTIONS: &[&str] = &[
    "redis_off",
    "redis_on",
    "env_set",
    "deploy",
    "rollback",
    "auto_deploy_off",
    "auto_deploy_on",
    "restart",
    "key_value_create",
    "test_all",
    "validate",
    "test_baseline",
    "test_webhooks",
    "test_redis",
    "test_connection",
    "cache_clear",
];

#[test]
fn redis_is_off_only_once_the_agent_works_without_it_and_on_again_the_same_way() {
    let desk = Desk::new();
    // The platform says 201, and even live: the agent still uses Redis.
    desk.toggle("deploys-idle");
    desk.run("redis_off", &[]).is("refuted");
    desk.toggle("deploys-idle");
    desk.toggle("deploys-fail");
    let failed = desk.run("redis_off", &[]);
    failed.is("failed");
    assert!(failed.summary().contains("2 of 3 done"), "{}", failed.summary());
    assert!(desk.uses_redis());
    desk.toggle("deploys-fail");
    desk.run("redis_off", &[]).is("confirmed");
    assert!(!desk.uses_redis());
    assert_eq!(desk.deploys_of("api"), ["live", "build_failed", "deactivated"], "each once");
    desk.run("redis_on", &[]).is("confirmed");
    assert!(desk.uses_redis());
}

#[test]
fn redis_is_not_on_where_the_agent_does_not_reach_it() {
    let desk = Desk::new();
    desk.run("redis_off", &[]).is("confirmed");
    desk.toggle("redis-outage");
    desk.run("redis_on", &[]).is("refuted");
    desk.run("redis_off", &[]).is("confirmed");
}

#[test]
fn a_bad_build_is_rolled_back_and_pushes_wait() {
    let desk = Desk::new();
    let good = desk.live();
    desk.toggle("bad-build");
    desk.run("rollback", &["to=dep-nowhere"]).is("failed");
    desk.run("rollback", &["to=not-a-deploy"]).is("refused");
    assert_eq!(desk.deploys_of("rollback"), [""; 0]);
    // To another build that is not there any more either: what serves stays what it was.
    desk.toggle("deploys-fail");
    desk.run("rollback", &[&format!("to={good}")]).is("failed");
    desk.toggle("deploys-fail");
    desk.run("rollback", &[&format!("to={good}")]).is("confirmed");
    assert_eq!(desk.platform("")["autoDeploy"], "no");
    assert_eq!(desk.asked(Method::GET, "/api/monitoring/health")["status"], "healthy");
    desk.run("auto_deploy_on", &[]).is("confirmed");
    desk.run("auto_deploy_off", &[]).is("confirmed");
    assert_eq!(desk.platform("")["autoDeploy"], "no");
}

#[test]
fn settings_are_stored_one_by_one_and_wait_for_a_deploy() {
    let desk = Desk::new();
    let before = desk.platform("/env-vars").as_array().unwrap().len();
    desk.run("env_set", &["key=DATABASE_URL", "value=@env:NEW_VALUE"]).is("refused");
    let stored = desk.run("env_set", &["key=REDIS_URL", "value=@env:NEW_VALUE"]);
    stored.is("confirmed");
    assert!(!format!("{}{}", stored.document, stored.said).contains("new@host"));
    let after = desk.platform("/env-vars");
    assert_eq!(after.as_array().unwrap().len(), before + 1, "the others are still there: {after}");
    let of = |key: &str| desk.platform(&format!("/env-vars/{key}"))["value"].clone();
    assert_eq!(of("REDIS_URL"), "rediss://new@host:6379");
    assert_eq!(of("REDIS_ENABLED"), "true");
    assert_eq!(desk.deploys_of("api"), [""; 0], "nothing is deployed by it");
    let live = desk.live();
    desk.run("deploy", &["mode=deploy_only"]).is("confirmed");
    assert_ne!(desk.live(), live);
    desk.toggle("deploys-fail");
    desk.run("deploy", &["mode=build_and_deploy"]).is("failed");
    assert_eq!(desk.deploys_of("api"), ["build_failed", "live"]);
}

#[test]
fn a_restart_is_seen_by_its_counters() {
    let desk = Desk::new();
    let operations = || {
        let figures = desk.asked(Method::GET, "/api/monitoring/metrics/performance");
        figures["operations"]["totalOperations"].as_u64().unwrap()
    };
    wait_until("there is something to forget", || operations() > 200);
    desk.run("restart", &[]).is("confirmed");
}

#[test]
fn a_new_redis_is_waited_for() {
    let mut desk = Desk::new();
    desk.variables.insert("BICI_KEY_VALUE".to_owned(), "bici-redis-new".to_owned());
    desk.run("key_value_create", &["region=frankfurt"]).is("confirmed");
    let all = desk.asked(Method::GET, "/v1/key-value?name=bici-redis-new");
    assert_eq!(all[0]["keyValue"]["region"], "frankfurt");
    assert_eq!(all[0]["keyValue"]["options"]["maxmemoryPolicy"], "allkeys_lru");
}

#[test]
fn suites_are_judged_by_what_they_print() {
    let desk = Desk::new();
    let suites =
        ["test_all", "validate", "test_baseline", "test_webhooks", "test_redis", "test_connection"];
    for suite in suites {
        desk.run(suite, &[]).is("confirmed");
    }
    // Each of the two ends with 0, and prints that it has failed.
    desk.toggle("suites-lie");
    for (suite, says) in
        [("test_all", "6 of 7 suites passed"), ("validate", "NOT production ready")]
    {
        let ended = desk.run(suite, &[]);
        ended.is("failed");
        assert!(ended.said.contains(says), "{}", ended.said);
    }
    desk.toggle("suites-lie");
    desk.toggle("redis-outage");
    for suite in ["test_redis", "test_connection"] {
        desk.run(suite, &[]).is("failed");
    }
}

#[test]
fn the_cache_is_cleared_and_nobody_loses_a_human() {
    let desk = Desk::new();
    let hits = || {
        desk.asked(Method::GET, "/api/monitoring/metrics/performance")["caching"]["hits"].as_u64()
    };
    wait_until("the cache is warm", || hits().is_some_and(|hits| hits > 50));
    desk.run("cache_clear", &[]).is("confirmed");
    let client = redis::Client::open(desk.variables["REDIS_URL"].as_str()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let humans: Vec<String> =
        redis::cmd("KEYS").arg("bici:sess:human:*").query(&mut connection).unwrap();
    assert_eq!(humans.len(), 2);
}

#[test]
fn a_redis_that_wants_a_password_turns_the_look_without_one_away() {
    let mut desk = Desk::with("profile = \"bici\"\n[source.redis_certificate]\nenabled = false\n");
    let url = desk.variables["REDIS_URL"].clone();
    let (host, port) = url.rsplit('@').next().unwrap().split_once(':').unwrap();
    let port = port.split('/').next().unwrap().to_owned();
    desk.variables.insert("REDIS_HOST".to_owned(), host.to_owned());
    desk.variables.insert("REDIS_PORT".to_owned(), port);
    desk.variables.insert("REDIS_SCHEME".to_owned(), "redis".to_owned());
    let look = |desk: &Desk| {
        let output = desk.program(&["check", "--json"]).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let all = document["checks"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["id"] == "redis_open").unwrap()
    };
    assert_eq!(look(&desk)["verdict"], "ok", "{}", look(&desk));
    // Neither let in nor turned away is not well either.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port().to_string();
    drop(closed);
    desk.variables.insert("REDIS_PORT".to_owned(), port);
    assert_ne!(look(&desk)["verdict"], "ok");
}

/// What the doctor says of everything that is not ok, but for what was never tried yet.
fn found(desk: &Desk) -> Vec<String> {
    let output = desk.program(&["doctor", "--json"]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = document["findings"].as_array().unwrap();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let mut all: Vec<String> = findings
        .iter()
        .filter(|one| one["verdict"] != "ok" && one["verdict"] != "skipped")
        .filter(|one| !text(one, "what").starts_with("never drilled"))
        .map(|one| {
            let what = text(one, "what");
            let what = what.split([':', ',']).next().unwrap_or_default();
            format!("{}/{}: {what}", text(one, "subject"), text(one, "id"))
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn the_doctor_finds_what_is_planted_and_nothing_else() {
    let mut desk = Desk::with("profile = \"bici\"\n");
    let usual = [
        "action/env_set: the server answers; whether the address is right is only known once key is given (with a made-up value",
        "action/env_set: what it would send is only known once value is given",
        "action/rollback: what it would send is only known once to is given",
        "contact/1: level 1 does not say how fast it answers",
        "contact/2: level 2 does not say how fast it answers",
        "contact/3: level 3 does not say how fast it answers",
        "contact/4: level 4 does not say how fast it answers",
        "source/postgres: the role bici is a superuser",
    ];
    let all = found(&desk);
    assert_eq!(all, usual, "{all:#?}");
    let more = |desk: &Desk| {
        let new = found(desk).into_iter().filter(|one| !usual.contains(&one.as_str()));
        let mut ids: Vec<String> =
            new.map(|one| one.split(": ").next().unwrap_or_default().to_owned()).collect();
        ids.dedup();
        ids
    };
    // A checkout that is gone.
    let directory = desk.variables.insert("BICI_DIR".to_owned(), "/nowhere/bici".to_owned());
    let suites =
        ["test_all", "test_baseline", "test_connection", "test_redis", "test_webhooks", "validate"];
    assert_eq!(more(&desk), suites.map(|suite| format!("action/{suite}")));
    desk.variables.insert("BICI_DIR".to_owned(), directory.unwrap());
    // A key of Render that is refused: everything whose proof or steps look there, and nothing
    // else. An endpoint is asked what it takes without the key, so that `restart`, which only
    // sends, is not among them: whether it is let in only a run tells.
    desk.variables.insert("RENDER_API_KEY".to_owned(), "rnd_of-yesterday".to_owned());
    let all = more(&desk);
    let of = |subject: &str| -> Vec<&str> {
        all.iter().filter_map(|one| one.strip_prefix(subject)).collect()
    };
    assert_eq!(
        of("action/"),
        [
            "auto_deploy_off",
            "auto_deploy_on",
            "deploy",
            "env_set",
            "key_value_create",
            "redis_off",
            "redis_on",
            "rollback"
        ]
    );
    assert_eq!(
        of("source/"),
        ["deploys", "flag", "key_value", "monitoring_flag", "redis_log", "render"]
    );
    assert_eq!(of("check/"), ["key_value", "monitoring_flag", "redis_log", "render"]);
}
