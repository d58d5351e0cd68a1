//! Keys by prefix, counted when the operator asks for it.

use std::time::Duration;

use rand::{SeedableRng, rngs::SmallRng};
use redis::cmd;
use tokio::time::{Instant, error::Elapsed, timeout};

use crate::{
    config::profile::RedisSource,
    domain::{
        failure::{Failure, FailureKind},
        keys::Pattern,
        observation::KeyGroup,
    },
    net::redis::{
        Link,
        count::{Seen, Tally, scaled},
        reply::integer,
    },
};

/// Keys visited by one call. More would hold up the server for milliseconds.
const STEP: u64 = 500;

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// How long the whole scan may take; what was seen until then is an estimate.
const SCAN_LIMIT: Duration = Duration::from_secs(30);

/// One group while it is being counted.
struct Group<'a> {
    config: &'a (String, String, bool),
    pattern: Pattern,
    tally: Tally,
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
    let mut link = Link::open_within(config, CALL_LIMIT).await?;
    let asked = timeout(CALL_LIMIT, link.ask(&cmd("DBSIZE"))).await.map_err(too_slow)?;
    let size = integer(&asked.map_err(|error| link.failure(&error))?);
    // What was seen is scaled to it: without it nothing is known of the rest.
    let size = size
        .and_then(|size| u64::try_from(size).ok())
        .ok_or_else(|| Failure::new(FailureKind::BadAnswer, "DBSIZE answered no number of keys"))?;
    let mut groups: Vec<Group<'_>> = groups.iter().map(Group::new).collect();
    let pass = visit(&mut link, u64::from(budget), &mut groups).await?;
    let mut counted = Vec::with_capacity(groups.len());
    for Group { config, tally, .. } in groups {
        let keys = if pass.complete {
            tally.found
        } else {
            scaled(tally.found, size.max(pass.visited), pass.visited)
        };
        let mean = timeout(CALL_LIMIT, tally.mean_size(&mut link)).await.map_err(too_slow)?;
        let mean = mean.map_err(|error| link.failure(&error))?;
        let (name, pattern, protected) = config.clone();
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

async fn visit(link: &mut Link, budget: u64, groups: &mut [Group<'_>]) -> Result<Pass, Failure> {
    let started = Instant::now();
    let mut random = SmallRng::from_os_rng();
    let mut seen = Seen::default();
    let (mut cursor, mut asked_for) = (0, 0);
    let complete = loop {
        if asked_for >= budget || started.elapsed() > SCAN_LIMIT {
            break false;
        }
        let step = STEP.min(budget - asked_for);
        asked_for += step;
        let scanned = timeout(CALL_LIMIT, link.scan(cursor, None, step)).await;
        let (next, keys) = scanned.map_err(too_slow)??;
        for key in keys {
            if seen.insert(&key) {
                for group in groups.iter_mut().filter(|group| group.pattern.matches(&key)) {
                    group.tally.take(&key, &mut random);
                }
            }
        }
        cursor = next;
        if cursor == 0 {
            break true;
        }
    };
    Ok(Pass { visited: seen.count(), complete })
}

impl<'a> Group<'a> {
    fn new(config: &'a (String, String, bool)) -> Self {
        Self { config, pattern: Pattern::to_count(&config.1), tally: Tally::default() }
    }
}

fn too_slow(_: Elapsed) -> Failure {
    Failure::new(FailureKind::Timeout, "the scan was given up: a call took longer than 5s")
}
