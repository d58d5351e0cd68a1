//! Actions that ask for something: what cannot be judged without it is not called well.

use crate::{
    Place,
    common::{
        raw::{RawServer, answer},
        servers::RedisServer,
    },
};

const PROOF: &str = "[source.files]\nkind = \"command\"\nargv = [\"true\"]\n";

fn action(kind: &str, rest: &str) -> String {
    format!(
        "{PROOF}[action.a]\nkind = \"{kind}\"\nguard = \"G1\"\nproof = [\"files.exit_code == 0\"]\n{rest}\n"
    )
}

fn grades(lines: &[String], of: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(of)).count()
}

#[test]
fn an_address_that_is_not_whole_is_not_judged_and_its_server_is() {
    let server = RawServer::http(answer("404 Not Found", &[], ""));
    let url = server.url("/rollback/${ask.to}");
    let ask = "[action.a.ask.to]\npattern = \"dpl_[a-z]+\"\n";
    let place = Place::new(&action("http", &format!("url = \"{url}\"\n{ask}")));
    let (report, _) = place.examine_only(&["action/a"]);
    report.says(
        "action",
        "a",
        "unknown",
        &["whether the address is right is only known once to is given", "404"],
    );
    report.says(
        "action",
        "a",
        "unknown",
        &["what it would send is only known once to is given", "run a --ask to=… --dry-run"],
    );
    let lines = report.of("action", "a");
    assert_eq!(grades(&lines, "critical"), 0, "{lines:#?}");
    assert!(!lines.iter().any(|line| line.starts_with("ok: the endpoint")), "{lines:#?}");
    drop(server);
    let (report, _) = place.examine_only(&["action/a"]);
    report.says("action", "a", "critical", &["nothing listens there"]);
}

#[test]
fn defaults_and_first_choices_are_used_and_named() {
    let server = RawServer::start(|exchange| {
        let head = exchange.request();
        let known = head.starts_with("OPTIONS /switch/off?n=7 ");
        let status = if known { "405 Method Not Allowed" } else { "404 Not Found" };
        exchange.send(answer(status, &[], "").as_bytes());
    });
    let url = server.url("/switch/${ask.to}?n=${ask.n}");
    let asks = "[action.a.ask.n]\npattern = \"[0-9]\"\ndefault = \"7\"\n[action.a.ask.to]\nchoices = [\"off\", \"on\"]\n";
    let (report, _) = Place::new(&action("http", &format!("url = \"{url}\"\n{asks}")))
        .examine_only(&["action/a"]);
    report.says("action", "a", "ok", &["the endpoint is there"]);
    report.says(
        "action",
        "a",
        "ok",
        &["with n = 7 (its default), to = off (its first choice), what it would send"],
    );
    let lines = report.of("action", "a");
    assert_eq!(grades(&lines, "unknown") + grades(&lines, "critical"), 0, "{lines:#?}");
}

#[test]
fn a_program_is_judged_by_what_does_not_depend_on_the_value() {
    let of = |argv: &str| {
        let ask = "[action.a.ask.file]\npattern = \"[a-z.]+\"\n";
        let place = Place::new(&action("command", &format!("argv = {argv}\n{ask}")));
        place.examine_only(&["action/a"]).0
    };
    of("[\"git\", \"revert\", \"${ask.file}\"]").says(
        "action",
        "a",
        "critical",
        &["opens an editor"],
    );
    of("[\"no-such-program\", \"${ask.file}\"]").says(
        "action",
        "a",
        "critical",
        &["not installed"],
    );
    let script = of("[\"sh\", \"./${ask.file}\"]");
    script.says("action", "a", "unknown", &["which script it is", "⟨ask.file⟩"]);
    assert_eq!(grades(&script.of("action", "a"), "critical"), 0);
}

#[test]
fn keys_that_are_not_known_yet_are_not_called_deletable() {
    let server = RedisServer::start(&[]);
    server.cli(&[
        "ACL",
        "SETUSER",
        "ops",
        "on",
        ">hunter2-hunter2",
        "resetkeys",
        "~page:*",
        "-@all",
        "+ping",
        "+info",
        "+hello",
        "+scan",
        "+select",
        "+unlink",
        "+acl|whoami",
        "+acl|dryrun",
    ]);
    let place = Place::new(&format!(
        "[source.cache]\nkind = \"redis\"\nurl = \"redis://ops@127.0.0.1:{}\"\npassword = {{ env = \"CANARY_TOKEN\" }}\n{}",
        server.port,
        action(
            "redis",
            "source = \"cache\"\ndelete = [\"page:*\", \"order:${ask.number}:*\"]\n\
             [action.a.ask.number]\npattern = \"[0-9]+\""
        )
    ));
    let (report, _) = place.examine_only(&["action/a"]);
    report.says("action", "a", "ok", &["the user ops may INFO, PING, SCAN, UNLINK"]);
    report.says(
        "action",
        "a",
        "unknown",
        &["whether the keys may be deleted is only known once number is given"],
    );
}
