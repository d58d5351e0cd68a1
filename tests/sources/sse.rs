use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json_path::JsonPath;
use watchfloor::{
    config::profile::{Extract, ReadingConfig, SourceKind, SseSource, TlsOptions},
    domain::{failure::FailureKind, observation::Facts},
    sources::Source,
};

use super::{
    TIMEOUT, bad,
    common::{
        raw::{RawServer, answer},
        servers::PATIENCE,
    },
    good, missing, number, poll, source,
};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n";

fn config(url: &str) -> SseSource {
    let path = |text: &str| JsonPath::parse(text).expect("a path");
    SseSource {
        url: url::Url::parse(url).expect("an address"),
        headers: Vec::new(),
        tls: TlsOptions::default(),
        max_event: 10_000,
        silent_after: Duration::from_secs(30),
        event: "message".to_owned(),
        readings: vec![
            ReadingConfig {
                name: "hits".into(),
                from: Extract::Json(vec![path("$.metrics.hits")]),
            },
            ReadingConfig { name: "open".into(), from: Extract::Count(path("$.alerts[*]")) },
        ],
        counts: vec![
            ("raised".into(), "alert".to_owned()),
            ("resolved".into(), "alert-resolved".to_owned()),
        ],
    }
}

fn stream(config: SseSource) -> Source {
    source(SourceKind::Sse(Box::new(config)), TIMEOUT)
}

async fn until(source: &mut Source, name: &str, value: f64) -> Facts {
    let start = Instant::now();
    loop {
        let outcome = poll(source).await;
        let found = outcome.as_ref().ok().and_then(|facts| facts.readings.get(name)?.as_number());
        if found == Some(value) {
            return good(outcome);
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {name} = {value}: {outcome:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_last_event_is_read_and_named_ones_are_counted() {
    let server = RawServer::start(|exchange| {
        exchange.request();
        exchange.send(HEAD);
        exchange.send(b"data: {\"metrics\":{\"hits\":1},\"alerts\":[]}\n\n");
        exchange.send(b"event: alert\ndata: {\"id\":1}\n\nevent: alert\ndata: {}\n\n");
        exchange.send(format!("data: {}\n\n", "x".repeat(50_000)).as_bytes());
        exchange
            .send(b"event: alert-resolved\ndata: {}\n\nevent: other\ndata: {}\n\n: comment\n\n");
        exchange.send(b"data: {\"metrics\":{\"hits\":7},\r\ndata: \"alerts\":[1,2]}\r\n\r\n");
        exchange.hang();
    });
    let mut tested = stream(config(&server.url("/stream")));
    let facts = until(&mut tested, "events_total", 6.0).await;
    assert_eq!(number(&facts, "hits"), 7.0);
    assert_eq!(number(&facts, "open"), 2.0);
    assert_eq!(number(&facts, "raised"), 2.0);
    assert_eq!(number(&facts, "resolved"), 1.0);
    assert_eq!(number(&facts, "dropped_total"), 1.0);
    assert_eq!(number(&facts, "reconnects_total"), 0.0);
    let head = server.requests()[0].to_ascii_lowercase();
    assert!(
        head.contains("accept: text/event-stream") && !head.contains("last-event-id"),
        "{head}"
    );
}

#[tokio::test]
async fn a_stream_that_ends_is_opened_again_where_it_was() {
    let opened = Arc::new(AtomicUsize::new(0));
    let times = Arc::clone(&opened);
    let server = RawServer::start(move |exchange| {
        exchange.request();
        exchange.send(HEAD);
        let time = times.fetch_add(1, Ordering::SeqCst);
        if time == 0 {
            exchange.send(b"id: e-41\ndata: {\"metrics\":{\"hits\":1}}\n\ndata: never ends");
        } else {
            exchange.send(b"event: alert\ndata: {}\n\ndata: {\"metrics\":{\"hits\":2}}\n\n");
            exchange.hang();
        }
    });
    let mut tested = stream(config(&server.url("/stream")));
    let start = Instant::now();
    // Between the two it is down.
    loop {
        match poll(&mut tested).await {
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Closed, "{failure}");
                break;
            }
            Ok(_) => assert!(start.elapsed() < PATIENCE, "the end is not noticed"),
        }
    }
    let facts = until(&mut tested, "hits", 2.0).await;
    assert_eq!(number(&facts, "reconnects_total"), 1.0);
    assert_eq!(number(&facts, "raised"), 1.0);
    let heads = server.requests();
    assert!(heads[1].to_ascii_lowercase().contains("last-event-id: e-41"), "{heads:?}");
}

#[tokio::test]
async fn silence_is_not_calm() {
    let server = RawServer::start(|exchange| {
        exchange.request();
        exchange.send(HEAD);
        exchange.send(b"data: {\"metrics\":{\"hits\":1},\"alerts\":[]}\n\n");
        // Signs of life of the connection are none of what is watched.
        while exchange.send(b": ping\n\n") {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let silent =
        SseSource { silent_after: Duration::from_secs(1), ..config(&server.url("/stream")) };
    let mut tested = stream(silent);
    good(poll(&mut tested).await);
    let start = Instant::now();
    let failure = loop {
        match poll(&mut tested).await {
            Err(failure) => break failure,
            Ok(_) => assert!(start.elapsed() < PATIENCE, "silence is not noticed"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    bad(Err(failure), FailureKind::Timeout, "no event has come for 1s");
}

#[tokio::test]
async fn what_is_no_stream_says_what_it_is() {
    let server = RawServer::http(answer("200 OK", &["Content-Type: text/html"], "<html>"));
    let mut tested = stream(config(&server.url("/stream")));
    bad(poll(&mut tested).await, FailureKind::BadAnswer, "no stream of events, but text/html");
    for (status, kind) in [
        ("404 Not Found", FailureKind::MissingEndpoint),
        ("401 Unauthorized", FailureKind::NotAuthorised),
        ("204 No Content", FailureKind::MissingEndpoint),
    ] {
        let server = RawServer::http(answer(status, &[], ""));
        let mut tested = stream(config(&server.url("/stream")));
        bad(poll(&mut tested).await, kind, &status[..3]);
    }
}

#[tokio::test]
async fn before_the_first_event_nothing_is_known() {
    let server = RawServer::start(|exchange| {
        exchange.request();
        exchange.send(HEAD);
        exchange.send(b"data: not json\n\n");
        exchange.hang();
    });
    let facts = good(poll(&mut stream(config(&server.url("/stream")))).await);
    assert!(missing(&facts, "hits").starts_with("the last event is not JSON"));
    let server = RawServer::start(|exchange| {
        exchange.request();
        exchange.send(HEAD);
        exchange.hang();
    });
    let facts = good(poll(&mut stream(config(&server.url("/stream")))).await);
    assert_eq!(missing(&facts, "open"), "no event \"message\" has come yet");
    assert_eq!(number(&facts, "raised"), 0.0);
}

#[tokio::test]
async fn events_of_other_names_do_not_keep_a_figure_fresh() {
    let server = RawServer::start(|exchange| {
        exchange.request();
        exchange.send(HEAD);
        exchange.send(b"data: {\"metrics\":{\"hits\":1},\"alerts\":[]}\n\n");
        while exchange.send(b"event: alert\ndata: {}\n\n") {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let short =
        SseSource { silent_after: Duration::from_secs(1), ..config(&server.url("/stream")) };
    let mut tested = stream(short);
    until(&mut tested, "hits", 1.0).await;
    let start = Instant::now();
    let facts = loop {
        let facts = good(poll(&mut tested).await);
        if !facts.readings.contains_key("hits") {
            break facts;
        }
        assert!(start.elapsed() < PATIENCE, "the figure stays for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(missing(&facts, "hits").contains("longer than 1s"), "{:?}", facts.missing);
    missing(&facts, "open");
    assert!(number(&facts, "raised") > 1.0, "what does come still counts");
    assert_eq!(number(&facts, "reconnects_total"), 0.0);
}

#[tokio::test]
async fn a_figure_from_before_the_stream_broke_is_not_shown_as_one_of_the_new_stream() {
    let opened = AtomicUsize::new(0);
    let server = RawServer::start(move |exchange| {
        exchange.request();
        exchange.send(HEAD);
        if opened.fetch_add(1, Ordering::SeqCst) == 0 {
            exchange
                .send(b"id: e-1\ndata: {\"metrics\":{\"hits\":1}}\n\nid: e-2\ndata: never ends");
        } else {
            exchange.send(b"event: alert\ndata: {}\n\n");
            exchange.hang();
        }
    });
    let mut tested = stream(config(&server.url("/stream")));
    let facts = until(&mut tested, "raised", 1.0).await;
    assert_eq!(number(&facts, "reconnects_total"), 1.0);
    assert_eq!(missing(&facts, "hits"), "no event \"message\" has come since it was opened anew");
    let head = server.requests()[1].to_ascii_lowercase();
    assert!(head.contains("last-event-id: e-1"), "the event e-2 never came whole: {head}");
}

/// Events come, and none of them is read: that is not silence, and names what to change.
#[tokio::test]
async fn events_that_are_too_large_are_not_called_none() {
    let server = RawServer::start(|exchange| {
        exchange.request();
        exchange.send(HEAD);
        for _ in 0..2 {
            exchange.send(format!("data: {}\n\n", "x".repeat(50_000)).as_bytes());
        }
        exchange.hang();
    });
    let config = SseSource { silent_after: Duration::from_secs(6), ..config(&server.url("/")) };
    let mut tested = stream(config);
    let facts = until(&mut tested, "dropped_total", 2.0).await;
    let why = missing(&facts, "hits");
    assert!(why.ends_with("2 events were larger than max_event (10 kB), and dropped"), "{why}");
    let start = Instant::now();
    let failure = loop {
        match poll(&mut tested).await {
            Err(failure) => break failure,
            Ok(_) => assert!(start.elapsed() < PATIENCE, "it never says so"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(failure.message.contains("larger than max_event"), "{failure}");
    assert!(!failure.kind.means_down());
}
