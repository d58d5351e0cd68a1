//! Resting between two runs of an action.

use std::time::Duration;

use jiff::Timestamp;

use super::journal::Journal;
use crate::domain::{
    action::ActionOutcome,
    ids::{ActionId, RunId},
    time::clock,
};

/// How many of the newest runs are looked at.
const LOOKED_AT: usize = 200;

/// Why an action must still rest before a run of it: by what the journal says of all
/// consoles on the same target. Blocks on the disk.
pub(super) fn resting(
    journal: &Journal,
    now: Timestamp,
    (run, action, target): (&RunId, &ActionId, Option<&str>),
    cooldown: Duration,
) -> Option<String> {
    let records = journal.records(LOOKED_AT);
    let last = records.iter().map(|record| &record.past).find(|past| {
        past.action == *action
            && target.is_none_or(|target| past.is_on(target))
            && past.run != *run
            && past.outcome != ActionOutcome::NeverStarted
    })?;
    let elapsed = Duration::try_from(now.duration_since(last.wall)).unwrap_or_default();
    let left = cooldown.checked_sub(elapsed).filter(|left| !left.is_zero())?;
    Some(format!("{} ran it a moment ago: cooling down, {} left", last.by, clock(left)))
}
