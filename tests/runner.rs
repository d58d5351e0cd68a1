//! Runs that outlive whoever started them: the real program, in a terminal and without one,
//! killed at any moment. Each action appends a line to a file, so that one that is done
//! twice, or claimed and not done, is seen.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod common;

#[path = "runner/approval.rs"]
mod approval;
#[path = "runner/asked.rs"]
mod asked;
#[path = "runner/asked_steps.rs"]
mod asked_steps;
#[path = "runner/attach.rs"]
mod attach;
#[path = "runner/console.rs"]
mod console;
#[path = "runner/killed.rs"]
mod killed;
#[path = "runner/mended.rs"]
mod mended;
#[path = "runner/one_action.rs"]
mod one_action;
#[path = "runner/sequence.rs"]
mod sequence;
#[path = "runner/stops.rs"]
mod stops;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use watchfloor::actions::journal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watchfloor");

/// A state directory, a configuration, and places for what actions do.
struct Place {
    directory: TempDir,
}

impl Place {
    /// `actions` is what follows the service in the configuration; `@` stands for the
    /// directory.
    fn new(actions: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().to_str().unwrap();
        let text = format!(
            "[service]\nname = \"shop\"\nenvironment = \"test\"\n[state]\ndir = \"@/state\"\n{actions}"
        );
        fs::write(directory.path().join("watchfloor.toml"), text.replace('@', at)).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg("--config")
            .arg(self.path("watchfloor.toml"))
            .args(args)
            .env_remove("WATCHFLOOR_PERSON")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end: the exit code, what it printed, what it complained of.
    fn tell(&self, args: &[&str]) -> (i32, String, String) {
        told(&self.command(args).output().unwrap())
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.state().join(journal::FILE)).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The lines of one kind.
    fn of_kind(&self, kind: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["kind"] == kind).collect()
    }

    /// How often an action really happened.
    fn done(&self) -> usize {
        fs::read_to_string(self.path("done")).unwrap_or_default().lines().count()
    }

    fn verify(&self) {
        journal::verify(&self.state().join(journal::FILE)).expect("the chain is intact");
    }
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Waits for something to come true.
#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + common::pty::limit();
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come true");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether the process runs; one that only waits to be reaped does not.
fn runs(pid: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Whether the bytes stand in any file below a directory.
fn found_in(directory: &Path, needle: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(found_in(&path, needle));
        } else if fs::read(&path).unwrap().windows(needle.len()).any(|w| w == needle.as_bytes()) {
            found.push(path);
        }
    }
    found
}
