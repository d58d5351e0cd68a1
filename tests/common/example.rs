//! An example service with something in every pane, and the situations it can be in.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use watchfloor::domain::{
    action::{Claim, Preview, RunResult},
    catalog::{
        ActionSpec, CacheSpec, Catalog, CheckSpec, ContactSpec, DatabaseSpec, LatencySpec,
        LimitsSpec, PrefixSpec, Proof, SourceInfo,
    },
    condition::Condition,
    failure::FailureKind,
    guard::Guard,
    ids::{ActionId, CheckId, PanelId, SourceId},
    observation::{Exhibit, KeyGroup},
    time::Moment,
    value::Value,
    violations::Violation,
};

use super::desk::Desk;

fn condition(text: &str) -> Condition {
    Condition::parse(text).expect("a readable condition")
}

fn source(id: &str, kind: &str, title: &str, target: &str) -> (SourceId, SourceInfo) {
    let info = SourceInfo {
        id: SourceId::from(id),
        kind: kind.to_owned(),
        title: title.to_owned(),
        target: target.to_owned(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        disabled: None,
    };
    (info.id.clone(), info)
}

fn check(id: &str, title: &str, source: &str, critical: &[&str], warning: &[&str]) -> CheckSpec {
    CheckSpec {
        id: CheckId::from(id),
        title: title.to_owned(),
        source: SourceId::from(source),
        critical: critical.iter().map(|text| condition(text)).collect(),
        warning: warning.iter().map(|text| condition(text)).collect(),
        shows: Vec::new(),
        down_after: 1,
        up_after: 1,
        primary: None,
        expect_disagreement: false,
    }
}

fn action(id: &str, title: &str, guard: Guard, key: char) -> ActionSpec {
    ActionSpec {
        id: ActionId::from(id),
        title: title.to_owned(),
        kind: "redis".to_owned(),
        guard,
        key: Some(key),
        effects: Vec::new(),
        leaves: Vec::new(),
        undo: None,
        refuse_when: Vec::new(),
        load: None,
        asks: Vec::new(),
        proof: Vec::new(),
        proof_within: Duration::from_secs(60),
        cooldown: Duration::from_secs(600),
        timeout: Duration::from_secs(120),
        drill: false,
        interactive: false,
    }
}

fn actions() -> Vec<ActionSpec> {
    let clear = ActionSpec {
        effects: vec![
            "deletes the cached pages and listings, at most 500 keys per second".to_owned(),
            "the next visitors are served from the database until the cache is warm".to_owned(),
        ],
        leaves: vec!["sessions, rate limits and queues stay".to_owned()],
        undo: Some(ActionId::from("warm_cache")),
        proof: vec![
            Proof { when: condition("result.deleted > 0") },
            Proof { when: condition("redis.keys < before * 0.9") },
        ],
        ..action("clear_cache", "Clear the content cache", Guard::G3, 'c')
    };
    let warm = ActionSpec {
        effects: vec!["asks for the 50 most read pages once each".to_owned()],
        proof: vec![Proof { when: condition("redis.keys > before") }],
        ..action("warm_cache", "Warm the cache", Guard::G1, 'w')
    };
    let disable = ActionSpec {
        effects: vec!["new requests bypass the cache".to_owned()],
        leaves: vec!["requests under way finish as they began".to_owned()],
        proof: vec![Proof { when: condition("api.cache_enabled == false") }],
        ..action("disable_cache", "Switch the cache off", Guard::G2, 'd')
    };
    let rollback = action("rollback", "Roll back to the deployment before", Guard::G3, 'r');
    vec![clear, warm, disable, rollback]
}

fn contact(level: u8, name: &str, contact: &str, minutes: u64) -> ContactSpec {
    ContactSpec {
        level,
        name: name.to_owned(),
        contact: contact.to_owned(),
        backup: None,
        respond_within: Some(Duration::from_secs(minutes * 60)),
        handles: None,
    }
}

/// The service.
pub fn catalog() -> Catalog {
    Catalog {
        unavailable: BTreeMap::from([(
            ActionId::from("rollback"),
            "not configured: set VERCEL_TOKEN".to_owned(),
        )]),
        service: "exodrive".to_owned(),
        environment: "production".to_owned(),
        sources: BTreeMap::from([
            source("api", "http", "API", "https://exodrive.example/api/health"),
            source("redis", "redis", "Redis", "redis://cache.internal:6379/0"),
            source("web", "http", "Web", "https://exodrive.example/"),
            source("limits", "http", "Rate limits", "https://exodrive.example/api/limits"),
            source("postgres", "postgres", "Postgres", "postgres://db.internal/exodrive"),
        ]),
        checks: vec![
            check(
                "api",
                "API",
                "api",
                &["up == false", "status == \"down\""],
                &["latency_ms > 800ms"],
            ),
            check("redis", "Redis", "redis", &["up == false"], &[]),
            check("web", "Web", "web", &["up == false"], &["latency_ms > 1500ms"]),
            check("postgres", "Postgres", "postgres", &["up == false"], &[]),
        ],
        caches: vec![cache()],
        latencies: vec![latency("api", "API"), latency("web", "Web")],
        limits: Some(limits()),
        databases: vec![DatabaseSpec {
            id: PanelId::from("main"),
            title: "Main database".to_owned(),
            source: SourceId::from("postgres"),
            connections_warning_above: 0.8,
            connections_critical_above: 0.95,
            long_query: Duration::from_secs(30),
            down_after: 3,
        }],
        rules: Vec::new(),
        notify: Default::default(),
        contacts: vec![
            contact(1, "On-call engineer", "+41 44 555 01 01", 15),
            contact(2, "Platform team", "#platform-oncall", 30),
            contact(3, "Head of engineering", "[Name]", 60),
        ],
        actions: actions(),
    }
}

fn cache() -> CacheSpec {
    let name = |text: &str| Some(Arc::from(text));
    CacheSpec {
        id: PanelId::from("redis"),
        title: "Redis".to_owned(),
        source: SourceId::from("redis"),
        hits: Arc::from("keyspace_hits"),
        misses: Arc::from("keyspace_misses"),
        used_memory: name("used_memory"),
        max_memory: name("maxmemory"),
        keys: name("keys"),
        ops: name("ops"),
        evictions: name("evicted_keys"),
        run: name("run_id"),
        window: Duration::from_secs(300),
        min_lookups: 20,
        target: Some(0.9),
        warning_below: Some(0.8),
        critical_below: Some(0.5),
        memory_warning_above: Some(0.8),
        prefixes: vec![PrefixSpec {
            name: "content".to_owned(),
            pattern: "content:*".to_owned(),
            protected: false,
            note: None,
        }],
        note: None,
    }
}

fn latency(source: &str, title: &str) -> LatencySpec {
    LatencySpec {
        id: PanelId::from(source),
        title: title.to_owned(),
        source: SourceId::from(source),
        reading: Arc::from("latency_ms"),
        target_ms: Some(300.0),
        warning_ms: Some(800.0),
        critical_ms: Some(2_000.0),
    }
}

fn limits() -> LimitsSpec {
    LimitsSpec {
        violations: vec![SourceId::from("limits")],
        pressure: Vec::new(),
        window: Duration::from_secs(900),
        failing_open: vec![condition("redis.up == false")],
        enforcing: vec![condition("redis.up == true")],
        warning_above: Some(50),
        lower_bound: None,
    }
}

/// Nothing was observed yet.
pub fn nothing_observed() -> Desk {
    let mut desk = Desk::new(catalog());
    desk.wait(1.0);
    desk
}

/// Ten minutes in which everything was well.
pub fn calm() -> Desk {
    let mut desk = Desk::new(catalog());
    for poll in 0..60 {
        all_well(&mut desk, poll);
        desk.wait(10.0);
    }
    all_well(&mut desk, 60);
    desk.wait(1.0);
    desk
}

fn all_well(desk: &mut Desk, poll: u64) {
    let number = |value: u64| Value::Number(value as f64);
    let wobble = poll * 37 % 90;
    desk.answer(
        "api",
        &[
            ("status", Value::Text(Arc::from("healthy"))),
            ("latency_ms", number(110 + wobble)),
            ("cache_enabled", Value::Bool(true)),
        ],
    );
    desk.answer("web", &[("latency_ms", number(210 + wobble))]);
    desk.answer(
        "redis",
        &[
            ("keyspace_hits", number(100_000 + poll * 95)),
            ("keyspace_misses", number(5_000 + poll * 5)),
            ("used_memory", number(41_000_000)),
            ("maxmemory", number(100_000_000)),
            ("keys", number(18_204)),
            ("ops", number(131)),
            ("evicted_keys", number(0)),
            ("run_id", Value::Text(Arc::from("a1"))),
        ],
    );
    desk.answer_with("limits", &[], vec![Exhibit::Violations(violations(desk.now(), 2))]);
    desk.answer(
        "postgres",
        &[("connections", number(14)), ("max_connections", number(100)), ("blocked", number(0))],
    );
}

/// The same few addresses, again and again.
fn violations(now: Moment, count: u64) -> Vec<Violation> {
    (0..count)
        .map(|index| Violation {
            at: now.wall,
            identifier: format!("203.0.113.{}", 70 + index % 5),
            endpoint: "/api/bookings".to_owned(),
            limit: Some(100),
            window: Some(Duration::from_secs(60)),
            tier: Some("booking".to_owned()),
        })
        .collect()
}

/// Redis is gone, the API is slow, somebody hammers it.
pub fn several_problems() -> Desk {
    let mut desk = calm();
    for poll in 0..12u64 {
        desk.wait(10.0);
        desk.answer(
            "api",
            &[
                ("status", Value::Text(Arc::from("degraded"))),
                ("latency_ms", Value::Number(1_240.0 + poll as f64 * 13.0)),
                ("cache_enabled", Value::Bool(true)),
            ],
        );
        desk.answer("web", &[("latency_ms", Value::Number(420.0))]);
        desk.fail("redis", FailureKind::Refused, "nothing listens on cache.internal:6379");
        let page = violations(desk.now(), 9);
        desk.answer_with("limits", &[], vec![Exhibit::Violations(page)]);
        desk.fail(
            "postgres",
            FailureKind::NotAuthorised,
            "password authentication failed for user \"ops\"",
        );
    }
    desk.wait(1.0);
    desk
}

/// The console itself reaches nothing.
pub fn offline() -> Desk {
    let mut desk = calm();
    for _ in 0..6 {
        desk.wait(10.0);
        for source in ["api", "web", "redis", "limits", "postgres"] {
            desk.fail(source, FailureKind::Dns, "no address for exodrive.example");
        }
    }
    desk.wait(1.0);
    desk
}

/// Calm, and armed for ten minutes.
pub fn armed() -> Desk {
    let mut desk = calm();
    desk.press(":arm 10m stale prices after the import<Enter>").wait(75.0);
    all_well(&mut desk, 61);
    desk.wait(0.5);
    desk
}

/// What clearing the cache would do.
pub fn clear_preview(preview: &mut Preview) {
    preview.request = vec![
        "SCAN 0 MATCH content:* COUNT 500, then UNLINK what it returns".to_owned(),
        "at redis://ops:⟨REDIS_PASSWORD⟩@cache.internal:6379/0".to_owned(),
    ];
    preview.groups = vec![
        group("pages", "content:page:*", 12_345, true, false),
        group("listings", "content:list:*", 842, false, false),
        group("sessions", "session:*", 3_911, true, true),
    ];
    preview.findings = vec!["the server answers in 2 ms and has 18 204 keys".to_owned()];
}

fn group(name: &str, pattern: &str, keys: u64, exact: bool, protected: bool) -> KeyGroup {
    KeyGroup {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        keys,
        exact,
        bytes: exact.then_some(keys * 1_200),
        protected,
    }
}

/// What the runner brings home from clearing the cache.
pub fn cleared() -> RunResult {
    RunResult {
        claim: Claim::Done,
        summary: "13 187 keys deleted in 27 s".to_owned(),
        readings: BTreeMap::from([(Arc::from("deleted"), Value::Number(13_187.0))]),
        took: Duration::from_secs(27),
    }
}
