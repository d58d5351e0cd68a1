//! Deleting keys by prefix: SCAN finds them, UNLINK removes them without stopping the
//! server, in small batches, no faster than allowed, and only while the server keeps up.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{Ended, Interruption, Stage};
use crate::{
    actions::{plan::redis::RedisJob, redis::Link, words},
    domain::{
        action::Claim,
        failure::{Failure, FailureKind},
        keys::{Fate, Pattern},
        value::Value,
    },
    net::redis::count::Seen,
};

/// The most keys in one UNLINK: microseconds of the server's time.
const BATCH: usize = 200;
/// How often the server's pulse is taken.
const PULSE_EVERY: Duration = Duration::from_secs(1);
/// While the server is slow, how often it is asked whether it still is.
const PAUSE: Duration = Duration::from_millis(250);
/// The server is slow when a PING takes this many times as long as at the start…
const SLOW_FACTOR: u32 = 3;
/// …and at least this long: below, the difference is noise.
const SLOW_FLOOR: Duration = Duration::from_millis(5);
/// Remaining keys are counted up to here.
const COUNTED: u64 = 1_000_000;

/// Why the sweep ended early.
enum Stop {
    /// A person, or the deadline; between two batches.
    Interrupted(Interruption),
    /// The server refused or vanished while nothing was under way.
    Failed(Failure),
    /// No answer to a deletion: it may have happened.
    Lost(Failure),
}

/// The state of one deletion.
struct Sweep<'a> {
    link: Link,
    job: &'a RedisJob,
    stage: &'a Stage<'a>,
    baseline: Duration,
    /// As the server counted.
    deleted: u64,
    /// UNLINK was sent at least once.
    acted: bool,
    next_batch: Instant,
    next_pulse: Instant,
}

/// Deletes the keys. Whatever goes wrong before the first is looked for is `Err`.
pub(super) async fn run(job: &RedisJob, stage: &Stage<'_>) -> Result<Ended, Ended> {
    let (link, baseline) = stage.prepare(open(job)).await?;
    stage.start().await?;
    let now = Instant::now();
    let mut sweep = Sweep {
        link,
        job,
        stage,
        baseline,
        deleted: 0,
        acted: false,
        next_batch: now,
        next_pulse: now + PULSE_EVERY,
    };
    let ended = match sweep.all().await {
        Ok(()) => sweep.finish().await,
        Err(stop) => sweep.stopped(stop),
    };
    Ok(ended.reading("deleted", Value::Number(sweep.deleted as f64)))
}

/// Connects, and makes sure that this server is the right one to delete from.
async fn open(job: &RedisJob) -> Result<(Link, Duration), Failure> {
    let mut link = Link::open(&job.source).await?;
    let objections = link.state().await?.objections();
    if !objections.is_empty() {
        return Err(Failure::new(FailureKind::Server, objections.join("; ")));
    }
    let mut pulses = Vec::new();
    for _ in 0..5 {
        pulses.push(link.ping().await?);
    }
    pulses.sort();
    Ok((link, pulses[pulses.len() / 2]))
}

impl Sweep<'_> {
    async fn all(&mut self) -> Result<(), Stop> {
        for (position, pattern) in self.job.selection.delete.iter().enumerate() {
            let before = self.deleted;
            self.one(position, pattern).await?;
            let count = words::count(self.deleted - before, "key", "keys");
            self.stage.step(format!("{}: {count} deleted", pattern.text)).await;
        }
        Ok(())
    }

    async fn one(&mut self, position: usize, pattern: &Pattern) -> Result<(), Stop> {
        let mut cursor = 0;
        loop {
            self.may_go_on().await?;
            let step = self.link.scan(cursor, Some(pattern.to_match())).await;
            let step = step.map_err(Stop::Failed)?;
            let ours: Vec<Vec<u8>> = step
                .keys
                .into_iter()
                .filter(|key| self.job.selection.fate(key) == Fate::Deleted(position))
                .collect();
            for batch in ours.chunks(self.batch_size()) {
                self.may_go_on().await?;
                self.unlink(batch).await?;
            }
            match step.next {
                Some(next) => cursor = next,
                None => return Ok(()),
            }
        }
    }

    /// Small enough that even a slow rate moves several times a second.
    fn batch_size(&self) -> usize {
        usize::try_from(self.job.keys_per_second / 5).unwrap_or(BATCH).clamp(1, BATCH)
    }

    async fn unlink(&mut self, keys: &[Vec<u8>]) -> Result<(), Stop> {
        let mut command = redis::cmd("UNLINK");
        for key in keys {
            command.arg(key);
        }
        self.acted = true;
        // Not interrupted: an answer that is not waited for would leave the count wrong.
        let removed: u64 = match self.link.ask(&command).await {
            Ok(removed) => removed,
            Err(failure) => {
                let lost = matches!(
                    failure.kind,
                    FailureKind::Timeout | FailureKind::Closed | FailureKind::BadAnswer
                );
                return Err(if lost { Stop::Lost(failure) } else { Stop::Failed(failure) });
            }
        };
        self.deleted += removed;
        self.stage.progress(self.deleted, format!("{} deleted", self.count()));
        let pause = keys.len() as f64 / f64::from(self.job.keys_per_second);
        self.next_batch = self.next_batch.max(Instant::now()) + Duration::from_secs_f64(pause);
        Ok(())
    }

    /// Waits until the next batch is due and the server keeps up.
    async fn may_go_on(&mut self) -> Result<(), Stop> {
        self.wait_until(self.next_batch).await?;
        if Instant::now() < self.next_pulse {
            return Ok(());
        }
        let slow = (self.baseline * SLOW_FACTOR).max(SLOW_FLOOR);
        loop {
            let pulse = self.link.ping().await.map_err(Stop::Failed)?;
            if pulse <= slow {
                self.next_pulse = Instant::now() + PULSE_EVERY;
                return Ok(());
            }
            let note = format!("{} deleted; paused, a PING takes {pulse:.0?}", self.count());
            self.stage.progress(self.deleted, note);
            self.wait_until(Instant::now() + PAUSE).await?;
        }
    }

    async fn wait_until(&self, when: Instant) -> Result<(), Stop> {
        let due = async {
            if when > Instant::now() {
                sleep_until(when).await;
            }
        };
        self.stage.wait(due).await.map_err(Stop::Interrupted)?;
        // Something that was due at once must not hide that the time is up.
        if Instant::now() >= self.stage.deadline {
            return Err(Stop::Interrupted(Interruption::TimedOut));
        }
        Ok(())
    }

    /// Counts what is left, in a further pass.
    async fn finish(&mut self) -> Ended {
        let done = Ended::new(Claim::Done, String::new());
        match self.remaining().await {
            Ok(value) => Ended {
                summary: format!("{} deleted, {value} left", self.count()),
                ..done.reading("remaining", value)
            },
            Err(stop) => {
                let why = match stop {
                    Stop::Interrupted(interruption) => interruption.words().to_owned(),
                    Stop::Failed(failure) | Stop::Lost(failure) => failure.to_string(),
                };
                let summary =
                    format!("{} deleted; what is left was not counted: {why}", self.count());
                Ended { summary, ..done }
            }
        }
    }

    async fn remaining(&mut self) -> Result<Value, Stop> {
        let mut seen = Seen::default();
        for pattern in &self.job.selection.delete {
            let mut cursor = Some(0);
            while let Some(at) = cursor {
                self.wait_until(Instant::now()).await?;
                let step =
                    self.link.scan(at, Some(pattern.to_match())).await.map_err(Stop::Failed)?;
                for key in step.keys {
                    if matches!(self.job.selection.fate(&key), Fate::Deleted(_)) {
                        seen.insert(&key);
                    }
                }
                if seen.count() >= COUNTED {
                    return Ok(Value::AtLeast(COUNTED as f64));
                }
                cursor = step.next;
                // Leaves the server room for its real work.
                sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(Value::Number(seen.count() as f64))
    }

    fn stopped(&self, stop: Stop) -> Ended {
        let count = self.count();
        match stop {
            Stop::Interrupted(Interruption::Cancelled) => {
                Ended::new(Claim::Cancelled, format!("stopped by the operator: {count} deleted"))
            }
            // Every deletion was answered: it is known what was done, and that it was not all.
            Stop::Interrupted(Interruption::TimedOut) => {
                Ended::new(Claim::Refused, format!("its time was up: {count} deleted, not all"))
            }
            Stop::Interrupted(why @ (Interruption::Ended | Interruption::DemoOver)) => {
                Ended::new(Claim::Refused, format!("{}: {count} deleted, not all", why.words()))
            }
            Stop::Failed(failure) if !self.acted => Ended::not_sent(failure),
            Stop::Failed(failure) => {
                Ended::new(Claim::Refused, format!("{count} deleted, not all: {failure}"))
            }
            Stop::Lost(failure) => Ended::new(
                Claim::Unclear,
                format!("{count} deleted and perhaps up to {BATCH} more: {failure}"),
            ),
        }
    }

    fn count(&self) -> String {
        words::count(self.deleted, "key", "keys")
    }
}
