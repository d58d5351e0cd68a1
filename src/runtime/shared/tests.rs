use super::*;
use crate::{
    app::{
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
    let deeds = open(dir.path()).look().unwrap();
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
    here.look();
    here.write(&silenced(1.0, "a")).unwrap();
    assert!(here.look().is_none(), "it wrote that itself");
    there.write(&silenced(2.0, "b")).unwrap();
    let heard = here.look().unwrap();
    assert!(heard.get(&crate::app::alerts::About::Silence("b".to_owned())).is_some());
    assert!(here.look().is_none());
    there.write(&silenced(3.0, "b")).unwrap();
    here.write(&silenced(4.0, "a")).unwrap();
    assert!(here.look().is_some(), "written over, and still heard");
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
        // Found when it starts.
        fs::write(&shared.file, text).unwrap();
        let Some(Event::Notice(notice)) = open(dir.path()).begin() else { panic!("not said") };
        assert!(notice.text.contains(".bad-") && notice.text.contains(why), "{}", notice.text);
        let aside = texts(dir.path()).iter().filter(|(name, _)| name.contains(".bad-")).count();
        assert_eq!(aside, 2, "the second does not replace the first");
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
    let deeds = open(dir.path()).look().unwrap();
    for matcher in ["a", "b"] {
        let about = crate::app::alerts::About::Silence(matcher.to_owned());
        // Of what waits to be written only the newest is: `a` may never have been.
        assert!(matcher == "a" || deeds.get(&about).is_some());
    }
}
