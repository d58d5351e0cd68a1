//! The Redis that is watched: the real program where there is one, ours otherwise; kept
//! alive, hung and killed as the faults say.

use std::{
    io,
    net::Ipv4Addr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::process::Signal;
use tokio::{net::TcpStream, time::sleep};

use super::{
    fault::{FLAPPING, REDIS_OUTAGE, REDIS_SLOW},
    resp,
    stage::Stage,
    ward::{Gently, Port, Process, Ward},
};

/// How long Redis hangs before it dies in an outage.
const HANGS_FIRST: Duration = Duration::from_secs(6);
/// How long it hangs and answers while it flaps.
const FLAP_HANGS: Duration = Duration::from_secs(3);
const FLAP_ANSWERS: Duration = Duration::from_secs(7);
/// How long it hangs and answers while it is slow: always too short for anybody to give up.
const SLOW_HANGS: Duration = Duration::from_millis(160);
const SLOW_ANSWERS: Duration = Duration::from_millis(10);
/// How often it is looked after otherwise.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How long the program may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(3);

/// Where Redis runs, and as what.
pub(super) struct Site {
    port: Port,
    password: String,
    /// The program and where it is kept from outliving us; none for our own server.
    program: Option<(PathBuf, Arc<Ward>)>,
    running: Option<Running>,
}

enum Running {
    Program(Process),
    Own(resp::Server),
}

/// The first program of that name on the search path.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

impl Site {
    /// Takes a port and starts a server on it.
    pub(super) async fn start(ward: Option<Arc<Ward>>, password: String) -> io::Result<Self> {
        let program = ward.and_then(|ward| Some((on_path("redis-server")?, ward)));
        let mut site = Self { port: Port::take()?, password, program, running: None };
        site.ensure_running().await?;
        Ok(site)
    }

    /// Where to connect. Holds the password.
    pub(super) fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/0", self.password, self.port.number())
    }

    /// Whether the real program runs.
    pub(super) fn is_program(&self) -> bool {
        self.program.is_some()
    }

    async fn ensure_running(&mut self) -> io::Result<()> {
        let ended = match &mut self.running {
            Some(Running::Program(process)) => process.ended().is_some(),
            Some(Running::Own(_)) => false,
            None => true,
        };
        if !ended {
            return Ok(());
        }
        self.running = None;
        if self.program.is_some() && self.start_program().await.is_err() {
            // It is there but does not start: ours does.
            self.program = None;
            self.running = None;
        }
        if self.running.is_none() {
            let listener = self.port.listen()?;
            let own = resp::Server::start(listener, Some(self.password.clone()))?;
            self.running = Some(Running::Own(own));
        }
        Ok(())
    }

    /// Starts the program with nothing on disk, and waits until it listens. Its settings
    /// go through its standard input: an argument would show the password to everybody.
    async fn start_program(&mut self) -> io::Result<()> {
        let Some((program, ward)) = &self.program else { return Ok(()) };
        let mut command = Command::new(program);
        command.arg("-").current_dir(ward.directory());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = ward.spawn(&mut command, Gently::Kill)?;
        process.feed(&settings(self.port.number(), &self.password))?;
        let address = (Ipv4Addr::LOCALHOST, self.port.number());
        let listening = async {
            while TcpStream::connect(address).await.is_err() {
                if process.ended().is_some() {
                    return Err(io::Error::other("it ended at once"));
                }
                sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        };
        tokio::time::timeout(STARTS_WITHIN, listening).await.map_err(io::Error::other)??;
        self.running = Some(Running::Program(process));
        Ok(())
    }

    fn hang(&mut self, hung: bool) {
        match &mut self.running {
            Some(Running::Program(process)) => {
                process.signal(if hung { Signal::STOP } else { Signal::CONT });
            }
            Some(Running::Own(server)) => server.hang(hung),
            None => {}
        }
    }

    async fn kill(&mut self) {
        match self.running.take() {
            Some(Running::Program(mut process)) => process.end(),
            Some(Running::Own(server)) => server.stop().await,
            None => {}
        }
    }

    /// Looks after the server until the service stops, and then ends it.
    pub(super) async fn supervise(mut self, stage: Arc<Stage>) {
        // There is no result: the work ends only by being interrupted.
        let _ = stage.until_over(self.follow_faults(&stage)).await;
        self.kill().await;
    }

    async fn follow_faults(&mut self, stage: &Stage) {
        loop {
            let mode = Mode::of(stage);
            match mode {
                Mode::Up => {
                    self.hang(false);
                    if let Err(error) = self.ensure_running().await {
                        stage.say(format!("Redis of the demo does not start: {error}"));
                    }
                    mode.lasts(stage, LOOK_AFTER).await;
                }
                Mode::Outage => {
                    self.hang(true);
                    if self.running.is_none() || mode.lasts(stage, HANGS_FIRST).await {
                        self.kill().await;
                        mode.lasts(stage, LOOK_AFTER).await;
                    }
                }
                Mode::Flapping => {
                    self.hang(true);
                    mode.lasts(stage, FLAP_HANGS).await;
                    self.hang(false);
                    mode.lasts(stage, FLAP_ANSWERS).await;
                }
                Mode::Slow => {
                    self.hang(true);
                    mode.lasts(stage, SLOW_HANGS).await;
                    self.hang(false);
                    mode.lasts(stage, SLOW_ANSWERS).await;
                }
            }
        }
    }
}

fn settings(port: u16, password: &str) -> String {
    format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\ndatabases 1\nsave \"\"\n\
         appendonly no\ndaemonize no\nmaxmemory 64mb\nmaxmemory-policy noeviction\n\
         slowlog-log-slower-than 10000\nslowlog-max-len 128\n"
    )
}

/// How Redis is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Up,
    Outage,
    Flapping,
    Slow,
}

impl Mode {
    fn of(stage: &Stage) -> Self {
        if stage.switches.is_on(REDIS_OUTAGE) {
            Self::Outage
        } else if stage.switches.is_on(FLAPPING) {
            Self::Flapping
        } else if stage.switches.is_on(REDIS_SLOW) {
            Self::Slow
        } else {
            Self::Up
        }
    }

    /// Waits for a time; false, at once, where the mode is another before that.
    async fn lasts(self, stage: &Stage, time: Duration) -> bool {
        let another = async {
            loop {
                let changed = stage.switches.changed.notified();
                if Self::of(stage) != self {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(time, another).await.is_err()
    }
}
