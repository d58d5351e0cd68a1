//! The document, the exit codes, and what needs no server.

use serde_json::json;

use crate::{
    Place,
    common::raw::{RawServer, answer},
};

fn healthy() -> RawServer {
    RawServer::http(answer("200 OK", &[], r#"{"status":"ok"}"#))
}

fn source(server: &RawServer) -> String {
    format!(
        "[source.api]\nkind = \"http\"\nurl = \"{}\"\nreadings = {{ state = \"$.status\" }}\n\
         [check.api]\nsource = \"api\"\ncritical = [\"state == \\\"down\\\"\"]\n",
        server.url("/health")
    )
}

#[test]
fn what_is_ready_ends_with_0_and_one_document() {
    let server = healthy();
    let contact = "[contact.a]\nlevel = 1\nname = \"Dev\"\ncontact = \"+49 30 1\"\nrespond_within = \"15m\"\n";
    let place = Place::new(&format!("{}{contact}", source(&server)));
    let (report, code) = place.examine();
    assert_eq!(code, 0, "{}", report.0);
    let document = &report.0;
    assert_eq!(document["schema"], 1);
    assert_eq!(
        (&document["service"], &document["environment"]),
        (&json!("shop"), &json!("staging"))
    );
    assert_eq!(document["verdict"], "ok");
    assert!(document["at"].as_str().unwrap().ends_with('Z'));
    for finding in document["findings"].as_array().unwrap() {
        let mut keys: Vec<&String> = finding.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["cure", "id", "subject", "took_ms", "verdict", "what"]);
        assert!(finding["took_ms"].is_u64(), "{finding}");
    }
    for (subject, id) in
        [("source", "api"), ("check", "api"), ("contact", "1"), ("journal", "journal")]
    {
        report.is_well(subject, id);
    }
    assert!(!place.path().join("state/journal.jsonl").exists(), "nothing is left behind");
}

#[test]
fn the_exit_code_is_that_of_the_worst() {
    let server = healthy();
    let vague = "[contact.a]\nlevel = 1\nname = \"Dev\"\ncontact = \"+49 30 1\"\n";
    let placeholder =
        "[contact.a]\nlevel = 1\nname = \"Dev\"\ncontact = \"[Name]\"\nrespond_within = \"15m\"\n";
    for (contact, expected) in [(vague, 1), (placeholder, 2)] {
        let place = Place::new(&format!("{}{contact}", source(&server)));
        let (report, code) = place.examine();
        assert_eq!(code, expected, "{}", report.0);
    }
    // Nothing that was looked at means that nothing is known.
    let off = "[source.api]\nkind = \"http\"\nurl = \"${NO_SUCH_VARIABLE}/\"\noptional = true\n\
        [check.api]\nsource = \"api\"\n";
    let place = Place::new(off);
    let (report, code) = place.examine_only(&["source"]);
    assert_eq!((code, &report.0["verdict"]), (3, &json!("unknown")));
    report.says(
        "source",
        "api",
        "skipped",
        &["NO_SUCH_VARIABLE", "off because of that: check api"],
    );
    let missing = place.run(&["doctor", "--only", "action/none"]);
    assert_eq!(missing.status.code(), Some(64));
    let wrong = place.run(&["doctor", "--only", "acton"]);
    assert_eq!(wrong.status.code(), Some(64));
}

#[test]
fn the_text_tells_the_worst_first_with_its_cure() {
    let server = healthy();
    let placeholder =
        "[contact.a]\nlevel = 1\nname = \"Dev\"\ncontact = \"[Name]\"\nrespond_within = \"15m\"\n";
    let place = Place::new(&format!("{}{placeholder}", source(&server)));
    let output = place.run(&["doctor"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("CRIT shop/staging: 1 critical"), "{text}");
    assert_eq!(lines[2], "contact/1");
    assert!(
        lines[3].starts_with("  CRIT     the contact of level 1 is a placeholder: [Name]"),
        "{text}"
    );
    assert!(lines[4].trim_start().starts_with("-> fill in"), "{text}");
    assert!(!text.contains('\u{1b}') && output.stderr.is_empty());
}

#[test]
fn a_reading_that_the_answer_does_not_have_is_found() {
    let server = RawServer::http(answer("200 OK", &[], "{}"));
    let rule = "[rule.slow]\nwhen = \"api.state == 3\"\n";
    let place = Place::new(&format!("{}{rule}", source(&server)));
    let (report, code) = place.examine();
    assert_eq!(code, 2);
    report.says("source", "api", "warning", &["state is not in the answer"]);
    report.says("check", "api", "critical", &["api.state is not in the answer"]);
    report.says("rule", "slow", "critical", &["api.state is not in the answer"]);
}

#[test]
fn commands_that_would_not_do_it_are_found_and_not_run() {
    let place = Place::new(
        r#"
[action.back]
kind = "command"
title = "Roll the deployment back"
guard = "G3"
argv = ["vercel", "rollback"]

[action.ask]
kind = "command"
guard = "G2"
argv = ["./ask.sh", "--emergency"]
leaves = ["the queue"]

[action.gone]
kind = "command"
guard = "G1"
argv = ["./gone.sh"]

[action.text]
kind = "command"
title = "Switch the feature off"
guard = "G2"
shell = true
argv = ["export FEATURE=false; docker-compose restart web"]

[source.out]
kind = "command"
argv = ["docker", "stats"]
readings = { load = "text" }
"#,
    );
    place.write("ask.sh", "#!/bin/sh\ntouch acted\nread -p 'Sure? ' answer\n", 0o755);
    let (report, code) = place.examine();
    assert_eq!(code, 2, "{}", report.0);
    report.says("action", "back", "critical", &["only prints the status", "name the deployment"]);
    report.says("action", "back", "warning", &["has no proof"]);
    report.says("action", "back", "warning", &["never drilled"]);
    report.says("action", "ask", "critical", &["ask.sh:3: asks a question", "as stdin"]);
    report.says("action", "ask", "warning", &["--emergency stands nowhere in it"]);
    report.says("action", "gone", "critical", &["gone.sh does not exist"]);
    let gone = report.of("action", "gone");
    assert_eq!(gone.iter().filter(|line| line.contains("does not exist")).count(), 1, "{gone:#?}");
    report.says("action", "text", "critical", &["what was exported before is not seen"]);
    report.says("source", "out", "critical", &["goes on for ever", "--no-stream"]);
    assert!(!place.path().join("acted").exists(), "nothing of it was run");
}

#[test]
fn a_secret_that_everybody_reads_and_a_pager_that_is_not_there_are_found() {
    let server = healthy();
    let place = Place::new(&format!(
        "{}headers = {{ x-token = {{ file = \"token\" }} }}\n[notify.target.pager]\nkind = \"command\"\nargv = [\"no-such-pager\"]\n",
        source(&server)
            .replace("[check.api]", "#")
            .replace("source = \"api\"", "#")
            .replace("critical =", "#")
    ));
    place.write("token", "hunter2-hunter2\n", 0o644);
    let (report, _) = place.examine();
    report.says("journal", "journal", "critical", &["token can be read by everybody", "chmod 600"]);
    report.says("notify", "pager", "critical", &["no-such-pager is not installed"]);
}

#[test]
fn a_secret_file_of_an_action_that_cannot_be_read_is_named_and_stops_nothing_else() {
    let server = healthy();
    let action = "[action.send]\nkind = \"http\"\nguard = \"G1\"\nurl = \"https://h.example/\"\n\
        headers = { Authorization = { file = \"gone.token\" } }\nproof = [\"api.status == 200\"]\n";
    let place = Place::new(&format!("{}{action}", source(&server)));
    let (report, code) = place.examine();
    assert_eq!(code, 1, "{}", report.0);
    report.is_well("source", "api");
    report.says(
        "action",
        "send",
        "warning",
        &["not configured: ", "gone.token cannot be read", "check the path"],
    );
    let checked = place.run(&["check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
}
