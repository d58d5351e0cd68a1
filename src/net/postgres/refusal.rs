//! What a PostgreSQL server means when it says no.
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>

use std::error::Error as _;

use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

use crate::{
    config::profile::PostgresSource,
    domain::failure::{Failure, FailureKind},
    net::{dial, tls, words::clip},
};

/// The failure that an error stands for.
pub(super) fn failure(error: &Error, config: &PostgresSource) -> Failure {
    if let Some(db) = error.as_db_error() {
        return from_server(db.code().code(), &said(db), config);
    }
    let place = format!("{}:{}", config.host, config.port);
    if let Some(error) = dial::cause::<rustls::Error>(error) {
        return tls::in_words(error, &config.host);
    }
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    if is_tls(error) {
        if cause.contains("does not support TLS") {
            return Failure::new(FailureKind::Tls, format!("{place} does not offer TLS"))
                .hint("sslmode = \"prefer\" or \"disable\" connects without encryption");
        }
        return tls::closed_in_handshake(&config.host);
    }
    if cause.contains("password missing") {
        let message = format!("{place} wants a password for {}", config.user);
        return Failure::new(FailureKind::NotAuthorised, message).hint(
            "no password is configured: write it into the address, or password = { env = \"…\" }",
        );
    }
    if let Some(io) = dial::cause::<std::io::Error>(error) {
        return dial::from_io(io, &place);
    }
    if error.is_closed() {
        let message = format!("{place}: the connection was closed");
        return Failure::new(FailureKind::Closed, message);
    }
    let message = format!("{place}: {error} {cause}");
    Failure::new(FailureKind::BadAnswer, message.trim_end())
}

/// Whether the error lies in the TLS handshake, or in there being none. The client library
/// has no other way to tell.
pub(super) fn is_tls(error: &Error) -> bool {
    error.to_string().starts_with("error performing TLS handshake")
}

/// The message of the server, with what it adds to it.
fn said(db: &DbError) -> String {
    match db.detail() {
        Some(detail) => format!("{} ({})", clip(db.message(), 300), clip(detail, 200)),
        None => clip(db.message(), 300),
    }
}

/// The failure that an SQLSTATE and the server's words stand for.
fn from_server(code: &str, said: &str, config: &PostgresSource) -> Failure {
    let lower = said.to_ascii_lowercase();
    let kind = match SqlState::from_code(code) {
        SqlState::TOO_MANY_CONNECTIONS => FailureKind::Full,
        SqlState::CANNOT_CONNECT_NOW if lower.contains("shutting down") => FailureKind::Stopping,
        SqlState::CANNOT_CONNECT_NOW => FailureKind::Starting,
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => FailureKind::Stopping,
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            FailureKind::NotAuthorised
        }
        SqlState::INVALID_CATALOG_NAME
        | SqlState::UNDEFINED_TABLE
        | SqlState::UNDEFINED_COLUMN
        | SqlState::UNDEFINED_FUNCTION => FailureKind::Misconfigured,
        SqlState::INSUFFICIENT_PRIVILEGE => FailureKind::Forbidden,
        SqlState::QUERY_CANCELED => FailureKind::Timeout,
        SqlState::LOCK_NOT_AVAILABLE => FailureKind::Busy,
        SqlState::OUT_OF_MEMORY => FailureKind::OutOfMemory,
        _ if code.starts_with("08") => FailureKind::Closed,
        _ => FailureKind::Server,
    };
    let failure = Failure::new(kind, format!("{said} [{code}]"));
    match kind {
        FailureKind::NotAuthorised => match &config.password {
            Some(password) => failure.hint(format!("check {}", password.origin())),
            // The server does not say whether it is the role or the password that it misses.
            None => failure.hint(format!(
                "look whether the role {} is there and may log in; no password is configured: write it into the address, or password = {{ env = \"…\" }}",
                config.user
            )),
        },
        FailureKind::Full => failure
            .hint("other sessions use every slot; the console keeps one session once it has it"),
        FailureKind::Timeout => failure.hint("a statement took longer than statement_timeout"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{
        profile::{SslMode, TlsOptions},
        secret::Secret,
    };

    fn config() -> PostgresSource {
        PostgresSource {
            host: "db".to_owned(),
            port: 5432,
            database: "app".to_owned(),
            user: "monitor".to_owned(),
            password: Some(Secret::new("long-password".to_owned(), "env PGPASSWORD")),
            sslmode: SslMode::Disable,
            tls: TlsOptions::default(),
            statement_timeout: Duration::from_secs(2),
            long_query: Duration::from_secs(30),
            queries: Vec::new(),
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let table = [
            ("53300", "sorry, too many clients already", FailureKind::Full),
            ("57P03", "the database system is starting up", FailureKind::Starting),
            (
                "57P03",
                "the database system is not yet accepting connections",
                FailureKind::Starting,
            ),
            ("57P03", "the database system is shutting down", FailureKind::Stopping),
            ("57P01", "terminating connection", FailureKind::Stopping),
            ("28P01", "password authentication failed", FailureKind::NotAuthorised),
            ("28000", "no pg_hba.conf entry", FailureKind::NotAuthorised),
            ("3D000", "database \"x\" does not exist", FailureKind::Misconfigured),
            ("42501", "permission denied", FailureKind::Forbidden),
            ("57014", "canceling statement due to statement timeout", FailureKind::Timeout),
            ("55P03", "lock not available", FailureKind::Busy),
            ("53200", "out of memory", FailureKind::OutOfMemory),
            ("08006", "connection failure", FailureKind::Closed),
            ("XX000", "internal error", FailureKind::Server),
        ];
        for (code, words, kind) in table {
            let failure = from_server(code, words, &config());
            assert_eq!(failure.kind, kind, "{code} {words}");
            assert!(failure.message.contains(words) && failure.message.contains(code));
        }
        let refused = from_server("28P01", "no", &config());
        assert_eq!(refused.hint.as_deref(), Some("check env PGPASSWORD"));
    }
}
