//! The command palette: every key has a name, and some commands have only a name.

use std::time::Duration;

use super::{
    command::{AlertCommand, Command, LogCommand},
    state::World,
    view::Pane,
};
use crate::domain::{
    ids::ActionId,
    rule::Priority,
    time::{clock, short_duration},
};

/// A command by name.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name.
    pub name: &'static str,
    /// Its arguments, as shown.
    pub arguments: &'static str,
    /// What it does.
    pub does: &'static str,
    parse: fn(&str) -> Result<Command, String>,
}

/// A completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The text that it completes to.
    pub text: String,
    /// Its arguments, as shown.
    pub arguments: String,
    /// What it does, or why it cannot be done now.
    pub does: String,
    /// Whether it can be done now.
    pub enabled: bool,
}

macro_rules! plain {
    ($name:literal, $does:literal, $command:expr) => {
        Entry {
            name: $name,
            arguments: "",
            does: $does,
            parse: |rest| {
                if rest.is_empty() {
                    Ok($command)
                } else {
                    Err(concat!($name, " takes no argument").to_owned())
                }
            },
        }
    };
}

/// All commands, in the order of the help.
pub const ENTRIES: &[Entry] = &[
    plain!("help", "keys and commands", Command::Help),
    plain!("actions", "the menu of actions", Command::ActionMenu),
    Entry {
        name: "arm",
        arguments: "10m REASON",
        does: "allow actions for a time",
        parse: parse_arm,
    },
    plain!("disarm", "forbid actions again", Command::Disarm),
    Entry {
        name: "run",
        arguments: "ACTION",
        does: "open the dialog of an action",
        parse: |rest| {
            if rest.is_empty() {
                Err("which action? run NAME".to_owned())
            } else {
                Ok(Command::Prepare(ActionId::from(rest)))
            }
        },
    },
    plain!("cancel", "stop the run that is under way", Command::CancelRun),
    plain!("attach", "answer the interactive run that is under way", Command::Attach),
    plain!("health", "to the health pane", Command::FocusPane(1)),
    plain!("cache", "to the cache pane", Command::FocusPane(2)),
    plain!("latency", "to the latency pane", Command::FocusPane(3)),
    plain!("limits", "to the rate-limit pane", Command::FocusPane(4)),
    plain!("escalation", "to the escalation pane", Command::FocusPane(5)),
    plain!("database", "to the database pane", Command::FocusPane(6)),
    plain!("alerts", "to the alerts pane", Command::FocusPane(7)),
    plain!("logs", "to the log pane", Command::FocusPane(8)),
    plain!("follow", "follow the log, or stop", Command::Log(LogCommand::Follow)),
    plain!("wrap", "break long log lines, or cut them", Command::Log(LogCommand::Wrap)),
    plain!("times", "log lines with or without times", Command::Log(LogCommand::Times)),
    plain!("level", "log lines: all, warnings, errors", Command::Log(LogCommand::Level)),
    plain!("search", "search the log", Command::Log(LogCommand::Search)),
    plain!("next-match", "to the next match in the log", Command::Log(LogCommand::Next)),
    plain!("previous-match", "to the match before", Command::Log(LogCommand::Previous)),
    plain!("mark", "draw a line with the time in the log", Command::Log(LogCommand::Mark)),
    Entry {
        name: "ack",
        arguments: "RULE 30m REASON",
        does: "say that you look after an alert",
        parse: |rest| {
            let (rule, lasting, reason) = timed(rest, "ack RULE 30m REASON")?;
            Ok(Command::Alert(AlertCommand::Acknowledge { rule, lasting, reason }))
        },
    },
    Entry {
        name: "unack",
        arguments: "RULE",
        does: "take that back",
        parse: |rest| Ok(Command::Alert(AlertCommand::Unacknowledge(named(rest, "unack RULE")?))),
    },
    Entry {
        name: "silence",
        arguments: "RULE|redis_*|severity=warning 30m REASON",
        does: "keep alerts quiet for a time",
        parse: |rest| {
            let (matcher, lasting, reason) = timed(rest, "silence RULE 30m REASON")?;
            Ok(Command::Alert(AlertCommand::Silence { matcher, lasting, reason }))
        },
    },
    Entry {
        name: "unsilence",
        arguments: "RULE",
        does: "end a silence",
        parse: |rest| Ok(Command::Alert(AlertCommand::Unsilence(named(rest, "unsilence RULE")?))),
    },
    Entry {
        name: "maintenance",
        arguments: "30m REASON | off",
        does: "keep all alerts quiet for a time",
        parse: parse_maintenance,
    },
    Entry {
        name: "priority",
        arguments: "RULE P0|P1|P2|P3",
        does: "decide the priority of an alert",
        parse: parse_priority,
    },
    Entry {
        name: "taken",
        arguments: "LEVEL WHO",
        does: "say who of an escalation level took it",
        parse: parse_taken,
    },
    plain!("zoom", "the focused pane alone, or all", Command::Zoom),
    plain!("next", "to the next pane", Command::NextPane),
    plain!("previous", "to the pane before", Command::PreviousPane),
    plain!("next-tab", "the pane's next window or tab", Command::NextTab),
    plain!("previous-tab", "the pane's window or tab before", Command::PreviousTab),
    plain!("filter", "only rows that contain a text", Command::Filter),
    plain!("freeze", "hold the panes still, or go on", Command::Freeze),
    plain!("poll", "ask the pane's sources now", Command::PollNow),
    plain!("slower", "ask the pane's sources less often", Command::Slower),
    plain!("faster", "ask the pane's sources more often", Command::Faster),
    plain!("keys", "count the selected cache's keys by prefix", Command::ScanKeys),
    plain!("unmask", "show or hide identifiers", Command::Unmask),
    plain!("copy", "copy the selected row", Command::Copy),
    plain!("copy-markdown", "copy the selected row as Markdown", Command::CopyMarkdown),
    plain!("save", "write the state to a file", Command::Save),
    Entry {
        name: "contacted",
        arguments: "[off]",
        does: "the selected level was contacted, or was not",
        parse: |rest| match rest {
            "" => Ok(Command::Contacted(true)),
            "off" => Ok(Command::Contacted(false)),
            _ => Err("contacted takes nothing, or off".to_owned()),
        },
    },
    Entry {
        name: "deploy",
        arguments: "[LABEL]",
        does: "put a deploy marker at now",
        parse: |rest| {
            let label = if rest.is_empty() { "deploy" } else { rest };
            Ok(Command::MarkDeploy(label.to_owned()))
        },
    },
    plain!("doctor", "whether everything would work now", Command::Doctor),
    plain!("messages", "everything that was said", Command::Messages),
    plain!("utc", "times in UTC or local", Command::ToggleUtc),
    plain!("faults", "the faults of the demo", Command::DemoMenu),
    plain!("quit", "leave", Command::QuitNow),
];

fn parse_arm(rest: &str) -> Result<Command, String> {
    const USAGE: &str =
        "write: arm 10m REASON (1 minute to 1 hour; the reason in 2 characters or more)";
    let (time, reason) = rest.split_once(char::is_whitespace).ok_or(USAGE)?;
    let lasting = parse_duration(time).ok_or(USAGE)?;
    let reason = reason.trim();
    let in_range = (Duration::from_secs(60)..=super::actions::LONGEST_ARMED).contains(&lasting);
    if !in_range || reason.chars().count() < super::actions::dialog::SHORTEST_REASON {
        return Err(USAGE.to_owned());
    }
    Ok(Command::Arm { lasting, reason: reason.to_owned() })
}

/// The longest time that an alert can be kept quiet.
const LONGEST_QUIET: Duration = Duration::from_secs(24 * 3_600);

/// A name, a time and a reason.
fn timed(rest: &str, usage: &str) -> Result<(String, Duration, String), String> {
    let wrong =
        || format!("write: {usage} (1 minute to 24 hours; the reason in 2 characters or more)");
    let (name, rest) = rest.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let (lasting, reason) = quiet(rest).ok_or_else(wrong)?;
    Ok((name.to_owned(), lasting, reason))
}

fn quiet(rest: &str) -> Option<(Duration, String)> {
    let (time, reason) = rest.trim().split_once(char::is_whitespace)?;
    let lasting = parse_duration(time)?;
    let reason = reason.trim();
    let long_enough = reason.chars().count() >= super::actions::dialog::SHORTEST_REASON;
    let in_range = (Duration::from_secs(60)..=LONGEST_QUIET).contains(&lasting);
    (in_range && long_enough).then(|| (lasting, reason.to_owned()))
}

fn named(rest: &str, usage: &str) -> Result<String, String> {
    if rest.is_empty() || rest.contains(char::is_whitespace) {
        return Err(format!("write: {usage}"));
    }
    Ok(rest.to_owned())
}

fn parse_maintenance(rest: &str) -> Result<Command, String> {
    if rest == "off" {
        return Ok(Command::Alert(AlertCommand::EndMaintenance));
    }
    match quiet(rest) {
        Some((lasting, reason)) => {
            Ok(Command::Alert(AlertCommand::Maintenance { lasting, reason }))
        }
        None => {
            Err("write: maintenance 30m REASON (1 minute to 24 hours), or maintenance off"
                .to_owned())
        }
    }
}

fn parse_priority(rest: &str) -> Result<Command, String> {
    let usage = || "write: priority RULE P0|P1|P2|P3".to_owned();
    let (rule, word) = rest.split_once(char::is_whitespace).ok_or_else(usage)?;
    let wanted = word.trim().to_ascii_uppercase();
    let priority = Priority::ALL.into_iter().find(|of| of.word() == wanted).ok_or_else(usage)?;
    Ok(Command::Alert(AlertCommand::Priority { rule: rule.to_owned(), priority }))
}

fn parse_taken(rest: &str) -> Result<Command, String> {
    let usage = || "write: taken LEVEL WHO".to_owned();
    let (level, who) = rest.split_once(char::is_whitespace).ok_or_else(usage)?;
    let level = level.parse().map_err(|_| usage())?;
    Ok(Command::Alert(AlertCommand::Taken { level, who: who.trim().to_owned() }))
}

/// `90s`, `10m`, `1h`.
fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..split].parse().ok()?;
    let seconds = match &text[split..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

/// Reads a line of the palette. The name of an action opens its dialog.
///
/// # Errors
/// Says what is wrong and what would be right.
pub fn parse(world: &World, line: &str) -> Result<Command, String> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if name.is_empty() {
        return Err("type the name of a command; Tab completes, Esc closes".to_owned());
    }
    if let Some(entry) = ENTRIES.iter().find(|entry| entry.name == name) {
        return (entry.parse)(rest.trim());
    }
    let action = world.catalog.actions.iter().find(|action| action.id.as_str() == name);
    if let (Some(action), true) = (action, rest.trim().is_empty()) {
        return Ok(Command::Prepare(action.id.clone()));
    }
    if matches!(name, "q" | "q!" | "wq") {
        return Ok(Command::QuitNow);
    }
    match proposals(world, name).first() {
        Some(near) => Err(format!("there is no command {name}; did you mean {}?", near.text)),
        None => Err(format!("there is no command {name}; ? lists them")),
    }
}

/// What the line may be completed to, best first.
pub fn proposals(world: &World, line: &str) -> Vec<Proposal> {
    use nucleo_matcher::{
        Config, Matcher,
        pattern::{CaseMatching, Normalization, Pattern},
    };
    let word = line.split_whitespace().next().unwrap_or("");
    let all: Vec<Proposal> = candidates(world);
    if word.is_empty() {
        return all;
    }
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(word, CaseMatching::Ignore, Normalization::Smart);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, Proposal)> = all
        .into_iter()
        .filter_map(|proposal| {
            buffer.clear();
            let haystack = nucleo_matcher::Utf32Str::new(&proposal.text, &mut buffer);
            let score = pattern.score(haystack, &mut matcher)?;
            // What begins with the word is meant before what merely contains its letters.
            let bonus = if proposal.text.starts_with(word) { 1_000 } else { 0 };
            Some((score + bonus, proposal))
        })
        .collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.text.cmp(&b.1.text)));
    scored.into_iter().map(|(_, proposal)| proposal).collect()
}

fn candidates(world: &World) -> Vec<Proposal> {
    let actions = super::actions::rows(world).into_iter().map(|row| Proposal {
        text: row.spec.id.to_string(),
        arguments: String::new(),
        enabled: row.why_not.is_none(),
        does: row.why_not.unwrap_or_else(|| format!("action: {}", row.spec.title)),
    });
    let entries = ENTRIES.iter().map(|entry| {
        let mut does = entry.does.to_owned();
        if entry.name == "arm"
            && let Some(left) = world.actions.armed_for(world.now)
        {
            does = format!("armed for another {}", clock(left));
        }
        Proposal {
            text: entry.name.to_owned(),
            arguments: entry.arguments.to_owned(),
            does,
            enabled: true,
        }
    });
    entries.chain(actions).collect()
}

/// The pane of a number, where there is one on this screen.
pub fn pane_of(world: &World, number: u8) -> Result<Pane, String> {
    let pane = Pane::ALL.into_iter().find(|pane| pane.number() == number);
    match pane {
        Some(Pane::Alerts) if world.catalog.rules.is_empty() => {
            Err("no alert rules are configured".to_owned())
        }
        Some(Pane::Logs) if !super::logs::any(&world.catalog) => {
            Err("no log is configured".to_owned())
        }
        Some(Pane::Database) if world.catalog.databases.is_empty() => {
            Err("no database is configured".to_owned())
        }
        Some(pane) => Ok(pane),
        None => Err(format!("there is no pane {number}")),
    }
}

/// The time that actions are allowed for, for messages.
pub fn arm_words(lasting: Duration, reason: &str) -> String {
    format!("armed for {}: {reason}", short_duration(lasting))
}
