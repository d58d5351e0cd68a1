//! What only leads to a command: `sudo -n`, `env A=b`, `npx -y`, `timeout 10`, `xargs`; and the
//! commands that are handed to another shell: `bash -lc "…"`, `ssh HOST "…"`.

use super::is_variable;

/// How many words may lead to a program: nobody writes more.
const LONGEST_LEAD: usize = 16;

/// Shells that read a text behind `-c`.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "zsh", "ksh"];

/// Options of ssh that take their value from the next word.
const OF_SSH: [&str; 20] = [
    "-o", "-i", "-p", "-l", "-F", "-J", "-L", "-R", "-D", "-b", "-c", "-E", "-e", "-I", "-m", "-O",
    "-Q", "-S", "-W", "-w",
];

/// A word in the place of what is put in when it runs.
pub(super) const LATER: &str = "⟨input⟩";

/// Something that starts the program that is named behind it.
struct Leader {
    name: &'static str,
    /// Options that take their value from the next word.
    valued: &'static [&'static str],
    /// Words of its own before the program.
    own: usize,
}

const fn leader(name: &'static str, valued: &'static [&'static str], own: usize) -> Leader {
    Leader { name, valued, own }
}

const LEADERS: [Leader; 14] = [
    leader("sudo", &["-u", "--user", "-g", "--group", "-C", "-h", "-p", "-r", "-t", "-D"], 0),
    leader("doas", &["-u", "-C"], 0),
    leader("env", &["-u", "--unset", "-C", "--chdir"], 0),
    leader("nice", &["-n"], 0),
    leader("ionice", &["-c", "-n"], 0),
    leader("nohup", &[], 0),
    leader("setsid", &[], 0),
    leader("time", &["-f", "-o"], 0),
    leader("stdbuf", &["-i", "-o", "-e"], 0),
    leader("exec", &["-a"], 0),
    leader("command", &[], 0),
    leader("timeout", &["-s", "--signal", "-k", "--kill-after"], 1),
    leader("flock", &["-w", "--timeout", "-E"], 1),
    leader("xargs", &["-n", "-I", "-P", "-L", "-d", "-a", "-s", "-E"], 0),
];

/// Runners of packages: they fetch a program of that name and run it.
const RUNNERS: [(&str, &[&str]); 9] = [
    ("npx", &[]),
    ("bunx", &[]),
    ("pnpx", &[]),
    ("bun", &["x"]),
    ("pnpm", &["dlx", "exec"]),
    ("yarn", &["dlx", "exec"]),
    ("npm", &["exec", "x"]),
    ("uvx", &[]),
    ("pipx", &["run"]),
];

/// The last part of a path.
fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The first word that is no option, no value of one, and no variable that is set.
fn behind_options(words: &[String], valued: &[&str]) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if valued.contains(&word.as_str()) {
            at += 2;
        } else if word == "--" {
            return at + 1;
        } else if (word.starts_with('-') && word.len() > 1)
            || word.split_once('=').is_some_and(|(name, _)| is_variable(name))
        {
            at += 1;
        } else {
            break;
        }
    }
    at
}

/// The words from the program on, without what only leads to it.
pub(super) fn stripped(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    for _ in 0..LONGEST_LEAD {
        match step(&words) {
            Some(next) if !next.is_empty() => words = next,
            _ => break,
        }
    }
    if let Some(program) = words.first_mut() {
        *program = base(program).to_owned();
    }
    words
}

/// The same words without the first that only leads to the rest.
fn step(words: &[String]) -> Option<Vec<String>> {
    let (first, rest) = words.split_first()?;
    let name = base(first);
    if name == "command" && rest.first().is_some_and(|word| word == "-v" || word == "-V") {
        // It only says where a program is.
        return None;
    }
    if let Some(leader) = LEADERS.iter().find(|leader| leader.name == name) {
        let at = behind_options(rest, leader.valued) + leader.own;
        let mut next = rest.get(at..)?.to_vec();
        let replaces = rest.get(..at)?.iter().any(|word| word.starts_with("-I"));
        // What it reads becomes further words.
        if name == "xargs" && !replaces && !next.is_empty() {
            next.push(LATER.to_owned());
        }
        return Some(next);
    }
    let (_, verbs) = RUNNERS.iter().find(|(runner, _)| *runner == name)?;
    let rest = match verbs {
        [] => rest,
        verbs => {
            let at = behind_options(rest, &["-C", "--dir", "--cwd", "--filter"]);
            let verb = rest.get(at)?;
            if !verbs.contains(&verb.as_str()) {
                return None;
            }
            &rest[at + 1..]
        }
    };
    let at = behind_options(rest, &["-p", "--package", "--from"]);
    let mut next = rest.get(at..)?.to_vec();
    let program = next.first_mut()?;
    // A path is something else altogether: for some of them the name of a repository.
    if program.contains('/') {
        return None;
    }
    if let Some((name, _version)) = program.split_once('@').filter(|(name, _)| !name.is_empty()) {
        *program = name.to_owned();
    }
    Some(next)
}

/// Whether the program is started by `xargs`, which gives it nothing to read.
pub(super) fn by_xargs(words: &[String]) -> bool {
    words.iter().any(|word| base(word) == "xargs")
}

/// Where the text for a shell is among its arguments: `-c "…"`, also `-lc "…"` and `-e -c "…"`.
pub fn text_of_shell(shell: &str, arguments: &[&str]) -> Option<usize> {
    if !SHELLS.contains(&base(shell)) {
        return None;
    }
    let mut at = 0;
    let mut is_text = false;
    while let Some(word) = arguments.get(at) {
        match *word {
            "-o" | "+o" | "-O" | "+O" | "--rcfile" | "--init-file" => at += 1,
            word if word.starts_with("--") => {}
            word if word.starts_with(['-', '+']) && word.len() > 1 => {
                is_text |= word.starts_with('-') && word.contains('c');
                // `-eo pipefail` takes the next word as well.
                at += usize::from(word.ends_with('o'));
            }
            _ => break,
        }
        at += 1;
    }
    (is_text && at < arguments.len()).then_some(at)
}

/// The text that a command hands to another shell; on this machine or on another one.
pub(super) fn handed_on(words: &[String]) -> Option<String> {
    let (program, rest) = words.split_first()?;
    if program == "ssh" {
        let mut at = behind_options(rest, &OF_SSH) + 1;
        // Options may stand behind the host as well.
        at += behind_options(rest.get(at..)?, &OF_SSH);
        let remote = rest.get(at..)?;
        return (!remote.is_empty()).then(|| remote.join(" "));
    }
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    text_of_shell(program, &rest).map(|at| rest[at].to_owned())
}
