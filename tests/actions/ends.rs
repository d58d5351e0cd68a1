//! How runs end, where something stands in the way of that.

use std::{fs, time::Duration};

use tokio::{sync::mpsc, time::timeout};
use watchfloor::{
    actions::{
        Order,
        journal::{
            Journal,
            entry::{Entry, Finished, Kind},
        },
        new_run_id,
    },
    domain::action::{ActionOutcome, ActionStage, Claim, RunResult},
};

use super::{Desk, LIMIT, PROGRAM, assert_not_sent, command::shell, launch::instead};

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

/// Has an action carried out by a program in the place of the runner.
async fn launched(desk: &Desk, script: &str, text: &str, cooldown: Duration) -> RunResult {
    let config = shell(text);
    let digest = desk.preview(&config).await.digest;
    let actions = desk.actions.as_ref().clone().with_runner(instead(desk, script));
    let (sender, mut events) = mpsc::channel(64);
    let order = Order { cooldown, ..Order::new(new_run_id(), digest, "shop/production") };
    let launched = tokio::spawn(async move { actions.launch(&config, order, sender).await });
    let mut last = None;
    while let Some(event) = timeout(LIMIT, events.recv()).await.expect("in time") {
        last = Some(event.stage);
    }
    launched.await.expect("no panic");
    match last {
        Some(ActionStage::Finished(result)) => result,
        other => panic!("not finished: {other:?}"),
    }
}

/// Whoever waits is told, also where the journal cannot be written any more.
#[tokio::test]
async fn an_end_that_cannot_be_written_is_told_all_the_same() {
    let desk = Desk::new();
    let script = format!("cat > /dev/null; rm {}; exit 1", desk.journal().display());
    let result = launched(&desk, &script, "true", Duration::ZERO).await;
    assert_not_sent(&result, "never reported");
    assert!(result.summary.contains("not in the journal"), "{}", result.summary);
}

/// Two consoles that start an action in the same moment: whoever is slower must rest.
#[tokio::test]
async fn an_action_that_must_rest_is_not_doubled_by_a_slow_console() {
    let desk = Desk::new();
    let done = desk.place.path().join("done");
    let text = format!("echo x >> {}", done.display());
    let hour = Duration::from_secs(3600);
    let other = async {
        // The slow one has been let through by now.
        super::eventually("the first intent", || !desk.kinds().is_empty()).await;
        let (sender, mut events) = mpsc::channel(64);
        let config = shell(&text);
        let digest = desk.preview(&config).await.digest;
        let order = Order { cooldown: hour, ..Order::new(new_run_id(), digest, "shop/production") };
        desk.actions.launch(&config, order, sender).await;
        while events.recv().await.is_some() {}
    };
    let slow = format!("sleep 2; exec {PROGRAM} supervise slow");
    let (slow, ()) = tokio::join!(launched(&desk, &slow, &text, hour), other);
    assert_not_sent(&slow, "cooling down");
    assert_eq!(fs::read_to_string(&done).expect("done"), "x\n");
}
