//! One HTTP request, sent once.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{Ended, Stage};
use crate::{
    actions::{plan::http::HttpJob, words},
    domain::{
        action::{ActionStage, Claim},
        failure::Failure,
        value::Value,
    },
    net::{
        http::{self, ALPN, Answer, Body, Connection},
        progress::Progress,
        readings,
    },
};

/// How long opening a connection may take, TLS included.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// The most of an answer that is read, bytes.
const LONGEST_BODY: u64 = 1 << 20;
/// Characters of a refusal's body that are quoted.
const QUOTED: usize = 200;

/// Sends the request. Whatever goes wrong before is `Err`, and was not sent.
pub(super) async fn run(job: &HttpJob, stage: &Stage<'_>) -> Result<Ended, Ended> {
    let why = |error| words::clip(&http::failure(&error, &job.endpoint.shown()).message, QUOTED);
    let connection = stage.prepare(open(job)).await?;
    stage.start().await?;
    let mut answer = match stage.wait(connection.send(job.request(&stage.key))).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            return Ok(unclear(format!("it was sent, and the connection ended: {}", why(error))));
        }
        Err(interruption) => {
            let why = interruption.words();
            return Ok(unclear(format!("it was sent, and no answer came: {why}")));
        }
    };
    let line = words::clip(&answer.status_line(), QUOTED);
    stage.step(format!("answered {line}")).await;
    let ended = match stage.wait(answer.read(LONGEST_BODY)).await {
        Ok(Ok(body)) => judge(job, &line, &answer, &body, stage),
        Ok(Err(error)) => unclear(format!("{line}, then the answer was cut off: {}", why(error))),
        Err(interruption) => unclear(format!(
            "{line}, but the answer did not come to its end: {}",
            interruption.words()
        )),
    };
    Ok(ended.reading("status", Value::Number(f64::from(answer.status))))
}

/// Opens a connection for the request. Sends nothing.
pub(super) async fn open(job: &HttpJob) -> Result<Connection, Failure> {
    let whom = job.endpoint.shown();
    let mut progress = Progress::new(OPEN_LIMIT);
    let opened = timeout(OPEN_LIMIT, job.endpoint.dial(Some(ALPN), &mut progress)).await;
    let opened = opened.unwrap_or_else(|_| {
        let failure = progress.too_late(OPEN_LIMIT);
        Err(Failure { message: format!("{whom}: {}", failure.message), ..failure })
    })?;
    Connection::open(opened.stream).await.map_err(|error| http::failure(&error, &whom))
}

fn unclear(summary: String) -> Ended {
    Ended::new(Claim::Unclear, summary)
}

/// What the answer claims.
fn judge(job: &HttpJob, line: &str, answer: &Answer, body: &Body, stage: &Stage<'_>) -> Ended {
    let claim = match answer.status {
        status if job.accepts(status) => Claim::Done,
        // A gateway that got no proper answer does not know what happened behind it.
        502 | 504 => Claim::Unclear,
        _ => Claim::Refused,
    };
    let mut summary = line.to_owned();
    let json: Option<serde_json::Value> = match body {
        Body::Whole(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let quoted = words::quote(&text, QUOTED);
            if claim != Claim::Done && !quoted.is_empty() {
                summary.push_str(": ");
                summary.push_str(&quoted);
            }
            serde_json::from_slice(bytes).ok()
        }
        Body::TooLarge => {
            summary.push_str(&format!(", and more than {LONGEST_BODY} bytes of an answer"));
            None
        }
    };
    let mut ended = Ended::new(claim, summary);
    for reading in &job.readings {
        match readings::read(&reading.from, json.as_ref(), &answer.headers) {
            Ok(value) => {
                let written = readings::as_written(&reading.from, json.as_ref(), &answer.headers);
                ended.texts.extend(written.map(|text| (Arc::clone(&reading.name), text)));
                ended.readings.insert(Arc::clone(&reading.name), value);
            }
            Err(why) => {
                stage.reporter.send(ActionStage::Output(format!("[no {}: {why}]", reading.name)));
            }
        }
    }
    ended
}
