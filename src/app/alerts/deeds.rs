//! What people decided, as the consoles of one machine share it.
//!
//! Every decision stands under a subject, and of two on the same subject the newer one
//! holds: merging is the same in any order, and as often as one likes. What was ended leaves
//! a mark, so that a console that still holds the decision does not bring it back.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Acknowledgement, Decision, Maintenance, Silence};
use crate::{
    app::{escalation::Taken, state::World},
    domain::{
        rule::Priority,
        time::{Moment, coarse_age},
    },
};

/// How long something quiet may last, and how long the mark of an end is kept at least.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// How long the mark of the end of something without an end of its own is kept.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The most decisions that are kept.
const MOST: usize = 2_000;

/// A time later than now by more than this comes from another clock.
pub(super) const FUTURE: SignedDuration = SignedDuration::from_secs(5);

/// What was decided about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Who looks after the alert of a rule.
    Acknowledged(Arc<str>),
    /// The priority of the alert of a rule.
    Priority(Arc<str>),
    /// A silence, by its matcher.
    Silence(String),
    /// The maintenance window.
    Maintenance,
    /// Whether a level was contacted.
    Contacted(u8),
    /// Who took it.
    Taken,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum What {
    /// It is quiet, or somebody looks after it: for this reason.
    Quiet {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The priority is this.
    Priority {
        /// Who.
        by: String,
        /// Which.
        priority: Priority,
    },
    /// The level was contacted.
    Contacted,
    /// Somebody took it.
    Taken {
        /// Of which level.
        level: u8,
        /// Who.
        who: String,
    },
    /// It holds no longer.
    Ended {
        /// Who ended it; nobody where it ended because the alert was over.
        by: Option<String>,
    },
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// Until when it holds, or is remembered.
    pub until: Timestamp,
    /// What.
    pub what: What,
}

/// Decisions, by what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(About, Deed)>", into = "Vec<(About, Deed)>")]
pub struct Deeds(BTreeMap<About, Deed>);

impl From<Vec<(About, Deed)>> for Deeds {
    fn from(all: Vec<(About, Deed)>) -> Self {
        let mut deeds = Self::default();
        all.into_iter().for_each(|(about, deed)| deeds.add(about, deed));
        deeds
    }
}

impl From<Deeds> for Vec<(About, Deed)> {
    fn from(deeds: Deeds) -> Self {
        deeds.0.into_iter().collect()
    }
}

impl Deeds {
    /// Takes a decision in, where it is newer than what is there.
    pub(super) fn add(&mut self, about: About, deed: Deed) {
        // Of two at the same instant one must win everywhere alike: the greater word.
        let rank = |deed: &Deed| (deed.at, deed.what.clone(), deed.until);
        match self.0.get_mut(&about) {
            Some(known) if rank(known) >= rank(&deed) => {}
            Some(known) => *known = deed,
            None => {
                self.0.insert(about, deed);
            }
        }
    }

    /// The decisions of both, the newer one of each; what nobody needs any more is dropped.
    #[must_use]
    pub fn merged(mut self, others: Self, now: Timestamp) -> Self {
        others.0.into_iter().for_each(|(about, deed)| self.add(about, deed));
        self.0.retain(|_, deed| deed.until > now);
        while self.0.len() > MOST {
            let oldest = self.0.iter().min_by_key(|(_, deed)| deed.at);
            let Some(oldest) = oldest.map(|(about, _)| about.clone()) else { break };
            self.0.remove(&oldest);
        }
        self
    }

    /// What is decided about something.
    pub fn get(&self, about: &About) -> Option<&Deed> {
        self.0.get(about)
    }

    /// Times in the future are taken as now: the clock was set back since they were written.
    /// What was to last for a time lasts for that time, and never longer than it may.
    /// Returns how many there were.
    pub(super) fn believe(&mut self, now: Timestamp) -> usize {
        let mut clamped = 0;
        for (about, deed) in &mut self.0 {
            let lasts = deed.until.duration_since(deed.at).max(SignedDuration::ZERO);
            let longest = match (&deed.what, about) {
                (What::Quiet { .. }, _) => LONGEST,
                _ => REMEMBERED,
            };
            if deed.at.duration_since(now) > FUTURE || lasts > longest {
                deed.at = deed.at.min(now);
                deed.until = later(deed.at, lasts.min(longest));
                clamped += 1;
            }
        }
        clamped
    }
}

fn later(at: Timestamp, lasting: SignedDuration) -> Timestamp {
    at.saturating_add(lasting).unwrap_or(at)
}

/// The mark of an end.
pub(super) fn ended(at: Timestamp, until: Option<Timestamp>, by: Option<String>) -> Deed {
    // At least so long that everybody has heard of it.
    let until = until.map_or(later(at, REMEMBERED), |until| until.max(later(at, LONGEST)));
    Deed { at, until: until.min(later(at, REMEMBERED)), what: What::Ended { by } }
}

/// When a new decision is made: after the one that it replaces, also where the clock went
/// back in between.
pub fn decided_at(world: &World, about: &About) -> Timestamp {
    let now = world.now.wall;
    let before = deeds(world).get(about).map(|deed| deed.at);
    match before.filter(|before| *before >= now) {
        Some(before) => later(before, SignedDuration::from_nanos(1)),
        None => now,
    }
}

/// What people decided, as this console knows it.
pub fn deeds(world: &World) -> Deeds {
    let handling = &world.alerts.handling;
    let mut deeds = handling.ended.clone();
    let quiet =
        |by: &String, reason: &String| What::Quiet { by: by.clone(), reason: reason.clone() };
    for (rule, of) in &handling.acknowledged {
        let what = quiet(&of.by, &of.reason);
        deeds.add(About::Acknowledged(Arc::clone(rule)), Deed { at: of.at, until: of.until, what });
    }
    for (rule, of) in &handling.priorities {
        let what = What::Priority { by: of.by.clone(), priority: of.priority };
        let deed = Deed { at: of.at, until: later(of.at, REMEMBERED), what };
        deeds.add(About::Priority(Arc::clone(rule)), deed);
    }
    for of in &handling.silences {
        let what = quiet(&of.by, &of.reason);
        deeds.add(About::Silence(of.matcher.clone()), Deed { at: of.at, until: of.until, what });
    }
    if let Some(of) = &handling.maintenance {
        let what = quiet(&of.by, &of.reason);
        deeds.add(About::Maintenance, Deed { at: of.at, until: of.until, what });
    }
    for (level, at) in &world.escalation.contacted {
        let until = later(at.wall, REMEMBERED);
        deeds.add(About::Contacted(*level), Deed { at: at.wall, until, what: What::Contacted });
    }
    if let Some(of) = &world.escalation.taken {
        let what = What::Taken { level: of.level, who: of.who.clone() };
        deeds.add(About::Taken, Deed { at: of.at, until: later(of.at, REMEMBERED), what });
    }
    deeds
}

/// Takes over what was decided at other consoles, or at an earlier one. Returns what is new
/// here, in words.
pub fn take_over(world: &mut World, others: Deeds) -> Vec<String> {
    let now = world.now;
    let mut news = Vec::new();
    let ours = deeds(world);
    let mut merged = ours.clone().merged(others, now.wall);
    let clamped = merged.believe(now.wall);
    if clamped > 0 {
        let s = if clamped == 1 { "" } else { "s" };
        news.push(format!(
            "{clamped} decision{s} that lay in the future were taken as made now: the clock was set back"
        ));
    }
    for (about, deed) in &merged.0 {
        let before = ours.get(about);
        if Some(deed) == before {
            continue;
        }
        let words = match &deed.what {
            What::Ended { by } => end(world, about, deed, by.as_deref()),
            _ => begin(world, about, deed),
        };
        // The same at another time is nothing new.
        news.extend(words.filter(|_| before.is_none_or(|before| before.what != deed.what)));
    }
    news
}

/// What was ended elsewhere ends here too; but where it ended because the alert was over
/// there, it holds here until the alert is over here.
fn end(world: &mut World, about: &About, deed: &Deed, by: Option<&str>) -> Option<String> {
    world.alerts.handling.ended.add(about.clone(), deed.clone());
    if by.is_none() && goes_on(world, about, deed.at) {
        return None;
    }
    let ended = forget(world, about);
    by.filter(|_| ended).map(|by| format!("{by} ended {}", words(about)))
}

/// Whether what a decision is about is still going on here, since before `at`.
fn goes_on(world: &World, about: &About, at: Timestamp) -> bool {
    let before = |since: Option<Moment>| since.is_some_and(|since| since.wall <= at);
    match about {
        About::Acknowledged(rule) | About::Priority(rule) => {
            let alert = world.alerts.alerts.get(rule);
            alert.is_some_and(|alert| alert.phase.is_active() && before(alert.fired))
        }
        About::Contacted(_) | About::Taken => {
            before(world.escalation.started.as_ref().map(|(at, _)| *at))
        }
        About::Silence(_) | About::Maintenance => false,
    }
}

/// Drops a decision. Returns whether there was one.
fn forget(world: &mut World, about: &About) -> bool {
    let handling = &mut world.alerts.handling;
    match about {
        About::Acknowledged(rule) => handling.acknowledged.remove(rule).is_some(),
        About::Priority(rule) => handling.priorities.remove(rule).is_some(),
        About::Silence(matcher) => {
            let before = handling.silences.len();
            handling.silences.retain(|of| of.matcher != *matcher);
            handling.silences.len() < before
        }
        About::Maintenance => handling.maintenance.take().is_some(),
        About::Contacted(level) => world.escalation.contacted.remove(level).is_some(),
        About::Taken => world.escalation.taken.take().is_some(),
    }
}

/// Puts away who was contacted and who took it: that was long ago.
pub(super) fn forget_escalation(world: &mut World) {
    let now = world.now.wall;
    let levels: Vec<u8> = world.escalation.contacted.keys().copied().collect();
    for about in levels.into_iter().map(About::Contacted).chain([About::Taken]) {
        let at = decided_at(world, &about);
        if forget(world, &about) {
            world.alerts.handling.ended.add(about, ended(at.max(now), None, None));
        }
    }
}

fn begin(world: &mut World, about: &About, deed: &Deed) -> Option<String> {
    let Deed { at, until, .. } = *deed;
    let now = world.now;
    let handling = &mut world.alerts.handling;
    let left = || coarse_age(until.duration_since(now.wall).try_into().unwrap_or_default());
    match (about, deed.what.clone()) {
        (About::Acknowledged(rule), What::Quiet { by, reason }) => {
            let text = format!("{by} looks after {rule}, for {} more: {reason}", left());
            handling
                .acknowledged
                .insert(Arc::clone(rule), Acknowledgement { by, reason, at, until });
            Some(text)
        }
        (About::Priority(rule), What::Priority { by, priority }) => {
            let text = format!("{by} decided that {rule} is {}", priority.word());
            handling.priorities.insert(Arc::clone(rule), Decision { by, priority, at });
            Some(text)
        }
        (About::Silence(matcher), What::Quiet { by, reason }) => {
            let text = format!("{by} silenced {matcher}, for {} more: {reason}", left());
            handling.silences.retain(|of| of.matcher != *matcher);
            handling.silences.push(Silence { matcher: matcher.clone(), by, reason, at, until });
            Some(text)
        }
        (About::Maintenance, What::Quiet { by, reason }) => {
            let text = format!("maintenance by {by}, for {} more: {reason}", left());
            handling.maintenance = Some(Maintenance { by, reason, at, until });
            Some(text)
        }
        (About::Contacted(level), What::Contacted) => {
            let known = world.catalog.contacts.iter().any(|contact| contact.level == *level);
            let was = world.escalation.contacted.contains_key(level);
            if known {
                world.escalation.contacted.insert(*level, super::kept::earlier(now, at));
            }
            (known && !was).then(|| format!("level {level} was contacted"))
        }
        (About::Taken, What::Taken { level, who }) => {
            let text = format!("level {level}: {who} took it");
            world.escalation.taken = Some(Taken { level, who, at });
            Some(text)
        }
        // Another program wrote this: nothing is known of it.
        _ => None,
    }
}

fn words(about: &About) -> String {
    match about {
        About::Acknowledged(rule) => format!("the acknowledgement of {rule}"),
        About::Priority(rule) => format!("the priority of {rule}"),
        About::Silence(matcher) => format!("the silence of {matcher}"),
        About::Maintenance => "the maintenance window".to_owned(),
        About::Contacted(level) => format!("the clock of level {level}"),
        About::Taken => "the taking over".to_owned(),
    }
}
