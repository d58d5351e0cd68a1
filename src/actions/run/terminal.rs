//! The terminal of a program that asks the operator: owned here, so that it outlives every
//! console, and handed to one console at a time.
//!
//! What the program prints goes into the file that the output of every command goes into,
//! and to whoever is attached. A console that does not take it in time is let go, so that it
//! never holds the program up for long. What is typed goes to the program and nowhere else.

mod desk;

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, net::UnixListener as StdListener},
    },
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    thread,
    time::Duration,
};

use rustix::{
    fs::OFlags,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{InputModes, OptionalActions, tcgetattr, tcsetattr},
};
use tokio::{
    net::{
        UnixListener,
        unix::pipe::{Receiver, Sender},
    },
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use self::desk::{Desk, admit, resize};
use super::{notes::Steps, reporter::Reporter};
use crate::{actions::attach, domain::action::ActionStage};

/// The size of the terminal before anybody has come: columns, rows.
const FIRST_SIZE: (u16, u16) = (80, 24);
/// Pieces on their way to the disk. The program waits where the disk does.
const ON_THE_WAY: usize = 64;
/// How long the end may take, with what is still on its way.
const FINISH: Duration = Duration::from_secs(8);

/// A terminal that nobody is at yet.
pub(super) struct Terminal {
    master: OwnedFd,
    slave: OwnedFd,
    listener: StdListener,
    socket: PathBuf,
}

impl Terminal {
    /// Opens one and listens, in the directory of the run. Blocks on the disk.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty())?;
        let mut mode = tcgetattr(&slave)?;
        // Erasing takes a whole character away, not a byte of it.
        mode.input_modes.insert(InputModes::IUTF8);
        tcsetattr(&slave, OptionalActions::Now, &mode)?;
        resize(&master, FIRST_SIZE);
        rustix::io::ioctl_fionbio(&master, true)?;

        let (path, _directory) = attach::short_path(directory)?;
        let listener = StdListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { master, slave, listener, socket: directory.join(attach::SOCKET) })
    }

    /// A handle for the program: input, output or errors.
    pub(super) fn handle(&self) -> io::Result<Stdio> {
        Ok(self.slave.try_clone()?.into())
    }

    /// Begins to pass on. From here on only the program holds its end.
    pub(super) fn relay(
        self,
        output: File,
        steps: Steps,
        reporter: Arc<Reporter>,
    ) -> io::Result<Relay> {
        let Self { master, slave, listener, socket } = self;
        drop(slave);
        // Two ends of one device, which is waited for as a pipe is.
        let keyboard = Sender::from_owned_fd_unchecked(master.try_clone()?)?;
        let screen = Receiver::from_owned_fd_unchecked(master)?;
        let listener = UnixListener::from_std(listener)?;
        let (newcomers, newcomers_in) = mpsc::channel(1);
        let door = AbortOnDropHandle::new(tokio::spawn(admit(listener, newcomers)));
        let (disk, pieces) = mpsc::channel(ON_THE_WAY);
        let writing = thread::spawn(move || write(output, pieces, &reporter));
        let over = CancellationToken::new();
        let desk = Desk::new(screen, keyboard, disk, steps);
        let (until, own) = (over.clone(), socket.clone());
        let task = tokio::spawn(async move {
            desk.serve(newcomers_in, until).await;
            drop(door);
            // The directory of the run goes away with all that is left in it.
            let _ = fs::remove_file(own);
            let _ = spawn_blocking(move || writing.join()).await;
        });
        Ok(Relay { over, task })
    }
}

/// A terminal that is passed on.
pub(super) struct Relay {
    over: CancellationToken,
    task: JoinHandle<()>,
}

impl Relay {
    /// The program has ended: what it printed last is taken, and whoever is there is told.
    pub(super) async fn finish(self) {
        self.over.cancel();
        let abort = self.task.abort_handle();
        if timeout(FINISH, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// Writes what is printed into the file of the output.
fn write(mut output: File, mut pieces: mpsc::Receiver<Vec<u8>>, reporter: &Reporter) {
    let mut told = false;
    while let Some(piece) = pieces.blocking_recv() {
        if let Err(error) = output.write_all(&piece)
            && !std::mem::replace(&mut told, true)
        {
            let text = format!("[the output cannot be kept: {error}]");
            reporter.send(ActionStage::Output(text));
        }
    }
}
