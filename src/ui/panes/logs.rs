//! Logs: whether they are read, what is in them, and the newest errors.
//!
//! ```text
//!    state   log        errors  entries        failed  why
//!  ▸ ○ SEEN  Content         3     12/s  2 % of 480
//!  312 lines dropped: they came too fast to be shown
//!
//!  Newest errors and failed requests
//!  14:32:07  content  error  database is gone  trace_id=4f…
//! ```

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    context::{Context, split_top},
    figure, log_entries, log_traffic,
};
use crate::{
    app::logs::{self, LogRow, TRAFFIC},
    domain::{text, value::grouped},
    ui::{
        format, paint,
        widgets::{
            dash, put,
            table::{Cell, Column, Table},
        },
    },
};

pub(super) const NOTHING: &str = "no log is configured";

const COLUMNS: [Column; 7] = [
    Column::words("state", 6, 9),
    Column::words("log", 6, 28),
    Column::numbers("errors", 6),
    Column::numbers("entries", 7).drop(3),
    Column::words("failed", 8, 18).drop(4),
    Column::words("why", 10, usize::MAX).drop(2),
    Column::words("data", 4, 14).drop(1),
];

/// Draws the logs and the newest errors; zoomed, the list of all entries.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>) -> Option<String> {
    let rows = logs::rows(context.world);
    if rows.is_empty() {
        context.empty(buffer, area, NOTHING);
        return None;
    }
    if context.view.tab == TRAFFIC {
        return log_traffic::draw(buffer, area, context, &rows);
    }
    if context.zoomed {
        return log_entries::draw(buffer, area, context, &rows);
    }
    let wanted = (rows.len() as u16 + 1).min(area.height.max(2) * 2 / 3).max(1);
    let (top, rest) = split_top(area, wanted);
    let note = table(buffer, top, context, &rows);
    let dropped = dropped(context, &rows, rest.width);
    let (place, rest) = split_top(rest, dropped.len().min(2) as u16);
    put(buffer, place, &dropped, context.theme);
    errors(buffer, rest, context, &rows);
    note
}

fn table(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[LogRow],
) -> Option<String> {
    let theme = context.theme;
    let cells = rows.iter().map(|row| {
        let badge = figure::badge(context, (row.verdict, row.quality), row.seen);
        let known = row.quality.usable() || row.errors.is_some();
        let none = || dash(theme).to_owned();
        let number = |figure: Option<String>| figure.unwrap_or_else(none);
        let errors = row.errors.map(|errors| grouped(errors.max(0.0) as u64));
        let style = match row.errors {
            Some(errors) if errors > 0.0 => theme.critical(),
            _ => theme.text(),
        };
        let why = if known { partly(row) } else { row.reason.clone() };
        vec![
            figure::verdict(theme, row.verdict, row.quality, area.width),
            Cell::new(row.title.clone(), figure::title_style(theme, row.verdict)),
            Cell::new(number(errors), style),
            Cell::new(number(row.rate.map(logs::rate_words)), theme.text()),
            Cell::new(number(failed(row)), theme.text()),
            Cell::new(why, if known { theme.quiet() } else { theme.unknown() }),
            Cell::new(badge.short(), badge.style(theme)),
        ]
    });
    let table = Table::new(&COLUMNS, cells.collect(), area.width, theme);
    context.list(buffer, area, &table, &[])
}

/// The share of requests that failed, and of how many.
fn failed(row: &LogRow) -> Option<String> {
    let requests = row.requests?;
    match row.error_rate {
        Some(rate) => Some(format!("{} of {}", format::percent(rate), format::count(requests))),
        None if requests == 0.0 => Some("no traffic".to_owned()),
        None => None,
    }
}

/// What is not known of the window of the figures.
fn partly(row: &LogRow) -> String {
    row.remarks.first().map_or_else(String::new, |remark| text::clip(remark, 200))
}

/// What nobody gets to see, and why.
pub(super) fn dropped(context: &Context<'_>, rows: &[LogRow], width: u16) -> Vec<Line<'static>> {
    let (left_out, too_long): (u64, u64) = rows
        .iter()
        .fold((0, 0), |(left_out, long), row| (left_out + row.left_out, long + row.too_long));
    let words = logs::dropped_words(left_out + too_long);
    let why = match (left_out, too_long) {
        (0, 0) => return Vec::new(),
        (_, 0) => "they came too fast to be shown; what the figures count is said above".to_owned(),
        (0, _) => "they were too long".to_owned(),
        (fast, long) => format!("{} came too fast, {} were too long", grouped(fast), grouped(long)),
    };
    vec![context.fitted(&format!("{words}: {why}"), width, context.theme.warning())]
}

/// The newest errors, the newest first; or why there is none.
fn errors(buffer: &mut Buffer, area: Rect, context: &Context<'_>, rows: &[LogRow]) {
    let theme = context.theme;
    if area.is_empty() {
        return;
    }
    let known = &context.world.logs.errors;
    let unread = rows.iter().filter(|row| !row.is_read()).count();
    if known.is_empty() {
        let counted = rows.iter().any(|row| row.errors.is_some_and(|errors| errors > 0.0));
        let (text, style) = match unread {
            0 if counted => (
                "the errors that are counted are not among the entries here".to_owned(),
                theme.quiet(),
            ),
            0 if rows.iter().any(|row| row.errors.is_none()) => {
                ("how many errors there are is not known".to_owned(), theme.unknown())
            }
            0 => ("no error among the entries that have come".to_owned(), theme.quiet()),
            _ if rows.len() == 1 => {
                ("no error is known: the log is not read".to_owned(), theme.unknown())
            }
            _ => {
                let all = rows.len();
                let text = format!("no error is known, but {unread} of {all} logs are not read");
                (text, theme.unknown())
            }
        };
        let (_, place) = split_top(area, u16::from(area.height >= 4));
        let lines = paint::wrapped("", &text, usize::from(area.width), style, style);
        put(buffer, place, &lines, theme);
        return;
    }
    let gap = u16::from(area.height >= 6);
    let (_, place) = split_top(area, gap);
    let heading = u16::from(place.height >= 3);
    let (head, list) = split_top(place, heading);
    let title = if unread == 0 {
        "Newest errors and failed requests"
    } else {
        "Newest errors, as far as logs are read"
    };
    put(buffer, head, &[Line::styled(title, theme.strong())], theme);
    let newest = known.iter().rev().take(usize::from(list.height));
    let lines: Vec<Line<'static>> = newest
        .map(|(source, entry)| {
            let time = format::milliseconds(entry.at, context.screen.utc);
            let time = time.get(..8).unwrap_or_default().to_owned();
            let who = log_entries::who(source, entry, rows.len() > 1);
            let who = if who.is_empty() { who } else { format!("{who}  ") };
            let mut spans = vec![
                Span::styled(format!("{time}  "), theme.quiet()),
                Span::styled(who, theme.quiet()),
                Span::styled(format!("{}  ", entry.level_word()), theme.critical()),
                Span::styled(entry.message.to_string(), theme.text()),
            ];
            spans.extend(log_entries::fields(entry, theme.quiet()));
            Line::from(spans)
        })
        .collect();
    put(buffer, list, &lines, theme);
}
