//! The little that must be known of an SQL statement before it is sent: that it is one and
//! not two, what kind it is, which parameters it has, and whether it can be undone by a
//! ROLLBACK. Everything else is for the server to say.
//!
//! The lexical rules are those of PostgreSQL with `standard_conforming_strings`:
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>

mod lexer;

use std::collections::BTreeSet;

use self::lexer::{Token, What, tokens};

/// The most parameters that a statement may have.
pub const MOST_PARAMETERS: usize = 100;

/// What a statement is, as far as its effect goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It gives rows.
    Reads,
    /// It changes rows, and says how many.
    Changes,
    /// Anything else, such as the making and dropping of tables.
    Defines,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text, without what ends it.
    pub text: String,
    /// What it is.
    pub verb: Verb,
    /// Its first word, in capitals; for one that begins with WITH, the verb behind that.
    pub word: String,
    /// The numbers of its parameters: 1 for `$1`.
    pub parameters: BTreeSet<usize>,
}

/// Why a statement cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub cure: &'static str,
    /// Where in the text, in bytes.
    pub offset: usize,
}

impl SqlError {
    fn new(offset: usize, message: impl Into<String>, cure: &'static str) -> Self {
        Self { message: message.into(), cure, offset }
    }
}

/// Words that begin, divide and end transactions, and what outlives them.
const TRANSACTION: &[&str] = &[
    "BEGIN",
    "START",
    "COMMIT",
    "END",
    "ROLLBACK",
    "ABORT",
    "SAVEPOINT",
    "RELEASE",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
];

/// Words at the start of what a transaction cannot hold, or cannot take back.
const NOT_HERE: [(&[&str], &str, &str); 6] = [
    (
        TRANSACTION,
        "the statements run in one transaction, which begins and ends by itself",
        "leave it out",
    ),
    (
        &["VACUUM", "CLUSTER", "CHECKPOINT", "LOAD"],
        "cannot be part of a transaction, and so cannot be rolled back",
        "run it with kind = \"command\" and psql -v ON_ERROR_STOP=1",
    ),
    (
        &["COPY"],
        "sends or fetches a stream, for which there is none here",
        "write INSERT, or run it with kind = \"command\"",
    ),
    (
        &["TRUNCATE"],
        "does not say how many rows it removes",
        "write DELETE, which rows_at_most can stop",
    ),
    (
        &["RESET", "DISCARD", "LISTEN", "UNLISTEN"],
        "changes the session and not the database",
        "leave it out",
    ),
    (
        &["DECLARE", "FETCH", "MOVE", "CLOSE"],
        "needs a cursor, which nobody would read",
        "write SELECT",
    ),
];

/// What is created, dropped and rebuilt outside of transactions only.
const OUTSIDE: [&str; 4] = ["DATABASE", "TABLESPACE", "SUBSCRIPTION", "SYSTEM"];

/// Settings that belong to the action itself.
const OWN_LIMITS: [&str; 3] =
    ["LOCK_TIMEOUT", "STATEMENT_TIMEOUT", "IDLE_IN_TRANSACTION_SESSION_TIMEOUT"];

/// Kinds of routine that can be dropped.
const ROUTINES: [&str; 4] = ["FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"];

impl Statement {
    /// Reads one statement that can run in a transaction and be rolled back with it.
    ///
    /// # Errors
    /// It is none, more than one, or cannot be rolled back; says where.
    pub fn parse(text: &str) -> Result<Self, SqlError> {
        let tokens = tokens(text)?;
        let end = tokens.iter().position(|token| token.what == What::End);
        let (own, rest) = tokens.split_at(end.unwrap_or(tokens.len()));
        if let Some(second) = rest.iter().find(|token| token.what != What::End) {
            return Err(SqlError::new(
                second.at,
                "only one statement may stand here",
                "make each its own entry of the list",
            ));
        }
        let Some(first) = own.first() else {
            return Err(SqlError::new(0, "there is no statement", "such as \"UPDATE …\""));
        };
        let words: Vec<(usize, String)> = own
            .iter()
            .filter_map(|token| match &token.what {
                What::Word(word) => Some((token.at, word.to_uppercase())),
                _ => None,
            })
            .collect();
        objection(first.at, &words)?;
        let word = main_verb(own, &words);
        let verb = match word.as_str() {
            "SELECT" | "VALUES" | "TABLE" | "SHOW" | "EXPLAIN" => Verb::Reads,
            "INSERT" | "UPDATE" | "DELETE" | "MERGE" => Verb::Changes,
            _ => Verb::Defines,
        };
        let parameters: BTreeSet<usize> = own
            .iter()
            .filter_map(|token| match token.what {
                What::Parameter(number) => Some(number),
                _ => None,
            })
            .collect();
        let end = end.and_then(|end| tokens.get(end)).map_or(text.len(), |token| token.at);
        Ok(Self { text: text[..end].trim().to_owned(), verb, word, parameters })
    }

    /// Whether the server can work out what it would do without doing it: EXPLAIN checks
    /// the names, the types and the privileges.
    pub fn can_be_explained(&self) -> bool {
        matches!(
            self.word.as_str(),
            "SELECT" | "VALUES" | "TABLE" | "INSERT" | "UPDATE" | "DELETE" | "MERGE"
        )
    }

    /// A routine that it names for dropping and that one of the patterns keeps from that.
    /// Also one in a text within it, as in a DO block; what is put together only while it
    /// runs, and what CASCADE takes along, is not found here.
    pub fn drops<'p>(&self, patterns: &'p [String]) -> Option<(String, &'p str)> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let words: Vec<String> = self
            .text
            .split(|c: char| !is_part(c))
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let drops = words.windows(2).position(|pair| {
            pair[0] == "drop" && ROUTINES.iter().any(|kind| pair[1].eq_ignore_ascii_case(kind))
        })?;
        words[drops + 2..].iter().find_map(|word| {
            let pattern = patterns.iter().find(|pattern| matches(pattern, word))?;
            Some((word.clone(), pattern.as_str()))
        })
    }
}

/// Whether a name fits a pattern, in which `*` stands for any characters.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return true };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Why a statement that begins so cannot be taken.
fn objection(at: usize, words: &[(usize, String)]) -> Result<(), SqlError> {
    let word = |position: usize| words.get(position).map_or("", |(_, word)| word.as_str());
    let first = word(0);
    for (starts, why, cure) in NOT_HERE {
        if starts.contains(&first) {
            return Err(SqlError::new(at, format!("{first}: {why}"), cure));
        }
    }
    if matches!(first, "CREATE" | "DROP" | "ALTER" | "REINDEX") && OUTSIDE.contains(&word(1)) {
        let message = format!("{first} {} cannot be part of a transaction", word(1));
        return Err(SqlError::new(at, message, "run it with kind = \"command\""));
    }
    let concurrently = words.iter().find(|(_, word)| word == "CONCURRENTLY");
    if let Some((at, _)) = concurrently
        && matches!(first, "CREATE" | "DROP" | "ALTER" | "REINDEX")
    {
        return Err(SqlError::new(
            *at,
            "CONCURRENTLY cannot be part of a transaction, and so cannot be rolled back",
            "leave CONCURRENTLY out, which locks the table, or run it with kind = \"command\" and psql -v ON_ERROR_STOP=1",
        ));
    }
    if first == "SET" {
        if word(1) != "LOCAL" && word(1) != "CONSTRAINTS" {
            return Err(SqlError::new(
                at,
                "SET outlasts the transaction",
                "write SET LOCAL, which ends with it",
            ));
        }
        if OWN_LIMITS.contains(&word(2)) {
            return Err(SqlError::new(
                at,
                format!("{} is set by the action", word(2).to_lowercase()),
                "write lock_timeout or statement_timeout beside `statements`",
            ));
        }
    }
    Ok(())
}

/// The first word; where that is WITH, the verb that stands behind it outside of brackets.
fn main_verb(own: &[Token<'_>], words: &[(usize, String)]) -> String {
    let first = words.first().map(|(_, word)| word.clone()).unwrap_or_default();
    if first != "WITH" {
        return first;
    }
    let mut depth = 0_usize;
    for token in own {
        match &token.what {
            What::Open => depth += 1,
            What::Close => depth = depth.saturating_sub(1),
            What::Word(word) if depth == 0 => {
                let word = word.to_uppercase();
                if ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE"]
                    .contains(&word.as_str())
                {
                    return word;
                }
            }
            _ => {}
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Statement {
        Statement::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_a_statement_is() {
        use Verb::{Changes, Defines, Reads};
        let table = [
            ("select 1", "SELECT", Reads, &[][..]),
            ("UPDATE t SET a = $2 WHERE id = $1;", "UPDATE", Changes, &[1, 2]),
            ("-- why\n/* a /* b */ ; */ DELETE FROM t WHERE n = ';--' ; ", "DELETE", Changes, &[]),
            ("WITH x AS (SELECT $3) INSERT INTO t SELECT * FROM x", "INSERT", Changes, &[3]),
            ("WITH x AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM x", "SELECT", Reads, &[]),
            ("DO $x$ BEGIN; PERFORM '$1'; END $x$", "DO", Defines, &[]),
            ("ALTER TABLE b DISABLE TRIGGER c", "ALTER", Defines, &[]),
            ("SELECT E'a\\';b', \"c;\"\"d\", a$1 FROM t", "SELECT", Reads, &[]),
            ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", "REFRESH", Defines, &[]),
            ("SET LOCAL role = 'x'", "SET", Defines, &[]),
        ];
        for (text, word, verb, parameters) in table {
            let statement = parsed(text);
            assert_eq!(statement.word, word, "{text}");
            assert_eq!(statement.verb, verb, "{text}");
            let found: Vec<usize> = statement.parameters.into_iter().collect();
            assert_eq!(found, parameters, "{text}");
        }
        assert_eq!(parsed(" SELECT 1 ; ").text, "SELECT 1");
    }

    #[test]
    fn what_cannot_be_taken_is_said_with_its_place() {
        let table = [
            ("", "no statement", 0),
            ("DELETE FROM a; DELETE FROM b", "only one statement", 15),
            ("CREATE INDEX CONCURRENTLY i ON t (a)", "CONCURRENTLY cannot", 13),
            ("drop index concurrently i", "CONCURRENTLY cannot", 11),
            ("COMMIT", "begins and ends by itself", 0),
            ("vacuum t", "cannot be rolled back", 0),
            ("CREATE DATABASE x", "cannot be part", 0),
            ("TRUNCATE t", "how many rows", 0),
            ("COPY t FROM STDIN", "stream", 0),
            ("SET lock_timeout = 0", "outlasts", 0),
            ("SET LOCAL statement_timeout = 0", "set by the action", 0),
            ("SELECT 'a", "has no end", 7),
            ("SELECT $a$ b", "has no end", 7),
            ("SELECT /* a", "has no end", 7),
            ("SELECT $0", "numbered from $1", 7),
            ("SELECT $99999999999999999999999", "numbered from $1", 7),
        ];
        for (text, why, offset) in table {
            let error = Statement::parse(text).expect_err(text);
            assert!(error.message.contains(why), "{text}: {error}");
            assert_eq!(error.offset, offset, "{text}");
        }
    }

    #[test]
    fn what_must_not_be_dropped_is_found() {
        let keep = ["calculate_*_price".to_owned(), "validate_x".to_owned()];
        for (text, name) in [
            ("DROP FUNCTION calculate_booking_price(int)", Some("calculate_booking_price")),
            ("drop function if exists a(int), public.VALIDATE_X", Some("validate_x")),
            ("DO $$ BEGIN DROP ROUTINE validate_x; END $$", Some("validate_x")),
            ("DROP FUNCTION other()", None),
            ("DROP TRIGGER validate_x ON t", None),
            ("SELECT calculate_booking_price(1)", None),
        ] {
            let found = parsed(text).drops(&keep);
            assert_eq!(found.as_ref().map(|(name, _)| name.as_str()), name, "{text}");
        }
        for (pattern, name, fits) in [
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxc", false),
            ("*", "", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("*_price", "x_price_y", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
