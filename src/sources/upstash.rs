//! Upstash's REST interface to Redis.
//!
//! Every command counts against a paid quota: one request asks for no more than it needs.
//! Readings: the fields of INFO under their own names, `keys`, and `total_ms`.
//! <https://upstash.com/docs/redis/features/restapi>

use std::collections::BTreeMap;

use hyper::{
    Method,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::time::Instant;
use url::Url;

use super::{
    http::{
        self,
        exchange::{self, Answer, Question, exchange},
        status::Refusal,
    },
    redis::info,
};
use crate::{
    config::profile::{Text, UpstashSource},
    domain::{
        failure::{Failure, FailureKind},
        observation::Facts,
        time::Moment,
        value::Value,
    },
    net::{
        progress::Progress,
        redis::{
            refusal::{self, Who},
            reply,
        },
        tls,
    },
};

/// The largest answer that is read, bytes. INFO takes some five thousand.
const LARGEST_ANSWER: u64 = 1 << 20;

/// What is asked.
const COMMANDS: &[u8] = br#"[["INFO"],["DBSIZE"]]"#;

/// A database.
pub(super) struct Upstash {
    config: UpstashSource,
    url: Url,
}

/// The answer to one command.
#[derive(Deserialize)]
struct Item {
    result: Option<Json>,
    error: Option<String>,
}

/// An answer to the request as a whole that is no list of answers.
#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Upstash {
    /// A database that was not asked yet.
    pub(super) fn new(config: &UpstashSource) -> Self {
        Self { config: config.clone(), url: pipeline(&config.url) }
    }

    /// Asks once.
    pub(super) async fn poll(
        &mut self,
        now: Moment,
        progress: &mut Progress,
    ) -> Result<Facts, Failure> {
        let start = Instant::now();
        let token = self.token();
        let headers = [
            http::header_value("authorization", &token)?,
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ];
        let question = Question {
            method: Method::POST,
            url: &self.url,
            headers: &headers,
            body: Bytes::from_static(COMMANDS),
            tls: &self.config.tls,
        };
        let mut answer = exchange(question, progress).await?;
        if answer.status() != 200 {
            return Err(self.refused(&mut answer, token, now, progress).await);
        }
        let body = answer.read(LARGEST_ANSWER, progress).await?;
        let took = start.elapsed();
        let fields = self.fields(&body)?;
        let mut facts = Facts::default();
        info::readings(&fields.info, &mut facts);
        info::configured(&self.config.readings, &fields.info, &mut facts);
        match fields.keys {
            Ok(keys) => {
                facts.readings.insert("keys".into(), Value::Number(keys));
            }
            Err(reason) => facts.missing.push(("keys".into(), reason)),
        }
        let millis = took.as_secs_f64() * 1000.0;
        facts.readings.insert("total_ms".into(), Value::Number(millis));
        if self.config.tls.insecure {
            facts.remarks.push(tls::NOT_VERIFIED.to_owned());
        }
        Ok(facts)
    }

    fn token(&self) -> Text {
        Text::Secret { prefix: "Bearer ".to_owned(), secret: self.config.token.clone() }
    }

    fn who(&self) -> Who {
        Who { user: None, origin: Some(self.config.token.origin().to_owned()) }
    }

    /// The answers to both commands. A refusal may stand in place of either, with status 200.
    fn fields(&self, body: &[u8]) -> Result<Fields, Failure> {
        let items: Vec<Item> = serde_json::from_slice(body).map_err(|_| {
            let begins =
                exchange::beginning(&String::from_utf8_lossy(&body[..body.len().min(512)]));
            let message = format!("not the answer of a REST pipeline; it begins: {begins}");
            Failure::new(FailureKind::BadAnswer, message)
                .hint("the address must be the REST URL, https://….upstash.io")
        })?;
        let mut items = items.into_iter();
        let info = match items.next() {
            Some(Item { error: Some(error), .. }) => return Err(self.said(&error)),
            Some(Item { result: Some(Json::String(text)), .. }) => reply::fields(&text),
            _ => BTreeMap::new(),
        };
        if info.is_empty() {
            return Err(Failure::new(FailureKind::BadAnswer, "INFO answered nothing"));
        }
        let keys = match items.next() {
            Some(Item { error: Some(error), .. }) => Err(error),
            Some(Item { result: Some(keys), .. }) => {
                keys.as_f64().ok_or_else(|| "DBSIZE answered no number".to_owned())
            }
            _ => Err("DBSIZE was not answered".to_owned()),
        };
        Ok(Fields { info, keys })
    }

    /// The failure that the server's own words stand for.
    fn said(&self, error: &str) -> Failure {
        let (code, text) = error.split_once(' ').unwrap_or((error, ""));
        refusal::from_server(code, text, &self.who())
    }

    async fn refused(
        &self,
        answer: &mut Answer,
        token: Text,
        now: Moment,
        progress: &mut Progress,
    ) -> Failure {
        let status = answer.status();
        let said = match status {
            400..=499 => answer.read(LARGEST_ANSWER, progress).await.unwrap_or_default(),
            _ => Bytes::new(),
        };
        let refused: Option<Refused> = serde_json::from_slice(&said).ok();
        // The words tell more than the status: a used-up quota comes as 400 or 429.
        if let (Some(refused), 400 | 403 | 429) = (&refused, status) {
            let failure = self.said(&refused.error);
            if failure.kind != FailureKind::Server {
                return failure;
            }
        }
        let excerpt = match refused {
            Some(refused) => exchange::beginning(&refused.error),
            None if said.is_empty() => answer.excerpt().await,
            None => exchange::beginning(&String::from_utf8_lossy(&said[..said.len().min(4096)])),
        };
        let credentials = [("Authorization".to_owned(), token)];
        let headers = answer.headers();
        let refusal = Refusal {
            status,
            headers,
            excerpt: &excerpt,
            credentials: &credentials,
            now: now.wall,
        };
        refusal.failure()
    }
}

#[derive(Debug)]
struct Fields {
    info: BTreeMap<String, String>,
    keys: Result<f64, String>,
}

/// The address that takes several commands at once.
pub(super) fn pipeline(url: &Url) -> Url {
    let mut pipeline = url.clone();
    let path = format!("{}/pipeline", url.path().trim_end_matches('/'));
    pipeline.set_path(&path);
    pipeline
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{profile::TlsOptions, secret::Secret};

    fn upstash() -> Upstash {
        Upstash::new(&UpstashSource {
            url: Url::parse("https://db.upstash.io").expect("an address"),
            token: Secret::new("a-very-long-token".to_owned(), "env UPSTASH_TOKEN"),
            tls: TlsOptions::default(),
            readings: Vec::new(),
        })
    }

    #[test]
    fn refusals_inside_a_good_answer_are_failures() {
        let table = [
            (r#"[{"error":"ERR max requests limit exceeded"},{"result":1}]"#, FailureKind::Quota),
            (r#"[{"error":"NOPERM no"},{"result":1}]"#, FailureKind::Forbidden),
            (r#"[{"result":null},{"result":1}]"#, FailureKind::BadAnswer),
            (r#"[]"#, FailureKind::BadAnswer),
            (r#"{"result":"PONG"}"#, FailureKind::BadAnswer),
            ("<html>", FailureKind::BadAnswer),
        ];
        for (body, kind) in table {
            let failure = upstash().fields(body.as_bytes()).expect_err("a failure");
            assert_eq!(failure.kind, kind, "{body}");
        }
    }

    #[test]
    fn keys_that_are_refused_are_missing() {
        let body = br#"[{"result":"keyspace_hits:3\r\n"},{"error":"NOPERM dbsize"}]"#;
        let fields = upstash().fields(body).expect("fields");
        assert_eq!(fields.info["keyspace_hits"], "3");
        assert_eq!(fields.keys, Err("NOPERM dbsize".to_owned()));
    }

    #[test]
    fn the_pipeline_is_below_the_address() {
        for url in ["https://a.test", "https://a.test/"] {
            let url = Url::parse(url).expect("an address");
            assert_eq!(pipeline(&url).as_str(), "https://a.test/pipeline");
        }
    }
}
