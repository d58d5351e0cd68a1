//! What an action asks for, as far as it is known before anybody is asked: its defaults, and
//! the first of its choices. What an examination found with these says so.

use crate::domain::{
    ask::{Answers, Ask},
    template::Blank,
    text::safe,
};

/// What could be put in, and what could not.
pub(super) struct Given {
    /// Defaults and first choices.
    pub(super) answers: Answers,
    /// The same in words; empty where nothing is asked for.
    pub(super) told: String,
    /// What only somebody who is asked knows.
    pub(super) missing: Vec<String>,
}

impl Given {
    pub(super) fn of(asks: &[Ask]) -> Self {
        let mut given = Self { answers: Answers::none(), told: String::new(), missing: Vec::new() };
        let mut told = Vec::new();
        for ask in asks {
            let (value, from) = match (&ask.default, ask.choices.first()) {
                (Some(default), _) => (default, "its default"),
                (None, Some(first)) => (first, "its first choice"),
                (None, None) => {
                    given.missing.push(ask.name.clone());
                    continue;
                }
            };
            told.push(format!("{} = {} ({from})", ask.name, safe(value)));
            given.answers.insert(ask.name.clone(), ask.answer(value.clone()));
        }
        given.told = told.join(", ");
        given
    }

    /// When what is missing is known; none where nothing is.
    pub(super) fn later(&self) -> Option<String> {
        (!self.missing.is_empty()).then(|| once_given(&self.missing))
    }
}

fn once_given(names: &[String]) -> String {
    let is = if names.len() == 1 { "is" } else { "are" };
    format!("once {} {is} given", names.join(", "))
}

/// When what these stand for is known: `once to is given and step find has run`.
pub(super) fn later<'a>(blanks: impl Iterator<Item = &'a Blank>) -> Option<String> {
    let (mut asked, mut steps) = (Vec::new(), Vec::new());
    for blank in blanks {
        let (list, name) = match blank {
            Blank::Ask(name) => (&mut asked, name),
            Blank::Step { step, .. } => (&mut steps, step),
        };
        if !list.contains(name) {
            list.push(name.clone());
        }
    }
    let has = if steps.len() == 1 { "step" } else { "steps" };
    let have = if steps.len() == 1 { "has" } else { "have" };
    match (asked.as_slice(), steps.as_slice()) {
        ([], []) => None,
        (asked, []) => Some(once_given(asked)),
        ([], steps) => Some(format!("once {has} {} {have} run", steps.join(", "))),
        (asked, steps) => {
            Some(format!("{} and {has} {} {have} run", once_given(asked), steps.join(", ")))
        }
    }
}
