//! Several steps, one after the other.

use std::{path::PathBuf, time::Duration};

use super::{ActionKind, CommandAction, Gap, HttpAction, PostgresSource, ReadingConfig, Text};
use crate::domain::{ask::Answers, condition::Condition};

/// Steps, each of which begins only when the one before it is done and verified.
#[derive(Clone, Debug)]
pub struct SequenceAction {
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// What was given for what the action asks for; nothing before it is started.
    pub given: Answers,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, for the journal and for later steps.
    pub name: String,
    /// What it is. Until its gaps are filled, it says nothing in these places.
    pub kind: StepKind,
    /// When it is given up.
    pub timeout: Duration,
    /// What must hold of its own answer.
    pub verify: Vec<Condition>,
    /// Its texts that earlier steps, or what was asked for, complete.
    pub gaps: Vec<Gap>,
}

/// The kinds of step.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// What could be an action by itself.
    Act(ActionKind),
    /// Looks until something is so.
    Wait(Box<Wait>),
    /// Sets variables in a file that another program reads.
    EnvFile(EnvFile),
}

/// Looks, changing nothing, until something is so.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Where it looks.
    pub look: Look,
    /// From one look to the next.
    pub every: Duration,
    /// All must hold.
    pub until: Vec<Condition>,
    /// Where one of them holds, waiting is in vain.
    pub fail_when: Vec<Condition>,
}

/// Where a waiting step looks.
#[derive(Clone, Debug)]
pub enum Look {
    /// At the answer to a GET.
    Http(Box<HttpAction>),
    /// At the one row of a SELECT, in a read-only transaction.
    Sql {
        /// How to reach the server.
        server: Box<PostgresSource>,
        /// The SELECT.
        query: String,
        /// What stands for `$1`, `$2` and so on.
        parameters: Vec<Text>,
    },
    /// At what a program prints.
    Command {
        /// The program.
        command: Box<CommandAction>,
        /// Values of the JSON document that it prints.
        readings: Vec<ReadingConfig>,
    },
}

/// Variables to set in a file of `NAME=value` lines.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvFile {
    /// The file, which must be there.
    pub path: PathBuf,
    /// Names and values.
    pub set: Vec<(String, Text)>,
}
