//! The state as a document: what the screen says, for scripts and for copying.
//!
//! Keys may be added, never renamed. What is not known is `null`, never zero.

mod document;

use std::time::Duration;

pub use self::document::*;

use super::{actions, alerts, cache, database, escalation, health, latency, limits, state::World};
use crate::domain::{
    percentile::Percentile,
    rule::Phase,
    text,
    time::Moment,
    verdict::{Quality, Verdict},
    violations::Pressure,
};

/// The state as a document.
pub fn summary(world: &World) -> Summary {
    let (verdict, reasons) = world.verdict();
    Summary {
        schema: SCHEMA,
        at: world.now.wall,
        service: world.catalog.service.clone(),
        environment: world.catalog.environment.clone(),
        verdict,
        reasons,
        sources: sources(world),
        checks: health::rows(world).iter().map(|row| check(world, row)).collect(),
        cache: cache::rows(world).iter().map(cache_row).collect(),
        latency: latency::rows(world, Duration::from_secs(300)).iter().map(latency_row).collect(),
        rate_limits: limits::view(world).map(|view| limits_view(&view)),
        database: database::rows(world).iter().map(database_row).collect(),
        alerts: alerts::rows(world).iter().filter_map(alert_row).collect(),
        contacts: escalation::rows(world).iter().map(contact_row).collect(),
        actions: actions::rows(world).into_iter().map(|row| action_row(world, row)).collect(),
    }
}

/// An alert that is not ok.
fn alert_row(row: &alerts::AlertRow) -> Option<AlertSummary> {
    let open = matches!(row.phase, Phase::Pending | Phase::Firing | Phase::Recovering);
    open.then(|| AlertSummary {
        rule: row.rule.to_string(),
        title: row.title.clone(),
        severity: row.severity,
        priority: row.priority,
        state: row.phase,
        quality: row.quality,
        since: row.since.map(|at| at.wall),
        fired_at: row.fired.map(|at| at.wall),
        value: row.number,
        threshold: row.limit,
        when: row.when.clone(),
        n: row.n,
        reason: row.reason.clone(),
        acknowledged_by: row.acknowledged.as_ref().map(|of| of.by.clone()),
        muted: row.muted.as_ref().map(alerts::Muted::words),
        flapping: row.flapping,
        suggests: row.suggests.iter().map(|of| of.action.to_string()).collect(),
    })
}

fn age(world: &World, at: Option<Moment>) -> Option<f64> {
    at.map(|at| round(world.now.since(at).as_secs_f64()))
}

fn round(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

fn sources(world: &World) -> Vec<SourceSummary> {
    world
        .sources
        .iter()
        .map(|(id, state)| SourceSummary {
            id: id.to_string(),
            kind: world.catalog.sources.get(id).map_or_else(String::new, |info| info.kind.clone()),
            quality: state.quality(world.now),
            error: state
                .failing()
                .map(|why| ErrorSummary { kind: why.kind, message: why.to_string() }),
            last_good_at: state.last_good_at().map(|at| at.wall),
            age_seconds: age(world, state.last_good_at()),
            interval_seconds: state.interval.as_secs_f64(),
            took_ms: state.last.as_ref().map(|last| round(last.took.as_secs_f64() * 1_000.0)),
        })
        .collect()
}

fn check(world: &World, row: &health::CheckRow) -> CheckSummary {
    CheckSummary {
        id: row.id.to_string(),
        title: row.title.clone(),
        verdict: row.verdict,
        quality: row.quality,
        reason: row.reason.clone(),
        disagreement: row.disagreement.clone(),
        since: row.since.wall,
        age_seconds: age(world, row.seen),
    }
}

fn cache_row(row: &cache::CacheRow) -> CacheSummary {
    let known = row.quality.usable();
    let counted = known || matches!(row.quality, Quality::NoTraffic | Quality::TooFew);
    CacheSummary {
        id: row.id.to_string(),
        source: row.source.to_string(),
        verdict: row.verdict,
        reason: row.reason.clone(),
        hit_rate: match row.rate {
            cache::HitRate::Known(rate) if known => Some(round(rate)),
            _ => None,
        },
        lifetime_hit_rate: row.lifetime.filter(|_| counted).map(round),
        lookups: row.lookups.filter(|_| counted),
        window_seconds: row.window.as_secs_f64(),
        quality: row.quality,
        used_memory_bytes: row.used_memory,
        max_memory_bytes: row.max_memory,
        keys: row.keys,
        ops_per_second: row.ops,
        evicted: row.evicted,
    }
}

fn latency_row(row: &latency::LatencyRow) -> LatencySummary {
    // Polls that are given up are measured: what is judged by them is known.
    let judged = !matches!(row.verdict, Verdict::Unknown | Verdict::Unjudged);
    let known = judged || row.quality.usable() || row.quality == Quality::TooFew;
    let ms = |percentile: Option<Percentile>| {
        percentile.filter(|_| known).map(|percentile| round(percentile.ms))
    };
    LatencySummary {
        id: row.id.to_string(),
        verdict: row.verdict,
        reason: row.reason.clone(),
        window_seconds: row.window.as_secs_f64(),
        n: row.summary.n,
        timeouts: row.summary.timeouts,
        p50_ms: ms(row.summary.p50),
        p95_ms: ms(row.summary.p95),
        p99_ms: ms(row.summary.p99),
        max_ms: ms(row.summary.max),
        quality: row.quality,
    }
}

fn limits_view(view: &limits::LimitsView) -> LimitsSummary {
    let known = view.counts && view.quality.usable();
    let counted = |ranked: &[(String, u64)]| {
        ranked
            .iter()
            .take(20)
            .map(|(key, count)| Counted { key: key.clone(), count: *count })
            .collect()
    };
    let masked: Vec<(String, u64)> =
        view.tally.by_identifier.iter().map(|(key, count)| (text::masked(key), *count)).collect();
    LimitsSummary {
        verdict: view.verdict,
        reason: view.reason.clone(),
        quality: view.quality,
        limiter: view.limiter,
        window_seconds: view.window.as_secs_f64(),
        violations: known.then_some(view.tally.total),
        lower_bound: view.lower_bound.is_some(),
        identifiers: known.then_some(view.tally.identifiers),
        by_endpoint: counted(&view.tally.by_endpoint),
        by_identifier: counted(&masked),
        by_tier: counted(&view.tally.by_tier),
        pressure: view
            .pressure
            .as_ref()
            .map(|entries| entries.iter().take(20).map(pressure_entry).collect()),
    }
}

fn pressure_entry(entry: &Pressure) -> PressureSummary {
    PressureSummary {
        identifier: text::masked(&entry.identifier),
        tier: entry.tier.clone(),
        used: entry.used,
        limit: entry.limit,
    }
}

fn database_row(row: &database::DatabaseRow) -> DatabaseSummary {
    let known = row.quality.usable();
    DatabaseSummary {
        id: row.id.to_string(),
        source: row.source.to_string(),
        verdict: row.verdict,
        reason: row.reason.clone(),
        quality: row.quality,
        connections: row.connections,
        max_connections: row.max_connections.filter(|_| known),
        blocked: row.blocked,
        longest_query_seconds: row.longest_query_seconds,
        size_bytes: row.size_bytes.filter(|_| known),
        replication_lag_bytes: row.replication_lag_bytes,
    }
}

fn contact_row(row: &escalation::ContactRow) -> ContactSummary {
    let due = row.contacted.zip(row.spec.respond_within).map(|(at, within)| at.plus(within).wall);
    ContactSummary {
        level: row.spec.level,
        name: row.spec.name.clone(),
        contact: row.spec.contact.clone(),
        verdict: row.verdict(),
        quality: row.quality(),
        reason: row.reason(),
        configured: row.spec.is_configured(),
        response_seconds: row.spec.respond_within.map(|within| within.as_secs_f64()),
        contacted_at: row.contacted.map(|at| at.wall),
        due_at: due,
    }
}

fn action_row(world: &World, row: actions::ActionRow) -> ActionSummary {
    ActionSummary {
        id: row.spec.id.to_string(),
        title: row.spec.title,
        risk: row.spec.guard,
        enabled: row.why_not.is_none(),
        why_not: row.why_not,
        last: row.last.filter(|last| last.resolved).map(|last| LastRun {
            outcome: last.outcome,
            at: last.wall,
            by: if last.by == actions::HERE { world.actions.operator.clone() } else { last.by },
        }),
    }
}
