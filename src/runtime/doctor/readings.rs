//! Whether what checks, rules and proofs read is in the answers of their sources.

use super::Around;
use crate::{
    app::sources::{Lookup, Sources},
    domain::{
        examination::{Finding, Grade, Thing},
        failure::{Failure, FailureKind},
        ids::SourceId,
        observation::Observation,
        rule::{Marker, SeriesName},
    },
};

/// What is wrong with one reading, where something is.
pub(super) struct Unread {
    pub(super) grade: Grade,
    pub(super) what: String,
    pub(super) cure: String,
}

impl Unread {
    pub(super) fn finding(self, thing: &Thing) -> Finding {
        Finding::new(thing, self.grade, self.what).cure(self.cure)
    }
}

/// Whether a reading is in what its source said. It is looked up as the console does.
pub(super) async fn read(around: &Around, source: &str, reading: &str) -> Result<(), Unread> {
    let id = SourceId::from(source);
    let name = format!("{source}.{reading}");
    let unread = |grade, what: String, cure: String| Err(Unread { grade, what, cure });
    // That there is one of that name was checked with the configuration: another one takes
    // its place.
    let Some(info) = around.profile.catalog.sources.get(&id) else {
        let what = format!("{name} is not read: another source takes the place of {source}");
        return unread(Grade::Skipped, what, format!("configure {source} to have it"));
    };
    if let Some(why) = &info.disabled {
        return unread(
            Grade::Skipped,
            format!("{name} is not read: {source} is {why}"),
            cure_of_disabled(why),
        );
    }
    if let Some(action) = around.unsafe_gets.get(&id) {
        let what = format!("{name} was not read: the action {action} sends to the same address");
        return unread(Grade::Skipped, what, format!("see source/{source}"));
    }
    let observation: Option<std::sync::Arc<Observation>> = match around.looks.get(&id) {
        Some(look) => look.clone().await,
        None => None,
    };
    let Some(mut observation) = observation.map(|shared| (*shared).clone()) else {
        return unread(
            Grade::Unknown,
            format!("{source} was not looked at"),
            format!("see source/{source}"),
        );
    };
    let mut sources = Sources::new(&around.profile.catalog);
    observation.at = around.now;
    sources.observe(&observation);
    match sources.lookup(source, reading) {
        Lookup::Known { .. } => Ok(()),
        Lookup::Failing(failure) if failure.kind.means_down() => {
            let what = format!("{name} cannot be read now: {}", failure.message);
            unread(Grade::Unknown, what, format!("see source/{source}: it does not answer"))
        }
        Lookup::Failing(failure) => {
            let what = format!("{name} cannot be read: {}", failure.message);
            unread(Grade::Critical, what, format!("see source/{source}"))
        }
        Lookup::Missing(why) => {
            let cure = format!("look what {source} answers: watchfloor check --json");
            unread(Grade::Critical, missing(&name, &why), cure)
        }
        Lookup::Stale(_) | Lookup::Waiting | Lookup::Disabled(_) => {
            unread(Grade::Unknown, format!("{name} is not known"), format!("see source/{source}"))
        }
    }
}

/// That a reading is missing, in words that do not say it twice.
pub(super) fn missing(name: &str, why: &str) -> String {
    match why.strip_prefix("not in the answer") {
        Some(rest) => format!("{name} is not in the answer{rest}"),
        None => format!("{name} is not in the answer: {why}"),
    }
}

/// That something is left out. A variable that is not set may be meant; a file that somebody
/// named and that cannot be read is not.
pub(super) fn left_out(thing: &Thing, why: &str, what: String) -> Finding {
    let grade = if why.contains("cannot be read") { Grade::Warning } else { Grade::Skipped };
    Finding::new(thing, grade, what).cure(cure_of_disabled(why))
}

/// What to do about a source that is not asked.
pub(super) fn cure_of_disabled(why: &str) -> String {
    if why.contains("cannot be read") {
        return "check the path and its permissions".to_owned();
    }
    match why.split_once("set ") {
        Some((_, names)) => format!("set {names} to have it"),
        None => "configure it to have it".to_owned(),
    }
}

/// Whether a check would say something.
pub(super) async fn check(around: &Around, thing: &Thing) -> Vec<Finding> {
    let checks = &around.profile.catalog.checks;
    let Some(spec) = checks.iter().find(|check| check.id.as_str() == thing.id) else {
        return Vec::new();
    };
    let conditions = spec.critical.iter().chain(&spec.warning);
    let mut names: Vec<(String, String)> = conditions
        .map(|when| {
            let source = when.source.as_deref().unwrap_or(spec.source.as_str());
            (source.to_owned(), when.reading.to_string())
        })
        .chain(spec.shows.iter().map(|name| (spec.source.to_string(), name.to_string())))
        .collect();
    if names.is_empty() {
        names.push((spec.source.to_string(), "up".to_owned()));
    }
    judge(around, thing, names).await
}

/// Whether a rule could ever fire.
pub(super) async fn rule(around: &Around, thing: &Thing) -> Vec<Finding> {
    let catalog = &around.profile.catalog;
    let Some(rule) = catalog.rules.iter().find(|rule| rule.id.as_ref() == thing.id) else {
        return Vec::new();
    };
    let marker = match &rule.marker {
        Some(Marker::Uptime(name)) => Some(name),
        _ => None,
    };
    let names = rule.when.series().chain(marker);
    let names =
        names.map(|SeriesName { source, reading }| (source.to_string(), reading.to_string()));
    let mut found = judge(around, thing, names.collect()).await;
    let suggested = rule.suggests.iter().filter(|action| catalog.why_unavailable(action).is_some());
    let names: Vec<&str> = suggested.map(|action| action.as_str()).collect();
    if let Some(first) = names.first() {
        let what = format!("it suggests what cannot be started: {}", names.join(", "));
        found.push(Finding::new(thing, Grade::Warning, what).cure(format!("see action/{first}")));
    }
    found
}

async fn judge(around: &Around, thing: &Thing, mut names: Vec<(String, String)>) -> Vec<Finding> {
    names.sort();
    names.dedup();
    let mut found = Vec::new();
    for (source, reading) in &names {
        if let Err(unread) = read(around, source, reading).await {
            let finding = unread.finding(thing);
            // Of a source that does not answer, or is not asked, one line is enough.
            let known =
                |other: &Finding| other.cure == finding.cure && other.verdict == finding.verdict;
            let is_about_source = finding.verdict == Grade::Skipped
                || finding.cure.as_ref().is_some_and(|cure| cure.starts_with("see "));
            if !(is_about_source && found.iter().any(known)) {
                found.push(finding);
            }
        }
    }
    if found.is_empty() {
        let list: Vec<String> =
            names.iter().map(|(source, reading)| format!("{source}.{reading}")).collect();
        let what = format!("all that it reads is there: {}", list.join(", "));
        found.push(Finding::new(thing, Grade::Ok, crate::domain::text::clip(&what, 200)));
    }
    found
}

/// What a failure of a look means before a window, and what to do about it.
pub(super) fn failed(thing: &Thing, failure: &Failure) -> Finding {
    let cure = failure.hint.clone().unwrap_or_else(|| {
        match failure.kind {
            FailureKind::NotAuthorised => "the credentials are missing or refused: renew them",
            FailureKind::Forbidden => {
                "the credentials are known and may not do this: give their owner the right"
            }
            FailureKind::MissingEndpoint => {
                "correct the address, or deploy the version of the service that has it"
            }
            FailureKind::WrongMethod => {
                "it does not take GET: name the address that is read with it"
            }
            FailureKind::Refused | FailureKind::Unreachable | FailureKind::Timeout => {
                "look whether it runs, and whether a firewall lets this machine through"
            }
            FailureKind::Dns => "correct the name, or look at the resolver of this machine",
            FailureKind::Tls => "look at the certificate, or name its root with ca_file",
            FailureKind::Throttled | FailureKind::Quota => "ask less often, or raise the limit",
            FailureKind::Misconfigured => "correct the configuration of this source",
            FailureKind::BadAnswer => "look at what it answers: the address may be another one's",
            _ => "look at the server before the window",
        }
        .to_owned()
    });
    let grade = match failure.kind {
        FailureKind::Throttled | FailureKind::Starting | FailureKind::Busy => Grade::Warning,
        _ => Grade::Critical,
    };
    let what = format!("{}: {}", failure.kind.word(), failure.message);
    Finding::new(thing, grade, what).cure(cure)
}
