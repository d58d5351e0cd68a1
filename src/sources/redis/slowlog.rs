//! The slow log and the latency monitor.

use std::{sync::Arc, time::Duration};

use redis::Value as Reply;

use crate::{
    domain::{
        observation::{Facts, SlowCommand},
        value::Value,
    },
    net::{
        redis::reply::{integer, text},
        words::clip,
    },
};

/// The most events of the latency monitor that are taken.
const MOST_EVENTS: usize = 20;

/// The entries of `SLOWLOG GET`, and how many there are that cannot be read; `None` where the
/// reply is no list, which is not the same as an empty one. Of the arguments only their
/// number is kept: they are the application's data.
pub(super) fn commands(reply: Reply) -> Option<(Vec<SlowCommand>, usize)> {
    let Reply::Array(entries) = reply else { return None };
    let all = entries.len();
    let commands: Vec<SlowCommand> = entries.into_iter().filter_map(command).collect();
    let unreadable = all - commands.len();
    Some((commands, unreadable))
}

fn command(entry: Reply) -> Option<SlowCommand> {
    let Reply::Array(parts) = entry else { return None };
    let mut parts = parts.into_iter();
    let (id, unix_seconds, micros) =
        (integer(&parts.next()?)?, integer(&parts.next()?)?, integer(&parts.next()?)?);
    let Reply::Array(words) = parts.next()? else { return None };
    let name = clip(&text(words.first()?)?.to_ascii_uppercase(), 40);
    let arguments = words.len() - 1 + words.last().and_then(left_out).unwrap_or(0);
    Some(SlowCommand {
        id,
        unix_seconds,
        took: Duration::from_micros(u64::try_from(micros).ok()?),
        command: match arguments {
            1 => format!("{name} (1 argument)"),
            n => format!("{name} ({n} arguments)"),
        },
    })
}

/// The server keeps 32 words of a command and writes how many more there were in place of
/// the last: `... (120 more arguments)`. That word itself was counted as one.
fn left_out(last: &Reply) -> Option<usize> {
    let text = text(last)?;
    let rest = text.strip_prefix("... (")?.strip_suffix(" more arguments)")?;
    rest.parse::<usize>().ok()?.checked_sub(1)
}

/// The newest and the worst time of each event of `LATENCY LATEST`, in milliseconds.
pub(super) fn latency(reply: &Reply, facts: &mut Facts) {
    let Reply::Array(events) = reply else { return };
    for event in events.iter().take(MOST_EVENTS) {
        let Reply::Array(parts) = event else { continue };
        let [name, _, latest, worst, ..] = parts.as_slice() else { continue };
        let (Some(name), Some(latest), Some(worst)) = (text(name), integer(latest), integer(worst))
        else {
            continue;
        };
        let name = clip(&name, 40).replace('-', "_");
        for (suffix, millis) in [("ms", latest), ("max_ms", worst)] {
            let reading = format!("latency_{name}_{suffix}");
            facts.readings.insert(Arc::from(reading), Value::Number(millis as f64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Reply {
        Reply::BulkString(text.as_bytes().to_vec())
    }

    fn entry(words: Vec<Reply>) -> Reply {
        let client = bulk("127.0.0.1:4000");
        Reply::Array(vec![
            Reply::Int(7),
            Reply::Int(1_700_000_000),
            Reply::Int(15_000),
            Reply::Array(words),
            client,
            bulk(""),
        ])
    }

    #[test]
    fn arguments_stay_on_the_server() {
        let reply = Reply::Array(vec![
            entry(vec![bulk("set"), bulk("user:1"), bulk("hunter2")]),
            entry(vec![bulk("DEL"), bulk("a")]),
            entry(vec![bulk("DEL"), bulk("a"), bulk("... (120 more arguments)")]),
            Reply::Int(3),
        ]);
        let (commands, unreadable) = commands(reply).expect("a list");
        assert_eq!(unreadable, 1);
        assert_eq!(super::commands(Reply::Nil), None);
        assert_eq!(super::commands(Reply::Array(Vec::new())), Some((Vec::new(), 0)));
        let texts: Vec<&str> = commands.iter().map(|command| command.command.as_str()).collect();
        assert_eq!(texts, ["SET (2 arguments)", "DEL (1 argument)", "DEL (121 arguments)"]);
        assert_eq!(commands[0].took, Duration::from_millis(15));
        assert_eq!((commands[0].id, commands[0].unix_seconds), (7, 1_700_000_000));
    }

    #[test]
    fn latency_events_become_readings() {
        let event = Reply::Array(vec![
            bulk("fast-command"),
            Reply::Int(1_700_000_000),
            Reply::Int(3),
            Reply::Int(90),
        ]);
        let mut facts = Facts::default();
        latency(&Reply::Array(vec![event, Reply::Nil]), &mut facts);
        assert_eq!(facts.readings["latency_fast_command_ms"], Value::Number(3.0));
        assert_eq!(facts.readings["latency_fast_command_max_ms"], Value::Number(90.0));
        assert_eq!(facts.readings.len(), 2);
    }
}
