//! Programs that actions run.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Cx, Path};
use crate::config::{
    mask::is_secret_name,
    profile::{CommandAction, Text},
    raw::{action::RawCommandAction, value::TextValue},
};

impl Cx<'_> {
    /// A program to run.
    pub fn command_action(&mut self, path: &Path, raw: &RawCommandAction) -> Option<CommandAction> {
        let argv = path.key("argv");
        let mut sound = self.has_program(&argv, &raw.argv);
        if raw.shell && raw.argv.len() > 1 {
            self.error(
                &argv,
                "with shell = true there is one text, not a list of arguments",
                "write the whole line as one text",
            );
            sound = false;
        }
        self.known_trap(&argv, raw);
        let directory = self.directory(path, raw.directory.as_deref());
        let environment = self.environment(&path.key("environment"), &raw.environment);
        let stdin = match &raw.stdin {
            Some(value) => self.text(&path.key("stdin"), value, false).map(Some),
            None => Some(None),
        };
        if raw.interactive && raw.stdin.is_some() {
            self.error(
                &path.key("interactive"),
                "what is typed and what is written in `stdin` cannot both be read",
                "leave out `stdin`, or interactive = true",
            );
            sound = false;
        }
        let (environment, stdin) = (environment?, stdin?);
        sound.then(|| CommandAction {
            argv: raw.argv.clone(),
            shell: raw.shell,
            directory,
            environment,
            stdin,
            interactive: raw.interactive,
        })
    }

    /// Whether a list of arguments begins with a program.
    pub fn has_program(&mut self, path: &Path, argv: &[String]) -> bool {
        let empty = argv.first().is_none_or(|program| program.trim().is_empty());
        if empty {
            self.error(
                path,
                "there is no program to run",
                "such as argv = [\"systemctl\", \"status\", \"api\"]",
            );
        }
        !empty
    }

    /// The directory of a program.
    pub fn directory(&mut self, path: &Path, written: Option<&str>) -> Option<PathBuf> {
        let path = path.key("directory");
        let directory = self.file_path(&path, written?);
        if !directory.is_dir() {
            let message = format!("{} is not a directory now", directory.display());
            self.warning(&path, message, "the program cannot run without it");
        }
        Some(directory)
    }

    /// Variables for a program.
    pub fn environment(
        &mut self,
        path: &Path,
        raw: &BTreeMap<String, TextValue>,
    ) -> Option<Vec<(String, Text)>> {
        let mut out = Vec::new();
        for (name, value) in raw {
            let path = path.key(name);
            if name.is_empty() || name.contains(['=', '\0']) {
                let message = format!("{name:?} cannot be the name of a variable");
                self.error(&path, message, "letters, digits and _");
                continue;
            }
            out.extend(
                self.text(&path, value, is_secret_name(name)).map(|text| (name.clone(), text)),
            );
        }
        let sound = out.len() == raw.len();
        if let Some(path) = self.request.search_path.as_ref().filter(|_| !raw.contains_key("PATH"))
        {
            out.push(("PATH".to_owned(), Text::Plain(path.clone())));
        }
        sound.then_some(out)
    }

    /// Commands that look right, end with 0 and do not do what they are meant to.
    fn known_trap(&mut self, path: &Path, raw: &RawCommandAction) {
        let line = raw.argv.join(" ");
        let words: Vec<&str> = line.split_whitespace().collect();
        let (message, cure) = match words.as_slice() {
            ["bunx", script, ..] if script.contains('/') => (
                "bunx takes a path with a slash for a GitHub repository, downloads it and runs it",
                "write [\"bun\", \"run\", \"scripts/…\"]",
            ),
            ["vercel", "rollback"] => (
                "`vercel rollback` alone only prints the status, and ends with 0",
                "name the deployment to roll back to",
            ),
            ["docker-compose", "restart", ..] | ["docker", "compose", "restart", ..] => (
                "a restart does not read changed configuration or environment",
                "write \"up\", \"-d\", \"--force-recreate\" where something was changed",
            ),
            ["psql", rest @ ..]
                if !line.contains("ON_ERROR_STOP") && !rest.contains(&"--version") =>
            {
                (
                    "psql goes on after an error, and ends with 0",
                    "add \"-v\", \"ON_ERROR_STOP=1\", \"-1\"",
                )
            }
            _ => return,
        };
        self.warning(path, message, cure);
    }
}
