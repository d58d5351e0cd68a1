//! The profile `bici` against the agent's oddities, on a real Redis.

use std::time::Duration;

use super::{
    bici_standin::{Deploys, KEY, SERVICE, Standin},
    common::servers::{RedisServer, wait_until},
    console::{Place, alerts, check, rows, unanswered},
};

/// Everything ten times as fast as in production, and nothing else changed.
const FAST: &str = r#"
profile = "bici"
[defaults]
interval = "500ms"
timeout = "400ms"
backoff_max = "1s"
[source.roundtrip]
interval = "500ms"
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
[rule.redis_down]
for = "1s"
[rule.redis_lost]
for = "1s"
[rule.errors]
for = "1s"
[action.switch_off]
proof_within = "5s"
[action.deploy_off]
proof_within = "6s"
cooldown = "0s"
"#;

struct Desk {
    redis: RedisServer,
    agent: Standin,
    place: Place,
}

fn desk(text: &str) -> Desk {
    let redis = RedisServer::start(&["--maxmemory", "64mb"]);
    let agent = Standin::start(redis.port);
    let address = format!("redis://127.0.0.1:{}", redis.port);
    let environment = [
        ("BICI_URL", agent.url.as_str()),
        ("REDIS_URL", &address),
        ("RENDER_API", &agent.url),
        ("RENDER_API_KEY", KEY),
        ("RENDER_SERVICE_ID", SERVICE),
        ("ROLLBACK_TO", "dep-1"),
        ("BICI_INFRASTRUCTURE", "+49 30 1"),
        ("BICI_INCIDENT_TEAM", "+49 30 2"),
    ];
    let place = Place::new(text, &environment);
    Desk { redis, agent, place }
}

#[test]
fn an_agent_that_is_well_is_well_whatever_it_says() {
    let desk = desk("profile = \"bici\"");
    // A cold cache: the agent raises an alert that it never takes back.
    desk.agent.traffic(0, 3);
    wait_until("the agent worries", || {
        desk.place.check().1["checks"].to_string().contains("active 1")
    });
    desk.agent.traffic(9, 1);
    let (code, document) = desk.place.check();
    assert_eq!(unanswered(&document), ["\"postgres\": \"unconfigured\" null"]);
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
    let document = desk.place.watch(4).state();
    assert_eq!(alerts(&document, &["firing", "pending", "recovering"]), Vec::<&str>::new());
    assert_eq!(document["verdict"], "ok", "{}", document["reasons"]);
    assert!(desk.agent.asked("/api/monitoring/metrics/performance") > 4);
}

#[test]
fn a_lost_redis_fires_its_rules_and_not_those_of_its_consequences() {
    let mut desk = desk(FAST);
    desk.agent.traffic(30, 10);
    let console = desk.place.watch(7);
    wait_until("it watches", || desk.agent.asked("/api/monitoring/health") > 4);
    desk.redis.kill();
    let document = console.state();
    let firing = alerts(&document, &["firing"]);
    assert!(firing.contains(&"redis_down") && firing.contains(&"redis_lost"), "{firing:?}");
    let of = |rule: &str| {
        let mut all = rows(&document, "alerts").iter();
        all.find(|alert| alert["rule"] == rule).unwrap().clone()
    };
    assert_eq!(of("redis_lost")["priority"], "P1");
    assert_eq!(of("redis_lost")["suggests"], serde_json::json!(["switch_off"]));
    let muted = of("agent_critical")["muted"].as_str().unwrap().to_owned();
    assert!(muted.contains("redis_down") || muted.contains("Redis does not answer"), "{muted}");
    assert_eq!(document["verdict"], "critical");
    assert_eq!(check(&document, "redis")["verdict"], "critical");
    assert_eq!(check(&document, "agent")["verdict"], "critical", "a 503 with a body is an answer");
}

#[test]
fn switching_redis_off_is_confirmed_only_once_it_is_off() {
    let desk = desk(FAST);
    desk.agent.traffic(30, 10);
    let mut console = desk.place.armed();
    assert_eq!(console.run("switch_off"), "confirmed");
    assert!(desk.agent.uses_redis(), "a stored variable changes nothing yet");
    // The platform says 201, and even live: the agent still uses Redis.
    desk.agent.deploys(Deploys::DoNothing);
    assert_eq!(console.run("deploy_off"), "refuted");
    desk.agent.deploys(Deploys::Fail);
    assert_eq!(console.run("deploy_off"), "refuted");
    assert!(desk.agent.uses_redis());
    desk.agent.deploys(Deploys::Work(Duration::from_secs(1)));
    assert_eq!(console.run("deploy_off"), "confirmed");
    assert!(!desk.agent.uses_redis());
    let service = format!("/v1/services/{SERVICE}");
    let deploy = format!("POST {service}/deploys");
    let mut expected = vec![format!("PUT {service}/env-vars/REDIS_ENABLED")];
    expected.extend([deploy.clone(), deploy.clone(), deploy]);
    assert_eq!(desk.agent.changes(), expected, "each once, nothing repeated");
    drop(console);
    // Off on purpose is no outage.
    let document = desk.place.watch(4).state();
    assert_eq!(alerts(&document, &["firing", "pending"]), Vec::<&str>::new());
    assert_eq!(check(&document, "redis_word")["verdict"], "ok");
    assert_eq!(document["verdict"], "warning", "{}", document["reasons"]);
}
