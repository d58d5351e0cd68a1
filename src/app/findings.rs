//! What everything that is watched comes to: the one list behind the header, the titles of
//! the panes, the list of a small screen, the document and the exit code of a check.

use std::time::Duration;

use super::{
    alerts, cache, database, escalation, health, latency, limits, logs, state::World, view::Pane,
};
use crate::domain::verdict::{Quality, Verdict};

/// One thing that is watched, and what we think of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The pane that tells more.
    pub pane: Pane,
    /// What we think.
    pub verdict: Verdict,
    /// What the thought is worth.
    pub quality: Quality,
    /// What it is.
    pub title: String,
    /// Why.
    pub reason: String,
    /// What contradicts the verdict and does not count.
    pub remark: Option<String>,
}

/// The window over which latencies are judged, whatever window is looked at.
pub const JUDGED: Duration = Duration::from_secs(300);

/// Everything that is watched, pane by pane, the rows of a pane in its own order.
pub fn of(world: &World) -> Vec<Finding> {
    let mut all: Vec<Finding> = health::rows(world)
        .into_iter()
        .map(|row| Finding {
            remark: row.disagreement,
            ..finding(Pane::Health, row.verdict, row.quality, row.title, row.reason)
        })
        .collect();
    for row in cache::rows(world) {
        all.push(finding(Pane::Cache, row.verdict, row.quality, row.title, row.reason));
    }
    for row in latency::rows(world, JUDGED) {
        all.push(finding(Pane::Latency, row.verdict, row.quality, row.title, row.reason));
    }
    if let Some(view) = limits::view(world) {
        let title = Pane::Limits.title().to_owned();
        all.push(finding(Pane::Limits, view.verdict, view.quality, title, view.reason));
    }
    all.extend(escalation::rows(world).iter().map(contact));
    for row in database::rows(world) {
        all.push(finding(Pane::Database, row.verdict, row.quality, row.title, row.reason));
    }
    for row in alerts::rows(world) {
        let reason = match (row.phase.is_active(), &row.measured) {
            (false, None) => row.reason.clone(),
            _ => row.told(world.now),
        };
        all.push(finding(Pane::Alerts, row.verdict, row.quality, row.title, reason));
    }
    for row in logs::rows(world) {
        all.push(finding(Pane::Logs, row.verdict, row.quality, row.title, row.reason));
    }
    all
}

fn finding(
    pane: Pane,
    verdict: Verdict,
    quality: Quality,
    title: String,
    reason: String,
) -> Finding {
    Finding { pane, verdict, quality, title, reason, remark: None }
}

fn contact(row: &escalation::ContactRow) -> Finding {
    let title = format!("Level {}", row.spec.level);
    finding(Pane::Escalation, row.verdict(), row.quality(), title, row.reason())
}

/// The judgement on all of it, and the reasons for it, worst first. What has nothing to
/// judge does not count; where nothing else is left, the whole is unknown.
pub fn judge(findings: &[Finding]) -> (Verdict, Vec<String>) {
    if findings.is_empty() {
        return (Verdict::Unknown, vec!["nothing is configured to be watched".to_owned()]);
    }
    let worst = Verdict::worst(findings.iter().map(|finding| finding.verdict));
    if worst == Verdict::Unjudged {
        let reason = "UNKNOWN nothing that is watched can be judged".to_owned();
        return (Verdict::Unknown, vec![reason]);
    }
    let mut trouble: Vec<&Finding> =
        findings.iter().filter(|finding| finding.verdict.is_trouble()).collect();
    trouble.sort_by_key(|finding| std::cmp::Reverse(finding.verdict.badness()));
    let reasons = trouble
        .iter()
        .map(|finding| format!("{} {}: {}", finding.verdict.word(), finding.title, finding.reason))
        .collect();
    (worst, reasons)
}
