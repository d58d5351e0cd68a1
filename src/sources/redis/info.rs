//! The text that INFO answers, as readings.
//!
//! Every field is optional: servers and versions differ in what they report.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    config::profile::{Extract, ReadingConfig},
    domain::{observation::Facts, value::Value},
    net::redis::reply::is_name,
};

/// Makes every field a reading of its own name; fields that hold several values, such as
/// `db0:keys=5,expires=0`, become several readings: `db0_keys`, `db0_expires`.
pub(in crate::sources) fn readings(fields: &BTreeMap<String, String>, facts: &mut Facts) {
    for (name, text) in fields {
        if let Some(parts) = parts(name, text) {
            for (part, value) in parts {
                add(&format!("{name}_{part}"), value, facts);
            }
        } else if let Some(count) =
            text.strip_prefix("count=").filter(|_| name.starts_with("errorstat_"))
        {
            add(name, count, facts);
        } else {
            add(name, text, facts);
        }
    }
}

fn add(name: &str, text: &str, facts: &mut Facts) {
    if let Some(value) = value(name, text) {
        facts.readings.insert(Arc::from(name), value);
    }
}

/// Servers write -1 where they do not know, or where it never happened. That is no number
/// to calculate with.
fn value(name: &str, text: &str) -> Option<Value> {
    match text {
        "" | "-1" => None,
        text if is_identifier(name) => Some(Value::Text(Arc::from(text))),
        text => Some(Value::from_text(text)),
    }
}

/// Fields that may look like a number and are none.
fn is_identifier(name: &str) -> bool {
    matches!(name, "run_id" | "redis_git_sha1" | "redis_git_dirty" | "redis_build_id")
        || name.starts_with("master_replid")
        || name.ends_with("_version")
        || name.ends_with("_human")
}

/// The values of a field such as `keys=5,expires=0`, for the databases only.
fn parts<'a>(name: &str, text: &'a str) -> Option<impl Iterator<Item = (&'a str, &'a str)>> {
    let number = name.strip_prefix("db")?;
    (!number.is_empty() && number.chars().all(|c| c.is_ascii_digit())).then(|| {
        text.split(',').filter_map(|part| part.split_once('=')).filter(|(name, _)| is_name(name))
    })
}

/// Gives fields the names that the configuration wants them under.
pub(in crate::sources) fn configured(
    readings: &[ReadingConfig],
    fields: &BTreeMap<String, String>,
    facts: &mut Facts,
) {
    for reading in readings {
        let outcome = match &reading.from {
            Extract::Info(field) => match fields.get(field) {
                Some(text) => value(field, text).ok_or_else(|| format!("{field} is not known")),
                None => Err(format!("INFO has no field {field}")),
            },
            _ => Err("Redis answers INFO fields only".to_owned()),
        };
        match outcome {
            Ok(value) => {
                facts.readings.insert(Arc::clone(&reading.name), value);
            }
            Err(reason) => {
                facts.readings.remove(&reading.name);
                facts.missing.push((Arc::clone(&reading.name), reason));
            }
        }
    }
}

/// A field as a number that is not negative.
pub(super) fn number(fields: &BTreeMap<String, String>, name: &str) -> Option<f64> {
    fields.get(name)?.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

/// How many writes this run of the server has refused for lack of memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refused {
    run: String,
    writes: f64,
}

/// Whether writes are refused for lack of memory: because the limit is reached and nothing
/// may be evicted, or because some were since the look before. The limit alone does not
/// tell: what a large write would need counts too.
pub(super) fn memory(
    fields: &BTreeMap<String, String>,
    before: Option<&Refused>,
    facts: &mut Facts,
) -> Option<Refused> {
    let limit = number(fields, "maxmemory").filter(|limit| *limit > 0.0)?;
    let used = number(fields, "used_memory")?;
    let no_eviction = fields.get("maxmemory_policy").is_some_and(|policy| policy == "noeviction");
    let reached = used >= limit && no_eviction;
    let writes = fields.get("errorstat_OOM").and_then(|text| text.strip_prefix("count="));
    let writes = writes.and_then(|count| count.parse().ok()).unwrap_or(0.0);
    let now = Refused { run: fields.get("run_id").cloned().unwrap_or_default(), writes };
    let fresh = before.filter(|before| before.run == now.run).map_or(0.0, |b| writes - b.writes);
    facts.readings.insert("writes_refused".into(), Value::Bool(reached || fresh > 0.0));
    if fresh > 0.0 {
        let words = "writes were refused for lack of memory since the last look";
        facts.remarks.push(format!("out of memory: {fresh} {words}"));
    } else if reached {
        let words = "maxmemory is reached and nothing may be evicted: writes are refused";
        facts.remarks.push(format!("out of memory: {words}"));
    }
    Some(now)
}

/// What the fields say that an operator must not overlook.
pub(super) fn remarks(fields: &BTreeMap<String, String>, facts: &mut Facts) {
    let text = |name: &str| fields.get(name).map(String::as_str);
    if text("cluster_enabled") == Some("1") {
        facts.remarks.push("a cluster: these are the figures of one node".to_owned());
    }
    if text("master_link_status") == Some("down") {
        facts.remarks.push("a replica that has lost its master: its data is old".to_owned());
    }
    if matches!(text("rdb_last_bgsave_status"), Some("err"))
        || matches!(text("aof_last_write_status"), Some("err"))
    {
        facts.remarks.push("the last save to disk failed".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::redis::reply::fields;

    const ANSWER: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:123\r\n\r\n# Stats\r\n\
        keyspace_hits:10\r\nrejected_connections:-1\r\nused_memory_peak_perc:98.50%\r\n\
        mem_fragmentation_bytes:-42\r\nerrorstat_OOM:count=3\r\nempty:\r\nnonsense\r\n\
        bad name:1\r\n# Keyspace\r\ndb0:keys=5,expires=2,avg_ttl=0\r\n";

    fn read(text: &str) -> Facts {
        let mut facts = Facts::default();
        readings(&fields(text), &mut facts);
        facts
    }

    #[test]
    fn fields_become_readings_of_their_name() {
        let facts = read(ANSWER);
        let number = |name: &str| facts.readings.get(name).and_then(Value::as_number);
        assert_eq!(facts.readings["redis_version"], Value::Text("7.0.15".into()));
        assert_eq!(facts.readings["run_id"], Value::Text("123".into()));
        assert_eq!(number("keyspace_hits"), Some(10.0));
        assert_eq!(number("used_memory_peak_perc"), Some(98.5));
        assert_eq!(number("mem_fragmentation_bytes"), Some(-42.0));
        assert_eq!(number("errorstat_OOM"), Some(3.0));
        assert_eq!((number("db0_keys"), number("db0_expires")), (Some(5.0), Some(2.0)));
        assert!(!facts.readings.contains_key("db0"));
        assert!(!facts.readings.contains_key("bad name"));
        assert!(!facts.readings.contains_key("rejected_connections"), "unknown is no number");
        assert!(!facts.readings.contains_key("empty"));
    }

    #[test]
    fn configured_names_are_given_or_missing() {
        let info = |name: &str, field: &str| ReadingConfig {
            name: name.into(),
            from: Extract::Info(field.to_owned()),
        };
        let mut facts = Facts::default();
        let wanted = [info("hits", "keyspace_hits"), info("gone", "not_there")];
        configured(&wanted, &fields(ANSWER), &mut facts);
        assert_eq!(facts.readings["hits"], Value::Number(10.0));
        assert_eq!(facts.missing, [("gone".into(), "INFO has no field not_there".to_owned())]);
    }

    #[test]
    fn a_full_server_without_eviction_refuses_writes() {
        let table = [
            ("maxmemory:100\nused_memory:100\nmaxmemory_policy:noeviction\n", Some(true)),
            ("maxmemory:100\nused_memory:99\nmaxmemory_policy:noeviction\n", Some(false)),
            ("maxmemory:100\nused_memory:200\nmaxmemory_policy:allkeys-lru\n", Some(false)),
            ("maxmemory:0\nused_memory:200\nmaxmemory_policy:noeviction\n", None),
        ];
        for (text, refused) in table {
            let mut facts = Facts::default();
            memory(&fields(text), None, &mut facts);
            let expected = refused.map(Value::Bool);
            assert_eq!(facts.readings.get("writes_refused"), expected.as_ref(), "{text}");
            assert_eq!(!facts.remarks.is_empty(), refused == Some(true));
        }
    }

    #[test]
    fn writes_refused_since_the_last_look_count_even_below_the_limit() {
        let look = |run: &str, count: u32, before: Option<&Refused>| {
            let text = format!(
                "maxmemory:100\nused_memory:90\nrun_id:{run}\nerrorstat_OOM:count={count}\n"
            );
            let mut facts = Facts::default();
            let refused = memory(&fields(&text), before, &mut facts);
            (refused, facts.readings["writes_refused"].clone(), facts.remarks)
        };
        let (before, refused, _) = look("a", 5, None);
        assert_eq!(refused, Value::Bool(false), "they may be long ago");
        let (_, refused, remarks) = look("a", 8, before.as_ref());
        assert_eq!(refused, Value::Bool(true));
        assert!(remarks[0].contains("3 writes were refused"), "{remarks:?}");
        assert_eq!(look("a", 5, before.as_ref()).1, Value::Bool(false));
        assert_eq!(look("b", 8, before.as_ref()).1, Value::Bool(false), "another run counts anew");
    }
}
