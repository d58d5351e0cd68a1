//! The program on a profile, with what a test sets over it.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use watchfloor::actions::journal::FILE;

use super::common::{pty::Pty, servers::wait_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_watchfloor");

/// A configuration in a directory of its own, and the environment that goes with it.
pub struct Place {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

/// A console without a screen.
pub struct Headless(Child);

impl Place {
    /// `text` is put over the profile that it names.
    pub fn new(text: &str, environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let text = format!("{text}\n[state]\ndir = {:?}\n", state.to_str().unwrap());
        std::fs::write(directory.path().join("watchfloor.toml"), text).unwrap();
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { directory, environment: environment.collect() }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("watchfloor.toml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(self.file()).args(arguments);
        command.env_clear().env("HOME", self.directory.path()).stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().cloned());
        command
    }

    /// One look at everything: the exit code and the document.
    pub fn check(&self) -> (i32, Value) {
        let output = self.command(&["check", "--json"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        (output.status.code().unwrap(), document)
    }

    /// Carries out one action without the screen: `confirmed`, `refuted` and so on, or why it
    /// was refused; and the document.
    pub fn act(&self, action: &str, arguments: &[&str]) -> (String, Value) {
        let output = self.acting(action, arguments).output().unwrap();
        told(&output.stdout, &output.stderr)
    }

    /// The same, agreed to by a second person.
    pub fn act_together(&self, action: &str, target: &str) -> (String, Value) {
        let mut asking = self.acting(action, &["--confirm", target]);
        let asking = asking.env("WATCHFLOOR_PERSON", "alice");
        let child = asking.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until("the second person is let in", || {
            let mut agreeing = self.command(&["approve", action, "--confirm", target]);
            agreeing.env("WATCHFLOOR_PERSON", "bob").output().unwrap().status.success()
        });
        let output = child.wait_with_output().unwrap();
        told(&output.stdout, &output.stderr)
    }

    fn acting(&self, action: &str, arguments: &[&str]) -> Command {
        let mut all = vec!["run", action, "--json", "--reason", "trying it out"];
        all.extend(arguments);
        self.command(&all)
    }

    /// What the doctor finds that is not ok, as `subject/id verdict: what`.
    pub fn doctor(&self) -> Vec<String> {
        let output = self.command(&["doctor", "--json"]).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let findings = rows(&document, "findings").iter();
        findings
            .filter(|finding| finding["verdict"] != "ok")
            .map(|finding| {
                let [subject, id, verdict, what] =
                    ["subject", "id", "verdict", "what"].map(|key| text(finding, key));
                format!("{subject}/{id} {verdict}: {what}")
            })
            .collect()
    }

    /// Watches for so many seconds.
    pub fn watch(&self, seconds: u32) -> Headless {
        let lasting = format!("{seconds}s");
        let mut command = self.command(&["--headless", "--for", &lasting]);
        Headless(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// The console in a terminal, armed.
    pub fn armed(&self) -> Console {
        let file = self.file();
        let home = self.directory.path().to_str().unwrap().to_owned();
        let mut environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        environment.push(("HOME", &home));
        let arguments = ["--config", file.to_str().unwrap()];
        let mut pty = Pty::spawn(PROGRAM, &arguments, &environment, (120, 40));
        pty.wait_for_text("sources answer");
        pty.arm();
        let journal = self.directory.path().join("state").join(FILE);
        Console { pty, journal }
    }
}

impl Headless {
    /// The state at its end.
    pub fn state(self) -> Value {
        let output = self.0.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"))
    }
}

/// A console in a terminal, in which actions may be started.
pub struct Console {
    pty: Pty,
    journal: PathBuf,
}

impl Console {
    /// Starts an action of guard level G1; how it ended, by the journal.
    pub fn run_at_once(&mut self, action: &str) -> String {
        let before = self.outcomes().len();
        self.pty.send(format!(":{action}\r"));
        self.pty.say_yes();
        self.outcome_after(before)
    }

    /// The same for guard level G3.
    pub fn run_disruptive(&mut self, action: &str, target: &str) -> String {
        let before = self.outcomes().len();
        self.pty.send(format!(":{action}\r"));
        self.pty.say_why();
        self.pty.type_target(target);
        self.pty.wait_for_text("STARTS IN");
        self.outcome_after(before)
    }

    /// Waits until there is one more outcome, and closes the dialog.
    fn outcome_after(&mut self, before: usize) -> String {
        wait_until("the run is over", || self.outcomes().len() > before);
        self.pty.wait_for_text("Close");
        self.pty.send("\x1b");
        self.pty.wait_for("the dialog to be closed", |screen| !screen.contents().contains("Close"));
        self.outcomes().pop().unwrap()
    }

    /// The journal, for a test that has to say why it failed.
    pub fn journal(&self) -> String {
        std::fs::read_to_string(&self.journal).unwrap_or_default()
    }

    /// How the runs ended so far.
    fn outcomes(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.journal).unwrap_or_default();
        // A line that is just being written is not read yet.
        let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries.filter_map(|entry| Some(entry["outcome"].as_str()?.to_owned())).collect()
    }
}

/// How a run ended that was told as a document.
fn told(said: &[u8], complaint: &[u8]) -> (String, Value) {
    let document: Value = serde_json::from_slice(said)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(complaint)));
    let word = document["outcome"].as_str().or(document["refused"].as_str());
    (word.unwrap_or("nothing").to_owned(), document)
}

/// A list of a document.
pub fn rows<'a>(document: &'a Value, list: &str) -> &'a Vec<Value> {
    document[list].as_array().unwrap()
}

/// A check of a document.
pub fn check<'a>(document: &'a Value, id: &str) -> &'a Value {
    rows(document, "checks").iter().find(|check| check["id"] == id).unwrap()
}

/// The sources without a good answer, in words.
pub fn unanswered(document: &Value) -> Vec<String> {
    rows(document, "sources")
        .iter()
        .filter(|source| source["quality"] != "fresh")
        .map(|source| format!("{}: {} {}", source["id"], source["quality"], source["error"]))
        .collect()
}

/// The alerts in these phases.
pub fn alerts<'a>(document: &'a Value, phases: &[&str]) -> Vec<&'a str> {
    let in_phase = |alert: &&Value| phases.iter().any(|phase| alert["state"] == *phase);
    let mut names: Vec<&str> = rows(document, "alerts")
        .iter()
        .filter(in_phase)
        .map(|alert| alert["rule"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    names
}
