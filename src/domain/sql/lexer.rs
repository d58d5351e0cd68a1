//! A text of SQL as its pieces.

use std::{iter::Peekable, str::CharIndices};

use super::{MOST_PARAMETERS, SqlError};

/// A piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    /// A key word or a name.
    Word(&'a str),
    /// `$1`.
    Parameter(usize),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `;`
    End,
    /// A quoted name, a text, a number, an operator.
    Other,
}

/// A piece with its place in the text, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) at: usize,
    pub(super) what: What<'a>,
}

/// Reads a text character by character.
struct Lexer<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

/// The pieces of a text, without spaces and comments.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, SqlError> {
    let mut lexer = Lexer { text, chars: text.char_indices().peekable() };
    let mut tokens = Vec::new();
    while let Some((at, c)) = lexer.chars.next() {
        let what = match c {
            c if c.is_whitespace() => continue,
            '-' if lexer.eats('-') => {
                lexer.skip_while(|c| c != '\n');
                continue;
            }
            '/' if lexer.eats('*') => {
                lexer.comment(at)?;
                continue;
            }
            '\'' => lexer.quoted(at, '\'', false)?,
            '"' => lexer.quoted(at, '"', false)?,
            'e' | 'E' if lexer.eats('\'') => lexer.quoted(at, '\'', true)?,
            '$' => lexer.dollar(at)?,
            '(' => What::Open,
            ')' => What::Close,
            ';' => What::End,
            c if c.is_alphabetic() || c == '_' => {
                lexer.skip_while(|c| c.is_alphanumeric() || c == '_' || c == '$');
                What::Word(&text[at..lexer.at()])
            }
            c if c.is_ascii_digit() => {
                lexer.skip_while(|c| c.is_alphanumeric() || c == '_' || c == '.');
                What::Other
            }
            _ => What::Other,
        };
        tokens.push(Token { at, what });
    }
    Ok(tokens)
}

impl<'a> Lexer<'a> {
    fn at(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn eats(&mut self, wanted: char) -> bool {
        self.chars.next_if(|(_, c)| *c == wanted).is_some()
    }

    fn skip_while(&mut self, mut wanted: impl FnMut(char) -> bool) {
        while self.chars.next_if(|(_, c)| wanted(*c)).is_some() {}
    }

    /// Comments nest.
    fn comment(&mut self, start: usize) -> Result<(), SqlError> {
        let mut depth = 1;
        while let Some((_, c)) = self.chars.next() {
            match c {
                '/' if self.eats('*') => depth += 1,
                '*' if self.eats('/') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
        Err(SqlError::new(start, "this comment has no end", "close it with */"))
    }

    /// After the opening mark: to the closing one. A doubled one stands for itself.
    fn quoted(&mut self, start: usize, mark: char, escapes: bool) -> Result<What<'a>, SqlError> {
        while let Some((_, c)) = self.chars.next() {
            if escapes && c == '\\' {
                self.chars.next();
            } else if c == mark && !self.eats(mark) {
                return Ok(What::Other);
            }
        }
        Err(SqlError::new(start, "this text has no end", "close it with the same mark"))
    }

    /// After a `$`: a parameter, or a text between `$tag$` and `$tag$`.
    fn dollar(&mut self, start: usize) -> Result<What<'a>, SqlError> {
        let from = self.at();
        self.skip_while(|c| c.is_ascii_digit());
        if self.at() > from {
            let number = self.text[from..self.at()].parse().unwrap_or(usize::MAX);
            if number == 0 || number > MOST_PARAMETERS {
                let why = format!("parameters are numbered from $1 to ${MOST_PARAMETERS}");
                return Err(SqlError::new(start, why, "$1 stands for the first of `parameters`"));
            }
            return Ok(What::Parameter(number));
        }
        self.skip_while(|c| c.is_alphanumeric() || c == '_');
        let tag_end = self.at();
        if !self.eats('$') {
            return Ok(What::Other);
        }
        let tag = &self.text[start..=tag_end];
        let body = self.at();
        let Some(length) = self.text[body..].find(tag) else {
            return Err(SqlError::new(
                start,
                format!("this text has no end: {tag}"),
                "close it with the same mark",
            ));
        };
        let end = body + length + tag.len();
        while self.at() < end && self.chars.next().is_some() {}
        Ok(What::Other)
    }
}
