//! `run` and `journal`.

use super::{Place, eventually, found_in, fs};

const ACTIONS: &str = r#"
[source.api]
kind = "http"
url = "http://127.0.0.1:1/"

[action.fine]
kind = "command"
guard = "G1"
cooldown = "0s"
argv = ["echo", "all is well"]

[source.load]
kind = "command"
argv = ["cat", "@/load"]
readings = { load = { output = "number" } }

[action.held]
kind = "command"
guard = "G1"
cooldown = "0s"
shell = true
argv = ["echo x >> @/held"]
refuse_when = ["load.load > 80"]

[action.sad]
kind = "command"
guard = "G1"
cooldown = "0s"
shell = true
argv = ["echo it failed >&2; exit 3"]

[action.change]
kind = "command"
guard = "G2"
cooldown = "1h"
argv = ["true"]

[action.disrupt]
kind = "command"
guard = "G3"
cooldown = "0s"
shell = true
argv = ["echo x >> @/done"]

[action.talk]
kind = "command"
guard = "G1"
stdin = "yes\nno\n42\n"
shell = true
argv = ['''
printf 'Roll back? '; read -r a || exit 90
printf 'Keep the data? '; read -r b || exit 91
printf 'How many? '; read -r n || exit 92
echo "answers: $a, $b, $n"
[ "$a" = yes ] && [ "$b" = no ] && [ "$n" = 42 ]
''']

[action.absent]
kind = "command"
guard = "G1"
argv = ["no-such-program-anywhere"]

[action.broken]
kind = "command"
guard = "G1"
argv = ["@/broken"]

[action.secret]
kind = "command"
guard = "G1"
timeout = "30s"
shell = true
argv = ["echo $TOKEN; ps axww > @/ps; echo over"]
[action.secret.environment]
TOKEN = { env = "RUNNER_TOKEN" }
"#;

/// Without the secret, whose action is then not configured.
fn place() -> Place {
    Place::new(&ACTIONS.replace("[action.secret]", "[action.secret]\noptional = true"))
}

#[test]
fn the_exit_code_is_the_outcome_and_a_word_alone_proves_nothing() {
    let place = place();
    let (code, said, _) = place.tell(&["run", "fine"]);
    assert_eq!(code, 3, "no proof is configured: {said}");
    assert!(said.contains("all is well") && said.contains("UNKNOWN"), "{said}");
    let (code, said, _) = place.tell(&["run", "sad"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("it failed") && said.contains("FAILED: exit code 3"), "{said}");
    let (code, _, why) = place.tell(&["run", "nothing"]);
    assert_eq!(code, 64, "{why}");
    assert!(why.contains("there is no action nothing; actions: "), "{why}");
    let (code, _, why) = place.tell(&["run", "finne"]);
    assert_eq!(code, 64, "{why}");
    assert!(why.contains("there is no action finne; did you mean `fine`?"), "{why}");
    place.verify();
}

#[test]
fn the_guard_is_the_same_as_on_the_screen() {
    let place = place();
    let table: [(&[&str], &str); 6] = [
        (&["run", "change"], "wants a reason"),
        (&["run", "disrupt", "--reason", "because"], "wants the target: --confirm shop/test"),
        (&["run", "disrupt", "--reason", "because", "--confirm", "yes"], "is not the target"),
        (&["--read-only", "run", "fine"], "read-only"),
        (&["run", "absent"], "is not installed"),
        (&["run", "absent", "--take-over", "only locks are overruled"], "is not installed"),
    ];
    for (args, why) in table {
        let (code, _, said) = place.tell(args);
        assert_eq!(code, 2, "{args:?}: {said}");
        assert!(said.contains(why), "{args:?}: {said}");
    }
    assert!(place.lines().is_empty(), "nothing was even intended: {:?}", place.lines());
    let (code, said, _) = place.tell(&["run", "disrupt", "--dry-run"]);
    assert_eq!(code, 0);
    assert!(said.contains("nothing was sent"), "{said}");
    assert_eq!(place.done(), 0);
    let reason = ["--reason", "because", "--confirm", "shop/test"];
    let (code, _, said) = place.tell(&[&["run", "disrupt"], &reason[..]].concat());
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("starts in 5 s"), "{said}");
    assert_eq!(place.done(), 1);
}

#[test]
fn what_was_just_run_by_anybody_must_rest() {
    let place = place();
    assert_eq!(place.tell(&["run", "change", "--reason", "because"]).0, 3);
    let (code, _, why) = place.tell(&["run", "change", "--reason", "because"]);
    assert_eq!(code, 2, "{why}");
    assert!(why.contains("cooling down"), "{why}");
    assert_eq!(place.of_kind("start").len(), 1);
}

#[test]
fn questions_are_answered_from_the_plan() {
    let place = place();
    let (code, said, why) = place.tell(&["run", "talk", "--json"]);
    assert_eq!(code, 3, "{said}{why}");
    let document: serde_json::Value = serde_json::from_str(&said).expect("one document");
    assert_eq!(document["claim"], "done", "{document}");
    assert!(why.contains("answers: yes, no, 42"), "{why}");
}

#[test]
fn a_program_that_cannot_be_started_was_never_sent() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    fs::write(place.path("broken"), "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(place.path("broken"), fs::Permissions::from_mode(0o700)).unwrap();
    let (code, said, why) = place.tell(&["run", "broken"]);
    assert_eq!(code, 2, "{said}{why}");
    assert!(said.contains("NEVER STARTED"), "{said}");
    assert!(said.contains("its interpreter /no/such/interpreter, which its first line"), "{said}");
    assert!(!format!("{said}{why}").contains("proof"), "{said}{why}");
    assert_eq!(place.of_kind("finish")[0]["result"]["claim"], "not_sent");
}

#[test]
fn a_secret_reaches_the_program_and_neither_a_file_nor_the_list_of_processes() {
    const CANARY: &str = "canary-7d1f-runner-0b";
    let place = Place::new(ACTIONS);
    let mut command = place.command(&["-vv", "run", "secret"]);
    let (code, said, why) = super::told(&command.env("RUNNER_TOKEN", CANARY).output().unwrap());
    assert_eq!(code, 3, "{said}{why}");
    assert!(said.contains("⟨secret⟩") && said.contains("over"), "{said}");
    assert!(!said.contains(CANARY) && !why.contains(CANARY), "{said}{why}");
    let processes = fs::read_to_string(place.path("ps")).unwrap();
    assert!(processes.contains("supervise"), "the runner is in the list: {processes}");
    assert!(!processes.contains(CANARY));
    assert_eq!(found_in(&place.state(), CANARY), Vec::<std::path::PathBuf>::new());
}

#[test]
fn two_people_cannot_act_on_the_same_thing_unless_one_takes_over() {
    let locked = |name: &str, lock: &str, what: &str| {
        format!(
            "[action.{name}]\nkind = \"command\"\nguard = \"G1\"\ncooldown = \"0s\"\ntimeout = \"60s\"\n\
             locks = [\"{lock}\"]\nshell = true\nargv = [\"{what}\"]\n"
        )
    };
    let actions = [
        locked("deploy", "shop/deploy", "trap 'exit 4' TERM; while :; do sleep 0.05; done"),
        locked("rollback", "shop", "echo x >> @/done"),
        locked("warm", "shop/cache", "echo x >> @/done"),
    ];
    let place = Place::new(&actions.concat());
    assert_eq!(place.tell(&["run", "deploy", "--detach"]).0, 3);
    let (code, _, why) = place.tell(&["run", "rollback"]);
    assert_eq!(code, 2, "{why}");
    assert!(why.contains("has been running deploy on shop/test since"), "{why}");
    assert_eq!(place.done(), 0);
    assert_eq!(place.tell(&["run", "warm"]).0, 3, "another part of the tree");
    assert_eq!(place.done(), 1);
    let (code, said, why) = place.tell(&["run", "rollback", "--take-over", "deploy hangs"]);
    assert_eq!(code, 3, "{said}{why}");
    assert_eq!(place.done(), 2);
    assert_eq!(place.of_kind("cancel")[0]["reason"], "deploy hangs");
    let ended = |line: &serde_json::Value| line["result"]["claim"] == "cancelled";
    eventually("the deploy to be stopped", || place.of_kind("finish").iter().any(ended));
    place.verify();
}

#[test]
fn the_journal_is_verified_and_shown() {
    let place = place();
    place.tell(&["run", "fine"]);
    let (code, said, _) = place.tell(&["journal", "verify", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&said).expect("one document");
    assert_eq!((code, document["intact"].as_bool()), (0, Some(true)), "{said}");
    let (code, said, _) = place.tell(&["journal", "show", "fine"]);
    assert_eq!(code, 0);
    for word in ["intent", "supervisor", "start", "process", "finish", "outcome", "exit code 0"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(place.tell(&["journal", "show", "sad"]).1, "");
    let file = place.state().join("journal.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("exit code 0", "exit code 1", 1)).unwrap();
    let (code, said, _) = place.tell(&["journal", "verify"]);
    assert_eq!(code, 1);
    assert!(said.starts_with("BROKEN") && said.contains("line 5"), "{said}");
}

#[test]
fn what_must_not_be_started_now_is_refused_without_the_screen_too() {
    let place = place();
    let load = place.path("load");
    for (written, code, words, held) in [
        (Some("99"), 2, "not while load.load > 80: it is 99", false),
        (Some("7"), 3, "", true),
        // It cannot be seen: said, and no reason to refuse.
        (None, 3, "it is not known whether load.load > 80", true),
    ] {
        let _ = fs::remove_file(place.path("held"));
        match written {
            Some(number) => fs::write(&load, number).unwrap(),
            None => fs::remove_file(&load).unwrap(),
        }
        let (exit, said, why) = place.tell(&["run", "held"]);
        let all = format!("{said}{why}");
        assert_eq!(exit, code, "{written:?}: {all}");
        assert!(all.contains(words), "{written:?}: {all}");
        assert_eq!(place.path("held").exists(), held, "{written:?}");
    }
}
