//! Values that must never be shown.

use std::{collections::BTreeSet, fmt, sync::RwLock};

use secrecy::{ExposeSecret, SecretString};

/// A secret text. It has no `Display` and no `Serialize`, its `Debug` shows nothing, and
/// its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret {
    value: SecretString,
    origin: String,
}

impl Secret {
    /// Takes a secret and remembers its value for [`redact`]. `origin` says where it came
    /// from, for messages: `env ADMIN_TOKEN`.
    pub fn new(value: String, origin: impl Into<String>) -> Self {
        remember(&value);
        Self { value: SecretString::from(value), origin: origin.into() }
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }

    /// Where it came from: `env ADMIN_TOKEN`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What stands for it wherever it would be shown: `⟨ADMIN_TOKEN⟩`.
    pub fn placeholder(&self) -> String {
        let name = self.origin.rsplit(' ').next().unwrap_or("secret");
        format!("⟨{name}⟩")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.placeholder())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

/// Values that must not leave the process in any text. Kept for its whole life: a secret
/// that was rotated away is still one.
static KNOWN: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());

/// Every value that must not be shown, for a process of our own that goes on without us.
pub fn known() -> Vec<String> {
    KNOWN.read().unwrap_or_else(std::sync::PoisonError::into_inner).iter().cloned().collect()
}

/// Takes over what another process of ours must not show.
pub fn remember_all<'a>(values: impl IntoIterator<Item = &'a str>) {
    values.into_iter().for_each(remember);
}

/// Shorter values would blank out ordinary words.
const SHORTEST: usize = 6;

fn remember(value: &str) {
    if value.len() < SHORTEST {
        return;
    }
    let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let mut known = KNOWN.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    known.insert(encoded);
    known.insert(value.to_owned());
}

/// The text with every known secret replaced, and what looks like one. For the places where foreign text enters:
/// error messages, answers, the output of commands.
pub fn redact(text: &str) -> String {
    let known = KNOWN.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut out = text.to_owned();
    // Longest first, so that a secret that contains another is replaced whole.
    let mut values: Vec<&String> = known.iter().collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values {
        if out.contains(value.as_str()) {
            out = out.replace(value.as_str(), "⟨secret⟩");
        }
    }
    likely(&out)
}

/// Words before a value that is most likely a secret, as programs print them.
const TELLTALES: [&str; 9] = [
    "password=",
    "passwd=",
    "token=",
    "secret=",
    "api_key=",
    "api-key=",
    "apikey=",
    "access_key=",
    "bearer ",
];

/// The net under the known secrets: what stands after `token=` and the like, and the user
/// information of an address, is taken for a secret whatever it is.
fn likely(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let next = TELLTALES
            .iter()
            .filter_map(|word| lower[at..].find(word).map(|found| at + found + word.len()))
            .min();
        let Some(start) = next else { break };
        let rest = &text[start..];
        let end = rest.find(|c: char| c.is_whitespace() || "&\"',;)⟩".contains(c));
        let end = end.unwrap_or(rest.len());
        out.push_str(&text[at..start]);
        // What is masked already keeps its width: a caret may stand under it.
        let value = &rest[..end];
        let shown = value.starts_with('⟨') || value.chars().all(|c| c == '*');
        out.push_str(if shown { value } else { "⟨secret⟩" });
        at = start + end;
    }
    out.push_str(&text[at.min(text.len())..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_secrets_and_what_looks_like_one_are_taken_out() {
        let _secret = Secret::new("hunter-2-hunter".to_owned(), "env PASSWORD");
        let cases = [
            ("said hunter-2-hunter!", "said ⟨secret⟩!"),
            ("token=abc123 then", "token=⟨secret⟩ then"),
            ("Authorization: Bearer eyJ.x.y", "Authorization: Bearer ⟨secret⟩"),
            ("PASSWORD=a&api_key=b", "PASSWORD=⟨secret⟩&api_key=⟨secret⟩"),
            ("Bearer ⟨API_TOKEN⟩", "Bearer ⟨API_TOKEN⟩"),
            ("nothing to hide: 12 tokens", "nothing to hide: 12 tokens"),
            ("ends with token=", "ends with token="),
            ("äöü token=ß€ ü", "äöü token=⟨secret⟩ ü"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }
}
