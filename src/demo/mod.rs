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
mod cars;
mod chance;
mod exodrive_api;
mod fault;
mod limit;
mod monitoring_api;
mod platform;
mod platform_api;
mod postgres;
mod redis_server;
mod request;
mod request_log;
mod resp;
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
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use tokio::{net::TcpListener, sync::broadcast, task::JoinSet};

pub use fault::{FAULTS, Fault, Scenario};

use agent::Agent;
use fault::COLD_CACHE;
use redis_server::Site;
use store::Store;
use ward::Ward;
use world::{CACHE_PREFIXES, Credentials, World};

/// How long an orderly end may take before the rest is cut off.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// How the demo is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
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
        Self { scenario: Scenario::Story, seed: 1, embedded_redis: false, postgres: true }
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
    /// The operating system gives no random numbers.
    #[error("no random numbers from the system: {0}")]
    Random(#[source] io::Error),
}

/// A running demo. Dropping it stops everything it started; [`Demo::stop`] also waits.
pub struct Demo {
    world: Arc<World>,
    variables: BTreeMap<String, String>,
    redis: &'static str,
    no_postgres: Option<String>,
    tasks: JoinSet<()>,
    ward: Option<Arc<Ward>>,
}

impl Demo {
    /// Starts the service and its Redis, well within a second; a Postgres follows in the
    /// background. Has to be called from within a tokio runtime.
    ///
    /// # Errors
    /// Where a port cannot be listened on or the system gives no random numbers.
    pub async fn start(options: Options) -> Result<Self, DemoError> {
        // Without a watcher nothing is started that could be left behind.
        let ward = Ward::new().ok().map(Arc::new);
        let redis_ward = ward.clone().filter(|_| !options.embedded_redis);
        let password = chance::unguessable(32).map_err(DemoError::Random)?;
        let site = Site::start(redis_ward, password).await.map_err(DemoError::Redis)?;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .map_err(DemoError::Listen)?;
        let address = listener.local_addr().map_err(DemoError::Listen)?;

        let store = |name| Ok::<_, DemoError>(Store::new(redis::Client::open(site.url())?, name));
        let (api, agent) = (store("exodrive-api")?, store("bici-agent")?);
        let credentials = credentials().map_err(DemoError::Random)?;
        let mut variables = variables(address, &site, &credentials);
        let world = Arc::new(World::new(api, Agent::new(agent), credentials, options.seed));
        warming::warm(&world, &warming::Plan::EVERYTHING).await;
        traffic::prepare(&world).await;
        world.agent.check().await;

        let redis = if site.is_program() { "redis-server" } else { "embedded" };
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::clone(&world)));
        tasks.spawn(site.supervise(Arc::clone(&world)));
        tasks.spawn(traffic::run(Arc::clone(&world), options.seed));
        tasks.spawn(keep_house(Arc::clone(&world)));
        let telling = Arc::clone(&world);
        tasks.spawn(async move { story::tell(options.scenario, &telling).await });
        let no_postgres = match postgres_plan(options, ward.clone()) {
            Ok(plan) => {
                variables.insert("DEMO_POSTGRES_URL".to_owned(), plan.url());
                tasks.spawn(plan.run(Arc::clone(&world)));
                None
            }
            Err(reason) => Some(reason),
        };
        Ok(Self { world, variables, redis, no_postgres, tasks, ward })
    }

    /// The values of the variables that the demo's profile uses: addresses, identifiers
    /// and secrets. The secrets open nothing but this demo.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.variables.clone()
    }

    /// Writes each request down in this file from now on, and adds its path to the variables.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn log_to(&mut self, path: &Path) -> io::Result<()> {
        self.world.log.open(path)?;
        self.variables.insert("DEMO_LOG".to_owned(), path.display().to_string());
        Ok(())
    }

    /// Which Redis runs: `redis-server`, or `embedded` where there is none.
    pub fn redis(&self) -> &'static str {
        self.redis
    }

    /// Why there will be no Postgres, in words; none where one is coming up or there.
    pub fn no_postgres(&self) -> Option<&str> {
        self.no_postgres.as_deref()
    }

    /// Turns a fault on, or off where it is on. An unknown name changes nothing.
    pub fn toggle(&self, fault: &str) {
        let Some(known) = FAULTS.iter().find(|known| known.name == fault) else { return };
        let on = !self.world.switches.is_on(fault);
        if self.world.fault(fault, on) {
            let state = if on { "begins" } else { "ends" };
            self.world.say(format!("By hand: {} {state}.", known.title));
        }
    }

    /// The names of the faults that are on.
    pub fn active(&self) -> Vec<&'static str> {
        self.world.switches.active()
    }

    /// What happens in the story from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<StoryLine> {
        self.world.story.subscribe()
    }

    /// Stops everything that was started, and waits for that.
    pub async fn stop(mut self) {
        self.world.stopping.cancel();
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
        self.world.stopping.cancel();
    }
}

fn postgres_plan(options: Options, ward: Option<Arc<Ward>>) -> Result<postgres::Plan, String> {
    if !options.postgres {
        return Err("it was not asked for".to_owned());
    }
    postgres::Plan::make(ward)
}

async fn serve(listener: TcpListener, world: Arc<World>) {
    let stopping = world.stopping.clone();
    let routes = Router::new()
        .merge(exodrive_api::routes())
        .merge(monitoring_api::routes())
        .merge(platform_api::routes(Arc::clone(&world)))
        .with_state(world);
    let serving = axum::serve(listener, routes);
    // It only ends when it is told to.
    let _ = serving.with_graceful_shutdown(stopping.cancelled_owned()).await;
}

/// The service's own chores: the agent looks after itself, and a cache that is to be cold
/// is emptied.
async fn keep_house(world: Arc<World>) {
    let agent = async {
        loop {
            tokio::time::sleep(agent::CHECK_EVERY).await;
            world.agent.check().await;
        }
    };
    let cache = async {
        let mut was_cold = false;
        loop {
            let changed = world.switches.changed.notified();
            let cold = world.switches.is_on(COLD_CACHE);
            if cold && !was_cold && world.store.clear(CACHE_PREFIXES).await.is_err() {
                world.say("The cache could not be emptied: Redis does not answer.");
            }
            was_cold = cold;
            changed.await;
        }
    };
    let work = async { tokio::join!(agent, cache) };
    // There is no result: the work ends only by being interrupted.
    let _ = world.stopping.run_until_cancelled(work).await;
}

fn credentials() -> io::Result<Credentials> {
    Ok(Credentials {
        admin_token: format!("demo-admin-{}", chance::unguessable(24)?),
        admin_session: format!("demo-session-{}", chance::unguessable(24)?),
        customer_session: format!("demo-customer-{}", chance::unguessable(24)?),
        platform_token: format!("demo-platform-{}", chance::unguessable(24)?),
    })
}

fn variables(address: SocketAddr, site: &Site, secrets: &Credentials) -> BTreeMap<String, String> {
    let base = format!("http://{address}");
    let cookie = |session: &str| format!("{}={session}", exodrive_api::SESSION_COOKIE);
    let pairs = [
        ("EXODRIVE_URL", base.clone()),
        ("EXODRIVE_ADMIN_TOKEN", secrets.admin_token.clone()),
        ("EXODRIVE_ADMIN_COOKIE", cookie(&secrets.admin_session)),
        ("EXODRIVE_CUSTOMER_COOKIE", cookie(&secrets.customer_session)),
        ("EXODRIVE_CAR_ID", cars::id(0)),
        ("BICI_URL", base.clone()),
        ("REDIS_URL", site.url()),
        ("VERCEL_API", format!("{base}{}", platform_api::PREFIX)),
        ("VERCEL_TOKEN", secrets.platform_token.clone()),
        ("VERCEL_PROJECT_ID", platform::PROJECT.to_owned()),
        ("VERCEL_TEAM_ID", platform::TEAM.to_owned()),
        ("EDGE_CONFIG_ID", platform::EDGE_CONFIG.to_owned()),
        ("ROLLBACK_TO", platform::GOOD.to_owned()),
        ("PROMOTE_TO", platform::GOOD.to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
