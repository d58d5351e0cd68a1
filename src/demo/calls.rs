//! Those who call the voice agent: what it has to look up for them.

use std::time::Duration;

use rand::{SeedableRng, rngs::SmallRng};
use tokio::time::{Instant, sleep};

use super::{agent::Agent, chance::Dice, traffic::skewed, world::Database};

/// Lookups of the voice agent.
const EVERY: Duration = Duration::from_millis(160);
const KEYS: usize = 60;
/// How often each key was looked up before anybody watches.
const BEFORE: usize = 4;
/// Keeps the agent's chances apart from those of the customers.
const APART: u64 = 0xb1c1;

/// The key of something that the voice agent looks up.
fn key(number: usize) -> String {
    const KINDS: &[&str] = &["lead", "org", "ctx", "conv", "sum", "greet", "dashboard"];
    format!("bici:{}:{}", KINDS[number % KINDS.len()], 4_100 + number)
}

/// Leaves the traces of an agent that has run for a while. Without them, the first minute
/// would look like an empty cache.
pub(super) async fn prepare(agent: &Agent) {
    for number in 0..KEYS {
        for _ in 0..BEFORE {
            agent.look_up(&key(number)).await;
        }
    }
}

/// Calls until it is interrupted.
pub(super) async fn run(agent: &Agent, database: &Database, dice: &Dice, seed: u64) {
    let mut rng = SmallRng::seed_from_u64(seed ^ APART);
    let mut strangers = 0_usize;
    loop {
        sleep(EVERY).await;
        if !agent.is_called() {
            continue;
        }
        let key = if agent.meets_strangers() {
            // Somebody whom it has never heard of, each time.
            strangers += 1;
            key(1_000 + strangers)
        } else {
            key(skewed(&mut rng, KEYS, 1.6))
        };
        if !agent.look_up(&key).await {
            sleep(database.query(Instant::now(), dice.between(0.7, 1.3))).await;
        }
    }
}
