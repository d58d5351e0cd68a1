//! Whom to call, and whether they answer in time.
//!
//! ```text
//!       who                contact            clock            within
//!  ▸ 1  On-call engineer   +41 44 555 01 01   OVERDUE 3:10        15m
//!           backup: … · for: …
//!    2  Platform team      #platform-oncall   12:30 left          30m
//!    3  Head of eng        NOT CONFIGURED     not contacted       60m
//! ```

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::context::{Context, list_and_detail, split_top};
use crate::{
    app::escalation::{self, ContactRow, MISSING},
    domain::{
        text,
        time::{Moment, clock, short_duration},
    },
    ui::{
        format, paint,
        scene::Scene,
        theme::Theme,
        widgets::{
            dash,
            pairs::Pairs,
            put,
            sections::{self, Section},
            table::{Cell, Column, Table},
        },
    },
};

pub(super) const NOTHING: &str = "no escalation path is configured";

const COLUMNS: [Column; 7] = [
    Column::numbers("", 1),
    Column::words("who", 8, 28),
    Column::words("contact", 18, 36),
    Column::words("clock", 8, 24).drop(1),
    Column::numbers("within", 6).drop(2),
    Column::words("backup", 6, 28).drop(4),
    Column::words("for", 6, usize::MAX).drop(5),
];

/// Narrower than this, a level has a second row.
const TIGHT: u16 = 76;

/// The pane in one line: who is overdue, who is being waited for, what is missing. None where
/// no level is configured.
pub(super) fn in_words(scene: &Scene<'_>) -> Option<String> {
    let rows = escalation::rows(scene.world);
    if let Some(taken) = &scene.world.escalation.taken {
        return Some(format!("taken by {}, level {}", text::clip(&taken.who, 60), taken.level));
    }
    let name = |row: &ContactRow| format!("{} {}", row.id(), text::clip(&row.spec.name, 60));
    if let Some((row, late)) = rows.iter().find_map(|row| Some((row, row.overdue?))) {
        return Some(format!("{} OVERDUE by {}", name(row), clock(late)));
    }
    let missing = rows.iter().filter(|row| !row.spec.is_configured()).count();
    let waiting = rows.iter().find_map(|row| Some((row, row.remaining?)));
    let contacted = rows.iter().any(|row| row.contacted.is_some());
    Some(match (waiting, missing) {
        (Some((row, left)), _) => format!("{}: {} left to answer", name(row), clock(left)),
        (None, 0) if rows.is_empty() => return None,
        (None, 0) if contacted => format!("{} levels, contacted", rows.len()),
        (None, 0) => format!("{} levels, none contacted", rows.len()),
        (None, missing) => format!("{missing} of {} levels {MISSING}", rows.len()),
    })
}

/// Draws the levels; zoomed, with everything about the selected one.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>) -> Option<String> {
    let rows = context.keep(escalation::rows(context.world), ContactRow::id);
    let Some(selected) = rows.get(context.position) else {
        context.empty(buffer, area, NOTHING);
        return None;
    };
    let above = situation(context, area);
    let (top, area) = split_top(area, above.len() as u16);
    put(buffer, top, &above, context.theme);
    if !context.zoomed {
        return list(buffer, area, context, &rows);
    }
    let (left, right) = list_and_detail(area, rows.len());
    let note = list(buffer, left, context, &rows);
    let about = vec![about(context, selected, sections::column_width(right.width))];
    let hint = context.scroll_hint();
    sections::draw(buffer, right, about, context.view.scroll, hint, context.theme);
    note
}

/// Since when something is wrong, who took it, and whom to call now; nothing while nothing
/// goes on, and only what fits above the levels.
fn situation(context: &Context<'_>, area: Rect) -> Vec<Line<'static>> {
    let theme = context.theme;
    let world = context.world;
    let mut lines = Vec::new();
    if let Some(prompt) = escalation::prompt(world) {
        let (width, style) = (usize::from(area.width), theme.critical());
        let text = format!("ESCALATE: {prompt}");
        let rows = paint::wrapped_to(&text, width, 2, theme);
        lines.extend(rows.into_iter().map(|row| Line::styled(row, style)));
    }
    if let Some(taken) = &world.escalation.taken {
        let at = context.seconds_of_day(Moment { wall: taken.at, ..world.now });
        let who = text::clip(&taken.who, 60);
        let text = format!("taken by {who}, level {}, at {at}: the clocks stand", taken.level);
        lines.push(Line::styled(text, theme.strong()));
    }
    if let Some((at, rule)) = &world.escalation.started {
        let title = world.alerts.rule(rule).map_or(rule.as_ref(), |rule| rule.title.as_str());
        let lasting = clock(world.now.wall_since(*at));
        let text = format!("{lasting} since the start: {}", text::clip(title, 60));
        lines.push(Line::styled(text, theme.text()));
    }
    // What of a level has no column stands in a second row, and its clock is among it.
    let rows = if area.width < TIGHT { 2 } else { 1 };
    let levels = world.catalog.contacts.len() * rows + 1;
    lines.truncate(usize::from(area.height).saturating_sub(levels));
    lines
}

fn list(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[ContactRow],
) -> Option<String> {
    let theme = context.theme;
    let cells = rows.iter().map(|row| cells(context, row)).collect();
    let table = Table::new(&COLUMNS, cells, area.width, theme);
    // What the columns have no room for stands below, where there are rows to spare; where
    // there are few, those whose clock runs get them.
    let mut spare = usize::from(area.height).saturating_sub(rows.len() + 1);
    let for_all = spare >= rows.len();
    let all_shown = table.shows(3) && table.shows(5) && table.shows(6);
    let below: Vec<Vec<Line<'static>>> = rows
        .iter()
        .map(|row| {
            let wanted = !all_shown && (for_all || (spare > 0 && row.contacted.is_some()));
            spare -= usize::from(wanted && !for_all);
            wanted.then(|| more(context, row, &table, area.width)).flatten().into_iter().collect()
        })
        .collect();
    let note = context.list(buffer, area, &table, &below);
    note.or_else(|| {
        context.focused.then(|| "C marks it as contacted, t says who took it".to_owned())
    })
}

fn cells(context: &Context<'_>, row: &ContactRow) -> Vec<Cell> {
    let theme = context.theme;
    let (contact, contact_style) = contact(theme, row);
    let (clock, clock_style) = clock_of(context, row);
    let none = || dash(theme).to_owned();
    let within = row.spec.respond_within.map_or_else(none, short_duration);
    let backup = row.spec.backup.clone().unwrap_or_else(none);
    let handles = row.spec.handles.clone().unwrap_or_else(none);
    vec![
        Cell::new(row.spec.level.to_string(), theme.strong()),
        Cell::new(row.spec.name.clone(), theme.text()),
        Cell::new(contact, contact_style),
        Cell::new(clock, clock_style),
        Cell::new(within, theme.quiet()),
        Cell::new(backup, theme.quiet()),
        Cell::new(handles, theme.quiet()),
    ]
}

fn contact(theme: Theme, row: &ContactRow) -> (String, Style) {
    if row.spec.is_configured() {
        (row.spec.contact.clone(), theme.strong())
    } else {
        (MISSING.to_owned(), theme.warning())
    }
}

/// How the time that they have to answer stands.
fn clock_of(context: &Context<'_>, row: &ContactRow) -> (String, Style) {
    let theme = context.theme;
    match (row.overdue, row.remaining, row.contacted) {
        (Some(late), ..) => (format!("OVERDUE {}", clock(late)), theme.critical()),
        (None, None, Some(at)) if context.world.escalation.started.is_some() => {
            let since = clock(context.world.now.wall_since(at));
            (format!("contacted {since} ago"), theme.text())
        }
        (None, Some(left), _) => (format!("{} left", clock(left)), theme.warning()),
        (None, None, Some(at)) => (format!("contacted {}", context.hour_minute(at)), theme.text()),
        (None, None, None) => ("not contacted".to_owned(), theme.quiet()),
    }
}

/// What of a level has no column of its own.
fn more(
    context: &Context<'_>,
    row: &ContactRow,
    table: &Table<'_>,
    width: u16,
) -> Option<Line<'static>> {
    let theme = context.theme;
    let mut parts: Vec<(String, Style)> = Vec::new();
    if !table.shows(3) {
        parts.push(clock_of(context, row));
    }
    if let (false, Some(within)) = (table.shows(4), row.spec.respond_within) {
        parts.push((format!("answers within {}", short_duration(within)), theme.quiet()));
    }
    if let (false, Some(backup)) = (table.shows(5), &row.spec.backup) {
        parts.push((format!("backup {backup}"), theme.quiet()));
    }
    if let (false, Some(handles)) = (table.shows(6), &row.spec.handles) {
        parts.push((format!("for {handles}"), theme.quiet()));
    }
    if parts.is_empty() {
        return None;
    }
    let mut spans = vec![Span::raw("     ")];
    let mut room = usize::from(width).saturating_sub(5);
    for (at, (part, style)) in parts.into_iter().enumerate() {
        let dot = if at > 0 { format!(" {} ", theme.glyphs().dot) } else { String::new() };
        let part = format::fit(&format!("{dot}{part}"), room, theme.glyphs().ellipsis);
        room = room.saturating_sub(unicode_width::UnicodeWidthStr::width(part.as_str()));
        spans.push(Span::styled(part, style));
    }
    Some(Line::from(spans))
}

fn about(context: &Context<'_>, row: &ContactRow, width: u16) -> Section {
    let theme = context.theme;
    let (contact, contact_style) = contact(theme, row);
    let (left, left_style) = clock_of(context, row);
    let none = || format!("{} not configured", dash(theme));
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(none);
    let contacted = match row.contacted {
        Some(at) => {
            let since = clock(context.world.now.wall_since(at));
            format!("{}, {since} ago", context.time_of_day(at))
        }
        None => "no: C says that they were, and starts the clock".to_owned(),
    };
    let within = row.spec.respond_within.map_or_else(none, short_duration);
    let pairs = Pairs::new(theme)
        .text("contact", contact, contact_style)
        .text("backup", or_none(&row.spec.backup), theme.text())
        .text("answers within", within, theme.text())
        .text("what for", or_none(&row.spec.handles), theme.text())
        .text("contacted", contacted, theme.text())
        .text("clock", left, left_style);
    let heading = format!("Level {}: {}", row.spec.level, text::clip(&row.spec.name, 100));
    Section::new(theme, &heading, "", pairs.lines(width))
}
