use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    response::Redirect,
    routing::{any, post},
};
use serde_json::json;
use serde_json_path::JsonPath;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use watchfloor::{
    config::{
        profile::{
            ActionConfig, ActionKind, Extract, HttpAction, ReadingConfig, StatusRange, Text,
            TlsOptions,
        },
        secret::Secret,
    },
    domain::{
        action::{ActionOutcome, ActionStage, Claim},
        value::Value,
    },
};

use super::{Desk, LIMIT, action, assert_not_sent, found_in, reading};

fn post_to(url: &str) -> HttpAction {
    let json = |path: &str| JsonPath::parse(path).expect("a path");
    HttpAction {
        method: "POST".to_owned(),
        url: url.parse().expect("an address"),
        headers: Vec::new(),
        body: Some(json!({ "pattern": "car:*" })),
        hidden: Vec::new(),
        accept: vec![StatusRange { from: 200, to: 202 }],
        tls: TlsOptions::default(),
        readings: vec![
            ReadingConfig {
                name: "ok".into(),
                from: Extract::Json(vec![json("$.success"), json("$.data.ok")]),
            },
            ReadingConfig { name: "cleared".into(), from: Extract::Json(vec![json("$.cleared")]) },
            ReadingConfig { name: "errors".into(), from: Extract::Count(json("$.errors[*]")) },
            ReadingConfig { name: "node".into(), from: Extract::Header("x-node".to_owned()) },
        ],
        idempotency_key_header: None,
    }
}

fn configured(http: HttpAction) -> ActionConfig {
    action(ActionKind::Http(Box::new(http)), Duration::from_secs(20))
}

/// A server that ends with the test.
struct Server {
    address: String,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serves");
        });
        Self { address, task }
    }

    /// Reads a request whole, hands it out, sends `answer` and closes.
    async fn raw(answer: &'static [u8]) -> (Self, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                let mut chunk = [0; 4096];
                // A preview connects and sends nothing.
                while !String::from_utf8_lossy(&bytes).ends_with("\"car:*\"}") {
                    match stream.read(&mut chunk).await {
                        Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
                        _ => break,
                    }
                }
                if !bytes.is_empty() {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    log.lock().expect("not poisoned").push(text);
                    let _ = stream.write_all(answer).await;
                }
            }
        });
        (Self { address, task }, seen)
    }

    fn post(&self, path: &str) -> HttpAction {
        post_to(&format!("{}{path}", self.address))
    }
}

#[tokio::test]
async fn a_server_that_accepts_is_asked_once_and_its_answer_is_evidence() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    let handler = async move || {
        counter.fetch_add(1, Ordering::SeqCst);
        (
            StatusCode::ACCEPTED,
            [("x-node", "eu 7")],
            Json(json!({ "data": { "ok": true }, "cleared": 1234, "errors": [] })),
        )
    };
    let server = Server::start(Router::new().route("/clear", post(handler))).await;
    let desk = Desk::new();
    let config = configured(server.post("/clear"));
    let preview = desk.preview(&config).await;
    assert_eq!(hits.load(Ordering::SeqCst), 0, "a preview sends nothing");
    assert!(preview.findings[0].contains("takes connections"), "{:?}", preview.findings);
    assert!(preview.refusals.is_empty());

    let (result, stages) = desk.start(&config, &preview.digest).finish().await;
    assert_eq!(hits.load(Ordering::SeqCst), 1);
    assert_eq!(result.claim, Claim::Done);
    assert_eq!(result.summary, "202 Accepted");
    assert_eq!(stages[..2], [ActionStage::Journaled, ActionStage::Started]);
    for (name, value) in [
        ("status", Value::Number(202.0)),
        ("ok", Value::Bool(true)),
        ("cleared", Value::Number(1234.0)),
        ("errors", Value::Number(0.0)),
        ("node", Value::Text("eu 7".into())),
    ] {
        assert_eq!(reading(&result, name), Some(&value), "{name}");
    }
    assert_eq!(desk.kinds(), ["intent", "supervisor", "start", "step", "finish"]);
    assert_eq!(desk.lines()[4]["result"]["readings"]["cleared"]["number"], 1234.0);
}

#[tokio::test]
async fn a_refusal_is_quoted_safely_and_not_repeated() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    let handler = async move || {
        counter.fetch_add(1, Ordering::SeqCst);
        (StatusCode::CONFLICT, "{\"error\":\"\u{1b}[2Jrunning\n already\"}")
    };
    let server = Server::start(Router::new().route("/clear", post(handler))).await;
    let desk = Desk::new();
    let (result, _) = desk.run(&configured(server.post("/clear"))).await;
    assert_eq!(result.claim, Claim::Refused);
    assert_eq!(result.summary, "409 Conflict: {\"error\":\"running already\"}");
    assert_eq!(hits.load(Ordering::SeqCst), 1);
    assert_eq!(desk.actions.history(1)[0].outcome, ActionOutcome::Failed);
}

#[tokio::test]
async fn a_gateway_does_not_know_what_happened_behind_it() {
    let handler = async || (StatusCode::GATEWAY_TIMEOUT, "upstream timed out");
    let server = Server::start(Router::new().route("/clear", post(handler))).await;
    let desk = Desk::new();
    let (result, _) = desk.run(&configured(server.post("/clear"))).await;
    assert_eq!(result.claim, Claim::Unclear);
    assert!(result.summary.contains("upstream timed out"), "{}", result.summary);
    assert_eq!(desk.actions.history(1)[0].outcome, ActionOutcome::Unknown);
}

#[tokio::test]
async fn a_status_of_200_with_an_error_inside_leaves_the_judgement_to_the_proof() {
    let handler = async || Json(json!({ "success": false, "errors": ["a", "b"] }));
    let server = Server::start(Router::new().route("/clear", post(handler))).await;
    let desk = Desk::new();
    let (result, stages) = desk.run(&configured(server.post("/clear"))).await;
    assert_eq!(result.claim, Claim::Done);
    assert_eq!(reading(&result, "ok"), Some(&Value::Bool(false)));
    assert_eq!(reading(&result, "errors"), Some(&Value::Number(2.0)));
    assert_eq!(reading(&result, "cleared"), None, "what is missing is not zero");
    let note =
        ActionStage::Output("[no cleared: not in the answer (looked for $.cleared)]".to_owned());
    assert!(stages.contains(&note), "{stages:?}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    let elsewhere = async move || {
        counter.fetch_add(1, Ordering::SeqCst);
    };
    let router = Router::new()
        .route("/clear", post(async || Redirect::temporary("/elsewhere")))
        .route("/elsewhere", any(elsewhere));
    let server = Server::start(router).await;
    let desk = Desk::new();
    let (result, _) = desk.run(&configured(server.post("/clear"))).await;
    assert_eq!(result.claim, Claim::Refused);
    assert!(result.summary.starts_with("307"), "{}", result.summary);
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_hangs_may_have_acted() {
    let handler = async || std::future::pending::<()>().await;
    let server = Server::start(Router::new().route("/clear", post(handler))).await;
    let desk = Desk::new();
    let http = ActionKind::Http(Box::new(server.post("/clear")));
    let (result, stages) = desk.run(&action(http, Duration::from_secs(2))).await;
    assert_eq!(result.claim, Claim::Unclear);
    assert!(result.summary.contains("no answer came"), "{}", result.summary);
    assert!(stages.contains(&ActionStage::Started));
    assert_eq!(desk.actions.history(1)[0].outcome, ActionOutcome::Unknown);
}

#[tokio::test]
async fn stopping_the_wait_does_not_unsend_the_request() {
    let handler = async || std::future::pending::<()>().await;
    let server = Server::start(Router::new().route("/clear", post(handler))).await;
    let desk = Desk::new();
    let config = configured(server.post("/clear"));
    let digest = desk.preview(&config).await.digest;
    let mut started = desk.start(&config, &digest);
    started.until(|stage| *stage == ActionStage::Started).await;
    started.stop();
    let (result, _) = started.finish().await;
    assert_eq!(result.claim, Claim::Unclear);
    assert!(result.summary.contains("stopped by the operator"), "{}", result.summary);
}

#[tokio::test]
async fn a_connection_that_closes_after_the_request_may_have_acted() {
    let (server, seen) = Server::raw(b"").await;
    let desk = Desk::new();
    let (result, _) = desk.run(&configured(server.post("/clear"))).await;
    assert_eq!(result.claim, Claim::Unclear);
    assert!(result.summary.contains("the connection ended"), "{}", result.summary);
    assert_eq!(seen.lock().expect("not poisoned").len(), 1, "never sent again");
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_unclear() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"success\": tr";
    let (server, seen) = Server::raw(answer).await;
    let desk = Desk::new();
    let (result, _) = desk.run(&configured(server.post("/clear"))).await;
    assert_eq!(result.claim, Claim::Unclear);
    assert!(result.summary.starts_with("200 OK, then"), "{}", result.summary);
    assert_eq!(reading(&result, "status"), Some(&Value::Number(200.0)));
    assert_eq!(seen.lock().expect("not poisoned").len(), 1);
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_name_were_never_sent() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = format!("http://{}/clear", free.local_addr().expect("an address"));
    drop(free);
    let desk = Desk::new();
    for url in [closed.as_str(), "http://no-such-host.invalid/clear"] {
        let config = configured(post_to(url));
        let preview = desk.preview(&config).await;
        assert!(preview.findings[0].starts_with("NOT REACHABLE"), "{:?}", preview.findings);
        let (result, stages) = desk.start(&config, &preview.digest).finish().await;
        assert_eq!(result.claim, Claim::NotSent, "{}", result.summary);
        assert!(!stages.contains(&ActionStage::Started));
        assert_eq!(desk.actions.history(1)[0].outcome, ActionOutcome::NeverStarted);
    }
}

#[tokio::test]
async fn what_is_shown_is_what_is_sent_apart_from_secrets() {
    const CANARY: &str = "canary-http-40c1d2";
    let (server, seen) = Server::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let secret = Secret::new(CANARY.to_owned(), "env ADMIN_TOKEN");
    let mut http = server.post("/clear?scope=all");
    http.headers = vec![
        ("Authorization".to_owned(), Text::Secret { prefix: "Bearer ".to_owned(), secret }),
        ("X-Reason".to_owned(), Text::Plain("incident".to_owned())),
    ];
    let desk = Desk::new();
    let config = configured(http);
    let preview = desk.preview(&config).await;
    let (result, _) = desk.start(&config, &preview.digest).finish().await;
    assert_eq!(result.claim, Claim::Done, "{}", result.summary);

    let seen = seen.lock().expect("not poisoned").clone();
    let (head, body) = seen[0].split_once("\r\n\r\n").expect("a head");
    let mut sent: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
    assert_eq!(sent.remove(0), "POST /clear?scope=all HTTP/1.1");
    let mut shown = preview.request.clone();
    assert_eq!(shown.remove(0), format!("POST {}/clear?scope=all HTTP/1.1", server.address));
    assert_eq!(shown.pop().as_deref(), Some(body));
    assert_eq!(shown.pop().as_deref(), Some(""));
    let mut shown: Vec<String> =
        shown.iter().map(|line| line.replace("⟨ADMIN_TOKEN⟩", CANARY)).collect();
    sent.sort();
    shown.sort();
    assert_eq!(sent, shown);
    assert!(!preview.request.join("\n").contains(CANARY));
    assert!(found_in(&desk.state(), CANARY).is_empty());
    assert_eq!(found_in(&desk.state(), "Bearer ⟨ADMIN_TOKEN⟩"), [desk.journal()]);
}

#[tokio::test]
async fn a_secret_that_the_server_echoes_is_removed() {
    const CANARY: &str = "canary-echo-77ab";
    let echo = async |headers: HeaderMap| {
        let token = headers["x-token"].to_str().expect("text").to_owned();
        (StatusCode::FORBIDDEN, [("x-node", token.clone())], format!("bad token {token}"))
    };
    let server = Server::start(Router::new().route("/clear", post(echo))).await;
    let mut http = server.post("/clear");
    let secret = Secret::new(CANARY.to_owned(), "env ECHO_TOKEN");
    let text = Text::Secret { prefix: String::new(), secret };
    http.headers = vec![("x-token".to_owned(), text)];
    let desk = Desk::new();
    let (result, stages) = desk.run(&configured(http)).await;
    assert_eq!(result.summary, "403 Forbidden: bad token ⟨secret⟩");
    assert_eq!(reading(&result, "node"), Some(&Value::Text("⟨secret⟩".into())));
    assert!(!format!("{stages:?}").contains(CANARY));
    assert!(found_in(&desk.state(), CANARY).is_empty());
}

#[tokio::test]
async fn an_endless_answer_is_not_read() {
    let handler = async || "x".repeat(3 << 20);
    let server = Server::start(Router::new().route("/clear", post(handler))).await;
    let desk = Desk::new();
    let (result, _) = desk.run(&configured(server.post("/clear"))).await;
    assert_eq!(result.claim, Claim::Done);
    assert!(result.summary.contains("more than 1048576 bytes"), "{}", result.summary);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_and_says_nothing_of_the_secret() {
    const CANARY: &str = "canary\nwith a line break";
    let desk = Desk::new();
    let mut broken = post_to("http://127.0.0.1:9/clear");
    let secret = Secret::new(CANARY.to_owned(), "env BROKEN_TOKEN");
    let text = Text::Secret { prefix: String::new(), secret };
    broken.headers = vec![("x-token".to_owned(), text)];
    let mut odd = post_to("http://127.0.0.1:9/clear");
    odd.method = "PO ST".to_owned();
    let mut split = post_to("http://127.0.0.1:9/clear");
    split.headers = vec![("Content-Length".to_owned(), Text::Plain("0".to_owned()))];
    for (http, why) in [
        (split, "content-length is set by the console itself"),
        (broken, "characters that HTTP does not allow"),
        (odd, "no HTTP method"),
        (post_to("http://user:hunter22@127.0.0.1:9/clear"), "credentials"),
        (post_to("ftp://127.0.0.1/clear"), "is not an address for HTTP"),
    ] {
        let config = configured(http);
        let preview = desk.preview(&config).await;
        assert!(preview.refusals[0].contains(why), "{:?}", preview.refusals);
        let text = format!("{preview:?}");
        assert!(!text.contains("hunter22") && !text.contains("with a line break"), "{text}");
        let (result, _) = desk.start(&config, &preview.digest).finish().await;
        assert_not_sent(&result, why);
    }
}

#[tokio::test]
async fn a_certificate_is_verified_against_the_configured_root() {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a pair");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a pair");
    let desk = Desk::new();
    let write = |name: &str, text: String| {
        let path = desk.place.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let (right, wrong) = (write("own.pem", own.cert.pem()), write("other.pem", other.cert.pem()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der());
    let settings = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.expect("a key"))
        .expect("a certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(settings));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut chunk = [0; 4096];
                let _ = stream.read(&mut chunk).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    let server = Server { address: format!("https://localhost:{port}"), task };
    let with = |ca_file, insecure| {
        let mut http = server.post("/clear");
        http.tls = TlsOptions { ca_file, insecure };
        configured(http)
    };
    let run = async |config: ActionConfig| {
        tokio::time::timeout(LIMIT, desk.run(&config)).await.expect("in time").0
    };
    assert_eq!(run(with(Some(right), false)).await.claim, Claim::Done);
    assert_not_sent(&run(with(Some(wrong), false)).await, "TLS");
    assert_not_sent(&run(with(None, false)).await, "an authority that is not trusted");
    assert_not_sent(&run(with(Some("/no/such.pem".into()), false)).await, "/no/such.pem");
    let insecure = with(None, true);
    assert_eq!(run(insecure.clone()).await.claim, Claim::Done);
    let findings = desk.preview(&insecure).await.findings;
    assert!(findings.iter().any(|text| text.contains("not verified")), "{findings:?}");
}
