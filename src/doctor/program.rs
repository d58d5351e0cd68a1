//! Programs and scripts: whether they are there, may be run, and would do without anybody who
//! answers. Nothing is run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::{
    forms::{self, Line},
    script::{self, Language, Setting},
};
use crate::{
    config::profile::Text,
    domain::examination::{Finding, Grade, Thing},
    net::{self, words},
};

/// The most of a script that is read, bytes.
const LONGEST_SCRIPT: u64 = 256 << 10;

/// What stands in an argument for a value that is not known yet begins so: `⟨ask.file⟩`.
pub const OPEN: char = '⟨';

/// The most faults of one script that are told.
const MOST_FAULTS: usize = 12;

/// What programs have around them: this process, or what a test says it is.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The variables of this process.
    pub variables: BTreeMap<String, String>,
    /// Its directory.
    pub here: PathBuf,
    /// The root of the file system, for files of the system.
    pub root: PathBuf,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            here: std::env::current_dir().unwrap_or_default(),
            root: PathBuf::from("/"),
        }
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// A program as it would be run.
#[derive(Clone, Copy, Debug)]
pub struct Runnable<'a> {
    /// The program and its arguments; one text for a shell where `shell` is set.
    pub argv: &'a [String],
    /// It is run by `sh -c`.
    pub shell: bool,
    /// Its directory.
    pub directory: Option<&'a Path>,
    /// Variables that it is given besides the usual ones.
    pub environment: &'a [(String, Text)],
    /// It is given something to read.
    pub fed: bool,
    /// What it is run for, in the operator's words.
    pub purpose: &'a str,
    /// It is meant to go on printing.
    pub follows: bool,
}

/// Everything that can be said of a program before it is run. Blocks on the file system.
pub fn look(thing: &Thing, of: Runnable<'_>, around: &Surroundings) -> Vec<Finding> {
    let mut looker = Looker { thing, of, around, found: Vec::new() };
    looker.look();
    looker.found
}

struct Looker<'a> {
    thing: &'a Thing,
    of: Runnable<'a>,
    around: &'a Surroundings,
    found: Vec<Finding>,
}

impl Looker<'_> {
    fn look(&mut self) {
        let Some(directory) = self.directory() else { return };
        if self.of.shell {
            let Some(text) = self.of.argv.first() else { return };
            self.faults(text, "", Language::Shell, Vec::new(), true);
            self.first_programs(text, &directory);
            return;
        }
        let line = Line {
            words: self.of.argv,
            fed: self.of.fed,
            purpose: self.of.purpose,
            follows: self.of.follows,
            ..Line::default()
        };
        for wrong in forms::look(&line) {
            self.push(wrong.grade, wrong.what.to_owned(), wrong.cure);
        }
        let Some(name) = self.of.argv.first() else { return };
        match self.resolve(name, &directory) {
            Ok(program) => {
                let shown = program.display().to_string();
                self.found.push(Finding::new(
                    self.thing,
                    Grade::Ok,
                    words::plain(&format!("{shown} is there and may be run")),
                ));
                self.scripts(&program, &directory);
            }
            Err((why, cure)) => self.push(Grade::Critical, why, &cure),
        }
    }

    /// Two ways may lead to the same: it is told once.
    fn push(&mut self, grade: Grade, what: String, cure: &str) {
        let finding = Finding::new(self.thing, grade, words::plain(&what)).cure(cure);
        if !self.found.iter().any(|known| known.what == finding.what) {
            self.found.push(finding);
        }
    }

    fn directory(&mut self) -> Option<PathBuf> {
        let here = &self.around.here;
        let directory =
            self.of.directory.map_or_else(|| here.clone(), |written| here.join(written));
        let shown = directory.display();
        let wrong = if !directory.is_dir() {
            Some((
                format!("its directory {shown} is not there"),
                "create it, or correct `directory`",
            ))
        } else if access(&directory, Access::EXEC_OK).is_err() {
            Some((
                format!("its directory {shown} may not be entered"),
                "give this user the right to enter it",
            ))
        } else {
            None
        };
        match wrong {
            Some((what, cure)) => {
                self.push(Grade::Critical, what, cure);
                None
            }
            None => Some(directory),
        }
    }

    /// The path by which its programs are looked for.
    fn search(&self) -> String {
        let own = self.of.environment.iter().find(|(name, _)| name == "PATH");
        own.map(|(_, text)| text.expose())
            .or_else(|| self.around.variable("PATH").map(str::to_owned))
            .unwrap_or_else(|| net::program::USUAL_PATH.to_owned())
    }

    /// The file of a program, or what is wrong with it, and the cure.
    fn resolve(&self, name: &str, directory: &Path) -> Result<PathBuf, (String, String)> {
        let cure = if name.contains('/') {
            "correct its path, or make it executable: chmod +x".to_owned()
        } else {
            format!("install {name}, or write its whole path")
        };
        net::program::resolve(name, directory, &self.search()).map_err(|why| (why, cure))
    }

    /// The script that is run: the program itself, or the first argument of an interpreter.
    fn scripts(&mut self, program: &Path, directory: &Path) {
        let arguments: Vec<&str> = self.of.argv[1..].iter().map(String::as_str).collect();
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A program that is only named may be anybody's wrapper: it is not for us to judge.
        let is_own = self.of.argv.first().is_some_and(|name| name.contains('/'));
        if let Some(text) = read(program).filter(|_| is_own) {
            self.script(program, &text, None, &arguments, directory);
            return;
        }
        if let Some(at) = forms::text_of_shell(&name, &arguments) {
            self.faults(arguments[at], "", Language::Shell, Vec::new(), true);
            return self.first_programs(arguments[at], directory);
        }
        let Some(at) = script_argument(&name, &arguments) else { return };
        if arguments[at].contains(OPEN) {
            let what = format!("which script it is, is only known when it runs: {}", arguments[at]);
            return self.push(Grade::Unknown, what, "only a run tells");
        }
        let path = directory.join(arguments[at]);
        match fs::metadata(&path) {
            Err(error) => self.push(
                Grade::Critical,
                format!("the script {} cannot be read: {error}", path.display()),
                "correct its path; it is looked for from `directory`",
            ),
            Ok(facts) if !facts.is_file() => self.push(
                Grade::Critical,
                format!("{} is not a file", path.display()),
                "name the script",
            ),
            Ok(_) => match read(&path) {
                Some(text) => {
                    self.script(&path, &text, Some(&name), &arguments[at + 1..], directory)
                }
                None if access(&path, Access::READ_OK).is_err() => self.push(
                    Grade::Critical,
                    format!("the script {} may not be read by this user", path.display()),
                    "give this user the right to read it",
                ),
                None => {}
            },
        }
    }

    /// A script: who runs it, who could change it, and what its text tells.
    fn script(
        &mut self,
        path: &Path,
        text: &str,
        interpreter: Option<&str>,
        arguments: &[&str],
        directory: &Path,
    ) {
        let shown = path.display().to_string();
        if fs::metadata(path).is_ok_and(|facts| facts.mode() & 0o002 != 0) {
            let what = format!("{shown} may be changed by anybody on this machine");
            self.push(Grade::Warning, what, "chmod o-w it");
        }
        let shebang = script::shebang(text);
        let mut runs_it = interpreter.unwrap_or_default().to_owned();
        if interpreter.is_none() {
            let Some((program, argument)) = shebang else {
                let what = format!("{shown} does not say who runs it: its first line is no #!");
                return self.push(
                    Grade::Warning,
                    what,
                    "begin it with #!/bin/sh or #!/usr/bin/env bash",
                );
            };
            if program.ends_with('\r') || argument.is_some_and(|of| of.ends_with('\r')) {
                let what =
                    format!("{shown} has line ends of Windows: its interpreter is not found");
                return self.push(Grade::Critical, what, "convert it: sed -i 's/\\r$//' FILE");
            }
            let env = program.rsplit('/').next() == Some("env");
            let name = match argument {
                Some(argument) if env => {
                    argument.trim_start_matches("-S ").split_whitespace().next().unwrap_or(argument)
                }
                _ => program,
            };
            if let Err((why, cure)) = self.resolve(name, directory) {
                let what = format!("the interpreter of {shown}: {why}");
                return self.push(Grade::Critical, what, &cure);
            }
            runs_it = name.rsplit('/').next().unwrap_or(name).to_owned();
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let language = Language::of(&runs_it, &file);
        let options = arguments.iter().copied().filter(|word| word.starts_with("--")).collect();
        self.faults(text, &file, language, options, false);
    }

    fn faults(
        &mut self,
        text: &str,
        file: &str,
        language: Language,
        options: Vec<&str>,
        inline: bool,
    ) {
        let mut variables: BTreeSet<&str> =
            self.of.environment.iter().map(|(name, _)| name.as_str()).collect();
        variables.extend(net::program::OWN.map(|(name, _)| name));
        variables.extend(
            net::program::INHERITED.into_iter().filter(|name| self.around.variable(name).is_some()),
        );
        variables.insert("PATH");
        let setting = Setting {
            purpose: self.of.purpose,
            fed: self.of.fed,
            follows: self.of.follows,
            variables,
            options,
            inline,
        };
        let faults = script::look(text, language, &setting);
        let left = faults.len().saturating_sub(MOST_FAULTS);
        for fault in faults.into_iter().take(MOST_FAULTS) {
            let place = match (file, fault.line) {
                ("", _) => String::new(),
                (file, Some(line)) => format!("{file}:{line}: "),
                (file, None) => format!("{file}: "),
            };
            self.push(fault.grade, format!("{place}{}", fault.what), &fault.cure);
        }
        if left > 0 {
            let what = format!("{file} has {left} more faults of this kind");
            self.push(Grade::Warning, what, "mend those above first");
        }
    }

    /// The programs that a text for a shell names.
    fn first_programs(&mut self, text: &str, directory: &Path) {
        const OF_THE_SHELL: &str = ": . [ [[ alias bg break case cd command continue done esac eval exec exit \
            export fg fi for function getopts in jobs local read readonly return select set shift source test \
            times trap true type ulimit umask unset wait";
        let mut seen = BTreeSet::new();
        for command in super::shell::commands(text) {
            let Some(name) = command.words.first() else { continue };
            let plain = !name.contains(['$', '(', ')', '*', '=']);
            let built_in = OF_THE_SHELL.split_whitespace().any(|word| word == name);
            if !plain
                || built_in
                || !seen.insert(name.clone())
                || text.contains(&format!("{name}()"))
            {
                continue;
            }
            if let Err((why, cure)) = self.resolve(name, directory) {
                self.push(Grade::Critical, why, &cure);
            }
        }
    }
}

/// The text of a script; none of what is no text.
fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(LONGEST_SCRIPT).read_to_end(&mut bytes).ok()?;
    // Programs begin with bytes that no script has.
    if bytes.contains(&0) {
        return None;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Which argument of an interpreter is the script.
fn script_argument(interpreter: &str, arguments: &[&str]) -> Option<usize> {
    let is_option = |word: &&str| word.starts_with('-');
    let script_like = |word: &str| word.contains('/') || word.contains('.');
    let first = arguments.iter().position(|word| !is_option(word))?;
    match interpreter {
        "sh" | "bash" | "dash" | "zsh" | "ksh" => {
            forms::text_of_shell(interpreter, arguments).is_none().then_some(first)
        }
        "perl" | "ruby" | "node" | "tsx" | "ts-node" => {
            // `-e` and its like: the text itself stands there.
            let is_text = |word: &&str| {
                ["--eval", "--print"].contains(word)
                    || (!word.starts_with("--") && word.ends_with(['e', 'p', 'E']))
            };
            (!arguments[..first].iter().any(is_text)).then_some(first)
        }
        name if name.starts_with("python") => {
            let is_other = |word: &&str| !word.starts_with("--") && word.ends_with(['m', 'c']);
            (!arguments[..first].iter().any(is_other)).then_some(first)
        }
        // `bun run build` names a script of package.json; a path is a file.
        "bun" | "deno" => {
            let at = if arguments[first] == "run" {
                first + 1 + arguments[first + 1..].iter().position(|word| !is_option(word))?
            } else {
                first
            };
            script_like(arguments[at]).then_some(at)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
