//! The dialog of a guarded action.
//!
//! ```text
//! ┌ Clear the content cache ─────────────────────────────────────┐
//! │ on  exodrive/production  G3: a reason, the target typed, …    │  always in sight
//! │ it sends        UNLINK keys of content:*                      │
//! │ it affects      content     12 345 keys  exact                │  scrolls, what
//! │ proof, undo, what it does, what it leaves …                   │  decides first
//! │ [ Esc  Cancel ]   y  Clear the content cache                  │  always in sight
//! └───────────────────────────────────────────────────────────────┘
//! ```

pub mod decision;

pub mod form;

pub mod plan;

pub mod run;

use ratatui::text::{Line, Span};

use super::{layers::Sheet, theme::Theme};
use crate::{
    app::{
        actions::{Dialog, Stage},
        state::State,
    },
    domain::{catalog::ActionSpec, guard::Guard, verdict::Verdict},
};

/// What starting an action takes, in words.
pub fn demands(guard: Guard) -> &'static str {
    match guard {
        // Also what only reads is asked for first: it is an action, and it is journaled.
        Guard::G0 => "y to confirm",
        other => other.demands(),
    }
}

/// What a mistake with it would cost, in words.
fn risk(guard: Guard) -> &'static str {
    match guard {
        Guard::G0 => "reads only",
        Guard::G1 => "cheap and repeatable",
        Guard::G2 => "a change of production",
        Guard::G3 => "DISRUPTIVE",
        Guard::G4 => "IRREVERSIBLE",
    }
}

/// The dialog as it stands.
pub fn sheet(state: &State, dialog: &Dialog, width: usize, theme: Theme) -> Sheet {
    let spec = state.world.catalog.action(&dialog.action);
    // The proof as it will be looked for.
    let proven = spec.and_then(|spec| spec.proven_with(&dialog.asked).ok());
    let spec = proven.as_ref().or(spec);
    let started =
        (dialog.stage == Stage::Running).then(|| state.world.actions.run(&dialog.run)).flatten();
    let mut head = None;
    let ((middle, vital), bottom) = match (started, spec) {
        (Some(run), _) => {
            let (lines, before_output) = run::lines(run, state, width, theme);
            head = Some(before_output);
            ((lines, 0), decision::running(run, state, width, theme))
        }
        (None, Some(spec)) => (
            plan::lines(state, dialog, spec, width, theme),
            decision::lines(state, dialog, spec, width, theme),
        ),
        (None, None) => {
            let text = "this action is no longer configured; nothing was sent";
            ((vec![Line::styled(text, theme.warning())], 0), decision::gone(width, theme))
        }
    };
    let title = started.map(|run| run.title.as_str()).or(spec.map(|spec| spec.title.as_str()));
    let cursor = decision::cursor(dialog, &bottom, width, theme);
    Sheet {
        title: title.unwrap_or(dialog.action.as_str()).to_owned(),
        frame: frame(state, spec, theme),
        top: top(state, dialog, spec, width, theme),
        middle,
        vital,
        head,
        bottom,
        // During a countdown nothing can be scrolled, and what is sent must be in sight.
        scroll: if matches!(dialog.stage, Stage::Countdown { .. }) { 0 } else { dialog.scroll },
        cursor,
        typed: None,
    }
}

/// Red for what disrupts production, yellow for what changes something.
fn frame(state: &State, spec: Option<&ActionSpec>, theme: Theme) -> ratatui::style::Style {
    match spec.map(|spec| spec.guard) {
        Some(guard) if guard >= Guard::G3 => theme.critical(),
        Some(Guard::G2) if state.world.catalog.is_production() => theme.critical(),
        Some(Guard::G1 | Guard::G2) => theme.warning(),
        _ => theme.border(true),
    }
}

/// Where it acts, and what a mistake would cost.
fn top(
    state: &State,
    dialog: &Dialog,
    spec: Option<&ActionSpec>,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mut lines = place(state, &dialog.target, spec, width, theme);
    if dialog.stage == Stage::Running && !dialog.reason.is_empty() && spec.is_some() {
        let reason = format!("reason: {}", dialog.reason);
        let ellipsis = theme.glyphs().ellipsis;
        lines.push(Line::styled(super::format::fit(&reason, width, ellipsis), theme.quiet()));
    }
    lines
}

/// The target, and what a mistake would cost.
fn place(
    state: &State,
    target: &str,
    spec: Option<&ActionSpec>,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let catalog = &state.world.catalog;
    let verdict = if catalog.is_production() { Verdict::Critical } else { Verdict::Ok };
    let ellipsis = theme.glyphs().ellipsis;
    let target = super::format::fit(target, width.saturating_sub(6), ellipsis);
    let mut target_line = vec![
        Span::styled("on ", theme.quiet()),
        Span::styled(format!(" {target} "), theme.band(verdict)),
    ];
    let Some(spec) = spec else { return vec![Line::from(target_line)] };
    let risk = format!("  {:?} {}", spec.guard, risk(spec.guard));
    let style = if spec.guard >= Guard::G3 { theme.critical() } else { theme.strong() };
    target_line.push(Span::styled(risk, style));
    vec![Line::from(target_line)]
}
