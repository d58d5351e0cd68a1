//! Programs.

use std::{fs, path::Path};

use serde_json::Value;
use watchfloor::config::secret::Secret;

use super::*;

/// Waits for a file that a program writes.
async fn written(path: &Path) -> String {
    let waiting = async {
        loop {
            match fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(LIMIT, waiting).await.expect("written in time")
}

/// Waits until a process is gone.
async fn ends(pid: &str) {
    let stat = format!("/proc/{}/stat", pid.trim());
    let waiting = async {
        while fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, waiting).await.expect("it ends");
}

#[tokio::test]
async fn a_program_reads_the_message_in_a_clean_environment() {
    let place = tempfile::tempdir().expect("a directory");
    let script = format!("cd {}; cat > message; env > environment", place.path().display());
    let mut desk = Desk::new(vec![program("desk", &["sh", "-c", &script])]).await;
    desk.notifier.send(message(3, &["api", "-redis"]));
    assert_eq!(desk.report().await.outcome, Outcome::Delivered);
    let text = fs::read_to_string(place.path().join("message")).expect("written");
    assert!(text.ends_with("}\n"), "one line: {text}");
    let read: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&read["schema"], &read["sequence"]), (&Value::from(1), &Value::from(3)));
    assert_eq!(read["alerts"][0]["title"], "Alert api");
    let environment = fs::read_to_string(place.path().join("environment")).expect("written");
    assert!(environment.contains("GREETING=hello\n"), "{environment}");
    assert!(!environment.contains("CARGO"), "nothing of ours: {environment}");
}

#[tokio::test]
async fn another_exit_code_than_0_is_a_failure_and_is_tried_again() {
    let place = tempfile::tempdir().expect("a directory");
    let mark = place.path().join("mark").display().to_string();
    let script = format!(
        "if [ -e {mark} ]; then exit 0; fi; touch {mark}; echo tried; echo 'no display' >&2; exit 3"
    );
    let mut desk = Desk::new(vec![program("desk", &["sh", "-c", &script])]).await;
    desk.notifier.send(message(1, &["api"]));
    let outcome = desk.report().await.outcome;
    assert!(matches!(outcome, Outcome::Retrying { attempt: 1, .. }), "{outcome:?}");
    assert_eq!(why(outcome), "sh ended with exit code 3; it last said: no display");
    assert_eq!(desk.report().await.outcome, Outcome::Delivered);
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_that_it_has_started() {
    let place = tempfile::tempdir().expect("a directory");
    let child = place.path().join("child");
    let script = format!("sleep 600 & echo $! > {}; trap '' TERM; wait", child.display());
    let mut target = program("desk", &["sh", "-c", &script]);
    target.timeout = Duration::from_secs(2);
    let mut desk = Desk::new(vec![target]).await;
    desk.notifier.send(message(1, &["api"]));
    let why = why(desk.report().await.outcome);
    assert_eq!(why, "sh did not end within 2s and was killed");
    ends(&written(&child).await).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_with_its_output_is_killed_and_the_message_counts() {
    let place = tempfile::tempdir().expect("a directory");
    let child = place.path().join("child");
    let script = format!("sleep 600 & echo $! > {}; exit 0", child.display());
    let mut target = program("desk", &["sh", "-c", &script]);
    target.timeout = Duration::from_secs(2);
    let mut desk = Desk::new(vec![target]).await;
    desk.notifier.send(message(1, &["api"]));
    assert_eq!(desk.report().await.outcome, Outcome::Delivered);
    ends(&written(&child).await).await;
}

#[tokio::test]
async fn a_program_that_reads_nothing_and_prints_without_end_does_no_harm() {
    let mut flood = program("flood", &["sh", "-c", "exec <&-; yes canary >&2; exit 1"]);
    flood.timeout = SHORT;
    let closing = program("closing", &["sh", "-c", "exec <&-; exit 0"]);
    let mut desk = Desk::new(vec![flood, closing]).await;
    let keys: Vec<String> = (0..50).map(|number| format!("{number}{}", "k".repeat(400))).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    desk.notifier.send(message(1, &keys));
    let mut said = std::collections::BTreeMap::new();
    while said.len() < 2 {
        let report = desk.report().await;
        said.entry(report.target).or_insert(report.outcome);
    }
    assert_eq!(said["closing"], Outcome::Delivered);
    let why = why(said.remove("flood").expect("a report"));
    assert!(why.starts_with("sh did not end within 700ms and was killed"), "{why}");
    assert!(why.len() < 300, "{}", why.len());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_to_be() {
    let mut desk = Desk::new(vec![program("desk", &["no-such-program"])]).await;
    desk.notifier.send(message(1, &["api"]));
    let why = why(desk.report().await.outcome);
    assert!(why.starts_with("no-such-program is not installed"), "{why}");
}

#[tokio::test]
async fn a_secret_is_in_no_argument_and_in_no_report() {
    let secret = Secret::new("canary-of-the-program".to_owned(), "env DESK");
    let mut shown = program("shown", &["true", "--key", "canary-of-the-program"]);
    shown.retry_for = Duration::ZERO;
    let mut said = program("said", &["sh", "-c", "echo \"key is $KEY\"; exit 1"]);
    let NotifyKind::Command(command) = &mut said.kind else { panic!("a program") };
    let text = Text::Secret { prefix: String::new(), secret };
    command.environment.push(("KEY".to_owned(), text));
    let mut desk = Desk::new(vec![shown, said]).await;
    desk.notifier.send(message(1, &["api"]));
    let mut reports = std::collections::BTreeMap::new();
    while reports.len() < 2 {
        let report = desk.report().await;
        reports.insert(report.target, report.outcome);
    }
    assert!(!format!("{reports:?}").contains("canary"), "{reports:?}");
    let shown = reports.remove("shown").expect("a report");
    assert!(matches!(shown, Outcome::GivenUp { .. }), "{shown:?}");
    assert!(why(shown).contains("an argument holds a secret"));
    let said = why(reports.remove("said").expect("a report"));
    assert!(said.ends_with("it last said: key is ⟨secret⟩"), "{said}");
}

#[tokio::test]
async fn a_console_that_ends_takes_its_program_along() {
    let place = tempfile::tempdir().expect("a directory");
    let child = place.path().join("child");
    let script = format!("sleep 600 & echo $! > {}; wait", child.display());
    let desk = Desk::new(vec![program("desk", &["sh", "-c", &script])]).await;
    desk.notifier.send(message(1, &["api"]));
    let pid = written(&child).await;
    assert_eq!(desk.notifier.stop(Duration::from_millis(10)).await.len(), 1);
    ends(&pid).await;
}
