//! Alert rules: what fires first, then what is about to, then what cannot be told.
//!
//! ```text
//!    state         alert            value              since           worst    n
//!  ▸ ✖ firing    P1  Redis is gone    up is no           14:02:10 12m
//!      acked by eva until 14:32: looks at the shard · x → Disable Redis (d)
//!    ○ pending   P2  Slow listing     412 ms > 200 ms    fires in 2:10   480 ms  30
//!    ● 12 rules ok  Memory 41 %, not > 80 % · …
//! ```

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    alert, alert_notes as notes,
    context::{Context, list_and_detail, split_top},
    figure,
};
use crate::{
    app::alerts::{self, AlertRow},
    domain::{
        rule::Phase,
        time::{clock, coarse_age},
        verdict::{Quality, Verdict},
    },
    ui::{
        paint,
        scene::Scene,
        widgets::{
            dash, put, sections,
            table::{Cell, Column, Table},
        },
    },
};

pub(super) const NOTHING: &str = "no alert rules are configured";

/// The columns, with so much room for the title: where there is little, it gives way first.
/// The columns of the notes and of all that is known are left out where they are empty.
const fn columns(title: usize, value: usize, since: usize) -> [Column; 9] {
    [
        Column::words("state", 8, 12),
        Column::words("", 2, 3).drop(1),
        Column::words("alert", 10, title),
        Column::words("value", 6, value),
        Column::words("since", since, 14),
        Column::words("", 5, 22).drop(2),
        Column::words("worst", 5, 10).drop(3),
        Column::numbers("n", 3).drop(4),
        Column::words("", 16, usize::MAX),
    ]
}

/// The places of some of the columns.
const VALUE: usize = 3;
const SINCE: usize = 4;
const NOTES: usize = 5;
const WORST: usize = 6;
const COUNT: usize = 7;
const ASIDE: usize = 8;

/// The longest title and the longest figure that are shown whole in a list.
const TITLE: usize = 48;
const FIGURE: usize = 32;

/// From here, what is known of an alert stands beside it and not below.
const WIDE: u16 = 110;

/// Narrower than this, the time that something began is left out beside how long ago.
const TIMES: u16 = 70;

/// Narrower than this, a list beside details leaves the limits to them.
const DETAILED: u16 = 100;

/// The most lines that stand below a row.
const MOST_BELOW: usize = 3;

/// Draws the alerts; zoomed, with everything about the selected one.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>) -> Option<String> {
    let rows = context.keep(alerts::rows(context.world), |row| row.rule.to_string());
    if rows.is_empty() {
        context.empty(buffer, area, NOTHING);
        return None;
    }
    if !context.zoomed {
        return folded(buffer, area, context, &rows);
    }
    let (left, right) = list_and_detail(area, rows.len());
    let note = list(buffer, left, context, &rows);
    if let Some(row) = rows.get(context.position) {
        let width = sections::column_width(right.width);
        let about = alert::sections(context, row, width);
        let hint = context.scroll_hint();
        sections::draw(buffer, right, about, context.view.scroll, hint, context.theme);
    }
    note
}

/// The alerts in one line, for the title of the pane, its tab, and a small screen.
pub(super) fn in_words(scene: &Scene<'_>) -> Option<String> {
    let rows = alerts::rows(scene.world);
    let first = rows.first()?;
    let count = |phase: fn(&AlertRow) -> bool| rows.iter().filter(|row| phase(row)).count();
    let handled = count(|row| row.phase.is_active() && !row.calls());
    let parts: Vec<String> = [
        (count(|row| row.phase.is_active()), "firing"),
        (count(|row| row.phase == Phase::Pending), "pending"),
        (count(|row| row.phase == Phase::Unknown && !row.is_off()), "not known"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| match (word, handled) {
        ("firing", 1..) => format!("{count} {word} ({handled} handled)"),
        _ => format!("{count} {word}"),
    })
    .collect();
    if parts.is_empty() {
        return Some(all_ok(&rows));
    }
    let measured = notes::figure(first).unwrap_or_else(|| first.reason.clone());
    Some(format!("{}: {}, {measured}", parts.join(", "), first.title))
}

/// `12 rules ok, 1 off`: that one looks at what is not configured here.
fn all_ok(rows: &[AlertRow]) -> String {
    let off = rows.iter().filter(|row| row.is_off()).count();
    let ok = rows.len() - off;
    let s = if ok == 1 { "" } else { "s" };
    let off = if off > 0 { format!(", {off} off") } else { String::new() };
    format!("{ok} rule{s} ok{off}")
}

/// What is ok takes one line, unless somebody looks for it or has moved there.
fn folded(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[AlertRow],
) -> Option<String> {
    let is_open = |row: &&AlertRow| row.phase != Phase::Ok && !row.is_off();
    let open = rows.iter().take_while(is_open).count();
    let (shown, ok) = rows.split_at(open);
    let wanted = !context.view.filter.is_empty();
    let moved_there = context.view.selected.is_some() && context.position >= open && open > 0;
    if ok.is_empty() || wanted || (context.focused && moved_there) {
        return list(buffer, area, context, rows);
    }
    if shown.is_empty() {
        calm(buffer, area, context, ok);
        return None;
    }
    // Beside each other, rows and what is known of them take a line each, and what is left
    // is for the figures of the others.
    let last = match (area.height, u16::try_from(shown.len() + 1)) {
        (0..=2, _) => 0,
        (height, Ok(rows)) if area.width >= WIDE => height.saturating_sub(rows).max(1),
        _ => 1,
    };
    let (above, below) = split_top(area, area.height - last);
    let note = list(buffer, above, context, shown);
    calm(buffer, below, context, ok);
    note
}

/// How many rules are ok, and as far as there is room their figures: how near they are.
fn calm(buffer: &mut Buffer, area: Rect, context: &Context<'_>, ok: &[AlertRow]) {
    let theme = context.theme;
    let glyph = theme.verdict_glyph(Verdict::Ok);
    let lead = format!("  {glyph} {}  ", all_ok(ok));
    let figures: Vec<(String, Style)> = ok
        .iter()
        .filter(|row| !row.is_off())
        .map(|row| {
            let measured = notes::figure(row).map_or_else(String::new, |text| format!(": {text}"));
            (format!("{}{measured}", row.title), theme.quiet())
        })
        .collect();
    let indent = usize::from(paint::width(&lead));
    let room = usize::from(area.width).saturating_sub(indent);
    let figures = if room < 20 { Vec::new() } else { figures };
    let mut lines = notes::flowed(&figures, room, usize::from(area.height), theme).into_iter();
    let mut first = vec![Span::styled(lead, theme.ok())];
    first.extend(lines.next().unwrap_or_default());
    let mut all = vec![Line::from(first)];
    all.extend(lines.map(|spans| {
        let mut line = vec![Span::raw(" ".repeat(indent))];
        line.extend(spans);
        Line::from(line)
    }));
    put(buffer, area, &all, theme);
}

fn list(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[AlertRow],
) -> Option<String> {
    let theme = context.theme;
    let aside = area.width >= WIDE && !context.zoomed;
    // Below the rows there is room for everything; otherwise a column has the shortest words.
    let spare = match context.zoomed || aside {
        true => 0,
        false => usize::from(area.height).saturating_sub(rows.len() + 1),
    };
    let below_all =
        !context.zoomed && spare >= rows.iter().filter(|row| notes::short(row).is_some()).count();
    let mut cells: Vec<Vec<Cell>> =
        rows.iter().map(|row| cells(context, row, area.width, aside)).collect();
    let widest = |column: usize| {
        let widths = cells.iter().filter_map(|row| Some(row.get(column)?.width()));
        widths.max().unwrap_or_default()
    };
    let noted = widest(NOTES) > 0 && !aside && !below_all;
    let (value, since) = (widest(VALUE).min(FIGURE), widest(SINCE).clamp(5, 14));
    // Between two columns there are two blanks, and two before the first.
    let notes = if noted { widest(NOTES).min(22) + 2 } else { 0 };
    let others = widest(0) + widest(1) + value + since + notes + 10;
    let title = usize::from(area.width).saturating_sub(others).clamp(12, TITLE);
    let mut columns = columns(title, value.max(6), since).to_vec();
    // Beside a row everything is told in words, and by its weight.
    for (at, kept) in [(ASIDE, aside), (COUNT, !aside), (WORST, !aside), (NOTES, noted)] {
        if !kept {
            columns.remove(at);
            cells.iter_mut().for_each(|row| drop(row.remove(at)));
        }
    }
    let table = Table::new(&columns, cells, area.width, theme);
    let told = notes::Told {
        since: area.width >= TIMES,
        worst: table.shows(WORST - usize::from(!noted)),
        count: table.shows(COUNT - usize::from(!noted)),
    };
    let below = below(context, rows, &told, area.width, spare);
    context.list(buffer, area, &table, &below)
}

/// What stands below the rows: a line for each row that has something to say, the first
/// rows first, then more lines where there is room left.
fn below(
    context: &Context<'_>,
    rows: &[AlertRow],
    told: &notes::Told,
    width: u16,
    mut spare: usize,
) -> Vec<Vec<Line<'static>>> {
    const INDENT: usize = 4;
    let room = usize::from(width).saturating_sub(INDENT);
    let mut texts = Vec::new();
    for row in rows {
        let parts = if row.phase == Phase::Ok { Vec::new() } else { notes::of(context, row, told) };
        texts.push(parts);
    }
    let mut allowed = vec![0_usize; rows.len()];
    for _ in 0..MOST_BELOW {
        for (allowed, parts) in allowed.iter_mut().zip(&texts) {
            let needs = notes::flowed(parts, room, MOST_BELOW, context.theme).len();
            if spare > 0 && *allowed < needs {
                *allowed += 1;
                spare -= 1;
            }
        }
    }
    let lines = |(parts, most): (&Vec<(String, Style)>, usize)| {
        notes::flowed(parts, room, most, context.theme)
            .into_iter()
            .map(|spans| {
                let mut line = vec![Span::raw(" ".repeat(INDENT))];
                line.extend(spans);
                Line::from(line)
            })
            .collect()
    };
    texts.iter().zip(allowed).map(lines).collect()
}

fn cells(context: &Context<'_>, row: &AlertRow, width: u16, aside: bool) -> Vec<Cell> {
    let theme = context.theme;
    let narrow = width < figure::NARROW;
    let glyph = theme.verdict_glyph(row.verdict);
    let state = format!("{glyph} {}", word(row, width));
    let weight = if row.calls() { theme.strong() } else { theme.text() };
    let decided = if row.decided { "*" } else { "" };
    let style = if row.quality.usable() { weight } else { figure::faded(theme) };
    // Beside the details, which have the limit, the figure alone is enough.
    let alone = narrow || (context.zoomed && width < DETAILED);
    let value = if alone { notes::figure_alone(row) } else { notes::figure(row) };
    let value = value.unwrap_or_else(|| dash(theme).to_owned());
    let (since, since_style) = since(context, row, width);
    let count = row.n.filter(|n| *n > 1).map_or_else(String::new, |n| n.to_string());
    let (note, note_style) = notes::short(row).unwrap_or_default();
    let told = notes::Told { since: true, worst: false, count: false };
    let known = if aside && row.phase != Phase::Ok && !row.is_off() {
        notes::joined(&notes::of(context, row, &told), theme)
    } else {
        Vec::new()
    };
    vec![
        Cell::new(state, look(context, row)),
        Cell::new(format!("{}{decided}", row.priority.word()), theme.quiet()),
        Cell::new(row.title.clone(), weight),
        Cell::new(value, style),
        Cell::new(since, since_style),
        Cell::new(note, note_style.style(theme)),
        Cell::new(notes::worst(row).unwrap_or_default(), theme.quiet()),
        Cell::new(count, theme.quiet()),
        Cell::spans(known),
    ]
}

/// The word of a state: in capitals while it calls for somebody.
pub(super) fn word(row: &AlertRow, width: u16) -> &'static str {
    match (row.phase, row.calls()) {
        (Phase::Firing, true) => "FIRING",
        (Phase::Firing, false) => "firing",
        (Phase::Recovering, _) if width < figure::NARROW => "ending",
        (Phase::Recovering, _) => "recovering",
        (Phase::Unknown, _) if row.is_off() => "off",
        (Phase::Unknown, _) if row.quality == Quality::Waiting => "waiting",
        (Phase::Pending | Phase::Ok | Phase::Unknown, _) => row.phase.word(),
    }
}

/// The look of a state: as loud as it calls, dimmed where the data is old.
pub(super) fn look(context: &Context<'_>, row: &AlertRow) -> Style {
    let theme = context.theme;
    let style = theme.verdict(row.verdict, row.quality);
    match row.phase {
        Phase::Pending => theme.strong(),
        Phase::Firing | Phase::Recovering if !row.calls() || row.phase == Phase::Recovering => {
            style.remove_modifier(ratatui::style::Modifier::BOLD)
        }
        _ => style,
    }
}

/// Since when, or how much longer.
fn since(context: &Context<'_>, row: &AlertRow, width: u16) -> (String, Style) {
    let theme = context.theme;
    let long = width >= TIMES;
    match (row.fires_in, row.over_in, row.since) {
        (Some(left), ..) if left.is_zero() => ("next look".to_owned(), theme.strong()),
        (Some(left), ..) => {
            let lead = if long { "fires in" } else { "in" };
            (format!("{lead} {}", clock(left)), theme.strong())
        }
        (None, Some(left), _) if long => (format!("over in {}", clock(left)), theme.text()),
        (None, Some(left), _) => (format!("over {}", clock(left)), theme.text()),
        (None, None, Some(at)) if row.phase.is_active() => {
            let age = coarse_age(context.world.now.wall_since(at));
            let text = if long { format!("{} {age}", context.seconds_of_day(at)) } else { age };
            (text, theme.text())
        }
        _ => (String::new(), theme.quiet()),
    }
}
