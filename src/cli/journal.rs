//! `journal verify` and `journal show`.

use std::{io, process::ExitCode};

use super::{
    args::{Common, JournalCommand, Output, Show},
    configuration, out,
};
use crate::{
    actions::{
        JournalError,
        journal::{self, entry::Line},
    },
    domain::{action::Claim, text},
};

/// The chain is broken.
const BROKEN: u8 = 1;
/// There is nothing to be read; `EX_NOINPUT` of sysexits.
const NO_INPUT: u8 = 66;

/// Verifies or prints the journal.
pub(super) fn run(common: &Common, command: &JournalCommand) -> color_eyre::Result<ExitCode> {
    let loaded = match configuration::load(common, &configuration::request(common)) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let path = loaded.profile.state_dir.join(journal::FILE);
    match command {
        JournalCommand::Verify(output) => verify(&path, output),
        JournalCommand::Show(options) => show(&path, options),
    }
}

fn verify(path: &std::path::Path, output: &Output) -> color_eyre::Result<ExitCode> {
    let (document, words, code) = match journal::verify(path) {
        Ok(found) => {
            let mut words =
                format!("{}: {} lines, intact, head {}", path.display(), found.lines, found.head);
            if found.torn {
                words.push_str("; the last line is cut off, the next console closes it");
            }
            let document = serde_json::json!({
                "schema": 1, "intact": true, "lines": found.lines, "head": found.head,
                "repaired": found.repaired, "torn": found.torn, "first_bad_line": null,
            });
            (document, words, 0)
        }
        Err(JournalError::Broken { bad, .. }) => {
            let document = serde_json::json!({
                "schema": 1, "intact": false, "first_bad_line": bad.line, "why": bad.why,
            });
            (document, format!("BROKEN: {}: {bad}", path.display()), BROKEN)
        }
        Err(error) => return unreadable(&error),
    };
    if output.json {
        out::json(&document)?;
    } else {
        out::line(&words)?;
    }
    Ok(ExitCode::from(code))
}

fn show(path: &std::path::Path, options: &Show) -> color_eyre::Result<ExitCode> {
    let wanted = |line: &Line| {
        let Some(of) = options.of.as_deref() else { return true };
        let run = line.entry.run.as_ref().is_some_and(|run| run.as_str() == of);
        run || line.entry.action.as_ref().is_some_and(|action| action.as_str() == of)
    };
    let lines = match journal::lines(path, options.last, &wanted) {
        Ok(lines) => lines,
        Err(error) => return unreadable(&journal::verify(path).err().unwrap_or(error)),
    };
    if let Err(error @ JournalError::Broken { .. }) = journal::verify(path) {
        out::error(&format!("BROKEN: {error}; what follows may not be the truth"));
    }
    if lines.is_empty()
        && let Some(of) = &options.of
    {
        out::error(&format!("no line of {} is about {of:?}", path.display()));
    }
    if options.json {
        return out::json(&lines);
    }
    for line in &lines {
        out::line(&in_words(line))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The journal is not there, or is not readable.
fn unreadable(error: &JournalError) -> color_eyre::Result<ExitCode> {
    let hint = match error {
        JournalError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound => {
            "; nothing was done with this state directory yet, or state.dir names another"
        }
        _ => "",
    };
    out::error(&format!("watchfloor: {error}{hint}"));
    Ok(ExitCode::from(NO_INPUT))
}

/// A line for the eyes.
fn in_words(line: &Line) -> String {
    let entry = &line.entry;
    let mut words = vec![
        line.seq.to_string(),
        line.ts.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        line.who.name(),
        entry.kind.word().to_owned(),
    ];
    words.extend(entry.about.clone());
    words.extend(entry.action.as_ref().map(ToString::to_string));
    words.extend(entry.run.as_ref().map(ToString::to_string));
    words.extend(entry.process.as_ref().map(|process| format!("process {}", process.pid)));
    words.extend(entry.outcome.map(|outcome| outcome.word().to_owned()));
    words.extend(entry.result.as_ref().and_then(|result| match result.claim {
        Claim::Cancelled => Some("CANCELLED".to_owned()),
        Claim::NotSent => Some("NEVER STARTED".to_owned()),
        Claim::Done | Claim::Refused | Claim::Unclear => None,
    }));
    words.extend(entry.result.as_ref().map(|result| result.summary.clone()));
    words.extend(
        entry
            .reason
            .as_ref()
            .filter(|reason| !reason.is_empty())
            .map(|reason| format!("because: {reason}")),
    );
    words.extend(entry.text.clone());
    words.extend(entry.evidence.iter().cloned());
    text::safe(&words.join("  ")).into_owned()
}
