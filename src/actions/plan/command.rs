//! The plan of running a program.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::Draft;
use crate::{
    actions::left::RUN_VARIABLE,
    config::profile::{CommandAction, Text},
    net::program,
};

/// Said of a program that asks, in the request and so in the journal.
const INTERACTIVE: &str = "reading what is typed: it is interactive, and gets the terminal";

/// A program, ready to be started.
#[derive(Debug)]
pub(in crate::actions) struct CommandJob {
    /// The file that is run.
    pub(in crate::actions) program: PathBuf,
    /// What it is told that it is called.
    pub(in crate::actions) name: String,
    /// Its arguments.
    pub(in crate::actions) arguments: Vec<String>,
    /// Its directory.
    pub(in crate::actions) directory: PathBuf,
    /// Its whole environment.
    pub(in crate::actions) environment: Vec<(String, OsString)>,
    /// What it reads on its standard input.
    pub(in crate::actions) stdin: Option<Vec<u8>>,
    /// It runs in a terminal of its own.
    pub(in crate::actions) interactive: bool,
}

/// Works the command out.
pub(super) fn draft(action: &CommandAction, draft: &mut Draft) -> Option<CommandJob> {
    let directory = directory(action, draft);
    let environment = environment(action);
    let argv = arguments(action);
    let Some((name, arguments)) = argv.split_first() else {
        draft.refuse(program::NO_PROGRAM);
        return None;
    };
    if program::holds_secret(&argv) {
        draft.refuse(program::SECRET_ARGUMENT);
    }
    let search = environment.iter().find(|(name, _)| name == "PATH").map(|(_, text)| text.expose());
    let program = program::resolve(name, &directory, &search.unwrap_or_default());

    let mut line =
        vec![program.as_ref().map_or_else(|_| quoted(name), |p| quoted(&p.to_string_lossy()))];
    line.extend(arguments.iter().map(|argument| quoted(argument)));
    draft.line(&line.join(" "));
    draft.line(&format!("in {}", directory.display()));
    draft.line(&match &action.stdin {
        _ if action.interactive => INTERACTIVE.to_owned(),
        Some(text) => format!("reading {:?}", text.shown()),
        None => "reading nothing".to_owned(),
    });
    for (name, text) in &environment {
        draft.line(&format!("{name}={}", text.shown()));
    }
    draft.line(&format!("{RUN_VARIABLE}=(the name of the run)"));
    fingerprint(&argv, &directory, &environment, action, draft);
    let program = match program {
        Ok(program) => program,
        Err(why) => {
            draft.refuse(why);
            return None;
        }
    };
    draft.fingerprint.add("program", program.as_os_str().as_encoded_bytes());
    Some(CommandJob {
        program,
        name: name.clone(),
        arguments: arguments.to_vec(),
        directory,
        environment: environment
            .into_iter()
            .map(|(name, text)| (name, OsString::from(text.expose())))
            .collect(),
        stdin: action.stdin.as_ref().map(|text| text.expose().into_bytes()),
        interactive: action.interactive,
    })
}

fn fingerprint(
    argv: &[String],
    directory: &Path,
    environment: &[(String, Text)],
    action: &CommandAction,
    draft: &mut Draft,
) {
    let print = &mut draft.fingerprint;
    print.add("kind", "command");
    for argument in argv {
        print.add("argument", argument);
    }
    print.add("directory", directory.as_os_str().as_encoded_bytes());
    for (name, text) in environment {
        print.add("variable", name);
        print.add_text("value", text);
    }
    match &action.stdin {
        _ if action.interactive => print.add("interactive", ""),
        Some(text) => print.add_text("stdin", text),
        None => print.add("stdin_null", ""),
    }
}

/// Its whole environment. What talks to a person is told which terminal they sit at.
fn environment(action: &CommandAction) -> Vec<(String, Text)> {
    let mut environment = program::environment(&action.environment);
    let own = action.environment.iter().any(|(name, _)| name == "TERM");
    let term = env::var("TERM").ok().filter(|term| !term.is_empty());
    if let (true, false, Some(term)) = (action.interactive, own, term) {
        environment.retain(|(name, _)| name != "TERM");
        environment.push(("TERM".to_owned(), Text::Plain(term)));
    }
    environment
}

fn arguments(action: &CommandAction) -> Vec<String> {
    if !action.shell {
        return action.argv.clone();
    }
    // The first text is the script; anything behind it becomes $1, $2 and so on.
    let mut argv = vec!["sh".to_owned(), "-c".to_owned()];
    let mut texts = action.argv.iter().cloned();
    argv.extend(texts.next());
    if action.argv.len() > 1 {
        argv.push("sh".to_owned());
        argv.extend(texts);
    }
    argv
}

fn directory(action: &CommandAction, draft: &mut Draft) -> PathBuf {
    let directory = match (&action.directory, env::current_dir()) {
        (Some(directory), Ok(here)) => here.join(directory),
        (Some(directory), Err(_)) => directory.clone(),
        (None, Ok(here)) => here,
        (None, Err(error)) => {
            draft.refuse(format!("the console's own directory is gone: {error}"));
            PathBuf::from("/")
        }
    };
    if !directory.is_dir() {
        draft.refuse(format!("{} is not a directory", directory.display()));
    } else if access(&directory, Access::EXEC_OK).is_err() {
        draft.refuse(format!("{} may not be entered", directory.display()));
    }
    directory
}

/// An argument as a shell would need it, so that spaces and quotes cannot mislead the eye.
fn quoted(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(harmless) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_where_it_matters() {
        for (text, shown) in [
            ("--to=prev", "--to=prev"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's", "'it'\\''s'"),
            ("$(reboot)", "'$(reboot)'"),
        ] {
            assert_eq!(quoted(text), shown);
        }
    }
}
