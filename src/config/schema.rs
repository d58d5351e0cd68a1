//! The JSON schema of a configuration file.

use std::sync::LazyLock;

use serde_json::Value;

use super::raw::{RawConfig, rule::RawTests};

/// The schema, as a value. Made once.
pub static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = schemars::schema_for!(RawConfig).to_value();
    without_null(&mut schema);
    schema
});

/// The schema of a file of rule tests. It refers to nothing: references are looked up in
/// the schema of the configuration.
pub fn of_tests() -> Value {
    let settings = schemars::generate::SchemaSettings::default().with(|settings| {
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<RawTests>().to_value();
    without_null(&mut schema);
    schema
}

/// The schema as text, for an editor.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&*SCHEMA).unwrap_or_default();
    text.push('\n');
    text
}

/// TOML has no null: a key that may be left out is simply not required.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice["type"] != "null");
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    for (key, value) in only {
                        object.entry(key).or_insert(value);
                    }
                }
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// Follows `$ref` to where the schema really stands.
pub fn resolved(schema: &Value) -> &Value {
    let mut schema = schema;
    while let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        schema = &SCHEMA["$defs"][name];
    }
    schema
}

/// The branch of a tagged union that the kind selects; the schema itself where it is none.
pub fn branch<'a>(schema: &'a Value, kind: Option<&str>) -> Option<&'a Value> {
    let schema = resolved(schema);
    let Some(branches) = tagged(schema) else { return Some(schema) };
    branches.iter().find(|branch| branch["properties"]["kind"]["const"].as_str() == kind)
}

/// The branches of a tagged union.
pub fn tagged(schema: &Value) -> Option<&Vec<Value>> {
    let branches = schema["oneOf"].as_array()?;
    branches
        .iter()
        .all(|branch| branch["properties"]["kind"]["const"].is_string())
        .then_some(branches)
}

/// The texts that an enumeration allows.
pub fn choices(schema: &Value) -> Option<Vec<&str>> {
    if let Some(list) = schema["enum"].as_array() {
        return Some(list.iter().filter_map(Value::as_str).collect());
    }
    let branches = schema["oneOf"].as_array()?;
    branches.iter().map(|branch| branch["const"].as_str()).collect()
}
