//! The embedded service that `watchfloor demo` watches: small, and real where it matters.
//!
//! A rental service with a cache, rate limits and a hosting platform, a voice agent that
//! monitors itself, a Redis and, where it is installed, a Postgres; customers who send
//! requests; and faults, by script or by hand. Everything listens on the loopback
//! interface only, and nothing is left behind (see `ward`).
//!
//! What is modelled rather than real: the time that a database query takes (`world`), and
//! the requests of the customers, which do not go through sockets (`traffic`). The keys,
//! counters, limits, outages and answers are real.

mod agent;
mod bookings;
mod calls;
mod cars;
mod chance;
mod desk;
mod exodrive_api;
mod fault;
mod limit;
mod monitoring_api;
mod platform;
mod postgres;
mod redis_server;
mod rental;
mod request;
mod request_log;
mod resp;
mod stage;
mod staging;
mod standin;
mod store;
mod story;
mod traffic;
mod ward;
mod warming;
mod world;

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{broadcast, oneshot},
    task::JoinSet,
};

pub use fault::{Fault, Scenario};
pub use standin::System;
pub use ward::PREFIX as WARD;

use redis_server::{Site, on_path};
use stage::Stage;
use ward::Ward;

/// How long an orderly end may take before the rest is cut off.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// How the demo is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What it stands in for.
    pub system: System,
    /// What happens without anybody's doing.
    pub scenario: Scenario,
    /// Decides the traffic.
    pub seed: u64,
    /// Use the embedded server even where the real Redis is installed.
    pub embedded_redis: bool,
    /// Start a Postgres where it is installed.
    pub postgres: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            system: System::Mixed,
            scenario: Scenario::Story,
            seed: 1,
            embedded_redis: false,
            postgres: true,
        }
    }
}

/// A line for the message line: what happens in the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryLine {
    /// What happens, in a sentence.
    pub text: String,
}

/// Why the demo could not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No port of the loopback interface can be listened on.
    #[error("cannot listen on 127.0.0.1: {0}")]
    Listen(#[source] io::Error),
    /// No Redis could be started, not even the embedded one.
    #[error("cannot start a Redis: {0}")]
    Redis(#[source] io::Error),
    /// The address of the Redis is not understood.
    #[error("cannot connect to the Redis: {0}")]
    Client(#[from] redis::RedisError),
    /// A program that a stand-in is made of is not installed.
    #[error("{what}; install it (Debian: apt-get install {package})")]
    Missing {
        /// What is missing, and what was looked for.
        what: String,
        /// The package that brings it.
        package: &'static str,
    },
    /// A Postgres could not be started, or not be filled.
    #[error("cannot start a Postgres: {0}")]
    Postgres(String),
    /// A directory or a program of the stand-in could not be written.
    #[error("cannot prepare the stand-in: {0}")]
    Files(#[source] io::Error),
    /// The operating system gives no random numbers.
    #[error("no random numbers from the system: {0}")]
    Random(#[source] io::Error),
}

/// Turns a fault on or off; false where that changes nothing.
type Throw = dyn Fn(&str, bool) -> bool + Send + Sync;

/// A running demo. Dropping it stops everything it started; [`Demo::stop`] also waits.
pub struct Demo {
    system: System,
    stage: Arc<Stage>,
    cast: Cast,
    redis: &'static str,
    tasks: JoinSet<()>,
    ward: Option<Arc<Ward>>,
}

/// What a system adds to the ground that it stands on.
struct Cast {
    throw: Arc<Throw>,
    variables: BTreeMap<String, String>,
    no_postgres: Option<String>,
    /// Where the programs are that it brings.
    programs: Option<PathBuf>,
}

/// What every system stands on: a Redis, an address, and whatever keeps both from outliving
/// the demo.
struct Ground {
    options: Options,
    stage: Arc<Stage>,
    ward: Option<Arc<Ward>>,
    site: Site,
    listener: Option<TcpListener>,
    address: SocketAddr,
}

impl Ground {
    async fn prepare(options: Options) -> Result<Self, DemoError> {
        // Without a watcher nothing is started that could be left behind.
        let ward = Ward::new().ok().map(Arc::new);
        let embedded = options.embedded_redis;
        if options.system != System::Mixed && !embedded && on_path("redis-server").is_none() {
            let what = "redis-server is in no directory of PATH".to_owned();
            return Err(DemoError::Missing { what, package: "redis-server" });
        }
        let redis_ward = ward.clone().filter(|_| !embedded);
        let password = chance::unguessable(32).map_err(DemoError::Random)?;
        let site = Site::start(redis_ward, password).await.map_err(DemoError::Redis)?;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .map_err(DemoError::Listen)?;
        let address = listener.local_addr().map_err(DemoError::Listen)?;
        let stage = Arc::new(Stage::new(options.system.faults()));
        Ok(Self { options, stage, ward, site, listener: Some(listener), address })
    }

    /// Where the system answers.
    fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A way to the Redis, not used yet.
    fn redis(&self) -> Result<redis::Client, DemoError> {
        Ok(redis::Client::open(self.site.url())?)
    }

    /// A Postgres that can be started, or why there is none.
    fn postgres(&self, owner: &'static str) -> Result<postgres::Plan, String> {
        if !self.options.postgres {
            return Err("no Postgres: --embedded-only leaves it out".to_owned());
        }
        postgres::Plan::make(self.ward.clone(), owner)
    }

    /// The demo of a mixture goes on without Postgres; a system that has one does not, unless
    /// that was asked for.
    fn without_postgres(&self, reason: String) -> Result<String, DemoError> {
        if self.options.system == System::Mixed || !self.options.postgres {
            return Ok(reason);
        }
        Err(DemoError::Missing { what: reason, package: "postgresql" })
    }

    /// Waits for a Postgres, where the system is nothing without it.
    async fn wait_for(
        &self,
        ready: oneshot::Receiver<Result<(), String>>,
    ) -> Result<(), DemoError> {
        if self.options.system == System::Mixed {
            return Ok(());
        }
        match ready.await {
            Ok(done) => done.map_err(DemoError::Postgres),
            Err(_) => Err(DemoError::Postgres("it was given up".to_owned())),
        }
    }
}

impl Demo {
    /// Starts the service and its Redis, well within a second; a Postgres follows in the
    /// background, but is waited for where a system is stood in for. Has to be called from
    /// within a tokio runtime.
    ///
    /// # Errors
    /// Where a port cannot be listened on or the system gives no random numbers; for a
    /// stand-in, also where a program that it is made of is missing.
    pub async fn start(options: Options) -> Result<Self, DemoError> {
        let mut ground = Ground::prepare(options).await?;
        let mut tasks = JoinSet::new();
        let cast = match options.system {
            System::Mixed | System::ExoDrive => rental::start(&mut ground, &mut tasks).await?,
            System::Bici => standin::bici::start(&mut ground, &mut tasks).await?,
            System::RedCube => standin::redcube::start(&mut ground, &mut tasks).await?,
        };
        let Ground { stage, ward, site, .. } = ground;
        let redis = if site.is_program() { "redis-server" } else { "embedded" };
        tasks.spawn(site.supervise(Arc::clone(&stage)));
        let (telling, throw) = (Arc::clone(&stage), Arc::clone(&cast.throw));
        tasks.spawn(async move {
            let story = options.system.script();
            story::tell(options.scenario, story, &telling, &*throw).await;
        });
        Ok(Self { system: options.system, stage, cast, redis, tasks, ward })
    }

    /// The values of the variables that the profile uses: addresses, identifiers and secrets.
    /// The secrets open nothing but this demo.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.cast.variables.clone()
    }

    /// The directory of programs that stand in for others of the same name; none where the
    /// system has no such programs.
    pub fn programs(&self) -> Option<&Path> {
        self.cast.programs.as_deref()
    }

    /// What can go wrong in it.
    pub fn faults(&self) -> &'static [Fault] {
        self.system.faults()
    }

    /// Writes each request down in this file from now on, and adds its path to the variables.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn log_to(&mut self, path: &Path) -> io::Result<()> {
        self.stage.log.open(path)?;
        self.cast.variables.insert("DEMO_LOG".to_owned(), path.display().to_string());
        Ok(())
    }

    /// Which Redis runs: `redis-server`, or `embedded` where there is none.
    pub fn redis(&self) -> &'static str {
        self.redis
    }

    /// Why there will be no Postgres, in words; none where one is coming up or there.
    pub fn no_postgres(&self) -> Option<&str> {
        self.cast.no_postgres.as_deref()
    }

    /// Turns a fault on, or off where it is on. An unknown name changes nothing.
    pub fn toggle(&self, fault: &str) {
        let Some(known) = self.faults().iter().find(|known| known.name == fault) else { return };
        let on = !self.stage.switches.is_on(fault);
        if (self.cast.throw)(fault, on) {
            let state = if on { "begins" } else { "ends" };
            self.stage.say(format!("By hand: {} {state}.", known.title));
        }
    }

    /// The names of the faults that are on.
    pub fn active(&self) -> Vec<&'static str> {
        self.stage.switches.active()
    }

    /// What happens in the story from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<StoryLine> {
        self.stage.story.subscribe()
    }

    /// Stops everything that was started, and waits for that.
    pub async fn stop(mut self) {
        self.stage.stopping.cancel();
        let orderly = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(ENDS_WITHIN, orderly).await.is_err() {
            self.tasks.shutdown().await;
        }
        // The watcher is waited for, which blocks for a moment.
        let ward = self.ward.take();
        let _ = tokio::task::spawn_blocking(move || drop(ward)).await;
    }
}

impl fmt::Debug for Demo {
    /// Without the variables and the world: they hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demo").field("redis", &self.redis).finish_non_exhaustive()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Whatever is not polled again is dropped with its task, and ends what it owns.
        self.stage.stopping.cancel();
    }
}
