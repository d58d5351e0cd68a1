//! The steps of a sequence, as they are handed over.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Command, From, Hidden, Kind, Words, given, http::Http, milliseconds, named, sql::Server, taken,
    texts,
};
use crate::{
    config::profile::{self, EnvFile, Gap, Look, StepKind},
    domain::{
        ask::{Answer, Answers, Veiled},
        condition::Condition,
    },
};

/// The steps, and what was asked for.
#[derive(Serialize, Deserialize)]
pub(super) struct Sequence {
    steps: Vec<Step>,
    given: Vec<(String, Given)>,
}

/// What was given for one thing that is asked for.
#[derive(Serialize, Deserialize)]
enum Given {
    Plain(String),
    Secret(Hidden),
}

/// One step.
#[derive(Serialize, Deserialize)]
struct Step {
    name: String,
    kind: Does,
    timeout_ms: u64,
    verify: Vec<Condition>,
    gaps: Vec<Gap>,
}

#[derive(Serialize, Deserialize)]
enum Does {
    Act(Kind),
    Wait { look: Looks, every_ms: u64, until: Vec<Condition>, fail_when: Vec<Condition> },
    EnvFile { path: PathBuf, set: Vec<(String, Words)> },
}

#[derive(Serialize, Deserialize)]
enum Looks {
    Http(Http),
    Sql { server: Server, query: String, parameters: Vec<Words> },
    Command { command: Command, readings: Vec<(String, From)> },
}

impl Sequence {
    pub(super) fn of(action: &profile::SequenceAction) -> Self {
        let given = |(name, answer): (&str, &Answer)| {
            let given = match answer {
                Answer::Plain(text) => Given::Plain(text.clone()),
                Answer::Secret(text) => Given::Secret(Hidden {
                    value: text.expose().to_owned(),
                    origin: format!("ask.{name}"),
                }),
            };
            (name.to_owned(), given)
        };
        Self {
            steps: action.steps.iter().map(Step::of).collect(),
            given: action.given.iter().map(given).collect(),
        }
    }

    pub(super) fn restore(&self) -> Result<profile::SequenceAction, String> {
        let mut given = Answers::none();
        for (name, one) in &self.given {
            given.insert(
                name.clone(),
                match one {
                    Given::Plain(text) => Answer::Plain(text.clone()),
                    // Restored as a secret, so that it is known as one.
                    Given::Secret(hidden) => {
                        Answer::Secret(Veiled::new(hidden.restore().expose().to_owned()))
                    }
                },
            );
        }
        let steps = self.steps.iter().map(Step::restore).collect::<Result<_, _>>()?;
        Ok(profile::SequenceAction { steps, given })
    }
}

impl Step {
    fn of(step: &profile::Step) -> Self {
        let kind = match &step.kind {
            StepKind::Act(kind) => Does::Act(Kind::of(kind)),
            StepKind::Wait(wait) => Does::Wait {
                look: Looks::of(&wait.look),
                every_ms: milliseconds(wait.every),
                until: wait.until.clone(),
                fail_when: wait.fail_when.clone(),
            },
            StepKind::EnvFile(file) => {
                Does::EnvFile { path: file.path.clone(), set: named(&file.set) }
            }
        };
        Self {
            name: step.name.clone(),
            kind,
            timeout_ms: milliseconds(step.timeout),
            verify: step.verify.clone(),
            gaps: step.gaps.clone(),
        }
    }

    fn restore(&self) -> Result<profile::Step, String> {
        let kind = match &self.kind {
            Does::Act(kind) => StepKind::Act(kind.restore()?),
            Does::Wait { look, every_ms, until, fail_when } => {
                StepKind::Wait(Box::new(profile::Wait {
                    look: look.restore()?,
                    every: Duration::from_millis(*every_ms),
                    until: until.clone(),
                    fail_when: fail_when.clone(),
                }))
            }
            Does::EnvFile { path, set } => {
                StepKind::EnvFile(EnvFile { path: path.clone(), set: texts(set) })
            }
        };
        Ok(profile::Step {
            name: self.name.clone(),
            kind,
            timeout: Duration::from_millis(self.timeout_ms),
            verify: self.verify.clone(),
            gaps: self.gaps.clone(),
        })
    }
}

impl Looks {
    fn of(look: &Look) -> Self {
        match look {
            Look::Http(http) => Self::Http(Http::of(http)),
            Look::Sql { server, query, parameters } => Self::Sql {
                server: Server::of(server),
                query: query.clone(),
                parameters: parameters.iter().map(Words::of).collect(),
            },
            Look::Command { command, readings } => {
                Self::Command { command: Command::of(command), readings: taken(readings) }
            }
        }
    }

    fn restore(&self) -> Result<Look, String> {
        Ok(match self {
            Self::Http(http) => Look::Http(Box::new(http.restore()?)),
            Self::Sql { server, query, parameters } => Look::Sql {
                server: Box::new(server.restore()),
                query: query.clone(),
                parameters: parameters.iter().map(Words::restore).collect(),
            },
            Self::Command { command, readings } => {
                Look::Command { command: Box::new(command.restore()), readings: given(readings)? }
            }
        })
    }
}
