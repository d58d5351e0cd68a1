//! Following a run by what its runner writes, and writing down the end of one whose runner
//! is gone.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::mpsc, time::Instant};

use super::{
    Actions,
    journal::{
        Record,
        entry::{Entry, Finished, Kind},
        place,
    },
    launch::{COMPLAINTS, Launched, NotLaunched},
    left::program_of,
    place_of,
    supervise::{LIVE, RunLock},
    verdict::{self, Last},
    words,
};
use crate::domain::{
    action::{ActionEvent, ActionStage, Claim, RunResult, Standing},
    ids::{ActionId, RunId},
};

/// How often what the runner writes is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked at whether the runner is still there.
const STANDING_EVERY: Duration = Duration::from_millis(500);
/// A runner that has not reported after this is taken for dead.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// An intent of another console that is younger may still get its runner.
const YOUNG: Duration = Duration::from_secs(10);
/// How often, and for how long, the end of a run is tried to be written where that fails.
const WRITE_EVERY: Duration = Duration::from_secs(2);
const WRITE_FOR: Duration = Duration::from_secs(600);
/// What a late follower still gets to see of the output, bytes.
const BACKLOG: u64 = 256 << 10;

impl Actions {
    /// Where a run stands. Blocks. `patient`: a young intent may still get its runner.
    pub(super) fn standing_of(&self, record: &Record, patient: bool) -> Standing {
        let held = RunLock::is_held(&place_of(&self.state_dir, &record.past.run));
        self.judge(record, held, patient)
    }

    fn judge(&self, record: &Record, held: bool, patient: bool) -> Standing {
        let young = patient && is_young(record.intended, (self.clock)().wall);
        verdict::standing(record.last, held, young, program_of(record))
    }

    /// Where a run stands; where nobody carries it out any more, that is written down first.
    /// Nobody can begin to carry it out meanwhile: the runner's lock is held for that.
    fn settle(&self, run: &RunId, patient: bool) -> Settled {
        let directory = place_of(&self.state_dir, run);
        // Made where it is not there: a runner that is still to come must meet the lock.
        let made = place::directory(&directory).map_err(|error| error.to_string());
        let lock = made.and_then(|()| RunLock::take(&directory));
        let held = lock.is_err();
        // Only now: what was read before the lock was taken may be old.
        let Some(record) = self.journal.record(run) else { return Settled::default() };
        let standing = self.judge(&record, held, patient);
        let known = Settled { standing: Some(standing), unwritten: None };
        let (claim, summary) = match standing {
            Standing::NeverStarted => (Claim::NotSent, never_started(&directory, &record)),
            Standing::Interrupted => (Claim::Unclear, interrupted(&record)),
            _ => return known,
        };
        let took = Duration::try_from((self.clock)().wall.duration_since(record.intended));
        let result =
            RunResult { claim, summary, readings: BTreeMap::new(), took: took.unwrap_or_default() };
        let entry = Entry {
            run: Some(run.clone()),
            action: Some(record.past.action.clone()),
            result: Some(Finished::from(&result)),
            ..Entry::new(Kind::Finish)
        };
        match self.journal.append(&entry, (self.clock)().wall) {
            Ok(()) => known,
            Err(error) => Settled { unwritten: Some((result, error.to_string())), ..known },
        }
    }

    /// Goes on trying to write down that a run is over, as on a full disk. It is the next
    /// console's task where this one ends before.
    async fn keep_settling(self, run: RunId) {
        let give_up = Instant::now() + WRITE_FOR;
        while Instant::now() < give_up {
            tokio::time::sleep(WRITE_EVERY).await;
            let (own, name) = (self.clone(), run.clone());
            let settled = tokio::task::spawn_blocking(move || own.settle(&name, false)).await;
            if settled.is_ok_and(|settled| settled.unwritten.is_none()) {
                return;
            }
        }
    }
}

/// What a closer look at a run found.
#[derive(Default)]
struct Settled {
    standing: Option<Standing>,
    /// It is over, and why that is not in the journal.
    unwritten: Option<(RunResult, String)>,
}

fn is_young(intended: Timestamp, now: Timestamp) -> bool {
    Duration::try_from(now.duration_since(intended)).is_ok_and(|age| age < YOUNG)
}

/// What became of a run that was never started, as far as its runner said.
fn never_started(directory: &Path, record: &Record) -> String {
    let complaint = fs::read_to_string(directory.join(COMPLAINTS)).unwrap_or_default();
    let complaint = complaint.lines().rev().find(|line| !line.trim().is_empty());
    let why = match (complaint, &record.supervisor) {
        (Some(line), _) => words::quote(line, 200),
        (None, Some(_)) => "its runner was ended before it was sent".to_owned(),
        (None, None) => "its runner never reported".to_owned(),
    };
    format!("not sent: {why}")
}

/// How far a run came whose runner was ended.
fn interrupted(record: &Record) -> String {
    let step = record.step.as_ref().map(|step| format!(": {}", step.when_cut_off()));
    format!("interrupted: its runner was ended before it was over{}", step.unwrap_or_default())
}

/// Reads the events of a runner as they are written.
struct Tail {
    path: PathBuf,
    file: Option<File>,
    at: u64,
    rest: Vec<u8>,
    cut: bool,
}

impl Tail {
    fn new(directory: &Path) -> Self {
        Self { path: directory.join(LIVE), file: None, at: 0, rest: Vec::new(), cut: false }
    }

    /// What has been written since. Blocks on the disk.
    fn next(&mut self) -> Vec<ActionStage> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
            let length = self.file.as_ref().and_then(|file| file.metadata().ok());
            let length = length.map_or(0, |facts| facts.len());
            self.at = length.saturating_sub(BACKLOG);
            self.cut = self.at > 0;
        }
        let Some(file) = &mut self.file else { return Vec::new() };
        let mut bytes = Vec::new();
        let read = file
            .seek(SeekFrom::Start(self.at))
            .and_then(|_| file.take(BACKLOG).read_to_end(&mut bytes));
        let Ok(read) = read else { return Vec::new() };
        self.at += read as u64;
        self.rest.extend(bytes);
        let mut stages = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            // Where reading began in the middle, the first line is the rest of one.
            if !std::mem::take(&mut self.cut) {
                stages.extend(serde_json::from_slice(&line).ok());
            }
        }
        stages
    }
}

/// What one look at a run found.
struct Seen {
    tail: Tail,
    stages: Vec<ActionStage>,
    record: Option<Record>,
    settled: Settled,
}

/// What the follower of a run has passed on.
struct Follower {
    actions: Actions,
    run: RunId,
    action: ActionId,
    events: mpsc::Sender<ActionEvent>,
    journaled: bool,
    started: bool,
    orphaned: bool,
}

impl Follower {
    /// Whether anybody listens.
    async fn tell(&self, stage: ActionStage) -> bool {
        let event = ActionEvent {
            run: self.run.clone(),
            action: self.action.clone(),
            at: (self.actions.clock)(),
            stage,
        };
        self.events.send(event).await.is_ok()
    }

    /// Passes on what is new. Whether to go on.
    async fn pass_on(&mut self, seen: &mut Seen) -> bool {
        let Some(record) = &seen.record else { return true };
        if !std::mem::replace(&mut self.journaled, true) && !self.tell(ActionStage::Journaled).await
        {
            return false;
        }
        let result = record.past.trace.result.as_ref();
        let never = result.is_some_and(|result| result.claim == Claim::NotSent);
        let sent = record.last >= Last::Spawning && (record.last != Last::Finished || !never);
        if sent
            && !std::mem::replace(&mut self.started, true)
            && !self.tell(ActionStage::Started).await
        {
            return false;
        }
        for stage in seen.stages.drain(..) {
            if !self.tell(stage).await {
                return false;
            }
        }
        if let Some(standing @ (Standing::Unsupervised { .. } | Standing::Unseen)) =
            seen.settled.standing
            && !std::mem::replace(&mut self.orphaned, true)
        {
            let since = record.past.wall.strftime("%H:%M:%SZ");
            let nobody = match standing {
                Standing::Unsupervised { .. } => {
                    "; when its time is up nobody ends it: ask it to stop where it must not go on"
                }
                _ => "",
            };
            let text = format!("[{}; begun at {since}{nobody}]", standing.words());
            return self.tell(ActionStage::Output(text)).await;
        }
        true
    }
}

impl Follower {
    /// It is over, and whoever waits must not wait for the disk.
    async fn over_unwritten(self, result: RunResult, why: &str) {
        let run = self.run.clone();
        tracing::error!(%run, why, "the end of a run could not be written");
        let summary = format!("{} (not in the journal: {})", result.summary, words::plain(why));
        self.tell(ActionStage::Finished(RunResult { summary, ..result })).await;
        tokio::spawn(self.actions.keep_settling(run));
    }
}

/// Follows a run to its end, or until nobody listens.
pub(super) async fn follow(
    actions: &Actions,
    run: RunId,
    action: ActionId,
    events: mpsc::Sender<ActionEvent>,
    runner: Option<Launched>,
) {
    let began = Instant::now();
    let mut next_standing = began;
    let mut tail = Tail::new(&place_of(&actions.state_dir, &run));
    let mut follower = Follower {
        actions: actions.clone(),
        run,
        action,
        events,
        journaled: false,
        started: false,
        orphaned: false,
    };
    loop {
        let exited = runner.as_ref().is_some_and(Launched::has_exited);
        let settle = exited || Instant::now() >= next_standing;
        if settle {
            next_standing = Instant::now() + STANDING_EVERY;
        }
        // A runner of our own is dead when it has ended, or says nothing for too long.
        let patient = match &runner {
            Some(_) => !exited && began.elapsed() < HANDSHAKE,
            None => true,
        };
        let (own, name) = (actions.clone(), follower.run.clone());
        let looking = tokio::task::spawn_blocking(move || {
            let settled = if settle { own.settle(&name, patient) } else { Settled::default() };
            let record = own.journal.record(&name);
            // After the record: what was written before the end of a run is read with it.
            let stages = tail.next();
            Seen { tail, stages, record, settled }
        });
        let Ok(mut seen) = looking.await else { return };
        let finished = seen.record.as_ref().filter(|record| record.last == Last::Finished);
        let finished = finished.map(|record| record.past.trace.result.clone());
        let more = !seen.stages.is_empty();
        if !follower.pass_on(&mut seen).await {
            return;
        }
        tail = seen.tail;
        match finished {
            Some(_) if more => {}
            Some(result) => {
                follower.tell(ActionStage::Finished(result.unwrap_or_else(no_result))).await;
                return;
            }
            None => match seen.settled.unwritten {
                Some((result, why)) => return follower.over_unwritten(result, &why).await,
                None => tokio::time::sleep(LOOK_EVERY).await,
            },
        }
    }
}

/// For a line of a later version without one.
fn no_result() -> RunResult {
    RunResult {
        claim: Claim::Unclear,
        summary: "the journal does not say how it ended".to_owned(),
        readings: BTreeMap::new(),
        took: Duration::ZERO,
    }
}

/// Nothing was started.
pub(super) async fn not_started(
    actions: &Actions,
    run: &RunId,
    action: &ActionId,
    why: &NotLaunched,
    events: &mpsc::Sender<ActionEvent>,
) {
    let result = RunResult {
        claim: Claim::NotSent,
        summary: format!("not sent: {}", words::plain(&why.to_string())),
        readings: BTreeMap::new(),
        took: Duration::ZERO,
    };
    let event = ActionEvent {
        run: run.clone(),
        action: action.clone(),
        at: (actions.clock)(),
        stage: ActionStage::Finished(result),
    };
    // Nobody listens any more: then nobody has to be told.
    let _ = events.send(event).await;
}
