//! Runners that do not do what they should.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use tokio::{sync::mpsc, time::timeout};
use watchfloor::{
    actions::{Order, journal::verify, new_run_id},
    domain::{
        action::{ActionEvent, ActionOutcome, ActionStage, Claim, RunResult},
        ask::Answers,
    },
};

use super::{
    Desk, LIMIT, PROGRAM, action, assert_not_sent,
    command::{program, shell},
    eventually, open,
};

/// A program in the place of the runner.
pub(super) fn instead(desk: &Desk, script: &str) -> PathBuf {
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

#[tokio::test]
async fn all_that_is_under_way_can_be_ended_together() {
    let desk = Desk::new();
    let config = shell("echo ready; sleep 60");
    let digest = desk.preview(&config).await.digest;
    let mut started = desk.start(&config, &digest);
    started.until(|stage| *stage == ActionStage::Output("ready".to_owned())).await;
    let actions = desk.actions.as_ref().clone();
    let ended = tokio::task::spawn_blocking(move || actions.stop_all(LIMIT)).await.expect("ran");
    assert_eq!(ended, [("clear_cache".into(), true)]);
    assert_eq!(started.finish().await.0.claim, Claim::Cancelled);
    assert!(desk.actions.stop_all(LIMIT).is_empty());
}

/// The run of a demo that is killed: the test runs a part of itself and kills it.
#[tokio::test]
async fn the_run_of_a_demo_ends_with_it() {
    let desk = Desk::new();
    let mut demo = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "launch::hold_a_run", "--ignored", "--nocapture"])
        .env("WATCHFLOOR_TEST_STATE", desk.state())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("this program");
    eventually("the run to begin", || desk.kinds().iter().any(|kind| kind == "process")).await;
    demo.kill().expect("killed");
    demo.wait().expect("ended");
    eventually("the run to end", || desk.kinds().iter().any(|kind| kind == "finish")).await;
    let past = &desk.actions.history(1)[0];
    let result = past.trace.result.as_ref().expect("a result");
    assert_eq!(result.claim, Claim::Unclear);
    assert!(result.summary.contains("ended with the demo"), "{}", result.summary);
}

#[tokio::test]
#[ignore = "runs as the demo that the_run_of_a_demo_ends_with_it kills"]
async fn hold_a_run() {
    let state = PathBuf::from(std::env::var("WATCHFLOOR_TEST_STATE").expect("a place"));
    let (actions, _) = open(&state).expect("opened");
    let config = shell("sleep 60");
    let preview = actions
        .preview(&config, &Answers::none(), new_run_id(), &[])
        .await
        .outcome
        .expect("a preview");
    let order =
        Order { ends_with_us: true, ..Order::new(new_run_id(), preview.digest, "shop/production") };
    let (sender, _events) = mpsc::channel(64);
    actions.launch(&config, order, sender).await;
}

/// A state directory that was made for a group on purpose: two users of the system, one
/// journal. The second agrees as a fact, not as a claim.
#[tokio::test]
async fn another_user_of_the_system_agrees_as_a_fact() {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        // Only root can be two users.
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let state = place.path().join("state");
    fs::create_dir(&state).expect("made");
    std::os::unix::fs::chown(&state, None, Some(NOBODY)).expect("given to the group");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o2770)).expect("shared");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("open");
    let file = place.path().join("watchfloor.toml");
    let text = "[service]\nname = \"shop\"\nenvironment = \"test\"\n[state]\ndir = ";
    fs::write(&file, format!("{text}{state:?}\n")).expect("written");
    let program_file = place.path().join("watchfloor");
    fs::copy(PROGRAM, &program_file).expect("copied");

    let (actions, _) = open(&state).expect("a shared directory is taken");
    let mark = place.path().join("mark");
    let config = action(program(&["touch", &mark.to_string_lossy()]).kind, Duration::from_secs(10));
    let preview = actions
        .preview(&config, &Answers::none(), new_run_id(), &[])
        .await
        .outcome
        .expect("a preview");
    let order = Order {
        needs_second: true,
        reason: "the table is corrupt".to_owned(),
        ..Order::new(new_run_id(), preview.digest, "shop/test")
    };
    actions.ask(&order, &config.id, &preview.request).expect("asked");
    let output = std::process::Command::new(&program_file)
        .args(["approve", order.run.as_str(), "--confirm", "shop/test", "--config"])
        .arg(&file)
        .env("HOME", "/")
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("ran");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("another login, by the system"), "{said}");
    let approval = actions.approval(&order.run).expect("agreed");
    assert!(!approval.claim);
    let (sender, mut events) = mpsc::channel(64);
    let own = actions.clone();
    let launched = tokio::spawn(async move { own.launch(&config, order, sender).await });
    while timeout(LIMIT, events.recv()).await.expect("in time").is_some() {}
    launched.await.expect("no panic");
    assert!(mark.exists());
    let mode = fs::metadata(state.join("journal.jsonl")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    verify(&state.join("journal.jsonl")).expect("sound");
}

/// Nobody agreed, somebody agreed to something else: it is refused where it would be done,
/// not only where it is asked.
#[tokio::test]
async fn without_a_second_person_the_runner_is_not_even_started() {
    let desk = Desk::new();
    let mark = desk.place.path().join("mark");
    let config = program(&["touch", &mark.to_string_lossy()]);
    let digest = desk.preview(&config).await.digest;
    let base = Order::new(new_run_id(), digest, "shop/production");
    for (order, why) in [
        (Order { needs_second: true, ..base.clone() }, "no second person"),
        (
            Order {
                run: new_run_id(),
                needs_second: true,
                break_glass: true,
                reason: "quick".to_owned(),
                ..base
            },
            "20 characters",
        ),
    ] {
        let (sender, mut events) = mpsc::channel(64);
        desk.actions.launch(&config, order, sender).await;
        let mut last = None;
        while let Some(event) = events.recv().await {
            last = Some(event.stage);
        }
        let Some(ActionStage::Finished(result)) = last else { panic!("{last:?}") };
        assert_not_sent(&result, why);
    }
    assert!(!mark.exists());
    assert_eq!(desk.kinds(), ["intent", "finish", "intent", "finish"]);
}

/// A runner for which files cannot grow beyond a limit, as on a full disk.
const LIMITED: &str = "trap '' XFSZ; exec";

#[tokio::test]
async fn a_disk_that_is_full_before_the_start_means_never_started() {
    let desk = Desk::new();
    while fs::metadata(desk.journal()).is_ok_and(|facts| facts.len() < 8_000) {
        desk.actions.note("armed", &"x".repeat(300)).expect("written");
    }
    let script = format!("ulimit -f 16; {LIMITED} {PROGRAM} supervise full");
    let (result, mark) = launch(&desk, &script).await;
    assert_not_sent(&result, "the journal cannot be written");
    assert!(!mark.exists());
    verify(&desk.journal()).expect("sound");
}

/// The end of a run is not lost because the disk was full when it came.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_end_that_found_the_disk_full_is_written_when_there_is_room() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let desk = Desk::new();
    let go = desk.place.path().join("go");
    let over = desk.place.path().join("over");
    let text =
        format!("while [ ! -e {} ]; do sleep 0.02; done; touch {}", go.display(), over.display());
    let config = shell(&text);
    let digest = desk.preview(&config).await.digest;
    let runner = instead(&desk, &format!("{LIMITED} {PROGRAM} supervise full"));
    let actions = desk.actions.as_ref().clone().with_runner(runner);
    let order = Order::new(new_run_id(), digest, "shop/production");
    let (sender, mut events) = mpsc::channel(64);
    let launched = tokio::spawn(async move { actions.launch(&config, order, sender).await });
    eventually("the program", || desk.kinds().iter().any(|kind| kind == "process")).await;
    let lines = desk.lines();
    let runner = lines.iter().find(|line| line["kind"] == "supervisor").expect("a runner");
    let runner = i32::try_from(runner["process"]["pid"].as_i64().expect("a number")).expect("one");
    let allow = |size: Option<u64>| {
        let limit = Rlimit { current: size, maximum: None };
        prlimit(Pid::from_raw(runner), Resource::Fsize, limit).expect("limited");
    };
    allow(Some(fs::metadata(desk.journal()).expect("there").len() + 100));
    fs::write(&go, "").expect("written");
    eventually("the program to be over", || over.exists()).await;
    // Longer than the runner needs for its first attempt.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!desk.kinds().iter().any(|kind| kind == "finish"), "{:?}", desk.kinds());
    let standing = desk.actions.history(1)[0].trace.standing;
    assert_eq!(standing, Some(watchfloor::domain::action::Standing::Supervised));
    allow(None);
    let mut last = None;
    while let Some(event) = timeout(LIMIT, events.recv()).await.expect("in time") {
        last = Some(event.stage);
    }
    launched.await.expect("no panic");
    let Some(ActionStage::Finished(result)) = last else { panic!("{last:?}") };
    assert_eq!(result.claim, Claim::Done, "{}", result.summary);
    verify(&desk.journal()).expect("sound");
}
