//! The sources against real servers, and against every fault that those can have.

#![allow(clippy::expect_used, clippy::panic)]

mod common;

#[path = "sources/command.rs"]
mod command;

#[path = "sources/http.rs"]
mod http;

#[path = "sources/logs.rs"]
mod logs;

#[path = "sources/log_faults.rs"]
mod log_faults;

#[path = "sources/postgres.rs"]
mod postgres;

#[path = "sources/probe.rs"]
mod probe;

#[path = "sources/prometheus.rs"]
mod prometheus;

#[path = "sources/redis.rs"]
mod redis;

#[path = "sources/sse.rs"]
mod sse;

#[path = "sources/upstash.rs"]
mod upstash;

use std::{path::Path, time::Duration};

use watchfloor::{
    config::profile::{SourceConfig, SourceKind, TlsOptions},
    domain::{
        failure::{Failure, FailureKind},
        observation::Facts,
        value::Value,
    },
    sources::{Clock, Source},
};

/// Long enough for a busy machine to answer, short enough to wait for.
const TIMEOUT: Duration = Duration::from_secs(5);

/// For tests that run into the limit on purpose.
const SHORT: Duration = Duration::from_millis(700);

/// A source of that kind.
fn source(kind: SourceKind, timeout: Duration) -> Source {
    Source::new(&SourceConfig {
        id: "tested".into(),
        kind,
        interval: Duration::from_secs(5),
        jitter: 0.0,
        timeout,
        backoff_max: Duration::from_secs(60),
        disabled: None,
    })
}

/// One poll that must bring facts.
#[track_caller]
fn good(outcome: Result<Facts, Failure>) -> Facts {
    outcome.unwrap_or_else(|failure| panic!("a good answer was expected: {failure}"))
}

/// One poll that must fail in that way, with those words.
#[track_caller]
fn bad(outcome: Result<Facts, Failure>, kind: FailureKind, words: &str) -> Failure {
    match outcome {
        Ok(facts) => panic!("a failure was expected: {facts:?}"),
        Err(failure) => {
            let text = failure.to_string();
            assert_eq!(failure.kind, kind, "{text}");
            assert!(text.contains(words), "{words:?} is not in: {text}");
            failure
        }
    }
}

async fn poll(source: &mut Source) -> Result<Facts, Failure> {
    // The promise of a source is kept with room for a busy machine.
    let limit = Duration::from_secs(20);
    let polled = tokio::time::timeout(limit, source.poll(&Clock::start())).await;
    polled.expect("a poll keeps to its timeout").outcome
}

#[track_caller]
fn number(facts: &Facts, name: &str) -> f64 {
    match facts.readings.get(name) {
        Some(Value::Number(number)) => *number,
        other => panic!("{name} is {other:?}, missing: {:?}", facts.missing),
    }
}

#[track_caller]
fn missing<'a>(facts: &'a Facts, name: &str) -> &'a str {
    assert!(!facts.readings.contains_key(name), "{name} is there: {:?}", facts.readings);
    let found = facts.missing.iter().find(|(missing, _)| missing.as_ref() == name);
    &found.unwrap_or_else(|| panic!("{name} is not said to be missing")).1
}

fn trusting(root: &Path) -> TlsOptions {
    TlsOptions { ca_file: Some(root.to_owned()), insecure: false }
}
