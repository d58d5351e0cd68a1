//! Postgres servers.

use std::time::Duration;

use url::Url;

use super::{Cx, Path, http::is_local, redis::decoded};
use crate::config::{
    profile::{PostgresSource, SslMode, Statement},
    raw::{
        source::{RawPostgres, RawSslMode, RawStatement},
        value::TextValue,
    },
    secret::Secret,
};

/// Keys that other programs put into such an address and that mean nothing to a console.
const FOREIGN: [&str; 14] = [
    "pgbouncer",
    "connection_limit",
    "pool_timeout",
    "schema",
    "statement_cache_size",
    "prepared_statements",
    "application_name",
    "connect_timeout",
    "socket_timeout",
    "channel_binding",
    "target_session_attrs",
    "gssencmode",
    "client_encoding",
    "options",
];

/// The longest that the answer of a statement may hold.
const LONGEST_HELD: Duration = Duration::from_secs(3_600);

/// What may stand in place of an `sslmode` that is not offered.
const SSL_MODES: &str = "sslmode = \"verify-full\", \"require\", \"prefer\" or \"disable\"; with ca_file for a root of your own";

/// A server and a role, as they are written.
#[derive(Clone, Copy)]
pub struct Server<'a> {
    /// The address.
    pub url: &'a TextValue,
    /// The role's password.
    pub password: Option<&'a TextValue>,
    /// Encryption, over what the address says.
    pub sslmode: Option<RawSslMode>,
    /// The only roots to trust.
    pub ca_file: Option<&'a str>,
    /// Do not verify at all.
    pub insecure: bool,
}

/// What an address says.
struct Address {
    host: String,
    port: u16,
    database: String,
    user: String,
    password: Option<Secret>,
    sslmode: Option<SslMode>,
    ca_file: Option<String>,
}

impl Cx<'_> {
    /// A Postgres server.
    pub fn postgres(&mut self, path: &Path, raw: &RawPostgres) -> Option<PostgresSource> {
        let server = Server {
            url: &raw.url,
            password: raw.password.as_ref(),
            sslmode: raw.sslmode,
            ca_file: raw.ca_file.as_deref(),
            insecure: raw.insecure,
        };
        let server = self.postgres_server(path, &server);
        let statement_timeout =
            self.duration(&path.key("statement_timeout"), &raw.statement_timeout);
        let long_query = self.duration(&path.key("long_query"), &raw.long_query);
        let queries = self.own_queries(&path.key("queries"), &raw.queries);
        Some(PostgresSource {
            statement_timeout: statement_timeout?,
            long_query: long_query?,
            queries: queries?,
            ..server?
        })
    }

    /// How to reach a server and log in. Nothing is to be polled there.
    pub fn postgres_server(&mut self, path: &Path, raw: &Server<'_>) -> Option<PostgresSource> {
        let address = self.postgres_address(path, raw);
        let own = self.maybe_secret(&path.key("password"), raw.password);
        let address = address?;
        let sslmode = raw.sslmode.map(ssl_mode).or(address.sslmode);
        let sslmode = sslmode.unwrap_or_else(|| default_mode(&address.host));
        let ca_file = raw.ca_file.map(str::to_owned).or(address.ca_file);
        let secure = sslmode != SslMode::Disable;
        let tls = self.tls(path, ca_file.as_deref(), raw.insecure, secure)?;
        Some(PostgresSource {
            host: address.host,
            port: address.port,
            database: address.database,
            user: address.user,
            password: own?.or(address.password),
            sslmode,
            tls,
            statement_timeout: Duration::ZERO,
            long_query: Duration::ZERO,
            queries: Vec::new(),
        })
    }

    fn postgres_address(&mut self, path: &Path, raw: &Server<'_>) -> Option<Address> {
        let path = path.key("url");
        let (text, origin) = self.address_text(&path, raw.url)?;
        let example = "such as \"postgres://user@host:5432/database\"";
        // Where the host is a parameter, its own place is empty, which the parser refuses.
        let text = text.trim().replacen("@/", "@localhost/", 1);
        let url = match Url::parse(&text) {
            Ok(url) => url,
            Err(error) => {
                self.error(&path, format!("this is not an address: {error}"), example);
                return None;
            }
        };
        let wrong = match url.scheme() {
            "postgres" | "postgresql" => None,
            "redis" | "rediss" => Some(("this is a Redis address", "kind = \"redis\"")),
            "http" | "https" => Some((
                "this is a web address",
                "kind = \"http\", or the postgres:// address of the database",
            )),
            _ => Some(("this is not a Postgres address", "it begins with postgres://")),
        };
        if let Some((message, cure)) = wrong {
            self.error(&path, message, cure);
            return None;
        }
        let password = self.address_password(&path, url.password(), origin.as_deref());
        let mut address = self.postgres_parts(&path, &url, raw)?;
        address.password = password?;
        Some(address)
    }

    fn postgres_parts(&mut self, path: &Path, url: &Url, raw: &Server<'_>) -> Option<Address> {
        let user = decoded(url.username());
        let mut address = Address {
            host: url
                .host_str()
                .unwrap_or("")
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: url.port().unwrap_or(5432),
            database: decoded(url.path().trim_start_matches('/')),
            user,
            password: None,
            sslmode: None,
            ca_file: None,
        };
        let mut sound = true;
        for (key, value) in url.query_pairs() {
            sound &=
                self.postgres_parameter(path, &mut address, &key, &value, raw.sslmode.is_some());
        }
        if address.user.is_empty() {
            self.error(
                path,
                "the address names no role",
                "such as \"postgres://user@host:5432/database\"",
            );
            sound = false;
        }
        if address.host.is_empty() {
            self.error(path, "the address names no host", "such as \"postgres://user@host:5432/database\", or ?host=/var/run/postgresql for a socket");
            sound = false;
        }
        if address.database.is_empty() {
            address.database.clone_from(&address.user);
        }
        sound.then_some(address)
    }

    /// One `key=value` of the address. False where it is wrong.
    fn postgres_parameter(
        &mut self,
        path: &Path,
        address: &mut Address,
        key: &str,
        value: &str,
        overridden: bool,
    ) -> bool {
        let (message, cure) = match key {
            "host" => return set(&mut address.host, value),
            "user" => return set(&mut address.user, value),
            "dbname" => return set(&mut address.database, value),
            "sslrootcert" => {
                address.ca_file = (value != "system").then(|| value.to_owned());
                return true;
            }
            "sslmode" => {
                if !overridden {
                    address.sslmode = parse_mode(value);
                }
                if overridden || address.sslmode.is_some() {
                    return true;
                }
                (format!("sslmode={value} is not offered"), SSL_MODES)
            }
            "port" => {
                if let Ok(port) = value.parse() {
                    address.port = port;
                    return true;
                }
                ("the port in the address is not a number".to_owned(), "from 1 to 65535")
            }
            "password" => {
                drop(Secret::new(value.to_owned(), "address"));
                let message = "the password stands among the parameters of the address".to_owned();
                (message, "write password = { env = \"NAME\" }")
            }
            key if FOREIGN.contains(&key) => {
                let message = format!("the address has `{key}`, which is left out here");
                self.warning(
                    path,
                    message,
                    "it is meant for another program; nothing is to be done",
                );
                return true;
            }
            key => (
                format!("the address has an unknown parameter `{key}`"),
                "take it out of the address",
            ),
        };
        self.error(path, message, cure);
        false
    }

    /// The operator's own statements: one SELECT each. The session is read-only as well.
    fn own_queries(&mut self, path: &Path, queries: &[RawStatement]) -> Option<Vec<Statement>> {
        let mut out = Vec::new();
        for (position, raw) in queries.iter().enumerate() {
            let query = raw.sql().trim().trim_end_matches(';').trim_end();
            let word = query.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
            let path = path.index(position);
            if !word.eq_ignore_ascii_case("select") && !word.eq_ignore_ascii_case("with") {
                self.error(
                    &path,
                    "only a SELECT may stand here",
                    "such as \"SELECT count(*) AS waiting FROM jobs\"",
                );
            } else if query.contains(';') {
                self.error(
                    &path,
                    "only one statement may stand here",
                    "make each its own entry of the list",
                );
            } else if let Some(every) = self.asked_every(&path, raw) {
                let columns = super::known::columns(query).map(str::to_owned).collect();
                out.push(Statement { sql: query.to_owned(), every, columns });
            }
        }
        (out.len() == queries.len()).then_some(out)
    }

    /// How long the answer of a statement holds.
    fn asked_every(&mut self, path: &Path, raw: &RawStatement) -> Option<Duration> {
        let RawStatement::Seldom(seldom) = raw else { return Some(Duration::ZERO) };
        let path = path.key("every");
        let every = self.duration(&path, &seldom.every)?;
        if every > LONGEST_HELD {
            self.error(
                &path,
                "an answer that is older than an hour says nothing of now",
                "write 1h or less",
            );
            return None;
        }
        Some(every)
    }
}

fn set(field: &mut String, value: &str) -> bool {
    value.clone_into(field);
    true
}

fn parse_mode(text: &str) -> Option<SslMode> {
    match text {
        "disable" => Some(SslMode::Disable),
        "prefer" => Some(SslMode::Prefer),
        "require" => Some(SslMode::Require),
        "verify-full" => Some(SslMode::VerifyFull),
        _ => None,
    }
}

fn ssl_mode(raw: RawSslMode) -> SslMode {
    match raw {
        RawSslMode::Disable => SslMode::Disable,
        RawSslMode::Prefer => SslMode::Prefer,
        RawSslMode::Require => SslMode::Require,
        RawSslMode::VerifyFull => SslMode::VerifyFull,
    }
}

/// Verified where anybody could be in between; as libpq has it on this machine.
fn default_mode(host: &str) -> SslMode {
    if host.starts_with('/') || is_local(host) { SslMode::Prefer } else { SslMode::VerifyFull }
}
