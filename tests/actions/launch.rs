//! Runners that do not do what they should.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use tokio::{sync::mpsc, time::timeout};
use watchfloor::{
    actions::{Order, journal::verify, new_run_id},
    domain::action::{ActionEvent, ActionOutcome, ActionStage, Claim, RunResult},
};

use super::{Desk, LIMIT, PROGRAM, assert_not_sent, command::program, eventually};

/// A program in the place of the runner.
fn instead(desk: &Desk, script: &str) -> PathBuf {
    let file = desk.place.path().join("runner");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).expect("changed");
    file
}

/// Has an action carried out that leaves a mark, by a program in the place of the runner.
async fn launch(desk: &Desk, script: &str) -> (RunResult, PathBuf) {
    let mark = desk.place.path().join("mark");
    let config = program(&["touch", &mark.to_string_lossy()]);
    let digest = desk.preview(&config).await.digest;
    let actions = desk.actions.as_ref().clone().with_runner(instead(desk, script));
    let (sender, mut events) = mpsc::channel::<ActionEvent>(64);
    let order = Order::new(new_run_id(), digest, "shop/production");
    let launched = tokio::spawn(async move { actions.launch(&config, order, sender).await });
    let mut last = None;
    while let Some(event) = timeout(LIMIT, events.recv()).await.expect("in time") {
        last = Some(event.stage);
    }
    launched.await.expect("no panic");
    match last {
        Some(ActionStage::Finished(result)) => (result, mark),
        other => panic!("not finished: {other:?}"),
    }
}

#[tokio::test]
async fn a_runner_that_does_not_begin_means_never_started() {
    for (script, why) in [
        ("exit 1", "never reported"),
        ("echo 'it is too old' >&2; exit 70", "it is too old"),
        // Reads everything and does nothing, for longer than anybody waits.
        ("cat > /dev/null; exec sleep 5", "never reported"),
    ] {
        let desk = Desk::new();
        let (result, mark) = launch(&desk, script).await;
        assert_not_sent(&result, why);
        assert!(!mark.exists());
        assert_eq!(desk.kinds(), ["intent", "finish"], "{script}");
        let past = &desk.actions.history(1)[0];
        assert_eq!((past.outcome, past.resolved), (ActionOutcome::NeverStarted, true));
    }
}

/// What was given up for dead must stay dead.
#[tokio::test]
async fn a_runner_that_comes_too_late_finds_the_run_given_up() {
    let desk = Desk::new();
    let done = desk.place.path().join("came");
    let script = format!(
        "cat > {0}.in; sleep 4; {PROGRAM} supervise late < {0}.in 2> {0}.said; echo $? > {0}",
        done.display()
    );
    let (result, mark) = launch(&desk, &script).await;
    assert_not_sent(&result, "never reported");
    eventually("the late runner", || fs::read_to_string(&done).is_ok_and(|code| code == "70\n"))
        .await;
    assert!(!mark.exists(), "it was done after all");
    assert_eq!(desk.kinds(), ["intent", "finish"]);
    verify(&desk.journal()).expect("sound");
}

#[tokio::test]
async fn half_of_what_is_handed_over_is_nothing() {
    let desk = Desk::new();
    let script = format!("head -c 100 | {PROGRAM} supervise half");
    let (result, mark) = launch(&desk, &script).await;
    assert_not_sent(&result, "cannot be read");
    assert!(!mark.exists());
}

/// The same bytes twice, as a confused system might start them.
#[tokio::test]
async fn two_runners_of_one_run_do_it_once() {
    let desk = Desk::new();
    let copy = desk.place.path().join("copy");
    let script = format!(
        "cat > {0}; {PROGRAM} supervise a < {0} & {PROGRAM} supervise b < {0}; wait",
        copy.display()
    );
    let (result, mark) = launch(&desk, &script).await;
    assert_eq!(result.claim, Claim::Done, "{}", result.summary);
    assert!(mark.exists());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let kinds = desk.kinds();
    assert_eq!(kinds, ["intent", "supervisor", "start", "process", "finish"]);
}
