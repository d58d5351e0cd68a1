//! A service with logs, and the situations they can be in.

use std::{sync::Arc, time::Duration};

use watchfloor::domain::{
    catalog::{Catalog, SourceInfo},
    failure::FailureKind,
    ids::SourceId,
    observation::{Exhibit, LogEntry, LogPart, PathTraffic, Traffic, WorstRequest},
    time::Moment,
    value::Value,
};

use super::{desk::Desk, example};

/// The example with a log for each name.
pub fn catalog(logs: &[&str]) -> Catalog {
    let mut catalog = example::catalog();
    for id in logs {
        let info = SourceInfo {
            id: SourceId::from(*id),
            kind: "logs".to_owned(),
            title: format!("Log of {}", id.trim_end_matches("_log")),
            target: format!("/var/log/{id}"),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(3),
            disabled: None,
        };
        catalog.sources.insert(info.id.clone(), info);
    }
    catalog
}

/// An entry written at that second of the run.
pub fn entry(second: f64, level: &str, message: &str, fields: &[(&str, &str)]) -> LogEntry {
    LogEntry {
        at: Moment::at_seconds(second).wall,
        service: None,
        level: (!level.is_empty()).then(|| level.into()),
        message: message.into(),
        failed: false,
        fields: fields.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect(),
    }
}

/// A log that had so many entries, with its newest ones.
pub struct Said {
    pub entries: Vec<LogEntry>,
    pub lines: f64,
    pub errors: f64,
    pub requests: f64,
    pub failed: f64,
    pub left_out: u64,
    pub too_long: u64,
}

/// What comes in five seconds of quiet traffic, beginning at that second.
pub fn traffic(second: f64) -> Vec<LogEntry> {
    let paths = ["/api/feed", "/api/posts/:id", "/api/users/me", "/api/health"];
    (0..5)
        .map(|n| {
            let at = second + f64::from(n);
            let path = paths[n as usize % paths.len()];
            let (trace, ms) = (format!("4f{:06x}", at as u64 * 7_919), format!("{}", 12 + n * 9));
            let fields = [("trace_id", trace.as_str()), ("path", path), ("status", "200")];
            let fields = [&fields[..], &[("duration_ms", ms.as_str())]].concat();
            entry(at, "info", "request.completed", &fields)
        })
        .collect()
}

/// A look at a log.
pub fn look(desk: &mut Desk, log: &str, said: Said) {
    let number = Value::Number;
    let mut readings = vec![
        ("lines_total", number(said.lines)),
        ("errors", number(said.errors)),
        ("requests", number(said.requests)),
        ("failed", number(said.failed)),
        ("lines", number(said.lines)),
    ];
    if said.requests > 0.0 {
        readings.push(("error_rate", number(said.failed / said.requests)));
    }
    let part = LogPart {
        entries: said.entries.into_iter().map(Arc::new).collect(),
        left_out: said.left_out,
        too_long: said.too_long,
    };
    let about = about(said.requests as u64, said.failed as u64);
    desk.answer_with(log, &readings, vec![Exhibit::Traffic(about), Exhibit::Log(part)]);
}

fn about(requests: u64, failed: u64) -> Traffic {
    let window = Duration::from_secs(300);
    if requests == 0 {
        let (paths, worst) = (Vec::new(), Vec::new());
        return Traffic { window, paths, worst, all: (0, 0), since: None };
    }
    let path = |path: &str, requests, failed, slowest| PathTraffic {
        path: path.into(),
        requests,
        failed,
        slowest_ms: Some(slowest),
    };
    let worst = |second, status, ms, path: &str, trace: Option<&str>| WorstRequest {
        at: Moment::at_seconds(second).wall,
        trace: trace.map(Into::into),
        path: path.into(),
        status,
        ms: Some(ms),
    };
    let well = requests - failed;
    let mut all = Traffic {
        window,
        paths: vec![
            path("/api/feed", well / 2, 0, 88.0),
            path("/api/posts/:id", well - well / 2, 0, 61.0),
        ],
        worst: vec![
            worst(9.0, 200, 88.0, "/api/feed", Some("4f0117a2")),
            worst(11.0, 200, 61.0, "/api/posts/:id", None),
        ],
        all: (2, requests),
        since: None,
    };
    if failed > 0 {
        all.all.0 += 1;
        all.paths.insert(0, path("/api/checkout", failed * 2, failed, 5_021.0));
        all.worst.insert(0, worst(12.0, 503, 5_021.0, "/api/checkout", Some("4fbad001")));
    }
    all
}

/// Looks at one log for so long, every five seconds, with nothing but well traffic.
pub fn quiet(desk: &mut Desk, log: &str, seconds: u32) {
    for _ in 0..seconds / 5 {
        let now = desk.now().mono.as_secs_f64();
        let (lines, entries) = (now + 5.0, traffic(now));
        desk.wait(5.0);
        let none = Said {
            entries,
            lines,
            errors: 0.0,
            requests: lines,
            failed: 0.0,
            left_out: 0,
            too_long: 0,
        };
        look(desk, log, none);
    }
}

/// A log is configured and nothing was seen of it yet.
pub fn waiting() -> Desk {
    Desk::new(catalog(&["api_log"]))
}

/// A log without an entry.
pub fn empty() -> Desk {
    let mut desk = waiting();
    desk.wait(5.0);
    desk.answer_with(
        "api_log",
        &[
            ("lines_total", Value::Number(0.0)),
            ("errors", Value::Number(0.0)),
            ("requests", Value::Number(0.0)),
        ],
        vec![Exhibit::Traffic(about(0, 0))],
    );
    desk
}

/// A minute of traffic without an error.
pub fn well() -> Desk {
    let mut desk = waiting();
    quiet(&mut desk, "api_log", 60);
    desk
}

/// After it, errors; and more at once than can be shown.
pub fn errors() -> Desk {
    let mut desk = well();
    let mut entries = traffic(60.0);
    let trace = ("trace_id", "4fbad001");
    entries.push(entry(61.0, "warn", "pool is nearly used up", &[("used", "19"), ("of", "20")]));
    entries.push(entry(62.0, "error", "database is gone: no connection within 5 s", &[trace]));
    let failed = [trace, ("path", "/api/checkout"), ("status", "503"), ("duration_ms", "5021")];
    entries.push(entry(62.1, "error", "request.completed", &failed));
    entries.push(entry(62.2, "", "    at Pool.acquire (pool.js:118:11)", &[]));
    entries.sort_by_key(|entry| entry.at);
    desk.wait(5.0);
    look(
        &mut desk,
        "api_log",
        Said {
            entries,
            lines: 9_382.0,
            errors: 2.0,
            requests: 480.0,
            failed: 9.0,
            left_out: 300,
            too_long: 12,
        },
    );
    desk
}

/// The list of entries, following.
pub fn following() -> Desk {
    let mut desk = errors();
    desk.press("8f");
    desk
}

/// Somebody has moved up in it, and more has come since.
pub fn paused() -> Desk {
    let mut desk = following();
    desk.press("kkk");
    quiet(&mut desk, "api_log", 15);
    desk
}

/// Searched, with matches above.
pub fn searched() -> Desk {
    let mut desk = following();
    desk.press("/status=[45]|feed<Enter>n");
    desk
}

/// Only errors with a text.
pub fn filtered() -> Desk {
    let mut desk = following();
    desk.press("e&4fbad<Enter>");
    desk
}

/// A filter that nothing passes.
pub fn no_match() -> Desk {
    let mut desk = following();
    desk.press("ee&payment<Enter>");
    desk
}

/// A filter that is no pattern, while it is typed.
pub fn bad_pattern() -> Desk {
    let mut desk = following();
    desk.press("&feed<Enter>&(");
    desk
}

/// Long lines broken, without times, and a mark.
pub fn wrapped() -> Desk {
    let mut desk = following();
    let long = "timeout while waiting for the answer of the payment service; ".repeat(6);
    let entries = vec![entry(66.0, "fatal", long.trim(), &[("attempt", "3")])];
    desk.press("m").wait(5.0);
    look(
        &mut desk,
        "api_log",
        Said {
            entries,
            lines: 9_400.0,
            errors: 3.0,
            requests: 490.0,
            failed: 9.0,
            left_out: 0,
            too_long: 0,
        },
    );
    desk.press("wt");
    desk
}

/// An entry with all its fields.
pub fn opened() -> Desk {
    let mut desk = following();
    desk.press("/pool is<Enter><Enter>");
    desk
}

/// The log cannot be read any more.
pub fn failed() -> Desk {
    let mut desk = well();
    for _ in 0..6 {
        desk.wait(10.0).fail(
            "api_log",
            FailureKind::MissingEndpoint,
            "there is no file /var/log/api_log",
        );
    }
    desk
}

/// Nothing was heard of the log for three minutes.
pub fn stale() -> Desk {
    let mut desk = well();
    desk.wait(180.0);
    desk
}

/// The log is left out of the configuration.
pub fn switched_off() -> Desk {
    let mut catalog = catalog(&["api_log"]);
    for info in catalog.sources.values_mut().filter(|info| info.kind == "logs") {
        info.disabled = Some("no docker installed".to_owned());
    }
    Desk::new(catalog)
}

/// Two logs, of which one cannot be read.
pub fn several() -> Desk {
    let mut desk = Desk::new(catalog(&["api_log", "worker_log"]));
    quiet(&mut desk, "api_log", 20);
    let error = entry(19.5, "error", "job 17 failed: no such customer", &[("queue", "mail")]);
    let said = Said {
        entries: vec![error],
        lines: 1.0,
        errors: 1.0,
        requests: 0.0,
        failed: 0.0,
        left_out: 0,
        too_long: 0,
    };
    look(&mut desk, "worker_log", said);
    desk.wait(5.0).fail(
        "worker_log",
        FailureKind::BadAnswer,
        "exit code 1; it last said: no such container",
    );
    quiet(&mut desk, "api_log", 5);
    desk
}

/// Text that would do harm on a terminal.
pub fn hostile() -> Desk {
    let mut desk = waiting();
    let evil = "\u{1b}[2J\u{1b}]0;gone\u{7}\u{202e}drawkcab\r\nsecond\u{9b}31m";
    let mut entries = vec![
        entry(1.0, "\u{1b}[31merror", evil, &[("\u{1b}[1mname", evil)]),
        entry(2.0, "info", "日本語のとても長い行です。".repeat(12).as_str(), &[("絵", "👩‍👩‍👧")]),
        entry(3.0, "debug", "", &[("empty", "")]),
    ];
    entries[0].service = Some(evil.into());
    desk.wait(5.0);
    let said = Said {
        entries,
        lines: 3.0,
        errors: 1.0,
        requests: 0.0,
        failed: 0.0,
        left_out: 0,
        too_long: 0,
    };
    look(&mut desk, "api_log", said);
    desk.press("8fw/日本<Enter>");
    desk
}

/// All of them by name.
pub fn situations() -> Vec<(&'static str, Desk)> {
    vec![
        ("waiting", waiting()),
        ("empty", empty()),
        ("well", well()),
        ("errors", errors()),
        ("following", following()),
        ("paused", paused()),
        ("searched", searched()),
        ("filtered", filtered()),
        ("no_match", no_match()),
        ("bad_pattern", bad_pattern()),
        ("wrapped", wrapped()),
        ("failed", failed()),
        ("stale", stale()),
        ("switched_off", switched_off()),
        ("several", several()),
        ("hostile", hostile()),
    ]
}
