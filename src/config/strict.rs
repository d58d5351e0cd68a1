//! The strict check: every key known, every value of the right type and in its range,
//! nothing missing. It reports everything it finds and takes it out, so that the rest can
//! still be read and checked.

use serde_json::Value;

use super::{
    diagnostics::{Diagnostic, Severity},
    nearest::suggestion,
    schema::{SCHEMA, branch, choices, resolved, tagged},
    tree::{Data, Node, Path, Place, Table},
};
use crate::domain::ids::is_valid;

/// Tables of the root whose keys are names.
const NAMED: [&str; 8] =
    ["source", "check", "cache", "latency", "database", "rule", "contact", "action"];

/// Checks a configuration, and takes out of it whatever is wrong.
pub fn check(root: &mut Node) -> Vec<Diagnostic> {
    check_against(root, &SCHEMA)
}

/// Checks a tree, and takes out of it whatever is wrong.
pub fn check_against(root: &mut Node, schema: &Value) -> Vec<Diagnostic> {
    let mut strict = Strict { found: Vec::new() };
    strict.keep(root, schema, &Path::default());
    strict.found
}

/// Checks a configuration that has nothing but one section.
pub fn check_section(root: &mut Node, section: &str) -> Vec<Diagnostic> {
    let properties = serde_json::json!({ section: SCHEMA["properties"][section] });
    check_against(root, &serde_json::json!({ "type": "object", "properties": properties }))
}

/// Whether the one value of a single-key text belongs to a key that only takes a text, and
/// is something else: `--set contact.dev.contact=112`.
pub fn wants_text(node: &Node) -> bool {
    let mut node = node;
    let mut schema: &Value = &SCHEMA;
    loop {
        schema = resolved(schema);
        match &node.data {
            Data::Table(table) if !table.inline && table.entries.len() == 1 => {
                let Some((key, entry)) = table.entries.iter().next() else { return false };
                let Some(next) = property(schema, key) else { return false };
                schema = next;
                node = &entry.node;
            }
            Data::Text(_) => return false,
            data => return only_text(data, schema),
        }
    }
}

fn only_text(data: &Data, schema: &Value) -> bool {
    let Some(alternatives) = schema["anyOf"].as_array() else {
        return schema["type"] == "string" || choices(schema).is_some();
    };
    let mut alternatives = alternatives.iter().map(resolved);
    alternatives.clone().all(|schema| !fits(data, schema))
        && alternatives.any(|schema| schema["type"] == "string")
}

/// The schema of a key, in whichever branch has it.
fn property<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let in_one = |schema: &'a Value| {
        schema["properties"]
            .get(key)
            .or_else(|| schema.get("additionalProperties").filter(|schema| schema.is_object()))
    };
    match tagged(schema) {
        Some(branches) => branches.iter().find_map(in_one),
        None => in_one(schema),
    }
}

struct Strict {
    found: Vec<Diagnostic>,
}

impl Strict {
    fn error(&mut self, place: Place, message: String, cure: String) {
        self.found.push(Diagnostic {
            severity: Severity::Error,
            place: Some(place),
            message,
            cure: Some(cure),
        });
    }

    /// Whether the value may stay.
    fn keep(&mut self, node: &mut Node, schema: &Value, path: &Path) -> bool {
        let schema = resolved(schema);
        if let Some(choices) = schema["anyOf"].as_array() {
            let fitting = choices.iter().map(resolved).find(|choice| fits(&node.data, choice));
            return match fitting {
                Some(choice) => self.keep(node, choice, path),
                None => self.wrong_type(node, schema, path),
            };
        }
        if let Some(allowed) = choices(schema) {
            return self.one_of(node, &allowed, path);
        }
        if tagged(schema).is_some() {
            return self.tagged(node, schema, path);
        }
        if !fits(&node.data, schema) {
            return self.wrong_type(node, schema, path);
        }
        let place = node.place;
        match &mut node.data {
            Data::Table(table) => self.table(table, place, schema, path),
            Data::List(items) => {
                self.list(items, schema, path);
                true
            }
            Data::Integer(number) => self.in_range(*number as f64, place, schema, path),
            Data::Float(number) => self.in_range(*number, place, schema, path),
            _ => true,
        }
    }

    fn list(&mut self, items: &mut Vec<Node>, schema: &Value, path: &Path) {
        let mut position = 0;
        let schema = &schema["items"];
        items.retain_mut(|item| {
            let keep = self.keep(item, schema, &path.index(position));
            position += 1;
            keep
        });
    }

    fn tagged(&mut self, node: &mut Node, schema: &Value, path: &Path) -> bool {
        let kinds: Vec<&str> = tagged(schema)
            .into_iter()
            .flatten()
            .filter_map(|branch| branch["properties"]["kind"]["const"].as_str())
            .collect();
        if node.table().is_none() {
            return self.wrong_type(node, &serde_json::json!({"type": "object"}), path);
        }
        let Some(kind) = node.child("kind") else {
            let cure = format!("add kind = \"…\", one of {}", kinds.join(", "));
            self.error(node.place, format!("`kind` is missing in [{path}]"), cure);
            return false;
        };
        let Some(name) = kind.text() else {
            let mut kind = kind.clone();
            return self.one_of(&mut kind, &kinds, &path.key("kind"));
        };
        match branch(schema, Some(name)) {
            Some(schema) => self.keep(node, schema, path),
            None => {
                let mut kind = kind.clone();
                self.one_of(&mut kind, &kinds, &path.key("kind"))
            }
        }
    }

    fn table(&mut self, table: &mut Table, place: Place, schema: &Value, path: &Path) -> bool {
        let properties = schema["properties"].as_object();
        let others = schema.get("additionalProperties");
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut whole = true;
        let mut dropped = Vec::new();
        for (key, entry) in &mut table.entries {
            let inner = path.key(key);
            let known = properties.and_then(|properties| properties.get(key));
            let keep = match (known, others) {
                (Some(schema), _) => self.keep(&mut entry.node, schema, &inner),
                (None, Some(Value::Bool(true)) | None) => self.finite(&entry.node, &inner),
                (None, Some(Value::Bool(false))) => {
                    let known = properties.into_iter().flatten().map(|(name, _)| name.as_str());
                    self.unknown(key, entry.key, known, path);
                    false
                }
                (None, Some(schema)) => {
                    self.name(key, entry.key, path) && self.keep(&mut entry.node, schema, &inner)
                }
            };
            if !keep {
                whole &= !required.contains(&key.as_str());
                dropped.push(key.clone());
            }
        }
        for name in required {
            if !table.entries.contains_key(name) {
                whole = false;
                self.missing(name, place, &schema["properties"][name], path);
            }
        }
        table.entries.retain(|key, _| !dropped.contains(key));
        whole
    }

    fn unknown<'a>(
        &mut self,
        key: &str,
        place: Place,
        known: impl Iterator<Item = &'a str> + Clone,
        path: &Path,
    ) {
        let table =
            if path.steps().is_empty() { "at the top".to_owned() } else { format!("in [{path}]") };
        let cure = suggestion(key, known, "known keys");
        self.error(place, format!("unknown key `{key}` {table}"), cure);
    }

    fn missing(&mut self, name: &str, place: Place, schema: &Value, path: &Path) {
        let what =
            schema["description"].as_str().or_else(|| resolved(schema)["description"].as_str());
        let what = what.unwrap_or("it is needed").replace('\n', " ");
        let (table, cure) = match path.steps() {
            [] => (String::new(), format!("add [{name}]: {what}")),
            _ => (format!(" in [{path}]"), format!("add {name} = …: {what}")),
        };
        self.error(place, format!("`{name}` is missing{table}"), cure);
    }

    /// Names of things are lower case, so that the environment can name them too.
    fn name(&mut self, key: &str, place: Place, path: &Path) -> bool {
        let section = match path.steps().len() {
            1 => NAMED.contains(&path.last_key()),
            2 => *path == Path::root("notify").key("target"),
            _ => false,
        };
        if !(section || path.last_key() == "readings") || is_valid(key) {
            return true;
        }
        let better: String = key
            .to_ascii_lowercase()
            .chars()
            .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' })
            .skip_while(|c| !c.is_ascii_lowercase())
            .collect();
        let cure = if better.is_empty() { String::new() } else { format!(", such as `{better}`") };
        self.error(
            place,
            format!("`{key}` cannot be a name"),
            format!("names begin with a lower-case letter, then a-z, 0-9 and _{cure}"),
        );
        false
    }

    fn one_of(&mut self, node: &mut Node, allowed: &[&str], path: &Path) -> bool {
        let written = match &node.data {
            Data::Text(text) if allowed.contains(&text.as_str()) => return true,
            Data::Text(text) => format!("{text:?}"),
            other => other.describe(),
        };
        let bare = node.text().unwrap_or("");
        let cure = match super::nearest::nearest(bare, allowed.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => {
                let all: Vec<String> = allowed.iter().map(|choice| format!("{choice:?}")).collect();
                format!("one of {}", all.join(", "))
            }
        };
        self.error(node.place, format!("`{path}` cannot be {written}"), cure);
        false
    }

    fn wrong_type(&mut self, node: &Node, schema: &Value, path: &Path) -> bool {
        let expected = expects(schema);
        let cure = match (&node.data, schema["x-expects"].as_str()) {
            (Data::Integer(number), Some(text)) if text.starts_with("a length of time") => {
                format!("write it with its unit: \"{number}s\"")
            }
            (Data::Text(text), None) if schema["type"] == "boolean" => {
                let yes = matches!(text.as_str(), "yes" | "on" | "true" | "1");
                format!("write {yes}, without quotes")
            }
            (Data::Text(text), None) if text.trim().parse::<f64>().is_ok() => {
                format!("write it without quotes: {}", text.trim())
            }
            (Data::Integer(_) | Data::Float(_) | Data::Bool(_), None)
                if schema["type"] == "string" =>
            {
                "put it in quotes".to_owned()
            }
            (Data::Text(_), None) if schema["type"] == "array" => "put it in [ ]".to_owned(),
            _ => format!("write {expected}"),
        };
        self.error(
            node.place,
            format!("`{path}` must be {expected}, not {}", node.data.describe()),
            cure,
        );
        false
    }

    fn in_range(&mut self, number: f64, place: Place, schema: &Value, path: &Path) -> bool {
        let from = schema["minimum"].as_f64().unwrap_or(f64::NEG_INFINITY);
        let to = schema["maximum"].as_f64().unwrap_or(f64::INFINITY);
        let message = match (number.is_finite(), number < from, number > to) {
            (true, false, false) => return true,
            (false, ..) => format!("`{path}` must be a finite number"),
            _ => format!("`{path}` cannot be {number}"),
        };
        let cure = match (from.is_finite(), to.is_finite()) {
            (true, true) => format!("from {from} to {to}"),
            (true, false) => format!("at least {from}"),
            (false, true) => format!("at most {to}"),
            (false, false) => "write a number".to_owned(),
        };
        self.error(place, message, cure);
        false
    }

    /// Where anything may stand, JSON must still be able to say it.
    fn finite(&mut self, node: &Node, path: &Path) -> bool {
        match &node.data {
            Data::Float(number) => self.in_range(*number, node.place, &Value::Null, path),
            Data::List(items) => items
                .iter()
                .enumerate()
                .fold(true, |whole, (at, item)| self.finite(item, &path.index(at)) && whole),
            Data::Table(table) => table.entries.iter().fold(true, |whole, (key, entry)| {
                self.finite(&entry.node, &path.key(key)) && whole
            }),
            _ => true,
        }
    }
}

/// Whether a value has a type that the schema allows.
fn fits(data: &Data, schema: &Value) -> bool {
    if schema.get("anyOf").is_some()
        || schema.get("oneOf").is_some()
        || schema.get("enum").is_some()
    {
        return true;
    }
    let fits = |name: &str| match data {
        Data::Text(_) => name == "string",
        Data::Integer(_) => name == "integer" || name == "number",
        Data::Float(_) => name == "number",
        Data::Bool(_) => name == "boolean",
        Data::List(_) => name == "array",
        Data::Table(_) => name == "object",
    };
    schema["type"].as_str().is_none_or(fits)
}

/// What a schema asks for, in words.
fn expects(schema: &Value) -> &str {
    if let Some(words) = schema["x-expects"].as_str() {
        return words;
    }
    match schema["type"].as_str() {
        Some("string") => "a text in quotes",
        Some("integer") => "a whole number",
        Some("number") => "a number",
        Some("boolean") => "true or false",
        Some("array") => "a list in [ ]",
        Some("object") => "a table",
        _ => "something else",
    }
}
