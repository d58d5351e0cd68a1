use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::{
    app::{
        alerts::Deeds,
        command::{AlertCommand, Command},
        msg::Msg,
        state::{Settings, State},
        update::update,
    },
    domain::{
        catalog::Catalog,
        rule::{Rule, When},
        time::Moment,
    },
};

const TARGET: &str = "shop/production";

/// What a console keeps in which somebody has just silenced a rule.
fn silenced(second: f64, matcher: &str) -> Kept {
    let rules = ["a", "b"].map(|id| Rule::new(id, id, When::parse("x.up == false").unwrap()));
    let catalog = Catalog {
        service: "shop".to_owned(),
        environment: "production".to_owned(),
        rules: rules.into(),
        ..Catalog::default()
    };
    let settings = Settings { operator: format!("{matcher}@bastion"), ..Settings::default() };
    let at = Moment::at_seconds(second);
    let mut state = State::new(catalog, at, settings);
    let (lasting, reason) = (Duration::from_secs(3_600), "known".to_owned());
    let silence = AlertCommand::Silence { matcher: matcher.to_owned(), lasting, reason };
    update(&mut state, Msg { at, event: Event::Command(Command::Alert(silence)) });
    crate::app::alerts::kept(&state.world)
}

fn open(dir: &Path) -> Shared {
    Shared::new(super::super::kept::file(dir, TARGET), TARGET.to_owned())
}

/// What others did, where the look at it went well.
fn heard(shared: &Shared) -> Option<Deeds> {
    match shared.look().unwrap() {
        Some(Event::DeedsElsewhere(deeds)) => Some(*deeds),
        None => None,
        other => panic!("{other:?}"),
    }
}

fn texts(dir: &Path) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), fs::read_to_string(entry.path()).unwrap()))
        .map(|(name, text)| (name.into_string().unwrap(), text))
        .collect();
    all.sort();
    all
}

#[test]
fn of_many_that_write_at_once_nobody_loses_what_another_did() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for console in 0..6 {
            let dir = dir.path();
            scope.spawn(move || {
                let shared = open(dir);
                for round in 0..5 {
                    let of = if console % 2 == 0 { "a" } else { "b" };
                    let at = f64::from(console * 10 + round) / 100.0;
                    shared.write(&silenced(at, of)).unwrap();
                }
            });
        }
    });
    let deeds = heard(&open(dir.path())).unwrap();
    let text = serde_json::to_string(&deeds).unwrap();
    for (matcher, second) in [("a", 0.44), ("b", 0.54)] {
        let newest = Moment::at_seconds(second).wall;
        let about = crate::app::alerts::About::Silence(matcher.to_owned());
        assert_eq!(deeds.get(&about).unwrap().at, newest, "{text}");
    }
    let left: Vec<String> = texts(dir.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, ["alerts-shop-production.json", "alerts-shop-production.json.lock"]);
}

#[test]
fn another_console_is_heard_once_and_its_own_words_are_no_news() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (open(dir.path()), open(dir.path()));
    here.write(&silenced(0.0, "a")).unwrap();
    heard(&here);
    here.write(&silenced(1.0, "a")).unwrap();
    assert!(heard(&here).is_none(), "it wrote that itself");
    there.write(&silenced(2.0, "b")).unwrap();
    let deeds = heard(&here).unwrap();
    assert!(deeds.get(&crate::app::alerts::About::Silence("b".to_owned())).is_some());
    assert!(heard(&here).is_none());
    there.write(&silenced(3.0, "b")).unwrap();
    here.write(&silenced(4.0, "a")).unwrap();
    assert!(heard(&here).is_some(), "written over, and still heard");
}

#[test]
fn what_is_not_understood_is_kept_aside_and_named() {
    let cases = [
        ("{\"schema\":2,", "EOF"),
        ("{\"schema\":3,\"target\":\"shop/production\",\"more\":[]}", "form 3"),
        ("", "EOF"),
        ("\u{0}\u{0}", "expected value"),
    ];
    for (text, why) in cases {
        let dir = tempfile::tempdir().unwrap();
        let shared = open(dir.path());
        // Broken while the console runs, and found when it writes.
        fs::write(&shared.file, text).unwrap();
        let said = shared.write(&silenced(0.0, "a")).unwrap().unwrap();
        let aside = texts(dir.path()).into_iter().find(|(name, _)| name.contains(".bad-")).unwrap();
        assert_eq!(aside.1, text);
        assert!(said.contains(&aside.0) && said.contains(why), "{said}");
        // Written by another console meanwhile, and found at the next look.
        fs::write(&shared.file, text).unwrap();
        let Ok(Some(Event::Notice(notice))) = shared.look() else { panic!("not said") };
        assert!(notice.text.contains(".bad-") && notice.text.contains(why), "{}", notice.text);
        // Found when it starts.
        fs::write(&shared.file, text).unwrap();
        let Some(Event::Notice(notice)) = open(dir.path()).begin() else { panic!("not said") };
        assert!(notice.text.contains(".bad-") && notice.text.contains(why), "{}", notice.text);
        let aside = texts(dir.path()).iter().filter(|(name, _)| name.contains(".bad-")).count();
        assert_eq!(aside, 3, "the second does not replace the first");
    }
}

#[test]
fn a_program_of_another_age_does_not_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let shared = open(dir.path());
    for round in 0..MOST_ASIDE + 2 {
        fs::write(&shared.file, "{\"schema\":9}").unwrap();
        let written = shared.write(&silenced(0.0, "a"));
        assert_eq!(written.is_ok(), round < MOST_ASIDE, "{written:?}");
    }
    assert_eq!(fs::read_to_string(&shared.file).unwrap(), "{\"schema\":9}");
}

#[test]
fn the_alerts_of_another_service_are_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let shared = open(dir.path());
    let mut others = silenced(0.0, "a");
    others.target = "shop-production/".to_owned();
    let text = serde_json::to_string(&others).unwrap();
    fs::write(&shared.file, &text).unwrap();
    let why = shared.write(&silenced(0.0, "a")).unwrap_err();
    assert!(why.contains("shop-production/") && why.contains("name one"), "{why}");
    assert_eq!(fs::read_to_string(&shared.file).unwrap(), text);
}

#[tokio::test]
async fn the_newest_is_on_the_disk_when_a_console_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _events) = mpsc::channel(8);
    let keeper = Keeper::start(open(dir.path()), events);
    keeper.keep(silenced(0.0, "a"));
    keeper.finish(silenced(1.0, "b")).await.unwrap();
    let deeds = heard(&open(dir.path())).unwrap();
    for matcher in ["a", "b"] {
        let about = crate::app::alerts::About::Silence(matcher.to_owned());
        // Of what waits to be written only the newest is: `a` may never have been.
        assert!(matcher == "a" || deeds.get(&about).is_some());
    }
}

#[test]
fn in_the_directory_of_a_group_the_group_may_use_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let modes = |dir: &Path| {
        let mode = |name: String| {
            let facts = fs::metadata(dir.join(&name)).unwrap();
            (name, facts.permissions().mode() & 0o777)
        };
        texts(dir).into_iter().map(|(name, _)| mode(name)).collect::<Vec<_>>()
    };
    let shared = open(dir.path());
    shared.write(&silenced(0.0, "a")).unwrap();
    assert!(modes(dir.path()).iter().all(|(_, mode)| *mode == 0o600), "of one person");
    // Made for a group later: what is there already is opened to it as well.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o2770)).unwrap();
    shared.write(&silenced(1.0, "a")).unwrap();
    let modes = modes(dir.path());
    assert_eq!(modes.len(), 2, "{modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o660), "{modes:?}");
}

#[test]
fn the_lock_is_not_looked_for_behind_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let shared = open(dir.path());
    let elsewhere = dir.path().join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, shared.file.with_extension("json.lock")).unwrap();
    let why = shared.write(&silenced(0.0, "a")).unwrap_err();
    assert!(why.contains(".lock"), "{why}");
    assert!(!elsewhere.exists());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let shared = open(dir.path());
    let mut others = silenced(0.0, "a");
    others.target = "shop-production/".to_owned();
    fs::write(&shared.file, serde_json::to_string(&others).unwrap()).unwrap();
    let (events, mut events_in) = mpsc::channel(8);
    let _keeper = Keeper::start(shared, events);
    let Some(Event::Notice(notice)) = events_in.recv().await else { panic!("not said") };
    assert!(notice.text.contains("not seen here") && notice.text.contains("shop-production/"));
    assert!(timeout(LOOK_EVERY * 5, events_in.recv()).await.is_err(), "said again");
}
