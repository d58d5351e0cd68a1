use super::*;
use crate::domain::notification::Severity;
use crate::{
    config::secret::Secret,
    notify::samples::{alert, message, numbered},
};

fn pagerduty_format() -> WebhookFormat {
    let routing_key = Secret::new("key-of-the-body-tests".to_owned(), "env PAGER");
    WebhookFormat::PagerDuty { routing_key }
}

fn with(change: impl FnOnce(&mut AlertNotice)) -> Notification {
    let mut message = message(&["api"]);
    change(&mut message.alerts[0]);
    message
}

#[test]
fn the_generic_body_is_the_whole_message() {
    let mut sent = message(&["api", "-redis"]);
    sent.alerts[0].runbook = Some("https://wiki.example/api".to_owned());
    sent.alerts[0].suggests = vec!["restart".to_owned()];
    sent.alerts[0].acknowledged_by = Some("ann".to_owned());
    let expected = json!({
        "schema": 1,
        "status": "firing",
        "severity": "critical",
        "service": "shop",
        "environment": "production",
        "dedup_key": "watchfloor/shop/production/critical",
        "sequence": 7,
        "at": "2026-01-01T00:00:30Z",
        "summary": "[CRITICAL] shop/production: 1 firing, 1 resolved: \
                    Alert api: 412 ms, > 200 ms for 5m; \
                    Alert redis: resolved after 12m 34s, peak 980 ms",
        "alerts": [
            {
                "key": "api",
                "rule": "api",
                "title": "Alert api",
                "severity": "critical",
                "priority": "P1",
                "state": "firing",
                "since": "2026-01-01T00:00:00Z",
                "resolved_after_seconds": null,
                "ended": null,
                "value": "412 ms",
                "threshold": "> 200 ms for 5m",
                "peak": null,
                "n": 60,
                "reason": "p95 is above the threshold",
                "runbook": "https://wiki.example/api",
                "suggests": ["restart"],
                "acknowledged_by": "ann",
            },
            {
                "key": "redis",
                "rule": "redis",
                "title": "Alert redis",
                "severity": "critical",
                "priority": "P1",
                "state": "resolved",
                "since": "2026-01-01T00:00:00Z",
                "resolved_after_seconds": 754,
                "ended": null,
                "value": "412 ms",
                "threshold": "> 200 ms for 5m",
                "peak": "980 ms",
                "n": 60,
                "reason": "p95 is above the threshold",
                "runbook": null,
                "suggests": [],
                "acknowledged_by": null,
            },
        ],
        "more": 0,
    });
    assert_eq!(body(&WebhookFormat::Generic, &sent), expected);
}

#[test]
fn a_chat_gets_text_and_blocks() {
    let mut sent = message(&["api"]);
    sent.alerts[0].title = "p95 of <api> & co".to_owned();
    sent.alerts[0].runbook = Some("https://wiki.example/?a=1&b=2".to_owned());
    sent.alerts[0].suggests = vec!["restart".to_owned(), "warm".to_owned()];
    let expected = json!({
        "text": "[CRITICAL] shop/production: 1 firing: \
                 p95 of &lt;api&gt; &amp; co: 412 ms, &gt; 200 ms for 5m",
        "blocks": [
            {
                "type": "header",
                "text": {
                    "type": "plain_text",
                    "text": "CRITICAL: 1 firing, shop/production",
                    "emoji": false,
                },
            },
            {
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": "*p95 of &lt;api&gt; &amp; co* (P1 critical, firing)\n\
                             now 412 ms, alert: &gt; 200 ms for 5m, n = 60, \
                             since 2026-01-01T00:00:00Z\n\
                             p95 is above the threshold\n\
                             <https://wiki.example/?a=1&amp;b=2|runbook>\n\
                             may help: restart, warm",
                },
            },
            {
                "type": "context",
                "elements": [{ "type": "mrkdwn", "text": "watchfloor, 2026-01-01T00:00:30Z" }],
            },
        ],
    });
    assert_eq!(body(&WebhookFormat::Slack, &sent), expected);
}

#[test]
fn a_chat_is_told_of_the_end_with_duration_and_peak() {
    let sent = body(&WebhookFormat::Slack, &message(&["-api"]));
    assert_eq!(sent["blocks"][0]["text"]["text"], "RESOLVED (critical), shop/production");
    let text = sent["blocks"][1]["text"]["text"].as_str().unwrap();
    assert!(text.contains("lasted 12m 34s, peak 980 ms"), "{text}");
}

#[test]
fn a_chat_keeps_to_the_limits_of_its_messages() {
    let names: Vec<String> = (0..70).map(|number| format!("rule{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut sent = message(&names);
    for alert in &mut sent.alerts {
        let long = Some("&".repeat(9_000));
        alert.title = "&".repeat(9_000);
        alert.threshold = "<".repeat(9_000);
        alert.reason = "x".repeat(9_000);
        (alert.value, alert.peak, alert.acknowledged_by) = (long.clone(), long.clone(), long);
        alert.runbook = Some("https://wiki.example/".to_owned() + &"y".repeat(9_000));
        alert.suggests = vec![">".repeat(300); 300];
        alert.resolved_after = Some(std::time::Duration::from_secs(754));
    }
    let sent = body(&WebhookFormat::Slack, &cleaned(sent));
    let blocks = sent["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), SHOWN_IN_CHAT + 2);
    assert!(blocks.len() <= 50);
    let last = blocks.last().unwrap()["elements"][0]["text"].as_str().unwrap();
    assert!(last.starts_with("and 50 more, "), "{last}");
    for block in &blocks[1..=SHOWN_IN_CHAT] {
        let length = block["text"]["text"].as_str().unwrap().chars().count();
        assert!((2_000..=3_000).contains(&length), "{length}");
    }
}

#[test]
fn what_is_no_link_is_no_link_in_a_chat() {
    for runbook in ["javascript:alert(1)", "https://a|b", "https://a>b", "page 12"] {
        let sent = with(|alert| alert.runbook = Some(runbook.to_owned()));
        let text = body(&WebhookFormat::Slack, &sent).to_string();
        assert!(!text.contains("|runbook>"), "{text}");
        let sent = body(&pagerduty_format(), &sent);
        assert_eq!(sent["links"], json!([]), "{runbook}");
    }
}

#[test]
fn a_pager_gets_one_incident_for_the_group() {
    let mut sent = message(&["api"]);
    sent.alerts[0].runbook = Some("https://wiki.example/api".to_owned());
    let expected = json!({
        "routing_key": "key-of-the-body-tests",
        "event_action": "trigger",
        "dedup_key": "watchfloor/shop/production/critical",
        "client": "watchfloor",
        "payload": {
            "summary": "[CRITICAL] shop/production: 1 firing: Alert api: 412 ms, > 200 ms for 5m",
            "source": "shop/production",
            "severity": "critical",
            "timestamp": "2026-01-01T00:00:00Z",
            "custom_details": { "firing": 1, "alerts": [super::alert(&sent.alerts[0])], "more": 0 },
        },
        "links": [{ "href": "https://wiki.example/api", "text": "runbook: Alert api" }],
    });
    assert_eq!(body(&pagerduty_format(), &sent), expected);
    let expected = json!({
        "routing_key": "key-of-the-body-tests",
        "event_action": "resolve",
        "dedup_key": "watchfloor/shop/production/critical",
    });
    assert_eq!(body(&pagerduty_format(), &message(&["-api"])), expected);
    let warning = numbered(1, Severity::Warning, &["api"]);
    let sent = body(&pagerduty_format(), &warning);
    assert_eq!(sent["payload"]["severity"], "warning");
    assert_eq!(sent["dedup_key"], "watchfloor/shop/production/warning");
}

#[test]
fn a_pager_gets_no_longer_summary_than_it_takes() {
    let names: Vec<String> =
        (0..50).map(|number| format!("a rule with a long name {number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let sent = body(&pagerduty_format(), &message(&names));
    assert_eq!(sent["payload"]["summary"].as_str().unwrap().chars().count(), 1024);
}

#[test]
fn texts_are_cleaned_of_secrets_and_control_characters_and_bounded() {
    let _secret = Secret::new("canary-of-the-body".to_owned(), "env CANARY");
    let dirty = "\u{1b}[31mred\u{1b}[0m canary-of-the-body ".to_owned() + &"x".repeat(900);
    let mut sent = message(&["api"]);
    sent.alerts[0] = AlertNotice {
        key: dirty.clone(),
        rule: dirty.clone(),
        title: dirty.clone(),
        value: Some(dirty.clone()),
        threshold: dirty.clone(),
        peak: Some(dirty.clone()),
        reason: dirty.clone(),
        runbook: Some(dirty.clone()),
        suggests: vec![dirty.clone()],
        acknowledged_by: Some(dirty),
        ..alert("api")
    };
    let sent = cleaned(sent);
    for format in [WebhookFormat::Generic, WebhookFormat::Slack, pagerduty_format()] {
        let text = body(&format, &sent).to_string();
        assert!(!text.contains("canary") && !text.contains("u001b"), "{text}");
    }
    let reason = &sent.alerts[0].reason;
    assert!(reason.starts_with("red ⟨secret⟩ xxx"), "{reason}");
    assert_eq!(reason.chars().count(), LONGEST_TEXT);
}
