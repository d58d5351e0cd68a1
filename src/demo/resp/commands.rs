//! The commands: as the original answers them, as far as they are here. What is not here
//! is an error, as it is there.

use super::{
    codec::Reply,
    database::{Database, Session},
    keyspace::{ScoreRange, Value, matches},
};

/// How one command is carried out: arguments without the name, milliseconds since the epoch.
pub(super) type Run = fn(&mut Database, &mut Session, &[Vec<u8>], u64) -> Reply;

/// A command: its name, how many arguments (itself counted; negative: at least so many),
/// whether it may need memory, and what it does.
pub(super) struct Command {
    pub(super) name: &'static str,
    pub(super) arity: i32,
    pub(super) grows: bool,
    pub(super) run: Run,
}

const fn command(name: &'static str, arity: i32, grows: bool, run: Run) -> Command {
    Command { name, arity, grows, run }
}

/// Every command of the data. Those of the connection and the server are in `server`.
pub(super) const COMMANDS: &[Command] = &[
    command("get", 2, false, get),
    command("set", -3, true, set),
    command("del", -2, false, del),
    command("unlink", -2, false, del),
    command("exists", -2, false, exists),
    command("type", 2, false, kind),
    command("ttl", 2, false, ttl),
    command("pttl", 2, false, pttl),
    command("expire", -3, false, expire),
    command("pexpire", -3, false, pexpire),
    command("scan", -2, false, scan),
    command("zadd", -4, true, zadd),
    command("zcard", 2, false, zcard),
    command("zcount", 4, false, zcount),
    command("zremrangebyscore", 4, false, zremrangebyscore),
];

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER: &str = "value is not an integer or out of range";

fn int(value: usize) -> Reply {
    Reply::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

pub(super) fn integer(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

fn is(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

fn get(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    match db.look(&args[0], now) {
        None => Reply::Null,
        Some(Value::Text(bytes)) => Reply::Bulk(bytes.clone()),
        Some(Value::Sorted(_)) => Reply::Error(WRONG_TYPE.to_owned()),
    }
}

fn set(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    let (mut expires, mut only_new, mut only_old, mut keep) = (None, false, false, false);
    let mut options = args[2..].iter();
    while let Some(option) = options.next() {
        match option {
            o if is(o, "nx") && !only_old => only_new = true,
            o if is(o, "xx") && !only_new => only_old = true,
            o if is(o, "keepttl") && expires.is_none() => keep = true,
            o if (is(o, "ex") || is(o, "px")) && expires.is_none() && !keep => {
                let unit: i64 = if is(o, "ex") { 1_000 } else { 1 };
                let Some(argument) = options.next() else { return Reply::err("syntax error") };
                let Some(time) = integer(argument) else { return Reply::err(NOT_AN_INTEGER) };
                let Some(time) = time.checked_mul(unit).filter(|time| *time > 0) else {
                    return Reply::err("invalid expire time in 'set' command");
                };
                expires = Some(now.saturating_add(time.unsigned_abs()));
            }
            _ => return Reply::err("syntax error"),
        }
    }
    let before = db.keys.expiry(&args[0], now);
    if (only_new && before.is_some()) || (only_old && before.is_none()) {
        return Reply::Null;
    }
    let expires = if keep { before.flatten() } else { expires };
    db.keys.set(&args[0], Value::Text(args[1].clone()), expires);
    Reply::Simple("OK")
}

fn del(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    int(args.iter().filter(|key| db.keys.delete(key, now)).count())
}

fn exists(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    int(args.iter().filter(|key| db.look(key, now).is_some()).count())
}

fn kind(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    Reply::Simple(db.look(&args[0], now).map_or("none", Value::kind))
}

fn ttl(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    // Rounded to the nearest second, as the original does.
    remaining(db, &args[0], now, |millis| (millis + 500) / 1_000)
}

fn pttl(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    remaining(db, &args[0], now, |millis| millis)
}

fn remaining(db: &mut Database, key: &[u8], now: u64, unit: fn(u64) -> u64) -> Reply {
    if db.look(key, now).is_none() {
        return Reply::Int(-2);
    }
    match db.keys.expiry(key, now).flatten() {
        None => Reply::Int(-1),
        Some(at) => Reply::Int(i64::try_from(unit(at.saturating_sub(now))).unwrap_or(i64::MAX)),
    }
}

fn expire(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    expire_in(db, args, 1_000, "expire", now)
}

fn pexpire(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    expire_in(db, args, 1, "pexpire", now)
}

fn expire_in(db: &mut Database, args: &[Vec<u8>], unit: i64, name: &str, now: u64) -> Reply {
    if let Some(option) = args.get(2) {
        let option = String::from_utf8_lossy(option);
        return Reply::Error(format!("ERR Unsupported option {option}"));
    }
    let Some(time) = integer(&args[1]) else { return Reply::err(NOT_AN_INTEGER) };
    let Some(time) = time.checked_mul(unit) else {
        return Reply::Error(format!("ERR invalid expire time in '{name}' command"));
    };
    let done = match u64::try_from(time) {
        Ok(time) if time > 0 => db.keys.expire(&args[0], now.saturating_add(time), now),
        _ => db.keys.delete(&args[0], now),
    };
    Reply::Int(i64::from(done))
}

fn scan(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    let cursor = std::str::from_utf8(&args[0]).ok().and_then(|text| text.parse().ok());
    let Some(cursor) = cursor else { return Reply::err("invalid cursor") };
    let (mut pattern, mut count, mut kind) = (None, 10_usize, None);
    let mut options = args[1..].iter();
    while let Some(option) = options.next() {
        let Some(argument) = options.next() else { return Reply::err("syntax error") };
        match option {
            o if is(o, "match") => pattern = Some(argument),
            o if is(o, "type") => kind = Some(argument.to_ascii_lowercase()),
            o if is(o, "count") => match integer(argument) {
                None => return Reply::err(NOT_AN_INTEGER),
                Some(number) if number < 1 => return Reply::err("syntax error"),
                Some(number) => count = usize::try_from(number).unwrap_or(usize::MAX),
            },
            _ => return Reply::err("syntax error"),
        }
    }
    let (next, found) = db.keys.scan(cursor, count, now);
    let keys = found
        .into_iter()
        .filter(|key| pattern.is_none_or(|pattern| matches(pattern, key)))
        .filter(|key| match &kind {
            None => true,
            // As in the original's version 7, looking at the type counts as a hit.
            Some(kind) => db.look(key, now).is_some_and(|value| value.kind().as_bytes() == kind),
        })
        .map(Reply::Bulk)
        .collect();
    Reply::Array(vec![Reply::bulk(&next.to_string()), Reply::Array(keys)])
}

fn float(bytes: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let number = text.parse::<f64>().ok().filter(|number| !number.is_nan())?;
    // Infinity has to be meant: a number that is too large for a float is not one.
    let meant = !text.bytes().any(|byte| byte.is_ascii_digit());
    (number.is_finite() || meant).then_some(number)
}

fn zadd(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    let pairs = &args[1..];
    if !pairs.len().is_multiple_of(2) {
        return Reply::err("syntax error");
    }
    let mut members = Vec::with_capacity(pairs.len() / 2);
    for pair in pairs.chunks_exact(2) {
        let Some(score) = float(&pair[0]) else {
            return Reply::err("value is not a valid float");
        };
        members.push((pair[1].clone(), score));
    }
    let added = db.keys.sorted(&args[0], now, |set| {
        members.into_iter().filter(|(member, score)| set.insert(member.clone(), *score)).count()
    });
    added.map_or_else(|()| Reply::Error(WRONG_TYPE.to_owned()), int)
}

fn zcard(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    match db.look(&args[0], now) {
        None => Reply::Int(0),
        Some(Value::Sorted(set)) => int(set.len()),
        Some(Value::Text(_)) => Reply::Error(WRONG_TYPE.to_owned()),
    }
}

fn zcount(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    let Some(range) = range(&args[1], &args[2]) else {
        return Reply::err("min or max is not a float");
    };
    match db.look(&args[0], now) {
        None => Reply::Int(0),
        Some(Value::Sorted(set)) => int(set.count(range)),
        Some(Value::Text(_)) => Reply::Error(WRONG_TYPE.to_owned()),
    }
}

fn zremrangebyscore(db: &mut Database, _: &mut Session, args: &[Vec<u8>], now: u64) -> Reply {
    let Some(range) = range(&args[1], &args[2]) else {
        return Reply::err("min or max is not a float");
    };
    if db.keys.get(&args[0], now).is_none() {
        return Reply::Int(0);
    }
    let removed = db.keys.sorted(&args[0], now, |set| set.remove_range(range));
    removed.map_or_else(|()| Reply::Error(WRONG_TYPE.to_owned()), int)
}

/// A range of scores: `(1` leaves 1 out, `-inf` and `+inf` are the ends.
fn range(low: &[u8], high: &[u8]) -> Option<ScoreRange> {
    let end = |bytes: &[u8]| match bytes.strip_prefix(b"(") {
        Some(rest) => float(rest).map(|number| (number, true)),
        None => float(bytes).map(|number| (number, false)),
    };
    let ((low, without_low), (high, without_high)) = (end(low)?, end(high)?);
    Some(ScoreRange { low, without_low, high, without_high })
}
