//! A PostgreSQL server in a temporary directory.

use std::{
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use tempfile::TempDir;

use super::{
    certs::Leaf,
    servers::{Process, free_port, program, wait_until},
};

/// The superuser of every test server, who needs no password on the Unix socket.
pub const SUPERUSER: &str = "postgres";

/// A server that listens on 127.0.0.1 and on a socket in its directory. Over TCP a password
/// is wanted.
pub struct PostgresServer {
    process: Option<Process>,
    settings: Vec<String>,
    /// Where it listens.
    pub port: u16,
    /// Its directory; the data is in `data`, the socket beside it.
    pub dir: TempDir,
    _template: Arc<TempDir>,
}

impl PostgresServer {
    /// A server with further settings, such as `max_connections=10`.
    pub fn start(settings: &[&str]) -> Self {
        let mut server = Self::prepare(settings);
        server.restart();
        server
    }

    /// A server that offers TLS.
    pub fn start_tls(leaf: &Leaf, settings: &[&str]) -> Self {
        let mut server = Self::prepare(settings);
        server.settings.push("ssl=on".to_owned());
        for (from, to) in [(&leaf.certificate, "server.crt"), (&leaf.key, "server.key")] {
            let to = server.data().join(to);
            std::fs::copy(from, &to).expect("copied");
            own(&to, 0o600);
        }
        server.restart();
        server
    }

    /// A server that was not started yet.
    pub fn prepare(settings: &[&str]) -> Self {
        let dir = TempDir::new().expect("a directory");
        own(dir.path(), 0o755);
        let template = template();
        copy_tree(&template.path().join("data"), &dir.path().join("data"));
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Self { process: None, settings, port: free_port(), dir, _template: template }
    }

    /// A standby that follows this server.
    pub fn standby(&self) -> Self {
        let dir = TempDir::new().expect("a directory");
        own(dir.path(), 0o755);
        let output = as_postgres(&tool("pg_basebackup"))
            .args(["-U", SUPERUSER, "-p", &self.port.to_string(), "-h"])
            .arg(self.dir.path())
            .args(["-R", "--checkpoint=fast", "--no-sync", "-D"])
            .arg(dir.path().join("data"))
            .output()
            .expect("pg_basebackup runs");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pg_basebackup failed:\n{complaint}");
        let (settings, _template) = (self.settings.clone(), Arc::clone(&self._template));
        let mut standby = Self { process: None, settings, port: free_port(), dir, _template };
        standby.restart();
        standby
    }

    /// The directory of its data.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Replaces `pg_hba.conf`; takes effect with the next start.
    pub fn set_hba(&self, lines: &str) {
        let path = self.data().join("pg_hba.conf");
        std::fs::write(&path, lines).expect("written");
        own(&path, 0o600);
    }

    /// Starts it on its port, and waits until it answers. Where it ran, it is stopped
    /// before, and its sessions with it.
    pub fn restart(&mut self) {
        self.stop();
        let mut command = as_postgres(&tool("postgres"));
        command
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string()])
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
                "full_page_writes=off",
            ])
            .args(["-c", "shared_buffers=16MB", "-c", "log_min_messages=warning"])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", self.dir.path().display()));
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        // A group of its own, so that all its processes can be stopped and let go on.
        command.process_group(0);
        let mut process = Process::start(&mut command, &self.dir.path().join("log"));
        let (port, socket) = (self.port, self.dir.path().to_owned());
        wait_until("postgres answers", || {
            assert!(process.runs(), "postgres did not start:\n{}", process.output());
            let mut ready = Command::new(tool("pg_isready"));
            ready.args(["-q", "-p", &port.to_string(), "-h"]).arg(&socket);
            ready.status().expect("pg_isready runs").success()
        });
        self.process = Some(process);
    }

    /// Stops it and ends every session, as `pg_ctl stop -m fast` does.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::CONT);
            process.signal(Signal::INT);
            process.wait();
        }
    }

    /// Sends a signal to all its processes: `STOP` freezes it as a hung machine would.
    pub fn signal_all(&self, signal: Signal) {
        let pids = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let first = pids.lines().next().and_then(|line| line.trim().parse().ok());
        let postmaster = first.and_then(Pid::from_raw).expect("a pid");
        kill_process_group(postmaster, signal).expect("the postmaster is there");
        // Every other process is a leader of its own session.
        for child in children_of(postmaster.as_raw_nonzero().get()) {
            if let Some(pid) = Pid::from_raw(child) {
                // It may have ended just now.
                let _ = kill_process(pid, signal);
            }
        }
    }

    /// Runs statements as the superuser and returns what psql prints.
    pub fn sql(&self, statements: &str) -> String {
        let output = self.psql(SUPERUSER, statements).output().expect("psql runs");
        assert!(
            output.status.success(),
            "{statements}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// A psql that runs statements over the socket.
    pub fn psql(&self, user: &str, statements: &str) -> Command {
        let mut command = Command::new(tool("psql"));
        command
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", "postgres"])
            .args(["-p", &self.port.to_string(), "-c", statements, "-h"])
            .arg(self.dir.path());
        command
    }

    /// A session that runs statements until it is dropped.
    pub fn background(&self, user: &str, statements: &str) -> Process {
        let log = tempfile::NamedTempFile::new().expect("a file").into_temp_path();
        let log = log.keep().expect("kept");
        let process = Process::start(&mut self.psql(user, statements), &log);
        let _ = std::fs::remove_file(&log);
        process
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        if process.runs() {
            self.signal_all(Signal::CONT);
            // An immediate stop: the postmaster ends its children and then itself.
            process.signal(Signal::QUIT);
            let start = std::time::Instant::now();
            while process.runs() && start.elapsed() < std::time::Duration::from_secs(10) {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}

/// A database cluster that was initialised once and is copied for each server. It is
/// removed with the last of them.
fn template() -> Arc<TempDir> {
    static TEMPLATE: Mutex<Weak<TempDir>> = Mutex::new(Weak::new());
    let mut shared = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(dir) = shared.upgrade() {
        return dir;
    }
    let dir = Arc::new(TempDir::new().expect("a directory"));
    own(dir.path(), 0o755);
    let output = as_postgres(&tool("initdb"))
        .args(["--no-sync", "-A", "scram-sha-256", "--auth-local=trust", "-U", SUPERUSER])
        .args(["--encoding=UTF8", "--locale=C", "--pwfile=/dev/stdin", "-D"])
        .arg(dir.path().join("data"))
        .stdin(password_file())
        .output()
        .expect("initdb runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "initdb failed:\n{complaint}");
    *shared = Arc::downgrade(&dir);
    dir
}

/// Something to read the superuser's password from.
fn password_file() -> std::process::Stdio {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"superuser-password\n").expect("written");
    file.rewind().expect("rewound");
    file.into()
}

fn copy_tree(from: &Path, to: &Path) {
    let status = as_postgres(Path::new("cp")).arg("-a").arg(from).arg(to).status();
    assert!(status.expect("cp runs").success(), "the template could not be copied");
}

/// A program of Postgres, which Debian keeps out of the path.
pub fn tool(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut directories: Vec<PathBuf> =
        versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    directories.sort();
    directories.reverse();
    program(name, "postgresql", &directories)
}

/// A command that runs as the user `postgres` where the test runs as root, as whom Postgres
/// refuses to run.
fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = unprivileged() {
        command.uid(user).gid(group).current_dir("/");
    }
    command
}

fn unprivileged() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let id = |option: &str| {
        let output = Command::new("id").args([option, "postgres"]).output().expect("id runs");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        text.parse().unwrap_or_else(|_| {
            panic!("as root the tests need the user postgres: apt-get install postgresql")
        })
    };
    Some((id("-u"), id("-g")))
}

/// Gives a file or directory to the user that Postgres runs as.
fn own(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permitted");
    if let Some((user, group)) = unprivileged() {
        chown(path, Some(user), Some(group)).expect("given away");
    }
}

fn children_of(parent: i32) -> Vec<i32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
