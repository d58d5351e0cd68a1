//! A run: how far it is, what it said, whether its effect is there.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

use super::super::{layers::menu::outcome_verdict, paint, theme::Theme};
use crate::{
    app::{
        actions::{ProofState, Run, over_limit},
        state::State,
    },
    domain::{
        action::{ActionOutcome, Claim},
        time::{Moment, clock},
        verdict::{Quality, Verdict},
    },
};

/// The columns of the labels.
const LABELS: usize = 11;

/// Lines of output that are shown.
const OUTPUT: usize = 30;

/// Where a run is, in one line.
pub fn in_words(run: &Run, now: Moment) -> String {
    let title = &match &run.by {
        Some(by) => format!("{} (by {by})", run.title),
        None => run.title.clone(),
    };
    let since = clock(run.age(now));
    if let Some(outcome) = run.outcome {
        return format!("{}: {title}", outcome.word());
    }
    if let Some(deadline) = run.deadline {
        let holding = run.proofs.iter().filter(|proof| proof.holds == Some(true)).count();
        let left = clock(deadline.mono.saturating_sub(now.mono));
        return format!(
            "VERIFYING: {title}: {holding} of {} proofs hold, {left} left",
            run.proofs.len()
        );
    }
    if !run.journaled {
        return format!("STARTING: {title}: writing the intent to the journal, {since}");
    }
    if !run.sent {
        return format!("STARTING: {title}: about to be sent, {since}");
    }
    match &run.progress {
        Some(progress) => format!("RUNNING: {title}: {progress}, {since}"),
        None => format!("RUNNING: {title}: sent, no answer yet, {since}"),
    }
}

/// What an outcome means, and what to do next.
fn means(outcome: ActionOutcome) -> &'static str {
    match outcome {
        ActionOutcome::Confirmed => "it ran, and its effect was observed",
        ActionOutcome::Refuted => "it claimed success, but its effect is not there",
        ActionOutcome::Failed => "it said that it failed, or it could not be carried out",
        ActionOutcome::Cancelled => "stopped before it was done; what was done stays done",
        ActionOutcome::NeverStarted => "it was never sent: safe to try again",
        ActionOutcome::Unknown => "it may or may not have acted: look before trying again",
    }
}

fn meaning(run: &Run, outcome: ActionOutcome) -> &'static str {
    if run.failed_but_effective() {
        return "it said that it failed, BUT its effect is there";
    }
    if outcome == ActionOutcome::Confirmed && run.was_so_before() {
        return "it is as it should be, and was so before it ran";
    }
    means(outcome)
}

/// The run in full, and how many lines stand before what it printed.
pub fn lines(run: &Run, state: &State, width: usize, theme: Theme) -> (Vec<Line<'static>>, usize) {
    let mut lines = Vec::new();
    if let Some(outcome) = run.outcome {
        let style = theme.band(outcome_verdict(outcome));
        let text = super::super::format::fit(
            &format!("  {}: {}", outcome.word(), meaning(run, outcome)),
            width,
            theme.glyphs().ellipsis,
        );
        lines.extend([
            Line::styled(" ", style),
            Line::styled(text, style),
            Line::styled(" ", style),
        ]);
    }
    steps(&mut lines, run, state, width, theme);
    proofs(&mut lines, run, width, theme);
    let head = lines.len();
    output(&mut lines, run, width, theme);
    (lines, head)
}

/// Journal, sending, answer: each done, under way or not yet.
fn steps(lines: &mut Vec<Line<'static>>, run: &Run, state: &State, width: usize, theme: Theme) {
    let mut say = |label: &str, text: &str, style: Style| {
        let lead = format!("{label:<LABELS$}");
        lines.extend(paint::wrapped(&lead, text, width, theme.quiet(), style));
    };
    let over = run.outcome.is_some();
    let journal = match (run.journaled, over) {
        (true, _) => ("done: the intent is in the journal", theme.text()),
        (false, true) => ("the runner did not report it", theme.warning()),
        (false, false) => ("being written", theme.text()),
    };
    say("journal", journal.0, journal.1);
    let sent = match (run.sent, over || run.result.is_some()) {
        (true, _) => ("done: from here on it may have acted", theme.text()),
        (false, true) => ("not reported as sent", theme.warning()),
        (false, false) => ("not yet", theme.quiet()),
    };
    say("sending", sent.0, sent.1);
    let spec = state.world.catalog.action(&run.action);
    if run.sent && run.result.is_none() && spec.is_some_and(|spec| spec.interactive) {
        let text = "it asks questions, and may wait for an answer: o hands this terminal over";
        say("questions", text, theme.warning());
    }
    if let Some(progress) = run.progress.as_ref().filter(|_| run.result.is_none()) {
        say("progress", progress, theme.text());
    }
    match &run.result {
        Some((result, at)) => {
            let took = clock(run.age(*at));
            let (word, style) = claim(result.claim, run.outcome, theme);
            say("answer", &format!("{word}: {} (after {took})", result.summary), style);
        }
        None if over => say("answer", "none", theme.warning()),
        None => {
            let since = clock(run.age(state.world.now));
            let usual =
                state.world.actions.usual(&run.action).map(|(took, _)| super::plan::usual(took));
            let usual = usual.map(|took| format!("; usually {took}")).unwrap_or_default();
            let text = format!("none yet, {since} since it was started{usual}");
            say("answer", &text, theme.quiet());
            if let Some(over) = over_limit(&state.world, &run.action, run.started.wall) {
                say("limit", &format!("{over}; S asks it to end"), theme.warning());
            }
        }
    }
}

/// What the other side claims: evidence, not proof. Once the outcome is known, the claim is
/// over, and the outcome says what it was worth.
fn claim(claim: Claim, outcome: Option<ActionOutcome>, theme: Theme) -> (&'static str, Style) {
    match claim {
        Claim::Done if outcome.is_none() => ("claims to be done", theme.text()),
        Claim::Done if outcome == Some(ActionOutcome::Confirmed) => ("done", theme.text()),
        Claim::Done => ("claimed to be done", theme.text()),
        Claim::Refused => ("says no", theme.critical()),
        Claim::Unclear => ("unclear, it may have acted", theme.unknown()),
        Claim::NotSent => ("never sent", theme.warning()),
        Claim::Cancelled => ("stopped", theme.warning()),
    }
}

fn proofs(lines: &mut Vec<Line<'static>>, run: &Run, width: usize, theme: Theme) {
    let mut lead = format!("{:<LABELS$}", "proof");
    if run.proofs.is_empty() {
        let text = "none is configured: look for yourself whether it had its effect";
        lines.extend(paint::wrapped(&lead, text, width, theme.quiet(), theme.warning()));
    }
    for proof in &run.proofs {
        let (verdict, word) = word(proof, run.outcome.is_some());
        let style = theme.verdict(verdict, Quality::Fresh);
        let glyph = theme.verdict_glyph(verdict);
        let head = format!("{glyph} {word:<13} ");
        let text = format!("{}; {}", proof.when, proof.seen);
        let room = width.saturating_sub(LABELS);
        for mut line in paint::wrapped(&head, &text, room, style, theme.text()) {
            let blank = " ".repeat(LABELS);
            line.spans.insert(0, Span::styled(std::mem::replace(&mut lead, blank), theme.quiet()));
            lines.push(line);
        }
    }
}

fn word(proof: &ProofState, over: bool) -> (Verdict, &'static str) {
    match (proof.holds, over) {
        (Some(true), _) => (Verdict::Ok, "holds"),
        (Some(false), true) => (Verdict::Critical, "does not hold"),
        (Some(false), false) => (Verdict::Warning, "not yet"),
        (None, _) => (Verdict::Unknown, "not known"),
    }
}

/// The end of what it printed.
fn output(lines: &mut Vec<Line<'static>>, run: &Run, width: usize, theme: Theme) {
    let skipped = run.output.len().saturating_sub(OUTPUT);
    if run.output.is_empty() {
        return;
    }
    let mut lead = format!("{:<LABELS$}", "output");
    if skipped > 0 {
        let text = format!("({skipped} earlier lines are in the file of the run)");
        lines.extend(paint::wrapped(&lead, &text, width, theme.quiet(), theme.quiet()));
        lead = " ".repeat(LABELS);
    }
    for line in run.output.iter().skip(skipped) {
        lines.extend(paint::wrapped(&lead, line, width, theme.quiet(), theme.text()));
        lead = " ".repeat(LABELS);
    }
}
