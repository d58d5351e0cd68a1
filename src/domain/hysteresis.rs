//! Down after N failures in a row, up after M successes in a row.

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;

/// Counts bad and good looks, and says when a change of verdict has been confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hysteresis {
    bad: u32,
    good: u32,
    down: bool,
}

/// What the counts say about the newest look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The look may be taken as it is.
    Yes,
    /// Bad, but not often enough in a row to be called critical.
    FailingSoft {
        /// Bad looks in a row.
        seen: u32,
        /// How many make it critical.
        of: u32,
    },
    /// Good again, but not often enough in a row to be called ok.
    Recovering {
        /// Good looks in a row.
        seen: u32,
        /// How many make it ok.
        of: u32,
    },
}

impl Hysteresis {
    /// Takes a look into account. Only `Critical` is bad; an unknown verdict is no
    /// evidence either way and changes nothing.
    pub fn look(&mut self, verdict: Verdict, down_after: u32, up_after: u32) -> Settled {
        let (down_after, up_after) = (down_after.max(1), up_after.max(1));
        match verdict {
            Verdict::Unknown | Verdict::Unjudged => Settled::Yes,
            Verdict::Critical => {
                self.good = 0;
                self.bad = self.bad.saturating_add(1);
                if self.down || self.bad >= down_after {
                    self.down = true;
                    Settled::Yes
                } else {
                    Settled::FailingSoft { seen: self.bad, of: down_after }
                }
            }
            Verdict::Ok | Verdict::Warning => {
                self.bad = 0;
                self.good = self.good.saturating_add(1);
                if self.down && self.good < up_after {
                    Settled::Recovering { seen: self.good, of: up_after }
                } else {
                    self.down = false;
                    Settled::Yes
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_after_three_and_up_after_two() {
        let mut counts = Hysteresis::default();
        let mut look = |verdict| counts.look(verdict, 3, 2);
        assert_eq!(look(Verdict::Ok), Settled::Yes);
        assert_eq!(look(Verdict::Critical), Settled::FailingSoft { seen: 1, of: 3 });
        assert_eq!(look(Verdict::Critical), Settled::FailingSoft { seen: 2, of: 3 });
        assert_eq!(look(Verdict::Unknown), Settled::Yes, "unknown is no evidence");
        assert_eq!(look(Verdict::Critical), Settled::Yes);
        assert_eq!(look(Verdict::Ok), Settled::Recovering { seen: 1, of: 2 });
        assert_eq!(look(Verdict::Critical), Settled::Yes, "still down: no second grace");
        assert_eq!(look(Verdict::Warning), Settled::Recovering { seen: 1, of: 2 });
        assert_eq!(look(Verdict::Ok), Settled::Yes);
        assert_eq!(look(Verdict::Critical), Settled::FailingSoft { seen: 1, of: 3 });
    }

    #[test]
    fn one_good_look_ends_a_row_of_bad_ones() {
        let mut counts = Hysteresis::default();
        for _ in 0..10 {
            assert_eq!(
                counts.look(Verdict::Critical, 2, 1),
                Settled::FailingSoft { seen: 1, of: 2 }
            );
            assert_eq!(counts.look(Verdict::Ok, 2, 1), Settled::Yes);
        }
    }
}
