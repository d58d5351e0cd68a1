//! Connections to Redis-protocol servers, and what all who ask them have in common.
//!
//! The connection itself is made here and handed to the client library, so that names,
//! addresses, certificates and time limits are treated as everywhere else.

pub mod count;

pub mod refusal;

pub mod reply;

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, ProtocolVersion, RedisConnectionInfo,
    RedisError, RedisResult, Value, aio::MultiplexedConnection,
};
use tokio::{io::AsyncReadExt, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use self::refusal::Who;
use super::{
    dial::{self, BoxStream, Endpoint},
    meter::{Allowance, Metered},
    progress::{Progress, Stage},
    words,
};
use crate::{
    config::profile::{RedisAddress, RedisSource},
    domain::failure::{Failure, FailureKind},
};

/// The most that one answer may bring, bytes. INFO takes some five thousand.
const LARGEST_ANSWER: u64 = 16 << 20;

/// How long a server that closed a connection is given to say why, on another one.
const LAST_WORDS_PATIENCE: Duration = Duration::from_millis(300);

/// A connection that is logged in.
pub struct Link {
    connection: MultiplexedConnection,
    allowance: Allowance,
    who: Who,
    _driver: AbortOnDropHandle<()>,
}

impl Link {
    /// Connects, logs in and selects the database. RESP3 is preferred: with it, a server
    /// that has no room says so.
    ///
    /// # Errors
    /// The server cannot be reached, or lets nobody in.
    pub async fn open(config: &RedisSource, progress: &mut Progress) -> Result<Self, Failure> {
        let outcome = match Self::log_in(config, ProtocolVersion::RESP3, progress).await? {
            Err((error, _)) if wants_resp2(&error) => {
                Self::log_in(config, ProtocolVersion::RESP2, progress).await?
            }
            outcome => outcome,
        };
        let mut link = match outcome {
            Ok(link) => link,
            Err((error, allowance)) => {
                return Err(login_failure(config, &error, &allowance, progress).await);
            }
        };
        // So that somebody who lists the clients knows who this is. It may be forbidden.
        let _ = link.ask(redis::cmd("CLIENT").arg("SETNAME").arg("watchfloor")).await;
        Ok(link)
    }

    /// As [`Link::open`], in at most that time.
    ///
    /// # Errors
    /// As there, or the time was up.
    pub async fn open_within(config: &RedisSource, limit: Duration) -> Result<Self, Failure> {
        let mut progress = Progress::new(limit);
        let opened = timeout(limit, Self::open(config, &mut progress)).await;
        opened.unwrap_or_else(|_| Err(progress.too_late(limit)))
    }

    async fn log_in(
        config: &RedisSource,
        protocol: ProtocolVersion,
        progress: &mut Progress,
    ) -> Result<Result<Self, (RedisError, Allowance)>, Failure> {
        let stream = open_stream(config, progress).await?;
        progress.stage = Stage::LoggingIn;
        let allowance = Allowance::new(LARGEST_ANSWER);
        let mut info = RedisConnectionInfo::default()
            .set_db(config.database)
            .set_protocol(protocol)
            // On servers before 7.2 it would leave an error behind at every connection.
            .set_skip_set_lib_name();
        if let Some(user) = &config.username {
            info = info.set_username(user);
        }
        if let Some(password) = &config.password {
            info = info.set_password(password.expose());
        }
        // Every call has its time limit around it.
        let settings =
            AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let stream = Metered::new(stream, allowance.clone());
        match MultiplexedConnection::new_with_config(&info, stream, settings).await {
            Ok((connection, driver)) => Ok(Ok(Self {
                connection,
                allowance,
                who: Who::of(config),
                _driver: AbortOnDropHandle::new(tokio::spawn(driver)),
            })),
            Err(error) => Ok(Err((error, allowance))),
        }
    }

    /// Sends one command.
    ///
    /// # Errors
    /// As [`Link::failure`] says.
    pub async fn ask(&mut self, command: &Cmd) -> RedisResult<Value> {
        self.allowance.refill();
        command.query_async(&mut self.connection).await
    }

    /// Sends several commands at once. Each has its own result.
    ///
    /// # Errors
    /// As [`Link::failure`] says.
    pub async fn ask_all(
        &mut self,
        commands: &mut Pipeline,
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        self.allowance.refill();
        commands.ignore_errors().query_async(&mut self.connection).await
    }

    /// One step of a scan, which looks at about `count` keys: where the next step begins,
    /// zero after the last, and the keys that a pattern matches. A key may come twice.
    ///
    /// # Errors
    /// As [`Link::failure`] says, or the answer is something else.
    pub async fn scan(
        &mut self,
        cursor: u64,
        pattern: Option<&[u8]>,
        count: u64,
    ) -> Result<(u64, Vec<Vec<u8>>), Failure> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor);
        if let Some(pattern) = pattern {
            command.arg("MATCH").arg(pattern);
        }
        command.arg("COUNT").arg(count);
        let answer = self.ask(&command).await;
        reply::scanned(answer.map_err(|error| self.failure(&error))?)
    }

    /// The failure that an error of this connection stands for.
    pub fn failure(&self, error: &RedisError) -> Failure {
        match self.allowance.exceeded() {
            Some(too_large) if !refusal::is_from_server(error) => too_large,
            _ => refusal::failure(error, &self.who),
        }
    }
}

/// Servers before 6, and some proxies, do not know HELLO, or not to this user.
fn wants_resp2(error: &RedisError) -> bool {
    if error.kind() == ErrorKind::RESP3NotSupported {
        return true;
    }
    let (code, text) = refusal::code_and_text(error);
    let lower = text.to_ascii_lowercase();
    code == "NOPROTO"
        || (lower.contains("hello") && (lower.contains("unknown command") || code == "NOPERM"))
}

async fn open_stream(config: &RedisSource, progress: &mut Progress) -> Result<BoxStream, Failure> {
    match &config.address {
        RedisAddress::Unix(path) => Ok(Box::new(dial::connect_unix(path, progress).await?)),
        RedisAddress::Tcp { host, port } => {
            let endpoint = Endpoint { host: host.clone(), port: *port, tls: config.tls.clone() };
            Ok(endpoint.dial(None, progress).await?.stream)
        }
    }
}

/// Where the server is, without the password: `redis://user@host:port/db`.
pub fn shown(config: &RedisSource) -> String {
    match &config.address {
        RedisAddress::Tcp { host, port } => {
            let scheme = if config.tls.is_some() { "rediss" } else { "redis" };
            let host = Endpoint { host: host.clone(), port: *port, tls: None }.shown();
            let user = config.username.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
            words::plain(&format!("{scheme}://{user}{host}/{}", config.database))
        }
        RedisAddress::Unix(path) => {
            words::plain(&format!("unix:{}, database {}", path.display(), config.database))
        }
    }
}

/// Why there is no login. A server that has no room, or serves only its own machine,
/// writes one line and closes, which the sender of a command may see as a broken pipe: a
/// second connection that only listens gets the line.
async fn login_failure(
    config: &RedisSource,
    error: &RedisError,
    allowance: &Allowance,
    progress: &mut Progress,
) -> Failure {
    if let Some(too_large) = allowance.exceeded() {
        return too_large;
    }
    let failure = refusal::failure(error, &Who::of(config));
    if failure.kind == FailureKind::Closed {
        let words = last_words(config, progress).await.unwrap_or_default();
        if let Some(refusal) = words.trim_end().strip_prefix('-') {
            let (code, text) = refusal.split_once(' ').unwrap_or((refusal, ""));
            return refusal::from_server(code, text, &Who::of(config));
        }
    }
    let may_want_tls = matches!(failure.kind, FailureKind::Closed | FailureKind::BadAnswer);
    if may_want_tls && config.tls.is_none() {
        return failure.hint("the port may want TLS: rediss://");
    }
    failure
}

async fn last_words(config: &RedisSource, progress: &mut Progress) -> Option<String> {
    let listen = async {
        let mut stream = open_stream(config, progress).await.ok()?;
        let mut buffer = [0; 256];
        let count = stream.read(&mut buffer).await.ok()?;
        Some(String::from_utf8_lossy(&buffer[..count]).into_owned())
    };
    timeout(LAST_WORDS_PATIENCE, listen).await.ok().flatten()
}
