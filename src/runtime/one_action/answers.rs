//! What an action asks for, given beforehand.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Ended;
use crate::domain::{
    ask::{Answer, Answers, Ask, Veiled},
    catalog::ActionSpec,
    text::safe,
};

/// What is asked for, and the answers to every question of the guard.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The action.
    pub action: String,
    /// The target, typed.
    pub confirm: Option<String>,
    /// Why.
    pub reason: String,
    /// Only what it would do.
    pub dry_run: bool,
    /// Leave once it is running.
    pub detach: bool,
    /// Without the second person that it needs.
    pub break_glass: bool,
    /// Why a lock is taken over.
    pub take_over: Option<String>,
    /// For practice.
    pub drill: bool,
    /// There is a terminal, at which an interactive action can be answered.
    pub terminal: bool,
    /// What was given for what the action asks for. What has a default may be left out.
    pub answers: BTreeMap<String, Given>,
}

/// A value for something that an action asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// It stood on the command line, where everybody on this machine could read it.
    Argument(String),
    /// From a variable or from the standard input.
    Elsewhere(Veiled),
}

/// The action with what was given, and with the defaults for what was not.
///
/// # Errors
/// The command line is wrong, or a value is missing or cannot be taken; with the cure.
pub(super) fn of(
    spec: &ActionSpec,
    given: &BTreeMap<String, Given>,
    now: Timestamp,
) -> Result<(ActionSpec, Answers), Ended> {
    if let Some(unknown) = given.keys().find(|name| spec.asks.iter().all(|ask| ask.name != **name))
    {
        let names: Vec<&str> = spec.asks.iter().map(|ask| ask.name.as_str()).collect();
        let (id, unknown) = (&spec.id, safe(unknown));
        return Err(Ended::Misused(match names.as_slice() {
            [] => format!("{id} asks for nothing: take --ask {unknown} out"),
            names => format!("{id} does not ask for {unknown}, only for {}", names.join(", ")),
        }));
    }
    let mut answers = Answers::none();
    for ask in &spec.asks {
        answers.insert(ask.name.clone(), answer(ask, given.get(&ask.name), now)?);
    }
    let spec = spec.answered(&answers, now).map_err(Ended::Refused)?;
    Ok((spec, answers))
}

fn answer(ask: &Ask, given: Option<&Given>, now: Timestamp) -> Result<Answer, Ended> {
    let name = &ask.name;
    match given {
        Some(Given::Argument(_)) if ask.secret => Err(Ended::Misused(format!(
            "{name} is a secret, and every user of this machine can read a command line: write \
             --ask {name}=@env:VARIABLE, or --ask {name}=@- and give it on the standard input; \
             change it if others could have read it"
        ))),
        Some(Given::Argument(text)) => Ok(Answer::Plain(text.clone())),
        Some(Given::Elsewhere(text)) => Ok(ask.answer(text.expose().to_owned())),
        None => match &ask.default {
            Some(default) => Ok(ask.answer(default.clone())),
            None => Err(Ended::Refused(format!("{}: --ask {name}=VALUE", ask.missing(now)))),
        },
    }
}
