//! Where a run stands, by what is left of it.
//!
//! The order in which a run is written down makes every crash decidable:
//!
//! ```text
//! intent      by whoever asked        nothing has happened
//! supervisor  by the runner           nothing has happened
//! start       by the runner           from here on it may have acted
//! process     by the runner           the program runs under this identity
//! finish      by the runner           it is over
//! outcome     by whoever looked       what the proof said
//! ```

use crate::domain::action::Standing;

/// The last line of a run that says how far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Last {
    /// It was confirmed, and perhaps a runner exists.
    Intended,
    /// The next thing was the deed.
    Spawning,
    /// A program was started, and its identity is known.
    Started,
    /// The carrying out is over.
    Finished,
}

/// What the system says about the program of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// It runs, under this number.
    Alive(i32),
    /// It may run: it would belong to somebody whose programs we cannot tell apart.
    Hidden,
    /// It does not, or not in this boot.
    Gone,
}

/// Where a run stands. `held` is whether its runner holds its lock, `young` whether the
/// intent is so fresh that the runner may just not have come to it.
pub(super) fn standing(last: Last, held: bool, young: bool, program: Program) -> Standing {
    match (last, held, program) {
        (Last::Finished, ..) => Standing::Finished,
        (_, true, _) => Standing::Supervised,
        (Last::Intended, false, _) if young => Standing::Starting,
        (Last::Intended, false, _) => Standing::NeverStarted,
        (Last::Spawning | Last::Started, false, Program::Alive(pid)) => {
            Standing::Unsupervised { pid }
        }
        (Last::Spawning | Last::Started, false, Program::Hidden) => Standing::Unseen,
        (Last::Spawning | Last::Started, false, Program::Gone) => Standing::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crash_has_a_verdict() {
        use Program::{Alive, Gone, Hidden};
        use Standing::{Finished, Interrupted, NeverStarted, Starting, Supervised, Unseen};
        const HELD: bool = true;
        const FREE: bool = false;
        const YOUNG: bool = true;
        const OLD: bool = false;
        let unsupervised = Standing::Unsupervised { pid: 7 };
        let table = [
            (Last::Intended, FREE, OLD, Gone, NeverStarted),
            (Last::Intended, FREE, YOUNG, Gone, Starting),
            (Last::Intended, HELD, OLD, Gone, Supervised),
            (Last::Intended, HELD, YOUNG, Gone, Supervised),
            // A process without a start in the journal is somebody else's.
            (Last::Intended, FREE, OLD, Alive(7), NeverStarted),
            (Last::Spawning, HELD, OLD, Gone, Supervised),
            (Last::Spawning, FREE, OLD, Alive(7), unsupervised),
            (Last::Spawning, FREE, OLD, Gone, Interrupted),
            // How young the intent is says nothing once it may have acted.
            (Last::Spawning, FREE, YOUNG, Gone, Interrupted),
            (Last::Started, HELD, OLD, Alive(7), Supervised),
            (Last::Started, HELD, OLD, Gone, Supervised),
            (Last::Started, FREE, OLD, Alive(7), unsupervised),
            (Last::Started, FREE, OLD, Gone, Interrupted),
            (Last::Started, FREE, YOUNG, Gone, Interrupted),
            (Last::Spawning, FREE, OLD, Hidden, Unseen),
            (Last::Started, FREE, OLD, Hidden, Unseen),
            (Last::Started, HELD, OLD, Hidden, Supervised),
            (Last::Finished, FREE, OLD, Gone, Finished),
            (Last::Finished, HELD, OLD, Alive(7), Finished),
            (Last::Finished, FREE, YOUNG, Alive(7), Finished),
        ];
        for (last, held, young, program, expected) in table {
            let found = standing(last, held, young, program);
            assert_eq!(found, expected, "{last:?} held={held} young={young} {program:?}");
        }
    }
}
