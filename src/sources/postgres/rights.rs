//! What the role of a source may see, and whether the operator's statements would run.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::queries::{self, Row};
use crate::{
    config::profile::PostgresSource,
    domain::{
        failure::{Failure, FailureKind},
        rights::DatabaseRights,
    },
    net::{
        postgres::{Limits, Session},
        progress::{Progress, Stage},
        words::clip,
    },
};

const WHO: &str = "
SELECT current_user AS role,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
       pg_has_role(current_user, 'pg_read_all_stats', 'usage') AS sees_all,
       extract(epoch FROM clock_timestamp()) AS now";

/// Looks at the rights of a source in a session of its own, in read-only transactions. The
/// operator's statements are planned, which names what is missing, and not run.
///
/// # Errors
/// The server cannot be reached, or lets nobody in, in that time.
pub async fn rights(config: &PostgresSource, limit: Duration) -> Result<DatabaseRights, Failure> {
    let mut progress = Progress::new(limit);
    let looked = timeout(limit, look(config, limit, &mut progress)).await;
    looked.unwrap_or_else(|_| Err(progress.too_late(limit)))
}

async fn look(
    config: &PostgresSource,
    limit: Duration,
    progress: &mut Progress,
) -> Result<DatabaseRights, Failure> {
    let mut session = Session::open(config, Limits::to_look(limit), progress).await?;
    progress.stage = Stage::Asking;
    let before = Timestamp::now();
    let answer = match session.ask(WHO).await {
        Ok(answer) => answer,
        Err(error) => return Err(session.failure(&error, config).await),
    };
    let after = Timestamp::now();
    let rows = queries::rows(&answer);
    let row = rows
        .first()
        .map(|row| Row::new(row))
        .ok_or_else(|| Failure::new(FailureKind::BadAnswer, "the server answered without a row"))?;
    let ours = |at: Timestamp| at.as_nanosecond() as f64 / 1e9;
    let middle = (ours(before) + ours(after)) / 2.0;
    let mut rights = DatabaseRights {
        role: clip(row.text("role").unwrap_or(&config.user), 100),
        superuser: row.flag("superuser").unwrap_or_default(),
        sees_all: row.flag("sees_all").unwrap_or_default(),
        clock_ahead: row.number("now").map_or(0.0, |now| now - middle),
        statements: Vec::new(),
    };
    for query in &config.queries {
        // To prepare it would not be enough: only a plan asks for the right to its tables.
        let explain = format!("EXPLAIN {}", query.sql.trim().trim_end_matches(';'));
        let said = match session.ask(&explain).await {
            Ok(_) => None,
            Err(error) => Some(clip(&session.failure(&error, config).await.message, 300)),
        };
        rights.statements.push(said);
    }
    Ok(rights)
}
