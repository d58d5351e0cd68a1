//! The plan of one HTTP request.

use http_body_util::Full;
use hyper::{
    Method, Request, Uri,
    body::Bytes,
    header::{
        ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
        TRANSFER_ENCODING, USER_AGENT,
    },
};
use url::{Host, Position, Url};

use super::Draft;
use crate::{
    config::profile::{HttpAction, ReadingConfig, StatusRange, Text},
    net::{
        dial::Endpoint,
        http::{self, AGENT},
    },
};

/// Headers that say where the request ends: a wrong one would split it in two.
const FRAMING: [HeaderName; 3] = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION];

/// One request, ready to be sent.
#[derive(Debug)]
pub(in crate::actions) struct HttpJob {
    /// Where to.
    pub(in crate::actions) endpoint: Endpoint,
    /// Statuses that claim success.
    pub(in crate::actions) accept: Vec<StatusRange>,
    /// Values to take out of the answer.
    pub(in crate::actions) readings: Vec<ReadingConfig>,
    /// Whether a secret would travel without encryption to another machine.
    pub(in crate::actions) exposes_secret: bool,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    /// The header in which the other side is told a name of the request.
    key: Option<HeaderName>,
}

impl HttpJob {
    /// The request. `name` is what it is called, for the side that takes such a name.
    pub(in crate::actions) fn request(&self, name: &str) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let (Some(key), Ok(value)) = (&self.key, HeaderValue::from_str(name)) {
            request.headers_mut().insert(key, value);
        }
        request
    }

    /// Whether the status claims success: by the configuration, else any 2xx.
    pub(in crate::actions) fn accepts(&self, status: u16) -> bool {
        if self.accept.is_empty() {
            return (200..300).contains(&status);
        }
        self.accept.iter().any(|range| range.contains(status))
    }
}

/// Works the request out.
pub(super) fn draft(action: &HttpAction, draft: &mut Draft) -> Option<HttpJob> {
    let shown = match &action.body {
        Some(body) => serde_json::to_string(body).ok()?,
        None => String::new(),
    };
    let body = if action.hidden.is_empty() { shown.clone() } else { whole_body(action)? };
    fingerprint(action, &shown, draft);
    draft.line(&format!("{} {} HTTP/1.1", action.method, shown_url(&action.url)));
    let headers = headers(action, &body, draft);
    let key = action.idempotency_key_header.as_ref().map(|name| {
        draft.fingerprint.add("idempotency_key_header", name);
        draft.line(&format!("{}: (the name of the run)", name.to_ascii_lowercase()));
        HeaderName::from_bytes(name.as_bytes())
    });
    let key =
        key.transpose().map_err(|_| draft.refuse("the idempotency key has no header")).ok()?;
    if !shown.is_empty() {
        draft.line("");
        draft.line(&shown);
    }
    if !action.url.username().is_empty() || action.url.password().is_some() {
        draft.refuse("the address holds credentials: put them into a header, from the environment");
    }
    let endpoint = http::endpoint(&action.url, &action.tls);
    if let Err(failure) = &endpoint {
        draft.refuse(failure.message.clone());
    }
    let method = Method::from_bytes(action.method.as_bytes());
    if method.is_err() {
        draft.refuse(format!("{:?} is no HTTP method", action.method));
    }
    let uri = action.url[Position::BeforePath..Position::AfterQuery].parse::<Uri>();
    if uri.is_err() {
        draft.refuse("the address holds a path that HTTP does not allow");
    }
    let endpoint = endpoint.ok()?;
    let secret = !action.hidden.is_empty()
        || action.headers.iter().any(|(_, value)| matches!(value, Text::Secret { .. }));
    Some(HttpJob {
        exposes_secret: secret && endpoint.tls.is_none() && !is_local(&action.url),
        endpoint,
        accept: action.accept.clone(),
        readings: action.readings.clone(),
        method: method.ok()?,
        uri: uri.ok()?,
        headers: headers?,
        body: Bytes::from(body),
        key,
    })
}

/// The body with its secrets.
fn whole_body(action: &HttpAction) -> Option<String> {
    let mut body = action.body.clone()?;
    for (place, text) in &action.hidden {
        *body.pointer_mut(place)? = serde_json::Value::String(text.expose());
    }
    serde_json::to_string(&body).ok()
}

fn fingerprint(action: &HttpAction, body: &str, draft: &mut Draft) {
    let print = &mut draft.fingerprint;
    print.add("kind", "http");
    print.add("method", &action.method);
    print.add("url", action.url.as_str());
    for (name, value) in &action.headers {
        print.add("header", name);
        print.add_text("value", value);
    }
    print.add("body", body);
    for (place, text) in &action.hidden {
        print.add("hidden", place);
        print.add_text("value", text);
    }
    for range in &action.accept {
        print.add("accept", format!("{}-{}", range.from, range.to));
    }
    print.add_tls(Some(&action.tls));
}

/// The address without user and password.
fn shown_url(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for addresses that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// Every header that is sent, each with a line that shows it.
fn headers(action: &HttpAction, body: &str, draft: &mut Draft) -> Option<HeaderMap> {
    let host = action.url[Position::BeforeHost..Position::AfterPort].to_owned();
    let mut own = vec![
        (HOST, host),
        (USER_AGENT, AGENT.to_owned()),
        (ACCEPT, "application/json".to_owned()),
        (CONTENT_LENGTH, body.len().to_string()),
    ];
    if !body.is_empty() {
        own.push((CONTENT_TYPE, "application/json".to_owned()));
    }
    let mut map = HeaderMap::new();
    let mut sound = true;
    for (name, value) in own {
        let given = |(other, _): &(String, Text)| name.as_str().eq_ignore_ascii_case(other);
        if !action.headers.iter().any(given) {
            draft.line(&format!("{name}: {value}"));
            sound &= HeaderValue::from_str(&value).is_ok_and(|value| {
                map.insert(name, value);
                true
            });
        }
    }
    for (name, text) in &action.headers {
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            draft.refuse(format!("{name:?} is no name of a header"));
            sound = false;
            continue;
        };
        if FRAMING.contains(&header) {
            draft.refuse(format!("the header {header} is set by the console itself"));
        }
        draft.line(&format!("{header}: {}", text.shown()));
        let Ok(mut value) = HeaderValue::from_str(&text.expose()) else {
            // The value is not quoted: it may be a secret with a stray line break.
            draft.refuse(format!(
                "the value of the header {header} holds characters that HTTP does not allow"
            ));
            sound = false;
            continue;
        };
        value.set_sensitive(matches!(text, Text::Secret { .. }));
        map.append(header, value);
    }
    sound.then_some(map)
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
