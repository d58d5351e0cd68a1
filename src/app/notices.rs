//! What was said to the operator. A message stays readable after the next one.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::msg::{Level, Notice};
use crate::domain::{text, time::Moment};

/// The most messages that are kept.
const CAPACITY: usize = 500;

/// The longest message, in characters.
const LONGEST: usize = 2_000;

/// The history of messages, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Notices {
    all: VecDeque<Said>,
    /// How often anything was said.
    #[serde(default)]
    count: u64,
}

/// One message, said once or several times in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// When it was last said.
    pub at: Moment,
    /// What.
    pub notice: Notice,
    /// How often in a row.
    pub times: u32,
    /// Which one it is of everything that was said, when it was last said.
    #[serde(default)]
    pub number: u64,
}

impl Notices {
    /// Says something.
    pub fn say(&mut self, at: Moment, mut notice: Notice) {
        notice.text = text::clip(&notice.text, LONGEST);
        self.count += 1;
        if let Some(last) = self.all.back_mut()
            && last.notice == notice
        {
            last.at = at;
            last.times = last.times.saturating_add(1);
            last.number = self.count;
            return;
        }
        self.all.push_back(Said { at, notice, times: 1, number: self.count });
        if self.all.len() > CAPACITY {
            self.all.pop_front();
        }
    }

    /// The newest message, unless it is old and harmless: an error stays for ten minutes,
    /// a warning for one, information for ten seconds.
    pub fn current(&self, now: Moment) -> Option<&Said> {
        let last = self.all.back()?;
        let stays = match last.notice.level {
            Level::Info => 10,
            Level::Warning => 60,
            Level::Error => 600,
        };
        (now.since(last.at).as_secs() < stays).then_some(last)
    }

    /// What was said after the message of that number, oldest first: everything after 0.
    pub fn since(&self, number: u64) -> impl Iterator<Item = &Said> {
        let new = self.all.iter().rev().take_while(|said| said.number > number).count();
        self.all.iter().skip(self.all.len() - new)
    }

    /// All messages, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Said> {
        self.all.iter().rev()
    }
}
