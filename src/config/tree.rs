//! A configuration as a tree in which every key and every value knows where it was written.

use std::{collections::BTreeMap, fmt};

use toml::de::{DeArray, DeTable, DeValue};

/// A range of bytes in one of the texts that a configuration is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The text, by its number.
    pub text: usize,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value stands.
    pub place: Place,
    /// The value.
    pub data: Data,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A text, or a date as text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Table),
}

impl Data {
    /// What it is, in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Text(_) => "a text".to_owned(),
            Self::Integer(number) => format!("the number {number}"),
            Self::Float(number) => format!("the number {number}"),
            Self::Bool(yes) => format!("{yes}"),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
        }
    }
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Its entries.
    pub entries: BTreeMap<String, Entry>,
    /// Written in braces. Such a table is one value and is replaced, not merged, by a later
    /// layer: `{ file = … }` over `{ env = … }` must not become both.
    pub inline: bool,
}

/// An entry of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub key: Place,
    /// The value.
    pub node: Node,
}

/// A step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// By key.
    Key(String),
    /// By position.
    Index(usize),
}

/// The way from the root to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(Vec<Step>);

impl Path {
    /// The path of a table of the root.
    pub fn root(key: &str) -> Self {
        Self::default().key(key)
    }

    /// One key further.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    /// Into a list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The keys in it.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }

    /// The last key in it.
    pub fn last_key(&self) -> &str {
        self.0
            .iter()
            .rev()
            .find_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index(_) => None,
            })
            .unwrap_or("")
    }

    /// Whether `self` is `above` or lies within it.
    pub fn is_within(&self, above: &Self) -> bool {
        self.0.starts_with(&above.0)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

impl Node {
    /// An empty table at the very start of a text.
    pub fn empty(text: usize) -> Self {
        Self { place: Place { text, start: 0, end: 0 }, data: Data::Table(Table::default()) }
    }

    /// Reads TOML. Where it is not TOML, the errors come with the places.
    pub fn parse(text: usize, source: &str) -> (Self, Vec<(Place, String)>) {
        let (table, errors) = DeTable::parse_recoverable(source);
        let errors = errors
            .iter()
            .map(|error| {
                let span = error.span().unwrap_or(0..0);
                (Place { text, start: span.start, end: span.end }, error.message().to_owned())
            })
            .collect();
        let span = table.span();
        let reader = Reader { text, source };
        let data = Data::Table(reader.table(table.get_ref(), false));
        (Self { place: Place { text, start: span.start, end: span.end }, data }, errors)
    }

    /// The table, if it is one.
    pub fn table(&self) -> Option<&Table> {
        match &self.data {
            Data::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value under a key.
    pub fn child(&self, key: &str) -> Option<&Self> {
        self.table()?.entries.get(key).map(|entry| &entry.node)
    }

    /// The value at a path.
    pub fn at(&self, path: &Path) -> Option<&Self> {
        path.steps().iter().try_fold(self, |node, step| match (&node.data, step) {
            (Data::Table(table), Step::Key(key)) => table.entries.get(key).map(|entry| &entry.node),
            (Data::List(items), Step::Index(index)) => items.get(*index),
            _ => None,
        })
    }

    /// Where the value at a path stands, or else the nearest thing above it that exists.
    pub fn place_of(&self, path: &Path) -> Place {
        let mut node = self;
        let mut place = self.place;
        for step in path.steps() {
            match (&node.data, step) {
                (Data::Table(table), Step::Key(key)) if table.entries.contains_key(key) => {
                    let entry = &table.entries[key];
                    let whole_table =
                        matches!(&entry.node.data, Data::Table(table) if !table.inline);
                    place = if whole_table { entry.key } else { entry.node.place };
                    node = &entry.node;
                }
                (Data::List(items), Step::Index(index)) if *index < items.len() => {
                    node = &items[*index];
                    place = node.place;
                }
                _ => return place,
            }
        }
        place
    }

    /// The keys of a table, in the order in which they were first written.
    pub fn ordered_keys(&self, section: &Path) -> Vec<String> {
        let Some(table) = self.at(section).and_then(Self::table) else { return Vec::new() };
        let mut keys: Vec<(&Place, &String)> =
            table.entries.iter().map(|(name, entry)| (&entry.key, name)).collect();
        keys.sort();
        keys.into_iter().map(|(_, name)| name.clone()).collect()
    }

    /// The tree as JSON, without places.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.data {
            Data::Text(text) => Value::String(text.clone()),
            Data::Integer(number) => Value::from(*number),
            Data::Float(number) => Value::from(*number),
            Data::Bool(yes) => Value::Bool(*yes),
            Data::List(items) => items.iter().map(Self::to_json).collect(),
            Data::Table(table) => Value::Object(
                table
                    .entries
                    .iter()
                    .map(|(key, entry)| (key.clone(), entry.node.to_json()))
                    .collect(),
            ),
        }
    }
}

/// Puts one layer over another: tables are merged, everything else is replaced. A source or
/// an action whose `kind` changes starts anew, because the keys of the old kind mean nothing
/// to the new one.
pub fn merge(base: &mut Node, over: Node) {
    if !merges(base, &over) {
        *base = over;
        return;
    }
    let (Data::Table(base), Data::Table(over)) = (&mut base.data, over.data) else { return };
    for (key, entry) in over.entries {
        match base.entries.get_mut(&key) {
            Some(existing) => merge(&mut existing.node, entry.node),
            None => {
                base.entries.insert(key, entry);
            }
        }
    }
}

fn merges(base: &Node, over: &Node) -> bool {
    let both_tables = matches!(
        (&base.data, &over.data),
        (Data::Table(base), Data::Table(over)) if !base.inline && !over.inline
    );
    let kind = |node: &Node| node.child("kind").and_then(Node::text).map(str::to_owned);
    let new_kind = kind(over).is_some() && kind(base).is_some() && kind(over) != kind(base);
    both_tables && !new_kind
}

struct Reader<'a> {
    text: usize,
    source: &'a str,
}

impl Reader<'_> {
    fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { text: self.text, start: span.start, end: span.end }
    }

    fn table(&self, table: &DeTable<'_>, inline: bool) -> Table {
        let entries = table
            .iter()
            .map(|(key, value)| {
                let node = Node {
                    place: self.place(value.span()),
                    data: self.value(value.get_ref(), value.span().start),
                };
                (key.get_ref().to_string(), Entry { key: self.place(key.span()), node })
            })
            .collect();
        Table { entries, inline }
    }

    fn value(&self, value: &DeValue<'_>, start: usize) -> Data {
        match value {
            DeValue::String(text) => Data::Text(text.to_string()),
            DeValue::Integer(integer) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(number) => Data::Integer(number),
                    // Too large for TOML: shown as it was written by whoever refuses it.
                    Err(_) => Data::Text(integer.as_str().to_owned()),
                }
            }
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(number) => Data::Float(number),
                Err(_) => Data::Text(float.as_str().to_owned()),
            },
            DeValue::Boolean(yes) => Data::Bool(*yes),
            DeValue::Datetime(time) => Data::Text(time.to_string()),
            DeValue::Array(items) => Data::List(self.list(items)),
            DeValue::Table(table) => {
                let inline = self.source.as_bytes().get(start) == Some(&b'{');
                Data::Table(self.table(table, inline))
            }
        }
    }

    fn list(&self, items: &DeArray<'_>) -> Vec<Node> {
        items
            .iter()
            .map(|item| Node {
                place: self.place(item.span()),
                data: self.value(item.get_ref(), item.span().start),
            })
            .collect()
    }
}
