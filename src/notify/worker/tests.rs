//! With the clock of the test: hours pass at once, and only what is asked of the target
//! is made up.

use std::{collections::VecDeque, time::Duration};

use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::{
    config::profile::{NotifyKind, Program},
    domain::{notification::Severity, time::Moment},
    notify::samples,
};

/// Attempts as a target saw them: when, and which message.
type Seen = Arc<Mutex<Vec<(u64, u64)>>>;

struct Bench {
    desk: Arc<Desk>,
    seen: Seen,
    reports: mpsc::Receiver<Delivery>,
    _task: AbortOnDropHandle<()>,
}

fn target(severities: &[Severity], resolved: bool) -> NotifyTarget {
    let argv = vec!["never-run".to_owned()];
    let command = Program { argv, directory: None, environment: Vec::new() };
    NotifyTarget {
        name: "desk".to_owned(),
        kind: NotifyKind::Command(Box::new(command)),
        severities: severities.to_vec(),
        resolved,
        timeout: Duration::from_secs(10),
        retry_for: Duration::from_secs(3600),
    }
}

fn no() -> Result<(), Refused> {
    Err(Refused { why: "no".to_owned(), again: true, retry_after: None })
}

/// A target that answers so, and then takes everything.
fn bench(answers: Vec<Result<(), Refused>>) -> Bench {
    let (send, reports) = mpsc::channel(16);
    let clock: Clock = Arc::new(|| Moment::at_seconds(0.0));
    let desk = Desk::new(target(&[Severity::Critical], true), send, clock, Arc::default());
    let seen = Seen::default();
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let start = Instant::now();
    let deliver = {
        let seen = Arc::clone(&seen);
        move |_: Arc<NotifyTarget>, message: Notification| {
            locked(&seen).push((start.elapsed().as_secs(), message.sequence));
            let answer = locked(&answers).pop_front().unwrap_or(Ok(()));
            async move { answer }
        }
    };
    let task = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&desk).work(deliver)));
    Bench { desk, seen, reports, _task: task }
}

fn message(sequence: u64) -> Notification {
    samples::numbered(sequence, Severity::Critical, &["a"])
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_until_it_is_taken() {
    let mut bench = bench(vec![no(), no(), no()]);
    bench.desk.put(message(1));
    for attempt in 1..=3 {
        let outcome = bench.reports.recv().await.expect("a report").outcome;
        assert!(matches!(outcome, Outcome::Retrying { attempt: n, .. } if n == attempt));
    }
    assert_eq!(bench.reports.recv().await.expect("a report").outcome, Outcome::Delivered);
    let seen = locked(&bench.seen).clone();
    let times: Vec<u64> = seen.iter().map(|(at, _)| *at).collect();
    // 1, 2 and 4 seconds, a quarter more or less.
    assert_eq!(times.len(), 4);
    assert!((5..=8).contains(&times[3]), "{times:?}");
    assert!(bench.desk.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_is_given_up_after_an_hour_and_said() {
    let mut bench = bench((0..100).map(|_| no()).collect());
    bench.desk.put(message(1));
    let why = loop {
        match bench.reports.recv().await.expect("a report").outcome {
            Outcome::Retrying { .. } => {}
            Outcome::GivenUp { lost: 1, why } => break why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(why, "no; not tried again after 1h");
    let last = locked(&bench.seen).last().copied().expect("attempts").0;
    assert!((3_000..=3_600).contains(&last), "{last}");
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_is_asked_for_is_kept_to_the_second() {
    let asked = Refused {
        why: "later".to_owned(),
        again: true,
        retry_after: Some(Duration::from_secs(120)),
    };
    let mut bench = bench(vec![Err(asked)]);
    bench.desk.put(message(1));
    bench.reports.recv().await.expect("a report");
    // Something else for the same target does not break the wait.
    bench.desk.put(samples::numbered(2, Severity::Warning, &["b"]));
    bench.reports.recv().await.expect("a report");
    bench.reports.recv().await.expect("a report");
    assert_eq!(*locked(&bench.seen), [(0, 1), (120, 1), (120, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_newer_message_is_tried_at_once() {
    let mut bench = bench((0..8).map(|_| no()).collect());
    bench.desk.put(message(1));
    for _ in 0..8 {
        bench.reports.recv().await.expect("a report");
    }
    let before = locked(&bench.seen).last().copied().expect("attempts").0;
    bench.desk.put(message(2));
    let replaced = bench.reports.recv().await.expect("a report");
    assert!(matches!(replaced.outcome, Outcome::Replaced { lost: 1, .. }), "{replaced:?}");
    assert_eq!(replaced.sequence, 1);
    assert_eq!(bench.reports.recv().await.expect("a report").outcome, Outcome::Delivered);
    assert_eq!(locked(&bench.seen).last(), Some(&(before, 2)));
}

#[tokio::test(start_paused = true)]
async fn a_desk_is_done_when_everything_was_tried() {
    let bench = bench(vec![no()]);
    bench.desk.put(message(1));
    bench.desk.tried().await;
    assert_eq!(locked(&bench.seen).len(), 1);
    assert_eq!(bench.desk.left().len(), 1, "it failed and still waits");
}

#[tokio::test]
async fn a_target_is_told_of_what_it_asked_for() {
    let (send, _reports) = mpsc::channel(1);
    let clock: Clock = Arc::new(|| Moment::at_seconds(0.0));
    let fires = samples::numbered(1, Severity::Critical, &["a"]);
    let ends = samples::numbered(2, Severity::Critical, &["-a"]);
    let warns = samples::numbered(3, Severity::Warning, &["a"]);
    let both = [Severity::Warning, Severity::Critical];
    for (severities, resolved, expected) in [
        (&both[1..], true, [true, true, false]),
        (&both[1..], false, [true, false, false]),
        (&both[..], false, [true, false, true]),
    ] {
        let desk = Desk::new(
            target(severities, resolved),
            send.clone(),
            Arc::clone(&clock),
            Arc::default(),
        );
        assert_eq!([&fires, &ends, &warns].map(|message| desk.takes(message)), expected);
    }
}
