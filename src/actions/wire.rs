//! What a runner is handed on its standard input: everything it needs to carry out exactly
//! one run, secrets included. It never touches the disk or a command line.

mod http;
mod sequence;
mod sql;

use std::{path::PathBuf, sync::Arc, time::Duration};

use regex::Regex;
use secrecy::zeroize::Zeroize;
use serde::{Deserialize, Serialize};
use serde_json_path::JsonPath;

use super::{Order, process::ProcessId};
use crate::{
    config::{
        profile::{
            ActionConfig, ActionKind, CommandAction, Extract, Form, ReadingConfig, RedisAction,
            RedisAddress, RedisSource, Text, TlsOptions,
        },
        secret::{self, Secret},
    },
    domain::{
        action::TakeOver,
        ids::{ActionId, RunId, SourceId},
    },
};

/// The version of this form. Both sides are the same program; a newer one that was
/// installed in between says so instead of guessing.
const VERSION: u32 = 3;

/// Everything for one run.
#[derive(Serialize, Deserialize)]
pub(super) struct Handover {
    version: u32,
    /// The run.
    pub(super) run: RunId,
    /// The state directory, absolute.
    pub(super) state_dir: PathBuf,
    /// The digest of the plan that was confirmed.
    pub(super) digest: String,
    /// `service/environment`.
    pub(super) target: String,
    /// Why and from whom a lock is taken over, where it is.
    pub(super) take_over: Option<TakeOver>,
    /// The run ends when this process does.
    pub(super) ends_with: Option<ProcessId>,
    /// How long the action must have rested when the run begins, milliseconds.
    cooldown_ms: u64,
    secrets: Vec<String>,
    action: Action,
}

#[derive(Serialize, Deserialize)]
struct Action {
    id: ActionId,
    timeout_ms: u64,
    locks: Vec<String>,
    kind: Kind,
}

#[derive(Serialize, Deserialize)]
enum Kind {
    Http(http::Http),
    Redis {
        source: SourceId,
        socket: Option<PathBuf>,
        host: String,
        port: u16,
        database: i64,
        username: Option<String>,
        password: Option<Hidden>,
        tls: Option<Tls>,
        delete: Vec<String>,
        protect: Vec<String>,
        keys_per_second: u32,
    },
    Command(Command),
    Sql(sql::Sql),
    Sequence(sequence::Sequence),
}

/// A program.
#[derive(Serialize, Deserialize)]
struct Command {
    argv: Vec<String>,
    shell: bool,
    directory: Option<PathBuf>,
    environment: Vec<(String, Words)>,
    stdin: Option<Words>,
    interactive: bool,
}

#[derive(Serialize, Deserialize)]
struct Tls {
    ca_file: Option<PathBuf>,
    insecure: bool,
}

#[derive(Serialize, Deserialize)]
struct Hidden {
    value: String,
    origin: String,
}

#[derive(Serialize, Deserialize)]
enum Words {
    Plain(String),
    Secret { prefix: String, secret: Hidden },
}

/// Where a reading of an HTTP answer stands; the others have none.
#[derive(Serialize, Deserialize)]
enum From {
    Json(Vec<String>),
    Count(String),
    List(String),
    Labels { items: String, parts: Vec<String> },
    Past { path: String, pattern: Option<String> },
    Header(String),
    Info(String),
}

impl Handover {
    /// For one run. What the action asks for must have been filled in.
    pub(super) fn new(config: &ActionConfig, order: &Order, state_dir: PathBuf) -> Self {
        Self {
            version: VERSION,
            run: order.run.clone(),
            state_dir,
            digest: order.digest.clone(),
            target: order.target.clone(),
            take_over: order.take_over.clone(),
            ends_with: order.ends_with_us.then(ProcessId::current).flatten(),
            cooldown_ms: milliseconds(order.cooldown),
            secrets: secret::known(),
            action: Action {
                id: config.id.clone(),
                timeout_ms: milliseconds(config.timeout),
                locks: config.locks.clone(),
                kind: Kind::of(&config.kind),
            },
        }
    }

    /// The bytes, for the standard input of a runner.
    pub(super) fn encode(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| error.to_string())
    }

    /// Reads the bytes. What must not be shown is known from here on. The bytes are wiped.
    pub(super) fn decode(mut bytes: Vec<u8>) -> Result<Self, String> {
        let decoded: Result<Self, _> = serde_json::from_slice(&bytes);
        bytes.zeroize();
        // The error could quote a secret.
        let decoded = decoded.map_err(|error| {
            format!("what was handed over cannot be read (line {})", error.line())
        })?;
        if decoded.version != VERSION {
            return Err("another version of this program handed it over".to_owned());
        }
        secret::remember_all(decoded.secrets.iter().map(String::as_str));
        Ok(decoded)
    }

    /// How long the action must have rested when the run begins.
    pub(super) fn cooldown(&self) -> Duration {
        Duration::from_millis(self.cooldown_ms)
    }

    /// How the action is carried out.
    pub(super) fn action(&self) -> Result<ActionConfig, String> {
        Ok(ActionConfig {
            id: self.action.id.clone(),
            kind: self.action.kind.restore()?,
            timeout: Duration::from_millis(self.action.timeout_ms),
            locks: self.action.locks.clone(),
            // What was asked for is in the texts already.
            form: Form::default(),
        })
    }
}

/// As whole milliseconds.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Kind {
    fn of(kind: &ActionKind) -> Self {
        match kind {
            ActionKind::Http(http) => Self::Http(http::Http::of(http)),
            ActionKind::Redis(redis) => {
                let server = &redis.redis;
                let (socket, host, port) = match &server.address {
                    RedisAddress::Unix(path) => (Some(path.clone()), String::new(), 0),
                    RedisAddress::Tcp { host, port } => (None, host.clone(), *port),
                };
                Self::Redis {
                    source: redis.source.clone(),
                    socket,
                    host,
                    port,
                    database: server.database,
                    username: server.username.clone(),
                    password: server.password.as_ref().map(Hidden::of),
                    tls: server.tls.as_ref().map(Tls::of),
                    delete: redis.delete.clone(),
                    protect: redis.protect.clone(),
                    keys_per_second: redis.keys_per_second,
                }
            }
            ActionKind::Command(command) => Self::Command(Command::of(command)),
            ActionKind::Sql(action) => Self::Sql(sql::Sql::of(action)),
            ActionKind::Sequence(action) => Self::Sequence(sequence::Sequence::of(action)),
        }
    }

    fn restore(&self) -> Result<ActionKind, String> {
        Ok(match self {
            Self::Http(http) => ActionKind::Http(Box::new(http.restore()?)),
            Self::Redis { source, delete, protect, keys_per_second, .. } => {
                ActionKind::Redis(Box::new(RedisAction {
                    source: source.clone(),
                    redis: self.server(),
                    delete: delete.clone(),
                    protect: protect.clone(),
                    keys_per_second: *keys_per_second,
                }))
            }
            Self::Command(command) => ActionKind::Command(Box::new(command.restore())),
            Self::Sql(action) => ActionKind::Sql(Box::new(action.restore())),
            Self::Sequence(sequence) => ActionKind::Sequence(sequence.restore()?),
        })
    }

    /// The connection of a deletion. What only polling needs stays behind.
    fn server(&self) -> RedisSource {
        let mut server = RedisSource {
            address: RedisAddress::Tcp { host: String::new(), port: 0 },
            database: 0,
            username: None,
            password: None,
            tls: None,
            readings: Vec::new(),
            slowlog: 0,
            pressure: Vec::new(),
            scan_budget: 0,
        };
        if let Self::Redis { socket, host, port, database, username, password, tls, .. } = self {
            server.address = match socket {
                Some(path) => RedisAddress::Unix(path.clone()),
                None => RedisAddress::Tcp { host: host.clone(), port: *port },
            };
            server.database = *database;
            server.username.clone_from(username);
            server.password = password.as_ref().map(Hidden::restore);
            server.tls = tls.as_ref().map(Tls::restore);
        }
        server
    }
}

impl Command {
    fn of(command: &CommandAction) -> Self {
        Self {
            argv: command.argv.clone(),
            shell: command.shell,
            directory: command.directory.clone(),
            environment: named(&command.environment),
            stdin: command.stdin.as_ref().map(Words::of),
            interactive: command.interactive,
        }
    }

    fn restore(&self) -> CommandAction {
        CommandAction {
            argv: self.argv.clone(),
            shell: self.shell,
            directory: self.directory.clone(),
            environment: texts(&self.environment),
            stdin: self.stdin.as_ref().map(Words::restore),
            interactive: self.interactive,
        }
    }
}

fn taken(readings: &[ReadingConfig]) -> Vec<(String, From)> {
    readings.iter().map(|one| (one.name.to_string(), From::of(&one.from))).collect()
}

fn given(readings: &[(String, From)]) -> Result<Vec<ReadingConfig>, String> {
    let one = |(name, from): &(String, From)| {
        Ok(ReadingConfig { name: Arc::from(name.as_str()), from: from.restore()? })
    };
    readings.iter().map(one).collect()
}

fn named(texts: &[(String, Text)]) -> Vec<(String, Words)> {
    texts.iter().map(|(name, text)| (name.clone(), Words::of(text))).collect()
}

fn texts(named: &[(String, Words)]) -> Vec<(String, Text)> {
    named.iter().map(|(name, words)| (name.clone(), words.restore())).collect()
}

impl Tls {
    fn of(tls: &TlsOptions) -> Self {
        Self { ca_file: tls.ca_file.clone(), insecure: tls.insecure }
    }

    fn restore(&self) -> TlsOptions {
        TlsOptions { ca_file: self.ca_file.clone(), insecure: self.insecure }
    }
}

impl Hidden {
    fn of(secret: &Secret) -> Self {
        Self { value: secret.expose().to_owned(), origin: secret.origin().to_owned() }
    }

    fn restore(&self) -> Secret {
        Secret::new(self.value.clone(), self.origin.clone())
    }
}

impl Words {
    fn of(text: &Text) -> Self {
        match text {
            Text::Plain(text) => Self::Plain(text.clone()),
            Text::Secret { prefix, secret } => {
                Self::Secret { prefix: prefix.clone(), secret: Hidden::of(secret) }
            }
        }
    }

    fn restore(&self) -> Text {
        match self {
            Self::Plain(text) => Text::Plain(text.clone()),
            Self::Secret { prefix, secret } => {
                Text::Secret { prefix: prefix.clone(), secret: secret.restore() }
            }
        }
    }
}

impl From {
    fn of(extract: &Extract) -> Self {
        match extract {
            Extract::Json(paths) => Self::Json(paths.iter().map(ToString::to_string).collect()),
            Extract::Count(path) => Self::Count(path.to_string()),
            Extract::List(path) => Self::List(path.to_string()),
            Extract::Labels { items, parts } => Self::Labels {
                items: items.to_string(),
                parts: parts.iter().map(ToString::to_string).collect(),
            },
            Extract::Past { path, pattern } => Self::Past {
                path: path.to_string(),
                pattern: pattern.as_ref().map(ToString::to_string),
            },
            Extract::Header(name) => Self::Header(name.clone()),
            Extract::Info(name) => Self::Info(name.clone()),
        }
    }

    fn restore(&self) -> Result<Extract, String> {
        let path = |text: &String| JsonPath::parse(text).map_err(|error| error.to_string());
        Ok(match self {
            Self::Json(paths) => Extract::Json(paths.iter().map(path).collect::<Result<_, _>>()?),
            Self::Count(text) => Extract::Count(path(text)?),
            Self::List(text) => Extract::List(path(text)?),
            Self::Labels { items, parts } => Extract::Labels {
                items: path(items)?,
                parts: parts.iter().map(path).collect::<Result<_, _>>()?,
            },
            Self::Past { path: text, pattern } => {
                let pattern = pattern.as_deref().map(Regex::new).transpose();
                Extract::Past { path: path(text)?, pattern: pattern.map_err(|e| e.to_string())? }
            }
            Self::Header(name) => Extract::Header(name.clone()),
            Self::Info(name) => Extract::Info(name.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actions::plan::Plan,
        config::profile::{HttpAction, StatusRange},
        domain::ask::Answers,
    };

    fn secret(value: &str) -> Text {
        let secret = Secret::new(value.to_owned(), "env WIRE_TOKEN");
        Text::Secret { prefix: "Bearer ".to_owned(), secret }
    }

    fn order(run: &str) -> Order {
        Order::new(run.into(), "d", "shop/test")
    }

    /// What arrives makes the very plan that was confirmed, with the secrets in it.
    #[test]
    fn what_is_handed_over_makes_the_same_plan() {
        let http = HttpAction {
            method: "POST".to_owned(),
            url: url::Url::parse("https://api.example.com/v1/x?a=1").expect("an address"),
            headers: vec![("Authorization".to_owned(), secret("wire-canary-1"))],
            body: Some(serde_json::json!({"b": [1, "ü"], "c": "⟨WIRE_TOKEN⟩"})),
            hidden: vec![("/c".to_owned(), secret("wire-canary-5"))],
            accept: vec![StatusRange { from: 200, to: 204 }],
            tls: TlsOptions { ca_file: Some("/ca.pem".into()), insecure: true },
            readings: vec![
                ReadingConfig {
                    name: "id".into(),
                    from: Extract::Json(vec![JsonPath::parse("$.a['b c'][0]").expect("a path")]),
                },
                ReadingConfig { name: "etag".into(), from: Extract::Header("etag".to_owned()) },
            ],
            idempotency_key_header: Some("Idempotency-Key".to_owned()),
        };
        let redis = RedisAction {
            source: "cache".into(),
            redis: RedisSource {
                address: RedisAddress::Tcp { host: "cache".to_owned(), port: 6380 },
                database: 3,
                username: Some("ops".to_owned()),
                password: Some(Secret::new("wire-canary-2".to_owned(), "file pw")),
                tls: Some(TlsOptions::default()),
                readings: Vec::new(),
                slowlog: 9,
                pressure: Vec::new(),
                scan_budget: 9,
            },
            delete: vec!["car:*".to_owned()],
            protect: vec!["car:lock:*".to_owned()],
            keys_per_second: 77,
        };
        let command = CommandAction {
            argv: vec!["cat".to_owned(), "-".to_owned()],
            shell: false,
            directory: Some("/tmp".into()),
            environment: vec![("TOKEN".to_owned(), secret("wire-canary-3"))],
            stdin: Some(Text::Plain("yes\n12\n".to_owned())),
            interactive: true,
        };
        for kind in [
            ActionKind::Http(Box::new(http)),
            ActionKind::Redis(Box::new(redis)),
            ActionKind::Command(Box::new(command)),
        ] {
            let config = ActionConfig {
                id: "warm".into(),
                kind,
                timeout: Duration::from_millis(1_500),
                locks: vec!["shop/cache".to_owned()],
                form: Form::default(),
            };
            let sent = Handover::new(&config, &order("r"), "/state".into());
            let came = Handover::decode(sent.encode().expect("bytes")).expect("read");
            let action = came.action().expect("an action");
            let digest = |config| Plan::make(config, &Answers::none()).digest;
            assert_eq!(digest(&config), digest(&action), "{config:?}");
            assert_eq!(format!("{:?}", config.locks), format!("{:?}", action.locks));
            // Everything but what only polling uses, secrets by their origin.
            let shown = |config: &ActionConfig| {
                format!("{config:?}")
                    .replace("slowlog: 9", "slowlog: 0")
                    .replace("budget: 9", "budget: 0")
            };
            assert_eq!(shown(&config), shown(&action));
            if let (ActionKind::Command(sent), ActionKind::Command(came)) =
                (&config.kind, &action.kind)
            {
                assert_eq!(sent.environment, came.environment, "the secret itself");
            }
        }
    }

    #[test]
    fn what_was_cut_off_is_refused_and_not_quoted() {
        let config = ActionConfig {
            id: "warm".into(),
            kind: ActionKind::Command(Box::new(CommandAction {
                argv: vec!["true".to_owned()],
                shell: false,
                directory: None,
                environment: vec![("TOKEN".to_owned(), secret("wire-canary-4"))],
                stdin: None,
                interactive: false,
            })),
            timeout: Duration::from_secs(1),
            locks: Vec::new(),
            form: Form::default(),
        };
        let whole = Handover::new(&config, &order("r"), "/state".into()).encode().expect("bytes");
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            let why = Handover::decode(whole[..length].to_vec()).err().expect("refused");
            assert!(!why.contains("canary"), "{why}");
        }
    }
}
