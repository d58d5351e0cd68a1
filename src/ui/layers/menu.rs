//! The menu of actions, and the menu of faults of the demo.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use crate::{
    app::{
        actions::{self, ActionRow, Run},
        state::{State, World},
    },
    domain::{
        action::{ActionOutcome, PastRun},
        catalog::ActionSpec,
        time::{coarse_age, short_duration},
        verdict::{Quality, Verdict},
    },
    ui::{dialogs, format, keys, paint, theme::Theme},
};

/// Earlier runs without a known end that are listed at most.
const UNRESOLVED: usize = 3;

/// Draws the menu of actions.
pub fn actions(buffer: &mut Buffer, area: Rect, state: &State, selected: usize, theme: Theme) {
    let inside = paint::framed(buffer, area, "Actions", theme.border(true), theme);
    let all = actions::rows(&state.world);
    let mut rows: Vec<(Line<'static>, bool)> =
        unresolved(state, inside.width, theme).into_iter().map(|line| (line, false)).collect();
    let Some(chosen) = all.get(selected).or_else(|| all.last()) else {
        rows.push((Line::styled("no action is configured", theme.quiet()), false));
        list(buffer, inside, &rows, 0, theme);
        return;
    };
    for (index, row) in all.iter().enumerate() {
        rows.push((one(row, usize::from(inside.width), theme), index == selected));
    }
    let detail = detail(chosen, &state.world, usize::from(inside.width), theme);
    let below = detail.len().min(usize::from(inside.height / 2)) as u16;
    let upper = Rect { height: inside.height.saturating_sub(below), ..inside };
    let lower = Rect { y: inside.y + upper.height, height: below, ..inside };
    let chosen_row = rows.iter().position(|(_, chosen)| *chosen).unwrap_or(0);
    list(buffer, upper, &rows, chosen_row, theme);
    for (row, line) in lower.rows().zip(&detail) {
        paint::line(buffer, row, 0, line);
    }
}

/// Draws the menu of faults.
pub fn faults(buffer: &mut Buffer, area: Rect, state: &State, selected: usize, theme: Theme) {
    let inside = paint::framed(buffer, area, "Faults of the demo", theme.border(true), theme);
    let width = usize::from(inside.width);
    let rows: Vec<(Line<'static>, bool)> = state
        .demo_faults
        .iter()
        .enumerate()
        .map(|(index, (name, title, explains))| {
            let name = paint::column(name, 16, theme);
            let title = paint::column(title, 28, theme);
            let room = width.saturating_sub(48);
            let explains = format::fit(explains, room, theme.glyphs().ellipsis);
            let line = Line::from(vec![
                Span::styled(format!("  {name} "), theme.strong()),
                Span::styled(title, theme.text()),
                Span::styled(format!(" {explains}"), theme.quiet()),
            ]);
            (line, index == selected)
        })
        .collect();
    let explains = state.demo_faults.get(selected).map_or("", |(_, _, explains)| explains.as_str());
    let mut detail = vec![Line::default()];
    detail.extend(paint::wrapped("", explains, width, theme.text(), theme.text()));
    detail.push(Line::styled("Enter turns the selected fault on, or off again", theme.quiet()));
    let below = detail.len().min(usize::from(inside.height / 2)) as u16;
    let upper = Rect { height: inside.height.saturating_sub(below), ..inside };
    let lower = Rect { y: inside.y + upper.height, height: below, ..inside };
    list(buffer, upper, &rows, selected, theme);
    for (row, line) in lower.rows().zip(&detail) {
        paint::line(buffer, row, 0, line);
    }
}

/// Draws rows so that the chosen one is in sight.
fn list(
    buffer: &mut Buffer,
    area: Rect,
    rows: &[(Line<'static>, bool)],
    chosen: usize,
    theme: Theme,
) {
    let first = (chosen + 1).saturating_sub(usize::from(area.height).max(1));
    for (row, (line, is_chosen)) in area.rows().zip(rows.iter().skip(first)) {
        paint::line(buffer, row, 0, line);
        if *is_chosen {
            buffer.set_style(row, Style::reset());
            buffer.set_style(row, theme.selected());
            buffer.set_string(row.x, row.y, theme.glyphs().pointer, theme.selected());
        }
    }
}

/// Runs of earlier consoles without a known end: they come before everything else.
fn unresolved(state: &State, width: u16, theme: Theme) -> Vec<Line<'static>> {
    let open: Vec<&PastRun> =
        state.world.actions.history.iter().filter(|run| !run.resolved).collect();
    let mut lines: Vec<Line<'static>> = open
        .iter()
        .take(UNRESOLVED)
        .map(|run| {
            let when = run.wall.strftime("%Y-%m-%d %H:%MZ");
            let (action, by) = (&run.action, &run.by);
            let text = match actions::standing(&state.world, run) {
                Some(standing) => format!("  UNRESOLVED {action}: {standing}; {when} by {by}"),
                None => format!(
                    "  UNRESOLVED {action} of {when} by {by}: it may have acted; look before \
                     trying again"
                ),
            };
            let text = format::fit(&text, usize::from(width), theme.glyphs().ellipsis);
            Line::styled(text, theme.unknown())
        })
        .collect();
    if open.len() > UNRESOLVED {
        lines
            .push(Line::styled(format!("  and {} more", open.len() - UNRESOLVED), theme.unknown()));
    }
    if !lines.is_empty() {
        lines.push(Line::default());
    }
    lines
}

fn one(row: &ActionRow, width: usize, theme: Theme) -> Line<'static> {
    let spec = &row.spec;
    let letter = spec.key.filter(|letter| keys::is_free_in_menu(*letter)).unwrap_or(' ');
    let title_width = if width >= 90 { 40 } else { 32 };
    let title = paint::column(&spec.title, title_width, theme);
    let last = row.last.as_ref().map(last_word).unwrap_or_default();
    let status_width = width.saturating_sub(title_width + 11 + last.len());
    let (status, style) = match &row.why_not {
        None => ("ready".to_owned(), theme.ok()),
        Some(why) => (format!("no: {why}"), theme.quiet()),
    };
    let title_style = if row.why_not.is_none() { theme.strong() } else { theme.quiet() };
    Line::from(vec![
        Span::styled(format!("  {letter} "), theme.key()),
        Span::styled(format!(" {:?} ", spec.guard), theme.quiet()),
        Span::styled(title, title_style),
        Span::styled(format!(" {} ", paint::column(&status, status_width, theme)), style),
        Span::styled(
            last.to_owned(),
            row.last.as_ref().map_or(theme.quiet(), |run| outcome_style(run, theme)),
        ),
    ])
}

fn last_word(run: &PastRun) -> &'static str {
    match (run.resolved, run.by.as_str()) {
        (true, _) => run.outcome.word(),
        (false, "here") => "under way",
        (false, _) => "UNRESOLVED",
    }
}

/// How an outcome looks.
pub fn outcome_verdict(outcome: ActionOutcome) -> Verdict {
    match outcome {
        ActionOutcome::Confirmed => Verdict::Ok,
        ActionOutcome::Refuted | ActionOutcome::Failed => Verdict::Critical,
        ActionOutcome::Cancelled | ActionOutcome::NeverStarted => Verdict::Warning,
        ActionOutcome::Unknown => Verdict::Unknown,
    }
}

fn outcome_style(run: &PastRun, theme: Theme) -> Style {
    let verdict = if run.resolved { outcome_verdict(run.outcome) } else { Verdict::Unknown };
    theme.verdict(verdict, Quality::Fresh)
}

/// How an action is practised, and when that was last done.
fn practice(spec: &ActionSpec, world: &World) -> String {
    if world.catalog.is_production() {
        return "not here: this is production".to_owned();
    }
    let drilled = |run: &&PastRun| run.action == spec.id && run.trace.drill;
    let last = world.actions.history.iter().find(drilled).map(|run| {
        let age = world.now.wall.duration_since(run.wall);
        format!("last drilled {} ago", coarse_age(age.try_into().unwrap_or_default()))
    });
    let last = last.unwrap_or_else(|| "never drilled".to_owned());
    format!("{last}; watchfloor run {} --drill", spec.id)
}

/// Everything about the selected action that the row cannot hold.
fn detail(row: &ActionRow, world: &World, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let spec = &row.spec;
    let mut lines = vec![Line::default()];
    let mut say = |lead: &str, text: &str, style| {
        let lead = format!("{lead:<11}");
        lines.extend(paint::wrapped(&lead, text, width, theme.quiet(), style));
    };
    match &row.why_not {
        Some(why) => say("not now", why, theme.warning()),
        None => {
            let demands = dialogs::demands(spec.guard);
            let text = format!("Enter shows what it would do; then {demands}");
            say("starts by", &text, theme.text());
        }
    }
    if let Some(effect) = spec.effects.first() {
        say("does", effect, theme.text());
    }
    if !spec.cooldown.is_zero() {
        let text = format!("{} between two runs", short_duration(spec.cooldown));
        say("rests", &text, theme.text());
    }
    match &row.last {
        Some(run) => {
            let when = run.wall.strftime("%Y-%m-%d %H:%MZ");
            let drill = if run.trace.drill { ", for practice" } else { "" };
            let text = format!("{} at {when} by {}{drill}", last_word(run), run.by);
            say("last run", &text, outcome_style(run, theme));
        }
        None => say("last run", "none that is known", theme.text()),
    }
    if spec.drill {
        say("practice", &practice(spec, world), theme.text());
    }
    // The dialog of a run can be closed; why it ended as it did stays readable here.
    let here = world.actions.runs.iter().rev().find(|run| run.action == spec.id);
    for line in here.map(Run::evidence).unwrap_or_default() {
        say("  proof", &line, theme.text());
    }
    if let Some(armed) = &world.actions.armed {
        say("armed for", &armed.reason, theme.text());
    }
    lines
}
