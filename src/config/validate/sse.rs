//! Streams of server-sent events.

use super::{Cx, Path, known::SSE};
use crate::{
    config::{
        profile::SseSource,
        raw::{sse::RawSse, value::HttpReading},
    },
    domain::ids::ReadingName,
};

impl Cx<'_> {
    /// A stream.
    pub fn sse(&mut self, path: &Path, raw: &RawSse) -> Option<SseSource> {
        let url = self.web_address(&path.key("url"), &raw.url, "sse");
        let headers = self.headers(&path.key("headers"), &raw.headers);
        let secure = url.as_ref().is_none_or(|url| url.scheme() == "https");
        let tls = self.tls(path, raw.ca_file.as_deref(), raw.insecure, secure);
        self.credentials_in_clear(path, url.as_ref(), headers.as_deref());
        let max_event = self.body_size(&path.key("max_event"), &raw.max_event);
        let silent_after = self.duration(&path.key("silent_after"), &raw.silent_after);
        let mut taken = SSE.to_vec();
        taken.extend(raw.counts.keys().map(String::as_str));
        let inner = path.key("readings");
        let readings = self.http_readings(&inner, &raw.readings, &taken);
        for (name, reading) in &raw.readings {
            if matches!(reading, HttpReading::Other(table) if table.header.is_some()) {
                self.error(
                    &inner.key(name),
                    "an event has no headers",
                    "write a JSONPath, such as \"$.metrics.hits\"",
                );
            }
        }
        let mut counts = Vec::new();
        for (name, event) in &raw.counts {
            let path = path.key("counts").key(name);
            if self.is_measured(&path, name, &SSE) {
                continue;
            }
            if event.is_empty() || event.contains(['\r', '\n']) {
                self.error(&path, "an event cannot have this name", "such as \"alert\"");
                continue;
            }
            counts.push((ReadingName::from(name.as_str()), event.clone()));
        }
        Some(SseSource {
            url: url?,
            headers: headers?,
            tls: tls?,
            max_event: max_event?,
            silent_after: silent_after?,
            event: raw.event.clone(),
            readings: readings?,
            counts,
        })
    }
}
