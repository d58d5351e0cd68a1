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
}

impl Notices {
    /// Says something.
    pub fn say(&mut self, at: Moment, mut notice: Notice) {
        notice.text = text::clip(&notice.text, LONGEST);
        if let Some(last) = self.all.back_mut()
            && last.notice == notice
        {
            last.at = at;
            last.times = last.times.saturating_add(1);
            return;
        }
        self.all.push_back(Said { at, notice, times: 1 });
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

    /// All messages, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Said> {
        self.all.iter().rev()
    }
}
