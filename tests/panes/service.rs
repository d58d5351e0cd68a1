//! A service with something of everything, and the situations that its panes must tell.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use watchfloor::{
    app::{command::Command, msg::Event},
    domain::{
        catalog::{
            CacheSpec, Catalog, CheckSpec, ContactSpec, DatabaseSpec, LatencySpec, LimitsSpec,
            PrefixSpec, SourceInfo,
        },
        condition::Condition,
        failure::{Failure, FailureKind},
        ids::{CheckId, PanelId, SourceId},
        observation::{
            Exhibit, Facts, KeyGroup, KeyScan, Observation, Phases, Session, SlowCommand,
        },
        time::Moment,
        value::Value,
        violations::{Pressure, Violation},
    },
};

use super::common::desk::Desk;

fn condition(text: &str) -> Condition {
    Condition::parse(text).expect("a readable condition")
}

fn conditions(texts: &[&str]) -> Vec<Condition> {
    texts.iter().map(|text| condition(text)).collect()
}

fn name(text: &str) -> Option<Arc<str>> {
    Some(Arc::from(text))
}

fn source(id: &str, kind: &str, target: &str) -> (SourceId, SourceInfo) {
    let info = SourceInfo {
        id: SourceId::from(id),
        kind: kind.to_owned(),
        title: format!("the {id} of the service"),
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
        critical: conditions(critical),
        warning: conditions(warning),
        shows: Vec::new(),
        down_after: 1,
        up_after: 1,
        primary: None,
        expect_disagreement: false,
    }
}

fn cache(id: &str, title: &str, source: &str) -> CacheSpec {
    CacheSpec {
        id: PanelId::from(id),
        title: title.to_owned(),
        source: SourceId::from(source),
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
        prefixes: vec![
            prefix("pages", "content:page:*", false, "rendered pages"),
            prefix("sessions", "session:*", true, "who is signed in"),
        ],
        note: Some("the limiter's own lookups count as hits".to_owned()),
    }
}

fn prefix(name: &str, pattern: &str, protected: bool, note: &str) -> PrefixSpec {
    PrefixSpec {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        protected,
        note: Some(note.to_owned()),
    }
}

fn latency(id: &str, title: &str, source: &str) -> LatencySpec {
    LatencySpec {
        id: PanelId::from(id),
        title: title.to_owned(),
        source: SourceId::from(source),
        reading: Arc::from("latency_ms"),
        target_ms: Some(300.0),
        warning_ms: Some(800.0),
        critical_ms: Some(2_000.0),
    }
}

fn contact(level: u8, name: &str, contact: &str, minutes: u64) -> ContactSpec {
    ContactSpec {
        level,
        name: name.to_owned(),
        contact: contact.to_owned(),
        backup: (level == 1).then(|| "Deputy, +41 44 555 01 02".to_owned()),
        respond_within: Some(Duration::from_secs(minutes * 60)),
        handles: Some("everything that pages, first look, decides on a rollback".to_owned()),
    }
}

/// The service.
pub fn catalog() -> Catalog {
    let mut redis_by_api =
        check("redis_by_api", "Redis, as the API says", "api", &["redis == \"down\""], &[]);
    redis_by_api.primary = Some(CheckId::from("redis"));
    redis_by_api.expect_disagreement = true;
    let mut web = check("web", "Web", "web", &["up == false"], &["latency_ms > 1500ms"]);
    web.down_after = 3;
    web.up_after = 2;
    Catalog {
        unavailable: std::collections::BTreeMap::new(),
        service: "exodrive".to_owned(),
        environment: "production".to_owned(),
        sources: BTreeMap::from([
            source("api", "http", "https://exodrive.example/api/health"),
            source("redis", "redis", "redis://cache.internal:6379/0"),
            source("web", "http", "https://exodrive.example/"),
            source("limits", "http", "https://exodrive.example/api/limits"),
            source("postgres", "postgres", "postgres://db.internal/exodrive"),
        ]),
        checks: vec![
            check(
                "api",
                "API",
                "api",
                &["up == false", "status == \"down\""],
                &["latency_ms > 800ms"],
            ),
            check("redis", "Redis", "redis", &["up == false"], &["used_memory > 90MB"]),
            redis_by_api,
            web,
            check("postgres", "Postgres", "postgres", &["up == false"], &[]),
        ],
        caches: vec![cache("redis", "Redis", "redis")],
        latencies: vec![latency("api", "API health", "api"), latency("web", "Start page", "web")],
        limits: Some(LimitsSpec {
            violations: vec![SourceId::from("limits")],
            pressure: vec![SourceId::from("redis")],
            window: Duration::from_secs(3_600),
            failing_open: vec![condition("redis.up == false")],
            enforcing: vec![condition("redis.up == true")],
            warning_above: Some(100),
            lower_bound: Some("kept by each instance for itself".to_owned()),
        }),
        databases: vec![database("main", "Main database", "postgres")],
        rules: Vec::new(),
        notify: Default::default(),
        contacts: vec![
            contact(1, "On-call engineer", "+41 44 555 01 01", 15),
            contact(2, "Platform team", "#platform-oncall", 30),
            contact(3, "Head of engineering", "+41 44 555 01 09", 60),
        ],
        actions: Vec::new(),
    }
}

fn database(id: &str, title: &str, source: &str) -> DatabaseSpec {
    DatabaseSpec {
        id: PanelId::from(id),
        title: title.to_owned(),
        source: SourceId::from(source),
        connections_warning_above: 0.8,
        connections_critical_above: 0.95,
        long_query: Duration::from_secs(30),
        down_after: 3,
    }
}

/// A good answer with whatever belongs to it.
fn observed(desk: &mut Desk, source: &str, took: u64, outcome: Result<Facts, Failure>) {
    let ms = Duration::from_millis;
    let http = matches!(source, "api" | "web" | "limits");
    let request = match source {
        "redis" => "INFO, DBSIZE, SLOWLOG GET 10".to_owned(),
        "postgres" => "SELECT … FROM pg_stat_activity".to_owned(),
        "api" => "GET https://exodrive.example/api/health".to_owned(),
        other => format!("GET https://exodrive.example/{other}"),
    };
    let reached = outcome.is_ok();
    let phases = Phases {
        dns: Some(ms(3)),
        connect: Some(ms(12)),
        tls: Some(ms(25)),
        first_byte: reached.then(|| ms(took.saturating_sub(42))),
        body: reached.then(|| ms(2)),
    };
    let at = desk.now();
    desk.send(Event::Observed(Box::new(Observation {
        source: SourceId::from(source),
        at,
        took: ms(took),
        request: Arc::from(request),
        phases: http.then_some(phases),
        outcome,
    })));
}

fn fail(desk: &mut Desk, source: &str, failure: Failure) {
    observed(desk, source, 5_000, Err(failure));
}

fn facts(readings: &[(&str, Value)]) -> Facts {
    let readings = readings.iter().map(|(name, value)| (Arc::from(*name), value.clone()));
    Facts { readings: readings.collect(), ..Facts::default() }
}

fn number(value: impl Into<f64>) -> Value {
    Value::Number(value.into())
}

fn text(value: &str) -> Value {
    Value::Text(Arc::from(value))
}

/// What a round of answers says.
#[derive(Clone, Copy)]
struct Round {
    poll: u32,
    api_ms: f64,
    hits: u32,
    misses: u32,
    memory: f64,
    connections: u32,
    blocked: u32,
    refused: u32,
}

const WELL: Round = Round {
    poll: 0,
    api_ms: 120.0,
    hits: 95,
    misses: 5,
    memory: 41e6,
    connections: 38,
    blocked: 0,
    refused: 1,
};

fn api(desk: &mut Desk, round: Round, redis: &str) {
    let wobble = f64::from(round.poll * 37 % 90);
    let mut answer = facts(&[
        ("status", text("healthy")),
        ("redis", text(redis)),
        ("latency_ms", number(round.api_ms + wobble)),
        ("version", text("2026.11.3")),
        ("queue", Value::Below(10.0)),
    ]);
    answer.missing = vec![(Arc::from("uptime"), "the answer has no $.uptime".to_owned())];
    observed(desk, "api", (round.api_ms + wobble) as u64, Ok(answer));
}

fn redis(desk: &mut Desk, round: Round) {
    // The first polls went as in a calm time; counters never fall.
    let (calm, since) = (round.poll.min(60), round.poll.saturating_sub(60));
    let total = |start: u32, well: u32, each: u32| number(start + calm * well + since * each);
    let mut answer = facts(&[
        ("keyspace_hits", total(100_000, WELL.hits, round.hits)),
        ("keyspace_misses", total(5_000, WELL.misses, round.misses)),
        ("used_memory", number(round.memory)),
        ("maxmemory", number(100e6)),
        ("keys", number(18_204)),
        ("ops", number(131)),
        ("evicted_keys", number(round.poll * 2)),
        ("run_id", text("a1")),
    ]);
    answer.remarks = vec!["certificate not verified".to_owned()];
    answer.exhibits = vec![
        Exhibit::SlowLog(vec![
            slow(7, 1_767_225_900, 84, "ZRANGEBYSCORE with 5 arguments"),
            slow(6, 1_767_225_660, 31, "KEYS with 1 argument"),
        ]),
        Exhibit::Pressure {
            entries: vec![
                pressure("203.0.113.77", "public", 58, 60),
                pressure("user_8f3a21c9", "booking", 14, 10),
                pressure("203.0.113.71", "public", 21, 60),
            ],
            complete: false,
        },
    ];
    observed(desk, "redis", 4, Ok(answer));
}

fn slow(id: i64, unix_seconds: i64, ms: u64, command: &str) -> SlowCommand {
    SlowCommand { id, unix_seconds, took: Duration::from_millis(ms), command: command.to_owned() }
}

fn pressure(identifier: &str, tier: &str, used: u64, limit: u64) -> Pressure {
    Pressure { identifier: identifier.to_owned(), tier: tier.to_owned(), used, limit }
}

fn web(desk: &mut Desk, round: Round) {
    let wobble = f64::from(round.poll * 53 % 120);
    observed(desk, "web", 210, Ok(facts(&[("latency_ms", number(190.0 + wobble))])));
}

fn limits(desk: &mut Desk, round: Round) {
    let mut answer = Facts::default();
    let page = (0..round.refused).map(|at| violation(desk.now(), round.poll + at)).collect();
    answer.exhibits = vec![Exhibit::Violations(page)];
    observed(desk, "limits", 60, Ok(answer));
}

fn violation(now: Moment, at: u32) -> Violation {
    let user = at % 4 == 3;
    Violation {
        at: now.wall,
        identifier: if user {
            format!("user_8f3a21c{}", at % 7)
        } else {
            format!("203.0.113.{}", 70 + at % 5)
        },
        endpoint: if user { "/api/bookings" } else { "/api/cars/search" }.to_owned(),
        limit: Some(60),
        window: Some(Duration::from_secs(60)),
        tier: Some(if user { "booking" } else { "public" }.to_owned()),
    }
}

fn postgres(desk: &mut Desk, round: Round) {
    let mut answer = facts(&[
        ("connections", number(round.connections)),
        ("max_connections", number(100)),
        ("blocked", number(round.blocked)),
        ("idle_in_transaction", number(1)),
        ("longest_query_seconds", number(if round.blocked > 0 { 192 } else { 2 })),
        ("cache_hit_ratio", number(0.994)),
        ("tps", number(124)),
        ("size_bytes", number(1.24e9)),
        ("deadlocks", number(0)),
    ]);
    answer.missing =
        vec![(Arc::from("replication_lag_bytes"), "no replica is connected".to_owned())];
    answer.remarks = vec!["sees only its own sessions: not in pg_read_all_stats".to_owned()];
    let seconds = Duration::from_secs;
    if round.blocked > 0 {
        let update = "UPDATE bookings SET state = $1 WHERE id = $2";
        answer.exhibits = vec![Exhibit::Sessions(vec![
            session(4_211, "idle in transaction", 240, None, &[], "SELECT * FROM cars FOR UPDATE"),
            session(4_377, "active", 192, Some("Lock: transactionid"), &[4_211], update),
            session(4_390, "active", 45, Some("Lock: tuple"), &[4_377, 4_211], update),
        ])];
    } else {
        let mut long = session(4_100, "active", 2, None, &[], "VACUUM ANALYZE cars");
        long.query_age = Some(seconds(2));
        answer.exhibits = vec![Exhibit::Sessions(vec![long])];
    }
    observed(desk, "postgres", 7, Ok(answer));
}

fn session(
    pid: i64,
    state: &str,
    seconds: u64,
    wait: Option<&str>,
    blocked_by: &[i64],
    query: &str,
) -> Session {
    Session {
        pid,
        user: "app".to_owned(),
        database: "exodrive".to_owned(),
        application: "web".to_owned(),
        state: state.to_owned(),
        transaction_age: Some(Duration::from_secs(seconds)),
        query_age: Some(Duration::from_secs(seconds)),
        wait: wait.map(str::to_owned),
        blocked_by: blocked_by.to_vec(),
        query: query.to_owned(),
    }
}

fn all(desk: &mut Desk, round: Round) {
    api(desk, round, "up");
    web(desk, round);
    redis(desk, round);
    limits(desk, round);
    postgres(desk, round);
}

fn scanned(desk: &mut Desk) {
    let group = |name: &str, pattern: &str, keys, exact, protected| KeyGroup {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        keys,
        exact,
        bytes: exact.then_some(keys * 1_200),
        protected,
    };
    let at = desk.now();
    desk.send(Event::Scanned(Box::new(KeyScan {
        source: SourceId::from("redis"),
        at,
        took: Duration::from_millis(830),
        outcome: Ok(vec![
            group("pages", "content:page:*", 12_345, true, false),
            group("sessions", "session:*", 3_911, false, true),
        ]),
    })));
}

/// Nothing was observed yet.
pub fn never() -> Desk {
    let mut desk = Desk::new(catalog());
    desk.wait(1.0);
    desk
}

/// Ten minutes in which everything was well, with a deploy in the middle.
pub fn calm() -> Desk {
    let mut desk = Desk::new(catalog());
    for poll in 0..60 {
        if poll == 36 {
            desk.send(Event::Command(Command::MarkDeploy("v2.14".to_owned())));
            scanned(&mut desk);
        }
        let refused = if poll % 11 == 0 { 3 } else { 0 };
        all(&mut desk, Round { poll, refused, ..WELL });
        desk.wait(10.0);
    }
    all(&mut desk, Round { poll: 60, ..WELL });
    desk.wait(1.0);
    desk
}

/// Slow since a while, the cache misses, somebody is blocked, many are refused.
pub fn warning() -> Desk {
    let mut desk = calm();
    for poll in 61..91 {
        desk.wait(10.0);
        let round = Round {
            poll,
            api_ms: 1_180.0,
            hits: 72,
            misses: 28,
            memory: 91e6,
            connections: 85,
            blocked: 2,
            refused: 6,
        };
        all(&mut desk, round);
    }
    desk.send(Event::Command(Command::FocusPane(5)));
    desk.send(Event::Command(Command::Contacted(true)));
    desk.wait(1.0);
    desk
}

/// Redis is gone, the API times out, the database refuses, nobody answers the call.
pub fn critical() -> Desk {
    let mut desk = calm();
    desk.send(Event::Command(Command::FocusPane(5)));
    desk.send(Event::Command(Command::Contacted(true)));
    for poll in 61..161 {
        desk.wait(10.0);
        let refused = Failure::new(FailureKind::Refused, "nothing listens on cache.internal:6379")
            .hint("is the service running? systemctl status redis");
        fail(&mut desk, "redis", refused);
        if poll % 3 == 0 {
            let timeout = Failure::new(FailureKind::Timeout, "no answer within 5 s");
            fail(&mut desk, "api", timeout);
        } else {
            api(&mut desk, Round { poll, api_ms: 2_400.0, ..WELL }, "up");
        }
        web(&mut desk, Round { poll, ..WELL });
        limits(&mut desk, Round { poll, refused: 9, ..WELL });
        let full = "remaining connection slots are reserved for roles with SUPERUSER";
        fail(&mut desk, "postgres", Failure::new(FailureKind::Full, full));
    }
    desk.wait(1.0);
    desk
}

/// The pollers have stopped: nothing new for three minutes.
pub fn stale() -> Desk {
    let mut desk = calm();
    desk.wait(180.0);
    desk
}

/// Every look fails since two minutes, for reasons that say nothing of the service.
pub fn failed() -> Desk {
    let mut desk = calm();
    for _ in 0..12 {
        desk.wait(10.0);
        for source in ["api", "web", "redis", "limits", "postgres"] {
            let why = Failure::new(FailureKind::NotAuthorised, "the token was refused (401)")
                .hint("set WATCHFLOOR_TOKEN");
            fail(&mut desk, source, why);
        }
    }
    desk.wait(13.0);
    desk
}

/// A configuration that watches nothing, and one source that is switched off.
pub fn unconfigured() -> Desk {
    let mut desk = Desk::new(Catalog {
        service: "exodrive".to_owned(),
        environment: "staging".to_owned(),
        ..Catalog::default()
    });
    desk.wait(1.0);
    desk
}

/// Every source is switched off, every contact a placeholder.
pub fn switched_off() -> Desk {
    let mut catalog = catalog();
    for source in catalog.sources.values_mut() {
        source.disabled = Some("switched off: set UPSTASH_TOKEN".to_owned());
    }
    for contact in &mut catalog.contacts {
        contact.contact = "[Name]".to_owned();
        contact.backup = None;
        contact.handles = None;
        contact.respond_within = None;
    }
    let mut desk = Desk::new(catalog);
    desk.wait(1.0);
    desk
}

/// More of everything than any pane can hold.
pub fn crowded() -> Desk {
    let mut catalog = catalog();
    for at in 0..40 {
        let critical: &[&str] = if at % 9 == 4 { &["latency_ms > 10ms"] } else { &["up == false"] };
        let id = format!("extra_{at}");
        catalog.checks.push(check(&id, &format!("Endpoint {at}"), "web", critical, &[]));
        catalog.latencies.push(latency(&id, &format!("Endpoint {at}"), "web"));
    }
    for at in 0..12 {
        catalog.caches.push(cache(&format!("shard_{at}"), &format!("Shard {at}"), "redis"));
        catalog.databases.push(database(&format!("db_{at}"), &format!("Replica {at}"), "postgres"));
        let level = 4 + at as u8;
        catalog.contacts.push(contact(level, &format!("Team {at}"), "#some-team", 30));
    }
    let mut desk = Desk::new(catalog);
    for poll in 0..12 {
        all(&mut desk, Round { poll, refused: 40, blocked: 2, ..WELL });
        let page = (0..40).map(|at| Violation {
            identifier: format!("198.51.{}.{}", at % 8, at),
            ..violation(desk.now(), at)
        });
        let page = Exhibit::Violations(page.collect());
        let answer = Facts { exhibits: vec![page], ..Facts::default() };
        desk.pause(0.1);
        observed(&mut desk, "limits", 60, Ok(answer));
        desk.wait(9.9);
    }
    all(&mut desk, Round { poll: 12, refused: 5, blocked: 2, ..WELL });
    desk.wait(1.0);
    desk
}

/// Names and answers that try to break the screen: escapes, wide and long text.
pub fn hostile() -> Desk {
    const NASTY: &str = "日本語の名前\u{1b}[2J\u{1b}]0;owned\u{7} \u{202e}evil\r\nnext 🚀 line";
    let mut catalog = catalog();
    for check in &mut catalog.checks {
        check.title = format!("{NASTY} {}", check.title);
    }
    catalog.caches[0].title = NASTY.to_owned();
    catalog.caches[0].note = Some(NASTY.repeat(20));
    catalog.latencies[0].title = NASTY.to_owned();
    catalog.databases[0].title = NASTY.to_owned();
    catalog.contacts[0].name = NASTY.to_owned();
    catalog.contacts[0].contact = NASTY.repeat(3);
    let mut desk = Desk::new(catalog);
    for poll in 0..3 {
        all(&mut desk, Round { poll, ..WELL });
        let mut answer =
            facts(&[("status", text(&NASTY.repeat(9))), ("latency_ms", number(1e300))]);
        answer.readings.insert(Arc::from(NASTY), text(NASTY));
        answer.remarks = vec![NASTY.repeat(30)];
        observed(&mut desk, "api", 100, Ok(answer));
        let mut bad = violation(desk.now(), poll);
        bad.identifier = NASTY.to_owned();
        bad.endpoint = NASTY.to_owned();
        let page = Exhibit::Violations(vec![bad]);
        desk.pause(0.1);
        observed(&mut desk, "limits", 9, Ok(Facts { exhibits: vec![page], ..Facts::default() }));
        let circle = vec![
            session(1, NASTY, 9, Some(NASTY), &[2], NASTY),
            session(2, "active", 9, None, &[1, 2], NASTY),
        ];
        let answer = Facts { exhibits: vec![Exhibit::Sessions(circle)], ..Facts::default() };
        observed(&mut desk, "postgres", 9, Ok(answer));
        desk.wait(9.9);
    }
    fail(&mut desk, "web", Failure::new(FailureKind::BadAnswer, NASTY.repeat(5)).hint(NASTY));
    desk.wait(1.0);
    desk
}

/// Two caches on two servers, one of them idle.
pub fn two_of_each() -> Desk {
    let mut catalog = catalog();
    catalog.caches.push(cache("sessions", "Sessions", "sessions"));
    let (id, info) = source("sessions", "redis", "redis://sessions.internal:6379/0");
    catalog.sources.insert(id, info);
    let mut desk = Desk::new(catalog);
    for poll in 0..30 {
        all(&mut desk, Round { poll, ..WELL });
        let mut idle = facts(&[
            ("keyspace_hits", number(4_000)),
            ("keyspace_misses", number(if poll < 20 { 90 } else { 97 })),
            ("used_memory", number(1.4e6)),
            ("maxmemory", number(0)),
            ("keys", number(3)),
        ]);
        idle.not_offered = vec!["SLOWLOG GET".to_owned()];
        observed(&mut desk, "sessions", 2, Ok(idle));
        desk.wait(10.0);
    }
    desk
}
