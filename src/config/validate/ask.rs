//! What actions ask for, and where the answers may go.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Cx, Path, gap::Open};
use crate::{
    config::{
        nearest::suggestion,
        profile::Form,
        raw::{
            action::RawAction,
            ask::{RawAsk, RawCandidates, RawDeny, RawNever, RawWanted},
        },
        secret::SHORTEST,
    },
    domain::{
        ask::{Ask, Candidates, Deny, Pattern},
        ids::SourceId,
        template::Blank,
        wanted::{Network, Wanted},
    },
};

/// Nothing that is written down depends on the time.
const ANY_TIME: Timestamp = Timestamp::UNIX_EPOCH;

/// Keys under which texts are conditions, which are shown.
const CONDITIONS: [&str; 4] = ["proof", "verify", "until", "fail_when"];

impl Cx<'_> {
    /// What an action asks for, and its texts that have places to fill. In `action` these
    /// texts are replaced by what can be checked without the values; headers and variables
    /// among them are taken out. Those of steps are looked at with their steps.
    pub fn form(&mut self, path: &Path, action: &mut RawAction) -> Form {
        let raw = action.guarding().asks.clone();
        let asks: Vec<Ask> = self
            .ordered_at(&path.key("ask"), &raw)
            .into_iter()
            .filter_map(|(name, ask)| self.ask(&path.key("ask").key(name), name, ask))
            .collect();
        // Those that are faulty are not also said to be unknown.
        let known: BTreeSet<&str> = raw.keys().map(String::as_str).collect();
        let mut used = BTreeSet::new();
        let steps = path.key("step");
        for (place, template) in self.templates(path) {
            for blank in template.blanks() {
                match blank {
                    Blank::Ask(name) if known.contains(name.as_str()) => {
                        used.insert(name.clone());
                        let shown = place.keys().any(|key| CONDITIONS.contains(&key));
                        if shown && raw.get(name).is_some_and(|ask| ask.secret) {
                            let message = format!("`{name}` is a secret, and conditions are shown");
                            self.error(&place, message, "compare with something that may be seen");
                        }
                    }
                    Blank::Ask(name) => {
                        let cure = if known.is_empty() {
                            format!("write [{path}.ask.{name}] with a pattern")
                        } else {
                            suggestion(name, known.iter().copied(), "things asked for")
                        };
                        self.error(&place, format!("nothing called `{name}` is asked for"), cure);
                    }
                    // What is there by then, the steps know.
                    Blank::Step { .. } if place.is_within(&steps) => {}
                    Blank::Step { .. } => {
                        let message = format!("`${{{blank}}}`: this action has no such step");
                        self.error(&place, message, "only a later step can use an earlier one");
                    }
                }
            }
        }
        for name in known.iter().filter(|name| !used.contains(**name)) {
            let message = format!("`{name}` is asked for and never used");
            let cure = format!("write ${{ask.{name}}} in a text of the action, or take it out");
            self.error(&path.key("ask").key(name), message, cure);
        }
        let open = Open::of_action(action);
        for gap in &open.gaps {
            self.gap(path, &open, gap, &asks);
        }
        Form { asks, gaps: open.gaps }
    }

    /// One thing that is asked for.
    fn ask(&mut self, path: &Path, name: &str, raw: &RawAsk) -> Option<Ask> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || !name.chars().all(plain) {
            let message = format!("{name:?} cannot be the name of something asked for");
            self.error(path, message, "letters, digits, _ and -");
            return None;
        }
        let pattern = match &raw.pattern {
            Some(text) => Some(self.whole_pattern(&path.key("pattern"), text)?),
            None => None,
        };
        let said = [
            ("a pattern", pattern.is_some()),
            ("choices", !raw.choices.is_empty()),
            ("`is`", raw.is.is_some()),
        ];
        let said: Vec<&str> =
            said.iter().filter(|(_, there)| *there).map(|(what, _)| *what).collect();
        match said.as_slice() {
            [_] => {}
            [] => {
                let message = format!("nothing says what `{name}` may be");
                let cure = "such as pattern = \"[0-9]{1,4}\", choices = [\"off\", \"on\"], or \
                            is = \"time\" or \"address\"";
                self.error(path, message, cure);
                return None;
            }
            several => {
                let message = format!("{} exclude each other", several.join(" and "));
                self.error(path, message, "take one of them out");
                return None;
            }
        }
        let wanted = self.wanted(path, raw)?;
        let mut deny = Vec::new();
        for (position, RawDeny { pattern, why }) in raw.deny.iter().enumerate() {
            let path = path.key("deny").index(position).key("pattern");
            let pattern = self.whole_pattern(&path, pattern)?;
            deny.push(Deny { pattern, why: why.clone() });
        }
        let candidates = match &raw.choices_from {
            Some(from) => Some(self.candidates(&path.key("choices_from"), from)?),
            None => None,
        };
        let ask = Ask {
            name: name.to_owned(),
            title: raw.title.clone().unwrap_or_else(|| name.to_owned()),
            hint: raw.hint.clone(),
            default: raw.default.clone(),
            pattern,
            wanted,
            choices: raw.choices.clone(),
            candidates,
            secret: raw.secret,
            max_length: raw.max_length,
            deny,
        };
        if !raw.short_values {
            self.short_secret(path, &ask);
        }
        self.ask_is_sound(path, &ask).then_some(ask)
    }

    /// What it must be, where `is` says so. The outer None is an error.
    fn wanted(&mut self, path: &Path, raw: &RawAsk) -> Option<Option<Wanted>> {
        let keys = [
            ("within", RawWanted::Time, raw.within.is_some()),
            ("never", RawWanted::Address, raw.never.is_some()),
            ("widest", RawWanted::Address, raw.widest.is_some()),
            ("widest6", RawWanted::Address, raw.widest6.is_some()),
        ];
        let stray = |&&(_, of, there): &&(&str, RawWanted, bool)| there && raw.is != Some(of);
        if let Some((key, of, _)) = keys.iter().find(stray) {
            let of = match of {
                RawWanted::Time => "time",
                RawWanted::Address => "address",
            };
            let message = format!("`{key}` says nothing without is = \"{of}\"");
            self.error(&path.key(key), message, "take it out, or write what the value is");
            return None;
        }
        match raw.is {
            None => Some(None),
            Some(RawWanted::Time) => {
                if raw.default.is_some() {
                    let message = "a time that is written down is over one day";
                    self.error(&path.key("default"), message, "take it out");
                    return None;
                }
                let within = self.maybe_duration(&path.key("within"), raw.within.as_ref())?;
                Some(Some(Wanted::Time { within }))
            }
            Some(RawWanted::Address) => {
                let never = self.networks(&path.key("never"), raw.never.as_ref())?;
                let widest = (raw.widest.unwrap_or(24), raw.widest6.unwrap_or(64));
                Some(Some(Wanted::Address { never, widest }))
            }
        }
    }

    /// Addresses and networks, each in a text of its own or several with commas between them.
    fn networks(&mut self, path: &Path, raw: Option<&RawNever>) -> Option<Vec<Network>> {
        let texts = match raw {
            None => &[][..],
            Some(RawNever::Text(text)) => std::slice::from_ref(text),
            Some(RawNever::List(texts)) => texts,
        };
        let mut networks = Vec::new();
        for text in texts.iter().flat_map(|text| text.split(',')).map(str::trim) {
            // A variable that is not set names nothing.
            if text.is_empty() {
                continue;
            }
            match Network::parse(text) {
                Ok(network) => networks.push(network),
                Err(why) => {
                    let message = format!("{text:?}: {why}");
                    let cure = "such as \"203.0.113.5, 198.51.100.0/24\"";
                    self.error(path, message, cure);
                    return None;
                }
            }
        }
        Some(networks)
    }

    /// Whether its own default and choices can be given, and a secret stays one.
    fn ask_is_sound(&mut self, path: &Path, ask: &Ask) -> bool {
        let mut sound = true;
        for (position, choice) in ask.choices.iter().enumerate() {
            if let Err(why) = ask.check(choice, ANY_TIME) {
                let message = format!("the choice {choice:?} cannot be taken: {why}");
                self.error(&path.key("choices").index(position), message, "change one of the two");
                sound = false;
            }
        }
        if let Some(default) = ask.default.as_deref().filter(|_| !ask.secret)
            && let Err(why) = ask.check(default, ANY_TIME)
        {
            let message = format!("the default {default:?} cannot be taken: {why}");
            self.error(&path.key("default"), message, "change one of the two");
            sound = false;
        }
        let shown = [
            ("default", ask.default.is_some()),
            ("choices", !ask.choices.is_empty()),
            ("choices_from", ask.candidates.is_some()),
        ];
        for (key, _) in shown.iter().filter(|(_, there)| ask.secret && *there) {
            let message = format!("a secret cannot have `{key}`: that is written down or shown");
            self.error(&path.key(key), message, "take it out: a secret is only typed");
            sound = false;
        }
        sound
    }

    /// Warns of a secret that could not be looked for in what a server or a program says.
    fn short_secret(&mut self, path: &Path, ask: &Ask) {
        let shortest = ask.pattern.as_ref().map_or(SHORTEST, Pattern::shortest);
        if ask.secret && shortest < SHORTEST {
            let message = format!(
                "a value of `{}` may be shorter than {SHORTEST} bytes: where a server or a program repeats it, it may be shown",
                ask.name
            );
            let cure = format!(
                "ask for more, such as pattern = \".{{{SHORTEST},}}\", or write short_values = true where that is no secret"
            );
            self.warning(&path.key("pattern"), message, cure);
        }
    }

    /// A regular expression that a whole value matches.
    fn whole_pattern(&mut self, path: &Path, text: &str) -> Option<Pattern> {
        // Said in the same words as any other.
        self.regular_expression(path, text)?;
        match Pattern::parse(text) {
            Ok(pattern) => Some(pattern),
            Err(why) => {
                let last = why.lines().last().unwrap_or_default();
                let message = format!("this is not a regular expression: {last}");
                self.error(path, message, "it must match a whole value");
                None
            }
        }
    }

    /// A reading to choose from.
    fn candidates(&mut self, path: &Path, raw: &RawCandidates) -> Option<Candidates> {
        if !self.refers(&path.key("source"), "source", &raw.source, "source") {
            return None;
        }
        let reading = self.reading_of(&path.key("reading"), &raw.source, &raw.reading)?;
        let labels = match &raw.labels {
            Some(labels) => Some(self.reading_of(&path.key("labels"), &raw.source, labels)?),
            None => None,
        };
        Some(Candidates { source: SourceId::from(raw.source.as_str()), reading, labels })
    }
}
