//! What can go wrong, by name; and when it does, as tables.

use std::{
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

/// Everything that can go wrong.
pub const FAULTS: &[Fault] = &[
    Fault {
        name: DEPLOY_REGRESSION,
        title: "bad deployment",
        explains: "A new build answers slowly and fails one request in twenty-five. \
                   Roll back to the previous deployment.",
    },
    Fault {
        name: REDIS_OUTAGE,
        title: "Redis outage",
        explains: "Redis hangs, then dies. The cache is skipped, rate limits let everybody \
                   through, the database takes the load. Disable Redis until it is back.",
    },
    Fault {
        name: RATE_LIMIT_ABUSE,
        title: "abusive client",
        explains: "One address sends twenty requests a second. The rate limit refuses them; \
                   without Redis nothing does.",
    },
    Fault {
        name: COLD_CACHE,
        title: "cold cache",
        explains: "The cache was emptied, and a lock left behind by a warm-up keeps requests \
                   from filling it. Warm the cache, which takes the lock away.",
    },
    Fault {
        name: FLAPPING,
        title: "flapping Redis",
        explains: "Redis hangs for three seconds in every ten.",
    },
    Fault {
        name: BLOCKED_SESSION,
        title: "blocked session",
        explains: "A migration holds a row lock in Postgres and idles; a booking waits for it.",
    },
];

pub(super) const DEPLOY_REGRESSION: &str = "deploy-regression";
pub(super) const REDIS_OUTAGE: &str = "redis-outage";
pub(super) const RATE_LIMIT_ABUSE: &str = "rate-limit-abuse";
pub(super) const COLD_CACHE: &str = "cold-cache";
pub(super) const FLAPPING: &str = "flapping";
pub(super) const BLOCKED_SESSION: &str = "blocked-session";

/// Which faults are on.
#[derive(Debug, Default)]
pub(super) struct Switches {
    on: [AtomicBool; FAULTS.len()],
    /// Woken at every change.
    pub(super) changed: Notify,
}

impl Switches {
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
        FAULTS.iter().map(|fault| fault.name).filter(|name| self.is_on(name)).collect()
    }

    fn find(&self, name: &str) -> Option<&AtomicBool> {
        let index = FAULTS.iter().position(|fault| fault.name == name)?;
        self.on.get(index)
    }
}

/// What happens without anybody's doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scenario {
    /// Six minutes in which everything goes wrong once, over and over.
    #[default]
    Story,
    /// Nothing goes wrong.
    Calm,
    /// A bad deployment.
    DeployRegression,
    /// Redis goes away.
    RedisOutage,
    /// A client exceeds its limit.
    RateLimitAbuse,
    /// The cache is empty and stays so.
    ColdCache,
    /// Redis comes and goes.
    Flapping,
}

impl Scenario {
    /// Every scenario, the default first.
    pub const ALL: &[Self] = &[
        Self::Story,
        Self::Calm,
        Self::DeployRegression,
        Self::RedisOutage,
        Self::RateLimitAbuse,
        Self::ColdCache,
        Self::Flapping,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Calm => "calm",
            Self::DeployRegression => DEPLOY_REGRESSION,
            Self::RedisOutage => REDIS_OUTAGE,
            Self::RateLimitAbuse => RATE_LIMIT_ABUSE,
            Self::ColdCache => COLD_CACHE,
            Self::Flapping => FLAPPING,
        }
    }

    /// The scenario of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scenario| scenario.name() == name)
    }

    /// When what happens; and after which time it all begins again, where it does.
    pub(super) fn script(self) -> (&'static [Cue], Option<Duration>) {
        match self {
            Self::Story => (STORY, Some(STORY_LASTS)),
            Self::Calm => (CALM, None),
            Self::DeployRegression => (ONLY_DEPLOY_REGRESSION, None),
            Self::RedisOutage => (ONLY_REDIS_OUTAGE, None),
            Self::RateLimitAbuse => (ONLY_RATE_LIMIT_ABUSE, None),
            Self::ColdCache => (ONLY_COLD_CACHE, None),
            Self::Flapping => (ONLY_FLAPPING, None),
        }
    }
}

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

const fn cue(at: u64, act: Act, text: &'static str) -> Cue {
    Cue { at, act, text }
}

const STORY_LASTS: Duration = Duration::from_secs(360);

/// The six minutes.
const STORY: &[Cue] = &[
    cue(0, Act::Say, "A quiet evening: customers look at cars, the cache answers most of them."),
    cue(35, Act::On(DEPLOY_REGRESSION), "A new build goes live. Watch the response times."),
    cue(
        60,
        Act::On(BLOCKED_SESSION),
        "Its migration holds a row lock; a booking waits in Postgres.",
    ),
    cue(95, Act::Off(DEPLOY_REGRESSION), "Nobody rolled back, so a colleague did."),
    cue(97, Act::Off(BLOCKED_SESSION), "The migration gives up its lock."),
    cue(120, Act::On(RATE_LIMIT_ABUSE), "One address starts to hammer the API."),
    cue(165, Act::Off(RATE_LIMIT_ABUSE), "The abusive client loses interest."),
    cue(180, Act::On(REDIS_OUTAGE), "Redis stops answering, and then it is gone."),
    cue(225, Act::Off(REDIS_OUTAGE), "Redis is back, and empty: the cache has to fill again."),
    cue(255, Act::On(COLD_CACHE), "Somebody emptied the cache, and it does not fill. Warm it."),
    cue(295, Act::Off(COLD_CACHE), "A colleague removed the lock; the cache fills on its own."),
    cue(310, Act::On(FLAPPING), "Redis hangs for moments, again and again."),
    cue(340, Act::Off(FLAPPING), "Redis has settled."),
];

const CALM: &[Cue] = &[cue(0, Act::Say, "Nothing goes wrong in this scenario.")];
const ONLY_DEPLOY_REGRESSION: &[Cue] =
    &[cue(5, Act::On(DEPLOY_REGRESSION), "A new build goes live. Watch the response times.")];
const ONLY_REDIS_OUTAGE: &[Cue] =
    &[cue(5, Act::On(REDIS_OUTAGE), "Redis stops answering, and then it is gone.")];
const ONLY_RATE_LIMIT_ABUSE: &[Cue] =
    &[cue(5, Act::On(RATE_LIMIT_ABUSE), "One address starts to hammer the API.")];
const ONLY_COLD_CACHE: &[Cue] =
    &[cue(5, Act::On(COLD_CACHE), "Somebody emptied the cache, and it does not fill. Warm it.")];
const ONLY_FLAPPING: &[Cue] =
    &[cue(5, Act::On(FLAPPING), "Redis hangs for moments, again and again.")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_shows_every_fault_and_ends_each_within_its_six_minutes() {
        for fault in FAULTS {
            let at = |act: Act| STORY.iter().find(|cue| cue.act == act).map(|cue| cue.at);
            let (on, off) = (at(Act::On(fault.name)).unwrap(), at(Act::Off(fault.name)).unwrap());
            assert!(on < off && off < STORY_LASTS.as_secs(), "{}", fault.name);
        }
    }

    #[test]
    fn scripts_are_in_order_of_time_and_name_only_known_faults() {
        for scenario in Scenario::ALL {
            let (cues, _) = scenario.script();
            assert!(cues.is_sorted_by_key(|cue| cue.at), "{}", scenario.name());
            for cue in cues {
                if let Act::On(name) | Act::Off(name) = cue.act {
                    assert!(FAULTS.iter().any(|fault| fault.name == name), "{name}");
                }
            }
            assert_eq!(Scenario::named(scenario.name()), Some(*scenario));
        }
    }

    #[test]
    fn a_switch_says_whether_it_moved() {
        let switches = Switches::default();
        assert!(switches.set(FLAPPING, true));
        assert!(!switches.set(FLAPPING, true));
        assert!(!switches.set("no such fault", true));
        assert_eq!(switches.active(), [FLAPPING]);
    }
}
