//! What is wrong with a configuration, where, and how to cure it.

use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use super::{layers::SourceText, secret::redact, tree::Place};
use crate::domain::text::safe;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but something in it is doubtful.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where it was written, where it was written at all.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub cure: Option<String>,
}

/// Everything that is wrong, with the texts it was found in.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    texts: Arc<Vec<SourceText>>,
    list: Vec<Diagnostic>,
}

const VARIABLE: &str = "the variable ";
const NOT_SET: &str = " is not set";

/// That a variable is not set; `needed_by` in words, where that is more than one thing.
pub(super) fn not_set(name: &str, needed_by: &str) -> String {
    let more = if needed_by.is_empty() { "" } else { ": " };
    format!("{VARIABLE}{name}{NOT_SET}{more}{needed_by}")
}

/// Whether a message says that this variable is not set.
pub fn is_not_set(message: &str, name: &str) -> bool {
    message.starts_with(&not_set(name, ""))
}

impl Diagnostics {
    /// Sorts: errors before warnings, then by place.
    pub fn new(texts: Arc<Vec<SourceText>>, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|diagnostic| (diagnostic.severity, diagnostic.place));
        list.dedup();
        Self { texts, list }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many are errors.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// Splits the errors from the warnings.
    pub fn split(self) -> (Self, Self) {
        let (errors, warnings) =
            self.list.into_iter().partition(|item| item.severity == Severity::Error);
        let texts = self.texts;
        (Self { texts: Arc::clone(&texts), list: errors }, Self { texts, list: warnings })
    }

    /// These and the others.
    pub(super) fn with(mut self, others: Self) -> Self {
        self.list.extend(others.list);
        self
    }

    /// For people: each with the line that it is about, and its cure. Without secrets.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for diagnostic in &self.list {
            out.push_str(&self.render_one(&renderer, diagnostic));
            out.push_str("\n\n");
        }
        out.push_str(&self.summary());
        out.push('\n');
        redact(&out)
    }

    fn render_one(&self, renderer: &Renderer, diagnostic: &Diagnostic) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(safe(&diagnostic.message)));
        let placed = diagnostic.place.and_then(|place| Some((place, self.texts.get(place.text)?)));
        if let Some((place, text)) = placed {
            let span = within(&text.shown, place);
            let snippet = Snippet::source(text.shown.as_str())
                .path(text.name.as_str())
                .annotation(AnnotationKind::Primary.span(span));
            group = group.element(snippet);
        }
        if let Some(cure) = &diagnostic.cure {
            group = group.element(Level::HELP.message(safe(cure)));
        }
        renderer.render(&[group])
    }

    /// `2 errors, 1 warning`.
    pub fn summary(&self) -> String {
        let errors = self.errors();
        let warnings = self.list.len() - errors;
        let count = |number: usize, word: &str| {
            format!("{number} {word}{}", if number == 1 { "" } else { "s" })
        };
        match (errors, warnings) {
            (errors, 0) => count(errors, "error"),
            (0, warnings) => count(warnings, "warning"),
            (errors, warnings) => {
                format!("{}, {}", count(errors, "error"), count(warnings, "warning"))
            }
        }
    }

    /// One line each: `watchfloor.toml:12:1: unknown key …`.
    pub fn lines(&self) -> Vec<String> {
        self.list
            .iter()
            .map(|diagnostic| {
                let place = diagnostic.place.map(|place| self.position(place));
                let at = place.map_or_else(String::new, |(file, line, column)| {
                    format!("{file}:{line}:{column}: ")
                });
                redact(&format!("{at}{}", safe(&diagnostic.message)))
            })
            .collect()
    }

    /// What is wrong and its cure, without where: for one who sees no file. Each once.
    pub fn told(&self) -> Vec<(String, Option<String>)> {
        let mut told: Vec<(String, Option<String>)> = Vec::new();
        for diagnostic in &self.list {
            let message = redact(&safe(&diagnostic.message));
            if !told.iter().any(|(known, _)| *known == message) {
                told.push((message, diagnostic.cure.as_deref().map(|cure| redact(&safe(cure)))));
            }
        }
        told
    }

    /// The variables that must be set and are not.
    pub fn unset(&self) -> Vec<String> {
        let name = |diagnostic: &Diagnostic| {
            let rest = diagnostic.message.strip_prefix(VARIABLE)?;
            Some(rest.split_once(NOT_SET)?.0.to_owned())
        };
        self.list.iter().filter_map(name).collect()
    }

    /// For programs: `[{severity, file, line, column, message, cure}]`; lines and columns
    /// count from 1, columns in characters.
    pub fn to_json(&self) -> serde_json::Value {
        self.list
            .iter()
            .map(|diagnostic| {
                let place = diagnostic.place.map(|place| self.position(place));
                json!({
                    "severity": match diagnostic.severity {
                        Severity::Error => "error",
                        Severity::Warning => "warning",
                    },
                    "file": place.as_ref().map(|(file, ..)| file.clone()),
                    "line": place.as_ref().map(|(_, line, _)| *line),
                    "column": place.as_ref().map(|(.., column)| *column),
                    "message": redact(&safe(&diagnostic.message)),
                    "cure": diagnostic.cure.as_ref().map(|cure| redact(&safe(cure))),
                })
            })
            .collect()
    }

    /// File, line and column of a place, from 1.
    pub fn position(&self, place: Place) -> (String, usize, usize) {
        position(&self.texts, place)
    }
}

/// The part of a place on its first line: a message about a whole table points at its head.
fn within(text: &str, place: Place) -> std::ops::Range<usize> {
    let start = place.start.min(text.len());
    let end = place.end.clamp(start, text.len());
    let line = text.get(start..end).and_then(|span| span.find('\n')).map_or(end, |at| start + at);
    if text.is_char_boundary(start) && text.is_char_boundary(line) { start..line } else { 0..0 }
}

/// File, line and column of a place, from 1.
pub fn position(texts: &[SourceText], place: Place) -> (String, usize, usize) {
    let Some(text) = texts.get(place.text) else { return (String::new(), 1, 1) };
    let before = text.text.get(..place.start).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (text.name.clone(), line, column)
}
