//! Whether the endpoint of an action is there and lets us in, without doing what it is for.
//!
//! The method of the action is never sent. What is asked is `OPTIONS`, which most servers
//! answer without running what stands behind the address; `HEAD` would not do, because
//! frameworks answer it by running the code for `GET`. Some run it whatever the method is:
//! that is why `OPTIONS` comes without anything that lets us in, so that they stop at their
//! login. The credentials are tried only by a `GET`, and that is sent only where the
//! configuration says that it reads. No redirect is followed, so that no credential reaches
//! another host.

use std::time::Duration;

use http_body_util::Full;
use hyper::{
    Method, Request, Uri,
    body::Bytes,
    header::{ACCEPT, ALLOW, HOST, HeaderName, HeaderValue, LOCATION, USER_AGENT},
};
use tokio::time::timeout;
use url::{Position, Url};

use crate::{
    config::{
        mask::is_secret_name,
        profile::{HttpAction, Text},
    },
    domain::{
        examination::{Finding, Grade, Thing},
        failure::{Failure, FailureKind},
    },
    net::{
        http::{self, AGENT, ALPN, Connection},
        progress::{Progress, Stage},
        words,
    },
};

/// Headers that belong to the body of the action.
const OF_BODY: [&str; 4] = ["content-length", "content-type", "transfer-encoding", "connection"];

/// The head of an answer, as far as it decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Head {
    status: u16,
    allow: Option<String>,
    location: Option<String>,
}

/// Asks the endpoint what it would take. `safe_get`: a GET only reads. `whole`: none of the
/// headers is only known when it runs.
///
/// # Errors
/// Nobody answers at all: what was found of that.
pub async fn look(
    thing: &Thing,
    action: &HttpAction,
    safe_get: bool,
    whole: bool,
    limit: Duration,
) -> Result<Vec<Finding>, Box<Finding>> {
    let asked = ask(action, Method::OPTIONS, limit).await;
    let head = asked.map_err(|failure| Box::new(unreachable(thing, &failure)))?;
    let is_there = !matches!(head.status, 404 | 410);
    if !is_there && !whole {
        let status = http::status_line(head.status);
        let what = format!(
            "the endpoint answers {status} as long as what is only known when it runs is missing"
        );
        return Ok(vec![Finding::new(thing, Grade::Unknown, what).cure("only a run tells")]);
    }
    let mut found = vec![judge_options(thing, action, &head)];
    if safe_get && is_there {
        found.push(match ask(action, Method::GET, limit).await {
            Ok(head) => judge_get(thing, action, &head),
            Err(failure) => unreachable(thing, &failure),
        });
    }
    Ok(found)
}

fn unreachable(thing: &Thing, failure: &Failure) -> Finding {
    let finding = Finding::new(thing, Grade::Critical, words::clip(&failure.message, 400));
    let cure = failure.hint.clone().unwrap_or_else(|| {
        "the action cannot be sent: look whether the service and the way to it are up".to_owned()
    });
    finding.cure(words::clip(&cure, 400))
}

/// What an answer to `OPTIONS` says of the action.
fn judge_options(thing: &Thing, action: &HttpAction, head: &Head) -> Finding {
    let status = http::status_line(head.status);
    if matches!(head.status, 401 | 403) && has_credentials(action) {
        let what = format!(
            "the endpoint is there and wants credentials ({status}); whether it takes those configured only a run tells"
        );
        return Finding::new(thing, Grade::Ok, what);
    }
    if let Some(finding) = judge_refusal(thing, action, head) {
        return finding;
    }
    let method = &action.method;
    let allowed = head.allow.as_deref().map(|allow| {
        allow.split(',').any(|of| of.trim().eq_ignore_ascii_case(method) || of.trim() == "*")
    });
    let shown = words::quote(head.allow.as_deref().unwrap_or_default(), 80);
    match (head.status, allowed) {
        (_, Some(false)) => Finding::new(
            thing,
            if matches!(head.status, 405 | 501) { Grade::Critical } else { Grade::Warning },
            format!("the endpoint does not take {method}: it allows {shown}"),
        )
        .cure("correct the method or the address"),
        (405 | 501, _) => Finding::new(
            thing,
            Grade::Ok,
            format!(
                "the endpoint is there; it answers OPTIONS with {status}, so that whether it takes {method} and the credentials only a run tells"
            ),
        ),
        (500.., _) => Finding::new(thing, Grade::Warning, format!("the endpoint answers {status}"))
            .cure("look at the service before the window"),
        (300..=399, _) => redirected(thing, action, head, !has_credentials(action)),
        (429, _) => Finding::new(thing, Grade::Warning, "the endpoint limits requests: 429 now")
            .cure("wait; a run would be refused as well"),
        (_, Some(true)) => Finding::new(
            thing,
            Grade::Ok,
            format!(
                "the endpoint is there and takes {method}; whether it takes the credentials only a run tells"
            ),
        ),
        _ => Finding::new(
            thing,
            Grade::Ok,
            format!(
                "the endpoint answers OPTIONS with {status}; whether it takes {method} and the credentials only a run tells"
            ),
        ),
    }
}

/// What an answer to `GET` says of the credentials.
fn judge_get(thing: &Thing, action: &HttpAction, head: &Head) -> Finding {
    if let Some(finding) = judge_refusal(thing, action, head) {
        return finding;
    }
    let status = http::status_line(head.status);
    match head.status {
        200..=299 => Finding::new(
            thing,
            Grade::Ok,
            format!("a GET with its credentials is answered with {status}"),
        ),
        300..=399 => redirected(thing, action, head, true),
        405 => Finding::new(thing, Grade::Ok, "the endpoint is there and takes no GET"),
        _ => Finding::new(
            thing,
            Grade::Warning,
            format!("a GET with its credentials is answered with {status}"),
        )
        .cure("look at the service before the window"),
    }
}

/// Answers that mean the same whatever was asked.
fn judge_refusal(thing: &Thing, action: &HttpAction, head: &Head) -> Option<Finding> {
    let status = http::status_line(head.status);
    let critical = |what: String, cure: &str| Finding::new(thing, Grade::Critical, what).cure(cure);
    match head.status {
        404 | 410 => Some(critical(
            format!("the endpoint is not there: {status}"),
            "correct the address, or deploy the version of the service that has it",
        )),
        401 if !has_credentials(action) => Some(critical(
            format!("the endpoint wants credentials, and none are configured: {status}"),
            "write headers = { Authorization = { prefix = \"Bearer \", env = \"…\" } }",
        )),
        401 => Some(critical(
            format!("the credentials are refused: {status}"),
            "renew the token; or the endpoint wants another kind, such as the cookie of a session",
        )),
        403 => Some(critical(
            format!("the credentials are known and may not do this: {status}"),
            "give their owner the right; or the endpoint wants another kind, such as the cookie of a session",
        )),
        _ => None,
    }
}

/// Whether a header lets in: it is never part of `OPTIONS`.
fn lets_in(name: &str, text: &Text) -> bool {
    matches!(text, Text::Secret { .. }) || is_secret_name(name)
}

/// Whether the action would send anything that lets it in.
fn has_credentials(action: &HttpAction) -> bool {
    action.headers.iter().any(|(name, text)| lets_in(name, text))
        || !action.hidden.is_empty()
        || action.url.query_pairs().any(|(name, _)| is_secret_name(&name))
}

/// The address without the parts of its query that let in.
fn address_alone(url: &Url) -> Url {
    let mut alone = url.clone();
    if url.query_pairs().any(|(name, _)| is_secret_name(&name)) {
        let rest = url.query_pairs().filter(|(name, _)| !is_secret_name(name));
        alone.query_pairs_mut().clear().extend_pairs(rest);
    }
    alone
}

/// An action does not follow redirects, and neither does this. `sent`: whatever lets in was
/// part of the request.
fn redirected(thing: &Thing, action: &HttpAction, head: &Head, sent: bool) -> Finding {
    let to = head.location.as_deref().unwrap_or_default();
    let host = action.url.join(to).ok().and_then(|url| url.host_str().map(str::to_owned));
    let elsewhere = match (host, action.url.host_str()) {
        (Some(host), Some(own)) if host != own => format!(" to another host, {host}"),
        _ => String::new(),
    };
    let status = http::status_line(head.status);
    let what = format!(
        "the endpoint answers with a redirect{elsewhere} ({status}), which an action does not follow"
    );
    let cure = if sent {
        "write the address that it leads to; one that leads to a login means that the credentials are not taken"
    } else {
        "write the address that it leads to; one that leads to a login may only mean that the doctor came without the credentials"
    };
    Finding::new(thing, Grade::Warning, words::clip(&what, 400)).cure(cure)
}

async fn ask(action: &HttpAction, method: Method, limit: Duration) -> Result<Head, Failure> {
    let endpoint = http::endpoint(&action.url, &action.tls)?;
    let request = request(action, method)?;
    let place = endpoint.shown();
    let mut progress = Progress::new(limit);
    let work = async {
        let opened = endpoint.dial(Some(ALPN), &mut progress).await?;
        progress.stage = Stage::Asking;
        let failed = |error: hyper::Error| http::failure(&error, &place);
        let connection = Connection::open(opened.stream).await.map_err(failed)?;
        let answer = connection.send(request).await.map_err(failed)?;
        Ok(Head {
            status: answer.status,
            allow: answer.header(&ALLOW).map(str::to_owned),
            location: answer.header(&LOCATION).map(str::to_owned),
        })
    };
    let asked = timeout(limit, work).await;
    asked.unwrap_or_else(|_| Err(progress.too_late(limit)))
}

/// The action's request with another method and without its body; what lets in is part of a
/// `GET` alone.
fn request(action: &HttpAction, method: Method) -> Result<Request<Full<Bytes>>, Failure> {
    let misconfigured = |what: String| Failure::new(FailureKind::Misconfigured, what);
    let with_credentials = method == Method::GET;
    let url = if with_credentials { action.url.clone() } else { address_alone(&action.url) };
    let uri: Uri = url[Position::BeforePath..Position::AfterQuery].parse().map_err(|_| {
        misconfigured("the address holds a path that HTTP does not allow".to_owned())
    })?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    let host = &action.url[Position::BeforeHost..Position::AfterPort];
    let own = [(HOST, host), (USER_AGENT, AGENT), (ACCEPT, "application/json")];
    for (name, value) in own {
        let value = HeaderValue::from_str(value)
            .map_err(|_| misconfigured("the address has no sound host".to_owned()))?;
        headers.insert(name, value);
    }
    for (name, text) in &action.headers {
        let of_body = OF_BODY.iter().any(|of| name.eq_ignore_ascii_case(of));
        if of_body || (!with_credentials && lets_in(name, text)) {
            continue;
        }
        let wrong = || misconfigured(format!("the header {name} holds what HTTP does not allow"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(&text.expose()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::profile::{Text, TlsOptions},
        domain::examination::Subject,
    };

    fn action(headers: &[&str]) -> HttpAction {
        HttpAction {
            method: "POST".to_owned(),
            url: url::Url::parse("https://api.test/clear?all=1").expect("an address"),
            headers: headers
                .iter()
                .map(|name| ((*name).to_owned(), Text::Plain("x".to_owned())))
                .collect(),
            body: None,
            hidden: Vec::new(),
            accept: Vec::new(),
            tls: TlsOptions::default(),
            readings: Vec::new(),
            idempotency_key_header: None,
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let thing = Thing::new(Subject::Action, "clear");
        let head = |status, allow: Option<&str>, location: Option<&str>| Head {
            status,
            allow: allow.map(str::to_owned),
            location: location.map(str::to_owned),
        };
        let table = [
            (head(404, None, None), Grade::Critical, "is not there: 404"),
            (head(401, None, None), Grade::Ok, "is there and wants credentials"),
            (head(403, None, None), Grade::Ok, "is there and wants credentials"),
            (head(405, None, None), Grade::Ok, "is there; it answers OPTIONS with 405"),
            (
                head(405, Some("GET, HEAD"), None),
                Grade::Critical,
                "does not take POST: it allows GET, HEAD",
            ),
            (head(405, Some("POST"), None), Grade::Ok, "is there"),
            (head(204, Some("OPTIONS, post"), None), Grade::Ok, "there and takes POST"),
            (head(204, Some("GET"), None), Grade::Warning, "does not take POST"),
            (head(204, None, None), Grade::Ok, "only a run tells"),
            (
                head(302, None, Some("https://login.test/")),
                Grade::Warning,
                "to another host, login.test",
            ),
            (head(308, None, Some("/clear/")), Grade::Warning, "with a redirect (308"),
            (head(503, None, None), Grade::Warning, "answers 503"),
            (head(429, None, None), Grade::Warning, "limits requests"),
        ];
        for (head, grade, words) in table {
            let found = judge_options(&thing, &action(&["Authorization"]), &head);
            assert_eq!(found.verdict, grade, "{head:?}");
            assert!(found.what.contains(words), "{}", found.what);
            assert!(found.cure.is_some() || grade == Grade::Ok, "{head:?}");
        }
        let none = judge_options(&thing, &action(&[]), &head(401, None, None));
        assert_eq!(none.verdict, Grade::Critical);
        assert!(none.what.contains("none are configured"));
        for (status, grade) in
            [(200, Grade::Ok), (401, Grade::Critical), (500, Grade::Warning), (405, Grade::Ok)]
        {
            assert_eq!(judge_get(&thing, &action(&[]), &head(status, None, None)).verdict, grade);
        }
    }

    #[test]
    fn what_lets_in_is_part_of_a_get_alone_and_the_body_of_nothing() {
        let mut action = action(&["Authorization", "cookie", "X-Api-Key", "Content-Type", "X-Of"]);
        let secret = crate::config::secret::Secret::new("hunter2-hunter2".to_owned(), "env T");
        let text = Text::Secret { prefix: String::new(), secret };
        action.headers.push(("X-Door".to_owned(), text));
        action.url.query_pairs_mut().append_pair("access_token", "hunter2");
        let asked = request(&action, Method::OPTIONS).expect("a request");
        assert_eq!(asked.method(), Method::OPTIONS);
        assert_eq!(asked.uri(), "/clear?all=1");
        assert_eq!(asked.headers()["host"], "api.test");
        assert!(asked.headers().contains_key("x-of"));
        let read = request(&action, Method::GET).expect("a request");
        assert_eq!(read.uri(), "/clear?all=1&access_token=hunter2");
        for name in ["authorization", "cookie", "x-api-key", "x-door"] {
            assert!(!asked.headers().contains_key(name), "{name}");
            assert!(read.headers().contains_key(name), "{name}");
        }
        for request in [asked, read] {
            assert!(!request.headers().contains_key("content-type"));
        }
    }
}
