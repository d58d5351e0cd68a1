//! A share as a horizontal bar.

use ratatui::{style::Style, text::Span};

use crate::ui::theme::Theme;

/// A bar of `width` cells, filled to `share` of one. Anything above nothing fills at least
/// one cell, and only the whole fills the last one: a bar must not say "none" or "full" of
/// what is neither.
pub fn bar(share: f64, width: usize, style: Style, theme: Theme) -> Vec<Span<'static>> {
    let filled = filled(share, width);
    let glyphs = theme.glyphs();
    vec![
        Span::styled(glyphs.bars[7].repeat(filled), style),
        Span::styled(glyphs.line.repeat(width - filled), theme.quiet()),
    ]
}

fn filled(share: f64, width: usize) -> usize {
    if share.is_nan() || share <= 0.0 || width == 0 {
        return 0;
    }
    if share >= 1.0 {
        return width;
    }
    let most = width.saturating_sub(1).max(1);
    ((share * width as f64).round() as usize).clamp(1, most)
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn a_bar_is_empty_only_for_nothing_and_full_only_for_everything() {
        assert_eq!(filled(0.0, 10), 0);
        assert_eq!(filled(0.001, 10), 1);
        assert_eq!(filled(0.5, 10), 5);
        assert_eq!(filled(0.999, 10), 9);
        assert_eq!(filled(1.0, 10), 10);
        assert_eq!(filled(f64::INFINITY, 10), 10);
        assert_eq!(filled(f64::NAN, 10), 0);
        assert_eq!(filled(0.3, 0), 0);
    }
}
