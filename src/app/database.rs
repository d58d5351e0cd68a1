//! Postgres: connections, sessions, rates, replication.

use std::time::Duration;

use super::{
    cache::{source_trouble, without_data},
    sources::CUT_OFF,
    state::World,
};
use crate::domain::{
    catalog::DatabaseSpec,
    ids::{PanelId, SourceId},
    observation::{Exhibit, Session},
    time::{Moment, coarse_age},
    value::Value,
    verdict::{Quality, Verdict},
};

/// One database as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseRow {
    /// Its name.
    pub id: PanelId,
    /// Its title.
    pub title: String,
    /// Its source.
    pub source: SourceId,
    /// What we think.
    pub verdict: Verdict,
    /// What the data is worth.
    pub quality: Quality,
    /// Why.
    pub reason: String,
    /// Connections of clients.
    pub connections: Option<f64>,
    /// Connections that clients may have.
    pub max_connections: Option<f64>,
    /// Sessions that wait for a lock.
    pub blocked: Option<f64>,
    /// Sessions idle in a transaction.
    pub idle_in_transaction: Option<f64>,
    /// The age of the longest statement, seconds.
    pub longest_query_seconds: Option<f64>,
    /// Share of reads served from memory since the last look, 0 to 1.
    pub cache_hit_ratio: Option<f64>,
    /// Transactions per second since the last look.
    pub tps: Option<f64>,
    /// How far the replica, or the slowest of them, is behind, bytes.
    pub replication_lag_bytes: Option<f64>,
    /// How far behind in time, seconds.
    pub replication_lag_seconds: Option<f64>,
    /// Size on disk, bytes.
    pub size_bytes: Option<f64>,
    /// Deadlocks since the last look.
    pub deadlocks: Option<f64>,
    /// Sessions worth looking at, worst first.
    pub sessions: Vec<Session>,
    /// Remarks of the source, such as "sees only its own sessions".
    pub remarks: Vec<String>,
    /// When it was last seen.
    pub seen: Option<Moment>,
}

impl DatabaseRow {
    /// Drops the figures: what was last known of them is not what holds now.
    fn forget(&mut self) {
        for figure in [
            &mut self.connections,
            &mut self.blocked,
            &mut self.idle_in_transaction,
            &mut self.longest_query_seconds,
            &mut self.cache_hit_ratio,
            &mut self.tps,
            &mut self.replication_lag_bytes,
            &mut self.replication_lag_seconds,
            &mut self.deadlocks,
        ] {
            *figure = None;
        }
        self.sessions.clear();
    }

    /// Used share of the connections, 0 to 1.
    pub fn connections_share(&self) -> Option<f64> {
        match (self.connections, self.max_connections) {
            (Some(used), Some(max)) if max > 0.0 => Some(used / max),
            _ => None,
        }
    }
}

/// The databases as shown, worst first.
pub fn rows(world: &World) -> Vec<DatabaseRow> {
    let mut rows: Vec<DatabaseRow> =
        world.catalog.databases.iter().map(|spec| row(world, spec)).collect();
    rows.sort_by(|a, b| {
        b.verdict.badness().cmp(&a.verdict.badness()).then_with(|| a.title.cmp(&b.title))
    });
    rows
}

fn row(world: &World, spec: &DatabaseSpec) -> DatabaseRow {
    let source = world.sources.get(&spec.source);
    let known = source.and_then(|source| source.facts.last_known());
    let number = |name: &str| known.and_then(|(facts, _)| facts.readings.get(name)?.as_number());
    let sessions = world
        .sources
        .exhibits(&spec.source)
        .iter()
        .find_map(|exhibit| match exhibit {
            Exhibit::Sessions(sessions) => Some(sessions.clone()),
            _ => None,
        })
        .unwrap_or_default();
    let mut row = DatabaseRow {
        id: spec.id.clone(),
        title: spec.title.clone(),
        source: spec.source.clone(),
        verdict: Verdict::Unknown,
        quality: world.sources.quality(&spec.source, world.now),
        reason: String::new(),
        connections: number("connections"),
        max_connections: number("max_connections"),
        blocked: number("blocked"),
        idle_in_transaction: number("idle_in_transaction"),
        longest_query_seconds: number("longest_query_seconds"),
        cache_hit_ratio: number("cache_hit_ratio"),
        tps: number("tps"),
        replication_lag_bytes: number("replication_lag_bytes"),
        replication_lag_seconds: number("replication_lag_seconds"),
        size_bytes: number("size_bytes"),
        deadlocks: number("deadlocks"),
        sessions,
        remarks: known.map(|(facts, _)| facts.remarks.clone()).unwrap_or_default(),
        seen: known.map(|(_, at)| at),
    };
    judge(world, spec, &mut row);
    row
}

fn judge(world: &World, spec: &DatabaseSpec, row: &mut DatabaseRow) {
    if !row.quality.usable() {
        row.forget();
    }
    if world.sources.cut_off() && row.quality != Quality::Unconfigured {
        row.quality = Quality::Offline;
        row.reason = CUT_OFF.to_owned();
        return;
    }
    if !row.quality.usable() {
        row.verdict = without_data(row.quality);
        row.reason = source_trouble(world, &spec.source, row.quality);
        let source = world.sources.get(&spec.source);
        let down =
            source.and_then(|source| source.failing()).is_some_and(|why| why.kind.means_down());
        if down {
            // As a check would: one failed look is not an outage yet.
            let settled = source.is_some_and(|source| source.failures >= spec.down_after);
            row.verdict = if settled { Verdict::Critical } else { Verdict::Warning };
        }
        return;
    }
    let Some(share) = row.connections_share() else {
        row.reason = "connections are not known".to_owned();
        return;
    };
    let percent = if share > 1.0 {
        "no connection left for clients, reserved ones in use".to_owned()
    } else {
        format!("{:.0} % of connections used", share * 100.0)
    };
    row.verdict = Verdict::Ok;
    row.reason = percent.clone();
    if share > spec.connections_critical_above {
        row.verdict = Verdict::Critical;
    } else if share > spec.connections_warning_above {
        row.verdict = Verdict::Warning;
    }
    if let Some(blocked) = row.blocked.filter(|blocked| *blocked > 0.0) {
        row.verdict = row.verdict.worse(Verdict::Warning);
        row.reason = format!("{} blocked, {percent}", Value::Number(blocked));
    }
    let long = Duration::from_secs_f64(row.longest_query_seconds.unwrap_or(0.0).clamp(0.0, 1e9));
    if long > spec.long_query {
        row.verdict = row.verdict.worse(Verdict::Warning);
        row.reason = format!("a statement runs for {}, {}", coarse_age(long), row.reason);
    }
}
