//! The rows of each pane as a list of names, for moving about in it. The screen draws the
//! same rows in the same order.

use super::{
    latency::WINDOWS,
    state::{State, World},
    view::{Pane, PaneView},
};
use crate::domain::{ids::SourceId, violations::Pressure};

/// The tabs of the rate-limit pane.
pub const LIMIT_TABS: [&str; 4] = ["identifiers", "endpoints", "tiers", "pressure"];

/// The tabs of the zoomed cache pane.
pub const CACHE_TABS: [&str; 3] = ["chart", "keys", "slow log"];

/// The tabs of the log pane.
pub const LOG_TABS: [&str; 2] = ["entries", "traffic"];

/// The panes of this screen, in order.
pub fn panes(world: &World) -> Vec<Pane> {
    Pane::ALL
        .into_iter()
        .filter(|pane| match pane {
            Pane::Database => !world.catalog.databases.is_empty(),
            Pane::Alerts => !world.catalog.rules.is_empty(),
            Pane::Logs => super::logs::any(&world.catalog),
            _ => true,
        })
        .collect()
}

/// How many tabs a pane has.
pub fn tabs(pane: Pane) -> usize {
    match pane {
        Pane::Latency => WINDOWS.len(),
        Pane::Limits => LIMIT_TABS.len(),
        Pane::Cache => CACHE_TABS.len(),
        Pane::Logs => LOG_TABS.len(),
        Pane::Health | Pane::Escalation | Pane::Database | Pane::Alerts => 1,
    }
}

/// Whether a row with this text passes a filter. An empty filter passes everything; a
/// leading `!` turns the filter round. Case does not matter.
pub fn passes(filter: &str, text: &str) -> bool {
    let (inverse, needle) = match filter.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, filter),
    };
    needle.is_empty() || text.to_lowercase().contains(&needle.to_lowercase()) != inverse
}

/// The rows of a pane: identity, and the text that a filter looks at.
pub fn of(world: &World, pane: Pane, view: &PaneView) -> Vec<String> {
    if pane == Pane::Logs {
        // The filter is for the entries, which are too many to be rows.
        return log_rows(world, view.tab);
    }
    let rows: Vec<(String, String)> = match pane {
        Pane::Health => super::health::rows(world)
            .into_iter()
            .map(|row| {
                (
                    row.id.to_string(),
                    format!("{} {} {}", row.title, row.verdict.word_for(row.quality), row.reason),
                )
            })
            .collect(),
        Pane::Cache => super::cache::rows(world)
            .into_iter()
            .map(|row| (row.id.to_string(), format!("{} {}", row.title, row.reason)))
            .collect(),
        Pane::Latency => super::latency::rows(world, window(view))
            .into_iter()
            .map(|row| (row.id.to_string(), format!("{} {}", row.title, row.reason)))
            .collect(),
        Pane::Limits => {
            limit_rows(world, view.tab).into_iter().map(|row| (row.clone(), row)).collect()
        }
        Pane::Escalation => super::escalation::rows(world)
            .into_iter()
            .map(|row| (row.id(), format!("{} {}", row.spec.name, row.spec.contact)))
            .collect(),
        Pane::Database => super::database::rows(world)
            .into_iter()
            .map(|row| (row.id.to_string(), format!("{} {}", row.title, row.reason)))
            .collect(),
        Pane::Alerts => super::alerts::rows(world)
            .into_iter()
            .map(|row| {
                let text = format!("{} {} {} {}", row.rule, row.title, row.word(), row.reason);
                (row.rule.to_string(), text)
            })
            .collect(),
        Pane::Logs => Vec::new(),
    };
    rows.into_iter().filter(|(_, text)| passes(&view.filter, text)).map(|(id, _)| id).collect()
}

/// The window that is chosen in the latency pane.
pub fn window(view: &PaneView) -> std::time::Duration {
    WINDOWS.get(view.tab).copied().unwrap_or(WINDOWS[1])
}

fn limit_rows(world: &World, tab: usize) -> Vec<String> {
    let Some(limits) = super::limits::view(world) else { return Vec::new() };
    let names = |ranked: &[(String, u64)]| ranked.iter().map(|(name, _)| name.clone()).collect();
    match tab {
        1 => names(&limits.tally.by_endpoint),
        2 => names(&limits.tally.by_tier),
        3 => limits.pressure.unwrap_or_default().iter().map(pressure_id).collect(),
        _ => names(&limits.tally.by_identifier),
    }
}

fn log_rows(world: &World, tab: usize) -> Vec<String> {
    if tab == super::logs::TRAFFIC {
        let worst = super::logs::worst(world);
        return worst.iter().map(|(id, request)| super::logs::request_id(id, request)).collect();
    }
    super::logs::rows(world).into_iter().map(|row| row.id.to_string()).collect()
}

/// The identity of a row of the pressure tab.
pub fn pressure_id(pressure: &Pressure) -> String {
    format!("{} {}", pressure.tier, pressure.identifier)
}

/// The position of the selected row; the first where nothing is selected, or where the
/// selected thing is gone.
pub fn position(rows: &[String], view: &PaneView) -> usize {
    view.selected
        .as_ref()
        .and_then(|selected| rows.iter().position(|row| row == selected))
        .unwrap_or(0)
}

/// The identity of the selected row of the focused pane.
pub fn selected(state: &State, pane: Pane) -> Option<String> {
    let view = state.view.pane(pane);
    let rows = of(state.shown(), pane, &view);
    rows.get(position(&rows, &view)).cloned()
}

/// The sources behind a pane.
pub fn sources_of(world: &World, pane: Pane) -> Vec<SourceId> {
    let catalog = &world.catalog;
    let mut sources: Vec<SourceId> = match pane {
        Pane::Health => catalog.checks.iter().map(|spec| spec.source.clone()).collect(),
        Pane::Cache => catalog.caches.iter().map(|spec| spec.source.clone()).collect(),
        Pane::Latency => catalog.latencies.iter().map(|spec| spec.source.clone()).collect(),
        Pane::Limits => catalog
            .limits
            .iter()
            .flat_map(|spec| spec.violations.iter().chain(&spec.pressure).cloned())
            .collect(),
        Pane::Escalation => Vec::new(),
        Pane::Alerts => catalog
            .rules
            .iter()
            .flat_map(|rule| rule.when.series())
            .map(|name| SourceId::from(name.source.as_ref()))
            .filter(|id| catalog.sources.contains_key(id))
            .collect(),
        Pane::Database => catalog.databases.iter().map(|spec| spec.source.clone()).collect(),
        Pane::Logs => super::logs::sources(catalog),
    };
    sources.sort();
    sources.dedup();
    sources
}
