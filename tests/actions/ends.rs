//! How runs end, where something stands in the way of that.

use watchfloor::{
    actions::journal::{
        Journal,
        entry::{Entry, Finished, Kind},
    },
    domain::action::{ActionOutcome, Claim},
};

use super::{Desk, command::shell};

/// Of two that write the end of a run down, the first one is right: the other was late.
#[tokio::test]
async fn a_run_ends_once() {
    let desk = Desk::new();
    let (result, _) = desk.run(&shell("true")).await;
    let run = desk.actions.history(1)[0].run.clone();
    let id = "clear_cache".into();
    desk.actions.conclude(&run, &id, ActionOutcome::Confirmed, &[]).expect("written");
    let (journal, _) = Journal::open(&desk.state(), jiff::Timestamp::now()).expect("opened");
    let late = Entry {
        run: Some(run),
        action: Some(id),
        result: Some(Finished {
            claim: Claim::Unclear,
            summary: "interrupted".to_owned(),
            readings: Default::default(),
            took_ms: 1,
        }),
        ..Entry::new(Kind::Finish)
    };
    journal.append(&late, jiff::Timestamp::now()).expect("not needed");
    assert_eq!(desk.kinds().iter().filter(|kind| *kind == "finish").count(), 1);
    let past = &desk.actions.history(1)[0];
    assert_eq!((past.outcome, past.resolved), (ActionOutcome::Confirmed, true));
    assert_eq!(past.trace.result.as_ref(), Some(&result));
}
