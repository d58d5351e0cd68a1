//! What waits for one target: in which order it is tried, when again, and what is lost.
//!
//! Knows nothing of targets and of tasks: it is told what became of an attempt.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::domain::{delivery::Outcome, notification::Notification, time::short_duration};

/// The most messages that wait for one target.
const CAPACITY: usize = 100;

/// Between the first two attempts; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Between two attempts at the most, unless the other side asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// A target is left alone for no longer than this, whatever it asks for: a page that comes
/// meanwhile must not wait for a day unseen.
const LONGEST_REST: Duration = Duration::from_secs(15 * 60);

/// Why an attempt was in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// In words, without secrets.
    pub(super) why: String,
    /// Whether it may be worth another attempt.
    pub(super) again: bool,
    /// How long the other side asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// A message that waits.
#[derive(Debug)]
struct Waiting {
    number: u64,
    message: Notification,
    since: Instant,
    not_before: Instant,
    attempts: u32,
    under_way: bool,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Nothing, until something is put in.
    Nothing,
    /// Nothing, until then.
    Wait(Instant),
    /// Try this message.
    Try(u64, Box<Notification>),
}

/// A message that was lost, for the report.
#[derive(Debug, PartialEq)]
pub(super) struct Lost {
    pub(super) dedup_key: String,
    pub(super) sequence: u64,
    pub(super) outcome: Outcome,
}

/// What waits for one target.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// The other side has asked to be left alone until then.
    paused_until: Option<Instant>,
    /// Messages that were never delivered.
    lost: u64,
    numbers: u64,
}

impl Queue {
    /// Puts a message in. Of the same incident it takes the place of one that has failed
    /// already, and of any where the queue is full.
    pub(super) fn push(&mut self, mut message: Notification, now: Instant) -> Option<Lost> {
        let full = self.waiting.len() >= CAPACITY;
        let replaced = self.waiting.iter().position(|waiting| {
            !waiting.under_way
                && waiting.message.dedup_key == message.dedup_key
                && (full || waiting.attempts > 0)
        });
        let lost = match replaced {
            Some(at) => self.waiting.remove(at).map(|older| {
                let why = if older.attempts > 0 {
                    "it could not be delivered, and there is a newer one"
                } else {
                    "too many messages wait, and there is a newer one"
                };
                self.replace(older, &mut message, why)
            }),
            None if full => {
                let oldest = self.waiting.iter().position(|waiting| !waiting.under_way);
                oldest.and_then(|at| self.waiting.remove(at)).map(|oldest| {
                    self.lost += 1;
                    let why = "too many messages wait".to_owned();
                    lost(&oldest.message, Outcome::GivenUp { lost: self.lost, why })
                })
            }
            None => None,
        };
        self.numbers += 1;
        self.waiting.push_back(Waiting {
            number: self.numbers,
            message,
            since: now,
            not_before: now,
            attempts: 0,
            under_way: false,
        });
        lost
    }

    fn replace(&mut self, older: Waiting, newer: &mut Notification, why: &str) -> Lost {
        self.lost += 1;
        let outcome = Outcome::Replaced { lost: self.lost, why: why.to_owned() };
        let lost = lost(&older.message, outcome);
        newer.instead_of(older.message);
        lost
    }

    /// What to do now. A message that is handed out is under way until it is said what
    /// became of it.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if self.waiting.is_empty() {
            return Next::Nothing;
        }
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Next::Wait(until);
        }
        if let Some(ready) = self.waiting.iter_mut().find(|waiting| waiting.not_before <= now) {
            ready.under_way = true;
            return Next::Try(ready.number, Box::new(ready.message.clone()));
        }
        self.waiting
            .iter()
            .map(|waiting| waiting.not_before)
            .min()
            .map_or(Next::Nothing, Next::Wait)
    }

    /// The message was taken.
    pub(super) fn delivered(&mut self, number: u64) {
        self.waiting.retain(|waiting| waiting.number != number);
        self.paused_until = None;
    }

    /// The message was not taken. `chance` is a random number from 0 to 1, so that many
    /// consoles do not come back all at once. None where it is not known any more.
    pub(super) fn failed(
        &mut self,
        number: u64,
        refused: Refused,
        retry_for: Duration,
        chance: f64,
        now: Instant,
    ) -> Option<Outcome> {
        let at = self.waiting.iter().position(|waiting| waiting.number == number)?;
        let Refused { why, again, retry_after } = refused;
        let retry_after = retry_after.map(|wait| wait.min(LONGEST_REST));
        if !again {
            self.waiting.remove(at);
            self.lost += 1;
            return Some(Outcome::GivenUp { lost: self.lost, why });
        }
        if let Some(wait) = retry_after {
            self.paused_until = Some(now + wait);
        }
        let key = self.waiting[at].message.dedup_key.clone();
        let newer = self.waiting.iter().skip(at + 1).any(|other| other.message.dedup_key == key);
        if newer {
            let older = self.waiting.remove(at)?;
            let place = self.waiting.iter().position(|other| other.message.dedup_key == key)?;
            let mut message = self.waiting[place].message.clone();
            let lost = self.replace(older, &mut message, &format!("{why}; there is a newer one"));
            self.waiting[place].message = message;
            return Some(lost.outcome);
        }
        let entry = &mut self.waiting[at];
        entry.under_way = false;
        entry.attempts += 1;
        let next_in = retry_after.unwrap_or_else(|| pause(entry.attempts, chance));
        if now + next_in > entry.since + retry_for {
            self.waiting.remove(at);
            self.lost += 1;
            let why = format!("{why}; not tried again after {}", short_duration(retry_for));
            return Some(Outcome::GivenUp { lost: self.lost, why });
        }
        entry.not_before = now + next_in;
        Some(Outcome::Retrying { attempt: entry.attempts, next_in, why })
    }

    /// The messages that wait or are under way, in order.
    pub(super) fn left(&self) -> Vec<Notification> {
        self.waiting.iter().map(|waiting| waiting.message.clone()).collect()
    }

    /// Whether any message has not had its first attempt, or is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.under_way || waiting.attempts == 0)
    }
}

fn lost(message: &Notification, outcome: Outcome) -> Lost {
    Lost { dedup_key: message.dedup_key.clone(), sequence: message.sequence, outcome }
}

/// The pause after that many attempts: doubled each time, a quarter more or less.
fn pause(attempts: u32, chance: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << (attempts.saturating_sub(1)).min(16));
    doubled.min(LONGEST_PAUSE).mul_f64(0.75 + 0.5 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
