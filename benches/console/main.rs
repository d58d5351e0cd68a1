//! What the released program costs, measured in a terminal: `cargo bench --bench console`.
//!
//! Prints Markdown. Nothing in here fails for being slow: times are read by people. What
//! each figure means and how it is taken is in `docs/performance.md`.
//!
//! Arguments after `--`: `--quick` for one short run of each, `--runs N`, and
//! `--only start,keys,hanging,rest,slow,micro,flood`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../../tests/common/servers.rs"]
#[allow(dead_code)]
mod servers;

mod flood;
mod keys;
mod machine;
mod micro;
mod rest;
mod service;
mod start;
mod table;
mod terminal;

use std::time::Duration;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Times that everything is repeated.
    pub runs: usize,
    /// Starts of the program in one run.
    pub starts: usize,
    /// Key presses in one run.
    pub presses: usize,
    /// Key presses behind a slow line in one run.
    pub slow_presses: usize,
    /// How long the program is watched at rest.
    pub rest: Duration,
    /// How long a log floods in.
    pub flood: Duration,
    /// How long every micro timing is repeated.
    pub micro: Duration,
    only: Option<Vec<String>>,
}

impl Plan {
    fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut plan = Self {
            runs: 3,
            starts: 10,
            presses: 200,
            slow_presses: 100,
            rest: Duration::from_secs(60),
            flood: Duration::from_secs(30),
            micro: Duration::from_secs(2),
            only: None,
        };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // What cargo itself adds.
                "--bench" => {}
                "--quick" => {
                    plan.runs = 1;
                    (plan.starts, plan.presses, plan.slow_presses) = (3, 25, 15);
                    plan.flood = Duration::from_secs(6);
                    (plan.rest, plan.micro) = (Duration::from_secs(10), Duration::from_millis(200));
                }
                "--runs" => {
                    let runs = arguments.next().and_then(|runs| runs.parse().ok());
                    plan.runs = runs.filter(|runs| *runs > 0).ok_or("--runs needs a number")?;
                }
                "--only" => {
                    let parts = arguments.next().ok_or("--only needs names")?;
                    plan.only = Some(parts.split(',').map(str::to_owned).collect());
                }
                other => return Err(format!("unknown argument {other}")),
            }
        }
        Ok(plan)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == part))
    }
}

fn main() {
    let plan = match Plan::from_arguments(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(why) => {
            println!("{why}; arguments: --quick, --runs N, --only PART,PART");
            return;
        }
    };
    println!("{}\n", machine::about());
    let service = service::Service::start();
    if plan.wants("micro") {
        println!("{}", micro::measure(&plan, &service));
    }
    let mut table = table::Table::default();
    if plan.wants("start") {
        start::measure(&plan, &service, &mut table);
    }
    if plan.wants("keys") {
        keys::measure(&plan, &service, &mut table);
    }
    if plan.wants("hanging") {
        keys::measure_hanging(&plan, &service, &mut table);
    }
    if plan.wants("slow") {
        keys::measure_slow(&plan, &service, &mut table);
    }
    if plan.wants("rest") {
        rest::measure(&plan, &service, &mut table);
    }
    if plan.wants("flood") {
        flood::measure(&plan, &mut table);
    }
    println!("{table}");
}
