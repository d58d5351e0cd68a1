//! Following a program that goes on printing, again and again.
//!
//! Whether it prints nothing because nothing happens, or because it hangs, cannot be seen.
//! It is therefore started anew after a while, and has to prove that it still reads the log:
//! by printing again what it printed last.

use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    Phase, Shared,
    follow::{LOOK_EVERY, OBJECT_PATIENCE},
    gather::{Printed, Stage},
    lines::{Line, Splitter},
};
use crate::{
    config::profile::Program,
    domain::{
        failure::{Failure, FailureKind},
        time::short_duration,
    },
    net::{program::Running, words::quote},
    sources::child,
};

/// What was there before has been printed when nothing more has come for this long.
const QUIET: Duration = Duration::from_millis(400);

/// And where it never is quiet, and no line says of itself that it is new.
const SETTLED: Duration = Duration::from_secs(30);

/// A program that has printed nothing for this long may well have nothing to print.
const NOTHING_YET: Duration = Duration::from_secs(2);

/// Within this time a program that was started anew prints again what it printed last.
const AGAIN: Duration = Duration::from_secs(10);

/// The last complaint of a program is kept apart for this long: it may be why it ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Between two starts of a program that ends.
const BACK_OFF: [u64; 5] = [1, 2, 5, 10, 30];

/// A program that ran for this long is started anew as if it were the first time.
const LONG: Duration = Duration::from_secs(20);

/// Why a program does not go on.
enum End {
    /// It prints nothing any more.
    Silent {
        /// Lines of the log have come before that.
        came: bool,
    },
    /// It has ended, or was never started.
    Over(Failure),
}

/// Follows what the program prints until the task is dropped.
pub(super) async fn follow(
    program: &Program,
    silent_after: Duration,
    longest: Duration,
    shared: &Shared,
) {
    let start = Timestamp::now();
    let told = program.argv.iter().any(|argument| argument.contains("{since"));
    let beginning = start.saturating_sub(longest).unwrap_or(start);
    shared.found().begins(start, if told { beginning } else { start });
    let mut failures = 0;
    let mut way = Way { told, first: true, doubtful: false, silent_after };
    loop {
        let since = shared.found().overlap.since();
        let since = since.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let argv = filled(&program.argv, since.unwrap_or(beginning));
        let began = Instant::now();
        let end = match child::start(program, &argv) {
            Ok(running) => run(running, way, shared).await,
            Err(failure) => End::Over(failure),
        };
        if began.elapsed() >= LONG {
            failures = 0;
        }
        way.first = false;
        match end {
            End::Silent { came } => {
                way.doubtful = !came;
                if !came {
                    let remembered = shared.found().overlap.since().is_some();
                    let failure = if told && remembered { forgetful() } else { mute(silent_after) };
                    shared.phase(Phase::Trouble(failure));
                }
            }
            End::Over(failure) => {
                shared.phase(Phase::Trouble(failure));
                let seconds = BACK_OFF[failures.min(BACK_OFF.len() - 1)];
                let jitter = rand::rng().random_range(0.8..1.2);
                sleep(Duration::from_secs(seconds).mul_f64(jitter)).await;
                failures += 1;
            }
        }
        let mut gathered = shared.found();
        gathered.overlap.restart();
        gathered.doubts().endless(0);
    }
}

fn mute(silent_after: Duration) -> Failure {
    let length = short_duration(silent_after);
    let message = format!("it runs, but has printed nothing for {length} since it was started");
    Failure::new(FailureKind::BadAnswer, message).hint(
        "a quiet log and one that is not read look the same: raise silent_after if it is quiet",
    )
}

fn forgetful() -> Failure {
    let message = "started anew, it does not print again what it printed last";
    Failure::new(FailureKind::BadAnswer, message)
        .hint("does it still read the log? What is in it is not known")
}

/// The arguments with the time from which on it is to print.
fn filled(argv: &[String], since: Timestamp) -> Vec<String> {
    let text = format!("{since:.3}");
    let unix = since.as_second().to_string();
    argv.iter()
        .map(|argument| argument.replace("{since}", &text).replace("{since_unix}", &unix))
        .collect()
}

/// How a program is started.
#[derive(Clone, Copy)]
struct Way {
    /// It is told from when on it is to print.
    told: bool,
    /// For the first time.
    first: bool,
    /// It has printed nothing at all the last time.
    doubtful: bool,
    silent_after: Duration,
}

/// One run of a program.
struct Run<'a> {
    way: Way,
    shared: &'a Shared,
    began: Instant,
    began_at: Timestamp,
    /// When anything came last.
    last: Instant,
    /// Lines of the log have come: what was there before, or others.
    came: bool,
    /// A line came that was counted before.
    joined: bool,
    /// A line without a time was left out, as it may have been counted before.
    left_out: bool,
    /// Something was printed before this run, so that some of it is to come again.
    remembered: bool,
    /// What was there before has been printed.
    settled: bool,
    /// Since when a line comes that is too long and has no end.
    endless: Option<Instant>,
}

/// Reads what a program prints, until it ends or falls silent.
async fn run(mut running: Running, way: Way, shared: &Shared) -> End {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut run = Run::new(way, shared);
    let mut out = Pipe::new(running.child.stdout.take());
    let mut err = Pipe::new(running.child.stderr.take());
    // The last line of the complaints: an entry of the log, or why the program has ended.
    let mut held: Option<(Line, Instant)> = None;
    while out.pipe.is_some() || err.pipe.is_some() {
        tokio::select! {
            lines = out.lines(), if out.pipe.is_some() => {
                run.last = Instant::now();
                for line in lines {
                    run.take(line, true);
                }
                run.endless(out.splitter.endless());
            }
            lines = err.lines(), if err.pipe.is_some() => {
                run.last = Instant::now();
                for line in lines {
                    if let Some((earlier, _)) = held.replace((line, run.last)) {
                        run.take(earlier, false);
                    }
                }
            }
            _ = look.tick() => {
                if let Some((line, _)) = held.take_if(|(_, at)| at.elapsed() >= LAST_WORDS) {
                    run.take(line, false);
                }
                run.look();
                if run.last.elapsed() >= way.silent_after {
                    return End::Silent { came: run.came };
                }
            }
        }
    }
    let status = timeout(Duration::from_secs(2), running.child.wait()).await;
    let how = match status {
        Ok(Ok(status)) if status.success() => {
            if let Some((line, _)) = held.take() {
                run.take(line, false);
            }
            "it ended (exit code 0)".to_owned()
        }
        Ok(Ok(status)) => match status.code() {
            Some(code) => format!("exit code {code}"),
            None => "ended by a signal".to_owned(),
        },
        _ => "it closed its output".to_owned(),
    };
    let words = held.and_then(|(line, _)| shared.found().complaint(line));
    let message = match words {
        Some(words) => format!("{how}; it last said: {}", quote(&words, 160)),
        None => how,
    };
    End::Over(Failure::new(FailureKind::BadAnswer, message).hint("it is started anew"))
}

impl<'a> Run<'a> {
    fn new(way: Way, shared: &'a Shared) -> Self {
        let began = Instant::now();
        Self {
            way,
            shared,
            began,
            began_at: Timestamp::now(),
            last: began,
            came: false,
            joined: false,
            left_out: false,
            remembered: shared.found().overlap.since().is_some(),
            settled: false,
            endless: None,
        }
    }

    /// Takes a line. Among the complaints of a program only lines with a time, or that came
    /// before, are surely of the log.
    fn take(&mut self, line: Line, of_log: bool) {
        if of_log && !self.came && self.began.elapsed() >= SETTLED {
            self.settle();
        }
        let now = Timestamp::now();
        let stage = match (self.settled, self.way) {
            (true, _) => Stage::Live,
            (false, Way { first: true, .. }) => Stage::Before,
            (false, Way { told, .. }) => Stage::Again { untimed: told },
        };
        let Printed { own, again } = self.shared.found().printed(line, stage, now);
        self.came |= of_log || own.is_some() || again;
        self.joined |= again;
        self.left_out |= !self.settled && own.is_none() && !again;
        // A line of now is not one of before. One that claims to be of later says nothing.
        if own.is_some_and(|own| own >= self.began_at && own <= now) {
            self.settle();
        }
    }

    /// So many bytes of a line that is too long have come; 0 where none is coming.
    fn endless(&mut self, bytes: u64) {
        let since = self.endless.unwrap_or(self.last);
        self.endless = (bytes > 0).then_some(since);
        self.shared.found().doubts().endless(bytes);
    }

    /// Whether nothing but one such line has come for so long.
    fn is_endless_for(&self, length: Duration) -> bool {
        self.endless.is_some_and(|since| since.elapsed() >= length)
    }

    /// What was there before has been printed.
    fn settle(&mut self) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let Way { told, first, .. } = self.way;
        let gap =
            if told { self.remembered && !self.joined } else { !self.joined || self.left_out };
        let mut gathered = self.shared.found();
        gathered.overlap.caught_up();
        if gap && !first {
            gathered.known_since(self.began_at);
        }
        drop(gathered);
        self.shared.phase(Phase::Following);
    }

    /// What the time that has passed means.
    fn look(&mut self) {
        let (running, quiet) = (self.began.elapsed(), self.last.elapsed());
        if !self.came {
            self.wait(running);
        } else if quiet >= QUIET || running >= SETTLED || self.is_endless_for(NOTHING_YET) {
            self.settle();
        }
        let mut gathered = self.shared.found();
        if quiet >= OBJECT_PATIENCE && gathered.waits() {
            gathered.give_up(Timestamp::now());
        }
    }

    /// Nothing of the log has come for so long.
    fn wait(&self, running: Duration) {
        let Way { told, first, doubtful, silent_after } = self.way;
        if told && !first {
            if self.remembered && running >= AGAIN.min(silent_after) {
                self.shared.phase(Phase::Trouble(forgetful()));
            }
        } else if !doubtful && running >= NOTHING_YET {
            if !first {
                self.shared.found().known_since(self.began_at);
            }
            self.shared.phase(Phase::Following);
        }
    }
}

/// One output of a program, in lines.
struct Pipe<P> {
    pipe: Option<P>,
    buffer: Vec<u8>,
    splitter: Splitter,
}

impl<P: AsyncRead + Unpin> Pipe<P> {
    fn new(pipe: Option<P>) -> Self {
        Self { pipe, buffer: vec![0; 64 << 10], splitter: Splitter::default() }
    }

    /// The next lines. Nothing is lost where the future is dropped.
    async fn lines(&mut self) -> Vec<Line> {
        let Some(pipe) = &mut self.pipe else { return Vec::new() };
        match pipe.read(&mut self.buffer).await {
            Ok(size @ 1..) => self.splitter.feed(&self.buffer[..size]),
            _ => {
                self.pipe = None;
                self.splitter.finish().into_iter().collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_stands_wherever_it_is_wanted() {
        let argv = ["logs", "--since", "{since}", "--since=@{since_unix}"].map(str::to_owned);
        let since = Timestamp::from_millisecond(1_764_237_600_123).expect("a time");
        let filled = filled(&argv, since);
        assert_eq!(filled, ["logs", "--since", "2025-11-27T10:00:00.123Z", "--since=@1764237600"]);
    }
}
