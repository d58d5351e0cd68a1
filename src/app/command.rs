//! What an operator can tell the console to do. Keys and the palette both end here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{ask::Veiled, ids::ActionId, rule::Priority};

/// One intent of the operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    // --- moving about
    /// One step back: closes the topmost layer, clears the filter, leaves the zoom.
    Back,
    /// As `Back`; at the root it leaves the program.
    Quit,
    /// Leaves the program from anywhere.
    QuitNow,
    /// Ctrl-C: cancels what is open; at the root a second press within 2 s leaves.
    Interrupt,
    /// To the pane of that number, from 1.
    FocusPane(u8),
    /// To the next pane.
    NextPane,
    /// To the pane before.
    PreviousPane,
    /// The focused pane alone, or back to all.
    Zoom,
    /// Moves the selection; negative is up.
    Move(i32),
    /// Moves the selection by pages; negative is up.
    Page(i32),
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// To the next tab or window of the pane: 1, 5, 15 minutes.
    NextTab,
    /// To the tab before.
    PreviousTab,
    /// Opens the selected row, or accepts the input.
    Enter,

    // --- layers
    /// Help for where one is.
    Help,
    /// The command palette.
    Palette,
    /// The filter of the focused pane.
    Filter,
    /// The history of messages.
    Messages,
    /// The menu of actions.
    ActionMenu,
    /// The menu of faults, in the demo.
    DemoMenu,
    /// What an examination of everything that is configured found; begins the first one.
    Doctor,
    /// Examines everything again.
    Examine,

    // --- data
    /// Stops the panes at what they show; data is still collected.
    Freeze,
    /// Asks the sources of the focused pane now.
    PollNow,
    /// The focused pane's sources are asked less often.
    Slower,
    /// The focused pane's sources are asked more often.
    Faster,
    /// Counts the keys of the selected cache by prefix.
    ScanKeys,
    /// Shows or hides identifiers.
    Unmask,
    /// Copies the selected row.
    Copy,
    /// Copies the selected row as Markdown.
    CopyMarkdown,
    /// Writes the whole screen's state to a file.
    Save,
    /// Puts a deploy marker at now, with a label.
    MarkDeploy(String),
    /// The selected escalation level was contacted, or was not.
    Contacted(bool),
    /// Between UTC and local time.
    ToggleUtc,

    // --- actions
    /// Allows actions for a time.
    Arm {
        /// How long.
        lasting: Duration,
        /// Why.
        reason: String,
    },
    /// Forbids them again.
    Disarm,
    /// Opens the dialog of an action.
    Prepare(ActionId),
    /// `y` in a confirmation.
    Confirm,
    /// Cancels a run that has not been sent yet, or asks the runner to stop it.
    CancelRun,
    /// Opens the dialog of what undoes the run that has ended.
    Undo,
    /// Takes the locks that stand in the way over from their holders.
    TakeOver,
    /// Hands the terminal over to the interactive run that is under way.
    Attach,

    // --- alerts
    /// Something about an alert.
    Alert(AlertCommand),

    // --- logs
    /// Something about the list of log entries.
    Log(LogCommand),

    // --- the terminal
    /// Draws everything again.
    Redraw,
    /// Suspends the program (Ctrl-Z).
    Suspend,

    // --- the demo
    /// Turns a fault of the demo on or off.
    DemoFault(String),
}

/// How the list of log entries is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogCommand {
    /// Follows what comes, or stops.
    Follow,
    /// Breaks long lines, or cuts them.
    Wrap,
    /// With or without times.
    Times,
    /// All levels, warnings and errors, errors only.
    Level,
    /// Searches.
    Search,
    /// To the next match.
    Next,
    /// To the match before.
    Previous,
    /// Draws a line with the time.
    Mark,
}

/// What people do about alerts. Changes how loud one is, never what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertCommand {
    /// Begins a command on what is selected, in the palette: `ack`, `silence`, `priority`,
    /// `taken`.
    Begin(Begun),
    /// Says that somebody looks after it.
    Acknowledge {
        /// The rule.
        rule: String,
        /// For how long at most.
        lasting: Duration,
        /// Why.
        reason: String,
    },
    /// Takes that back.
    Unacknowledge(String),
    /// Keeps alerts quiet for a time.
    Silence {
        /// Which: a name, a pattern with `*`, or `severity=warning`.
        matcher: String,
        /// For how long.
        lasting: Duration,
        /// Why.
        reason: String,
    },
    /// Ends a silence.
    Unsilence(String),
    /// Keeps everything quiet for a time.
    Maintenance {
        /// For how long.
        lasting: Duration,
        /// Why.
        reason: String,
    },
    /// Ends it.
    EndMaintenance,
    /// Decides the priority of an alert.
    Priority {
        /// The rule.
        rule: String,
        /// The priority.
        priority: Priority,
    },
    /// Says who of a level took it.
    Taken {
        /// The level.
        level: u8,
        /// Who.
        who: String,
    },
}

/// A command that is begun on what is selected: an alert, or a level of the escalation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// `ack RULE 30m REASON`
    Acknowledge,
    /// `silence RULE 30m REASON`
    Silence,
    /// `priority RULE P1`
    Priority,
    /// `taken LEVEL WHO`, of the selected level of the escalation.
    Taken,
}

/// Editing of the line that is being typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// A character.
    Insert(char),
    /// Text pasted in one piece.
    Paste(String),
    /// A character of a secret.
    Hidden(Veiled),
    /// A secret pasted in one piece.
    HiddenPaste(Veiled),
    /// Removes the character before the cursor.
    Backspace,
    /// Removes the word before the cursor.
    DeleteWord,
    /// Removes everything.
    Clear,
    /// Completes the word.
    Complete,
    /// The next proposal, or the one before.
    Choose(i32),
    /// The next field, or the one before.
    Field(i32),
    /// Takes the line.
    Accept,
}
