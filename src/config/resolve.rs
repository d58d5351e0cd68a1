//! Fetching secrets from where the configuration says they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use super::{Request, paths, raw::value::SecretRef};
use crate::domain::text::clip;

/// How long a program may take to print a secret.
const COMMAND_LIMIT: Duration = Duration::from_secs(5);

/// Longer ones are not secrets, but something gone wrong.
const LONGEST: u64 = 64 * 1024;

/// Why a secret could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub cure: String,
    /// The file that is not there, or may not be read.
    pub unreadable: Option<PathBuf>,
}

fn problem<T>(message: impl Into<String>, cure: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { message: message.into(), cure: cure.into(), unreadable: None })
}

/// Fetches secrets. A program that several keys name runs once.
#[derive(Default)]
pub struct Resolver {
    printed: BTreeMap<Vec<String>, Result<String, Problem>>,
    files: BTreeSet<PathBuf>,
}

impl Resolver {
    /// The files that secrets were read from so far.
    pub fn files(&self) -> &BTreeSet<PathBuf> {
        &self.files
    }

    /// What `reference` names, and its origin in words: `env NAME`. Relative files start at
    /// `base`.
    ///
    /// # Errors
    /// Not exactly one origin, a variable that is not set, a file or program that fails.
    pub fn fetch(
        &mut self,
        reference: &SecretRef,
        request: &Request,
        base: &Path,
    ) -> Result<(String, String), Problem> {
        match (&reference.env, &reference.file, &reference.command) {
            (Some(name), None, None) => {
                Ok((from_environment(name, request)?, format!("env {name}")))
            }
            (None, Some(file), None) => {
                let path = paths::expand(request, base, file);
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let secret = from_file(&path)?;
                self.files.insert(path);
                Ok((secret, format!("file {name}")))
            }
            (None, None, Some(argv)) => {
                let printed =
                    self.printed.entry(argv.clone()).or_insert_with(|| from_command(argv, base));
                let name = argv.first().map(String::as_str).unwrap_or_default();
                let name = name.rsplit('/').next().unwrap_or(name);
                printed.clone().map(|value| (value, format!("command {name}")))
            }
            _ => problem(
                "a secret comes from exactly one of env, file and command",
                "write { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\"] }",
            ),
        }
    }
}

fn from_environment(name: &str, request: &Request) -> Result<String, Problem> {
    match request.variable(name) {
        Some(value) => Ok(value.to_owned()),
        None => problem(
            format!("the environment variable {name} is not set"),
            format!("export {name} before watchfloor starts"),
        ),
    }
}

fn from_file(path: &Path) -> Result<String, Problem> {
    let mut text = String::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
    if let Err(error) = read {
        return Err(Problem {
            // Not "secret: …" or "…token: …": what stands behind that is taken for one.
            message: format!("{} cannot be read ({error}), and holds a secret", path.display()),
            cure: "check the path and its permissions".to_owned(),
            unreadable: Some(path.to_owned()),
        });
    }
    trimmed(text, &format!("{}", path.display()))
}

/// Drops the line end; an empty or endless secret is none.
fn trimmed(mut text: String, origin: &str) -> Result<String, Problem> {
    if text.len() as u64 > LONGEST {
        return problem(
            format!("the secret from {origin} is longer than 64 KiB"),
            "check its origin",
        );
    }
    let length = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(length);
    if text.is_empty() {
        return problem(format!("the secret from {origin} is empty"), "check its origin");
    }
    if text.contains(['\n', '\r', '\0']) {
        return problem(
            format!("the secret from {origin} has more than one line"),
            "only its value may be there",
        );
    }
    Ok(text)
}

/// Runs a program and takes what it prints. It has no input, and five seconds; its errors
/// are told, its output never.
fn from_command(argv: &[String], base: &Path) -> Result<String, Problem> {
    let Some((program, arguments)) = argv.split_first() else {
        return problem("the command for a secret is empty", "write command = [\"PROGRAM\", …]");
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if base.is_dir() {
        command.current_dir(base);
    }
    // Its own group, so that what it started goes with it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            return problem(
                format!("cannot run {program} for a secret: {error}"),
                "check that it is installed and in PATH",
            );
        }
    };
    let output = read_aside(child.stdout.take());
    let errors = read_aside(child.stderr.take());
    let deadline = Instant::now() + COMMAND_LIMIT;
    let status = wait_until(&mut child, deadline);
    let rest = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(50));
    let Some(status) = status else {
        return problem(
            format!("{program} did not print the secret within 5 seconds"),
            "it has no input and cannot ask; log in to the secret store first",
        );
    };
    let printed = output.recv_timeout(rest).unwrap_or_default();
    if !status.success() {
        let said = errors.recv_timeout(rest).unwrap_or_default();
        let said = clip(said.trim(), 200);
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        return problem(
            format!("{program} failed to print the secret ({status}){said}"),
            "run it by hand to see why",
        );
    }
    trimmed(printed, program)
}

/// Reads a pipe on a thread of its own, so that neither a full pipe nor a grandchild that
/// keeps it open can hold us.
fn read_aside(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    if let Some(pipe) = pipe {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error still counts; too little is found out later.
            let _ = pipe.take(LONGEST + 1).read_to_end(&mut bytes);
            let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
        });
    }
    receive
}

/// Waits for the end of a child; at the deadline, kills it and its group.
fn wait_until(child: &mut Child, deadline: Instant) -> Option<std::process::ExitStatus> {
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(pause),
            _ => break,
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}
