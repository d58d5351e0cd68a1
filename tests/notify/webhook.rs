//! Webhooks.

use std::{
    io::Read,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use watchfloor::config::secret::Secret;

use super::*;
use crate::common::{
    certs::Authority,
    raw::{Exchange, RawServer, answer},
    servers::NginxServer,
};

/// What a hook was sent.
#[derive(Clone, Debug)]
struct Posted {
    head: String,
    body: Value,
}

/// A server that keeps what it is sent, and answers the n-th request as told; the last
/// answer counts from there on.
struct Hook {
    server: RawServer,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Hook {
    fn answering(answers: Vec<String>) -> Self {
        let posted: Arc<Mutex<Vec<Posted>>> = Arc::default();
        let seen = Arc::clone(&posted);
        let count = AtomicUsize::new(0);
        let server = RawServer::start(move |exchange| {
            let head = exchange.request();
            if head.is_empty() {
                return;
            }
            let body = body_of(&head, exchange);
            seen.lock().expect("no panic while held").push(Posted { head, body });
            let number = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            exchange.send(answers[number].as_bytes());
        });
        Self { server, posted }
    }

    fn posted(&self) -> Vec<Posted> {
        self.posted.lock().expect("no panic while held").clone()
    }
}

fn body_of(head: &str, exchange: &mut Exchange) -> Value {
    let length = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().expect("a length"));
    let mut body = vec![0; length];
    exchange.stream.read_exact(&mut body).expect("a body");
    serde_json::from_slice(&body).expect("JSON")
}

fn ok() -> String {
    answer("200 OK", &[], "ok")
}

fn pagerduty(key: &str) -> WebhookFormat {
    WebhookFormat::PagerDuty { routing_key: Secret::new(key.to_owned(), "env PAGER") }
}

#[tokio::test]
async fn a_message_is_posted_as_json_with_the_headers_of_the_configuration() {
    let hook = Hook::answering(vec![ok()]);
    let mut target = webhook("hook", &hook.server.url("/in?x=1"), WebhookFormat::Generic);
    let secret = Secret::new("header-canary-1".to_owned(), "env HOOK");
    inner(&mut target).headers = vec![
        ("Authorization".to_owned(), Text::Secret { prefix: "Bearer ".to_owned(), secret }),
        ("Content-Length".to_owned(), Text::Plain("3".to_owned())),
        ("Transfer-Encoding".to_owned(), Text::Plain("chunked".to_owned())),
    ];
    let mut desk = Desk::new(vec![target]).await;
    desk.notifier.send(message(7, &["api", "-redis"]));
    let report = desk.report().await;
    assert_eq!(report.outcome, Outcome::Delivered);
    assert_eq!((&*report.target, report.sequence), ("hook", 7));
    assert_eq!(report.dedup_key, "watchfloor/shop/test/critical");
    let posted = hook.posted();
    let [Posted { head, body }] = posted.as_slice() else { panic!("one: {posted:?}") };
    assert!(head.starts_with("POST /in?x=1 HTTP/1.1\r\n"), "{head}");
    let lower = head.to_ascii_lowercase();
    for line in [
        "content-type: application/json\r\n",
        "authorization: bearer header-canary-1\r\n",
        &format!("host: 127.0.0.1:{}\r\n", hook.server.port),
    ] {
        assert!(lower.contains(line), "{line:?} is not in {head}");
    }
    assert!(!lower.contains("transfer-encoding"), "{head}");
    assert_eq!(body["schema"], 1);
    assert_eq!(body["status"], "firing");
    assert_eq!(body["alerts"][1]["resolved_after_seconds"], 754);
}

#[tokio::test]
async fn slack_and_pagerduty_get_their_own_forms() {
    let hook = Hook::answering(vec![answer("202 Accepted", &[], "{}")]);
    let mut desk = Desk::new(vec![
        webhook("chat", &hook.server.url("/chat"), WebhookFormat::Slack),
        webhook("pager", &hook.server.url("/pager"), pagerduty("key-of-the-pager")),
    ])
    .await;
    desk.notifier.send(message(1, &["api"]));
    for _ in 0..2 {
        assert_eq!(desk.report().await.outcome, Outcome::Delivered);
    }
    desk.notifier.send(message(2, &["-api"]));
    for _ in 0..2 {
        assert_eq!(desk.report().await.outcome, Outcome::Delivered);
    }
    let posted = hook.posted();
    let of = |path: &str| -> Vec<Value> {
        let start = format!("POST {path} ");
        let mine = posted.iter().filter(|posted| posted.head.starts_with(&start));
        mine.map(|posted| posted.body.clone()).collect()
    };
    let pager = of("/pager");
    let actions: Vec<&Value> = pager.iter().map(|body| &body["event_action"]).collect();
    assert_eq!(actions, [&json!("trigger"), &json!("resolve")]);
    assert_eq!(pager[0]["dedup_key"], pager[1]["dedup_key"]);
    assert_eq!(pager[0]["routing_key"], "key-of-the-pager");
    let chat = of("/chat");
    assert_eq!(chat[0]["blocks"][0]["text"]["text"], "CRITICAL: 1 firing, shop/test");
    assert_eq!(chat[1]["blocks"][0]["text"]["text"], "RESOLVED (critical), shop/test");
}

#[tokio::test]
async fn what_fails_at_first_is_tried_again() {
    let hook = Hook::answering(vec![answer("500 Internal Server Error", &[], "later"), ok()]);
    let url = hook.server.url("/");
    let mut desk = Desk::new(vec![webhook("hook", &url, WebhookFormat::Generic)]).await;
    desk.notifier.send(message(1, &["api"]));
    let Outcome::Retrying { attempt, next_in, why } = desk.report().await.outcome else {
        panic!("a retry")
    };
    assert_eq!((attempt, why.as_str()), (1, "500 Internal Server Error: later"));
    assert!((750..=1250).contains(&next_in.as_millis()), "{next_in:?}");
    assert_eq!(desk.report().await.outcome, Outcome::Delivered);
    let posted = hook.posted();
    assert_eq!(posted.len(), 2);
    assert_eq!(posted[0].body, posted[1].body);
}

#[tokio::test]
async fn a_hook_that_asks_for_time_gets_it() {
    let busy = answer("429 Too Many Requests", &["Retry-After: 2"], "slow down");
    let hook = Hook::answering(vec![busy, answer("202 Accepted", &[], "")]);
    let url = hook.server.url("/");
    let mut desk = Desk::new(vec![webhook("pager", &url, pagerduty("key-of-429"))]).await;
    desk.notifier.send(message(1, &["api"]));
    let Outcome::Retrying { next_in, why, .. } = desk.report().await.outcome else {
        panic!("a retry")
    };
    let asked = std::time::Instant::now();
    assert_eq!(next_in, Duration::from_secs(2));
    assert!(why.starts_with("429 Too Many Requests"), "{why}");
    assert_eq!(desk.report().await.outcome, Outcome::Delivered);
    // It may come later on a busy machine, and never earlier.
    assert!(asked.elapsed() >= Duration::from_millis(1_900), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_with_a_cure() {
    let key = "key-of-refusals";
    let table = [
        ("401 Unauthorized", pagerduty(key), "401 Unauthorized: no (check env PAGER)"),
        ("403 Forbidden", WebhookFormat::Slack, "403 Forbidden: no (check the address http://"),
        ("404 Not Found", WebhookFormat::Generic, "404 Not Found: no (nothing takes messages at"),
        ("400 Bad Request", pagerduty(key), "400 Bad Request: no (check env PAGER)"),
        ("422 Unprocessable Entity", WebhookFormat::Slack, "422 Unprocessable Entity: no"),
    ];
    for (status, format, words) in table {
        let hook = Hook::answering(vec![answer(status, &[], "no")]);
        let mut desk = Desk::new(vec![webhook("hook", &hook.server.url("/x"), format)]).await;
        desk.notifier.send(message(1, &["api"]));
        let outcome = desk.report().await.outcome;
        let Outcome::GivenUp { lost: 1, why } = outcome else { panic!("{status}: {outcome:?}") };
        assert!(why.starts_with(words), "{why}");
        assert_eq!(hook.posted().len(), 1);
        assert!(desk.notifier.stop(Duration::ZERO).await.is_empty());
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_with_words() {
    let key = "key-of-trouble";
    let table = [
        ("408 Request Timeout", WebhookFormat::Slack, "408 Request Timeout"),
        ("503 Service Unavailable", WebhookFormat::Slack, "503 Service Unavailable"),
        ("302 Found", WebhookFormat::Slack, "302 Found (redirects are not followed"),
        // A page that somebody else puts in the way is not the pager.
        ("200 OK", pagerduty(key), "200 OK (PagerDuty answers 202)"),
    ];
    for (status, format, words) in table {
        let hook = Hook::answering(vec![answer(status, &["Location: /elsewhere"], "")]);
        let mut desk = Desk::new(vec![webhook("hook", &hook.server.url("/"), format)]).await;
        desk.notifier.send(message(1, &["api"]));
        let outcome = desk.report().await.outcome;
        let Outcome::Retrying { why, .. } = outcome else { panic!("{status}: {outcome:?}") };
        assert!(why.starts_with(words), "{why}");
    }
}

#[tokio::test]
async fn a_hook_that_hangs_holds_nobody_else_up() {
    let silent = RawServer::start(Exchange::hang);
    let dripping = RawServer::start(|exchange| {
        exchange.request();
        exchange.send(b"HTTP/1.1 500 Oh\r\nContent-Length: 10000\r\n\r\nsome");
        exchange.hang();
    });
    let hook = Hook::answering(vec![ok()]);
    let mut targets = vec![
        webhook("silent", &silent.url("/"), WebhookFormat::Generic),
        webhook("dripping", &dripping.url("/"), WebhookFormat::Generic),
        webhook("well", &hook.server.url("/"), WebhookFormat::Generic),
    ];
    targets[0].timeout = SHORT;
    targets[1].timeout = SHORT;
    let mut desk = Desk::new(targets).await;
    for sequence in 1..=3 {
        desk.notifier.send(message(sequence, &["api"]));
    }
    let mut well = 0;
    let mut trouble = std::collections::BTreeMap::new();
    while well < 3 || trouble.len() < 2 {
        let report = desk.report().await;
        match report.outcome {
            Outcome::Delivered => {
                assert_eq!(report.target, "well");
                well += 1;
            }
            other => {
                trouble.entry(report.target).or_insert_with(|| why(other));
            }
        }
    }
    assert!(trouble["silent"].contains("no answer within 700ms"), "{trouble:?}");
    assert!(trouble["dripping"].starts_with("500 Internal Server Error: some"), "{trouble:?}");
    let numbers: Vec<Value> =
        hook.posted().into_iter().map(|posted| posted.body["sequence"].clone()).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn a_hook_that_is_not_there_is_said_to_be() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
    let url = format!("http://127.0.0.1:{port}/");
    let garbage = RawServer::http("SSH-2.0-OpenSSH_9.6\r\n");
    let mut desk = Desk::new(vec![
        webhook("none", &url, WebhookFormat::Generic),
        webhook("garbage", &garbage.url("/"), WebhookFormat::Generic),
    ])
    .await;
    desk.notifier.send(message(1, &["api"]));
    let mut said = std::collections::BTreeMap::new();
    while said.len() < 2 {
        let report = desk.report().await;
        said.insert(report.target, why(report.outcome));
    }
    assert_eq!(said["none"], format!("refused: 127.0.0.1:{port}: nothing listens there"));
    assert!(said["garbage"].starts_with("bad answer: "), "{said:?}");
}

#[tokio::test]
async fn a_newer_message_takes_the_place_of_one_that_fails() {
    let hook = Hook::answering(vec![answer("500 Oh", &[], ""), ok()]);
    let url = hook.server.url("/");
    let mut desk = Desk::new(vec![webhook("hook", &url, WebhookFormat::Generic)]).await;
    desk.notifier.send(message(1, &["api", "-redis"]));
    assert!(matches!(desk.report().await.outcome, Outcome::Retrying { .. }));
    desk.notifier.send(message(2, &["api"]));
    let report = desk.report().await;
    assert!(matches!(report.outcome, Outcome::Replaced { lost: 1, .. }), "{report:?}");
    assert_eq!(report.sequence, 1);
    assert_eq!(desk.report().await.outcome, Outcome::Delivered);
    let posted = hook.posted();
    assert_eq!(posted.len(), 2);
    assert_eq!(posted[1].body["sequence"], 2);
    assert_eq!(posted[1].body["alerts"][1]["key"], "redis", "what had ended is not forgotten");
}

#[tokio::test]
async fn the_certificate_is_verified_as_everywhere() {
    let authority = Authority::new();
    let leaf = authority.leaf(&["127.0.0.1"]);
    let nginx = NginxServer::start(&format!(
        "server {{ listen 127.0.0.1:{{port}} ssl; ssl_certificate {}; ssl_certificate_key {}; \
         location / {{ return 200 'ok'; }} }}",
        leaf.certificate.display(),
        leaf.key.display()
    ));
    let url = format!("https://127.0.0.1:{}/", nginx.port);
    let format = || WebhookFormat::Generic;
    let mut trusted = webhook("trusted", &url, format());
    inner(&mut trusted).tls = TlsOptions { ca_file: Some(authority.root.clone()), insecure: false };
    let mut desk = Desk::new(vec![webhook("doubted", &url, format()), trusted]).await;
    desk.notifier.send(message(1, &["api"]));
    let mut said = std::collections::BTreeMap::new();
    while said.len() < 2 {
        let report = desk.report().await;
        said.entry(report.target).or_insert(report.outcome);
    }
    let why = why(said.remove("doubted").expect("a report"));
    assert!(why.contains("authority that is not trusted"), "{why}");
    assert_eq!(said["trusted"], Outcome::Delivered);
}

#[tokio::test]
async fn no_secret_is_in_what_is_reported() {
    const CANARIES: [&str; 3] = ["canary-header-77", "canary-key-77", "canary-of-the-path-77"];
    let echoing = RawServer::start(|exchange| {
        let head = exchange.request();
        let body = body_of(&head, exchange);
        let status = if head.contains("/refuse") { "403 Forbidden" } else { "500 Oh" };
        let said = format!("{} {}", body["routing_key"], head.replace("\r\n", " "));
        exchange.send(answer(status, &[], &said).as_bytes());
    });
    for path in ["/fail", "/refuse"] {
        let path = format!("{path}/{}", CANARIES[2]);
        let url = echoing.url(&path);
        let mut target = webhook("hook", &url, pagerduty(CANARIES[1]));
        let secret = Secret::new(CANARIES[0].to_owned(), "env HEADER");
        let _path = Secret::new(CANARIES[2].to_owned(), "env HOOK");
        inner(&mut target).address.shown = "⟨HOOK⟩".to_owned();
        inner(&mut target).headers =
            vec![("X-Key".to_owned(), Text::Secret { prefix: String::new(), secret })];
        let debug = format!("{target:?}");
        let mut desk = Desk::new(vec![target]).await;
        desk.notifier.send(message(1, &["api"]));
        let report = desk.report().await;
        let text = format!("{debug} {report:?} {}", serde_json::to_string(&report).expect("JSON"));
        assert!(text.contains("POST"), "the answer is quoted: {text}");
        for canary in CANARIES {
            assert!(!text.contains(canary), "{canary} is in {text}");
        }
    }
}

#[tokio::test]
async fn a_changed_configuration_keeps_what_waits() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
    let url = format!("http://127.0.0.1:{port}/");
    let mut desk = Desk::new(vec![
        webhook("hook", &url, WebhookFormat::Generic),
        webhook("gone", &url, WebhookFormat::Generic),
    ])
    .await;
    desk.notifier.send(message(1, &["api"]));
    let outcome = desk.outcome("hook").await;
    assert!(matches!(outcome, Outcome::Retrying { .. }), "{outcome:?}");
    let hook = Hook::answering(vec![ok()]);
    let cured = webhook("hook", &hook.server.url("/"), WebhookFormat::Slack);
    desk.notifier.reconfigure(config(vec![cured]));
    assert_eq!(desk.outcome("hook").await, Outcome::Delivered);
    assert!(hook.posted()[0].body["blocks"].is_array(), "in the new form");
    desk.notifier.reconfigure(config(Vec::new()));
    assert_eq!(desk.becomes(|_| true).await, Sender::Nobody);
}

#[tokio::test]
async fn the_end_waits_for_one_attempt_and_not_for_what_fails() {
    let hook = Hook::answering(vec![ok()]);
    let silent = RawServer::start(Exchange::hang);
    let mut slow = webhook("silent", &silent.url("/"), WebhookFormat::Generic);
    slow.timeout = SHORT;
    let url = hook.server.url("/");
    let desk = Desk::new(vec![webhook("hook", &url, WebhookFormat::Generic), slow]).await;
    desk.notifier.send(message(1, &["api"]));
    let left = timeout(LIMIT, desk.notifier.stop(LIMIT)).await.expect("in time");
    let left: Vec<u64> = left.iter().map(|message| message.sequence).collect();
    assert_eq!(left, [1], "the silent one has nothing");
    assert_eq!(hook.posted().len(), 1);
}
