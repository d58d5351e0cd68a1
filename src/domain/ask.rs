//! What an action asks for when it is started, and the answers.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use regex::Regex;
use secrecy::zeroize::Zeroize;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    ids::{ReadingName, SourceId},
    template::{Blank, Filling},
    text::safe,
    wanted::Wanted,
};

/// What stands for a secret wherever it would be shown or kept.
const VEIL: &str = "⟨secret⟩";

/// One thing that an action asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Its name: `${ask.NAME}`.
    pub name: String,
    /// Its label.
    pub title: String,
    /// What one would type, in words.
    pub hint: Option<String>,
    /// What is there before anything is typed.
    pub default: Option<String>,
    /// The whole value must match.
    pub pattern: Option<Pattern>,
    /// What it must be, where neither a pattern nor choices say so.
    #[serde(default)]
    pub wanted: Option<Wanted>,
    /// The only values, where these are not empty.
    pub choices: Vec<String>,
    /// Where further values to choose from are read. They help to type; the pattern decides.
    pub candidates: Option<Candidates>,
    /// Never shown, recorded or kept.
    pub secret: bool,
    /// The most characters.
    pub max_length: usize,
    /// Values that match one of these are refused.
    pub deny: Vec<Deny>,
}

/// Where values to choose from are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidates {
    /// The source.
    pub source: SourceId,
    /// The reading.
    pub reading: ReadingName,
    /// The reading with a line for each of them, in the same order: what tells them apart.
    #[serde(default)]
    pub labels: Option<ReadingName>,
}

/// Values that are refused, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deny {
    /// The whole value matches.
    pub pattern: Pattern,
    /// In words.
    pub why: String,
}

/// A regular expression that a whole value matches, or does not.
#[derive(Clone, Debug)]
pub struct Pattern {
    written: String,
    whole: Regex,
}

/// The most that a regular expression may take once it is compiled, bytes.
const LARGEST_PATTERN: usize = 1 << 20;

impl Pattern {
    /// Reads a regular expression.
    ///
    /// # Errors
    /// It is none, or too large.
    pub fn parse(written: &str) -> Result<Self, String> {
        // By itself first: what closes the group below must not make it sound.
        Regex::new(written).map_err(|error| error.to_string())?;
        let whole = regex::RegexBuilder::new(&format!("^(?:{written})$"))
            .size_limit(LARGEST_PATTERN)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { written: written.to_owned(), whole })
    }

    /// Whether all of the text matches.
    pub fn matches(&self, text: &str) -> bool {
        // `$` also matches before a final line break; no value has one.
        self.whole.is_match(text)
    }

    /// The fewest bytes of a text that matches.
    pub fn shortest(&self) -> usize {
        let parsed = regex_syntax::parse(&self.written).ok();
        parsed.and_then(|parsed| parsed.properties().minimum_len()).unwrap_or(0)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        Self::parse(&written).map_err(serde::de::Error::custom)
    }
}

impl Ask {
    /// Why a value cannot be taken at that time, in words with the cure. A secret is not
    /// quoted.
    ///
    /// # Errors
    /// It cannot be taken.
    pub fn check(&self, value: &str, now: Timestamp) -> Result<(), String> {
        if safe(value) != value {
            return Err("control characters are refused: one plain line".to_owned());
        }
        let length = value.chars().count();
        if length > self.max_length {
            return Err(format!("{length} characters, and {} at most", self.max_length));
        }
        if !self.choices.is_empty() {
            if self.choices.iter().any(|choice| choice == value) {
                return self.denied(value);
            }
            return Err(format!("one of: {}", self.choices.join(", ")));
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.matches(value)) {
            return Err(if value.is_empty() {
                format!("something is needed{}", self.such(now))
            } else {
                format!("does not match what is wanted{}", self.such(now))
            });
        }
        if let Some(wanted) = &self.wanted {
            if value.is_empty() {
                return Err(format!("something is needed{}", self.such(now)));
            }
            wanted.check(value, now)?;
        }
        self.denied(value)
    }

    fn denied(&self, value: &str) -> Result<(), String> {
        match self.deny.iter().find(|deny| deny.pattern.matches(value)) {
            Some(deny) => Err(format!("refused: {}", deny.why)),
            None => Ok(()),
        }
    }

    /// It was not given, and what would be right.
    pub fn missing(&self, now: Timestamp) -> String {
        format!("{} is missing{}", self.name, self.such(now))
    }

    /// What one would type, in words.
    pub fn hint(&self, now: Timestamp) -> Option<String> {
        self.hint.clone().or_else(|| self.wanted.as_ref().map(|wanted| wanted.such(now)))
    }

    /// What would be right.
    fn such(&self, now: Timestamp) -> String {
        match (self.hint(now), &self.pattern) {
            (Some(hint), _) => format!(": {hint}"),
            (None, Some(pattern)) => format!(": {}", pattern.as_str()),
            (None, None) => format!(": one of {}", self.choices.join(", ")),
        }
    }

    /// The answer that this text is.
    pub fn answer(&self, text: String) -> Answer {
        if self.secret { Answer::Secret(Veiled::new(text)) } else { Answer::Plain(text) }
    }
}

/// A text that is never shown, recorded or kept: its `Debug` and its serialised form are
/// the same for every text, and its memory is wiped when it is dropped. What is read back
/// from a record is therefore empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Veiled(String);

impl Veiled {
    /// Takes a text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for where it is checked or handed on.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Puts something behind it. The memory that it is moved from is wiped, too.
    pub fn push_str(&mut self, more: &str) {
        let mut longer = String::with_capacity((self.0.len() + more.len()).next_power_of_two());
        longer.push_str(&self.0);
        longer.push_str(more);
        self.0.zeroize();
        self.0 = longer;
    }

    /// Takes the last character off.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// Takes everything off.
    pub fn clear(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for Veiled {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Veiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VEIL)
    }
}

impl Serialize for Veiled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(VEIL)
    }
}

impl<'de> Deserialize<'de> for Veiled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|_| Self::default())
    }
}

/// A value that somebody gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// May be shown and kept.
    Plain(String),
    /// Must not.
    Secret(Veiled),
}

impl Answer {
    /// The value itself, for where it is checked or sent.
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(text) => text.expose(),
        }
    }

    /// Whether it must not be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }
}

/// What was given for everything that an action asks for, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Answers(BTreeMap<String, Answer>);

impl Answers {
    /// Nothing was asked.
    pub fn none() -> Self {
        Self::default()
    }

    /// As they were kept: a secret among them is only what stood for it.
    pub fn kept(shown: &BTreeMap<String, String>) -> Self {
        let plain = |(name, text): (&String, &String)| (name.clone(), Answer::Plain(text.clone()));
        Self(shown.iter().map(plain).collect())
    }

    /// Adds one.
    pub fn insert(&mut self, name: impl Into<String>, answer: Answer) {
        self.0.insert(name.into(), answer);
    }

    /// The answer of that name.
    pub fn get(&self, name: &str) -> Option<&Answer> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Answer)> {
        self.0.iter().map(|(name, answer)| (name.as_str(), answer))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them as they may be shown and kept.
    pub fn shown(&self) -> BTreeMap<String, String> {
        let shown = |answer: &Answer| match answer {
            Answer::Plain(text) => safe(text).into_owned(),
            Answer::Secret(_) => VEIL.to_owned(),
        };
        self.0.iter().map(|(name, answer)| (name.clone(), shown(answer))).collect()
    }

    /// The value for a place to fill.
    pub fn filling(&self, blank: &Blank) -> Option<Filling> {
        let Blank::Ask(name) = blank else { return None };
        self.get(name).map(|answer| Filling::Value(answer.expose().to_owned()))
    }

    /// Why these are not what is asked for at that time, in words with the cure.
    ///
    /// # Errors
    /// One is missing, unknown or cannot be taken.
    pub fn check(&self, asks: &[Ask], now: Timestamp) -> Result<(), String> {
        if let Some((name, _)) = self.iter().find(|(name, _)| asks.iter().all(|a| a.name != *name))
        {
            let names: Vec<&str> = asks.iter().map(|ask| ask.name.as_str()).collect();
            let known = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            return Err(format!("{:?} is not asked for, only {known}", safe(name)));
        }
        for ask in asks {
            match self.get(&ask.name) {
                None => return Err(ask.missing(now)),
                Some(answer) => {
                    ask.check(answer.expose(), now)
                        .map_err(|why| format!("{}: {why}", ask.name))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn ask(pattern: &str) -> Ask {
        Ask {
            name: "number".to_owned(),
            title: "Number".to_owned(),
            hint: None,
            default: None,
            pattern: Some(Pattern::parse(pattern).expect("a pattern")),
            wanted: None,
            choices: Vec::new(),
            candidates: None,
            secret: false,
            max_length: 8,
            deny: Vec::new(),
        }
    }

    #[test]
    fn the_whole_value_must_match() {
        let cases = [
            ("[0-9]{1,4}", "99", true),
            ("[0-9]{1,4}", "99x", false),
            ("[0-9]{1,4}", "", false),
            ("[0-9]{1,4}", "12345", false),
            ("on|off", "off", true),
            ("on|off", "offer", false),
            (".*", "", true),
            (".*", "123456789", false),
            (".*", "a\n", false),
            (".*", "a\u{202e}b", false),
        ];
        for (pattern, value, taken) in cases {
            assert_eq!(ask(pattern).check(value, NOW).is_ok(), taken, "{pattern} {value:?}");
        }
        let shortest = |pattern: &str| Pattern::parse(pattern).expect("a pattern").shortest();
        assert_eq!([".+", "[0-9]{6,8}", "a|bcd", "(?:ab){3}"].map(shortest), [1, 6, 1, 6]);
        assert!(Pattern::parse("a)|(b").is_err(), "half a group is no pattern");
        assert!(Pattern::parse("(").is_err());
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        let hinted = Ask { hint: Some("such as 99".to_owned()), ..ask("[0-9]+") };
        assert_eq!(
            hinted.check("x", NOW),
            Err("does not match what is wanted: such as 99".to_owned())
        );
        assert_eq!(ask("[0-9]+").check("", NOW), Err("something is needed: [0-9]+".to_owned()));
        let chosen = Ask { choices: vec!["off".into(), "on".into()], pattern: None, ..ask("") };
        assert_eq!(chosen.check("maybe", NOW), Err("one of: off, on".to_owned()));
        assert_eq!(chosen.check("on", NOW), Ok(()));
        let pattern = Pattern::parse(r"10\..*").expect("a pattern");
        let deny = vec![Deny { pattern, why: "a private address".to_owned() }];
        let denying = Ask { deny, ..ask("[0-9.]+") };
        assert_eq!(denying.check("10.0.0.1", NOW), Err("refused: a private address".to_owned()));
        assert_eq!(denying.check("9.9.9.9", NOW), Ok(()));
    }

    #[test]
    fn a_secret_is_in_no_form_that_is_kept() {
        let secret = Ask { secret: true, ..ask(".*") };
        let mut answers = Answers::none();
        answers.insert("number", secret.answer("canary-7".to_owned()));
        let written = serde_json::to_string(&answers).expect("json");
        assert!(!written.contains("canary") && !format!("{answers:?}").contains("canary"));
        assert_eq!(answers.shown()["number"], VEIL);
        let read: Answers = serde_json::from_str(&written).expect("answers");
        assert_eq!(read.get("number").map(Answer::expose), Some(""));
        let why = Ask { max_length: 2, ..secret }.check("canary-7", NOW).expect_err("too long");
        assert!(!why.contains("canary"), "{why}");
    }

    #[test]
    fn answers_are_exactly_what_is_asked_for() {
        let asks = [ask("[0-9]+")];
        let answers = |pairs: &[(&str, &str)]| {
            let mut answers = Answers::none();
            for (name, value) in pairs {
                answers.insert(*name, Answer::Plain((*value).to_owned()));
            }
            answers.check(&asks, NOW)
        };
        assert_eq!(answers(&[("number", "7")]), Ok(()));
        for (pairs, why) in [
            (&[][..], "number is missing"),
            (&[("number", "x")][..], "number: does not match"),
            (&[("number", "1"), ("other", "1")][..], "\"other\" is not asked for, only number"),
        ] {
            let said = answers(pairs).expect_err(why);
            assert!(said.contains(why), "{said}");
        }
    }
}
