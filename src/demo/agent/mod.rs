//! The voice agent: a second service on the same Redis, which measures itself. Its figures
//! count from the start of the process, as such figures do.

mod figures;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{sync::broadcast, time::Instant};

use figures::Totals;

pub(super) use figures::{in_ms, praise};

use super::{
    request::iso,
    stage::Stage,
    standin::bici::{AGENT_ALERTS, QUIET, STRANGERS},
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

/// What it says of its voices.
const VOICE: &str = "Voice response time above 2000ms";

/// An event of the stream.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// `alert` or `alert-resolved`.
    pub(super) name: &'static str,
    /// The alert.
    pub(super) data: Value,
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

/// What becomes of an alert whose cause is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolves {
    /// It is resolved.
    Every,
    /// It stays active, except where the connection was lost.
    Connection,
}

/// The voice agent.
pub(super) struct Agent {
    stage: Arc<Stage>,
    resolves: Resolves,
    store: Store,
    totals: Mutex<Totals>,
    alerts: Mutex<VecDeque<Alert>>,
    events: broadcast::Sender<Event>,
}

impl Agent {
    /// An agent that has done nothing yet, with Redis switched on.
    pub(super) fn new(stage: Arc<Stage>, store: Store, resolves: Resolves) -> Self {
        Self {
            stage,
            resolves,
            store,
            totals: Mutex::new(Totals::new(true)),
            alerts: Mutex::default(),
            events: broadcast::channel(64).0,
        }
    }

    /// The events of the stream from now on.
    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// The stage that it is on.
    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Starts the process anew: whatever it counted is gone, and so are its alerts.
    pub(super) fn restart(&self, enabled: bool) {
        *self.totals() = Totals::new(enabled);
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether the process uses Redis.
    pub(super) fn enabled(&self) -> bool {
        self.totals().enabled
    }

    /// Whether anybody calls.
    pub(super) fn is_called(&self) -> bool {
        !self.stage.switches.is_on(QUIET)
    }

    /// Whether everybody who calls is unknown to it.
    pub(super) fn meets_strangers(&self) -> bool {
        self.stage.switches.is_on(STRANGERS)
    }

    fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks one thing up, and remembers it where it was not there. True for a hit.
    pub(super) async fn look_up(&self, key: &str) -> bool {
        if !self.enabled() {
            return false;
        }
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
        self.totals().operation(began.elapsed(), worked);
    }

    /// Looks after itself: refreshes its live state, pings Redis, raises and resolves alerts.
    pub(super) async fn check(&self) {
        self.alert("voice", "high", self.stage.switches.is_on(AGENT_ALERTS), VOICE);
        if !self.enabled() {
            self.totals().checked = Some(Timestamp::now());
            return;
        }
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
            (Some(alert), false) if self.resolves == Resolves::Every || kind == "connection" => {
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

    /// Whether Redis answered at the last look, or has not been looked at yet. Switched off it
    /// is not connected, and that is no fault.
    pub(super) fn connected(&self) -> bool {
        self.enabled() && !self.lost()
    }

    fn lost(&self) -> bool {
        matches!(self.totals().ping, Some(Err(Unavailable)))
    }

    /// The word for its health.
    pub(super) fn health(&self) -> &'static str {
        let active = AlertFilter { resolved: Some(false), ..AlertFilter::default() };
        match (self.lost(), self.alerts(&active).is_empty()) {
            (true, _) => "critical",
            (false, false) => "degraded",
            (false, true) => "healthy",
        }
    }

    /// Its figures, flat, under the names that `/metrics` uses.
    pub(super) fn metrics(&self) -> Value {
        self.totals().flat()
    }

    /// Its figures as `/metrics/performance` groups them.
    pub(super) fn performance(&self) -> Value {
        self.totals().grouped()
    }

    /// When it last looked after itself.
    pub(super) fn last_check(&self) -> Option<String> {
        self.totals().checked.map(iso)
    }

    /// Writes, reads and removes a key; how long each took.
    pub(super) async fn exercise(&self) -> Result<[Duration; 3], Unavailable> {
        const KEY: &str = "bici:ctx:connection-test";
        if !self.enabled() {
            return Err(Unavailable);
        }
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

/// Looks after itself until it is interrupted.
pub(super) async fn look_after(agent: &Agent) {
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        agent.check().await;
    }
}
