//! Statements with what they are given, on their way to a PostgreSQL server.
//!
//! They go as unnamed statements with untyped parameters: the server works the types out,
//! and a pooler that hands the connection on has nothing to remember.

use std::error::Error;

use tokio_postgres::{
    Row,
    error::SqlState,
    types::{Format, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::words;
use crate::{
    domain::{sql::Statement, time::short_duration},
    net::postgres::{Limits, Session},
};

/// A text that is bound to a parameter. Its characters are read by the server as the type
/// that the statement asks for, so that `12` can be a number and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound(pub(super) String);

impl ToSql for Bound {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if self.0.contains('\0') {
            return Err("a text with a zero byte cannot be a parameter".into());
        }
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A statement with what it is given.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    /// The statement.
    pub(super) statement: Statement,
    parameters: Vec<(Bound, Type)>,
}

impl Asking {
    /// For as many values as the statement has parameters, or more.
    pub(super) fn new(statement: Statement, given: &[Bound]) -> Result<Self, String> {
        let highest = statement.parameters.last().copied().unwrap_or(0);
        let given = given.get(..highest).ok_or_else(|| {
            format!("${highest} stands for nothing: there are {} parameters", given.len())
        })?;
        // One that this statement does not use has no type that could be worked out.
        let kind = |number: &usize| match statement.parameters.contains(number) {
            true => Type::UNKNOWN,
            false => Type::TEXT,
        };
        let parameters = given.iter().cloned().zip((1..=highest).map(|number| kind(&number)));
        Ok(Self { parameters: parameters.collect(), statement })
    }

    fn bound(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.parameters
            .iter()
            .map(|(value, kind)| (value as &(dyn ToSql + Sync), kind.clone()))
            .collect()
    }

    /// Runs it. How many rows it changed or gave.
    pub(super) async fn run(&self, session: &Session) -> Result<u64, tokio_postgres::Error> {
        session.client().execute_typed(&self.statement.text, &self.bound()).await
    }

    /// Has the server work out what it would do: the names, the types and the privileges
    /// are checked, and nothing is done.
    pub(super) async fn explain(&self, session: &Session) -> Result<(), tokio_postgres::Error> {
        let text = format!("EXPLAIN {}", self.statement.text);
        session.client().execute_typed(&text, &self.bound()).await.map(drop)
    }

    /// Has the server read it: its grammar is checked, and for what has none of the names.
    pub(super) async fn read(&self, session: &Session) -> Result<(), tokio_postgres::Error> {
        let kinds: Vec<Type> = self.parameters.iter().map(|(_, kind)| kind.clone()).collect();
        session.client().prepare_typed(&self.statement.text, &kinds).await.map(drop)
    }

    /// Its first two rows as JSON objects: enough to see whether there is exactly one.
    pub(super) async fn objects(
        &self,
        session: &Session,
    ) -> Result<Vec<String>, tokio_postgres::Error> {
        // The line break ends a comment at the end of the statement.
        let text = format!(
            "SELECT to_json(looked_at)::text FROM ({}\n) AS looked_at LIMIT 2",
            self.statement.text
        );
        let rows = session.client().query_typed(&text, &self.bound()).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}

/// A column of a row as text, where it is one and there.
pub(super) fn text(row: &Row, column: usize) -> Option<String> {
    row.try_get::<_, Option<String>>(column).ok().flatten()
}

/// A statement in a few words, for a line of the journal or of a summary.
pub(super) fn short(asking: &Asking) -> String {
    words::quote(&asking.statement.text, 60)
}

/// What the server said, on one line, with the cure where somebody else is in the way.
pub(super) fn said_within(limits: Limits, error: &tokio_postgres::Error) -> String {
    if error.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return said(error);
    }
    format!(
        "{}: somebody else holds a lock on what it needs, and kept it for longer than \
         lock_timeout, {}; the database pane shows who blocks",
        said(error),
        short_duration(limits.lock)
    )
}

/// What the server said, on one line.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => words::quote(&format!("{} [{}]", db.message(), db.code().code()), 300),
        None => words::quote(&error.to_string(), 200),
    }
}
