//! When each source is asked: fixed slots, jitter, back-off, one request in flight.
//!
//! Slots are fixed in advance (`start + k * interval`, each asked a little before or after by
//! the jitter), so that neither a slow answer nor the jitter quietly stretches the rhythm. A
//! slot that passes while a poll is still under way is asked as soon as that is over, and
//! its wait counts as part of its time; where the next one has passed as well, it is reported
//! as skipped, and counts as a latency of at least the wait. Failures and orders move the
//! slots: after them, they are fixed anew.

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
    /// Each slot is asked earlier or later by up to this share of the interval.
    pub jitter: f64,
    /// After failures the interval grows up to this.
    pub backoff_max: Duration,
}

/// What a poller can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ask now.
    Now,
    /// Ask now, and judge nothing by the answer: it is only to be listed sooner.
    Listen,
    /// Ask at another interval.
    Interval(Duration),
}

/// What a poller says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// It asked.
    Observed(Box<Observation>),
    /// It asked because somebody listens: nothing is judged by that.
    Heard(Box<Observation>),
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

/// Slots in a row that are reported as skipped at most. More have passed only where the
/// process itself stood still, and that is told as a gap.
const SKIPPED: u32 = 12;

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
    // The slot as it is fixed, and when it is to be asked.
    let mut slot = Instant::now() + first_offset(&rhythm, &mut random);
    let mut due = slot;
    let mut rested = slot;
    loop {
        let (in_turn, counts) = match wait(due.max(rested), orders).await {
            Wake::Slot => (true, true),
            Wake::Now => (false, true),
            Wake::Listen => (false, false),
            Wake::Interval(interval) => {
                rhythm.interval = interval;
                slot = slot.min(Instant::now() + interval);
                due = due.min(slot);
                continue;
            }
            Wake::Over => return,
        };
        let began = Instant::now();
        let mut observation = source.poll().await;
        observation.at = clock.now();
        let now = Instant::now();
        // From the slot, not from the start of the request: a poll that had to wait for
        // its turn took that long from where the operator stands.
        observation.took = now.duration_since(if in_turn { due.min(began) } else { began });
        let id = observation.source.clone();
        // Neither a failure nor a recovery is made of what was asked only to listen.
        let wait = counts.then(|| next_wait(&observation, &rhythm, &mut failures));
        let observation = Box::new(observation);
        let news = if counts { Said::Observed(observation) } else { Said::Heard(observation) };
        if said.send(news).await.is_err() {
            return;
        }
        slot = match (wait, in_turn, failures) {
            (Some(_), true, 0) => slot + rhythm.interval,
            (Some(wait), true, _) => (slot + wait.delay).max(now + wait.at_least),
            (Some(_), false, 0) => first_after(now, slot, rhythm.interval),
            (Some(wait), false, _) => slot.max(now + wait.delay),
            (None, ..) => slot,
        };
        let passed = passed(slot, now, rhythm.interval);
        for missed in passed.saturating_sub(SKIPPED)..passed {
            let waited = now.duration_since(slot + rhythm.interval * missed);
            let skipped = Said::Skipped { source: id.clone(), waited };
            if failures == 0 && said.send(skipped).await.is_err() {
                return;
            }
        }
        slot += rhythm.interval * passed;
        due = jittered(slot, &rhythm, &mut random);
        rested = Instant::now() + FLOOR;
    }
}

/// How many slots from `slot` on have passed so far that another one has followed.
fn passed(slot: Instant, now: Instant, interval: Duration) -> u32 {
    let late = now.saturating_duration_since(slot).as_nanos();
    u32::try_from(late / interval.as_nanos().max(1)).unwrap_or(u32::MAX)
}

/// The first of the slots around `slot` that is still to come: after an order, the rhythm
/// goes on as if there had been none, and after a recovery it is the usual one again.
fn first_after(now: Instant, slot: Instant, interval: Duration) -> Instant {
    let early = slot.saturating_duration_since(now).as_nanos().saturating_sub(1);
    let whole = u32::try_from(early / interval.as_nanos().max(1)).unwrap_or(0);
    slot.checked_sub(interval * whole).unwrap_or(slot)
}

/// When a slot is asked.
fn jittered(slot: Instant, rhythm: &Rhythm, random: &mut SmallRng) -> Instant {
    let share = rhythm.jitter.clamp(0.0, 0.5);
    if share == 0.0 {
        return slot;
    }
    let moved = rhythm.interval.mul_f64(share * random.random_range(0.0..1.0));
    if random.random_bool(0.5) { slot + moved } else { slot.checked_sub(moved).unwrap_or(slot) }
}

enum Wake {
    Slot,
    Now,
    Listen,
    Interval(Duration),
    Over,
}

async fn wait(slot: Instant, orders: &mut mpsc::Receiver<Order>) -> Wake {
    tokio::select! {
        biased;
        order = orders.recv() => match order {
            Some(Order::Now) => Wake::Now,
            Some(Order::Listen) => Wake::Listen,
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

/// How long until the next slot.
struct Wait {
    /// From the slot before it.
    delay: Duration,
    /// From the answer: what the source itself asked for.
    at_least: Duration,
}

/// A failing source is asked at its own rhythm twice more, then less and less often up to
/// the limit, so that the end of an outage is seen soon and a service that is coming up is
/// not trampled.
fn next_wait(observation: &Observation, rhythm: &Rhythm, failures: &mut u32) -> Wait {
    let Err(why) = &observation.outcome else {
        *failures = 0;
        return Wait { delay: rhythm.interval, at_least: Duration::ZERO };
    };
    *failures = failures.saturating_add(1);
    let doublings = failures.saturating_sub(3).min(16);
    let grown = rhythm.interval.saturating_mul(1 << doublings);
    let backed_off = grown.min(rhythm.backoff_max).max(rhythm.interval);
    let slow = if why.kind.retry_slowly() { SLOW_RETRY } else { Duration::ZERO };
    let at_least = why.retry_after.unwrap_or(Duration::ZERO);
    Wait { delay: backed_off.max(slow).max(at_least), at_least }
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
    async fn slots_stay_where_they_are_whatever_the_jitter_and_the_answers_take() {
        let rhythm = Rhythm { jitter: 0.4, ..STEADY };
        let answer = |number: u32| {
            let took = Duration::from_millis(u64::from(number % 7) * 100);
            (took, Ok(Facts::default()))
        };
        let mut harness = start(rhythm, answer);
        let mut moved = Vec::new();
        for number in 0..200_u32 {
            let Some(Said::Observed(seen)) = harness.said.recv().await else { panic!("skipped") };
            // The first one is asked up to 0.2 s after the start.
            let asked = (seen.at.mono - seen.took).as_secs_f64() - f64::from(number) * 5.0;
            moved.push(asked);
        }
        let within =
            |from: f64, to: f64| moved.iter().filter(|at| (from..to).contains(*at)).count();
        assert_eq!(within(-2.0, 2.21), 200, "{moved:?}");
        assert!(within(-2.0, -0.5) > 20 && within(0.5, 2.21) > 20, "on both sides: {moved:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_in_between_does_not_move_the_slots() {
        let mut harness = start(STEADY, |_| (Duration::ZERO, Ok(Facts::default())));
        assert_eq!(times(&mut harness, 2).await, [0, 5]);
        tokio::time::sleep(Duration::from_secs(2)).await;
        harness.orders.send(Order::Now).await.unwrap();
        assert_eq!(times(&mut harness, 3).await, [7, 10, 15]);
    }

    #[tokio::test(start_paused = true)]
    async fn listening_in_between_counts_for_nothing() {
        let mut harness = start(STEADY, |number| {
            (Duration::ZERO, if number == 0 { Ok(Facts::default()) } else { down() })
        });
        let mut said = Vec::new();
        while said.len() < 9 {
            let (heard, seen) = match harness.said.recv().await.unwrap() {
                Said::Heard(seen) => (true, seen),
                Said::Observed(seen) => (false, seen),
                Said::Skipped { .. } => panic!("skipped"),
            };
            said.push((heard, seen.at.mono.as_secs()));
            if said.len() % 2 == 1 {
                tokio::time::sleep(Duration::from_secs(2)).await;
                harness.orders.send(Order::Listen).await.unwrap();
            }
        }
        // The looks in turn back off after three failures of theirs, not sooner.
        let in_turn: Vec<u64> = said.iter().filter(|(heard, _)| !heard).map(|of| of.1).collect();
        assert_eq!(in_turn, [0, 5, 10, 15, 20], "{said:?}");
        assert_eq!(said.iter().filter(|(heard, _)| *heard).count(), 4, "{said:?}");
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
        // The slot at 10 s is asked late, and its wait counts; the next one is on time.
        let Some(Said::Observed(late)) = harness.said.recv().await else { panic!("skipped") };
        assert!(late.took >= Duration::from_secs(2), "{:?}", late.took);
        assert_eq!(times(&mut harness, 2).await, [15, 20]);
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
