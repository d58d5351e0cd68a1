//! Starting a run: the intent into the journal, then a process that carries it out.

use std::{
    fmt,
    fs::OpenOptions,
    io::Write,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::{
    Actions, Handover, Order, approval,
    cooldown::resting,
    journal::{
        JournalError,
        entry::{Entry, Finished, Kind},
        place,
    },
    place_of,
    plan::{self, Plan},
    run::objection,
};
use crate::{
    config::profile::ActionConfig,
    domain::{
        action::{Claim, NO_DRILL},
        catalog::is_production,
    },
};

/// The hidden command of this program that carries a run out.
pub(super) const COMMAND: &str = "supervise";
/// What the runner says when it cannot even begin.
pub(super) const COMPLAINTS: &str = "supervisor.log";

/// A runner that was started.
#[derive(Debug, Default)]
pub(super) struct Launched {
    exited: Arc<AtomicBool>,
}

impl Launched {
    /// Whether it has ended, whatever it did.
    pub(super) fn has_exited(&self) -> bool {
        self.exited.load(Ordering::Acquire)
    }
}

/// Why nothing was started.
#[derive(Debug)]
pub(super) enum NotLaunched {
    /// There is a run of that name.
    Known,
    /// The intent could not be written to the journal: there is no run.
    Unwritten(String),
    /// Something spoke against it, and that could not be written to the journal.
    Unended {
        /// What.
        objection: String,
        /// Why not.
        error: String,
    },
}

impl fmt::Display for NotLaunched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known => f.write_str("there is a run of that name"),
            Self::Unwritten(error) => {
                write!(f, "the intent could not be written to the journal: {error}")
            }
            Self::Unended { objection, error } => {
                write!(f, "{objection} (not in the journal: {error})")
            }
        }
    }
}

/// This very program, also where its file was replaced by a newer version meanwhile.
pub(super) fn this_program() -> PathBuf {
    let link = Path::new("/proc/self/exe");
    if link.exists() {
        return link.to_owned();
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("watchfloor"))
}

/// Writes the intent down and starts a runner. What speaks against it is written down as
/// the end of the run: it was never started.
pub(super) fn launch(
    actions: &Actions,
    config: &ActionConfig,
    order: &Order,
) -> Result<Launched, NotLaunched> {
    let plan = Plan::make(config, &order.asked);
    let now = (actions.clock)().wall;
    let names = (&order.run, &config.id, Some(order.target.as_str()));
    // The runner looks again, under the locks.
    let objection = resting(&actions.journal, now, names, order.cooldown)
        .or_else(|| objection(&plan, &order.digest))
        .or_else(|| approval::objection(actions, order, &config.id))
        .or_else(|| (order.drill && is_production(&order.target)).then(|| NO_DRILL.to_owned()));
    let write = |entry: &Entry| actions.journal.append(entry, (actions.clock)().wall);
    if let Err(error) = write(&intent(&plan, config, order)) {
        return Err(match error {
            JournalError::KnownRun(_) => NotLaunched::Known,
            error => NotLaunched::Unwritten(error.to_string()),
        });
    }
    let started = match objection {
        Some(why) => Err(why),
        None => start(actions, config, order),
    };
    started.or_else(|why| {
        let entry = never_sent(order, config, &why);
        // Where even this cannot be written, the next look at the run says the same.
        write(&entry)
            .map_err(|error| NotLaunched::Unended { objection: why, error: error.to_string() })?;
        Ok(Launched { exited: Arc::new(AtomicBool::new(true)) })
    })
}

fn intent(plan: &Plan, config: &ActionConfig, order: &Order) -> Entry {
    Entry {
        run: Some(order.run.clone()),
        action: Some(config.id.clone()),
        target: Some(order.target.clone()),
        request: plan.request.clone(),
        digest: Some(order.digest.clone()),
        reason: Some(order.reason.clone()),
        confirmation: Some(order.confirmation.clone()),
        before: order.before.clone(),
        readings: order.readings.clone(),
        servers: order.servers.clone(),
        locks: super::locks::scopes(&config.locks),
        asked: order.asked.shown(),
        take_over: order.take_over.clone(),
        drill: order.drill,
        ..Entry::new(Kind::Intent)
    }
}

fn never_sent(order: &Order, config: &ActionConfig, why: &str) -> Entry {
    Entry {
        run: Some(order.run.clone()),
        action: Some(config.id.clone()),
        target: Some(order.target.clone()),
        result: Some(Finished {
            claim: Claim::NotSent,
            summary: format!("not sent: {}", super::words::plain(why)),
            readings: Default::default(),
            took_ms: 0,
        }),
        ..Entry::new(Kind::Finish)
    }
}

/// Starts a runner and hands it the run.
fn start(actions: &Actions, config: &ActionConfig, order: &Order) -> Result<Launched, String> {
    let directory = place_of(&actions.state_dir, &order.run);
    place::directory(&actions.state_dir.join("runs")).map_err(|error| error.to_string())?;
    place::directory(&directory).map_err(|error| error.to_string())?;
    let complaints = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(directory.join(COMPLAINTS))
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    let config = plan::filled(config, &order.asked)?;
    let handover = Handover::new(&config, order, actions.state_dir.clone()).encode()?;
    let mut child = Command::new(&actions.runner)
        .arg0("watchfloor")
        .arg(COMMAND)
        // For whoever looks at the list of processes; everything else comes by the pipe.
        .arg(order.run.as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(complaints)
        .spawn()
        .map_err(|error| format!("its runner could not be started: {error}"))?;
    let exited = Arc::new(AtomicBool::new(false));
    let launched = Launched { exited: Arc::clone(&exited) };
    thread::spawn(move || {
        if let Some(mut pipe) = child.stdin.take() {
            // A runner that does not get all of it does not begin.
            let _ = pipe.write_all(&handover);
        }
        let mut handover = handover;
        secrecy::zeroize::Zeroize::zeroize(&mut handover);
        let _ = child.wait();
        exited.store(true, Ordering::Release);
    });
    Ok(launched)
}
