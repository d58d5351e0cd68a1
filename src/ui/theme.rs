//! Colours and glyphs. Every state is a word first, then a glyph, then a colour, so that
//! nothing is lost on a terminal without colours or without Unicode.

use ratatui::style::{Color, Modifier, Style};

use crate::domain::verdict::{Quality, Verdict};

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Attributes only.
    None,
    /// The terminal's own 16.
    Ansi16,
    /// 256 or more.
    Rich,
}

/// The look of the screen on one terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Colours.
    pub depth: Depth,
    /// ASCII only.
    pub ascii: bool,
}

/// The glyphs of a border, a chart and a mark, in Unicode or in ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Eight levels of a bar, lowest first.
    pub bars: [&'static str; 8],
    /// Where nothing is known.
    pub gap: &'static str,
    /// A horizontal line.
    pub line: &'static str,
    /// A vertical line.
    pub upright: &'static str,
    /// The selected row.
    pub pointer: &'static str,
    /// More is hidden.
    pub ellipsis: &'static str,
    /// Between two things.
    pub dot: &'static str,
    /// The deploy marker on a chart.
    pub marker: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    bars: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    gap: "·",
    line: "─",
    upright: "│",
    pointer: "▸",
    ellipsis: "…",
    dot: "·",
    marker: "┃",
};

const ASCII: Glyphs = Glyphs {
    bars: [".", ".", ":", ":", "+", "+", "#", "#"],
    gap: " ",
    line: "-",
    upright: "|",
    pointer: ">",
    ellipsis: "~",
    dot: "-",
    marker: "!",
};

impl Theme {
    /// The glyphs of this terminal.
    pub fn glyphs(self) -> &'static Glyphs {
        if self.ascii { &ASCII } else { &UNICODE }
    }

    fn color(self, basic: Color, rich: u8) -> Style {
        match self.depth {
            Depth::None => Style::new(),
            Depth::Ansi16 => Style::new().fg(basic),
            Depth::Rich => Style::new().fg(Color::Indexed(rich)),
        }
    }

    /// Ordinary text.
    pub fn text(self) -> Style {
        Style::new()
    }

    /// Text of less weight: labels, units, ages.
    pub fn quiet(self) -> Style {
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::DIM),
            Depth::Ansi16 => Style::new().fg(Color::DarkGray),
            Depth::Rich => Style::new().fg(Color::Indexed(245)),
        }
    }

    /// Text of more weight: titles, figures.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Keys in hints.
    pub fn key(self) -> Style {
        self.color(Color::Cyan, 80).add_modifier(Modifier::BOLD)
    }

    /// The selected row.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The border and the title of a pane.
    pub fn border(self, focused: bool) -> Style {
        if focused {
            self.color(Color::Cyan, 80).add_modifier(Modifier::BOLD)
        } else {
            self.quiet()
        }
    }

    /// Well.
    pub fn ok(self) -> Style {
        self.color(Color::Green, 71)
    }

    /// Needs attention.
    pub fn warning(self) -> Style {
        self.color(Color::Yellow, 221).add_modifier(Modifier::BOLD)
    }

    /// Broken.
    pub fn critical(self) -> Style {
        self.color(Color::LightRed, 203).add_modifier(Modifier::BOLD)
    }

    /// Not known.
    pub fn unknown(self) -> Style {
        self.color(Color::Magenta, 176)
    }

    /// A band across the screen that must be seen: armed, offline, frozen.
    pub fn band(self, verdict: Verdict) -> Style {
        let background = match verdict {
            Verdict::Ok => (Color::Green, 28),
            Verdict::Warning => (Color::Yellow, 178),
            Verdict::Critical => (Color::Red, 124),
            Verdict::Unknown => (Color::Magenta, 90),
            Verdict::Unjudged => (Color::DarkGray, 240),
        };
        let foreground = match verdict {
            Verdict::Critical | Verdict::Unknown | Verdict::Unjudged => Color::White,
            Verdict::Ok | Verdict::Warning => Color::Black,
        };
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
            Depth::Ansi16 => {
                Style::new().fg(foreground).bg(background.0).add_modifier(Modifier::BOLD)
            }
            Depth::Rich => Style::new()
                .fg(foreground)
                .bg(Color::Indexed(background.1))
                .add_modifier(Modifier::BOLD),
        }
    }

    /// What has to do with actions being allowed. No verdict has this look, so that neither
    /// is taken for the other.
    pub fn armed(self) -> Style {
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
            Depth::Ansi16 => {
                Style::new().fg(Color::Black).bg(Color::LightCyan).add_modifier(Modifier::BOLD)
            }
            Depth::Rich => {
                Style::new().fg(Color::Black).bg(Color::Indexed(208)).add_modifier(Modifier::BOLD)
            }
        }
    }

    /// The style of a verdict. What rests on data that is not fresh is dimmed as well.
    pub fn verdict(self, verdict: Verdict, quality: Quality) -> Style {
        let style = match verdict {
            Verdict::Ok => self.ok(),
            Verdict::Warning => self.warning(),
            Verdict::Critical => self.critical(),
            Verdict::Unknown => self.unknown(),
            Verdict::Unjudged => self.quiet(),
        };
        if matches!(quality, Quality::Late | Quality::Stale) {
            style.add_modifier(Modifier::DIM)
        } else {
            style
        }
    }

    /// The glyph of a verdict, one column wide.
    pub fn verdict_glyph(self, verdict: Verdict) -> &'static str {
        match (verdict, self.ascii) {
            (Verdict::Ok, false) => "●",
            (Verdict::Warning, false) => "▲",
            (Verdict::Critical, false) => "✖",
            (Verdict::Unknown, _) => "?",
            (Verdict::Unjudged, false) => "○",
            (Verdict::Unjudged, true) => "o",
            (Verdict::Ok, true) => "+",
            (Verdict::Warning, true) => "!",
            (Verdict::Critical, true) => "X",
        }
    }
}
