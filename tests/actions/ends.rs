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

/// What old runs left behind goes, except where somebody may still ask for it.
#[tokio::test]
async fn the_directories_of_old_runs_are_removed_and_those_in_question_stay() {
    let desk = Desk::new();
    let (journal, _) = Journal::open(&desk.state(), jiff::Timestamp::now()).expect("opened");
    let runs = desk.state().join("runs");
    let old = std::time::SystemTime::now() - Duration::from_secs(31 * 24 * 3600);
    let make = |name: &str, settled: bool, age: Option<std::time::SystemTime>| {
        let line = |kind| Entry {
            run: Some(name.into()),
            action: Some("clear_cache".into()),
            ..Entry::new(kind)
        };
        let now = jiff::Timestamp::now();
        journal.append(&line(Kind::Start), now).expect("written");
        if settled {
            let outcome = Some(ActionOutcome::Confirmed);
            journal.append(&Entry { outcome, ..line(Kind::Outcome) }, now).expect("written");
        }
        let directory = runs.join(name);
        fs::create_dir_all(&directory).expect("made");
        fs::write(directory.join("output.log"), "x").expect("written");
        fs::write(directory.join("lock"), "").expect("written");
        if let Some(age) = age {
            fs::File::open(&directory).and_then(|file| file.set_modified(age)).expect("aged");
        }
        directory
    };
    let gone = make("2020-a", true, Some(old));
    let open = make("2020-b", false, Some(old));
    let young = make("2020-c", true, None);
    let held = make("2020-d", true, Some(old));
    let lock = fs::File::open(held.join("lock")).expect("there");
    lock.try_lock().expect("free");
    for number in 0..199 {
        fs::create_dir(runs.join(format!("2021-{number:03}"))).expect("made");
    }
    let newest = make("2021-new", true, Some(old));
    let before = fs::read(desk.journal()).expect("there");
    assert_eq!(desk.actions.tidy().expect("tidied"), 1);
    assert!(!gone.exists());
    for kept in [open, young, held, newest] {
        assert!(kept.join("output.log").exists(), "{}", kept.display());
    }
    assert_eq!(fs::read(desk.journal()).expect("there"), before);
}
