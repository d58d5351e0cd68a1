//! Bars over time, with lines at limits and marks at moments.
//!
//! ```text
//!  800 ms │      ▆      ┃
//!     500 │───▃──█──────┃─▂───   a limit
//!       0 │▁▂▁█▂·█▁▁▂▁▁▂█▁█▁▂▁   · nothing is known
//!                ✖               given up
//!          -5m             now
//! ```

use ratatui::{
    style::{Modifier, Style},
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use crate::{
    domain::verdict::Verdict,
    ui::{paint, theme::Theme},
};

/// One bar.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bar {
    /// Its height; none where nothing is known.
    pub value: Option<f64>,
    /// Its look.
    pub style: Style,
    /// Something failed here: a mark stands below.
    pub flagged: bool,
}

/// A line across the chart at a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Where.
    pub value: f64,
    /// The value in words.
    pub label: String,
    /// Its look.
    pub style: Style,
}

/// A chart of bars.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// The bars, oldest first; the newest stands at the right edge.
    pub bars: &'a [Bar],
    /// Lines at limits.
    pub rules: &'a [Rule],
    /// Numbers of the bars that are marked.
    pub markers: &'a [usize],
    /// The value at the upper edge.
    pub top: f64,
    /// The value at the upper edge, in words.
    pub top_label: String,
    /// What stands below the left and the right edge.
    pub span: (String, String),
    /// The look.
    pub theme: Theme,
}

/// The columns for the values at the left, with the line beside them.
const GUTTER: usize = 9;

/// Bars of this chart that fit into `width` columns.
pub fn room(width: u16) -> usize {
    usize::from(width).saturating_sub(GUTTER)
}

/// The columns that a chart of so many bars takes.
pub fn width(bars: usize) -> u16 {
    u16::try_from(bars + GUTTER).unwrap_or(u16::MAX)
}

/// A round upper edge for these values: 1, 2 or 5 times a power of ten, so that a chart
/// does not change its scale with every value. A limit is taken in where the values come
/// near to it; far above them it would press them flat.
pub fn round_top(values: impl Iterator<Item = f64>, limits: &[f64]) -> f64 {
    let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    let near = |limit: &&f64| most == 0.0 || **limit <= most * 2.5;
    let most = limits.iter().filter(near).copied().fold(most, f64::max);
    if most <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(most.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| most <= *top)
        .unwrap_or(most)
}

/// How many eighths of a row a value fills: at least one, so that a known value is never
/// drawn like an unknown one.
fn eighths(value: f64, top: f64, height: usize) -> usize {
    let full = height * 8;
    if value.is_nan() || value <= 0.0 || top <= 0.0 {
        return 1.min(full);
    }
    ((value / top * full as f64).round() as usize).clamp(1.min(full), full)
}

/// The row, from the top, in which a value lies; none above the upper edge.
fn row_of(value: f64, top: f64, height: usize) -> Option<usize> {
    if !(0.0..=top).contains(&value) || height == 0 {
        return None;
    }
    let from_bottom = ((value / top) * height as f64).ceil() as usize;
    Some(height - from_bottom.clamp(1, height))
}

impl Chart<'_> {
    /// The chart in lines: its bars, a line for marks where there are any, and the time.
    pub fn lines(&self, width: u16, height: u16) -> Vec<Line<'static>> {
        let flagged = self.bars.iter().any(|bar| bar.flagged);
        let below = match height {
            0..=2 => 0,
            3..=4 => 1,
            _ => 1 + usize::from(flagged),
        };
        let rows = usize::from(height).saturating_sub(below);
        let room = room(width);
        if rows == 0 || room == 0 {
            return Vec::new();
        }
        let skipped = self.bars.len().saturating_sub(room);
        let bars = &self.bars[skipped..];
        let pad = room - bars.len();
        let mut lines: Vec<Line<'static>> =
            (0..rows).map(|row| self.row(row, rows, bars, skipped, pad)).collect();
        if below > 0 && flagged {
            lines.push(self.marks(bars, pad));
        }
        if below > usize::from(flagged) {
            lines.push(self.time(room));
        }
        lines
    }

    fn row(
        &self,
        row: usize,
        rows: usize,
        bars: &[Bar],
        skipped: usize,
        pad: usize,
    ) -> Line<'static> {
        let rule = self.rules.iter().find(|rule| row_of(rule.value, self.top, rows) == Some(row));
        let mut line = Cells::default();
        self.label(row, rows, rule, &mut line);
        for _ in 0..pad {
            self.empty(rule, false, &mut line);
        }
        for (at, bar) in bars.iter().enumerate() {
            let marked = self.markers.contains(&(skipped + at));
            let floor = (rows - 1 - row) * 8;
            let level = bar.value.map(|value| eighths(value, self.top, rows));
            match level.map(|level| level.saturating_sub(floor).min(8)) {
                Some(filled @ 1..) => line.push(self.theme.glyphs().bars[filled - 1], bar.style),
                None if row + 1 == rows && !marked => {
                    line.push(self.theme.glyphs().gap, self.theme.quiet());
                }
                _ => self.empty(rule, marked, &mut line),
            }
        }
        line.done()
    }

    /// A cell without a bar: a mark before a line before nothing.
    fn empty(&self, rule: Option<&Rule>, marked: bool, line: &mut Cells) {
        match (marked, rule) {
            (true, _) => line.push(self.theme.glyphs().marker, self.theme.key()),
            (false, Some(rule)) => line.push(self.theme.glyphs().line, faint(rule.style)),
            (false, None) => line.push(" ", Style::new()),
        }
    }

    fn label(&self, row: usize, rows: usize, rule: Option<&Rule>, line: &mut Cells) {
        let quiet = self.theme.quiet();
        let (text, style) = match rule {
            Some(rule) => (rule.label.as_str(), faint(rule.style)),
            None if row == 0 => (self.top_label.as_str(), quiet),
            None if row + 1 == rows && rows > 1 => ("0", quiet),
            None => ("", quiet),
        };
        let width = GUTTER - 2;
        let cut = paint::column(text, text.width().min(width), self.theme);
        line.push(&" ".repeat(width.saturating_sub(cut.width())), Style::new());
        line.push(&cut, style);
        line.push(" ", Style::new());
        line.push(self.theme.glyphs().upright, quiet);
    }

    fn marks(&self, bars: &[Bar], pad: usize) -> Line<'static> {
        let glyph = self.theme.verdict_glyph(Verdict::Critical);
        let mut line = Cells::default();
        line.push(&" ".repeat(GUTTER + pad), Style::new());
        for bar in bars {
            if bar.flagged {
                line.push(glyph, self.theme.critical());
            } else {
                line.push(" ", Style::new());
            }
        }
        line.done()
    }

    fn time(&self, room: usize) -> Line<'static> {
        let (left, right) = &self.span;
        let between = room.saturating_sub(left.width() + right.width());
        let text = format!("{}{left}{}{right}", " ".repeat(GUTTER), " ".repeat(between));
        Line::styled(text, self.theme.quiet())
    }
}

/// The look of a limit: there all the time, so it must not shout.
fn faint(style: Style) -> Style {
    style.remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM)
}

/// Cells of a line, neighbours of one style joined.
#[derive(Default)]
struct Cells(Vec<(String, Style)>);

impl Cells {
    fn push(&mut self, text: &str, style: Style) {
        match self.0.last_mut() {
            Some((last, same)) if *same == style => last.push_str(text),
            _ => self.0.push((text.to_owned(), style)),
        }
    }

    fn done(self) -> Line<'static> {
        Line::from(
            self.0.into_iter().map(|(text, style)| Span::styled(text, style)).collect::<Vec<_>>(),
        )
    }
}

/// Bars in a single row, without scale or lines: a trend beside a number.
pub fn trend(bars: &[Option<u64>], style: Style, theme: Theme) -> Line<'static> {
    let top = bars.iter().flatten().max().copied().unwrap_or(0) as f64;
    let glyphs = theme.glyphs();
    let mut line = Cells::default();
    for bar in bars {
        match bar {
            None => line.push(glyphs.gap, theme.quiet()),
            Some(0) => line.push(glyphs.bars[0], theme.quiet()),
            Some(count) => {
                line.push(glyphs.bars[eighths(*count as f64, top, 1) - 1], style);
            }
        }
    }
    line.done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Depth;

    const THEME: Theme = Theme { depth: Depth::None, ascii: false };

    #[test]
    fn the_upper_edge_is_round_and_holds_every_value() {
        assert_eq!(round_top([12.0, 180.0].into_iter(), &[]), 200.0);
        assert_eq!(round_top([200.0].into_iter(), &[]), 200.0);
        assert_eq!(round_top([201.0].into_iter(), &[]), 500.0);
        assert_eq!(round_top([0.7].into_iter(), &[]), 1.0);
        assert_eq!(round_top(std::iter::empty(), &[]), 1.0);
        assert_eq!(round_top([f64::NAN, f64::INFINITY].into_iter(), &[]), 1.0);
    }

    #[test]
    fn a_limit_counts_where_the_values_come_near_to_it() {
        assert_eq!(round_top([210.0].into_iter(), &[500.0]), 500.0);
        assert_eq!(round_top([180.0].into_iter(), &[500.0]), 200.0);
        assert_eq!(round_top([20.0].into_iter(), &[500.0]), 20.0);
        assert_eq!(round_top(std::iter::empty(), &[500.0]), 500.0);
    }

    #[test]
    fn a_known_value_is_never_drawn_like_an_unknown_one() {
        assert_eq!(eighths(0.0, 100.0, 4), 1);
        assert_eq!(eighths(0.01, 100.0, 4), 1);
        assert_eq!(eighths(50.0, 100.0, 4), 16);
        assert_eq!(eighths(100.0, 100.0, 4), 32);
        assert_eq!(eighths(900.0, 100.0, 4), 32);
        assert_eq!(eighths(f64::NAN, 100.0, 4), 1);
        assert_eq!(eighths(5.0, 100.0, 0), 0);
    }

    #[test]
    fn a_value_lies_in_the_row_that_its_bar_ends_in() {
        assert_eq!(row_of(100.0, 100.0, 4), Some(0));
        assert_eq!(row_of(76.0, 100.0, 4), Some(0));
        assert_eq!(row_of(75.0, 100.0, 4), Some(1));
        assert_eq!(row_of(0.0, 100.0, 4), Some(3));
        assert_eq!(row_of(101.0, 100.0, 4), None);
    }

    #[test]
    fn bars_gaps_lines_and_marks_stand_where_they_belong() {
        let bar = |value| Bar { value, ..Bar::default() };
        let bars = [
            bar(Some(100.0)),
            bar(None),
            Bar { flagged: true, ..bar(Some(25.0)) },
            bar(Some(50.0)),
        ];
        let chart = Chart {
            bars: &bars,
            rules: &[Rule { value: 50.0, label: "50".to_owned(), style: Style::new() }],
            markers: &[3],
            top: 100.0,
            top_label: "100 ms".to_owned(),
            span: ("-1m".to_owned(), "now".to_owned()),
            theme: THEME,
        };
        let lines: Vec<String> = chart.lines(15, 6).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                " 100 ms │  █  ┃",
                "        │  █  ┃",
                "     50 │──█──█",
                "      0 │  █·██",
                "             ✖ ",
                "         -1mnow",
            ]
        );
        let small: Vec<String> = chart.lines(11, 2).iter().map(ToString::to_string).collect();
        assert_eq!(small, [" 100 ms │ ┃", "     50 │▄█"]);
    }

    #[test]
    fn a_trend_tells_none_from_unknown() {
        let line = trend(&[None, Some(0), Some(1), Some(8)], Style::new(), THEME);
        assert_eq!(line.to_string(), "·▁▁█");
        assert_eq!(trend(&[Some(0)], Style::new(), THEME).to_string(), "▁");
    }
}
