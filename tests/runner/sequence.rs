//! Several steps, one after the other: what is passed on, where it stops, and what is known
//! after its runner was killed in the middle.

use std::{
    io::Read,
    sync::atomic::{AtomicUsize, Ordering},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{
    Place,
    common::{
        postgres::PostgresServer,
        raw::{Exchange, RawServer, answer},
    },
    eventually, fs,
};

/// What a request said: its head, and its body.
fn taken(exchange: &mut Exchange) -> (String, String) {
    let head = exchange.request();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    exchange.stream.read_exact(&mut body).expect("the body");
    (head, String::from_utf8(body).expect("text"))
}

/// A vendor that makes deployments, which are ready at the third look.
fn vendor() -> RawServer {
    let looks = AtomicUsize::new(0);
    RawServer::start(move |exchange| {
        let (head, body) = taken(exchange);
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let (status, answered) = match path.as_str() {
            "/env?upsert=true" => (
                "201 Created",
                r#"{"created":{"id":"00123456789012345678901"},"failed":[]}"#.to_owned(),
            ),
            path if path.starts_with("/deploy/") => {
                let sent: Value = serde_json::from_str(&body).expect("JSON");
                ("200 OK", serde_json::json!({"dpl": "dpl a/1", "got": sent}).to_string())
            }
            path if path.starts_with("/deployments/") => {
                let state =
                    ["QUEUED", "BUILDING", "READY"][looks.fetch_add(1, Ordering::SeqCst).min(2)];
                ("200 OK", serde_json::json!({ "state": state }).to_string())
            }
            "/stuck" => ("200 OK", r#"{"state":"pending"}"#.to_owned()),
            "/broken" => ("200 OK", r#"{"state":"ERROR"}"#.to_owned()),
            "/no" => ("409 Conflict", r#"{"error":"another one is under way"}"#.to_owned()),
            _ => return,
        };
        exchange.send(answer(status, &["Content-Type: application/json"], &answered).as_bytes());
    })
}

fn place(vendor: &RawServer, steps: &str) -> Place {
    let text = format!(
        "[action.go]\nkind = \"sequence\"\nguard = \"G1\"\ncooldown = \"0s\"\n{}",
        steps.replace("VENDOR", &vendor.url(""))
    );
    Place::new(&text)
}

/// The one result in the journal.
fn result(place: &Place) -> (String, String, Value) {
    let finish = place.of_kind("finish");
    assert_eq!(finish.len(), 1, "{finish:?}");
    let result = &finish[0]["result"];
    let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
    (text("claim"), text("summary"), result["readings"].clone())
}

/// `1 begin`, `1 end done` and so on.
fn marks(place: &Place) -> Vec<String> {
    let steps = place.of_kind("step");
    let marked = steps.iter().filter(|line| line["step"].is_object()).map(|line| {
        let step = &line["step"];
        let claim = step["claim"].as_str().map(|claim| format!(" {claim}")).unwrap_or_default();
        format!("{} {}{claim}", step["number"], step["phase"].as_str().unwrap())
    });
    marked.collect()
}

const WHOLE: &str = r#"
[[action.go.step]]
kind = "http"
name = "set"
url = "VENDOR/env?upsert=true"
body = { key = "DISABLE_REDIS", value = "true" }
readings = { id = "$.created.id", failed = { count = "$.failed[*]" } }
verify = ["status == 201", "result.failed == 0"]
[[action.go.step]]
kind = "http"
name = "deploy"
url = "VENDOR/deploy/${step.set.id}?force=1"
body = { deploymentId = "${step.set.id}", meta = { by = "watchfloor" } }
headers = { X-From = "env ${step.set.id}" }
idempotency_key_header = "Idempotency-Key"
readings = { dpl = "$.dpl", got = "$.got.deploymentId" }
[[action.go.step]]
kind = "wait"
name = "ready"
url = "VENDOR/deployments/${step.deploy.dpl}"
every = "100ms"
readings = { state = "$.state" }
until = ["state == \"READY\""]
fail_when = ["state in [\"ERROR\", \"CANCELED\"]"]
[[action.go.step]]
kind = "command"
name = "note"
argv = ["printf", "%s\n", "${step.deploy.dpl}"]
verify = ["exit_code == 0", "output == \"dpl a/1\""]
"#;

#[test]
fn each_step_gets_what_the_earlier_ones_brought() {
    let vendor = vendor();
    let place = place(&vendor, WHOLE);
    let (code, said, complaint) = place.tell(&["run", "go"]);
    assert_eq!(code, 3, "nothing proves it: {said}{complaint}");
    let (claim, summary, readings) = result(&place);
    assert_eq!((claim.as_str(), summary.as_str()), ("done", "all 4 steps done"), "{said}");
    assert_eq!(readings["ready_state"]["text"], "READY", "{readings}");
    let run = place.of_kind("intent")[0]["run"].as_str().unwrap().to_owned();
    let mut requests = vendor.requests();
    // The preview connects, and sends nothing.
    requests.retain(|head| !head.is_empty());
    assert!(
        requests[1].starts_with("POST /deploy/00123456789012345678901?force=1 "),
        "{requests:?}"
    );
    let head = requests[1].to_ascii_lowercase();
    assert!(head.contains("x-from: env 00123456789012345678901"), "{head}");
    assert!(head.contains(&format!("idempotency-key: {}-2", run.to_ascii_lowercase())), "{head}");
    let looks: Vec<_> = requests.iter().filter(|head| head.starts_with("GET ")).collect();
    assert_eq!(looks.len(), 3, "{requests:?}");
    assert!(looks[0].starts_with("GET /deployments/dpl%20a%2F1 "), "{looks:?}");
    let expected = [
        "1 begin",
        "1 end done",
        "2 begin",
        "2 end done",
        "3 begin",
        "3 end done",
        "4 begin",
        "4 end done",
    ];
    assert_eq!(marks(&place), expected);
    let request = place.of_kind("intent")[0]["request"].to_string();
    for part in [
        "step 2 of 4: deploy, at most 30s",
        "/deploy/‹result of step 1: id›?force=1",
        "x-from: env ‹result of step 1: id›",
        "and goes on only where status == 201",
        "idempotency-key: (the name of the run)",
        "content-length: ‹that of the body›",
    ] {
        assert!(request.contains(part), "{part}: {request}");
    }
    place.verify();
}

#[test]
fn it_stops_where_a_step_fails_and_says_what_was_done() {
    let table = [
        (
            "kind = \"http\"\nurl = \"VENDOR/no\"",
            "refused",
            "1 of 3 done; step 2 (second) failed: 409 Conflict",
        ),
        (
            "kind = \"http\"\nurl = \"VENDOR/env?upsert=true\"\nverify = [\"status == 200\"]",
            "refused",
            "step 2 (second) failed: 201 Created, but not status == 200: status is 201",
        ),
        (
            "kind = \"http\"\nurl = \"VENDOR/env?upsert=true\"\nreadings = { x = \"$.x\" }\nverify = [\"x == 1\"]",
            "unclear",
            "step 2 (second) is unclear: 201 Created, but whether x == 1 is not known: there is no x",
        ),
        // The connection is closed without an answer.
        (
            "kind = \"http\"\nurl = \"VENDOR/lost\"",
            "unclear",
            "1 of 3 done; step 2 (second) is unclear: it was sent, and the connection ended",
        ),
        (
            "kind = \"wait\"\nurl = \"VENDOR/broken\"\nevery = \"100ms\"\nreadings = { state = \"$.state\" }\nuntil = [\"state == \\\"READY\\\"\"]\nfail_when = [\"state == \\\"ERROR\\\"\"]",
            "refused",
            "step 2 (second) failed: state is ERROR, and it fails when state == \"ERROR\"",
        ),
        (
            "kind = \"wait\"\nurl = \"VENDOR/stuck\"\nevery = \"100ms\"\ntimeout = \"1s\"\nreadings = { job_status = \"$.state\" }\nuntil = [\"job_status == \\\"done\\\"\"]",
            "refused",
            "step 2 (second) failed: waited 1s, job_status still pending",
        ),
        (
            "kind = \"wait\"\nurl = \"VENDOR/lost\"\nevery = \"100ms\"\ntimeout = \"1s\"\nuntil = [\"status == 200\"]",
            "unclear",
            "step 2 (second) is unclear: waited 1s, could not look: ",
        ),
        (
            "kind = \"wait\"\nargv = [\"sh\", \"-c\", \"echo almost\"]\nevery = \"100ms\"\ntimeout = \"1s\"\nuntil = [\"output == \\\"over\\\"\"]",
            "refused",
            "waited 1s, output still almost",
        ),
        (
            "kind = \"command\"\nargv = [\"false\"]",
            "refused",
            "step 2 (second) failed: exit code 1",
        ),
    ];
    for (second, claim, expected) in table {
        let vendor = vendor();
        let place = place(
            &vendor,
            &format!(
                "[[action.go.step]]\nname = \"first\"\nkind = \"command\"\nargv = [\"true\"]\n\
                 [[action.go.step]]\nname = \"second\"\n{second}\n\
                 [[action.go.step]]\nname = \"third\"\nkind = \"command\"\nargv = [\"touch\", \"@/done\"]\n"
            ).replace('@', "PLACE"),
        );
        let config = place.path("watchfloor.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace("PLACE", place.directory.path().to_str().unwrap()))
            .unwrap();
        let (_, said, complaint) = place.tell(&["run", "go"]);
        let (found, summary, _) = result(&place);
        assert_eq!(found, claim, "{summary} {said}{complaint}");
        assert!(summary.contains(expected), "{summary}\n{expected}");
        assert!(summary.contains("step 3 never began"), "{summary}");
        assert!(summary.ends_with("nothing undone"), "{summary}");
        assert_eq!(marks(&place)[..3], ["1 begin", "1 end done", "2 begin"]);
        assert!(!place.path("done").exists());
    }
}

#[test]
fn where_not_even_the_first_step_begins_nothing_was_sent() {
    let place = Place::new(
        "[action.go]\nkind = \"sequence\"\nguard = \"G1\"\n\
         [[action.go.step]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
         [[action.go.step]]\nname = \"b\"\nkind = \"command\"\nargv = [\"true\"]\n",
    );
    place.tell(&["run", "go"]);
    let (claim, summary, _) = result(&place);
    assert_eq!(claim, "not_sent", "{summary}");
    assert!(place.of_kind("start").is_empty() && marks(&place).is_empty());
}

const SLOW: &str = r#"
[action.go]
kind = "sequence"
guard = "G1"
cooldown = "0s"
[[action.go.step]]
kind = "command"
name = "first"
argv = ["sh", "-c", "echo first >> @/done"]
[[action.go.step]]
kind = "command"
name = "slow"
argv = ["sh", "-c", "echo begun >> @/done; while [ ! -e @/go ]; do sleep 0.05; done; echo slow >> @/done"]
[[action.go.step]]
kind = "command"
name = "last"
argv = ["sh", "-c", "echo last >> @/done"]
"#;

/// A run in the middle of its second step: its runner and its program.
fn in_the_second() -> (Place, i32, i32) {
    let place = Place::new(SLOW);
    let (code, said, complaint) = place.tell(&["run", "go", "--detach"]);
    assert_eq!(code, 3, "{said}{complaint}");
    eventually("the second step", || place.of_kind("process").len() == 2 && place.done() == 2);
    let pid = |line: &Value| i32::try_from(line["process"]["pid"].as_i64().unwrap()).unwrap();
    let (runner, program) =
        (pid(&place.of_kind("supervisor")[0]), pid(&place.of_kind("process")[1]));
    (place, runner, program)
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn killed_in_the_middle_of_a_step_the_next_console_says_which_one() {
    let (place, runner, program) = in_the_second();
    kill(runner);
    kill(program);
    eventually("the end of the run to be written down", || {
        place.tell(&["live", "--headless", "--for", "2s"]);
        place.of_kind("finish").len() == 1
    });
    let (claim, summary, _) = result(&place);
    assert_eq!(claim, "unclear");
    let expected = "1 of 3 done; step 2 (slow) had begun, and whether it acted is not known; step 3 never began";
    assert!(summary.contains(expected), "{summary}");
    let done = fs::read_to_string(place.path("done")).unwrap();
    assert_eq!(done, "first\nbegun\n", "nothing is tried again, and nothing goes on");
    place.verify();
}

#[test]
fn a_step_that_is_stopped_stops_the_rest() {
    let (place, ..) = in_the_second();
    let run = place.of_kind("intent")[0]["run"].as_str().unwrap().to_owned();
    let (actions, _) = watchfloor::actions::Actions::open(
        &place.state(),
        std::sync::Arc::new(|| watchfloor::domain::time::Moment {
            mono: std::time::Duration::ZERO,
            wall: jiff::Timestamp::now(),
        }),
    )
    .unwrap();
    actions.cancel(&run.as_str().into(), &"go".into(), "enough").unwrap();
    eventually("the end of the run", || place.of_kind("finish").len() == 1);
    let (claim, summary, _) = result(&place);
    assert_eq!(claim, "cancelled", "{summary}");
    assert!(summary.contains("1 of 3 done; step 2 (slow) was stopped"), "{summary}");
    assert!(!fs::read_to_string(place.path("done")).unwrap().contains("last"));
}

#[test]
fn a_variable_is_set_in_its_file_and_the_old_file_is_kept() {
    let place = Place::new(
        r#"
[action.go]
kind = "sequence"
guard = "G1"
[[action.go.step]]
kind = "command"
name = "which"
argv = ["echo", "off now"]
[[action.go.step]]
kind = "env_file"
name = "flag"
path = "@/.env"
set = { FEATURE = "${step.which.output}", NEW = "1" }
"#,
    );
    let before = "SECRET=abc\nFEATURE=true\nLAST=1";
    fs::write(place.path(".env"), before).unwrap();
    let (_, said, complaint) = place.tell(&["run", "go"]);
    let (claim, summary, _) = result(&place);
    assert_eq!(claim, "done", "{summary}{said}{complaint}");
    let after = fs::read_to_string(place.path(".env")).unwrap();
    assert_eq!(after, "SECRET=abc\nFEATURE=off now\nLAST=1\nNEW=1\n");
    let copies: Vec<_> = fs::read_dir(place.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".env."))
        .collect();
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert!(copies[0].to_string_lossy().contains(".env.bak-"), "{copies:?}");
    assert_eq!(fs::read_to_string(&copies[0]).unwrap(), before);
}

#[test]
fn a_row_is_waited_for_and_a_value_of_it_is_bound() {
    let server = PostgresServer::start(&[]);
    server.sql(
        "CREATE ROLE ops LOGIN; CREATE TABLE jobs (id bigint, state text);
         INSERT INTO jobs VALUES (9007199254740993, 'new'), (1, 'new'); GRANT ALL ON jobs TO ops;",
    );
    let text = r#"
[source.db]
kind = "postgres"
url = "postgres://localhost:PORT/postgres?user=ops&host=HOST"
sslmode = "disable"
[action.go]
kind = "sequence"
guard = "G1"
[[action.go.step]]
kind = "wait"
name = "find"
source = "db"
query = "SELECT id, state FROM jobs WHERE id > $1"
parameters = ["100"]
every = "100ms"
until = ["state == \"new\""]
[[action.go.step]]
kind = "sql"
name = "start"
source = "db"
statements = ["UPDATE jobs SET state = 'started' WHERE id = $1"]
parameters = ["${step.find.id}"]
rows_at_most = 1
verify = ["rows == 1"]
"#;
    let text = text
        .replace("HOST", server.dir.path().to_str().unwrap())
        .replace("PORT", &server.port.to_string());
    let place = Place::new(&text);
    let (code, said, complaint) = place.tell(&["run", "go"]);
    assert_eq!(code, 3, "{said}{complaint}");
    let (claim, summary, _) = result(&place);
    assert_eq!(claim, "done", "{summary}");
    assert_eq!(server.sql("SELECT id FROM jobs WHERE state = 'started'"), "9007199254740993");
}
