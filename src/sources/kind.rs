//! The kinds of source: how each is made, asked and let go of.

use std::time::Duration;

use super::{command, http, logs, port, postgres, prometheus, redis, statuspage, upstash};
use crate::{
    config::profile::{SourceConfig, SourceKind},
    domain::{
        failure::Failure,
        observation::Facts,
        time::{Moment, short_duration},
    },
    net::{progress::Progress, redis as server},
};

pub(super) enum Kind {
    Http(Box<http::Http>),
    Redis(Box<redis::Redis>),
    Upstash(Box<upstash::Upstash>),
    Postgres(Box<postgres::Postgres>),
    Command(Box<command::Command>),
    Logs(Box<logs::Logs>),
    Tcp(Box<port::Tcp>),
    Tls(Box<port::Tls>),
    Statuspage(Box<statuspage::Statuspage>),
    Prometheus(Box<prometheus::Prometheus>),
}

/// A source and what is shown of it.
pub(super) struct Described {
    /// The source.
    pub(super) kind: Kind,
    /// Where it is, without secrets.
    pub(super) target: String,
    /// What it is asked, without secrets.
    pub(super) request: String,
}

/// The source of a configuration. Opens nothing.
pub(super) fn describe(config: &SourceConfig) -> Described {
    let (kind, target, request) = match &config.kind {
        SourceKind::Http(http) => (
            Kind::Http(Box::new(http::Http::new(http))),
            http::shown(&http.url),
            format!("GET {}", http::shown(&http.url)),
        ),
        SourceKind::Redis(redis) => (
            Kind::Redis(Box::new(redis::Redis::new(redis))),
            server::shown(redis),
            redis::request(redis),
        ),
        SourceKind::Upstash(upstash) => (
            Kind::Upstash(Box::new(upstash::Upstash::new(upstash))),
            http::shown(&upstash.url),
            format!("POST {}: INFO, DBSIZE", http::shown(&upstash::pipeline(&upstash.url))),
        ),
        SourceKind::Postgres(postgres) => (
            Kind::Postgres(Box::new(postgres::Postgres::new(postgres, config.timeout))),
            postgres::target(postgres),
            postgres::request(postgres),
        ),
        SourceKind::Command(command) => (
            Kind::Command(Box::new(command::Command::new(command))),
            command.program.shown(),
            command.program.shown(),
        ),
        SourceKind::Prometheus(config) => (
            Kind::Prometheus(Box::new(prometheus::Prometheus::new(config))),
            http::shown(&config.url),
            prometheus::request(config),
        ),
        SourceKind::Tcp(config) => (
            Kind::Tcp(Box::new(port::Tcp::new(config))),
            format!("tcp://{}", config.at.shown()),
            format!("connect to {}", config.at.shown()),
        ),
        SourceKind::Tls(config) => (
            Kind::Tls(Box::new(port::Tls::new(config))),
            format!("tls://{}", config.at.shown()),
            format!("certificate of {} at {}", config.name, config.at.shown()),
        ),
        SourceKind::Statuspage(config) => (
            Kind::Statuspage(Box::new(statuspage::Statuspage::new(config))),
            http::shown(&config.url),
            format!("GET {}", http::shown(&config.url)),
        ),
        SourceKind::Logs(logs) => {
            (Kind::Logs(Box::new(logs::Logs::new(logs))), logs.shown(), logs::request(logs))
        }
    };
    Described { kind, target, request }
}

impl Kind {
    /// Asks once.
    pub(super) async fn ask(
        &mut self,
        now: Moment,
        progress: &mut Progress,
    ) -> Result<Facts, Failure> {
        match self {
            Self::Http(http) => http.poll(now, progress).await,
            Self::Redis(redis) => redis.poll(now, progress).await,
            Self::Upstash(upstash) => upstash.poll(now, progress).await,
            Self::Postgres(postgres) => postgres.poll(progress).await,
            Self::Command(command) => command.poll(progress).await,
            Self::Logs(logs) => logs.poll(now, progress).await,
            Self::Tcp(tcp) => tcp.poll(progress).await,
            Self::Tls(tls) => tls.poll(now, progress).await,
            Self::Statuspage(page) => page.poll(now, progress).await,
            Self::Prometheus(prometheus) => prometheus.poll(now, progress).await,
        }
    }

    /// Lets go of whatever a poll that ran out of time was waiting for.
    pub(super) fn abandon(&mut self) {
        match self {
            Self::Redis(redis) => redis.abandon(),
            Self::Postgres(postgres) => postgres.abandon(),
            // What the others hold went with the future of the poll, or is followed further.
            _ => {}
        }
    }

    /// Adds what the kind of source knows about running out of time at that stage.
    pub(super) fn explain(
        &self,
        failure: Failure,
        progress: &Progress,
        limit: Duration,
    ) -> Failure {
        match self {
            Self::Redis(redis) => redis.explain_timeout(failure, progress),
            Self::Command(_) => command::too_late(failure, &short_duration(limit)),
            _ => failure,
        }
    }

    /// Whether its polls are exchanges over HTTP, whose phases are shown.
    pub(super) fn is_over_http(&self) -> bool {
        matches!(self, Self::Http(_) | Self::Upstash(_) | Self::Prometheus(_) | Self::Statuspage(_))
    }
}
