//! One HTTP request, as it is handed over.

use serde::{Deserialize, Serialize};

use super::{From, Tls, Words, given, named, taken, texts};
use crate::config::profile::{HttpAction, StatusRange};

/// One request.
#[derive(Serialize, Deserialize)]
pub(super) struct Http {
    method: String,
    url: String,
    headers: Vec<(String, Words)>,
    body: Option<serde_json::Value>,
    hidden: Vec<(String, Words)>,
    accept: Vec<(u16, u16)>,
    tls: Tls,
    readings: Vec<(String, From)>,
    idempotency_key_header: Option<String>,
}

impl Http {
    pub(super) fn of(http: &HttpAction) -> Self {
        Self {
            method: http.method.clone(),
            url: http.url.as_str().to_owned(),
            headers: named(&http.headers),
            body: http.body.clone(),
            hidden: named(&http.hidden),
            accept: http.accept.iter().map(|range| (range.from, range.to)).collect(),
            tls: Tls::of(&http.tls),
            readings: taken(&http.readings),
            idempotency_key_header: http.idempotency_key_header.clone(),
        }
    }

    pub(super) fn restore(&self) -> Result<HttpAction, String> {
        Ok(HttpAction {
            method: self.method.clone(),
            url: url::Url::parse(&self.url).map_err(|error| error.to_string())?,
            headers: texts(&self.headers),
            body: self.body.clone(),
            hidden: texts(&self.hidden),
            accept: self.accept.iter().map(|&(from, to)| StatusRange { from, to }).collect(),
            tls: self.tls.restore(),
            readings: given(&self.readings)?,
            idempotency_key_header: self.idempotency_key_header.clone(),
        })
    }
}
