//! The operator's own statements: each a SELECT of one row, whose columns become readings.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Postgres, queries, sessions};
use crate::{
    config::profile::Statement,
    domain::{
        failure::{Failure, FailureKind},
        observation::Facts,
        value::Value,
    },
    net::words::clip,
};

/// The most columns that one statement may have.
const MOST_COLUMNS: usize = 50;

/// What a statement answered last.
pub(super) struct Answer {
    every: Duration,
    /// When it was asked last.
    at: Option<Instant>,
    /// The columns that it had when it last worked, or seems to have.
    columns: Vec<String>,
    /// What it said.
    facts: Facts,
}

impl Answer {
    /// Nothing was asked yet.
    pub(super) fn new(statement: &Statement) -> Self {
        Self {
            every: statement.every,
            at: None,
            columns: statement.columns.clone(),
            facts: Facts::default(),
        }
    }

    /// Whether what it said holds no longer.
    fn is_due(&self) -> bool {
        self.at.is_none_or(|at| at.elapsed() >= self.every)
    }

    /// Puts what it said with the rest. A column of the same name replaces a reading.
    fn tell(&self, facts: &mut Facts) {
        for (name, value) in &self.facts.readings {
            facts.readings.insert(Arc::clone(name), value.clone());
        }
        for (name, why) in &self.facts.missing {
            facts.readings.remove(name);
            facts.missing.push((Arc::clone(name), why.clone()));
        }
        facts.remarks.extend(self.facts.remarks.iter().cloned());
    }
}

impl Postgres {
    /// One of the operator's statements, where its time has come. Where it fails, its columns
    /// are missing; the rest of the poll is still good.
    pub(super) async fn take_query(&mut self, at: usize, facts: &mut Facts) -> Result<(), Failure> {
        if self.answers[at].is_due() {
            let sql = self.config.queries[at].sql.clone();
            let mut said = Facts::default();
            match self.ask(&sql).await {
                Ok(answer) => match queries::rows(&answer).as_slice() {
                    [row] => self.answers[at].columns = take_row(row, &mut said),
                    [] => self.refused(at, "the statement found no row", &mut said),
                    rows => {
                        let why = format!("the statement found {} rows, not one", rows.len());
                        self.refused(at, &why, &mut said);
                    }
                },
                Err(failure) if self.session.is_none() => return Err(failure),
                Err(failure) => self.refused(at, &cure(failure, &self.config.user), &mut said),
            }
            self.answers[at].facts = said;
            self.answers[at].at = Some(Instant::now());
        }
        self.answers[at].tell(facts);
        Ok(())
    }

    fn refused(&self, at: usize, why: &str, said: &mut Facts) {
        for column in &self.answers[at].columns {
            said.missing.push((Arc::from(column.as_str()), why.to_owned()));
        }
        let start = clip(&sessions::without_literals(&self.config.queries[at].sql), 60);
        said.remarks.push(format!("query {} ({start}): {why}", at + 1));
    }
}

/// Why a statement failed, and what helps: it is the operator's own.
fn cure(failure: Failure, user: &str) -> String {
    let hint = match failure.kind {
        FailureKind::Misconfigured => {
            "write in the queries of this source what it is called in this database".to_owned()
        }
        FailureKind::Forbidden => format!("grant SELECT on it to {user}"),
        _ => return failure.to_string(),
    };
    Failure { hint: Some(hint), ..failure }.to_string()
}

/// The columns of a row as readings; those that are null are missing.
fn take_row(row: &tokio_postgres::SimpleQueryRow, facts: &mut Facts) -> Vec<String> {
    let mut names = Vec::new();
    for (at, column) in row.columns().iter().enumerate().take(MOST_COLUMNS) {
        let name = clip(column.name(), 63);
        let reading: Arc<str> = Arc::from(name.as_str());
        match row.try_get(at).ok().flatten() {
            Some("t") => drop(facts.readings.insert(reading, Value::Bool(true))),
            Some("f") => drop(facts.readings.insert(reading, Value::Bool(false))),
            Some(text) => drop(facts.readings.insert(reading, Value::from_text(&clip(text, 200)))),
            None => {
                facts.readings.remove(&reading);
                facts.missing.push((reading, NULL.to_owned()));
            }
        }
        names.push(name);
    }
    names
}

/// Why a column has no value.
const NULL: &str = "is null: the database has nothing yet to take it from";
