//! The texts of an action that are not complete before it is started.

use serde::{Deserialize, Serialize};

use crate::domain::template::Template;

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
