//! When each source is asked: fixed slots, jitter, back-off, one request in flight.
//!
//! Slots are fixed in advance (`start + k * interval`), so that a slow answer does not
//! quietly stretch the rhythm: a slot that passes while a poll is still under way is
//! reported as skipped, and counts as a latency of at least the wait.

use std::{future::Future, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::domain::{
    failure::{Failure, FailureKind},
    ids::SourceId,
    observation::Observation,
};

use super::clock::Clock;

/// Something that can be asked.
pub trait Pollable: Send + 'static {
    /// Asks once, within the source's timeout. `at` and `took` of the answer are set by
    /// the poller.
    fn poll(&mut self) -> impl Future<Output = Observation> + Send;
}

/// The rhythm of a source.
#[derive(Clone, Copy, Debug)]
pub struct Rhythm {
    /// How often it is asked.
    pub interval: Duration,
    /// Each slot is moved by up to this share of the interval.
    pub jitter: f64,
    /// After failures the interval grows up to this.
    pub backoff_max: Duration,
}

/// What a poller can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ask now.
    Now,
    /// Ask at another interval.
    Interval(Duration),
}

/// What a poller says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// It asked.
    Observed(Box<Observation>),
    /// A slot passed while the poll before it was under way.
    Skipped {
        /// The source.
        source: SourceId,
        /// How long the slot has been waiting.
        waited: Duration,
    },
}

/// The shortest time between two polls, whoever asks for them.
const FLOOR: Duration = Duration::from_millis(250);

/// How long a source is left alone after an answer that trying again would make worse.
const SLOW_RETRY: Duration = Duration::from_secs(30);

/// Polls a source until the receiver of what it says is gone.
pub async fn run<P: Pollable>(
    mut source: P,
    mut rhythm: Rhythm,
    clock: Clock,
    orders: &mut mpsc::Receiver<Order>,
    said: mpsc::Sender<Said>,
    seed: u64,
) {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut failures: u32 = 0;
    let mut slot = Instant::now() + first_offset(&rhythm, &mut random);
    loop {
        match wait(slot, orders).await {
            Wake::Slot => {}
            Wake::Now => slot = Instant::now(),
            Wake::Interval(interval) => {
                rhythm.interval = interval;
                slot = slot.min(Instant::now() + interval);
                continue;
            }
            Wake::Over => return,
        }
        let began = Instant::now();
        let mut observation = source.poll().await;
        let now = clock.now();
        observation.at = now;
        // From the slot, not from the start of the request: a poll that had to wait for
        // its turn took that long from where the operator stands.
        observation.took = Instant::now().duration_since(slot.min(began));
        let delay = next_delay(&observation, &rhythm, &mut failures);
        let id = observation.source.clone();
        if said.send(Said::Observed(Box::new(observation))).await.is_err() {
            return;
        }
        slot = next_slot(slot, delay, &rhythm, &mut random);
        let late = Instant::now().saturating_duration_since(slot);
        if failures == 0 && late >= rhythm.interval {
            let skipped = Said::Skipped { source: id, waited: late };
            if said.send(skipped).await.is_err() {
                return;
            }
        }
        slot = slot.max(Instant::now() + FLOOR);
    }
}

enum Wake {
    Slot,
    Now,
    Interval(Duration),
    Over,
}

async fn wait(slot: Instant, orders: &mut mpsc::Receiver<Order>) -> Wake {
    tokio::select! {
        biased;
        order = orders.recv() => match order {
            Some(Order::Now) => Wake::Now,
            Some(Order::Interval(interval)) => Wake::Interval(interval),
            None => Wake::Over,
        },
        () = sleep_until(slot) => Wake::Slot,
    }
}

/// The first polls of a console are spread over a fifth of a second: soon enough to see
/// something at once, far enough apart not to be a burst.
fn first_offset(rhythm: &Rhythm, random: &mut SmallRng) -> Duration {
    let most = Duration::from_millis(200).min(rhythm.interval / 2);
    most.mul_f64(random.random_range(0.0..1.0))
}

/// How long until the next slot. A failing source is asked at its own rhythm twice more,
/// then less and less often up to the limit, so that the end of an outage is seen soon
/// and a service that is coming up is not trampled.
fn next_delay(observation: &Observation, rhythm: &Rhythm, failures: &mut u32) -> Duration {
    let Err(why) = &observation.outcome else {
        *failures = 0;
        return rhythm.interval;
    };
    *failures = failures.saturating_add(1);
    let doublings = failures.saturating_sub(3).min(16);
    let grown = rhythm.interval.saturating_mul(1 << doublings);
    let backed_off = grown.min(rhythm.backoff_max).max(rhythm.interval);
    let slow = if why.kind.retry_slowly() { SLOW_RETRY } else { Duration::ZERO };
    backed_off.max(slow).max(why.retry_after.unwrap_or(Duration::ZERO))
}

fn next_slot(slot: Instant, delay: Duration, rhythm: &Rhythm, random: &mut SmallRng) -> Instant {
    let share = rhythm.jitter.clamp(0.0, 0.5);
    let jitter = if share > 0.0 { random.random_range(-share..share) } else { 0.0 };
    slot + delay + rhythm.interval.mul_f64(jitter.abs()).min(delay / 2)
}

/// What is reported for a source whose poller broke down: never silence.
pub fn broken(id: &SourceId, clock: Clock, why: &str) -> Observation {
    let text = format!("the poller of this source broke down and is started again: {why}");
    Observation {
        source: id.clone(),
        at: clock.now(),
        took: Duration::ZERO,
        request: "".into(),
        phases: None,
        outcome: Err(Failure::new(FailureKind::BadAnswer, text)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;
    use crate::domain::observation::Facts;

    /// A source whose answers take and turn out as told, by number.
    struct Fake<F> {
        answer: F,
        asked: Arc<AtomicU32>,
    }

    impl<F> Pollable for Fake<F>
    where
        F: Fn(u32) -> (Duration, Result<Facts, Failure>) + Send + Sync + 'static,
    {
        async fn poll(&mut self) -> Observation {
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            let (took, outcome) = (self.answer)(number);
            tokio::time::sleep(took).await;
            Observation {
                source: SourceId::from("fake"),
                at: crate::domain::time::Moment::at_seconds(0.0),
                took: Duration::ZERO,
                request: "ask".into(),
                phases: None,
                outcome,
            }
        }
    }

    struct Harness {
        said: mpsc::Receiver<Said>,
        orders: mpsc::Sender<Order>,
    }

    fn start<F>(rhythm: Rhythm, answer: F) -> Harness
    where
        F: Fn(u32) -> (Duration, Result<Facts, Failure>) + Send + Sync + 'static,
    {
        let (said_to, said) = mpsc::channel(64);
        let (orders, mut orders_of) = mpsc::channel(4);
        let asked = Arc::new(AtomicU32::new(0));
        let fake = Fake { answer, asked };
        let clock = Clock::simulated(jiff::Timestamp::UNIX_EPOCH);
        tokio::spawn(async move { run(fake, rhythm, clock, &mut orders_of, said_to, 7).await });
        Harness { said, orders }
    }

    const STEADY: Rhythm = Rhythm {
        interval: Duration::from_secs(5),
        jitter: 0.0,
        backoff_max: Duration::from_secs(40),
    };

    fn down() -> Result<Facts, Failure> {
        Err(Failure::new(FailureKind::Refused, "nothing listens"))
    }

    async fn times(harness: &mut Harness, count: usize) -> Vec<u64> {
        let mut times = Vec::new();
        while times.len() < count {
            if let Said::Observed(observation) = harness.said.recv().await.unwrap() {
                times.push(observation.at.mono.as_secs());
            }
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn asks_in_fixed_slots_however_long_an_answer_takes() {
        let answer = |_| (Duration::from_secs(2), Ok(Facts::default()));
        let mut harness = start(STEADY, answer);
        assert_eq!(times(&mut harness, 4).await, [2, 7, 12, 17]);
    }

    #[tokio::test(start_paused = true)]
    async fn backs_off_after_three_failures_up_to_the_limit_and_returns_at_once() {
        let answer = |number| {
            let outcome = if number < 9 { down() } else { Ok(Facts::default()) };
            (Duration::ZERO, outcome)
        };
        let mut harness = start(STEADY, answer);
        let times = times(&mut harness, 12).await;
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps, [5, 5, 5, 10, 20, 40, 40, 40, 40, 5, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn leaves_a_source_alone_that_refuses_the_credentials_or_asks_to_wait() {
        let answer = |number| {
            let failure = if number == 0 {
                Failure::new(FailureKind::NotAuthorised, "wrong token")
            } else {
                let mut failure = Failure::new(FailureKind::Throttled, "slow down");
                failure.retry_after = Some(Duration::from_secs(90));
                failure
            };
            (Duration::ZERO, Err(failure))
        };
        let mut harness = start(STEADY, answer);
        assert_eq!(times(&mut harness, 3).await, [0, 30, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_that_passes_under_a_stalled_poll_is_reported() {
        let answer = |number| {
            let took = if number == 0 { Duration::from_secs(12) } else { Duration::ZERO };
            (took, Ok(Facts::default()))
        };
        let mut harness = start(STEADY, answer);
        assert!(matches!(harness.said.recv().await, Some(Said::Observed(_))));
        let Some(Said::Skipped { waited, .. }) = harness.said.recv().await else {
            panic!("the slot at 5 s was not reported");
        };
        assert!(waited >= Duration::from_secs(6), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_asks_at_once_and_an_interval_takes_effect() {
        let mut harness = start(STEADY, |_| (Duration::ZERO, Ok(Facts::default())));
        assert_eq!(times(&mut harness, 1).await, [0]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        harness.orders.send(Order::Now).await.unwrap();
        assert_eq!(times(&mut harness, 1).await, [1]);
        harness.orders.send(Order::Interval(Duration::from_secs(2))).await.unwrap();
        let next = times(&mut harness, 2).await;
        assert_eq!(next[1] - next[0], 2);
    }

    #[tokio::test(start_paused = true)]
    async fn stops_when_nobody_listens() {
        let (said_to, said) = mpsc::channel(1);
        let (_orders, mut orders_of) = mpsc::channel(1);
        drop(said);
        let fake =
            Fake { answer: |_| (Duration::ZERO, Ok(Facts::default())), asked: Arc::default() };
        let clock = Clock::simulated(jiff::Timestamp::UNIX_EPOCH);
        let task =
            tokio::spawn(async move { run(fake, STEADY, clock, &mut orders_of, said_to, 7).await });
        tokio::time::timeout(Duration::from_secs(60), task).await.unwrap().unwrap();
    }
}
