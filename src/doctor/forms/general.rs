//! What goes for any machine: shells, curl, ssh, programs that ask or never end.

use super::{Call, Grade, Rule, is_variable, rule};

use Grade::{Critical, Warning};

pub(super) const RULES: &[Rule] = &[
    rule(
        "export",
        Critical,
        |call| {
            call.program == "export"
                && call.line.shell
                && call.is_for(&["flag", "feature", "disable", "enable", "switch"])
        },
        "export changes this shell and what it starts, and ends with it: the service never sees it",
        "change it where the service is configured, and start the service anew with that",
    ),
    rule(
        "variable-as-it-stands",
        Critical,
        |call| !by_shell(call) && call.rest.iter().any(|word| names_variable(word)),
        "no shell takes these arguments: `$NAME` is passed as it stands",
        "write ${NAME} for a variable of the configuration, or shell = true",
    ),
    rule(
        "shell-words",
        Critical,
        |call| {
            !by_shell(call)
                && call.rest.iter().any(|word| {
                    ["|", "&&", "||", ";", ">", ">>", "<", "2>&1"].contains(&word.as_str())
                })
        },
        "no shell takes these arguments: what only a shell understands is passed as it stands",
        "write shell = true with one text, or one program without it",
    ),
    rule(
        "curl-ends-with-0",
        Warning,
        |call| {
            call.program == "curl"
                && !["--fail", "--fail-with-body"].iter().any(|option| call.has(option))
                && !call.rest.iter().any(|word| short_group(word, 'f'))
        },
        "curl ends with 0 whatever the server answers: 401 and 500 look like success",
        "add \"--fail-with-body\"; or write an action or a source of kind \"http\"",
    ),
    rule(
        "curl-address-cut",
        Critical,
        |call| call.program == "curl" && call.line.background && call.mentions("?"),
        "the `&` in an address without quotes sends curl into the background and drops the rest of the address",
        "put the address into quotes",
    ),
    rule(
        "curl-limit",
        Warning,
        |call| {
            call.program == "curl"
                && !call.has("--max-time")
                && !call.rest.iter().any(|word| short_group(word, 'm'))
        },
        "curl waits for ever for a server that does not answer",
        "add \"--max-time\", \"10\"",
    ),
    rule(
        "grep-json",
        Warning,
        |call| {
            ["grep", "egrep", "rg"].contains(&call.program)
                && call.rest.iter().any(|word| compact_json(word))
        },
        "it finds only JSON without a space after the colon: a log that is printed prettily has none of that, and the count is always 0",
        "allow the space: '\"status\": *500'; or write a source of kind \"logs\"",
    ),
    rule(
        "ssh-asks",
        Warning,
        |call| ["ssh", "scp", "sftp"].contains(&call.program) && !call.mentions("BatchMode"),
        "ssh may ask for a password or about a host key, and nobody can answer",
        "add \"-o\", \"BatchMode=yes\", \"-o\", \"ConnectTimeout=5\"",
    ),
    rule(
        "sudo-asks",
        Warning,
        |call| {
            let at = call.line.words.iter().position(|word| word == "sudo");
            at.is_some_and(|at| {
                !call.line.words[at..]
                    .iter()
                    .any(|word| word == "-n" || word == "--non-interactive")
            })
        },
        "sudo may ask for a password, and nobody can answer",
        "add \"-n\", and allow exactly this command in sudoers",
    ),
    rule(
        "never-ends",
        Critical,
        |call| {
            let follows = call.program == "tail"
                && (call.has("--follow") || call.short('f') || call.short('F'))
                || call.program == "journalctl" && (call.short('f') || call.has("--follow"));
            let shows = ["watch", "top", "htop", "less", "more", "vi", "vim", "nano"]
                .contains(&call.program)
                && !call.short('b');
            (follows && !call.line.follows) || shows
        },
        "it never ends by itself",
        "take a program that prints once and ends; a log belongs to a source of kind \"logs\"",
    ),
    rule(
        "crontab-editor",
        Critical,
        |call| {
            ["crontab", "visudo"].contains(&call.program)
                && (call.short('e') || call.program == "visudo")
        },
        "it opens an editor, and nobody can type into it",
        "write the file, and install it: crontab FILE",
    ),
];

/// Whether a shell takes the words: one here, or the one that ssh hands them to.
fn by_shell(call: &Call<'_>) -> bool {
    call.line.shell || call.program == "ssh"
}

/// `$NAME` or `${NAME}`, all of it.
fn names_variable(word: &str) -> bool {
    let Some(rest) = word.strip_prefix('$') else { return false };
    let name = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(rest);
    name.len() > 1 && is_variable(name)
}

/// A group of short options with that letter, such as `-sf`.
fn short_group(word: &str, letter: char) -> bool {
    word.strip_prefix('-').is_some_and(|group| {
        !group.starts_with('-')
            && group.len() < 8
            && group.chars().all(|c| c.is_ascii_alphabetic())
            && group.contains(letter)
    })
}

/// `"status":500`: a name in quotes and its value, without a space.
fn compact_json(word: &str) -> bool {
    word.split_once("\":").is_some_and(|(before, after)| {
        before.contains('"') && after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '"')
    })
}
