//! Programs that run for the length of a test.

use std::{
    fs::File,
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a server may take to start or to stop.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A port that nobody listens on. Somebody else may take it before it is used: servers
/// that fail to bind are started again on another one.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Waits until the condition holds, looking often; panics where it does not in time.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether somebody accepts connections on the port.
pub fn listens(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// The program, or a panic that says what to install.
pub fn program(name: &str, package: &str, directories: &[PathBuf]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path);
    let sbin = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    directories
        .iter()
        .cloned()
        .chain(on_path)
        .chain(sbin)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed: apt-get install {package}"))
}

/// A program that is killed when it is dropped, stopped or not.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose output goes to a file.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let output = File::create(log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("the process is there");
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_none()
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) {
        let child = &mut self.child;
        wait_until("the process ends", || child.try_wait().expect("its state").is_some());
    }

    /// What it wrote.
    pub fn output(&self) -> String {
        let mut text = String::new();
        let _ = File::open(&self.log).and_then(|mut log| log.read_to_string(&mut text));
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts something that binds a port, with another port where that one was taken.
fn start_on_free_port(mut start: impl FnMut(u16) -> Process) -> (Process, u16) {
    for _ in 0..5 {
        let port = free_port();
        let mut process = start(port);
        let begun = Instant::now();
        while process.runs() && begun.elapsed() < PATIENCE {
            if listens(port) {
                return (process, port);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(
            process.output().contains("in use"),
            "the server did not start:\n{}",
            process.output()
        );
    }
    panic!("no free port in five attempts");
}

/// A Redis server without persistence.
pub struct RedisServer {
    process: Option<Process>,
    /// Where it listens.
    pub port: u16,
    /// Its directory: the socket `redis.sock` and whatever a test puts there.
    pub dir: TempDir,
}

impl RedisServer {
    /// A server with further arguments, such as `--requirepass x`.
    pub fn start(arguments: &[&str]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let (process, port) =
            start_on_free_port(|port| Self::launch(dir.path(), port, arguments, "--port"));
        Self { process: Some(process), port, dir }
    }

    /// A server that speaks only TLS on its port. The certificate and the key are files.
    pub fn start_tls(certificate: &Path, key: &Path, arguments: &[&str]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
        let (certificate, key) = (text(certificate), text(key));
        let mut all = vec!["--port", "0", "--tls-cert-file", &certificate, "--tls-key-file", &key];
        all.extend(["--tls-auth-clients", "no"]);
        all.extend(arguments);
        let (process, port) =
            start_on_free_port(|port| Self::launch(dir.path(), port, &all, "--tls-port"));
        Self { process: Some(process), port, dir }
    }

    fn launch(dir: &Path, port: u16, arguments: &[&str], port_option: &str) -> Process {
        let mut command = Command::new(program("redis-server", "redis-server", &[]));
        command
            .args([port_option, &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--dir", dir.to_str().expect("a plain path")])
            .args(["--unixsocket", dir.join("redis.sock").to_str().expect("a plain path")])
            .args(arguments);
        Process::start(&mut command, &dir.join("log"))
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port, without waiting until it is ready.
    pub fn launch_again(&mut self, arguments: &[&str]) {
        self.process = None;
        self.process = Some(Self::launch(self.dir.path(), self.port, arguments, "--port"));
    }

    /// Starts it again on the same port.
    pub fn restart(&mut self, arguments: &[&str]) {
        self.launch_again(arguments);
        wait_until("redis-server listens again", || listens(self.port));
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("it runs").signal(signal);
    }

    /// Runs a command by redis-cli and returns what it prints.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new(program("redis-cli", "redis-tools", &[]))
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .output()
            .expect("redis-cli runs");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

/// An nginx that runs in the foreground with the given `server` blocks. `{port}` and `{dir}`
/// stand for its port and its directory.
pub struct NginxServer {
    _process: Process,
    /// Where it listens.
    pub port: u16,
    /// Its directory.
    pub dir: TempDir,
}

impl NginxServer {
    /// Starts one.
    pub fn start(servers: &str) -> Self {
        let dir = TempDir::new().expect("a directory");
        let root = dir.path().to_str().expect("a plain path").to_owned();
        let (process, port) = start_on_free_port(|port| {
            let servers = servers.replace("{port}", &port.to_string()).replace("{dir}", &root);
            let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {root}/{kind};\n"))
                .concat();
            // One process for all, so that no worker outlives the test.
            let config = format!(
                "daemon off; master_process off; pid {root}/pid; error_log stderr;\n\
                 events {{ }}\nhttp {{ access_log off; {temporary} {servers} }}\n"
            );
            let file = dir.path().join("nginx.conf");
            std::fs::write(&file, config).expect("written");
            let mut command = Command::new(program("nginx", "nginx-light", &[]));
            command.args(["-p", &root, "-e", "stderr", "-c"]).arg(&file);
            Process::start(&mut command, &dir.path().join("log"))
        });
        Self { _process: process, port, dir }
    }
}
