//! `run`: one action without the screen. `supervise`: the process that carries a run out.

use std::{io::IsTerminal, process::ExitCode};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    args::{Common, Run},
    asked, configuration, live, logging, out,
};
use crate::{
    actions, app,
    domain::{
        action::{ActionOutcome, Claim, Preview},
        ids::RunId,
        observation::KeyGroup,
    },
    runtime::one_action::{self, Asked, Ended, Word},
};

/// Confirmed.
const CONFIRMED: u8 = 0;
/// Failed or refuted.
const FAILED: u8 = 1;
/// Refused: nothing was sent.
const REFUSED: u8 = 2;
/// Nobody knows.
const UNKNOWN: u8 = 3;

/// How a run ended, as JSON.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    action: &'a str,
    run: Option<&'a str>,
    outcome: Option<ActionOutcome>,
    claim: Option<Claim>,
    summary: Option<&'a str>,
    /// Whether what would prove its effect was seen; none where that is not known.
    effect_is_there: Option<bool>,
    evidence: Vec<String>,
    /// Why nothing was sent, or could not be sent now.
    refused: Option<String>,
    detached: bool,
    preview: Option<Planned<'a>>,
}

/// What would be sent, as JSON.
#[derive(Serialize)]
struct Planned<'a> {
    action: &'a str,
    at: Timestamp,
    request: &'a [String],
    groups: &'a [KeyGroup],
    findings: &'a [String],
    /// All that stands in the way.
    refusals: &'a [String],
    holders: &'a [RunId],
    digest: &'a str,
}

impl<'a> Planned<'a> {
    fn new(preview: &'a Preview, against: &'a [String]) -> Self {
        Self {
            action: preview.action.as_str(),
            at: preview.at.wall,
            request: &preview.request,
            groups: &preview.groups,
            findings: &preview.findings,
            refusals: against,
            holders: &preview.holders,
            digest: &preview.digest,
        }
    }
}

/// Carries out one action and exits by its outcome.
pub(super) fn run(common: &Common, options: &Run) -> color_eyre::Result<ExitCode> {
    let loaded = match configuration::load(common, &configuration::request(common)) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let _log =
        logging::start(&loaded.profile.state_dir, common.verbose).map_err(|why| out::error(&why));
    let answers = match asked::read(&options.ask) {
        Ok(answers) => answers,
        Err(why) => {
            out::error(&why);
            return Ok(ExitCode::from(super::USAGE));
        }
    };
    let asked = Asked {
        action: options.action.clone(),
        confirm: options.confirm.clone(),
        reason: options.reason.clone().unwrap_or_default(),
        dry_run: options.dry_run,
        detach: options.detach,
        break_glass: options.break_glass,
        take_over: options.take_over.clone(),
        answers,
        drill: options.drill,
        terminal: std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
    };
    let json = options.json;
    let mut say = |word: Word| match word {
        Word::Output(line) if !json => {
            // Nobody reads any more: the run goes on all the same.
            let _ = out::line(&line);
        }
        Word::Output(line) | Word::Note(line) => out::error(&line),
    };
    let tokio = live::tokio()?;
    let ended = tokio.block_on(one_action::carry_out(loaded.profile, asked, &mut say))?;
    tokio.shutdown_timeout(live::SHUTDOWN);
    let (document, code) = told(&options.action, &ended);
    let told = if json { out::json(&document) } else { in_words(&ended) };
    if let Err(error) = told {
        // How it ended is what a script asks for; a full disk must not hide it.
        out::error(&format!("it cannot be printed: {error}"));
    }
    Ok(ExitCode::from(code))
}

fn told<'a>(action: &'a str, ended: &'a Ended) -> (Document<'a>, u8) {
    let document = Document {
        schema: 1,
        action,
        run: None,
        outcome: None,
        claim: None,
        summary: None,
        effect_is_there: None,
        evidence: Vec::new(),
        refused: None,
        detached: false,
        preview: None,
    };
    match ended {
        Ended::Refused(why) => (Document { refused: Some(why.clone()), ..document }, REFUSED),
        Ended::Misused(why) => (Document { refused: Some(why.clone()), ..document }, super::USAGE),
        Ended::Planned(preview, against) => {
            let refused = (!against.is_empty()).then(|| against.join("; "));
            let code = if refused.is_some() { REFUSED } else { CONFIRMED };
            let preview = Some(Planned::new(preview, against));
            (Document { refused, preview, ..document }, code)
        }
        Ended::Detached(run) => {
            (Document { run: Some(run.as_str()), detached: true, ..document }, UNKNOWN)
        }
        Ended::Over(run) => {
            let code = code_of(run.outcome);
            let result = run.result.as_ref().map(|(result, _)| result);
            let document = Document {
                run: Some(run.id.as_str()),
                outcome: run.outcome,
                claim: result.map(|result| result.claim),
                summary: result.map(|result| result.summary.as_str()),
                effect_is_there: run.effect_is_there(),
                evidence: run.evidence(),
                ..document
            };
            (document, code)
        }
    }
}

fn in_words(ended: &Ended) -> color_eyre::Result<ExitCode> {
    let text = match ended {
        Ended::Refused(why) => {
            out::error(&format!("REFUSED, nothing was sent: {why}"));
            return Ok(ExitCode::SUCCESS);
        }
        Ended::Misused(why) => {
            out::error(why);
            return Ok(ExitCode::SUCCESS);
        }
        Ended::Planned(preview, against) => plan(preview, against),
        Ended::Detached(run) => {
            format!("goes on without us as {run}; how it ends: watchfloor journal show {run}")
        }
        Ended::Over(run) => outcome_of(run),
    };
    out::line(&text)
}

/// The code to exit by.
pub(super) fn code_of(outcome: Option<ActionOutcome>) -> u8 {
    match outcome {
        Some(ActionOutcome::Confirmed) => CONFIRMED,
        Some(ActionOutcome::Failed | ActionOutcome::Refuted | ActionOutcome::Cancelled) => FAILED,
        Some(ActionOutcome::NeverStarted) => REFUSED,
        Some(ActionOutcome::Unknown) | None => UNKNOWN,
    }
}

/// How a run ended, and why that is thought.
pub(super) fn outcome_of(run: &app::actions::Run) -> String {
    let word = run.outcome.map_or("UNKNOWN", ActionOutcome::word);
    let but = if run.failed_but_effective() { ", BUT its effect is there" } else { "" };
    let summary = run.result.as_ref().map_or("", |(result, _)| result.summary.as_str());
    let mut lines = vec![format!("{word}{but}: {summary}")];
    lines.extend(run.evidence().into_iter().map(|line| format!("  {line}")));
    lines.join("\n")
}

/// What would be sent, and why it could not be sent now.
fn plan(preview: &Preview, against: &[String]) -> String {
    let mut lines = vec!["it would send:".to_owned()];
    lines.extend(preview.request.iter().map(|line| format!("  {line}")));
    for group in &preview.groups {
        let what = if group.protected { "kept" } else { "affected" };
        let keys = if group.keys == 1 { "key" } else { "keys" };
        let sure = if group.exact { "" } else { ", estimated" };
        let bytes = group.bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
        lines.push(format!("{} {keys}{sure} {what}{bytes}: {}", group.keys, group.pattern));
    }
    lines.extend(preview.findings.iter().cloned());
    lines.extend(against.iter().map(|why| format!("it could not be started now: {why}")));
    lines.push("nothing was sent".to_owned());
    lines.join("\n")
}

/// Carries out the run that is handed over on standard input.
pub(super) fn supervise() -> color_eyre::Result<ExitCode> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = tokio.block_on(actions::supervise());
    // Whatever still waits for the disk has had its time.
    tokio.shutdown_background();
    Ok(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            out::error(&why);
            ExitCode::from(super::SOFTWARE)
        }
    })
}
