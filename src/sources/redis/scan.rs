//! Keys by prefix, counted when the operator asks for it.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use redis::{cmd, pipe};
use tokio::time::timeout;

use super::{super::progress::Progress, link::Link, pressure::scanned, slowlog::integer};
use crate::{
    config::profile::RedisSource,
    domain::{
        failure::{Failure, FailureKind},
        keys::Pattern,
        observation::KeyGroup,
    },
};

/// Keys visited by one call. More would hold up the server for milliseconds.
const STEP: u64 = 500;

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// How long the whole scan may take; what was seen until then is an estimate.
const SCAN_LIMIT: Duration = Duration::from_secs(30);

/// Keys of each group whose memory is looked up.
const SAMPLE: usize = 50;

/// One group while it is being counted.
struct Tally<'a> {
    group: &'a (String, String, bool),
    pattern: Pattern,
    found: u64,
    sample: Vec<Vec<u8>>,
}

/// Counts the keys of each group, given as name, pattern and whether it is protected. A
/// pattern is literal characters and a final `*`.
///
/// Visits at most `budget` keys, on a connection of its own. The counts are exact where
/// that sufficed, and otherwise estimated from the part that was visited. Nothing is read
/// but names and sizes, with commands that do not count as hits or misses.
///
/// # Errors
///
/// A [`Failure`] where the server cannot be reached or refuses to be scanned.
pub async fn scan(
    config: &RedisSource,
    groups: &[(String, String, bool)],
    budget: u32,
) -> Result<Vec<KeyGroup>, Failure> {
    let mut progress = Progress::new(CALL_LIMIT);
    let opened = timeout(CALL_LIMIT, Link::open(config, &mut progress)).await;
    let mut link = opened.unwrap_or_else(|_| Err(progress.too_late(CALL_LIMIT)))?;
    let size = ask(&mut link, &cmd("DBSIZE"), config).await?;
    let size = integer(&size).and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
    let mut tallies: Vec<Tally<'_>> = groups.iter().map(Tally::new).collect();
    let pass = visit(&mut link, config, u64::from(budget), &mut tallies).await?;
    let mut counted = Vec::with_capacity(tallies.len());
    for tally in tallies {
        let keys = if pass.complete {
            tally.found
        } else {
            scaled(tally.found, size.max(pass.visited), pass.visited)
        };
        let mean = mean_size(&mut link, config, &tally.sample).await?;
        let (name, pattern, protected) = tally.group.clone();
        let bytes = mean.map(|mean| (mean * keys as f64) as u64);
        counted.push(KeyGroup { name, pattern, keys, exact: pass.complete, bytes, protected });
    }
    Ok(counted)
}

/// How far a scan came.
struct Pass {
    visited: u64,
    complete: bool,
}

async fn visit(
    link: &mut Link,
    config: &RedisSource,
    budget: u64,
    tallies: &mut [Tally<'_>],
) -> Result<Pass, Failure> {
    let started = tokio::time::Instant::now();
    let mut random = SmallRng::from_os_rng();
    let hashing = RandomState::new();
    // SCAN may name a key twice, so that those seen are remembered, by their hash.
    let mut seen = HashSet::new();
    let (mut cursor, mut asked_for) = (0, 0);
    let complete = loop {
        if asked_for >= budget || started.elapsed() > SCAN_LIMIT {
            break false;
        }
        let step = STEP.min(budget - asked_for);
        asked_for += step;
        let mut command = cmd("SCAN");
        command.arg(cursor).arg("COUNT").arg(step);
        let (next, keys) = scanned(ask(link, &command, config).await?)?;
        for key in keys {
            if seen.insert(hashing.hash_one(&key)) {
                for tally in tallies.iter_mut() {
                    tally.take(&key, &mut random);
                }
            }
        }
        cursor = next;
        if cursor == 0 {
            break true;
        }
    };
    Ok(Pass { visited: seen.len() as u64, complete })
}

impl<'a> Tally<'a> {
    fn new(group: &'a (String, String, bool)) -> Self {
        let pattern = Pattern::to_count(&group.1);
        Self { group, pattern, found: 0, sample: Vec::new() }
    }

    /// Counts the key where it belongs to the group, and keeps an even sample of them.
    fn take(&mut self, key: &[u8], random: &mut SmallRng) {
        if !self.pattern.matches(key) {
            return;
        }
        self.found += 1;
        if self.sample.len() < SAMPLE {
            self.sample.push(key.to_vec());
            return;
        }
        let place = random.random_range(0..self.found);
        if let Some(slot) = usize::try_from(place).ok().and_then(|at| self.sample.get_mut(at)) {
            *slot = key.to_vec();
        }
    }
}

/// The count in the whole, given the count in a part of it.
fn scaled(found: u64, whole: u64, part: u64) -> u64 {
    if part == 0 {
        return 0;
    }
    (found as f64 * whole as f64 / part as f64).round() as u64
}

/// The mean memory of the sampled keys in bytes, where the server tells.
async fn mean_size(
    link: &mut Link,
    config: &RedisSource,
    sample: &[Vec<u8>],
) -> Result<Option<f64>, Failure> {
    if sample.is_empty() {
        return Ok(None);
    }
    let mut commands = pipe();
    for key in sample {
        commands.cmd("MEMORY").arg("USAGE").arg(key);
    }
    let replies = timeout(CALL_LIMIT, link.ask_all(&mut commands)).await.map_err(|_| too_slow())?;
    let replies = replies.map_err(|error| link.failure(&error, config))?;
    // A key that has gone meanwhile has no size; a server without the command has none at all.
    let sizes: Vec<f64> = replies
        .iter()
        .filter_map(|reply| reply.as_ref().ok().and_then(integer))
        .map(|bytes| bytes as f64)
        .collect();
    Ok((!sizes.is_empty()).then(|| sizes.iter().sum::<f64>() / sizes.len() as f64))
}

async fn ask(
    link: &mut Link,
    command: &redis::Cmd,
    config: &RedisSource,
) -> Result<redis::Value, Failure> {
    let answer = timeout(CALL_LIMIT, link.ask(command)).await.map_err(|_| too_slow())?;
    answer.map_err(|error| link.failure(&error, config))
}

fn too_slow() -> Failure {
    Failure::new(FailureKind::Timeout, "the scan was given up: a call took longer than 5s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_scaled_to_the_whole() {
        assert_eq!(scaled(10, 1_000, 100), 100);
        assert_eq!(scaled(0, 1_000, 100), 0);
        assert_eq!(scaled(0, 1_000, 0), 0);
    }
}
