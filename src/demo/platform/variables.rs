//! The stored variables of the project. What is stored is not what runs: a deployment keeps
//! those that it was built with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

/// The most variables that are stored, and the longest value.
const MOST: usize = 128;
const LONGEST: usize = 4_096;

#[derive(Clone, Debug)]
struct Variable {
    id: String,
    value: String,
    kind: Kind,
    created: Timestamp,
    updated: Timestamp,
}

/// How a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Encrypted,
    /// Never shown again.
    Sensitive,
}

impl Kind {
    fn named(name: Option<&str>) -> Option<Self> {
        match name? {
            "plain" => Some(Self::Plain),
            "encrypted" => Some(Self::Encrypted),
            "sensitive" => Some(Self::Sensitive),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Encrypted => "encrypted",
            Self::Sensitive => "sensitive",
        }
    }
}

/// The variables, by name; all of them for production.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    by_key: BTreeMap<String, Variable>,
    made: u64,
}

/// What became of a wish to store variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    created: Vec<Value>,
    failed: Vec<Value>,
}

impl Stored {
    /// The answer: the platform says 201 for a wish that failed as well, and tells that apart
    /// in the body alone. One variable is answered by itself, several by a list.
    pub(super) fn answer(mut self, one: bool) -> Value {
        let created = match one {
            true if self.created.len() == 1 => self.created.remove(0),
            _ => Value::from(self.created),
        };
        json!({ "created": created, "failed": self.failed })
    }
}

impl Variables {
    /// Stores a value without being asked through the API.
    pub(super) fn preset(&mut self, key: &str, value: &str, now: Timestamp) {
        self.put(key, value, Kind::Sensitive, now);
    }

    /// The same of one that is shown.
    pub(super) fn preset_plain(&mut self, key: &str, value: &str, now: Timestamp) {
        self.put(key, value, Kind::Plain, now);
    }

    /// The values, for a build.
    pub(super) fn values(&self) -> BTreeMap<String, String> {
        self.by_key.iter().map(|(key, one)| (key.clone(), one.value.clone())).collect()
    }

    /// All of them, without what is not to be shown.
    pub(super) fn list(&self) -> Value {
        let envs: Vec<Value> =
            self.by_key.iter().map(|(key, one)| shown(key, one, false)).collect();
        json!({ "envs": envs })
    }

    /// One of them, decrypted where that is allowed.
    pub(super) fn one(&self, id: &str) -> Option<Value> {
        let (key, one) = self.by_key.iter().find(|(_, one)| one.id == id)?;
        Some(shown(key, one, true))
    }

    /// Removes one of them.
    pub(super) fn remove(&mut self, id: &str) -> Option<Value> {
        let key = self.by_key.iter().find(|(_, one)| one.id == id).map(|(key, _)| key.clone())?;
        let gone = self.by_key.remove(&key)?;
        Some(shown(&key, &gone, false))
    }

    /// Changes the value of one of them.
    pub(super) fn change(&mut self, id: &str, body: &Value, now: Timestamp) -> Option<Value> {
        let (key, one) = self.by_key.iter_mut().find(|(_, one)| one.id == id)?;
        if let Some(value) = body["value"].as_str() {
            one.value = value.chars().take(LONGEST).collect();
            one.updated = now;
        }
        Some(shown(key, one, false))
    }

    /// Stores one variable, or a list of them. One that is there already is only replaced by
    /// an `upsert`.
    ///
    /// # Errors
    /// What is wrong with the wish itself.
    pub(super) fn store(
        &mut self,
        body: &Value,
        upsert: bool,
        now: Timestamp,
    ) -> Result<Stored, String> {
        let wishes = body.as_array().map_or_else(|| std::slice::from_ref(body), Vec::as_slice);
        let mut stored = Stored::default();
        for wish in wishes {
            let key = wish["key"].as_str().filter(|key| is_name(key));
            let key = key.ok_or("`key` should be a name of letters, digits and _")?;
            let value = wish["value"].as_str().filter(|value| value.len() <= LONGEST);
            let value = value.ok_or("`value` should be a string")?;
            let kind = Kind::named(wish["type"].as_str())
                .ok_or("`type` should be plain, encrypted or sensitive")?;
            let targets = wish["target"].as_array().cloned().unwrap_or_default();
            if !targets.contains(&json!("production")) {
                return Err("`target` should name production, the only environment here".into());
            }
            let known = self.by_key.contains_key(key);
            if (known && !upsert) || (!known && self.by_key.len() >= MOST) {
                let code = if known { "ENV_CONFLICT" } else { "MAX_ENVS_EXCEEDED" };
                let message = format!("Another variable with the key {key} exists");
                stored.failed.push(json!({
                    "error": { "code": code, "message": message, "envVarKey": key },
                }));
                continue;
            }
            self.put(key, value, kind, now);
            stored.created.extend(self.by_key.get(key).map(|one| shown(key, one, false)));
        }
        Ok(stored)
    }

    fn put(&mut self, key: &str, value: &str, kind: Kind, now: Timestamp) {
        self.made += 1;
        let id = format!("env{:012}", self.made);
        let fresh = Variable { id, value: String::new(), kind, created: now, updated: now };
        let one = self.by_key.entry(key.to_owned()).or_insert(fresh);
        value.clone_into(&mut one.value);
        one.kind = kind;
        one.updated = now;
    }
}

fn is_name(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 256
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn shown(key: &str, one: &Variable, decrypted: bool) -> Value {
    let value = match one.kind {
        Kind::Plain => json!(one.value),
        Kind::Encrypted if decrypted => json!(one.value),
        Kind::Encrypted => json!("eyJ2IjoidjIiLCJjIjoiZGVtbyJ9"),
        Kind::Sensitive => json!(""),
    };
    json!({
        "id": one.id,
        "key": key,
        "value": value,
        "type": one.kind.name(),
        "decrypted": decrypted && one.kind != Kind::Sensitive,
        "target": ["production"],
        "createdAt": one.created.as_millisecond(),
        "updatedAt": one.updated.as_millisecond(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn wish(key: &str, value: &str, kind: &str) -> Value {
        json!({"key": key, "value": value, "type": kind, "target": ["production"]})
    }

    #[test]
    fn a_variable_that_is_there_is_replaced_only_by_an_upsert() {
        let mut all = Variables::default();
        all.store(&wish("A", "1", "plain"), false, NOW).unwrap();
        let again = all.store(&wish("A", "2", "plain"), false, NOW).unwrap().answer(true);
        assert_eq!(again["failed"][0]["error"]["code"], "ENV_CONFLICT");
        assert_eq!(all.values()["A"], "1");
        let stored = all.store(&wish("A", "2", "plain"), true, NOW).unwrap().answer(true);
        assert_eq!((&stored["failed"], &stored["created"]["value"]), (&json!([]), &json!("2")));
    }

    #[test]
    fn a_sensitive_value_is_never_shown_again_and_reaches_a_build_all_the_same() {
        let mut all = Variables::default();
        let stored = all.store(&wish("TOKEN", "canary", "sensitive"), true, NOW).unwrap();
        let id = stored.answer(true)["created"]["id"].as_str().unwrap().to_owned();
        assert!(!all.list().to_string().contains("canary"));
        assert_eq!(all.one(&id).unwrap()["value"], "");
        assert_eq!(all.values()["TOKEN"], "canary");
        assert!(all.remove(&id).is_some() && all.remove(&id).is_none());
        assert!(all.values().is_empty());
    }

    #[test]
    fn a_wish_that_cannot_be_understood_stores_nothing() {
        let mut all = Variables::default();
        for bad in [
            json!({}),
            wish("1A", "x", "plain"),
            wish("A", "x", "secret"),
            json!({"key": "A", "value": "x", "type": "plain", "target": ["preview"]}),
        ] {
            assert!(all.store(&bad, true, NOW).is_err(), "{bad}");
        }
        assert!(all.values().is_empty());
    }
}
