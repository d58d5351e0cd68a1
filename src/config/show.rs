//! The effective configuration: every value, and where it comes from.

use serde_json::{Value, json};

use super::{
    Prepared, Request,
    diagnostics::{Diagnostics, position},
    layers::Origin,
    mask::{is_secret_name, mask},
    prepare,
    schema::{SCHEMA, branch, resolved},
    secret::redact,
    tree::{Data, Node, Path, Place, Table},
};

/// What stands for a secret that was written in plain text.
const HIDDEN: &str = "⟨hidden⟩";

/// Sections that hold nothing but defaults, and are there even where nobody writes them.
const ALWAYS: [&str; 2] = ["defaults", "display"];

/// The effective configuration, with variables put in and without secrets: as TOML with the
/// origin of each value as a comment, or as JSON, `{"schema": 1, "values": [{key, value,
/// origin, line}]}`.
///
/// # Errors
/// Where the layers cannot be read, or have unknown keys or wrong types. Whether the values
/// make sense together is for [`load`](super::load) to say.
pub fn show(request: &Request, as_json: bool) -> Result<String, Diagnostics> {
    let (prepared, found) = prepare(request)?;
    let (errors, _) = Diagnostics::new(prepared.texts.clone(), found).split();
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut show = Show { prepared: &prepared, tables: Vec::new() };
    show.table(&prepared.written, &SCHEMA, &Path::default(), Heading::None);
    Ok(redact(&if as_json { show.json() } else { show.toml() }))
}

/// How a table is introduced.
#[derive(Clone, Copy)]
enum Heading {
    None,
    Table,
    ListItem,
}

/// A table as it will be written.
struct Written {
    heading: Heading,
    path: Path,
    values: Vec<Leaf>,
}

/// A value as it will be written.
struct Leaf {
    path: Path,
    value: Value,
    /// None: the default.
    place: Option<Place>,
}

struct Show<'a> {
    prepared: &'a Prepared,
    tables: Vec<Written>,
}

impl Show<'_> {
    fn table(&mut self, node: &Node, schema: &Value, path: &Path, heading: Heading) {
        let Data::Table(table) = &node.data else { return };
        let kind = node.child("kind").and_then(Node::text);
        let schema = branch(schema, kind).unwrap_or(&Value::Null);
        let values = leaves(table, schema, path);
        if !values.is_empty() || matches!(heading, Heading::ListItem) {
            self.tables.push(Written { heading, path: path.clone(), values });
        }
        for (key, node) in self.inner_tables(table, path) {
            let inner = path.key(&key);
            let schema = property(schema, &key);
            match &node.data {
                Data::List(items) => {
                    for item in items {
                        self.table(item, &resolved(schema)["items"], &inner, Heading::ListItem);
                    }
                }
                _ => self.table(&node, schema, &inner, Heading::Table),
            }
        }
    }

    /// The tables within a table, in the order in which they were first written.
    fn inner_tables(&self, table: &Table, path: &Path) -> Vec<(String, Node)> {
        let mut inner: Vec<(Place, String, Node)> = table
            .entries
            .iter()
            .filter(|(_, entry)| is_section(&entry.node))
            .map(|(key, entry)| (entry.key, key.clone(), entry.node.clone()))
            .collect();
        for name in ALWAYS {
            if path.steps().is_empty() && !table.entries.contains_key(name) {
                let node = Node::empty(0);
                inner.push((node.place, name.to_owned(), node));
            }
        }
        inner.sort_by_key(|(place, ..)| *place);
        inner.into_iter().map(|(_, key, node)| (key, node)).collect()
    }

    fn origin(&self, place: Option<Place>) -> String {
        let Some(place) = place else { return "default".to_owned() };
        let (name, line, _) = position(&self.prepared.texts, place);
        match self.prepared.texts.get(place.text).map(|text| &text.origin) {
            Some(Origin::Environment | Origin::Argument) => name,
            _ => format!("{name}:{line}"),
        }
    }

    fn toml(&self) -> String {
        let mut out = String::new();
        for table in &self.tables {
            if !out.is_empty() {
                out.push('\n');
            }
            match table.heading {
                Heading::None => {}
                Heading::Table => out.push_str(&format!("[{}]\n", dotted(&table.path))),
                Heading::ListItem => out.push_str(&format!("[[{}]]\n", dotted(&table.path))),
            }
            for leaf in &table.values {
                let value = toml::Value::try_from(&leaf.value).map(|value| value.to_string());
                let key = quoted(leaf.path.last_key());
                let value = value.unwrap_or_default();
                out.push_str(&format!("{key} = {value}  # {}\n", self.origin(leaf.place)));
            }
        }
        out
    }

    fn json(&self) -> String {
        let values: Vec<Value> = self
            .tables
            .iter()
            .flat_map(|table| &table.values)
            .map(|leaf| {
                let at = leaf.place.map(|place| position(&self.prepared.texts, place));
                json!({
                    "key": leaf.path.to_string(),
                    "value": leaf.value,
                    "origin": at.as_ref().map_or("default", |(name, ..)| name.as_str()),
                    "line": at.as_ref().map(|(_, line, _)| *line),
                })
            })
            .collect();
        let document = json!({ "schema": 1, "values": values });
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// The values of a table that stand on a line of their own, defaults last.
fn leaves(table: &Table, schema: &Value, path: &Path) -> Vec<Leaf> {
    let mut written: Vec<(Place, Leaf)> = table
        .entries
        .iter()
        .filter(|(_, entry)| !is_section(&entry.node))
        .map(|(key, entry)| {
            let value = shown(&entry.node, key);
            (entry.key, Leaf { path: path.key(key), value, place: Some(entry.node.place) })
        })
        .collect();
    written.sort_by_key(|(place, _)| *place);
    let defaults =
        schema["properties"].as_object().into_iter().flatten().filter_map(|(key, schema)| {
            let value = schema.get("default")?;
            let empty = value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(serde_json::Map::is_empty);
            let section = schema.get("$ref").is_some() && value.is_object();
            let leaf = || Leaf { path: path.key(key), value: value.clone(), place: None };
            (!table.entries.contains_key(key) && !empty && !section).then(leaf)
        });
    written.into_iter().map(|(_, leaf)| leaf).chain(defaults).collect()
}

/// Whether a value is written under a heading of its own.
fn is_section(node: &Node) -> bool {
    match &node.data {
        Data::Table(table) => !table.inline,
        Data::List(items) => {
            !items.is_empty()
                && items
                    .iter()
                    .all(|item| matches!(&item.data, Data::Table(table) if !table.inline))
        }
        _ => false,
    }
}

/// A value without secrets.
fn shown(node: &Node, key: &str) -> Value {
    match &node.data {
        Data::Text(_) if is_secret_name(key) => Value::from(HIDDEN),
        Data::Text(text) => Value::from(mask(text)),
        Data::List(items) => items.iter().map(|item| shown(item, key)).collect(),
        Data::Table(table) => {
            let entries = table.entries.iter();
            Value::Object(
                entries.map(|(key, entry)| (key.clone(), shown(&entry.node, key))).collect(),
            )
        }
        _ => node.to_json(),
    }
}

fn property<'a>(schema: &'a Value, key: &str) -> &'a Value {
    schema["properties"].get(key).unwrap_or(&schema["additionalProperties"])
}

fn dotted(path: &Path) -> String {
    let keys: Vec<String> = path.keys().map(quoted).collect();
    keys.join(".")
}

/// A key, in quotes where TOML wants them.
fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        toml::Value::String(key.to_owned()).to_string()
    }
}
