//! Programs of the operator's own: found the way a shell would, without a shell; a clean
//! environment; a process group of their own, so that whatever they start ends with them.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::{
    fs::{Access, access},
    process::{Pid, Signal, kill_process_group},
};
use tokio::process::{Child, Command};

use super::words::clip;
use crate::config::{
    profile::{Program, Text},
    secret::redact,
};

/// Variables that a program gets from the console's own environment.
pub const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "USER"];

/// Where programs are looked for when there is no PATH.
pub const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Variables that keep a program from asking and colouring.
pub const OWN: [(&str, &str); 2] = [("TERM", "dumb"), ("NO_COLOR", "1")];

/// Said of a secret among the arguments.
pub const SECRET_ARGUMENT: &str =
    "an argument holds a secret, which everybody on this machine could read";

/// Said of an empty argument vector.
pub const NO_PROGRAM: &str = "there is no program to run";

/// A program that runs, with both of its outputs piped.
pub struct Running {
    /// The process. Dropped, it is killed.
    pub child: Child,
    /// It and whatever it starts.
    pub group: Group,
}

/// A process group, killed when this is dropped.
pub struct Group(Option<Pid>);

impl Group {
    /// That of a program that was started as the leader of a group of its own.
    pub fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Ends every process in it. What only looks or tells needs no time to tidy up.
    pub fn kill(&self) {
        if let Some(group) = self.0 {
            // A group that is gone needs no signal.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Nothing of it is left, or what is left has let go of us: nothing is killed.
    pub fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Why a program was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotStarted {
    /// In words, without secrets.
    pub why: String,
    /// What to do about it, where that is not plain from the words.
    pub cure: Option<&'static str>,
    /// Whether only the configuration can change that.
    pub for_good: bool,
}

/// Starts the program with these arguments, which are its own with any places filled in.
/// Its input is a pipe where `reads` says so, else there is nothing to read.
///
/// # Errors
/// There is no such program or directory, the system refuses, or an argument holds a
/// secret.
pub fn start(program: &Program, argv: &[String], reads: bool) -> Result<Running, NotStarted> {
    let for_good = |why: &str| NotStarted { why: why.to_owned(), cure: None, for_good: true };
    let Some((name, arguments)) = argv.split_first() else { return Err(for_good(NO_PROGRAM)) };
    if holds_secret(argv) {
        let cure = Some("hand it over in `environment`");
        return Err(NotStarted { cure, ..for_good(SECRET_ARGUMENT) });
    }
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env_clear()
        .envs(environment(&program.environment).iter().map(|(name, text)| (name, text.expose())))
        .process_group(0)
        .stdin(if reads { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let in_vain = |why: String| NotStarted { why, cure: None, for_good: false };
    if let Some(directory) = &program.directory {
        if !directory.is_dir() {
            return Err(in_vain(format!("{} is not a directory", directory.display())));
        }
        command.current_dir(directory);
    }
    let child = command.spawn().map_err(|error| in_vain(refused(name, &error)))?;
    let group = Group::of(&child);
    Ok(Running { child, group })
}

/// Whether an argument holds a secret, which everybody on this machine could read.
pub fn holds_secret(argv: &[String]) -> bool {
    argv.iter().any(|argument| redact(argument) != *argument)
}

/// The whole environment of a program: a few variables of the console's own, those that
/// keep programs from asking and colouring, and its own, which win.
pub fn environment(own: &[(String, Text)]) -> Vec<(String, Text)> {
    let mut out: Vec<(String, Text)> = Vec::new();
    let mut set = |name: &str, text: Text| {
        out.retain(|(other, _)| other != name);
        out.push((name.to_owned(), text));
    };
    for name in INHERITED {
        let usual = (name == "PATH").then(|| USUAL_PATH.to_owned());
        if let Some(value) = env::var(name).ok().filter(|value| !value.is_empty()).or(usual) {
            set(name, Text::Plain(value));
        }
    }
    for (name, value) in OWN {
        set(name, Text::Plain(value.to_owned()));
    }
    for (name, text) in own {
        set(name, text.clone());
    }
    out
}

/// The file of a program: as given from `directory` where its name holds a slash, else by
/// the search path.
///
/// # Errors
/// It is not there or may not be run, in words.
pub fn resolve(name: &str, directory: &Path, search: &str) -> Result<PathBuf, String> {
    if name.is_empty() {
        return Err(NO_PROGRAM.to_owned());
    }
    if name.contains('/') {
        let path = directory.join(name);
        return runnable(&path).map(|()| path);
    }
    let mut reason = not_installed(name);
    for entry in env::split_paths(search) {
        let path = directory.join(entry).join(name);
        match runnable(&path) {
            Ok(()) => return Ok(path),
            Err(why) if path.exists() => reason = why,
            Err(_) => {}
        }
    }
    Err(reason)
}

fn runnable(path: &Path) -> Result<(), String> {
    if !path.exists() {
        return Err(format!("{} does not exist", path.display()));
    }
    if !path.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    access(path, Access::EXEC_OK).map_err(|_| format!("{} is not executable", path.display()))
}

fn not_installed(name: &str) -> String {
    format!("{name} is not installed: it is in no directory of PATH")
}

/// What the system says to a start, in words.
fn refused(name: &str, error: &io::Error) -> String {
    let name = clip(name, 100);
    match error.kind() {
        io::ErrorKind::NotFound if name.contains('/') => format!("{name} does not exist"),
        io::ErrorKind::NotFound => not_installed(&name),
        io::ErrorKind::PermissionDenied => format!("{name} may not be executed"),
        io::ErrorKind::ArgumentListTooLong => format!("the arguments of {name} are too long"),
        _ => format!("{name} could not be started: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_or_its_absence_is_explained() {
        let here = Path::new("/");
        assert_eq!(resolve("sh", here, "/nonexistent:/bin"), Ok(PathBuf::from("/bin/sh")));
        assert_eq!(resolve("bin/sh", here, ""), Ok(PathBuf::from("/bin/sh")));
        for (name, why) in [
            ("no-such-program", "not installed"),
            ("/no/such/program", "does not exist"),
            ("/bin", "not a file"),
            ("/etc/passwd", "not executable"),
            ("", "no program"),
        ] {
            let error = resolve(name, here, "/bin").expect_err("refused");
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn own_variables_win_over_those_of_the_console() {
        let own = [("TERM".to_owned(), Text::Plain("vt100".to_owned()))];
        let all = environment(&own);
        let of = |name: &str| all.iter().filter(|(other, _)| other == name).collect::<Vec<_>>();
        assert_eq!(of("TERM").len(), 1);
        assert_eq!(of("TERM")[0].1, Text::Plain("vt100".to_owned()));
        assert_eq!(of("PATH").len(), 1, "there is always a search path");
        assert!(of("RUST_LOG").is_empty() && of("SSH_AUTH_SOCK").is_empty());
    }
}
