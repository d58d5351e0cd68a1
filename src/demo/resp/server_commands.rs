//! The commands of the connection and of the server itself.

use super::{
    codec::Reply,
    commands::{Command, integer},
    database::{Database, Session},
    info,
    keyspace::matches,
};

const fn command(name: &'static str, arity: i32, run: super::commands::Run) -> Command {
    Command { name, arity, grows: false, run }
}

/// Every command of the connection and the server.
pub(super) const COMMANDS: &[Command] = &[
    command("ping", -1, ping),
    command("echo", 2, |_, _, args, _| Reply::Bulk(args[0].clone())),
    command("auth", -2, auth),
    command("hello", -1, hello),
    command("quit", -1, quit),
    command("select", 2, select),
    command("client", -2, client),
    command("info", -1, info_command),
    command("dbsize", 1, dbsize),
    command("slowlog", -2, slowlog),
    command("latency", -2, latency),
    command("memory", -2, memory),
    command("config", -2, config),
    command("role", 1, role),
    command("time", 1, time),
];

fn ping(_: &mut Database, _: &mut Session, args: &[Vec<u8>], _: u64) -> Reply {
    match args {
        [] => Reply::Simple("PONG"),
        [message] => Reply::Bulk(message.clone()),
        _ => wrong_arity("ping"),
    }
}

/// The error for a wrong number of arguments.
pub(super) fn wrong_arity(name: &str) -> Reply {
    Reply::Error(format!("ERR wrong number of arguments for '{name}' command"))
}

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

fn auth(db: &mut Database, session: &mut Session, args: &[Vec<u8>], _: u64) -> Reply {
    match args {
        [_] if db.password.is_none() => Reply::err(
            "AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        ),
        [password] => log_in(db, session, b"default", password),
        [user, password] => log_in(db, session, user, password),
        _ => Reply::err("syntax error"),
    }
}

fn log_in(db: &Database, session: &mut Session, user: &[u8], password: &[u8]) -> Reply {
    let known = db.password.as_ref().is_none_or(|wanted| wanted.as_bytes() == password);
    if user != b"default" || !known {
        return Reply::Error(WRONG_PASSWORD.to_owned());
    }
    session.authenticated = true;
    Reply::Simple("OK")
}

fn hello(db: &mut Database, session: &mut Session, args: &[Vec<u8>], _: u64) -> Reply {
    let mut version = session.version;
    let mut rest = args;
    if let Some((wanted, options)) = args.split_first() {
        let Some(wanted) = integer(wanted) else {
            return Reply::err("Protocol version is not an integer or out of range");
        };
        version = match wanted {
            2 => 2,
            3 => 3,
            _ => return Reply::Error("NOPROTO unsupported protocol version".to_owned()),
        };
        rest = options;
    }
    while let Some((option, arguments)) = rest.split_first() {
        match (option.to_ascii_lowercase().as_slice(), arguments) {
            (b"auth", [user, password, after @ ..]) => {
                if let failed @ Reply::Error(_) = log_in(db, session, user, password) {
                    return failed;
                }
                rest = after;
            }
            (b"setname", [name, after @ ..]) => {
                session.name.clone_from(name);
                rest = after;
            }
            _ => {
                let option = String::from_utf8_lossy(option);
                return Reply::Error(format!("ERR Syntax error in HELLO option '{option}'"));
            }
        }
    }
    if !session.authenticated {
        return Reply::Error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time"
                .to_owned(),
        );
    }
    session.version = version;
    Reply::Map(vec![
        (Reply::bulk("server"), Reply::bulk("redis")),
        (Reply::bulk("version"), Reply::bulk(info::VERSION)),
        (Reply::bulk("proto"), Reply::Int(i64::from(version))),
        (Reply::bulk("id"), Reply::Int(session.id)),
        (Reply::bulk("mode"), Reply::bulk("standalone")),
        (Reply::bulk("role"), Reply::bulk("master")),
        (Reply::bulk("modules"), Reply::Array(Vec::new())),
    ])
}

fn quit(_: &mut Database, session: &mut Session, _: &[Vec<u8>], _: u64) -> Reply {
    session.leaving = true;
    Reply::Simple("OK")
}

fn select(_: &mut Database, _: &mut Session, args: &[Vec<u8>], _: u64) -> Reply {
    match integer(&args[0]) {
        Some(0) => Reply::Simple("OK"),
        Some(_) => Reply::err("DB index is out of range"),
        None => Reply::err("value is not an integer or out of range"),
    }
}

/// A subcommand in lower case and its arguments.
fn split(args: &[Vec<u8>]) -> (String, &[Vec<u8>]) {
    let (name, rest) = args.split_first().map_or((&[][..], args), |(n, r)| (n.as_slice(), r));
    (String::from_utf8_lossy(name).to_ascii_lowercase(), rest)
}

fn unknown(container: &str, args: &[Vec<u8>]) -> Reply {
    let name = args.first().map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
    let container = container.to_ascii_uppercase();
    Reply::Error(format!("ERR unknown subcommand '{name}'. Try {container} HELP."))
}

fn client(_: &mut Database, session: &mut Session, args: &[Vec<u8>], _: u64) -> Reply {
    match (split(args).0.as_str(), &args[1..]) {
        ("id", []) => Reply::Int(session.id),
        ("setname", [name]) if name.iter().any(|byte| !(b'!'..=b'~').contains(byte)) => {
            Reply::err("Client names cannot contain spaces, newlines or special characters.")
        }
        ("setname", [name]) => {
            session.name.clone_from(name);
            Reply::Simple("OK")
        }
        ("getname", []) if session.name.is_empty() => Reply::Null,
        ("getname", []) => Reply::Bulk(session.name.clone()),
        ("setinfo", [_, _]) => Reply::Simple("OK"),
        (known @ ("id" | "setname" | "getname" | "setinfo"), _) => {
            wrong_arity(&format!("client|{known}"))
        }
        _ => unknown("client", args),
    }
}

fn info_command(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    let wanted: Vec<String> =
        args.iter().map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect();
    Reply::Text(info::text(db, &wanted, now))
}

fn dbsize(db: &mut Database, _: &mut Session, _: &[Vec<u8>], _: u64) -> Reply {
    Reply::Int(i64::try_from(db.keys.len()).unwrap_or(i64::MAX))
}

fn slowlog(db: &mut Database, _: &mut Session, args: &[Vec<u8>], _: u64) -> Reply {
    match (split(args).0.as_str(), &args[1..]) {
        ("len", []) => Reply::Int(i64::try_from(db.slow.len()).unwrap_or(i64::MAX)),
        ("reset", []) => {
            db.slow.clear();
            Reply::Simple("OK")
        }
        ("get", []) => slow_entries(db, 10),
        ("get", [count]) => match integer(count) {
            Some(-1) => slow_entries(db, usize::MAX),
            Some(count) if count >= 0 => slow_entries(db, usize::try_from(count).unwrap_or(0)),
            _ => Reply::err("count should be greater than or equal to -1"),
        },
        (known @ ("len" | "reset" | "get"), _) => wrong_arity(&format!("slowlog|{known}")),
        _ => unknown("slowlog", args),
    }
}

fn slow_entries(db: &Database, count: usize) -> Reply {
    let entries = db.slow.iter().rev().take(count).map(|slow| {
        Reply::Array(vec![
            Reply::Int(slow.id),
            Reply::Int(slow.at_seconds),
            Reply::Int(slow.micros),
            Reply::Array(slow.arguments.iter().cloned().map(Reply::Bulk).collect()),
            Reply::bulk(&slow.client),
            Reply::Bulk(slow.client_name.clone()),
        ])
    });
    Reply::Array(entries.collect())
}

fn latency(_: &mut Database, _: &mut Session, args: &[Vec<u8>], _: u64) -> Reply {
    match (split(args).0.as_str(), &args[1..]) {
        // The latency monitor is off, as it is in the original until it is asked for.
        ("latest", []) => Reply::Array(Vec::new()),
        ("latest", _) => wrong_arity("latency|latest"),
        _ => unknown("latency", args),
    }
}

fn memory(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    match (split(args).0.as_str(), &args[1..]) {
        ("usage", [key, ..]) => match db.keys.cost_of(key, now) {
            None => Reply::Null,
            Some(bytes) => Reply::Int(i64::try_from(bytes).unwrap_or(i64::MAX)),
        },
        ("usage", []) => wrong_arity("memory|usage"),
        _ => unknown("memory", args),
    }
}

fn config(db: &mut Database, _: &mut Session, args: &[Vec<u8>], _: u64) -> Reply {
    match (split(args).0.as_str(), &args[1..]) {
        ("get", []) => wrong_arity("config|get"),
        ("get", patterns) => {
            let lowered: Vec<Vec<u8>> = patterns.iter().map(|p| p.to_ascii_lowercase()).collect();
            let known = db.settings().into_iter().filter(|(name, _)| {
                lowered.iter().any(|pattern| matches(pattern, name.as_bytes()))
            });
            let pairs = known.map(|(name, value)| (Reply::bulk(name), Reply::bulk(&value)));
            Reply::Map(pairs.collect())
        }
        _ => unknown("config", args),
    }
}

fn role(_: &mut Database, _: &mut Session, _: &[Vec<u8>], _: u64) -> Reply {
    Reply::Array(vec![Reply::bulk("master"), Reply::Int(0), Reply::Array(Vec::new())])
}

fn time(_: &mut Database, _: &mut Session, _: &[Vec<u8>], now: u64) -> Reply {
    let micros = now % 1_000 * 1_000;
    Reply::Array(vec![Reply::bulk(&(now / 1_000).to_string()), Reply::bulk(&micros.to_string())])
}
