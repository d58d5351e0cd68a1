//! PostgreSQL servers.
//!
//! One session is kept, so that the console does not need a slot when there are none left,
//! and never takes more than one. Everything is asked with the simple protocol, in
//! read-only transactions, so that poolers work too.
//!
//! Readings: `connections`, `max_connections` (without those reserved for others),
//! `connections_share` (the first as a share of the second, 0 to 1), `active`,
//! `idle_in_transaction`, `blocked`, `longest_query_seconds`, `longest_transaction_seconds`
//! (0 where there is none), `tps`, `cache_hit_ratio` (0 to 1) and `deadlocks` since the look
//! before, `deadlocks_total`, `size_bytes`, `is_replica`, `standbys`,
//! `replication_lag_bytes`, `replication_lag_seconds`, `server_version`, `uptime_seconds`,
//! and the columns of the operator's statements.

mod counters;

mod own;

mod queries;

pub(super) mod rights;

mod sessions;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use self::{counters::Sample, queries::Row};
use crate::{
    config::profile::{PostgresSource, SslMode},
    domain::{
        failure::{Failure, FailureKind},
        observation::{Exhibit, Facts},
        time::short_duration,
        value::Value,
    },
    net::{
        postgres::{Limits, Security, Session},
        progress::{Progress, Stage},
        tls,
    },
};

/// The most sessions that are listed.
const MOST_SESSIONS: usize = 20;

/// How long the size of the database is taken as known: finding it looks at every file.
const SIZE_EVERY: Duration = Duration::from_secs(300);

/// A server.
pub(super) struct Postgres {
    config: PostgresSource,
    statement_timeout: Duration,
    started: Instant,
    session: Option<Session>,
    /// Whether a poll began with this session and did not end.
    asking: bool,
    before: Option<Sample>,
    size: Option<(Instant, Result<f64, String>)>,
    /// What the operator's statements answered last.
    answers: Vec<own::Answer>,
}

impl Postgres {
    /// A server that was not asked yet. No statement may take longer than a poll.
    pub(super) fn new(config: &PostgresSource, poll_timeout: Duration) -> Self {
        let longest = poll_timeout * 4 / 5;
        Self {
            config: config.clone(),
            statement_timeout: config.statement_timeout.min(longest).max(Duration::from_millis(1)),
            started: Instant::now(),
            session: None,
            asking: false,
            before: None,
            size: None,
            answers: config.queries.iter().map(own::Answer::new).collect(),
        }
    }

    /// Asks once.
    pub(super) async fn poll(&mut self, progress: &mut Progress) -> Result<Facts, Failure> {
        if std::mem::replace(&mut self.asking, true) {
            self.abandon();
        }
        let reused = self.session.is_some();
        let mut outcome = self.look(progress).await;
        // The server may have restarted since the last poll: that alone is no failure.
        if reused && self.session.is_none() && outcome.is_err() {
            outcome = self.look(progress).await;
        }
        self.asking = false;
        outcome
    }

    /// Ends a session that does not answer, and what it asked for.
    pub(super) fn abandon(&mut self) {
        self.asking = false;
        if let Some(session) = self.session.take() {
            session.cancel(&self.config);
        }
    }

    async fn look(&mut self, progress: &mut Progress) -> Result<Facts, Failure> {
        if self.session.is_none() {
            let opened =
                Session::open(&self.config, Limits::to_look(self.statement_timeout), progress)
                    .await?;
            self.session = Some(opened);
        }
        progress.stage = Stage::Asking;
        let mut facts = Facts::default();
        let statements = format!(
            "{};\n{}",
            queries::FIGURES,
            queries::sessions(self.config.long_query, MOST_SESSIONS)
        );
        let answer = self.ask(&statements).await?;
        let rows = queries::rows(&answer);
        let (figures, sessions) = rows.split_first().ok_or_else(|| {
            Failure::new(FailureKind::BadAnswer, "the server answered without a row")
        })?;
        self.take_figures(&Row::new(figures), &mut facts);
        let listed = sessions.iter().filter_map(|row| sessions::session(&Row::new(row))).collect();
        facts.exhibits.push(Exhibit::Sessions(listed));
        self.take_size(&mut facts).await?;
        for at in 0..self.config.queries.len() {
            self.take_query(at, &mut facts).await?;
        }
        self.take_security(&mut facts);
        Ok(facts)
    }

    /// Asks, and drops the session where it did not survive that.
    async fn ask(
        &mut self,
        statements: &str,
    ) -> Result<Vec<tokio_postgres::SimpleQueryMessage>, Failure> {
        let Some(session) = &mut self.session else {
            return Err(Failure::new(FailureKind::Closed, "there is no session"));
        };
        match session.ask(statements).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let failure = session.failure(&error, &self.config).await;
                if session.is_closed() || failure.kind == FailureKind::Closed {
                    self.session = None;
                }
                if failure.kind == FailureKind::Forbidden {
                    return Err(failure.hint(format!("grant pg_monitor to {}", self.config.user)));
                }
                Err(failure)
            }
        }
    }

    fn take_figures(&mut self, row: &Row<'_>, facts: &mut Facts) {
        let sees_all = row.flag("sees_all") == Some(true);
        for name in ["max_connections", "uptime_seconds"] {
            put(facts, name, row.number(name), "not reported");
        }
        let of_sessions = [
            "connections",
            "active",
            "idle_in_transaction",
            "blocked",
            "longest_query_seconds",
            "longest_transaction_seconds",
        ];
        let partial = "this role sees only its own sessions";
        for name in of_sessions {
            put(facts, name, row.number(name).filter(|_| sees_all), partial);
        }
        let share = row.number("connections").zip(row.number("max_connections"));
        let share = share.filter(|(_, most)| sees_all && *most > 0.0);
        put(facts, "connections_share", share.map(|(used, most)| used / most), partial);
        if !sees_all {
            facts.remarks.push(format!(
                "{} sees only its own sessions: grant it pg_monitor to count all",
                self.config.user
            ));
        }
        if let Some(version) = row.text("server_version") {
            facts.readings.insert("server_version".into(), Value::Text(Arc::from(version)));
        }
        if let Some(replica) = row.flag("is_replica") {
            facts.readings.insert("is_replica".into(), Value::Bool(replica));
        }
        take_replication(row, sees_all, facts);
        self.take_rates(row, facts);
    }

    fn take_rates(&mut self, row: &Row<'_>, facts: &mut Facts) {
        let sample = || {
            Some(Sample {
                at: self.started.elapsed(),
                transactions: row.number("transactions")?,
                hits: row.number("blks_hit")?,
                reads: row.number("blks_read")?,
                deadlocks: row.number("deadlocks_total")?,
                epoch: row.text("epoch")?.to_owned(),
            })
        };
        let sample = sample();
        let rates = match &sample {
            Some(now) => counters::since(self.before.as_ref(), now),
            None => Err("pg_stat_database does not report it"),
        };
        put(facts, "deadlocks_total", row.number("deadlocks_total"), "not reported");
        match rates {
            Ok(rates) => {
                put(facts, "tps", Some(rates.tps), "");
                put(facts, "deadlocks", Some(rates.deadlocks), "");
                put(facts, "cache_hit_ratio", rates.hit_ratio, "no block was read in between");
            }
            Err(reason) => {
                for name in ["tps", "deadlocks", "cache_hit_ratio"] {
                    put(facts, name, None, reason);
                }
            }
        }
        self.before = sample;
    }

    /// The size of the database, found at most every five minutes.
    async fn take_size(&mut self, facts: &mut Facts) -> Result<(), Failure> {
        let known = self.size.as_ref().is_some_and(|(at, _)| at.elapsed() < SIZE_EVERY);
        if !known {
            let size = match self.ask(queries::SIZE).await {
                Ok(answer) => queries::rows(&answer)
                    .first()
                    .and_then(|row| Row::new(row).number("size_bytes"))
                    .ok_or_else(|| "not reported".to_owned()),
                Err(failure) if self.session.is_none() => return Err(failure),
                Err(failure) => Err(failure.to_string()),
            };
            self.size = Some((Instant::now(), size));
        }
        if let Some((_, size)) = &self.size {
            let reason = size.as_ref().err().map_or("", String::as_str);
            put(facts, "size_bytes", size.as_ref().ok().copied(), reason);
        }
        Ok(())
    }

    fn take_security(&self, facts: &mut Facts) {
        let Some(session) = &self.session else { return };
        match (session.security, self.config.sslmode) {
            (Security::Unverified, _) => facts.remarks.push(tls::NOT_VERIFIED.to_owned()),
            (Security::Plain, SslMode::Prefer) if !self.config.host.starts_with('/') => {
                facts.remarks.push("not encrypted: the server does not offer TLS".to_owned());
            }
            _ => {}
        }
    }
}

/// A reading, or why it is missing.
fn put(facts: &mut Facts, name: &str, number: Option<f64>, reason: &str) {
    match number.and_then(Value::number) {
        Some(value) => {
            facts.readings.insert(Arc::from(name), value);
        }
        None => facts.missing.push((Arc::from(name), reason.to_owned())),
    }
}

/// How far standbys are behind: this one, or the worst of those that follow this server.
fn take_replication(row: &Row<'_>, sees_all: bool, facts: &mut Facts) {
    let replica = row.flag("is_replica") == Some(true);
    let standbys = row.number("standbys").unwrap_or(0.0);
    let (bytes, seconds, reason) = if replica {
        let bytes = row.number("own_bytes");
        let streaming = row.number("receivers").unwrap_or(0.0) > 0.0;
        if sees_all && !streaming {
            let remark = "this standby receives nothing: its connection to the primary is down";
            facts.remarks.push(remark.to_owned());
        }
        // Everything that was received is replayed: there is no lag, however long ago the
        // last transaction was. That holds only while something could be received.
        let caught_up = bytes == Some(0.0) && streaming;
        let seconds = if caught_up { Some(0.0) } else { row.number("own_seconds") };
        (bytes.filter(|_| streaming || !sees_all), seconds, "the standby does not report it")
    } else if standbys > 0.0 {
        let reason = match sees_all {
            true => "no standby has reported yet",
            false => "this role may not see it",
        };
        (row.number("standby_bytes"), row.number("standby_seconds"), reason)
    } else {
        (None, None, "no standby follows this server")
    };
    put(facts, "standbys", Some(standbys), "");
    put(facts, "replication_lag_bytes", bytes, reason);
    put(facts, "replication_lag_seconds", seconds, reason);
}

/// Where the server is, without secrets.
pub(super) fn target(config: &PostgresSource) -> String {
    let PostgresSource { user, host, port, database, .. } = config;
    if host.starts_with('/') {
        return format!("postgres: {database} as {user} at {host}");
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    format!("postgres://{user}@{host}:{port}/{database}")
}

/// What is asked, in words.
pub(super) fn request(config: &PostgresSource) -> String {
    let views = "pg_stat_activity, pg_stat_database, pg_stat_replication";
    let limit = short_duration(config.statement_timeout);
    match config.queries.len() {
        0 => format!("{views}, read only, statement_timeout {limit}"),
        1 => format!("{views} and 1 query, read only, statement_timeout {limit}"),
        n => format!("{views} and {n} queries, read only, statement_timeout {limit}"),
    }
}
