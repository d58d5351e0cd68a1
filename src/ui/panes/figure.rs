//! Single values: as they are, as they were, or why there is none.

use ratatui::{
    style::{Modifier, Style},
    text::{Line, Span},
};

use super::context::Context;
use crate::{
    app::{sources::Lookup, state::World},
    domain::{
        ids::SourceId,
        percentile::Percentile,
        time::Moment,
        verdict::{Quality, Verdict},
    },
    ui::{
        format, paint,
        theme::Theme,
        widgets::{badge::Badge, dash, table::Cell},
    },
};

/// The look of a value that was once known and cannot be believed now.
pub(super) fn faded(theme: Theme) -> Style {
    theme.quiet().add_modifier(Modifier::DIM)
}

/// The look of a value, by what its data is worth.
pub(super) fn look(theme: Theme, quality: Quality) -> Style {
    if quality.usable() { theme.text() } else { faded(theme) }
}

/// A value of a source, or a dash and the reason why there is none. `reading` is none
/// where nothing is configured that would tell. What is true of the whole source stands above
/// its figures, once.
pub(super) fn value(
    context: &Context<'_>,
    source: &SourceId,
    reading: Option<&str>,
    shown: Option<String>,
) -> (String, Style) {
    let theme = context.theme;
    match shown {
        Some(text) => (text, look(theme, context.world.sources.quality(source, context.world.now))),
        None => {
            let why = why_none(context.world, source, reading);
            let text = why.map_or_else(String::new, |why| format!(" {why}"));
            (format!("{}{text}", dash(theme)), theme.quiet())
        }
    }
}

/// Why there is no value of a reading, in few words; none where that is true of everything
/// that its source could tell.
fn why_none(world: &World, source: &SourceId, reading: Option<&str>) -> Option<String> {
    let Some(reading) = reading else { return Some("not configured".to_owned()) };
    match world.sources.lookup(source.as_str(), reading) {
        Lookup::Known { .. } => Some("not a number".to_owned()),
        Lookup::Missing(why) => Some(why),
        Lookup::Failing(_) | Lookup::Disabled(_) | Lookup::Stale(_) | Lookup::Waiting => None,
    }
}

/// What the data behind a verdict is worth. Where nothing was judged, the word of the verdict
/// says why, and only the age is left to tell.
pub(super) fn badge(
    context: &Context<'_>,
    (verdict, quality): (Verdict, Quality),
    seen: Option<Moment>,
) -> Badge {
    let told = verdict == Verdict::Unjudged;
    Badge::new(if told { Quality::Fresh } else { quality }, context.world.now, seen)
}

/// Glyph and word of a verdict; a shorter word in a narrow table.
pub(super) fn verdict(theme: Theme, verdict: Verdict, quality: Quality, width: u16) -> Cell {
    let word = if width < NARROW {
        paint::short_word(verdict, quality)
    } else {
        verdict.word_for(quality)
    };
    let text = format!("{} {word}", theme.verdict_glyph(verdict));
    Cell::new(text, theme.verdict(verdict, quality))
}

/// Narrower than this, the words of verdicts are shortened.
pub(super) const NARROW: u16 = 56;

/// Narrower than this, the title of the pane alone has the word; rows have the glyph.
pub(super) const TINY: u16 = 26;

/// The weight of a row's title: what is well stays in the background.
pub(super) fn title_style(theme: Theme, verdict: Verdict) -> Style {
    if verdict == Verdict::Ok { theme.text() } else { theme.strong() }
}

/// The weight of a row's reason.
pub(super) fn reason_style(theme: Theme, verdict: Verdict) -> Style {
    if verdict == Verdict::Ok { theme.quiet() } else { theme.text() }
}

/// A percentile without its unit: `212`, `>= 3000`, `~212`.
pub(super) fn percentile(percentile: Percentile) -> String {
    let shown = crate::app::latency::shown(percentile);
    shown.strip_suffix(" ms").map_or(shown.clone(), str::to_owned)
}

/// Glyph, word and title of a thing that has a place of its own, and the worth of its data.
/// The title gives way before the worth does.
pub(super) fn headline(
    theme: Theme,
    (verdict, quality): (Verdict, Quality),
    title: &str,
    badge: Badge,
    width: u16,
    selected: bool,
) -> Line<'static> {
    let pointer = if selected { format!("{} ", theme.glyphs().pointer) } else { String::new() };
    let mark = if selected { theme.selected() } else { Style::new() };
    let glyph = theme.verdict_glyph(verdict);
    let state = match width {
        0..TINY => format!("{glyph} "),
        TINY..NARROW => format!("{glyph} {}  ", paint::short_word(verdict, quality)),
        _ => format!("{glyph} {}  ", verdict.word_for(quality)),
    };
    let data = match badge.short().as_str() {
        "" => String::new(),
        data => format!("  {data}"),
    };
    let used = [&pointer, &state, &data].map(|part| usize::from(paint::width(part))).iter().sum();
    let room = usize::from(width).saturating_sub(used);
    let title = format::fit(title, room, theme.glyphs().ellipsis);
    Line::from(vec![
        Span::styled(pointer, mark),
        Span::styled(state, theme.verdict(verdict, quality).patch(mark)),
        Span::styled(title, theme.strong().patch(mark)),
        Span::styled(data, badge.style(theme)),
    ])
}
