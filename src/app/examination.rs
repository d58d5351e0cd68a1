//! The examination of everything that is configured, as far as it has come.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::view::DoctorView;
use crate::domain::{
    examination::{Examined, Finding, Grade, MOST_FINDINGS, worst, worst_first},
    time::Moment,
    verdict::Verdict,
};

/// An examination that goes on, or is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// Its number: news of an earlier one are not heard.
    pub number: u64,
    /// When it was asked for.
    pub began: Moment,
    /// When it was over.
    pub ended: Option<Moment>,
    /// Things that are examined.
    pub done: usize,
    /// Of so many; 0 where that is not known yet.
    pub of: usize,
    /// What was found, the things that are worst off first.
    pub findings: Vec<Finding>,
}

impl Examination {
    /// One that was just asked for.
    pub fn new(number: u64, now: Moment) -> Self {
        Self { number, began: now, ended: None, done: 0, of: 0, findings: Vec::new() }
    }

    /// Takes news in.
    pub fn take(&mut self, news: Examined, now: Moment) {
        if news.number != self.number || self.ended.is_some() {
            return;
        }
        (self.done, self.of) = (news.done, news.of);
        self.findings.extend(news.findings);
        worst_first(&mut self.findings);
        self.findings.truncate(MOST_FINDINGS);
        if self.done >= self.of {
            self.ended = Some(now);
        }
    }

    /// The worst that was found so far.
    pub fn verdict(&self) -> Verdict {
        worst(&self.findings)
    }

    /// How many findings have that grade.
    pub fn count(&self, grade: Grade) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == grade).count()
    }

    /// How long it took, or has taken.
    pub fn took(&self, now: Moment) -> Duration {
        self.ended.unwrap_or(now).since(self.began)
    }

    /// The findings that a filter leaves: those that contain it, or with a leading `!` those
    /// that do not.
    pub fn rows(&self, filter: &str) -> Vec<&Finding> {
        let (turned, wanted) = match filter.strip_prefix('!') {
            Some(rest) => (true, rest.to_lowercase()),
            None => (false, filter.to_lowercase()),
        };
        let contains = |finding: &&Finding| {
            let text = format!("{} {} {}", finding.verdict.word(), finding.thing, finding.what);
            wanted.is_empty() || text.to_lowercase().contains(&wanted) != turned
        };
        self.findings.iter().filter(contains).collect()
    }

    /// Which of the rows is selected: the one of that name wherever it is now, else the first.
    pub fn position(&self, view: &DoctorView) -> usize {
        let rows = self.rows(&view.filter);
        let selected = view.selected.as_deref();
        selected.and_then(|name| rows.iter().position(|row| name_of(row) == name)).unwrap_or(0)
    }

    /// The selected finding.
    pub fn selected(&self, view: &DoctorView) -> Option<&Finding> {
        self.rows(&view.filter).get(self.position(view)).copied()
    }
}

/// The name of a finding, by which it stays selected while others come in before it.
pub fn name_of(finding: &Finding) -> String {
    format!("{} {}", finding.thing, finding.what)
}
