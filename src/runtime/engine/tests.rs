use std::time::Duration;

use super::*;
use crate::{
    app::{
        msg::StartRun,
        state::{Settings, State},
    },
    config::{Loaded, Request},
    domain::action::ActionStage,
};

/// A configuration in this directory, with one source and whatever is added to it.
pub(in crate::runtime) fn loaded(directory: &Path, more: &str) -> Loaded {
    let file = directory.join("watchfloor.toml");
    let text = format!(
        "[service]\nname = \"shop\"\nenvironment = \"test\"\n[source.api]\nkind = \"http\"\n\
         url = \"http://127.0.0.1:1/\"\nreadings = {{ state = \"$.status\" }}\n{more}"
    );
    std::fs::write(&file, text).unwrap();
    let request = Request {
        config: Some(file),
        directory: directory.to_owned(),
        home: Some(directory.to_owned()),
        ..Request::default()
    };
    crate::config::load(&request).map_err(|wrong| wrong.render(false)).unwrap()
}

struct Bench {
    engine: Engine,
    actions: mpsc::Receiver<ActionEvent>,
    events: mpsc::Receiver<Event>,
    said: mpsc::Receiver<Said>,
}

/// An engine with a journal, and what it says; `room` for what actions say.
fn bench(directory: &Path, room: usize) -> Bench {
    with(directory, "", room)
}

fn with(directory: &Path, more: &str, room: usize) -> Bench {
    let profile = loaded(directory, more).profile;
    let clock = Clock::start();
    let opened = Actions::open(&directory.join("state"), Arc::new(move || clock.now()));
    let journal = Some(Arc::new(opened.unwrap().0));
    let (actions_to, actions) = mpsc::channel(room);
    let (events_to, events) = mpsc::channel(256);
    let (said, said_in) = mpsc::channel(256);
    let outlets = Outlets { actions: actions_to, events: events_to, said };
    let engine = Engine::new(profile, clock, outlets, journal, None);
    Bench { engine, actions, events, said: said_in }
}

fn state() -> State {
    State::new(Default::default(), Clock::start().now(), Settings::default())
}

fn start(run: &str) -> StartRun {
    StartRun {
        run: RunId::from(run),
        action: ActionId::from("gone"),
        digest: String::new(),
        target: "shop/test".to_owned(),
        reason: String::new(),
        confirmation: String::new(),
        before: Vec::new(),
        readings: BTreeMap::new(),
        servers: BTreeMap::new(),
        cooldown: Duration::ZERO,
        needs_second: false,
        break_glass: false,
        take_over: None,
        affected: None,
        asked: Answers::none(),
        drill: false,
    }
}

/// The texts of the notes in the journal, in order.
fn notes(directory: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(directory.join("state/journal.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter_map(|line| Some(line["text"].as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn the_journal_has_everything_in_the_order_in_which_it_happened() {
    let directory = tempfile::tempdir().unwrap();
    let Bench { mut engine, mut events, .. } = bench(directory.path(), 8);
    let mut state = state();
    let wanted: Vec<String> = (0..40).map(|number| format!("note {number}")).collect();
    for text in &wanted {
        engine.carry_out(Effect::Note { kind: "armed", text: text.clone() }, &state);
    }
    engine.stop(&mut state).await;
    assert_eq!(notes(directory.path()), wanted);
    for text in wanted {
        assert_eq!(events.recv().await, Some(Event::JournalWorks), "{text}");
    }
    assert_eq!(events.recv().await, None);
}

#[tokio::test]
async fn what_is_not_in_the_journal_because_the_disk_hangs_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let Bench { engine, mut events, .. } = bench(directory.path(), 8);
    let (disk, hangs) = std::sync::mpsc::channel::<()>();
    engine.journal(move |_| {
        let _ = hangs.recv();
        Err("no space left".to_owned())
    });
    let why = loop {
        engine.journal(|actions| actions.note("armed", "x").map_err(|error| error.to_string()));
        match events.try_recv() {
            Ok(Event::JournalFailed(why)) => break why,
            Ok(other) => panic!("{other:?}"),
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert!(why.contains("does not keep up"), "{why}");
    drop(disk);
    // What happened first is said first: in the end the journal works.
    assert_eq!(events.recv().await, Some(Event::JournalFailed("no space left".to_owned())));
    assert_eq!(events.recv().await, Some(Event::JournalWorks));
    engine.stop(&mut state()).await;
    assert!(!notes(directory.path()).is_empty());
}

#[tokio::test]
async fn a_run_that_is_not_started_is_over_however_much_happens() {
    let directory = tempfile::tempdir().unwrap();
    let Bench { mut engine, mut actions, .. } = bench(directory.path(), 1);
    for run in ["one", "two", "three"] {
        engine.start(start(run));
    }
    let mut over = Vec::new();
    for _ in 0..3 {
        let event = tokio::time::timeout(Duration::from_secs(20), actions.recv()).await;
        let event = event.unwrap().unwrap();
        assert!(matches!(event.stage, ActionStage::Finished(_)), "{event:?}");
        over.push(event.run.as_str().to_owned());
    }
    over.sort();
    assert_eq!(over, ["one", "three", "two"]);
    engine.stop(&mut state()).await;
}

#[tokio::test]
async fn pollers_of_an_old_configuration_are_gone_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let Bench { mut engine, .. } = bench(directory.path(), 8);
    engine.start_polling();
    for _ in 0..5 {
        engine.take_over(loaded(directory.path(), "").profile);
    }
    assert_eq!(engine.pollers.len(), 1);
    engine.stop(&mut state()).await;
}

#[test]
fn an_action_may_meet_the_keys_of_every_redis_that_it_deletes_from() {
    let directory = tempfile::tempdir().unwrap();
    let redis = |name: &str| {
        format!(
            "[source.{name}]\nkind = \"redis\"\nurl = \"redis://127.0.0.1:1/\"\n\
             [cache.{name}]\nsource = \"{name}\"\n\
             [[cache.{name}.prefix]]\nname = \"sessions of {name}\"\npattern = \"sess:*\"\n\
             protected = true\n"
        )
    };
    let delete = "kind = \"redis\"\nsource = \"one\"\ndelete = [\"cache:*\"]\n";
    let wait = "kind = \"wait\"\nevery = \"1s\"\ntimeout = \"5s\"\nargv = [\"true\"]\n\
                until = [\"exit_code == 0\"]\n";
    let more = [redis("one"), redis("two")].concat()
        + &format!("[action.alone]\nguard = \"G1\"\nproof = [\"api.state == 1\"]\n{delete}")
        + &format!(
            "[action.steps]\nkind = \"sequence\"\nguard = \"G1\"\n\
             proof = [\"api.state == 1\"]\n\
             [[action.steps.step]]\nname = \"a\"\n{wait}\
             [[action.steps.step]]\nname = \"b\"\ntimeout = \"5s\"\n{delete}"
        );
    let profile = loaded(directory.path(), &more).profile;
    for action in ["alone", "steps"] {
        let config = &profile.actions[&ActionId::from(action)];
        let groups = groups_of(&profile.catalog, config);
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_ref()).collect();
        assert_eq!(names, ["sessions of one"], "{action}");
    }
}

/// What counts is looked at twice soon, however long its interval is; nothing else is.
#[tokio::test(start_paused = true)]
async fn a_counter_does_not_wait_a_whole_interval_for_its_second_look() {
    let directory = tempfile::tempdir().unwrap();
    let more = "interval = \"10m\"\n[source.redis]\nkind = \"redis\"\n\
                url = \"redis://127.0.0.1:1/\"\ninterval = \"10m\"\n\
                [cache.redis]\nsource = \"redis\"\n";
    let mut bench = with(directory.path(), more, 8);
    bench.engine.start_polling();
    let mut looks: BTreeMap<SourceId, usize> = BTreeMap::new();
    let minute = tokio::time::sleep(Duration::from_secs(60));
    tokio::pin!(minute);
    loop {
        tokio::select! {
            Some(said) = bench.said.recv() => {
                if let Said::Observed(observation) = said {
                    *looks.entry(observation.source.clone()).or_default() += 1;
                }
            }
            () = &mut minute => break,
        }
    }
    assert_eq!(looks.get(&SourceId::from("redis")), Some(&2), "{looks:?}");
    assert_eq!(looks.get(&SourceId::from("api")), Some(&1), "{looks:?}");
}
