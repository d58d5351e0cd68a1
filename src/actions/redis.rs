//! A connection to Redis for one preview or one run, and nothing else.

use std::{collections::BTreeMap, time::Duration};

use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisConnectionInfo,
    RedisError, ServerErrorKind, Value as Reply, aio::MultiplexedConnection,
};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{
    net::{self, DIAL_LIMIT, Endpoint},
    words,
};
use crate::{
    config::profile::{RedisAddress, RedisSource},
    domain::failure::{Failure, FailureKind},
};

/// When a single command is given up.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Keys that the server looks at in one step of a scan: below a millisecond of its time.
const SCAN_COUNT: u32 = 1000;

/// One step of a scan.
#[derive(Debug)]
pub(super) struct Scanned {
    /// Where the next step begins; `None` after the last.
    pub(super) next: Option<u64>,
    /// The keys of this step. A key may come twice.
    pub(super) keys: Vec<Vec<u8>>,
}

/// What the server says of itself.
#[derive(Debug)]
pub(super) struct ServerState(BTreeMap<String, String>);

impl ServerState {
    /// Why no keys should be deleted on this server.
    pub(super) fn objections(&self) -> Vec<String> {
        let mut out = Vec::new();
        match self.get("role") {
            Some("master") => {}
            Some(role) => out.push(format!("the server is a {role}, not the master")),
            None => out.push("the server does not say whether it is the master".to_owned()),
        }
        if self.get("loading").is_some_and(|loading| loading != "0") {
            out.push("the server is still loading its data".to_owned());
        }
        if self.get("cluster_enabled") == Some("1") {
            out.push("the server is one node of a cluster: the others would be left".to_owned());
        }
        out
    }

    /// The server in a few words.
    pub(super) fn shown(&self) -> String {
        let role = self.get("role").unwrap_or("server of unknown role");
        match self.get("redis_version") {
            Some(version) => format!("{role}, version {}", words::clip(version, 20)),
            None => role.to_owned(),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// A connection.
pub(super) struct Link {
    connection: MultiplexedConnection,
    whom: String,
    _driver: AbortOnDropHandle<()>,
}

impl Link {
    /// Connects and logs in.
    pub(super) async fn open(source: &RedisSource) -> Result<Self, Failure> {
        let whom = shown(source);
        let stream = match &source.address {
            RedisAddress::Unix(path) => net::dial_unix(path).await?,
            RedisAddress::Tcp { host, port } => {
                let tls = source.tls.clone();
                Endpoint { host: host.clone(), port: *port, tls }.dial().await?
            }
        };
        let mut login = RedisConnectionInfo::default()
            .set_db(source.database)
            // Its name is no use to this server, and a refusal would fill the ACL log.
            .set_skip_set_lib_name();
        if let Some(username) = &source.username {
            login = login.set_username(username);
        }
        if let Some(password) = &source.password {
            login = login.set_password(password.expose());
        }
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_LIMIT));
        let shaking = MultiplexedConnection::new_with_config(&login, stream, config);
        let (connection, driver) = match timeout(DIAL_LIMIT, shaking).await {
            Ok(Ok(pair)) => pair,
            Ok(Err(error)) => return Err(in_words(&error, &whom)),
            Err(_) => {
                let message = format!("{whom} did not answer the login within {DIAL_LIMIT:?}");
                return Err(Failure::new(FailureKind::Timeout, message));
            }
        };
        let driver = AbortOnDropHandle::new(tokio::spawn(driver));
        Ok(Self { connection, whom, _driver: driver })
    }

    /// Sends a command and waits for its answer.
    pub(super) async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, Failure> {
        let asking = command.query_async(&mut self.connection);
        match timeout(ANSWER_LIMIT, asking).await {
            Ok(result) => result.map_err(|error| in_words(&error, &self.whom)),
            Err(_) => Err(self.too_slow()),
        }
    }

    /// Sends several commands at once; each may fail on its own.
    pub(super) async fn ask_all(&mut self, commands: &mut Pipeline) -> Result<Vec<Reply>, Failure> {
        let asking = commands.ignore_errors().query_async(&mut self.connection);
        match timeout(ANSWER_LIMIT, asking).await {
            Ok(result) => result.map_err(|error| in_words(&error, &self.whom)),
            Err(_) => Err(self.too_slow()),
        }
    }

    fn too_slow(&self) -> Failure {
        let message = format!("{} did not answer within {ANSWER_LIMIT:?}", self.whom);
        Failure::new(FailureKind::Timeout, message)
    }

    /// What the server says of itself.
    pub(super) async fn state(&mut self) -> Result<ServerState, Failure> {
        let info: Vec<u8> = self.ask(&redis::cmd("INFO")).await?;
        let mut fields = BTreeMap::new();
        for line in String::from_utf8_lossy(&info).lines() {
            if let Some((name, value)) = line.trim().split_once(':')
                && matches!(name, "role" | "loading" | "cluster_enabled" | "redis_version")
            {
                fields.insert(name.to_owned(), words::clip(value, 40));
            }
        }
        if !fields.contains_key("role") {
            let role: Vec<Reply> = self.ask(&redis::cmd("ROLE")).await?;
            if let Some(Reply::BulkString(role)) = role.first() {
                fields.insert("role".to_owned(), words::clip(&String::from_utf8_lossy(role), 40));
            }
        }
        Ok(ServerState(fields))
    }

    /// One step of a scan over all keys, or over those that a pattern matches.
    pub(super) async fn scan(
        &mut self,
        cursor: u64,
        pattern: Option<&[u8]>,
    ) -> Result<Scanned, Failure> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor);
        if let Some(pattern) = pattern {
            command.arg("MATCH").arg(pattern);
        }
        command.arg("COUNT").arg(SCAN_COUNT);
        let (next, keys): (u64, Vec<Vec<u8>>) = self.ask(&command).await?;
        Ok(Scanned { next: (next != 0).then_some(next), keys })
    }

    /// How long the server takes for nothing at all.
    pub(super) async fn ping(&mut self) -> Result<Duration, Failure> {
        let start = Instant::now();
        let _: Reply = self.ask(&redis::cmd("PING")).await?;
        Ok(start.elapsed())
    }
}

/// `redis://host:port/db`, without the password.
pub(super) fn shown(source: &RedisSource) -> String {
    match &source.address {
        RedisAddress::Tcp { host, port } => {
            let scheme = if source.tls.is_some() { "rediss" } else { "redis" };
            let host = Endpoint { host: host.clone(), port: *port, tls: None }.shown();
            let user = source.username.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
            words::plain(&format!("{scheme}://{user}{host}/{}", source.database))
        }
        RedisAddress::Unix(path) => {
            words::plain(&format!("unix:{}, database {}", path.display(), source.database))
        }
    }
}

/// An error of the client library as an operator would say it.
fn in_words(error: &RedisError, whom: &str) -> Failure {
    let kind = match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            FailureKind::NotAuthorised
        }
        (_, Some("NOPERM")) => FailureKind::Forbidden,
        (_, Some("OOM")) => FailureKind::OutOfMemory,
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => FailureKind::Starting,
        (ErrorKind::Server(_) | ErrorKind::Extension, Some("BUSY")) => FailureKind::Busy,
        (ErrorKind::Server(_) | ErrorKind::Extension, _) => FailureKind::Server,
        (ErrorKind::InvalidClientConfig, _) => FailureKind::Misconfigured,
        _ if error.is_timeout() => FailureKind::Timeout,
        _ if error.is_connection_refusal() => FailureKind::Refused,
        (ErrorKind::Io, _) => FailureKind::Closed,
        _ => FailureKind::BadAnswer,
    };
    Failure::new(kind, format!("{whom}: {}", words::clip(&error.to_string(), 200)))
}
