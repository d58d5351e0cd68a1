//! The plan of SQL statements in one transaction.

use std::time::Duration;

use super::Draft;
use crate::{
    actions::sql::{Asking, Bound},
    config::profile::{PostgresSource, SqlAction, SslMode, Text},
    domain::sql::Statement,
    net::postgres::{self, Limits},
};

/// Statements, ready to be run.
#[derive(Debug)]
pub(in crate::actions) struct SqlJob {
    /// The server.
    pub(in crate::actions) server: PostgresSource,
    /// The statements, each with what it is given.
    pub(in crate::actions) statements: Vec<Asking>,
    /// Counts what would change.
    pub(in crate::actions) count: Option<Asking>,
    /// Where more rows would change, everything is rolled back.
    pub(in crate::actions) rows_at_most: u64,
    /// Names of functions that must be there afterwards as before.
    pub(in crate::actions) deny: Vec<String>,
    /// What the session may do.
    pub(in crate::actions) limits: Limits,
    /// Whether all parameters are known by now.
    pub(in crate::actions) known: bool,
}

/// Works the transaction out.
pub(super) fn draft(action: &SqlAction, draft: &mut Draft) -> Option<SqlJob> {
    fingerprint(action, draft);
    let statements: Vec<Asking> =
        action.statements.iter().filter_map(|text| asking(text, action, draft)).collect();
    let count = action.count.as_ref().map(|text| asking(text, action, draft));
    if action.statements.is_empty() {
        draft.refuse("there is no statement to run");
    }
    lines(action, draft);
    let sound = statements.len() == action.statements.len() && !statements.is_empty();
    let count = match count {
        Some(None) => return None,
        Some(count) => count,
        None => None,
    };
    sound.then(|| SqlJob {
        server: action.server.clone(),
        statements,
        count,
        rows_at_most: action.rows_at_most,
        deny: action.deny.clone(),
        limits: Limits {
            statement: at_least_a_millisecond(action.statement_timeout),
            lock: at_least_a_millisecond(action.lock_timeout),
            writes: true,
        },
        known: true,
    })
}

/// The statements alone, and why they cannot be run.
pub(in crate::actions) fn alone(action: &SqlAction) -> (Option<SqlJob>, Vec<String>) {
    let mut own = Draft::default();
    let job = draft(action, &mut own);
    (job, own.refusals)
}

/// Zero would mean to the server that there is no limit.
fn at_least_a_millisecond(time: Duration) -> Duration {
    time.max(Duration::from_millis(1))
}

/// One statement with its parameters.
fn asking(text: &str, action: &SqlAction, draft: &mut Draft) -> Option<Asking> {
    let statement = match Statement::parse(text) {
        Ok(statement) => statement,
        Err(error) => {
            draft.refuse(error.message);
            return None;
        }
    };
    if let Some((name, pattern)) = statement.drops(&action.deny) {
        draft.refuse(format!("a statement drops {name}, which {pattern:?} keeps from that"));
        return None;
    }
    let given: Vec<Bound> = action.parameters.iter().map(|text| Bound(text.expose())).collect();
    Asking::new(statement, &given).map_err(|why| draft.refuse(why)).ok()
}

/// Exactly what is sent, in the order in which it is sent.
fn lines(action: &SqlAction, draft: &mut Draft) {
    draft.line(&format!("on {}", postgres::shown(&action.server)));
    draft.line("BEGIN");
    for text in &action.statements {
        let text = text.trim().trim_end_matches(';');
        draft.line(&format!("{text};"));
    }
    draft.line(&format!(
        "COMMIT where at most {} changed, otherwise ROLLBACK",
        crate::actions::words::count(action.rows_at_most, "row", "rows")
    ));
    for (position, text) in action.parameters.iter().enumerate() {
        let shown = match text {
            Text::Plain(text) => format!("{text:?}"),
            secret => secret.shown(),
        };
        draft.line(&format!("${} = {shown}", position + 1));
    }
    if !action.deny.is_empty() {
        draft.line(&format!("never without the functions {}", action.deny.join(", ")));
    }
    draft.line(&format!(
        "lock_timeout = {}ms, statement_timeout = {}ms",
        action.lock_timeout.as_millis(),
        action.statement_timeout.as_millis()
    ));
}

fn fingerprint(action: &SqlAction, draft: &mut Draft) {
    let server = &action.server;
    let print = &mut draft.fingerprint;
    print.add("kind", "sql");
    print.add("host", &server.host);
    print.add("port", server.port.to_string());
    print.add("database", &server.database);
    print.add("user", &server.user);
    print.add("password", server.password.as_ref().map_or("", |secret| secret.origin()));
    print.add(
        "sslmode",
        match server.sslmode {
            SslMode::Disable => "disable",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
            SslMode::VerifyFull => "verify-full",
        },
    );
    print.add_tls(Some(&server.tls));
    for text in &action.statements {
        print.add("statement", text);
    }
    for text in &action.parameters {
        print.add_text("parameter", text);
    }
    print.add("rows_at_most", action.rows_at_most.to_string());
    for name in &action.deny {
        print.add("deny", name);
    }
    print.add("lock_timeout", action.lock_timeout.as_millis().to_string());
    print.add("statement_timeout", action.statement_timeout.as_millis().to_string());
}
