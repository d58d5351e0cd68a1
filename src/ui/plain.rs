//! The plain mode, for terminals that cannot draw and for pipes: one line per change.

use std::{borrow::Cow, collections::BTreeMap};

use super::paint;
use crate::{
    app::{
        msg::Level,
        notices::Said,
        summary::{AlertSummary, Summary},
    },
    domain::{
        rule::Phase,
        text::safe,
        value::tidy,
        verdict::{Quality, Verdict},
    },
};

/// How times are written.
const TIME: &str = "%Y-%m-%dT%H:%M:%SZ";

/// One judgement of the document.
struct Judged<'a> {
    verdict: Verdict,
    quality: Option<Quality>,
    title: Cow<'a, str>,
    reason: &'a str,
}

/// What has changed between two documents, one line per change of a verdict: time, word,
/// what, why, and what it was. Whatever changes as a whole comes first.
pub fn changes(before: &Summary, after: &Summary) -> Vec<String> {
    let old = judged(before);
    let new = judged(after);
    let mut lines = Vec::new();
    if before.verdict != after.verdict {
        lines.push(overall(after, Some(before.verdict)));
    }
    let mut order: Vec<&String> = new.keys().collect();
    order.sort_by_key(|key| (std::cmp::Reverse(new[*key].verdict.badness()), (*key).clone()));
    for key in order {
        let now = &new[key];
        match old.get(key) {
            Some(was) if was.verdict == now.verdict => {}
            Some(was) => lines.push(line(after, now, Some(was.verdict))),
            None => lines.push(line(after, now, None)),
        }
    }
    for (key, was) in &old {
        if !new.contains_key(key) {
            lines.push(format!("{} gone {}: no longer watched", time(after), safe(&was.title)));
        }
    }
    lines.extend(alerts(before, after));
    lines.extend(runs(before, after));
    lines
}

/// Alerts whose state has changed. The document has only those that are not ok.
fn alerts(before: &Summary, after: &Summary) -> Vec<String> {
    let find = |summary: &Summary, rule: &str| -> Option<AlertSummary> {
        summary.alerts.iter().find(|alert| alert.rule == rule).cloned()
    };
    let mut lines = Vec::new();
    for now in &after.alerts {
        let was = find(before, &now.rule);
        if was.as_ref().is_none_or(|was| was.state != now.state) {
            lines.push(alert(after, now, was.map(|was| was.state)));
        }
    }
    for was in before.alerts.iter().filter(|was| find(after, &was.rule).is_none()) {
        let (title, state) = (safe(&was.title), was.state.word());
        lines.push(format!("{} over alert {title}: no longer {state}", time(after)));
    }
    lines
}

/// One alert: its state, in capitals where it calls for somebody, and what it rests on.
fn alert(summary: &Summary, now: &AlertSummary, was: Option<Phase>) -> String {
    let calls = now.state.is_active() && now.acknowledged_by.is_none() && now.muted.is_none();
    let state = now.state.word();
    let state = if calls { state.to_uppercase() } else { state.to_owned() };
    let value = now.value.map(|value| format!(", last {}", tidy(value))).unwrap_or_default();
    let reason = match now.reason.as_str() {
        "" => String::new(),
        reason => format!("; {}", safe(reason)),
    };
    let muted = now.muted.as_ref().map(|muted| format!("; {}", safe(muted))).unwrap_or_default();
    let by = now.acknowledged_by.as_ref();
    let by = by.map(|by| format!("; acked by {}", safe(by))).unwrap_or_default();
    let was = was.map(|was| format!(" (was {})", was.word())).unwrap_or_default();
    format!(
        "{} {state} alert {}: {} {}, {}{value}{reason}{by}{muted}{was}",
        time(summary),
        safe(&now.title),
        now.severity.word(),
        now.priority.word(),
        safe(&now.when),
    )
}

/// What went wrong meanwhile: warnings and errors, one line each. What is well is in the log.
pub fn messages(news: &[&Said]) -> Vec<String> {
    let word = |level| match level {
        Level::Info => None,
        Level::Warning => Some("warning"),
        Level::Error => Some("error"),
    };
    let line = |said: &&Said| {
        let word = word(said.notice.level)?;
        Some(format!("{} {word}: {}", said.at.wall.strftime(TIME), safe(&said.notice.text)))
    };
    news.iter().filter_map(line).collect()
}

/// Everything as it is, for the first lines of the plain mode.
pub fn opening(summary: &Summary) -> Vec<String> {
    let mut all: Vec<Judged<'_>> = judged(summary).into_values().collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.verdict.badness()));
    let mut lines = vec![overall(summary, None)];
    lines.extend(all.iter().map(|one| line(summary, one, None)));
    lines.extend(summary.alerts.iter().map(|now| alert(summary, now, None)));
    lines
}

/// All judgements by the kind and name of what is judged.
fn judged(summary: &Summary) -> BTreeMap<String, Judged<'_>> {
    let mut all = BTreeMap::new();
    for row in &summary.checks {
        let reason = row.disagreement.as_deref().unwrap_or(&row.reason);
        let one = Judged {
            verdict: row.verdict,
            quality: Some(row.quality),
            title: Cow::from(&row.title),
            reason,
        };
        all.insert(format!("check {}", row.id), one);
    }
    for row in &summary.cache {
        let one = Judged {
            verdict: row.verdict,
            quality: Some(row.quality),
            title: Cow::from(format!("cache {}", row.id)),
            reason: &row.reason,
        };
        all.insert(format!("cache {}", row.id), one);
    }
    for row in &summary.latency {
        let one = Judged {
            verdict: row.verdict,
            quality: Some(row.quality),
            title: Cow::from(format!("latency {}", row.id)),
            reason: &row.reason,
        };
        all.insert(format!("latency {}", row.id), one);
    }
    if let Some(limits) = &summary.rate_limits {
        let one = Judged {
            verdict: limits.verdict,
            quality: Some(limits.quality),
            title: Cow::from("rate limits"),
            reason: &limits.reason,
        };
        all.insert("limits".to_owned(), one);
    }
    for row in &summary.database {
        let one = Judged {
            verdict: row.verdict,
            quality: Some(row.quality),
            title: Cow::from(format!("database {}", row.id)),
            reason: &row.reason,
        };
        all.insert(format!("database {}", row.id), one);
    }
    for row in &summary.contacts {
        let one = Judged {
            verdict: row.verdict,
            quality: Some(row.quality),
            title: Cow::from(format!("level {}", row.level)),
            reason: &row.reason,
        };
        all.insert(format!("level {}", row.level), one);
    }
    all
}

fn time(summary: &Summary) -> String {
    summary.at.strftime(TIME).to_string()
}

fn overall(summary: &Summary, was: Option<Verdict>) -> String {
    let title = format!("{}/{}", summary.service, summary.environment);
    let reason = match summary.reasons.len() {
        0 => "nothing is wrong".to_owned(),
        1 => "1 finding".to_owned(),
        n => format!("{n} findings"),
    };
    let one = Judged {
        verdict: summary.verdict,
        quality: None,
        title: Cow::from(title),
        reason: &reason,
    };
    line(summary, &one, was)
}

fn line(summary: &Summary, now: &Judged<'_>, was: Option<Verdict>) -> String {
    let was = was.map(|was| format!(" (was {})", was.word())).unwrap_or_default();
    let quality = match now.quality.map(paint::age_word) {
        None | Some("") => String::new(),
        Some(word) => format!(", {word}"),
    };
    format!(
        "{} {} {}: {}{quality}{was}",
        time(summary),
        now.quality.map_or(now.verdict.word(), |quality| now.verdict.word_for(quality)),
        safe(&now.title),
        safe(now.reason)
    )
}

/// Runs of actions that have ended in between.
fn runs(before: &Summary, after: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for action in &after.actions {
        let old = before.actions.iter().find(|old| old.id == action.id);
        let was = old.and_then(|old| old.last.as_ref());
        if let Some(last) = action.last.as_ref().filter(|last| Some(*last) != was) {
            lines.push(format!(
                "{} {} {}: started at {} by {}",
                time(after),
                last.outcome.word(),
                safe(&action.title),
                last.at.strftime("%H:%M:%SZ"),
                safe(&last.by)
            ));
        }
    }
    lines
}
