//! `INFO`: the figures the console reads, under the names that the original uses.

use std::fmt::Write;

use super::database::{Database, MAX_CLIENTS, MAX_MEMORY};

/// The version whose answers are followed.
pub(super) const VERSION: &str = "7.0.15";

type Section = (&'static str, fn(&Database, u64, &mut String));

/// The sections, and whether they come without being asked for.
const SECTIONS: &[(Section, bool)] = &[
    (("Server", server), true),
    (("Clients", clients), true),
    (("Memory", memory), true),
    (("Persistence", persistence), true),
    (("Stats", stats), true),
    (("Replication", replication), true),
    (("CPU", cpu), true),
    (("Modules", |_, _, _| {}), true),
    (("Commandstats", commandstats), false),
    (("Errorstats", errorstats), true),
    (("Cluster", |_, _, out| line(out, "cluster_enabled", 0)), true),
    (("Keyspace", keyspace), true),
];

/// The text of `INFO` with these sections, or the usual ones where none is named.
pub(super) fn text(db: &Database, wanted: &[String], now: u64) -> String {
    let named = |word: &str| wanted.iter().any(|name| name == word);
    let everything = named("all") || named("everything");
    let usual = wanted.is_empty() || named("default");
    let mut out = String::new();
    for ((name, write), by_default) in SECTIONS {
        if everything || (usual && *by_default) || named(&name.to_ascii_lowercase()) {
            if !out.is_empty() {
                out.push_str("\r\n");
            }
            let _ = write!(out, "# {name}\r\n");
            write(db, now, &mut out);
        }
    }
    out
}

fn line(out: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{name}:{value}\r\n");
}

fn human(bytes: usize) -> String {
    format!("{:.2}M", bytes as f64 / 1_048_576.0)
}

fn server(db: &Database, now: u64, out: &mut String) {
    let uptime = db.started.elapsed().as_secs();
    line(out, "redis_version", VERSION);
    line(out, "redis_mode", "standalone");
    line(out, "os", std::env::consts::OS);
    line(out, "arch_bits", usize::BITS);
    line(out, "process_id", std::process::id());
    line(out, "run_id", &db.run_id);
    line(out, "tcp_port", db.port);
    line(out, "server_time_usec", now * 1_000);
    line(out, "uptime_in_seconds", uptime);
    line(out, "uptime_in_days", uptime / 86_400);
    line(out, "executable", "embedded in watchfloor");
    line(out, "config_file", "");
}

fn clients(db: &Database, _: u64, out: &mut String) {
    line(out, "connected_clients", db.clients);
    line(out, "cluster_connections", 0);
    line(out, "maxclients", MAX_CLIENTS);
    line(out, "blocked_clients", 0);
    line(out, "tracking_clients", 0);
}

fn memory(db: &Database, _: u64, out: &mut String) {
    let used = db.memory();
    line(out, "used_memory", used);
    line(out, "used_memory_human", human(used));
    line(out, "used_memory_peak", db.counters.peak_memory.max(used));
    line(out, "used_memory_peak_human", human(db.counters.peak_memory.max(used)));
    line(out, "used_memory_dataset", db.keys.bytes());
    line(out, "maxmemory", MAX_MEMORY);
    line(out, "maxmemory_human", human(MAX_MEMORY));
    line(out, "maxmemory_policy", "noeviction");
    line(out, "mem_allocator", "rust");
}

fn persistence(_: &Database, _: u64, out: &mut String) {
    line(out, "loading", 0);
    line(out, "async_loading", 0);
    line(out, "rdb_changes_since_last_save", 0);
    line(out, "rdb_bgsave_in_progress", 0);
    line(out, "rdb_last_bgsave_status", "ok");
    line(out, "aof_enabled", 0);
    line(out, "aof_last_write_status", "ok");
}

fn stats(db: &Database, _: u64, out: &mut String) {
    let counters = &db.counters;
    line(out, "total_connections_received", counters.connections);
    line(out, "total_commands_processed", counters.commands);
    line(out, "instantaneous_ops_per_sec", db.commands_per_second());
    line(out, "total_net_input_bytes", counters.bytes_in);
    line(out, "total_net_output_bytes", counters.bytes_out);
    line(out, "rejected_connections", counters.rejected);
    line(out, "expired_keys", db.keys.expired);
    line(out, "evicted_keys", 0);
    line(out, "evicted_clients", 0);
    line(out, "keyspace_hits", counters.hits);
    line(out, "keyspace_misses", counters.misses);
    line(out, "latest_fork_usec", 0);
    line(out, "unexpected_error_replies", 0);
    line(out, "total_error_replies", counters.errors);
}

fn replication(_: &Database, _: u64, out: &mut String) {
    line(out, "role", "master");
    line(out, "connected_slaves", 0);
    line(out, "master_failover_state", "no-failover");
    line(out, "master_repl_offset", 0);
}

fn cpu(db: &Database, _: u64, out: &mut String) {
    // The server shares its process with the console, so only the time spent inside
    // commands is its own.
    let busy: f64 = db.counters.by_command.values().map(|(_, took)| took.as_secs_f64()).sum();
    line(out, "used_cpu_user", format!("{busy:.6}"));
}

fn commandstats(db: &Database, _: u64, out: &mut String) {
    for (name, (calls, took)) in &db.counters.by_command {
        let micros = took.as_micros();
        let mean = micros as f64 / (*calls).max(1) as f64;
        let value = format!(
            "calls={calls},usec={micros},usec_per_call={mean:.2},rejected_calls=0,failed_calls=0"
        );
        line(out, &format!("cmdstat_{name}"), value);
    }
}

fn errorstats(db: &Database, _: u64, out: &mut String) {
    for (code, count) in &db.counters.by_error {
        line(out, &format!("errorstat_{code}"), format!("count={count}"));
    }
}

fn keyspace(db: &Database, _: u64, out: &mut String) {
    if db.keys.len() > 0 {
        let value = format!("keys={},expires={},avg_ttl=0", db.keys.len(), db.keys.expiring());
        line(out, "db0", value);
    }
}
