//! `doctor` by the real program, on real servers: what it finds, and what it leaves alone.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod asks;

mod drill;

mod endpoints;

mod rights;

mod steps;

mod things;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watchfloor");

/// A configuration in a directory of its own.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// A service in staging with these further sections.
    pub fn new(sections: &str) -> Self {
        Self::of("staging", sections)
    }

    /// A service in that environment.
    pub fn of(environment: &str, sections: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let text = format!(
            "[service]\nname = \"shop\"\nenvironment = \"{environment}\"\n[state]\ndir = \"{}\"\n\
             {sections}",
            state.display()
        );
        fs::write(directory.path().join("watchfloor.toml"), text).unwrap();
        Self { directory }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file with that mode.
    pub fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Runs the program with these arguments.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM)
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env_remove("WATCHFLOOR_CONFIG")
            .env("CANARY_TOKEN", "hunter2-hunter2")
            .output()
            .unwrap()
    }

    /// What the doctor finds, and its exit code.
    pub fn examine(&self) -> (Report, i32) {
        self.examine_only(&[])
    }

    /// The same for these things alone.
    pub fn examine_only(&self, only: &[&str]) -> (Report, i32) {
        let mut arguments = vec!["doctor", "--json"];
        for only in only {
            arguments.extend(["--only", only]);
        }
        let output = self.run(&arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!text.contains("hunter2"), "a secret is told: {text}");
        let document = serde_json::from_str(&text).unwrap_or_else(|error| {
            panic!("{error}: {text}\n{}", String::from_utf8_lossy(&output.stderr))
        });
        (Report(document), output.status.code().unwrap())
    }
}

/// A document of the doctor.
pub struct Report(pub Value);

impl Report {
    /// What was found of one thing, as `verdict: what -> cure`.
    pub fn of(&self, subject: &str, id: &str) -> Vec<String> {
        let findings = self.0["findings"].as_array().unwrap().iter();
        findings
            .filter(|finding| finding["subject"] == subject && finding["id"] == id)
            .map(|finding| {
                let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
                format!("{}: {} -> {}", text("verdict"), text("what"), text("cure"))
            })
            .collect()
    }

    /// Checks that something was found that begins so and holds all of these texts.
    #[track_caller]
    pub fn says(&self, subject: &str, id: &str, verdict: &str, texts: &[&str]) {
        let found = self.of(subject, id);
        let holds = |line: &String| {
            line.starts_with(verdict) && texts.iter().all(|text| line.contains(text))
        };
        assert!(found.iter().any(holds), "{subject}/{id} {verdict} {texts:?}: {found:#?}");
    }

    /// Checks that nothing was found of a thing that is worse than ok.
    #[track_caller]
    pub fn is_well(&self, subject: &str, id: &str) {
        let found = self.of(subject, id);
        assert!(!found.is_empty() && found.iter().all(|line| line.starts_with("ok")), "{found:#?}");
    }
}
