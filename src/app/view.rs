//! What the operator is looking at. Part of the state, so that a test can press keys and
//! look; but nothing in here changes what the console believes.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    actions::{Dialog, Form},
    logs::LogView,
};
use crate::domain::{ids::SourceId, observation::LogEntry, time::Moment};

/// The panes, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pane {
    /// Checks.
    Health,
    /// Hit rate, memory, keys.
    Cache,
    /// Percentiles.
    Latency,
    /// Violations and pressure.
    Limits,
    /// Whom to call.
    Escalation,
    /// Postgres, where configured.
    Database,
    /// Alert rules, where configured.
    Alerts,
    /// Entries of logs, where configured.
    Logs,
}

impl Pane {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Health,
        Self::Cache,
        Self::Latency,
        Self::Limits,
        Self::Escalation,
        Self::Database,
        Self::Alerts,
        Self::Logs,
    ];

    /// Its number, from 1.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Health => "Health",
            Self::Cache => "Cache",
            Self::Latency => "Latency",
            Self::Limits => "Rate limits",
            Self::Escalation => "Escalation",
            Self::Database => "Database",
            Self::Alerts => "Alerts",
            Self::Logs => "Logs",
        }
    }
}

/// One pane's own position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaneView {
    /// The selected row, by its identity, so that a refresh does not move the selection
    /// to another thing.
    pub selected: Option<String>,
    /// Only rows that contain this; a leading `!` turns it round.
    pub filter: String,
    /// The window or tab: index into 1, 5, 15 minutes for latency, into tabs elsewhere.
    pub tab: usize,
    /// How far the detail is scrolled.
    pub scroll: usize,
}

/// Something that lies over the panes and takes the keys. The last one is the topmost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Keys, for where one was.
    Help {
        /// How far it is scrolled.
        scroll: usize,
    },
    /// The history of messages.
    Messages {
        /// How far it is scrolled.
        scroll: usize,
    },
    /// The command palette.
    Palette(Line),
    /// The filter of the focused pane, or of the list of findings below it.
    Filter(Line),
    /// The menu of actions.
    Actions {
        /// The selected row.
        selected: usize,
    },
    /// What an action asks for.
    Form(Box<Form>),
    /// A guarded action on its way.
    Dialog(Box<Dialog>),
    /// What an examination found.
    Doctor(DoctorView),
    /// The menu of faults of the demo.
    Demo {
        /// The selected row.
        selected: usize,
    },
    /// What is searched for in the log.
    Search(Line),
    /// An entry of a log with everything that it says.
    Entry {
        /// The log.
        source: SourceId,
        /// The entry.
        entry: Arc<LogEntry>,
        /// How far it is scrolled.
        scroll: usize,
    },
}

/// Where one is in what an examination found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorView {
    /// The selected finding, by its name.
    pub selected: Option<String>,
    /// Only findings that contain this; a leading `!` turns it round.
    pub filter: String,
    /// How far the details of the selected one are scrolled, where they are open.
    pub detail: Option<usize>,
}

/// A line being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The text; the cursor is at its end.
    pub text: String,
    /// The chosen proposal.
    pub chosen: usize,
}

/// What the operator is looking at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The focused pane.
    pub focus: Pane,
    /// Whether it fills the screen.
    pub zoomed: bool,
    /// Each pane's position.
    pub panes: BTreeMap<Pane, PaneView>,
    /// What lies over the panes.
    pub layers: Vec<Layer>,
    /// Identifiers are shown in full.
    pub unmasked: bool,
    /// Times in UTC.
    pub utc: bool,
    /// The size of the screen: columns, rows.
    pub size: (u16, u16),
    /// When Ctrl-C was last pressed at the root.
    pub interrupted: Option<Moment>,
    /// When the panes were frozen.
    pub frozen: Option<Moment>,
    /// How the list of log entries is looked at.
    #[serde(default)]
    pub logs: LogView,
}

/// Which keys mean what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// The panes.
    Panes,
    /// Something to scroll: help, messages.
    Scroll,
    /// A list to choose from: actions, faults.
    Menu,
    /// The palette.
    Palette,
    /// A line: filter, reason, phrase.
    Line,
    /// A form: several lines, some with a list to choose from.
    Form,
    /// A question: `y` or not.
    Confirm,
    /// A countdown: any key stops it.
    Countdown,
    /// A run going on or over.
    Run,
    /// The list of log entries.
    Log,
    /// An entry of a log.
    Entry,
    /// What an examination found.
    Findings,
}

impl View {
    /// A fresh view.
    pub fn new(utc: bool) -> Self {
        Self {
            focus: Pane::Health,
            zoomed: false,
            // Percentiles are first shown over five minutes.
            panes: BTreeMap::from([(Pane::Latency, PaneView { tab: 1, ..PaneView::default() })]),
            layers: Vec::new(),
            unmasked: false,
            utc,
            size: (80, 24),
            interrupted: None,
            frozen: None,
            logs: LogView::default(),
        }
    }

    /// The position of a pane.
    pub fn pane(&self, pane: Pane) -> PaneView {
        self.panes.get(&pane).cloned().unwrap_or_default()
    }

    /// The position of a pane, to change it.
    pub fn pane_mut(&mut self, pane: Pane) -> &mut PaneView {
        self.panes.entry(pane).or_default()
    }

    /// Whether the panes are the list of log entries, which has keys of its own.
    pub fn lists_entries(&self) -> bool {
        let tab = self.panes.get(&Pane::Logs).map_or(0, |pane| pane.tab);
        self.focus == Pane::Logs && self.zoomed && tab != super::logs::TRAFFIC
    }

    /// Which keys mean what now: the topmost layer decides.
    pub fn context(&self) -> Context {
        match self.layers.last() {
            None if self.lists_entries() => Context::Log,
            None => Context::Panes,
            Some(Layer::Help { .. } | Layer::Messages { .. }) => Context::Scroll,
            Some(Layer::Palette(_)) => Context::Palette,
            Some(Layer::Filter(_) | Layer::Search(_)) => Context::Line,
            Some(Layer::Entry { .. }) => Context::Entry,
            Some(Layer::Actions { .. } | Layer::Demo { .. }) => Context::Menu,
            Some(Layer::Form(_)) => Context::Form,
            Some(Layer::Doctor(_)) => Context::Findings,
            Some(Layer::Dialog(dialog)) => dialog.context(),
        }
    }
}
