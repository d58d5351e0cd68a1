//! What is asked for, in the steps of a sequence: each step gets it where it stands, and what an
//! earlier step brought is only known when the step is due.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{
    Place,
    common::raw::{RawServer, answer},
    found_in, fs, runs,
    sequence::taken,
};

const STEPS: &str = r#"
[action.go]
kind = "sequence"
guard = "G1"
cooldown = "0s"
[action.go.ask.to]
pattern = ".+"
[action.go.ask.token]
pattern = ".{8,}"
secret = true
[[action.go.step]]
kind = "http"
name = "first"
url = "VENDOR/first"
readings = { id = "$.id" }
[[action.go.step]]
kind = "http"
name = "second"
url = "VENDOR/second/${ask.to}?q=${ask.to}"
headers = { Authorization = "Bearer ${ask.token}" }
body = { to = "${ask.to}", key = "k=${ask.token}" }
readings = { to = "$.got.to" }
verify = ["to == \"${ask.to}\""]
[[action.go.step]]
kind = "http"
name = "third"
url = "VENDOR/third/${step.first.id}"
body = { both = "${ask.to} of ${step.first.id}", key = "${step.first.id}=${ask.token}" }
[[action.go.step]]
kind = "wait"
name = "ready"
argv = ["printf", "%s\n", "${ask.to}"]
every = "100ms"
until = ["output == \"${ask.to}\""]
[[action.go.step]]
kind = "env_file"
name = "keep"
path = "@/app.env"
set = { TO = "${ask.to}", TOKEN = "${ask.token}" }
"#;

/// A server that says what it got; the bodies of the requests.
fn echo() -> (RawServer, Arc<Mutex<Vec<Value>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bodies);
    let server = RawServer::start(move |exchange| {
        let (head, body) = taken(exchange);
        if head.is_empty() {
            return;
        }
        let sent: Value = serde_json::from_str(&body).unwrap_or_default();
        let said = serde_json::json!({ "id": "dpl a/1", "got": sent }).to_string();
        kept.lock().unwrap().push(sent);
        exchange.send(answer("200 OK", &["Content-Type: application/json"], &said).as_bytes());
    });
    (server, bodies)
}

#[test]
fn each_step_gets_what_was_asked_for_and_what_was_brought() {
    let (server, bodies) = echo();
    let place = Place::new(&STEPS.replace("VENDOR", &server.url("")));
    fs::write(place.path("app.env"), "TO=old\n").unwrap();
    // It is a value, also where it looks like a place to fill.
    let to = "a b/${step.first.id}";
    let run = place
        .command(&["run", "go", "--ask", &format!("to={to}"), "--ask", "token=@env:NEW_TOKEN"])
        .env("NEW_TOKEN", "canary-31337")
        .output()
        .unwrap();
    let (code, said, why) = super::told(&run);
    assert_eq!(code, 3, "nothing proves it: {said}{why}");
    let finish = &place.of_kind("finish")[0]["result"];
    assert_eq!(finish["claim"], "done", "{finish}");
    let mut heads = server.requests();
    heads.retain(|head| !head.is_empty());
    let lines: Vec<&str> = heads.iter().filter_map(|head| head.lines().next()).collect();
    let encoded = "a%20b%2F%24%7Bstep.first.id%7D";
    let expected = [
        "POST /first HTTP/1.1".to_owned(),
        format!("POST /second/{encoded}?q={encoded} HTTP/1.1"),
        "POST /third/dpl%20a%2F1 HTTP/1.1".to_owned(),
    ];
    assert_eq!(lines, expected);
    assert!(heads[1].contains("authorization: Bearer canary-31337"), "{}", heads[1]);
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies[1], serde_json::json!({ "to": to, "key": "k=canary-31337" }));
    let third = serde_json::json!({
        "both": format!("{to} of dpl a/1"),
        "key": "dpl a/1=canary-31337",
    });
    assert_eq!(bodies[2], third);
    let file = fs::read_to_string(place.path("app.env")).unwrap();
    assert_eq!(file, format!("TO={to}\nTOKEN=canary-31337\n"));

    let request = place.of_kind("intent")[0]["request"].to_string();
    for part in [
        &format!("/second/{encoded}?q={encoded}"),
        "authorization: Bearer ⟨ask.token⟩",
        "/third/‹result of step 1: id›",
        "of ‹result of step 1: id›",
        "TOKEN=⟨ask.token⟩",
        &format!("until output == \\\"{to}\\\""),
    ] {
        assert!(request.contains(part), "{part}: {request}");
    }
    assert!(!format!("{said}{why}").contains("canary"), "{said}{why}");
    assert!(
        found_in(&place.state(), "canary").is_empty(),
        "{:?}",
        found_in(&place.state(), "canary")
    );
    place.verify();
}

/// The digest covers the values: another value is another plan.
#[test]
fn another_value_is_another_plan() {
    let (server, _) = echo();
    let place = Place::new(&STEPS.replace("VENDOR", &server.url("")));
    fs::write(place.path("app.env"), "").unwrap();
    let digest = |to: &str| {
        let before = place.of_kind("intent").len();
        let run = place
            .command(&["run", "go", "--ask", &format!("to={to}"), "--ask", "token=@env:NEW_TOKEN"])
            .env("NEW_TOKEN", "canary-31337")
            .output()
            .unwrap();
        let intents = place.of_kind("intent");
        assert_eq!(intents.len(), before + 1, "{:?}", super::told(&run));
        intents[before]["digest"].as_str().unwrap().to_owned()
    };
    let (one, other) = (digest("one"), digest("other"));
    assert!(!one.is_empty() && one != other);
    assert_eq!(digest("one"), one);
}

/// What a program that is only looked at has started ends with it.
#[test]
fn a_program_that_is_waited_for_ends_with_all_that_it_started() {
    let place = Place::new(
        r#"
[action.go]
kind = "sequence"
guard = "G1"
cooldown = "0s"
[[action.go.step]]
kind = "wait"
name = "never"
timeout = "1s"
argv = ["sh", "-c", "sleep 300 & echo $! > @/child; wait"]
until = ["output == \"ready\""]
"#,
    );
    place.tell(&["run", "go"]);
    let finish = &place.of_kind("finish")[0]["result"];
    assert_ne!(finish["claim"], "done", "{finish}");
    let child: i64 = fs::read_to_string(place.path("child")).unwrap().trim().parse().unwrap();
    super::eventually("its child is ended", || !runs(child));
}
