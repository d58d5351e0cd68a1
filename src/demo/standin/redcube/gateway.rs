//! What answers behind the gateway, and the account that pays for the analyses.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, USER_AGENT},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use super::{CREDITS, POSTGRES_DOWN, database, log, serving::Cube};

type Service = State<Arc<Cube>>;

/// The prefix under which the user service is reached, which the gateway does not show.
pub(super) const USER_SERVICE: &str = "/user-service";
/// The prefix of the account.
pub(super) const ACCOUNT: &str = "/openrouter";

/// The routes.
pub(super) fn routes() -> Router<Arc<Cube>> {
    Router::new()
        .route("/health", get(health))
        .route("/api/content/health", get(content_health))
        .route("/api/content/interview-intel/experiences", get(experiences))
        .route("/api/auth/register", post(register))
        .route(&format!("{USER_SERVICE}/health"), get(user_health))
        .route(&format!("{ACCOUNT}/api/v1/key"), get(credits))
}

/// What nginx says of a service that does not answer it.
fn bad_gateway() -> Response {
    let page = "<html><head><title>502 Bad Gateway</title></head>\
                <body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>";
    (StatusCode::BAD_GATEWAY, page).into_response()
}

fn answer(there: bool, body: serde_json::Value) -> Response {
    if there { Json(body).into_response() } else { bad_gateway() }
}

async fn health(State(cube): Service) -> Response {
    answer(cube.containers.answers("gateway"), json!({ "status": "ok", "service": "gateway" }))
}

/// Only that the process answers, whatever becomes of what it is there for.
async fn content_health(State(cube): Service) -> Response {
    let there = cube.containers.answers("gateway") && cube.containers.answers("content-service");
    answer(there, json!({ "status": "healthy", "service": "content-service" }))
}

/// Each service writes down whom it answered.
fn logged(cube: &Cube, service: &str, method: &str, path: &str, from: &HeaderMap, status: u16) {
    let agent = from.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let request = log::Request { method, path, agent, status, took: 7 };
    // A line that the disk has no room for is lost, as it would be there.
    let _ = log::append(cube, service, 0, &request);
}

async fn user_health(State(cube): Service, headers: HeaderMap) -> Response {
    let there = cube.containers.answers("user-service");
    if there {
        logged(&cube, "user-service", "GET", "/health", &headers, 200);
    }
    answer(there, json!({ "status": "healthy", "service": "user-service" }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    email: String,
    password: String,
    confirm_password: String,
    #[serde(default)]
    display_name: String,
}

/// Somebody registers, which is answered before it is done everywhere.
async fn register(
    State(cube): Service,
    headers: HeaderMap,
    Json(asked): Json<Registration>,
) -> Response {
    if !(cube.containers.answers("gateway") && cube.containers.answers("user-service")) {
        return bad_gateway();
    }
    let has = |of: fn(&char) -> bool| asked.password.chars().any(|c| of(&c));
    let strong = asked.password.len() >= 8
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit)
        && has(char::is_ascii_punctuation);
    let (status, message) = if asked.display_name.is_empty() {
        (StatusCode::BAD_REQUEST, "displayName is required")
    } else if !strong {
        (StatusCode::BAD_REQUEST, "Password is too weak")
    } else if asked.password != asked.confirm_password {
        (StatusCode::BAD_REQUEST, "Passwords do not match")
    } else {
        match database::add_user(&cube, &asked.email).await {
            Ok(true) => (StatusCode::ACCEPTED, "Registration received"),
            Ok(false) => (StatusCode::CONFLICT, "Email is already registered"),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
        }
    };
    let path = "/api/auth/register";
    logged(&cube, "user-service", "POST", path, &headers, status.as_u16());
    let body = json!({ "success": status.is_success(), "message": message });
    (status, Json(body)).into_response()
}

async fn experiences(State(cube): Service, headers: HeaderMap) -> Response {
    if !(cube.containers.answers("gateway") && cube.containers.answers("content-service")) {
        return bad_gateway();
    }
    let broken = cube.containers.runs_bad()
        || cube.stage.switches.is_on(POSTGRES_DOWN)
        || log::status(&cube) != 200;
    let path = "/api/content/interview-intel/experiences";
    logged(&cube, "content-service", "GET", path, &headers, if broken { 500 } else { 200 });
    if broken {
        let body = json!({ "success": false, "error": "Internal server error" });
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response();
    }
    let list = json!([{ "id": 1, "company": "Example", "role": "Engineer" }]);
    Json(json!({ "success": true, "data": list, "total": 1 })).into_response()
}

async fn credits(State(cube): Service, headers: HeaderMap) -> Response {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.and_then(|value| value.strip_prefix("Bearer ")) != Some(cube.key.as_str()) {
        let error = json!({ "error": { "message": "No auth credentials found", "code": 401 } });
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    let left = if cube.stage.switches.is_on(CREDITS) { 1.0 } else { 42.5 };
    Json(json!({ "data": { "label": "demo", "limit": 50.0, "limit_remaining": left } }))
        .into_response()
}
