//! What is sent: one message in the form that the other side reads.

use serde_json::{Value, json};

use crate::{
    config::profile::WebhookFormat,
    domain::notification::{
        AlertNotice, NoticeState, Notification, Status, seconds, whole_seconds,
    },
    net::words,
};

/// The most characters of one text of an alert.
const LONGEST_TEXT: usize = 500;

/// The most characters of a summary; PagerDuty refuses longer ones.
const LONGEST_SUMMARY: usize = 1024;

/// The most characters of the headline of a Slack message.
const LONGEST_HEADLINE: usize = 150;

/// The most alerts that a chat shows; a message may have 50 blocks.
const SHOWN_IN_CHAT: usize = 20;

/// The message with every text cleaned: no control characters, no known secret, bounded.
pub(super) fn cleaned(mut message: Notification) -> Notification {
    let clean = |text: &mut String| *text = words::clip(text, LONGEST_TEXT);
    for alert in &mut message.alerts {
        for text in [
            &mut alert.key,
            &mut alert.rule,
            &mut alert.title,
            &mut alert.threshold,
            &mut alert.reason,
        ] {
            clean(text);
        }
        for text in
            [&mut alert.value, &mut alert.peak, &mut alert.runbook, &mut alert.acknowledged_by]
                .into_iter()
                .chain([&mut alert.ended, &mut alert.told])
        {
            text.as_mut().map(clean);
        }
        alert.suggests.iter_mut().for_each(clean);
    }
    message
}

/// The body of a webhook.
pub(super) fn body(format: &WebhookFormat, message: &Notification) -> Value {
    match format {
        WebhookFormat::Generic => generic(message),
        WebhookFormat::Slack => slack(message),
        WebhookFormat::PagerDuty { routing_key } => pagerduty(message, routing_key.expose()),
    }
}

/// The whole message. `docs/notifications.md` describes it; `schema` changes with it.
pub(super) fn generic(message: &Notification) -> Value {
    let alerts: Vec<Value> = message.alerts.iter().map(alert).collect();
    json!({
        "schema": 1,
        "status": message.status.word(),
        "severity": message.group.severity.word(),
        "service": message.group.service,
        "environment": message.group.environment,
        "dedup_key": message.dedup_key,
        "sequence": message.sequence,
        "at": seconds(message.at.wall),
        "summary": message.summary(LONGEST_SUMMARY),
        "alerts": alerts,
        "more": message.more,
    })
}

fn alert(alert: &AlertNotice) -> Value {
    json!({
        "key": alert.key,
        "rule": alert.rule,
        "title": alert.title,
        "severity": alert.severity.word(),
        "priority": alert.priority.word(),
        "state": alert.state.word(),
        "since": seconds(alert.since),
        "resolved_after_seconds": alert.resolved_after.map(|lasted| lasted.as_secs()),
        "ended": alert.ended,
        "value": alert.value,
        "threshold": alert.threshold,
        "peak": alert.peak,
        "n": alert.n,
        "reason": alert.reason,
        "runbook": alert.runbook,
        "suggests": alert.suggests,
        "acknowledged_by": alert.acknowledged_by,
    })
}

/// What Slack's incoming webhooks take: a text for the notice on a phone, and blocks.
fn slack(message: &Notification) -> Value {
    let firing = count(message, NoticeState::Firing);
    let headline = match message.status {
        Status::Firing => {
            format!("{}: {firing} firing", message.group.severity.word().to_uppercase())
        }
        Status::Resolved => format!("{} ({})", message.over(), message.group.severity.word()),
    };
    let headline = format!("{headline}, {}", message.group.target());
    let mut blocks = vec![json!({
        "type": "header",
        "text": {
            "type": "plain_text",
            "text": words::clip(&headline, LONGEST_HEADLINE),
            "emoji": false,
        },
    })];
    blocks.extend(message.alerts.iter().take(SHOWN_IN_CHAT).map(|alert| {
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": paragraph(alert) } })
    }));
    let rest = message.more + message.alerts.len().saturating_sub(SHOWN_IN_CHAT);
    let rest = if rest > 0 { format!("and {rest} more, ") } else { String::new() };
    let at = seconds(message.at.wall);
    blocks.push(json!({
        "type": "context",
        "elements": [{ "type": "mrkdwn", "text": format!("{rest}watchfloor, {at}") }],
    }));
    json!({ "text": escaped(&message.summary(LONGEST_TEXT)), "blocks": blocks })
}

/// One alert in a chat. Its parts together stay below the 3000 characters of a section.
fn paragraph(alert: &AlertNotice) -> String {
    let mut lines = vec![format!(
        "*{}* ({} {}, {})",
        bounded(&alert.title, 300),
        alert.priority.word(),
        alert.severity.word(),
        alert.word()
    )];
    let mut facts = Vec::new();
    let now = alert.told.as_ref().or(alert.value.as_ref()).filter(|_| alert.ended.is_none());
    facts.extend(now.map(|now| format!("now {}", bounded(now, 150))));
    facts.push(format!("alert: {}", bounded(&alert.threshold, 300)));
    facts.extend(alert.n.map(|n| format!("n = {n}")));
    facts.push(format!("since {}", seconds(alert.since)));
    facts.extend(alert.resolved_after.map(|lasted| format!("lasted {}", whole_seconds(lasted))));
    facts.extend(alert.peak.as_ref().map(|peak| format!("peak {}", bounded(peak, 150))));
    lines.push(facts.join(", "));
    lines.push(bounded(&alert.reason, 700));
    let who = alert.acknowledged_by.as_ref();
    lines.extend(who.map(|who| format!("taken on by {}", bounded(who, 150))));
    lines.extend(alert.runbook.as_ref().map(|runbook| {
        let whole = bounded(runbook, 600);
        match is_link(runbook) && whole == escaped(runbook) {
            true => format!("<{whole}|runbook>"),
            false => format!("runbook: {whole}"),
        }
    }));
    if !alert.suggests.is_empty() {
        lines.push(format!("may help: {}", bounded(&alert.suggests.join(", "), 300)));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// Whether a text can be made a link of: nothing in it ends the link early.
fn is_link(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://"))
        && !text.contains(['|', '>', '<', ' '])
}

/// The three characters that mean something to Slack.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The text escaped, at most `limit` characters of it, and no half of an escape.
fn bounded(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let c = escaped(&c.to_string());
        length += c.chars().count();
        if length >= limit {
            out.push('…');
            break;
        }
        out.push_str(&c);
    }
    out
}

/// An event of PagerDuty's Events API v2. One incident per group: it is updated by every
/// message that fires, and ends with the one that does not.
fn pagerduty(message: &Notification, routing_key: &str) -> Value {
    if message.status == Status::Resolved {
        let mut event = json!({
            "routing_key": routing_key,
            "event_action": "resolve",
            "dedup_key": message.dedup_key,
        });
        if message.alerts.iter().any(|alert| alert.ended.is_some()) {
            // The incident is closed without anybody having seen that all is well.
            event["payload"] = json!({
                "summary": message.summary(LONGEST_SUMMARY),
                "source": message.group.target(),
                "severity": message.group.severity.word(),
            });
        }
        return event;
    }
    let firing = message.alerts.iter().filter(|alert| alert.state == NoticeState::Firing);
    let since = firing.map(|alert| alert.since).min().unwrap_or(message.at.wall);
    let alerts: Vec<Value> = message.alerts.iter().map(alert).collect();
    let links: Vec<Value> = message
        .alerts
        .iter()
        .filter_map(|alert| Some((alert, alert.runbook.as_ref()?)))
        .filter(|(_, href)| is_link(href))
        .map(|(alert, href)| json!({ "href": href, "text": format!("runbook: {}", alert.title) }))
        .collect();
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": message.dedup_key,
        "client": "watchfloor",
        "payload": {
            "summary": message.summary(LONGEST_SUMMARY),
            "source": message.group.target(),
            "severity": message.group.severity.word(),
            "timestamp": seconds(since),
            "custom_details": {
                "firing": count(message, NoticeState::Firing),
                "alerts": alerts,
                "more": message.more,
            },
        },
        "links": links,
    })
}

fn count(message: &Notification, state: NoticeState) -> usize {
    message.alerts.iter().filter(|alert| alert.state == state).count()
}

#[cfg(test)]
mod tests;
