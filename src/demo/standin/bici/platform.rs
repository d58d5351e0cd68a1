//! What belongs to the workspace at Render rather than to the one service: its Redis servers,
//! and the logs.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::super::agent::AlertFilter,
    render::SERVICE,
    render_api::{Body, Service, authorised, message},
    serving::Bici,
};

/// The workspace that requests have to name.
pub(super) const OWNER: &str = "tea-demo5voices";

type Asked = Query<HashMap<String, String>>;

/// The routes.
pub(super) fn routes(bici: Arc<Bici>) -> Router<Arc<Bici>> {
    Router::new()
        .route("/v1/key-value", get(key_values).post(create))
        .route("/v1/logs", get(logs))
        .layer(from_fn_with_state(bici, authorised))
}

fn is_ours(asked: &HashMap<String, String>) -> bool {
    asked.get("ownerId").is_none_or(|owner| owner == OWNER)
}

async fn key_values(State(bici): Service, Query(asked): Asked) -> Json<Value> {
    if !is_ours(&asked) {
        return Json(json!([]));
    }
    let name = asked.get("name").map(String::as_str);
    Json(bici.render().key_values(name, Timestamp::now()))
}

async fn create(State(bici): Service, body: Body) -> Response {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let text = |key: &str| body[key].as_str().filter(|text| !text.is_empty());
    let (Some(name), Some(_plan), Some(OWNER)) = (text("name"), text("plan"), text("ownerId"))
    else {
        return message(StatusCode::BAD_REQUEST, "name, plan and ownerId are required");
    };
    let region = text("region").unwrap_or("oregon");
    let made = bici.render().create(name, region, Timestamp::now());
    made.map_or_else(
        || message(StatusCode::PAYMENT_REQUIRED, "the plan allows no more"),
        |made| (StatusCode::CREATED, Json(made)).into_response(),
    )
}

/// What the process that runs now has logged: the alerts that it has raised, as errors where
/// they are grave. Newest first.
async fn logs(State(bici): Service, Query(asked): Asked) -> Response {
    let resource = asked.get("resource").map(String::as_str);
    if !asked.contains_key("ownerId") || !is_ours(&asked) || resource != Some(SERVICE) {
        return message(StatusCode::BAD_REQUEST, "ownerId and resource are required");
    }
    let text = asked.get("text").map(|text| text.to_lowercase()).unwrap_or_default();
    let level = |alert: &Value| match alert["severity"].as_str() {
        Some("critical" | "high") => "error",
        _ => "warning",
    };
    let lines = bici.agent.alerts(&AlertFilter::default());
    let wanted = lines.iter().rev().filter(|line| {
        let message = line["message"].as_str().unwrap_or_default().to_lowercase();
        message.contains(&text) && asked.get("level").is_none_or(|wanted| wanted == level(line))
    });
    let limit = asked.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20_usize);
    let shown: Vec<Value> = wanted
        .take(limit.min(100))
        .map(|line| {
            json!({
                "id": line["id"],
                "message": line["message"],
                "timestamp": line["timestamp"],
                "labels": [
                    { "name": "resource", "value": SERVICE },
                    { "name": "level", "value": level(line) },
                ],
            })
        })
        .collect();
    Json(json!({ "hasMore": false, "logs": shown })).into_response()
}
