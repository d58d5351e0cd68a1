//! The selected row as text, for the clipboard.

use super::{cache, database, escalation, health, latency, limits, rows, state::State, view::Pane};
use crate::domain::text;

/// The selected row of the focused pane as a line of text, or as Markdown; none where
/// nothing is selected. Identifiers are masked unless they are shown in full.
pub fn row_text(state: &State, markdown: bool) -> Option<String> {
    let pane = state.view.focus;
    let selected = rows::selected(state, pane)?;
    let world = state.shown();
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
    };
    let at = world.now.wall.strftime("%Y-%m-%d %H:%M:%SZ");
    let target = world.catalog.target();
    Some(if markdown {
        format!("**{title}** {body} ({target}, {at})")
    } else {
        format!("{at} {target} {title} {body}")
    })
}
