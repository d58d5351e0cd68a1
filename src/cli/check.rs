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
    let tokio = live::tokio()?;
    let state = tokio.block_on(runtime::check::once(loaded.profile));
    // What was given up, such as a file system that hangs, is not waited for.
    tokio.shutdown_timeout(live::SHUTDOWN);
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

/// The document in words: the verdict, then the reasons, then every check that is not among
/// them, and what contradicts a check.
fn text(document: &Summary) -> String {
    let mut lines =
        vec![format!("{} {}/{}", document.verdict.word(), document.service, document.environment)];
    lines.extend(document.reasons.iter().map(|reason| format!("  {reason}")));
    for check in &document.checks {
        if !check.verdict.is_trouble() {
            let word = check.verdict.word_for(check.quality);
            lines.push(format!("  {word} {}: {}", check.title, check.reason));
        }
        if let Some(remark) = &check.disagreement {
            lines.push(format!("    {}: {remark}", check.title));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::state::{Settings, State},
        domain::{
            catalog::{Catalog, CheckSpec, SourceInfo},
            time::Moment,
        },
    };

    #[test]
    fn every_check_is_printed_whatever_it_says() {
        let mut catalog = Catalog::default();
        for (name, disabled) in [("api", None), ("mail", Some("not configured".to_owned()))] {
            let info = SourceInfo {
                id: name.into(),
                kind: "http".to_owned(),
                title: name.to_owned(),
                target: "http://h/".to_owned(),
                interval: std::time::Duration::from_secs(5),
                timeout: std::time::Duration::from_secs(1),
                disabled,
            };
            catalog.sources.insert(name.into(), info);
            catalog.checks.push(CheckSpec {
                id: name.into(),
                title: name.to_owned(),
                source: name.into(),
                critical: Vec::new(),
                warning: Vec::new(),
                shows: Vec::new(),
                down_after: 1,
                up_after: 1,
                primary: None,
                expect_disagreement: false,
            });
        }
        let state = State::new(catalog, Moment::at_seconds(0.0), Settings::default());
        let mut document = summary::summary(&state.world);
        document.checks[0].disagreement = Some("says otherwise".to_owned());
        let text = text(&document);
        assert!(text.contains("\n  UNKNOWN api: not looked at yet\n"), "{text}");
        assert!(text.contains("\n    api: says otherwise\n"), "{text}");
        assert!(text.ends_with("\n  OFF mail: not configured"), "{text}");
    }
}
