//! What the requests in the logs were about: paths, worst first, and the worst requests.

use ratatui::{buffer::Buffer, layout::Rect, text::Line};

use super::context::{Context, split_top};
use crate::{
    app::logs::{self, LogRow},
    domain::{observation::WorstRequest, time::short_duration, value::grouped},
    ui::{
        format, paint,
        widgets::{
            dash, put,
            table::{Cell, Column, Table},
            window,
        },
    },
};

const PATHS: [Column; 5] = [
    Column::words("path", 10, usize::MAX),
    Column::numbers("requests", 8),
    Column::numbers("failed", 6),
    Column::numbers("share", 6).drop(2),
    Column::numbers("slowest", 9).drop(1),
];

const WORST: [Column; 5] = [
    Column::words("at", 8, 8).drop(1),
    Column::numbers("status", 6),
    Column::numbers("took", 9),
    Column::words("path", 8, usize::MAX).drop(2),
    Column::words("trace id", 8, 40),
];

/// Width from which both stand side by side.
const SIDE_BY_SIDE: u16 = 150;

/// Draws both lists; requests can be selected.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[LogRow],
) -> Option<String> {
    let theme = context.theme;
    let (paths, worst) = (logs::paths(context.world), logs::worst(context.world));
    let unread: Vec<Line<'static>> = rows
        .iter()
        .filter(|row| row.verdict.is_trouble())
        .map(|row| {
            let text = format!("not read: {}: {}", row.title, row.reason);
            context.fitted(&text, area.width, theme.unknown())
        })
        .collect();
    let (top, area) = split_top(area, (unread.len() as u16).min(area.height / 3 + 1));
    put(buffer, top, &unread, theme);
    if paths.is_empty() {
        if unread.is_empty() {
            let text = format!("no traffic: no request in {}", over(rows));
            let lines =
                paint::wrapped("", &text, usize::from(area.width), theme.quiet(), theme.quiet());
            put(buffer, area, &lines, theme);
        }
        return None;
    }
    let (left, right) = if area.width >= SIDE_BY_SIDE {
        let left = Rect { width: area.width * 2 / 5, ..area };
        (left, Rect { x: left.right() + 3, width: area.width - left.width - 3, ..area })
    } else {
        let wanted = paths.len() as u16 + 3;
        split_top(area, wanted.min(area.height / 2))
    };
    let cells = paths.iter().map(|(_, path)| {
        let bad = if path.failed > 0 { theme.critical() } else { theme.quiet() };
        let share = path.failed as f64 / path.requests.max(1) as f64;
        vec![
            Cell::new(path.path.to_string(), theme.text()),
            Cell::new(format::count(path.requests as f64), theme.text()),
            Cell::new(format::count(path.failed as f64), bad),
            Cell::new(format::percent(share), bad),
            Cell::new(took(path.slowest_ms, dash(theme)), theme.text()),
        ]
    });
    let table = Table::new(&PATHS, cells.collect(), left.width, theme);
    let (head, below) = split_top(left, u16::from(left.height >= 4));
    let (all_paths, all_requests, since) = logs::extent(context.world);
    let listed = of_all(paths.len(), all_paths);
    let known = since.map_or_else(String::new, |since| {
        let time = format::milliseconds(since, context.screen.utc);
        format!(", known since {} only", time.get(..8).unwrap_or_default())
    });
    let title = format!("Paths in {}{known}, worst first{listed}", over(rows));
    put(buffer, head, &[context.fitted(&title, left.width, theme.strong())], theme);
    let all = usize::try_from(all_paths).unwrap_or(usize::MAX).max(paths.len());
    put(buffer, below, &table.lines_of(usize::from(below.height), all), theme);
    let worst: Vec<WorstRequest> = worst.into_iter().map(|(_, of)| of).collect();
    requests(buffer, right, context, &worst, all_requests)
}

fn requests(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    worst: &[WorstRequest],
    all: u64,
) -> Option<String> {
    let theme = context.theme;
    let (head, below) = split_top(area, u16::from(area.height >= 4));
    let listed = of_all(worst.len(), all);
    let title = format!("Worst requests{listed}: Enter shows the entries of a trace id");
    put(buffer, head, &[context.fitted(&title, area.width, theme.strong())], theme);
    let range = window::around(context.position, worst.len(), usize::from(below.height));
    let cells = worst[range.clone()].iter().map(|request| {
        let bad = if request.status >= 500 { theme.critical() } else { theme.text() };
        let time = format::milliseconds(request.at, context.screen.utc);
        vec![
            Cell::new(time.get(..8).unwrap_or_default(), theme.quiet()),
            Cell::new(request.status.to_string(), bad),
            Cell::new(took(request.ms, dash(theme)), theme.text()),
            Cell::new(request.path.to_string(), theme.text()),
            Cell::new(request.trace.as_deref().unwrap_or(dash(theme)), theme.quiet()),
        ]
    });
    let table = Table::new(&WORST, cells.collect(), below.width, theme);
    context.list_part(buffer, below, &table, range.start, worst.len())
}

/// How many of all are listed, in words; nothing where all are.
fn of_all(listed: usize, all: u64) -> String {
    let listed = listed as u64;
    if listed >= all {
        return String::new();
    }
    format!(" ({} of {})", grouped(listed), grouped(all))
}

fn took(ms: Option<f64>, none: &str) -> String {
    ms.map_or_else(|| none.to_owned(), |ms| format!("{} ms", format::count(ms)))
}

/// The window of the lists.
fn over(rows: &[LogRow]) -> String {
    rows.iter().find_map(|row| row.window).map_or_else(|| "the window".to_owned(), short_duration)
}
