//! Changes of a database.

use std::time::Duration;

use super::{PostgresSource, Text};
use crate::domain::ids::SourceId;

/// SQL statements, all of them in one transaction or none.
#[derive(Clone, Debug)]
pub struct SqlAction {
    /// The source whose server is meant, where it is one.
    pub source: Option<SourceId>,
    /// How to reach the server. What only polling needs is not used.
    pub server: PostgresSource,
    /// One statement each, in the order in which they run.
    pub statements: Vec<String>,
    /// What stands for `$1`, `$2` and so on: bound, never put into the text.
    pub parameters: Vec<Text>,
    /// Where more rows would change, everything is rolled back.
    pub rows_at_most: u64,
    /// Counts what would change now.
    pub count: Option<String>,
    /// Names of functions that must be there afterwards as before; `*` stands for any
    /// characters.
    pub deny: Vec<String>,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
    /// When the server gives up one statement.
    pub statement_timeout: Duration,
}
