//! Where secrets come from, and that they go nowhere else.

use std::{
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use watchfloor::config::{profile::SourceKind, show};

use super::support::Place;

fn with_header(value: &str) -> Place {
    with_header_and(value, "")
}

fn with_header_and(value: &str, more: &str) -> Place {
    Place::within(&format!(
        "[source.x]\nkind = \"http\"\nurl = \"https://h/\"\nheaders = {{ Authorization = {value} }}\n{more}"
    ))
}

#[track_caller]
fn sent(place: &Place) -> (String, String) {
    let profile = place.sound().profile;
    let SourceKind::Http(http) = &profile.sources["x"].kind else { panic!() };
    (http.headers[0].1.expose(), http.headers[0].1.shown())
}

#[test]
fn it_comes_from_the_environment_a_file_or_a_program() {
    let env = with_header("{ env = \"T\", prefix = \"Bearer \" }").env("T", "from-environment");
    assert_eq!(sent(&env), ("Bearer from-environment".into(), "Bearer ⟨T⟩".into()));
    let file = with_header("{ file = \"t\" }").file("t", "from-file\r\n");
    assert_eq!(sent(&file), ("from-file".into(), "⟨t⟩".into()));
    let command =
        with_header("{ command = [\"sh\", \"-c\", \"cat; printf 'from-program\\\\n'\"] }");
    assert_eq!(sent(&command), ("from-program".into(), "⟨sh⟩".into()));
}

#[test]
fn a_program_runs_once_in_the_directory_of_the_file() {
    let text = "headers = { Authorization = { command = [\"sh\", \"./count\"] } }";
    let sources: String = (0..3)
        .map(|n| format!("[source.x{n}]\nkind = \"http\"\nurl = \"https://h/\"\n{text}\n"))
        .collect();
    let place = Place::within(&sources).file("count", "echo run >> runs; echo the-secret\n");
    place.sound();
    assert_eq!(std::fs::read_to_string(place.path("runs")).unwrap(), "run\n");
}

#[test]
fn what_goes_wrong_is_said_without_the_output() {
    let failed = with_header(
        "{ command = [\"sh\", \"-c\", \"echo leaked-output; echo 'not logged in' >&2; exit 3\"] }",
    );
    let errors = failed.errors();
    assert!(
        errors.contains("sh failed to print the secret (exit status: 3): not logged in"),
        "{errors}"
    );
    // The line of the file is quoted, and it holds the program; but nothing that it printed.
    assert_eq!(errors.matches("leaked-output").count(), 1, "{errors}");
    for (value, message) in [
        ("{ command = [\"no-such-program\"] }", "cannot run no-such-program for a secret"),
        ("{ command = [\"true\"] }", "the secret from true is empty"),
        ("{ command = [] }", "the command for a secret is empty"),
        (
            "{ command = [\"printf\", \"a\\\\nb\"] }",
            "the secret from printf has more than one line",
        ),
        ("{ file = \"missing\" }", "DIR/missing cannot be read (No such file or directory"),
        ("{ env = \"A\", file = \"b\" }", "exactly one of env, file and command"),
        ("{ prefix = \"Bearer \" }", "exactly one of env, file and command"),
        ("{ env = \"UNSET\" }", "the variable UNSET is not set"),
    ] {
        let errors = with_header(value).errors();
        assert!(errors.contains(message), "{value}: {errors}");
    }
}

#[test]
fn a_program_that_hangs_is_given_up_with_everything_it_started() {
    let place =
        with_header("{ command = [\"sh\", \"-c\", \"sleep 600 & echo $! > child; wait\"] }");
    let errors = place.errors();
    assert!(errors.contains("did not print the secret within 5 seconds"), "{errors}");
    let child = std::fs::read_to_string(place.path("child")).unwrap();
    let stat = format!("/proc/{}/stat", child.trim());
    let gone =
        |stat: &str| std::fs::read_to_string(stat).map_or(true, |text| text.contains(") Z "));
    let deadline = Instant::now() + Duration::from_secs(5);
    while !gone(&stat) && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(gone(&stat), "the child of the program still runs");
}

#[test]
fn of_what_is_switched_off_no_secret_is_fetched() {
    let place = with_header_and("{ command = [\"sh\", \"./run\"] }", "enabled = false")
        .file("run", "touch ran; echo secret\n");
    let profile = place.sound().profile;
    assert!(!place.path("ran").exists());
    assert_eq!(
        profile.catalog.sources["x"].disabled.as_deref(),
        Some("switched off: enabled = false")
    );
}

#[test]
fn none_ever_shows() {
    const SECRETS: [&str; 9] = [
        "canary-env",
        "canary-file",
        "canary-program",
        "canary%40url",
        "canary@url",
        "canary-plain",
        "canary-header",
        "canary-set",
        "canary-override",
    ];
    let sound = "[source.a]\nkind = \"http\"\nurl = \"https://h/\"\nheaders = { Authorization = { env = \"A\" }, Cookie = { file = \"b\" }, X-Token = { command = [\"cat\", \"c\"] } }\n\
         [source.r]\nkind = \"redis\"\nurl = { env = \"REDIS_URL\" }\n";
    let bad = "[source.p]\nkind = \"redis\"\nurl = \"redis://u:canary%40url@h/zz\"\npassword = \"canary-plain\"\n\
         [source.q]\nkind = \"http\"\nurl = \"https://h/\"\nheaders = { Authorization = \"canary-header\" }\nnonsense = 1\n\
         [vars]\nPG_PASSWORD = \"canary-plain\"\n";
    let complete = |place: Place| {
        place
            .env("A", "canary-env")
            .env("REDIS_URL", "redis://u:canary%40url@h:1")
            .file("b", "canary-file")
            .file("c", "canary-program")
    };
    let place =
        complete(Place::within(sound)).env("WATCHFLOOR__SOURCE__R__PASSWORD", "canary-override");
    let loaded = place.sound();
    let mut shown = format!("{:?} {:#?} {}", loaded, loaded.profile, loaded.warnings.render(true));
    shown += &show(&place.request, false).unwrap();
    shown += &show(&place.request, true).unwrap();
    shown += &serde_json::to_string(&loaded.profile.catalog).unwrap();
    let place =
        complete(Place::within(&format!("{sound}{bad}"))).set("source.r.password=canary-set");
    let errors = place.load().unwrap_err();
    shown += &format!("{} {}", errors.render(true), errors.to_json());
    shown += &errors.lines().join("\n");
    // Not even where the text is no TOML at all.
    let broken = complete(Place::within(&format!(
        "{bad}token = \"canary-header\npassword = canary-plain\n"
    )));
    shown += &broken.errors();
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{secret} is shown in:\n{shown}");
    }
    assert!(shown.contains("⟨A⟩"), "{shown}");
}

#[test]
fn a_token_in_an_address_comes_from_a_variable_and_is_not_shown() {
    let at = |token: &str| {
        let text = format!("[source.x]\nkind = \"http\"\nurl = \"https://h/?token={token}&a=b\"\n");
        Place::within(&text).env("FEED_TOKEN", "canary-query")
    };
    let errors = at("canary-query").errors();
    assert!(errors.contains("`token` in the address is a secret in plain text"), "{errors}");
    let place = at("${FEED_TOKEN}");
    let profile = place.sound().profile;
    let SourceKind::Http(http) = &profile.sources["x"].kind else { panic!() };
    assert_eq!(http.url.query(), Some("token=canary-query&a=b"));
    assert_eq!(profile.catalog.sources["x"].target, "https://h/?token=⟨secret⟩&a=b");
    let shown = format!("{errors}{}{}", place.warnings(), show(&place.request, false).unwrap());
    assert!(!shown.contains("canary-query"), "{shown}");
}

#[test]
fn a_secret_may_be_given_whole_by_an_environment_variable() {
    let place = Place::within("[source.r]\nkind = \"redis\"\nurl = \"redis://h\"\n")
        .env("WATCHFLOOR__SOURCE__R__PASSWORD", "12345678");
    let profile = place.sound().profile;
    let SourceKind::Redis(redis) = &profile.sources["r"].kind else { panic!() };
    assert_eq!(redis.password.as_ref().unwrap().expose(), "12345678");
}

#[test]
fn a_secret_file_that_others_can_read_is_said() {
    let place = with_header("{ file = \"t\" }").file("t", "from-file");
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(place.path("t"), permissions).unwrap();
    };
    mode(0o644);
    assert!(place.warnings().contains("can be read by others"), "{}", place.warnings());
    mode(0o600);
    assert!(place.sound().warnings.is_empty());
}

#[test]
fn a_secret_that_is_too_short_to_be_hidden_is_warned_of() {
    let warning = "is shorter than 6 bytes";
    let short = with_header("{ env = \"T\" }").env("T", "abcde").warnings();
    assert!(short.contains("the secret of `source.x.headers.Authorization`"), "{short}");
    assert!(short.contains(warning) && !short.contains("abcde"), "{short}");
    let prefixed = with_header("{ env = \"T\", prefix = \"Bearer \" }").env("T", "abcde");
    assert!(prefixed.warnings().contains(warning), "the prefix makes it no longer");
    let long = with_header("{ env = \"T\" }").env("T", "abcdef").warnings();
    assert!(!long.contains(warning), "{long}");
    let address = "[source.x]\nkind = \"redis\"\nurl = { env = \"U\" }";
    let address = Place::within(address).env("U", "redis://:p%61@cache.example:6379").warnings();
    assert!(address.contains(warning), "{address}");
    let overridden = "[source.x]\nkind = \"redis\"\nurl = \"redis://cache.example\"";
    let overridden =
        Place::within(overridden).env("WATCHFLOOR__SOURCE__X__PASSWORD", "abc").warnings();
    assert!(overridden.contains(warning), "{overridden}");
}

const WITH_FILE: &str = r#"
[source.mail]
kind = "http"
url = "https://mail.example/"
OPTIONAL
headers = { Authorization = { file = "gone" } }
[action.send]
kind = "sequence"
guard = "G1"
proof = ["api.status == 200"]
[[action.send.step]]
name = "one"
kind = "http"
url = "https://h.example/"
headers = { Authorization = { file = "also-gone" } }
[[action.send.step]]
name = "two"
kind = "command"
argv = ["true"]
"#;

#[test]
fn a_file_that_cannot_be_read_leaves_out_what_the_rest_can_do_without() {
    let loaded = Place::within(&WITH_FILE.replace("OPTIONAL", "optional = true")).sound();
    let catalog = &loaded.profile.catalog;
    let mail = catalog.sources["mail"].disabled.as_deref().unwrap();
    assert!(
        mail.starts_with("not configured: ") && mail.ends_with("gone cannot be read"),
        "{mail}"
    );
    let send = catalog.why_unavailable(&"send".into()).unwrap();
    assert!(send.starts_with("not configured: ") && send.contains("also-gone"), "{send}");
    assert!(loaded.profile.actions.is_empty() && !loaded.profile.sources.contains_key("mail"));
    assert!(loaded.profile.sources.contains_key("api"), "the rest goes on");
    let warnings = format!("{:?}", loaded.profile.warnings);
    assert!(warnings.contains("also-gone cannot be read"), "{warnings}");
    // Nobody said that it can be done without this source.
    let errors = Place::within(&WITH_FILE.replace("OPTIONAL", "")).errors();
    assert!(errors.contains("gone cannot be read") && errors.contains("1 error"), "{errors}");
}
