//! The values that rules look back on.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::expression::SeriesName;
use crate::domain::{time::Moment, value::Value, verdict::Quality};

/// The most values of one series that are kept.
pub const CAPACITY: usize = 8_192;

/// What was seen at one point in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// A value.
    Value(Value),
    /// A number that is none: 0/0, or null where a number belongs.
    NotANumber,
    /// A number without bounds; true where it is positive.
    Infinite(bool),
    /// The source said that there is no such value any more.
    Gone,
}

/// One look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// When.
    pub at: Moment,
    /// What was seen.
    pub point: Point,
}

/// Why a series has no believable value just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Of what kind.
    pub quality: Quality,
    /// In words.
    pub why: String,
}

/// The looks at one reading, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    looks: VecDeque<Look>,
    /// How often it is looked at.
    pub interval: Duration,
    /// Why it has no believable value just now.
    pub trouble: Option<Trouble>,
    /// Since when it is watched.
    pub began: Option<Moment>,
    /// Looks before this were made before a gap in which nothing was seen.
    pub blind_until: Option<Moment>,
    /// Since when its source answers and has never had such a value.
    #[serde(default)]
    pub lacking: Option<Moment>,
    /// How far any rule looks back on it.
    #[serde(default)]
    pub reach: Duration,
    /// How much the clock of its server is ahead of the console's.
    #[serde(default)]
    pub clock_ahead: SignedDuration,
}

/// All series that some rule looks at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeriesStore {
    #[serde(with = "as_list")]
    all: BTreeMap<SeriesName, Series>,
}

impl Point {
    /// The number, for arithmetic as floating-point numbers do it.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Value(Value::Number(number) | Value::Below(number) | Value::AtLeast(number)) => {
                Some(*number)
            }
            Self::Value(Value::Bool(yes)) => Some(f64::from(u8::from(*yes))),
            Self::NotANumber => Some(f64::NAN),
            Self::Infinite(true) => Some(f64::INFINITY),
            Self::Infinite(false) => Some(f64::NEG_INFINITY),
            Self::Value(Value::Text(_) | Value::List(_)) | Self::Gone => None,
        }
    }

    /// A point from any floating-point number.
    pub fn from_float(number: f64) -> Self {
        if number.is_nan() {
            Self::NotANumber
        } else if number.is_infinite() {
            Self::Infinite(number > 0.0)
        } else {
            Self::Value(Value::Number(number))
        }
    }
}

impl Series {
    /// A series that is looked at every `interval`, from now on.
    pub fn new(interval: Duration, now: Moment) -> Self {
        Self { interval, began: Some(now), ..Self::default() }
    }

    /// Takes a look over. One that is older than the newest is dropped: time does not run
    /// backwards in a series.
    pub fn add(&mut self, at: Moment, point: Point, reach: Duration) {
        if self.looks.back().is_some_and(|last| last.at.mono > at.mono) {
            return;
        }
        self.trouble = None;
        self.lacking = None;
        self.looks.push_back(Look { at, point });
        // One look before the reach stays: counters are compared with it.
        while self.looks.len() > 2
            && (self.looks.len() > CAPACITY || at.since(self.looks[1].at) > reach)
        {
            self.looks.pop_front();
        }
    }

    /// There is no believable value just now. `answers` says that the source answered, and has
    /// no such value.
    pub fn fail(&mut self, at: Moment, trouble: Trouble, answers: bool) {
        self.trouble = Some(trouble);
        if answers && self.looks.is_empty() {
            self.lacking.get_or_insert(at);
        } else {
            self.lacking = None;
        }
    }

    /// The looks, oldest first.
    pub fn looks(&self) -> impl DoubleEndedIterator<Item = &Look> {
        self.looks.iter()
    }

    /// The newest look at or before `now`.
    pub fn newest(&self, now: Moment) -> Option<&Look> {
        self.looks.iter().rev().find(|look| look.at.mono <= now.mono)
    }

    /// The looks in `(now - window, now]`.
    pub fn within(&self, now: Moment, window: Duration) -> impl DoubleEndedIterator<Item = &Look> {
        // The looks are in order of time.
        let end = self.looks.partition_point(|look| look.at.mono <= now.mono);
        let start = self.looks.partition_point(|look| now.since(look.at) >= window);
        self.looks.range(start.min(end)..end)
    }

    /// The newest look at or before the beginning of the window.
    pub fn before(&self, now: Moment, window: Duration) -> Option<&Look> {
        self.looks
            .iter()
            .rev()
            .find(|look| look.at.mono <= now.mono && now.since(look.at) >= window)
    }

    /// How much of the window before `now` was watched; none where it was watched whole.
    pub fn covered(&self, now: Moment, window: Duration) -> Option<Duration> {
        // Of what was dropped for lack of room nothing is known any more.
        let oldest = self.looks.front().filter(|_| self.looks.len() >= CAPACITY);
        let began = self.began?.max_mono(oldest.map(|look| look.at));
        let watched = now.since(began.max_mono(self.blind_until));
        (watched < window).then_some(watched)
    }
}

impl Moment {
    /// The later of the two on the monotonic clock.
    fn max_mono(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.mono > self.mono => other,
            _ => self,
        }
    }
}

impl SeriesStore {
    /// The series of that name.
    pub fn get(&self, name: &SeriesName) -> Option<&Series> {
        self.all.get(name)
    }

    /// The series of that name, to be added to.
    pub fn get_mut(&mut self, name: &SeriesName) -> Option<&mut Series> {
        self.all.get_mut(name)
    }

    /// Takes a series in.
    pub fn insert(&mut self, name: SeriesName, series: Series) {
        self.all.insert(name, series);
    }

    /// Keeps only the series of some names.
    pub fn retain(&mut self, keeps: impl Fn(&SeriesName) -> bool) {
        self.all.retain(|name, _| keeps(name));
    }

    /// Takes a series out.
    pub fn remove(&mut self, name: &SeriesName) -> Option<Series> {
        self.all.remove(name)
    }

    /// Every series with its name.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&SeriesName, &mut Series)> {
        self.all.iter_mut()
    }

    /// Every series with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&SeriesName, &Series)> {
        self.all.iter()
    }
}

/// A map whose keys are structures is written as a list of pairs: JSON has text keys only.
mod as_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Series, SeriesName};

    pub(super) fn serialize<S: Serializer>(
        all: &BTreeMap<SeriesName, Series>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<SeriesName, Series>, D::Error> {
        Ok(Vec::<(SeriesName, Series)>::deserialize(deserializer)?.into_iter().collect())
    }
}
