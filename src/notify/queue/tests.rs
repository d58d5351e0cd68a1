use super::*;
use crate::{
    domain::notification::{NoticeState, Severity},
    notify::samples,
};

const HOUR: Duration = Duration::from_secs(3600);

fn message(sequence: u64, severity: Severity, names: &[&str]) -> Notification {
    samples::numbered(sequence, severity, names)
}

fn critical(sequence: u64) -> Notification {
    message(sequence, Severity::Critical, &["a"])
}

fn refused() -> Refused {
    Refused { why: "no".to_owned(), again: true, retry_after: None }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The number and the sequence of what is to be tried.
#[track_caller]
fn tried(queue: &mut Queue, now: Instant) -> (u64, u64) {
    match queue.next(now) {
        Next::Try(number, message) => (number, message.sequence),
        other => panic!("nothing to try: {other:?}"),
    }
}

#[test]
fn messages_are_tried_in_order_and_leave_when_they_are_delivered() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    assert_eq!(queue.next(now), Next::Nothing);
    assert_eq!(queue.push(critical(1), now), None);
    assert_eq!(queue.push(critical(2), now), None);
    let (first, sequence) = tried(&mut queue, now);
    assert_eq!(sequence, 1);
    queue.delivered(first);
    assert_eq!(tried(&mut queue, now).1, 2);
    assert_eq!(queue.left().len(), 1);
}

#[test]
fn pauses_double_up_to_five_minutes() {
    let pauses: Vec<u64> = (1..=12).map(|attempts| pause(attempts, 0.5).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!(pause(3, 0.0), secs(3));
    assert_eq!(pause(3, 1.0), secs(5));
    assert_eq!(pause(u32::MAX, 0.5), LONGEST_PAUSE);
}

#[test]
fn a_failure_is_tried_again_after_its_pause() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.push(critical(1), now);
    let (number, _) = tried(&mut queue, now);
    let outcome = queue.failed(number, refused(), HOUR, 0.5, now);
    let expected = Outcome::Retrying { attempt: 1, next_in: secs(1), why: "no".to_owned() };
    assert_eq!(outcome, Some(expected));
    assert_eq!(queue.next(now), Next::Wait(now + secs(1)));
    assert!(!queue.is_busy(), "it has had its attempt");
    assert_eq!(tried(&mut queue, now + secs(1)).1, 1);
    assert!(queue.is_busy());
}

#[test]
fn what_is_refused_for_good_is_given_up_at_once() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.push(critical(1), now);
    let (number, _) = tried(&mut queue, now);
    let outcome = queue.failed(number, Refused { again: false, ..refused() }, HOUR, 0.5, now);
    assert_eq!(outcome, Some(Outcome::GivenUp { lost: 1, why: "no".to_owned() }));
    assert_eq!(queue.next(now), Next::Nothing);
}

#[test]
fn it_is_given_up_when_it_is_too_old() {
    let (mut queue, start) = (Queue::default(), Instant::now());
    queue.push(critical(1), start);
    let mut now = start;
    let mut attempts = 0;
    let why = loop {
        match queue.next(now) {
            Next::Wait(until) => now = until,
            Next::Try(number, _) => {
                attempts += 1;
                match queue.failed(number, refused(), HOUR, 0.5, now) {
                    Some(Outcome::Retrying { .. }) => {}
                    Some(Outcome::GivenUp { why, .. }) => break why,
                    other => panic!("{other:?}"),
                }
            }
            Next::Nothing => panic!("lost"),
        }
    };
    assert_eq!(why, "no; not tried again after 1h");
    assert!(now - start <= HOUR);
    assert_eq!(attempts, 20, "nine doublings to 511s, ten more of 300s, and the first");
}

#[test]
fn the_other_side_may_ask_to_be_left_alone() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.push(critical(1), now);
    let (number, _) = tried(&mut queue, now);
    let asked = Refused { retry_after: Some(secs(90)), ..refused() };
    let outcome = queue.failed(number, asked.clone(), HOUR, 0.5, now);
    assert!(matches!(outcome, Some(Outcome::Retrying { next_in, .. }) if next_in == secs(90)));
    // By every message, also by one that has not been tried.
    queue.push(message(2, Severity::Warning, &["b"]), now);
    assert_eq!(queue.next(now + secs(89)), Next::Wait(now + secs(90)));
    assert_eq!(tried(&mut queue, now + secs(90)).1, 1);
    // For longer than it is kept: there is no use in waiting.
    let outcome = queue.failed(number, asked, secs(120), 0.5, now + secs(90));
    assert!(matches!(outcome, Some(Outcome::GivenUp { lost: 1, .. })), "{outcome:?}");
}

#[test]
fn a_newer_message_takes_the_place_of_one_that_failed_and_tells_what_had_ended() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.push(message(1, Severity::Critical, &["a", "-b"]), now);
    let (number, _) = tried(&mut queue, now);
    queue.failed(number, refused(), HOUR, 0.5, now);
    let lost = queue.push(message(2, Severity::Critical, &["a", "c"]), now).expect("a report");
    assert_eq!(lost.sequence, 1);
    assert!(matches!(lost.outcome, Outcome::Replaced { lost: 1, .. }), "{lost:?}");
    let Next::Try(_, newer) = queue.next(now) else { panic!("tried at once") };
    let told: Vec<(&str, NoticeState)> =
        newer.alerts.iter().map(|alert| (alert.key.as_str(), alert.state)).collect();
    let firing = NoticeState::Firing;
    assert_eq!(told, [("a", firing), ("c", firing), ("b", NoticeState::Resolved)]);
    assert_eq!(queue.left().len(), 1);
}

#[test]
fn a_message_that_fails_while_a_newer_one_waits_is_overtaken() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.push(message(1, Severity::Critical, &["a", "-b"]), now);
    let (number, _) = tried(&mut queue, now);
    assert_eq!(queue.push(message(2, Severity::Critical, &["a"]), now), None, "under way");
    assert_eq!(queue.push(message(3, Severity::Warning, &["w"]), now), None);
    let outcome = queue.failed(number, refused(), HOUR, 0.5, now);
    assert!(matches!(outcome, Some(Outcome::Replaced { lost: 1, .. })), "{outcome:?}");
    let Next::Try(_, newer) = queue.next(now) else { panic!("tried at once") };
    assert_eq!((newer.sequence, newer.alerts.len()), (2, 2));
}

#[test]
fn a_failure_of_one_incident_does_not_hold_up_the_other() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.push(critical(1), now);
    let (number, _) = tried(&mut queue, now);
    queue.failed(number, refused(), HOUR, 0.5, now);
    queue.push(message(2, Severity::Warning, &["b"]), now);
    assert_eq!(tried(&mut queue, now).1, 2);
}

#[test]
fn a_full_queue_loses_the_oldest_and_says_so() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    for sequence in 1..=CAPACITY as u64 {
        assert_eq!(queue.push(critical(sequence), now), None);
    }
    let (_, sequence) = tried(&mut queue, now);
    assert_eq!(sequence, 1);
    let lost = queue.push(critical(1000), now).expect("a loss");
    assert_eq!(lost.sequence, 2, "the first is under way");
    assert!(matches!(lost.outcome, Outcome::Replaced { lost: 1, .. }), "{lost:?}");
    let lost = queue.push(message(1001, Severity::Warning, &["w"]), now).expect("a loss");
    assert_eq!(lost.sequence, 3);
    assert!(matches!(lost.outcome, Outcome::GivenUp { lost: 2, .. }), "{lost:?}");
    assert_eq!(queue.left().len(), CAPACITY);
}
