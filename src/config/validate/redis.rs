//! Redis servers and Upstash.

use std::{collections::BTreeMap, path::PathBuf};

use url::Url;

use super::{Cx, Path, source::Sources};
use crate::{
    config::{
        profile::{
            Extract, PressureConfig, ReadingConfig, RedisAction, RedisAddress, RedisSource,
            SourceKind, UpstashSource,
        },
        raw::{
            RawConfig,
            action::RawRedisAction,
            source::{RawPressure, RawRedis, RawUpstash},
            value::{InfoReading, TextValue},
        },
        secret::Secret,
    },
    domain::ids::{ReadingName, SourceId},
};

/// What an address says.
struct Address {
    address: RedisAddress,
    database: i64,
    username: Option<String>,
    password: Option<Secret>,
    tls: bool,
}

impl Cx<'_> {
    /// A Redis server.
    pub fn redis(&mut self, path: &Path, raw: &RawRedis) -> Option<RedisSource> {
        let address = self.redis_address(&path.key("url"), &raw.url);
        let own = self.maybe_secret(&path.key("password"), raw.password.as_ref());
        let readings = self.info_readings(&path.key("readings"), &raw.readings);
        let pressure = self.pressure(&path.key("pressure"), &raw.pressure);
        let secure = address.as_ref().is_none_or(|address| address.tls);
        let tls = self.tls(path, raw.ca_file.as_deref(), raw.insecure, secure);
        let address = address?;
        Some(RedisSource {
            address: address.address,
            database: address.database,
            username: raw.username.clone().or(address.username),
            password: own?.or(address.password),
            tls: address.tls.then_some(tls?),
            readings: readings?,
            slowlog: raw.slowlog,
            pressure: pressure?,
            scan_budget: raw.scan_budget,
        })
    }

    fn redis_address(&mut self, path: &Path, value: &TextValue) -> Option<Address> {
        let (text, origin) = self.address_text(path, value)?;
        if let Some(socket) = socket_path(&text) {
            let address = RedisAddress::Unix(socket);
            return Some(Address {
                address,
                database: 0,
                username: None,
                password: None,
                tls: false,
            });
        }
        let url = match Url::parse(text.trim()) {
            Ok(url) => url,
            Err(error) => {
                self.error(
                    path,
                    format!("this is not an address: {error}"),
                    "such as \"redis://host:6379/0\" or \"rediss://user@host:6380\"",
                );
                return None;
            }
        };
        let tls = self.redis_scheme(path, url.scheme())?;
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            self.error(path, "the address has no host", "such as \"redis://host:6379/0\"");
            return None;
        };
        let database = self.redis_database(path, &url);
        let password = self.address_password(path, url.password(), origin.as_deref());
        let (database, password) = (database?, password?);
        let username = decoded(url.username());
        Some(Address {
            address: RedisAddress::Tcp {
                host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
                port: url.port().unwrap_or(6379),
            },
            database,
            username: (!username.is_empty()).then_some(username),
            password,
            tls,
        })
    }

    /// Whether the scheme means TLS.
    fn redis_scheme(&mut self, path: &Path, scheme: &str) -> Option<bool> {
        let (message, cure) = match scheme {
            "redis" => return Some(false),
            "rediss" => return Some(true),
            "http" | "https" => {
                ("this is a REST address", "kind = \"upstash\", with token = { env = \"…\" }")
            }
            "postgres" | "postgresql" => ("this is a Postgres address", "kind = \"postgres\""),
            _ => ("this is not a Redis address", "it begins with redis://, rediss:// or unix://"),
        };
        self.error(path, message, cure);
        None
    }

    fn redis_database(&mut self, path: &Path, url: &Url) -> Option<i64> {
        let written = url.path().trim_matches('/');
        match written.parse::<i64>() {
            Ok(number) if (0..=1_000_000).contains(&number) => Some(number),
            _ if written.is_empty() => Some(0),
            _ => {
                self.error(
                    path,
                    "after the host stands the number of the database",
                    "such as redis://host:6379/0",
                );
                None
            }
        }
    }

    /// A password in an address: only where the address comes from elsewhere. The outer
    /// None is an error.
    pub fn address_password(
        &mut self,
        path: &Path,
        written: Option<&str>,
        origin: Option<&str>,
    ) -> Option<Option<Secret>> {
        let Some(written) = written else { return Some(None) };
        // As it is written and as it is meant: neither may show up anywhere.
        drop(Secret::new(written.to_owned(), "address"));
        match origin {
            Some(origin) => {
                let decoded = decoded(written);
                self.too_short_to_hide(path, &decoded);
                Some(Some(Secret::new(decoded, origin)))
            }
            None => {
                self.error(
                    path,
                    "the address holds a password in plain text",
                    "take it out and write password = { env = \"NAME\" }, or url = { env = \"NAME\" } for the whole address; and change it if others could read it",
                );
                None
            }
        }
    }

    fn info_readings(
        &mut self,
        path: &Path,
        raw: &BTreeMap<String, InfoReading>,
    ) -> Option<Vec<ReadingConfig>> {
        let mut out = Vec::new();
        for (name, reading) in raw {
            if reading.info.is_empty()
                || !reading.info.chars().all(|c| c.is_ascii_graphic() && c != ':')
            {
                self.error(
                    &path.key(name),
                    format!("{:?} cannot be a field of INFO", reading.info),
                    "such as { info = \"used_memory_peak\" }",
                );
                continue;
            }
            let from = Extract::Info(reading.info.clone());
            out.push(ReadingConfig { name: ReadingName::from(name.as_str()), from });
        }
        (out.len() == raw.len()).then_some(out)
    }

    fn pressure(&mut self, path: &Path, raw: &[RawPressure]) -> Option<Vec<PressureConfig>> {
        let mut out = Vec::new();
        for (position, raw_pressure) in raw.iter().enumerate() {
            let path = path.index(position);
            let fine = self.identifier_pattern(&path.key("pattern"), &raw_pressure.pattern);
            let window = self.duration(&path.key("window"), &raw_pressure.window);
            let Some(window) = window.filter(|_| fine) else { continue };
            out.push(PressureConfig {
                pattern: raw_pressure.pattern.clone(),
                tier: raw_pressure.tier.clone(),
                limit: raw_pressure.limit,
                window,
            });
        }
        (out.len() == raw.len()).then_some(out)
    }

    /// Upstash's REST interface.
    pub fn upstash(&mut self, path: &Path, raw: &RawUpstash) -> Option<UpstashSource> {
        let key = path.key("url");
        let address = self.address_text(&key, &raw.url);
        let url = match &address {
            Some((text, _)) if is_redis_address(text) => {
                self.error(
                    &key,
                    "this is a Redis address, not the REST one",
                    "kind = \"redis\", or the https:// address of the database",
                );
                None
            }
            Some((text, _)) => self.web_address(&key, text, "upstash"),
            None => None,
        };
        let url = url.filter(|url| self.upstash_secure(&key, url));
        let token = self.secret(&path.key("token"), &raw.token);
        let readings = self.info_readings(&path.key("readings"), &raw.readings);
        let secure = url.as_ref().is_none_or(|url| url.scheme() == "https");
        let tls = self.tls(path, raw.ca_file.as_deref(), raw.insecure, secure);
        Some(UpstashSource { url: url?, token: token?, tls: tls?, readings: readings? })
    }

    /// The token travels with every request: only over TLS, or within this machine.
    fn upstash_secure(&mut self, path: &Path, url: &Url) -> bool {
        let fine = url.scheme() == "https" || super::http::is_local(url.host_str().unwrap_or(""));
        if !fine {
            self.error(
                path,
                "the token would go over this connection in clear text",
                "use https://",
            );
        }
        fine
    }
}

fn is_redis_address(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("redis://") || text.starts_with("rediss://") || text.starts_with("unix://")
}

fn socket_path(text: &str) -> Option<PathBuf> {
    let text = text.trim();
    let path = text.strip_prefix("unix://").or_else(|| text.strip_prefix("redis+unix://"))?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// A part of an address without its percent signs (RFC 3986). The parser for forms does it,
/// once the characters that only mean something in a form are out of its way.
pub fn decoded(part: &str) -> String {
    let literal = part.replace('+', "%2B").replace('&', "%26");
    let pair = format!("={literal}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

impl Cx<'_> {
    /// Keys to delete.
    pub fn redis_action(
        &mut self,
        path: &Path,
        raw: &RawRedisAction,
        config: &RawConfig,
        sources: &Sources,
    ) -> Option<RedisAction> {
        let named = self.refers(&path.key("source"), "source", &raw.source, "source");
        let mut protect = raw.protect.clone();
        let caches = config.cache.values().filter(|cache| cache.source == raw.source);
        for prefix in caches.flat_map(|cache| &cache.prefix).filter(|prefix| prefix.protected) {
            if !protect.contains(&prefix.pattern) {
                protect.push(prefix.pattern.clone());
            }
        }
        let sound = self.deletable(path, raw, &protect);
        let id = SourceId::from(raw.source.as_str());
        let redis = match sources.get(&id).map(|source| &source.kind) {
            Some(SourceKind::Redis(redis)) => redis.as_ref().clone(),
            // Over REST the action is shown as not available; any other kind is a mistake.
            Some(SourceKind::Upstash(_)) | None => return None,
            Some(_) => {
                self.error(
                    &path.key("source"),
                    format!("the source `{id}` is not a Redis server"),
                    "name a source of kind \"redis\"",
                );
                return None;
            }
        };
        (named && sound).then(|| RedisAction {
            source: id,
            redis,
            delete: raw.delete.clone(),
            protect,
            keys_per_second: raw.keys_per_second,
        })
    }

    /// Whether what is to be deleted is bounded, and none of it is protected as a whole.
    fn deletable(&mut self, path: &Path, raw: &RawRedisAction, protect: &[String]) -> bool {
        let mut sound = true;
        for (position, pattern) in raw.protect.iter().enumerate() {
            sound &= self.prefix_pattern(&path.key("protect").index(position), pattern).is_some();
        }
        if raw.delete.is_empty() {
            self.error(
                &path.key("delete"),
                "nothing is to be deleted",
                "such as delete = [\"availability:*\"]",
            );
            sound = false;
        }
        for (position, pattern) in raw.delete.iter().enumerate() {
            let path = path.key("delete").index(position);
            let Some(prefix) = self.prefix_pattern(&path, pattern) else {
                sound = false;
                continue;
            };
            let protected = protect
                .iter()
                .find(|protected| prefix.starts_with(protected.trim_end_matches('*')));
            if let Some(protected) = protected {
                self.error(
                    &path,
                    format!("{pattern:?} is protected by {protected:?}"),
                    "what is protected is never deleted: take one of the two out",
                );
                sound = false;
            }
        }
        sound
    }
}
