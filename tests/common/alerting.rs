//! The example service with alert rules, and the situations that they can be in.

use std::{sync::Arc, time::Duration};

use watchfloor::{
    app::{
        alerts,
        command::{AlertCommand, Command},
        msg::Event,
        state::{Settings, State},
    },
    domain::{
        catalog::Catalog,
        failure::FailureKind,
        ids::ActionId,
        rule::{Priority, Rule, Severity, When},
        value::Value,
    },
};

use super::{desk::Desk, example};

/// A rule that warns.
pub fn rule(id: &str, title: &str, when: &str, hold: u64) -> Rule {
    Rule {
        hold: Duration::from_secs(hold),
        keep: Some(Duration::from_secs(60)),
        ..Rule::new(id, title, When::parse(when).expect("a readable rule"))
    }
}

/// The service with six rules.
pub fn catalog() -> Catalog {
    let mut down = rule("redis_down", "Redis is gone", "redis.up == false", 0);
    down.severity = Severity::Critical;
    down.priority = Priority::P1;
    down.suggests = vec![ActionId::from("disable_cache")];
    down.runbook = Some("https://wiki.example/redis#gone".to_owned());
    down.summary = Some("Every request goes to the database".to_owned());
    let slow = "p95(api.latency_ms, 5m) > 800ms";
    let mut slow = rule("api_slow", "The API is slow", slow, 120);
    slow.suggests = vec![ActionId::from("rollback"), ActionId::from("warm_cache")];
    slow.runbook = Some("https://wiki.example/latency".to_owned());
    let hits = "hit_rate(redis.keyspace_hits, redis.keyspace_misses, 5m) < 70%";
    let mut hits = rule("hit_rate", "Hit rate is low", hits, 300);
    hits.inhibited_by = vec![Arc::from("redis_down")];
    Catalog {
        rules: vec![
            slow,
            down,
            hits,
            rule("memory", "Redis memory", "redis.used_memory > 80MB", 60),
            rule("blocked", "Sessions wait for locks", "postgres.blocked > 0", 60),
            rule("web_slow", "The start page is slow", "web.latency_ms > 1500ms", 30),
        ],
        ..example::catalog()
    }
}

/// What a round of answers says.
#[derive(Clone, Copy)]
pub struct Round {
    /// What the API takes.
    pub api_ms: f64,
    /// What the start page takes.
    pub web_ms: f64,
    /// Whether Redis answers.
    pub redis: bool,
    /// Sessions that wait.
    pub blocked: f64,
}

/// Nothing is wrong.
pub const WELL: Round = Round { api_ms: 120.0, web_ms: 230.0, redis: true, blocked: 0.0 };

/// So many rounds of answers, ten seconds apart.
pub fn rounds(desk: &mut Desk, rounds: u64, round: Round) {
    for poll in 0..rounds {
        let now = desk.now().mono.as_secs() as f64;
        let wobble = (poll * 37 % 90) as f64;
        let number = Value::Number;
        desk.answer("api", &[("latency_ms", number(round.api_ms + wobble))]);
        desk.answer("web", &[("latency_ms", number(round.web_ms + wobble))]);
        if round.redis {
            let readings = [
                ("keyspace_hits", number(100_000.0 + now * 9.0)),
                ("keyspace_misses", number(5_000.0 + now)),
                ("used_memory", number(41e6)),
                ("maxmemory", number(100e6)),
            ];
            desk.answer("redis", &readings);
        } else {
            desk.fail("redis", FailureKind::Refused, "nothing listens on cache.internal:6379");
        }
        let waiting = [
            ("connections", number(14.0)),
            ("max_connections", number(100.0)),
            ("blocked", number(round.blocked)),
        ];
        desk.answer("postgres", &waiting);
        desk.answer("limits", &[]);
        desk.wait(10.0);
    }
}

/// Ten minutes in which everything was well.
pub fn calm() -> Desk {
    let mut desk = Desk::new(catalog());
    rounds(&mut desk, 60, WELL);
    desk
}

/// The API has become slow, half a minute ago.
pub fn pending() -> Desk {
    let mut desk = calm();
    rounds(&mut desk, 5, Round { api_ms: 1_240.0, ..WELL });
    desk
}

const BROKEN: Round = Round { api_ms: 1_240.0, web_ms: 2_100.0, redis: false, blocked: 0.0 };

/// Redis is gone for five minutes, the API and the start page are slow, sessions begin to wait.
pub fn firing() -> Desk {
    let mut desk = calm();
    rounds(&mut desk, 27, BROKEN);
    rounds(&mut desk, 3, Round { blocked: 2.0, ..BROKEN });
    desk
}

/// The same, and level 1 did not answer.
pub fn called() -> Desk {
    let mut desk = firing();
    rounds(&mut desk, 66, Round { blocked: 2.0, ..BROKEN });
    desk
}

fn tell(desk: &mut Desk, command: AlertCommand) {
    desk.send(Event::Command(Command::Alert(command)));
}

/// Somebody looks after everything that fires, and decided how urgent it is.
pub fn acknowledged() -> Desk {
    let mut desk = firing();
    for (rule, reason) in [
        ("redis_down", "restarting the primary"),
        ("api_slow", "follows from Redis"),
        ("web_slow", "follows from Redis"),
    ] {
        let (rule, reason) = (rule.to_owned(), reason.to_owned());
        let lasting = Duration::from_secs(1_800);
        tell(&mut desk, AlertCommand::Acknowledge { rule, lasting, reason });
    }
    let rule = "redis_down".to_owned();
    tell(&mut desk, AlertCommand::Priority { rule, priority: Priority::P0 });
    desk.wait(10.0);
    desk
}

/// What warns is silenced, and a maintenance window is open.
pub fn silenced() -> Desk {
    let mut desk = firing();
    let lasting = Duration::from_secs(3_600);
    let matcher = "severity=warning".to_owned();
    let reason = "known, being worked on".to_owned();
    tell(&mut desk, AlertCommand::Silence { matcher, lasting, reason });
    let reason = "moving to the new cluster".to_owned();
    tell(&mut desk, AlertCommand::Maintenance { lasting, reason });
    desk
}

/// The hit rate was low before Redis went: now that is a mere consequence.
pub fn inhibited() -> Desk {
    let mut catalog = catalog();
    catalog.rules[0].inhibited_by = vec![Arc::from("redis_down")];
    let mut desk = Desk::new(catalog);
    rounds(&mut desk, 60, WELL);
    rounds(&mut desk, 30, BROKEN);
    desk
}

/// Nothing is heard any more of what fires.
pub fn stale() -> Desk {
    let mut desk = firing();
    desk.wait(200.0);
    desk
}

/// Another console has taken over what this one knew.
pub fn restored() -> Desk {
    let before = acknowledged();
    let kept = alerts::kept(&before.state.world);
    let mut desk = Desk::new(catalog());
    // The clock of the new console goes on where that of the old one stopped.
    desk.pause(before.now().mono.as_secs_f64() + 120.0);
    let operator = "alice@bastion".to_owned();
    let settings = Settings { operator, utc: true, ..Settings::default() };
    desk.state = State::new(catalog(), desk.now(), settings);
    desk.send(Event::AlertsKept(Box::new(kept)));
    desk.wait(1.0);
    desk
}

/// The start page is slow at every other look.
pub fn flapping() -> Desk {
    let mut catalog = catalog();
    catalog.rules[5].hold = Duration::ZERO;
    catalog.rules[5].keep = Some(Duration::ZERO);
    let mut desk = Desk::new(catalog);
    rounds(&mut desk, 30, WELL);
    for _ in 0..12 {
        rounds(&mut desk, 1, Round { web_ms: 2_000.0, ..WELL });
        rounds(&mut desk, 1, WELL);
    }
    rounds(&mut desk, 1, Round { web_ms: 2_000.0, ..WELL });
    desk
}

/// Forty rules in all states.
pub fn crowded() -> Desk {
    let mut catalog = catalog();
    for at in 0..34 {
        let (when, hold) = match at % 4 {
            0 => ("web.latency_ms > 1s", 30),
            1 => ("api.latency_ms > 1s", 600),
            2 => ("redis.used_memory > 90MB", 0),
            _ => ("postgres.connections > 90", 60),
        };
        let title = format!("Rule number {at} of the shop");
        let mut one = rule(&format!("rule_{at:02}"), &title, when, hold);
        if at % 8 == 0 {
            one.severity = Severity::Critical;
            one.priority = Priority::P1;
        }
        catalog.rules.push(one);
    }
    let mut desk = Desk::new(catalog);
    rounds(&mut desk, 60, WELL);
    rounds(&mut desk, 30, Round { redis: true, ..BROKEN });
    let lasting = Duration::from_secs(1_800);
    let (rule, reason) = ("rule_08".to_owned(), "a known one".to_owned());
    tell(&mut desk, AlertCommand::Acknowledge { rule, lasting, reason });
    desk
}

/// Titles, summaries and reasons that would break the screen, were they shown as they are.
pub fn hostile() -> Desk {
    let mut catalog = catalog();
    let evil =
        "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}日本語のとても長い題名🔥\nsecond line ".repeat(6);
    for rule in &mut catalog.rules {
        rule.title.clone_from(&evil);
        rule.summary = Some(evil.clone());
        rule.runbook = Some(evil.clone());
    }
    let mut desk = Desk::new(catalog);
    rounds(&mut desk, 60, WELL);
    rounds(&mut desk, 30, BROKEN);
    let lasting = Duration::from_secs(1_800);
    let rule = "api_slow".to_owned();
    tell(&mut desk, AlertCommand::Acknowledge { rule, lasting, reason: evil });
    desk
}

/// Every situation with its name.
pub fn situations() -> Vec<(&'static str, Desk)> {
    vec![
        ("calm", calm()),
        ("pending", pending()),
        ("firing", firing()),
        ("called", called()),
        ("acknowledged", acknowledged()),
        ("silenced", silenced()),
        ("inhibited", inhibited()),
        ("stale", stale()),
        ("restored", restored()),
        ("flapping", flapping()),
        ("crowded", crowded()),
        ("hostile", hostile()),
    ]
}
