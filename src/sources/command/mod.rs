//! A program that is run anew for each poll: its exit code, and values out of what it
//! prints.

mod extract;

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, sleep_until},
};

use self::extract::Output;
use super::child;
use crate::{
    config::profile::CommandSource,
    domain::{
        failure::{Failure, FailureKind},
        observation::Facts,
        value::Value,
    },
    net::{
        program::Running,
        progress::{Progress, Stage},
        words::quote,
    },
};

/// How long something that the program has started may hold its output open after it.
const LINGER: Duration = Duration::from_millis(500);

/// How much of what it complains is kept, bytes.
const COMPLAINT: usize = 4 << 10;

/// How much of that is quoted, characters.
const QUOTED: usize = 160;

/// A program.
pub(super) struct Command {
    config: CommandSource,
}

/// A program that has ended by itself.
struct Ended {
    status: ExitStatus,
    printed: Vec<u8>,
    complaint: Vec<u8>,
}

impl Command {
    /// A program that was not run yet.
    pub(super) fn new(config: &CommandSource) -> Self {
        Self { config: config.clone() }
    }

    /// Runs it once. Dropped before its end, it ends the program and what that has started.
    pub(super) async fn poll(&mut self, progress: &mut Progress) -> Result<Facts, Failure> {
        progress.stage = Stage::Asking;
        let program = &self.config.program;
        let start = Instant::now();
        let running = child::start(program, &program.argv)?;
        let ended = finish(running, self.config.max_output).await?;
        let total = start.elapsed();
        let code = self.accepted(&ended)?;
        let mut facts = Facts::default();
        facts.readings.insert("exit_code".into(), Value::Number(f64::from(code)));
        let millis = total.as_secs_f64() * 1000.0;
        facts.readings.insert("total_ms".into(), Value::Number(millis));
        let output = Output::new(&ended.printed);
        for reading in &self.config.readings {
            let name = Arc::clone(&reading.name);
            match output.read(&reading.from) {
                Ok(value) => drop(facts.readings.insert(name, value)),
                Err(why) => facts.missing.push((name, why)),
            }
        }
        Ok(facts)
    }

    /// The exit code, where it is one after which the output counts. Any other says that
    /// the program could not look, not that what it looks at is down.
    fn accepted(&self, ended: &Ended) -> Result<i32, Failure> {
        let how = match (ended.status.code(), ended.status.signal()) {
            (Some(code), _) if self.config.accept.contains(&code) => return Ok(code),
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "ended in an unknown way".to_owned(),
        };
        let words =
            [&ended.complaint, &ended.printed].into_iter().find_map(|text| last_words(text));
        let message = match words {
            Some(words) => format!("{how}; it last said: {words}"),
            None => format!("{how}, without a word"),
        };
        Err(Failure::new(FailureKind::BadAnswer, message))
    }
}

/// What a program that was killed at the end of its time is said to have done.
pub(super) fn too_late(failure: Failure, limit: &str) -> Failure {
    let message = format!("it did not end within {limit}, and was killed with all it had started");
    Failure { message, hint: None, ..failure }
}

/// The last line of a text that says anything.
fn last_words(text: &[u8]) -> Option<String> {
    let tail = &text[text.len().saturating_sub(COMPLAINT)..];
    let text = String::from_utf8_lossy(tail);
    let mut words = text.split(['\n', '\r']).map(|line| quote(line, QUOTED));
    words.rfind(|line| !line.is_empty())
}

/// Reads what it prints, until it has ended.
async fn finish(mut running: Running, cap: u64) -> Result<Ended, Failure> {
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let (mut printed, mut complaint) = (Vec::new(), Vec::new());
    let mut status = None;
    {
        let reading = async {
            tokio::join!(read(stdout, &mut printed, cap), read_tail(stderr, &mut complaint)).0
        };
        tokio::pin!(reading);
        let (mut read_out, mut patience) = (false, Instant::now());
        let mut killed = false;
        while status.is_none() || !read_out {
            tokio::select! {
                ended = running.child.wait(), if status.is_none() => {
                    let failed = |error| {
                        let message = format!("its end could not be waited for: {error}");
                        Failure::new(FailureKind::BadAnswer, message)
                    };
                    status = Some(ended.map_err(failed)?);
                    patience = Instant::now() + LINGER;
                }
                within = &mut reading, if !read_out => {
                    if !within {
                        let message = format!("it printed more than {cap} bytes, and was killed");
                        let failure = Failure::new(FailureKind::BadAnswer, message);
                        return Err(failure.hint("let it print less, or raise max_output"));
                    }
                    read_out = true;
                }
                // Something that it has started still holds the pipe. Whatever has left the
                // group as well cannot be ended, but need not be waited for.
                () = sleep_until(patience), if status.is_some() => {
                    if killed {
                        break;
                    }
                    running.group.kill();
                    (killed, patience) = (true, Instant::now() + LINGER);
                }
            }
        }
    }
    let status = status.ok_or_else(|| Failure::new(FailureKind::BadAnswer, "it did not end"))?;
    Ok(Ended { status, printed, complaint })
}

/// Reads to the end. Whether that came before `cap` bytes.
async fn read(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>, cap: u64) -> bool {
    let Some(pipe) = pipe else { return true };
    // An output that cannot be read any further has ended.
    let _ = pipe.take(cap + 1).read_to_end(into).await;
    into.len() as u64 <= cap
}

/// Reads to the end, and keeps the last part.
async fn read_tail(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = vec![0; COMPLAINT];
    while let Ok(size @ 1..) = pipe.read(&mut chunk).await {
        into.extend_from_slice(&chunk[..size]);
        into.drain(..into.len().saturating_sub(COMPLAINT));
    }
}
