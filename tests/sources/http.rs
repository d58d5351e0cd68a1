use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json_path::JsonPath;
use watchfloor::{
    config::{
        profile::{
            Extract, HttpSource, ReadingConfig, SourceKind, StatusRange, Text, TlsOptions,
            ViolationsConfig,
        },
        secret::Secret,
    },
    domain::{
        failure::FailureKind,
        observation::{Exhibit, Facts},
        value::Value,
    },
    sources::{Clock, Source},
};

use super::{
    SHORT, TIMEOUT, bad,
    common::{
        certs::Authority,
        raw::{RawServer, answer},
        servers::{NginxServer, free_port},
    },
    good, missing, number, poll, source, trusting,
};

fn config(url: &str) -> HttpSource {
    HttpSource {
        url: url::Url::parse(url).expect("an address"),
        headers: Vec::new(),
        accept: vec![StatusRange { from: 200, to: 299 }],
        max_body: 1 << 20,
        redirects: 0,
        tls: TlsOptions::default(),
        readings: Vec::new(),
        violations: None,
    }
}

fn http(config: HttpSource) -> Source {
    source(SourceKind::Http(Box::new(config)), TIMEOUT)
}

fn path(text: &str) -> JsonPath {
    JsonPath::parse(text).expect("a path")
}

fn json_reading(name: &str, paths: &[&str]) -> ReadingConfig {
    ReadingConfig {
        name: name.into(),
        from: Extract::Json(paths.iter().map(|text| path(text)).collect()),
    }
}

fn secret_header(name: &str, token: &str) -> (String, Text) {
    let secret = Secret::new(token.to_owned(), "env ADMIN_TOKEN");
    (name.to_owned(), Text::Secret { prefix: "Bearer ".to_owned(), secret })
}

const HEALTHY: &str = r#"{"status":"ok","latency":"< 10ms","errorRate":null,"alerts":[1,2]}"#;

fn json(status: &str, body: &str) -> String {
    answer(status, &["Content-Type: application/json"], body)
}

#[tokio::test]
async fn an_answer_becomes_readings_with_every_phase_timed() {
    let server = NginxServer::start(
        "server { listen 127.0.0.1:{port}; location /health { default_type application/json; \
         add_header X-Cache HIT; return 200 '{\"status\":\"ok\",\"latency\":\"< 10ms\",\
         \"errorRate\":null,\"alerts\":[1,2]}'; } }",
    );
    let mut config = config(&format!("http://localhost:{}/health?key=hidden", server.port));
    config.readings = vec![
        json_reading("health", &["$.health", "$.status"]),
        json_reading("latency", &["$.latency"]),
        json_reading("error_rate", &["$.errorRate"]),
        json_reading("gone", &["$.gone"]),
        ReadingConfig { name: "alerts".into(), from: Extract::Count(path("$.alerts[*]")) },
        ReadingConfig { name: "cache".into(), from: Extract::Header("X-Cache".to_owned()) },
        ReadingConfig { name: "ttl".into(), from: Extract::Header("X-Cache-TTL".to_owned()) },
    ];
    let mut source = http(config);
    let clock = Clock::start();
    let observed = source.observe(&clock, clock.now()).await;
    assert_eq!(&*observed.request, format!("GET http://localhost:{}/health?…", server.port));
    let phases = observed.phases.expect("phases");
    for phase in [phases.dns, phases.connect, phases.first_byte, phases.body] {
        assert!(phase.expect("timed") <= observed.took);
    }
    assert_eq!(phases.tls, None);
    let facts = good(observed.outcome);
    assert_eq!(facts.readings["health"], Value::Text("ok".into()));
    assert_eq!(facts.readings["latency"], Value::Below(10.0));
    assert_eq!(facts.readings["cache"], Value::Text("HIT".into()));
    assert_eq!((number(&facts, "alerts"), number(&facts, "status")), (2.0, 200.0));
    assert!(number(&facts, "total_ms") >= number(&facts, "first_byte_ms"));
    // It runs on this machine; its second may have ended just then.
    assert!(number(&facts, "clock_ahead_seconds").abs() <= 1.0);
    assert!(missing(&facts, "error_rate").contains("null"));
    assert!(missing(&facts, "gone").contains("$.gone"));
    assert!(missing(&facts, "ttl").contains("no header X-Cache-TTL"));
}

#[tokio::test]
async fn a_clock_that_is_off_is_measured_and_none_is_not_zero() {
    let in_an_hour = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let date = in_an_hour.strftime("Date: %a, %d %b %Y %H:%M:%S GMT").to_string();
    let server = RawServer::http(answer("200 OK", &[&date], ""));
    let mut source = http(config(&server.url("/")));
    let ahead = number(&good(poll(&mut source).await), "clock_ahead_seconds");
    // The answer stays the same however long the test takes.
    assert!((3_500.0..=3_600.0).contains(&ahead), "{ahead}");
    server.become_http(answer("200 OK", &[], ""));
    let facts = good(poll(&mut source).await);
    assert!(!facts.readings.contains_key("clock_ahead_seconds"));
}

#[tokio::test]
async fn a_port_without_a_server_is_refused_until_there_is_one() {
    let port = free_port();
    let mut source = http(config(&format!("http://127.0.0.1:{port}/")));
    bad(poll(&mut source).await, FailureKind::Refused, "nothing listens there");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("still free");
    let served = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(answer("200 OK", &[], "").as_bytes()).await.expect("sent");
    });
    good(poll(&mut source).await);
    served.await.expect("served");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_failure() {
    let mut source = http(config("http://no-such-host.invalid/"));
    let failure = poll(&mut source).await;
    bad(failure, FailureKind::Dns, "no-such-host.invalid");
}

#[tokio::test]
async fn silence_is_a_timeout_that_says_how_far_it_got() {
    let server = RawServer::start(|exchange| exchange.hang());
    let kind = SourceKind::Http(Box::new(config(&server.url("/"))));
    let mut hanging = source(kind, SHORT);
    let failure = poll(&mut hanging).await;
    bad(failure, FailureKind::Timeout, "connected, but no answer within 700ms");
    server.become_http(answer("200 OK", &[], ""));
    good(poll(&mut hanging).await);

    let half = RawServer::start(|exchange| {
        exchange.request();
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of");
        exchange.hang();
    });
    let mut stuck = source(SourceKind::Http(Box::new(config(&half.url("/")))), SHORT);
    let clock = Clock::start();
    let polled = stuck.poll(&clock).await;
    assert!(polled.phases.expect("phases").first_byte.is_some(), "the first byte had come");
    bad(polled.outcome, FailureKind::Timeout, "did not end within 700ms");
    half.become_http(answer("200 OK", &[], ""));
    good(poll(&mut stuck).await);
}

#[tokio::test]
async fn a_silent_handshake_is_a_timeout_of_tls() {
    let server = RawServer::start(|exchange| exchange.hang());
    let url = format!("https://127.0.0.1:{}/", server.port);
    let mut source = source(SourceKind::Http(Box::new(config(&url))), SHORT);
    bad(poll(&mut source).await, FailureKind::Timeout, "no TLS handshake within 700ms");
}

#[tokio::test]
async fn a_cut_answer_is_closed_and_no_http_is_a_bad_answer() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of";
    let server = RawServer::http(cut);
    let mut source = http(config(&server.url("/")));
    bad(poll(&mut source).await, FailureKind::Closed, "closed before the answer was complete");
    server.become_http("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    bad(poll(&mut source).await, FailureKind::BadAnswer, "not HTTP/1.1");
    server.become_http("");
    bad(poll(&mut source).await, FailureKind::Closed, "closed");
    server.become_http(answer("200 OK", &[], ""));
    good(poll(&mut source).await);
}

#[tokio::test]
async fn refusals_say_what_to_do_and_never_show_the_secret() {
    let token = "tok-8f3a21c9d4";
    let server = RawServer::http(json("401 Unauthorized", &format!("token {token} is bad")));
    let mut config = config(&server.url("/admin"));
    config.headers = vec![secret_header("Authorization", token)];
    let mut source = http(config);
    let failure = bad(poll(&mut source).await, FailureKind::NotAuthorised, "⟨ADMIN_TOKEN⟩");
    let text = failure.to_string();
    assert!(text.contains("check env ADMIN_TOKEN"), "{text}");
    assert!(!text.contains(token), "{text}");
    assert!(server.requests()[0].contains(&format!("authorization: Bearer {token}")));

    server.become_http(json("403 Forbidden", "not an admin"));
    bad(poll(&mut source).await, FailureKind::Forbidden, "not an admin");
    server.become_http(json("404 Not Found", ""));
    bad(poll(&mut source).await, FailureKind::MissingEndpoint, "404 Not Found");
    let throttled = answer("429 Too Many Requests", &["Retry-After: 30"], "slow down");
    server.become_http(throttled);
    let failure = bad(poll(&mut source).await, FailureKind::Throttled, "slow down");
    assert_eq!(failure.retry_after.map(|wait| wait.as_secs()), Some(30));
    let page = "<html><title>500 Oops</title>\u{1b}[2J</html>";
    server.become_http(answer("500 Internal Server Error", &["Content-Type: text/html"], page));
    bad(poll(&mut source).await, FailureKind::Server, "a page titled “500 Oops”");
    server.become_http(json("200 OK", HEALTHY));
    good(poll(&mut source).await);
}

#[tokio::test]
async fn a_refusal_counts_even_where_its_body_never_ends() {
    let server = RawServer::start(|exchange| {
        exchange.request();
        exchange.send(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\nbro");
        exchange.hang();
    });
    let mut source = http(config(&server.url("/")));
    bad(poll(&mut source).await, FailureKind::Server, "503 Service Unavailable: bro");
}

#[tokio::test]
async fn an_accepted_503_is_read() {
    let server = RawServer::http(json("503 Service Unavailable", r#"{"status":"critical"}"#));
    let mut config = config(&server.url("/health"));
    config.accept.push(StatusRange { from: 503, to: 503 });
    config.readings = vec![json_reading("health", &["$.status"])];
    let facts = good(poll(&mut http(config)).await);
    assert_eq!(facts.readings["health"], Value::Text("critical".into()));
    assert_eq!(number(&facts, "status"), 503.0);
}

#[tokio::test]
async fn a_page_instead_of_json_is_said_in_words() {
    let page = "<!DOCTYPE html><html><head><title>Please sign in</title></head></html>";
    let server = RawServer::http(answer("200 OK", &["Content-Type: text/html"], page));
    let mut config = config(&server.url("/"));
    config.readings = vec![json_reading("health", &["$.status"])];
    let mut source = http(config);
    let failure = poll(&mut source).await;
    bad(
        failure,
        FailureKind::BadAnswer,
        "a web page instead of JSON (content type text/html): a page titled “Please sign in”",
    );
    server.become_http(answer("200 OK", &[], ""));
    bad(poll(&mut source).await, FailureKind::BadAnswer, "the body is empty where JSON");
    server.become_http(answer("200 OK", &["Content-Encoding: gzip"], "x"));
    bad(poll(&mut source).await, FailureKind::BadAnswer, "compressed (gzip)");
    server.become_http(json("200 OK", HEALTHY));
    good(poll(&mut source).await);
}

#[tokio::test]
async fn an_endless_body_is_left_at_the_cap() {
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let server = RawServer::start(move |exchange| {
        exchange.request();
        exchange.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let block = vec![b'x'; 64 << 10];
        for _ in 0..(200 << 20) / block.len() {
            if !exchange.send(&block) {
                return;
            }
            counter.fetch_add(block.len() as u64, Ordering::SeqCst);
        }
    });
    let mut source = http(config(&server.url("/")));
    let failure = poll(&mut source).await;
    bad(failure, FailureKind::BadAnswer, "larger than the 1 MiB allowed");
    server.become_http(answer("200 OK", &["X: y"], &"x".repeat((1 << 20) + 1)));
    bad(poll(&mut source).await, FailureKind::BadAnswer, "larger than the 1 MiB allowed");
    // What the kernel buffers on both sides is all that was sent beyond the cap.
    assert!(sent.load(Ordering::SeqCst) < 32 << 20, "{sent:?} bytes were taken");
    server.become_http(answer("200 OK", &[], &"x".repeat(1 << 20)));
    good(poll(&mut source).await);
}

#[tokio::test]
async fn redirects_are_answers_unless_allowed() {
    let to_login = |location: &str| answer("302 Found", &[&format!("Location: {location}")], "");
    let server = RawServer::http(to_login("https://login.test/sign-in?next=secret-path"));
    let mut source = http(config(&server.url("/health")));
    let failure =
        bad(poll(&mut source).await, FailureKind::BadAnswer, "redirects to https://login.test");
    assert!(!failure.to_string().contains("secret-path"));

    let mut following = config(&server.url("/health"));
    following.redirects = 3;
    let mut source = http(following);
    server.become_http(to_login("/health"));
    bad(poll(&mut source).await, FailureKind::BadAnswer, "run in a circle");
    server.become_http(to_login("ftp://files.test/"));
    bad(poll(&mut source).await, FailureKind::BadAnswer, "redirects to ftp://");
    server.become_http(answer("302 Found", &[], ""));
    bad(poll(&mut source).await, FailureKind::BadAnswer, "without saying where");
    server.become_http(answer("200 OK", &[], ""));
    good(poll(&mut source).await);
}

#[tokio::test]
async fn redirects_that_never_end_are_left() {
    let hops = AtomicU64::new(0);
    let server = RawServer::start(move |exchange| {
        exchange.request();
        let hop = hops.fetch_add(1, Ordering::SeqCst);
        let location = format!("Location: /hop{hop}");
        exchange.send(answer("307 Temporary Redirect", &[&location], "").as_bytes());
    });
    let mut config = config(&server.url("/"));
    config.redirects = 2;
    let failure = poll(&mut http(config)).await;
    bad(failure, FailureKind::BadAnswer, "more than 2 redirects");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn credentials_stay_with_the_host_they_are_for() {
    let other = RawServer::http(answer("200 OK", &[], "fine"));
    let location = format!("Location: {}", other.url("/elsewhere"));
    let server = RawServer::http(answer("302 Found", &[&location], ""));
    let mut config = config(&server.url("/"));
    config.redirects = 2;
    config.headers = vec![
        secret_header("Authorization", "tok-authorization"),
        ("Cookie".to_owned(), Text::Plain("session=tok-cookie".to_owned())),
        secret_header("X-Api-Key", "tok-api-key"),
    ];
    let mut source = http(config);
    good(poll(&mut source).await);
    assert_eq!(server.requests()[0].matches("tok-").count(), 3);
    let (first, then) = (server.requests(), other.requests());
    assert_eq!((first.len(), then.len()), (1, 1));
    assert!(!then[0].contains("tok-") && !then[0].contains("x-api-key"), "{}", then[0]);
    assert!(!then[0].to_lowercase().contains("referer"), "{}", then[0]);

    // Within the host they go along.
    server.become_http(answer("200 OK", &[], ""));
    good(poll(&mut source).await);
    assert!(server.requests()[1].contains("tok-api-key"));
}

#[tokio::test]
async fn violations_arrive_without_the_headers_of_requests() {
    let body = r#"{"violations":[{"timestamp":"2026-01-01T00:00:00Z","identifier":"203.0.113.7",
        "endpoint":"/api/bookings?x=1","limit":10,"windowMs":3600000,
        "headers":{"cookie":"session=leaked-cookie"}}]}"#;
    let server = RawServer::http(json("200 OK", body));
    let mut config = config(&server.url("/"));
    config.violations = Some(ViolationsConfig { path: path("$.violations[*]") });
    let mut source = http(config);
    let facts = good(poll(&mut source).await);
    let page = violations(&facts).expect("a page");
    assert_eq!(page.len(), 1);
    assert_eq!(
        (page[0].identifier.as_str(), page[0].endpoint.as_str()),
        ("203.0.113.7", "/api/bookings")
    );
    assert!(!format!("{facts:?}").contains("leaked-cookie"));

    server.become_http(json("200 OK", r#"{"error":"x"}"#));
    let facts = good(poll(&mut source).await);
    assert!(violations(&facts).is_none(), "no list is not an empty list");
    assert!(missing(&facts, "violations").contains("$.violations"));
}

fn violations(facts: &Facts) -> Option<&Vec<watchfloor::domain::violations::Violation>> {
    facts.exhibits.iter().find_map(|exhibit| match exhibit {
        Exhibit::Violations(page) => Some(page),
        _ => None,
    })
}

fn tls_server(leaf: &super::common::certs::Leaf) -> NginxServer {
    NginxServer::start(&format!(
        "server {{ listen 127.0.0.1:{{port}} ssl; ssl_certificate {}; ssl_certificate_key {}; \
         location / {{ return 200 'ok'; }} }}",
        leaf.certificate.display(),
        leaf.key.display()
    ))
}

#[tokio::test]
async fn certificates_are_verified_and_their_age_is_told() {
    let authority = Authority::new();
    let server = tls_server(&authority.leaf(&["localhost"]));
    let url = format!("https://localhost:{}/", server.port);
    let mut trusted = config(&url);
    trusted.tls = trusting(&authority.root);
    let facts = good(poll(&mut http(trusted.clone())).await);
    assert!(number(&facts, "cert_days") > 300.0);
    assert!(number(&facts, "tls_ms") > 0.0);
    assert!(facts.remarks.is_empty());

    bad(poll(&mut http(config(&url))).await, FailureKind::Tls, "an authority that is not trusted");
    let mut other_name = trusted.clone();
    other_name.url = url::Url::parse(&format!("https://127.0.0.1:{}/", server.port)).expect("one");
    let failure = poll(&mut http(other_name)).await;
    bad(failure, FailureKind::Tls, "not for 127.0.0.1: it names localhost");

    let mut insecure = config(&url);
    insecure.tls.insecure = true;
    let facts = good(poll(&mut http(insecure)).await);
    assert_eq!(facts.remarks, ["the server's certificate is not verified"]);
}

#[tokio::test]
async fn an_expired_certificate_says_since_when() {
    let authority = Authority::new();
    let server = tls_server(&authority.expired(&["localhost"]));
    let mut config = config(&format!("https://localhost:{}/", server.port));
    config.tls = trusting(&authority.root);
    let failure = poll(&mut http(config)).await;
    bad(failure, FailureKind::Tls, "expired on 2025-01-01, ");
}

#[tokio::test]
async fn tls_to_a_plain_port_and_plain_to_a_tls_port_are_told() {
    let plain = NginxServer::start("server { listen 127.0.0.1:{port}; return 200; }");
    let mut source = http(config(&format!("https://127.0.0.1:{}/", plain.port)));
    bad(poll(&mut source).await, FailureKind::Tls, "not with TLS");

    let authority = Authority::new();
    let secure = tls_server(&authority.leaf(&["localhost"]));
    let mut source = http(config(&format!("http://127.0.0.1:{}/", secure.port)));
    bad(
        poll(&mut source).await,
        FailureKind::BadAnswer,
        "plain HTTP request was sent to HTTPS port",
    );
}
