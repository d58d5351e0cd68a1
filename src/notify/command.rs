//! One run of a program that is handed one message.

use std::{process::ExitStatus, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{body, queue::Refused};
use crate::{
    config::profile::Program,
    domain::{notification::Notification, time::short_duration},
    net::{
        program::{self, Running},
        words,
    },
};

/// How much of what it prints is kept, bytes: the end of it.
const KEPT: usize = 4 << 10;

/// How much of its last line is quoted, characters.
const QUOTED: usize = 200;

/// How long the system may take to end a killed process.
const DEATH: Duration = Duration::from_secs(3);

/// The end of what a pipe brought.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    /// Reads to the end of the pipe. What was read stays when the future is dropped.
    async fn read(&mut self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut chunk = [0; KEPT];
        while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
            self.0.extend_from_slice(&chunk[..read]);
            let over = self.0.len().saturating_sub(KEPT);
            self.0.drain(..over);
        }
    }

    /// The last line that says something.
    fn last_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.0).into_owned();
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
        words::quote(last, QUOTED)
    }
}

/// Runs the program with the message on its standard input, within `limit`.
pub(super) async fn run(
    config: &Program,
    message: &Notification,
    limit: Duration,
) -> Result<(), Refused> {
    let refused = |why: String, again| Refused { why, again, retry_after: None };
    let Running { mut child, group } = program::start(config, &config.argv, true)
        .map_err(|not_started| refused(not_started.why, !not_started.for_good))?;
    let input = format!("{}\n", body::generic(message));
    let (mut said, mut complained) = (Tail::default(), Tail::default());
    let mut status = None;
    let ended = {
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feeding = async move {
            if let Some(mut stdin) = stdin {
                // A program that closes its input early has its reasons.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let work = async {
            tokio::join!(feeding, said.read(stdout), complained.read(stderr), async {
                status = child.wait().await.ok();
            })
        };
        timeout(limit, work).await.is_ok()
    };
    if ended {
        group.release();
    } else {
        // It has not ended, or what it has started still holds on to its output.
        drop(group);
        let _ = timeout(DEATH, child.wait()).await;
    }
    let last = match complained.last_line() {
        line if line.is_empty() => said.last_line(),
        line => line,
    };
    let name = config.argv.first().map_or("", String::as_str);
    judge(name, status, limit, &last).map_err(|why| refused(why, true))
}

/// Judges by the exit of the program itself. `Err` says what went wrong.
fn judge(
    program: &str,
    status: Option<ExitStatus>,
    limit: Duration,
    last: &str,
) -> Result<(), String> {
    let how = match status {
        Some(status) if status.success() => return Ok(()),
        Some(status) => match status.code() {
            Some(code) => format!("ended with exit code {code}"),
            None => format!("was ended: {status}"),
        },
        None => format!("did not end within {} and was killed", short_duration(limit)),
    };
    let last = if last.is_empty() { String::new() } else { format!("; it last said: {last}") };
    Err(format!("{} {how}{last}", shown(program)))
}

fn shown(program: &str) -> String {
    words::clip(program, QUOTED)
}
