//! The profile `redcube`: real databases, a real gateway, and a docker that has its oddities.

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use watchfloor::demo::System;

use super::{
    common::servers::wait_until,
    console::{Place, alerts, check, unanswered},
    standin::Standin,
};

/// Faster than in production, and nothing else changed.
const FAST: &str = r#"
profile = "redcube"
[defaults]
interval = "1s"
timeout = "900ms"
[source.content_health]
interval = "1s"
[source.feature]
interval = "1s"
[source.backups]
interval = "1s"
[action.backup]
proof_within = "10s"
cooldown = "0s"
"#;

struct Desk {
    cube: Standin,
    variables: BTreeMap<String, String>,
    place: Place,
}

impl Desk {
    fn new(text: &str) -> Self {
        let cube = Standin::start(System::RedCube);
        let variables = cube.demo().variables();
        let programs = cube.demo().programs().unwrap().display().to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        let mut environment: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        environment.push(("PATH", &path));
        let place = Place::new(text, &environment);
        Self { cube, variables, place }
    }

    fn faults(&self) -> Vec<&'static str> {
        self.cube.demo().active()
    }

    fn backups(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.variables["REDCUBE_BACKUPS"]).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.contains("20260101")).collect()
    }
}

fn reason<'a>(document: &'a Value, id: &str) -> &'a str {
    check(document, id)["reason"].as_str().unwrap()
}

#[test]
fn a_whole_cube_is_seen_and_so_is_a_user_who_was_not_taken_over() {
    let desk = Desk::new("profile = \"redcube\"");
    let (code, document) = desk.place.check();
    assert_eq!(unanswered(&document), [""; 0]);
    assert_eq!((code, &document["verdict"]), (0, &"ok".into()), "{}", document["reasons"]);
    let sync = reason(&document, "sync");
    assert!(sync.starts_with("users 24") && sync.contains("users_synced 24"), "{sync}");
    assert_eq!(reason(&document, "services"), "running 5");
    assert!(!document.to_string().contains("example.com"), "people are counted, not shown");

    let main = &desk.variables["REDCUBE_DATABASE_URL"];
    desk.cube.sql(main, "DELETE FROM users WHERE id = 2");
    let (code, document) = desk.place.check();
    assert_eq!(code, 2);
    assert!(reason(&document, "sync").contains("missing_users is 1"), "{document}");

    // Without its other half nothing can be said, and that is not zero.
    desk.cube.sql(main, "ALTER TABLE users RENAME TO people");
    let (_, document) = desk.place.check();
    assert_eq!(check(&document, "sync")["verdict"], "unknown", "{}", reason(&document, "sync"));
}

#[test]
fn failed_requests_are_counted_where_a_search_for_the_status_finds_none() {
    let desk = Desk::new(&format!(
        "{FAST}\n[rule.errors]\nfor = \"0s\"\n[rule.errors_high]\nwhen = \"content_log.error_rate > 9%\"\nfor = \"0s\""
    ));
    desk.cube.demo().toggle("bad-image");
    let document = desk.place.watch(14).state();
    let firing = alerts(&document, &["firing"]);
    assert!(firing.contains(&"errors_high"), "{firing:?}: {}", reason(&document, "content_log"));
    let counted = reason(&document, "content_log");
    assert!(counted.starts_with("requests ") && !counted.contains("failed 0"), "{counted}");
    assert!(!document.to_string().contains("198.51.100."), "what is personal is dropped");
}

#[test]
fn a_bad_image_is_rolled_back_in_the_console() {
    let desk = Desk::new(FAST);
    desk.cube.demo().toggle("bad-image");
    let mut console = desk.place.armed();
    let outcome = console.run_disruptive("rollback", "redcube/production");
    assert_eq!(outcome, "confirmed", "{}", console.journal());
    wait_until("the fault is over", || desk.faults().is_empty());
}

#[test]
fn a_backup_counts_once_it_is_whole() {
    let desk = Desk::new(FAST);
    let mut console = desk.place.armed();
    desk.cube.demo().toggle("dump-cut");
    assert_eq!(console.run_at_once("backup"), "failed");
    assert!(desk.backups().iter().all(|name| name.ends_with(".part")), "{:?}", desk.backups());
    desk.cube.demo().toggle("dump-cut");
    assert_eq!(console.run_at_once("backup"), "confirmed");
    let whole = desk.backups().into_iter().find(|name| name.ends_with(".sql")).unwrap();
    let dump =
        fs::read_to_string(format!("{}/{whole}", desk.variables["REDCUBE_BACKUPS"])).unwrap();
    assert!(dump.contains("person2@example.com"));
}
