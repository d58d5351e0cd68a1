//! Actions, and the journal without which nothing is started.

use std::{borrow::Cow, time::Duration};

use super::{Around, aside, deeds, given::Given, readings, watching};
use crate::{
    actions::{self, journal},
    config::profile::ActionConfig,
    doctor::machine,
    domain::{
        action::{ActionOutcome, PastRun},
        catalog::ActionSpec,
        examination::{Finding, Grade, Thing},
        guard::Guard,
        time::coarse_age,
    },
    runtime::engine::groups_of,
};

/// What is said of an action that nobody has tried.
pub const NEVER_TRIED: &str =
    "never drilled, and never run from here: nobody knows whether it works";

/// An action that was not run for so long is not known to work any more.
const LONG_AGO: Duration = Duration::from_secs(90 * 86_400);

/// One action: whether it can be sent, whether its effect would be seen, when it was last
/// tried. Nothing of it is carried out.
pub(super) async fn action(around: &Around, thing: &Thing) -> Vec<Finding> {
    let catalog = &around.profile.catalog;
    let Some(spec) = catalog.actions.iter().find(|action| action.id.as_str() == thing.id) else {
        return Vec::new();
    };
    if let Some(why) = catalog.why_unavailable(&spec.id) {
        return vec![readings::left_out(thing, why, why.to_owned())];
    }
    let Some(config) = around.profile.actions.get(&spec.id) else {
        return vec![Finding::new(thing, Grade::Unknown, "it is not configured in full")];
    };
    let given = Given::of(&config.form.asks);
    let (by_kind, previewed, certificate, proof) = tokio::join!(
        deeds::look(around, thing, spec, config, &given),
        preview(around, thing, config, &given),
        watching::certificate(around, thing),
        proof(around, thing, spec),
    );
    let mut found = by_kind;
    // Both look whether the program is there, and say it in the same words.
    for finding in previewed {
        let told = in_its_step(&finding.what);
        if !found.iter().any(|known| known.what.contains(&*told)) {
            found.push(finding);
        }
    }
    found.extend(certificate);
    found.extend(proof);
    found.extend(way_back(around, thing, spec));
    found.push(last_tried(around, thing, spec));
    found
}

/// `step 1 of 4: fetch: it is not there` as the look at the step itself says it:
/// `step 1: it is not there`.
fn in_its_step(what: &str) -> Cow<'_, str> {
    let parts = || {
        let (number, rest) = what.strip_prefix("step ")?.split_once(" of ")?;
        let (_count, rest) = rest.split_once(": ")?;
        let (_name, rest) = rest.split_once(": ")?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("step {number}: {rest}"))
    };
    parts().map_or(Cow::Borrowed(what), Cow::Owned)
}

/// Measures what it would do, as the dialog does; where nobody has to be asked for that.
async fn preview(
    around: &Around,
    thing: &Thing,
    config: &ActionConfig,
    given: &Given,
) -> Vec<Finding> {
    let groups = groups_of(&around.profile.catalog, config);
    if let Some(later) = given.later() {
        let what = format!("what it would send is only known {later}");
        let asked: Vec<String> =
            given.missing.iter().map(|name| format!("--ask {name}=…")).collect();
        let cure = format!(
            "look at it with a value: watchfloor run {} {} --dry-run",
            thing.id,
            asked.join(" ")
        );
        return vec![Finding::new(thing, Grade::Unknown, what).cure(cure)];
    }
    let with = if given.told.is_empty() { String::new() } else { format!("with {}, ", given.told) };
    match actions::measure(config, &given.answers, &groups, around.now).await {
        Ok(preview) => {
            let refusals = preview.refusals.iter().map(|why| {
                Finding::new(thing, Grade::Critical, why.clone())
                    .cure("as long as that is so, the dialog refuses to start it")
            });
            let mut found: Vec<Finding> = refusals.collect();
            if found.is_empty() {
                let keys: u64 = preview
                    .groups
                    .iter()
                    .filter(|group| !group.protected)
                    .map(|group| group.keys)
                    .sum();
                let what = if preview.groups.is_empty() {
                    format!("{with}what it would send can be worked out")
                } else {
                    format!("{with}its preview works: {keys} keys would be affected now")
                };
                found.push(Finding::new(thing, Grade::Ok, what));
            }
            let unverified = preview.findings.iter().filter(|text| {
                text.contains("not verified") || text.contains("without encryption")
            });
            found.extend(unverified.map(|text| {
                Finding::new(thing, Grade::Warning, text.clone())
                    .cure("use https, and name the root with ca_file")
            }));
            found
        }
        Err(failure) => vec![readings::failed(thing, &failure)],
    }
}

/// Whether it would be seen that it worked.
async fn proof(around: &Around, thing: &Thing, spec: &ActionSpec) -> Vec<Finding> {
    if spec.proof.is_empty() {
        let what = "it has no proof: that it ends with success says nothing about its effect";
        let cure = "write proof = [\"SOURCE.READING == …\"]: what is different once it worked";
        return vec![Finding::new(thing, Grade::Warning, what).cure(cure)];
    }
    let outside: Vec<_> = spec
        .proof
        .iter()
        .filter_map(|proof| {
            let source = proof.when.source.as_deref().filter(|source| *source != "result")?;
            Some((source, proof.when.reading.as_ref()))
        })
        .collect();
    if outside.is_empty() {
        let what = "every proof reads its own answer: nothing outside is looked at";
        let cure = "add a condition on a source: what is different outside once it worked";
        return vec![Finding::new(thing, Grade::Warning, what).cure(cure)];
    }
    let mut found = Vec::new();
    for (source, reading) in outside {
        if let Err(mut unread) = readings::read(around, source, reading).await {
            // What a source does not have now may be what appears once the action has worked.
            if unread.what.contains("is not in the answer") {
                unread.grade = Grade::Warning;
                unread.cure = format!("right where it appears only then; else see source/{source}");
            }
            unread.what = format!("its proof: {}", unread.what);
            // Without what proves it, it can only end as unknown.
            if unread.grade == Grade::Skipped {
                unread.grade = Grade::Warning;
            }
            found.push(unread.finding(thing));
        }
    }
    if found.is_empty() {
        let count = spec.proof.len();
        let plural = if count == 1 { "" } else { "s" };
        let what = format!("what its {count} proof{plural} read is there");
        found.push(Finding::new(thing, Grade::Ok, what));
    }
    found
}

/// Whether there is a way back.
fn way_back(around: &Around, thing: &Thing, spec: &ActionSpec) -> Option<Finding> {
    let warning =
        |what: String, cure: String| Some(Finding::new(thing, Grade::Warning, what).cure(cure));
    match &spec.undo {
        Some(undo) => {
            let why = around.profile.catalog.why_unavailable(undo)?;
            warning(
                format!("{undo}, which undoes it, cannot be started: {why}"),
                format!("see action/{undo}"),
            )
        }
        None if spec.guard >= Guard::G3 && spec.leaves.is_empty() => warning(
            "it is disruptive, and neither what undoes it nor what stays is said".to_owned(),
            "write undo = \"ACTION\", or leaves = [\"…\"]: what it does not undo".to_owned(),
        ),
        None => None,
    }
}

/// When it was last run, for practice or in earnest.
fn last_tried(around: &Around, thing: &Thing, spec: &ActionSpec) -> Finding {
    let history = match &around.history {
        Ok(history) => history,
        Err(why) => {
            let what = format!("when it was last run is not known: {why}");
            return Finding::new(thing, Grade::Unknown, what).cure("see journal/journal");
        }
    };
    let tried =
        |run: &&PastRun| run.action == spec.id && run.outcome != ActionOutcome::NeverStarted;
    let production = around.profile.catalog.is_production();
    let cure = match (spec.drill, production) {
        (true, false) => format!("practise it: watchfloor run {} --drill", spec.id),
        (true, true) => format!("practise it where it does no harm: with the configuration of another environment, watchfloor run {} --drill", spec.id),
        (false, _) => "practise it where it does no harm: write drill = true in the configuration of that environment".to_owned(),
    };
    let Some(last) = history.iter().find(tried) else {
        return Finding::new(thing, Grade::Warning, NEVER_TRIED).cure(cure);
    };
    let age = Duration::try_from(around.now.wall.duration_since(last.wall)).unwrap_or_default();
    let word = if last.trace.drill { "drilled" } else { "run" };
    let ended = if last.resolved {
        last.outcome.word().to_lowercase()
    } else {
        "without a known end".to_owned()
    };
    let ago = match coarse_age(age).as_str() {
        "now" => "just now".to_owned(),
        age => format!("{age} ago"),
    };
    let what = format!("last {word} {ago} by {}: {ended}", last.by);
    if !last.resolved {
        let cure = format!("look at its proof: watchfloor journal show {}", last.run);
        return Finding::new(thing, Grade::Warning, what).cure(cure);
    }
    if age > LONG_AGO || last.outcome != ActionOutcome::Confirmed {
        return Finding::new(thing, Grade::Warning, what).cure(cure);
    }
    Finding::new(thing, Grade::Ok, what)
}

/// The journal: whether it can be written and was not tampered with, and whether what is
/// started outlives a logout.
pub(super) async fn journal(around: &Around, thing: &Thing) -> Vec<Finding> {
    let (of, surroundings) = (thing.clone(), around.surroundings.clone());
    let directory = around.profile.state_dir.clone();
    let secrets = around.profile.doctor.secret_files.clone();
    let mut found = aside(thing, move || {
        let mut found = machine::state_directory(&of, &directory);
        found.push(chain(&of, &directory.join(journal::FILE)));
        found.push(machine::logout(&of, &surroundings));
        found.extend(secrets.iter().map(|file| machine::secret_file(&of, file)));
        found
    })
    .await;
    if around.profile.display.read_only {
        let what = "the console is read-only: no action can be started";
        found.push(
            Finding::new(thing, Grade::Warning, what)
                .cure("take display.read_only out for the window"),
        );
    }
    found
}

fn chain(thing: &Thing, file: &std::path::Path) -> Finding {
    let gone = || matches!(journal::verify(file), Err(journal::JournalError::Io { .. }));
    if !file.exists() && gone() {
        return Finding::new(thing, Grade::Ok, "there is no journal yet: the first line begins it");
    }
    match journal::verify(file) {
        Ok(verified) => {
            let what = format!("the journal verifies: {} lines", verified.lines);
            Finding::new(thing, Grade::Ok, what)
        }
        Err(error @ journal::JournalError::Broken { .. }) => {
            let cure =
                "keep a copy of it, and find out who wrote into it: watchfloor journal verify";
            Finding::new(thing, Grade::Critical, error.to_string()).cure(cure)
        }
        Err(error) => Finding::new(thing, Grade::Unknown, error.to_string())
            .cure("nothing can be started without it: look at its owner and its mode"),
    }
}
