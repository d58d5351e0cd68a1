//! A connection to Redis for one preview or one run, and nothing else.

use std::{collections::BTreeMap, time::Duration};

use redis::{Cmd, FromRedisValue, RedisResult, Value as Reply};
use tokio::time::{Instant, error::Elapsed, timeout};

use super::words;
use crate::{
    config::profile::RedisSource,
    domain::failure::{Failure, FailureKind},
    net::redis::{self as server, count::Tally, reply},
};

/// How long connecting may take, TLS and login included.
const OPEN_LIMIT: Duration = Duration::from_secs(5);

/// When a single command is given up.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The longest text of a failure, in characters.
const LONGEST_MESSAGE: usize = 400;

/// Keys that the server looks at in one step of a scan: below a millisecond of its time.
const SCAN_COUNT: u64 = 1000;

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
            Some(role) => {
                let role = words::clip(role, 40);
                out.push(format!("the server is a {role}, not the master"));
            }
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
        let role = words::clip(self.get("role").unwrap_or("server of unknown role"), 40);
        match self.get("redis_version") {
            Some(version) => format!("{role}, version {}", words::clip(version, 20)),
            None => role,
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// A connection.
pub(super) struct Link {
    link: server::Link,
    whom: String,
}

impl Link {
    /// Connects and logs in.
    pub(super) async fn open(source: &RedisSource) -> Result<Self, Failure> {
        let whom = server::shown(source);
        let opened = server::Link::open_within(source, OPEN_LIMIT).await;
        let link = opened.map_err(|failure| about(&whom, failure))?;
        Ok(Self { link, whom })
    }

    /// Sends a command and waits for its answer.
    pub(super) async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, Failure> {
        let answer = timeout(ANSWER_LIMIT, self.link.ask(command)).await;
        let answer = self.answered(answer)?;
        let converted = T::from_redis_value(answer).map_err(redis::RedisError::from);
        self.answered(Ok(converted))
    }

    /// The mean memory of the keys that were met, in bytes, where the server tells.
    pub(super) async fn mean_size(&mut self, met: &Tally) -> Result<Option<f64>, Failure> {
        let answer = timeout(ANSWER_LIMIT, met.mean_size(&mut self.link)).await;
        self.answered(answer)
    }

    fn answered<T>(&self, answer: Result<RedisResult<T>, Elapsed>) -> Result<T, Failure> {
        match answer {
            Ok(answer) => answer.map_err(|error| about(&self.whom, self.link.failure(&error))),
            Err(_) => Err(self.too_slow()),
        }
    }

    fn too_slow(&self) -> Failure {
        let message = format!("{} did not answer within {ANSWER_LIMIT:?}", self.whom);
        Failure::new(FailureKind::Timeout, message)
    }

    /// What the server says of itself.
    pub(super) async fn state(&mut self) -> Result<ServerState, Failure> {
        let info: Reply = self.ask(&redis::cmd("INFO")).await?;
        let mut fields = reply::fields(&reply::text(&info).unwrap_or_default());
        if !fields.contains_key("role") {
            let role: Vec<Reply> = self.ask(&redis::cmd("ROLE")).await?;
            if let Some(role) = role.first().and_then(reply::text) {
                fields.insert("role".to_owned(), role);
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
        let answer = timeout(ANSWER_LIMIT, self.link.scan(cursor, pattern, SCAN_COUNT)).await;
        let answer = answer.map_err(|_| self.too_slow())?;
        let (next, keys) = answer.map_err(|failure| about(&self.whom, failure))?;
        Ok(Scanned { next: (next != 0).then_some(next), keys })
    }

    /// How long the server takes for nothing at all.
    pub(super) async fn ping(&mut self) -> Result<Duration, Failure> {
        let start = Instant::now();
        let _: Reply = self.ask(&redis::cmd("PING")).await?;
        Ok(start.elapsed())
    }
}

/// The failure, with the server that it is about.
fn about(whom: &str, failure: Failure) -> Failure {
    let message = words::clip(&format!("{whom}: {}", failure.message), LONGEST_MESSAGE);
    Failure { message, ..failure }
}
