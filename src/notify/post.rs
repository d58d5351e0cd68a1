//! One HTTP POST of one message, on a connection of its own.

use std::time::Duration;

use http_body_util::Full;
use hyper::{
    Request, Uri,
    body::Bytes,
    header::{
        ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
        TRANSFER_ENCODING, USER_AGENT,
    },
};
use jiff::Timestamp;
use tokio::time::timeout;
use url::Position;

use super::{body, queue::Refused};
use crate::{
    config::profile::{Text, Webhook, WebhookFormat},
    domain::{
        failure::{Failure, FailureKind},
        notification::Notification,
    },
    net::{
        http::{self, AGENT, ALPN, Answer, Connection},
        progress::{Progress, Stage},
        retry, words,
    },
};

/// How long the body of a refusal is waited for: its status is already the answer.
const EXCERPT_PATIENCE: Duration = Duration::from_millis(500);

/// How much of the body of a refusal is read, bytes.
const EXCERPT_SIZE: usize = 4 << 10;

/// How much of the body of a refusal is quoted, characters.
const QUOTED: usize = 200;

/// Sends the message, within `limit`.
pub(super) async fn post(
    webhook: &Webhook,
    message: &Notification,
    limit: Duration,
    now: Timestamp,
) -> Result<(), Refused> {
    let mut progress = Progress::new(limit);
    match timeout(limit, exchange(webhook, message, &mut progress)).await {
        Ok(Ok(answer)) => judge(webhook, answer, now).await,
        Ok(Err(failure)) => Err(in_vain(&failure)),
        Err(_) => Err(in_vain(&progress.too_late(limit))),
    }
}

/// No answer at all: worth another attempt.
fn in_vain(failure: &Failure) -> Refused {
    Refused { why: words::plain(&failure.to_string()), again: true, retry_after: None }
}

async fn exchange(
    webhook: &Webhook,
    message: &Notification,
    progress: &mut Progress,
) -> Result<Answer, Failure> {
    let request = request(webhook, message)?;
    let endpoint = http::endpoint(&webhook.address.url, &webhook.tls)?;
    let opened = endpoint.dial(Some(ALPN), progress).await?;
    let from_hyper = |error| http::failure(&error, &endpoint.shown());
    progress.stage = Stage::Asking;
    let connection = Connection::open(opened.stream).await.map_err(from_hyper)?;
    connection.send(request).await.map_err(from_hyper)
}

fn request(webhook: &Webhook, message: &Notification) -> Result<Request<Full<Bytes>>, Failure> {
    let misconfigured = |why: &str| Failure::new(FailureKind::Misconfigured, why);
    let url = &webhook.address.url;
    let body = Bytes::from(body::body(&webhook.format, message).to_string());
    let length = HeaderValue::from(body.len());
    let uri: Uri = url[Position::BeforePath..Position::AfterQuery]
        .parse()
        .map_err(|_| misconfigured("the address holds a path that HTTP does not allow"))?;
    let host = HeaderValue::try_from(&url[Position::BeforeHost..Position::AfterPort])
        .map_err(|_| misconfigured("the host of the address cannot be sent"))?;
    let mut request = Request::post(uri)
        .body(Full::new(body))
        .map_err(|_| misconfigured("the request cannot be built"))?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, text) in &webhook.headers {
        let unfit = |_| misconfigured(&format!("the header {name} cannot be sent"));
        let value = HeaderValue::try_from(text.expose()).map_err(|_| unfit(()))?;
        let name = HeaderName::try_from(name.as_str()).map_err(|_| unfit(()))?;
        headers.insert(name, value);
    }
    // Where the message ends is not for the configuration to say.
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

/// Whether the answer means that the message was taken.
async fn judge(webhook: &Webhook, mut answer: Answer, now: Timestamp) -> Result<(), Refused> {
    let taken = match webhook.format {
        // Anything else that answers 200 in its place is not PagerDuty.
        WebhookFormat::PagerDuty { .. } => answer.status == 202,
        WebhookFormat::Generic | WebhookFormat::Slack => (200..300).contains(&answer.status),
    };
    if taken {
        return Ok(());
    }
    let mut bytes = Vec::new();
    // Whatever came until then is used.
    let _ = timeout(EXCERPT_PATIENCE, answer.read_some(&mut bytes, EXCERPT_SIZE)).await;
    let mut why = answer.status_line();
    let excerpt = words::quote(&String::from_utf8_lossy(&bytes), QUOTED);
    if !excerpt.is_empty() {
        why.push_str(&format!(": {excerpt}"));
    }
    if let Some(cure) = cure(webhook, answer.status) {
        why.push_str(&format!(" ({cure})"));
    }
    let again = !(400..500).contains(&answer.status) || matches!(answer.status, 408 | 429);
    let retry_after = match answer.status {
        429 | 503 => retry::after(&answer.headers, now),
        _ => None,
    };
    Err(Refused { why: words::plain(&why), again, retry_after })
}

/// What the operator can do about a refusal.
fn cure(webhook: &Webhook, status: u16) -> Option<String> {
    match status {
        401 | 403 => {
            let mut origins: Vec<&str> = webhook
                .headers
                .iter()
                .filter_map(|(_, text)| match text {
                    Text::Secret { secret, .. } => Some(secret.origin()),
                    Text::Plain(_) => None,
                })
                .collect();
            if let WebhookFormat::PagerDuty { routing_key } = &webhook.format {
                origins.push(routing_key.origin());
            }
            Some(match origins.as_slice() {
                [] => format!("check the address {}", webhook.address.shown),
                origins => format!("check {}", origins.join(", ")),
            })
        }
        404 | 410 => Some(format!("nothing takes messages at {}", webhook.address.shown)),
        400 => match &webhook.format {
            WebhookFormat::PagerDuty { routing_key } => {
                Some(format!("check {}", routing_key.origin()))
            }
            _ => None,
        },
        300..=399 => Some("redirects are not followed: configure where it leads to".to_owned()),
        200..=299 => Some("PagerDuty answers 202".to_owned()),
        _ => None,
    }
}
