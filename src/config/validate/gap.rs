//! The texts of a step that earlier steps complete.

use serde_json::Value as Json;

use super::{Cx, Path};
use crate::{
    config::{
        profile::{Gap, Spot},
        raw::{
            step::RawStep,
            value::{Headers, TextValue},
        },
    },
    domain::template::Template,
};

/// Stands where a value will be, while the rest is checked.
const SAMPLE: &str = "x";

impl Cx<'_> {
    /// Whether a value can stand there.
    pub fn gap_is_sound(&mut self, path: &Path, step: &RawStep, gap: &Gap) -> bool {
        let refuse = match (&gap.at, step) {
            (Spot::Argument(_), RawStep::Command(command)) if command.shell => Some((
                path.key("argv"),
                "with shell = true a value would be read by the shell",
                "pass it by environment, and write \"$NAME\" in the script",
            )),
            (Spot::Argument(0), _) => Some((
                path.key("argv").index(0),
                "the program itself must be written down",
                "put the value into its arguments",
            )),
            (Spot::Url, _) if !is_behind_host(&gap.text) => Some((
                path.key("url"),
                "only the path and the query of an address can come from a step",
                "write the host down",
            )),
            _ => None,
        };
        let sound = refuse.is_none();
        if let Some((place, message, cure)) = refuse {
            self.error(&place, message, cure);
        }
        sound
    }
}

/// Whether scheme, host and port are written down, and the values come behind them.
fn is_behind_host(url: &Template) -> bool {
    let marked = url.show(|_| "\0".to_owned());
    let before = marked.split('\0').next().unwrap_or_default();
    let host = before.split_once("://").map(|(_, rest)| rest);
    host.is_some_and(|rest| rest.contains(['/', '?']) && !marked.contains('#'))
}

/// Takes the texts with places to fill out of a step, and the escapes out of the others. What
/// is left can be checked without the values.
pub fn gaps(step: &mut RawStep) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut take = |at: Spot, text: &mut String| take(&mut gaps, at, text, SAMPLE);
    match step {
        RawStep::Http(http) => {
            take(Spot::Url, &mut http.url);
            taken_out(&mut http.headers, Spot::Header, &mut take);
            for (key, value) in http.body.iter_mut().flatten() {
                in_json(&pointer("", key), value, &mut take);
            }
        }
        RawStep::Redis(redis) => {
            for (position, pattern) in redis.delete.iter_mut().enumerate() {
                // The part that is written down must be narrow enough by itself.
                self::take(&mut gaps, Spot::Pattern(position), pattern, "");
            }
        }
        RawStep::Command(command) => {
            arguments(&mut command.argv, &mut take);
            taken_out(&mut command.environment, Spot::Variable, &mut take);
            if let Some(TextValue::Plain(text)) = &mut command.stdin {
                take(Spot::Stdin, text);
            }
        }
        RawStep::Sql(sql) => parameters(&mut sql.parameters, &mut take),
        RawStep::Wait(wait) => {
            if let Some(url) = &mut wait.url {
                take(Spot::Url, url);
            }
            taken_out(&mut wait.headers, Spot::Header, &mut take);
            parameters(&mut wait.parameters, &mut take);
            arguments(wait.argv.get_or_insert_default(), &mut take);
            if wait.argv.as_ref().is_some_and(Vec::is_empty) {
                wait.argv = None;
            }
            taken_out(&mut wait.environment, Spot::Variable, &mut take);
        }
        RawStep::EnvFile(file) => taken_out(&mut file.set, Spot::Variable, &mut take),
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

fn arguments(argv: &mut [String], take: &mut impl FnMut(Spot, &mut String) -> bool) {
    for (position, argument) in argv.iter_mut().enumerate() {
        take(Spot::Argument(position), argument);
    }
}

fn parameters(texts: &mut [TextValue], take: &mut impl FnMut(Spot, &mut String) -> bool) {
    for (position, value) in texts.iter_mut().enumerate() {
        if let TextValue::Plain(text) = value {
            take(Spot::Parameter(position), text);
        }
    }
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
