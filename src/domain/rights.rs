//! What a role of a database may see.

use serde::{Deserialize, Serialize};

/// What a session of Postgres found out about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatabaseRights {
    /// The role.
    pub role: String,
    /// It may do everything.
    pub superuser: bool,
    /// It sees the sessions of others: it is a member of `pg_read_all_stats`.
    pub sees_all: bool,
    /// Seconds by which the server's clock is ahead; negative where it is behind.
    pub clock_ahead: f64,
    /// What the server said to each of the operator's statements, none where it would run.
    pub statements: Vec<Option<String>>,
}
