//! The customers: a stream of requests that a seed decides, straight into the service.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    cars,
    fault::RATE_LIMIT_ABUSE,
    limit::{self, Tier},
    request::{Ask, Caller, answer},
    warming::{ASKED_DAYS, availability},
    world::World,
};

/// Requests a second of all customers together, at the mean.
const PER_SECOND: f64 = 24.0;
/// The busy and the quiet minutes follow each other in this time.
const TIDE: Duration = Duration::from_secs(150);
/// Requests that may be under way at a time; beyond that customers give up.
const MOST_UNDER_WAY: usize = 256;
/// Customers by address, and users who have logged in.
const ADDRESSES: usize = 56;
const USERS: usize = 14;
/// A customer who behaves well stays below the limit of 60 requests a minute.
const WELL_BEHAVED: usize = 54;
/// Bookings of one user in an hour stay below the limit of 10.
const BOOKINGS: usize = 8;
/// Where the abuse comes from, and how often.
const ABUSER: &str = "203.0.113.77";
const ABUSE_EVERY: Duration = Duration::from_millis(50);

/// Sends requests until the service stops.
pub(super) async fn run(world: Arc<World>, seed: u64) {
    let work =
        async { tokio::join!(customers(&world, SmallRng::seed_from_u64(seed)), abuser(&world),) };
    // There is no result: the work ends only by being interrupted.
    let _ = world.stage.until_over(work).await;
}

/// What one customer has sent lately.
#[derive(Debug, Default)]
struct Habit {
    sent: VecDeque<Instant>,
}

impl Habit {
    /// Whether the customer sends one more, where `most` in `window` is enough for them.
    fn sends(&mut self, now: Instant, window: Duration, most: usize) -> bool {
        while self.sent.front().is_some_and(|at| now.duration_since(*at) >= window) {
            self.sent.pop_front();
        }
        let sends = self.sent.len() < most;
        if sends {
            self.sent.push_back(now);
        }
        sends
    }
}

async fn customers(world: &Arc<World>, mut rng: SmallRng) {
    let mut habits: Vec<Habit> = (0..ADDRESSES + USERS).map(|_| Habit::default()).collect();
    let mut bookings: Vec<Habit> = (0..USERS).map(|_| Habit::default()).collect();
    let mut under_way = JoinSet::new();
    let began = Instant::now();
    loop {
        let tide = began.elapsed().as_secs_f64() / TIDE.as_secs_f64() * std::f64::consts::TAU;
        let rate = PER_SECOND * tide.sin().mul_add(0.2, 1.0);
        // The time between two customers who know nothing of each other.
        let wait = -(1.0 - rng.random::<f64>()).ln() / rate;
        sleep(Duration::from_secs_f64(wait.min(2.0))).await;
        while under_way.try_join_next().is_some() {}
        let who = skewed(&mut rng, ADDRESSES + USERS, 1.3);
        let now = Instant::now();
        if under_way.len() >= MOST_UNDER_WAY
            || !habits[who].sends(now, Duration::from_secs(60), WELL_BEHAVED)
        {
            continue;
        }
        let (ask, caller) = match who.checked_sub(ADDRESSES) {
            None => (browsing(&mut rng), customer(who)),
            Some(user) => {
                let books = rng.random::<f64>() < 0.02
                    && bookings[user].sends(now, Duration::from_secs(3_600), BOOKINGS);
                if books {
                    (Ask::Booking { car: car(&mut rng) }, member(Tier::Booking, user))
                } else {
                    (Ask::Fleet, customer(who))
                }
            }
        };
        let world = Arc::clone(world);
        under_way.spawn(async move {
            answer(&world, &ask, &caller).await;
        });
    }
}

/// A number below `count`; the larger the skew, the more often a small one.
pub(super) fn skewed(rng: &mut SmallRng, count: usize, skew: f64) -> usize {
    let place = rng.random::<f64>().powf(skew) * count as f64;
    (place as usize).min(count - 1)
}

fn car(rng: &mut SmallRng) -> usize {
    skewed(rng, cars::COUNT, 2.2)
}

/// What somebody who looks around asks for.
fn browsing(rng: &mut SmallRng) -> Ask {
    match rng.random_range(0..10) {
        0..3 => Ask::Listing { page: 1 + skewed(rng, 4, 2.0), limit: 10 },
        3..7 => Ask::Details { car: car(rng) },
        _ => {
            let day = ASKED_DAYS[skewed(rng, ASKED_DAYS.len(), 1.8)];
            availability(car(rng), day)
        }
    }
}

/// A customer: by address, in a range that is reserved for examples, or by user.
fn customer(who: usize) -> Caller {
    match who.checked_sub(ADDRESSES) {
        None => caller(Tier::Public, format!("198.51.100.{}", 10 + who), "Mozilla/5.0 (iPhone)"),
        Some(user) => member(Tier::Auth, user),
    }
}

fn member(tier: Tier, user: usize) -> Caller {
    caller(
        tier,
        format!("user_{:08x}", 0x8f3a_21c9_u32.wrapping_add(user as u32 * 7_919)),
        "Mozilla/5.0",
    )
}

/// The request as it would arrive. What looks like credentials opens nothing, but would be
/// somebody's in production.
fn caller(tier: Tier, identifier: String, agent: &str) -> Caller {
    let headers = json!({
        "host": "api.exodrive.com",
        "user-agent": agent,
        "x-forwarded-for": identifier,
        "cookie": format!("sb-exodrive-auth-token=made-up-session-of-{identifier}"),
        "authorization": format!("Bearer made-up-token-of-{identifier}"),
    });
    Caller { tier, identifier, headers }
}

/// While the fault is on, one address asks for the same thing over and over.
async fn abuser(world: &Arc<World>) {
    let mut under_way = JoinSet::new();
    let headers: Value = caller(Tier::Public, ABUSER.to_owned(), "python-requests/2.32").headers;
    let mut page = 1;
    loop {
        let changed = world.stage.switches.changed.notified();
        if !world.stage.switches.is_on(RATE_LIMIT_ABUSE) {
            under_way.abort_all();
            changed.await;
            continue;
        }
        sleep(ABUSE_EVERY).await;
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= MOST_UNDER_WAY {
            continue;
        }
        // Always another page, so that it misses the cache where it is let through.
        page = page % 900 + 5;
        let ask = Ask::Listing { page, limit: 7 };
        let identifier = ABUSER.to_owned();
        let caller = Caller { tier: Tier::Public, identifier, headers: headers.clone() };
        let world = Arc::clone(world);
        under_way.spawn(async move {
            answer(&world, &ask, &caller).await;
        });
    }
}

/// Leaves the traces in Redis of a service that has run for a while: the recent requests of
/// the customers. Without them, the first minute would look like nobody had ever come.
pub(super) async fn prepare(world: &World) {
    for who in 0..ADDRESSES + USERS {
        let caller = customer(who);
        // So few that with those to come the customer stays below the limit.
        let before = [52, 41, 30, 19];
        limit::remember(&world.store, caller.tier, &caller.identifier, &before).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_what_is_asked() {
        let of = |seed| {
            let mut rng = SmallRng::seed_from_u64(seed);
            (0..50).map(|_| browsing(&mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    #[tokio::test(start_paused = true)]
    async fn a_well_behaved_customer_never_reaches_the_limit() {
        let mut habit = Habit::default();
        let mut sent = VecDeque::new();
        for _ in 0..2_000 {
            let now = Instant::now();
            if habit.sends(now, Duration::from_secs(60), WELL_BEHAVED) {
                sent.push_back(now);
            }
            let recent = sent.iter().filter(|at| now.duration_since(**at).as_secs() < 60).count();
            assert!(recent <= WELL_BEHAVED);
            tokio::time::advance(Duration::from_millis(130)).await;
        }
        assert!(sent.len() > 200);
    }
}
