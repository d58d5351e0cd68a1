//! Names and values, one below the other.

use ratatui::{
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::fitted;
use crate::ui::{paint, theme::Theme};

/// A list of names and values with the values aligned.
#[derive(Debug)]
pub struct Pairs {
    theme: Theme,
    entries: Vec<(String, Value)>,
}

#[derive(Debug)]
enum Value {
    /// Broken over as many lines as it needs.
    Text(String, Style),
    /// One line, cut where it ends.
    Spans(Vec<Span<'static>>),
}

/// Names longer than this are cut.
const LONGEST_NAME: usize = 24;

impl Pairs {
    /// An empty list.
    pub fn new(theme: Theme) -> Self {
        Self { theme, entries: Vec::new() }
    }

    /// Adds a text, which is wrapped. An empty one is left out.
    #[must_use]
    pub fn text(mut self, name: impl Into<String>, text: impl Into<String>, style: Style) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.entries.push((name.into(), Value::Text(text, style)));
        }
        self
    }

    /// Adds a line made of several parts.
    #[must_use]
    pub fn spans(mut self, name: impl Into<String>, spans: Vec<Span<'static>>) -> Self {
        self.entries.push((name.into(), Value::Spans(spans)));
        self
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The list in lines of `width` columns.
    pub fn lines(self, width: u16) -> Vec<Line<'static>> {
        let longest = self.entries.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
        let names = longest.min(LONGEST_NAME).min(usize::from(width) / 2);
        let (theme, quiet) = (self.theme, self.theme.quiet());
        let mut lines = Vec::new();
        for (name, value) in self.entries {
            let lead = format!("{}  ", paint::column(&name, names, theme));
            match value {
                Value::Text(text, style) => {
                    lines.extend(paint::wrapped(&lead, &text, usize::from(width), quiet, style));
                }
                Value::Spans(spans) => {
                    let room = usize::from(width).saturating_sub(names + 2);
                    let mut all = vec![Span::styled(lead, quiet)];
                    all.extend(fitted(&spans, room, theme).0);
                    lines.push(Line::from(all));
                }
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Depth;

    #[test]
    fn values_are_aligned_and_wrapped_under_themselves() {
        let theme = Theme { depth: Depth::None, ascii: false };
        let pairs = Pairs::new(theme)
            .text("since", "14:02", Style::new())
            .text("why", "no answer in time", Style::new())
            .text("left out", "", Style::new());
        let lines: Vec<String> = pairs.lines(16).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["since  14:02", "why    no answer", "       in time"]);
    }
}
