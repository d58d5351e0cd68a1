//! Commands whose form alone shows that they do not do what they are meant to: most of them
//! end with 0 all the same.
//!
//! Each rule is a line of a table: what holds of the command, what is wrong with that, and
//! what would be right. A rule looks at words only; nothing is run.

mod containers;

mod data;

mod general;

mod hosting;

mod lead;

use super::shell;
use crate::domain::examination::Grade;

pub use lead::text_of_shell;

/// How deep a shell within a shell is looked into.
const DEEPEST: usize = 4;

/// One command, and what is known of its surroundings.
#[derive(Clone, Debug, Default)]
pub struct Line<'a> {
    /// The program and its arguments, as they are passed.
    pub words: &'a [String],
    /// Something is on its standard input: a configured text, a pipe, a file.
    pub fed: bool,
    /// What it prints goes to another program, or into a variable of a shell.
    pub piped: bool,
    /// What it prints goes into a file of a shell.
    pub redirected: bool,
    /// It was ended by a lone `&`, which leaves it in the background.
    pub background: bool,
    /// What it is run for, in the operator's words.
    pub purpose: &'a str,
    /// It is meant to go on printing.
    pub follows: bool,
    /// A shell takes the words: `$NAME` stands for a variable.
    pub shell: bool,
}

/// What is wrong with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The name of the rule.
    pub rule: &'static str,
    /// How bad it is.
    pub grade: Grade,
    /// What is wrong.
    pub what: &'static str,
    /// What would be right.
    pub cure: &'static str,
}

/// A rule: what holds of a wrong command, and what is wrong with it.
struct Rule {
    holds: fn(&Call<'_>) -> bool,
    wrong: Wrong,
}

/// A rule of a table.
const fn rule(
    rule: &'static str,
    grade: Grade,
    holds: fn(&Call<'_>) -> bool,
    what: &'static str,
    cure: &'static str,
) -> Rule {
    Rule { holds, wrong: Wrong { rule, grade, what, cure } }
}

/// A command taken apart: the program without what only leads to it, such as `sudo`,
/// `env A=b` or `npx`.
struct Call<'a> {
    line: &'a Line<'a>,
    program: &'a str,
    /// What stands behind the program.
    rest: &'a [String],
}

/// Options of the tools in the tables that take their value from the next word.
const WITH_VALUE: [&str; 31] = [
    "--scope",
    "-S",
    "--token",
    "-t",
    "--cwd",
    "--project",
    "--timeout",
    "--target",
    "-A",
    "-Q",
    "-f",
    "--file",
    "-p",
    "--project-name",
    "-u",
    "-U",
    "-h",
    "-d",
    "-n",
    "-a",
    "-c",
    "-e",
    "--env",
    "-w",
    "--workdir",
    "-o",
    "--profile",
    "--env-file",
    "--user",
    "--host",
    "--dbname",
];

impl<'a> Call<'a> {
    fn new(line: &'a Line<'a>, words: &'a [String]) -> Option<Self> {
        let (program, rest) = words.split_first()?;
        Some(Self { line, program, rest })
    }

    /// The words that are no options, and no values of options.
    fn plain(&self) -> Vec<&'a str> {
        let mut plain = Vec::new();
        let mut words = self.rest.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if WITH_VALUE.contains(&word) {
                words.next();
            } else if !word.starts_with('-') {
                plain.push(word);
            }
        }
        plain
    }

    /// Whether it is the program with exactly these words, or more behind them.
    fn is(&self, program: &str, words: &[&str]) -> bool {
        self.program == program && self.plain().starts_with(words)
    }

    /// Whether an option is there, alone or with `=value`.
    fn has(&self, option: &str) -> bool {
        self.rest.iter().any(|word| {
            word == option || word.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
        })
    }

    /// Whether a letter is among the short options, also in a group such as `-it`.
    fn short(&self, letter: char) -> bool {
        self.rest.iter().any(|word| {
            word.strip_prefix('-')
                .is_some_and(|group| !group.starts_with('-') && group.contains(letter))
        })
    }

    /// Whether a text stands in any of its words.
    fn mentions(&self, text: &str) -> bool {
        self.rest.iter().any(|word| word.contains(text))
    }

    /// Whether it is run for something that one of these words is about.
    fn is_for(&self, words: &[&str]) -> bool {
        let purpose = self.line.purpose.to_lowercase();
        words.iter().any(|word| purpose.contains(word))
    }
}

/// Whether a text can be the name of a variable.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Everything that is wrong with a command by its form, and with the commands that it hands to
/// another shell. Of those on another machine nothing but their form is looked at, either.
pub fn look(line: &Line<'_>) -> Vec<Wrong> {
    let mut found: Vec<Wrong> = Vec::new();
    look_into(line, 0, &mut found);
    found
}

fn look_into(line: &Line<'_>, depth: usize, found: &mut Vec<Wrong>) {
    let words = lead::stripped(line.words);
    let line = &Line { fed: line.fed && !lead::by_xargs(line.words), ..line.clone() };
    let Some(call) = Call::new(line, &words) else { return };
    let tables =
        [hosting::RULES, containers::RULES, data::RULES, general::RULES].into_iter().flatten();
    for rule in tables {
        if (rule.holds)(&call) && !found.contains(&rule.wrong) {
            found.push(rule.wrong);
        }
    }
    let Some(text) = lead::handed_on(&words).filter(|_| depth < DEEPEST) else { return };
    for command in shell::commands(&text) {
        let inner = Line {
            words: &command.words,
            fed: command.is_fed(line.fed),
            piped: command.piped,
            redirected: command.redirected,
            background: command.background,
            shell: true,
            ..line.clone()
        };
        look_into(&inner, depth + 1, found);
    }
}

#[cfg(test)]
mod tests;
