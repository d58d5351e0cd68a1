use super::*;
use crate::domain::notification::{Priority, Status};

fn notice(key: &str, severity: Severity) -> AlertNotice {
    AlertNotice {
        key: key.to_owned(),
        rule: key.to_owned(),
        title: key.to_owned(),
        severity,
        priority: Priority::P1,
        state: NoticeState::Firing,
        since: Moment::at_seconds(0.0).wall,
        resolved_after: None,
        ended: None,
        told: None,
        value: None,
        threshold: "> 1".to_owned(),
        peak: None,
        n: None,
        reason: "above".to_owned(),
        runbook: None,
        suggests: Vec::new(),
        acknowledged_by: None,
    }
}

/// `a` fires critically, `a!w` as a warning, `(a)` suppressed, `-a` has ended, `a?` was
/// acknowledged too long ago.
fn change(text: &str) -> Change {
    if let Some(key) = text.strip_prefix('-') {
        let mut notice = notice(key, Severity::Critical);
        notice.resolved_after = Some(Duration::from_secs(90));
        notice.peak = Some("9".to_owned());
        return Change::Resolved { notice };
    }
    if let Some(key) = text.strip_suffix('?') {
        return Change::AckTimedOut { key: key.to_owned() };
    }
    let (text, suppressed) = match text.strip_prefix('(') {
        Some(rest) => (rest.trim_end_matches(')'), true),
        None => (text, false),
    };
    let (key, severity) = match text.strip_suffix("!w") {
        Some(key) => (key, Severity::Warning),
        None => (text, Severity::Critical),
    };
    Change::Firing { notice: notice(key, severity), suppressed }
}

fn shown(message: &Notification) -> String {
    let alerts: Vec<String> = message
        .alerts
        .iter()
        .map(|alert| match alert.state {
            NoticeState::Firing => alert.key.clone(),
            NoticeState::Resolved => format!("-{}", alert.key),
            NoticeState::Moved => format!("{}>{}", alert.key, alert.severity.word()),
        })
        .collect();
    let (group, status) = (message.group.severity.word(), message.status.word());
    format!("{group} {status}: {}", alerts.join(" "))
}

fn outbox() -> Outbox {
    Outbox::new("shop", "production", Policy::default())
}

/// Changes at seconds, one line each: `12 a b`. What is said, with its second. Between two
/// lines a tick passes every second.
fn play_on(outbox: &mut Outbox, from: u32, script: &str) -> Vec<String> {
    let mut said = Vec::new();
    let mut clock = from;
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let at: u32 = words.next().unwrap().parse().unwrap();
        while clock < at {
            let messages = outbox.apply(Moment::at_seconds(f64::from(clock)), Vec::new());
            said.extend(messages.iter().map(|message| format!("{clock} {}", shown(message))));
            clock += 1;
        }
        let messages = outbox.apply(Moment::at_seconds(f64::from(at)), words.map(change).collect());
        said.extend(messages.iter().map(|message| format!("{at} {}", shown(message))));
        clock = at + 1;
    }
    said
}

#[track_caller]
fn plays(script: &str, expected: &[&str]) {
    assert_eq!(play_on(&mut outbox(), 0, script), expected, "{script}");
}

#[test]
fn changes_of_half_a_minute_make_one_message() {
    plays("0 a\n10 b\n40", &["30 critical firing: a b"]);
    plays("0 a\n10 b!w\n50", &["30 critical firing: a", "40 warning firing: b"]);
}

#[test]
fn what_is_undone_before_it_was_told_is_never_told() {
    plays("0 a\n20 -a\n4000", &[]);
    plays("0 a\n10 b\n20 -a\n100", &["40 critical firing: b"]);
    // An end that did not last.
    plays("0 a\n50 -a\n60 a\n500", &["30 critical firing: a"]);
}

#[test]
fn the_same_state_is_told_once() {
    plays("0 a\n5 a\n31 a\n100 a\n1000 a", &["30 critical firing: a"]);
}

#[test]
fn an_end_is_told_once_with_what_goes_on() {
    plays(
        "0 a b\n100 -a\n200 -b\n5000 -a",
        &["30 critical firing: a b", "130 critical firing: b -a", "230 critical resolved: -b"],
    );
}

#[test]
fn the_end_says_how_long_and_how_bad() {
    let mut outbox = outbox();
    play_on(&mut outbox, 0, "0 a\n60 -a");
    let messages = outbox.apply(Moment::at_seconds(90.0), Vec::new());
    let alert = &messages[0].alerts[0];
    assert_eq!(messages[0].status, Status::Resolved);
    assert_eq!(alert.resolved_after, Some(Duration::from_secs(90)));
    assert_eq!(alert.peak.as_deref(), Some("9"));
}

#[test]
fn what_goes_on_is_repeated_after_hours() {
    plays(
        "0 a\n28831",
        &["30 critical firing: a", "14430 critical firing: a", "28830 critical firing: a"],
    );
    // News starts the hours anew.
    plays("0 a\n14000 b\n14500", &["30 critical firing: a", "14030 critical firing: a b"]);
}

#[test]
fn what_is_suppressed_makes_no_message() {
    plays("0 (a)\n20000", &[]);
    plays("0 (a)\n100 -a\n200", &[]);
    // Suppressed while it waited, and released.
    plays("0 a\n20 (a)\n100 a\n200", &["130 critical firing: a"]);
    // No repetition of what is acknowledged.
    plays("0 a\n60 (a)\n20000", &["30 critical firing: a"]);
    // A silence that ends after the time of a repetition.
    plays("0 a\n60 (a)\n20000 a\n20001", &["30 critical firing: a", "20000 critical firing: a"]);
}

#[test]
fn the_end_of_what_was_told_is_told_even_where_it_is_suppressed() {
    plays("0 a\n60 (a)\n100 -a\n200", &["30 critical firing: a", "130 critical resolved: -a"]);
}

#[test]
fn a_group_fires_while_something_of_it_does_even_if_that_is_suppressed() {
    plays("0 a b\n60 (a)\n100 -b\n200", &["30 critical firing: a b", "130 critical firing: a -b"]);
    // What is suppressed and was never told is not mentioned.
    plays("0 (a)\n0 b\n60", &["30 critical firing: b"]);
}

#[test]
fn a_rise_is_told_at_once_and_then_that_it_has_left() {
    plays(
        "0 a!w\n100 a\n200",
        &["30 warning firing: a", "100 critical firing: a", "100 warning resolved: a>critical"],
    );
    // With what stays behind.
    plays(
        "0 a!w b!w\n100 a\n200",
        &["30 warning firing: a b", "100 critical firing: a", "100 warning firing: b a>critical"],
    );
    // Not told yet: it keeps the time that it has waited.
    plays("0 a!w\n20 a\n100", &["30 critical firing: a"]);
    // Silenced: it stays where it was told, and so does its end.
    plays("0 a!w\n100 (a)\n200 -a\n300", &["30 warning firing: a", "230 warning resolved: -a"]);
}

#[test]
fn a_fall_waits_and_a_fall_that_does_not_last_is_not_told() {
    plays(
        "0 a\n100 a!w\n200",
        &["30 critical firing: a", "130 warning firing: a", "130 critical resolved: a>warning"],
    );
    plays("0 a\n100 a!w\n110 a\n300", &["30 critical firing: a"]);
    // Other news of the group that it has not left yet.
    plays(
        "0 a\n100 b\n110 a!w\n125 a\n300",
        &["30 critical firing: a", "130 critical firing: a b"],
    );
    plays("0 a\n100 b\n110 a!w\n135", &["30 critical firing: a", "130 critical firing: a b"]);
}

#[test]
fn an_acknowledgement_that_is_too_old_is_told_at_once() {
    plays("0 a\n60 (a)\n1860 a?\n1900", &["30 critical firing: a", "1860 critical firing: a"]);
    // What is over, and what is not known, is not.
    plays("0 a\n20 -a\n60 a? b?\n100", &[]);
}

#[test]
fn messages_are_numbered_in_order() {
    let mut outbox = outbox();
    let mut said = Vec::new();
    for (at, text) in [(0.0, "a"), (31.0, "b!w"), (62.0, "-a"), (93.0, "c")] {
        let messages = outbox.apply(Moment::at_seconds(at), vec![change(text)]);
        said.extend(messages.iter().map(|one| format!("{} {}", one.sequence, shown(one))));
    }
    assert_eq!(said, ["1 critical firing: a", "2 warning firing: b", "3 critical firing: c -a"]);
}

#[test]
fn the_next_moment_is_known() {
    let mut outbox = outbox();
    let second = |outbox: &Outbox| outbox.next_due().map(|due| due.mono.as_secs());
    assert_eq!(second(&outbox), None);
    play_on(&mut outbox, 0, "5 a\n6 b");
    assert_eq!(second(&outbox), Some(35));
    play_on(&mut outbox, 7, "40");
    assert_eq!(second(&outbox), Some(35 + 14_400));
    play_on(&mut outbox, 41, "50 (a) (b)");
    assert_eq!(second(&outbox), None, "what is suppressed is not repeated");
}

/// Written down at that second, and taken up by a console whose monotonic clock begins at
/// zero, `pause` seconds later.
fn restarted(outbox: &Outbox, at: f64, pause: f64) -> (Outbox, Moment) {
    let text = serde_json::to_string(outbox).unwrap();
    let saved: Outbox = serde_json::from_str(&text).unwrap();
    let wall = Moment::at_seconds(at + pause).wall;
    let now = Moment { mono: Duration::ZERO, wall };
    (saved.resumed("shop", "production", Policy::default(), now), now)
}

#[test]
fn a_restart_tells_nothing_twice_and_forgets_nothing() {
    let mut first = outbox();
    play_on(&mut first, 0, "0 a\n100 b");
    let (mut second, now) = restarted(&first, 110.0, 5.0);
    let again = vec![change("a"), change("b")];
    assert_eq!(second.apply(now, again), Vec::new());
    assert_eq!(second.next_due().map(|due| due.mono.as_secs()), Some(15), "b has waited");
    let messages = second.apply(now.plus(Duration::from_secs(15)), Vec::new());
    assert_eq!(messages.iter().map(shown).collect::<Vec<_>>(), ["critical firing: a b"]);
    assert_eq!(messages[0].sequence, 2, "the numbers go on");
}

#[test]
fn a_repetition_that_fell_into_the_pause_is_made_up_for_once() {
    let mut first = outbox();
    play_on(&mut first, 0, "0 a\n40");
    let (mut second, now) = restarted(&first, 40.0, 20_000.0);
    let messages = second.apply(now, Vec::new());
    assert_eq!(messages.iter().map(shown).collect::<Vec<_>>(), ["critical firing: a"]);
    assert_eq!(second.apply(now.plus(Duration::from_secs(60)), Vec::new()), Vec::new());
    // A clock that was set back does not put it off for longer than at first.
    let text = serde_json::to_string(&first).unwrap();
    let saved: Outbox = serde_json::from_str(&text).unwrap();
    let early = Moment { mono: Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH };
    let resumed = saved.resumed("shop", "production", Policy::default(), early);
    assert_eq!(resumed.next_due().map(|due| due.mono.as_secs()), Some(14_400));
}

#[test]
fn what_nobody_got_is_told_again() {
    let mut first = outbox();
    play_on(&mut first, 0, "0 a b\n100 -b");
    let lost = first.apply(Moment::at_seconds(130.0), Vec::new());
    assert_eq!(lost.iter().map(shown).collect::<Vec<_>>(), ["critical firing: a -b"]);
    first.not_delivered(&lost[0]);
    let (mut second, now) = restarted(&first, 131.0, 5.0);
    assert_eq!(second.apply(now, vec![change("a")]), Vec::new());
    let messages = second.apply(now.plus(Duration::from_secs(30)), Vec::new());
    assert_eq!(messages.iter().map(shown).collect::<Vec<_>>(), ["critical firing: a -b"]);
    // What has ended meanwhile was never told, so its end is not either.
    first.not_delivered(&lost[0]);
    first.apply(Moment::at_seconds(140.0), vec![change("-a")]);
    let messages = first.apply(Moment::at_seconds(170.0), Vec::new());
    assert_eq!(messages.iter().map(shown).collect::<Vec<_>>(), ["critical resolved: -b"]);
}

#[test]
fn a_move_that_nobody_heard_of_is_told_again() {
    let mut first = outbox();
    play_on(&mut first, 0, "0 a!w\n40");
    let lost = first.apply(Moment::at_seconds(50.0), vec![change("a")]);
    let said: Vec<String> = lost.iter().map(shown).collect();
    assert_eq!(said, ["critical firing: a", "warning resolved: a>critical"]);
    let mut second = first.clone();
    second.not_delivered(&lost[1]);
    let messages = second.apply(Moment::at_seconds(51.0), Vec::new());
    assert_eq!(messages.iter().map(shown).collect::<Vec<_>>(), said[1..]);
    // Over before it could be.
    play_on(&mut first, 51, "60 -a\n100");
    first.not_delivered(&lost[1]);
    let messages = first.apply(Moment::at_seconds(140.0), Vec::new());
    assert_eq!(messages, []);
    let messages = first.apply(Moment::at_seconds(170.0), Vec::new());
    assert_eq!(messages.iter().map(shown).collect::<Vec<_>>(), ["warning resolved: -a"]);
}

#[test]
fn an_end_is_told_to_both_groups_where_one_did_not_hear_of_the_move() {
    let mut outbox = outbox();
    play_on(&mut outbox, 0, "0 a\n40\n50 a!w");
    let lost = outbox.apply(Moment::at_seconds(80.0), Vec::new());
    outbox.not_delivered(&lost[1]);
    let messages = outbox.apply(Moment::at_seconds(81.0), vec![change("-a")]);
    let said: Vec<String> = messages.iter().map(shown).collect();
    assert_eq!(said, ["critical resolved: -a", "warning resolved: -a"]);
}

#[test]
fn what_was_told_and_is_gone_can_be_found() {
    let mut outbox = outbox();
    play_on(&mut outbox, 0, "0 a\n40 b");
    let open: Vec<&str> = outbox.open().map(|alert| alert.key.as_str()).collect();
    assert_eq!(open, ["a"], "b was not told yet");
    let other =
        outbox.clone().resumed("other", "production", Policy::default(), Moment::at_seconds(50.0));
    assert_eq!(other.open().count(), 0, "nothing of another service is taken up");
}

mod whatever_happens {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// One of the ways to change one of three alerts, and the seconds until the next.
    fn step() -> impl Strategy<Value = (String, u32)> {
        let key = prop::sample::select(vec!["a", "b", "c"]);
        let form = prop::sample::select(vec!["@", "@!w", "(@)", "(@!w)", "-@", "@?"]);
        let pause = prop::sample::select(vec![0_u32, 1, 10, 29, 31, 60, 15_000]);
        (key, form, pause).prop_map(|(key, form, pause)| (form.replace('@', key), pause))
    }

    proptest! {
        /// Each group hears of each alert in turn that it fires and that it does not, of
        /// nothing twice but by repetition, and in the end of every end.
        #[test]
        fn every_beginning_has_its_end(steps in prop::collection::vec(step(), 1..40)) {
            let mut outbox = outbox();
            let mut open: BTreeSet<(Severity, String)> = BTreeSet::new();
            let mut last = BTreeMap::new();
            let mut at = 0;
            let endings = ["-a", "-b", "-c"].map(|text| (text.to_owned(), 0));
            for (text, pause) in steps.into_iter().chain(endings) {
                let mut messages =
                    outbox.apply(Moment::at_seconds(f64::from(at)), vec![change(&text)]);
                at += pause + 1;
                messages.extend(outbox.apply(Moment::at_seconds(f64::from(at)), Vec::new()));
                check(&messages, &mut open, &mut last, text.ends_with('?'))?;
            }
            let messages = outbox.apply(Moment::at_seconds(f64::from(at + 60)), Vec::new());
            check(&messages, &mut open, &mut last, false)?;
            prop_assert!(open.is_empty(), "never told to end: {open:?}");
            prop_assert_eq!(outbox.next_due(), None);
            prop_assert_eq!(outbox.alerts.len(), 0);
        }
    }

    fn check(
        messages: &[Notification],
        open: &mut BTreeSet<(Severity, String)>,
        last: &mut BTreeMap<Severity, (String, Duration)>,
        reminded: bool,
    ) -> Result<(), TestCaseError> {
        for message in messages {
            let group = message.group.severity;
            prop_assert!(!message.alerts.is_empty());
            for alert in &message.alerts {
                let key = (group, alert.key.clone());
                if alert.state == NoticeState::Firing {
                    prop_assert_eq!(alert.severity, group);
                    open.insert(key);
                } else {
                    prop_assert!(open.remove(&key), "an end without a beginning: {key:?}");
                }
            }
            let fires = open.iter().any(|(severity, _)| *severity == group);
            prop_assert_eq!(message.status == Status::Firing, fires, "{}", shown(message));
            let (text, at) = (shown(message), message.at.mono);
            if let Some((before, then)) = last.insert(group, (text.clone(), at)) {
                let repeated = at - then >= Policy::default().repeat;
                prop_assert!(before != text || repeated || reminded, "twice: {text}");
            }
        }
        Ok(())
    }
}
