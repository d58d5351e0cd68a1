//! Statements in one transaction: all of them, or none.
//!
//! Until COMMIT is sent, whatever goes wrong changes nothing: the server rolls back what
//! was not committed. Once it is sent and no answer comes, nobody knows; then the number of
//! the transaction, by which the server can be asked, is in the journal already.

use std::{collections::BTreeSet, future::Future, time::Duration};

use tokio::time::timeout;
use tokio_postgres::error::Severity;

use super::{Ended, Interruption, Stage};
use crate::{
    actions::{
        plan::sql::SqlJob,
        sql::{self, Bound, said, said_within},
        words,
    },
    domain::{
        action::Claim,
        failure::{Failure, FailureKind},
        sql::{Statement, Verb},
        value::Value,
    },
    net::postgres::Session,
};

/// How long connecting and logging in may take.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long the answer to COMMIT is waited for. A person who wants to stop does not shorten
/// it: the answer is worth more than the time.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);
/// How long a server is waited for that takes everything back.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(2);

/// What this transaction has changed so far, by the counters of the server: with what
/// triggers, cascades and functions change. And its number, where it has changed anything.
const CHANGED: &str = "SELECT (SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int8 \
    FROM pg_stat_xact_user_tables)::text, txid_current_if_assigned()::text";

/// The functions whose name fits a regular expression.
const FUNCTIONS: &str = "SELECT oid::regprocedure::text FROM pg_catalog.pg_proc WHERE proname ~ $1";

/// Why the transaction was not committed.
enum Halt {
    /// A person, or the deadline.
    Interrupted(Interruption),
    /// The server, at a statement or before one.
    Said(String),
    /// More would change than may.
    Refused(String),
}

/// A transaction that is open.
struct Transaction<'a> {
    session: Session,
    job: &'a SqlJob,
    stage: &'a Stage<'a>,
    functions: BTreeSet<String>,
}

/// What is known when everything has run and nothing is committed.
struct Ready {
    rows: u64,
    transaction: Option<String>,
    told: Vec<String>,
}

/// Runs the statements. Whatever goes wrong before the first is `Err`.
pub(super) async fn run(job: &SqlJob, stage: &Stage<'_>) -> Result<Ended, Ended> {
    let session = stage.prepare(Session::open_within(&job.server, job.limits, OPEN_LIMIT)).await?;
    let functions = stage.prepare(begin(job, &session)).await?;
    stage.start().await?;
    let transaction = Transaction { session, job, stage, functions };
    Ok(match transaction.statements().await {
        Ok(ready) => transaction.commit(ready).await,
        Err(halt) => transaction.roll_back(halt).await,
    })
}

/// Opens the transaction. The functions that must still be there at its end.
async fn begin(job: &SqlJob, session: &Session) -> Result<BTreeSet<String>, Failure> {
    let limits = job.limits.in_transaction();
    let text = format!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {limits}");
    let failed = |error| Failure::new(FailureKind::Server, said(&error));
    session.client().batch_execute(&text).await.map_err(failed)?;
    functions(job, session).await.map_err(failed)
}

async fn functions(
    job: &SqlJob,
    session: &Session,
) -> Result<BTreeSet<String>, tokio_postgres::Error> {
    if job.deny.is_empty() {
        return Ok(BTreeSet::new());
    }
    // The patterns hold nothing but letters, digits, `_` and `*`.
    let any: Vec<String> = job.deny.iter().map(|name| name.replace('*', ".*")).collect();
    let pattern = Bound(format!("^({})$", any.join("|")));
    let kind = tokio_postgres::types::Type::TEXT;
    let rows = session.client().query_typed(FUNCTIONS, &[(&pattern, kind)]).await?;
    Ok(rows.iter().filter_map(|row| sql::text(row, 0)).collect())
}

impl Transaction<'_> {
    /// Runs them all, and looks at what they have changed.
    async fn statements(&self) -> Result<Ready, Halt> {
        let mut told = Vec::new();
        let mut counted = 0;
        for (position, asking) in self.job.statements.iter().enumerate() {
            let number = position + 1;
            let total = self.job.statements.len();
            self.stage.progress(position as u64, format!("statement {number} of {total}"));
            let rows = self
                .ask(asking.run(&self.session))
                .await
                .map_err(|halt| halt.at(&format!("statement {number}")))?;
            let done = in_words(&asking.statement, rows);
            if asking.statement.verb == Verb::Changes {
                counted += rows;
            }
            let text = format!("statement {number}: {done}, not committed yet");
            self.stage.step(text).await;
            told.push(done);
            // Whatever follows could only change more.
            self.within_limit(counted, &told)?;
        }
        // What was put off to the end is to fail, and to be counted, before the end.
        self.ask(self.session.client().batch_execute("SET CONSTRAINTS ALL IMMEDIATE")).await?;
        self.check_functions().await?;
        let row = self.ask(self.session.client().query_typed_one(CHANGED, &[])).await?;
        let all = sql::text(&row, 0).and_then(|text| text.parse().ok()).unwrap_or(counted);
        let rows = counted.max(all);
        if all > counted {
            let more = words::count(all - counted, "row", "rows");
            told.push(format!("{more} more by triggers, cascades or functions"));
        }
        self.within_limit(rows, &told)?;
        Ok(Ready { rows, transaction: sql::text(&row, 1), told })
    }

    fn within_limit(&self, rows: u64, told: &[String]) -> Result<(), Halt> {
        let most = self.job.rows_at_most;
        if rows <= most {
            return Ok(());
        }
        let rows = words::count(rows, "row", "rows");
        Err(Halt::Refused(format!("would have changed {rows}, limit {most} ({})", told.join("; "))))
    }

    async fn check_functions(&self) -> Result<(), Halt> {
        let left = self.ask(functions(self.job, &self.session)).await?;
        let gone: Vec<&str> = self.functions.difference(&left).map(String::as_str).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let gone = words::clip(&gone.join(", "), 200);
        Err(Halt::Refused(format!("would have dropped {gone}, which must stay")))
    }

    async fn ask<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Halt> {
        match self.stage.wait(work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Halt::Said(said_within(self.job.limits, &error))),
            Err(interruption) => Err(Halt::Interrupted(interruption)),
        }
    }

    /// Commits. From the moment this is sent, only its answer tells what happened.
    async fn commit(self, ready: Ready) -> Ended {
        let Ready { rows, transaction, told } = ready;
        let number = transaction.as_deref().unwrap_or("(nothing changed)");
        self.stage.step(format!("COMMIT of transaction {number}")).await;
        let answer = timeout(COMMIT_LIMIT, self.session.client().batch_execute("COMMIT")).await;
        let summary = told.join("; ");
        let ended = match answer {
            Ok(Ok(())) => Ended::new(Claim::Done, format!("{summary}; committed")),
            // The server itself says that it did not: a deferred check, or a lost race.
            Ok(Err(error)) if says_no(&error) => {
                return Ended::new(
                    Claim::Refused,
                    format!("{}; {NOTHING}", said_within(self.job.limits, &error)),
                );
            }
            Ok(Err(error)) => unclear(&said(&error), number),
            Err(_) => unclear(&format!("no answer for {COMMIT_LIMIT:?}"), number),
        };
        let ended = ended.reading("rows", Value::Number(rows as f64));
        match transaction {
            Some(number) => ended.reading("transaction", Value::Text(number.into())),
            None => ended,
        }
    }

    /// Ends it without COMMIT: nothing of it stays.
    async fn roll_back(self, halt: Halt) -> Ended {
        let interrupted = matches!(halt, Halt::Interrupted(_));
        let (claim, why) = match halt {
            Halt::Refused(why) | Halt::Said(why) => (Claim::Refused, why),
            Halt::Interrupted(why @ Interruption::Cancelled) => {
                (Claim::Cancelled, why.words().to_owned())
            }
            Halt::Interrupted(why) => (Claim::Refused, why.words().to_owned()),
        };
        // Whether or not this gets there: what was not committed is rolled back.
        if interrupted {
            self.session.end(&self.job.server).await;
        } else {
            let client = self.session.client();
            let _ = timeout(ROLLBACK_LIMIT, client.batch_execute("ROLLBACK")).await;
        }
        Ended::new(claim, format!("{why}: {NOTHING}")).reading("rows", Value::Number(0.0))
    }
}

/// What is left of a transaction that was not committed.
const NOTHING: &str = "rolled back, nothing changed";

impl Halt {
    fn at(self, place: &str) -> Self {
        match self {
            Self::Said(why) => Self::Said(format!("{place}: {why}")),
            other => other,
        }
    }
}

/// Whether the transaction failed, and not the session: what ends a session may come after
/// the transaction was committed.
fn says_no(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|db| db.parsed_severity() == Some(Severity::Error))
}

fn unclear(why: &str, number: &str) -> Ended {
    let ask = match number.parse::<u64>() {
        Ok(number) => format!(": to know, SELECT txid_status({number})"),
        Err(_) => String::new(),
    };
    let summary = format!("COMMIT was sent, and then {why}; it may be committed{ask}");
    Ended::new(Claim::Unclear, summary)
}

fn in_words(statement: &Statement, rows: u64) -> String {
    match statement.verb {
        Verb::Changes | Verb::Reads => {
            format!("{} {}", statement.word, words::count(rows, "row", "rows"))
        }
        Verb::Defines => format!("{} done", statement.word),
    }
}
