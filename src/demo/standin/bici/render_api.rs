//! The REST API of Render (<https://api-docs.render.com>), for the one service that is here.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{StatusCode, header::AUTHORIZATION},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{DEPLOYS_FAIL, DEPLOYS_IDLE, DEPLOYS_SLOW, render::SERVICE, serving::Bici};

/// How long a deploy takes, and how many times as long on a slow day.
const TAKES: Duration = Duration::from_millis(3_000);
const SLOW: u32 = 10;

pub(super) type Service = State<Arc<Bici>>;
pub(super) type Body = Option<Json<Value>>;

/// The routes.
pub(super) fn routes(bici: Arc<Bici>) -> Router<Arc<Bici>> {
    let routes = Router::new()
        .route("/env-vars", get(variables).put(replace))
        .route("/env-vars/{key}", get(variable).put(store).delete(remove))
        .route("/deploys", get(deploys).post(deploy))
        .route("/deploys/{deploy}", get(one))
        .route("/rollback", post(roll_back))
        .route("/restart", post(restart))
        .route("/suspend", post(suspend))
        .route("/resume", post(resume))
        .route("/", get(service).patch(change))
        .layer(from_fn_with_state(bici, authorised));
    Router::new().nest(&format!("/v1/services/{SERVICE}"), routes)
}

pub(super) fn message(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "message": text }))).into_response()
}

pub(super) async fn authorised(State(bici): Service, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given.and_then(|value| value.strip_prefix("Bearer ")) != Some(bici.key.as_str()) {
        return message(StatusCode::UNAUTHORIZED, "Unauthorized");
    }
    next.run(request).await
}

async fn variables(State(bici): Service) -> Json<Value> {
    Json(bici.render().variables())
}

async fn replace(State(bici): Service, body: Body) -> Response {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let replaced = bici.render().replace(&body);
    match replaced {
        Some(()) => Json(bici.render().variables()).into_response(),
        None => message(StatusCode::BAD_REQUEST, "a list of keys with values is needed"),
    }
}

async fn variable(State(bici): Service, Path(key): Path<String>) -> Response {
    let found = bici.render().variable(&key);
    found.map_or_else(
        || message(StatusCode::NOT_FOUND, "env var not found"),
        |found| Json(found).into_response(),
    )
}

async fn store(State(bici): Service, Path(key): Path<String>, body: Body) -> Response {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let Some(value) = body["value"].as_str() else {
        return message(StatusCode::BAD_REQUEST, "value is required");
    };
    if !bici.render().store(&key, value) {
        return message(StatusCode::BAD_REQUEST, "too many env vars");
    }
    Json(json!({ "key": key, "value": value })).into_response()
}

async fn remove(State(bici): Service, Path(key): Path<String>) -> Response {
    if bici.render().remove(&key) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        message(StatusCode::NOT_FOUND, "env var not found")
    }
}

async fn deploys(
    State(bici): Service,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20_usize);
    Json(bici.render().list(limit.min(100)))
}

async fn one(State(bici): Service, Path(id): Path<String>) -> Response {
    let found = bici.render().one(&id);
    found.map_or_else(
        || message(StatusCode::NOT_FOUND, "deploy not found"),
        |found| Json(found).into_response(),
    )
}

async fn deploy(State(bici): Service, body: Body) -> Response {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let mode = body["deployMode"].as_str().unwrap_or("build_and_deploy");
    if !matches!(mode, "deploy_only" | "build_and_deploy") {
        return message(StatusCode::BAD_REQUEST, "invalid deployMode");
    }
    let begun = bici.render().deploy(Timestamp::now());
    under_way(&bici, &begun);
    (StatusCode::CREATED, Json(begun)).into_response()
}

async fn roll_back(State(bici): Service, body: Body) -> Response {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let to = body["deployId"].as_str().unwrap_or_default();
    let begun = bici.render().roll_back(to, Timestamp::now());
    let Some(begun) = begun else {
        return message(StatusCode::NOT_FOUND, "deploy not found");
    };
    under_way(&bici, &begun);
    (StatusCode::CREATED, Json(begun)).into_response()
}

/// Brings a deploy to its end, after the time that it takes.
fn under_way(bici: &Arc<Bici>, begun: &Value) {
    let bici = Arc::clone(bici);
    let id = begun["id"].as_str().unwrap_or_default().to_owned();
    tokio::spawn(async move {
        let work = async {
            let slow = bici.stage.switches.is_on(DEPLOYS_SLOW);
            tokio::time::sleep(if slow { TAKES * SLOW } else { TAKES }).await;
            let succeeds = !bici.stage.switches.is_on(DEPLOYS_FAIL);
            let brings = bici.render().end(&id, succeeds, Timestamp::now());
            if let Some(brings) = brings
                && !bici.stage.switches.is_on(DEPLOYS_IDLE)
            {
                bici.agent.restart(brings.enabled);
            }
            bici.served_changed();
        };
        // A deploy that the end of the demo interrupts matters to nobody.
        let _ = bici.stage.until_over(work).await;
    });
}

/// Starts the same build again, with the variables that the process had.
async fn restart(State(bici): Service) -> StatusCode {
    bici.agent.restart(bici.agent.enabled());
    StatusCode::OK
}

async fn suspend(State(bici): Service) -> StatusCode {
    bici.render().suspend(true);
    StatusCode::ACCEPTED
}

async fn resume(State(bici): Service) -> StatusCode {
    bici.render().suspend(false);
    StatusCode::ACCEPTED
}

async fn service(State(bici): Service) -> Json<Value> {
    Json(bici.render().service())
}

async fn change(State(bici): Service, body: Body) -> Response {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    match body["autoDeploy"].as_str() {
        Some(value @ ("yes" | "no")) => bici.render().set_auto_deploy(value == "yes"),
        Some(_) => return message(StatusCode::BAD_REQUEST, "autoDeploy is yes or no"),
        None => {}
    }
    Json(bici.render().service()).into_response()
}
