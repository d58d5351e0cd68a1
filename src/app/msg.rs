//! What can happen, and what can be asked for.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    alerts::{Deeds, Kept},
    command::{Command, Edit},
};
use crate::domain::{
    action::{ActionEvent, ActionOutcome, Approval, PastRun, Previewed, TakeOver},
    ask::Answers,
    catalog::Catalog,
    delivery::{Delivery, Sender},
    examination::Examined,
    ids::{ActionId, ReadingName, RunId, SourceId},
    notification::Notification,
    observation::{KeyScan, Observation},
    outbox::Outbox,
    time::Moment,
    value::Value,
};

/// Something that happened, and when. The record is made of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Msg {
    /// When it happened.
    pub at: Moment,
    /// What happened.
    pub event: Event,
}

/// Everything that can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Time passed. Sent once a second, and after every gap.
    Tick,
    /// A source answered, or did not.
    Observed(Box<Observation>),
    /// A log was asked out of turn, because its list is followed.
    Heard(Box<Observation>),
    /// A poll's slot passed while the poll before it was still running, or the poller
    /// could not run; counted as a latency of at least `waited`.
    Skipped {
        /// The source.
        source: SourceId,
        /// How long its slot has been waiting.
        waited: Duration,
    },
    /// The operator's intent, from a key or the palette.
    Command(Command),
    /// The operator typed into a line.
    Edit(Edit),
    /// The size of the screen, in cells.
    Resized {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// A preview is ready.
    Previewed(Box<Previewed>),
    /// A run made progress.
    Action(Box<ActionEvent>),
    /// A second person agreed to an action.
    Approved(Box<Approval>),
    /// The runs that the journal remembers, newest first; sent at the start.
    History(Vec<PastRun>),
    /// The journal could not be written: nothing may be started.
    JournalFailed(String),
    /// A line of the journal was written.
    JournalWorks,
    /// The keys of a cache were counted.
    Scanned(Box<KeyScan>),
    /// A changed configuration was taken over.
    Reloaded(Box<Reloaded>),
    /// A changed configuration was refused; the old one stays.
    ReloadFailed(String),
    /// What an earlier console kept of the alerts; sent at the start.
    AlertsKept(Box<Kept>),
    /// What people did at other consoles of this machine, or as far as it is in the file.
    DeedsElsewhere(Box<Deeds>),
    /// What an earlier console had told; sent at the start.
    OutboxKept(Box<Outbox>),
    /// What became of a notification.
    Delivered(Box<Delivery>),
    /// Which console of the machine sends notifications.
    NotifySender(Sender),
    /// News of an examination.
    Examined(Box<Examined>),
    /// Something to say to the operator.
    Notice(Notice),
    /// The process was stopped or the machine suspended: nothing was observed for so long.
    Gap {
        /// How long.
        blind_for: Duration,
    },
}

/// A changed configuration, as far as the state is concerned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Everything in it that is shown.
    pub catalog: Catalog,
    /// Nothing can be armed.
    pub read_only: bool,
    /// Times in UTC or not, where the configuration now says something else about it.
    pub utc: Option<bool>,
    /// Keys that have changed and take effect only when the console is started again.
    pub needs_restart: Vec<String>,
    /// Since when the sources are asked by it.
    pub since: Moment,
}

/// How loud a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For the record.
    Info,
    /// Worth reading.
    Warning,
    /// Something went wrong.
    Error,
}

/// A message to the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// How loud.
    pub level: Level,
    /// What.
    pub text: String,
}

impl Notice {
    /// For the record.
    pub fn info(text: impl Into<String>) -> Self {
        Self { level: Level::Info, text: text.into() }
    }

    /// Worth reading.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }

    /// Something went wrong.
    pub fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }
}

/// What the logic asks the world to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Something visible may have changed.
    Draw,
    /// Draw everything again, trusting nothing that is on the terminal.
    Redraw,
    /// Leave the program.
    Quit,
    /// Stop like any program on Ctrl-Z.
    Suspend,
    /// Ask these sources now.
    Poll(Vec<SourceId>),
    /// Ask these logs now, to list what they tell: nothing is judged by it.
    Listen(Vec<SourceId>),
    /// Ask this source at another interval.
    SetInterval(SourceId, Duration),
    /// Count the keys of this source, by the patterns of that cache.
    Scan {
        /// The source.
        source: SourceId,
        /// Name, pattern and whether it is protected.
        groups: Vec<(String, String, bool)>,
    },
    /// Put the text on the clipboard, and into a file.
    Copy(String),
    /// Write the state to a file.
    Save,
    /// Examine everything that is configured.
    Doctor {
        /// The number of the examination.
        number: u64,
    },
    /// Measure what an action would do.
    Preview {
        /// The run it is for.
        run: RunId,
        /// The action.
        action: ActionId,
        /// What was given for what it asks for.
        asked: Answers,
    },
    /// Ask for a second person, and say when one has agreed.
    Ask {
        /// What they would agree to.
        start: Box<StartRun>,
        /// The exact request, secrets masked.
        request: Vec<String>,
    },
    /// Follow a run that this console did not start, to its end.
    Follow {
        /// The run.
        run: RunId,
        /// The action.
        action: ActionId,
    },
    /// Hand the terminal over to a run that asks.
    Attach {
        /// The run.
        run: RunId,
        /// What it is called.
        title: String,
    },
    /// Carry an action out. The runner writes the intent to the journal first.
    Start(Box<StartRun>),
    /// Stop a run.
    Cancel {
        /// The run.
        run: RunId,
        /// The action.
        action: ActionId,
    },
    /// Write the outcome of a run to the journal.
    Conclude {
        /// The run.
        run: RunId,
        /// The action.
        action: ActionId,
        /// How it ended.
        outcome: ActionOutcome,
        /// Why we think so, one line per proof.
        evidence: Vec<String>,
    },
    /// Write a line about the operator to the journal: armed, disarmed, contacted.
    Note {
        /// What kind of line.
        kind: &'static str,
        /// The line.
        text: String,
    },
    /// Keep the alerts over a restart.
    KeepAlerts(Box<Kept>),
    /// Keep what was told over a restart.
    KeepOutbox(Box<Outbox>),
    /// Send a notification.
    Notify(Box<Notification>),
    /// Ring the bell of the terminal, where it is wanted.
    Ring,
    /// Turn a fault of the demo on or off.
    DemoFault(String),
}

/// Everything that the runner needs to carry out exactly what was confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartRun {
    /// The run.
    pub run: RunId,
    /// The action.
    pub action: ActionId,
    /// The digest of the plan that was shown; another plan is refused.
    pub digest: String,
    /// `service/environment`.
    pub target: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// How it was confirmed: `y`, or the phrase that was typed.
    pub confirmation: String,
    /// Readings before, as shown.
    pub before: Vec<(Arc<str>, String)>,
    /// The same, for the proof in a later console.
    pub readings: BTreeMap<ReadingName, Value>,
    /// Which run of each server they belong to.
    pub servers: BTreeMap<ReadingName, Value>,
    /// How long the action must rest after a run of any console.
    pub cooldown: Duration,
    /// A second person must have agreed.
    pub needs_second: bool,
    /// It goes on without one.
    pub break_glass: bool,
    /// What was given for what the action asks for.
    #[serde(default)]
    pub asked: Answers,
    /// Why and from whom a lock is taken over, where it is.
    pub take_over: Option<TakeOver>,
    /// How many keys the preview that was agreed to would affect, where it counted any.
    #[serde(default)]
    pub affected: Option<u64>,
    /// It is run for practice.
    #[serde(default)]
    pub drill: bool,
}
