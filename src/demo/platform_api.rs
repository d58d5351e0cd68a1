//! The REST API of the hosting platform, under a path of its own.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    platform::{EDGE_CONFIG, Kind, Platform, Refusal, TEAM},
    world::World,
};

/// What the base address of the platform ends in.
pub(super) const PREFIX: &str = "/platform";

/// How long a change of what is served waits, and how long it then takes.
const WAITS: Duration = Duration::from_millis(1_000);
const TAKES: Duration = Duration::from_millis(2_000);

type Service = State<Arc<World>>;
type Params = Query<HashMap<String, String>>;

/// The routes.
pub(super) fn routes(world: Arc<World>) -> Router<Arc<World>> {
    let routes = Router::new()
        .route("/v9/projects/{project}", get(project))
        .route("/v7/deployments", get(deployments))
        .route("/v1/projects/{project}/rollback/{deployment}", post(rollback))
        .route("/v10/projects/{project}/promote/{deployment}", post(promote))
        .route("/v1/edge-config/{config}/items", patch(change_items).get(items))
        .layer(from_fn_with_state(world, authorised));
    Router::new().nest(PREFIX, routes)
}

fn failure(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
}

/// Lets requests through that carry the token, and name no other team than ours.
async fn authorised(
    State(world): Service,
    Query(query): Params,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix("Bearer "));
    if token != Some(world.credentials.platform_token.as_str()) {
        return failure(StatusCode::UNAUTHORIZED, "unauthorized", "The token is not valid");
    }
    if query.get("teamId").is_some_and(|team| team != TEAM) {
        return failure(StatusCode::FORBIDDEN, "forbidden", "Not authorized for this team");
    }
    next.run(request).await
}

fn no_project() -> Response {
    failure(StatusCode::NOT_FOUND, "not_found", "Project not found")
}

async fn project(State(world): Service, Path(id): Path<String>) -> Response {
    if !Platform::is_project(&id) {
        return no_project();
    }
    Json(world.platform().project()).into_response()
}

async fn deployments(State(world): Service, Query(query): Params) -> Response {
    if query.get("projectId").is_some_and(|id| !Platform::is_project(id)) {
        return no_project();
    }
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20_usize);
    let candidates = query.get("rollbackCandidate").is_some_and(|value| value == "true");
    Json(world.platform().list(limit.min(100), candidates)).into_response()
}

async fn rollback(State(world): Service, Path(path): Path<(String, String)>) -> Response {
    change(&world, Kind::Rollback, &path)
}

async fn promote(State(world): Service, Path(path): Path<(String, String)>) -> Response {
    change(&world, Kind::Promote, &path)
}

/// Begins a change of what is served and answers at once; it is done some seconds later.
fn change(world: &Arc<World>, kind: Kind, (project, deployment): &(String, String)) -> Response {
    if !Platform::is_project(project) {
        return no_project();
    }
    match world.platform().begin(kind, deployment, Timestamp::now()) {
        Err(Refusal::Unknown) => {
            return failure(StatusCode::NOT_FOUND, "not_found", "Deployment not found");
        }
        Err(Refusal::Busy) => {
            let message = "Another alias request is in progress";
            return failure(StatusCode::CONFLICT, "conflict", message);
        }
        Ok(_) => {}
    }
    let world = Arc::clone(world);
    tokio::spawn(async move {
        let work = async {
            tokio::time::sleep(WAITS).await;
            world.platform().progress();
            tokio::time::sleep(TAKES).await;
            world.platform().finish();
            world.served_changed();
        };
        // A change that the end of the demo interrupts matters to nobody.
        let _ = world.stopping.run_until_cancelled(work).await;
    });
    (StatusCode::CREATED, Json(json!({}))).into_response()
}

async fn items(State(world): Service, Path(config): Path<String>) -> Response {
    if config != EDGE_CONFIG {
        return failure(StatusCode::NOT_FOUND, "not_found", "Edge Config not found");
    }
    Json(world.platform().items()).into_response()
}

async fn change_items(
    State(world): Service,
    Path(config): Path<String>,
    body: Result<Json<Value>, axum::extract::rejection::JsonRejection>,
) -> Response {
    if config != EDGE_CONFIG {
        return failure(StatusCode::NOT_FOUND, "not_found", "Edge Config not found");
    }
    let Ok(Json(body)) = body else {
        return failure(StatusCode::BAD_REQUEST, "bad_request", "Invalid JSON");
    };
    match world.platform().patch(&body) {
        Ok(()) => Json(json!({ "status": "ok" })).into_response(),
        Err(message) => failure(StatusCode::BAD_REQUEST, "bad_request", &message),
    }
}
