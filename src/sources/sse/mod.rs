//! A stream of server-sent events, kept open in the background. A poll asks nobody: it
//! reports the last event, and fails where there is no stream or no event comes any more.

mod follow;

mod parse;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hyper::HeaderMap;
use tokio::time::Instant;

use self::parse::Event;
use super::background::{self, Background};
use crate::{
    config::profile::SseSource,
    domain::{
        failure::{Failure, FailureKind},
        observation::Facts,
        time::short_duration,
        value::{Value, amount, grouped},
    },
    net::{progress::Progress, readings, tls, words::clip},
};

/// A stream.
pub(super) struct Sse {
    config: SseSource,
    following: Option<Background<Seen, Phase>>,
}

/// What the task that follows and the polls share.
type Shared = background::Shared<Seen, Phase>;

/// How it goes.
#[derive(Clone, Debug)]
enum Phase {
    /// Not connected yet.
    Starting,
    /// The stream is open, and no event has come on it.
    Open,
    /// Events come.
    Following,
    /// There is no stream.
    Trouble(Failure),
}

/// What has come.
#[derive(Debug, Default)]
struct Seen {
    /// The last event that the readings are about, and when it came on this stream.
    last: Option<(Event, Instant)>,
    /// When the last event of any name came, or the stream was opened.
    at: Option<Instant>,
    events: u64,
    dropped: u64,
    /// When the last of those was dropped, on this stream.
    dropped_at: Option<Instant>,
    reconnects: u64,
    /// By the names that are counted.
    counts: BTreeMap<String, u64>,
}

impl Seen {
    /// Another stream begins.
    fn opened(&mut self, now: Instant) {
        (self.at, self.dropped_at) = (Some(now), None);
    }

    /// That events were dropped lately, or since the last one that was read, in words.
    fn too_large(&self, config: &SseSource) -> Option<String> {
        self.dropped_at.filter(|at| at.elapsed() < config.silent_after || self.at < Some(*at))?;
        let (dropped, most) = (grouped(self.dropped), amount(config.max_event));
        let events = if self.dropped == 1 { "event was" } else { "events were" };
        Some(format!("{dropped} {events} larger than max_event ({most}), and dropped"))
    }
}

impl Sse {
    /// A stream that was not opened yet.
    pub(super) fn new(config: &SseSource) -> Self {
        Self { config: config.clone(), following: None }
    }

    /// Reports what has come. The first poll opens the stream, and waits for an event.
    pub(super) async fn poll(&mut self, progress: &mut Progress) -> Result<Facts, Failure> {
        if self.following.as_ref().is_some_and(Background::is_over) {
            self.following = None;
        }
        let config = &self.config;
        let following = self.following.get_or_insert_with(|| start(config));
        let patience = progress.left() * 2 / 3;
        let wanted = |phase: &Phase| matches!(phase, Phase::Following | Phase::Trouble(_));
        let phase = following.settled(patience, wanted).await;
        match phase {
            Phase::Trouble(failure) => Err(failure),
            Phase::Starting => {
                let message = "the stream is not open yet";
                Err(Failure::new(FailureKind::Timeout, message))
            }
            Phase::Open | Phase::Following => self.report(),
        }
    }

    fn report(&self) -> Result<Facts, Failure> {
        let Some(following) = &self.following else { return Ok(Facts::default()) };
        let seen = following.found();
        let silent = seen.at.map_or(Duration::ZERO, |at| at.elapsed());
        if silent >= self.config.silent_after {
            return Err(silence(&self.config, &seen));
        }
        let mut facts = Facts::default();
        let numbers = [
            ("silent_seconds", silent.as_secs()),
            ("events_total", seen.events),
            ("dropped_total", seen.dropped),
            ("reconnects_total", seen.reconnects),
        ];
        for (name, number) in numbers {
            facts.readings.insert(name.into(), Value::Number(number as f64));
        }
        for (name, event) in &self.config.counts {
            let count = seen.counts.get(event).copied().unwrap_or_default();
            facts.readings.insert(Arc::clone(name), Value::Number(count as f64));
        }
        facts.remarks.extend(seen.too_large(&self.config));
        if self.config.tls.insecure && self.config.url.scheme() == "https" {
            facts.remarks.push(tls::NOT_VERIFIED.to_owned());
        }
        let json = self.last(&seen);
        for reading in &self.config.readings {
            let name = Arc::clone(&reading.name);
            let value = json.as_ref().map_err(Clone::clone);
            match value
                .and_then(|json| readings::read(&reading.from, Some(json), &HeaderMap::new()))
            {
                Ok(value) => drop(facts.readings.insert(name, value)),
                Err(why) => facts.missing.push((name, why)),
            }
        }
        Ok(facts)
    }

    /// What the readings are taken from, or why there is nothing.
    fn last(&self, seen: &Seen) -> Result<serde_json::Value, String> {
        let name = clip(&self.config.event, 40);
        let Some((event, at)) = &seen.last else {
            let stream = if seen.reconnects == 0 { "yet" } else { "since it was opened anew" };
            let dropped = seen.too_large(&self.config);
            return Err(match dropped {
                Some(dropped) => format!("no event {name:?} was read {stream}: {dropped}"),
                None => format!("no event {name:?} has come {stream}"),
            });
        };
        // Events of other names say nothing of what this one said.
        let (age, limit) = (at.elapsed(), self.config.silent_after);
        if age >= limit {
            let age = short_duration(Duration::from_secs(age.as_secs()));
            let limit = short_duration(limit);
            return Err(format!(
                "the last event {name:?} came {age} ago, which is longer than {limit}"
            ));
        }
        serde_json::from_str(&event.data)
            .map_err(|error| format!("the last event is not JSON: {error}"))
    }
}

fn silence(config: &SseSource, seen: &Seen) -> Failure {
    let limit = short_duration(config.silent_after);
    if let Some(dropped) = seen.too_large(config) {
        // Events come: it is this program that does not read them.
        let message = format!("for {limit} no event has come that is read: {dropped}");
        return Failure::new(FailureKind::BadAnswer, message).hint("raise max_event");
    }
    let message = format!("the stream is open, but no event has come for {limit}");
    Failure::new(FailureKind::Timeout, message).hint("what was read last is stale")
}

fn start(config: &SseSource) -> Background<Seen, Phase> {
    let followed = config.clone();
    Background::start(Seen::default(), Phase::Starting, |shared| follow::follow(followed, shared))
}
