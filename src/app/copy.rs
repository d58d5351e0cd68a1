//! The selected row as text, for the clipboard.

use super::{
    alerts, cache, database, escalation, health, latency, limits, logs, rows, state::State,
    view::Pane,
};
use crate::domain::text;

/// The selected row of the focused pane as a line of text, or as Markdown; none where
/// nothing is selected. Identifiers are masked unless they are shown in full.
pub fn row_text(state: &State, markdown: bool) -> Option<String> {
    let pane = state.view.focus;
    let world = state.shown();
    if state.view.lists_entries() {
        let line = logs::selected(world, &state.view)?;
        return Some(format!("{} {}", world.catalog.target(), logs::entry_text(line)));
    }
    let selected = rows::selected(state, pane)?;
    let (title, body) = match pane {
        Pane::Health => {
            let row = health::rows(world).into_iter().find(|row| row.id.as_str() == selected)?;
            let disagreement = row.disagreement.map(|text| format!("; {text}")).unwrap_or_default();
            (
                row.title,
                format!("{}: {}{disagreement}", row.verdict.word_for(row.quality), row.reason),
            )
        }
        Pane::Cache => {
            let row = cache::rows(world).into_iter().find(|row| row.id.as_str() == selected)?;
            (row.title, format!("{}: {}", row.verdict.word_for(row.quality), row.reason))
        }
        Pane::Latency => {
            let window = rows::window(&state.view.pane(pane));
            let row =
                latency::rows(world, window).into_iter().find(|row| row.id.as_str() == selected)?;
            (
                row.title,
                format!(
                    "{}: {}, n = {}",
                    row.verdict.word_for(row.quality),
                    row.reason,
                    row.summary.n
                ),
            )
        }
        Pane::Limits => {
            let masked = if state.view.unmasked { selected } else { text::masked(&selected) };
            (masked, limits::view(world)?.reason)
        }
        Pane::Escalation => {
            let row = escalation::rows(world).into_iter().find(|row| row.id() == selected)?;
            return row.spec.is_configured().then_some(row.spec.contact);
        }
        Pane::Database => {
            let row = database::rows(world).into_iter().find(|row| row.id.as_str() == selected)?;
            (row.title, format!("{}: {}", row.verdict.word_for(row.quality), row.reason))
        }
        Pane::Alerts => {
            let row = alerts::row(world, &selected)?;
            let (word, value) = (row.word(), row.value.unwrap_or_default());
            (row.title, format!("{word}: {value} {}; {}", row.threshold, row.reason))
        }
        Pane::Logs if state.view.pane(pane).tab == logs::TRAFFIC => {
            let worst = logs::worst(world);
            let chosen = |(id, of): &&(_, _)| logs::request_id(id, of) == selected;
            let (_, request) = worst.iter().find(chosen)?;
            let trace = request.trace.as_deref().unwrap_or("no trace id");
            let took = request.ms.map_or_else(String::new, |ms| format!(" in {ms:.0} ms"));
            let ended = format!("{}{took} at {}, {trace}", request.status, request.at);
            (request.path.to_string(), ended)
        }
        Pane::Logs => {
            let row = logs::rows(world).into_iter().find(|row| row.id.as_str() == selected)?;
            (row.title, format!("{}: {}", row.verdict.word_for(row.quality), row.reason))
        }
    };
    let at = world.now.wall.strftime("%Y-%m-%d %H:%M:%SZ");
    let target = world.catalog.target();
    Some(if markdown {
        format!("**{title}** {body} ({target}, {at})")
    } else {
        format!("{at} {target} {title} {body}")
    })
}
