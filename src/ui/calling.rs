//! What the alerts call for, in lines below the header: the worst alert that nobody looks
//! after, whom to call, and what is kept quiet.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    bands::{Band, Tone},
    format,
};
use crate::{
    app::{
        alerts::{self, AlertRow, Suggestion},
        escalation,
        state::{State, World},
    },
    domain::{
        rule::Phase,
        text,
        time::Moment,
        verdict::{Quality, Verdict},
    },
};

/// The longest title of an alert in a line that has to say more.
const TITLE: usize = 40;

/// The worst alert that calls, and whom to call: what must be seen.
pub(super) fn bands(state: &State) -> Vec<Band> {
    let rows = alerts::rows(&state.world);
    let mut bands: Vec<Band> = worst(state, &rows).into_iter().collect();
    if let Some(prompt) = escalation::prompt(&state.world) {
        bands.push((Tone::Bad(Verdict::Critical), format!("ESCALATE: {prompt}")));
    }
    bands.extend(banners(state, &rows));
    bands
}

/// The states that somebody has to end, for as long as they last; not said twice.
fn banners(state: &State, rows: &[AlertRow]) -> Vec<Band> {
    let alerts = &state.world.alerts;
    let told = loudest(rows).map(|row| Arc::clone(&row.rule));
    let stands = |row: &&AlertRow| {
        let rule = alerts.rule(&row.rule);
        row.phase.is_active()
            && rule.is_some_and(|rule| rule.banner)
            && told.as_ref() != Some(&row.rule)
    };
    let band = |row: &AlertRow| {
        let since = row.since.map(|at| format::seconds_of_day(at, state.view.utc));
        let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
        let summary = alerts.rule(&row.rule).and_then(|rule| rule.summary.clone());
        let summary = summary.map(|summary| format!(": {summary}")).unwrap_or_default();
        (Tone::Bad(Verdict::Warning), format!("{}{since}{summary}", row.title))
    };
    rows.iter().filter(stands).map(band).collect()
}

/// The worst alert that nobody looks after.
fn loudest(rows: &[AlertRow]) -> Option<&AlertRow> {
    rows.iter()
        .filter(|row| row.calls())
        .min_by_key(|row| (std::cmp::Reverse(row.severity), row.priority))
}

/// What is kept quiet, and what fires and is looked after. Said without noise, but said: an
/// alert that was acknowledged is no less true.
pub(super) fn quiet(state: &State) -> Option<Band> {
    let world = &state.world;
    let mut parts = Vec::new();
    if let Some(of) = &world.alerts.handling.maintenance {
        let until = hour_minute(state, of.until);
        parts.push(format!("maintenance by {} until {until}: {}", of.by, of.reason));
    }
    let rows = alerts::rows(world);
    let handled: Vec<&AlertRow> =
        rows.iter().filter(|row| row.phase.is_active() && !row.calls()).collect();
    if let Some(first) = handled.first() {
        let more = match handled.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let how = match &first.acknowledged {
            Some(of) => format!("acked by {}", of.by),
            None => first.muted.as_ref().map(alerts::Muted::words).unwrap_or_default(),
        };
        let title = text::clip(&first.title, TITLE);
        parts.push(format!("fires and is handled: {title}{more} ({how})"));
    }
    let silences = world.alerts.handling.silences.len();
    if silences > 0 {
        let s = if silences == 1 { "" } else { "s" };
        parts.push(format!("{silences} silence{s}"));
    }
    (!parts.is_empty()).then(|| (Tone::Quiet, parts.join("; ")))
}

/// `CRIT Redis is gone since 14:02:10, +2 more firing, 1 pending  is false  x → …`
fn worst(state: &State, rows: &[AlertRow]) -> Option<Band> {
    let row = loudest(rows)?;
    let calling = rows.iter().filter(|row| row.calls()).count();
    let pending = rows.iter().filter(|row| row.phase == Phase::Pending).count();
    let mut head = format!("{} {}", row.verdict.word(), text::clip(&row.title, TITLE));
    if let Some(at) = row.since {
        head.push_str(&format!(" since {}", format::seconds_of_day(at, state.view.utc)));
    }
    if calling > 1 {
        head.push_str(&format!(", +{} more firing", calling - 1));
    }
    if pending > 0 {
        head.push_str(&format!(", {pending} pending"));
    }
    let mut parts = vec![head];
    if row.restored {
        parts.push("not confirmed since the console started".to_owned());
    } else if row.quality != Quality::Fresh {
        parts.push(row.quality.word().to_owned());
    }
    // That a reading is what the title says need not be said again.
    let measured = row.measured.clone().filter(|measured| !measured.contains(" is "));
    match row.then(state.world.now) {
        Some(then) => parts.extend(measured.map(|_| then)),
        None => parts.extend(measured),
    }
    if row.peak != row.value {
        parts.extend(row.peak.as_ref().map(|peak| format!("worst {peak}")));
    }
    if row.quality.usable() {
        parts.extend(row.suggests.first().map(|of| way_to(&state.world, of)));
    }
    parts.retain(|part| !part.is_empty());
    Some((Tone::Bad(row.verdict), parts.join("  ")))
}

/// How one gets to an action: `x → Disable Redis (d)`.
pub(super) fn way_to(world: &World, of: &Suggestion) -> String {
    let key = world.catalog.action(&of.action).and_then(|action| action.key);
    let key = key.map_or_else(String::new, |key| format!(" ({key})"));
    format!("x → {}{key}", text::clip(&of.title, TITLE))
}

fn hour_minute(state: &State, wall: Timestamp) -> String {
    format::hour_minute(Moment { wall, ..state.world.now }, state.view.utc)
}
