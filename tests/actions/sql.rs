//! Changes of a real database: all of a transaction or nothing of it, whatever breaks.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    time::Duration,
};

use watchfloor::{
    config::{
        profile::{ActionConfig, ActionKind, PostgresSource, SqlAction, SslMode, Text, TlsOptions},
        secret::Secret,
    },
    domain::{
        action::{ActionOutcome, ActionStage, Claim},
        ask::Answers,
        value::Value,
    },
};

use super::{Desk, action, assert_not_sent, eventually, found_in, reading};
use crate::common::postgres::PostgresServer;

const PASSWORD: &str = "sql-canary-password";

/// A server with a table of jobs, a role that may change it and one that may only look.
fn server() -> PostgresServer {
    let server = PostgresServer::start(&[]);
    server.sql(&format!(
        "CREATE ROLE ops LOGIN PASSWORD '{PASSWORD}';
         CREATE ROLE looker LOGIN PASSWORD '{PASSWORD}';
         GRANT CREATE ON SCHEMA public TO ops;
         SET ROLE ops;
         CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL);
         CREATE TABLE parts (job int REFERENCES jobs ON DELETE CASCADE);
         INSERT INTO jobs SELECT n, 'failed' FROM generate_series(1, 120) n;
         INSERT INTO parts SELECT n % 3 + 1 FROM generate_series(1, 30) n;
         CREATE FUNCTION calculate_price(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
         GRANT SELECT ON jobs TO looker;"
    ));
    server
}

fn to(server: &PostgresServer, statements: &[&str]) -> SqlAction {
    SqlAction {
        source: None,
        server: PostgresSource {
            host: "127.0.0.1".to_owned(),
            port: server.port,
            database: "postgres".to_owned(),
            user: "ops".to_owned(),
            password: Some(Secret::new(PASSWORD.to_owned(), "env OPS_PASSWORD")),
            sslmode: SslMode::Disable,
            tls: TlsOptions::default(),
            statement_timeout: Duration::ZERO,
            long_query: Duration::ZERO,
            queries: Vec::new(),
        },
        statements: statements.iter().map(|text| (*text).to_owned()).collect(),
        parameters: Vec::new(),
        rows_at_most: 10,
        count: None,
        deny: Vec::new(),
        lock_timeout: Duration::from_millis(300),
        statement_timeout: Duration::from_secs(5),
    }
}

fn configured(sql: SqlAction) -> ActionConfig {
    action(ActionKind::Sql(Box::new(sql)), Duration::from_secs(20))
}

fn queued(server: &PostgresServer) -> String {
    server.sql("SELECT count(*) FROM jobs WHERE state = 'queued'")
}

#[tokio::test]
async fn rows_change_together_and_what_was_done_is_counted() {
    let (server, desk) = (server(), Desk::new());
    let sql = SqlAction {
        parameters: vec![
            Text::Plain("queued'; DROP TABLE jobs; --".to_owned()),
            Text::Plain("7".to_owned()),
        ],
        count: Some("SELECT count(*) FROM jobs WHERE id = $2 -- one".to_owned()),
        ..to(
            &server,
            &["UPDATE jobs SET state = $1 WHERE id = $2;", "DELETE FROM jobs WHERE id = $2 + 1"],
        )
    };
    let config = configured(sql);
    let preview = desk.preview(&config).await;
    assert_eq!(preview.refusals, Vec::<String>::new());
    let request = preview.request.join("\n");
    for part in [
        "postgres://ops@127.0.0.1:",
        "/postgres",
        "BEGIN",
        "UPDATE jobs",
        "$2 = \"7\"",
        "at most 10 rows",
    ] {
        assert!(request.contains(part), "{part}: {request}");
    }
    let findings = preview.findings.join("\n");
    for part in ["connected as ops to postgres", "1 row now", "2 statements looked at"] {
        assert!(findings.contains(part), "{part}: {findings}");
    }
    assert_eq!(server.sql("SELECT count(*) FROM jobs"), "120", "the preview only looks");

    let (result, _) = desk.run(&config).await;
    assert_eq!(result.claim, Claim::Done, "{}", result.summary);
    assert!(result.summary.contains("UPDATE 1 row; DELETE 1 row"), "{}", result.summary);
    assert_eq!(reading(&result, "rows"), Some(&Value::Number(2.0)));
    let number = match reading(&result, "transaction") {
        Some(Value::Text(number)) => number.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        other => panic!("no transaction: {other:?}"),
    };
    assert_eq!(server.sql(&format!("SELECT txid_status({number})")), "committed");
    assert_eq!(server.sql("SELECT state FROM jobs WHERE id = 7"), "queued'; DROP TABLE jobs; --");
    assert_eq!(server.sql("SELECT count(*) FROM jobs"), "119");
    let steps: Vec<String> = desk
        .lines()
        .iter()
        .filter(|line| line["kind"] == "step")
        .map(|line| line["text"].as_str().expect("a text").to_owned())
        .collect();
    assert!(
        steps.iter().any(|step| *step == format!("COMMIT of transaction {number}")),
        "{steps:?}"
    );
    assert_eq!(found_in(&desk.state(), PASSWORD), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn too_many_rows_are_rolled_back_whoever_changes_them() {
    let (server, desk) = (server(), Desk::new());
    let (result, _) =
        desk.run(&configured(to(&server, &["UPDATE jobs SET state = 'queued'"]))).await;
    assert_eq!(result.claim, Claim::Refused);
    assert!(result.summary.contains("would have changed 120 rows, limit 10"), "{}", result.summary);
    assert!(result.summary.ends_with("rolled back, nothing changed"), "{}", result.summary);
    assert_eq!(queued(&server), "0");

    // Three jobs, and thirty parts with them.
    let (result, _) = desk.run(&configured(to(&server, &["DELETE FROM jobs WHERE id <= 3"]))).await;
    assert_eq!(result.claim, Claim::Refused);
    assert!(result.summary.contains("changed 33 rows, limit 10"), "{}", result.summary);
    assert!(result.summary.contains("30 rows more by triggers, cascades"), "{}", result.summary);

    // Inside of a SELECT, and inside of a block.
    for hidden in [
        "WITH gone AS (DELETE FROM jobs RETURNING 1) SELECT count(*) FROM gone",
        "DO $$ BEGIN DELETE FROM jobs; END $$",
    ] {
        let (result, _) = desk.run(&configured(to(&server, &[hidden]))).await;
        assert_eq!(result.claim, Claim::Refused, "{}", result.summary);
        assert!(result.summary.contains("limit 10"), "{}", result.summary);
    }
    assert_eq!(server.sql("SELECT count(*) FROM jobs"), "120");

    // What the count says already is not even started.
    let sql = SqlAction {
        count: Some("SELECT count(*) FROM jobs".to_owned()),
        ..to(&server, &["UPDATE jobs SET state = 'queued'"])
    };
    let preview = desk.preview(&configured(sql)).await;
    assert!(
        preview.refusals[0].contains("120 rows would change, and the limit is 10"),
        "{:?}",
        preview.refusals
    );
}

#[tokio::test]
async fn an_error_leaves_nothing_behind() {
    let (server, desk) = (server(), Desk::new());
    let first = "UPDATE jobs SET state = 'queued' WHERE id = 1";
    server.sql("ALTER TABLE parts ALTER CONSTRAINT parts_job_fkey DEFERRABLE INITIALLY DEFERRED");
    for (second, why) in [
        ("INSERT INTO jobs VALUES (1, 'x')", "statement 2: duplicate key"),
        // Put off to the end, and looked at before it.
        ("INSERT INTO parts VALUES (9999)", "violates foreign key"),
    ] {
        let (result, _) = desk.run(&configured(to(&server, &[first, second]))).await;
        assert_eq!(result.claim, Claim::Refused, "{}", result.summary);
        assert!(result.summary.contains(why), "{}", result.summary);
        assert!(result.summary.ends_with("nothing changed"), "{}", result.summary);
        assert_eq!(queued(&server), "0");
    }
}

#[tokio::test]
async fn what_the_role_may_not_do_is_found_before() {
    let (server, desk) = (server(), Desk::new());
    let mut sql = to(&server, &["UPDATE jobs SET state = 'queued' WHERE id = 1"]);
    sql.server.user = "looker".to_owned();
    let preview = desk.preview(&configured(sql.clone())).await;
    let why = preview.refusals.join("\n");
    assert!(why.contains("statement 1: permission denied for table jobs"), "{why}");
    // Even so nothing changes: the rights may go after the preview.
    let started = desk.start(&configured(sql.clone()), &preview.digest);
    let (result, _) = started.finish().await;
    assert_eq!(result.claim, Claim::Refused, "{}", result.summary);
    assert!(result.summary.contains("permission denied"), "{}", result.summary);

    for (statement, why) in [
        ("UPDATE jobz SET state = 'x'", "relation \"jobz\" does not exist"),
        ("UPDATE jobs SET stat = 'x'", "column \"stat\" of relation \"jobs\" does not exist"),
        ("UPDATE jobs SET state = 'x' WHERE id = 'seven'", "invalid input syntax"),
        ("ALTER TABLE jobs DROP COLUM state,", "syntax error"),
    ] {
        let preview = desk.preview(&configured(to(&server, &[statement]))).await;
        assert!(preview.refusals.join("\n").contains(why), "{statement}: {:?}", preview.refusals);
    }
    sql.server.password = Some(Secret::new("wrong-password".to_owned(), "env OPS_PASSWORD"));
    let config = configured(sql);
    let nothing = Answers::none();
    let previewed = desk.actions.preview(&config, &nothing, watchfloor::actions::new_run_id(), &[]);
    let failure = previewed.await.outcome.expect_err("nobody is let in");
    assert!(failure.to_string().contains("password authentication failed"), "{failure}");
}

#[tokio::test]
async fn what_is_made_and_dropped_counts_as_no_rows_but_functions_stay() {
    let (server, desk) = (server(), Desk::new());
    let made = to(&server, &["CREATE TABLE marks (n int)", "INSERT INTO marks VALUES (1)"]);
    let preview = desk.preview(&configured(made.clone())).await;
    assert_eq!(preview.refusals, Vec::<String>::new());
    let findings = preview.findings.join("\n");
    assert!(findings.contains("of statement 1 only the grammar"), "{findings}");
    assert!(findings.contains("statement 2 was not looked at"), "{findings}");
    let (result, _) = desk.run(&configured(made)).await;
    assert_eq!(result.claim, Claim::Done, "{}", result.summary);
    assert_eq!(reading(&result, "rows"), Some(&Value::Number(1.0)));

    let deny = vec!["calculate_*".to_owned()];
    let named =
        SqlAction { deny: deny.clone(), ..to(&server, &["DROP FUNCTION calculate_price(int)"]) };
    let preview = desk.preview(&configured(named)).await;
    assert!(preview.refusals[0].contains("drops calculate_price"), "{:?}", preview.refusals);
    // Put together only while it runs.
    let hidden = "DO $$ BEGIN EXECUTE 'DR' || 'OP FUNCTION calculate_' || 'price(int)'; END $$";
    let hidden = SqlAction { deny, ..to(&server, &[hidden]) };
    let (result, _) = desk.run(&configured(hidden)).await;
    assert_eq!(result.claim, Claim::Refused);
    assert!(
        result.summary.contains("would have dropped calculate_price(integer)"),
        "{}",
        result.summary
    );
    assert_eq!(server.sql("SELECT calculate_price(3)"), "3");
}

#[tokio::test]
async fn a_lock_is_not_waited_for_for_long() {
    let (server, desk) = (server(), Desk::new());
    let _other = server.background("postgres", "BEGIN; LOCK TABLE jobs; SELECT pg_sleep(600)");
    eventually("the lock to be held", || {
        server.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'jobs'::regclass") == "1"
    })
    .await;
    let config = configured(to(&server, &["UPDATE jobs SET state = 'queued' WHERE id = 1"]));
    let preview = desk.preview(&config).await;
    let started = desk.start(&config, &preview.digest);
    let (result, _) = started.finish().await;
    assert_eq!(result.claim, Claim::Refused, "{}", result.summary);
    assert!(result.summary.contains("lock timeout"), "{}", result.summary);
    let cure = "somebody else holds a lock on what it needs, and kept it for longer than \
                lock_timeout, 300ms; the database pane shows who blocks";
    assert!(result.summary.contains(cure), "{}", result.summary);
    assert!(result.summary.ends_with("nothing changed"), "{}", result.summary);
}

#[tokio::test]
async fn stopped_before_its_end_it_changes_nothing() {
    let (server, desk) = (server(), Desk::new());
    let sql = SqlAction {
        statement_timeout: Duration::from_secs(60),
        ..to(&server, &["UPDATE jobs SET state = 'queued' WHERE id = 1", "SELECT pg_sleep(600)"])
    };
    let config = configured(sql);
    let digest = desk.preview(&config).await.digest;
    let mut started = desk.start(&config, &digest);
    started.until(|stage| *stage == ActionStage::Started).await;
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";
    eventually("the second statement", || server.sql(sleeps) == "1").await;
    started.stop();
    let (result, _) = {
        let mut last = None;
        while let Some(event) = started.next().await {
            if let ActionStage::Finished(result) = event.stage {
                last = Some(result);
            }
        }
        (last.expect("an end"), ())
    };
    assert_eq!(result.claim, Claim::Cancelled, "{}", result.summary);
    assert!(result.summary.ends_with("rolled back, nothing changed"), "{}", result.summary);
    assert_eq!(queued(&server), "0");
    eventually("the statement to be given up", || server.sql(sleeps) == "0").await;
}

/// Passes everything on to a server until the client sends COMMIT; then what of it arrives
/// is as the test wants, and both sides are closed before any answer.
fn breaks_at_commit(port: u16, delivered: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let own = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)) else { return };
            let (mut back, mut to_client) =
                (server.try_clone().expect("a handle"), client.try_clone().expect("a handle"));
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut back, &mut to_client);
            });
            std::thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(count @ 1..) = client.read(&mut chunk) {
                    let commit = chunk[..count].windows(7).any(|bytes| bytes == b"COMMIT\0");
                    if commit {
                        let _ = client.shutdown(Shutdown::Both);
                    }
                    if (!commit || delivered) && server.write_all(&chunk[..count]).is_err() {
                        return;
                    }
                    if commit {
                        let _ = server.shutdown(Shutdown::Write);
                        return;
                    }
                }
            });
        }
    });
    own
}

#[tokio::test]
async fn a_connection_that_breaks_at_commit_leaves_the_outcome_open() {
    for delivered in [true, false] {
        let (server, desk) = (server(), Desk::new());
        let mut sql = to(&server, &["UPDATE jobs SET state = 'queued' WHERE id = 1"]);
        sql.server.port = breaks_at_commit(server.port, delivered);
        let (result, _) = desk.run(&configured(sql)).await;
        assert_eq!(result.claim, Claim::Unclear, "{}", result.summary);
        assert!(result.summary.contains("it may be committed"), "{}", result.summary);
        // What is said is enough to find out.
        let ask = result.summary.split("to know, ").nth(1).expect("how to ask").to_owned();
        let truth = if delivered { "committed" } else { "aborted" };
        eventually("the end of the transaction", || server.sql(&ask) == truth).await;
        let expected = if delivered { "1" } else { "0" };
        assert_eq!(queued(&server), expected);
        let starts = desk.kinds().iter().filter(|kind| *kind == "start").count();
        assert_eq!(starts, 1, "nothing is tried again");
        let past = desk.actions.history(1);
        assert_eq!(past[0].outcome, ActionOutcome::Unknown);
    }
}

#[tokio::test]
async fn before_anything_runs_nothing_counts_as_sent() {
    let desk = Desk::new();
    let mut server = server();
    let config = configured(to(&server, &["UPDATE jobs SET state = 'queued' WHERE id = 1"]));
    let digest = desk.preview(&config).await.digest;
    server.stop();
    let (result, stages) = desk.start(&config, &digest).finish().await;
    assert_not_sent(&result, "refused");
    assert!(!stages.contains(&ActionStage::Started));
}
