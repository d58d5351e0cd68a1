//! What actions ask for: what is taken, and what is said where it cannot be.

use watchfloor::{
    config::profile::Spot,
    domain::{ids::ActionId, template::Template},
};

use super::support::Place;

const ROLL: &str = r#"
[source.deploys]
kind = "http"
url = "https://deploys.example/"
readings = { candidates = { list = "$.deployments[*].id" } }
[action.roll]
kind = "http"
guard = "G2"
url = "https://${HOST}/v1/${ask.to}/promote?why=${ask.why}"
headers = { Authorization = "Bearer ${ask.token}", X-Literal = "$${ask.to}" }
body = { to = "${ask.to}", "a/b" = ["$${ask.to}", "${ask.token}"] }
proof = ["deploys.status == 200"]
[action.roll.ask.to]
title = "Deployment"
pattern = "dpl_[a-z0-9]+"
choices_from = { source = "deploys", reading = "candidates" }
[action.roll.ask.why]
choices = ["incident", "test"]
default = "test"
[action.roll.ask.token]
pattern = ".{8,}"
secret = true
"#;

#[test]
fn places_to_fill_are_found_wherever_a_text_can_have_one() {
    let loaded = Place::within(ROLL).env("HOST", "api.example").sound();
    let roll = &loaded.profile.actions["roll"];
    let gaps: Vec<(&Spot, &Template)> =
        roll.form.gaps.iter().map(|gap| (&gap.at, &gap.text)).collect();
    let template = |text: &str| Template::parse(text).unwrap();
    let expected = [
        (Spot::Url, "https://api.example/v1/${ask.to}/promote?why=${ask.why}"),
        (Spot::Header("Authorization".to_owned()), "Bearer ${ask.token}"),
        (Spot::Body("/a~1b/1".to_owned()), "${ask.token}"),
        (Spot::Body("/to".to_owned()), "${ask.to}"),
    ];
    let expected = expected.map(|(spot, text)| (spot, template(text)));
    assert_eq!(gaps.len(), expected.len(), "{gaps:?}");
    for (spot, text) in &expected {
        assert!(gaps.contains(&(spot, text)), "{spot:?} is not among {gaps:?}");
    }
    let spec = loaded.profile.catalog.action(&ActionId::from("roll")).unwrap();
    let names: Vec<&str> = spec.asks.iter().map(|ask| ask.name.as_str()).collect();
    assert_eq!(names, ["to", "why", "token"], "in the order of the file");
    let shown = format!("{:?}", roll.kind);
    assert!(shown.contains("${ask.to}"), "a literal stays: {shown}");
}

/// Each of these is wrong in one way.
#[test]
fn what_cannot_be_asked_for_is_an_error_with_its_line_and_cure() {
    let command = |argv: &str, rest: &str| {
        format!(
            "[action.a]\nkind = \"command\"\nguard = \"G1\"\nargv = {argv}\nproof = [\"api.status == 200\"]\n{rest}"
        )
    };
    let number = "[action.a.ask.n]\npattern = \"[0-9]+\"\n";
    let secret = "[action.a.ask.n]\npattern = \".+\"\nsecret = true\n";
    let http = |url: &str, rest: &str| {
        format!(
            "[action.a]\nkind = \"http\"\nguard = \"G1\"\nurl = \"{url}\"\nproof = [\"api.status == 200\"]\n{rest}"
        )
    };
    let cases = [
        (command("[\"x\", \"${ask.m}\"]", number), "nothing called `m` is asked for", "did you mean"),
        (command("[\"x\", \"${ask.m}\"]", ""), "nothing called `m` is asked for", "[action.a.ask.m]"),
        (command("[\"x\"]", number), "`n` is asked for and never used", "${ask.n}"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\npattern = \"(\"\n"), "not a regular expression", "needs a \\"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\n"), "nothing says what `n` may be", "pattern ="),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\npattern = \"a\"\nchoices = [\"a\"]\n"), "exclude each other", "take one"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\nis = \"time\"\nchoices = [\"a\"]\n"), "exclude each other", "take one"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\nis = \"date\"\n"), "date", "time"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\nis = \"time\"\ndefault = \"2026-11-21T18:00Z\"\n"), "over one day", "take it out"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\nis = \"time\"\nwithin = \"7 eggs\"\n"), "not a length of time", "such as"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\nis = \"time\"\nwidest = 24\n"), "`widest` says nothing", "take it out"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\npattern = \"a\"\nwithin = \"7d\"\n"), "`within` says nothing", "take it out"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\nis = \"address\"\nnever = \"203\\\\.0\"\n"), "neither an address nor a network", "such as"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\nis = \"address\"\ndefault = \"10.0.0.1\"\n"), "refused: a private address", "change"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\npattern = \"[0-9]\"\ndefault = \"x\"\n"), "the default \"x\" cannot be taken", "change"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\nchoices = [\"a\", \"b\"]\ndeny = [{ pattern = \"a\", why = \"no\" }]\n"), "the choice \"a\" cannot be taken: refused: no", "change"),
        (command("[\"x\", \"${ask.n}\"]", secret), "everybody on this machine can read arguments", "environment"),
        (command("[\"${ask.n}\"]", number), "the program itself must be written down", "arguments"),
        (command("[\"echo ${ask.n}\"]\nshell = true", number), "would be read by the shell", "environment"),
        (command("[\"sh\", \"-c\", \"echo ${ask.n}\"]", number), "read as a part of the script", "environment"),
        (command("[\"sudo\", \"/bin/bash\", \"-lc\", \"echo ${ask.n}\"]", number), "read as a part of the script", "environment"),
        (command("[\"ssh\", \"host\", \"restart\", \"${ask.n}\"]", number), "read as a part of the script", "environment"),
        (command("[\"x\"]\nenvironment = { API_TOKEN = \"${ask.n}\" }", number), "API_TOKEN holds a secret", "declare it a secret"),
        (command("[\"x\", \"${ask.n b}\"]", number), "neither ${ask.NAME}", "$${ask."),
        (command("[\"x\", \"${step.one.id}\"]", ""), "no such step", "earlier"),
        (command("[\"x\", \"${ask.n}\"]", "[action.a.ask.n]\npattern = \"a\"\nchoices_from = { source = \"api\", reading = \"nope\" }\n"), "no reading `nope`", "readings"),
        (command("[\"x\"]\nstdin = \"${ask.n}\"", "[action.a.ask.n]\npattern = \"a\"\nsecret = true\ndefault = \"a\"\n"), "a secret cannot have `default`", "only typed"),
        (http("https://${ask.n}.example/", number), "only the path and the query", "write the host down"),
        (http("https://h.example/#${ask.n}", number), "only the path and the query", "write the host down"),
        (http("https://h.example/${ask.n}", secret), "addresses are shown", "header"),
        (command("[\"x\"]\nstdin = \"${ask.n}\"", secret).replace("== 200", "== \\\"${ask.n}\\\""), "conditions are shown", "may be seen"),
        ("[action.a]\nkind = \"command\"\nguard = \"G1\"\nargv = [\"x\"]\ntitle = \"${ask.n}\"\n".to_owned(), "cannot be the name of a variable", "${NAME}"),
        ("[source.c]\nkind = \"redis\"\nurl = \"redis://h/0\"\n[action.a]\nkind = \"redis\"\nguard = \"G1\"\nsource = \"c\"\ndelete = [\"${ask.n}*\"]\nproof = [\"result.deleted > 0\"]\n".to_owned() + number, "would match nearly everything", "three"),
    ];
    for (text, message, cure) in cases {
        let errors = Place::within(&text).errors();
        let said = errors.replace("\\\"", "\"");
        assert!(said.contains(message) && said.contains(cure), "{text}\n{errors}");
        assert!(errors.contains("watchfloor.toml:"), "no place: {errors}");
    }
}

#[test]
fn a_time_and_an_address_are_kinds_of_their_own() {
    const BLOCK: &str = r#"
[action.block]
kind = "http"
guard = "G2"
url = "https://wall.example/block?ip=${ask.ip}&until=${ask.until}"
proof = ["api.status == 200"]
[action.block.ask.ip]
is = "address"
never = "${OURS:-}"
[action.block.ask.until]
is = "time"
within = "7d"
"#;
    let asked = |ours: &str| {
        let loaded = Place::within(BLOCK).env("OURS", ours).sound();
        loaded.profile.catalog.action(&ActionId::from("block")).unwrap().asks.clone()
    };
    let now: jiff::Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let asks = asked("203.0.113.5, 198.51.100.0/24");
    let said = |position: usize, value: &str| asks[position].check(value, now).err();
    assert_eq!(said(0, "203.0.113.4"), None);
    assert!(said(0, "198.51.100.9").unwrap().contains("198.51.100.0/24 is never"));
    assert!(said(0, "").unwrap().contains("something is needed: such as"));
    assert_eq!(said(1, "2026-11-28T12:00Z"), None);
    assert!(said(1, "2026-11-28T12:01Z").unwrap().contains("7d from now at most"));
    assert_eq!(
        asks[1].missing(now),
        "until is missing: UTC, such as 2026-11-21T14:00Z, 7d ahead at most"
    );
    assert_eq!(asked("")[0].check("203.0.113.5", now), Ok(()), "a variable that names nothing");
}

#[test]
fn a_list_to_choose_from_says_exactly_one_place() {
    let bad = "[source.x]\nkind = \"command\"\nargv = [\"x\"]\nreadings = { a = { list = \"$.a\", count = \"b\" } }\n";
    assert!(Place::within(bad).errors().contains("exactly one place"));
    let labels = "[source.x]\nkind = \"http\"\nurl = \"https://h.example/\"\nreadings = { a = { count = \"$.a\", labels = [\"$.b\"] } }\n";
    assert!(Place::within(labels).errors().contains("tells the items of a `list` apart"));
    let good = "[source.x]\nkind = \"command\"\nargv = [\"x\"]\nreadings = { a = { list = \"$.a[*]\" }, b = { output = \"lines\" } }\n";
    Place::within(good).sound();
}

/// A sequence of two steps, the second of which is `rest`.
fn sequence(rest: &str) -> String {
    format!(
        "[action.a]\nkind = \"sequence\"\nguard = \"G1\"\nproof = [\"api.status == 200\"]\n\
         [[action.a.step]]\nkind = \"http\"\nname = \"one\"\nurl = \"https://h.example/one\"\nreadings = {{ id = \"$.id\" }}\n\
         [[action.a.step]]\nname = \"two\"\n{rest}\n"
    )
}

#[test]
fn what_is_asked_for_is_used_and_known_in_steps_as_well() {
    let number = "[action.a.ask.n]\npattern = \"[0-9]+\"\n";
    let secret = "[action.a.ask.n]\npattern = \".+\"\nsecret = true\n";
    let http = |url: &str| format!("kind = \"http\"\nurl = \"{url}\"");
    let wait = |until: &str| {
        format!("kind = \"wait\"\nargv = [\"x\"]\nuntil = [\"output == \\\"{until}\\\"\"]")
    };
    let cases = [
        (
            sequence(&http("https://h.example/${ask.m}")) + number,
            "nothing called `m` is asked for",
            "did you mean",
        ),
        (
            sequence(&http("https://h.example/two")) + number,
            "`n` is asked for and never used",
            "${ask.n}",
        ),
        (
            sequence(&http("https://h.example/${step.two.id}")),
            "there is no step `two` before this one",
            "one",
        ),
        (sequence(&http("https://h.example/${ask.n}")) + secret, "addresses are shown", "header"),
        (
            sequence(&http("https://${ask.n}.example/")) + number,
            "only the path and the query",
            "write the host down",
        ),
        (
            sequence("kind = \"command\"\nshell = true\nargv = [\"echo ${ask.n}\"]") + number,
            "would be read by the shell",
            "environment",
        ),
        (
            sequence("kind = \"command\"\nargv = [\"x\", \"${ask.n}\"]") + secret,
            "everybody on this machine can read arguments",
            "environment",
        ),
        (
            sequence("kind = \"env_file\"\npath = \"app.env\"\nset = { API_TOKEN = \"${ask.n}\" }")
                + number,
            "API_TOKEN holds a secret",
            "declare it a secret",
        ),
        (sequence(&wait("${ask.m}")) + number, "nothing called `m` is asked for", "did you mean"),
        (sequence(&wait("${ask.n}")) + secret, "conditions are shown", "may be seen"),
    ];
    for (text, message, cure) in cases {
        let errors = Place::within(&text).errors();
        let said = errors.replace("\\\"", "\"");
        assert!(said.contains(message) && said.contains(cure), "{text}\n{errors}");
        assert!(errors.contains("watchfloor.toml:"), "no place: {errors}");
    }
    let sound = [
        sequence(&http("https://h.example/${ask.n}/${step.one.id}")) + number,
        sequence("kind = \"command\"\nargv = [\"x\"]\nstdin = \"${ask.n}\"") + secret,
        sequence(&wait("${ask.n}")) + number,
        "[action.a]\nkind = \"sql\"\nguard = \"G1\"\nurl = \"postgres://ops@h/db\"\nstatements = [\"DELETE FROM t WHERE id = $1\"]\nparameters = [\"${ask.n}\"]\nrows_at_most = 1\nproof = [\"api.status == 200\"]\n".to_owned() + number,
    ];
    for text in sound {
        Place::within(&text).sound();
    }
}

#[test]
fn a_secret_that_is_too_short_to_be_hidden_is_warned_about() {
    let of = |ask: &str| {
        let text = format!(
            "[action.a]\nkind = \"command\"\nguard = \"G1\"\nargv = [\"x\"]\nstdin = \"${{ask.n}}\"\n\
             proof = [\"api.status == 200\"]\n[action.a.ask.n]\nsecret = true\n{ask}\n"
        );
        Place::within(&text).warnings()
    };
    for (ask, warned) in [
        ("pattern = \".+\"", true),
        ("pattern = \"[0-9]{4}|[a-z]{8}\"", true),
        ("pattern = \".{6,}\"", false),
        ("pattern = \".*\"\nshort_values = true", false),
    ] {
        let warnings = of(ask);
        assert_eq!(warnings.contains("may be shorter than 6 bytes"), warned, "{ask}: {warnings}");
    }
}
