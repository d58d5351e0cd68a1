//! What is kept of the alerts over a restart.
//!
//! A firing alert goes on firing, unconfirmed until the first good look; a pending one keeps
//! the time for which its breach was observed, and is not credited for the time in between.
//! What people did holds until its end.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    AlertsState,
    deeds::{self, Deeds, FUTURE},
    dropped,
};
use crate::{
    app::state::World,
    domain::{
        rule::{Phase, Rule},
        time::{Moment, coarse_age},
    },
};

/// Older than this, nothing of the alerts is believed: only what people did is.
const OLDEST: SignedDuration = SignedDuration::from_hours(1);

/// The most alerts of rules that are not known here which are kept for other consoles.
const MOST_OF_OTHERS: usize = 1_000;

/// What is kept of the alerts. The consoles of a machine share it: see [`Kept::merged`].
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
    /// The rules that whoever wrote this can judge.
    #[serde(skip)]
    pub judged: BTreeSet<Arc<str>>,
    /// What people did.
    pub deeds: Deeds,
    /// Since when somebody is needed, and by which rule.
    #[serde(default)]
    pub started: Option<(Timestamp, Arc<str>)>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptAlert {
    /// Its rule, whole: an alert of a rule that has changed is not taken over.
    pub rule: Rule,
    /// When this was so.
    pub at: Timestamp,
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
pub const SCHEMA: u32 = 2;

impl Kept {
    /// What this console keeps, together with what another one has kept in the meantime.
    ///
    /// Of what people did, the newest decision on each thing holds. Of the alerts, a console
    /// speaks for the rules that it can judge; those of others stay for an hour.
    #[must_use]
    pub fn merged(mut self, others: Self) -> Self {
        let now = self.at;
        self.deeds = self.deeds.merged(others.deeds, now);
        self.deeds.believe(now);
        let kept = others.alerts.into_iter().filter(|alert| {
            !self.judged.contains(&alert.rule.id)
                && now.duration_since(alert.at).abs() <= OLDEST
                && !self.alerts.iter().any(|ours| ours.rule.id == alert.rule.id)
        });
        let kept: Vec<KeptAlert> = kept.take(MOST_OF_OTHERS).collect();
        self.alerts.extend(kept);
        self
    }
}

/// What is to be kept now.
pub fn kept(world: &World) -> Kept {
    let state = &world.alerts;
    let alert = |rule: &Rule| {
        let alert = state.alerts.get(&rule.id)?;
        matches!(alert.phase, Phase::Pending | Phase::Firing | Phase::Recovering).then(|| {
            KeptAlert {
                rule: rule.clone(),
                at: world.now.wall,
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
    let judged = state.alerts.iter().filter(|(_, alert)| alert.phase != Phase::Unknown);
    Kept {
        schema: SCHEMA,
        target: world.catalog.target(),
        at: world.now.wall,
        alerts: state.rules.iter().filter_map(alert).collect(),
        judged: judged.map(|(rule, _)| Arc::clone(rule)).collect(),
        deeds: deeds::deeds(world),
        started: world.escalation.started.as_ref().map(|(at, rule)| (at.wall, Arc::clone(rule))),
    }
}

/// What came of taking something over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// What is to be said of it.
    pub said: Vec<String>,
    /// What is wrong with it.
    pub remarks: Vec<String>,
}

/// Takes over what an earlier console kept.
pub fn restore(world: &mut World, mut kept: Kept) -> Restored {
    let mut restored = Restored::default();
    let target = world.catalog.target();
    if kept.schema != SCHEMA || kept.target != target {
        restored.remarks.push(format!(
            "the alerts that were kept are of {} in form {}, not of {target}: nothing was taken over",
            kept.target, kept.schema
        ));
        return restored;
    }
    let now = world.now;
    let away = now.wall.duration_since(kept.at);
    if away < -FUTURE {
        // How long ago it was written is not known: the clock was set back since.
        let ahead = coarse_age((-away).try_into().unwrap_or_default());
        restored.remarks.push(format!(
            "the alerts that were kept lie {ahead} in the future: their times are taken as now, compare the clocks"
        ));
        kept.alerts.retain(|alert| alert.phase != Phase::Pending);
    }
    let decided = kept.deeds.believe(now.wall);
    if decided > 0 && away >= -FUTURE {
        restored.remarks.push(
            "some of what people decided lies in the future: it is taken as decided now".to_owned(),
        );
    }
    let _ = deeds::take_over(world, kept.deeds);
    if away > OLDEST {
        let hours = away.as_hours();
        deeds::forget_escalation(world);
        restored.said.push(format!("the alerts that were kept are {hours} h old: all start anew"));
        return restored;
    }
    world.escalation.started = kept.started.map(|(at, rule)| (earlier(now, at), rule));
    let mut taken = 0;
    let recent = |alert: &KeptAlert| now.wall.duration_since(alert.at) <= OLDEST;
    for alert in kept.alerts.into_iter().filter(recent) {
        match take(&mut world.alerts, alert, now) {
            Ok(is_taken) => taken += usize::from(is_taken),
            Err(ended) => restored.remarks.push(ended),
        }
    }
    if taken > 0 {
        let s = if taken == 1 { "" } else { "s" };
        restored.said.push(format!("{taken} alert{s} taken over, not confirmed yet"));
    }
    restored
}

/// Takes one over. An error says that it fired, and why it does not go on.
fn take(state: &mut AlertsState, kept: KeptAlert, now: Moment) -> Result<bool, String> {
    let fired = kept.phase.is_active();
    let why = match state.rule(&kept.rule.id) {
        None => Some(dropped::REMOVED),
        Some(rule) if rule.decides_like(&kept.rule) => None,
        Some(rule) if rule.looks_like(&kept.rule) && fired => None,
        Some(_) => Some(dropped::ASKS),
    };
    match why {
        Some(why) if fired => {
            // One whose rule is not here may be watched by another console still.
            if why != dropped::REMOVED {
                state.drop_alert(&kept.rule, why, now);
                state.dropped.clear();
            }
            return Err(format!("{}: {why}", kept.rule.title));
        }
        Some(_) => return Ok(false),
        None => {}
    }
    let as_before = state.rule(&kept.rule.id).is_some_and(|rule| rule.decides_like(&kept.rule));
    let Some(alert) = state.alerts.get_mut(&kept.rule.id) else { return Ok(false) };
    // The alert is as new here; what it has seen since is nothing.
    alert.phase = if as_before { kept.phase } else { Phase::Firing };
    alert.since = kept.since.map(|at| earlier(now, at));
    alert.fired = kept.fired.map(|at| earlier(now, at));
    alert.entered = Some(now);
    alert.peak = kept.peak;
    alert.observed_bad = kept.observed_bad;
    alert.observed_good = if as_before { kept.observed_good } else { Duration::ZERO };
    alert.bad_looks = kept.bad_looks;
    alert.restored = true;
    Ok(true)
}

/// A point on the wall clock of an earlier run, as a moment of this one. Its monotonic part
/// cannot lie before the run began: what counts on it counts from then. A point in the
/// future is none that can be believed, and taken as now.
pub(super) fn earlier(now: Moment, at: Timestamp) -> Moment {
    let at = at.min(now.wall);
    let ago = now.wall.duration_since(at);
    let ago = Duration::try_from(ago).unwrap_or_default();
    Moment { mono: now.mono.saturating_sub(ago), wall: at }
}
