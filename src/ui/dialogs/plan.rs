//! What an action would do: the part of the dialog that is read before anything is agreed to.

use std::time::Duration;

use ratatui::{
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::super::{format, paint, theme::Theme};
use crate::{
    app::{actions::Dialog, state::State},
    domain::{
        action::{LOCKED, Preview},
        catalog::ActionSpec,
        observation::KeyGroup,
        text::safe,
        time::{coarse_age, short_duration},
    },
};

/// The columns of the labels.
const LABELS: usize = 12;

/// Collects labelled lines.
struct Page {
    lines: Vec<Line<'static>>,
    width: usize,
    theme: Theme,
}

impl Page {
    /// Texts under one label, each on its own line.
    fn say<'a>(&mut self, label: &str, texts: impl IntoIterator<Item = &'a str>, style: Style) {
        let mut lead = format!("{label:<LABELS$}");
        for text in texts {
            let lines = paint::wrapped(&lead, text, self.width, self.theme.quiet(), style);
            self.lines.extend(lines);
            lead = " ".repeat(LABELS);
        }
    }
}

/// All of it, and how many of the first lines nobody should agree to without having seen
/// them: what is sent, what it affects, what it does and leaves, how it will be proven,
/// whether it can be undone. The rest of what is sent, headers and an environment, stands last.
pub fn lines(
    state: &State,
    dialog: &Dialog,
    spec: &ActionSpec,
    width: usize,
    theme: Theme,
) -> (Vec<Line<'static>>, usize) {
    let mut page = Page { lines: Vec::new(), width, theme };
    let shown = dialog.asked.shown();
    let given: Vec<String> =
        spec.asks.iter().filter_map(|ask| Some(given(&ask.title, shown.get(&ask.name)?))).collect();
    page.say("given", given.iter().map(String::as_str), theme.text());
    let mut details = Vec::new();
    match &dialog.preview {
        None => page.say("it sends", ["being worked out: nothing is sent by that"], theme.quiet()),
        Some(Err(failure)) => {
            let text = format!("could not be worked out: {failure}");
            page.say("it sends", [text.as_str()], theme.critical());
        }
        Some(Ok(preview)) => {
            details = request(&mut page, preview);
            page.lines.extend(groups(&preview.groups, width, theme));
        }
    }
    if let (Some(_), Some(preview)) = (&dialog.take_over, dialog.clear_preview()) {
        let from = preview.refusals.iter().filter_map(|why| why.strip_prefix(LOCKED));
        page.say("takes over", from, theme.warning());
        page.say("", ["that run is asked to stop first, 30 s at most"], theme.warning());
    }
    page.say("it does", spec.effects.iter().map(String::as_str), theme.text());
    if spec.leaves.is_empty() {
        page.say("untouched", ["nothing is said about that"], theme.quiet());
    } else {
        page.say("untouched", spec.leaves.iter().map(String::as_str), theme.text());
    }
    match &spec.undo {
        Some(undo) => {
            let title = state.world.catalog.action(undo).map_or(undo.as_str(), |undo| &undo.title);
            page.say("undo", [format!("{title} ({undo})").as_str()], theme.text());
        }
        None => page.say("undo", ["there is none"], theme.warning()),
    }
    proof(&mut page, spec);
    if let Some(Ok(preview)) = &dialog.preview {
        let measured = format!("measured {}", in_words(state.world.now.since(preview.at)));
        let findings = preview.findings.iter().map(String::as_str).chain([measured.as_str()]);
        page.say("findings", findings, theme.text());
    }
    if spec.interactive {
        let text = "it asks questions: this terminal is handed over; Ctrl-] takes it back";
        page.say("it asks", [text], theme.warning());
    }
    let vital = page.lines.len();
    page.say("takes", [super::demands(spec.guard)], theme.text());
    rest(&mut page, state, dialog, spec);
    page.say("sent with", details, theme.quiet());
    (page.lines, vital)
}

/// What a program is given anyway: it fills a screen and decides nothing.
const USUAL_ENVIRONMENT: [&str; 9] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "TMPDIR", "WATCHFLOOR_RUN"];

/// What is sent, and what goes with it: the headers of an HTTP request, and the environment
/// that a program has in any case. Nothing is in neither.
fn parted(request: &[String]) -> (Vec<&str>, Vec<&str>) {
    let (mut sent, mut details) = (Vec::new(), Vec::new());
    let mut headers = false;
    for line in request.iter().map(String::as_str) {
        let text = line.trim_start();
        let usual = text.split_once('=').is_some_and(|(name, _)| USUAL_ENVIRONMENT.contains(&name));
        if headers && text.is_empty() {
            headers = false;
        } else if headers || usual {
            details.push(text);
            // Those of a step stand in one line.
            headers &= line == text;
        } else if let Some(asked) = line.strip_suffix(" HTTP/1.1") {
            sent.push(asked);
            headers = true;
        } else {
            sent.push(line);
        }
    }
    (sent, details)
}

/// What was given for one thing that the action asks for.
fn given(title: &str, value: &str) -> String {
    let value = if value.is_empty() { "(nothing)" } else { value };
    format!("{}: {value}", safe(title))
}

/// Exactly what is sent, secrets masked. What goes with it, for the end of the page.
fn request<'a>(page: &mut Page, preview: &'a Preview) -> Vec<&'a str> {
    let (sent, details) = parted(&preview.request);
    if preview.request.is_empty() {
        page.say("it sends", ["nothing that could be shown"], page.theme.warning());
    }
    page.say("it sends", sent, page.theme.strong());
    details
}

fn in_words(age: Duration) -> String {
    match coarse_age(age).as_str() {
        "now" => "just now".to_owned(),
        other => format!("{other} ago"),
    }
}

/// The keys that are affected, then those that are kept.
fn groups(groups: &[KeyGroup], width: usize, theme: Theme) -> Vec<Line<'static>> {
    let names = widest(groups.iter().map(|group| group.name.as_str()), 16);
    let (kept, affected): (Vec<&KeyGroup>, Vec<&KeyGroup>) =
        groups.iter().partition(|group| group.protected);
    let mut lines = Vec::new();
    for (label, groups, style) in
        [("it affects", affected, theme.warning()), ("it keeps", kept, theme.ok())]
    {
        let mut lead = format!("{label:<LABELS$}");
        for group in groups {
            let sure = if group.exact { "exact" } else { "estimate" };
            let bytes = group.bytes.map(|bytes| format::bytes(bytes as f64)).unwrap_or_default();
            let count = format::count(group.keys as f64);
            let name = paint::column(&group.name, names, theme);
            let mut line = Line::from(vec![
                Span::styled(lead, theme.quiet()),
                Span::styled(format!("{count:>7} keys {sure:<8} {bytes:>8}  "), style),
            ]);
            let left = width.saturating_sub(line.width());
            let what = format!("{name}  {}", group.pattern);
            let what = format::fit(&what, left, theme.glyphs().ellipsis);
            line.push_span(Span::styled(what, theme.text()));
            lines.push(line);
            lead = " ".repeat(LABELS);
        }
    }
    lines
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>, most: usize) -> usize {
    texts.map(UnicodeWidthStr::width).max().unwrap_or(0).min(most)
}

/// How the effect will be proven, and what happens where it is not.
fn proof(page: &mut Page, spec: &ActionSpec) {
    let theme = page.theme;
    if spec.proof.is_empty() {
        let text = "no proof is configured: the outcome will be UNKNOWN, look for yourself";
        page.say("proof", [text], theme.warning());
        return;
    }
    let within = short_duration(spec.proof_within);
    let all: Vec<String> = spec.proof.iter().map(|proof| proof.when.to_string()).collect();
    let text = format!("CONFIRMED only if within {within}: {}", all.join(" and "));
    page.say("proof", [text.as_str()], theme.text());
}

/// A length of time as one would say it: nobody waits for the milliseconds.
pub fn usual(took: Duration) -> String {
    short_duration(Duration::from_secs(took.as_secs().max(1)))
}

fn rest(page: &mut Page, state: &State, dialog: &Dialog, spec: &ActionSpec) {
    let theme = page.theme;
    if let Some((took, runs)) = state.world.actions.usual(&spec.id) {
        let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
        page.say("lasts", [format!("usually {} ({runs})", usual(took)).as_str()], theme.text());
    }
    let mut limits = vec![format!("given up after {}", short_duration(spec.timeout))];
    if !spec.cooldown.is_zero() {
        limits.push(format!("then rests for {}", short_duration(spec.cooldown)));
    }
    page.say("limits", [limits.join("; ").as_str()], theme.text());
    let last = state.world.actions.last_of(&spec.id).map_or_else(
        || "none that is known".to_owned(),
        |run| {
            let outcome = if run.resolved { run.outcome.word() } else { "UNRESOLVED" };
            format!("{outcome} at {} by {}", run.wall.strftime("%Y-%m-%d %H:%MZ"), run.by)
        },
    );
    page.say("last run", [last.as_str()], theme.text());
    if let Some(armed) = &state.world.actions.armed {
        page.say("armed for", [armed.reason.as_str()], theme.text());
    }
    if !dialog.reason.is_empty() {
        page.say("reason", [dialog.reason.as_str()], theme.text());
    }
}
