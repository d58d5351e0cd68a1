//! Small helpers for putting text on the screen.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    symbols::border,
    text::{Line, Span},
    widgets::{Block, Clear, Widget},
};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::{format, theme::Theme};
use crate::domain::{
    text,
    verdict::{Quality, Verdict},
};

/// The width of a text in columns.
pub fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// Puts a line at the row `row` of the area, counted from its top; outside it nothing
/// happens.
pub fn line(buffer: &mut Buffer, area: Rect, row: u16, line: &Line<'_>) {
    if row < area.height {
        buffer.set_line(area.x, area.y + row, line, area.width);
    }
}

/// Fills an area with blanks of a style.
pub fn fill(buffer: &mut Buffer, area: Rect, style: Style) {
    Clear.render(area, buffer);
    buffer.set_style(area, style);
}

/// A line that carries its style over the whole width: a band.
pub fn band(buffer: &mut Buffer, area: Rect, text: &str, style: Style, theme: Theme) {
    fill(buffer, area, style);
    let room = usize::from(area.width.saturating_sub(2));
    let text = format::fit(text, room, theme.glyphs().ellipsis);
    line(buffer, area, 0, &Line::styled(format!(" {text}"), style));
}

/// Text broken at spaces to lines of at most `width` columns; a word that is longer than a
/// line is broken where the line ends. Spaces within a line stay as they are, for a request
/// must be shown exactly. Control characters are removed.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let safe = text::safe(text);
    let mut lines = Vec::new();
    let mut current = String::new();
    for (index, word) in safe.split(' ').enumerate() {
        if index > 0 && current.width() + 1 + word.width() <= width {
            current.push(' ');
        } else if !current.is_empty() {
            lines.push(std::mem::take(&mut current));
        }
        for grapheme in word.graphemes(true) {
            if current.width() + grapheme.width() > width && !current.is_empty() {
                lines.push(std::mem::take(&mut current));
            }
            current.push_str(grapheme);
        }
    }
    if !current.is_empty() || lines.is_empty() {
        lines.push(current);
    }
    lines
}

/// Text in at most `most` lines; the last of them ends in a mark where some is missing.
pub fn wrapped_to(text: &str, width: usize, most: usize, theme: Theme) -> Vec<String> {
    let mut lines = wrap(text, width);
    if lines.len() > most {
        let rest = lines.split_off(most.saturating_sub(1)).join(" ");
        lines.push(format::fit(&rest, width, theme.glyphs().ellipsis));
    }
    lines
}

/// Wrapped text with a first and a following indentation, in one style.
pub fn wrapped(
    lead: &str,
    text: &str,
    columns: usize,
    lead_style: Style,
    style: Style,
) -> Vec<Line<'static>> {
    let indent = lead.width();
    let rows = wrap(text, columns.saturating_sub(indent));
    rows.into_iter()
        .enumerate()
        .map(|(index, row)| {
            let lead = if index == 0 { lead.to_owned() } else { " ".repeat(indent) };
            Line::from(vec![Span::styled(lead, lead_style), Span::styled(row, style)])
        })
        .collect()
}

/// Text cut or filled up to exactly `columns`.
pub fn column(text: &str, columns: usize, theme: Theme) -> String {
    let mut cut = format::fit(text, columns, theme.glyphs().ellipsis);
    let missing = columns.saturating_sub(cut.width());
    cut.extend(std::iter::repeat_n(' ', missing));
    cut
}

/// The word of a verdict in at most four letters.
pub fn short_word(verdict: Verdict, quality: Quality) -> &'static str {
    match (verdict, quality) {
        (Verdict::Unknown, _) => "UNKN",
        (Verdict::Unjudged, Quality::TooFew) => "FEW",
        (Verdict::Unjudged, Quality::Waiting) => "WAIT",
        _ => verdict.word_for(quality),
    }
}

/// The word that warns of old data; empty where the reason beside it says enough.
pub fn age_word(quality: Quality) -> &'static str {
    match quality {
        Quality::Late | Quality::Stale | Quality::Offline => quality.word(),
        _ => "",
    }
}

/// A framed box over whatever lies there. Returns its inside. A box without room for a
/// frame has none.
pub fn framed(buffer: &mut Buffer, area: Rect, title: &str, style: Style, theme: Theme) -> Rect {
    Clear.render(area, buffer);
    whole_at_the_left(buffer, area);
    if area.width < 20 || area.height < 4 {
        return area;
    }
    let title =
        format::fit(title, usize::from(area.width.saturating_sub(6)), theme.glyphs().ellipsis);
    let block = Block::bordered()
        .border_set(border_set(theme))
        .border_style(style)
        .title(Span::styled(format!(" {title} "), style.add_modifier(Modifier::BOLD)));
    let inside = block.inner(area);
    block.render(area, buffer);
    Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside }
}

/// Takes away wide characters of which the box covers the second half: a terminal would
/// draw them over the frame.
fn whole_at_the_left(buffer: &mut Buffer, area: Rect) {
    if area.x > buffer.area.x {
        for y in area.top()..area.bottom() {
            let cell = &mut buffer[(area.x - 1, y)];
            if cell.symbol().width() > 1 {
                cell.set_symbol(" ");
            }
        }
    }
}

/// The lines of a border.
pub fn border_set(theme: Theme) -> border::Set<'static> {
    if theme.ascii {
        border::Set {
            top_left: "+",
            top_right: "+",
            bottom_left: "+",
            bottom_right: "+",
            vertical_left: "|",
            vertical_right: "|",
            horizontal_top: "-",
            horizontal_bottom: "-",
        }
    } else {
        border::PLAIN
    }
}

/// Replaces whatever a terminal without Unicode could not show. Foreign text may contain
/// anything.
pub fn only_ascii(buffer: &mut Buffer, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let cell = &mut buffer[(x, y)];
            let replacement = match cell.symbol() {
                symbol if symbol.is_ascii() => continue,
                "…" => "~",
                "·" | "–" | "—" => "-",
                "→" | "⟩" => ">",
                "⟨" => "<",
                "×" => "x",
                _ => "?",
            };
            cell.set_symbol(replacement);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_spaces_and_long_words_at_the_edge() {
        assert_eq!(wrap("delete the keys of a cache", 10), ["delete the", "keys of a", "cache"]);
        assert_eq!(wrap("redis://cache.internal", 8), ["redis://", "cache.in", "ternal"]);
        assert_eq!(wrap("SET  a   b", 10), ["SET  a   b"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("a\u{1b}[31mb\nc", 8), ["ab c"]);
    }

    #[test]
    fn wide_characters_count_as_two_columns_when_broken() {
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        // Where not even one fits, it is still shown and not looped over for ever.
        assert_eq!(wrap("日", 1), ["日"]);
    }

    #[test]
    fn a_box_leaves_no_half_of_a_wide_character_beside_it() {
        let theme = Theme { depth: super::super::theme::Depth::None, ascii: false };
        let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 5));
        buffer.set_string(0, 2, "日日日", Style::new());
        framed(&mut buffer, Rect::new(3, 0, 24, 5), "box", Style::new(), theme);
        assert_eq!(buffer[(0, 2)].symbol(), "日");
        assert_eq!(buffer[(2, 2)].symbol(), " ");
        assert_eq!(buffer[(3, 2)].symbol(), "│");
    }

    #[test]
    fn a_column_has_exactly_its_width() {
        let theme = Theme { depth: super::super::theme::Depth::None, ascii: false };
        assert_eq!(column("ok", 4, theme), "ok  ");
        assert_eq!(column("日本語", 4, theme), "日… ");
    }
}
