//! What every pane needs to know to be drawn, and the rows that are picked.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use crate::{
    app::{
        rows,
        state::{MarkKind, World},
        view::{Pane, PaneView, View},
    },
    domain::time::{Moment, coarse_age},
    ui::{
        format, paint,
        scene::Scene,
        theme::Theme,
        widgets::{put, table::Table, window},
    },
};

/// What every pane needs to know to be drawn.
pub(super) struct Context<'a> {
    /// The state.
    pub(super) world: &'a World,
    /// The look.
    pub(super) theme: Theme,
    /// The pane.
    pub(super) pane: Pane,
    /// Whether it has the keys.
    pub(super) focused: bool,
    /// Whether it fills the screen.
    pub(super) zoomed: bool,
    /// Its position.
    pub(super) view: PaneView,
    /// The identities of the rows that pass the filter, in order.
    pub(super) ids: Vec<String>,
    /// The selected one of them.
    pub(super) position: usize,
    /// Identifiers are shown in full.
    pub(super) unmasked: bool,
    utc: bool,
    /// Everything else that is looked at.
    pub(super) screen: &'a View,
}

impl<'a> Context<'a> {
    pub(super) fn new(scene: &Scene<'a>, pane: Pane, focused: bool, zoomed: bool) -> Self {
        let view = scene.view.pane(pane);
        let ids = rows::of(scene.world, pane, &view);
        let position = rows::position(&ids, &view);
        Self {
            world: scene.world,
            theme: scene.theme,
            pane,
            focused,
            zoomed,
            view,
            ids,
            position,
            unmasked: scene.view.unmasked,
            utc: scene.view.utc,
            screen: scene.view,
        }
    }

    /// The rows that pass the filter. Both lists are in the same order.
    pub(super) fn keep<T>(&self, rows: Vec<T>, id: impl Fn(&T) -> String) -> Vec<T> {
        let mut wanted = self.ids.iter().peekable();
        rows.into_iter().filter(|row| wanted.next_if(|next| **next == id(row)).is_some()).collect()
    }

    /// The time of day of a moment.
    pub(super) fn time_of_day(&self, at: Moment) -> String {
        format::time_of_day(at, self.utc)
    }

    /// The time of day to the second, without its offset.
    pub(super) fn seconds_of_day(&self, at: Moment) -> String {
        format::seconds_of_day(at, self.utc)
    }

    /// The time of day without seconds.
    pub(super) fn hour_minute(&self, at: Moment) -> String {
        format::hour_minute(at, self.utc)
    }

    /// How long ago, in coarse words: `just now`, `40s ago`.
    pub(super) fn ago(&self, at: Moment) -> String {
        match coarse_age(self.world.now.since(at)).as_str() {
            "now" => "just now".to_owned(),
            age => format!("{age} ago"),
        }
    }

    /// The deploy markers among steps of a chart that begin at step `first`, as numbers of
    /// its bars.
    pub(super) fn deploys(&self, first: u64, step: Duration) -> Vec<usize> {
        self.world
            .marks
            .iter()
            .filter(|mark| mark.kind == MarkKind::Deploy)
            .filter_map(|mark| (mark.at.mono.as_secs() / step.as_secs().max(1)).checked_sub(first))
            .filter_map(|at| usize::try_from(at).ok())
            .collect()
    }

    /// How far back the left edge of a chart lies: `-12m`.
    pub(super) fn span(&self, bars: usize, step: Duration) -> String {
        format!("-{}", coarse_age(step * u32::try_from(bars).unwrap_or(u32::MAX)))
    }

    /// How to get to what a detail has no room for. Only a single row leaves the keys that
    /// move the selection to the detail.
    pub(super) fn scroll_hint(&self) -> &'static str {
        if matches!(self.pane, Pane::Health | Pane::Alerts) {
            "; PgDn scrolls"
        } else if self.ids.len() > 1 {
            "; / to one row, then j scrolls"
        } else {
            "; j scrolls"
        }
    }

    /// A line of text, cut where the area ends.
    pub(super) fn fitted(&self, text: &str, width: u16, style: Style) -> Line<'static> {
        let text = format::fit(text, usize::from(width), self.theme.glyphs().ellipsis);
        Line::styled(text, style)
    }

    /// What is said where there is no row to show.
    pub(super) fn empty(&self, buffer: &mut Buffer, area: Rect, nothing: &str) {
        let theme = self.theme;
        let filter = &self.view.filter;
        let (text, style) = if filter.is_empty() {
            (nothing.to_owned(), theme.unknown())
        } else {
            (format!("nothing matches '{filter}'; Esc clears the filter"), theme.quiet())
        };
        let lines = paint::wrapped("", &text, usize::from(area.width), style, style);
        put(buffer, area, &lines, self.theme);
    }

    /// Draws a table around the selected row, with the titles of its columns where there is
    /// room. `below` has further lines for some of the rows. Returns what part is visible, in
    /// words.
    pub(super) fn list(
        &self,
        buffer: &mut Buffer,
        area: Rect,
        table: &Table<'_>,
        below: &[Vec<Line<'static>>],
    ) -> Option<String> {
        let header = area.height >= 2 && usize::from(area.height) > table.len().min(5);
        if header {
            put(buffer, area, &[table.header()], self.theme);
        }
        let (_, area) = split_top(area, u16::from(header));
        let mut rows = area.rows();
        let more = |at: usize| below.get(at).map_or(&[][..], Vec::as_slice);
        let heights: Vec<usize> = (0..table.len()).map(|at| 1 + more(at).len()).collect();
        let range = window::visible(&heights, self.position, usize::from(area.height));
        for at in range.clone() {
            let selected = self.focused && at == self.position;
            let line = table.line(at, selected);
            for line in std::iter::once(&line).chain(more(at)) {
                if let Some(row) = rows.next() {
                    put(buffer, row, std::slice::from_ref(line), self.theme);
                }
            }
        }
        window::note(&range, table.len())
    }

    /// Draws the part of a list of `total` rows that was laid out, beginning with row
    /// `first`. Returns what part is visible, in words.
    pub(super) fn list_part(
        &self,
        buffer: &mut Buffer,
        area: Rect,
        table: &Table<'_>,
        first: usize,
        total: usize,
    ) -> Option<String> {
        let header = u16::from(area.height >= 3);
        if header > 0 {
            put(buffer, area, &[table.header()], self.theme);
        }
        let (_, rest) = split_top(area, header);
        let place = self.position.saturating_sub(first);
        let range = window::around(place, table.len(), usize::from(rest.height));
        for (at, row) in range.clone().zip(rest.rows()) {
            let selected = self.focused && at == place;
            put(buffer, row, &[table.line(at, selected)], self.theme);
        }
        window::note(&(range.start + first..range.end + first), total)
    }
}

/// The places of the list and of the detail beside or below it, in a zoomed pane.
pub(super) fn list_and_detail(area: Rect, rows: usize) -> (Rect, Rect) {
    if area.width >= 120 {
        let list = Rect { width: area.width * 2 / 5, ..area };
        let left = list.width + 3;
        return (list, Rect { x: area.x + left, width: area.width - left, ..area });
    }
    let wanted = (rows as u16).saturating_add(1).min(area.height / 3);
    let height = if area.height < 9 { 0 } else { wanted };
    let gap = u16::from(height > 0);
    let list = Rect { height, ..area };
    let detail = Rect { y: area.y + height + gap, height: area.height - height - gap, ..area };
    (list, detail)
}

/// An area cut at the top: the first rows, and the rest.
pub(super) fn split_top(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    (Rect { height: rows, ..area }, Rect { y: area.y + rows, height: area.height - rows, ..area })
}

/// Places for blocks of equal rank, side by side where they are at least `width` columns
/// wide, below each other otherwise; none where they would get fewer than `height` rows.
pub(super) fn blocks(area: Rect, count: usize, width: u16, height: u16) -> Option<Vec<Rect>> {
    let count = u16::try_from(count).ok().filter(|count| *count > 0)?;
    let columns = (area.width / width.max(1)).clamp(1, count);
    let rows = count.div_ceil(columns);
    let each = Rect { width: area.width / columns, height: area.height / rows, ..area };
    if count > 1 && each.height < height {
        return None;
    }
    let gap = u16::from(columns > 1) * 3;
    let space = u16::from(rows > 1 && each.height >= 8);
    let place = |at: u16| Rect {
        x: area.x + (at % columns) * each.width,
        y: area.y + (at / columns) * each.height,
        width: each.width.saturating_sub(gap),
        height: each.height - space,
    };
    Some((0..count).map(place).collect())
}
