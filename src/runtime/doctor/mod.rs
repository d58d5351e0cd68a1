//! An examination of everything that is configured: a task for each thing, several at once,
//! each with a time limit of its own and all with one.
//!
//! A source is looked at once, whoever needs the answer: its checks, the rules on it, and the
//! proofs of actions wait for the same look.

mod acting;

mod deeds;

mod given;

mod readings;

mod watching;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use jiff::Timestamp;
use serde::Serialize;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

pub use acting::NEVER_TRIED;

use super::check;
use crate::{
    config::profile::{Profile, SourceConfig},
    doctor::{certificates::Target, program::Surroundings},
    domain::{
        action::PastRun,
        examination::{Examined, Finding, Grade, Subject, Thing, worst, worst_first},
        ids::SourceId,
        observation::Observation,
        time::Moment,
    },
};

/// How many things are looked at at once.
const AT_ONCE: usize = 8;

/// How long the look at one thing may take; longer where its source has longer.
const LIMIT: Duration = Duration::from_secs(20);

/// How long all of it may take.
const TOTAL: Duration = Duration::from_secs(90);

/// How long one exchange with another machine may take.
const EXCHANGE: Duration = Duration::from_secs(5);

/// What is examined: all of it where nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Things of this kind.
    pub subject: Option<Subject>,
    /// The one of this name.
    pub id: Option<String>,
}

impl Only {
    /// Reads `SUBJECT` or `SUBJECT/ID`.
    ///
    /// # Errors
    /// There is no such subject.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, id) = match text.split_once('/') {
            Some((word, id)) => (word, Some(id.to_owned())),
            None => (text, None),
        };
        let subject = Subject::ALL.into_iter().find(|subject| subject.word() == word);
        let Some(subject) = subject else {
            let known = Subject::ALL.map(Subject::word).join(", ");
            return Err(format!("there is no {word:?} to examine: {known}"));
        };
        Ok(Self { subject: Some(subject), id })
    }

    fn takes(&self, thing: &Thing) -> bool {
        self.subject.is_none_or(|subject| subject == thing.subject)
            && self.id.as_ref().is_none_or(|id| *id == thing.id)
    }
}

/// A finished examination, as `doctor --json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The version of the document.
    pub schema: u32,
    /// When it was begun.
    pub at: Timestamp,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The worst that was found; of nothing, it is unknown.
    pub verdict: Grade,
    /// Everything that was found, the things that are worst off first.
    pub findings: Vec<Finding>,
}

/// A look that several things wait for; none where it broke down.
type Look = Shared<BoxFuture<'static, Option<Arc<Observation>>>>;

/// What all tasks of an examination share.
struct Around {
    profile: Arc<Profile>,
    surroundings: Surroundings,
    is_terminal: bool,
    looks: BTreeMap<SourceId, Look>,
    /// Sources that are not looked at, because an action posts to their address.
    unsafe_gets: BTreeMap<SourceId, String>,
    /// Which servers' certificates are looked at by whom: each once.
    certificates: BTreeMap<Thing, Vec<Target>>,
    history: Result<Vec<PastRun>, String>,
    now: Moment,
}

type Work = BoxFuture<'static, Vec<Finding>>;

/// Examines what is asked for, and tells what was found as it is found. That nobody listens
/// does not keep it from going on.
///
/// # Errors
/// There is nothing of that name.
pub async fn examine(
    profile: Arc<Profile>,
    only: &Only,
    number: u64,
    is_terminal: bool,
    news: mpsc::Sender<Examined>,
) -> Result<Report, String> {
    let began = Moment { mono: Duration::ZERO, wall: Timestamp::now() };
    let mut things = everything(&profile);
    things.retain(|thing| only.takes(thing));
    if things.is_empty() {
        let subject = only.subject.map_or("", Subject::word);
        let id = only.id.as_deref().unwrap_or_default();
        return Err(format!("nothing to examine: there is no {subject} {id}")
            .trim_end()
            .to_owned());
    }
    let around = Arc::new(surroundings(Arc::clone(&profile), &things, is_terminal, began).await);
    let of = things.len();
    let tell = async |done, findings| {
        let _ = news.send(Examined { number, done, of, findings }).await;
    };
    tell(0, Vec::new()).await;
    let mut left: BTreeSet<Thing> = things.iter().cloned().collect();
    let mut tasks = start(&around, things);
    let until = Instant::now() + TOTAL;
    let (mut all, mut done) = (Vec::new(), 0);
    while let Ok(Some(finished)) = timeout_at(until, tasks.join_next()).await {
        // A task that broke down is told at the end, by name.
        let Ok((thing, findings)) = finished else { continue };
        left.remove(&thing);
        done += 1;
        all.extend(findings.iter().cloned());
        tell(done, findings).await;
    }
    if !left.is_empty() {
        let findings: Vec<Finding> = left.iter().map(not_examined).collect();
        all.extend(findings.iter().cloned());
        tell(of, findings).await;
    }
    worst_first(&mut all);
    Ok(Report {
        schema: 1,
        at: began.wall,
        service: profile.catalog.service.clone(),
        environment: profile.catalog.environment.clone(),
        verdict: overall(&all),
        findings: all,
    })
}

fn not_examined(thing: &Thing) -> Finding {
    let what = "it was not examined: the time was over, or the look broke down";
    Finding::new(thing, Grade::Unknown, what).cure("examine it alone: doctor --only")
}

/// Nothing that was looked at means that nothing is known.
fn overall(findings: &[Finding]) -> Grade {
    let verdict = worst(findings);
    let grades = [Grade::Critical, Grade::Warning, Grade::Unknown, Grade::Ok];
    grades.into_iter().find(|grade| grade.verdict() == verdict).unwrap_or(Grade::Unknown)
}

/// Everything that is configured, in the order in which it is looked at: what takes longest
/// first.
fn everything(profile: &Profile) -> Vec<Thing> {
    let catalog = &profile.catalog;
    let mut things = Vec::new();
    let mut add =
        |subject: Subject, id: &dyn std::fmt::Display| things.push(Thing::new(subject, id));
    catalog.sources.keys().for_each(|id| add(Subject::Source, id));
    catalog.actions.iter().for_each(|action| add(Subject::Action, &action.id));
    add(Subject::Journal, &"journal");
    profile.notify.infos.iter().for_each(|info| add(Subject::Notify, &info.name));
    catalog.checks.iter().for_each(|check| add(Subject::Check, &check.id));
    catalog.rules.iter().for_each(|rule| add(Subject::Rule, &rule.id));
    catalog.contacts.iter().for_each(|contact| add(Subject::Contact, &contact.level));
    add(Subject::Terminal, &"terminal");
    // Two contacts may have one level: they are looked at together.
    let mut seen = BTreeSet::new();
    things.retain(|thing| seen.insert(thing.clone()));
    things
}

async fn surroundings(
    profile: Arc<Profile>,
    things: &[Thing],
    is_terminal: bool,
    now: Moment,
) -> Around {
    let directory = profile.state_dir.clone();
    let reading = tokio::task::spawn_blocking(move || {
        crate::actions::journal::history(&directory, super::engine::HISTORY * 5)
    });
    let history = match timeout(LIMIT, reading).await {
        Ok(Ok(Ok(history))) => Ok(history),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the disk with the journal does not answer".to_owned()),
    };
    let unsafe_gets = watching::unsafe_gets(&profile);
    let asked = profile
        .sources
        .values()
        .filter(|config| config.disabled.is_none() && !unsafe_gets.contains_key(&config.id));
    let looks = asked.map(|config| (config.id.clone(), look(&profile, config))).collect();
    Around {
        surroundings: Surroundings::of_process(),
        is_terminal,
        looks,
        unsafe_gets,
        certificates: watching::certificates(&profile, things),
        history,
        now,
        profile,
    }
}

/// A look at a source, as `check` takes it. It begins when somebody waits for it.
fn look(profile: &Profile, config: &SourceConfig) -> Look {
    let times = if check::has_counters(profile, &config.id) { 2 } else { 1 };
    let config = config.clone();
    async move { check::look(config, times).await.pop().map(Arc::new) }.boxed().shared()
}

/// Starts a task for each thing.
fn start(around: &Arc<Around>, things: Vec<Thing>) -> JoinSet<(Thing, Vec<Finding>)> {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for thing in things {
        let (work, limit) = (work(around, &thing), limit(&around.profile, &thing));
        let room = Arc::clone(&room);
        tasks.spawn(async move {
            // The semaphore is never closed.
            let _place = room.acquire_owned().await;
            let began = Instant::now();
            let worked = timeout(limit, work).await;
            let mut findings = worked.unwrap_or_else(|_| vec![not_examined(&thing)]);
            let took = began.elapsed();
            for finding in findings.iter_mut().filter(|finding| finding.took.is_zero()) {
                finding.took = took;
            }
            (thing, findings)
        });
    }
    tasks
}

fn limit(profile: &Profile, thing: &Thing) -> Duration {
    let slowest = profile.sources.values().map(|source| source.timeout).max().unwrap_or_default();
    match thing.subject {
        Subject::Source | Subject::Check | Subject::Rule | Subject::Action => {
            LIMIT.max(slowest * 2 + EXCHANGE * 2).min(TOTAL)
        }
        _ => LIMIT,
    }
}

/// The look at one thing.
fn work(around: &Arc<Around>, thing: &Thing) -> Work {
    let (around, thing) = (Arc::clone(around), thing.clone());
    match thing.subject {
        Subject::Source => async move { watching::source(&around, &thing).await }.boxed(),
        Subject::Check => async move { readings::check(&around, &thing).await }.boxed(),
        Subject::Rule => async move { readings::rule(&around, &thing).await }.boxed(),
        Subject::Action => async move { acting::action(&around, &thing).await }.boxed(),
        Subject::Notify => async move { watching::notify(&around, &thing).await }.boxed(),
        Subject::Contact => async move { watching::contact(&around, &thing) }.boxed(),
        Subject::Journal => async move { acting::journal(&around, &thing).await }.boxed(),
        Subject::Terminal => async move {
            crate::doctor::machine::terminal(&thing, &around.surroundings, around.is_terminal)
        }
        .boxed(),
    }
}

/// Does something that blocks on the file system.
async fn aside(
    thing: &Thing,
    work: impl FnOnce() -> Vec<Finding> + Send + 'static,
) -> Vec<Finding> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| vec![not_examined(thing)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_or_all_of_a_kind_can_be_asked_for() {
        let only = Only::parse("action/clear").unwrap();
        assert!(only.takes(&Thing::new(Subject::Action, "clear")));
        assert!(!only.takes(&Thing::new(Subject::Action, "warm")));
        assert!(Only::parse("contact").unwrap().takes(&Thing::new(Subject::Contact, 1)));
        assert!(Only::default().takes(&Thing::new(Subject::Terminal, "terminal")));
        assert!(Only::parse("acton").unwrap_err().contains("action, source"));
    }

    #[test]
    fn nothing_that_was_looked_at_is_unknown() {
        let thing = Thing::new(Subject::Source, "api");
        assert_eq!(overall(&[]), Grade::Unknown);
        assert_eq!(overall(&[Finding::new(&thing, Grade::Skipped, "off")]), Grade::Unknown);
        assert_eq!(overall(&[Finding::new(&thing, Grade::Ok, "fine")]), Grade::Ok);
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_keeps_no_examination_from_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let mut profile = crate::runtime::engine::tests::loaded(directory.path(), "").profile;
        profile.state_dir = directory.path().to_owned();
        // Opening a pipe that nobody writes to takes for ever.
        let pipe = directory.path().join(crate::actions::journal::FILE);
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let only = Only { subject: Some(Subject::Terminal), id: None };
        let (news, _news) = mpsc::channel(8);
        let examined =
            tokio::spawn(async move { examine(Arc::new(profile), &only, 1, false, news).await });
        let began = Instant::now();
        while !examined.is_finished() && began.elapsed() < TOTAL {
            // While it hangs, the clock of the test stands still by itself.
            tokio::time::advance(Duration::from_millis(500)).await;
        }
        let is_over = examined.is_finished();
        drop(std::fs::OpenOptions::new().write(true).open(pipe).unwrap());
        assert!(is_over, "it waits for the disk");
        assert!(!examined.await.unwrap().unwrap().findings.is_empty());
    }
}
