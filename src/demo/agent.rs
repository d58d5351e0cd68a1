//! The voice agent: a second service on the same Redis, which measures itself. Its figures
//! count from the start of the process, as such figures do.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{sync::broadcast, time::Instant};

use super::{
    request::iso,
    store::{Store, Unavailable},
};

/// How often the agent looks after itself.
pub(super) const CHECK_EVERY: Duration = Duration::from_secs(5);
/// The most alerts that are remembered.
const MOST_ALERTS: usize = 200;
/// How long answers are kept for.
const KEPT: Duration = Duration::from_secs(120);
/// The live state of conversations, which is not a cache: others must leave it alone.
const LIVE_STATE: &[&str] = &["bici:sess:human:4151", "bici:sess:human:4187", "bici:sms:auto:9020"];

/// An event of the stream.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// `alert` or `alert-resolved`.
    pub(super) name: &'static str,
    /// The alert.
    pub(super) data: Value,
}

#[derive(Clone, Debug, Default)]
struct Totals {
    hits: u64,
    misses: u64,
    operations: u64,
    errors: u64,
    spent: Duration,
    last_error: Option<String>,
    /// What the last look at itself found: none before the first.
    ping: Option<Result<Duration, Unavailable>>,
    checked: Option<Timestamp>,
    /// Operations and errors at the last look.
    seen: (u64, u64),
}

#[derive(Clone, Debug)]
struct Alert {
    number: usize,
    kind: &'static str,
    severity: &'static str,
    message: String,
    raised: Timestamp,
    resolved: Option<Timestamp>,
}

impl Alert {
    fn to_json(&self) -> Value {
        json!({
            "id": format!("alert_{}", self.number),
            "type": self.kind,
            "severity": self.severity,
            "message": self.message,
            "details": {},
            "timestamp": iso(self.raised),
            "resolved": self.resolved.is_some(),
            "resolvedAt": self.resolved.map(iso),
        })
    }
}

/// Which alerts are asked for; none means any.
#[derive(Clone, Debug, Default)]
pub(super) struct AlertFilter {
    pub(super) resolved: Option<bool>,
    pub(super) severity: Option<String>,
    pub(super) kind: Option<String>,
}

/// The voice agent.
pub(super) struct Agent {
    store: Store,
    totals: Mutex<Totals>,
    alerts: Mutex<VecDeque<Alert>>,
    events: broadcast::Sender<Event>,
}

impl Agent {
    /// An agent that has done nothing yet.
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            totals: Mutex::default(),
            alerts: Mutex::default(),
            events: broadcast::channel(64).0,
        }
    }

    /// The events of the stream from now on.
    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks one thing up, and remembers it where it was not there. True for a hit.
    pub(super) async fn look_up(&self, key: &str) -> bool {
        let began = Instant::now();
        let mut get = redis::pipe();
        get.cmd("GET").arg(key);
        let found: Result<(Option<String>,), _> = self.store.run(&get).await;
        self.count(began, found.is_ok());
        match found {
            Ok((Some(_),)) => {
                self.totals().hits += 1;
                return true;
            }
            Ok((None,)) => self.totals().misses += 1,
            Err(Unavailable) => return false,
        }
        let began = Instant::now();
        let value =
            json!({ "key": key, "notes": "Asked for a callback about a bicycle. ".repeat(8) });
        let mut set = redis::pipe();
        set.cmd("SET").arg(key).arg(value.to_string()).arg("EX").arg(KEPT.as_secs()).ignore();
        let kept = self.store.run::<()>(&set).await;
        self.count(began, kept.is_ok());
        false
    }

    fn count(&self, began: Instant, worked: bool) {
        let mut totals = self.totals();
        totals.operations += 1;
        totals.spent += began.elapsed();
        if !worked {
            totals.errors += 1;
            totals.last_error = Some("Command timed out".to_owned());
        }
    }

    /// Looks after itself: refreshes its live state, pings Redis, raises and resolves alerts.
    pub(super) async fn check(&self) {
        let began = Instant::now();
        let mut commands = redis::pipe();
        for key in LIVE_STATE {
            commands.cmd("SET").arg(*key).arg("{\"active\":true}").arg("EX").arg(300).ignore();
        }
        commands.cmd("PING");
        let ping = self.store.run::<(String,)>(&commands).await.map(|_| began.elapsed());
        let (lost, failing, slow, cold) = {
            let mut totals = self.totals();
            totals.ping = Some(ping);
            totals.checked = Some(Timestamp::now());
            let operations = totals.operations - totals.seen.0;
            let errors = totals.errors - totals.seen.1;
            totals.seen = (totals.operations, totals.errors);
            let looked = totals.hits + totals.misses;
            (
                ping.is_err(),
                operations > 0 && errors * 20 > operations,
                ping.is_ok_and(|took| took > Duration::from_millis(100)),
                looked > 0 && totals.hits * 10 < looked * 3,
            )
        };
        self.alert("connection", "critical", lost, "Redis connection lost");
        self.alert("error_rate", "high", failing, "Redis error rate above 5%");
        self.alert("performance", "medium", slow, "Redis response time above 100ms");
        self.alert("hit_rate", "high", cold, "Cache hit rate below 30%");
    }

    /// Raises an alert that is due and not raised, resolves one that is raised and not due.
    fn alert(&self, kind: &'static str, severity: &'static str, due: bool, message: &str) {
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        let number = alerts.back().map_or(1, |last| last.number + 1);
        let raised = alerts.iter_mut().find(|a| a.kind == kind && a.resolved.is_none());
        let event = match (raised, due) {
            (None, true) => {
                let alert = Alert {
                    number,
                    kind,
                    severity,
                    message: message.to_owned(),
                    raised: Timestamp::now(),
                    resolved: None,
                };
                let data = alert.to_json();
                alerts.push_back(alert);
                if alerts.len() > MOST_ALERTS {
                    alerts.pop_front();
                }
                Event { name: "alert", data }
            }
            (Some(alert), false) => {
                alert.resolved = Some(Timestamp::now());
                Event { name: "alert-resolved", data: alert.to_json() }
            }
            _ => return,
        };
        // Nobody listening is fine.
        let _ = self.events.send(event);
    }

    /// The alerts that pass a filter.
    pub(super) fn alerts(&self, filter: &AlertFilter) -> Vec<Value> {
        let alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        let passes = |alert: &&Alert| {
            filter.resolved.is_none_or(|resolved| alert.resolved.is_some() == resolved)
                && filter.severity.as_ref().is_none_or(|severity| alert.severity == severity)
                && filter.kind.as_ref().is_none_or(|kind| alert.kind == kind)
        };
        alerts.iter().filter(passes).map(Alert::to_json).collect()
    }

    /// Whether Redis answered at the last look, or has not been looked at yet.
    pub(super) fn connected(&self) -> bool {
        !matches!(self.totals().ping, Some(Err(Unavailable)))
    }

    /// The word for its health.
    pub(super) fn health(&self) -> &'static str {
        let active = AlertFilter { resolved: Some(false), ..AlertFilter::default() };
        match (self.connected(), self.alerts(&active).is_empty()) {
            (false, _) => "critical",
            (true, false) => "degraded",
            (true, true) => "healthy",
        }
    }

    /// Its figures, flat, under the names that `/metrics` uses.
    pub(super) fn metrics(&self) -> Value {
        let totals = self.totals().clone();
        json!({
            "hits": totals.hits,
            "misses": totals.misses,
            "hitRate": totals.hit_rate(),
            "totalOperations": totals.operations,
            "operationsPerSecond": totals.per_second(),
            "averageResponseTime": totals.average_ms(),
            "connectionLatency": totals.latency_ms(),
            "errorRate": totals.error_rate(),
            "totalErrors": totals.errors,
            "lastError": totals.last_error,
        })
    }

    /// Its figures as `/metrics/performance` groups them.
    pub(super) fn performance(&self) -> Value {
        let totals = self.totals().clone();
        json!({
            "timestamp": iso(Timestamp::now()),
            "caching": {
                "hitRate": totals.hit_rate(),
                "hits": totals.hits,
                "misses": totals.misses,
                "totalRequests": totals.hits + totals.misses,
            },
            "response": {
                "averageTime": totals.average_ms(),
                "connectionLatency": totals.latency_ms(),
            },
            "operations": {
                "operationsPerSecond": totals.per_second(),
                "totalOperations": totals.operations,
            },
            "errors": {
                "errorRate": totals.error_rate(),
                "totalErrors": totals.errors,
                "lastError": totals.last_error,
            },
        })
    }

    /// When it last looked after itself.
    pub(super) fn last_check(&self) -> Option<String> {
        self.totals().checked.map(iso)
    }

    /// Writes, reads and removes a key; how long each took.
    pub(super) async fn exercise(&self) -> Result<[Duration; 3], Unavailable> {
        const KEY: &str = "bici:ctx:connection-test";
        let (mut set, mut get, mut del) = (redis::pipe(), redis::pipe(), redis::pipe());
        set.cmd("SET").arg(KEY).arg("1").arg("EX").arg(10).ignore();
        get.cmd("GET").arg(KEY).ignore();
        del.cmd("DEL").arg(KEY).ignore();
        let mut took = [Duration::ZERO; 3];
        for (commands, took) in [set, get, del].iter().zip(&mut took) {
            let began = Instant::now();
            self.store.run::<()>(commands).await?;
            *took = began.elapsed();
        }
        Ok(took)
    }

    /// Pings Redis now.
    pub(super) async fn ping(&self) -> Result<Duration, Unavailable> {
        let began = Instant::now();
        let mut ping = redis::pipe();
        ping.cmd("PING").ignore();
        self.store.run::<()>(&ping).await.map(|()| began.elapsed())
    }
}

impl Totals {
    /// Percent; 0 before the first lookup, as the agent reports it.
    fn hit_rate(&self) -> f64 {
        let looked = self.hits + self.misses;
        if looked == 0 { 0.0 } else { rounded(self.hits as f64 * 100.0 / looked as f64) }
    }

    /// Percent; not a number before the first operation.
    fn error_rate(&self) -> Option<f64> {
        (self.operations > 0).then(|| rounded(self.errors as f64 * 100.0 / self.operations as f64))
    }

    /// All operations ever, divided by sixty: what the agent calls its rate.
    fn per_second(&self) -> f64 {
        rounded(self.operations as f64 / 60.0)
    }

    fn average_ms(&self) -> f64 {
        let operations = self.operations.max(1) as f64;
        rounded(self.spent.as_secs_f64() * 1_000.0 / operations)
    }

    fn latency_ms(&self) -> Option<f64> {
        self.ping.and_then(Result::ok).map(in_ms)
    }
}

/// Milliseconds with two decimals.
pub(super) fn in_ms(took: Duration) -> f64 {
    rounded(took.as_secs_f64() * 1_000.0)
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// The agent's word for a hit rate in percent.
pub(super) fn praise(hit_rate: f64) -> &'static str {
    match hit_rate {
        rate if rate > 80.0 => "excellent",
        rate if rate > 60.0 => "good",
        rate if rate > 40.0 => "acceptable",
        _ => "poor",
    }
}
