//! Guarded actions against real servers, real programs and a real disk.

#![allow(clippy::expect_used, clippy::panic)]

mod common;

#[path = "actions/command.rs"]
mod command;
#[path = "actions/ends.rs"]
mod ends;
#[path = "actions/hang.rs"]
mod hang;
#[path = "actions/http.rs"]
mod http;
#[path = "actions/journal.rs"]
mod journal;
#[path = "actions/launch.rs"]
mod launch;
#[path = "actions/redis.rs"]
mod redis;
#[path = "actions/sql.rs"]
mod sql;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use watchfloor::{
    actions::{Actions, Clock, JournalReport, Order, new_run_id},
    config::profile::{ActionConfig, ActionKind, Form},
    domain::{
        action::{ActionEvent, ActionStage, Claim, Preview, RunResult},
        ask::Answers,
        ids::{ActionId, RunId},
        time::Moment,
        value::Value,
    },
};

/// What carries runs out.
const PROGRAM: &str = env!("CARGO_BIN_EXE_watchfloor");

/// Longer than anything here should take.
const LIMIT: Duration = Duration::from_secs(40);

fn clock() -> Clock {
    let start = Instant::now();
    Arc::new(move || Moment { mono: start.elapsed(), wall: jiff::Timestamp::now() })
}

/// A state directory and what is open in it.
struct Desk {
    place: TempDir,
    actions: Arc<Actions>,
}

/// A run that goes on.
struct Started {
    run: RunId,
    task: JoinHandle<()>,
    events: mpsc::Receiver<ActionEvent>,
    actions: Arc<Actions>,
}

impl Desk {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let (actions, _) = open(&place.path().join("state")).expect("opened");
        Self { place, actions: Arc::new(actions) }
    }

    fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    fn journal(&self) -> PathBuf {
        self.state().join(watchfloor::actions::journal::FILE)
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.journal()).expect("the journal");
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        // A line that was cut off and closed is none.
        whole.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn kinds(&self) -> Vec<String> {
        let kind = |line: &serde_json::Value| line["kind"].as_str().expect("a kind").to_owned();
        self.lines().iter().map(kind).collect()
    }

    async fn preview(&self, config: &ActionConfig) -> Preview {
        let previewed =
            timeout(LIMIT, self.actions.preview(config, &Answers::none(), new_run_id(), &[])).await;
        previewed.expect("in time").outcome.expect("a preview")
    }

    fn start(&self, config: &ActionConfig, digest: &str) -> Started {
        let run = new_run_id();
        let order = Order {
            reason: "the cache is poisoned".to_owned(),
            confirmation: "y".to_owned(),
            before: vec![("cache.keys".into(), "1234".to_owned())],
            ..Order::new(run.clone(), digest, "shop/production")
        };
        let (sender, events) = mpsc::channel(64);
        let (actions, config) = (Arc::clone(&self.actions), config.clone());
        let own = Arc::clone(&actions);
        let task = tokio::spawn(async move { own.launch(&config, order, sender).await });
        Started { run, task, events, actions }
    }

    /// Previews and runs, as an operator would.
    async fn run(&self, config: &ActionConfig) -> (RunResult, Vec<ActionStage>) {
        let digest = self.preview(config).await.digest;
        self.start(config, &digest).finish().await
    }
}

impl Started {
    /// Asks it to stop, as an operator would.
    fn stop(&self) {
        self.actions.cancel(&self.run, &"clear_cache".into(), "").expect("written");
    }

    async fn next(&mut self) -> Option<ActionEvent> {
        timeout(LIMIT, self.events.recv()).await.expect("an event in time")
    }

    async fn until(&mut self, wanted: impl Fn(&ActionStage) -> bool) {
        while let Some(event) = self.next().await {
            if wanted(&event.stage) {
                return;
            }
        }
        panic!("the run ended too early");
    }

    async fn finish(mut self) -> (RunResult, Vec<ActionStage>) {
        let mut stages = Vec::new();
        while let Some(event) = self.next().await {
            assert_eq!(event.run, self.run);
            stages.push(event.stage);
        }
        self.task.await.expect("no panic");
        assert_order(&stages);
        match stages.last() {
            Some(ActionStage::Finished(result)) => (result.clone(), stages),
            other => panic!("not finished: {other:?}"),
        }
    }
}

fn open(state: &Path) -> Result<(Actions, JournalReport), watchfloor::actions::ActionsError> {
    let (actions, report) = Actions::open(state, clock())?;
    Ok((actions.with_runner(PROGRAM.into()), report))
}

/// Journaled, Started, anything, Finished: each at most once, none out of order.
fn assert_order(stages: &[ActionStage]) {
    let ranks: Vec<u8> = stages
        .iter()
        .map(|stage| match stage {
            ActionStage::Journaled => 0,
            ActionStage::Started => 1,
            ActionStage::Progress { .. } | ActionStage::Output(_) => 2,
            ActionStage::Finished(_) => 3,
        })
        .collect();
    assert!(ranks.is_sorted(), "{stages:?}");
    for rank in [0, 1, 3] {
        assert!(ranks.iter().filter(|other| **other == rank).count() <= 1, "{stages:?}");
    }
}

fn action(kind: ActionKind, timeout: Duration) -> ActionConfig {
    ActionConfig {
        id: ActionId::from("clear_cache"),
        kind,
        timeout,
        locks: Vec::new(),
        form: Form::default(),
    }
}

fn reading<'a>(result: &'a RunResult, name: &str) -> Option<&'a Value> {
    result.readings.get(name)
}

/// Whether the bytes stand in any file of the directory, or in the name of one.
fn found_in(directory: &Path, needle: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(found_in(&path, needle));
        } else {
            let bytes = fs::read(&path).expect("a file");
            let inside = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            if inside || path.to_string_lossy().contains(needle) {
                found.push(path);
            }
        }
    }
    found
}

/// Waits for something to come true.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn assert_not_sent(result: &RunResult, why: &str) {
    assert_eq!(result.claim, Claim::NotSent, "{}", result.summary);
    assert!(result.summary.contains(why), "{}", result.summary);
}
