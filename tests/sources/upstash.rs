//! A REST interface as Upstash has it, in front of a real Redis.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value as JsonValue, json};
use watchfloor::{
    config::{
        profile::{SourceKind, TlsOptions, UpstashSource},
        secret::Secret,
    },
    domain::failure::FailureKind,
    sources::Source,
};

use super::{TIMEOUT, bad, common::servers::RedisServer, good, number, poll, source};

const TOKEN: &str = "AXk2ASQgN2E4ZjBm";

#[derive(Clone)]
struct Shim {
    redis: Arc<RedisServer>,
    quota_used_up: Arc<Mutex<bool>>,
}

/// Answers `POST /pipeline` by running each command with redis-cli.
async fn pipeline(
    State(shim): State<Shim>,
    headers: HeaderMap,
    Json(commands): Json<Vec<Vec<String>>>,
) -> Response {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    if authorization != Some(&format!("Bearer {TOKEN}")) {
        let body = json!({"error": "WRONGPASS invalid or missing auth token"});
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    if *shim.quota_used_up.lock().expect("no panic while held") {
        let body =
            json!({"error": "ERR max requests limit exceeded. Limit: 500000, Usage: 500000."});
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    let results: Vec<JsonValue> = commands
        .iter()
        .map(|command| {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let printed = shim.redis.cli(&words);
            match printed.parse::<i64>() {
                _ if printed.starts_with("ERR") => json!({ "error": printed }),
                Ok(number) => json!({ "result": number }),
                Err(_) => json!({ "result": printed }),
            }
        })
        .collect();
    Json(results).into_response()
}

async fn serve() -> (Shim, String) {
    let shim = Shim {
        redis: Arc::new(RedisServer::start(&[])),
        quota_used_up: Arc::new(Mutex::new(false)),
    };
    let router = Router::new().route("/pipeline", post(pipeline)).with_state(shim.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    // Ends with the runtime of the test.
    tokio::spawn(async move { axum::serve(listener, router).await });
    (shim, url)
}

fn upstash(url: &str, token: &str) -> Source {
    let config = UpstashSource {
        url: url::Url::parse(url).expect("an address"),
        token: Secret::new(token.to_owned(), "env UPSTASH_REDIS_REST_TOKEN"),
        tls: TlsOptions::default(),
        readings: Vec::new(),
    };
    source(SourceKind::Upstash(Box::new(config)), TIMEOUT)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_is_read_and_its_refusals_are_told() {
    let (shim, url) = serve().await;
    shim.redis.cli(&["SET", "a", "1"]);
    let mut source = upstash(&url, TOKEN);
    let facts = good(poll(&mut source).await);
    assert_eq!(number(&facts, "keys"), 1.0);
    assert!(number(&facts, "used_memory") > 0.0);
    assert!(number(&facts, "total_ms") > 0.0);

    let mut wrong = upstash(&url, "not-the-right-token");
    let failure = bad(poll(&mut wrong).await, FailureKind::NotAuthorised, "WRONGPASS");
    assert_eq!(failure.hint.as_deref(), Some("check env UPSTASH_REDIS_REST_TOKEN"));
    assert!(!failure.to_string().contains("not-the-right-token"));

    *shim.quota_used_up.lock().expect("no panic while held") = true;
    bad(poll(&mut source).await, FailureKind::Quota, "max requests limit exceeded");
    *shim.quota_used_up.lock().expect("no panic while held") = false;
    good(poll(&mut source).await);

    let mut elsewhere = upstash(&format!("{url}/wrong"), TOKEN);
    bad(poll(&mut elsewhere).await, FailureKind::MissingEndpoint, "404");
}
