//! The monitoring routes of the voice agent, under `/api/monitoring`.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use futures_util::{Stream, stream};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::{
    agent::{Agent, AlertFilter, CHECK_EVERY, in_ms, praise},
    request::iso,
};

type Service = State<Arc<Agent>>;

/// The routes.
pub(super) fn routes() -> Router<Arc<Agent>> {
    Router::new()
        .route("/api/monitoring/health", get(health))
        .route("/api/monitoring/health/redis", get(health_redis))
        .route("/api/monitoring/metrics", get(metrics))
        .route("/api/monitoring/metrics/performance", get(performance))
        .route("/api/monitoring/metrics/reset", post(reset))
        .route("/api/monitoring/alerts", get(alerts))
        .route("/api/monitoring/status/connection", get(connection))
        .route("/api/monitoring/stats/cache", get(cache))
        .route("/api/monitoring/webhook/health", get(webhook))
        .route("/api/monitoring/stream", get(stream_events))
}

async fn health(State(agent): Service) -> Response {
    let status = agent.health();
    let code = if status == "critical" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let details = json!({ "redis": { "connected": agent.connected() } });
    let body = json!({ "status": status, "details": details, "metrics": agent.metrics() });
    (code, Json(body)).into_response()
}

async fn health_redis(State(agent): Service) -> Json<Value> {
    if !agent.enabled() {
        return Json(json!({
            "status": "disabled",
            "timestamp": iso(Timestamp::now()),
            "redis": { "enabled": false, "connected": false },
            "metrics": agent.metrics(),
            "alerts": active(&agent),
        }));
    }
    let (connected, test) = match agent.ping().await {
        Ok(took) => (true, json!({ "status": "healthy", "latency": in_ms(took) })),
        Err(_) => (false, json!({ "status": "unhealthy", "error": "Connection timeout" })),
    };
    // The status is taken from `connected` of the test, which the test does not have: a
    // Redis that is well is reported as degraded.
    let status = if test["connected"] == true { "healthy" } else { "degraded" };
    Json(json!({
        "status": status,
        "timestamp": iso(Timestamp::now()),
        "redis": {
            "enabled": true,
            "connected": connected,
            "connectionTest": test,
            "lastHealthCheck": agent.last_check(),
        },
        "metrics": agent.metrics(),
        "alerts": active(&agent),
    }))
}

fn active(agent: &Agent) -> Vec<Value> {
    agent.alerts(&AlertFilter { resolved: Some(false), ..AlertFilter::default() })
}

async fn metrics(State(agent): Service) -> Json<Value> {
    let active = active(&agent);
    let total = agent.alerts(&AlertFilter::default()).len();
    Json(json!({
        "timestamp": iso(Timestamp::now()),
        "metrics": agent.metrics(),
        "alerts": { "active": active, "total": total },
    }))
}

async fn performance(State(agent): Service) -> Json<Value> {
    Json(agent.performance())
}

async fn reset() -> Response {
    let body = json!({ "error": "Metrics reset not allowed in production" });
    (StatusCode::FORBIDDEN, Json(body)).into_response()
}

async fn alerts(
    State(agent): Service,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let filter = AlertFilter {
        resolved: query.get("resolved").map(|value| value == "true"),
        severity: query.get("severity").cloned(),
        kind: query.get("type").cloned(),
    };
    let alerts = agent.alerts(&filter);
    let resolved = alerts.iter().filter(|alert| alert["resolved"] == true).count();
    let of = |severity: &str| alerts.iter().filter(|alert| alert["severity"] == severity).count();
    let by_severity = json!({
        "critical": of("critical"), "high": of("high"), "medium": of("medium"), "low": of("low"),
    });
    let summary = json!({
        "total": alerts.len(),
        "active": alerts.len() - resolved,
        "resolved": resolved,
        "bySeverity": by_severity,
    });
    Json(json!({ "alerts": alerts, "summary": summary }))
}

async fn connection(State(agent): Service) -> Response {
    let now = iso(Timestamp::now());
    match agent.exercise().await {
        Ok([set, get, delete]) => {
            let operations = json!({
                "set": in_ms(set), "get": in_ms(get), "delete": in_ms(delete),
                "total": in_ms(set + get + delete),
            });
            let body = json!({
                "status": "connected", "timestamp": now, "connected": true, "operations": operations,
            });
            Json(body).into_response()
        }
        Err(_) => {
            let body = json!({
                "status": "disconnected", "timestamp": now, "connected": false,
                "error": if agent.enabled() { "Connection timeout" } else { "Redis is disabled" },
            });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn cache(State(agent): Service) -> Json<Value> {
    let mut caching = agent.performance()["caching"].take();
    let rate = caching["hitRate"].as_f64().unwrap_or(0.0);
    caching["efficiency"] = json!(praise(rate));
    Json(json!({ "timestamp": iso(Timestamp::now()), "cache": caching }))
}

async fn webhook(State(agent): Service) -> Json<Value> {
    let metrics = agent.metrics();
    let connected = agent.connected();
    Json(json!({
        "status": if connected || !agent.enabled() { "ok" } else { "error" },
        "redis_enabled": agent.enabled(),
        "redis_connected": connected,
        "cache_hit_rate": metrics["hitRate"],
        "avg_response_time": metrics["averageResponseTime"],
        "active_alerts": active(&agent).len(),
        "timestamp": iso(Timestamp::now()),
    }))
}

/// Every five seconds an unnamed event, and one for every alert that is raised or resolved;
/// no identifiers, no retry time, no heartbeat. It ends with the service.
async fn stream_events(
    State(agent): Service,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let start = tokio::time::Instant::now() + CHECK_EVERY;
    let ticks = tokio::time::interval_at(start, CHECK_EVERY);
    let state = (Arc::clone(&agent), agent.events(), ticks);
    Sse::new(stream::unfold(state, |(agent, mut events, mut ticks)| async move {
        let event = loop {
            tokio::select! {
                () = agent.stage().stopping.cancelled() => return None,
                _ = ticks.tick() => break Event::default().data(snapshot(&agent).to_string()),
                event = events.recv() => match event {
                    Ok(event) => break Event::default().event(event.name).data(event.data.to_string()),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
            }
        };
        Some((Ok(event), (agent, events, ticks)))
    }))
}

fn snapshot(agent: &Agent) -> Value {
    json!({
        "timestamp": iso(Timestamp::now()),
        "metrics": agent.metrics(),
        "alerts": active(agent),
        "health": { "status": agent.health() },
    })
}
