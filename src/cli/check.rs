//! `check`: one look at everything, the verdict as the exit code of a Nagios plugin.

use std::process::ExitCode;

use super::{
    args::{Common, Output},
    configuration, live, logging, out,
};
use crate::{
    app::summary::{self, Summary},
    domain::verdict::Verdict,
    runtime,
};

/// Looks once, prints, and exits 0 ok, 1 warning, 2 critical, 3 unknown.
pub(super) fn run(common: &Common, output: &Output) -> color_eyre::Result<ExitCode> {
    let loaded = match configuration::load(common, &configuration::request(common)) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let _log =
        logging::start(&loaded.profile.state_dir, common.verbose).map_err(|why| out::error(&why));
    let state = live::tokio()?.block_on(runtime::check::once(loaded.profile));
    let document = summary::summary(&state.world);
    if output.json {
        out::json(&document)?;
    } else {
        out::line(&text(&document))?;
    }
    Ok(code(document.verdict))
}

/// The exit code of a verdict, by the Nagios plugin convention.
pub(super) fn code(verdict: Verdict) -> ExitCode {
    ExitCode::from(match verdict {
        Verdict::Ok => 0,
        Verdict::Warning => 1,
        Verdict::Critical => 2,
        Verdict::Unknown | Verdict::Unjudged => 3,
    })
}

/// The document in words: the verdict, then the reasons, then what is well.
fn text(document: &Summary) -> String {
    let mut lines =
        vec![format!("{} {}/{}", document.verdict.word(), document.service, document.environment)];
    lines.extend(document.reasons.iter().map(|reason| format!("  {reason}")));
    let well = document.checks.iter().filter(|check| check.verdict == Verdict::Ok);
    lines.extend(well.map(|check| format!("  OK {}: {}", check.title, check.reason)));
    lines.join("\n")
}
