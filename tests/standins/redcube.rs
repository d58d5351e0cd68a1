//! RedCube: the docker that is not one, the scripts that ask and the scripts that lie, and the
//! two databases.

use std::{io::Write, process::Stdio};

use tokio::task::spawn_blocking;
use watchfloor::demo::System;

use super::harness::{Harness, until};

/// The exit code of a script in the project, what it printed, and what it complained about.
type Ran = (Option<i32>, String, String);

impl Harness {
    /// Runs a program of the stand-in in the project's directory, with this to read.
    async fn run(&self, program: &str, arguments: &[&str], input: &str) -> Ran {
        let programs = self.demo.programs().unwrap().display().to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        let mut command = std::process::Command::new(program);
        command.args(arguments).current_dir(self.variable("REDCUBE_DIR")).env("PATH", path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let input = input.to_owned();
        spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            // It may have ended before it has read everything.
            let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
            let output = child.wait_with_output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (output.status.code(), text(&output.stdout), text(&output.stderr))
        })
        .await
        .unwrap()
    }

    async fn docker(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self
            .run(&format!("{}/docker", self.demo.programs().unwrap().display()), arguments, "")
            .await;
        assert_eq!(code, Some(0), "{arguments:?}: {err}");
        out.trim_end().to_owned()
    }

    async fn started(&self) -> String {
        let name = "redcube3_xhs-content-service-1";
        self.docker(&["inspect", "-f", "{{.State.StartedAt}}", name]).await
    }

    async fn count(&self, base: &str, sql: &str) -> i64 {
        self.sql(base).await.query_one(sql, &[]).await.unwrap().get(0)
    }
}

const FULL: &str = "./scripts/full-rollback.sh";
const TRIGGERS: &str =
    "SELECT count(*) FROM pg_trigger WHERE tgname = 'trigger_sync_user_to_postgres'";

#[tokio::test]
async fn the_full_rollback_asks_and_does_nothing_without_an_answer() {
    let it = Harness::start(System::RedCube).await;
    it.demo.toggle("bad-image");
    let before = it.started().await;
    assert_eq!(it.run(FULL, &[], "").await.0, Some(1), "nobody answers");
    assert_eq!(it.run(FULL, &[], "no\n").await.0, Some(0), "no is not an error");
    assert_eq!(it.started().await, before, "and neither has done anything");
    // It asks a second time after half of its work.
    assert_eq!(it.run(FULL, &[], "yes\n").await.0, Some(1));
    assert_ne!(it.started().await, before);
    let (code, said, _) = it.run(FULL, &[], "yes\nyes\n99\n").await;
    assert_eq!(code, Some(0));
    assert!(said.contains("Rollback successful") && said.contains("Migration Rollback Complete"));
    assert_eq!(it.demo.active(), ["bad-image"], "the same image runs");
    let triggers = it.count("REDCUBE_USERS_DATABASE_URL", TRIGGERS).await;
    assert_eq!(triggers, 1, "no statement reached the database");
    it.demo.stop().await;
}

#[tokio::test]
async fn a_container_is_made_anew_from_what_is_called_latest() {
    let it = Harness::start(System::RedCube).await;
    it.demo.toggle("bad-image");
    let path = "/api/content/interview-intel/experiences?limit=1";
    let status = async || it.get("REDCUBE_URL", path).await.status().as_u16();
    until("the bad image fails", async || status().await == 500).await;
    assert_eq!(it.get("REDCUBE_URL", "/api/content/health").await.status(), 200);
    let up = ["compose", "up", "-d", "--no-deps", "--force-recreate", "content-service"];
    it.docker(&up).await;
    until("it runs again", async || status().await == 500).await;
    it.docker(&[
        "tag",
        "redcube3_xhs-content-service:previous",
        "redcube3_xhs-content-service:latest",
    ])
    .await;
    it.docker(&["compose", "restart", "content-service"]).await;
    until("the bad image is still there", async || status().await == 500).await;
    it.docker(&["compose", "up", "-d", "content-service"]).await;
    until("the good one answers", async || status().await == 200).await;
    until("the fault is over", async || it.demo.active().is_empty()).await;
    it.demo.stop().await;
}

#[tokio::test]
async fn the_user_sync_is_mended_by_its_migration_and_postgres_by_a_restart() {
    let it = Harness::start(System::RedCube).await;
    it.demo.toggle("sync-broken");
    let missing = "SELECT count(*) FROM v_user_sync_missing";
    let users = "REDCUBE_USERS_DATABASE_URL";
    until("somebody is missing", async || it.count(users, missing).await > 0).await;
    let file = "/docker-entrypoint-initdb.d/99-user-sync-trigger.sql";
    let psql = ["exec", "redcube_postgres", "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-1"];
    it.docker(&[&psql[..], &["-U", "postgres", "-d", "redcube_users", "-f", file]].concat()).await;
    assert_eq!(it.count(users, missing).await, 0);
    until("the fault is over", async || it.demo.active().is_empty()).await;

    it.demo.toggle("postgres-down");
    let config: tokio_postgres::Config = it.variable(users).parse().unwrap();
    let answers = async || config.connect(tokio_postgres::NoTls).await.is_ok();
    until("it is down", async || !answers().await).await;
    let sync = it.docker(&["compose", "ps", "--all", "--format", "json"]).await;
    assert!(sync.contains("\"ExitCode\":137"), "{sync}");
    it.docker(&["compose", "restart", "-t", "30", "postgres"]).await;
    until("it is back", async || answers().await).await;
    assert_eq!(it.demo.active(), [""; 0]);
    it.demo.stop().await;
}
