//! The first row: where one is, how it stands, what one may do.
//!
//! ```text
//! exodrive  PRODUCTION  ✖ CRIT   READ-ONLY  LIVE        12/14 sources answer  eva@ops1  14:32 +01:00
//! ```
//!
//! Every part has shorter forms; where the row is too narrow, the least important part is
//! shortened first.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{Chrome, format, paint, theme::Theme};
use crate::{
    app::{actions::Stage, state::State, view::Layer},
    domain::{
        time::clock,
        verdict::{Quality, Verdict},
    },
};

/// A part of the row: its forms, longest first, the last of which may be empty.
struct Part {
    forms: Vec<String>,
    style: Style,
    /// How soon it is shortened: the highest first.
    rank: u8,
    /// It stands at the right.
    right: bool,
    form: usize,
}

impl Part {
    fn new(forms: &[&str], style: Style, rank: u8) -> Self {
        let forms = forms.iter().map(|form| (*form).to_owned()).collect();
        Self { forms, style, rank, right: false, form: 0 }
    }

    fn right(mut self) -> Self {
        self.right = true;
        self
    }

    fn text(&self) -> &str {
        self.forms.get(self.form).map_or("", String::as_str)
    }

    fn width(&self) -> u16 {
        paint::width(self.text())
    }

    fn shrinks(&self) -> bool {
        self.form + 1 < self.forms.len()
    }
}

/// Draws the row.
pub fn draw(
    buffer: &mut Buffer,
    area: Rect,
    state: &State,
    theme: Theme,
    chrome: &Chrome,
    now: Verdict,
) {
    if area.is_empty() {
        return;
    }
    let mut parts = parts(state, theme, chrome, now);
    fit(&mut parts, area.width.saturating_sub(2));
    let join = |right: bool| {
        let mut spans = Vec::new();
        for part in parts.iter().filter(|part| part.right == right && part.width() > 0) {
            if !spans.is_empty() {
                spans.push(Span::raw(" "));
            }
            spans.push(Span::styled(part.text().to_owned(), part.style));
        }
        Line::from(spans)
    };
    let (left, right) = (join(false), join(true));
    paint::line(buffer, area, 0, &left);
    let taken = u16::try_from(right.width()).unwrap_or(area.width).min(area.width);
    let at = Rect { x: area.right().saturating_sub(taken + 1).max(area.x), width: taken, ..area };
    paint::line(buffer, at, 0, &right);
}

/// Whether actions are allowed now.
pub fn is_armed(state: &State) -> bool {
    state.world.actions.armed_for(state.world.now).is_some()
}

/// Shortens parts until they fit with a blank between any two.
fn fit(parts: &mut [Part], room: u16) {
    loop {
        let shown = parts.iter().filter(|part| part.width() > 0);
        let (count, total) = shown.fold((0u16, 0u16), |(count, total), part| {
            (count + 1, total.saturating_add(part.width()))
        });
        if total.saturating_add(count.saturating_sub(1)) <= room {
            return;
        }
        let next = parts.iter_mut().filter(|part| part.shrinks()).max_by_key(|part| part.rank);
        match next {
            Some(part) => part.form += 1,
            None => return,
        }
    }
}

fn parts(state: &State, theme: Theme, chrome: &Chrome, now: Verdict) -> Vec<Part> {
    let world = &state.world;
    let name = crate::domain::text::safe(&world.catalog.service).into_owned();
    let short_name = format::fit(&name, 12, theme.glyphs().ellipsis);
    let shorter_name = format::fit(&name, 6, theme.glyphs().ellipsis);
    let mut parts = vec![
        Part::new(
            &[&format!(" {name}"), &format!(" {short_name}"), &format!(" {shorter_name}"), ""],
            theme.strong(),
            4,
        ),
        environment(state, theme),
        verdict(theme, now),
        mode(state, theme),
        live(state, theme),
    ];
    if state.view.unmasked {
        parts.push(Part::new(&[" UNMASKED ", ""], theme.band(Verdict::Unknown), 5));
    }
    let (answering, all) = world.sources.pulse();
    let pulse = if answering < all {
        theme.verdict(Verdict::Warning, Quality::Fresh)
    } else {
        theme.quiet()
    };
    parts.push(
        Part::new(
            &[
                &format!("{answering}/{all} sources answer"),
                &format!("{answering}/{all} answer"),
                &format!("{answering}/{all}"),
                "",
            ],
            pulse,
            8,
        )
        .right(),
    );
    let identity = format::fit(&chrome.identity, 32, theme.glyphs().ellipsis);
    parts.push(Part::new(&[&identity, ""], theme.quiet(), 9).right());
    parts.push(time(state, theme.text()));
    parts
}

fn environment(state: &State, theme: Theme) -> Part {
    let catalog = &state.world.catalog;
    let long = crate::domain::text::safe(&catalog.environment).to_uppercase();
    let short = if catalog.is_production() {
        "PROD".to_owned()
    } else {
        format::fit(&long, 5, theme.glyphs().ellipsis)
    };
    let style = if catalog.is_production() {
        theme.band(Verdict::Critical)
    } else {
        theme.band(Verdict::Ok)
    };
    Part::new(&[&format!(" {long} "), &format!(" {short} "), &short], style, 3)
}

fn verdict(theme: Theme, now: Verdict) -> Part {
    let (word, glyph) = (now.word(), theme.verdict_glyph(now));
    Part::new(&[&format!("{glyph} {word}"), word], theme.verdict(now, Quality::Fresh), 1)
}

fn mode(state: &State, theme: Theme) -> Part {
    match state.world.actions.armed_for(state.world.now) {
        Some(left) => {
            let words = format!("ARMED {}", clock(left));
            Part::new(&[&format!(" {words} "), &words], theme.armed(), 1)
        }
        None => Part::new(&["READ-ONLY", "RO", ""], theme.strong(), 5),
    }
}

fn live(state: &State, theme: Theme) -> Part {
    match state.view.frozen {
        Some(at) => {
            let long = format!(" FROZEN {} ", at_seconds(at, state));
            let short = format!(" FROZEN {} ", format::hour_minute(at, state.view.utc));
            Part::new(&[&long, &short, "FROZEN"], theme.band(Verdict::Unknown), 2)
        }
        None => Part::new(&["LIVE", ""], theme.text(), 7),
    }
}

fn at_seconds(at: crate::domain::time::Moment, state: &State) -> String {
    let shown = format::time_of_day(at, state.view.utc);
    shown.split(['Z', ' ']).next().unwrap_or(&shown).to_owned()
}

/// The clock moves once a minute; only where something runs against time, once a second.
fn time(state: &State, style: Style) -> Part {
    let now = state.world.now;
    let whole = format::time_of_day(now, state.view.utc);
    let short = format::hour_minute(now, state.view.utc);
    let offset = whole.get(8..).unwrap_or("");
    let coarse = format!("{short}{offset}");
    let forms: &[&str] = if runs_against_time(state) {
        &[&whole, &coarse, &short, ""]
    } else {
        &[&coarse, &short, ""]
    };
    Part::new(forms, style, 6).right()
}

fn runs_against_time(state: &State) -> bool {
    let countdown = state.view.layers.iter().any(|layer| {
        matches!(layer, Layer::Dialog(dialog) if matches!(dialog.stage, Stage::Countdown { .. }))
    });
    countdown || is_armed(state) || state.world.actions.in_flight().is_some()
}
