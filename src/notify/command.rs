//! One run of a program that is handed one message.

use std::{
    env,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};

use super::{body, queue::Refused};
use crate::{
    config::{profile::NotifyCommand, secret::redact},
    domain::{notification::Notification, time::short_duration},
    net::words,
};

/// Variables that the program gets from the console's own environment.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "USER"];

/// Where programs are looked for when there is no PATH.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// How much of what it prints is kept, bytes: the end of it.
const KEPT: usize = 4 << 10;

/// How much of its last line is quoted, characters.
const QUOTED: usize = 200;

/// How long the system may take to end a killed process.
const DEATH: Duration = Duration::from_secs(3);

/// The processes of one run. Whatever of them is left when this is dropped is killed.
struct Group {
    id: Option<Pid>,
}

impl Group {
    fn of(child: &Child) -> Self {
        Self { id: child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) }
    }

    /// Nothing of it is left, or what is left has let go of us.
    fn release(mut self) {
        self.id = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // A group that is gone needs no signal.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

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
    config: &NotifyCommand,
    message: &Notification,
    limit: Duration,
) -> Result<(), Refused> {
    if config.argv.iter().any(|argument| redact(argument) != *argument) {
        let why = "an argument holds a secret, which everybody on this machine could read";
        return Err(Refused { why: why.to_owned(), again: false, retry_after: None });
    }
    let in_vain = |why: String| Refused { why, again: true, retry_after: None };
    let Some((program, arguments)) = config.argv.split_first() else {
        return Err(Refused { again: false, ..in_vain("there is no program to run".to_owned()) });
    };
    let mut child = prepare(program, arguments, config)
        .spawn()
        .map_err(|error| in_vain(format!("{} could not be started: {error}", shown(program))))?;
    let group = Group::of(&child);
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
    judge(program, status, limit, &last).map_err(in_vain)
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

fn prepare(program: &str, arguments: &[String], config: &NotifyCommand) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for name in INHERITED {
        let usual = (name == "PATH").then(|| USUAL_PATH.into());
        if let Some(value) = env::var_os(name).filter(|value| !value.is_empty()).or(usual) {
            command.env(name, value);
        }
    }
    for (name, text) in &config.environment {
        command.env(name, text.expose());
    }
    if let Some(directory) = &config.directory {
        command.current_dir(directory);
    }
    command
}
