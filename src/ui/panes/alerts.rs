//! Alert rules: what fires first, then what is about to.

use ratatui::{buffer::Buffer, layout::Rect};

use super::context::Context;
use crate::{
    app::alerts::{self, AlertRow},
    domain::time::{clock, coarse_age},
    ui::widgets::table::{Cell, Column, Table},
};

pub(super) const NOTHING: &str = "no alert rules are configured";

const COLUMNS: [Column; 6] = [
    Column::words("state", 10, 12),
    Column::words("", 2, 2),
    Column::words("alert", 12, 40),
    Column::words("value", 8, 24),
    Column::words("since", 6, 16).drop(1),
    Column::words("why", 8, usize::MAX).drop(2),
];

/// Draws the alerts.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, context: &Context<'_>) -> Option<String> {
    let rows = context.keep(alerts::rows(context.world), |row| row.rule.to_string());
    if rows.is_empty() {
        context.empty(buffer, area, NOTHING);
        return None;
    }
    let cells = rows.iter().map(|row| cells(context, row)).collect();
    let table = Table::new(&COLUMNS, cells, area.width, context.theme);
    let below: Vec<_> = rows.iter().map(|_| Vec::new()).collect();
    context.list(buffer, area, &table, &below)
}

fn cells(context: &Context<'_>, row: &AlertRow) -> Vec<Cell> {
    let theme = context.theme;
    let style = theme.verdict(row.verdict, row.quality);
    let value = row.value.clone().unwrap_or_default();
    let since = match (row.fires_in, row.since) {
        (Some(left), _) => format!("in {}", clock(left)),
        (None, Some(since)) => coarse_age(context.world.now.wall_since(since)),
        (None, None) => String::new(),
    };
    vec![
        Cell::new(row.word(), style),
        Cell::new(row.priority.word(), theme.quiet()),
        Cell::new(row.title.clone(), theme.text()),
        Cell::new(format!("{value} {}", row.threshold), theme.strong()),
        Cell::new(since, theme.quiet()),
        Cell::new(row.reason.clone(), theme.quiet()),
    ]
}
