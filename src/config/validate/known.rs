//! The readings that each kind of source has without being told.

use std::collections::BTreeSet;

use super::value::parse_duration;
use crate::config::{
    nearest::nearest,
    profile::LogsSource,
    raw::{
        logs::RawLogs,
        prometheus::{RawMetric, RawPrometheus},
        source::RawSource,
    },
};

/// What an HTTP source always measures.
pub const HTTP: [&str; 10] = [
    "up",
    "status",
    "total_ms",
    "dns_ms",
    "connect_ms",
    "tls_ms",
    "first_byte_ms",
    "body_ms",
    "cert_days",
    "clock_ahead_seconds",
];

/// What a command source always measures.
pub const COMMAND: [&str; 3] = ["up", "exit_code", "total_ms"];

/// What a log has for each of its windows.
const LOG_WINDOW: [&str; 12] = [
    "lines",
    "errors",
    "requests",
    "failed",
    "excluded",
    "error_rate",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "unparsed",
    "cut",
    "dropped",
];

/// What a log has once.
const LOG: [&str; 9] = [
    "up",
    "silent_seconds",
    "behind_bytes",
    "behind_seconds",
    "skipped_bytes_total",
    "lines_total",
    "errors_total",
    "requests_total",
    "failed_total",
];

/// What Prometheus always has; `samples` only of an endpoint.
pub const PROMETHEUS: [&str; 2] = ["up", "samples"];

/// What a port has.
const TCP: [&str; 4] = ["up", "dns_ms", "connect_ms", "total_ms"];

/// What a certificate has.
const TLS: [&str; 8] = [
    "up",
    "dns_ms",
    "connect_ms",
    "tls_ms",
    "total_ms",
    "cert_days",
    "chain_valid",
    "name_matches",
];

/// What a status page has.
const STATUSPAGE: [&str; 4] = ["up", "indicator", "severity", "description"];

/// What a stream of events always has.
pub const SSE: [&str; 5] =
    ["up", "silent_seconds", "events_total", "dropped_total", "reconnects_total"];

/// What a Redis source has beside the fields of INFO.
const REDIS: [&str; 3] = ["up", "keys", "ping_ms"];

/// What a Postgres source has.
const POSTGRES: [&str; 13] = [
    "up",
    "connections",
    "max_connections",
    "connections_share",
    "blocked",
    "idle_in_transaction",
    "longest_query_seconds",
    "cache_hit_ratio",
    "tps",
    "replication_lag_bytes",
    "replication_lag_seconds",
    "size_bytes",
    "deadlocks",
];

/// The fields of INFO that are worth a condition, as Redis 6 to 8 and Valkey name them. A
/// server may have others; the list only serves to tell a misspelt name from an unusual one.
const INFO: [&str; 63] = [
    "aof_last_write_status",
    "aof_enabled",
    "async_loading",
    "blocked_clients",
    "cluster_connections",
    "cluster_enabled",
    "connected_clients",
    "connected_slaves",
    "current_eviction_exceeded_time",
    "evicted_clients",
    "evicted_keys",
    "expired_keys",
    "expired_stale_perc",
    "instantaneous_input_kbps",
    "instantaneous_ops_per_sec",
    "instantaneous_output_kbps",
    "keyspace_hits",
    "keyspace_misses",
    "latest_fork_usec",
    "loading",
    "loading_eta_seconds",
    "loading_loaded_perc",
    "master_last_io_seconds_ago",
    "master_link_status",
    "master_repl_offset",
    "master_sync_in_progress",
    "maxclients",
    "maxmemory",
    "maxmemory_policy",
    "mem_allocator",
    "mem_fragmentation_bytes",
    "mem_fragmentation_ratio",
    "process_id",
    "rdb_bgsave_in_progress",
    "rdb_changes_since_last_save",
    "rdb_last_bgsave_status",
    "rdb_last_save_time",
    "redis_mode",
    "redis_version",
    "rejected_connections",
    "role",
    "run_id",
    "server_mode",
    "server_name",
    "slave_repl_offset",
    "sync_full",
    "sync_partial_err",
    "sync_partial_ok",
    "tcp_port",
    "total_commands_processed",
    "total_connections_received",
    "total_error_replies",
    "total_net_input_bytes",
    "total_net_output_bytes",
    "total_system_memory",
    "tracking_clients",
    "unexpected_error_replies",
    "uptime_in_days",
    "uptime_in_seconds",
    "used_memory",
    "used_memory_peak",
    "used_memory_rss",
    "valkey_version",
];

/// What a source can be asked for.
#[derive(Clone, Debug)]
pub struct Known {
    names: BTreeSet<String>,
    /// Other names may exist too.
    open: bool,
}

/// Whether a reading exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It does.
    Yes,
    /// It may; nothing that is known has such a name.
    Perhaps,
    /// It does not.
    No,
}

impl Known {
    /// What the source has by its kind and by its own readings.
    pub fn of(source: &RawSource) -> Self {
        let (fixed, own, open): (Vec<&str>, Vec<&String>, bool) = match source {
            RawSource::Http(http) => (HTTP.to_vec(), http.readings.keys().collect(), false),
            RawSource::Redis(redis) => (redis_names(), redis.readings.keys().collect(), true),
            RawSource::Upstash(upstash) => (redis_names(), upstash.readings.keys().collect(), true),
            // A column without a name of its own is not known before its statement ran.
            RawSource::Postgres(postgres) => {
                let open = !postgres.queries.is_empty();
                let named = postgres.queries.iter().flat_map(|query| columns(query.sql()));
                (POSTGRES.into_iter().chain(named).collect(), Vec::new(), open)
            }
            RawSource::Command(command) => {
                (COMMAND.to_vec(), command.readings.keys().collect(), false)
            }
            RawSource::Prometheus(source) => {
                return Self::only(prometheus_names(source).iter().map(String::as_str));
            }
            RawSource::Tcp(_) => (TCP.to_vec(), Vec::new(), false),
            RawSource::Tls(_) => (TLS.to_vec(), Vec::new(), false),
            RawSource::Statuspage(_) => (STATUSPAGE.to_vec(), Vec::new(), false),
            RawSource::Sse(sse) => {
                (SSE.to_vec(), sse.readings.keys().chain(sse.counts.keys()).collect(), false)
            }
            RawSource::Logs(logs) => return Self::only(log_names(logs).iter().map(String::as_str)),
        };
        let names = fixed.into_iter().map(str::to_owned).chain(own.into_iter().cloned()).collect();
        Self { names, open }
    }

    /// Exactly these names.
    pub fn only<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { names: names.into_iter().map(str::to_owned).collect(), open: false }
    }

    /// These names, and perhaps others.
    #[must_use]
    pub fn or_more(self) -> Self {
        Self { open: true, ..self }
    }

    /// The columns of a statement. One without a name of its own is not known before it ran.
    pub fn of_query(query: &str) -> Self {
        Self::only(columns(query)).or_more()
    }

    /// Whether a reading of that name exists.
    pub fn has(&self, name: &str) -> Answer {
        if self.names.contains(name) {
            return Answer::Yes;
        }
        // One or two letters off a known name is a slip, not an unusual field.
        let slip =
            nearest(name, self.names()).is_some_and(|near| strsim::osa_distance(name, near) <= 2);
        if self.open && !slip { Answer::Perhaps } else { Answer::No }
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(String::as_str)
    }
}

/// The names that a statement gives its columns: what follows each AS. Types of casts are
/// among them, which only makes a slip there pass.
pub(super) fn columns(query: &str) -> impl Iterator<Item = &str> {
    let words = || query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let words = || words().filter(|word| !word.is_empty());
    words()
        .zip(words().skip(1))
        .filter_map(|(word, next)| word.eq_ignore_ascii_case("as").then_some(next))
}

/// Windows that cannot be read are reported elsewhere.
fn log_names(logs: &RawLogs) -> Vec<String> {
    let windows = logs.windows.iter().map(|text| parse_duration(&text.0).unwrap_or_default());
    let named = windows.enumerate().flat_map(|(position, window)| {
        let suffix = LogsSource::suffix(position, window);
        LOG_WINDOW.iter().map(move |name| format!("{name}{suffix}"))
    });
    named.chain(LOG.iter().map(|name| (*name).to_owned())).collect()
}

fn prometheus_names(source: &RawPrometheus) -> Vec<String> {
    let metrics = source.metrics.iter().flat_map(|(name, metric)| match metric {
        RawMetric::Other(table) if table.histogram.is_some() => {
            vec![format!("{name}_low"), format!("{name}_high")]
        }
        _ => vec![name.clone()],
    });
    let usual = if source.metrics.is_empty() { &PROMETHEUS[..1] } else { &PROMETHEUS };
    let usual = usual.iter().map(|name| (*name).to_owned());
    usual.chain(source.queries.keys().cloned()).chain(metrics).collect()
}

fn redis_names() -> Vec<&'static str> {
    REDIS.iter().chain(&INFO).copied().collect()
}
