//! Following: a file for ever, a program again and again.

use std::{io, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use rand::Rng;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    Phase, Shared,
    lines::{Line, Splitter},
    tail::Tail,
};
use crate::{
    config::profile::{LogOrigin, LogsSource, Program},
    domain::failure::{Failure, FailureKind},
    net::program::Running,
    net::words::quote,
    sources::child,
};

/// How often a file is looked at, and a program's silence.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// An object whose next line does not come for this long is taken as it is.
const OBJECT_PATIENCE: Duration = Duration::from_secs(2);

/// What was there before has been printed when nothing has come for this long.
const QUIET: Duration = Duration::from_millis(400);

/// And where nothing comes at all, or it never ends.
const SETTLED: Duration = Duration::from_secs(2);

/// The last complaint of a program is kept apart for this long: it may be why it ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Between two starts of a program that ends.
const BACK_OFF: [u64; 5] = [1, 2, 5, 10, 30];

/// A program that ran for this long is started anew as if it were the first time.
const LONG: Duration = Duration::from_secs(20);

/// Follows the log until the task is dropped.
pub(super) async fn follow(config: LogsSource, shared: Arc<Shared>) {
    match &config.from {
        LogOrigin::File(path) => file(path, &shared).await,
        LogOrigin::Command { program, silent_after } => {
            let longest = config.windows.iter().copied().max().unwrap_or_default();
            command(program, *silent_after, longest, &shared).await;
        }
    }
}

async fn file(path: &Path, shared: &Shared) {
    let mut tail = Tail::new(path);
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        look.tick().await;
        loop {
            let reading = tokio::task::spawn_blocking(move || {
                let read = tail.read();
                (tail, read)
            });
            let Ok((back, read)) = reading.await else { return };
            tail = back;
            let read = match read {
                Ok(read) => read,
                Err(error) => {
                    shared.phase(Phase::Trouble(unreadable(&error, path)));
                    break;
                }
            };
            let now = Timestamp::now();
            let mut gathered = shared.gathered();
            if read.skipped {
                gathered.skipped_before();
            }
            if !read.lines.is_empty() {
                last = Instant::now();
            }
            for line in read.lines {
                gathered.line(line, read.before, now);
            }
            if read.more && !read.before {
                // It may grow faster than it is read, for ever; what comes is read all the same.
                shared.phase(Phase::Following);
            }
            if !read.more {
                if gathered.waits() && last.elapsed() >= OBJECT_PATIENCE {
                    gathered.give_up(read.before, now);
                }
                drop(gathered);
                shared.phase(Phase::Following);
                break;
            }
        }
    }
}

fn unreadable(error: &io::Error, path: &Path) -> Failure {
    let path = path.display();
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound => {
            (FailureKind::MissingEndpoint, format!("there is no file {path}"))
        }
        io::ErrorKind::PermissionDenied => {
            (FailureKind::Forbidden, format!("{path} may not be read"))
        }
        io::ErrorKind::IsADirectory => {
            (FailureKind::Misconfigured, format!("{path} is a directory"))
        }
        _ => (FailureKind::BadAnswer, format!("{path} cannot be read: {error}")),
    };
    Failure::new(kind, message)
}

/// Why a program does not go on.
enum End {
    Silent,
    Over(Failure),
}

async fn command(program: &Program, silent_after: Duration, longest: Duration, shared: &Shared) {
    let start = Timestamp::now();
    let told = program.argv.iter().any(|argument| argument.contains("{since"));
    let beginning = start.saturating_sub(longest).unwrap_or(start);
    shared.gathered().known_since(if told { beginning } else { start });
    let mut failures = 0;
    let mut first = true;
    loop {
        let since = shared.gathered().overlap.since();
        let since = since.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let argv = filled(&program.argv, since.unwrap_or(beginning));
        let began = Instant::now();
        let end = match child::start(program, &argv) {
            Ok(running) => run(running, silent_after, first, shared).await,
            Err(failure) => End::Over(failure),
        };
        first = false;
        if began.elapsed() >= LONG {
            failures = 0;
        }
        if let End::Over(failure) = end {
            shared.phase(Phase::Trouble(failure));
            let seconds = BACK_OFF[failures.min(BACK_OFF.len() - 1)];
            let jitter = rand::rng().random_range(0.8..1.2);
            sleep(Duration::from_secs(seconds).mul_f64(jitter)).await;
            failures += 1;
        }
        shared.gathered().overlap.restart();
    }
}

/// The arguments with the time from which on it is to print.
fn filled(argv: &[String], since: Timestamp) -> Vec<String> {
    let text = format!("{since:.3}");
    let unix = since.as_second().to_string();
    argv.iter()
        .map(|argument| argument.replace("{since}", &text).replace("{since_unix}", &unix))
        .collect()
}

/// Reads what a program prints, until it ends or falls silent.
async fn run(mut running: Running, silent_after: Duration, first: bool, shared: &Shared) -> End {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let began = Instant::now();
    let mut last = began;
    let mut settled = false;
    let mut out = Pipe::new(running.child.stdout.take());
    let mut err = Pipe::new(running.child.stderr.take());
    // The last line of the complaints: an entry of the log, or why the program has ended.
    let mut held: Option<(Line, Instant)> = None;
    while out.pipe.is_some() || err.pipe.is_some() {
        let before = first && !settled;
        tokio::select! {
            lines = out.lines(), if out.pipe.is_some() => {
                last = Instant::now();
                take(lines, before, shared);
            }
            lines = err.lines(), if err.pipe.is_some() => {
                last = Instant::now();
                for line in lines {
                    let earlier = held.replace((line, last)).map(|(line, _)| line);
                    take(earlier, before, shared);
                }
            }
            _ = look.tick() => {
                if let Some((line, _)) = held.take_if(|(_, at)| at.elapsed() >= LAST_WORDS) {
                    take(Some(line), before, shared);
                }
                let quiet = last > began && last.elapsed() >= QUIET;
                if !settled && (quiet || began.elapsed() >= SETTLED) {
                    settled = true;
                    shared.gathered().overlap.caught_up();
                    shared.phase(Phase::Following);
                }
                if last.elapsed() >= OBJECT_PATIENCE && shared.gathered().waits() {
                    shared.gathered().give_up(before, Timestamp::now());
                }
                if last.elapsed() >= silent_after {
                    return End::Silent;
                }
            }
        }
    }
    let status = timeout(Duration::from_secs(2), running.child.wait()).await;
    let how = match status {
        Ok(Ok(status)) if status.success() => {
            take(held.take().map(|(line, _)| line), false, shared);
            "it ended (exit code 0)".to_owned()
        }
        Ok(Ok(status)) => match status.code() {
            Some(code) => format!("exit code {code}"),
            None => "ended by a signal".to_owned(),
        },
        _ => "it closed its output".to_owned(),
    };
    let message = match held {
        Some((Line::Whole(words), _)) => {
            format!("{how}; it last said: {}", quote(&words, 160))
        }
        _ => how,
    };
    End::Over(Failure::new(FailureKind::BadAnswer, message).hint("it is started anew"))
}

fn take(lines: impl IntoIterator<Item = Line>, before: bool, shared: &Shared) {
    let now = Timestamp::now();
    let mut gathered = shared.gathered();
    for line in lines {
        gathered.printed(line, before, now);
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
