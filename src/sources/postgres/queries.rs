//! What the server is asked about itself, and the rows that it answers.

use std::{collections::BTreeMap, time::Duration};

use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

/// The figures of one poll, as one row.
///
/// `pg_blocking_pids` takes the lock manager's locks for a moment, so that it is asked only
/// about sessions that wait for a lock. `replay_lag` alone lies while a standby is frozen:
/// the age of its last reply counts too, where there is something to replay.
pub(super) const FIGURES: &str = "
SELECT current_setting('server_version') AS server_version,
       pg_is_in_recovery() AS is_replica,
       pg_has_role(current_user, 'pg_read_all_stats', 'usage') AS sees_all,
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()) AS uptime_seconds,
       pg_postmaster_start_time() || '/' || coalesce(d.stats_reset::text, '') AS epoch,
       current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true), '0')::int AS max_connections,
       a.*, d.transactions, d.blks_hit, d.blks_read, d.deadlocks_total,
       r.standbys, r.standby_bytes, r.standby_seconds,
       CASE WHEN pg_is_in_recovery() THEN
         pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) END AS own_bytes,
       CASE WHEN pg_is_in_recovery() THEN
         extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
       END AS own_seconds,
       (SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming') AS receivers
FROM (SELECT count(*) AS connections,
             count(*) FILTER (WHERE state = 'active' AND pid <> pg_backend_pid()) AS active,
             count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction,
             count(*) FILTER (WHERE CASE WHEN wait_event_type = 'Lock'
               THEN cardinality(pg_blocking_pids(pid)) > 0 END) AS blocked,
             coalesce(max(extract(epoch FROM clock_timestamp() - query_start))
               FILTER (WHERE state = 'active' AND pid <> pg_backend_pid()), 0)
               AS longest_query_seconds,
             coalesce(max(extract(epoch FROM clock_timestamp() - xact_start))
               FILTER (WHERE pid <> pg_backend_pid()), 0) AS longest_transaction_seconds
      FROM pg_stat_activity WHERE backend_type = 'client backend') a
CROSS JOIN (SELECT xact_commit + xact_rollback AS transactions, blks_hit, blks_read,
                   deadlocks AS deadlocks_total, stats_reset
            FROM pg_stat_database WHERE datname = current_database()) d
CROSS JOIN (SELECT count(*) FILTER (WHERE state IS DISTINCT FROM 'backup') AS standbys,
                   max(pg_wal_lsn_diff(here.lsn, replay_lsn)) AS standby_bytes,
                   max(coalesce(extract(epoch FROM greatest(replay_lag,
                     CASE WHEN here.lsn > replay_lsn THEN clock_timestamp() - reply_time END)), 0))
                     FILTER (WHERE replay_lsn IS NOT NULL) AS standby_seconds
            FROM pg_stat_replication,
                 (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()
                              ELSE pg_current_wal_lsn() END AS lsn) here) r";

/// The size of the database in bytes. It looks at every file, so that it is asked rarely.
pub(super) const SIZE: &str = "SELECT pg_database_size(current_database()) AS size_bytes";

/// The sessions that are worth looking at, those that block others first.
pub(super) fn sessions(long_query: Duration, most: usize) -> String {
    format!(
        "
WITH seen AS (
  SELECT pid, usename, datname, application_name, state, query,
         clock_timestamp() - xact_start AS transaction_age,
         CASE WHEN state = 'active' THEN clock_timestamp() - query_start END AS query_age,
         wait_event_type, wait_event,
         CASE WHEN wait_event_type = 'Lock' THEN pg_blocking_pids(pid) ELSE '{{}}' END AS blockers
  FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
blocking AS (SELECT DISTINCT unnest(blockers) AS pid FROM seen)
SELECT pid, usename, datname, application_name, state, left(query, 2000) AS query,
       extract(epoch FROM transaction_age) AS transaction_age,
       extract(epoch FROM query_age) AS query_age,
       CASE WHEN state = 'active' THEN concat_ws(': ', wait_event_type, wait_event) END AS wait,
       array_to_string(blockers, ',') AS blockers
FROM seen
WHERE cardinality(blockers) > 0 OR pid IN (SELECT pid FROM blocking)
   OR state LIKE 'idle in transaction%' OR query_age > make_interval(secs => {})
ORDER BY pid IN (SELECT pid FROM blocking) DESC, cardinality(blockers) > 0 DESC,
         transaction_age DESC NULLS LAST
LIMIT {most}",
        long_query.as_secs_f64()
    )
}

/// The rows in an answer.
pub(super) fn rows(answer: &[SimpleQueryMessage]) -> Vec<&SimpleQueryRow> {
    answer
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .collect()
}

/// A row by column.
pub(super) struct Row<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Row<'a> {
    /// The columns that are not null.
    pub(super) fn new(row: &'a SimpleQueryRow) -> Self {
        let columns = row.columns().iter().enumerate();
        Self(
            columns
                .filter_map(|(at, column)| Some((column.name(), row.try_get(at).ok().flatten()?)))
                .collect(),
        )
    }

    /// A column as text.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }

    /// A column as a finite number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A column as yes or no.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.text(name)? {
            "t" => Some(true),
            "f" => Some(false),
            _ => None,
        }
    }

    /// A column that holds seconds.
    pub(super) fn seconds(&self, name: &str) -> Option<Duration> {
        Duration::try_from_secs_f64(self.number(name)?.max(0.0)).ok()
    }
}
