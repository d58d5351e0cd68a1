//! What is most likely a secret in foreign text, by what stands before or around it, or by its
//! own form.

use std::cell::OnceCell;

/// What stands instead.
const MASK: &str = "⟨secret⟩";

/// The ends of names whose value is a secret, as programs print them. Where one is the
/// beginning of another, the longer one stands first.
const NAMES: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "token",
    "secret_key",
    "secret-key",
    "secretkey",
    "secret",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "access-key",
    "private_key",
    "authorization",
    "cookie",
];

/// The shortest name of a user that is taken for a token.
const TOKEN: usize = 20;

/// Words between the name and the secret: the schemes of RFC 9110 and what the `Debug` of
/// an optional value prints.
const WRAPPINGS: [&str; 6] = ["bearer ", "basic ", "digest ", "token ", "some(", "ok("];

/// Tokens that are known by how they begin, as those who hand them out document it: the
/// beginning, how many characters follow at least, and which besides letters and digits.
const TOKENS: [(&str, usize, &str); 18] = [
    // Keys of AWS: exactly sixteen capital letters and digits follow.
    ("AKIA", 16, ""),
    ("ASIA", 16, ""),
    // GitHub.
    ("ghp_", 30, ""),
    ("gho_", 30, ""),
    ("ghu_", 30, ""),
    ("ghs_", 30, ""),
    ("ghr_", 30, ""),
    ("github_pat_", 30, "_"),
    // GitLab.
    ("glpat-", 20, "-_."),
    // Slack.
    ("xoxb-", 15, "-"),
    ("xoxp-", 15, "-"),
    ("xoxa-", 15, "-"),
    ("xoxr-", 15, "-"),
    ("xoxs-", 15, "-"),
    // Stripe.
    ("sk_live_", 16, ""),
    ("rk_live_", 16, ""),
    ("sk_test_", 16, ""),
    // A JSON object in base64, as a JSON Web Token begins (RFC 7519): two dots have to follow.
    ("eyJ", 17, "-_."),
];

/// The net under the known secrets: what stands after `token=` and the like, the user
/// information of an address, and what has the form of a well-known token, is taken for a
/// secret whatever it is.
///
/// The forms are `name=value`, `name: value` and `--name value`, the name and the value
/// each in quotes (also in escaped ones) or bare, and `://user:password@host`. A bare value
/// ends at white space, a quote, or one of `&,;)}]`. A user without a password is none,
/// unless it is long enough for a token: `postgres://app@db` says who was refused.
pub(super) fn mask(text: &str) -> String {
    // Made only where it is needed: nearly all texts hold nothing.
    let lower = OnceCell::new();
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        // What may begin is ASCII, so that this is never within a character.
        let found = match (begins_name(bytes, at), begins_token(bytes, at)) {
            (true, _) => secret_at(text, lower.get_or_init(|| text.to_ascii_lowercase()), at),
            (false, true) => token_at(text, at),
            (false, false) => None,
        };
        match found {
            Some((start, end)) => {
                out.push_str(&text[copied..start]);
                // What is masked already keeps its width: a caret may stand under it.
                let value = &text[start..end];
                out.push_str(if is_masked(value) { value } else { MASK });
                copied = end;
                at = end;
            }
            None => at += 1,
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// Whether a name, a scheme or an address may begin there: by two bytes, as every byte of
/// foreign text is asked.
fn begins_name(bytes: &[u8], at: usize) -> bool {
    let Some(second) = bytes.get(at + 1).map(u8::to_ascii_lowercase) else { return false };
    match bytes[at].to_ascii_lowercase() {
        b'p' => matches!(second, b'a' | b'w' | b'r'),
        b't' | b'c' => second == b'o',
        b's' | b'b' => second == b'e',
        b'a' => matches!(second, b'p' | b'c' | b'u'),
        b':' => second == b'/',
        _ => false,
    }
}

/// Whether a token may begin there, which it does not within a word.
fn begins_token(bytes: &[u8], at: usize) -> bool {
    let starts = matches!(bytes[at], b'A' | b'g' | b'x' | b's' | b'r' | b'e');
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    starts && !at.checked_sub(1).is_some_and(|before| is_word(bytes[before]))
}

/// The place of a token that begins there and is known by its form.
fn token_at(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = &text[at..];
    let (begin, least, besides) = TOKENS.iter().find(|(begin, ..)| rest.starts_with(begin))?;
    let body = &rest[begin.len()..];
    let right = |c: char| c.is_ascii_alphanumeric() || besides.contains(c);
    let end = body.find(|c| !right(c)).unwrap_or(body.len());
    // The end of a sentence is none of the token.
    let body = body[..end].trim_end_matches('.');
    let is_token = match *begin {
        "AKIA" | "ASIA" => body.len() == *least && !body.contains(|c: char| c.is_ascii_lowercase()),
        "eyJ" => is_web_token(body),
        // Prose and names of variables have no digits.
        _ => body.len() >= *least && body.contains(|c: char| c.is_ascii_digit()),
    };
    is_token.then(|| (at, at + begin.len() + body.len()))
}

/// Whether what follows `eyJ` makes it a JSON Web Token: a header, a body and, unless it is
/// not signed, a signature.
fn is_web_token(body: &str) -> bool {
    let mut parts = body.split('.');
    let long = |part: Option<&str>| part.is_some_and(|part| part.len() >= 8);
    body.len() >= 17 && long(parts.next()) && long(parts.next())
}

fn is_masked(value: &str) -> bool {
    (value.starts_with('⟨') && value.ends_with('⟩')) || value.chars().all(|c| c == '*')
}

/// The place of the secret that the name, scheme or address at `at` announces. Never empty,
/// and never before `at`.
fn secret_at(text: &str, lower: &str, at: usize) -> Option<(usize, usize)> {
    let rest = &lower[at..];
    let found = if rest.starts_with("://") {
        user_information(text, at + 3)
    } else if rest.starts_with("bearer ") {
        Some(bare(text, at + "bearer ".len()))
    } else {
        let name = NAMES.iter().find(|name| rest.starts_with(**name))?;
        value_after(text, lower, at, at + name.len())
    };
    found.filter(|(start, end)| start < end)
}

/// The value that belongs to the name that stands from `at` to `end`.
fn value_after(text: &str, lower: &str, at: usize, end: usize) -> Option<(usize, usize)> {
    let quote = quote_at(text, end);
    let after = skip(text, end + quote.len(), " \t");
    let separator = ["=>", ":=", "=", ":"].into_iter().find(|sign| text[after..].starts_with(sign));
    let mut start = match separator {
        Some(sign) => skip(text, after + sign.len(), " \t"),
        // `--password value`: an option, with nothing between but white space.
        None if after > end && quote.is_empty() && is_option(&text[..at]) => after,
        None => return None,
    };
    loop {
        let wrapping = WRAPPINGS.iter().find(|word| lower[start..].starts_with(**word));
        match wrapping {
            Some(word) => start = skip(text, start + word.len(), " \t"),
            None if text[start..].starts_with(['[', '(']) => start += 1,
            None => break,
        }
        // A scheme may stand inside the quotes, but what it announces is bare.
        if let Some(place) = scheme_in_quotes(text, lower, start) {
            return Some(place);
        }
    }
    if let Some(place) = scheme_in_quotes(text, lower, start) {
        return Some(place);
    }
    // A table: whatever in it is a secret has a name of its own.
    if text[start..].starts_with('{') {
        return None;
    }
    let quote = quote_at(text, start);
    Some(if quote.is_empty() { bare(text, start) } else { quoted(text, start, quote) })
}

/// `"Bearer abc"`: the place of `abc`.
fn scheme_in_quotes(text: &str, lower: &str, start: usize) -> Option<(usize, usize)> {
    let quote = quote_at(text, start);
    let inside = start + quote.len();
    let scheme = WRAPPINGS.iter().find(|word| lower[inside..].starts_with(**word))?;
    if quote.is_empty() {
        return None;
    }
    let (_, end) = quoted(text, start, quote);
    Some((skip(text, inside + scheme.len(), " ").min(end), end))
}

/// Whether the words before a name end as an option does: `--redis-`.
fn is_option(before: &str) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace()).next().unwrap_or_default();
    word.trim_start_matches(['"', '\'']).starts_with('-')
}

/// The quote that stands there: one of `"`, `'`, a grave accent, or one behind backslashes.
fn quote_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    let escapes = rest.len() - rest.trim_start_matches('\\').len();
    if rest[escapes..].starts_with(['"', '\'', '`']) { &rest[..=escapes] } else { "" }
}

fn skip(text: &str, at: usize, what: &str) -> usize {
    at + (text[at..].len() - text[at..].trim_start_matches(|c| what.contains(c)).len())
}

fn bare(text: &str, start: usize) -> (usize, usize) {
    let rest = &text[start..];
    // What was masked before is one piece.
    if let Some(end) = rest.strip_prefix('⟨').and_then(|inside| inside.find('⟩')) {
        return (start, start + end + "⟨⟩".len());
    }
    let ends = |c: char| c.is_whitespace() || "&\"'`,;)}]⟩".contains(c);
    (start, start + rest.find(ends).unwrap_or(rest.len()))
}

/// The inside of what is quoted from `start`; to the end of the line where it is not closed.
fn quoted(text: &str, start: usize, quote: &str) -> (usize, usize) {
    let inside = start + quote.len();
    let escapes = quote.len() - 1;
    let sign = quote.as_bytes()[escapes];
    let mut backslashes = 0;
    for (offset, byte) in text.bytes().enumerate().skip(inside) {
        match byte {
            b'\\' => backslashes += 1,
            // With more backslashes before it than the first one, it is part of the value.
            _ if byte == sign && backslashes <= escapes => return (inside, offset - backslashes),
            b'\n' => return (inside, offset),
            _ => backslashes = 0,
        }
    }
    (inside, text.len())
}

/// The user information of an address whose authority starts there (RFC 3986, section
/// 3.2.1). A password that should have been encoded may hold a slash: where what follows
/// the colon is no port, the `@` is looked for in the whole address.
fn user_information(text: &str, start: usize) -> Option<(usize, usize)> {
    let rest = &text[start..];
    let address = &rest
        [..rest.find(|c: char| c.is_whitespace() || "\"`<>".contains(c)).unwrap_or(rest.len())];
    let authority = &address[..address.find(['/', '?', '#']).unwrap_or(address.len())];
    let length = match authority.rfind('@') {
        Some(length) => length,
        None => {
            let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
            if port.bytes().all(|byte| byte.is_ascii_digit()) || authority.ends_with(']') {
                return None;
            }
            address.rfind('@')?
        }
    };
    let user = &address[..length];
    let secret = match user.split_once(':') {
        Some((_, password)) => password.is_empty() || !is_masked(password),
        None => user.len() >= TOKEN,
    };
    secret.then_some((start, start + length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{NAMES, TOKENS, begins_name, begins_token, mask};

    #[test]
    fn what_looks_like_a_secret_is_taken_out() {
        let cases = [
            ("token=abc123 then", "token=⟨secret⟩ then"),
            ("password=x", "password=⟨secret⟩"),
            ("password=\"x\"", "password=\"⟨secret⟩\""),
            ("password='a b' c", "password='⟨secret⟩' c"),
            ("password = \"a\\\"b\", c", "password = \"⟨secret⟩\", c"),
            ("{\"secret\":\"x\"}", "{\"secret\":\"⟨secret⟩\"}"),
            ("{\"secret\": \"x\", \"n\": 1}", "{\"secret\": \"⟨secret⟩\", \"n\": 1}"),
            ("\"{\\\"token\\\":\\\"x\\\"}\"", "\"{\\\"token\\\":\\\"⟨secret⟩\\\"}\""),
            ("PASSWORD: x", "PASSWORD: ⟨secret⟩"),
            ("PASSWORD=a&api_key=b", "PASSWORD=⟨secret⟩&api_key=⟨secret⟩"),
            ("password: Some(\"x\")", "password: Some(\"⟨secret⟩\")"),
            ("token => x", "token => ⟨secret⟩"),
            ("--redis-password x --port 1", "--redis-password ⟨secret⟩ --port 1"),
            ("Bearer eyJ.x.y", "Bearer ⟨secret⟩"),
            ("Authorization: Bearer eyJ.x.y", "Authorization: Bearer ⟨secret⟩"),
            ("authorization: Basic dTpw", "authorization: Basic ⟨secret⟩"),
            ("\"Authorization\": \"Token abc\"", "\"Authorization\": \"Token ⟨secret⟩\""),
            ("password=\"open\nnext line", "password=\"⟨secret⟩\nnext line"),
            ("redis://u:p@h:6379/0", "redis://⟨secret⟩@h:6379/0"),
            ("redis://:p@h", "redis://⟨secret⟩@h"),
            ("https://ghp_0123456789abcdef@h/x", "https://⟨secret⟩@h/x"),
            ("postgres://u:pa/s@s@h/db", "postgres://⟨secret⟩@h/db"),
            ("(http://u:p@h) and http://a:b@i", "(http://⟨secret⟩@h) and http://⟨secret⟩@i"),
            ("äöü token=ß€ ü", "äöü token=⟨secret⟩ ü"),
        ];
        for (text, expected) in cases {
            assert_eq!(mask(text), expected, "{text}");
            assert_eq!(mask(expected), expected, "masked twice: {text}");
        }
    }

    #[test]
    fn whatever_is_looked_for_may_begin_where_it_stands() {
        let names = NAMES.iter().chain(&["bearer ", "://"]);
        assert!(names.into_iter().all(|name| begins_name(name.as_bytes(), 0)));
        assert!(NAMES.iter().all(|name| begins_name(name.to_uppercase().as_bytes(), 0)));
        assert!(TOKENS.iter().all(|(begin, ..)| begins_token(begin.as_bytes(), 0)));
    }

    #[test]
    fn well_known_tokens_are_taken_out_wherever_they_stand() {
        let body = "0123456789abcdefABCDEF0123456789abcdEF";
        let tokens = [
            "AKIAIOSFODNN7EXAMPLE".to_owned(),
            format!("ghp_{body}"),
            format!("gho_{body}"),
            format!("github_pat_11AAAAAAA0{body}_{body}"),
            "glpat-aB3_xYz-0123456789ab".to_owned(),
            "xoxb-2345678901-abcdefghij".to_owned(),
            "xoxp-2345678901-abcdefghij".to_owned(),
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc".to_owned(),
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P".to_owned(),
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0".to_owned(),
        ];
        for token in tokens {
            for (before, after) in
                [("", ""), ("used ", "."), ("[", "]"), ("ä/", "?x"), ("k=", " and"), ("\"", "\"")]
            {
                let text = format!("{before}{token}{after}");
                let expected = format!("{before}⟨secret⟩{after}");
                assert_eq!(mask(&text), expected, "{text}");
                assert_eq!(mask(&expected), expected);
            }
        }
    }

    #[test]
    fn what_only_looks_a_little_like_a_token_stays() {
        let cases = [
            "AKIA is how keys begin; AKIAIOSFODNN7EXAMPLES is too long",
            "AKIAiosfodnn7example",
            "XAKIAIOSFODNN7EXAMPLE",
            "ghp_short1",
            "a variable ghp_tokens_of_the_organisation_are_kept",
            "the glpat-prefix-of-our-tokens-is-known",
            "xoxb-your-bot-goes-here-please",
            "task_live_4eC39HqLyjWDarjtT1zdp7dc",
            "sk_live_mode",
            "eyJhbGciOiJIUzI1NiJ9",
            "eyJ.a.b",
            "keyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x",
            "trace 4f1c2f7e1d0e4a399a5e3c8f8d1f2b11 of deploy-7f9c4d",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ];
        for text in cases {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let cases = [
            "Bearer ⟨API_TOKEN⟩",
            "nothing to hide: 12 tokens",
            "ends with token=",
            "token = { env = \"ADMIN_TOKEN\" }",
            "token = \"*****\"",
            "password authentication failed for user \"app\"",
            "http://h:80/@scope/x",
            "https://h/@scope/x",
            "http://[::1]:80/a@b",
            "a mail to ops@example.test",
            "postgres://app@db:5432/shop",
            "https://user:****@h/",
        ];
        for text in cases {
            assert_eq!(mask(text), text);
        }
    }

    /// Each known way of writing a secret, with `{}` in its place; and the characters that
    /// it may not hold there, because they end it.
    const FORMS: [(&str, &str); 14] = [
        ("password={}", "&\"'`,;)}]"),
        ("REDIS_PASSWORD: {}", "&\"'`,;)}]"),
        ("x-api-key: {}", "&\"'`,;)}]"),
        ("--token {}", "&\"'`,;)}]"),
        ("bearer {}", "&\"'`,;)}]"),
        ("Authorization: Basic {}", "&\"'`,;)}]"),
        ("token=\"{}\"", "\"\\"),
        ("token='{}'", "'\\"),
        ("{\"secret\":\"{}\"}", "\"\\"),
        ("\"{\\\"client_secret\\\": \\\"{}\\\"}\"", "\"\\"),
        ("Cookie = `{}`", "`\\"),
        ("passwd: Some(\"{}\")", "\"\\"),
        ("redis://user:{}@host:6379/1", "/?#\"`<>"),
        ("https://:{}@host/path", "/?#\"`<>"),
    ];

    proptest! {
        #[test]
        fn no_text_breaks_it_and_masking_again_changes_nothing(text in ".*") {
            let once = mask(&text);
            prop_assert_eq!(mask(&once), once);
        }

        #[test]
        fn pieces_of_the_known_forms_in_any_order_do_not_break_it(
            pieces in proptest::collection::vec("token|password|://|\"|'|\\\\|=|: |@|bearer |⟨|⟩|[(]|[{]|ß|x|/", 0..40)
        ) {
            mask(&pieces.concat());
        }

        #[test]
        fn a_planted_secret_never_survives(
            before in "([a-z]{1,8} ){0,3}",
            after in "( [a-z]{1,8}){0,3}",
            // Begins so that it is no other known word, and is in no word around it.
            secret in "Q7[!-~]{0,30}Z9",
            form in 0..FORMS.len(),
        ) {
            let (form, forbidden) = FORMS[form];
            let secret: String = secret.chars().filter(|c| !forbidden.contains(*c)).collect();
            let text = format!("{before}{}{after}", form.replace("{}", &secret));
            let masked = mask(&text);
            prop_assert!(!masked.contains(&secret), "{text} became {masked}");
            prop_assert!(!masked.contains("Q7") && !masked.contains("Z9"), "{text} became {masked}");
            prop_assert!(masked.starts_with(&before) && masked.ends_with(&after));
        }
    }
}
