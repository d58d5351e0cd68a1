//! What can go wrong, by name, and when: the words that every story is made of.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::sync::Notify;

/// Something that can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its name in [`super::Demo::toggle`].
    pub name: &'static str,
    /// Its name on the screen.
    pub title: &'static str,
    /// What it does, and what puts it right.
    pub explains: &'static str,
}

// The names of faults that several systems have.
pub(super) const DEPLOY_REGRESSION: &str = "deploy-regression";
pub(super) const REDIS_OUTAGE: &str = "redis-outage";
pub(super) const RATE_LIMIT_ABUSE: &str = "rate-limit-abuse";
pub(super) const COLD_CACHE: &str = "cold-cache";
pub(super) const REDIS_SLOW: &str = "redis-slow";
pub(super) const FLAPPING: &str = "flapping";
pub(super) const BLOCKED_SESSION: &str = "blocked-session";

/// Which of the faults of a system are on.
#[derive(Debug)]
pub(super) struct Switches {
    faults: &'static [Fault],
    on: Vec<AtomicBool>,
    /// Woken at every change.
    pub(super) changed: Notify,
}

impl Switches {
    /// Every one of them off.
    pub(super) fn new(faults: &'static [Fault]) -> Self {
        let on = faults.iter().map(|_| AtomicBool::new(false)).collect();
        Self { faults, on, changed: Notify::new() }
    }

    /// Turns a fault on or off; false where it was so already or has no such name.
    pub(super) fn set(&self, name: &str, on: bool) -> bool {
        let Some(switch) = self.find(name) else { return false };
        let changed = switch.swap(on, Ordering::SeqCst) != on;
        if changed {
            self.changed.notify_waiters();
        }
        changed
    }

    /// Whether a fault is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.find(name).is_some_and(|switch| switch.load(Ordering::SeqCst))
    }

    /// The names of those that are on.
    pub(super) fn active(&self) -> Vec<&'static str> {
        self.faults.iter().map(|fault| fault.name).filter(|name| self.is_on(name)).collect()
    }

    fn find(&self, name: &str) -> Option<&AtomicBool> {
        let index = self.faults.iter().position(|fault| fault.name == name)?;
        self.on.get(index)
    }
}

/// What happens without anybody's doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scenario {
    /// Some minutes in which everything goes wrong once, over and over.
    #[default]
    Story,
    /// Nothing goes wrong.
    Calm,
    /// One fault, after some seconds, and nothing else.
    Only(&'static Fault),
}

/// When the fault of a scenario begins that has no other.
const ONLY_AFTER: u64 = 5;

impl Scenario {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Calm => "calm",
            Self::Only(fault) => fault.name,
        }
    }

    /// What happens in it, in a system with this story.
    pub(super) fn script(self, story: Script) -> Cow<'static, [Cue]> {
        match self {
            Self::Story => Cow::Borrowed(story.cues),
            Self::Calm => Cow::Borrowed(CALM),
            Self::Only(fault) => {
                let begins = story.cues.iter().find(|cue| cue.act == Act::On(fault.name));
                let text = begins.map_or(fault.title, |cue| cue.text);
                Cow::Owned(vec![cue(ONLY_AFTER, Act::On(fault.name), text)])
            }
        }
    }
}

/// A story: what happens in it, and after which time it begins again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    /// In the order of time.
    pub(super) cues: &'static [Cue],
    /// How long it is.
    pub(super) lasts: Duration,
}

const CALM: &[Cue] = &[cue(0, Act::Say, "Nothing goes wrong in this scenario.")];

/// Something that happens in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cue {
    /// Seconds since the beginning.
    pub(super) at: u64,
    /// What happens.
    pub(super) act: Act,
    /// What is said.
    pub(super) text: &'static str,
}

/// What a script does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing; it only says something.
    Say,
    /// A fault begins.
    On(&'static str),
    /// A fault ends. Where the operator has ended it already, nothing happens or is said.
    Off(&'static str),
}

pub(super) const fn cue(at: u64, act: Act, text: &'static str) -> Cue {
    Cue { at, act, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[Fault] = &[
        Fault { name: "one", title: "the first", explains: "." },
        Fault { name: "two", title: "the second", explains: "." },
    ];

    #[test]
    fn a_switch_says_whether_it_moved() {
        let switches = Switches::new(TWO);
        assert!(switches.set("two", true));
        assert!(!switches.set("two", true));
        assert!(!switches.set("no such fault", true));
        assert_eq!(switches.active(), ["two"]);
    }

    #[test]
    fn a_single_fault_is_told_as_in_the_story_where_that_has_it() {
        let cues = const { &[cue(90, Act::On("two"), "It begins.")] };
        let story = Script { cues, lasts: Duration::from_secs(100) };
        let of = |fault| Scenario::Only(fault).script(story).into_owned();
        assert_eq!(of(&TWO[1]), [cue(5, Act::On("two"), "It begins.")]);
        assert_eq!(of(&TWO[0]), [cue(5, Act::On("one"), "the first")]);
    }
}
