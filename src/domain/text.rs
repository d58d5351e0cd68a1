//! Making foreign text safe to show.

use std::borrow::Cow;

/// The text without control characters, escape sequences or characters that reorder a
/// line, so that an answer from a server cannot move the cursor, clear the screen or
/// pretend to be something else. Line breaks and tabs become spaces.
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\n' | '\r' | '\t' => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c if is_unsafe(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Skips what follows an escape character: a control sequence up to its final byte, or a
/// string up to its terminator, or one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => {
            for c in chars.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    break;
                }
            }
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                let terminated = c == '\u{7}' || (c == '\u{1b}' && chars.peek() == Some(&'\\'));
                if terminated {
                    if c == '\u{1b}' {
                        chars.next();
                    }
                    break;
                }
            }
        }
        _ => {}
    }
}

/// At most `limit` characters of safe text, ending in `…` where some were cut.
pub fn clip(text: &str, limit: usize) -> String {
    let safe = safe(text);
    if safe.chars().count() <= limit {
        return safe.into_owned();
    }
    let mut out: String = safe.chars().take(limit.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// An identifier with its middle hidden: enough to tell two apart, not enough to use.
/// `203.0.113.77` becomes `203.x.x.77`, `user_8f3a21c9` becomes `us…c9`.
pub fn masked(identifier: &str) -> String {
    let safe = safe(identifier);
    let (prefix, bare) = match safe.rsplit_once(':') {
        Some((prefix, bare)) if !prefix.contains(':') => (format!("{prefix}:"), bare),
        _ => (String::new(), safe.as_ref()),
    };
    let octets: Vec<&str> = bare.split('.').collect();
    if octets.len() == 4 && octets.iter().all(|octet| octet.parse::<u8>().is_ok()) {
        return format!("{prefix}{}.x.x.{}", octets[0], octets[3]);
    }
    let chars: Vec<char> = bare.chars().collect();
    if chars.len() <= 4 {
        return format!("{prefix}…");
    }
    let start: String = chars[..2].iter().collect();
    let end: String = chars[chars.len() - 2..].iter().collect();
    format!("{prefix}{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_or_reorders_the_line_survives() {
        let cases = [
            ("plain", "plain"),
            ("\u{1b}[2J\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]52;c;aGVsbG8=\u{7}after", "after"),
            ("\u{1b}]0;title\u{1b}\\after", "after"),
            ("a\r\nb\tc", "a b c"),
            ("\u{202e}txt.exe", "txt.exe"),
            ("zero\u{200b}width", "zerowidth"),
            ("bell\u{7}", "bell"),
            ("\u{9b}2J", "2J"),
            ("cut \u{1b}[", "cut "),
        ];
        for (input, expected) in cases {
            assert_eq!(safe(input), expected, "{input:?}");
        }
    }

    #[test]
    fn masked_identifiers_tell_apart_and_give_nothing_away() {
        let cases = [
            ("203.0.113.77", "203.x.x.77"),
            ("ip:203.0.113.77", "ip:203.x.x.77"),
            ("user_8f3a21c9", "us…c9"),
            ("abc", "…"),
            ("2001:db8::1", "20…:1"),
        ];
        for (input, expected) in cases {
            assert_eq!(masked(input), expected);
        }
    }

    #[test]
    fn clipping_counts_characters() {
        assert_eq!(clip("äöüäöü", 4), "äöü…");
        assert_eq!(clip("short", 5), "short");
    }
}
