//! One session with a PostgreSQL server.
//!
//! Polls and actions log in here alike, so that both trust the same certificates, fall back
//! in the same way and say the same when they are not let in. What a session may do is
//! settled when it is opened: see [`Limits`].

mod refusal;

use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::timeout;
use tokio_postgres::{
    CancelToken, Client, Config, Error, NoTls, SimpleQueryMessage,
    config::SslMode as Ssl,
    error::SqlState,
    tls::{MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::AbortOnDropHandle;

use super::{
    dial::{self, BoxStream, Endpoint},
    meter::{Allowance, Metered},
    progress::{Progress, Stage},
    tls, words,
};
use crate::{
    config::profile::{PostgresSource, SslMode, TlsOptions},
    domain::failure::{Failure, FailureKind},
};

/// The most that one answer may bring, bytes.
const LARGEST_ANSWER: u64 = 8 << 20;

/// How long a driver that ended is waited for to say why.
const LAST_WORDS_PATIENCE: Duration = Duration::from_millis(200);

/// How long the cancelling of a statement may take.
const CANCEL_LIMIT: Duration = Duration::from_secs(3);

/// What a session may do, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// When the server gives up one of our statements.
    pub statement: Duration,
    /// How long a statement waits for a lock.
    pub lock: Duration,
    /// Whether it may change anything. A session that may not is read-only for the server,
    /// too.
    pub writes: bool,
}

impl Limits {
    /// For looking: nothing is changed, and nobody else is kept waiting for long.
    pub fn to_look(statement: Duration) -> Self {
        Self { statement, lock: Duration::from_millis(500), writes: false }
    }

    /// The settings, by the names that the server knows them by; times in milliseconds.
    fn settings(self) -> [(&'static str, u128); 2] {
        [("statement_timeout", self.statement.as_millis()), ("lock_timeout", self.lock.as_millis())]
    }

    /// The statements that settle them for one transaction: behind a pooler the settings of
    /// a session are somebody else's.
    pub fn in_transaction(self) -> String {
        let set = |(name, value)| format!("SET LOCAL {name} = {value}; ");
        self.settings().into_iter().map(set).collect()
    }
}

/// A session that is logged in.
pub struct Session {
    client: Client,
    driver: AbortOnDropHandle<Result<(), Error>>,
    allowance: Allowance,
    /// What was agreed on about encryption.
    pub security: Security,
    /// A pooler refused the session's settings: they are set in each transaction instead.
    /// Setting them for the session would leave them behind on a connection that the
    /// application gets next.
    pooled: bool,
    limits: Limits,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Plain,
    /// Encrypted, but with whoever answered.
    Unverified,
    /// Encrypted, with the server that was meant.
    Verified,
}

/// Why an attempt to log in came to nothing.
enum Trouble {
    /// Before Postgres was reached.
    Network(Failure),
    /// What Postgres, or the TLS handshake, said.
    Refused(Error, Allowance),
}

impl Session {
    /// Connects as `sslmode` says, and logs in.
    ///
    /// # Errors
    /// The server cannot be reached, or lets nobody in.
    pub async fn open(
        config: &PostgresSource,
        limits: Limits,
        progress: &mut Progress,
    ) -> Result<Self, Failure> {
        let mut ways = ways(config).iter();
        let mut way = ways.next().copied().unwrap_or(Security::Plain);
        let mut pooled = false;
        loop {
            match Self::log_in(config, way, pooled, limits, progress).await {
                Ok(session) => return Ok(session),
                Err(Trouble::Network(failure)) => return Err(failure),
                Err(Trouble::Refused(error, _)) if !pooled && options_refused(&error) => {
                    pooled = true;
                }
                Err(Trouble::Refused(error, allowance)) => match ways.next() {
                    // As libpq does: without encryption where the server has none to offer,
                    // or lets nobody in with it.
                    Some(next) if refusal::is_tls(&error) || refused_by_hba(&error) => way = *next,
                    _ => {
                        let refused = refusal::failure(&error, config);
                        return Err(allowance.exceeded().unwrap_or(refused));
                    }
                },
            }
        }
    }

    async fn log_in(
        config: &PostgresSource,
        security: Security,
        pooled: bool,
        limits: Limits,
        progress: &mut Progress,
    ) -> Result<Self, Trouble> {
        let settings = settings(config, security).await.map_err(Trouble::Network)?;
        let stream = open_stream(config, progress).await.map_err(Trouble::Network)?;
        progress.stage = Stage::LoggingIn;
        let allowance = Allowance::new(LARGEST_ANSWER);
        let stream = Metered::new(stream, allowance.clone());
        let login = login(config, security, (!pooled).then_some(limits));
        let connected = match settings {
            None => connect(&login, stream, NoTls).await,
            Some(settings) => match connector(settings, &config.host) {
                Ok(connector) => connect(&login, stream, connector).await,
                Err(failure) => return Err(Trouble::Network(failure)),
            },
        };
        let (client, driver) = connected.map_err(|e| Trouble::Refused(e, allowance.clone()))?;
        Ok(Self { client, driver, allowance, security, pooled, limits })
    }

    /// As [`Session::open`], in at most that time.
    ///
    /// # Errors
    /// As there, or the time was up.
    pub async fn open_within(
        config: &PostgresSource,
        limits: Limits,
        within: Duration,
    ) -> Result<Self, Failure> {
        let mut progress = Progress::new(within);
        let opened = timeout(within, Self::open(config, limits, &mut progress)).await;
        opened.unwrap_or_else(|_| Err(progress.too_late(within)))
    }

    /// The connection, to ask what has parameters. Its answer may take as many bytes as that
    /// of [`Session::ask`].
    pub fn client(&self) -> &Client {
        self.allowance.refill();
        &self.client
    }

    /// Runs statements in one read-only transaction.
    ///
    /// # Errors
    /// As [`Session::failure`] says.
    pub async fn ask(&self, statements: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.allowance.refill();
        let limits = if self.pooled { self.limits.in_transaction() } else { String::new() };
        // The line break ends a comment at the end of an operator's statement.
        let whole = format!("BEGIN READ ONLY; {limits}{statements}\n; COMMIT");
        let answer = self.client.simple_query(&whole).await;
        if answer.is_err() && !self.client.is_closed() {
            // Whatever went wrong, the next transaction starts afresh.
            let _ = self.client.simple_query("ROLLBACK").await;
        }
        answer
    }

    /// Whether nothing more can be asked.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The failure that an error of this session stands for. Where the connection is gone,
    /// the reason lies with the driver.
    pub async fn failure(&mut self, error: &Error, config: &PostgresSource) -> Failure {
        if let Some(too_large) = self.allowance.exceeded() {
            return too_large;
        }
        if error.is_closed()
            && let Ok(Ok(Err(reason))) = timeout(LAST_WORDS_PATIENCE, &mut self.driver).await
        {
            return refusal::failure(&reason, config);
        }
        refusal::failure(error, config)
    }

    /// Ends the session and the statement that it waits for, in the background.
    pub fn cancel(self, config: &PostgresSource) {
        let config = config.clone();
        tokio::spawn(async move { self.end(&config).await });
    }

    /// Ends the session and the statement that it waits for. The server would go on with
    /// the statement otherwise: it notices a closed connection only when it answers.
    pub async fn end(self, config: &PostgresSource) {
        let token = self.client.cancel_token();
        let security = self.security;
        drop(self);
        // Nobody is left to be told whether it got there.
        let _ = timeout(CANCEL_LIMIT, cancel(token, security, config.clone())).await;
    }
}

/// Tells the server to give up what a session waits for. There is nobody left to tell
/// whether that worked.
async fn cancel(token: CancelToken, security: Security, config: PostgresSource) {
    let mut progress = Progress::new(CANCEL_LIMIT);
    let Ok(settings) = settings(&config, security).await else { return };
    let Ok(stream) = open_stream(&config, &mut progress).await else { return };
    let stream = Metered::new(stream, Allowance::new(LARGEST_ANSWER));
    let _ = match settings {
        None => token.cancel_query_raw(stream, NoTls).await,
        Some(settings) => match connector(settings, &config.host) {
            Ok(connector) => token.cancel_query_raw(stream, connector).await,
            Err(_) => return,
        },
    };
}

/// The ways to connect that `sslmode` allows, best first.
fn ways(config: &PostgresSource) -> &'static [Security] {
    use Security::{Plain, Unverified, Verified};
    if socket(config).is_some() {
        return &[Plain];
    }
    match config.sslmode {
        SslMode::Disable => &[Plain],
        SslMode::Prefer => &[Unverified, Plain],
        SslMode::Require => &[Unverified],
        SslMode::VerifyFull if config.tls.insecure => &[Unverified],
        SslMode::VerifyFull => &[Verified],
    }
}

async fn settings(
    config: &PostgresSource,
    security: Security,
) -> Result<Option<ClientConfig>, Failure> {
    let options = match security {
        Security::Plain => return Ok(None),
        Security::Unverified => TlsOptions { insecure: true, ..config.tls.clone() },
        Security::Verified => config.tls.clone(),
    };
    tls::settings(&options).await.map(Some)
}

fn connector(
    settings: ClientConfig,
    host: &str,
) -> Result<<MakeRustlsConnect as MakeTlsConnect<Metered>>::TlsConnect, Failure> {
    let mut make = MakeRustlsConnect::new(settings);
    MakeTlsConnect::<Metered>::make_tls_connect(&mut make, host)
        .map_err(|error| Failure::new(FailureKind::Misconfigured, error.to_string()))
}

async fn connect<T>(
    login: &Config,
    stream: Metered,
    tls: T,
) -> Result<(Client, AbortOnDropHandle<Result<(), Error>>), Error>
where
    T: TlsConnect<Metered>,
    T::Stream: TlsStream + Send + 'static,
{
    let (client, connection) = login.connect_raw(stream, tls).await?;
    Ok((client, AbortOnDropHandle::new(tokio::spawn(connection))))
}

/// Who logs in, and what is settled for the session.
fn login(config: &PostgresSource, security: Security, settle: Option<Limits>) -> Config {
    let mut login = Config::new();
    login.user(&config.user).dbname(&config.database).application_name("watchfloor");
    login.ssl_mode(if security == Security::Plain { Ssl::Disable } else { Ssl::Require });
    if let Some(password) = &config.password {
        login.password(password.expose());
    }
    if let Some(limits) = settle {
        let mut options = "-c idle_in_transaction_session_timeout=10000".to_owned();
        for (name, value) in limits.settings() {
            options.push_str(&format!(" -c {name}={value}"));
        }
        if !limits.writes {
            options.push_str(" -c default_transaction_read_only=on");
        }
        login.options(options);
    }
    login
}

/// The Unix socket, where the host is the directory of one.
fn socket(config: &PostgresSource) -> Option<std::path::PathBuf> {
    let is_directory = config.host.starts_with('/');
    is_directory
        .then(|| std::path::Path::new(&config.host).join(format!(".s.PGSQL.{}", config.port)))
}

async fn open_stream(
    config: &PostgresSource,
    progress: &mut Progress,
) -> Result<BoxStream, Failure> {
    match socket(config) {
        Some(path) => Ok(Box::new(dial::connect_unix(&path, progress).await?)),
        None => Ok(Box::new(dial::connect(&config.host, config.port, progress).await?)),
    }
}

/// Poolers such as PgBouncer in transaction mode refuse `options` at the start.
fn options_refused(error: &Error) -> bool {
    error.as_db_error().is_some_and(|db| {
        *db.code() == SqlState::PROTOCOL_VIOLATION && db.message().contains("options")
    })
}

/// Whether `pg_hba.conf` has no line that lets us in this way.
fn refused_by_hba(error: &Error) -> bool {
    error.as_db_error().is_some_and(|db| {
        *db.code() == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            && db.message().contains("pg_hba.conf")
    })
}

/// Where the server is, without the password: `postgres://user@host:port/database`.
pub fn shown(config: &PostgresSource) -> String {
    let host = match socket(config) {
        Some(path) => format!("{}/{}", path.display(), config.database),
        None => {
            let endpoint = Endpoint { host: config.host.clone(), port: config.port, tls: None };
            format!("{}/{}", endpoint.shown(), config.database)
        }
    };
    words::plain(&format!("postgres://{}@{host}", config.user))
}
