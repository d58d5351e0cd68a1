//! What is said beside an alert: what its data is worth, what people did about it, what may
//! help.

use jiff::Timestamp;
use ratatui::{style::Style, text::Span};

use super::context::Context;
use crate::{
    app::{
        alerts::{AlertRow, Muted, Suggestion},
        state::World,
    },
    domain::{rule::Phase, time::Moment, verdict::Quality},
    ui::{format, paint, theme::Theme},
};

/// What has a column of its own.
pub(super) struct Told {
    /// Since when.
    pub(super) since: bool,
    /// The worst figure.
    pub(super) worst: bool,
    /// How many values the figure rests on.
    pub(super) count: bool,
}

/// The tone of a short note.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    /// What people did, or what is the cause.
    #[default]
    Plain,
    /// It is not known to be so now.
    Doubt,
}

impl Tone {
    /// Its look.
    pub(super) fn style(self, theme: Theme) -> Style {
        match self {
            Self::Plain => theme.text(),
            Self::Doubt => theme.unknown(),
        }
    }
}

/// The figure against its limit; where it is not known to be so now, the last known one.
pub(super) fn figure(row: &AlertRow) -> Option<String> {
    let measured = row.measured.as_ref()?;
    Some(match measured.split_once(" is ") {
        _ if row.was.is_none() => measured.clone(),
        Some((reading, value)) => format!("{reading} was {value}"),
        None => format!("was {measured}"),
    })
}

/// The figure without its limit; where it is not known to be so now, the last known one.
pub(super) fn figure_alone(row: &AlertRow) -> Option<String> {
    let value = row.value.as_ref()?;
    Some(if row.was.is_none() { value.clone() } else { format!("was {value}") })
}

/// The shortest words for what must not be missed beside a row; none where there is nothing.
pub(super) fn short(row: &AlertRow) -> Option<(String, Tone)> {
    let mut words: Vec<&str> = Vec::new();
    let unknown = matches!(row.phase, Phase::Unknown | Phase::Ok);
    let doubt = row.restored || (!row.quality.usable() && !unknown);
    if row.restored {
        words.push("unconfirmed");
    } else if doubt {
        words.push(row.quality.word());
    }
    if row.acknowledged.is_some() {
        words.push("acked");
    }
    let muted = row.muted.as_ref().filter(|_| row.phase != Phase::Ok);
    words.extend(muted.map(|muted| match muted {
        Muted::Maintenance(_) => "maintenance",
        Muted::Silenced(_) => "silenced",
        Muted::Inhibited(_) => "inhibited",
    }));
    if row.flapping {
        words.push("flapping");
    }
    words.retain(|word| !word.is_empty());
    let tone = if doubt { Tone::Doubt } else { Tone::Plain };
    (!words.is_empty()).then(|| (words.join(" "), tone))
}

/// Everything that is said below a row, the most important first.
pub(super) fn of(context: &Context<'_>, row: &AlertRow, told: &Told) -> Vec<(String, Style)> {
    let theme = context.theme;
    let mut parts = Vec::new();
    parts.extend(doubt(context, row).map(|text| (text, theme.unknown())));
    let time = |at| context.hour_minute(at_wall(context.world, at));
    let mut handled = handled(row, time);
    if let Some(Muted::Maintenance(of)) = &row.muted {
        // It is told of in full below the header, and is the same for every alert.
        handled.retain(|text| !text.starts_with("maintenance by"));
        handled.push(format!("maintenance until {}", time(of.until)));
    }
    parts.extend(handled.into_iter().map(|text| (text, theme.text())));
    if let (false, Some(since)) = (told.since, row.since) {
        parts.push((format!("since {}", context.seconds_of_day(since)), theme.quiet()));
    }
    if row.phase.is_active() {
        parts.extend(row.suggests.iter().map(|of| suggested(context, of)));
    }
    parts.extend(reason(row).map(|text| (text.to_owned(), theme.quiet())));
    if let (false, Some(peak)) = (told.worst, worst(row)) {
        parts.push((format!("worst {peak}"), theme.quiet()));
    }
    if let (false, Some(n @ 2..)) = (told.count, row.n) {
        parts.push((format!("n {n}"), theme.quiet()));
    }
    let summary = row.summary.as_ref().filter(|summary| !row.reason.contains(summary.as_str()));
    parts.extend(summary.map(|summary| (summary.clone(), theme.quiet())));
    parts.extend(row.runbook.iter().map(|runbook| (runbook.clone(), theme.quiet())));
    parts
}

/// The worst figure, where it is another one than that of now.
pub(super) fn worst(row: &AlertRow) -> Option<String> {
    let told = row.phase.is_active() && row.peak != row.value;
    row.peak.clone().filter(|_| told)
}

/// That the state is not known to be so now.
pub(super) fn doubt(context: &Context<'_>, row: &AlertRow) -> Option<String> {
    if row.restored {
        return Some("not confirmed since the console started".to_owned());
    }
    // Where nothing is known the reason says why, and waiting is said by the state.
    if row.quality == Quality::Fresh || row.phase == Phase::Unknown {
        return None;
    }
    let seen = match row.seen {
        Some(at) => format!(", last seen {}", context.seconds_of_day(at)),
        None => String::new(),
    };
    Some(format!("{}{seen}", row.quality.word()))
}

/// Why it is as it is, without what [`doubt`] says.
pub(super) fn reason(row: &AlertRow) -> Option<&str> {
    let reason = match row.restored {
        true => row.reason.split_once("; ").map_or("", |(_, rest)| rest),
        false => row.reason.as_str(),
    };
    (!reason.is_empty()).then_some(reason)
}

/// What people did about it, and what it is a consequence of.
pub(super) fn handled(row: &AlertRow, time: impl Fn(Timestamp) -> String) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(of) = &row.acknowledged {
        parts.push(format!("acked by {} until {}: {}", of.by, time(of.until), of.reason));
    }
    parts.extend(row.muted.as_ref().map(|muted| match muted {
        Muted::Maintenance(of) => {
            format!("maintenance by {} until {}: {}", of.by, time(of.until), of.reason)
        }
        Muted::Silenced(of) => {
            format!("silenced by {} until {}: {}", of.by, time(of.until), of.reason)
        }
        Muted::Inhibited(by) => format!("inhibited: a consequence of {by}"),
    }));
    if row.flapping {
        parts.push("flapping: it changes too often to be news".to_owned());
    }
    parts
}

/// The action and the way to it; greyed with the reason where it cannot be started now.
pub(super) fn suggestion(context: &Context<'_>, of: &Suggestion) -> (String, Style) {
    let theme = context.theme;
    let way = way_to(context.world, of);
    match &of.why_not {
        None => (way, theme.key()),
        Some(why) => (format!("{way}: {why}"), theme.quiet()),
    }
}

/// The same in few words: how to allow actions is told with the details.
fn suggested(context: &Context<'_>, of: &Suggestion) -> (String, Style) {
    let why_not = of.why_not.as_ref().and_then(|why| why.split(';').next());
    suggestion(context, &Suggestion { why_not: why_not.map(str::to_owned), ..of.clone() })
}

/// How one gets to an action: `x → Disable Redis (d)`.
pub(super) fn way_to(world: &World, of: &Suggestion) -> String {
    crate::ui::calling::way_to(world, of)
}

/// A point on the wall clock as a moment.
pub(super) fn at_wall(world: &World, wall: Timestamp) -> Moment {
    Moment { wall, ..world.now }
}

/// Parts with dots between them in one line, however long.
pub(super) fn joined(parts: &[(String, Style)], theme: Theme) -> Vec<Span<'static>> {
    let dot = || Span::styled(format!(" {} ", theme.glyphs().dot), theme.quiet());
    let mut spans = Vec::new();
    for (text, style) in parts {
        if !spans.is_empty() {
            spans.push(dot());
        }
        spans.push(Span::styled(text.clone(), *style));
    }
    spans
}

/// Parts with dots between them in at most `most` lines of `width` columns. A part stays
/// whole where the next line can hold it; what is missing at the end has a mark.
pub(super) fn flowed(
    parts: &[(String, Style)],
    width: usize,
    most: usize,
    theme: Theme,
) -> Vec<Vec<Span<'static>>> {
    let glyphs = theme.glyphs();
    let dot = format!(" {} ", glyphs.dot);
    let mut lines: Vec<Vec<Span<'static>>> = Vec::new();
    let mut used = width;
    for (text, style) in parts {
        let wide = usize::from(paint::width(&crate::domain::text::safe(text)));
        let goes_on = !lines.is_empty() && used + dot.len() + wide.min(width) <= width;
        if goes_on {
            if let Some(line) = lines.last_mut() {
                line.push(Span::styled(dot.clone(), theme.quiet()));
                line.push(Span::styled(format::fit(text, width, glyphs.ellipsis), *style));
            }
            used += usize::from(paint::width(&dot)) + wide;
            continue;
        }
        if lines.len() >= most {
            // As much of it as the line can still hold, where that is worth reading.
            let room = width.saturating_sub(used + usize::from(paint::width(&dot)));
            if let (Some(line), 12..) = (lines.last_mut(), room) {
                line.push(Span::styled(dot.clone(), theme.quiet()));
                line.push(Span::styled(format::fit(text, room, glyphs.ellipsis), *style));
            }
            break;
        }
        let mut rows = paint::wrapped_to(text, width, most - lines.len(), theme);
        used = rows.last().map_or(0, |row| usize::from(paint::width(row)));
        lines.extend(rows.drain(..).map(|row| vec![Span::styled(row, *style)]));
    }
    lines
}
