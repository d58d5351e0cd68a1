//! Redis-protocol servers: Redis, Valkey, and what speaks like them.
//!
//! One connection is kept between polls, and dropped after anything that may leave it in
//! doubt: a timeout, an I/O error, a refused login. The next poll then makes a new one,
//! which resolves the name again, so that a failover behind a name is followed.
//!
//! Readings: every field of INFO under its own name, `db0_keys` and the like, `keys`
//! (DBSIZE of the configured database), `ping_ms`, `writes_refused` where there is a limit
//! to the memory, and `latency_<event>_ms` and `latency_<event>_max_ms` of the latency
//! monitor.

pub(super) mod info;

mod pressure;

pub(super) mod scan;

mod slowlog;

use std::collections::BTreeSet;

use ::redis::{RedisError, RedisResult, Value as Reply, cmd, pipe};
use tokio::time::{Instant, timeout};

use self::pressure::Watch;
use crate::{
    config::profile::RedisSource,
    domain::{
        failure::{Failure, FailureKind},
        observation::{Exhibit, Facts},
        time::{Moment, clock},
        value::Value,
    },
    net::{
        progress::{Progress, Stage},
        redis::{self as server, Link, refusal, reply},
        tls,
    },
};

/// A server.
pub(super) struct Redis {
    config: RedisSource,
    link: Option<Link>,
    /// Optional commands that the server of this connection does not have.
    absent: BTreeSet<&'static str>,
    refused: Option<info::Refused>,
    watch: Watch,
}

impl Redis {
    /// A server that was not asked yet.
    pub(super) fn new(config: &RedisSource) -> Self {
        Self {
            config: config.clone(),
            link: None,
            absent: BTreeSet::new(),
            refused: None,
            watch: Watch::new(config),
        }
    }

    /// Asks once.
    pub(super) async fn poll(
        &mut self,
        now: Moment,
        progress: &mut Progress,
    ) -> Result<Facts, Failure> {
        let reused = self.link.is_some();
        let mut outcome = self.look(progress).await;
        // The server may have restarted since the last poll: that alone is no failure.
        if reused && matches!(&outcome, Err(failure) if failure.kind == FailureKind::Closed) {
            outcome = self.look(progress).await;
        }
        let mut facts = outcome?;
        self.press(now, progress, &mut facts).await;
        Ok(facts)
    }

    /// Forgets the connections of a poll that ran out of time.
    pub(super) fn abandon(&mut self) {
        self.link = None;
        self.watch.disconnect();
    }

    /// What a timeout may mean with this server.
    pub(super) fn explain_timeout(&self, failure: Failure, progress: &Progress) -> Failure {
        match progress.stage {
            Stage::Securing => failure.hint("the port may not speak TLS: redis://"),
            Stage::Asking => failure.hint("the server is stopped, swapping, or in a long command"),
            _ => failure,
        }
    }

    async fn look(&mut self, progress: &mut Progress) -> Result<Facts, Failure> {
        // Taken out, so that a poll that is dropped takes its connection along.
        let mut link = match self.link.take() {
            Some(link) => link,
            None => {
                self.absent.clear();
                Link::open(&self.config, progress).await?
            }
        };
        progress.stage = Stage::Asking;
        let outcome = self.read(&mut link).await;
        let keep = match &outcome {
            Ok(_) => true,
            Err(failure) => matches!(
                failure.kind,
                FailureKind::Starting
                    | FailureKind::Busy
                    | FailureKind::Forbidden
                    | FailureKind::Server
            ),
        };
        if keep {
            self.link = Some(link);
        }
        outcome
    }

    async fn read(&mut self, link: &mut Link) -> Result<Facts, Failure> {
        let mut facts = Facts::default();
        self.ping(link, &mut facts).await?;
        let slowlog = self.config.slowlog > 0;
        let mut commands = pipe();
        commands.cmd("INFO");
        let optional = [("DBSIZE", true), ("SLOWLOG", slowlog), ("LATENCY", true)];
        let asked: Vec<&'static str> = optional
            .into_iter()
            .filter(|(name, wanted)| *wanted && !self.absent.contains(name))
            .map(|(name, _)| name)
            .collect();
        for name in &asked {
            match *name {
                "SLOWLOG" => commands.cmd("SLOWLOG").arg("GET").arg(self.config.slowlog),
                "LATENCY" => commands.cmd("LATENCY").arg("LATEST"),
                name => commands.cmd(name),
            };
        }
        let replies = link.ask_all(&mut commands).await;
        let replies = replies.map_err(|error| link.failure(&error))?;
        let mut replies = replies.into_iter();
        let info = replies.next().unwrap_or(Ok(Reply::Nil));
        self.take_info(info, link, &mut facts)?;
        for (name, reply) in asked.into_iter().zip(replies) {
            self.take_optional(name, reply, &mut facts);
        }
        for name in &self.absent {
            facts.not_offered.push((*name).to_owned());
        }
        if self.config.tls.as_ref().is_some_and(|tls| tls.insecure) {
            facts.remarks.push(tls::NOT_VERIFIED.to_owned());
        }
        Ok(facts)
    }

    /// The way there and back, and whether the server is in its right mind.
    async fn ping(&mut self, link: &mut Link, facts: &mut Facts) -> Result<(), Failure> {
        if self.absent.contains("PING") {
            return Ok(());
        }
        let start = Instant::now();
        let answer = link.ask(&cmd("PING")).await;
        let took = start.elapsed();
        if let Err(error) = answer {
            match refusal::code_and_text(&error).0.as_str() {
                "LOADING" => return Err(self.loading(link, &error).await),
                // It does not even answer a PING while it cannot save to disk, but it works.
                "MISCONF" => facts.remarks.push(link.failure(&error).message),
                _ if refusal::is_not_offered(&error) => {
                    self.absent.insert("PING");
                    return Ok(());
                }
                _ => return Err(link.failure(&error)),
            }
        }
        let millis = took.as_secs_f64() * 1000.0;
        facts.readings.insert("ping_ms".into(), Value::Number(millis));
        Ok(())
    }

    /// A server that loads its data still answers INFO, which says how far it is.
    async fn loading(&self, link: &mut Link, error: &RedisError) -> Failure {
        let mut failure = link.failure(error);
        let Some(text) = link.ask(&cmd("INFO")).await.ok().as_ref().and_then(reply::text) else {
            return failure;
        };
        let fields = reply::fields(&text);
        if let Some(percent) = info::number(&fields, "loading_loaded_perc") {
            failure.message.push_str(&format!("; {percent:.0} % loaded"));
        }
        if let Some(seconds) = info::number(&fields, "loading_eta_seconds") {
            let left = clock(std::time::Duration::from_secs_f64(seconds.min(1e6)));
            failure.message.push_str(&format!(", {left} to go by its own estimate"));
        }
        failure
    }

    fn take_info(
        &mut self,
        reply: RedisResult<Reply>,
        link: &Link,
        facts: &mut Facts,
    ) -> Result<(), Failure> {
        let reply = reply.map_err(|error| {
            let failure = link.failure(&error);
            match failure.kind {
                FailureKind::Forbidden => failure.hint("grant it +info"),
                _ => failure,
            }
        })?;
        let text = reply::text(&reply).ok_or_else(|| {
            Failure::new(FailureKind::BadAnswer, "INFO answered something that is not text")
        })?;
        let fields = reply::fields(&text);
        if fields.is_empty() {
            return Err(Failure::new(FailureKind::BadAnswer, "INFO answered nothing"));
        }
        info::readings(&fields, facts);
        self.refused = info::memory(&fields, self.refused.as_ref(), facts);
        info::remarks(&fields, facts);
        info::configured(&self.config.readings, &fields, facts);
        Ok(())
    }

    fn take_optional(&mut self, name: &'static str, reply: RedisResult<Reply>, facts: &mut Facts) {
        match (name, reply) {
            (_, Err(error)) if refusal::is_not_offered(&error) => {
                self.absent.insert(name);
            }
            (_, Err(error)) => {
                let (code, text) = refusal::code_and_text(&error);
                let why = format!("{name} failed: {code} {text}");
                if name == "DBSIZE" {
                    facts.missing.push(("keys".into(), why.clone()));
                }
                facts.remarks.push(why);
            }
            ("SLOWLOG", Ok(reply)) => match slowlog::commands(reply) {
                Some((commands, unreadable)) => {
                    if unreadable > 0 {
                        let remark = format!("{unreadable} entries of the slow log cannot be read");
                        facts.remarks.push(remark);
                    }
                    facts.exhibits.push(Exhibit::SlowLog(commands));
                }
                None => facts.remarks.push("SLOWLOG answered something that is no list".to_owned()),
            },
            ("LATENCY", Ok(reply)) => slowlog::latency(&reply, facts),
            (_, Ok(reply)) => match reply::integer(&reply) {
                Some(keys) => {
                    facts.readings.insert("keys".into(), Value::Number(keys as f64));
                }
                None => {
                    let why = "DBSIZE answered no number".to_owned();
                    facts.missing.push(("keys".into(), why));
                }
            },
        }
    }

    /// Looks who is near a rate limit, in at most half of the time that is left: what the
    /// server said about itself is not to be lost over it.
    async fn press(&mut self, now: Moment, progress: &mut Progress, facts: &mut Facts) {
        if !self.watch.is_wanted() {
            return;
        }
        // INFO was asked before: it counts the lookups of the searches until now.
        let own = self.watch.counted() as f64;
        facts.readings.insert("own_lookups".into(), Value::Number(own));
        let patience = progress.left() / 2;
        let why = match timeout(patience, self.watch.look(now.wall, progress)).await {
            Ok(Ok(exhibit)) => return facts.exhibits.push(exhibit),
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "no time left".to_owned(),
        };
        self.watch.disconnect();
        facts.remarks.push(format!("who is near a limit is not known: {why}"));
        facts.missing.push(("pressure".into(), why));
    }
}

/// What is asked, in words.
pub(super) fn request(config: &RedisSource) -> String {
    let mut parts = vec!["PING", "INFO", "DBSIZE"];
    if config.slowlog > 0 {
        parts.push("SLOWLOG GET");
    }
    parts.push("LATENCY LATEST");
    if !config.pressure.is_empty() {
        parts.push("SCAN, ZCOUNT");
    }
    format!("{}: {}", server::shown(config), parts.join(", "))
}
