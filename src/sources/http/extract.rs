//! Configured values out of an answer.

use std::sync::Arc;

use hyper::HeaderMap;
use serde_json::Value as Json;

use crate::{config::profile::ReadingConfig, domain::observation::Facts, net::readings};

/// Takes the configured readings out of an answer. What is not there is said to be missing,
/// with the reason.
pub(super) fn readings(
    configured: &[ReadingConfig],
    json: Option<&Json>,
    headers: &HeaderMap,
    facts: &mut Facts,
) {
    for reading in configured {
        match readings::read(&reading.from, json, headers) {
            Ok(value) => {
                facts.readings.insert(Arc::clone(&reading.name), value);
            }
            Err(reason) => {
                // A measurement of the same name must not stand in for it.
                facts.readings.remove(&reading.name);
                facts.missing.push((Arc::clone(&reading.name), reason));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_json_path::JsonPath;

    use super::*;
    use crate::{config::profile::Extract, domain::value::Value};

    fn path(text: &str) -> JsonPath {
        JsonPath::parse(text).expect("a path")
    }

    #[test]
    fn a_missing_reading_is_never_a_measurement_of_the_same_name() {
        let mut facts = Facts::default();
        facts.readings.insert("status".into(), Value::Number(200.0));
        let configured = [
            ReadingConfig { name: "status".into(), from: Extract::Json(vec![path("$.status")]) },
            ReadingConfig { name: "cache".into(), from: Extract::Header("x-cache".to_owned()) },
            ReadingConfig { name: "ttl".into(), from: Extract::Header("x-cache-ttl".to_owned()) },
            ReadingConfig { name: "hits".into(), from: Extract::Info("hits".to_owned()) },
        ];
        let mut headers = HeaderMap::new();
        headers.insert("x-cache", "HIT".parse().expect("a header"));
        readings(&configured, Some(&json!({})), &headers, &mut facts);
        assert_eq!(facts.readings.len(), 1);
        assert_eq!(facts.readings["cache"], Value::Text("HIT".into()));
        let missing: Vec<&str> = facts.missing.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(missing, ["status", "ttl", "hits"]);
    }
}
