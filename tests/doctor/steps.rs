//! Sequences: a defect in any kind of step is found, with its step, once, and nothing is done.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::{
    Place,
    common::{
        postgres::PostgresServer,
        raw::{RawServer, answer},
        servers::RedisServer,
    },
};

#[test]
fn a_defect_in_any_kind_of_step_is_found_once() {
    let web = RawServer::http(answer("404 Not Found", &[], ""));
    let redis = RedisServer::start(&[]);
    redis.cli(&["SET", "page:1", "x"]);
    redis.cli(&[
        "ACL",
        "SETUSER",
        "ops",
        "on",
        ">hunter2-hunter2",
        "allkeys",
        "-@all",
        "+ping",
        "+info",
        "+hello",
        "+scan",
        "+select",
    ]);
    let postgres = PostgresServer::start(&[]);
    postgres.sql("CREATE ROLE ops LOGIN PASSWORD 'hunter2-hunter2'");
    let place = Place::new(&format!(
        r#"
[source.files]
kind = "command"
argv = ["true"]
[source.cache]
kind = "redis"
url = "redis://ops@127.0.0.1:{redis}"
password = {{ env = "CANARY_TOKEN" }}
[action.roll]
kind = "sequence"
guard = "G2"
proof = ["files.exit_code == 0"]
[[action.roll.step]]
name = "send"
kind = "http"
url = "{web}"
[[action.roll.step]]
name = "clear"
kind = "redis"
source = "cache"
delete = ["page:*"]
[[action.roll.step]]
name = "change"
kind = "sql"
url = "{postgres}"
password = {{ env = "CANARY_TOKEN" }}
statements = ["DELETE FROM no_such_table WHERE id = 1"]
rows_at_most = 1
[[action.roll.step]]
name = "call"
kind = "command"
argv = ["no-such-program"]
[[action.roll.step]]
name = "set"
kind = "env_file"
path = "/nowhere/app.env"
set = {{ MODE = "off" }}
[[action.roll.step]]
name = "wait"
kind = "wait"
argv = ["no-such-look"]
until = ["exit_code == 0"]
"#,
        redis = redis.port,
        web = web.url("/clear"),
        postgres = format_args!("postgres://ops@127.0.0.1:{}/postgres", postgres.port)
    ));
    let (report, code) = place.examine_only(&["action/roll"]);
    assert_eq!(code, 2);
    let lines = report.of("action", "roll");
    for (step, words) in [
        (1, "endpoint is not there: 404"),
        (2, "may not UNLINK"),
        (3, "no_such_table"),
        (4, "no-such-program is not installed"),
        (5, "app.env"),
        (6, "no-such-look is not installed"),
    ] {
        let told: Vec<&String> = lines
            .iter()
            .filter(|line| line.starts_with("critical") && line.contains(words))
            .collect();
        assert_eq!(told.len(), 1, "{words}: {lines:#?}");
        assert!(told[0].starts_with(&format!("critical: step {step}: ")), "{told:?}");
    }
    assert_eq!(redis.cli(&["GET", "page:1"]), "x", "nothing is done");
}

#[test]
fn a_file_of_settings_that_cannot_be_replaced_is_found() {
    let step = |path: &std::path::Path| {
        Place::new(&format!(
            "[source.files]\nkind = \"command\"\nargv = [\"true\"]\n\
             [action.roll]\nkind = \"sequence\"\nguard = \"G2\"\nproof = [\"files.exit_code == 0\"]\n\
             [[action.roll.step]]\nname = \"set\"\nkind = \"env_file\"\npath = \"{}\"\nset = {{ MODE = \"off\" }}\n\
             [[action.roll.step]]\nname = \"more\"\nkind = \"command\"\nargv = [\"true\"]\n",
            path.display()
        ))
        .examine_only(&["action/roll"])
        .0
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("app.env");
    let gone = step(&file);
    gone.says("action", "roll", "critical", &["step 1: ", "app.env is not a file"]);
    fs::write(&file, "MODE=on\n").unwrap();
    let there = step(&file);
    there.says("action", "roll", "ok", &["step 1: ", "app.env is there and can be replaced"]);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // The superuser may write there all the same.
    let may = fs::write(directory.path().join("probe"), "").is_ok();
    let (verdict, words) =
        if may { ("ok", "can be replaced") } else { ("critical", "may not be written") };
    step(&file).says("action", "roll", verdict, &["step 1: ", words]);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_program_of_a_source_that_is_not_there_is_told_once() {
    let place = Place::new("[source.m]\nkind = \"command\"\nargv = [\"no-such-program\"]\n");
    let (report, _) = place.examine_only(&["source/m"]);
    let lines = report.of("source", "m");
    let told = lines.iter().filter(|line| line.contains("no-such-program is not installed"));
    assert_eq!(told.count(), 1, "{lines:#?}");
}
