//! Foreign text on its way to the screen and to the disk.

use std::borrow::Cow;

use crate::{config::secret::redact, domain::text};

/// The text without control characters and without any known secret. Redacted on both
/// sides of the cleaning: a secret may itself hold a line break, and an escape sequence
/// in the middle of a secret would hide it from a search.
pub fn plain(text: &str) -> String {
    let redacted = redact(text);
    match text::safe(&redacted) {
        Cow::Owned(cleaned) => redact(&cleaned),
        // There was nothing in it that could have hidden one.
        Cow::Borrowed(_) => redacted,
    }
}

/// As [`plain`], at most `limit` characters. A secret is removed before the text is cut:
/// half of one would not be recognised any more.
pub fn clip(text: &str, limit: usize) -> String {
    text::clip(&plain(text), limit)
}

/// A few words of somebody else's, on one line: at most `limit` characters.
pub fn quote(text: &str, limit: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    clip(&words.join(" "), limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;

    #[test]
    fn a_secret_broken_up_by_an_escape_sequence_is_still_removed() {
        let _secret = Secret::new("broken-up-canary".to_owned(), "env WORDS_CANARY");
        assert_eq!(plain("a broken-\u{1b}[0mup-canary b"), "a ⟨secret⟩ b");
        assert_eq!(clip("a broken-up-canary b", 6), "a ⟨se…");
    }
}
