//! The example configuration says the truth.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::PermissionsExt,
};

use serde_json::Value;
use watchfloor::config::{schema, show};

use super::support::Place;

/// The kinds of target, as sections.
const TARGETS: [&str; 3] = ["notify.target.webhook", "notify.target.command", "notify.target.bell"];

const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The example in a place where everything that it names is there.
fn place(text: &str) -> Place {
    let place = Place::new(text)
        .env("SHOP_TOKEN", "token-of-the-shop")
        .env("SHOP_REDIS_PASSWORD", "password-of-redis")
        .env("SHOP_UPSTASH_TOKEN", "token-of-upstash")
        .env("SHOP_PAGERDUTY_KEY", "key-of-pagerduty")
        .env("SHOP_PAGERDUTY_URL", "https://events.eu.pagerduty.com/v2/enqueue")
        .file("shop-root.pem", "-----BEGIN CERTIFICATE-----\n");
    let dir = place.dir.path().join("home/.config/watchfloor");
    std::fs::create_dir_all(&dir).unwrap();
    let secret = dir.join("postgres-password");
    std::fs::write(&secret, "password-of-postgres\n").unwrap();
    std::fs::set_permissions(secret, PermissionsExt::from_mode(0o600)).unwrap();
    place
}

/// The example with the keys that it does not use.
fn with_every_key() -> String {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn it_is_right_as_it_stands() {
    let loaded = place(EXAMPLE).sound();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings.render(false));
    let catalog = &loaded.profile.catalog;
    assert_eq!(catalog.target(), "shop/production");
    assert_eq!(catalog.sources.len(), 13);
    assert_eq!(catalog.why_unavailable(&"restart".into()), Some("switched off: enabled = false"));
}

#[test]
fn what_it_states_as_default_is_the_default() {
    let parsed: toml::Table = toml::from_str(EXAMPLE).unwrap();
    let mut section = String::new();
    let mut stated = BTreeSet::new();
    for line in EXAMPLE.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
        }
        let Some((key, _)) = line.split_once(" = ").filter(|_| line.ends_with("# default")) else {
            continue;
        };
        let default = default_of(&section, key, &parsed);
        let written = value_at(&parsed, &section, key);
        assert_eq!(Some(&written), default.as_ref(), "[{section}] {key}");
        stated.insert((kind_of(&section, &parsed), key.to_owned()));
    }
    for ((section, key), default) in all_keys() {
        let plain = default.is_some_and(|value| !value.is_array() && !value.is_object());
        let anywhere =
            stated.iter().any(|(other, stated)| *stated == key && related(other, &section));
        assert!(!plain || anywhere, "the default of {section}.{key} is not stated");
    }
}

/// Whether two sections are of the same thing, perhaps of another kind.
fn related(one: &str, other: &str) -> bool {
    let kinds = ["source.", "action.", "notify.target."]
        .iter()
        .any(|outer| one.starts_with(outer) && other.starts_with(outer));
    one == other || (kinds && other != "source.pressure")
}

#[test]
fn it_names_every_key_there_is() {
    let text = with_every_key();
    let parsed: toml::Table = toml::from_str(&text).unwrap();
    let mut named = BTreeSet::new();
    collect(
        &Value::Object(serde_json::to_value(&parsed).unwrap().as_object().unwrap().clone()),
        "",
        &parsed,
        &mut named,
    );
    // What every kind has is explained once.
    let somewhere = |(section, key): &(String, String)| {
        let (outer, _) = section.split_once('.').unwrap_or((section, ""));
        let kinds = match outer {
            "source" => [
                "source.http",
                "source.redis",
                "source.upstash",
                "source.postgres",
                "source.command",
                "source.logs",
                "source.prometheus",
                "source.tcp",
                "source.tls",
                "source.statuspage",
                "source.sse",
            ]
            .as_slice(),
            "action" => {
                ["action.http", "action.redis", "action.command", "action.sql", "action.sequence"]
                    .as_slice()
            }
            "notify" if section != "notify" => &TARGETS,
            _ => return named.contains(&(section.clone(), key.clone())),
        };
        let all = all_keys();
        let common = kinds.iter().all(|kind| all.contains_key(&((*kind).to_owned(), key.clone())));
        let has = |kind: &&str| named.contains(&((*kind).to_owned(), key.clone()));
        if common { kinds.iter().any(has) } else { has(&section.as_str()) }
    };
    let missing: Vec<_> = all_keys().into_keys().filter(|key| !somewhere(key)).collect();
    assert!(missing.is_empty(), "the example lacks {missing:?}");
}

#[test]
fn the_schema_takes_it() {
    // The strict check walks the same schema that editors get.
    for text in [EXAMPLE.to_owned(), with_every_key().replace("profile = \"exodrive\"", "")] {
        let place = place(&text);
        let shown = show(&place.request, false).map_err(|errors| errors.render(false)).unwrap();
        assert!(shown.contains("[source.api]"), "{shown}");
    }
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    assert_eq!(schema["additionalProperties"], false);
}

/// `source.http`, `cache`, `cache.prefix`: the place of a section in the schema.
fn kind_of(section: &str, parsed: &toml::Table) -> String {
    let parts: Vec<&str> = section.split('.').collect();
    match parts.as_slice() {
        [outer @ ("source" | "action"), name] => {
            format!("{outer}.{}", parsed[*outer][*name]["kind"].as_str().unwrap())
        }
        ["notify", "target", name] => {
            let kind = parsed["notify"]["target"][*name]["kind"].as_str().unwrap();
            format!("notify.target.{kind}")
        }
        ["notify", ..] => section.to_owned(),
        [outer, _, inner] => format!("{outer}.{inner}"),
        [outer, _] => (*outer).to_owned(),
        _ => section.to_owned(),
    }
}

fn value_at(parsed: &toml::Table, section: &str, key: &str) -> Value {
    let mut value = toml::Value::Table(parsed.clone());
    for part in section.split('.').chain([key]) {
        if let Some(items) = value.as_array() {
            value = items[0].clone();
        }
        value = value[part].clone();
    }
    serde_json::to_value(value).unwrap()
}

fn default_of(section: &str, key: &str, parsed: &toml::Table) -> Option<Value> {
    all_keys().remove(&(kind_of(section, parsed), key.to_owned())).flatten()
}

/// Every key of the schema by the section it belongs to, with its default.
fn all_keys() -> BTreeMap<(String, String), Option<Value>> {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let mut keys = BTreeMap::new();
    for (name, value) in schema["properties"].as_object().unwrap() {
        let value = follow(&schema, value);
        let others = value.get("additionalProperties").filter(|others| others.is_object());
        let value = follow(&schema, others.unwrap_or(value));
        match value["oneOf"].as_array() {
            Some(_) => branches(&schema, value, name, &mut keys),
            None => properties(&schema, value, name, &mut keys),
        }
    }
    branches(&schema, &schema["$defs"]["RawTarget"], "notify.target", &mut keys);
    for (name, outer) in [("RawPressure", "source.pressure"), ("RawPrefix", "cache.prefix")] {
        properties(&schema, &schema["$defs"][name], outer, &mut keys);
    }
    keys
}

fn branches(
    schema: &Value,
    of: &Value,
    name: &str,
    keys: &mut BTreeMap<(String, String), Option<Value>>,
) {
    for branch in of["oneOf"].as_array().unwrap() {
        let kind = branch["properties"]["kind"]["const"].as_str().unwrap();
        properties(schema, branch, &format!("{name}.{kind}"), keys);
    }
}

fn properties(
    schema: &Value,
    of: &Value,
    name: &str,
    keys: &mut BTreeMap<(String, String), Option<Value>>,
) {
    for (key, property) in of["properties"].as_object().into_iter().flatten() {
        let default = property.get("default").or_else(|| follow(schema, property).get("default"));
        keys.insert((name.to_owned(), key.clone()), default.cloned());
    }
}

fn follow<'a>(schema: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(path) => schema.pointer(path.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// Every key of the text by the section it belongs to.
fn collect(
    value: &Value,
    section: &str,
    parsed: &toml::Table,
    named: &mut BTreeSet<(String, String)>,
) {
    let Some(table) = value.as_object() else { return };
    for (key, value) in table {
        let depth = section.split('.').filter(|part| !part.is_empty()).count();
        let of_named = ["source", "check", "cache", "latency", "database", "contact", "action"];
        let of_names = (depth == 1 && of_named.contains(&section)) || section == "notify.target";
        if depth > 0 && !of_names {
            named.insert((kind_of(section, parsed), key.clone()));
        }
        let inner = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
        match value {
            Value::Object(_) if depth < 2 || section == "notify.target" => {
                collect(value, &inner, parsed, named)
            }
            Value::Array(items) if key == "prefix" || key == "pressure" => {
                for item in items {
                    collect(item, &inner, parsed, named);
                }
            }
            _ => {}
        }
    }
}
