//! How many keys a deletion would meet: all of them where there are few, else a sample.

use std::time::Duration;

use rand::{SeedableRng, rngs::SmallRng};
use tokio::time::Instant;

use super::Findings;
use crate::{
    actions::{plan::redis::RedisJob, redis::Link, words},
    domain::{
        catalog::PrefixSpec,
        failure::Failure,
        keys::{Fate, Pattern},
        observation::KeyGroup,
    },
    net::redis::{
        self as server,
        count::{Seen, Tally, scaled},
    },
};

/// The most keys that are looked at.
const MOST_KEYS: u64 = 200_000;
/// The longest that keys are looked at, to leave time for the rest.
const LONGEST_LOOK: Duration = Duration::from_millis(2500);

/// The keys of one group that were met.
#[derive(Default)]
struct Met {
    tally: Tally,
    /// Their mean memory in bytes, where the server tells.
    mean: Option<f64>,
}

/// The keys that were met.
struct Survey {
    /// Keys of the database, as the server says.
    total: u64,
    /// Keys that were looked at.
    visited: u64,
    /// Whether these were all.
    complete: bool,
    deleted: Vec<Met>,
    kept: Vec<Met>,
}

/// Measures a deletion.
pub(super) async fn look(
    job: &RedisJob,
    groups: &[PrefixSpec],
    found: &mut Findings,
) -> Result<(), Failure> {
    for group in groups.iter().filter(|group| group.protected) {
        check_protected(job, group, found);
    }
    let mut link = Link::open(&job.source).await?;
    let state = link.state().await?;
    let objections = state.objections();
    found.find(format!("{} is a {}", server::shown(&job.source), state.shown()));
    if !objections.is_empty() {
        objections.into_iter().for_each(|why| found.refuse(why));
        return Ok(());
    }
    let mut survey = survey(&mut link, job).await?;
    measure_memory(&mut link, &mut survey).await?;
    report(job, groups, &survey, found);
    Ok(())
}

/// A group that the catalog calls protected must be kept by the action, or not be met.
fn check_protected(job: &RedisJob, group: &PrefixSpec, found: &mut Findings) {
    let protected = Pattern::to_keep(&group.pattern);
    let kept = job.selection.keep.iter().any(|keep| keep.contains(&protected));
    let met = job.selection.delete.iter().find(|delete| delete.meets(&protected));
    if let (Some(delete), false) = (met, kept) {
        found.refuse(format!(
            "{} could touch the protected keys {} ({})",
            delete.text, group.pattern, group.name
        ));
    }
}

async fn survey(link: &mut Link, job: &RedisJob) -> Result<Survey, Failure> {
    let total: u64 = link.ask(&redis::cmd("DBSIZE")).await?;
    let several = |number: usize| (0..number).map(|_| Met::default()).collect();
    let mut seen = Seen::default();
    let mut random = SmallRng::from_os_rng();
    let mut survey = Survey {
        total,
        visited: 0,
        complete: false,
        deleted: several(job.selection.delete.len()),
        kept: several(job.selection.keep.len()),
    };
    let end = Instant::now() + LONGEST_LOOK;
    let mut cursor = 0;
    loop {
        let step = link.scan(cursor, None).await?;
        for key in step.keys.iter().filter(|key| seen.insert(key)) {
            let group = match job.selection.fate(key) {
                Fate::Deleted(position) => survey.deleted.get_mut(position),
                Fate::Protected(position) => survey.kept.get_mut(position),
                Fate::Untouched => None,
            };
            if let Some(group) = group {
                group.tally.take(key, &mut random);
            }
        }
        survey.visited = seen.count();
        match step.next {
            None => {
                survey.complete = true;
                return Ok(survey);
            }
            Some(_) if survey.visited >= MOST_KEYS || Instant::now() >= end => return Ok(survey),
            Some(next) => cursor = next,
        }
    }
}

/// Asks for the memory of some keys of every group. A server that does not tell is no
/// reason to stop.
async fn measure_memory(link: &mut Link, survey: &mut Survey) -> Result<(), Failure> {
    for group in survey.deleted.iter_mut().chain(&mut survey.kept) {
        group.mean =
            if group.tally.found == 0 { Some(0.0) } else { link.mean_size(&group.tally).await? };
    }
    Ok(())
}

impl Survey {
    /// The figure for the whole database.
    fn scaled(&self, number: u64) -> u64 {
        if self.complete {
            return number;
        }
        scaled(number, self.total.max(self.visited), self.visited)
    }

    fn group(
        &self,
        pattern: &Pattern,
        met: &Met,
        protected: bool,
        names: &[PrefixSpec],
    ) -> KeyGroup {
        let name = names.iter().find(|group| group.pattern == pattern.text);
        let keys = self.scaled(met.tally.found);
        KeyGroup {
            name: words::plain(name.map_or(&pattern.text, |group| &group.name)),
            pattern: words::plain(&pattern.text),
            keys,
            exact: self.complete,
            bytes: met.mean.map(|mean| (mean * keys as f64) as u64),
            protected,
        }
    }
}

fn report(job: &RedisJob, names: &[PrefixSpec], survey: &Survey, found: &mut Findings) {
    let selection = &job.selection;
    let deleted = selection.delete.iter().zip(&survey.deleted);
    found.groups.extend(deleted.map(|(pattern, met)| survey.group(pattern, met, false, names)));
    let kept = selection.keep.iter().zip(&survey.kept);
    found.groups.extend(kept.map(|(pattern, met)| survey.group(pattern, met, true, names)));

    let sum = |met: &[Met]| survey.scaled(met.iter().map(|met| met.tally.found).sum());
    let (deleted, protected) = (sum(&survey.deleted), sum(&survey.kept));
    let total = survey.total.max(deleted + protected);
    let about = if survey.complete { "" } else { "about " };
    let share = if total == 0 { 0.0 } else { deleted as f64 / total as f64 * 100.0 };
    let of = words::count(total, "key", "keys");
    found.find(format!("deletes {about}{deleted} of {of} ({share:.1} %)"));
    for group in found.groups.clone().iter().filter(|group| group.protected) {
        let keys = words::count(group.keys, "key", "keys");
        found.find(format!("keeps {}: {about}{keys}, protected", group.name));
    }
    found.find(format!(
        "a FLUSHDB would also have deleted {about}{}, {about}{protected} of them protected",
        words::count(total.saturating_sub(deleted), "other key", "other keys"),
    ));
    if !survey.complete {
        let visited = survey.visited;
        found.find(format!("an estimate: {visited} of {} were looked at", survey.total));
    }
    if deleted == 0 {
        found.find("there is nothing to delete");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_scaled_to_the_whole() {
        let mut survey = Survey {
            total: 1000,
            visited: 100,
            complete: false,
            deleted: Vec::new(),
            kept: Vec::new(),
        };
        assert_eq!(survey.scaled(7), 70);
        survey.complete = true;
        assert_eq!(survey.scaled(7), 7);
    }
}
