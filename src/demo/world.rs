//! Everything the parts of the service share.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    bookings::Bookings,
    chance::Dice,
    fault::{COLD_CACHE, DEPLOY_REGRESSION},
    platform::Platform,
    stage::Stage,
    standin::{System, exodrive},
    store::Store,
};

/// The stored variable that a capture of payments is started with.
pub(super) const CRON_SECRET: &str = "CRON_SECRET";

/// The prefixes of the service's own cache; the rate limits are not among them.
pub(super) const CACHE_PREFIXES: &[&str] = &["availability:", "fleet:", "car:"];

/// Violations that one instance of the service remembers, and those it hands out.
const MOST_VIOLATIONS: usize = 1_000;
/// The service runs in this many instances, each with a memory of its own.
const INSTANCES: usize = 2;

/// The secrets of one run.
#[derive(Clone)]
pub(super) struct Credentials {
    /// Bearer token of the administrator.
    pub(super) admin_token: String,
    /// Session cookie of the administrator, and of somebody who is none.
    pub(super) admin_session: String,
    pub(super) customer_session: String,
    /// Bearer token of the platform.
    pub(super) platform_token: String,
    /// What starts a capture of payments.
    pub(super) cron_secret: String,
}

/// What the parts of the service share.
pub(super) struct World {
    /// What it stands in for.
    pub(super) system: System,
    /// The faults, and the end.
    pub(super) stage: Arc<Stage>,
    /// The service's connection to Redis.
    pub(super) store: Store,
    /// The load of the database.
    pub(super) database: Database,
    /// The bookings in Postgres, once it is there.
    pub(super) bookings: OnceLock<Bookings>,
    /// The hosting platform.
    pub(super) platform: Mutex<Platform>,
    /// Secrets.
    pub(super) credentials: Credentials,
    /// Chance.
    pub(super) dice: Dice,
    /// What happened when the cache was last warmed.
    pub(super) last_warming: Mutex<Option<Value>>,
    violations: Mutex<[VecDeque<Violation>; INSTANCES]>,
    requests: AtomicU64,
}

/// A refused request, as the service remembers it: with everything the caller sent.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) at: Timestamp,
    pub(super) identifier: String,
    pub(super) endpoint: String,
    pub(super) limit: u64,
    pub(super) window: Duration,
    pub(super) headers: Value,
}

impl World {
    /// A service at rest.
    pub(super) fn new(
        system: System,
        stage: Arc<Stage>,
        store: Store,
        credentials: Credentials,
        seed: u64,
    ) -> Self {
        let mut platform = Platform::new(Timestamp::now());
        platform.preset(CRON_SECRET, &credentials.cron_secret, Timestamp::now());
        platform.preset_plain("PAYPAL_MODE", "live", Timestamp::now());
        Self {
            system,
            stage,
            store,
            database: Database::default(),
            bookings: OnceLock::new(),
            platform: Mutex::new(platform),
            credentials,
            dice: Dice::new(seed),
            last_warming: Mutex::new(None),
            violations: Mutex::new([VecDeque::new(), VecDeque::new()]),
            requests: AtomicU64::new(0),
        }
    }

    /// The platform's state.
    pub(super) fn platform(&self) -> MutexGuard<'_, Platform> {
        self.platform.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns a fault on or off; false where it was so already.
    pub(super) fn fault(&self, name: &str, on: bool) -> bool {
        if !self.stage.switches.set(name, on) {
            return false;
        }
        if name == DEPLOY_REGRESSION {
            let mut platform = self.platform();
            if on { platform.release_bad(Timestamp::now()) } else { platform.serve_good() }
        }
        true
    }

    /// Makes the switch follow what the platform serves, after it was told to serve
    /// something else.
    pub(super) fn served_changed(&self) {
        let bad = self.platform().serves_bad();
        self.stage.switches.set(DEPLOY_REGRESSION, bad);
    }

    /// Whether the service uses Redis: whether a client object exists, not whether it works.
    /// Nothing in it reads `DISABLE_REDIS` or `REDIS_BYPASS` from its variables.
    pub(super) fn uses_redis(&self) -> bool {
        let reads_edge =
            self.system == System::Mixed || self.stage.switches.is_on(exodrive::READS_EDGE);
        let platform = self.platform();
        let off =
            reads_edge && (platform.is_set("disable_redis") || platform.is_set("redis_bypass"));
        !off && platform.has_redis_address()
    }

    /// Whether a miss fills the cache.
    pub(super) fn fills_cache(&self) -> bool {
        !self.stage.switches.is_on(COLD_CACHE)
    }

    /// The instance that serves the next request.
    fn instance(&self) -> usize {
        usize::try_from(self.requests.fetch_add(1, Ordering::Relaxed)).unwrap_or(0) % INSTANCES
    }

    /// Remembers a violation, in the memory of the instance that serves it.
    pub(super) fn violated(&self, violation: Violation) {
        let instance = self.instance();
        let mut all = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        let log = &mut all[instance];
        log.push_back(violation);
        if log.len() > MOST_VIOLATIONS {
            log.pop_front();
        }
    }

    /// The violations that the instance which happens to answer remembers, oldest first.
    pub(super) fn violations(&self) -> Vec<Violation> {
        let instance = self.instance();
        let all = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        all[instance].iter().cloned().collect()
    }

    /// Makes the instance which happens to answer forget its violations.
    pub(super) fn forget_violations(&self) {
        let instance = self.instance();
        let mut all = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        all[instance].clear();
    }
}

/// The service's database, as far as it matters here: it takes longer the more it is asked.
#[derive(Debug)]
pub(super) struct Database {
    load: Mutex<Load>,
    /// Queries not yet carried out against a real database.
    owed: AtomicU64,
}

#[derive(Debug)]
struct Load {
    recent: f64,
    at: Option<Instant>,
}

impl Default for Database {
    fn default() -> Self {
        let load = Mutex::new(Load { recent: 0.0, at: None });
        Self { load, owed: AtomicU64::new(0) }
    }
}

/// How far back the load looks.
const LOAD_SECONDS: f64 = 3.0;
/// Queries a second at which an answer takes twice as long as on an idle database.
const COMFORTABLE: f64 = 12.0;
/// An answer of an idle database.
const IDLE_ANSWER: Duration = Duration::from_millis(42);
/// However loaded, it does not take longer than so many idle answers.
const SLOWEST: f64 = 14.0;

impl Database {
    /// How long the next query takes: it grows with the square of the queries per second.
    /// `luck` is about 1.
    pub(super) fn query(&self, now: Instant, luck: f64) -> Duration {
        let mut load = self.load.lock().unwrap_or_else(PoisonError::into_inner);
        load.recent = load.decayed(now) + 1.0;
        load.at = Some(now);
        self.owed.fetch_add(1, Ordering::Relaxed);
        let share = load.recent / LOAD_SECONDS / COMFORTABLE;
        IDLE_ANSWER.mul_f64((share.mul_add(share, 1.0)).min(SLOWEST) * luck)
    }

    /// The queries since the last time this was asked.
    pub(super) fn take_owed(&self) -> u64 {
        self.owed.swap(0, Ordering::Relaxed)
    }
}

impl Load {
    fn decayed(&self, now: Instant) -> f64 {
        let passed = self.at.map_or(0.0, |at| now.duration_since(at).as_secs_f64());
        self.recent * (-passed / LOAD_SECONDS).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_database_slows_down_under_load_and_recovers() {
        let database = Database::default();
        let idle = database.query(Instant::now(), 1.0);
        for _ in 0..200 {
            database.query(Instant::now(), 1.0);
            tokio::time::advance(Duration::from_millis(30)).await;
        }
        let loaded = database.query(Instant::now(), 1.0);
        assert!(loaded > idle * 4, "{idle:?} {loaded:?}");
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(database.query(Instant::now(), 1.0) < idle * 2);
        assert_eq!(database.take_owed(), 203);
    }
}
