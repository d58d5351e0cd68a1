//! Whether an alert changes too often to be news.
//!
//! The formula is Icinga's: of the last twenty results, each change from one to the next
//! counts, newer ones more (0.8 for the oldest, 1.2 for the newest). Above 30 % it is
//! flapping, until it falls to 25 %.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

const RESULTS: usize = 20;
const ON_ABOVE: f64 = 0.30;
const OFF_AT: f64 = 0.25;

/// The last results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flapping {
    results: VecDeque<bool>,
    flapping: bool,
}

impl Flapping {
    /// Takes a result over.
    pub fn note(&mut self, bad: bool) {
        self.results.push_back(bad);
        if self.results.len() > RESULTS {
            self.results.pop_front();
        }
        let share = self.share();
        self.flapping = share > if self.flapping { OFF_AT } else { ON_ABOVE };
    }

    /// Whether it is flapping.
    pub fn is_on(&self) -> bool {
        self.flapping
    }

    /// The weighted share of changes, 0 to 1. Never more than none before twenty results.
    pub fn share(&self) -> f64 {
        if self.results.len() < RESULTS {
            return 0.0;
        }
        let changes = self.results.iter().zip(self.results.iter().skip(1)).enumerate();
        let weight = |place: usize| 0.8 + 0.4 * place as f64 / (RESULTS - 2) as f64;
        let sum: f64 = changes.filter(|(_, (a, b))| a != b).map(|(place, _)| weight(place)).sum();
        sum / RESULTS as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(results: impl IntoIterator<Item = bool>) -> Flapping {
        let mut flapping = Flapping::default();
        results.into_iter().for_each(|bad| flapping.note(bad));
        flapping
    }

    #[test]
    fn it_takes_changes_and_history() {
        assert!(!fed((0..40).map(|_| true)).is_on(), "a constant does not flap");
        assert!(fed((0..20).map(|i| i % 2 == 0)).is_on());
        assert!(!fed((0..19).map(|i| i % 2 == 0)).is_on(), "too little history");
        assert!(!fed((0..20).map(|i| i / 5 % 2 == 0)).is_on(), "three changes of twenty");
    }

    #[test]
    fn it_stops_later_than_it_starts() {
        let mut flapping = fed((0..20).map(|i| i % 2 == 0));
        let mut quiet = 0;
        while flapping.is_on() {
            flapping.note(true);
            quiet += 1;
        }
        assert!(flapping.share() <= OFF_AT && quiet > 10, "{quiet} quiet results");
    }
}
