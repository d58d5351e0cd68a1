//! Every action of the profile `redcube`, carried out on the stand-in by the program itself.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use watchfloor::demo::System;

use super::{common::servers::wait_until, standin::Standin};

/// Faster than in production. What is asked, refused and proved stays as it is.
const FAST: &str = r#"
profile = "redcube"
[defaults]
interval = "2s"
timeout = "1900ms"
"#;
/// The sources that say themselves how often they are looked at.
const OWN_PACE: [&str; 9] = [
    "gateway",
    "content_health",
    "user_health",
    "feature",
    "versions",
    "checkout",
    "backups",
    "dumps",
    "redis",
];
const CONTENT: &str = "redcube3_xhs-content-service-1";
const REASON: &str = "trying out what the runbook has";

/// The stand-in, and a configuration for it.
struct Bench {
    cube: Standin,
    variables: BTreeMap<String, String>,
    place: TempDir,
    programs: PathBuf,
}

/// How a run ended.
struct Ran {
    code: i32,
    document: Value,
    said: String,
}

impl Ran {
    #[track_caller]
    fn is(&self, outcome: &str) {
        let document = &self.document;
        assert_eq!(document["outcome"], outcome, "{document:#}\n{}", self.said);
    }

    #[track_caller]
    fn says(&self, words: &str) {
        let all = format!("{:#}\n{}", self.document, self.said);
        assert!(all.contains(words), "{all}");
    }
}

impl Bench {
    fn new() -> Self {
        let mut text = FAST.to_owned();
        for source in OWN_PACE {
            text += &format!("[source.{source}]\ninterval = \"2s\"\ntimeout = \"1900ms\"\n");
        }
        for action in watchfloor_profile()["action"].as_table().unwrap().keys() {
            text += &format!("[action.{action}]\ncooldown = \"0s\"\nproof_within = \"12s\"\n");
        }
        Self::with(&text)
    }

    fn with(text: &str) -> Self {
        let cube = Standin::start(System::RedCube);
        let variables = cube.demo().variables();
        let programs = cube.demo().programs().unwrap().to_owned();
        let place = tempfile::tempdir().unwrap();
        let state = place.path().join("state");
        let text = format!("{text}[state]\ndir = {:?}\n", state.to_str().unwrap());
        fs::write(place.path().join("watchfloor.toml"), text).unwrap();
        Self { cube, variables, place, programs }
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap());
        command.args(arguments).env_clear().env("HOME", self.place.path()).env("PATH", path);
        command.envs(&self.variables).stdin(Stdio::null());
        command
    }

    fn watchfloor(&self, arguments: &[&str]) -> Output {
        let config = self.place.path().join("watchfloor.toml");
        let program = Path::new(env!("CARGO_BIN_EXE_watchfloor"));
        let mut command = self.command(program, arguments);
        command.arg("--config").arg(config).output().unwrap()
    }

    /// Carries an action out, with all that its guard wants.
    fn run(&self, action: &str, asked: &[&str]) -> Ran {
        let mut arguments = vec!["run", action, "--json", "--reason", REASON, "--break-glass"];
        arguments.extend(["--confirm", "redcube/production"]);
        for ask in asked {
            arguments.extend(["--ask", ask]);
        }
        let output = self.watchfloor(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let document = serde_json::from_slice(&output.stdout).unwrap_or_default();
        Ran { code: output.status.code().unwrap(), document, said }
    }

    #[track_caller]
    fn confirmed(&self, action: &str, asked: &[&str]) -> Ran {
        let ran = self.run(action, asked);
        ran.is("confirmed");
        ran
    }

    fn check(&self) -> Value {
        let output = self.watchfloor(&["check", "--json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"))
    }

    fn tell(&self, program: &str, arguments: &[&str], directory: &Path) -> String {
        let mut command = self.command(Path::new(program), arguments);
        let output = command.current_dir(directory).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let docker = self.programs.join("docker");
        self.tell(docker.to_str().unwrap(), arguments, self.place.path())
    }

    fn image(&self) -> String {
        self.docker(&["inspect", "-f", "{{.Image}}", CONTENT])
    }

    fn tagged(&self, tag: &str) -> String {
        let name = format!("redcube3_xhs-content-service:{tag}");
        self.docker(&["image", "inspect", "-f", "{{.Id}}", &name])
    }

    fn project(&self) -> PathBuf {
        PathBuf::from(&self.variables["REDCUBE_DIR"])
    }

    fn compose(&self) -> String {
        self.project().join("docker-compose.yml").display().to_string()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let somebody = ["-c", "user.name=dev", "-c", "user.email=dev@redcube.example"];
        self.tell("git", &[&somebody[..], arguments].concat(), &self.project())
    }

    fn psql(&self, database: &str, sql: &str) -> String {
        let url = &self.variables[database];
        self.tell("psql", &[url, "-XAtqc", sql], self.place.path())
    }
}

fn watchfloor_profile() -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/profiles/redcube.toml");
    fs::read_to_string(path).unwrap().parse().unwrap()
}

/// What is wrong in the stand-in on purpose, and what the doctor cannot know to be right.
const PLANTED: [(&str, &str); 25] = [
    // What is asked for is not made up.
    ("unknown action migration_rollback", "what it would send is only known once number is given"),
    ("unknown action restore", "what it would send is only known once file is given"),
    ("unknown action rollback_to", "what it would send is only known once version is given"),
    // The scripts of the project.
    (
        "critical action full_rollback_script",
        "full-rollback.sh:11: export changes this shell and what it starts",
    ),
    (
        "critical action full_rollback_script",
        "full-rollback.sh:12: a restart goes on with the container as it was made",
    ),
    (
        "critical action full_rollback_script",
        "full-rollback.sh:12: what was exported before is not seen by the container",
    ),
    (
        "critical action full_rollback_script_all",
        "full-rollback.sh:11: export changes this shell and what it starts",
    ),
    (
        "critical action full_rollback_script_all",
        "full-rollback.sh:12: a restart goes on with the container as it was made",
    ),
    (
        "critical action full_rollback_script_all",
        "full-rollback.sh:12: what was exported before is not seen by the container",
    ),
    (
        "critical action migration_script",
        "rollback-migration.sh:5: docker exec without -i hands nothing on",
    ),
    ("warning action migration_script", "rollback-migration.sh: goes on after an error"),
    // The tag was moved back, by the step before.
    ("warning action rollback", "step 5: up starts the image that the tag names now"),
    ("warning action rollback_to", "step 5: up starts the image that the tag names now"),
    ("warning action full_rollback", "step 6: up starts the image that the tag names now"),
    ("warning action restart_postgres", "step 1: a restart does not read changed configuration"),
    ("warning action restart_content", "a restart does not read changed configuration"),
    // The role of the stand-in, and its server.
    ("warning source postgres", "the role postgres is a superuser"),
    ("warning source users", "the role postgres is a superuser"),
    ("warning action smoke_register", "step 4: the connection is not encrypted"),
    // Nobody has written down whom to call.
    ("warning contact 1", "the backup of level 1 is a placeholder"),
    ("warning contact 2", "the backup of level 2 is a placeholder"),
    ("warning contact 3", "the backup of level 3 is a placeholder"),
    ("warning contact 1", "level 1 does not say how fast it answers"),
    ("warning contact 2", "level 2 does not say how fast it answers"),
    ("warning contact 3", "level 3 does not say how fast it answers"),
];

const MAIN: &str = "REDCUBE_DATABASE_URL";
const USERS: &str = "REDCUBE_USERS_DATABASE_URL";

#[test]
fn scripts_that_print_success_are_refuted_and_the_roll_back_is_confirmed() {
    let bench = Bench::new();
    let good = bench.image();
    bench.cube.demo().toggle("bad-image");
    let bad = bench.image();
    for script in ["rollback_script", "full_rollback_script", "full_rollback_script_all"] {
        bench.run(script, &[]).is("refuted");
        assert_eq!(bench.image(), bad, "{script}");
    }
    bench.run("migration_script", &[]).is("refuted");
    bench.confirmed("rollback", &[]);
    assert_eq!((bench.image(), bench.tagged("latest")), (good.clone(), good));
    assert_eq!(bench.tagged("failed"), bad);
    wait_until("the fault is over", || bench.cube.demo().active().is_empty());
    let again = bench.run("rollback", &[]);
    assert_eq!(again.code, 2, "there is nothing to roll back: {}", again.said);
}

#[test]
fn what_runs_is_kept_before_a_build_and_can_be_gone_back_to() {
    let bench = Bench::new();
    let first = bench.image();
    bench.confirmed("build", &[]);
    assert_eq!((bench.image(), bench.tagged("previous")), (first.clone(), first.clone()));
    let second = bench.tagged("latest");
    assert_ne!(second, first);
    // The image of the container is kept, and not what has just been built.
    bench.confirmed("keep_image", &[]);
    assert_eq!(bench.tagged("previous"), first);
    // A flag would deploy what was built.
    let flag = bench.run("feature_off", &[]);
    flag.is("failed");
    flag.says("would deploy it");
    assert_eq!(bench.image(), first);

    bench.confirmed("release", &[]);
    assert_eq!(bench.image(), second);
    bench.confirmed("rollback", &[]);
    assert_eq!(bench.image(), first);
    bench.confirmed("roll_forward", &[]);
    assert_eq!(bench.image(), second);
    assert_eq!(bench.run("rollback_to", &["version=latest"]).code, 2);
    bench.run("rollback_to", &["version=never-built"]).is("failed");
    assert_eq!(bench.image(), second);
    bench.confirmed("rollback_to", &["version=prev-20260101T000000Z"]);
    assert_eq!(bench.image(), first);
    bench.confirmed("deploy_content", &[]);
    bench.confirmed("deploy_user", &[]);
    bench.confirmed("restart_content", &[]);
}

#[test]
fn a_flag_is_off_when_the_container_was_made_without_it() {
    let bench = Bench::new();
    let started = || bench.docker(&["inspect", "-f", "{{.State.StartedAt}}", CONTENT]);
    let before = started();
    // The compose file does not hand the flag on: nothing is touched.
    let run = bench.run("feature_off", &[]);
    run.is("failed");
    run.says("handed_on");
    assert_eq!(started(), before);
    bench.cube.demo().toggle("bad-image");
    bench.run("full_rollback", &[]).is("refuted");
    assert_eq!(bench.image(), bench.tagged("previous"), "but the image is rolled back");

    bench.cube.demo().toggle("flag-wired");
    for (action, line) in [
        ("feature_on", "FEATURE_UGC_ANALYSIS=true"),
        ("feature_off", "FEATURE_UGC_ANALYSIS=false"),
        ("beta_on", "BETA_USERS_ENABLED=true"),
        ("beta_off", "BETA_USERS_ENABLED=false"),
    ] {
        bench.confirmed(action, &[]);
        let text = fs::read_to_string(bench.project().join(".env")).unwrap();
        assert!(text.lines().any(|it| it == line) && text.starts_with("SECRET=demo\n"), "{text}");
    }
    bench.cube.demo().toggle("bad-image");
    bench.confirmed("full_rollback", &[]);
}

#[test]
fn somebody_registers_is_taken_over_and_forgotten() {
    let bench = Bench::new();
    let ran = bench.confirmed("smoke_register", &[]);
    ran.says("register_status");
    for database in [MAIN, USERS] {
        let left = "SELECT count(*) FROM users WHERE email LIKE 'deploy-test%'";
        assert_eq!(bench.psql(database, left), "0");
    }
    bench.cube.demo().toggle("sync-broken");
    wait_until("the trigger is gone", || {
        bench.psql(USERS, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'trigger_sync%'")
            == "0"
    });
    let ran = bench.run("smoke_register", &[]);
    ran.is("failed");
    ran.says("synced");
}

#[test]
fn migrations_are_undone_by_reviewed_sql_and_backups_go_into_a_new_database() {
    let bench = Bench::new();
    bench.confirmed("backup", &[]);
    bench.confirmed("backup_users", &[]);
    for (asked, why) in [("number=33", "drops a column"), ("number=../9", "number")] {
        let refused = bench.run("migration_rollback", &[asked]);
        assert_eq!(refused.code, 2, "{}", refused.said);
        refused.says(why);
    }
    bench.run("migration_rollback", &["number=98"]).is("failed");
    bench.confirmed("migration_rollback", &["number=99"]);
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgname = 'trigger_sync_user_to_postgres'";
    assert_eq!(bench.psql(USERS, triggers), "0");
    bench.confirmed("migrate", &[]);
    assert_eq!(bench.psql(USERS, triggers), "1");

    let backups = fs::read_dir(&bench.variables["REDCUBE_BACKUPS"]).unwrap();
    let names = backups.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let newest = names.filter(|name| name.starts_with("backup-2")).max().unwrap();
    bench.confirmed("restore", &[&format!("file={newest}")]);
    let restored = "SELECT count(*) FROM pg_database WHERE datname LIKE 'postgres_restore_%'";
    assert_eq!(bench.psql(MAIN, restored), "1");
    assert_eq!(bench.run("restore", &["file=../../etc/passwd"]).code, 2);
    bench.confirmed("restart_postgres", &[]);
}

#[test]
fn a_checkout_follows_its_branch_and_goes_back() {
    let bench = Bench::new();
    let before = bench.git(&["rev-parse", "HEAD"]);
    fs::write(bench.project().join("NEW"), "new\n").unwrap();
    bench.git(&["add", "NEW"]);
    let dirty = bench.run("pull", &[]);
    dirty.is("failed");
    dirty.says("unchanged");
    bench.git(&["commit", "-q", "-m", "New"]);
    bench.git(&["push", "-q", "origin", "main"]);
    let after = bench.git(&["rev-parse", "HEAD"]);
    bench.git(&["reset", "-q", "--hard", &before]);
    bench.confirmed("pull", &[]);
    assert_eq!(bench.git(&["rev-parse", "HEAD"]), after);
    bench.confirmed("pull_back", &[]);
    assert_eq!(bench.git(&["rev-parse", "HEAD"]), before);
}

#[test]
fn a_docker_that_does_not_answer_is_no_zero() {
    let bench = Bench::new();
    let away = "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n";
    fs::write(bench.programs.join("docker"), away).unwrap();
    let document = bench.check();
    for source in ["services", "kept", "kept_running", "feature", "content", "containers"] {
        let rows = document["sources"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == source).unwrap();
        assert_ne!(row["quality"], "fresh", "{row}");
        assert!(row["error"].to_string().contains("Cannot connect"), "{row}");
    }
    for check in ["services", "kept"] {
        let rows = document["checks"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == check).unwrap();
        assert!(!row["reason"].to_string().contains("is 0"), "{row}");
        assert_ne!(row["verdict"], "ok", "{row}");
    }
}

#[test]
fn a_container_that_was_stopped_or_never_started_is_a_fault_unless_it_runs_once() {
    let bench = Bench::new();
    let services = || {
        let document = bench.check();
        let rows = document["checks"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == "services").unwrap();
        (row["verdict"].to_string(), row["reason"].to_string())
    };
    assert_eq!(services(), ("\"ok\"".to_owned(), "\"running 5\"".to_owned()));
    bench.docker(&["compose", "-f", &bench.compose(), "stop", "redis"]);
    let (verdict, reason) = services();
    assert_eq!(verdict, "\"warning\"", "{reason}");
    assert!(reason.contains("not_running is 1"), "{reason}");
}

#[test]
fn the_doctor_finds_what_is_planted() {
    let bench = Bench::with("profile = \"redcube\"\n");
    wait_until("there are enough requests for a percentile", || {
        let log = bench.docker(&["compose", "-f", &bench.compose(), "logs", "content-service"]);
        log.matches("request.completed").count() > 40
    });
    let output = bench.watchfloor(&["doctor", "--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let findings = document["findings"].as_array().unwrap();
    let found: Vec<String> = findings
        .iter()
        .filter(|finding| !["ok", "skipped"].contains(&finding["verdict"].as_str().unwrap()))
        .filter(|finding| {
            // True of everything on a machine where nobody has practised yet, and of a log whose
            // console has just begun.
            let what = finding["what"].as_str().unwrap();
            !what.starts_with("never drilled") && !what.starts_with("of the last 1h only")
        })
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default();
            format!("{} {} {}: {}", text("verdict"), text("subject"), text("id"), text("what"))
        })
        .collect();
    let wanted = PLANTED.map(|(thing, words)| format!("{thing}: {words}"));
    let left: Vec<&String> = found
        .iter()
        .filter(|found| !wanted.iter().any(|wanted| found.starts_with(wanted.as_str())))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    for wanted in &wanted {
        assert!(
            found.iter().any(|found| found.starts_with(wanted.as_str())),
            "{wanted}: {found:#?}"
        );
    }
}
