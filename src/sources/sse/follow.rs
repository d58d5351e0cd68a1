//! Opening the stream, again and again.

use std::{sync::Arc, time::Duration};

use hyper::{
    Method,
    body::Bytes,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue},
};
use jiff::Timestamp;
use rand::Rng;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Phase, Shared, parse::Parser, silence};
use crate::{
    config::profile::SseSource,
    domain::failure::{Failure, FailureKind},
    net::{progress::Progress, words::clip},
    sources::http::{
        exchange::{Answer, Question, exchange},
        header_value, status,
    },
};

/// When opening the stream is given up.
const OPENING: Duration = Duration::from_secs(10);

/// Between two attempts, unless the stream says otherwise.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// After an answer that trying again would make worse, or that asks not to try again.
const SLOW: Duration = Duration::from_secs(300);

/// Follows the stream until the task is dropped.
pub(super) async fn follow(config: SseSource, shared: Arc<Shared>) {
    let mut parser = Parser::new(config.max_event);
    let mut pause = SHORTEST;
    loop {
        let before = shared.found().events;
        let (failure, slow) = run(&config, &shared, &mut parser).await;
        // What it said may have changed unseen before the stream is open again.
        shared.found().last = None;
        let came = shared.found().events > before;
        let slow = slow || failure.kind.retry_slowly();
        let asked = failure.retry_after.or(parser.retry.map(Duration::from_millis));
        shared.phase(Phase::Trouble(failure));
        if came {
            pause = SHORTEST;
        }
        let base = asked.map_or(pause, |asked| asked.clamp(SHORTEST, SLOW));
        let base = if slow { SLOW } else { base };
        let jitter = rand::rng().random_range(0.8..1.2);
        sleep(base.mul_f64(jitter)).await;
        pause = (pause * 2).min(LONGEST);
        shared.found().reconnects += 1;
        parser.restart();
    }
}

/// One stream, from its opening to its end. Whether it asked not to be opened again.
async fn run(config: &SseSource, shared: &Shared, parser: &mut Parser) -> (Failure, bool) {
    let mut answer = match open(config, parser.last_id.as_deref()).await {
        Ok(answer) => answer,
        Err(refused) => return refused,
    };
    shared.found().opened(Instant::now());
    shared.change_phase(|phase| {
        let was_starting = matches!(phase, Phase::Starting);
        if was_starting {
            *phase = Phase::Open;
        }
        was_starting
    });
    loop {
        let last = shared.found().at.unwrap_or_else(Instant::now);
        // Comments keep a connection alive, and say nothing of what is watched.
        let chunk = match timeout_at(last + config.silent_after, answer.chunk()).await {
            Err(_) => return (silence(config, &shared.found()), false),
            Ok(Err(failure)) => return (failure, false),
            Ok(Ok(None)) => {
                let failure = Failure::new(FailureKind::Closed, "the server ended the stream");
                return (failure, false);
            }
            Ok(Ok(Some(chunk))) => chunk,
        };
        let events = parser.feed(&chunk);
        let mut seen = shared.found();
        if parser.dropped > seen.dropped {
            (seen.dropped, seen.dropped_at) = (parser.dropped, Some(Instant::now()));
        }
        if events.is_empty() {
            continue;
        }
        let now = Instant::now();
        seen.at = Some(now);
        for event in events {
            seen.events += 1;
            if config.counts.iter().any(|(_, name)| *name == event.name) {
                *seen.counts.entry(event.name.clone()).or_default() += 1;
            }
            if event.name == config.event {
                seen.last = Some((event, now));
            }
        }
        let ready = seen.last.is_some() || config.readings.is_empty();
        drop(seen);
        shared.phase(if ready { Phase::Following } else { Phase::Open });
    }
}

/// Opens the stream, or says why not, and whether it is not to be tried again soon.
async fn open(config: &SseSource, last_id: Option<&str>) -> Result<Answer, (Failure, bool)> {
    let mut progress = Progress::new(OPENING);
    let asked = timeout(OPENING, ask(config, last_id, &mut progress)).await;
    let mut answer = match asked {
        Ok(answer) => answer.map_err(|failure| (failure, false))?,
        Err(_) => return Err((progress.too_late(OPENING), false)),
    };
    if answer.status() == 204 {
        let message = "204: the server asks not to be asked again";
        return Err((Failure::new(FailureKind::MissingEndpoint, message), true));
    }
    if answer.status() != 200 {
        let excerpt = answer.excerpt().await;
        let refusal = status::Refusal {
            status: answer.status(),
            headers: answer.headers(),
            excerpt: &excerpt,
            credentials: &config.headers,
            now: Timestamp::now(),
        };
        return Err((refusal.failure(), false));
    }
    let kind = answer.header(&CONTENT_TYPE).unwrap_or("no content type");
    if !kind.trim().to_ascii_lowercase().starts_with("text/event-stream") {
        let message = format!("this is no stream of events, but {}", clip(kind, 60));
        return Err((Failure::new(FailureKind::BadAnswer, message), false));
    }
    Ok(answer)
}

async fn ask(
    config: &SseSource,
    last_id: Option<&str>,
    progress: &mut Progress,
) -> Result<Answer, Failure> {
    let mut headers: Vec<(HeaderName, HeaderValue)> = vec![
        (ACCEPT, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if let Some(id) = last_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.push((HeaderName::from_static("last-event-id"), id));
    }
    for (name, text) in &config.headers {
        headers.push(header_value(name, text)?);
    }
    let question = Question {
        method: Method::GET,
        url: &config.url,
        headers: &headers,
        body: Bytes::new(),
        tls: &config.tls,
    };
    exchange(question, progress).await
}
