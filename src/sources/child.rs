//! Programs that sources run: no shell, a clean environment, a process group of their own
//! that ends with them.

use std::{env, io, process::Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::{
    config::{profile::Program, secret::redact},
    domain::failure::{Failure, FailureKind},
    net::words::clip,
};

/// Variables that a program gets from the console's own environment.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "USER"];

/// Where programs are looked for when there is no PATH.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A program that runs, with both outputs piped and nothing to read.
pub(super) struct Running {
    /// The process.
    pub(super) child: Child,
    /// It and whatever it starts.
    pub(super) group: Group,
}

/// A process group, killed when this is dropped.
pub(super) struct Group(Option<Pid>);

impl Group {
    /// Ends every process in it. A look changes nothing, so none needs time to tidy up.
    pub(super) fn kill(&self) {
        if let Some(group) = self.0 {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the program with these arguments, which are its own with any placeholders filled
/// in.
pub(super) fn start(program: &Program, argv: &[String]) -> Result<Running, Failure> {
    let misconfigured = |why: String| Failure::new(FailureKind::Misconfigured, why);
    let Some((name, arguments)) = argv.split_first() else {
        return Err(misconfigured("there is no program to run".to_owned()));
    };
    if argv.iter().any(|argument| redact(argument) != *argument) {
        let why = "an argument holds a secret, which everybody on that machine could read";
        return Err(misconfigured(why.to_owned()).hint("hand it over in `environment`"));
    }
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env_clear()
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for name in INHERITED {
        let usual = (name == "PATH").then(|| USUAL_PATH.into());
        if let Some(value) = env::var_os(name).filter(|value| !value.is_empty()).or(usual) {
            command.env(name, value);
        }
    }
    command.env("TERM", "dumb").env("NO_COLOR", "1");
    for (name, text) in &program.environment {
        command.env(name, text.expose());
    }
    if let Some(directory) = &program.directory {
        if !directory.is_dir() {
            return Err(misconfigured(format!("{} is not a directory", directory.display())));
        }
        command.current_dir(directory);
    }
    let child = command.spawn().map_err(|error| not_started(name, &error))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    Ok(Running { child, group: Group(group) })
}

fn not_started(name: &str, error: &io::Error) -> Failure {
    let name = clip(name, 100);
    let why = match error.kind() {
        io::ErrorKind::NotFound if name.contains('/') => format!("{name} does not exist"),
        io::ErrorKind::NotFound => {
            format!("{name} is not installed: it is in no directory of PATH")
        }
        io::ErrorKind::PermissionDenied => format!("{name} may not be executed"),
        io::ErrorKind::ArgumentListTooLong => format!("the arguments of {name} are too long"),
        _ => format!("{name} could not be started: {error}"),
    };
    Failure::new(FailureKind::Misconfigured, why)
}
