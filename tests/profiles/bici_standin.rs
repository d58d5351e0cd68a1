//! The voice agent and the part of its platform that the profile uses, with their oddities:
//!
//! * a Redis that is well is called degraded, because the agent's test has no `connected`;
//! * the hit rate is one of a whole life, 0 before any lookup, and the error rate is null;
//! * alerts other than a lost connection are never resolved;
//! * critical is a 503 with a body;
//! * a stored variable changes nothing until a deploy brings it to the process, and a deploy
//!   may be slow, fail, or do nothing at all.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{runtime::Runtime, time::timeout};

/// What the platform wants to see as a bearer token.
pub const KEY: &str = "rnd_token-of-the-platform";
/// The service that the platform runs.
pub const SERVICE: &str = "srv-agent";
/// How long the agent waits for Redis.
const WAIT: Duration = Duration::from_millis(300);
/// How often the agent looks after itself.
const LOOK: Duration = Duration::from_millis(250);

/// What becomes of the next deploys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deploys {
    /// They bring the stored variables to a new process, after this long.
    Work(Duration),
    /// Their build fails.
    Fail,
    /// They go live and nothing is different.
    DoNothing,
}

/// The agent and its platform, while this is kept.
pub struct Standin {
    /// Where both are.
    pub url: String,
    world: Arc<World>,
    _runtime: Runtime,
}

struct World {
    redis: redis::Client,
    state: Mutex<Inner>,
}

struct Inner {
    stored: BTreeMap<String, String>,
    process: Process,
    deploys: Vec<Deploy>,
    rule: Deploys,
    auto_deploy: bool,
    /// Lookups per look at itself: hits, misses.
    traffic: (u64, u64),
    requests: Vec<String>,
}

/// A process of the agent: everything here starts anew with it.
#[derive(Default)]
struct Process {
    enabled: bool,
    connected: bool,
    hits: u64,
    misses: u64,
    operations: u64,
    errors: u64,
    spent_ms: f64,
    updated: Option<Timestamp>,
    /// Alerts that are never resolved.
    latched: bool,
}

struct Deploy {
    id: String,
    status: &'static str,
    trigger: &'static str,
    finished: Option<Timestamp>,
    due: Option<(Instant, Deploys)>,
}

type Service = State<Arc<World>>;

impl Standin {
    /// An agent that was started with Redis switched on.
    pub fn start(redis_port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let first = Deploy {
            id: "dep-1".to_owned(),
            status: "live",
            trigger: "new_commit",
            finished: Some(Timestamp::now()),
            due: None,
        };
        let state = Inner {
            stored: BTreeMap::from([("REDIS_ENABLED".to_owned(), "true".to_owned())]),
            process: Process { enabled: true, ..Process::default() },
            deploys: vec![first],
            rule: Deploys::Work(Duration::ZERO),
            auto_deploy: true,
            traffic: (0, 0),
            requests: Vec::new(),
        };
        let redis = redis::Client::open(format!("redis://127.0.0.1:{redis_port}")).unwrap();
        let world = Arc::new(World { redis, state: Mutex::new(state) });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = routes(&world);
        runtime.spawn(async move { axum::serve(listener, app).await });
        runtime.spawn(live(Arc::clone(&world)));
        Self { url, world, _runtime: runtime }
    }

    /// What becomes of deploys from now on.
    pub fn deploys(&self, rule: Deploys) {
        self.world.state().rule = rule;
    }

    /// Lookups per quarter of a second: hits, misses.
    pub fn traffic(&self, hits: u64, misses: u64) {
        self.world.state().traffic = (hits, misses);
    }

    /// Whether the process that runs uses Redis.
    pub fn uses_redis(&self) -> bool {
        self.world.state().process.enabled
    }

    /// What changes something, in order: method and path.
    pub fn changes(&self) -> Vec<String> {
        let state = self.world.state();
        state.requests.iter().filter(|line| !line.starts_with("GET ")).cloned().collect()
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        let line = format!("GET {path}");
        self.world.state().requests.iter().filter(|request| **request == line).count()
    }
}

impl World {
    fn state(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap()
    }

    /// Writes, reads and removes a key.
    async fn exercise(&self) -> Result<Duration, String> {
        let began = Instant::now();
        let work = async {
            let mut connection = self.redis.get_multiplexed_async_connection().await?;
            redis::pipe()
                .set_ex("bici:ctx:connection-test", 1, 10)
                .get("bici:ctx:connection-test")
                .del("bici:ctx:connection-test")
                .query_async::<()>(&mut connection)
                .await
        };
        match timeout(WAIT, work).await {
            Ok(Ok(())) => Ok(began.elapsed()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("Command timed out".to_owned()),
        }
    }
}

/// The life of the process and of the deploys.
async fn live(world: Arc<World>) {
    loop {
        let enabled = world.state().process.enabled;
        let seen = if enabled { Some(world.exercise().await) } else { None };
        {
            let mut state = world.state();
            let traffic = state.traffic;
            state.process.look(seen, traffic);
            finish_deploys(&mut state);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn finish_deploys(state: &mut Inner) {
    let now = Instant::now();
    let due = |deploy: &Deploy| deploy.due.is_some_and(|(at, _)| at <= now);
    let Some(position) = state.deploys.iter().position(due) else { return };
    let Some((_, rule)) = state.deploys[position].due.take() else { return };
    state.deploys[position].finished = Some(Timestamp::now());
    if rule == Deploys::Fail {
        state.deploys[position].status = "build_failed";
        return;
    }
    for deploy in state.deploys.iter_mut().filter(|deploy| deploy.status == "live") {
        deploy.status = "deactivated";
    }
    state.deploys[position].status = "live";
    if let Deploys::Work(_) = rule {
        let enabled = state.stored.get("REDIS_ENABLED").is_some_and(|value| value == "true");
        state.process = Process { enabled, ..Process::default() };
    }
}

fn routes(world: &Arc<World>) -> Router {
    let monitoring = Router::new()
        .route("/health", get(health))
        .route("/health/redis", get(health_redis))
        .route("/metrics", get(metrics))
        .route("/metrics/performance", get(performance))
        .route("/alerts", get(alerts))
        .route("/status/connection", get(connection))
        .route("/webhook/health", get(webhook));
    let platform = Router::new()
        .route("/env-vars/{key}", get(variable).put(store))
        .route("/deploys", get(deploys).post(deploy))
        .route("/rollback", post(rollback))
        .route("/restart", post(restart))
        .route("/", get(service).patch(change))
        .layer(middleware::from_fn(authorised));
    Router::new()
        .nest("/api/monitoring", monitoring)
        .nest(&format!("/v1/services/{SERVICE}"), platform)
        .layer(middleware::from_fn_with_state(Arc::clone(world), remember))
        .with_state(Arc::clone(world))
}

async fn remember(State(world): Service, request: Request, next: Next) -> Response {
    let line = format!("{} {}", request.method(), request.uri().path());
    world.state().requests.push(line);
    next.run(request).await
}

async fn authorised(request: Request, next: Next) -> Response {
    let wanted = format!("Bearer {KEY}");
    match request.headers().get("authorization") {
        Some(header) if header.as_bytes() == wanted.as_bytes() => next.run(request).await,
        _ => (StatusCode::UNAUTHORIZED, Json(json!({"message": "unauthorized"}))).into_response(),
    }
}

impl Process {
    /// Looks after itself, and counts what happened since the last time.
    fn look(&mut self, seen: Option<Result<Duration, String>>, (hits, misses): (u64, u64)) {
        self.updated = Some(Timestamp::now());
        self.connected = matches!(seen, Some(Ok(_)));
        match seen {
            Some(Ok(took)) => {
                let operations = hits + 2 * misses;
                self.hits += hits;
                self.misses += misses;
                self.operations += operations;
                self.spent_ms += took.as_secs_f64() * 1_000.0 * operations as f64;
            }
            Some(Err(_)) => {
                self.operations += hits + misses;
                self.errors += hits + misses;
            }
            None => {}
        }
        // A cold cache raises an alert that nothing ever resolves.
        let looked = self.hits + self.misses;
        self.latched |= looked > 0 && self.hits * 10 < looked * 3;
    }

    fn alerts(&self) -> Vec<Value> {
        let alert = |id: &str, severity: &str| {
            json!({"id": id, "type": id, "severity": severity, "message": id, "details": {},
                   "timestamp": Timestamp::now().to_string(), "resolved": false})
        };
        let lost = self.enabled && self.updated.is_some() && !self.connected;
        let lost = lost.then(|| alert("redis-disconnected", "critical"));
        let cold = self.latched.then(|| alert("cache-hit-rate-low", "high"));
        lost.into_iter().chain(cold).collect()
    }

    fn status(&self) -> &'static str {
        if self.enabled && self.updated.is_some() && !self.connected {
            "critical"
        } else if self.alerts().is_empty() {
            "healthy"
        } else {
            "degraded"
        }
    }

    fn hit_rate(&self) -> f64 {
        let looked = self.hits + self.misses;
        if looked == 0 { 0.0 } else { self.hits as f64 * 100.0 / looked as f64 }
    }

    fn average_ms(&self) -> f64 {
        if self.operations == 0 { 0.0 } else { self.spent_ms / self.operations as f64 }
    }

    fn metrics(&self) -> Value {
        // 0/0 is no number, and JSON has none for it.
        let error_rate =
            (self.operations > 0).then(|| self.errors as f64 * 100.0 / self.operations as f64);
        json!({
            "cacheHitRate": self.hit_rate(),
            "averageResponseTime": self.average_ms(),
            "errorRate": error_rate,
            "timestamp": self.updated.map(|at| at.to_string()),
        })
    }
}

async fn health(State(world): Service) -> Response {
    let state = world.state();
    let status = state.process.status();
    let code = if status == "critical" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = json!({"status": status, "details": {}, "metrics": state.process.metrics()});
    (code, Json(body)).into_response()
}

async fn health_redis(State(world): Service) -> Json<Value> {
    let enabled = world.state().process.enabled;
    if !enabled {
        let redis = json!({"enabled": false, "connected": false});
        return Json(json!({"status": "disabled", "redis": redis, "alerts": []}));
    }
    let (connected, test) = match world.exercise().await {
        Ok(took) => (true, json!({"status": "healthy", "latency": took.as_secs_f64() * 1_000.0})),
        Err(error) => (false, json!({"status": "unhealthy", "error": error})),
    };
    let status = if test["connected"] == true { "healthy" } else { "degraded" };
    let state = world.state();
    Json(json!({
        "status": status,
        "timestamp": Timestamp::now().to_string(),
        "redis": {"enabled": true, "connected": connected, "connectionTest": test},
        "metrics": state.process.metrics(),
        "alerts": state.process.alerts(),
    }))
}

async fn metrics(State(world): Service) -> Json<Value> {
    let state = world.state();
    let active = state.process.alerts();
    let alerts = json!({"total": active.len(), "active": active});
    Json(json!({
        "timestamp": Timestamp::now().to_string(),
        "metrics": state.process.metrics(),
        "alerts": alerts,
    }))
}

async fn performance(State(world): Service) -> Json<Value> {
    let state = world.state();
    let process = &state.process;
    Json(json!({
        "timestamp": Timestamp::now().to_string(),
        "caching": {
            "hitRate": process.hit_rate(),
            "hits": process.hits,
            "misses": process.misses,
            "totalRequests": process.hits + process.misses,
        },
        "response": {"averageTime": process.average_ms(), "connectionLatency": 1},
        "operations": {
            "operationsPerSecond": process.operations as f64 / 60.0,
            "totalOperations": process.operations,
        },
        "errors": {
            "errorRate": process.metrics()["errorRate"],
            "totalErrors": process.errors,
            "lastError": null,
        },
    }))
}

async fn alerts(State(world): Service) -> Json<Value> {
    let alerts = world.state().process.alerts();
    let of = |severity: &str| alerts.iter().filter(|alert| alert["severity"] == severity).count();
    let by_severity =
        json!({"critical": of("critical"), "high": of("high"), "medium": 0, "low": 0});
    let count = alerts.len();
    let summary =
        json!({"total": count, "active": count, "resolved": 0, "bySeverity": by_severity});
    Json(json!({"alerts": alerts, "summary": summary}))
}

async fn connection(State(world): Service) -> Response {
    let enabled = world.state().process.enabled;
    let seen = if enabled { world.exercise().await } else { Err("Redis is disabled".to_owned()) };
    match seen {
        Ok(took) => {
            let total = took.as_secs_f64() * 1_000.0;
            let body =
                json!({"status": "connected", "connected": true, "operations": {"total": total}});
            Json(body).into_response()
        }
        Err(error) => {
            let body = json!({"status": "disconnected", "connected": false, "error": error});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn webhook(State(world): Service) -> Json<Value> {
    let state = world.state();
    Json(json!({
        "status": "ok",
        "redis_enabled": state.process.enabled,
        "redis_connected": state.process.connected,
        "cache_hit_rate": state.process.hit_rate(),
        "avg_response_time": state.process.average_ms(),
        "active_alerts": state.process.alerts().len(),
        "timestamp": Timestamp::now().to_string(),
    }))
}

async fn variable(State(world): Service, Path(key): Path<String>) -> Response {
    match world.state().stored.get(&key) {
        Some(value) => Json(json!({"key": key, "value": value})).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({"message": "not found"}))).into_response(),
    }
}

async fn store(State(world): Service, Path(key): Path<String>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(value) = body["value"].as_str() else {
        return (StatusCode::BAD_REQUEST, Json(json!({"message": "no value"}))).into_response();
    };
    world.state().stored.insert(key.clone(), value.to_owned());
    Json(json!({"key": key, "value": value})).into_response()
}

fn shown(deploy: &Deploy) -> Value {
    json!({
        "id": deploy.id,
        "status": deploy.status,
        "trigger": deploy.trigger,
        "finishedAt": deploy.finished.map(|at| at.to_string()),
    })
}

async fn deploys(State(world): Service) -> Json<Value> {
    let state = world.state();
    let entry = |deploy: &Deploy| json!({"deploy": shown(deploy), "cursor": deploy.id});
    Json(Value::from(state.deploys.iter().rev().map(entry).collect::<Vec<_>>()))
}

fn begun(world: &World, trigger: &'static str) -> Response {
    let mut state = world.state();
    let rule = state.rule;
    let after = if let Deploys::Work(after) = rule { after } else { Duration::ZERO };
    let deploy = Deploy {
        id: format!("dep-{}", state.deploys.len() + 1),
        status: "update_in_progress",
        trigger,
        finished: None,
        due: Some((Instant::now() + after, rule)),
    };
    let answer = shown(&deploy);
    state.deploys.push(deploy);
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn deploy(State(world): Service, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if body["deployMode"] != "deploy_only" {
        return (StatusCode::BAD_REQUEST, "a build was not asked for").into_response();
    }
    begun(&world, "api")
}

async fn rollback(State(world): Service, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let known = world.state().deploys.iter().any(|deploy| body["deployId"] == deploy.id.as_str());
    if known { begun(&world, "rollback") } else { StatusCode::NOT_FOUND.into_response() }
}

/// Keeps the variables that the process had.
async fn restart(State(world): Service) -> StatusCode {
    let mut state = world.state();
    state.process = Process { enabled: state.process.enabled, ..Process::default() };
    StatusCode::OK
}

async fn service(State(world): Service) -> Json<Value> {
    let auto = if world.state().auto_deploy { "yes" } else { "no" };
    Json(json!({"id": SERVICE, "autoDeploy": auto, "suspended": "not_suspended"}))
}

async fn change(State(world): Service, body: Bytes) -> Json<Value> {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    world.state().auto_deploy = body["autoDeploy"] == "yes";
    service(State(world)).await
}
