use std::path::Path;

use watchfloor::{
    config::profile::{HostPort, SourceKind, StatuspageSource, TcpSource, TlsOptions, TlsSource},
    domain::{failure::FailureKind, value::Value},
    sources::Source,
};

use super::{
    SHORT, TIMEOUT, bad,
    common::{
        certs::{Authority, Leaf},
        raw::{RawServer, answer},
        servers::{NginxServer, RedisServer, free_port},
    },
    good, number, poll, source, trusting,
};

fn at(host: &str, port: u16) -> HostPort {
    HostPort { host: host.to_owned(), port }
}

fn tls(port: u16, name: &str, tls: TlsOptions) -> Source {
    let config = TlsSource { at: at("127.0.0.1", port), name: name.to_owned(), tls };
    source(SourceKind::Tls(Box::new(config)), TIMEOUT)
}

fn reporting(root: &Path) -> TlsOptions {
    TlsOptions { ca_file: Some(root.to_owned()), insecure: true }
}

fn server(leaf: &Leaf) -> NginxServer {
    NginxServer::start(&format!(
        "server {{ listen 127.0.0.1:{{port}} ssl; ssl_certificate {}; ssl_certificate_key {}; return 204; }}",
        leaf.certificate.display(),
        leaf.key.display()
    ))
}

#[tokio::test]
async fn a_port_accepts_or_says_why_not() {
    let redis = RedisServer::start(&[]);
    let tcp = |host: &str, port| {
        source(SourceKind::Tcp(Box::new(TcpSource { at: at(host, port) })), TIMEOUT)
    };
    let facts = good(poll(&mut tcp("localhost", redis.port)).await);
    assert!(number(&facts, "connect_ms") > 0.0);
    assert!(number(&facts, "total_ms") >= number(&facts, "dns_ms"));
    bad(poll(&mut tcp("127.0.0.1", free_port())).await, FailureKind::Refused, "nothing listens");
    bad(poll(&mut tcp("no-such-host.invalid", 1)).await, FailureKind::Dns, "does not resolve");
}

#[tokio::test]
async fn a_good_certificate_has_days_left() {
    let authority = Authority::new();
    let server = server(&authority.leaf(&["shop.test"]));
    let facts = good(poll(&mut tls(server.port, "shop.test", trusting(&authority.root))).await);
    assert!(number(&facts, "cert_days") > 300.0);
    assert_eq!(facts.readings["chain_valid"], Value::Bool(true));
    assert_eq!(facts.readings["name_matches"], Value::Bool(true));
    assert!(number(&facts, "tls_ms") > 0.0);
    assert!(facts.remarks.is_empty(), "{:?}", facts.remarks);

    let mut other = tls(server.port, "other.test", trusting(&authority.root));
    bad(poll(&mut other).await, FailureKind::Tls, "not for other.test: it names shop.test");
    // The roots of this machine.
    let mut stranger = tls(server.port, "shop.test", TlsOptions::default());
    bad(poll(&mut stranger).await, FailureKind::Tls, "an authority that is not trusted");
}

#[tokio::test]
async fn what_is_only_reported_is_reported_and_expired_is_down_all_the_same() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = self::server(&authority.leaf(&["shop.test"]));
    let mut tested = tls(server.port, "other.test", reporting(&authority.root));
    let facts = good(poll(&mut tested).await);
    assert_eq!(facts.readings["chain_valid"], Value::Bool(true));
    assert_eq!(facts.readings["name_matches"], Value::Bool(false));
    assert!(facts.remarks[0].contains("not for other.test"), "{:?}", facts.remarks);
    let mut tested = tls(server.port, "shop.test", reporting(&stranger.root));
    let facts = good(poll(&mut tested).await);
    assert_eq!(facts.readings["chain_valid"], Value::Bool(false));
    assert_eq!(facts.readings["name_matches"], Value::Bool(true));
    assert!(number(&facts, "cert_days") > 300.0);

    let expired = self::server(&authority.expired(&["shop.test"]));
    for options in [trusting(&authority.root), reporting(&authority.root)] {
        let mut tested = tls(expired.port, "shop.test", options);
        bad(poll(&mut tested).await, FailureKind::Tls, "expired on 2025-01-01");
    }
    // Nor does it help that nobody trusts it.
    let mut tested = tls(expired.port, "shop.test", reporting(&stranger.root));
    bad(poll(&mut tested).await, FailureKind::Tls, "expired on 2025-01-01");
}

#[tokio::test]
async fn a_port_without_tls_has_no_certificate() {
    // It stays open: what is closed at once may be gone before the answer was read.
    let plain = RawServer::start(|exchange| {
        exchange.send(answer("400 Bad Request", &[], "").as_bytes());
        exchange.hang();
    });
    let authority = Authority::new();
    let mut tested = tls(plain.port, "shop.test", trusting(&authority.root));
    bad(poll(&mut tested).await, FailureKind::Tls, "answers, but not with TLS");
    let silent = RawServer::start(|exchange| exchange.hang());
    let config = TlsSource {
        at: at("127.0.0.1", silent.port),
        name: "shop.test".to_owned(),
        tls: trusting(&authority.root),
    };
    let mut tested = source(SourceKind::Tls(Box::new(config)), SHORT);
    bad(poll(&mut tested).await, FailureKind::Timeout, "no TLS handshake within");
}

#[tokio::test]
async fn a_status_page_is_believed_only_where_it_is_understood() {
    let page = |indicator: &str| {
        let body = format!(
            "{{\"page\":{{\"id\":\"x\"}},\"status\":{{\"indicator\":\"{indicator}\",\"description\":\"Partial Outage\"}}}}"
        );
        answer("200 OK", &["Content-Type: application/json"], &body)
    };
    let server = RawServer::http(page("major"));
    let config = StatuspageSource {
        url: url::Url::parse(&server.url("/api/v2/status.json")).expect("an address"),
        tls: TlsOptions::default(),
    };
    let mut tested = source(SourceKind::Statuspage(Box::new(config)), TIMEOUT);
    let facts = good(poll(&mut tested).await);
    assert_eq!(facts.readings["indicator"], Value::Text("major".into()));
    assert_eq!(number(&facts, "severity"), 2.0);
    assert_eq!(facts.readings["description"], Value::Text("Partial Outage".into()));
    server.become_http(page("great"));
    let failure = bad(poll(&mut tested).await, FailureKind::BadAnswer, "\"great\" is none of none");
    assert!(!failure.kind.means_down());
    server.become_http(answer("200 OK", &[], "<html><title>Status</title>"));
    bad(poll(&mut tested).await, FailureKind::BadAnswer, "a page titled “Status”");
    server.become_http(answer("404 Not Found", &[], ""));
    bad(poll(&mut tested).await, FailureKind::MissingEndpoint, "404");
}
