//! Several consoles on one machine.

use std::{fs, path::Path};

use super::*;

/// A target that appends a line for each message.
fn log(path: &Path) -> NotifyTarget {
    let script = format!("cat >> {}", path.display());
    program("log", &["sh", "-c", &script])
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let alerts = message["alerts"].as_array().expect("a list");
            let keys: Vec<&str> = alerts.iter().filter_map(|alert| alert["key"].as_str()).collect();
            keys.join(" ")
        })
        .collect()
}

#[tokio::test]
async fn one_sends_and_the_other_says_who() {
    let state = tempfile::tempdir().expect("a directory");
    let path = state.path().join("log");
    let mut first = Desk::within(&state, vec![log(&path)]);
    first.becomes(Sender::is_here).await;
    let mut second = Desk::within(&state, vec![log(&path)]);
    let sender = second.becomes(|sender| matches!(sender, Sender::Elsewhere { .. })).await;
    let words = sender.words().expect("something to say");
    let pid = std::process::id();
    assert!(words.starts_with(&format!("notifications are sent by pid {pid} since ")), "{words}");
    for desk in [&second, &first] {
        desk.notifier.send(message(1, &["a"]));
    }
    assert_eq!(first.report().await.outcome, Outcome::Delivered);
    assert_eq!(lines(&path), ["a"]);
    assert!(second.reports.try_recv().is_err(), "the second delivers nothing");
    assert!(second.notifier.stop(std::time::Duration::ZERO).await.is_empty());
}

#[tokio::test]
async fn the_other_takes_over_without_repeating_and_without_leaving_out() {
    let state = tempfile::tempdir().expect("a directory");
    let path = state.path().join("log");
    let mut first = Desk::within(&state, vec![log(&path)]);
    first.becomes(Sender::is_here).await;
    let mut second = Desk::within(&state, vec![log(&path)]);
    second.becomes(|sender| matches!(sender, Sender::Elsewhere { .. })).await;

    // Both see it, the first delivers it and ends.
    second.notifier.send(message(1, &["a"]));
    first.notifier.send(message(9, &["a"]));
    assert_eq!(first.report().await.outcome, Outcome::Delivered);
    // The record is written after the program has ended.
    assert_eq!(first.notifier.stop(LIMIT).await, []);
    second.becomes(|sender| *sender == Sender::Here).await;
    second.notifier.send(message(2, &["a", "b"]));
    assert_eq!(second.report().await.outcome, Outcome::Delivered);
    assert_eq!(lines(&path), ["a", "a b"], "the first message is not repeated");

    // Seen by the third alone, because the second ends before it has told anybody.
    let mut third = Desk::within(&state, vec![log(&path)]);
    third.becomes(|sender| matches!(sender, Sender::Elsewhere { .. })).await;
    third.notifier.send(message(1, &["c"]));
    third.notifier.send(message(2, &["c", "d"]));
    drop(second);
    third.becomes(|sender| *sender == Sender::Here).await;
    assert_eq!(third.report().await.outcome, Outcome::Delivered);
    assert_eq!(lines(&path), ["a", "a b", "c d"]);
}

#[tokio::test]
async fn a_lock_that_cannot_be_used_does_not_silence_anybody() {
    let state = tempfile::tempdir().expect("a directory");
    fs::write(state.path().join("state"), "in the way").expect("written");
    let path = state.path().join("log");
    let mut desk = Desk::within(&state, vec![log(&path)]);
    desk.notifier.send(message(1, &["a"]));
    let sender = desk.becomes(Sender::is_here).await;
    let words = sender.words().expect("something to say");
    assert!(words.starts_with("other consoles may send the same notifications: "), "{words}");
    assert_eq!(desk.report().await.outcome, Outcome::Delivered);
    assert_eq!(lines(&path), ["a"], "also what came before it was decided");
}

/// A target that fails while `path` is not there, and appends a line for each message then.
fn log_where_there_is(path: &Path) -> NotifyTarget {
    let script = format!("test -e {0} && cat >> {0}", path.display());
    program("log", &["sh", "-c", &script])
}

#[tokio::test]
async fn what_a_killed_console_has_not_delivered_is_delivered_by_the_next() {
    let state = tempfile::tempdir().expect("a directory");
    let path = state.path().join("log");
    let mut first = Desk::within(&state, vec![log_where_there_is(&path)]);
    first.becomes(Sender::is_here).await;
    first.notifier.send(message(1, &["a"]));
    assert!(matches!(first.report().await.outcome, Outcome::Retrying { .. }));
    // It is written in the background that this is owed.
    let lock = state.path().join("state/notify-shop@test.lock");
    let owed = || fs::read_to_string(&lock).is_ok_and(|text| text.contains("\"target\":\"log\""));
    while !owed() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // Dropped without a word, as by kill -9.
    drop(first);
    fs::write(&path, "").expect("written");
    let mut second = Desk::within(&state, vec![log_where_there_is(&path)]);
    assert_eq!(second.report().await.outcome, Outcome::Delivered);
    assert_eq!(lines(&path), ["a"]);

    // Ended in order: who starts later has it from the alerts that were kept.
    fs::remove_file(&path).expect("removed");
    second.notifier.send(message(2, &["b"]));
    assert!(matches!(second.report().await.outcome, Outcome::Retrying { .. }));
    assert_eq!(second.notifier.stop(std::time::Duration::ZERO).await.len(), 1);
    fs::write(&path, "").expect("written");
    let third = Desk::within(&state, vec![log_where_there_is(&path)]);
    third.becomes(Sender::is_here).await;
    assert!(third.notifier.stop(std::time::Duration::ZERO).await.is_empty());
}
