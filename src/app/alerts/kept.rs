//! What is kept of the alerts over a restart.
//!
//! A firing alert goes on firing, unconfirmed until the first good look; a pending one keeps
//! the time for which its breach was observed, and is not credited for the time in between.
//! What people did holds until its end.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AlertsState, Handling};
use crate::{
    app::{escalation::Taken, state::World},
    domain::{
        rule::{Phase, Rule},
        time::Moment,
    },
};

/// Older than this, nothing of the alerts is believed: only what people did is.
const OLDEST: SignedDuration = SignedDuration::from_hours(1);

/// What is kept of the alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The form of this document.
    pub schema: u32,
    /// `service/environment`.
    pub target: String,
    /// When it was written.
    pub at: Timestamp,
    /// The alerts that are not ok.
    pub alerts: Vec<KeptAlert>,
    /// What people did.
    pub handling: Handling,
    /// Who was contacted when, by level.
    pub contacted: Vec<(u8, Timestamp)>,
    /// Since when somebody is needed, and by which rule.
    #[serde(default)]
    pub started: Option<(Timestamp, Arc<str>)>,
    /// Who took it.
    #[serde(default)]
    pub taken: Option<Taken>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptAlert {
    /// Its rule, whole: an alert of a rule that has changed is not taken over.
    pub rule: Rule,
    /// Where it stands.
    pub phase: Phase,
    /// Since when its condition is true.
    pub since: Option<Timestamp>,
    /// When it began to fire.
    pub fired: Option<Timestamp>,
    /// The worst figure.
    pub peak: Option<f64>,
    /// For how long the breach was observed.
    pub observed_bad: Duration,
    /// For how long it was observed to be over.
    pub observed_good: Duration,
    /// Looks that showed the breach.
    pub bad_looks: u32,
}

/// The form that this program writes.
pub const SCHEMA: u32 = 1;

/// What is to be kept now.
pub fn kept(world: &World) -> Kept {
    let state = &world.alerts;
    let alert = |rule: &Rule| {
        let alert = state.alerts.get(&rule.id)?;
        matches!(alert.phase, Phase::Pending | Phase::Firing | Phase::Recovering).then(|| {
            KeptAlert {
                rule: rule.clone(),
                phase: alert.phase,
                since: alert.since.map(|at| at.wall),
                fired: alert.fired.map(|at| at.wall),
                peak: alert.peak,
                observed_bad: alert.observed_bad,
                observed_good: alert.observed_good,
                bad_looks: alert.bad_looks,
            }
        })
    };
    let contacted = world.escalation.contacted.iter().map(|(level, at)| (*level, at.wall));
    Kept {
        schema: SCHEMA,
        target: world.catalog.target(),
        at: world.now.wall,
        alerts: state.rules.iter().filter_map(alert).collect(),
        handling: state.handling.clone(),
        contacted: contacted.collect(),
        started: world.escalation.started.as_ref().map(|(at, rule)| (at.wall, Arc::clone(rule))),
        taken: world.escalation.taken.clone(),
    }
}

/// Takes over what an earlier console kept. Returns what is to be said about it.
pub fn restore(world: &mut World, kept: Kept) -> Result<Option<String>, String> {
    let target = world.catalog.target();
    if kept.schema != SCHEMA || kept.target != target {
        return Err(format!(
            "the alerts that were kept are of {} in form {}, not of {target}: nothing was taken over",
            kept.target, kept.schema
        ));
    }
    world.alerts.handling = kept.handling;
    let _ = world.alerts.handling.expire(world.now.wall);
    let now = world.now;
    let away = now.wall.duration_since(kept.at);
    if away > OLDEST {
        let hours = away.as_hours();
        return Ok(Some(format!("the alerts that were kept are {hours} h old: all start anew")));
    }
    for (level, at) in kept.contacted {
        world.escalation.contacted.insert(level, earlier(now, at));
    }
    world.escalation.started = kept.started.map(|(at, rule)| (earlier(now, at), rule));
    world.escalation.taken = kept.taken;
    let mut taken = 0;
    for alert in kept.alerts {
        taken += usize::from(take(&mut world.alerts, alert, now));
    }
    let s = if taken == 1 { "" } else { "s" };
    Ok((taken > 0).then(|| format!("{taken} alert{s} taken over, not confirmed yet")))
}

fn take(state: &mut AlertsState, kept: KeptAlert, now: Moment) -> bool {
    if !state.rule(&kept.rule.id).is_some_and(|rule| rule.decides_like(&kept.rule)) {
        return false;
    }
    let Some(alert) = state.alerts.get_mut(&kept.rule.id) else { return false };
    // The alert is as new here; what it has seen since is nothing.
    alert.phase = kept.phase;
    alert.since = kept.since.map(|at| earlier(now, at));
    alert.fired = kept.fired.map(|at| earlier(now, at));
    alert.entered = Some(now);
    alert.peak = kept.peak;
    alert.observed_bad = kept.observed_bad;
    alert.observed_good = kept.observed_good;
    alert.bad_looks = kept.bad_looks;
    alert.restored = true;
    state.handling_follows(&kept.rule.id);
    true
}

impl AlertsState {
    /// A pending alert that was restored has nobody looking after it yet.
    fn handling_follows(&mut self, rule: &Arc<str>) {
        if !self.is_firing(rule) {
            self.handling.over(rule);
        }
    }
}

/// A point on the wall clock of an earlier run, as a moment of this one. Its monotonic part
/// cannot lie before the run began: what counts on it counts from then.
fn earlier(now: Moment, at: Timestamp) -> Moment {
    let ago = now.wall.duration_since(at);
    let ago = Duration::try_from(ago).unwrap_or_default();
    Moment { mono: now.mono.saturating_sub(ago), wall: at }
}
