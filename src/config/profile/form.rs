//! What an action asks for when it is started, and the texts that are not complete before.

use serde::{Deserialize, Serialize};

use crate::domain::{ask::Ask, template::Template};

/// What is asked for, and the texts that are incomplete without it. The steps of a sequence
/// have their own texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Form {
    /// What is asked for, in the order in which it is asked.
    pub asks: Vec<Ask>,
    /// The texts.
    pub gaps: Vec<Gap>,
}

/// A text with places to fill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Which text of the action it is.
    pub at: Spot,
    /// The text.
    pub text: Template,
}

/// A text of an action that can have places to fill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spot {
    /// The address of a request.
    Url,
    /// The value of the header of this name.
    Header(String),
    /// A text in the body, by its JSON pointer (RFC 6901).
    Body(String),
    /// An argument, by its position.
    Argument(usize),
    /// The value of the variable of this name.
    Variable(String),
    /// The standard input.
    Stdin,
    /// A pattern of keys to delete, by its position.
    Pattern(usize),
    /// A parameter of SQL statements, by its position.
    Parameter(usize),
}
