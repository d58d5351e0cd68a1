//! What actions ask for, given on the command line: exactly that reaches the other side, and
//! secrets reach nothing else.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

use super::{Place, found_in, fs, told};

const ACTIONS: &str = r#"
[source.api]
kind = "http"
url = "http://127.0.0.1:1/"

[action.print]
kind = "command"
guard = "G1"
cooldown = "0s"
argv = ["sh", "-c", 'printf "%s\n" "$#" "$1" "$VALUE"; cat', "sh", "<${ask.text}>"]
environment = { VALUE = "${ask.text}" }
stdin = "in: ${ask.text}"
[action.print.ask.text]
pattern = ".*"
max_length = 60
hint = "any text"
deny = [{ pattern = "10\\..*", why = "a private address" }]

[action.roll]
kind = "command"
guard = "G4"
cooldown = "0s"
argv = ["sh", "-c", 'echo "$1" >> @/done', "sh", "${ask.number}"]
[action.roll.ask.number]
pattern = "[0-9]{1,4}"
default = "99"

[action.hidden]
kind = "command"
guard = "G1"
cooldown = "0s"
argv = ["sh", "-c", 'read -r b; [ "x $HIDDEN" = "$b" ] && [ "$${#HIDDEN}" = 12 ] && ps axwwe > @/ps; echo "got $HIDDEN"']
environment = { HIDDEN = "${ask.token}" }
stdin = "x ${ask.token}\n"
[action.hidden.ask.token]
pattern = ".{8,}"
secret = true

[action.post]
kind = "http"
guard = "G1"
cooldown = "0s"
url = "http://127.0.0.1:PORT/v1/${ask.to}/end?q=${ask.to}"
headers = { Authorization = "Bearer ${ask.token}" }
body = { to = "${ask.to}", key = "k=${ask.token}" }
[action.post.ask.to]
pattern = ".+"
[action.post.ask.token]
pattern = ".{8,}"
secret = true
"#;

fn place() -> Place {
    Place::new(&ACTIONS.replace("PORT", "1"))
}

#[test]
fn a_value_is_one_argument_whatever_it_holds() {
    let place = place();
    let nasty = "; rm -rf / $(reboot) `id` \"'\\ * ${ask.text}";
    let (code, said, why) = place.tell(&["run", "print", "--ask", &format!("text={nasty}")]);
    assert_eq!(code, 3, "nothing proves it: {said}{why}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..4], ["1", &format!("<{nasty}>"), nasty, &format!("in: {nasty}")], "{said}");
    let intent = &place.of_kind("intent")[0];
    assert_eq!(intent["asked"]["text"], nasty);
    assert!(intent["request"].to_string().contains("rm -rf"), "{intent}");
    place.verify();
}

#[test]
fn what_is_missing_or_wrong_is_refused_before_anything_is_done() {
    let place = place();
    let table: [(&[&str], i32, &str); 9] = [
        (&["run", "print"], 2, "--ask text=VALUE"),
        (&["run", "print", "--ask", "text=10.0.0.1"], 2, "a private address"),
        (&["run", "print", "--ask", "text=a\nb"], 2, "control characters"),
        (&["run", "roll", "--ask", "number=99x"], 2, "number: does not match"),
        (&["run", "print", "--ask", "txt=1"], 64, "does not ask for txt, only for text"),
        (&["run", "print", "--ask", "text"], 64, "NAME=VALUE"),
        (&["run", "print", "--ask", "text=@env:NOPE_NOPE"], 64, "NOPE_NOPE is not set"),
        (&["run", "hidden", "--ask", "token=canary-31337"], 64, "@env:VARIABLE"),
        (&["run", "hidden"], 2, "token is missing"),
    ];
    for (args, expected, why) in table {
        let (code, said, complaint) = place.tell(args);
        assert_eq!(code, expected, "{args:?}: {said}{complaint}");
        assert!(complaint.contains(why), "{args:?}: {complaint}");
        assert!(!complaint.contains("canary"), "{complaint}");
    }
    assert!(place.lines().is_empty(), "{:?}", place.lines());
}

#[test]
fn a_dry_run_shows_what_would_be_sent_with_the_default() {
    let place = place();
    let (code, said, why) = place.tell(&["run", "roll", "--dry-run"]);
    assert_eq!(code, 0, "{why}");
    assert!(said.contains(" 99\n") && said.contains("nothing was sent"), "{said}");
    let (_, said, _) = place.tell(&["run", "roll", "--dry-run", "--ask", "number=7"]);
    assert!(said.contains(" 7\n"), "{said}");
    assert_eq!(place.done(), 0);
}

#[test]
fn a_second_person_agrees_to_exactly_these_values() {
    let place = place();
    let mut asking = place
        .command(&["run", "roll", "--ask", "number=31", "--reason", "bad migration"])
        .args(["--confirm", "shop/test"])
        .env("WATCHFLOOR_PERSON", "alice")
        .spawn()
        .unwrap();
    super::eventually("it is asked", || !place.of_kind("ask").is_empty());
    assert_eq!(place.of_kind("ask")[0]["asked"]["number"], "31");
    let other = |args: &[&str]| {
        told(&place.command(args).env("WATCHFLOOR_PERSON", "bob").output().unwrap())
    };
    let (_, said, why) = other(&["approve", "roll"]);
    assert!(said.contains("given number: 31"), "{said}{why}");
    let (code, said, why) = other(&["approve", "roll", "--confirm", "shop/test"]);
    assert_eq!(code, 0, "{said}{why}");
    asking.wait().unwrap();
    assert_eq!(fs::read_to_string(place.path("done")).unwrap(), "31\n");
    place.verify();
}

#[test]
fn a_secret_reaches_the_program_and_nothing_else() {
    let place = place();
    let mut child = place
        .command(&["run", "hidden", "--ask", "token=@-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"canary-31337\n").unwrap();
    let (code, said, why) = told(&child.wait_with_output().unwrap());
    assert_eq!(code, 3, "{said}{why}");
    assert!(said.contains("got ⟨secret⟩"), "{said}{why}");
    // `ps e` also shows the environment: the program's own, to its own user.
    let ps = fs::read_to_string(place.path("ps")).expect("the program got the secret");
    for line in ps.lines().filter(|line| line.contains("canary-31337")) {
        assert!(line.contains("HIDDEN=canary-31337"), "{line}");
        let arguments = line.split("HIDDEN=").next().unwrap();
        assert!(!arguments.contains("canary"), "{line}");
    }
    let kept = found_in(&place.state(), "canary-31337");
    let only_output = kept.iter().all(|path| path.ends_with("output.log"));
    assert!(only_output, "the raw output alone may hold it: {kept:?}");
    let intent = place.of_kind("intent")[0].clone();
    assert_eq!(intent["asked"]["token"], "⟨secret⟩");
    let (code, _, why) = told(
        &place
            .command(&["run", "hidden", "--ask", "token=@env:GIVEN"])
            .env("GIVEN", "canary-31337")
            .output()
            .unwrap(),
    );
    assert_eq!(code, 3, "{why}");
}

/// A server that reads one request whole and answers it.
fn one_request() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let (mut text, mut chunk) = (String::new(), [0; 4096]);
            // A preview connects and sends nothing.
            while !text.ends_with('}') {
                match stream.read(&mut chunk) {
                    Ok(read) if read > 0 => text += &String::from_utf8_lossy(&chunk[..read]),
                    _ => break,
                }
            }
            if text.is_empty() {
                continue;
            }
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    (port, receiver)
}

#[test]
fn an_address_is_encoded_and_the_secret_is_only_sent() {
    let (port, requests) = one_request();
    let place = Place::new(&ACTIONS.replace("PORT", &port.to_string()));
    let args = ["run", "post", "--ask", "to=../a b/%2f?x=1&y#\"ü", "--ask", "token=@env:GIVEN"];
    let dry = place.command(&args).arg("--dry-run").env("GIVEN", "canary-\"31337").output();
    let (code, said, why) = told(&dry.unwrap());
    assert_eq!(code, 0, "{said}{why}");
    assert!(said.contains("authorization: Bearer ⟨ask.token⟩"), "{said}");
    assert!(said.contains("k=⟨ask.token⟩") && !said.contains("canary"), "{said}");
    let (code, said, why) =
        told(&place.command(&args).env("GIVEN", "canary-\"31337").output().unwrap());
    assert_eq!(code, 3, "{said}{why}");
    let request = requests.recv_timeout(Duration::from_secs(10)).expect("it was sent");
    let encoded = "..%2Fa%20b%2F%252f%3Fx%3D1%26y%23%22%C3%BC";
    let line = format!("POST /v1/{encoded}/end?q={encoded} HTTP/1.1\r\n");
    assert!(request.starts_with(&line), "{request}");
    assert!(request.contains("authorization: Bearer canary-\"31337\r\n"), "{request}");
    let body: serde_json::Value =
        serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).expect("JSON");
    assert_eq!(body["to"], "../a b/%2f?x=1&y#\"ü");
    assert_eq!(body["key"], "k=canary-\"31337");
    assert_eq!(found_in(&place.state(), "31337"), Vec::<std::path::PathBuf>::new());
    for bad in ["..", "."] {
        let (code, _, why) = told(
            &place
                .command(&["run", "post", "--ask", &format!("to={bad}")])
                .args(&args[4..])
                .env("GIVEN", "canary-31337")
                .output()
                .unwrap(),
        );
        assert_eq!(code, 2, "{why}");
        assert!(why.contains("cannot be a part of an address"), "{why}");
    }
}
