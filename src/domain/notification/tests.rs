use super::*;

/// A critical alert of that name that has fired since the beginning.
fn alert(rule: &str) -> AlertNotice {
    AlertNotice {
        key: rule.to_owned(),
        rule: rule.to_owned(),
        title: format!("title of {rule}"),
        severity: Severity::Critical,
        priority: Priority::P1,
        state: NoticeState::Firing,
        since: Moment::at_seconds(0.0).wall,
        resolved_after: None,
        ended: None,
        told: None,
        value: Some("412 ms".to_owned()),
        threshold: "> 200 ms for 5m".to_owned(),
        peak: None,
        n: None,
        reason: "above the threshold".to_owned(),
        runbook: None,
        suggests: Vec::new(),
        acknowledged_by: None,
    }
}

fn resolved(rule: &str) -> AlertNotice {
    AlertNotice {
        state: NoticeState::Resolved,
        resolved_after: Some(Duration::from_secs(754)),
        peak: Some("980 ms".to_owned()),
        ..alert(rule)
    }
}

fn group() -> GroupKey {
    GroupKey {
        service: "shop".to_owned(),
        environment: "production".to_owned(),
        severity: Severity::Critical,
    }
}

fn message(alerts: Vec<AlertNotice>) -> Notification {
    Notification::new(group(), alerts, Moment::at_seconds(60.0), 7)
}

#[test]
fn a_message_fires_while_one_of_its_alerts_does() {
    assert_eq!(message(vec![resolved("a"), alert("b")]).status, Status::Firing);
    assert_eq!(message(vec![resolved("a")]).status, Status::Resolved);
    assert_eq!(message(vec![]).dedup_key, "watchfloor/shop/production/critical");
}

#[test]
fn what_fires_stands_first_and_the_most_urgent_at_the_top() {
    let urgent = AlertNotice { priority: Priority::P0, ..alert("urgent") };
    let sent = message(vec![resolved("old"), alert("late"), urgent]);
    let rules: Vec<&str> = sent.alerts.iter().map(|alert| alert.rule.as_str()).collect();
    assert_eq!(rules, ["urgent", "late", "old"]);
}

#[test]
fn a_message_of_many_alerts_counts_the_rest() {
    let many = (0..MOST_ALERTS + 3).map(|number| alert(&format!("r{number:03}"))).collect();
    let sent = message(many);
    assert_eq!((sent.alerts.len(), sent.more), (MOST_ALERTS, 3));
    assert!(sent.summary(80).contains("50 firing, 3 more"), "{}", sent.summary(80));
}

#[test]
fn the_summary_says_what_how_long_and_how_bad() {
    let table = [
        (
            vec![alert("a")],
            "[CRITICAL] shop/production: 1 firing: title of a: 412 ms, > 200 ms for 5m",
        ),
        (
            vec![resolved("a")],
            "[RESOLVED] shop/production: 1 resolved: \
             title of a: resolved after 12m 34s, peak 980 ms",
        ),
        (
            vec![AlertNotice {
                state: NoticeState::Moved,
                severity: Severity::Warning,
                ..alert("a")
            }],
            "[RESOLVED] shop/production: 1 moved: title of a: now warning",
        ),
    ];
    for (alerts, expected) in table {
        assert_eq!(message(alerts).summary(500), expected);
    }
    let short = message(vec![alert("a")]).summary(20);
    assert_eq!(short.chars().count(), 20);
}

#[test]
fn what_had_ended_is_told_by_the_message_that_takes_the_place() {
    let older = message(vec![alert("a"), resolved("b"), resolved("c")]);
    let mut newer = message(vec![alert("a"), alert("b")]);
    newer.instead_of(older);
    let states: Vec<(&str, NoticeState)> =
        newer.alerts.iter().map(|alert| (alert.rule.as_str(), alert.state)).collect();
    // b fires again, which is newer than its end.
    assert_eq!(
        states,
        [("a", NoticeState::Firing), ("b", NoticeState::Firing), ("c", NoticeState::Resolved)]
    );
}

#[test]
fn lengths_of_time_are_short() {
    let table =
        [(0, "0s"), (59, "59s"), (60, "1m"), (754, "12m 34s"), (3_600, "1h"), (7_384, "2h 3m")];
    for (seconds, text) in table {
        assert_eq!(whole_seconds(Duration::from_secs(seconds)), text);
    }
    assert_eq!(whole_seconds(Duration::from_millis(1_999)), "1s");
}

#[test]
fn everything_survives_being_written_down() {
    let sent = message(vec![alert("a"), resolved("b")]);
    let text = serde_json::to_string(&sent).unwrap();
    assert_eq!(serde_json::from_str::<Notification>(&text).unwrap(), sent);
}
