//! What actions ask for, and where the answers may go.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Cx, Path};
use crate::{
    config::{
        mask::is_secret_name,
        nearest::suggestion,
        profile::{Form, Gap, Spot},
        raw::{
            action::{RawAction, RawCommandAction, RawHttpAction},
            ask::{RawAsk, RawCandidates, RawDeny},
            value::{Headers, TextValue},
        },
    },
    domain::{
        ask::{Ask, Candidates, Deny, Pattern},
        ids::SourceId,
        template::{Blank, Template},
    },
};

/// Stands where a value will be, while the rest is checked.
const SAMPLE: &str = "x";

impl Cx<'_> {
    /// What an action asks for, and its texts that have places to fill. In `action` these
    /// texts are replaced by what can be checked without the values; headers and variables
    /// among them are taken out.
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
        for (place, template) in self.templates(path) {
            for blank in template.blanks() {
                match blank {
                    Blank::Ask(name) if known.contains(name.as_str()) => {
                        used.insert(name.clone());
                        let proof = place.keys().any(|key| key == "proof");
                        if proof && raw.get(name).is_some_and(|ask| ask.secret) {
                            let message = format!("`{name}` is a secret, and proofs are shown");
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
        let gaps = gaps(action);
        for gap in &gaps {
            self.gap(path, action, gap, &asks);
        }
        Form { asks, gaps }
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
        match (&pattern, raw.choices.is_empty()) {
            (Some(_), false) => {
                let message = "a pattern and choices exclude each other";
                self.error(path, message, "take one of them out");
                return None;
            }
            (None, true) => {
                let message = format!("nothing says what `{name}` may be");
                self.error(
                    path,
                    message,
                    "such as pattern = \"[0-9]{1,4}\", or choices = [\"off\", \"on\"]",
                );
                return None;
            }
            _ => {}
        }
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
            choices: raw.choices.clone(),
            candidates,
            secret: raw.secret,
            max_length: raw.max_length,
            deny,
        };
        self.ask_is_sound(path, &ask).then_some(ask)
    }

    /// Whether its own default and choices can be given, and a secret stays one.
    fn ask_is_sound(&mut self, path: &Path, ask: &Ask) -> bool {
        let mut sound = true;
        for (position, choice) in ask.choices.iter().enumerate() {
            if let Err(why) = ask.check(choice) {
                let message = format!("the choice {choice:?} cannot be taken: {why}");
                self.error(&path.key("choices").index(position), message, "change one of the two");
                sound = false;
            }
        }
        if let Some(default) = ask.default.as_deref().filter(|_| !ask.secret)
            && let Err(why) = ask.check(default)
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
        Some(Candidates { source: SourceId::from(raw.source.as_str()), reading })
    }

    /// Whether the values can stand there.
    fn gap(&mut self, path: &Path, action: &RawAction, gap: &Gap, asks: &[Ask]) {
        let named = |blank: &Blank| match blank {
            Blank::Ask(name) => asks.iter().find(|ask| ask.name == *name),
            Blank::Step { .. } => None,
        };
        let asked: Vec<&Ask> = gap.text.blanks().filter_map(named).collect();
        let secret = asked.iter().find(|ask| ask.secret);
        let place = place_of(path, &gap.at);
        let refuse = match (&gap.at, secret, action) {
            (Spot::Argument(_), _, RawAction::Command(command)) if command.shell => Some((
                "with shell = true a value would be read by the shell".to_owned(),
                "pass it by [….environment], and write \"$NAME\" in the script",
            )),
            (Spot::Argument(_), _, RawAction::Command(command)) if is_script(command, gap) => {
                Some((
                    "a value would be read as a part of the script".to_owned(),
                    "pass it by [….environment], and write \"$NAME\" in the script",
                ))
            }
            (Spot::Argument(0), ..) => Some((
                "the program itself cannot be asked for".to_owned(),
                "write it down, and ask for its arguments",
            )),
            (Spot::Argument(_), Some(ask), _) => Some((
                format!(
                    "`{}` is a secret, and everybody on this machine can read arguments",
                    ask.name
                ),
                "pass it by the environment or by stdin",
            )),
            (Spot::Url, Some(ask), _) => Some((
                format!("`{}` is a secret, and addresses are shown and logged", ask.name),
                "send it in a header or in the body",
            )),
            (Spot::Pattern(_), Some(ask), _) => Some((
                format!("`{}` is a secret, and patterns of keys are shown", ask.name),
                "take it out",
            )),
            (Spot::Url, None, _) if !is_behind_host(&gap.text) => Some((
                "only the path and the query of an address can be asked for".to_owned(),
                "write the host down",
            )),
            (Spot::Header(name) | Spot::Variable(name), None, _) if is_secret_name(name) => Some((
                format!("{name} holds a secret, and what is asked for it is shown"),
                "declare it a secret where it is asked for",
            )),
            _ => None,
        };
        if let Some((message, cure)) = refuse {
            self.error(&place, message, cure);
        }
        if let Spot::Header(name) = &gap.at {
            self.header_name(&place, name);
        }
    }
}

/// Where a text is written.
fn place_of(path: &Path, at: &Spot) -> Path {
    match at {
        Spot::Url => path.key("url"),
        Spot::Header(name) => path.key("headers").key(name),
        Spot::Body(_) => path.key("body"),
        Spot::Argument(position) => path.key("argv").index(*position),
        Spot::Variable(name) => path.key("environment").key(name),
        Spot::Stdin => path.key("stdin"),
        Spot::Pattern(position) => path.key("delete").index(*position),
    }
}

/// Programs that read an argument behind `-c` or `-e` as a script.
const INTERPRETERS: [&str; 10] =
    ["sh", "bash", "dash", "zsh", "ksh", "python", "python3", "perl", "ruby", "node"];

/// Whether a text is a script for somebody who reads it: behind `sh -c`, also behind `sudo` or
/// `env`, and all that is handed to the shell of another host.
fn is_script(command: &RawCommandAction, gap: &Gap) -> bool {
    let Spot::Argument(position) = gap.at else { return false };
    let before = command.argv.get(..position).unwrap_or_default();
    let names = || before.iter().map(|word| word.rsplit('/').next().unwrap_or(word));
    let is_option =
        |word: &String| word.starts_with('-') && word.ends_with(['c', 'e']) && word.len() < 5;
    let reads = names().any(|name| INTERPRETERS.contains(&name));
    names().any(|name| name == "ssh") || (reads && before.last().is_some_and(is_option))
}

/// Whether scheme, host and port are written down, and the values come behind them.
fn is_behind_host(url: &Template) -> bool {
    let marked = url.show(|_| "\0".to_owned());
    let before = marked.split('\0').next().unwrap_or_default();
    let host = before.split_once("://").map(|(_, rest)| rest);
    host.is_some_and(|rest| rest.contains(['/', '?']) && !marked.contains('#'))
}

/// Takes the texts with places to fill out of an action, and the escapes out of the others.
fn gaps(action: &mut RawAction) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut take = |at: Spot, text: &mut String| take(&mut gaps, at, text, SAMPLE);
    match action {
        RawAction::Http(http) => {
            let RawHttpAction { url, headers, body, .. } = http.as_mut();
            take(Spot::Url, url);
            taken_out(headers, Spot::Header, &mut take);
            for (key, value) in body.iter_mut().flatten() {
                in_json(&pointer("", key), value, &mut take);
            }
        }
        RawAction::Redis(redis) => {
            for (position, pattern) in redis.delete.iter_mut().enumerate() {
                // The part that is written down must be narrow enough by itself.
                self::take(&mut gaps, Spot::Pattern(position), pattern, "");
            }
        }
        RawAction::Command(command) => {
            for (position, argument) in command.argv.iter_mut().enumerate() {
                take(Spot::Argument(position), argument);
            }
            taken_out(&mut command.environment, Spot::Variable, &mut take);
            if let Some(TextValue::Plain(text)) = &mut command.stdin {
                take(Spot::Stdin, text);
            }
        }
    }
    gaps
}

/// Whether the text had places to fill. One that cannot be read has been reported.
fn take(gaps: &mut Vec<Gap>, at: Spot, text: &mut String, sample: &str) -> bool {
    let Ok(template) = Template::parse(text) else { return false };
    *text = template.show(|_| sample.to_owned());
    let open = template.plain().is_none();
    if open {
        gaps.push(Gap { at, text: template });
    }
    open
}

/// Headers and variables: what they are called decides what they may hold, so that those
/// with places to fill are looked at by themselves.
fn taken_out(
    texts: &mut Headers,
    spot: fn(String) -> Spot,
    take: &mut impl FnMut(Spot, &mut String) -> bool,
) {
    texts.retain(|name, value| match value {
        TextValue::Plain(text) => !take(spot(name.clone()), text),
        TextValue::Secret(_) => true,
    });
}

/// Every text in a body.
fn in_json(at: &str, value: &mut Json, take: &mut impl FnMut(Spot, &mut String) -> bool) {
    match value {
        Json::String(text) => {
            take(Spot::Body(at.to_owned()), text);
        }
        Json::Array(items) => {
            for (position, item) in items.iter_mut().enumerate() {
                in_json(&pointer(at, &position.to_string()), item, take);
            }
        }
        Json::Object(fields) => {
            for (key, value) in fields {
                in_json(&pointer(at, key), value, take);
            }
        }
        _ => {}
    }
}

/// One step further into a body (RFC 6901).
fn pointer(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}
