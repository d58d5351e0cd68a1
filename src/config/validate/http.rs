//! HTTP endpoints, as sources and in actions.

use std::collections::BTreeMap;

use serde_json_path::JsonPath;
use url::Url;

use super::{Cx, Path, known::HTTP};
use crate::{
    config::{
        mask::is_secret_name,
        profile::{Extract, HttpSource, ReadingConfig, ViolationsConfig},
        raw::{
            source::RawHttp,
            value::{HttpReading, HttpReadingTable},
        },
        secret::Secret,
    },
    domain::ids::ReadingName,
};

impl Cx<'_> {
    /// An HTTP source.
    pub fn http(&mut self, path: &Path, raw: &RawHttp) -> Option<HttpSource> {
        let url = self.web_address(&path.key("url"), &raw.url, "http");
        let headers = self.headers(&path.key("headers"), &raw.headers);
        let accept = self.statuses(&path.key("accept"), &raw.accept);
        let max_body = self.body_size(&path.key("max_body"), &raw.max_body);
        let secure = url.as_ref().is_none_or(|url| url.scheme() == "https");
        let tls = self.tls(path, raw.ca_file.as_deref(), raw.insecure, secure);
        self.credentials_in_clear(path, url.as_ref(), headers.as_deref());
        let readings = self.http_readings(&path.key("readings"), &raw.readings, &HTTP);
        let violations = match &raw.violations {
            Some(text) => self.json_path(&path.key("violations"), text).map(Some),
            None => Some(None),
        };
        Some(HttpSource {
            url: url?,
            headers: headers?,
            accept: accept?,
            max_body: max_body?,
            redirects: raw.redirects,
            tls: tls?,
            readings: readings?,
            violations: violations?.map(|path| ViolationsConfig { path }),
        })
    }

    /// A web address. `kind` is the kind of thing it is the address of, for the messages.
    pub fn web_address(&mut self, path: &Path, text: &str, kind: &str) -> Option<Url> {
        let url = match Url::parse(text.trim()) {
            Ok(url) => url,
            Err(error) => {
                let message = format!("this is not an address: {error}");
                self.error(path, message, "such as \"https://api.example.com/health\"");
                return None;
            }
        };
        let right = match url.scheme() {
            "http" | "https" => None,
            // No other kind of target would take it either.
            _ if kind == "webhook" => {
                Some(("not a web address", "it must begin with https:// or http://"))
            }
            "redis" | "rediss" | "unix" => Some(("a Redis address", "kind = \"redis\"")),
            "postgres" | "postgresql" => Some(("a Postgres address", "kind = \"postgres\"")),
            _ => Some(("not a web address", "it must begin with https:// or http://")),
        };
        if let Some((what, cure)) = right {
            self.error(path, format!("this is {what}, and the kind is {kind:?}"), cure);
            return None;
        }
        if !url.username().is_empty() || url.password().is_some() {
            let cure = "take it out, and write headers = { Authorization = { env = \"NAME\", prefix = \"Basic \" } }";
            self.error(
                path,
                "the address holds a name or a password, and addresses are shown",
                cure,
            );
            return None;
        }
        self.secrets_in_query(path, &url).then_some(url)
    }

    /// Some services only take a token in the address. It may come from a variable; then it
    /// is blanked wherever the address is shown. False where it stands in the file.
    fn secrets_in_query(&mut self, path: &Path, url: &Url) -> bool {
        let mut sound = true;
        for (key, value) in url.query_pairs().filter(|(key, _)| is_secret_name(key)) {
            let place = self.place(path);
            let text = self.prepared.texts.get(place.text);
            let written = text.and_then(|text| text.text.get(place.start..place.end));
            if written.is_some_and(|written| !value.is_empty() && written.contains(value.as_ref()))
            {
                let message = format!("`{key}` in the address is a secret in plain text");
                self.error(path, message, "send it in a header, or write ${NAME} in its place");
                sound = false;
            }
            drop(Secret::new(value.into_owned(), "address"));
        }
        sound
    }

    /// A credential over plain HTTP can be read on the way; on this machine there is no way.
    pub fn credentials_in_clear(
        &mut self,
        path: &Path,
        url: Option<&Url>,
        headers: Option<&[(String, crate::config::profile::Text)]>,
    ) {
        let (Some(url), Some(headers)) = (url, headers) else { return };
        let secret = headers
            .iter()
            .any(|(_, text)| matches!(text, crate::config::profile::Text::Secret { .. }));
        self.secret_in_clear(path, url, secret);
    }

    /// The same where it is known whether a secret goes there.
    pub fn secret_in_clear(&mut self, path: &Path, url: &Url, secret: bool) {
        if secret && url.scheme() == "http" && !is_local(url.host_str().unwrap_or("")) {
            self.warning(
                &path.key("url"),
                "a secret goes over this connection in clear text",
                "use https://",
            );
        }
    }

    /// Readings out of an HTTP answer. `taken` names may not be used again.
    pub fn http_readings(
        &mut self,
        path: &Path,
        raw: &BTreeMap<String, HttpReading>,
        taken: &[&str],
    ) -> Option<Vec<ReadingConfig>> {
        let mut out = Vec::new();
        for (name, reading) in raw {
            let path = path.key(name);
            if taken.contains(&name.as_str()) {
                let what = if name == "status" {
                    "the HTTP status"
                } else {
                    "measured by watchfloor itself"
                };
                self.error(
                    &path,
                    format!("the reading `{name}` exists already: it is {what}"),
                    format!("choose another name, such as `{name}_reported`"),
                );
                continue;
            }
            let from = match reading {
                HttpReading::Path(text) => {
                    self.json_path(&path, text).map(|path| Extract::Json(vec![path]))
                }
                HttpReading::FirstOf(texts) => self.json_paths(&path, texts).map(Extract::Json),
                HttpReading::Other(table) => self.other_reading(&path, table),
            };
            if let Some(from) = from {
                out.push(ReadingConfig { name: ReadingName::from(name.as_str()), from });
            }
        }
        (out.len() == raw.len()).then_some(out)
    }

    /// Places in JSON, of which the first that is there counts.
    pub fn json_paths(
        &mut self,
        path: &Path,
        texts: &[crate::config::raw::value::PathText],
    ) -> Option<Vec<JsonPath>> {
        if texts.is_empty() {
            self.error(
                path,
                format!("`{path}` names no place"),
                "such as [\"$.redis.connected\", \"$.results.redis.available\"]",
            );
            return None;
        }
        let mut paths = Vec::new();
        for (position, text) in texts.iter().enumerate() {
            paths.extend(self.json_path(&path.index(position), text));
        }
        (paths.len() == texts.len()).then_some(paths)
    }

    fn other_reading(&mut self, path: &Path, table: &HttpReadingTable) -> Option<Extract> {
        if let Some(text) = &table.past {
            return self.past(path, table, text);
        }
        if table.pattern.is_some() {
            self.error(
                &path.key("pattern"),
                "`pattern` says where in a text a time stands, and belongs to `past`",
                "write { past = \"$.items[*].note\", pattern = 'until (\\S+)' }, or leave it out",
            );
            return None;
        }
        if !table.labels.is_empty() {
            return self.labels(path, table);
        }
        match (&table.header, &table.count, &table.list) {
            (Some(name), None, None) => {
                self.header_name(path, name).then(|| Extract::Header(name.clone()))
            }
            (None, Some(text), None) => {
                self.json_path(&path.key("count"), text).map(Extract::Count)
            }
            (None, None, Some(text)) => self.json_path(&path.key("list"), text).map(Extract::List),
            _ => self.one_place(path),
        }
    }

    fn labels(&mut self, path: &Path, table: &HttpReadingTable) -> Option<Extract> {
        let Some(items) = table.list.as_ref().filter(|_| table.header.is_none()) else {
            self.error(
                &path.key("labels"),
                "`labels` says what tells the items of a `list` apart",
                "write { list = \"$.items[*]\", labels = [\"$.created\", \"$.title\"] }",
            );
            return None;
        };
        let items = self.json_path(&path.key("list"), items);
        let parts = self.json_paths(&path.key("labels"), &table.labels);
        Some(Extract::Labels { items: items?, parts: parts? })
    }

    fn past(
        &mut self,
        path: &Path,
        table: &HttpReadingTable,
        text: &crate::config::raw::value::PathText,
    ) -> Option<Extract> {
        if table.header.is_some() || table.count.is_some() || table.list.is_some() {
            return self.one_place(path);
        }
        let times = self.json_path(&path.key("past"), text);
        let pattern = match &table.pattern {
            Some(text) => Some(self.regular_expression(&path.key("pattern"), text)?),
            None => None,
        };
        Some(Extract::Past { path: times?, pattern })
    }

    fn one_place<T>(&mut self, path: &Path) -> Option<T> {
        self.error(
            path,
            format!("`{path}` must say exactly one place"),
            "write { header = \"NAME\" }, { count = \"$.items[*]\" }, { list = \"$.items[*].id\" } or \
             { past = \"$.items[*].ends\" }",
        );
        None
    }
}

/// Whether a host is this machine.
pub fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
