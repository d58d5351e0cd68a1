//! Values that must never be shown.

use std::{fmt, sync::RwLock};

use base64::{
    Engine as _,
    engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret, SecretString};

use super::likely;

/// A secret text. It has no `Display` and no `Serialize`, its `Debug` shows only where it
/// came from, and its own memory is wiped when it is dropped. That is no protection from
/// somebody who reads the memory of the process: [`redact`] has to know every secret for as
/// long as the process lives, also one that was rotated away, since it may still be quoted.
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

/// Values that must not leave the process in any text, longest first, so that a secret that
/// contains another one is replaced whole. Kept for the whole life of the process.
static KNOWN: RwLock<Vec<Form>> = RwLock::new(Vec::new());

/// A value, as it may stand in a text.
struct Form {
    text: SecretString,
    /// Whether that is the value itself.
    plain: bool,
}

impl Form {
    fn text(&self) -> &str {
        self.text.expose_secret()
    }
}

/// Every value that must not be shown, for a process of our own that goes on without us.
pub fn known() -> Vec<String> {
    KNOWN
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .iter()
        .filter(|form| form.plain)
        .map(|form| form.text().to_owned())
        .collect()
}

/// Takes over what another process of ours must not show.
pub fn remember_all<'a>(values: impl IntoIterator<Item = &'a str>) {
    values.into_iter().for_each(remember);
}

/// Shorter values would blank out ordinary words: they are looked for nowhere, and
/// [`redact`] takes them out only where their name stands before them.
pub(super) const SHORTEST: usize = 6;

fn remember(value: &str) {
    if value.len() < SHORTEST {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let forms = [(value.to_owned(), true), (encoded, false)];
    let base64 = [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|form| (in_base64(&form, value), false));
    for (text, plain) in forms.into_iter().chain(base64) {
        match known.iter_mut().find(|old| old.text() == text) {
            Some(old) => old.plain |= plain,
            None => {
                let place = known.partition_point(|old| old.text().len() >= text.len());
                known.insert(place, Form { text: SecretString::from(text), plain });
            }
        }
    }
}

/// A value in base64 (RFC 4648), as far as that does not depend on what follows: padding, or
/// a line break that was encoded with it. What is left out says four bits at most.
fn in_base64(form: &GeneralPurpose, value: &str) -> String {
    let mut text = form.encode(value);
    text.truncate(value.len() * 8 / 6);
    text
}

/// The text with every known secret replaced, as it is, as an address encodes it and as
/// base64, and whatever looks like one by its surroundings. For the places where foreign text enters:
/// error messages, answers, the output of commands.
pub fn redact(text: &str) -> String {
    let known = KNOWN.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut out = text.to_owned();
    for secret in known.iter().map(Form::text) {
        if out.contains(secret) {
            out = out.replace(secret, "⟨secret⟩");
        }
    }
    drop(known);
    likely::mask(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_secrets_and_what_looks_like_one_are_taken_out() {
        let secret = Secret::new("hunter/2 hunter".to_owned(), "env PASSWORD");
        let _longer = Secret::new("the hunter/2 hunter".to_owned(), "env LONGER");
        drop(secret);
        let cases = [
            ("said hunter/2 hunter!", "said ⟨secret⟩!"),
            ("said the hunter/2 hunter!", "said ⟨secret⟩!"),
            ("?q=hunter%2F2+hunter&x=1", "?q=⟨secret⟩&x=1"),
            ("another token=abc", "another token=⟨secret⟩"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn a_known_secret_in_base64_is_taken_out_however_it_ends() {
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        for value in ["base-hunter~1", "base-hunter?22", "base-hunter>333", "ÿÿÿ-base"] {
            let _known = Secret::new(value.to_owned(), "env PASSWORD");
            for end in ["", "\n", ":more"] {
                let whole = format!("{value}{end}");
                for encoded in [
                    STANDARD.encode(&whole),
                    STANDARD_NO_PAD.encode(&whole),
                    URL_SAFE.encode(&whole),
                    URL_SAFE_NO_PAD.encode(&whole),
                ] {
                    let shown = redact(&format!("said {encoded}"));
                    assert!(shown.starts_with("said ⟨secret⟩"), "{value:?} {end:?}: {shown}");
                }
            }
            // What is handed to another process is the value alone, however often.
            remember_all(known().iter().map(String::as_str));
            assert_eq!(known().iter().filter(|known| *known == value).count(), 1);
            assert!(!known().contains(&in_base64(&STANDARD_NO_PAD, value)));
        }
    }
}
