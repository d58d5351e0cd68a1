//! The REST API of the hosting platform, under a path of its own: deployments, and which of
//! them is served.

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
    super::{
        fault::REDIS_OUTAGE,
        standin::exodrive::{PLATFORM_FAILS, PLATFORM_SLOW},
        world::World,
    },
    Kind, Platform, Refusal, TEAM, settings_api,
};

/// What the base address of the platform ends in.
pub(in crate::demo) const PREFIX: &str = "/platform";

/// Where the status page of the vendor of Redis is.
pub(in crate::demo) const UPSTASH_STATUS: &str = "/upstash/api/v2/status.json";

/// How long a job waits, and how long it then takes: a change of what is served, a build.
const WAITS: Duration = Duration::from_millis(1_000);
const TAKES: Duration = Duration::from_millis(2_000);
const BUILDS: Duration = Duration::from_millis(4_000);
/// How many times as long on a slow day.
const SLOW: u32 = 10;

pub(super) type Service = State<Arc<World>>;
pub(super) type Params = Query<HashMap<String, String>>;

/// The routes.
pub(in crate::demo) fn routes(world: Arc<World>) -> Router<Arc<World>> {
    let routes = Router::new()
        .route("/v9/projects/{project}", get(project))
        .route("/v6/deployments", get(deployments))
        .route("/v7/deployments", get(deployments))
        .route("/v13/deployments", post(rebuild))
        .route("/v13/deployments/{deployment}", get(deployment))
        .route("/v12/deployments/{deployment}/cancel", patch(cancel))
        .route("/v1/projects/{project}/rollback/{deployment}", post(rollback))
        .route("/v9/projects/{project}/rollback/aliases", get(aliases))
        .route("/v10/projects/{project}/promote/{deployment}", post(promote))
        .merge(settings_api::routes())
        .layer(from_fn_with_state(world, authorised));
    Router::new().nest(PREFIX, routes).route(UPSTASH_STATUS, get(vendor))
}

/// What the vendor of Redis says of itself, as an Atlassian Statuspage does.
async fn vendor(State(world): Service) -> Response {
    let (indicator, description) = if world.stage.switches.is_on(REDIS_OUTAGE) {
        ("major", "Partial System Outage")
    } else {
        ("none", "All Systems Operational")
    };
    Json(json!({
        "page": { "id": "demo", "name": "Upstash", "updated_at": Timestamp::now().to_string() },
        "status": { "indicator": indicator, "description": description },
    }))
    .into_response()
}

pub(super) fn failure(status: StatusCode, code: &str, message: &str) -> Response {
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

pub(super) fn no_project() -> Response {
    failure(StatusCode::NOT_FOUND, "not_found", "Project not found")
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Unknown => failure(StatusCode::NOT_FOUND, "not_found", "Deployment not found"),
        Refusal::Busy => {
            failure(StatusCode::CONFLICT, "conflict", "Another alias request is in progress")
        }
        Refusal::NotReady => {
            let message = "The deployment is not in a state that allows this";
            failure(StatusCode::UNPROCESSABLE_ENTITY, "deployment_not_ready", message)
        }
    }
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
    let state = query.get("state").map(String::as_str);
    Json(world.platform().list(limit.min(100), candidates, state)).into_response()
}

async fn deployment(State(world): Service, Path(id): Path<String>) -> Response {
    match world.platform().deployment(&id) {
        Some(found) => Json(found).into_response(),
        None => refused(Refusal::Unknown),
    }
}

async fn aliases(State(world): Service, Path(id): Path<String>) -> Response {
    if !Platform::is_project(&id) {
        return no_project();
    }
    Json(world.platform().failed_aliases()).into_response()
}

async fn rollback(State(world): Service, Path(path): Path<(String, String)>) -> Response {
    change(&world, Kind::Rollback, &path)
}

async fn promote(State(world): Service, Path(path): Path<(String, String)>) -> Response {
    change(&world, Kind::Promote, &path)
}

/// How long a step of a job takes today, and whether the job will succeed.
fn pace(world: &World, usually: Duration) -> Duration {
    if world.stage.switches.is_on(PLATFORM_SLOW) { usually * SLOW } else { usually }
}

fn succeeds(world: &World) -> bool {
    !world.stage.switches.is_on(PLATFORM_FAILS)
}

/// Begins a change of what is served and answers at once; it is done some seconds later.
fn change(world: &Arc<World>, kind: Kind, (project, deployment): &(String, String)) -> Response {
    if !Platform::is_project(project) {
        return no_project();
    }
    if let Err(refusal) = world.platform().begin(kind, deployment, Timestamp::now()) {
        return refused(refusal);
    }
    let world = Arc::clone(world);
    tokio::spawn(async move {
        let work = async {
            tokio::time::sleep(pace(&world, WAITS)).await;
            world.platform().progress();
            tokio::time::sleep(pace(&world, TAKES)).await;
            world.platform().finish(succeeds(&world));
            world.served_changed();
        };
        // A change that the end of the demo interrupts matters to nobody.
        let _ = world.stage.until_over(work).await;
    });
    (StatusCode::CREATED, Json(json!({}))).into_response()
}

/// Builds an earlier deployment again, with the variables that are stored now.
async fn rebuild(State(world): Service, body: Option<Json<Value>>) -> Response {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let Some(of) = body["deploymentId"].as_str() else {
        // Files to build from cannot be handed over here.
        let message = "Missing required property `deploymentId`";
        return failure(StatusCode::BAD_REQUEST, "bad_request", message);
    };
    let begun = world.platform().rebuild(of, Timestamp::now());
    let build = match begun {
        Ok(build) => build,
        Err(refusal) => return refused(refusal),
    };
    let id = build["id"].as_str().unwrap_or_default().to_owned();
    tokio::spawn(async move {
        let work = async {
            tokio::time::sleep(pace(&world, WAITS)).await;
            if world.platform().build_begins(&id, Timestamp::now()) {
                tokio::time::sleep(pace(&world, BUILDS)).await;
                world.platform().build_ends(&id, succeeds(&world), Timestamp::now());
                world.served_changed();
            }
        };
        let _ = world.stage.until_over(work).await;
    });
    Json(build).into_response()
}

async fn cancel(State(world): Service, Path(id): Path<String>) -> Response {
    match world.platform().cancel(&id) {
        Ok(build) => Json(build).into_response(),
        Err(refusal) => refused(refusal),
    }
}
