//! I/O in, [`Observation`] out: one file or folder per kind of source.
//!
//! A source is asked by [`Source::poll`], once per call. A poll never panics, never takes
//! longer than the configured timeout, and answers with facts or with a [`Failure`] that
//! says in words what happened and what can be done about it. When to ask is decided above.

mod background;

mod child;

mod command;

mod http;

mod kind;

mod logs;

mod port;

mod postgres;

mod prometheus;

mod redis;

mod sse;

mod statuspage;

mod upstash;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use self::kind::{Described, Kind};
pub use self::{postgres::rights::rights, redis::scan::scan};
use crate::{
    config::profile::SourceConfig,
    domain::{
        failure::Failure,
        ids::SourceId,
        observation::{Facts, Observation, Phases},
        time::Moment,
        value::Value,
    },
    net::{progress::Progress, words::clip},
};

/// Where moments come from: the wall clock, and a monotonic clock that started with the
/// program.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose monotonic side starts now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment { mono: self.origin.elapsed(), wall: Timestamp::now() }
    }
}

/// What one poll brought.
#[derive(Clone, Debug)]
pub struct Polled {
    /// What was asked, without secrets.
    pub request: Arc<str>,
    /// The phases of the exchange, as far as it got; only for sources over HTTP.
    pub phases: Option<Phases>,
    /// What came back.
    pub outcome: Result<Facts, Failure>,
}

/// A thing that can be asked, with whatever connection it keeps between polls.
pub struct Source {
    id: SourceId,
    timeout: Duration,
    target: String,
    request: Arc<str>,
    kind: Kind,
}

impl Source {
    /// A source that was not asked yet. Opens nothing.
    pub fn new(config: &SourceConfig) -> Self {
        let Described { kind, target, request } = kind::describe(config);
        Self {
            id: config.id.clone(),
            timeout: config.timeout,
            target,
            request: Arc::from(request),
            kind,
        }
    }

    /// Its name.
    pub fn id(&self) -> &SourceId {
        &self.id
    }

    /// Where it is, without secrets: `redis://cache:6379/0`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Asks once. Takes at most the configured timeout.
    ///
    /// May be dropped before it is done; the next poll then starts afresh.
    pub async fn poll(&mut self, clock: &Clock) -> Polled {
        let now = clock.now();
        let mut progress = Progress::new(self.timeout);
        let asked = tokio::time::timeout(self.timeout, self.kind.ask(now, &mut progress)).await;
        let outcome = asked.unwrap_or_else(|_| {
            self.kind.abandon();
            Err(self.kind.explain(progress.too_late(self.timeout), &progress, self.timeout))
        });
        Polled {
            request: Arc::clone(&self.request),
            phases: self.kind.is_over_http().then_some(progress.phases),
            outcome: match outcome {
                Ok(facts) => Ok(clean_facts(facts)),
                Err(failure) => Err(clean_failure(failure)),
            },
        }
    }

    /// Asks once and makes an observation of it. `intended` is when the poll should have
    /// started: a delay counts as part of the time that it took.
    pub async fn observe(&mut self, clock: &Clock, intended: Moment) -> Observation {
        let polled = self.poll(clock).await;
        let at = clock.now();
        Observation {
            source: self.id.clone(),
            at,
            took: at.since(intended),
            request: polled.request,
            phases: polled.phases,
            outcome: polled.outcome,
        }
    }
}

/// The longest text of a failure or a remark, in characters.
const LONGEST_MESSAGE: usize = 600;

/// The longest text that is kept as a value, in characters.
const LONGEST_VALUE: usize = 200;

/// Last line of defence: whatever foreign text a failure quotes leaves here without
/// secrets and without control characters.
fn clean_failure(failure: Failure) -> Failure {
    Failure {
        message: clip(&failure.message, LONGEST_MESSAGE),
        hint: failure.hint.map(|hint| clip(&hint, LONGEST_MESSAGE)),
        ..failure
    }
}

fn clean_facts(mut facts: Facts) -> Facts {
    for value in facts.readings.values_mut() {
        if let Value::List(texts) = value {
            *texts = texts.iter().map(|text| Arc::from(clip(text, LONGEST_VALUE))).collect();
        }
        if let Value::Text(text) = value {
            let cleaned = clip(text, LONGEST_VALUE);
            if cleaned.as_str() != text.as_ref() {
                *text = Arc::from(cleaned);
            }
        }
    }
    for text in facts.remarks.iter_mut().chain(facts.not_offered.iter_mut()) {
        *text = clip(text, LONGEST_MESSAGE);
    }
    for (_, reason) in &mut facts.missing {
        *reason = clip(reason, LONGEST_MESSAGE);
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::secret::Secret, domain::failure::FailureKind};

    #[test]
    fn foreign_text_leaves_without_secrets_and_escapes() {
        let secret = Secret::new("hunter2-hunter2".to_owned(), "env TOKEN");
        let mut facts = Facts::default();
        let text = format!("\u{1b}[2Jecho {}", secret.expose());
        facts.readings.insert("banner".into(), Value::Text(text.clone().into()));
        facts.remarks.push(text.clone());
        facts.missing.push(("x".into(), text.clone()));
        let facts = clean_facts(facts);
        assert_eq!(facts.readings["banner"], Value::Text("echo ⟨secret⟩".into()));
        assert_eq!(facts.remarks, ["echo ⟨secret⟩"]);
        assert_eq!(facts.missing[0].1, "echo ⟨secret⟩");

        let failure = clean_failure(Failure::new(FailureKind::Server, text.clone()).hint(text));
        assert_eq!(failure.message, "echo ⟨secret⟩");
        assert_eq!(failure.hint.as_deref(), Some("echo ⟨secret⟩"));
    }
}
