//! The REST API of the hosting platform: variables, cron jobs, the small configuration, the
//! firewall.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::world::World,
    EDGE_CONFIG, Platform,
    api::{Params, Service, failure, no_project},
};

type Body = Result<Json<Value>, JsonRejection>;

/// The routes.
pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v10/projects/{project}/env", get(variables).post(store))
        .route("/v9/projects/{project}/env/{variable}", patch(change).delete(remove))
        .route("/v1/projects/{project}/env/{variable}", get(variable))
        .route("/v1/projects/{project}/crons", patch(crons))
        .route("/v1/projects/{project}/crons/run", post(run_cron))
        .route("/v1/projects/{project}/pause", post(pause))
        .route("/v1/projects/{project}/unpause", post(unpause))
        .route("/v1/edge-config/{config}/items", patch(change_items).get(items))
        .route("/v1/global-config/{config}/items", patch(change_items).get(items))
        .route("/v1/security/firewall/config", patch(change_wall))
        .route("/v1/security/firewall/config/active", get(wall))
        .route("/v1/security/attack-mode", post(attack_mode))
}

fn bad(message: &str) -> Response {
    failure(StatusCode::BAD_REQUEST, "bad_request", message)
}

fn not_found(what: &str) -> Response {
    failure(StatusCode::NOT_FOUND, "not_found", &format!("{what} not found"))
}

async fn variables(State(world): Service, Path(project): Path<String>) -> Response {
    if !Platform::is_project(&project) {
        return no_project();
    }
    Json(world.platform().stored()).into_response()
}

async fn variable(State(world): Service, Path((project, id)): Path<(String, String)>) -> Response {
    if !Platform::is_project(&project) {
        return no_project();
    }
    let found = world.platform().stored_one(&id);
    found.map_or_else(|| not_found("Variable"), |one| Json(one).into_response())
}

async fn store(
    State(world): Service,
    Path(project): Path<String>,
    Query(query): Params,
    body: Body,
) -> Response {
    if !Platform::is_project(&project) {
        return no_project();
    }
    let Ok(Json(body)) = body else { return bad("Invalid JSON") };
    let upsert = query.get("upsert").is_some_and(|value| value == "true");
    let stored = world.platform().store(&body, upsert, Timestamp::now());
    match stored {
        Ok(answer) => (StatusCode::CREATED, Json(answer)).into_response(),
        Err(message) => bad(&message),
    }
}

async fn change(
    State(world): Service,
    Path((project, id)): Path<(String, String)>,
    body: Body,
) -> Response {
    if !Platform::is_project(&project) {
        return no_project();
    }
    let Ok(Json(body)) = body else { return bad("Invalid JSON") };
    let changed = world.platform().change_stored(&id, &body, Timestamp::now());
    changed.map_or_else(|| not_found("Variable"), |one| Json(one).into_response())
}

async fn remove(State(world): Service, Path((project, id)): Path<(String, String)>) -> Response {
    if !Platform::is_project(&project) {
        return no_project();
    }
    let removed = world.platform().remove_stored(&id);
    removed.map_or_else(|| not_found("Variable"), |one| Json(one).into_response())
}

async fn crons(State(world): Service, Path(project): Path<String>, body: Body) -> Response {
    if !Platform::is_project(&project) {
        return no_project();
    }
    let enabled = body.ok().and_then(|Json(body)| body["enabled"].as_bool());
    let Some(enabled) = enabled else { return bad("`enabled` should be a boolean") };
    world.platform().set_crons(enabled, Timestamp::now());
    Json(world.platform().project()["crons"].clone()).into_response()
}

/// The platform starts a job by a GET, on which the service only says that it runs.
async fn run_cron(Path(project): Path<String>, body: Body) -> Response {
    if !Platform::is_project(&project) {
        return no_project();
    }
    let path = body.ok().and_then(|Json(body)| body["path"].as_str().map(str::to_owned));
    match path.as_deref() {
        Some("/api/admin/process-payment-captures") => Json(json!({})).into_response(),
        _ => not_found("Cron job"),
    }
}

async fn pause(State(world): Service, Path(project): Path<String>) -> Response {
    set_paused(&world, &project, true)
}

async fn unpause(State(world): Service, Path(project): Path<String>) -> Response {
    set_paused(&world, &project, false)
}

fn set_paused(world: &World, project: &str, paused: bool) -> Response {
    if !Platform::is_project(project) {
        return no_project();
    }
    world.platform().pause(paused);
    Json(json!({})).into_response()
}

async fn items(State(world): Service, Path(config): Path<String>) -> Response {
    if config != EDGE_CONFIG {
        return not_found("Edge Config");
    }
    Json(world.platform().items()).into_response()
}

async fn change_items(State(world): Service, Path(config): Path<String>, body: Body) -> Response {
    if config != EDGE_CONFIG {
        return not_found("Edge Config");
    }
    let Ok(Json(body)) = body else { return bad("Invalid JSON") };
    match world.platform().patch(&body) {
        Ok(()) => Json(json!({ "status": "ok" })).into_response(),
        Err(message) => bad(&message),
    }
}

fn names_project(query: &Params) -> bool {
    query.get("projectId").is_some_and(|id| Platform::is_project(id))
}

async fn wall(State(world): Service, query: Params) -> Response {
    if !names_project(&query) {
        return no_project();
    }
    Json(world.platform().wall()).into_response()
}

async fn change_wall(State(world): Service, query: Params, body: Body) -> Response {
    if !names_project(&query) {
        return no_project();
    }
    let Ok(Json(body)) = body else { return bad("Invalid JSON") };
    let changed = world.platform().change_wall(&body);
    match changed {
        Ok(()) => Json(world.platform().wall()).into_response(),
        Err(message) => bad(&message),
    }
}

async fn attack_mode(State(world): Service, body: Body) -> Response {
    let Ok(Json(body)) = body else { return bad("Invalid JSON") };
    let Some(on) = body["attackModeEnabled"].as_bool() else {
        return bad("`attackModeEnabled` should be a boolean");
    };
    if !body["projectId"].as_str().is_some_and(Platform::is_project) {
        return no_project();
    }
    world.platform().attack_mode(on);
    Json(json!({ "attackModeEnabled": on })).into_response()
}
