//! What became of what was told, and who tells it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{notification::seconds, time::Moment};

/// What became of one message at one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The name of the target.
    pub target: String,
    /// The incident.
    pub dedup_key: String,
    /// The message.
    pub sequence: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// When.
    pub at: Moment,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Outcome {
    /// The other side took it.
    Delivered,
    /// It will be tried again.
    Retrying {
        /// How often it was tried.
        attempt: u32,
        /// When it is tried next, from now.
        next_in: Duration,
        /// What went wrong, without secrets.
        why: String,
    },
    /// A newer message of the same incident takes its place; it was never delivered.
    Replaced {
        /// Messages that this target has lost in this way or by being given up, so far.
        lost: u64,
        /// Why, in words.
        why: String,
    },
    /// It will not be tried again.
    GivenUp {
        /// Messages that this target has lost so far.
        lost: u64,
        /// What went wrong, without secrets.
        why: String,
    },
}

/// Which console of this machine sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Sender {
    /// Nobody has to: no target is configured.
    Nobody,
    /// It is being found out.
    Undecided,
    /// This one.
    Here,
    /// This one, and perhaps others too: the lock cannot be used.
    Unlocked {
        /// Why, in words.
        why: String,
    },
    /// Another one.
    Elsewhere {
        /// Its process, where it has said so.
        pid: Option<u32>,
        /// Since when it does.
        since: Option<Timestamp>,
    },
}

impl Sender {
    /// Whether this console sends.
    pub fn is_here(&self) -> bool {
        matches!(self, Self::Here | Self::Unlocked { .. })
    }

    /// In words, for the screen; nothing where nothing has to be said.
    pub fn words(&self) -> Option<String> {
        match self {
            Self::Nobody | Self::Undecided | Self::Here => None,
            Self::Unlocked { why } => {
                Some(format!("other consoles may send the same notifications: {why}"))
            }
            Self::Elsewhere { pid, since } => {
                let who = pid.map_or_else(
                    || "another console of this machine".to_owned(),
                    |pid| format!("pid {pid}"),
                );
                let since = since.map(|since| format!(" since {}", seconds(since)));
                Some(format!("notifications are sent by {who}{}", since.unwrap_or_default()))
            }
        }
    }
}

/// A configured target, as the screen shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetInfo {
    /// Its name.
    pub name: String,
    /// `slack webhook`, `command`, `bell`.
    pub kind: String,
    /// Where it leads, without secrets.
    pub to: String,
    /// Why nothing is sent to it, where nothing is.
    pub disabled: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_says_who_sends_where_it_is_not_this_console() {
        let since = Some(Moment::at_seconds(0.25).wall);
        let table = [
            (Sender::Here, None),
            (
                Sender::Elsewhere { pid: Some(12), since },
                Some("notifications are sent by pid 12 since 2026-01-01T00:00:00Z"),
            ),
            (
                Sender::Elsewhere { pid: None, since: None },
                Some("notifications are sent by another console of this machine"),
            ),
            (
                Sender::Unlocked { why: "no room".to_owned() },
                Some("other consoles may send the same notifications: no room"),
            ),
        ];
        for (sender, words) in table {
            assert_eq!(sender.words().as_deref(), words);
        }
    }

    #[test]
    fn an_outcome_survives_being_written_down() {
        let outcome =
            Outcome::Retrying { attempt: 2, next_in: Duration::from_secs(4), why: "no".to_owned() };
        let text = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
    }
}
