//! `doctor`: whether everything that a window may need would work now.

use std::{io::IsTerminal, process::ExitCode, sync::Arc};

use super::{
    USAGE,
    args::{Common, Doctor},
    check, configuration, live, logging, out,
};
use crate::{
    domain::examination::{Examined, Finding, Grade},
    runtime::doctor::{self, NEVER_TRIED, Report},
};

/// From so many on, actions that were never tried are told in one line.
const FOLDED: usize = 3;

/// Examines, prints, and exits 0 ok, 1 warning, 2 critical, 3 unknown.
pub(super) fn run(common: &Common, options: &Doctor) -> color_eyre::Result<ExitCode> {
    let loaded = match configuration::load(common, &configuration::request(common)) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let _log =
        logging::start(&loaded.profile.state_dir, common.verbose).map_err(|why| out::error(&why));
    let only = options.only.clone().unwrap_or_default();
    let is_terminal = std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
    let tokio = live::tokio()?;
    let examined = tokio.block_on(async {
        let (news_to, mut news) = tokio::sync::mpsc::channel::<Examined>(16);
        let hear = async {
            while let Some(news) = news.recv().await {
                out::progress(&format!("{} of {} examined", news.done, news.of));
            }
        };
        let profile = Arc::new(loaded.profile);
        tokio::join!(doctor::examine(profile, &only, 1, is_terminal, news_to), hear).0
    });
    out::progress("");
    // What was given up, such as a name that does not resolve, is not waited for.
    tokio.shutdown_timeout(live::SHUTDOWN);
    let report = match examined {
        Ok(report) => report,
        Err(why) => {
            out::error(&why);
            return Ok(ExitCode::from(USAGE));
        }
    };
    if options.json {
        out::json(&report)?;
    } else {
        out::line(&text(&report))?;
    }
    Ok(check::code(report.verdict.verdict()))
}

/// The report in words: the verdict and how much of what was found, then every thing with
/// what was found about it, those that are worst off first. What is well takes one line.
fn text(report: &Report) -> String {
    let Report { service, environment, findings, .. } = report;
    let mut lines =
        vec![format!("{} {service}/{environment}: {}", report.verdict.word(), counted(findings))];
    lines.push(String::new());
    let (untried, findings): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| finding.what == NEVER_TRIED);
    let (untried, findings) = if untried.len() < FOLDED {
        (Vec::new(), report.findings.iter().collect())
    } else {
        (untried, findings)
    };
    let is_well = |of_thing: &&[&Finding]| of_thing.iter().all(|finding| is_quiet(finding));
    let things = findings.chunk_by(|one, other| one.thing == other.thing);
    let (well, doubtful): (Vec<&[&Finding]>, Vec<_>) = things.partition(is_well);
    lines.extend(doubtful.into_iter().flat_map(told));
    lines.extend(never_tried(&untried));
    lines.extend(well.into_iter().flat_map(told));
    lines.join("\n")
}

fn is_quiet(finding: &Finding) -> bool {
    matches!(finding.verdict, Grade::Ok | Grade::Skipped)
}

/// Actions that nobody has tried, in one line: where a configuration is new, these are all.
fn never_tried(untried: &[&Finding]) -> Vec<String> {
    if untried.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = untried.iter().map(|finding| finding.thing.id.as_str()).collect();
    vec![
        format!(
            "{:<8} {} actions were never drilled or run from here: {}",
            Grade::Warning.word(),
            untried.len(),
            names.join(", ")
        ),
        "         -> practise each where it does no harm: drill = true in the configuration of that \
         environment, and watchfloor run ACTION --drill"
            .to_owned(),
        String::new(),
    ]
}

fn told(findings: &[&Finding]) -> Vec<String> {
    let Some(thing) = findings.first().map(|finding| &finding.thing) else { return Vec::new() };
    if findings.iter().all(|finding| is_quiet(finding)) {
        let what: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
        // The first is the worst: of what is quiet, what was looked at.
        let word = findings.first().map_or("", |finding| finding.verdict.word());
        return vec![format!("{word:<8} {thing}: {}", what.join("; "))];
    }
    let mut lines = vec![thing.to_string()];
    for finding in findings {
        lines.push(format!("  {:<8} {}", finding.verdict.word(), finding.what));
        if let Some(cure) = finding.cure.as_ref().filter(|_| !is_quiet(finding)) {
            lines.push(format!("           -> {cure}"));
        }
    }
    lines.push(String::new());
    lines
}

/// `2 critical, 1 warning, 14 ok`.
fn counted(findings: &[Finding]) -> String {
    let kinds = [
        (Grade::Critical, "critical"),
        (Grade::Warning, "warning"),
        (Grade::Unknown, "unknown"),
        (Grade::Ok, "ok"),
        (Grade::Skipped, "skipped"),
    ];
    let counts = kinds.into_iter().filter_map(|(grade, word)| {
        let count = findings.iter().filter(|finding| finding.verdict == grade).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    counts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::examination::{Subject, Thing, worst_first};

    #[test]
    fn actions_that_nobody_tried_are_told_in_one_line() {
        let of = |id: &str| {
            let thing = Thing::new(Subject::Action, id);
            let well = Finding::new(&thing, Grade::Ok, "its preview works");
            [Finding::new(&thing, Grade::Warning, NEVER_TRIED).cure("practise it"), well]
        };
        let report = |ids: &[&str]| Report {
            schema: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            service: "shop".to_owned(),
            environment: "staging".to_owned(),
            verdict: Grade::Warning,
            findings: ids.iter().flat_map(|id| of(id)).collect(),
        };
        let many = text(&report(&["a", "b", "c"]));
        assert!(many.starts_with("WARN shop/staging: 3 warning, 3 ok"), "{many}");
        assert_eq!(many.matches("never drilled").count(), 1, "{many}");
        assert!(
            many.contains("WARN     3 actions were never drilled or run from here: a, b, c\n"),
            "{many}"
        );
        assert!(many.contains("OK       action/a: its preview works\n"), "{many}");
        assert_eq!(text(&report(&["a", "b"])).matches("practise it").count(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_cure_and_what_is_well_in_one_line() {
        let clear = Thing::new(Subject::Action, "clear");
        let api = Thing::new(Subject::Source, "api");
        let mut findings = vec![
            Finding::new(&api, Grade::Ok, "answers in 12ms"),
            Finding::new(&api, Grade::Ok, "its certificate is good"),
            Finding::new(&clear, Grade::Ok, "its preview works").cure("not told"),
            Finding::new(&clear, Grade::Critical, "the endpoint is not there: 404")
                .cure("deploy it"),
            Finding::new(&Thing::new(Subject::Source, "mail"), Grade::Skipped, "not configured"),
        ];
        worst_first(&mut findings);
        let report = Report {
            schema: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            service: "shop".to_owned(),
            environment: "staging".to_owned(),
            verdict: Grade::Critical,
            findings,
        };
        let expected = "CRIT shop/staging: 1 critical, 3 ok, 1 skipped\n\
            \n\
            action/clear\n\
            \x20 CRIT     the endpoint is not there: 404\n\
            \x20          -> deploy it\n\
            \x20 OK       its preview works\n\
            \n\
            OK       source/api: answers in 12ms; its certificate is good\n\
            SKIPPED  source/mail: not configured";
        assert_eq!(text(&report), expected);
    }
}
