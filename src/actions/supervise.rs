//! The process that carries one run out, and nothing else.
//!
//! It has a session of its own and no terminal, so that neither a hangup nor a closed pipe
//! reaches it. It holds the lock of its run for life: the lock is free exactly when nobody
//! carries the run out any more.

use std::{
    fs::{File, TryLockError},
    io::{Read, Write},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::{
    Clock,
    journal::{
        Journal,
        entry::{Entry, Kind},
        place,
    },
    place_of,
    process::ProcessId,
    run::{self, Interruption, Stop, Task},
    verdict::Last,
    wire::Handover,
};
use crate::domain::{
    action::{ActionEvent, ActionStage},
    ids::RunId,
    time::Moment,
};

/// What the runner passes on while it runs, for whoever follows it: one event a line.
pub(super) const LIVE: &str = "live.jsonl";
/// The most of it that is kept, bytes. The whole output is in another file.
const MOST_LIVE: u64 = 4 << 20;
/// The file that is locked for the life of the runner.
const LOCK: &str = "lock";
/// How long the lock is waited for: somebody may just be looking who holds it.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// How long the handing over may take.
const HANDOVER: Duration = Duration::from_secs(10);
/// The most that is handed over, bytes.
const LONGEST: u64 = 16 << 20;
/// How often the journal is looked at for somebody who wants the run to stop.
const WATCH_EVERY: Duration = Duration::from_millis(200);

/// The lock of a run, held until this is dropped.
#[derive(Debug)]
pub(super) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes it, where nobody holds it.
    pub(super) fn take(directory: &Path) -> Result<Self, String> {
        let path = directory.join(LOCK);
        let file =
            place::lock_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err("another runner has it".to_owned()),
            Err(TryLockError::Error(error)) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Whether somebody holds it.
    pub(super) fn is_held(directory: &Path) -> bool {
        let Ok(file) = File::open(directory.join(LOCK)) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

/// Carries out the run that is handed over on the standard input, to its end.
///
/// # Errors
/// Why it did not begin, and nothing was sent; or why its end is not in the journal.
pub async fn supervise() -> Result<(), String> {
    // First of all: from here on a hangup of the terminal is none of ours.
    if let Err(error) = rustix::process::setsid() {
        // Whoever starts it by hand leads a group already; it then has a terminal, too.
        tracing::warn!(%error, "no session of its own");
    }
    adopt_orphans();
    let stop = Arc::new(Stop::default());
    heed_signals(&stop).map_err(|error| format!("signals cannot be heeded: {error}"))?;
    let handover = Arc::new(receive().await?);
    let began = Instant::now();
    let clock: Clock = Arc::new(move || Moment { mono: began.elapsed(), wall: Timestamp::now() });
    let (own, at) = (Arc::clone(&handover), Arc::clone(&clock));
    // The one thread of the runner must not hang with the disk.
    let taking_up = tokio::task::spawn_blocking(move || TakenUp::new(&own, &at));
    let TakenUp { _lock, journal, live } =
        tokio::time::timeout(LOCK_PATIENCE + run::DISK_LIMIT, taking_up)
            .await
            .map_err(|_| "the disk does not answer".to_owned())?
            .map_err(|error| error.to_string())??;
    watch(Arc::clone(&journal), &handover, Arc::clone(&stop));
    let (events, receiver) = mpsc::channel(64);
    let sink = keep(live, receiver);
    let task = Task {
        config: handover.action()?,
        run: handover.run.clone(),
        target: handover.target.clone(),
        digest: handover.digest.clone(),
        cooldown: handover.cooldown(),
        take_over: handover.take_over.clone(),
        journal,
        state_dir: handover.state_dir.clone(),
        clock,
        events,
        stop: Arc::clone(&stop),
    };
    let over = run::run(task).await;
    // Whoever sees the end in the journal finds everything that came before it, unless the
    // disk hangs.
    let sinking = tokio::task::spawn_blocking(move || sink.join());
    let _ = tokio::time::timeout(run::DISK_LIMIT, sinking).await;
    let written = run::finish(&over.log, &over.result).await;
    over.outlast(&stop).await;
    written.map_err(|error| format!("it is over, but not in the journal: {error}"))
}

/// A run that is ours alone.
struct TakenUp {
    _lock: RunLock,
    journal: Arc<Journal>,
    /// For whoever follows it.
    live: File,
}

impl TakenUp {
    /// Takes the lock of the run and announces its runner. Blocks on the disk.
    fn new(handover: &Handover, clock: &Clock) -> Result<Self, String> {
        let directory = place_of(&handover.state_dir, &handover.run);
        let began = Instant::now();
        let _lock = loop {
            match RunLock::take(&directory) {
                Ok(lock) => break lock,
                Err(why) if began.elapsed() > LOCK_PATIENCE => return Err(why),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        };
        let (journal, _) = Journal::open(&handover.state_dir, clock().wall)
            .map_err(|error| format!("the journal cannot be used: {error}"))?;
        begin(&journal, handover, clock)?;
        let path = directory.join(LIVE);
        let live =
            place::new_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { _lock, journal: Arc::new(journal), live })
    }
}

/// What the command starts and leaves behind becomes a child of ours, and is found.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!(%error, "what leaves the group of the command will not be found");
    }
}

/// Reads what is handed over, to its end: half of it is nothing.
async fn receive() -> Result<Handover, String> {
    let reading = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(LONGEST).read_to_end(&mut bytes).map(|_| bytes)
    });
    let bytes = tokio::time::timeout(HANDOVER, reading)
        .await
        .map_err(|_| "it was not handed over in time".to_owned())?
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("it was not handed over: {error}"))?;
    Handover::decode(bytes)
}

/// Announces itself. Only a run that was intended and never touched since may begin: what
/// somebody gave up for dead stays dead, and nothing is ever done twice.
fn begin(journal: &Journal, handover: &Handover, clock: &Clock) -> Result<(), String> {
    let record = journal.record(&handover.run).ok_or("the journal does not know this run")?;
    if record.last != Last::Intended || record.supervisor.is_some() {
        return Err("somebody has carried this run out, or given it up".to_owned());
    }
    let entry = Entry {
        run: Some(handover.run.clone()),
        action: Some(record.past.action),
        process: ProcessId::current(),
        ..Entry::new(Kind::Supervisor)
    };
    journal
        .append(&entry, clock().wall)
        .map_err(|error| format!("the journal cannot be written: {error}"))
}

/// A hangup is none of ours; being asked to end is.
fn heed_signals(stop: &Arc<Stop>) -> std::io::Result<()> {
    // Listening is what keeps it from ending us.
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = Arc::clone(stop);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                _ = interrupt.recv() => {}
                _ = terminate.recv() => stop.now(Interruption::Ended),
            }
        }
    });
    Ok(())
}

/// Stops the run when the journal says that somebody wants that, or when the process that
/// it belongs to is gone.
fn watch(journal: Arc<Journal>, handover: &Handover, stop: Arc<Stop>) {
    let (run, owner): (RunId, Option<ProcessId>) =
        (handover.run.clone(), handover.ends_with.clone());
    thread::spawn(move || {
        loop {
            if journal.record(&run).is_some_and(|record| record.cancelled.is_some()) {
                return stop.now(Interruption::Cancelled);
            }
            if owner.as_ref().is_some_and(|owner| !owner.is_alive()) {
                return stop.now(Interruption::DemoOver);
            }
            thread::sleep(WATCH_EVERY);
        }
    });
}

/// Writes the events down for whoever follows, on a thread of its own: a slow disk does not
/// hold the action up.
fn keep(mut file: File, mut events: mpsc::Receiver<ActionEvent>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut written = 0;
        while let Some(event) = events.blocking_recv() {
            let passed_on =
                matches!(event.stage, ActionStage::Progress { .. } | ActionStage::Output(_));
            if !passed_on || written > MOST_LIVE {
                continue;
            }
            let Ok(mut line) = serde_json::to_vec(&event.stage) else { continue };
            line.push(b'\n');
            written += line.len() as u64;
            // The whole output is kept elsewhere; a full disk is said by the journal.
            let _ = file.write_all(&line);
        }
    })
}
