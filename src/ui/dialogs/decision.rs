//! The lowest lines of the dialog: what is asked now, and what each answer would do next.
//! The way out always comes first.

use ratatui::{
    style::Modifier,
    text::{Line, Span},
};

use super::super::{format, layers::line, paint, theme::Theme};
use crate::{
    app::{
        actions::{Dialog, Run, Stage, undo_of},
        state::State,
    },
    domain::{
        action::BREAK_GLASS,
        catalog::ActionSpec,
        text::safe,
        time::{Moment, clock},
        verdict::Verdict,
    },
};

/// The prompt of a line that is typed.
const PROMPT: &str = "> ";

/// The question of the stage.
pub fn lines(
    state: &State,
    dialog: &Dialog,
    spec: &ActionSpec,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    match &dialog.stage {
        Stage::Previewing => {
            lines.push(Line::from("measuring what it would do; nothing is sent"));
            lines.push(choices(&[("Esc", "Cancel", "Cancel")], width, theme));
        }
        Stage::Blocked => {
            lines.extend(blocked(dialog, width, theme));
            let mut offered = vec![("Esc", "Close, nothing was sent", "Close")];
            if dialog.holders().is_some() {
                offered.push(("T", "Take over: ask that run to stop", "Take over"));
            }
            lines.push(choices(&offered, width, theme));
        }
        Stage::TakeOver(typed) => {
            for who in dialog.locks().take(2) {
                let mut who = paint::wrapped("", who, width, theme.text(), theme.warning());
                who.truncate(2);
                lines.extend(who);
            }
            let asks = "Taking over asks that run to stop; what it has done stays done. Why? \
                        This goes into the journal.";
            let next = ("Enter", "go on; nothing is stopped yet", "go on");
            lines.extend(typing(dialog, asks, &typed.text, next, width, theme));
        }
        Stage::Reason(typed) => {
            let next = if spec.guard.wants_target_typed() {
                ("Enter", "go on to typing the target", "go on")
            } else {
                ("Enter", "go on to the question", "go on")
            };
            let asks = "Why? This goes into the journal.";
            lines.extend(typing(dialog, asks, &typed.text, next, width, theme));
        }
        Stage::Phrase(typed) => {
            let next = ("Enter", "start the countdown of 5 s", "start 5 s");
            let asks = format!("Type {} to go on.", dialog.target);
            lines.extend(typing(dialog, &asks, &typed.text, next, width, theme));
        }
        Stage::Approval { line: typed, until } => {
            lines.extend(second_person(state, dialog, &typed.text, *until, width, theme));
        }
        Stage::Confirm => {
            let note = "Enter does nothing here; only y sends it.";
            let note = if note.len() > width { "only y sends it" } else { note };
            lines.push(Line::styled(note, theme.quiet()));
            let sends = format!("send it now: {}", safe(&spec.title));
            let offered = [("Esc", "Cancel", "Cancel"), ("y", &sends, "send it now")];
            lines.push(choices(&offered, width, theme));
        }
        Stage::Countdown { until } => {
            let left = until.mono.saturating_sub(state.world.now.mono);
            let seconds = left.as_millis().div_ceil(1_000);
            let text = format!(" STARTS IN {seconds} s: any key stops it, and nothing is sent");
            lines.extend(agreed(dialog, width, theme));
            let text = format::fit(&text, width, theme.glyphs().ellipsis);
            lines.push(Line::styled(text, theme.band(Verdict::Critical)));
        }
        Stage::Running => lines.extend(gone(width, theme)),
    }
    lines
}

/// The lowest lines of a run.
pub fn running(run: &Run, state: &State, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if run.outcome.is_some() {
        let undo = undo_of(&state.world, run).map(|undo| format!("Undo it: {}", safe(&undo.title)));
        let mut offered = vec![("Esc", "Close", "Close")];
        offered.extend(undo.as_deref().map(|undo| ("U", undo, "Undo it")));
        return vec![choices(&offered, width, theme)];
    }
    let text = super::run::in_words(run, state.world.now);
    let text = format::fit(&text, width, theme.glyphs().ellipsis);
    lines.push(Line::styled(text, theme.warning()));
    let mut offered = vec![("Esc", "Close, it goes on without the dialog", "Close")];
    if run.cancelling {
        lines.push(Line::styled("was asked to stop; what was done stays done", theme.warning()));
    } else if run.result.is_none() {
        offered.push(("S", "Ask it to stop", "Stop"));
    }
    lines.push(choices(&offered, width, theme));
    lines
}

/// The lowest lines where there is nothing to decide.
pub fn gone(width: usize, theme: Theme) -> Vec<Line<'static>> {
    vec![choices(&[("Esc", "Close", "Close")], width, theme)]
}

/// The cursor behind what is typed: the row in these lines, the column.
pub fn cursor(
    dialog: &Dialog,
    bottom: &[Line<'_>],
    width: usize,
    theme: Theme,
) -> Option<(u16, u16)> {
    let (Stage::TakeOver(typed)
    | Stage::Reason(typed)
    | Stage::Phrase(typed)
    | Stage::Approval { line: typed, .. }) = &dialog.stage
    else {
        return None;
    };
    let (_, column) = line::prompt(PROMPT, &typed.text, width, theme);
    let row = u16::try_from(bottom.len()).ok()?.checked_sub(2)?;
    Some((row, column))
}

/// Waiting for a second person: how they agree, how long it counts, and the way around.
fn second_person(
    state: &State,
    dialog: &Dialog,
    typed: &str,
    until: Moment,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let left = clock(until.mono.saturating_sub(state.world.now.mono));
    let head = format!(" WAITING for a second person, {left} left; nothing is sent");
    let head = format::fit(&head, width, theme.glyphs().ellipsis);
    let mut lines = vec![Line::styled(head, theme.band(Verdict::Warning))];
    // Without the phrase, the command says itself what is missing.
    let how = format!("watchfloor approve {}", dialog.action);
    let whole = format!("{how} --confirm {}", dialog.target);
    let how = if whole.len() + 11 <= width { whole } else { how };
    let lead = if width < 60 { "" } else { "elsewhere  " };
    lines.extend(paint::wrapped(lead, &how, width, theme.quiet(), theme.strong()));
    let later = if width < 60 { "." } else { "; that is reviewed later." };
    let asks = format!("Or type {BREAK_GLASS} to go on alone{later}");
    let next = ("Enter", "go on alone", "alone");
    lines.extend(typing(dialog, &asks, typed, next, width, theme));
    lines
}

/// Who agreed, before it starts.
fn agreed(dialog: &Dialog, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let text = match (&dialog.approval, dialog.break_glass) {
        (Some(approval), _) => format!("asked by you; agreed by {}", approval.words()),
        (None, true) => "BREAK GLASS: nobody agreed; that is reviewed later".to_owned(),
        (None, false) => return Vec::new(),
    };
    paint::wrapped("", &text, width, theme.text(), theme.critical())
}

/// A question that is answered by typing.
fn typing(
    dialog: &Dialog,
    question: &str,
    typed: &str,
    next: (&str, &str, &str),
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mut lines = asked(dialog, question, width, theme);
    lines.push(line::prompt(PROMPT, typed, width, theme).0);
    lines.push(choices(&[("Esc", "Cancel", "Cancel"), next], width, theme));
    lines
}

/// The question, or what was wrong with the last answer. Never cut: what must be typed must
/// be readable.
fn asked(dialog: &Dialog, question: &str, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let Some(complaint) = &dialog.complaint else {
        return paint::wrapped("", question, width, theme.text(), theme.strong());
    };
    let mut lines = paint::wrapped("", complaint, width, theme.text(), theme.warning());
    if matches!(dialog.stage, Stage::Phrase(_)) {
        lines.extend(paint::wrapped("", question, width, theme.text(), theme.strong()));
    }
    lines
}

/// Why it must not be started.
fn blocked(dialog: &Dialog, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines =
        vec![Line::styled(" IT CANNOT BE STARTED; nothing was sent", theme.band(Verdict::Warning))];
    let reasons: Vec<String> = match &dialog.preview {
        Some(Ok(preview)) => preview.refusals.clone(),
        Some(Err(failure)) => vec![failure.to_string()],
        None => Vec::new(),
    };
    for reason in reasons.iter().take(3) {
        let mut wrapped = paint::wrapped("  ", reason, width, theme.text(), theme.warning());
        wrapped.truncate(2);
        lines.extend(wrapped);
    }
    if reasons.len() > 3 {
        let text = format!("  and {} more reasons", reasons.len() - 3);
        lines.push(Line::styled(text, theme.warning()));
    }
    lines
}

/// Keys and what they do, in long or in short words; the first is the way out and looks
/// like the one that is chosen.
pub(super) fn choices(offered: &[(&str, &str, &str)], width: usize, theme: Theme) -> Line<'static> {
    let line = |long: bool| {
        let mut spans = Vec::new();
        for (index, (key, does, short)) in offered.iter().enumerate() {
            let does = if long { does } else { short };
            if index == 0 {
                let style = theme.selected().add_modifier(Modifier::BOLD);
                spans.push(Span::styled(format!(" {key}  {does} "), style));
            } else {
                spans.push(Span::styled(format!("   {key}"), theme.key()));
                spans.push(Span::styled(format!("  {does}"), theme.text()));
            }
        }
        Line::from(spans)
    };
    let long = line(true);
    if long.width() <= width { long } else { line(false) }
}
