//! A program in a process group of its own.

use std::{
    io::Write,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{
    Ended, Interruption, Stage,
    notes::Notes,
    output::{Follower, Output},
    terminal::{Relay, Terminal},
};
use crate::{
    actions::{
        left::RUN_VARIABLE,
        on_terminal,
        plan::command::CommandJob,
        process::{self, ProcessId},
        unstarted, words,
    },
    domain::{
        action::{ActionStage, Claim},
        value::Value,
    },
    net::readings,
};

/// How often its output is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked at whether it has ended.
const ENDED_EVERY: Duration = Duration::from_millis(20);
/// Between the request to end and the end.
const LONGEST_GRACE: Duration = Duration::from_secs(10);
const SHORTEST_GRACE: Duration = Duration::from_secs(1);
/// How long the system may take to end a killed process.
const DEATH: Duration = Duration::from_secs(3);
/// Looks at the output after the program has ended, so that a child of its that goes on
/// printing cannot hold the run up.
const LAST_LOOKS: usize = 300;
/// How long the last look may take where the disk hangs.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// A program that runs. It is left unreaped until nothing of it needs a signal any more:
/// until then its number, which is also that of its group, belongs to nobody else.
struct Running<'a> {
    stage: &'a Stage<'a>,
    child: Child,
    leader: Option<Pid>,
    output: Output,
    /// The terminal that it talks to the operator through.
    relay: Option<Relay>,
    notes: Notes,
    /// Why it is being stopped, and when it is killed.
    stopping: Option<(Interruption, Instant)>,
    grace: Duration,
    /// It was to end with all that it started, and something is still there.
    still_runs: bool,
}

/// Runs the program. Whatever goes wrong before it runs is `Err`.
pub(super) async fn run(job: &CommandJob, stage: &Stage<'_>) -> Result<Ended, Ended> {
    let (directory, interactive) = (stage.directory.clone(), job.interactive);
    let creating = tokio::task::spawn_blocking(move || create(&directory, interactive));
    let (follower, terminal) = match stage.wait(creating).await {
        Ok(Ok(Ok(created))) => created,
        Ok(Ok(Err(error))) => return Err(Ended::not_sent(error)),
        Ok(Err(_)) => return Err(Ended::not_sent("the files for its output could not be made")),
        Err(interruption) => return Err(Ended::not_sent(interruption.words())),
    };
    let mut command = prepare(job, &follower, terminal.as_ref())
        .map_err(|error| Ended::not_sent(format!("the file for its output: {error}")))?;
    stage.start().await?;
    let grace = (stage.deadline.saturating_duration_since(Instant::now()) / 4)
        .clamp(SHORTEST_GRACE, LONGEST_GRACE);
    command.env(RUN_VARIABLE, stage.run.as_str());
    let mut child = command.spawn().map_err(|error| {
        Ended::not_sent(unstarted::why(&job.program, Some(&job.directory), &error))
    })?;
    // The handles of the files that the command got.
    drop(command);
    feed(&mut child, job);
    let id = i32::try_from(child.id()).ok();
    let notes = Notes::new(stage);
    notes.process(id.and_then(ProcessId::of), child.id());
    let relay = terminal.and_then(|terminal| relay(terminal, &follower, &notes, stage));
    let mut running = Running {
        stage,
        child,
        leader: id.and_then(Pid::from_raw),
        output: Output::new(follower),
        relay,
        notes,
        stopping: None,
        grace,
        still_runs: false,
    };
    let status = running.follow().await;
    let ended = running.judge(status);
    running.notes.written().await;
    Ok(ended)
}

/// The files for its output and, where it talks to the operator, its terminal.
fn create(directory: &Path, interactive: bool) -> Result<(Follower, Option<Terminal>), String> {
    let follower = Follower::create(directory).map_err(|error| error.to_string())?;
    let terminal = interactive.then(|| Terminal::open(directory)).transpose();
    let terminal = terminal.map_err(|error| format!("its terminal could not be made: {error}"))?;
    Ok((follower, terminal))
}

/// Begins to pass the terminal on. Where that fails, the program meets the end of its input.
fn relay(
    terminal: Terminal,
    follower: &Follower,
    notes: &Notes,
    stage: &Stage<'_>,
) -> Option<Relay> {
    let begun = follower
        .writer()
        .and_then(|output| terminal.relay(output, notes.steps(), Arc::clone(stage.reporter)));
    begun.map_err(|error| notes.step(format!("its terminal cannot be passed on: {error}"))).ok()
}

fn prepare(
    job: &CommandJob,
    follower: &Follower,
    terminal: Option<&Terminal>,
) -> std::io::Result<Command> {
    let mut command = match terminal {
        Some(_) => on_terminal::command(&job.program, &job.name, &job.arguments),
        None => Command::new(&job.program),
    };
    command
        .env_clear()
        .envs(job.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&job.directory);
    if let Some(terminal) = terminal {
        // It makes itself the leader of a session, and so of a group.
        command.stdin(terminal.handle()?).stdout(terminal.handle()?).stderr(terminal.handle()?);
        return Ok(command);
    }
    command
        .arg0(&job.name)
        .args(&job.arguments)
        // Its runner has no terminal, so neither has it: a hidden question fails at once.
        .process_group(0)
        .stdin(if job.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(follower.writer()?)
        .stderr(follower.writer()?);
    Ok(command)
}

/// Hands the program what it reads, at its own pace. It need not read it.
fn feed(child: &mut Child, job: &CommandJob) {
    let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), job.stdin.clone()) else { return };
    // The thread ends with the pipe, and the pipe with whoever could read from it.
    std::thread::spawn(move || {
        // A program that closes its input early has its reasons.
        let _ = pipe.write_all(&bytes);
    });
}

impl Running<'_> {
    /// Follows the program until it has ended; `None` where it cannot be ended.
    async fn follow(&mut self) -> Option<ExitStatus> {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ended = interval(ENDED_EVERY);
        ended.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wish = tokio::select! {
                _ = ended.tick() => if self.has_ended() { break } else { continue },
                _ = look.tick() => None,
                () = self.stage.stop.token.cancelled(), if self.stopping.is_none() => {
                    Some(self.stage.stop.why())
                }
                () = sleep_until(self.stage.deadline), if self.stopping.is_none() => {
                    Some(Interruption::TimedOut)
                }
            };
            // Signals first, words later.
            if let Some(why) = wish {
                // Nobody can stop what has come to its end by itself in this very moment.
                if self.has_ended() {
                    break;
                }
                self.ask_to_end(why);
            }
            if let Some((_, kill_at)) = self.stopping
                && Instant::now() >= kill_at
            {
                self.kill().await;
                break;
            }
            self.report(LOOK_EVERY).await;
        }
        self.end_the_rest().await;
        if let Some(relay) = self.relay.take() {
            relay.finish().await;
        }
        for _ in 0..LAST_LOOKS {
            if !self.report(LAST_LOOK).await {
                break;
            }
        }
        for line in self.output.close(LAST_LOOK).await {
            self.stage.reporter.send(ActionStage::Output(line));
        }
        self.child.try_wait().ok().flatten()
    }

    /// Whether the program itself has ended. It stays unreaped.
    fn has_ended(&self) -> bool {
        let Some(leader) = self.leader else { return true };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        // Only a child that is not there any more cannot be waited for.
        waitid(WaitId::Pid(leader), options).map_or(true, |status| status.is_some())
    }

    /// Passes on what was printed, as far as the disk says so in time. Whether more is there.
    async fn report(&mut self, within: Duration) -> bool {
        let Some((lines, more)) = self.output.look(within).await else { return false };
        for line in lines {
            self.stage.reporter.send(ActionStage::Output(line));
        }
        more
    }

    fn ask_to_end(&mut self, why: Interruption) {
        self.stopping = Some((why, Instant::now() + self.grace));
        self.signal(Signal::TERM);
        // A stopped process takes the request only once it goes on.
        self.signal(Signal::CONT);
        self.notes.step(format!("{}: its processes were asked to end", why.words()));
    }

    async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.notes.step("its processes did not end and were killed");
        let given_up = Instant::now() + DEATH;
        while !self.has_ended() && Instant::now() < given_up {
            tokio::time::sleep(ENDED_EVERY).await;
        }
    }

    /// To the program, to its group, and to what it started and moved out of the group.
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.leader {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, signal);
        }
        for process in self.remaining() {
            // Those of the group have it already; once more does no harm.
            let _ = process.signal(signal);
        }
    }

    /// What still runs besides the program itself. The runner adopts orphans, so that what
    /// the program started is found wherever it went.
    fn remaining(&self) -> Vec<ProcessId> {
        let us = rustix::process::getpid().as_raw_nonzero().get();
        let leader = self.leader.map_or(us, |leader| leader.as_raw_nonzero().get());
        let mut remaining = process::remaining(us, leader);
        remaining.retain(|process| process.pid != leader);
        remaining
    }

    /// After the program itself has ended: what it started and was to be stopped with it.
    async fn end_the_rest(&mut self) {
        if let Some((_, kill_at)) = self.stopping {
            while !self.remaining().is_empty() && Instant::now() < kill_at {
                tokio::time::sleep(ENDED_EVERY).await;
            }
            if !self.remaining().is_empty() {
                self.signal(Signal::KILL);
                self.notes.step("processes that it had started did not end and were killed");
            }
            let given_up = Instant::now() + DEATH;
            while !self.remaining().is_empty() && Instant::now() < given_up {
                tokio::time::sleep(ENDED_EVERY).await;
            }
        }
        let remaining = self.remaining();
        self.still_runs = self.stopping.is_some() && !(self.has_ended() && remaining.is_empty());
        let strays: Vec<String> = remaining.iter().map(|process| process.pid.to_string()).collect();
        if !strays.is_empty() {
            let text = format!("processes that it started are still there: {}", strays.join(", "));
            self.stage.reporter.send(ActionStage::Output(format!("[{text}]")));
            self.notes.step(text);
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
            // Nobody stopped it who could not.
            (Some((why, _)), _) if self.still_runs => {
                (Claim::Unclear, format!("{}, {how}: something of it STILL RUNS", why.words()))
            }
            (Some((Interruption::Cancelled, _)), _) => {
                (Claim::Cancelled, format!("stopped by the operator, {how}"))
            }
            (Some((Interruption::TimedOut, _)), _) => {
                (Claim::Unclear, format!("its time was up and it was stopped, {how}"))
            }
            (Some((why, _)), _) => (Claim::Unclear, format!("{}, {how}", why.words())),
            (None, Some(0)) => (Claim::Done, how),
            (None, Some(_)) => (Claim::Refused, how),
            (None, None) => (Claim::Unclear, how),
        };
        let last = self.output.last();
        if claim != Claim::Done && !last.is_empty() {
            summary.push_str(&format!("; it last said: {}", words::quote(last, 160)));
        }
        let mut ended = Ended { still_runs: self.still_runs, ..Ended::new(claim, summary) };
        // For the conditions of a step; what else a program says is in the file of the run.
        if self.stage.mark.is_some()
            && let Ok(value) = readings::from_text(last)
        {
            ended.texts.insert("output".into(), last.to_owned());
            ended = ended.reading("output", value);
        }
        match code {
            Some(code) => ended.reading("exit_code", Value::Number(f64::from(code))),
            None => ended,
        }
    }
}
