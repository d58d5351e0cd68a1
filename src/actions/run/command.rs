//! A program in a process group of its own.

use std::{
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{Ended, Interruption, Stage, output::Follower};
use crate::{
    actions::{plan::command::CommandJob, words},
    domain::{
        action::{ActionStage, Claim},
        value::Value,
    },
};

/// How often its output is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between the request to end and the end.
const LONGEST_GRACE: Duration = Duration::from_secs(10);
const SHORTEST_GRACE: Duration = Duration::from_secs(1);
/// How long the system may take to end a killed process.
const DEATH: Duration = Duration::from_secs(3);
/// Looks at the output after the program has ended, so that a child of its that goes on
/// printing cannot hold the run up.
const LAST_LOOKS: usize = 300;

/// A program that runs.
struct Running<'a> {
    stage: &'a Stage<'a>,
    child: Child,
    group: Option<Pid>,
    follower: Option<Follower>,
    /// Why it is being stopped, and when it is killed.
    stopping: Option<(Interruption, Instant)>,
    grace: Duration,
}

/// Runs the program. Whatever goes wrong before it runs is `Err`.
pub(super) async fn run(job: &CommandJob, stage: &Stage<'_>) -> Result<Ended, Ended> {
    let directory = stage.directory.clone();
    let follower = tokio::task::spawn_blocking(move || Follower::create(&directory)).await;
    let follower = match follower {
        Ok(Ok(follower)) => follower,
        Ok(Err(error)) => return Err(Ended::not_sent(error)),
        Err(_) => return Err(Ended::not_sent("the files for its output could not be made")),
    };
    let mut command = prepare(job, &follower)
        .map_err(|error| Ended::not_sent(format!("the file for its output: {error}")))?;
    stage.start().await?;
    let grace = (stage.deadline.saturating_duration_since(Instant::now()) / 4)
        .clamp(SHORTEST_GRACE, LONGEST_GRACE);
    let mut child = command.spawn().map_err(|error| {
        Ended::not_sent(format!("{} could not be started: {error}", job.program.display()))
    })?;
    // The handles of the files that the command got.
    drop(command);
    let _feeding = feed(&mut child, job);
    let id = child.id();
    let group = id.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(id) = id {
        stage.step(format!("process {id} was started, in a group of its own")).await;
    }
    let mut running =
        Running { stage, child, group, follower: Some(follower), stopping: None, grace };
    let status = running.follow().await;
    Ok(running.judge(status))
}

fn prepare(job: &CommandJob, follower: &Follower) -> std::io::Result<Command> {
    let mut command = Command::new(&job.program);
    command
        .arg0(&job.name)
        .args(&job.arguments)
        .env_clear()
        .envs(job.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&job.directory)
        .process_group(0)
        .stdin(if job.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(follower.writer()?)
        .stderr(follower.writer()?)
        // It must outlive this console, whatever becomes of it.
        .kill_on_drop(false);
    Ok(command)
}

/// Hands the program what it reads, at its own pace. It need not read it.
fn feed(child: &mut Child, job: &CommandJob) -> Option<AbortOnDropHandle<()>> {
    let (mut pipe, bytes) = (child.stdin.take()?, job.stdin.clone()?);
    Some(AbortOnDropHandle::new(tokio::spawn(async move {
        // A program that closes its input early has its reasons.
        let _ = pipe.write_all(&bytes).await;
    })))
}

impl Running<'_> {
    /// Follows the program until it has ended; `None` where it cannot be ended.
    async fn follow(&mut self) -> Option<ExitStatus> {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let status = loop {
            let wish = tokio::select! {
                status = self.child.wait() => break status.ok(),
                _ = look.tick() => None,
                () = self.stage.cancel.cancelled(), if self.stopping.is_none() => {
                    Some(Interruption::Cancelled)
                }
                () = sleep_until(self.stage.deadline), if self.stopping.is_none() => {
                    Some(Interruption::TimedOut)
                }
            };
            self.report().await;
            if let Some(why) = wish {
                self.ask_to_end(why).await;
            }
            if let Some((_, kill_at)) = self.stopping
                && Instant::now() >= kill_at
            {
                break self.kill().await;
            }
        };
        self.end_group().await;
        for _ in 0..LAST_LOOKS {
            if !self.report().await {
                break;
            }
        }
        if let Some(follower) = &mut self.follower {
            for line in follower.close() {
                self.stage.reporter.send(ActionStage::Output(line));
            }
        }
        status
    }

    /// Passes on what was printed. Whether more is there.
    async fn report(&mut self) -> bool {
        let Some(mut follower) = self.follower.take() else {
            return false;
        };
        let looking = tokio::task::spawn_blocking(move || {
            let found = follower.next();
            (follower, found)
        });
        let Ok((follower, (lines, more))) = looking.await else {
            return false;
        };
        self.follower = Some(follower);
        for line in lines {
            self.stage.reporter.send(ActionStage::Output(line));
        }
        more
    }

    async fn ask_to_end(&mut self, why: Interruption) {
        self.stopping = Some((why, Instant::now() + self.grace));
        // Signals first, words later. A stopped process takes the request only once it
        // goes on.
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
        self.stage.step(format!("{}: its processes were asked to end", why.words())).await;
    }

    async fn kill(&mut self) -> Option<ExitStatus> {
        self.signal(Signal::KILL);
        self.stage.step("its processes did not end and were killed").await;
        tokio::time::timeout(DEATH, self.child.wait()).await.ok()?.ok()
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }

    /// After the program itself has ended: what it started and was to be stopped with it.
    async fn end_group(&mut self) {
        let Some(group) = self.group else {
            return;
        };
        if let Some((_, kill_at)) = self.stopping {
            while is_alive(group) && Instant::now() < kill_at {
                sleep(LOOK_EVERY).await;
            }
            if is_alive(group) {
                self.signal(Signal::KILL);
                self.stage.step("processes that it had started did not end and were killed").await;
            }
            let given_up = Instant::now() + DEATH;
            while is_alive(group) && Instant::now() < given_up {
                sleep(LOOK_EVERY).await;
            }
        }
        if is_alive(group) {
            let text = format!("processes that it started are still there, in group {group}");
            self.stage.reporter.send(ActionStage::Output(format!("[{text}]")));
            self.stage.step(text).await;
        }
    }

    fn judge(&self, status: Option<ExitStatus>) -> Ended {
        let how = match status {
            None => "it could not be ended".to_owned(),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, Some(signal)) => format!("ended by signal {signal}"),
                (None, None) => "ended in an unknown way".to_owned(),
            },
        };
        let code = status.and_then(|status| status.code());
        let (claim, mut summary) = match (&self.stopping, code) {
            (Some((Interruption::Cancelled, _)), _) => {
                (Claim::Cancelled, format!("stopped by the operator, {how}"))
            }
            (Some((Interruption::TimedOut, _)), _) => {
                (Claim::Unclear, format!("its time was up and it was stopped, {how}"))
            }
            (None, Some(0)) => (Claim::Done, how),
            (None, Some(_)) => (Claim::Refused, how),
            (None, None) => (Claim::Unclear, how),
        };
        let last = self.follower.as_ref().map_or("", Follower::last);
        if claim != Claim::Done && !last.is_empty() {
            summary.push_str(&format!("; it last said: {}", words::quote(last, 160)));
        }
        let ended = Ended::new(claim, summary);
        match code {
            Some(code) => ended.reading("exit_code", Value::Number(f64::from(code))),
            None => ended,
        }
    }
}

/// Whether a process of the group still runs. One that has ended and waits to be taken
/// note of by its parent does not.
fn is_alive(group: Pid) -> bool {
    if test_kill_process_group(group).is_err() {
        return false;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return true;
    };
    let member = |stat: &str| {
        // pid (name) state parent group …; the name may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let (state, of) = (fields.next()?, fields.nth(1)?);
        let ours = of.parse() == Ok(group.as_raw_nonzero().get());
        Some(ours && !matches!(state, "Z" | "X"))
    };
    let mut seen = false;
    for process in processes.flatten() {
        if let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) {
            seen = true;
            if member(&stat) == Some(true) {
                return true;
            }
        }
    }
    !seen
}
