//! Counting keys, and estimating what the whole is from the part that was seen.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use rand::{Rng, rngs::SmallRng};
use redis::{RedisResult, pipe};

use super::{Link, reply::integer};

/// The most keys of a group whose memory is looked up.
const SAMPLE: usize = 50;

/// The keys that a scan has named, which may be the same one twice. They are remembered by
/// their hash.
#[derive(Debug, Default)]
pub struct Seen {
    hashing: RandomState,
    hashes: HashSet<u64>,
}

impl Seen {
    /// Whether the key was not seen before.
    pub fn insert(&mut self, key: &[u8]) -> bool {
        self.hashes.insert(self.hashing.hash_one(key))
    }

    /// How many different keys there were.
    pub fn count(&self) -> u64 {
        self.hashes.len() as u64
    }
}

/// The keys of a group that were met.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many.
    pub found: u64,
    sample: Vec<Vec<u8>>,
}

impl Tally {
    /// Counts a key, and keeps a sample of them in which each is as likely as any other.
    pub fn take(&mut self, key: &[u8], random: &mut SmallRng) {
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

    /// The mean memory of the sampled keys in bytes, where the server tells.
    ///
    /// # Errors
    /// As [`Link::failure`] says.
    pub async fn mean_size(&self, link: &mut Link) -> RedisResult<Option<f64>> {
        if self.sample.is_empty() {
            return Ok(None);
        }
        let mut commands = pipe();
        for key in &self.sample {
            commands.cmd("MEMORY").arg("USAGE").arg(key);
        }
        let replies = link.ask_all(&mut commands).await?;
        // A key that has gone meanwhile has no size; a server without the command has none
        // at all.
        let sizes: Vec<f64> = replies
            .iter()
            .filter_map(|reply| reply.as_ref().ok().and_then(integer))
            .map(|bytes| bytes as f64)
            .collect();
        Ok((!sizes.is_empty()).then(|| sizes.iter().sum::<f64>() / sizes.len() as f64))
    }
}

/// The count in the whole, given the count in a part of it.
pub fn scaled(found: u64, whole: u64, part: u64) -> u64 {
    if part == 0 {
        return 0;
    }
    (found as f64 * whole as f64 / part as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn parts_are_scaled_to_the_whole() {
        assert_eq!(scaled(10, 1_000, 100), 100);
        assert_eq!(scaled(0, 1_000, 100), 0);
        assert_eq!(scaled(0, 1_000, 0), 0);
        assert_eq!(scaled(7, 100, 100), 7);
    }

    #[test]
    fn a_key_that_comes_twice_is_one() {
        let mut seen = Seen::default();
        assert!(seen.insert(b"a") && seen.insert(b"b") && !seen.insert(b"a"));
        assert_eq!(seen.count(), 2);
    }

    #[test]
    fn a_sample_is_drawn_from_everywhere() {
        let mut random = SmallRng::seed_from_u64(1);
        let mut tally = Tally::default();
        for key in 0..1000_u32 {
            tally.take(&key.to_be_bytes(), &mut random);
        }
        assert_eq!(tally.found, 1000);
        assert_eq!(tally.sample.len(), SAMPLE);
        assert_eq!(tally.sample.iter().collect::<HashSet<_>>().len(), SAMPLE, "no key twice");
        let late = 500_u32.to_be_bytes();
        assert!(tally.sample.iter().any(|key| **key >= late[..]), "not just the first ones");
    }
}
