//! The profile `bici` against the agent's oddities, on a real Redis.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;
use watchfloor::demo::System;

use super::{
    common::servers::wait_until,
    console::{Place, alerts, check, rows, unanswered},
    standin::Standin,
};

/// Everything ten times as fast as in production, and nothing else changed.
const FAST: &str = r#"
profile = "bici"
[defaults]
interval = "500ms"
timeout = "400ms"
backoff_max = "1s"
[source.performance]
interval = "500ms"
[source.figures]
interval = "500ms"
[source.redis]
interval = "500ms"
[source.render]
interval = "500ms"
[rule.agent_critical]
for = "1s"
[rule.redis_unreachable]
for = "1s"
[rule.redis_lost]
for = "1s"
[rule.errors]
for = "1s"
"#;

struct Desk {
    agent: Standin,
    variables: BTreeMap<String, String>,
    place: Place,
}

fn desk(text: &str) -> Desk {
    let agent = Standin::start(System::Bici);
    let variables = agent.demo().variables();
    let environment: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let place = Place::new(text, &environment);
    Desk { agent, variables, place }
}

impl Desk {
    fn asked(&self, method: Method, path: &str) -> Value {
        let url = format!("{}{path}", self.variables["BICI_URL"]);
        self.agent.ask(method, &url, &self.variables["RENDER_API_KEY"])
    }

    fn platform(&self, method: Method, path: &str) -> Value {
        self.asked(method, &format!("/v1/services/{}{path}", self.variables["RENDER_SERVICE_ID"]))
    }

    /// A process that has counted nothing yet.
    fn starts_anew(&self) {
        self.platform(Method::POST, "/restart");
    }
}

#[test]
fn an_agent_that_is_well_is_well_whatever_it_says() {
    let desk = desk("profile = \"bici\"");
    // A cold cache: the agent raises an alert that it never takes back.
    desk.agent.demo().toggle("strangers");
    desk.starts_anew();
    let active = || desk.asked(Method::GET, "/api/monitoring/alerts?resolved=false");
    wait_until("the agent worries", || active()["summary"]["active"] == 1);
    desk.agent.demo().toggle("strangers");
    let (code, document) = desk.place.check();
    // What the stand-in has none of: TLS, a log of its own.
    let off = unanswered(&document);
    let names: Vec<_> = off.iter().filter_map(|one| one.split('"').nth(1)).collect();
    assert_eq!(names, ["agent_log", "redis_certificate", "redis_open"]);
    assert!(off.iter().all(|one| one.contains("unconfigured")), "{off:?}");
    assert_eq!(check(&document, "redis_word")["verdict"], "ok");
    let disagreement = check(&document, "redis_word")["disagreement"].as_str().unwrap();
    assert!(disagreement.contains("state is degraded"), "{disagreement}");
    let word = check(&document, "agent_word")["disagreement"].as_str().unwrap();
    assert!(word.contains("does not count"), "{word}");
    assert_eq!(alerts(&document, &["firing", "pending"]), Vec::<&str>::new());
    assert_eq!((code, &document["verdict"]), (0, &"ok".into()), "{}", document["reasons"]);
}

#[test]
fn nothing_fires_on_an_agent_without_any_traffic() {
    let desk = desk(FAST);
    desk.agent.demo().toggle("quiet");
    desk.starts_anew();
    let document = desk.place.watch(8).state();
    assert_eq!(alerts(&document, &["firing", "pending", "recovering"]), Vec::<&str>::new());
    assert_eq!(document["verdict"], "ok", "{}", document["reasons"]);
    let figures = desk.asked(Method::GET, "/api/monitoring/metrics/performance");
    assert_eq!(figures["caching"]["hitRate"], 0.0);
    assert_eq!(figures["errors"]["errorRate"], Value::Null);
}

#[test]
fn a_lost_redis_fires_its_rules_and_not_those_of_its_consequences() {
    let desk = desk(FAST);
    let console = desk.place.watch(22);
    // It hangs for some seconds before it dies, and the agent looks at it every five.
    desk.agent.demo().toggle("redis-outage");
    let document = console.state();
    let firing = alerts(&document, &["firing"]);
    assert!(firing.contains(&"redis_lost"), "{firing:?}");
    assert!(firing.contains(&"redis_unreachable"), "{firing:?}");
    let of = |rule: &str| {
        let mut all = rows(&document, "alerts").iter();
        all.find(|alert| alert["rule"] == rule).unwrap().clone()
    };
    assert_eq!(of("redis_lost")["priority"], "P1");
    assert_eq!(of("redis_lost")["suggests"], serde_json::json!(["redis_off"]));
    let muted = of("agent_critical")["muted"].as_str().unwrap().to_owned();
    assert!(muted.contains("redis_lost") || muted.contains("Agent lost Redis"), "{muted}");
    let muted = of("redis_unreachable")["muted"].as_str().unwrap().to_owned();
    assert!(muted.contains("redis_lost") || muted.contains("Agent lost Redis"), "{muted}");
    assert_eq!(document["verdict"], "critical");
    assert_eq!(check(&document, "roundtrip")["verdict"], "warning");
    assert_eq!(check(&document, "agent")["verdict"], "critical", "a 503 with a body is an answer");
}

#[test]
fn a_redis_that_is_seen_from_the_agent_alone_is_a_warning_that_mutes_nothing() {
    // An address that nobody answers at: what an access list does to this host.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("redis://:password@{}/0", closed.local_addr().unwrap());
    drop(closed);
    let mut desk = desk(FAST);
    desk.variables.insert("REDIS_URL".to_owned(), address);
    let environment: Vec<(&str, &str)> =
        desk.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let document = Place::new(FAST, &environment).watch(8).state();
    assert_eq!(alerts(&document, &["firing"]), ["redis_unreachable"]);
    assert_eq!(document["verdict"], "warning", "{}", document["reasons"]);
    assert_eq!(check(&document, "roundtrip")["verdict"], "ok");
}
