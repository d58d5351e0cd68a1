//! The plan of several steps. What an earlier step brings is not known yet: it is shown and
//! counted into the digest by its name, and worked out again when the step is due.

use std::time::Duration;

use super::{
    Draft, Job, command,
    command::CommandJob,
    fill::{Known, filled_step},
    http,
    http::HttpJob,
    job_of,
};
use crate::{
    actions::sql::{Asking, Bound},
    config::profile::{
        EnvFile, Gap, Look, PostgresSource, ReadingConfig, SequenceAction, Spot, Step, StepKind,
        Text, Wait,
    },
    domain::{
        ask::Answers,
        condition::Condition,
        sql::Statement,
        template::{Blank, Filling},
        time::short_duration,
    },
    net::postgres,
};

/// Several steps, ready to be begun.
#[derive(Debug)]
pub(in crate::actions) struct SequenceJob {
    /// The steps as they are configured.
    pub(in crate::actions) steps: Vec<Step>,
    /// What was asked for.
    pub(in crate::actions) given: Answers,
    /// The same as far as they can be looked at before.
    pub(in crate::actions) looks: Vec<StepJob>,
}

/// A step, ready to be carried out.
#[derive(Debug)]
pub(in crate::actions) enum StepJob {
    /// What could be an action by itself.
    Act(Job),
    /// Looks until something is so.
    Wait(WaitJob),
    /// Sets variables in a file.
    EnvFile(EnvFile),
}

/// Looks until something is so.
#[derive(Debug)]
pub(in crate::actions) struct WaitJob {
    /// Where.
    pub(in crate::actions) look: LookJob,
    /// From one look to the next.
    pub(in crate::actions) every: Duration,
    /// All must hold.
    pub(in crate::actions) until: Vec<Condition>,
    /// Where one holds, waiting is in vain.
    pub(in crate::actions) fail_when: Vec<Condition>,
}

/// Where a waiting step looks.
#[derive(Debug)]
pub(in crate::actions) enum LookJob {
    /// At the answer to a GET.
    Http(Box<HttpJob>),
    /// At the one row of a SELECT.
    Sql {
        /// How to reach the server.
        server: Box<PostgresSource>,
        /// The SELECT.
        asking: Asking,
    },
    /// At what a program prints.
    Command {
        /// The program.
        job: CommandJob,
        /// Values of the JSON document that it prints.
        readings: Vec<ReadingConfig>,
    },
}

/// A step of which everything is known.
#[derive(Debug)]
pub(in crate::actions) struct ReadyStep {
    /// What to do.
    pub(in crate::actions) job: StepJob,
    /// What must hold of its answer.
    pub(in crate::actions) verify: Vec<Condition>,
}

impl ReadyStep {
    /// The step with everything that it needs.
    ///
    /// # Errors
    /// Why it cannot be carried out. Blocks on the file system.
    pub(in crate::actions) fn make(step: &Step, known: Known<'_>) -> Result<Self, String> {
        let Step { kind, verify, .. } = filled_step(step, known)?;
        let mut draft = Draft::default();
        let job = job(&kind, &mut draft);
        match job {
            Some(job) if draft.refusals.is_empty() => Ok(Self { job, verify }),
            _ => Err(draft.refusals.join("; ")),
        }
    }
}

/// Works the steps out.
pub(super) fn draft(action: &SequenceAction, draft: &mut Draft) -> Option<SequenceJob> {
    let names: Vec<&str> = action.steps.iter().map(|step| step.name.as_str()).collect();
    draft.fingerprint.add("kind", "sequence");
    // It would be shown as what a step brings.
    for (name, _) in action.given.iter().filter(|(_, value)| value.expose().contains(MARK)) {
        draft.refuse(format!("{name}: a value cannot hold {MARK:?}"));
    }
    let mut looks = Vec::new();
    for (position, step) in action.steps.iter().enumerate() {
        fingerprint(step, draft);
        let stands = |blank: &Blank| Some(Filling::Stand(marker(blank)));
        let known = Known::new(&action.given, &stands);
        let title = format!("step {} of {}: {}", position + 1, names.len(), step.name);
        let refusals = draft.refusals.len();
        let rest = draft.request.len();
        let filled = filled_step(step, known).map_err(|why| draft.refuse(why)).ok();
        let look = filled.as_ref().and_then(|step| job(&step.kind, draft));
        for refusal in &mut draft.refusals[refusals..] {
            *refusal = unmarked(&format!("{title}: {refusal}"), &names);
        }
        let own = draft.request.split_off(rest);
        draft.line(&format!("{title}, at most {}", short_duration(step.timeout)));
        for line in compact(own, step) {
            draft.line(&format!("  {}", unmarked(&line, &names)));
        }
        for condition in filled.iter().flat_map(|step| &step.verify) {
            draft.fingerprint.add("verified", condition.to_string());
            let text = unmarked(&condition.to_string(), &names);
            draft.line(&format!("  and goes on only where {text}"));
        }
        looks.extend(look.map(|look| unknown(look, &step.gaps)));
    }
    let sound = looks.len() == action.steps.len();
    sound.then(|| SequenceJob { steps: action.steps.clone(), given: action.given.clone(), looks })
}

fn fingerprint(step: &Step, draft: &mut Draft) {
    let print = &mut draft.fingerprint;
    print.add("step", &step.name);
    print.add("timeout_ms", step.timeout.as_millis().to_string());
    for condition in &step.verify {
        print.add("verify", condition.to_string());
    }
    for gap in &step.gaps {
        print.add("at", format!("{:?}", gap.at));
        print.add("gap", String::from(gap.text.clone()));
    }
}

/// Begins what stands for a value.
const MARK: &str = "~step.";

/// Stands for a value while a step is worked out: it means the same in an address, in a
/// header and in a text.
fn marker(blank: &Blank) -> String {
    format!("~{blank}~")
}

/// A line in which the values that are not known yet are named.
fn unmarked(line: &str, names: &[&str]) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(MARK) {
        out.push_str(before);
        let marked = after.split_once('~').and_then(|(inside, behind)| {
            let (step, reading) = inside.split_once('.')?;
            let number = names.iter().position(|name| *name == step)? + 1;
            Some((format!("‹result of step {number}: {reading}›"), behind))
        });
        match marked {
            Some((stand, behind)) => {
                out.push_str(&stand);
                rest = behind;
            }
            None => {
                out.push_str(MARK);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A request with its headers in one line: those of several requests would hide the rest.
fn compact(lines: Vec<String>, step: &Step) -> Vec<String> {
    if !lines.first().is_some_and(|line| line.ends_with(" HTTP/1.1")) {
        return lines;
    }
    let open = step.gaps.iter().any(|gap| matches!(gap.at, Spot::Body(_)) && is_open(gap));
    let mut lines = lines.into_iter();
    let mut out: Vec<String> = lines.next().into_iter().collect();
    let headers: Vec<String> = lines
        .by_ref()
        .take_while(|line| !line.is_empty())
        .map(|line| match line.starts_with("content-length: ") && open {
            true => "content-length: ‹that of the body›".to_owned(),
            false => line,
        })
        .collect();
    out.push(headers.join("; "));
    out.extend(lines);
    out
}

/// Whether a text waits for what an earlier step brings.
fn is_open(gap: &Gap) -> bool {
    gap.text.blanks().any(|blank| matches!(blank, Blank::Step { .. }))
}

/// What needs a value that is not known yet is only looked at as far as it goes without.
fn unknown(mut look: StepJob, gaps: &[Gap]) -> StepJob {
    if let StepJob::Act(Job::Sql(job)) = &mut look {
        job.known = !gaps.iter().any(|gap| matches!(gap.at, Spot::Parameter(_)) && is_open(gap));
    }
    look
}

/// Works one step out.
fn job(kind: &StepKind, draft: &mut Draft) -> Option<StepJob> {
    match kind {
        StepKind::Act(kind) => job_of(kind, draft).map(StepJob::Act),
        StepKind::Wait(wait) => wait_job(wait, draft).map(StepJob::Wait),
        StepKind::EnvFile(file) => env_file(file, draft),
    }
}

fn wait_job(wait: &Wait, draft: &mut Draft) -> Option<WaitJob> {
    draft.fingerprint.add("kind", "wait");
    draft.fingerprint.add("every_ms", wait.every.as_millis().to_string());
    let look = match &wait.look {
        Look::Http(action) => http::draft(action, draft).map(|job| LookJob::Http(Box::new(job))),
        Look::Sql { server, query, parameters } => sql_look(server, query, parameters, draft),
        Look::Command { command, readings } => command::draft(command, draft)
            .map(|job| LookJob::Command { job, readings: readings.clone() }),
    };
    for (word, conditions) in [("until", &wait.until), ("fails when", &wait.fail_when)] {
        for condition in conditions {
            draft.fingerprint.add(word, condition.to_string());
            draft.line(&format!("{word} {condition}"));
        }
    }
    draft.line(&format!("every {}", short_duration(wait.every)));
    Some(WaitJob {
        look: look?,
        every: wait.every,
        until: wait.until.clone(),
        fail_when: wait.fail_when.clone(),
    })
}

fn sql_look(
    server: &PostgresSource,
    query: &str,
    parameters: &[Text],
    draft: &mut Draft,
) -> Option<LookJob> {
    draft.line(&format!("on {}, read-only", postgres::shown(server)));
    draft.line(&format!("{query};"));
    draft.fingerprint.add("server", postgres::shown(server));
    draft.fingerprint.add("query", query);
    for (position, text) in parameters.iter().enumerate() {
        draft.fingerprint.add_text("parameter", text);
        draft.line(&format!("${} = {:?}", position + 1, text.shown()));
    }
    let given: Vec<Bound> = parameters.iter().map(|text| Bound(text.expose())).collect();
    let asking = Statement::parse(query)
        .map_err(|error| error.message)
        .and_then(|statement| Asking::new(statement, &given));
    match asking {
        Ok(asking) => Some(LookJob::Sql { server: Box::new(server.clone()), asking }),
        Err(why) => {
            draft.refuse(why);
            None
        }
    }
}

fn env_file(file: &EnvFile, draft: &mut Draft) -> Option<StepJob> {
    let path = &file.path;
    draft.fingerprint.add("kind", "env_file");
    draft.fingerprint.add("path", path.as_os_str().as_encoded_bytes());
    draft.line(&format!("in {}, of which a copy is kept beside it", path.display()));
    for (name, text) in &file.set {
        draft.fingerprint.add("variable", name);
        draft.fingerprint.add_text("value", text);
        draft.line(&format!("{name}={}", text.shown()));
    }
    if !path.is_file() {
        draft.refuse(format!("{} is not a file", path.display()));
        return None;
    }
    Some(StepJob::EnvFile(file.clone()))
}
