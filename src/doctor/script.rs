//! What the text of a script tells before it is run.

use std::{collections::BTreeSet, sync::LazyLock};

use regex::Regex;

use super::{
    forms::{self, Line, Wrong},
    shell::{self, Command},
};
use crate::domain::examination::Grade;

/// What a script is run with.
#[derive(Clone, Debug, Default)]
pub struct Setting<'a> {
    /// What it is run for, in the operator's words.
    pub purpose: &'a str,
    /// There is something on its standard input.
    pub fed: bool,
    /// It is meant to go on printing.
    pub follows: bool,
    /// Variables that it finds.
    pub variables: BTreeSet<&'a str>,
    /// The options that it is given.
    pub options: Vec<&'a str>,
    /// Its errors are found out in another way: the text stands in the configuration.
    pub inline: bool,
}

/// Something doubtful in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, from 1; none where it is about the whole.
    pub line: Option<usize>,
    /// How bad it is.
    pub grade: Grade,
    /// What is doubtful.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl Fault {
    fn new(line: impl Into<Option<usize>>, grade: Grade, what: String, cure: &str) -> Self {
        Self { line: line.into(), grade, what, cure: cure.to_owned() }
    }
}

/// The languages that are looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A POSIX shell or bash.
    Shell,
    /// Anything else: only words are looked for.
    Other,
}

impl Language {
    /// By the program that runs it, and the name of the file.
    pub fn of(interpreter: &str, name: &str) -> Self {
        let shells = ["sh", "bash", "dash", "ash", "zsh", "ksh"];
        let by_name = name.rsplit('.').next().is_some_and(|ending| shells.contains(&ending));
        if shells.contains(&interpreter) || (interpreter.is_empty() && by_name) {
            Self::Shell
        } else {
            Self::Other
        }
    }
}

/// The program of a `#!` line and its first argument.
pub fn shebang(text: &str) -> Option<(&str, Option<&str>)> {
    let line = text.strip_prefix("#!")?.split('\n').next()?;
    let mut words = line.trim_start().splitn(2, [' ', '\t']);
    let program = words.next().filter(|program| !program.is_empty())?;
    // A carriage return at the end of the line belongs to the name, for the system.
    Some((program, words.next().map(str::trim_start).filter(|rest| !rest.is_empty())))
}

/// Everything doubtful in a text.
pub fn look(text: &str, language: Language, setting: &Setting<'_>) -> Vec<Fault> {
    let mut faults = match language {
        Language::Shell => shell_faults(text, setting),
        Language::Other => other_faults(text, setting),
    };
    if !setting.inline {
        faults.extend(unknown_options(text, setting));
    }
    faults
}

fn shell_faults(text: &str, setting: &Setting<'_>) -> Vec<Fault> {
    let commands = shell::commands(text);
    let mut faults = Vec::new();
    for command in &commands {
        faults.extend(asks(command, setting));
        faults.extend(of_form(command, setting));
    }
    faults.extend(export_and_restart(&commands));
    faults.extend(appended_settings(text));
    faults.extend(never_used(text));
    faults.extend(not_set(text, &commands, setting));
    let stops = commands.iter().any(stops_at_errors)
        || text
            .lines()
            .next()
            .is_some_and(|first| first.starts_with("#!") && first.contains(" -e"));
    if !setting.inline && commands.len() > 1 && !stops {
        faults.push(Fault::new(
            None,
            Grade::Warning,
            "goes on after an error: only its last command decides how it ends".to_owned(),
            "write set -eu (and -o pipefail for bash) at its top",
        ));
    }
    faults
}

fn of_form(command: &Command, setting: &Setting<'_>) -> Vec<Fault> {
    let line = Line {
        words: &command.words,
        fed: command.is_fed(setting.fed),
        piped: command.piped,
        redirected: command.redirected,
        background: command.background,
        purpose: setting.purpose,
        follows: setting.follows,
        shell: true,
    };
    let wrong = forms::look(&line).into_iter();
    wrong
        .map(|Wrong { grade, what, cure, .. }| {
            Fault::new(command.line, grade, what.to_owned(), cure)
        })
        .collect()
}

/// Options by which scripts are told not to ask.
const UNASKED: [&str; 6] =
    ["--yes", "--force", "--non-interactive", "--no-input", "--assume-yes", "--confirm"];

/// A command that waits for somebody to type.
fn asks(command: &Command, setting: &Setting<'_>) -> Option<Fault> {
    let first = command.words.first()?.as_str();
    let reads = first == "read"
        && (!command.in_loop || command.words.iter().any(|word| word.starts_with("-p")));
    let asks = (reads || first == "select") && !command.fed && (command.starved || !setting.fed);
    // What gives up by itself, or was told not to ask, may still get by.
    let may_get_by = command.words.iter().any(|word| word.starts_with("-t"))
        || setting.options.iter().any(|option| UNASKED.contains(option));
    let grade = if may_get_by { Grade::Warning } else { Grade::Critical };
    asks.then(|| {
        Fault::new(
            command.line,
            grade,
            "asks a question, and there is nothing for it to read: it ends at once, or goes on with an empty answer".to_owned(),
            "configure what it reads as stdin, or give it an option that keeps it from asking",
        )
    })
}

fn stops_at_errors(command: &Command) -> bool {
    command.words.first().is_some_and(|word| word == "set")
        && command.words[1..]
            .iter()
            .any(|word| word == "errexit" || (word.starts_with('-') && word.contains('e')))
}

/// `export FLAG=…` and then a restart, which does not take it over.
fn export_and_restart(commands: &[Command]) -> Option<Fault> {
    let exported = commands
        .iter()
        .position(|command| command.words.first().is_some_and(|word| word == "export"))?;
    let restart = commands[exported..].iter().find(|command| {
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        words.contains(&"restart") && matches!(words[..], ["docker" | "docker-compose", ..])
    })?;
    Some(Fault::new(
        restart.line,
        Grade::Critical,
        "what was exported before is not seen by the container: a restart goes on with the environment that it was made with".to_owned(),
        "write docker compose up -d --no-deps --force-recreate SERVICE, and set the variable where compose reads it",
    ))
}

/// `echo FLAG=… >> .env`.
fn appended_settings(text: &str) -> Option<Fault> {
    static APPENDS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r">>\s*[\w./-]*\.env\b").ok());
    let appends = APPENDS.as_ref()?;
    let line = text
        .lines()
        .position(|line| !line.trim_start().starts_with('#') && appends.is_match(line))?;
    Some(Fault::new(
        line + 1,
        Grade::Warning,
        "appends to a file of settings: without a line break at its end, the line is glued to the one before; and it counts only where compose names the variable".to_owned(),
        "write the whole file anew, and let the proof read what the service itself says",
    ))
}

/// A variable that is worked out by a command and then not used: what it was for is not done.
fn never_used(text: &str) -> Vec<Fault> {
    static WORKED_OUT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?m)^\s*(?:local\s+|readonly\s+)?([A-Za-z_]\w*)=\W?\$\(").ok()
    });
    let Some(worked_out) = WORKED_OUT.as_ref() else { return Vec::new() };
    let mut faults = Vec::new();
    for found in worked_out.captures_iter(text) {
        let (Some(name), Some(whole)) = (found.get(1), found.get(0)) else { continue };
        let used =
            [format!("${}", name.as_str()), format!("${{{}", name.as_str())].iter().any(|use_of| {
                text.match_indices(use_of.as_str()).any(|(at, _)| {
                    let next = text[at + use_of.len()..].chars().next();
                    !next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
                })
            });
        if !used && !text.contains(&format!("export {}", name.as_str())) {
            let line = text[..whole.start()].matches('\n').count() + 1 + whole.as_str().len()
                - whole.as_str().trim_start_matches('\n').len();
            let what = format!("works {} out and never uses it", name.as_str());
            faults.push(Fault::new(
                line,
                Grade::Warning,
                what,
                "look whether it still does what it says",
            ));
        }
    }
    faults
}

/// Variables that a script uses and that nobody sets: its environment is a clean one.
fn not_set(text: &str, commands: &[Command], setting: &Setting<'_>) -> Option<Fault> {
    static USED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\$(?:([A-Z][A-Z0-9_]{2,})|\{([A-Z][A-Z0-9_]{2,})([^}]?))").ok()
    });
    let known = [
        "PWD",
        "OLDPWD",
        "IFS",
        "UID",
        "EUID",
        "PPID",
        "RANDOM",
        "SECONDS",
        "LINENO",
        "HOSTNAME",
        "OSTYPE",
        "BASH_SOURCE",
        "FUNCNAME",
        "PIPESTATUS",
        "REPLY",
        "OPTARG",
        "OPTIND",
        "SHELL",
        "WATCHFLOOR_RUN",
    ];
    let reads_file = commands
        .iter()
        .any(|command| command.words.first().is_some_and(|word| word == "source" || word == "."));
    let mut missing = BTreeSet::new();
    for found in USED.as_ref()?.captures_iter(text) {
        let Some(name) = found.get(1).or_else(|| found.get(2)).map(|name| name.as_str()) else {
            continue;
        };
        // `${NAME:-default}`, `${NAME:?}`: it takes care of that itself.
        let cared_for =
            found.get(3).is_some_and(|next| [":", "-", "?", "+", "="].contains(&next.as_str()));
        let assigned = [format!("{name}="), format!("read {name}"), format!("for {name}")]
            .iter()
            .any(|form| text.contains(form.as_str()))
            || commands.iter().any(|command| {
                command.words.first().is_some_and(|word| word == "read")
                    && command.words.iter().any(|word| word == name)
            });
        if !cared_for && !assigned && !known.contains(&name) && !setting.variables.contains(name) {
            missing.insert(name);
        }
    }
    let first = missing.iter().copied().collect::<Vec<_>>();
    (!first.is_empty() && !reads_file).then(|| {
        let names = first.join(", ");
        let is = if first.len() == 1 { "is" } else { "are" };
        Fault::new(
            None,
            Grade::Warning,
            format!("{names} {is} used and not set: programs get a clean environment"),
            "set it in `environment`",
        )
    })
}

fn other_faults(text: &str, setting: &Setting<'_>) -> Vec<Fault> {
    let asking = [
        "readline.createInterface",
        "process.stdin",
        "prompt(",
        " input(",
        "=input(",
        "inquirer",
        "getpass",
    ];
    let found = text.lines().position(|line| asking.iter().any(|word| line.contains(word)));
    let asks = found.filter(|_| !setting.fed).map(|at| {
        Fault::new(
            at + 1,
            Grade::Warning,
            "may ask a question, and there is nothing for it to read".to_owned(),
            "configure what it reads as stdin, or give it an option that keeps it from asking",
        )
    });
    asks.into_iter().collect()
}

/// Options that a script is given and that stand nowhere in it: most scripts do not mind
/// options that they do not know.
fn unknown_options(text: &str, setting: &Setting<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for option in &setting.options {
        let Some(name) =
            option.strip_prefix("--").map(|name| name.split('=').next().unwrap_or(name))
        else {
            continue;
        };
        let camel = camel_case(name);
        let known = [name, camel.as_str(), &name.replace('-', "_")];
        if name.len() > 1 && !known.iter().any(|known| text.contains(known)) {
            faults.push(Fault::new(
                None,
                Grade::Warning,
                format!("--{name} stands nowhere in it: an option that it does not know is passed over without a word"),
                "look which options it has",
            ));
        }
    }
    faults
}

/// `last-hour` as a program would name it: `lastHour`.
fn camel_case(name: &str) -> String {
    let mut parts = name.split('-');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}

#[cfg(test)]
mod tests;
