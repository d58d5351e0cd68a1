//! `rules test`: unit tests of alert rules.

use std::{collections::BTreeMap, path::Path, process::ExitCode, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    CONFIGURATION,
    args::{Output, RulesTest},
    out,
};
use crate::{
    config::{self, Diagnostics},
    domain::{
        rule::trial::{self, Outcome, Step, Trial},
        time::short_duration,
    },
};

/// The document: every test, and what every rule said at every step.
#[derive(Serialize)]
struct Document {
    schema: u32,
    tests: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    name: String,
    passed: bool,
    failures: Vec<String>,
    rules: BTreeMap<String, Vec<Value>>,
}

/// Runs the tests of the files; exits 1 where one fails, 78 where a file is not sound.
pub(super) fn test(options: &RulesTest) -> color_eyre::Result<ExitCode> {
    let mut trials = Vec::new();
    let mut sound = true;
    for file in &options.files {
        match config::rules_test(file) {
            Ok(of_file) => trials.extend(of_file.into_iter().map(|trial| (file.as_path(), trial))),
            Err(wrong) => {
                sound = false;
                refuse(&wrong, &options.output)?;
            }
        }
    }
    if !sound {
        return Ok(ExitCode::from(CONFIGURATION));
    }
    let outcomes: Vec<(&Path, Trial, Outcome)> = trials
        .into_iter()
        .map(|(file, trial)| {
            let outcome = trial::run(&trial);
            (file, trial, outcome)
        })
        .collect();
    let failed = outcomes.iter().filter(|(.., outcome)| !outcome.failures.is_empty()).count();
    if options.output.json {
        let tests = outcomes.into_iter().map(|(_, trial, outcome)| document(trial, outcome));
        out::json(&Document { schema: 1, tests: tests.collect() })?;
    } else {
        out::line(&text(&outcomes, failed))?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn refuse(wrong: &Diagnostics, output: &Output) -> color_eyre::Result<()> {
    if output.json {
        out::json(&json!({ "schema": 1, "valid": false, "diagnostics": wrong.to_json() }))?;
    }
    out::error(&wrong.render(out::stderr_has_color()));
    Ok(())
}

fn document(trial: Trial, outcome: Outcome) -> Test {
    let rules = outcome
        .trajectories
        .iter()
        .map(|(rule, steps)| (rule.as_ref().to_owned(), steps.iter().map(step).collect()));
    Test {
        name: trial.name,
        passed: outcome.failures.is_empty(),
        rules: rules.collect(),
        failures: outcome.failures,
    }
}

fn step(step: &Step) -> Value {
    json!({
        "at_seconds": seconds(step.at),
        "state": step.state,
        "since_seconds": step.since.map(seconds),
        "value": step.value.map(number),
        "quality": step.quality,
    })
}

fn seconds(duration: Duration) -> Value {
    number(duration.as_secs_f64())
}

/// A whole number without a point, as one would write it.
fn number(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT { json!(number as i64) } else { json!(number) }
}

fn text(outcomes: &[(&Path, Trial, Outcome)], failed: usize) -> String {
    let mut lines = Vec::new();
    for (file, trial, outcome) in outcomes {
        let verdict = if outcome.failures.is_empty() { "ok    " } else { "FAILED" };
        lines.push(format!("{verdict} {}: {}", file.display(), trial.name));
        for failure in &outcome.failures {
            lines.push(format!("         {failure}"));
        }
        if !outcome.failures.is_empty() {
            lines.extend(around(trial, outcome));
        }
    }
    let all = outcomes.len();
    lines.push(match failed {
        0 => format!("{all} passed"),
        failed => format!("{} passed, {failed} failed", all - failed),
    });
    lines.join("\n")
}

/// The changes of every rule that missed something: what there was instead.
fn around(trial: &Trial, outcome: &Outcome) -> Vec<String> {
    let missed = |rule: &str| {
        trial.expect.iter().any(|expected| {
            expected.rule == rule && outcome.failures.iter().any(|line| line.starts_with(rule))
        })
    };
    let mut lines = Vec::new();
    for (rule, steps) in outcome.trajectories.iter().filter(|(rule, _)| missed(rule)) {
        lines.push(format!("         {rule} went"));
        let mut last = None;
        for step in steps {
            let now = (step.state, step.since, step.quality);
            if last != Some(now) {
                let since = step
                    .since
                    .map_or(String::new(), |since| format!(" since {}", short_duration(since)));
                let value = step.value.map_or("no value".to_owned(), crate::domain::value::tidy);
                let quality = step.quality.word();
                lines.push(
                    format!(
                        "         {:>8}  {}{since} ({value}) {quality}",
                        short_duration(step.at),
                        step.state.word(),
                    )
                    .trim_end()
                    .to_owned(),
                );
            }
            last = Some(now);
        }
    }
    lines
}
