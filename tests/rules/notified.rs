//! From a dead source to a message at the other side, with the real program.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;

/// Takes one request, answers it, and gives its body.
fn webhook() -> (u16, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (bodies, received) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            if bodies.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (port, received)
}

#[test]
fn whoever_does_not_look_is_told() {
    let (port, received) = webhook();
    let dir = tempfile::tempdir().unwrap();
    let configuration = format!(
        r#"
[service]
name = "shop"
environment = "staging"
[state]
dir = "state"
[source.redis]
kind = "redis"
url = "redis://127.0.0.1:1"
interval = "1s"
timeout = "500ms"
[rule.down]
title = "Redis does not answer"
when = "redis.up == false"
severity = "critical"
runbook = "section 4"
[notify]
group_wait = "1s"
[notify.target.hook]
kind = "webhook"
format = "generic"
url = "http://127.0.0.1:{port}/alerts"
"#
    );
    std::fs::write(dir.path().join("watchfloor.toml"), configuration).unwrap();
    let mut console = Command::new(env!("CARGO_BIN_EXE_watchfloor"))
        .args(["--headless", "--for", "20s"])
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let body = received.recv_timeout(Duration::from_secs(20));
    let _ = console.kill();
    let output = console.wait_with_output().unwrap();
    let body = body.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(body["status"], "firing", "{body:#}");
    let alert = &body["alerts"][0];
    assert_eq!(alert["title"], "Redis does not answer", "{body:#}");
    assert_eq!((&alert["severity"], &alert["runbook"]), (&"critical".into(), &"section 4".into()));
}
