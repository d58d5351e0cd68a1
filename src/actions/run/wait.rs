//! Looking until something is so. Nothing is changed by that.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use serde_json::Value as Json;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, timeout},
};

use super::{Ended, Interruption, Stage, http, sequence::holds};
use crate::{
    actions::{
        left::RUN_VARIABLE,
        plan::{
            command::CommandJob,
            http::HttpJob,
            sequence::{LookJob, WaitJob},
        },
        sql::{Asking, said},
        unstarted, words,
    },
    config::profile::{PostgresSource, ReadingConfig},
    domain::{
        action::Claim,
        condition::Condition,
        ids::{ReadingName, RunId},
        time::short_duration,
        value::Value,
    },
    net::{
        http::Body,
        postgres::{Limits, Session},
        program::Group,
        readings,
    },
};

/// The most that one look may take.
const LOOK: Duration = Duration::from_secs(15);
/// The most of an answer that is read, bytes.
const LONGEST: u64 = 1 << 20;
/// The most of what a program prints that is read, bytes.
const LONGEST_OUTPUT: u64 = 64 << 10;

/// What one look brought.
#[derive(Default)]
struct Seen {
    ended: BTreeMap<ReadingName, Value>,
    texts: BTreeMap<ReadingName, String>,
}

impl Seen {
    fn put(&mut self, name: &str, value: Value, text: impl Into<String>) {
        self.ended.insert(name.into(), value);
        self.texts.insert(name.into(), text.into());
    }
}

/// Waits. What can be said before the first look is `Err`.
pub(super) async fn run(job: &WaitJob, stage: &Stage<'_>) -> Result<Ended, Ended> {
    stage.start().await?;
    let began = Instant::now();
    let mut last: Result<Seen, String> = Err("it was never looked at".to_owned());
    let interruption = loop {
        let due = Instant::now() + job.every;
        match stage.wait(timeout(LOOK, look(&job.look, stage.run))).await {
            Ok(Ok(seen)) => last = seen,
            Ok(Err(_)) => last = Err(format!("no answer for {}", short_duration(LOOK))),
            Err(interruption) => break interruption,
        }
        if let Ok(seen) = &last
            && let Some(ended) = judge(job, seen, began)
        {
            return Ok(ended);
        }
        let waited = short_duration(whole(began.elapsed()));
        stage.progress(0, format!("{waited}, {}", still(&job.until, &last)));
        if let Err(interruption) = stage.wait(tokio::time::sleep_until(due)).await {
            break interruption;
        }
    };
    let waited = short_duration(whole(began.elapsed()));
    let summary = format!("waited {waited}, {}", still(&job.until, &last));
    let ended = match (interruption, &last) {
        (Interruption::Cancelled, _) => {
            Ended::new(Claim::Cancelled, format!("{}: {summary}", interruption.words()))
        }
        (_, Ok(_)) => Ended::new(Claim::Refused, summary),
        // Whether it has come true is not known.
        (_, Err(_)) => Ended::new(Claim::Unclear, summary),
    };
    Ok(match last {
        Ok(seen) => Ended { readings: seen.ended, texts: seen.texts, ..ended },
        Err(_) => ended,
    })
}

fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().max(1))
}

/// What is still not so.
fn still(until: &[Condition], last: &Result<Seen, String>) -> String {
    let seen = match last {
        Ok(seen) => seen,
        Err(why) => return format!("could not look: {why}"),
    };
    let open = until.iter().find_map(|condition| match holds(condition, &seen.ended) {
        (Some(true), _) => None,
        (_, what) => Some(what.replacen(" is ", " still ", 1)),
    });
    open.unwrap_or_else(|| "all of it is so".to_owned())
}

/// The end, where waiting is over.
fn judge(job: &WaitJob, seen: &Seen, began: Instant) -> Option<Ended> {
    let waited = short_duration(whole(began.elapsed()));
    let vain = job.fail_when.iter().find_map(|condition| match holds(condition, &seen.ended) {
        (Some(true), what) => Some((condition, what)),
        _ => None,
    });
    let ended = if let Some((condition, what)) = vain {
        Ended::new(Claim::Refused, format!("{what}, and it fails when {condition}, after {waited}"))
    } else if job.until.iter().all(|condition| holds(condition, &seen.ended).0 == Some(true)) {
        let all: Vec<String> =
            job.until.iter().map(|condition| holds(condition, &seen.ended).1).collect();
        Ended::new(Claim::Done, format!("{} after {waited}", all.join(", ")))
    } else {
        return None;
    };
    Some(Ended { readings: seen.ended.clone(), texts: seen.texts.clone(), ..ended })
}

async fn look(job: &LookJob, run: &RunId) -> Result<Seen, String> {
    match job {
        LookJob::Http(job) => ask(job).await,
        LookJob::Sql { server, asking } => row(server, asking).await,
        LookJob::Command { job, readings } => output(job, readings, run).await,
    }
}

/// One GET, on a connection of its own.
async fn ask(job: &HttpJob) -> Result<Seen, String> {
    let failed = |error| {
        let failure = crate::net::http::failure(&error, &job.endpoint.shown());
        words::clip(&failure.message, 200)
    };
    let connection = http::open(job).await.map_err(|failure| failure.to_string())?;
    let mut answer = connection.send(job.request("")).await.map_err(failed)?;
    let body = answer.read(LONGEST).await.map_err(failed)?;
    let mut seen = Seen::default();
    let status = answer.status;
    seen.put("status", Value::Number(f64::from(status)), status.to_string());
    let json: Option<Json> = match body {
        Body::TooLarge if job.accepts(status) && !job.readings.is_empty() => {
            return Err(format!("the answer is longer than {} KiB", LONGEST >> 10));
        }
        Body::Whole(bytes) if job.accepts(status) => serde_json::from_slice(&bytes).ok(),
        _ => None,
    };
    for one in job.readings.iter().filter(|_| job.accepts(status)) {
        // One that is not there yet may come.
        if let Ok(value) = readings::read(&one.from, json.as_ref(), &answer.headers) {
            let text = readings::as_written(&one.from, json.as_ref(), &answer.headers);
            seen.put(&one.name, value.clone(), text.unwrap_or_else(|| value.to_string()));
        }
    }
    Ok(seen)
}

/// One row, in a read-only transaction of a session of its own.
async fn row(server: &PostgresSource, asking: &Asking) -> Result<Seen, String> {
    let limits = Limits::to_look(LOOK / 2);
    let session = Session::open_within(server, limits, LOOK / 2)
        .await
        .map_err(|failure| failure.to_string())?;
    let begin = format!("BEGIN READ ONLY; {}", limits.in_transaction());
    session.client().batch_execute(&begin).await.map_err(|error| said(&error))?;
    let rows = asking.objects(&session).await.map_err(|error| said(&error))?;
    let mut seen = Seen::default();
    let row = match rows.as_slice() {
        [] => return Ok(seen),
        [row] => row,
        _ => return Err("the query gives more than one row".to_owned()),
    };
    let columns: serde_json::Map<String, Json> =
        serde_json::from_str(row).map_err(|error| error.to_string())?;
    for (name, value) in columns {
        if let Ok(read) = readings::value(&value) {
            seen.put(&name, read, readings::written(&value).unwrap_or_default());
        }
    }
    Ok(seen)
}

/// What a program prints, and its exit code.
async fn output(job: &CommandJob, wanted: &[ReadingConfig], run: &RunId) -> Result<Seen, String> {
    let mut command = tokio::process::Command::new(&job.program);
    command
        .arg0(&job.name)
        .args(&job.arguments)
        .env_clear()
        .envs(job.environment.iter().map(|(name, value)| (name, value)))
        .env(RUN_VARIABLE, run.as_str())
        .current_dir(&job.directory)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // It only looks: nothing is lost with it.
        .kill_on_drop(true);
    let failed = |error: std::io::Error| format!("{}: {error}", job.program.display());
    let mut child = command
        .spawn()
        .map_err(|error| unstarted::why(&job.program, Some(&job.directory), &error))?;
    // However this ends, whatever the program started ends with it.
    let _group = Group::of(&child);
    let printed = match child.stdout.take() {
        Some(stdout) => read(stdout).await.map_err(failed)?,
        None => Vec::new(),
    };
    // Half of a document or of a line could say what the whole does not.
    if printed.len() as u64 > LONGEST_OUTPUT {
        let most = LONGEST_OUTPUT >> 10;
        return Err(format!("{} printed more than {most} KiB", job.program.display()));
    }
    let status = child.wait().await.map_err(failed)?;
    let mut seen = Seen::default();
    if let Some(code) = status.code() {
        seen.put("exit_code", Value::Number(f64::from(code)), code.to_string());
    }
    let text = words::plain(&String::from_utf8_lossy(&printed));
    if let Some(line) = text.lines().rev().map(str::trim).find(|line| !line.is_empty())
        && let Ok(value) = readings::from_text(line)
    {
        seen.put("output", value, line);
    }
    let json: Option<Json> = serde_json::from_slice(&printed).ok();
    for one in wanted {
        if let Some(json) = &json
            && let Ok(value) = readings::in_json(&one.from, json)
        {
            let text = readings::as_written(&one.from, Some(json), &Default::default());
            seen.put(&one.name, value.clone(), text.unwrap_or_else(|| value.to_string()));
        }
    }
    Ok(seen)
}

async fn read(stdout: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One more tells that there was more.
    stdout.take(LONGEST_OUTPUT + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}
