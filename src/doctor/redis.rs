//! Whether the user of a Redis server may do what its source and its actions need.
//!
//! `ACL DRYRUN` tells it without doing anything; most users that are restricted may not ask
//! that. Then each command is sent in a form that does nothing: reads that look at nearly
//! nothing, and UNLINK of a key of a name that nobody has.

use std::time::Duration;

use jiff::Timestamp;
use rand::{TryRngCore, rngs::OsRng};
use redis::{Cmd, Value as Reply, cmd};
use tokio::time::timeout;

use super::clock;
use crate::{
    config::profile::RedisSource,
    domain::{
        examination::{Finding, Grade, Thing},
        failure::{Failure, FailureKind},
    },
    net::{
        redis::{Link, refusal, reply},
        words,
    },
};

/// A command that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Need {
    /// As an access list names it: `slowlog|get`.
    name: &'static str,
    /// The command and its arguments, in a form that does nothing.
    form: Vec<String>,
    /// The prefix of the keys that it is about.
    keys: Option<String>,
    /// Without it, only a part of the pane is empty.
    optional: bool,
}

fn need(name: &'static str, form: &[&str]) -> Need {
    let form = form.iter().map(|&word| word.to_owned()).collect();
    Need { name, form, keys: None, optional: false }
}

/// What a source asks.
fn of_source(config: &RedisSource) -> Vec<Need> {
    let mut needs = vec![need("ping", &["PING"]), need("info", &["INFO", "server"])];
    let optional = |need: Need| Need { optional: true, ..need };
    needs.push(optional(need("dbsize", &["DBSIZE"])));
    needs.push(optional(need("latency|latest", &["LATENCY", "LATEST"])));
    if config.slowlog > 0 {
        needs.push(optional(need("slowlog|get", &["SLOWLOG", "GET", "1"])));
    }
    if !config.pressure.is_empty() {
        needs.push(need("scan", &["SCAN", "0", "COUNT", "1"]));
    }
    for pressure in &config.pressure {
        let prefix = pressure.pattern.split('*').next().unwrap_or_default();
        needs.push(on_keys("zcount", prefix, |key| {
            vec!["ZCOUNT".into(), key, "1".into(), "1".into()]
        }));
    }
    needs
}

/// What the deleting of keys needs.
fn of_action(delete: &[String]) -> Vec<Need> {
    let mut needs = vec![
        need("info", &["INFO", "server"]),
        need("ping", &["PING"]),
        need("scan", &["SCAN", "0", "COUNT", "1"]),
    ];
    for pattern in delete {
        let prefix = pattern.trim_end_matches('*');
        needs.push(on_keys("unlink", prefix, |key| vec!["UNLINK".into(), key]));
    }
    needs
}

fn on_keys(name: &'static str, prefix: &str, form: impl FnOnce(String) -> Vec<String>) -> Need {
    Need { name, form: form(unused_key(prefix)), keys: Some(prefix.to_owned()), optional: false }
}

/// A key of that prefix which nobody has: 128 random bits are in its name.
fn unused_key(prefix: &str) -> String {
    let mut random = [0_u8; 16];
    // Without randomness of the system, the time to the nanosecond has to do.
    if OsRng.try_fill_bytes(&mut random).is_err() {
        random = Timestamp::now().as_nanosecond().to_le_bytes();
    }
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}watchfloor-doctor-{hex}")
}

/// What came of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Allowed,
    /// The access list says no, in the server's words.
    Forbidden(String),
    /// The server does not have it.
    Absent,
    /// Something else speaks against it.
    Refused(String),
}

/// Looks at the rights for a source: what its polls ask, and whether the clocks agree.
pub async fn source(thing: &Thing, config: &RedisSource, limit: Duration) -> Vec<Finding> {
    look(thing, config, of_source(config), limit).await
}

/// Looks at the rights for an action that deletes keys by these patterns.
pub async fn action(
    thing: &Thing,
    config: &RedisSource,
    delete: &[String],
    limit: Duration,
) -> Vec<Finding> {
    look(thing, config, of_action(delete), limit).await
}

async fn look(
    thing: &Thing,
    config: &RedisSource,
    needs: Vec<Need>,
    limit: Duration,
) -> Vec<Finding> {
    let work = async {
        let mut link = Link::open_within(config, limit).await?;
        let user = whoami(&mut link).await.or_else(|| config.username.clone());
        let mut answers = Vec::new();
        for need in &needs {
            answers.push(answer(&mut link, user.as_deref(), need).await);
        }
        let ahead = ahead(&mut link).await;
        Ok((user, answers, ahead))
    };
    let too_late =
        || Failure::new(FailureKind::Timeout, "its rights could not be looked at in time");
    match timeout(limit, work).await.unwrap_or_else(|_| Err(too_late())) {
        // That it cannot be reached is said by the look at the source.
        Err(failure) => {
            let what = format!("its rights are not known: {}", failure.message);
            vec![Finding::new(thing, Grade::Unknown, words::clip(&what, 400))]
        }
        Ok((user, answers, ahead)) => {
            let user = words::clip(user.as_deref().unwrap_or("default"), 60);
            let mut found = judge(thing, &user, &needs, &answers);
            found.extend(ahead.and_then(|ahead| clock::judge(thing, ahead)));
            found
        }
    }
}

async fn whoami(link: &mut Link) -> Option<String> {
    let answer = link.ask(cmd("ACL").arg("WHOAMI")).await.ok()?;
    reply::text(&answer)
}

/// Asks whether a command is allowed, in the way that does the least.
async fn answer(link: &mut Link, user: Option<&str>, need: &Need) -> Answer {
    if let Some(user) = user
        && let Some(answer) = dry_run(link, user, need).await
    {
        return answer;
    }
    match link.ask(&command(&need.form)).await {
        Ok(_) => Answer::Allowed,
        Err(error) => {
            let (code, text) = refusal::code_and_text(&error);
            let said = words::clip(&format!("{code} {text}"), 200);
            match code.as_str() {
                "NOPERM" => Answer::Forbidden(said),
                _ if refusal::is_not_offered(&error) => Answer::Absent,
                _ => Answer::Refused(said),
            }
        }
    }
}

/// What the access list says; none where that may not be asked.
async fn dry_run(link: &mut Link, user: &str, need: &Need) -> Option<Answer> {
    let mut ask = cmd("ACL");
    ask.arg("DRYRUN").arg(user);
    for word in &need.form {
        ask.arg(word);
    }
    match link.ask(&ask).await.ok()? {
        Reply::Okay => Some(Answer::Allowed),
        other => {
            let text = reply::text(&other)?;
            if text == "OK" {
                return Some(Answer::Allowed);
            }
            Some(Answer::Forbidden(words::clip(&text, 200)))
        }
    }
}

fn command(words: &[String]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word);
    }
    command
}

/// Seconds by which the server's clock is ahead; none where it does not tell.
async fn ahead(link: &mut Link) -> Option<f64> {
    let before = Timestamp::now();
    let answer = link.ask(&cmd("TIME")).await.ok()?;
    let after = Timestamp::now();
    let Reply::Array(parts) = answer else { return None };
    let part = |at: usize| -> Option<f64> { reply::text(parts.get(at)?)?.parse().ok() };
    let server = part(0)? + part(1)? / 1e6;
    let ours = |at: Timestamp| at.as_nanosecond() as f64 / 1e9;
    Some(server - (ours(before) + ours(after)) / 2.0)
}

fn judge(thing: &Thing, user: &str, needs: &[Need], answers: &[Answer]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut grants: Vec<String> = Vec::new();
    let mut lacking: Vec<&str> = Vec::new();
    let mut worst = Grade::Warning;
    for (need, answer) in needs.iter().zip(answers) {
        match answer {
            Answer::Allowed => {}
            Answer::Forbidden(said) => {
                // Of a command that is about keys, either the command or the keys are refused.
                let of_keys = said.contains(" key") || said.contains("keys");
                let grant = match &need.keys {
                    Some(prefix) if of_keys => format!("~{prefix}*"),
                    _ => format!("+{}", need.name),
                };
                if !lacking.contains(&need.name) {
                    lacking.push(need.name);
                }
                grants.push(grant);
                // Who lacks the command was not asked about the keys yet.
                if let (Some(prefix), false) = (&need.keys, of_keys) {
                    grants.push(format!("~{prefix}*"));
                }
                if !need.optional {
                    worst = Grade::Critical;
                }
            }
            Answer::Absent if need.optional => {}
            Answer::Absent => found.push(
                Finding::new(
                    thing,
                    Grade::Critical,
                    format!("the server has no {}", need.name.to_uppercase()),
                )
                .cure("it cannot be done on this server; choose another way"),
            ),
            Answer::Refused(said) => found.push(
                Finding::new(
                    thing,
                    Grade::Critical,
                    format!("{} is refused: {said}", need.name.to_uppercase()),
                )
                .cure(if said.starts_with("READONLY") {
                    "name the primary, not a replica"
                } else {
                    "look at the server"
                }),
            ),
        }
    }
    if !lacking.is_empty() {
        let mut granted = Vec::new();
        for grant in grants {
            if !granted.contains(&grant) {
                granted.push(grant);
            }
        }
        let names = lacking.join(", ").to_uppercase();
        let what = format!("the user {user} may not {names}");
        let cure = format!("ACL SETUSER {user} {}", granted.join(" "));
        found.push(Finding::new(thing, worst, what).cure(cure));
    }
    if found.is_empty() {
        let mut names: Vec<&str> = needs.iter().map(|need| need.name).collect();
        names.dedup();
        let what = format!("the user {user} may {}", names.join(", ").to_uppercase());
        found.push(Finding::new(thing, Grade::Ok, what));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::examination::Subject;

    #[test]
    fn what_is_lacking_comes_with_the_line_that_grants_it() {
        let thing = Thing::new(Subject::Action, "clear");
        let needs = of_action(&["page:*".to_owned(), "list:*".to_owned()]);
        let names: Vec<&str> = needs.iter().map(|need| need.name).collect();
        assert_eq!(names, ["info", "ping", "scan", "unlink", "unlink"]);
        assert!(needs[3].form[1].starts_with("page:watchfloor-doctor-"));
        assert_ne!(unused_key("a:"), unused_key("a:"));
        let no = |text: &str| Answer::Forbidden(text.to_owned());
        let answers = [
            Answer::Allowed,
            Answer::Allowed,
            no("NOPERM this user has no permissions to run the 'scan' command"),
            no("User ops has no permissions to access the 'page:x' key"),
            no("NOPERM No permissions to access a key"),
        ];
        let found = judge(&thing, "ops", &needs, &answers);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].verdict, Grade::Critical);
        assert_eq!(found[0].what, "the user ops may not SCAN, UNLINK");
        assert_eq!(found[0].cure.as_deref(), Some("ACL SETUSER ops +scan ~page:* ~list:*"));
        let all = vec![Answer::Allowed; needs.len()];
        assert_eq!(judge(&thing, "ops", &needs, &all)[0].verdict, Grade::Ok);
        let replica = Answer::Refused("READONLY You can't write".to_owned());
        let found = judge(&thing, "ops", &needs[3..4], &[replica]);
        assert_eq!(found[0].cure.as_deref(), Some("name the primary, not a replica"));
    }
}
