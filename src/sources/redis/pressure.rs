//! Who is near a rate limit: the windows that the application keeps in sorted sets.
//!
//! The keys are found with SCAN, a bounded number per poll: the cursor goes on where the
//! poll before left it. The sets that are known are counted anew each time. Each count is
//! a hit in the server's own statistics, as is each request that the application counts:
//! another reason to prefer the application's figure of its cache.

use std::collections::BTreeMap;

use jiff::Timestamp;
use redis::{RedisResult, Value as Reply, pipe};

use crate::{
    config::profile::RedisSource,
    domain::{
        failure::Failure,
        keys::{common_pattern, identifier},
        observation::Exhibit,
        violations::Pressure,
    },
    net::{
        progress::Progress,
        redis::{Link, refusal, reply::integer},
    },
};

/// The most keys that are asked for in one call.
const STEP: u32 = 500;

/// The most sets that are remembered and counted.
const MOST_SETS: usize = 1_000;

/// The most entries that are shown.
const MOST_ENTRIES: usize = 100;

/// The longest key that is remembered, bytes.
const LONGEST_KEY: usize = 512;

/// A search that goes on from poll to poll, on a connection of its own: a slow SCAN must
/// not hold up the measured commands.
pub(super) struct Watch {
    config: RedisSource,
    link: Option<Link>,
    cursor: u64,
    /// The sets found so far: the key, and which of the configured patterns it matches.
    sets: BTreeMap<Vec<u8>, usize>,
    /// Sets that were counted since the start: each is a lookup in the server's own count.
    counted: u64,
}

impl Watch {
    /// A search that did not begin yet.
    pub(super) fn new(config: &RedisSource) -> Self {
        Self { config: config.clone(), link: None, cursor: 0, sets: BTreeMap::new(), counted: 0 }
    }

    /// Whether anything is configured to be searched for.
    pub(super) fn is_wanted(&self) -> bool {
        !self.config.pressure.is_empty() && self.config.scan_budget > 0
    }

    /// How many lookups of the server's own count this search has caused.
    pub(super) fn counted(&self) -> u64 {
        self.counted
    }

    /// Drops the connection.
    pub(super) fn disconnect(&mut self) {
        self.link = None;
    }

    /// Searches on, and counts what is known.
    pub(super) async fn look(
        &mut self,
        now: Timestamp,
        progress: &mut Progress,
    ) -> Result<Exhibit, Failure> {
        let mut link = match self.link.take() {
            Some(link) => link,
            None => Link::open(&self.config, progress).await?,
        };
        let complete = self.search(&mut link).await?;
        let entries = self.count(&mut link, now).await?;
        self.link = Some(link);
        Ok(Exhibit::Pressure { entries, complete })
    }

    /// Whether every key was visited within the budget of this poll.
    async fn search(&mut self, link: &mut Link) -> Result<bool, Failure> {
        let from_start = self.cursor == 0;
        let mut left = self.config.scan_budget;
        let pattern = common_pattern(self.config.pressure.iter().map(|one| one.pattern.as_str()));
        while left > 0 {
            let step = left.min(STEP);
            left -= step;
            let (cursor, keys) =
                link.scan(self.cursor, Some(pattern.as_bytes()), step.into()).await?;
            self.remember(keys);
            self.cursor = cursor;
            if cursor == 0 {
                return Ok(from_start && self.sets.len() < MOST_SETS);
            }
        }
        Ok(false)
    }

    fn remember(&mut self, keys: Vec<Vec<u8>>) {
        for key in keys {
            if self.sets.len() >= MOST_SETS {
                return;
            }
            let tier = self
                .config
                .pressure
                .iter()
                .position(|pressure| identifier(&pressure.pattern, &key).is_some());
            if let Some(tier) = tier.filter(|_| key.len() <= LONGEST_KEY) {
                self.sets.insert(key, tier);
            }
        }
    }

    /// The requests in the current window of every known set. Sets whose window is empty
    /// are forgotten.
    async fn count(&mut self, link: &mut Link, now: Timestamp) -> Result<Vec<Pressure>, Failure> {
        let known: Vec<(Vec<u8>, usize)> =
            self.sets.iter().map(|(key, tier)| (key.clone(), *tier)).collect();
        let mut entries = Vec::new();
        for batch in known.chunks(200) {
            self.counted += batch.len() as u64;
            let mut commands = pipe();
            for (key, tier) in batch {
                let window = self.config.pressure[*tier].window.as_millis();
                let from = i128::from(now.as_millisecond()) - window as i128;
                // The end of a window stays in it; its beginning has just left it.
                commands.cmd("ZCOUNT").arg(key).arg(format!("({from}")).arg("+inf");
            }
            let replies = link.ask_all(&mut commands).await;
            let replies = replies.map_err(|error| link.failure(&error))?;
            for ((key, tier), reply) in batch.iter().zip(replies) {
                match used(link, reply)? {
                    Some(used) => entries.extend(self.entry(key, *tier, used)),
                    None => {
                        self.sets.remove(key);
                    }
                }
            }
        }
        entries.sort_by(|a, b| b.share().total_cmp(&a.share()));
        entries.truncate(MOST_ENTRIES);
        Ok(entries)
    }

    fn entry(&self, key: &[u8], tier: usize, used: u64) -> Option<Pressure> {
        let pressure = &self.config.pressure[tier];
        Some(Pressure {
            identifier: identifier(&pressure.pattern, key)?,
            tier: pressure.tier.clone(),
            used,
            limit: pressure.limit,
        })
    }
}

/// The count in a reply; none where the set is empty or is no set at all.
fn used(link: &Link, reply: RedisResult<Reply>) -> Result<Option<u64>, Failure> {
    match reply {
        Ok(reply) => Ok(integer(&reply).and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0)),
        Err(error) if refusal::code_and_text(&error).0 == "WRONGTYPE" => Ok(None),
        Err(error) => Err(link.failure(&error)),
    }
}
