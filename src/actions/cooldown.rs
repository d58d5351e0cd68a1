//! Resting between two runs of an action.

use std::time::Duration;

use jiff::Timestamp;

use super::{journal::Journal, verdict::Last};
use crate::domain::{
    action::ActionOutcome,
    ids::{ActionId, RunId},
    time::{clock, clock_left},
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
    let record = records.iter().find(|record| {
        let past = &record.past;
        past.action == *action
            && target.is_none_or(|target| past.is_on(target))
            && past.run != *run
            && past.outcome != ActionOutcome::NeverStarted
    })?;
    let last = &record.past;
    let elapsed = Duration::try_from(now.duration_since(last.wall)).unwrap_or_default();
    let left = cooldown.checked_sub(elapsed).filter(|left| !left.is_zero())?;
    let (by, run, left) = (&last.by, &last.run, clock_left(left));
    Some(match record.last {
        Last::Finished => format!("{by} ran it a moment ago: cooling down, {left} left"),
        _ => {
            let ago = clock(elapsed);
            format!(
                "{by} began it {ago} ago, and it is not over (run {run}); cooling down, {left} left"
            )
        }
    })
}
