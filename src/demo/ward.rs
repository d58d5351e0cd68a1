//! What the demo leaves behind: nothing, however it ends.
//!
//! Servers that the demo starts, and the directory they work in, are watched by a small
//! shell process that waits on a pipe. Nobody ever closes that pipe but the end of this
//! process, and the kernel does that even where the process is killed outright; the watcher
//! then ends the servers and removes the directory. An orderly end does the same work
//! itself and finds the watcher with nothing left to do. A parent-death signal would need
//! an unsafe call and follows the death of a thread, not of the process.

use std::{
    fs,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpSocket;

use super::chance;

/// Reads `add SIGNAL PID` and `del SIGNAL PID`; at the end of input sends each process
/// its signal, kills after three seconds what is still there, and removes the directory.
/// The signals of a terminal are ignored: they would end the watcher before its time.
const WATCHER: &str = r#"
trap '' HUP INT QUIT TERM
list=' '
while read -r verb signal pid; do
  case $verb in
    add) list="$list$signal:$pid " ;;
    del) list="${list%% "$signal:$pid" *} ${list#* "$signal:$pid" }" ;;
  esac
done
for entry in $list; do kill -s "${entry%%:*}" "${entry#*:}" 2>/dev/null; done
tries=0
for entry in $list; do
  while kill -s 0 "${entry#*:}" 2>/dev/null && [ "$tries" -lt 30 ]; do
    sleep 0.1; tries=$((tries + 1))
  done
  kill -s KILL "${entry#*:}" 2>/dev/null
done
tries=0
while ! rm -rf -- "$1" 2>/dev/null && [ "$tries" -lt 10 ]; do
  sleep 0.1; tries=$((tries + 1))
done
"#;

/// How the names of these directories begin; the process follows, then what makes it unique.
pub const PREFIX: &str = "watchfloor-ward-";

/// A private directory and the processes that work in it.
#[derive(Debug)]
pub(super) struct Ward {
    directory: PathBuf,
    watcher: Mutex<(Child, Option<ChildStdin>)>,
}

impl Ward {
    /// Makes the directory, which others may enter but not list, and starts the watcher.
    pub(super) fn new() -> io::Result<Self> {
        let name = format!("{PREFIX}{}-{}", std::process::id(), chance::unguessable(8)?);
        let directory = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o711).create(&directory)?;
        let spawned = Command::new("/bin/sh")
            .args(["-c", WATCHER, "watchfloor-demo-watcher"])
            .arg(&directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match spawned {
            Ok(mut child) => {
                let pipe = child.stdin.take();
                Ok(Self { directory, watcher: Mutex::new((child, pipe)) })
            }
            Err(error) => {
                let _ = fs::remove_dir(&directory);
                Err(error)
            }
        }
    }

    /// The directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a process that does not outlive the demo. `gently` is the signal that ends it.
    pub(super) fn spawn(
        self: &Arc<Self>,
        command: &mut Command,
        gently: Gently,
    ) -> io::Result<Process> {
        // A group of its own: an interrupt from the keyboard is for the console alone.
        let child = command.process_group(0).spawn()?;
        self.tell("add", gently, child.id())?;
        Ok(Process { child, gently, ward: Arc::clone(self) })
    }

    fn tell(&self, verb: &str, gently: Gently, pid: u32) -> io::Result<()> {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pipe) = &mut watcher.1 else { return Ok(()) };
        pipe.write_all(format!("{verb} {} {pid}\n", gently.name()).as_bytes())
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        let watcher = self.watcher.get_mut().unwrap_or_else(PoisonError::into_inner);
        watcher.1 = None;
        let _ = watcher.0.wait();
    }
}

/// How a process is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gently {
    /// It is not asked: there is nothing it would have to put in order.
    Kill,
    /// By `SIGQUIT`, on which Postgres ends at once but gives back its shared memory.
    Quit,
}

impl Gently {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
        }
    }

    fn signal(self) -> Signal {
        match self {
            Self::Kill => Signal::KILL,
            Self::Quit => Signal::QUIT,
        }
    }
}

/// A child process. Dropping it ends it and waits for its end.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    gently: Gently,
    ward: Arc<Ward>,
}

impl Process {
    /// Sends a signal, unless the process has ended.
    pub(super) fn signal(&mut self, signal: Signal) {
        let ended = !matches!(self.child.try_wait(), Ok(None));
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (false, Some(pid)) = (ended, pid) {
            // It can only have ended in between, which is as well.
            let _ = kill_process(pid, signal);
        }
    }

    /// Writes to its standard input and closes that.
    pub(super) fn feed(&mut self, text: &str) -> io::Result<()> {
        match self.child.stdin.take() {
            Some(mut input) => input.write_all(text.as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Whether it has ended, and with which success.
    pub(super) fn ended(&mut self) -> Option<bool> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.success()),
            Err(_) => Some(false),
        }
    }

    /// Ends the process: asks, waits up to two seconds, then kills.
    pub(super) fn end(&mut self) {
        self.signal(self.gently.signal());
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
        // Its number may be used again from here on. Without the watcher there is nobody
        // to tell.
        let _ = self.ward.tell("del", self.gently, self.child.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port of the loopback interface that is ours: bound, but not listened on, so that a
/// connection is refused and nobody else is given the port while its server is away.
#[derive(Debug)]
pub(super) struct Port {
    _held: TcpSocket,
    number: u16,
}

impl Port {
    /// Takes a free port.
    pub(super) fn take() -> io::Result<Self> {
        let held = bound(0)?;
        let number = held.local_addr()?.port();
        Ok(Self { _held: held, number })
    }

    /// Its number.
    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// Listens on the port from within this process.
    pub(super) fn listen(&self) -> io::Result<tokio::net::TcpListener> {
        bound(self.number)?.listen(256)
    }
}

/// A socket on a loopback port. Both holders allow the address to be shared, and only one
/// of them may listen: that is what lets a server bind a port that is held.
fn bound(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(pid: u32) -> bool {
        !Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn a_dropped_process_is_gone_and_its_directory_too() {
        let ward = Arc::new(Ward::new().unwrap());
        let directory = ward.directory().to_path_buf();
        fs::write(directory.join("file"), "x").unwrap();
        let process = ward.spawn(Command::new("sleep").arg("60"), Gently::Quit).unwrap();
        let pid = process.child.id();
        assert!(!gone(pid));
        drop(process);
        assert!(gone(pid));
        drop(ward);
        assert!(!directory.exists());
    }

    #[test]
    fn the_watcher_ends_what_nobody_ended() {
        let ward = Arc::new(Ward::new().unwrap());
        let directory = ward.directory().to_path_buf();
        let mut kept = ward.spawn(Command::new("sleep").arg("60"), Gently::Quit).unwrap();
        drop(ward.spawn(Command::new("sleep").arg("61"), Gently::Kill).unwrap());
        // A stopped process does not act on a polite signal; the watcher must not mind.
        kept.signal(Signal::STOP);
        // The end of its pipe is all the watcher learns when this process is killed.
        let mut watcher = ward.watcher.lock().unwrap();
        watcher.1 = None;
        assert!(watcher.0.wait().unwrap().success());
        assert_eq!(kept.ended(), Some(false));
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn a_held_port_refuses_until_it_is_served() {
        let port = Port::take().unwrap();
        let address = (Ipv4Addr::LOCALHOST, port.number());
        let refused = tokio::net::TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let listener = port.listen().unwrap();
        tokio::net::TcpStream::connect(address).await.unwrap();
        drop(listener);
    }
}
