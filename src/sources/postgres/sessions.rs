//! Sessions as they are shown: without the data in their statements.

use super::queries::Row;
use crate::{domain::observation::Session, net::words::clip};

/// How much of a statement is kept, characters.
const LONGEST_STATEMENT: usize = 200;

/// The longest name that is kept, characters.
const LONGEST_NAME: usize = 63;

/// The most blockers of one session that are named.
const MOST_BLOCKERS: usize = 20;

/// A row of the sessions' query.
pub(super) fn session(row: &Row<'_>) -> Option<Session> {
    let name = |column: &str| clip(row.text(column).unwrap_or_default(), LONGEST_NAME);
    let blockers = row.text("blockers").unwrap_or_default();
    Some(Session {
        pid: row.text("pid")?.parse().ok()?,
        user: name("usename"),
        database: name("datname"),
        application: name("application_name"),
        state: name("state"),
        transaction_age: row.seconds("transaction_age"),
        query_age: row.seconds("query_age"),
        wait: row.text("wait").filter(|wait| !wait.is_empty()).map(|wait| clip(wait, LONGEST_NAME)),
        blocked_by: blockers
            .split(',')
            .filter_map(|pid| pid.parse().ok())
            .take(MOST_BLOCKERS)
            .collect(),
        query: clip(&without_literals(row.text("query").unwrap_or_default()), LONGEST_STATEMENT),
    })
}

/// A statement with `?` in place of every string and number, and without comments: those
/// may hold anything. A string that is cut off ends the statement.
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>
pub(super) fn without_literals(statement: &str) -> String {
    let mut out = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let in_word = out.ends_with(is_word);
        if let Some(after) = after_string(rest, in_word) {
            out.push('?');
            rest = after;
        } else if let Some(after) = after_comment(rest) {
            out.push(' ');
            rest = after;
        } else if first == '"' {
            let after = after_quoted(&rest[1..], '"', false);
            out.push_str(&rest[..rest.len() - after.len()]);
            rest = after;
        } else if first.is_ascii_digit() && !in_word {
            out.push('?');
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else {
            out.push(if first.is_whitespace() { ' ' } else { first });
            rest = &rest[first.len_utf8()..];
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// What follows the string that the text begins with: `'…'`, `E'…'` and its like, `$x$…$x$`.
fn after_string(text: &str, in_word: bool) -> Option<&str> {
    if let Some(inner) = text.strip_prefix('\'') {
        return Some(after_quoted(inner, '\'', false));
    }
    if in_word {
        return None;
    }
    let prefixes = ["U&'", "u&'", "E'", "e'", "B'", "b'", "X'", "x'", "N'", "n'"];
    for prefix in prefixes {
        if let Some(inner) = text.strip_prefix(prefix) {
            return Some(after_quoted(inner, '\'', prefix.eq_ignore_ascii_case("e'")));
        }
    }
    let tag_end = text.strip_prefix('$')?.find('$')? + 2;
    let tag = &text[..tag_end];
    let inner_tag = &tag[1..tag_end - 1];
    let is_tag = !inner_tag.starts_with(|c: char| c.is_ascii_digit())
        && inner_tag.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_tag.then(|| text[tag_end..].split_once(tag).map_or("", |(_, after)| after))
}

/// What follows the closing quote; nothing where there is none.
fn after_quoted(inner: &str, quote: char, escapes: bool) -> &str {
    let mut chars = inner.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return &inner[at + quote.len_utf8()..],
            }
        }
    }
    ""
}

fn after_comment(text: &str) -> Option<&str> {
    if text.starts_with("--") {
        return Some(text.find('\n').map_or("", |end| &text[end..]));
    }
    let mut rest = text.strip_prefix("/*")?;
    let mut depth = 1;
    while depth > 0 {
        let next = rest.find(['/', '*']).filter(|at| rest.len() > at + 1);
        let Some(at) = next else { return Some("") };
        rest = if rest[at..].starts_with("/*") {
            depth += 1;
            &rest[at + 2..]
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            &rest[at + 2..]
        } else {
            &rest[at + 1..]
        };
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_and_comments_are_removed() {
        let table = [
            ("SELECT * FROM users WHERE email = 'a@b.test'", "SELECT * FROM users WHERE email = ?"),
            ("SELECT 'it''s' , x", "SELECT ? , x"),
            (r"SELECT E'it\'s secret' , x", "SELECT ? , x"),
            (r"SELECT 'back\' , x", "SELECT ? , x"),
            ("SELECT $$secret$$ , $t$ s$$ecret $t$ , x", "SELECT ? , ? , x"),
            (
                "SELECT a1, t.c2 FROM t3 WHERE id=42 AND p>-1.5e10",
                "SELECT a1, t.c2 FROM t3 WHERE id=? AND p>-?",
            ),
            ("SELECT $1, $2", "SELECT $1, $2"),
            ("SELECT 1 -- secret\n , x", "SELECT ? , x"),
            ("SELECT /* se /* cr */ et */ x", "SELECT x"),
            ("SELECT /* cut off secret", "SELECT"),
            ("ALTER ROLE x PASSWORD 'cut off sec", "ALTER ROLE x PASSWORD ?"),
            ("SELECT \"Col'umn\" FROM \"t\"", "SELECT \"Col'umn\" FROM \"t\""),
            ("SELECT U&'secret', X'FF', 0xDEADBEEF", "SELECT ?, ?, ?"),
            ("SELECT naïve'secret'", "SELECT naïve?"),
            ("SELECT 'päß' , 'ü", "SELECT ? , ?"),
            ("", ""),
        ];
        for (statement, expected) in table {
            assert_eq!(without_literals(statement), expected, "{statement}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "\\PC{0,200}") {
            let _ = without_literals(&text);
        }

        #[test]
        fn quotes_and_comments_in_any_order_do_not_fail(
            parts in proptest::collection::vec("'|\"|\\$|\\$a\\$|--|/\\*|\\*/|\\\\|E'|é|1|\n", 0..40),
        ) {
            let _ = without_literals(&parts.concat());
        }

        #[test]
        fn a_string_never_shows(secret in "[a-z]{12}", before in "[A-Za-z0-9_ =(,]{0,20}") {
            let shown = without_literals(&format!("{before} '{secret}' , x"));
            prop_assert!(!shown.contains(&secret));
        }
    }
}
