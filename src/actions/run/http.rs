//! One HTTP request, sent once.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::{Response, body::Incoming, client::conn::http1, header::HeaderMap};
use hyper_util::rt::TokioIo;
use serde_json_path::JsonPath;
use tokio_util::task::AbortOnDropHandle;

use super::{Ended, Stage};
use crate::{
    actions::{plan::http::HttpJob, words},
    config::profile::{Extract, ReadingConfig},
    domain::{
        action::{ActionStage, Claim},
        failure::{Failure, FailureKind},
        value::Value,
    },
};

/// The most of an answer that is read, bytes.
const LONGEST_BODY: usize = 1 << 20;
/// Characters of a text in a reading.
const LONGEST_TEXT: usize = 200;
/// Characters of a refusal's body that are quoted.
const QUOTED: usize = 200;

/// The body of an answer, as far as it was read.
enum Body {
    Whole(Vec<u8>),
    TooLong,
}

/// Sends the request. Whatever goes wrong before is `Err`, and was not sent.
pub(super) async fn run(job: &HttpJob, stage: &Stage<'_>) -> Result<Ended, Ended> {
    let stream = stage.prepare(job.endpoint.dial()).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Ended::not_sent(Failure::new(FailureKind::Closed, error.to_string())))?;
    let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
    stage.start().await?;
    let answer = match stage.wait(sender.send_request(job.request())).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            let error = words::clip(&chain(&error), QUOTED);
            return Ok(unclear(format!("it was sent, and the connection ended: {error}")));
        }
        Err(interruption) => {
            let why = interruption.words();
            return Ok(unclear(format!("it was sent, and no answer came: {why}")));
        }
    };
    let status = answer.status();
    let line = words::clip(&status.to_string(), QUOTED);
    stage.step(format!("answered {line}")).await;
    let headers = answer.headers().clone();
    let ended = match stage.wait(read(answer)).await {
        Ok(Ok(body)) => judge(job, status.as_u16(), &line, &headers, &body, stage),
        Ok(Err(error)) => {
            let error = words::clip(&chain(&error), QUOTED);
            unclear(format!("{line}, then the answer was cut off: {error}"))
        }
        Err(interruption) => unclear(format!(
            "{line}, but the answer did not come to its end: {}",
            interruption.words()
        )),
    };
    Ok(ended.reading("status", Value::Number(f64::from(status.as_u16()))))
}

fn unclear(summary: String) -> Ended {
    Ended::new(Claim::Unclear, summary)
}

/// An error with its causes, which its own text hides.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

async fn read(answer: Response<Incoming>) -> Result<Body, hyper::Error> {
    let mut body = answer.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if bytes.len() + data.len() > LONGEST_BODY {
                return Ok(Body::TooLong);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Body::Whole(bytes))
}

/// What the answer claims.
fn judge(
    job: &HttpJob,
    status: u16,
    line: &str,
    headers: &HeaderMap,
    body: &Body,
    stage: &Stage<'_>,
) -> Ended {
    let claim = match status {
        _ if job.accepts(status) => Claim::Done,
        // A gateway that got no proper answer does not know what happened behind it.
        502 | 504 => Claim::Unclear,
        _ => Claim::Refused,
    };
    let mut summary = line.to_owned();
    let json = match body {
        Body::Whole(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let quoted = words::quote(&text, QUOTED);
            if claim != Claim::Done && !quoted.is_empty() {
                summary.push_str(": ");
                summary.push_str(&quoted);
            }
            serde_json::from_slice(bytes).unwrap_or(serde_json::Value::Null)
        }
        Body::TooLong => {
            summary.push_str(&format!(", and more than {LONGEST_BODY} bytes of an answer"));
            serde_json::Value::Null
        }
    };
    let mut ended = Ended::new(claim, summary);
    for reading in &job.readings {
        match extract(reading, &json, headers) {
            Ok(value) => {
                ended.readings.insert(Arc::clone(&reading.name), value);
            }
            Err(why) => {
                stage.reporter.send(ActionStage::Output(format!("[no {}: {why}]", reading.name)));
            }
        }
    }
    ended
}

fn extract(
    reading: &ReadingConfig,
    json: &serde_json::Value,
    headers: &HeaderMap,
) -> Result<Value, String> {
    match &reading.from {
        Extract::Json(paths) => first(paths, json),
        Extract::Count(path) => Ok(Value::Number(path.query(json).len() as f64)),
        Extract::Header(name) => match headers.get(name).map(|value| value.as_bytes()) {
            Some(value) => Ok(text(&String::from_utf8_lossy(value))),
            None => Err(format!("the answer has no header {name}")),
        },
        Extract::Info(_) => Err("an HTTP answer has no INFO".to_owned()),
    }
}

/// The value at the first path that leads to exactly one.
fn first(paths: &[JsonPath], json: &serde_json::Value) -> Result<Value, String> {
    let mut why = None;
    for path in paths {
        let Ok(node) = path.query(json).exactly_one() else {
            continue;
        };
        match node {
            serde_json::Value::Bool(flag) => return Ok(Value::Bool(*flag)),
            serde_json::Value::String(string) => return Ok(text(string)),
            serde_json::Value::Number(number) => {
                if let Some(value) = number.as_f64().and_then(Value::number) {
                    return Ok(value);
                }
                why = Some(format!("{path} is no number that can be used"));
            }
            _ => why = Some(format!("{path} is not a single value")),
        }
    }
    Err(why.unwrap_or_else(|| "it is not in the answer".to_owned()))
}

fn text(text: &str) -> Value {
    match Value::from_text(text) {
        Value::Text(text) => Value::Text(words::clip(&text, LONGEST_TEXT).into()),
        number => number,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> JsonPath {
        JsonPath::parse(text).expect("a path")
    }

    #[test]
    fn the_first_path_with_a_single_value_counts() {
        let json = json!({ "a": [1, 2], "b": null, "c": { "d": "7 ms" }, "e": true });
        let paths = |texts: &[&str]| texts.iter().map(|text| path(text)).collect::<Vec<_>>();
        let table = [
            (vec!["$.x", "$.c.d"], Ok(Value::Number(7.0))),
            (vec!["$.a[*]", "$.e"], Ok(Value::Bool(true))),
            (vec!["$.a[1]"], Ok(Value::Number(2.0))),
            (vec!["$.b"], Err("$.b is not a single value".to_owned())),
            (vec!["$.x", "$.y"], Err("it is not in the answer".to_owned())),
        ];
        for (texts, expected) in table {
            assert_eq!(first(&paths(&texts), &json), expected, "{texts:?}");
        }
    }
}
