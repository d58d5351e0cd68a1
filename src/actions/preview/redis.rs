//! How many keys a deletion would meet: all of them where there are few, else a sample.

use std::{collections::HashSet, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use redis::Value as Reply;
use tokio::time::Instant;

use super::Findings;
use crate::{
    actions::{
        plan::redis::RedisJob,
        redis::{self as server, Link},
        words,
    },
    domain::{
        catalog::PrefixSpec,
        failure::Failure,
        keys::{Fate, Pattern},
        observation::KeyGroup,
    },
};

/// The most keys that are looked at.
const MOST_KEYS: u64 = 200_000;
/// The longest that keys are looked at, to leave time for the rest.
const LONGEST_LOOK: Duration = Duration::from_millis(2500);
/// Keys per group whose memory is measured.
const SAMPLE: usize = 50;

/// The keys of one group that were met.
#[derive(Default)]
struct Met {
    keys: HashSet<Vec<u8>>,
    bytes: Option<u64>,
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
        for key in step.keys {
            survey.visited += 1;
            let group = match job.selection.fate(&key) {
                Fate::Deleted(position) => survey.deleted.get_mut(position),
                Fate::Protected(position) => survey.kept.get_mut(position),
                Fate::Untouched => None,
            };
            if let Some(group) = group {
                group.keys.insert(key);
            }
        }
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
    let mut random = SmallRng::from_os_rng();
    for group in survey.deleted.iter_mut().chain(&mut survey.kept) {
        let sample = sample(&group.keys, &mut random);
        if sample.is_empty() {
            group.bytes = Some(0);
            continue;
        }
        let mut commands = redis::pipe();
        for key in &sample {
            commands.cmd("MEMORY").arg("USAGE").arg(*key);
        }
        let replies = link.ask_all(&mut commands).await?;
        let sizes: Vec<i64> = replies
            .iter()
            .filter_map(|reply| match reply {
                Reply::Int(bytes) => Some(*bytes),
                _ => None,
            })
            .collect();
        if !sizes.is_empty() {
            let mean = sizes.iter().sum::<i64>() as f64 / sizes.len() as f64;
            group.bytes = Some((mean * group.keys.len() as f64).round() as u64);
        }
    }
    Ok(())
}

/// Some keys, each as likely as any other.
fn sample<'a>(keys: &'a HashSet<Vec<u8>>, random: &mut SmallRng) -> Vec<&'a Vec<u8>> {
    let mut out: Vec<&Vec<u8>> = Vec::with_capacity(SAMPLE);
    for (seen, key) in keys.iter().enumerate() {
        if out.len() < SAMPLE {
            out.push(key);
        } else {
            let place = random.random_range(0..=seen);
            if let Some(slot) = out.get_mut(place) {
                *slot = key;
            }
        }
    }
    out
}

impl Survey {
    /// The figure for the whole database.
    fn scaled(&self, number: u64) -> u64 {
        if self.complete || self.visited == 0 {
            return number;
        }
        (number as f64 * self.total as f64 / self.visited as f64).round() as u64
    }

    fn group(
        &self,
        pattern: &Pattern,
        met: &Met,
        protected: bool,
        names: &[PrefixSpec],
    ) -> KeyGroup {
        let name = names.iter().find(|group| group.pattern == pattern.text);
        KeyGroup {
            name: words::plain(name.map_or(&pattern.text, |group| &group.name)),
            pattern: words::plain(&pattern.text),
            keys: self.scaled(met.keys.len() as u64),
            exact: self.complete,
            bytes: met.bytes.map(|bytes| self.scaled(bytes)),
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

    let sum = |met: &[Met]| survey.scaled(met.iter().map(|met| met.keys.len() as u64).sum());
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
    fn a_sample_is_drawn_from_everywhere() {
        let keys: HashSet<Vec<u8>> = (0..1000u32).map(|key| key.to_le_bytes().to_vec()).collect();
        let mut random = SmallRng::seed_from_u64(1);
        let one = sample(&keys, &mut random);
        assert_eq!(one.len(), SAMPLE);
        assert_eq!(one.iter().collect::<HashSet<_>>().len(), SAMPLE, "no key twice");
        let first: HashSet<&Vec<u8>> = keys.iter().take(SAMPLE).collect();
        assert!(one.iter().any(|key| !first.contains(*key)), "not just the first ones");
    }

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
