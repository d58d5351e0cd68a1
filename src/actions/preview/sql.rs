//! What statements would meet: the connection, the role, whether what they name is there and
//! may be touched, and how many rows would change. Read-only for the server, too.

use std::{future::Future, time::Duration};

use tokio::time::timeout;

use super::Findings;
use crate::{
    actions::{plan::sql::SqlJob, sql, words},
    domain::{failure::Failure, sql::Verb, value::Value},
    net::{
        postgres::{Limits, Security, Session},
        readings, tls,
    },
};

/// How long connecting may take, so that the preview stays within its limit.
const REACH: Duration = Duration::from_secs(2);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(1);
/// How long all of them may take.
const LOOKS: Duration = Duration::from_millis(2_500);

/// Who we are there, and whether anything can be written. All as text.
const WHERE: &str = "SELECT current_user::text, current_database()::text, \
    current_setting('server_version'), pg_is_in_recovery()::text";

/// Looks without changing anything.
pub(super) async fn look(job: &SqlJob, found: &mut Findings) -> Result<(), Failure> {
    let limits = Limits::to_look(LOOK.min(job.limits.statement));
    let session = Session::open_within(&job.server, limits, REACH).await?;
    security(&session, found);
    let looks = async {
        whereabouts(job, &session, found).await?;
        statements(job, &session, found).await?;
        count(job, &session, found).await
    };
    match timeout(LOOKS, looks).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            found.find(format!("could not be looked at: {}", words::clip(&sql::said(&error), 200)))
        }
        Err(_) => found.find("could not be looked at to the end: the server is slow"),
    }
    Ok(())
}

fn security(session: &Session, found: &mut Findings) {
    match session.security {
        Security::Verified => {}
        Security::Unverified => found.find(tls::NOT_VERIFIED),
        Security::Plain => found.find("the connection is not encrypted"),
    }
}

async fn whereabouts(
    job: &SqlJob,
    session: &Session,
    found: &mut Findings,
) -> Result<(), tokio_postgres::Error> {
    let row = session.client().query_typed_one(WHERE, &[]).await?;
    let at = |column| sql::text(&row, column).unwrap_or_else(|| "?".to_owned());
    found.find(format!("connected as {} to {}, PostgreSQL {}", at(0), at(1), at(2)));
    let changes = job.statements.iter().any(|asking| asking.statement.verb != Verb::Reads);
    if at(3) == "true" && changes {
        found.refuse("the server is a standby, which takes no changes");
    }
    Ok(())
}

/// Each in a transaction of its own, that is read-only and rolled back.
async fn statements(
    job: &SqlJob,
    session: &Session,
    found: &mut Findings,
) -> Result<(), tokio_postgres::Error> {
    let mut made = false;
    let mut unseen = Vec::new();
    for (position, asking) in job.statements.iter().enumerate() {
        let number = position + 1;
        let explains = job.known && asking.statement.can_be_explained();
        let outcome = in_look(session, job, async {
            if explains { asking.explain(session).await } else { asking.read(session).await }
        });
        match outcome.await? {
            Ok(()) if explains => {}
            Ok(()) => unseen.push(number.to_string()),
            // What an earlier statement makes is not there yet.
            Err(error) if made && error.as_db_error().is_some() => {
                found.find(format!("statement {number} was not looked at: {}", sql::said(&error)));
            }
            Err(error) => found.refuse(format!("statement {number}: {}", sql::said(&error))),
        }
        made |= asking.statement.verb == Verb::Defines;
    }
    let seen = job.statements.len() - unseen.len();
    if seen > 0 {
        let what = words::count(seen as u64, "statement", "statements");
        found.find(format!("{what} looked at without running: names, types and privileges"));
    }
    if !unseen.is_empty() {
        found.find(format!(
            "of statement {} only the grammar could be looked at: whether it is allowed, and what it \
             finds, is known when it runs",
            unseen.join(", ")
        ));
    }
    Ok(())
}

/// Runs one look in a read-only transaction. The outer error is that of the transaction.
async fn in_look<T>(
    session: &Session,
    job: &SqlJob,
    look: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<Result<T, tokio_postgres::Error>, tokio_postgres::Error> {
    let limits = Limits::to_look(LOOK.min(job.limits.statement)).in_transaction();
    session.client().batch_execute(&format!("BEGIN READ ONLY; {limits}")).await?;
    let outcome = look.await;
    session.client().batch_execute("ROLLBACK").await?;
    Ok(outcome)
}

/// How many rows would change now.
async fn count(
    job: &SqlJob,
    session: &Session,
    found: &mut Findings,
) -> Result<(), tokio_postgres::Error> {
    let Some(asking) = job.count.as_ref().filter(|_| job.known) else { return Ok(()) };
    let rows = match in_look(session, job, asking.objects(session)).await? {
        Ok(rows) => rows,
        Err(error) => {
            found.refuse(format!("what would change cannot be counted: {}", sql::said(&error)));
            return Ok(());
        }
    };
    match number(&rows) {
        Ok(rows) => {
            let now = words::count(rows, "row", "rows");
            found.find(format!("{now} now, counted by {}", sql::short(asking)));
            if rows > job.rows_at_most {
                let most = job.rows_at_most;
                found.refuse(format!(
                    "{now} would change, and the limit is {most}: all would be rolled back"
                ));
            }
        }
        Err(why) => found.refuse(format!("what would change cannot be counted: {why}")),
    }
    Ok(())
}

/// The one number of the one row.
fn number(rows: &[String]) -> Result<u64, String> {
    let [row] = rows else { return Err("count gives not one row".to_owned()) };
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(row).map_err(|error| error.to_string())?;
    let mut columns = object.values();
    let (Some(value), None) = (columns.next(), columns.next()) else {
        return Err("count gives more than one column".to_owned());
    };
    let value = match value {
        serde_json::Value::String(text) => readings::from_text(text)?,
        value => Value::Number(value.as_f64().ok_or("count gives no number")?),
    };
    match value {
        Value::Number(number) if number >= 0.0 && number.fract() == 0.0 => Ok(number as u64),
        other => Err(format!("count gives {other}, and no number of rows")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_number_is_a_count() {
        let table = [
            (&[r#"{"count":47}"#][..], Ok(47)),
            (&[r#"{"count":"12"}"#], Ok(12)),
            (&[r#"{"a":1,"b":2}"#], Err("more than one column")),
            (&[r#"{"a":null}"#], Err("no number")),
            (&[r#"{"a":1.5}"#], Err("no number of rows")),
            (&[r#"{"a":-1}"#], Err("no number of rows")),
            (&[], Err("not one row")),
            (&[r#"{"a":1}"#, r#"{"a":1}"#], Err("not one row")),
        ];
        for (rows, expected) in table {
            let rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
            match (number(&rows), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
                (found, expected) => panic!("{rows:?}: {found:?}, expected {expected:?}"),
            }
        }
    }
}
