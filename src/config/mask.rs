//! Hiding whatever may be a secret in a text that is quoted in a message.
//!
//! Works on the bare text, so that it also holds where the text is not valid TOML. Every
//! hidden byte is replaced by one byte: places in the text stay true.

use crate::domain::text::safe;

/// Names that stand before something that must not be shown.
const WORDS: [&str; 11] = [
    "password",
    "passwd",
    "token",
    "secret",
    "authorization",
    "cookie",
    "api_key",
    "api-key",
    "apikey",
    "credential",
    "routing_key",
];

/// Keys inside `{ … }` that say where a secret comes from, and are none themselves.
const REFERENCES: [&str; 4] = ["env", "file", "command", "prefix"];

/// Whether a key, a header or a variable of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// The text with everything that may be a secret replaced by `*`, and every control
/// character by `?`. Of the same length in bytes.
pub fn mask(text: &str) -> String {
    let mut hidden = vec![false; text.len()];
    hide_values(text, &mut hidden);
    hide_passwords_in_addresses(text, &mut hidden);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let (harmless, instead) =
            (c == '\n' || c == '\t' || is_harmless(c), if hidden[at] { '*' } else { '?' });
        if c == '\n' || (harmless && !hidden[at]) {
            out.push(c);
        } else {
            out.extend(std::iter::repeat_n(instead, c.len_utf8()));
        }
    }
    out
}

fn is_harmless(c: char) -> bool {
    let mut buffer = [0; 4];
    let text: &str = c.encode_utf8(&mut buffer);
    safe(text) == text
}

/// Hides what stands behind `password =` and the like.
fn hide_values(text: &str, hidden: &mut [bool]) {
    let mut from = 0;
    let mut in_reference = false;
    while let Some(found) = text[from..].find(['=', '\n']) {
        let at = from + found;
        from = at + 1;
        if text.as_bytes()[at] == b'\n' {
            in_reference = false;
            continue;
        }
        let name = name_before(&text[..at]);
        let value =
            at + 1 + (text[at + 1..].len() - text[at + 1..].trim_start_matches([' ', '\t']).len());
        let secret = is_secret_name(name) && !REFERENCES.contains(&name);
        if secret && text[value..].starts_with('{') {
            in_reference = true;
        } else if secret || (in_reference && !REFERENCES.contains(&name)) {
            let end = value + value_length(&text[value..]);
            hidden[value..end].fill(true);
            from = end.max(from);
        }
    }
}

/// The key that ends right before an `=`.
fn name_before(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '\t', '"', '\'']);
    let start = text
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .last()
        .map_or(text.len(), |(at, _)| at);
    &text[start..]
}

/// How far a value reaches: to its closing quote, or to where a bare one ends.
fn value_length(text: &str) -> usize {
    for quote in ["\"\"\"", "'''"] {
        if let Some(rest) = text.strip_prefix(quote) {
            return rest.find(quote).map_or(text.len(), |end| end + 2 * quote.len());
        }
    }
    let line = text.find('\n').unwrap_or(text.len());
    match text.chars().next() {
        Some('[') => text.find(']').map_or(text.len(), |end| end + 1),
        Some(quote @ ('"' | '\'')) => {
            closing_quote(&text[1..line], quote).map_or(line, |end| end + 2)
        }
        _ => text[..line].find(['"', '\'', '&', ',', '}']).unwrap_or(line),
    }
}

fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// Hides the password in `scheme://user:password@host`.
fn hide_passwords_in_addresses(text: &str, hidden: &mut [bool]) {
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let rest = &text[start..];
        let end = rest.find(['/', '"', '\'', '\n', ' ', '\t', '?', '#']).unwrap_or(rest.len());
        // A password may hold `@` itself: the last one separates it from the host.
        let Some(userinfo) = rest[..end].rfind('@') else { continue };
        if let Some(colon) = rest[..userinfo].find(':') {
            hidden[start + colon + 1..start + userinfo].fill(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn hides_what_may_be_a_secret_and_keeps_every_place() {
        let cases = [
            (r#"password = "hunter2""#, r#"password = *********"#),
            (r#"password = { env = "PW" }"#, r#"password = { env = "PW" }"#),
            (r#"password = { value = "hunter2" }"#, r#"password = { value = ********* }"#),
            ("password = \"hunter2\nnext = 1", "password = ********\nnext = 1"),
            (
                r#"headers = { Cookie = "a=b", Accept = "x" }"#,
                r#"headers = { Cookie = *****, Accept = "x" }"#,
            ),
            (r#""X-Api-Key" = 'k'"#, r#""X-Api-Key" = ***"#),
            (r#"url = "redis://u:pw@host/0""#, r#"url = "redis://u:**@host/0""#),
            (r#"url = "redis://u:p@w@host/0""#, r#"url = "redis://u:***@host/0""#),
            (r#"url = "https://host/?token=abc&x=1""#, r#"url = "https://host/?token=***&x=1""#),
            ("token = \"\"\"a\nb\"\"\"", "token = ****\n****"),
            ("name = \"a\u{1b}[2J\"", "name = \"a?[2J\""),
            (r#"argv = ["x", "--token=abc"]"#, r#"argv = ["x", "--token=***"]"#),
        ];
        for (text, expected) in cases {
            assert_eq!(mask(text), expected);
            assert_eq!(mask(text).len(), text.len());
        }
    }
}
