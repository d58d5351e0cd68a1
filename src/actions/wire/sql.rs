//! A change of a database, as it is handed over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Hidden, Tls, Words, milliseconds};
use crate::{
    config::profile::{PostgresSource, SqlAction, SslMode},
    domain::ids::SourceId,
};

/// Statements for one transaction.
#[derive(Serialize, Deserialize)]
pub(super) struct Sql {
    source: Option<SourceId>,
    server: Server,
    statements: Vec<String>,
    parameters: Vec<Words>,
    rows_at_most: u64,
    count: Option<String>,
    deny: Vec<String>,
    lock_timeout_ms: u64,
    statement_timeout_ms: u64,
}

/// A PostgreSQL server and a role. What only polling needs stays behind.
#[derive(Serialize, Deserialize)]
pub(super) struct Server {
    host: String,
    port: u16,
    database: String,
    user: String,
    password: Option<Hidden>,
    sslmode: Mode,
    tls: Tls,
}

#[derive(Serialize, Deserialize)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyFull,
}

impl Sql {
    pub(super) fn of(action: &SqlAction) -> Self {
        Self {
            source: action.source.clone(),
            server: Server::of(&action.server),
            statements: action.statements.clone(),
            parameters: action.parameters.iter().map(Words::of).collect(),
            rows_at_most: action.rows_at_most,
            count: action.count.clone(),
            deny: action.deny.clone(),
            lock_timeout_ms: milliseconds(action.lock_timeout),
            statement_timeout_ms: milliseconds(action.statement_timeout),
        }
    }

    pub(super) fn restore(&self) -> SqlAction {
        SqlAction {
            source: self.source.clone(),
            server: self.server.restore(),
            statements: self.statements.clone(),
            parameters: self.parameters.iter().map(Words::restore).collect(),
            rows_at_most: self.rows_at_most,
            count: self.count.clone(),
            deny: self.deny.clone(),
            lock_timeout: Duration::from_millis(self.lock_timeout_ms),
            statement_timeout: Duration::from_millis(self.statement_timeout_ms),
        }
    }
}

impl Server {
    pub(super) fn of(server: &PostgresSource) -> Self {
        Self {
            host: server.host.clone(),
            port: server.port,
            database: server.database.clone(),
            user: server.user.clone(),
            password: server.password.as_ref().map(Hidden::of),
            sslmode: match server.sslmode {
                SslMode::Disable => Mode::Disable,
                SslMode::Prefer => Mode::Prefer,
                SslMode::Require => Mode::Require,
                SslMode::VerifyFull => Mode::VerifyFull,
            },
            tls: Tls::of(&server.tls),
        }
    }

    pub(super) fn restore(&self) -> PostgresSource {
        PostgresSource {
            host: self.host.clone(),
            port: self.port,
            database: self.database.clone(),
            user: self.user.clone(),
            password: self.password.as_ref().map(Hidden::restore),
            sslmode: match self.sslmode {
                Mode::Disable => SslMode::Disable,
                Mode::Prefer => SslMode::Prefer,
                Mode::Require => SslMode::Require,
                Mode::VerifyFull => SslMode::VerifyFull,
            },
            tls: self.tls.restore(),
            statement_timeout: Duration::ZERO,
            long_query: Duration::ZERO,
            queries: Vec::new(),
        }
    }
}
