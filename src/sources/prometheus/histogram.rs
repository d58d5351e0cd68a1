//! Quantiles of histograms, of what was added to them lately.
//!
//! The buckets of an endpoint count since its process was started: a quantile of those says
//! nothing about now. What counts is by how much they have grown since an earlier look.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::tz::TimeZone;

use crate::domain::{
    percentile::enough_for,
    time::{Moment, short_duration},
};

/// What a quantile is about: what was measured in this time before the look.
const OVER: Duration = Duration::from_secs(300);

/// Where looks are further apart, the one before counts, up to this age.
const OLDEST: Duration = Duration::from_secs(900);

/// How far apart the looks are that are kept.
const SPACING: Duration = Duration::from_secs(10);

/// The most histograms that are added up: so many are kept for each look.
const MOST: usize = 1_000;

/// The labels of a histogram, in order and without `le`.
pub(super) type Labels = Vec<(String, String)>;

/// Upper bounds, ascending, and how many measurements are at most so large.
type Buckets = Vec<(f64, f64)>;

/// What one look has found: histograms with the same bounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Look(BTreeMap<Labels, Buckets>);

/// The bounds between which a quantile lies; `None` is a side without a bound.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    /// What is to be said of them.
    pub(super) remark: Option<String>,
}

impl Look {
    /// Adds a bucket.
    ///
    /// # Errors
    /// It is there already, or there are too many histograms.
    pub(super) fn add(&mut self, labels: Labels, bound: f64, count: f64) -> Result<(), String> {
        if self.0.len() >= MOST && !self.0.contains_key(&labels) {
            return Err(format!("more than {MOST} histograms: name more labels"));
        }
        let buckets = self.0.entry(labels).or_default();
        match buckets.binary_search_by(|(other, _)| other.total_cmp(&bound)) {
            Ok(_) => return Err(format!("the bucket up to {bound} is there twice")),
            Err(place) => buckets.insert(place, (bound, count)),
        }
        Ok(())
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these are histograms, and can be added up.
    fn check(&self) -> Result<(), String> {
        let mut first: Option<&Buckets> = None;
        for buckets in self.0.values() {
            if buckets.last().is_none_or(|(bound, _)| bound.is_finite()) {
                let why = "the histogram has no bucket +Inf, so it is not known how many there are";
                return Err(why.to_owned());
            }
            if buckets.windows(2).any(|pair| pair[0].1 > pair[1].1) {
                let why = "the counts of the buckets fall, so they are not cumulative";
                return Err(why.to_owned());
            }
            if !same_bounds(first.get_or_insert(buckets), buckets) {
                let why = "the histograms have different bounds, so they cannot be added up: name more labels";
                return Err(why.to_owned());
            }
        }
        Ok(())
    }
}

/// The looks at one reading.
#[derive(Debug, Default)]
pub(super) struct History {
    looks: VecDeque<(Moment, Look)>,
}

impl History {
    /// Where the quantile of what was measured lately lies: more than the bounds of its
    /// bucket is not known of it.
    ///
    /// # Errors
    /// It is not known, or there are too few measurements for it; the text says why.
    pub(super) fn quantile(
        &mut self,
        look: Look,
        quantile: f64,
        now: Moment,
    ) -> Result<Bounds, String> {
        look.check()?;
        while self.looks.front().is_some_and(|(at, _)| {
            let age = age(now, *at);
            age > OLDEST || (age > OVER && self.looks.len() > 1)
        }) {
            self.looks.pop_front();
        }
        let grown = self.growth(&look);
        let seen_before = !self.looks.is_empty();
        if self.looks.back().is_none_or(|(at, _)| age(now, *at) >= SPACING) {
            self.looks.push_back((now, look));
        }
        let Some((since, buckets)) = grown else {
            return Err(if seen_before {
                "the histogram counts from the beginning again: what is added from now on counts"
            } else {
                "the first look: a quantile is of what is added from one look to the next"
            }
            .to_owned());
        };
        bounds(&buckets, quantile, since, now)
    }

    /// By how much the buckets have grown, and since when. A histogram counts from the
    /// earliest look from which on it has only grown; one that was not seen before not yet.
    fn growth(&self, look: &Look) -> Option<(Moment, Buckets)> {
        let mut sum: Option<(Moment, Buckets)> = None;
        for (labels, now) in &look.0 {
            let mut base = None;
            let mut later = now;
            for (at, earlier) in self.looks.iter().rev() {
                let Some(earlier) = earlier.0.get(labels).filter(|&it| has_grown(it, later)) else {
                    break;
                };
                base = Some((*at, earlier));
                later = earlier;
            }
            let Some((at, base)) = base else { continue };
            let added = now.iter().zip(base).map(|((bound, now), (_, then))| (*bound, now - then));
            match &mut sum {
                None => sum = Some((at, added.collect())),
                Some((since, sum)) => {
                    *since = (*since).min(at);
                    sum.iter_mut().zip(added).for_each(|((_, sum), (_, added))| *sum += added);
                }
            }
        }
        sum
    }
}

fn age(now: Moment, then: Moment) -> Duration {
    // While the machine sleeps only one of its clocks goes on.
    now.since(then).max(now.wall_since(then))
}

fn same_bounds(a: &Buckets, b: &Buckets) -> bool {
    a.iter().map(|(bound, _)| bound).eq(b.iter().map(|(bound, _)| bound))
}

/// Whether the process was not started anew in between, as far as can be seen.
fn has_grown(earlier: &Buckets, later: &Buckets) -> bool {
    same_bounds(earlier, later) && earlier.iter().zip(later).all(|(a, b)| a.1 <= b.1)
}

fn bounds(buckets: &Buckets, quantile: f64, since: Moment, now: Moment) -> Result<Bounds, String> {
    let covered = age(now, since);
    let length = short_duration(Duration::from_secs(covered.as_secs().max(1)));
    let total = buckets.last().map_or(0.0, |(_, total)| *total);
    if total <= 0.0 {
        return Err(format!("no traffic: nothing was measured in {length}"));
    }
    let enough = enough_for(quantile * 100.0);
    if total < enough as f64 {
        return Err(format!("too few: {total} of {enough} measurements in {length}"));
    }
    let rank = quantile * total;
    let at = buckets.iter().position(|(_, count)| *count >= rank).unwrap_or(buckets.len() - 1);
    let high = buckets[at].0;
    let low = match at.checked_sub(1) {
        Some(below) => Some(buckets[below].0),
        // What is measured in buckets above zero is not negative.
        None => (high > 0.0).then_some(0.0),
    };
    let remark = (covered < OVER / 2).then(|| {
        let time = since.wall.to_zoned(TimeZone::UTC).strftime("%H:%M:%S");
        format!("only what was measured after {time} UTC is known")
    });
    Ok(Bounds { low, high: Some(high).filter(|high| high.is_finite()), remark })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn look(histograms: &[(&str, &[(f64, f64)])]) -> Look {
        let mut look = Look::default();
        for (job, buckets) in histograms {
            for (bound, count) in *buckets {
                let labels = vec![("job".to_owned(), (*job).to_owned())];
                look.add(labels, *bound, *count).expect("a bucket");
            }
        }
        look
    }

    fn known(outcome: Result<Bounds, String>) -> (Option<f64>, Option<f64>) {
        let bounds = outcome.expect("a quantile");
        (bounds.low, bounds.high)
    }

    #[test]
    fn a_day_of_good_service_does_not_hide_five_bad_minutes() {
        let mut history = History::default();
        let mut fast = 1_000_000.0;
        let first = look(&[("a", &[(0.1, fast), (1.0, fast), (INF, fast)])]);
        let why = history.quantile(first, 0.95, Moment::at_seconds(0.0)).expect_err("one look");
        assert!(why.starts_with("the first look"), "{why}");
        for second in 1..=60 {
            fast += 20.0;
            let look = look(&[("a", &[(0.1, fast), (1.0, fast), (INF, fast)])]);
            let at = Moment::at_seconds(f64::from(second) * 5.0);
            assert_eq!(known(history.quantile(look, 0.95, at)), (Some(0.0), Some(0.1)));
            assert!(history.looks.len() <= 32);
        }
        let mut slow = 0.0;
        for second in 61..=130 {
            slow += 20.0;
            let look = look(&[("a", &[(0.1, fast), (1.0, fast + slow), (INF, fast + slow)])]);
            let at = Moment::at_seconds(f64::from(second) * 5.0);
            assert_eq!(
                known(history.quantile(look, 0.95, at)).1,
                Some(if second < 63 { 0.1 } else { 1.0 }),
                "{second}"
            );
        }
        // And the bad ones are over when they are five minutes old.
        for second in 131..=195 {
            fast += 20.0;
            let look = look(&[("a", &[(0.1, fast), (1.0, fast + slow), (INF, fast + slow)])]);
            let at = Moment::at_seconds(f64::from(second) * 5.0);
            let bounds = known(history.quantile(look, 0.95, at));
            assert!(second < 195 || bounds == (Some(0.0), Some(0.1)), "{second}: {bounds:?}");
        }
    }

    #[test]
    fn a_process_that_was_started_anew_counts_from_there() {
        let mut history = History::default();
        let old = look(&[("a", &[(0.1, 500.0), (INF, 500.0)])]);
        history.quantile(old, 0.5, Moment::at_seconds(0.0)).expect_err("one look");
        let new = look(&[("a", &[(0.1, 400.0), (INF, 400.0)])]);
        let why = history.quantile(new, 0.5, Moment::at_seconds(20.0)).expect_err("anew");
        assert!(why.contains("from the beginning again"), "{why}");
        // More than before it was started anew, but all of it new.
        let later = look(&[("a", &[(0.1, 400.0), (INF, 600.0)])]);
        let bounds = known(history.quantile(later, 0.5, Moment::at_seconds(40.0)));
        assert_eq!(bounds, (Some(0.1), None));
    }

    #[test]
    fn a_histogram_that_appears_brings_no_past_along() {
        let mut history = History::default();
        let one = look(&[("a", &[(0.1, 0.0), (INF, 0.0)])]);
        history.quantile(one, 0.5, Moment::at_seconds(0.0)).expect_err("one look");
        let grown: (&str, &[(f64, f64)]) = ("a", &[(0.1, 10.0), (INF, 10.0)]);
        let two = look(&[grown, ("b", &[(0.1, 0.0), (INF, 9_000.0)])]);
        let bounds = known(history.quantile(two, 0.5, Moment::at_seconds(20.0)));
        assert_eq!(bounds, (Some(0.0), Some(0.1)));
        let three = look(&[grown, ("b", &[(0.1, 0.0), (INF, 9_011.0)])]);
        let bounds = known(history.quantile(three, 0.5, Moment::at_seconds(40.0)));
        assert_eq!(bounds, (Some(0.1), None));
    }

    #[test]
    fn a_quantile_of_nothing_or_of_few_or_of_long_ago_is_none() {
        let mut history = History::default();
        let at = Moment::at_seconds;
        let counts = |count: f64| look(&[("a", &[(0.1, count), (INF, count)])]);
        history.quantile(counts(5.0), 0.95, at(0.0)).expect_err("one look");
        let why = history.quantile(counts(5.0), 0.95, at(60.0)).expect_err("nothing");
        assert_eq!(why, "no traffic: nothing was measured in 1m");
        let why = history.quantile(counts(8.0), 0.95, at(90.0)).expect_err("few");
        assert_eq!(why, "too few: 3 of 20 measurements in 90s");
        let bounds = history.quantile(counts(50.0), 0.95, at(100.0)).expect("enough");
        assert_eq!(
            bounds.remark.as_deref(),
            Some("only what was measured after 00:00:00 UTC is known")
        );
        // The endpoint was away for longer than a quantile may reach back.
        let why = history.quantile(counts(5_000.0), 0.95, at(2_000.0)).expect_err("long ago");
        assert!(why.starts_with("the first look"), "{why}");
        // Looks that are further apart than five minutes still make a quantile.
        assert!(history.quantile(counts(9_000.0), 0.95, at(2_600.0)).is_ok());
    }

    #[test]
    fn what_cannot_be_added_up_is_refused() {
        let mut history = History::default();
        let now = Moment::at_seconds(0.0);
        let why = |look: Look, history: &mut History| {
            history.quantile(look, 0.5, now).expect_err("refused")
        };
        let differing = look(&[("a", &[(0.1, 1.0), (INF, 1.0)]), ("b", &[(0.2, 1.0), (INF, 1.0)])]);
        assert!(why(differing, &mut history).contains("different bounds"));
        assert!(why(look(&[("a", &[(0.1, 1.0)])]), &mut history).contains("no bucket +Inf"));
        let falling = look(&[("a", &[(0.1, 2.0), (INF, 1.0)])]);
        assert!(why(falling, &mut history).contains("not cumulative"));
        let mut twice = look(&[("a", &[(0.1, 2.0)])]);
        assert!(twice.add(vec![("job".to_owned(), "a".to_owned())], 0.1, 2.0).is_err());
    }
}
