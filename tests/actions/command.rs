use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use tokio::sync::mpsc;
use watchfloor::{
    actions::{Order, journal::verify, new_run_id},
    config::{
        profile::{ActionConfig, ActionKind, CommandAction, Text},
        secret::Secret,
    },
    domain::{
        action::{ActionOutcome, ActionStage, Claim},
        value::Value,
    },
};

use super::{Desk, action, assert_not_sent, eventually, found_in, open, reading};

fn command(argv: &[&str]) -> CommandAction {
    CommandAction {
        argv: argv.iter().map(|text| (*text).to_owned()).collect(),
        shell: false,
        directory: None,
        environment: Vec::new(),
        stdin: None,
        interactive: false,
    }
}

pub(super) fn program(argv: &[&str]) -> ActionConfig {
    configured(command(argv), Duration::from_secs(30))
}

fn configured(command: CommandAction, timeout: Duration) -> ActionConfig {
    action(ActionKind::Command(Box::new(command)), timeout)
}

fn script(text: &str) -> CommandAction {
    CommandAction { shell: true, ..command(&[text]) }
}

pub(super) fn shell(text: &str) -> ActionConfig {
    configured(script(text), Duration::from_secs(30))
}

fn outputs(stages: &[ActionStage]) -> Vec<&str> {
    stages
        .iter()
        .filter_map(|stage| match stage {
            ActionStage::Output(line) => Some(line.as_str()),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_command_runs_and_everything_is_in_the_journal() {
    let desk = Desk::new();
    let started = {
        let config = shell("printf 'one\\n\\033[31mtwo\\033[0m\\r\\n'; printf 'three' >&2");
        let digest = desk.preview(&config).await.digest;
        desk.start(&config, &digest)
    };
    let run = started.run.clone();
    let (result, stages) = started.finish().await;
    assert_eq!(result.claim, Claim::Done);
    assert_eq!(result.summary, "exit code 0");
    assert_eq!(reading(&result, "exit_code"), Some(&Value::Number(0.0)));
    assert_eq!(stages[..2], [ActionStage::Journaled, ActionStage::Started]);
    assert_eq!(outputs(&stages), ["one", "two", "three"]);
    let kept = desk.state().join("runs").join(run.as_str()).join("output.log");
    assert_eq!(fs::read_to_string(&kept).expect("kept"), "one\ntwo\nthree\n");
    assert_eq!(fs::metadata(&kept).expect("there").permissions().mode() & 0o777, 0o600);

    assert_eq!(desk.kinds(), ["intent", "supervisor", "start", "process", "finish"]);
    let lines = desk.lines();
    let intent = &lines[0];
    assert_eq!(intent["run"], run.as_str());
    assert_eq!(intent["action"], "clear_cache");
    assert_eq!(intent["target"], "shop/production");
    assert_eq!(intent["reason"], "the cache is poisoned");
    assert_eq!(intent["confirmation"], "y");
    assert_eq!(intent["before"][0], serde_json::json!(["cache.keys", "1234"]));
    assert!(intent["request"][0].as_str().expect("a line").contains("printf"));
    assert_eq!(lines[4]["result"]["claim"], "done");
    assert!(lines[4]["result"]["took_ms"].is_u64());
    verify(&desk.journal()).expect("sound");

    let past = &desk.actions.history(5)[0];
    assert_eq!((past.outcome, past.resolved), (ActionOutcome::Unknown, false));
    let id = "clear_cache".into();
    desk.actions.conclude(&run, &id, ActionOutcome::Confirmed, &[]).expect("written");
    let past = &desk.actions.history(5)[0];
    assert_eq!((past.outcome, past.resolved), (ActionOutcome::Confirmed, true));
}

#[tokio::test]
async fn a_failing_command_says_how_it_failed() {
    let desk = Desk::new();
    let (result, _) = desk.run(&shell("echo 'disk on fire' >&2; exit 3")).await;
    assert_eq!(result.claim, Claim::Refused);
    assert_eq!(result.summary, "exit code 3; it last said: disk on fire");
    assert_eq!(reading(&result, "exit_code"), Some(&Value::Number(3.0)));
    assert_eq!(desk.actions.history(1)[0].outcome, ActionOutcome::Failed);
}

#[tokio::test]
async fn a_command_that_somebody_kills_may_have_acted() {
    let desk = Desk::new();
    let (result, _) = desk.run(&shell("kill -9 $$")).await;
    assert_eq!(result.claim, Claim::Unclear);
    assert!(result.summary.contains("signal 9"), "{}", result.summary);
    assert_eq!(reading(&result, "exit_code"), None);
}

#[tokio::test]
async fn a_question_meets_an_empty_input() {
    let desk = Desk::new();
    let (result, _) = desk.run(&shell("printf 'Sure? '; read answer || exit 7; exit 0")).await;
    assert_eq!(result.claim, Claim::Refused);
    assert_eq!(result.summary, "exit code 7; it last said: Sure?");
}

#[tokio::test]
async fn configured_input_is_read() {
    let desk = Desk::new();
    let stdin = Some(Text::Plain("yes please\n".to_owned()));
    let config = CommandAction { stdin, ..command(&["cat"]) };
    let (result, stages) = desk.run(&configured(config, Duration::from_secs(30))).await;
    assert_eq!(result.claim, Claim::Done);
    assert_eq!(outputs(&stages), ["yes please"]);
}

#[tokio::test]
async fn a_secret_reaches_the_command_and_nothing_else() {
    const CANARY: &str = "canary-5f2c9a71-command";
    let secret = || Secret::new(CANARY.to_owned(), "env DEPLOY_TOKEN");
    let desk = Desk::new();
    let text = "[ \"${#TOKEN}\" = 23 ] || exit 9; read line; echo \"token $TOKEN and $line\"; \
                echo \"$TOKEN\" >&2; tr '\\0' ' ' < /proc/$$/cmdline";
    let config = CommandAction {
        environment: vec![(
            "TOKEN".to_owned(),
            Text::Secret { prefix: String::new(), secret: secret() },
        )],
        stdin: Some(Text::Secret { prefix: "in ".to_owned(), secret: secret() }),
        ..script(text)
    };
    let config = configured(config, Duration::from_secs(30));
    let preview = desk.preview(&config).await;
    let shown = preview.request.join("\n");
    assert!(shown.contains("TOKEN=⟨DEPLOY_TOKEN⟩"), "{shown}");
    assert!(shown.contains("in ⟨DEPLOY_TOKEN⟩"), "{shown}");
    assert!(!shown.contains(CANARY));

    let (result, stages) = desk.start(&config, &preview.digest).finish().await;
    assert_eq!(result.claim, Claim::Done, "{}", result.summary);
    assert!(!format!("{stages:?}").contains(CANARY), "{stages:?}");
    assert!(outputs(&stages).contains(&"token ⟨secret⟩ and in ⟨secret⟩"), "{stages:?}");
    desk.actions.note("armed", &format!("pasted {CANARY}")).expect("written");
    assert_eq!(found_in(&desk.state(), CANARY), Vec::<std::path::PathBuf>::new());
    assert_eq!(found_in(&desk.state(), "⟨DEPLOY_TOKEN⟩"), [desk.journal()]);
}

#[tokio::test]
async fn a_secret_among_the_arguments_is_refused() {
    const CANARY: &str = "canary-argv-88d1";
    let _secret = Secret::new(CANARY.to_owned(), "env ARGV_TOKEN");
    let desk = Desk::new();
    let config = program(&["echo", &format!("--token={CANARY}")]);
    let preview = desk.preview(&config).await;
    assert!(preview.refusals[0].contains("holds a secret"), "{:?}", preview.refusals);
    let (result, _) = desk.start(&config, &preview.digest).finish().await;
    assert_not_sent(&result, "holds a secret");
    assert!(found_in(&desk.state(), CANARY).is_empty());
}

#[tokio::test]
async fn the_environment_is_clean_and_is_what_was_shown() {
    let desk = Desk::new();
    let config = CommandAction {
        environment: vec![("MODE".to_owned(), Text::Plain("safe mode".to_owned()))],
        directory: Some(desk.place.path().to_owned()),
        ..command(&["env"])
    };
    let config = configured(config, Duration::from_secs(30));
    let preview = desk.preview(&config).await;
    let (_, stages) = desk.start(&config, &preview.digest).finish().await;
    let mut real = outputs(&stages);
    let name = real.iter_mut().find(|line| line.starts_with("WATCHFLOOR_RUN=")).expect("named");
    *name = "WATCHFLOOR_RUN=(the name of the run)";
    let mut shown: Vec<&str> = preview.request[3..].iter().map(String::as_str).collect();
    real.sort_unstable();
    shown.sort_unstable();
    assert_eq!(real, shown);
    for line in ["TERM=dumb", "NO_COLOR=1", "MODE=safe mode"] {
        assert!(real.contains(&line), "{line}");
    }
    assert!(!real.iter().any(|line| line.starts_with("CARGO")), "{real:?}");
    assert_eq!(preview.request[1], format!("in {}", desk.place.path().display()));
}

#[tokio::test]
async fn what_is_not_there_is_refused_before_anything_runs() {
    let desk = Desk::new();
    let plain = desk.place.path().join("plain");
    fs::write(&plain, "#!/bin/sh\n").expect("written");
    let nowhere = CommandAction { directory: Some("/no/such".into()), ..command(&["true"]) };
    for (config, why) in [
        (command(&["no-such-program-anywhere"]), "is not installed"),
        (command(&["/no/such/program"]), "does not exist"),
        (command(&[&plain.to_string_lossy()]), "is not executable"),
        (nowhere, "/no/such is not a directory"),
        (command(&[]), "no program to run"),
    ] {
        let config = configured(config, Duration::from_secs(30));
        let preview = desk.preview(&config).await;
        assert!(preview.refusals.iter().any(|text| text.contains(why)), "{:?}", preview.refusals);
        let (result, stages) = desk.start(&config, &preview.digest).finish().await;
        assert_not_sent(&result, why);
        assert_eq!(stages.len(), 2, "journaled and finished: {stages:?}");
        assert_eq!(desk.actions.history(1)[0].outcome, ActionOutcome::NeverStarted);
    }
}

#[tokio::test]
async fn a_program_that_the_system_cannot_run_was_not_sent() {
    let desk = Desk::new();
    let broken = desk.place.path().join("broken");
    fs::write(&broken, "#!/no/such/interpreter\n").expect("written");
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o700)).expect("changed");
    let (result, _) = desk.run(&program(&[&broken.to_string_lossy()])).await;
    assert_not_sent(&result, "could not be started");
}

#[tokio::test]
async fn a_plan_that_changed_since_is_refused() {
    let desk = Desk::new();
    let marker = desk.place.path().join("marker");
    let digest = desk.preview(&program(&["touch", "/tmp/other"])).await.digest;
    let config = program(&["touch", &marker.to_string_lossy()]);
    let (result, stages) = desk.start(&config, &digest).finish().await;
    assert_not_sent(&result, "not what was confirmed");
    assert_eq!(stages[0], ActionStage::Journaled);
    assert!(!marker.exists());
    assert_eq!(desk.kinds(), ["intent", "finish"]);
}

#[tokio::test]
async fn a_run_that_is_ordered_twice_runs_once() {
    let desk = Desk::new();
    let count = desk.place.path().join("count");
    let config = shell(&format!("echo once >> {}", count.display()));
    let digest = desk.preview(&config).await.digest;
    let order = Order::new(new_run_id(), digest, "shop/production");
    let (sender, mut events) = mpsc::channel(64);
    for _ in 0..2 {
        desk.actions.launch(&config, order.clone(), sender.clone()).await;
    }
    drop(sender);
    let mut ends = 0;
    while let Some(event) = events.recv().await {
        ends += usize::from(matches!(event.stage, ActionStage::Finished(_)));
    }
    assert_eq!(ends, 1);
    assert_eq!(fs::read_to_string(&count).expect("ran"), "once\n");
}

#[tokio::test]
async fn a_tree_that_ignores_the_request_to_end_is_killed_as_a_group() {
    killed_as_a_group("trap '' TERM; ").await;
}

#[tokio::test]
async fn children_that_ignore_the_request_are_killed_after_their_parent_obeyed() {
    killed_as_a_group("").await;
}

/// A parent and its child; the child ignores the request to end.
async fn killed_as_a_group(parent: &str) {
    let desk = Desk::new();
    let pids = desk.place.path().join("pids");
    let text = format!(
        "{parent}sh -c \"trap '' TERM; echo \\$\\$ >> {0}; while :; do sleep 1; done\" & \
         echo $$ >> {0}; while :; do sleep 1; done",
        pids.display()
    );
    let config = configured(script(&text), Duration::from_secs(2));
    let (result, _) = desk.run(&config).await;
    assert_eq!(result.claim, Claim::Unclear);
    assert!(result.summary.contains("its time was up"), "{}", result.summary);
    let written = fs::read_to_string(&pids).expect("pids");
    assert_eq!(written.lines().count(), 2, "{written}");
    for pid in written.lines() {
        assert!(!runs(pid), "process {pid} is still there");
    }
    let steps = format!("{:?}", desk.lines());
    assert!(steps.contains("asked to end") && steps.contains("killed"), "{steps}");
}

/// Whether the process runs; one that only waits to be reaped does not.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn a_person_can_stop_it_and_it_may_clean_up() {
    let desk = Desk::new();
    let text = "trap 'echo cleaned up; exit 5' TERM; echo ready; while :; do sleep 0.1; done";
    let config = shell(text);
    let digest = desk.preview(&config).await.digest;
    let mut started = desk.start(&config, &digest);
    started.until(|stage| *stage == ActionStage::Output("ready".to_owned())).await;
    started.stop();
    let (result, stages) = started.finish().await;
    assert_eq!(result.claim, Claim::Cancelled);
    assert!(result.summary.contains("exit code 5"), "{}", result.summary);
    assert!(outputs(&stages).contains(&"cleaned up"), "{stages:?}");
    assert_eq!(desk.actions.history(1)[0].outcome, ActionOutcome::Cancelled);
}

#[tokio::test]
async fn stopped_before_the_start_it_was_never_sent() {
    let desk = Desk::new();
    let marker = desk.place.path().join("marker");
    let config = program(&["touch", &marker.to_string_lossy()]);
    let digest = desk.preview(&config).await.digest;
    let started = desk.start(&config, &digest);
    started.stop();
    let (result, _) = started.finish().await;
    assert_not_sent(&result, "stopped by the operator");
    assert!(!marker.exists());
}

#[tokio::test]
async fn a_child_left_behind_does_not_hold_the_run_up() {
    let desk = Desk::new();
    let (result, stages) = desk.run(&shell("sleep 300 & echo $!")).await;
    assert_eq!(result.claim, Claim::Done);
    let lines = outputs(&stages);
    assert!(lines.iter().any(|line| line.contains("are still there")), "{lines:?}");
    let child = lines.iter().find(|line| line.chars().all(|c| c.is_ascii_digit())).expect("a pid");
    assert!(runs(child), "the run waited for the child");
    std::process::Command::new("kill").arg(child).status().expect("kill");
}

#[tokio::test]
async fn a_command_outlives_its_console_and_the_journal_says_so() {
    let desk = Desk::new();
    let marker = desk.place.path().join("marker");
    let text = format!("echo running; sleep 1; echo still; echo here; touch {}", marker.display());
    let config = shell(&text);
    let digest = desk.preview(&config).await.digest;
    let mut started = desk.start(&config, &digest);
    started.until(|stage| matches!(stage, ActionStage::Output(_))).await;
    started.task.abort();
    drop(started.events);
    eventually("the command's end", || marker.exists()).await;
    let (next, _) = open(&desk.state()).expect("opened");
    let past = &next.history(1)[0];
    assert_eq!((past.outcome, past.resolved), (ActionOutcome::Unknown, false));
}

#[tokio::test]
async fn a_flood_of_output_neither_blocks_nor_fills_the_disk() {
    let desk = Desk::new();
    let config = shell("yes 'a line that is repeated for ever' | head -c 60000000; echo done");
    let (result, stages) = desk.run(&config).await;
    assert_eq!(result.claim, Claim::Done, "{}", result.summary);
    let lines = outputs(&stages);
    assert!(lines.iter().any(|line| line.contains("not shown]")));
    let runs = desk.state().join("runs");
    let run = fs::read_dir(runs).expect("runs").next().expect("one").expect("one").path();
    assert!(fs::metadata(run.join("output.log")).expect("kept").len() < 9 << 20);
}

#[tokio::test]
async fn the_digest_is_stable_and_covers_everything() {
    let desk = Desk::new();
    let secret = |origin: &str| Text::Secret {
        prefix: "Bearer ".to_owned(),
        secret: Secret::new("digest-canary-value".to_owned(), origin),
    };
    let base = || CommandAction {
        environment: vec![("TOKEN".to_owned(), secret("env A"))],
        ..command(&["echo", "a", "b"])
    };
    let digest = async |config: CommandAction| {
        desk.preview(&configured(config, Duration::from_secs(30))).await.digest
    };
    let first = digest(base()).await;
    assert_eq!(first.len(), 64);
    assert_eq!(first, digest(base()).await);
    let variants = [
        CommandAction { argv: vec!["echo".into(), "ab".into()], ..base() },
        CommandAction {
            argv: vec!["echo".into(), "a".into(), "b".into(), String::new()],
            ..base()
        },
        CommandAction { argv: vec!["printf".into(), "a".into(), "b".into()], ..base() },
        CommandAction { directory: Some("/".into()), ..base() },
        CommandAction { stdin: Some(Text::Plain(String::new())), ..base() },
        CommandAction { environment: vec![("TOKEN".into(), secret("env B"))], ..base() },
        CommandAction { environment: vec![("OTHER".into(), secret("env A"))], ..base() },
        CommandAction { shell: true, ..base() },
    ];
    let mut seen = vec![first];
    for variant in variants {
        let other = digest(variant.clone()).await;
        assert!(!seen.contains(&other), "{variant:?}");
        seen.push(other);
    }
    let slower = configured(base(), Duration::from_secs(31));
    assert!(!seen.contains(&desk.preview(&slower).await.digest));
}
