//! One connection to a Redis-protocol server.
//!
//! The connection itself is made here and handed to the client library, so that names,
//! addresses, certificates and time limits are treated as for every other source.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, ProtocolVersion, RedisConnectionInfo,
    RedisError, RedisResult, Value, aio::MultiplexedConnection,
};
use tokio::{io::AsyncReadExt, time::timeout};

use super::{
    super::{
        meter::{Allowance, Metered},
        net::{self, BoxStream, Driver},
        progress::{Progress, Stage},
        tls,
    },
    refusal::{self, Who},
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
pub(super) struct Link {
    connection: MultiplexedConnection,
    allowance: Allowance,
    _driver: Driver<()>,
}

impl Link {
    /// Connects, logs in and selects the database. RESP3 is preferred: with it, a server
    /// that has no room says so.
    pub(super) async fn open(
        config: &RedisSource,
        progress: &mut Progress,
    ) -> Result<Self, Failure> {
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
        // Every call has the poll's own time limit around it.
        let settings =
            AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let stream = Metered::new(stream, allowance.clone());
        match MultiplexedConnection::new_with_config(&info, stream, settings).await {
            Ok((connection, driver)) => {
                Ok(Ok(Self { connection, allowance, _driver: Driver::spawn(driver) }))
            }
            Err(error) => Ok(Err((error, allowance))),
        }
    }

    /// Sends one command.
    pub(super) async fn ask(&mut self, command: &Cmd) -> RedisResult<Value> {
        self.allowance.refill();
        command.query_async(&mut self.connection).await
    }

    /// Sends several commands at once. Each has its own result.
    pub(super) async fn ask_all(
        &mut self,
        commands: &mut Pipeline,
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        self.allowance.refill();
        commands.ignore_errors().query_async(&mut self.connection).await
    }

    /// The failure that an error of this connection stands for.
    pub(super) fn failure(&self, error: &RedisError, config: &RedisSource) -> Failure {
        match self.allowance.exceeded() {
            Some(too_large) if !refusal::is_from_server(error) => too_large,
            _ => refusal::failure(error, &Who::of(config)),
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
    let (host, port) = match &config.address {
        RedisAddress::Unix(path) => return Ok(Box::new(net::connect_unix(path, progress).await?)),
        RedisAddress::Tcp { host, port } => (host, *port),
    };
    let Some(options) = &config.tls else {
        return Ok(Box::new(net::connect(host, port, progress).await?));
    };
    let settings = tls::settings(options).await?;
    let stream = net::connect(host, port, progress).await?;
    Ok(Box::new(tls::handshake(stream, host, settings, progress).await?))
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
