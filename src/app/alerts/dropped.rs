//! Alerts that end although nobody has seen that all is well: what they looked at is gone,
//! or is another thing now. Whoever was told that they fire is told just that.

use std::sync::Arc;

use super::AlertsState;
use crate::domain::{
    ids::SourceId,
    rule::{Alert, Rule, SeriesName},
    time::Moment,
};

/// Its rule is not there any more.
pub(super) const REMOVED: &str = "no longer watched: its rule was removed (it was firing)";

/// What its rule looks at is read from somewhere else.
const MOVED: &str = "begins anew: its source is another one (it was firing)";

/// Its rule was written anew.
pub(super) const ASKS: &str = "begins anew: its rule looks at something else now (it was firing)";

/// What becomes of an alert under the rule as it is now. Where it only has other limits,
/// what fires goes on unconfirmed, until the data says otherwise; otherwise the words why
/// it does not go on, where it fired.
pub(super) fn carried(
    alert: &Alert,
    before: &Rule,
    rule: &Rule,
    moved: &[SourceId],
    now: Moment,
) -> Result<Alert, Option<&'static str>> {
    let is_moved = |name: &SeriesName| moved.iter().any(|id| id.as_str() == name.source.as_ref());
    let fires = alert.phase.is_active();
    if rule.when.series().any(is_moved) {
        return Err(fires.then_some(MOVED));
    }
    match (before.decides_like(rule), before.looks_like(rule), fires) {
        (true, ..) => Ok(alert.clone()),
        (false, true, true) => Ok(alert.unconfirmed(now)),
        (false, _, fires) => Err(fires.then_some(ASKS)),
    }
}

impl AlertsState {
    /// Remembers that a firing alert does not go on, for whoever was told that it fires, and
    /// ends what people did about it.
    pub(super) fn drop_alert(&mut self, rule: &Rule, why: &'static str, now: Moment) {
        self.handling.over(&rule.id, now.wall);
        if why != REMOVED {
            self.telling.dropped.insert(Arc::clone(&rule.id), why.to_owned());
        }
        self.dropped.push(format!("{}: {why}", rule.title));
    }
}
