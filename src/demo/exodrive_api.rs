//! The public and administrative routes of the rental service.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use jiff::{Timestamp, civil::Date};
use serde_json::{Map, Value, json};

use super::{
    cars,
    limit::{Allowance, Tier},
    request::{self, Answer, Ask, Caller, iso},
    standin::exodrive::CAPTURES_STUCK,
    warming,
    world::{CRON_SECRET, World},
};

type Service = State<Arc<World>>;
type Params = Query<HashMap<String, String>>;

/// The name of the session cookie.
pub(super) const SESSION_COOKIE: &str = "sb-exodrive-auth-token";
/// Violations handed out at most, and in the summary.
const MOST_SHOWN: usize = 100;
const MOST_RECENT: usize = 10;
/// Results of captures listed at most.
const MOST_RESULTS: i64 = 100;

/// The routes.
pub(super) fn routes(world: Arc<World>) -> Router<Arc<World>> {
    Router::new()
        .route("/api/demo/redis", get(demo_redis))
        .route("/api/cars", get(listing))
        .route("/api/cars/availability", get(availability))
        .route("/api/cars/{car}", get(details))
        .route("/api/fleet", get(fleet))
        .route("/api/admin/cache-warm", get(last_warming).post(warm))
        .route("/api/admin/rate-limit-monitoring", get(violations).delete(forget_violations))
        .route("/api/admin/process-payment-captures", get(captures_run).post(capture))
        .fallback(not_found)
        .layer(from_fn_with_state(world, at_the_edge))
}

/// What the platform lets through to the service: not those whom its firewall keeps out, and
/// nobody while the project is paused.
async fn at_the_edge(
    State(world): Service,
    headers: HeaderMap,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    let refusal = world.platform().refusal(address(&headers));
    match refusal.and_then(|status| StatusCode::from_u16(status).ok()) {
        Some(status) => (status, [("x-vercel-mitigated", "deny")], "Forbidden").into_response(),
        None => next.run(request).await,
    }
}

/// The address that a request comes from, as its proxy says.
fn address(headers: &HeaderMap) -> &str {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("x-forwarded-for")
        .and_then(|list| list.split(',').next())
        .or_else(|| text("x-real-ip"))
        .map_or("127.0.0.1", str::trim)
}

/// Paths that do not exist answer with a page, as they do there; the administrative
/// metrics of the runbook are among them.
async fn not_found() -> Response {
    let page = "<!DOCTYPE html><html><head><title>404: This page could not be found.</title></head>\
                <body><h1>404</h1><p>This page could not be found.</p></body></html>";
    (StatusCode::NOT_FOUND, Html(page)).into_response()
}

/// Who sent the request, as the service sees it behind its proxy.
fn caller(world: &World, headers: &HeaderMap) -> Caller {
    let address = address(headers);
    let all: Map<String, Value> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))))
        .collect();
    let (tier, identifier) = match session(world, headers) {
        Session::Admin => (Tier::Admin, "user_admin".to_owned()),
        Session::Customer => (Tier::Auth, "user_customer".to_owned()),
        Session::None => (Tier::Public, address.chars().take(64).collect()),
    };
    Caller { tier, identifier, headers: Value::Object(all) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    None,
    Customer,
    Admin,
}

fn session(world: &World, headers: &HeaderMap) -> Session {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let given = cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value);
    match given {
        Some(value) if value == world.credentials.admin_session => Session::Admin,
        Some(value) if value == world.credentials.customer_session => Session::Customer,
        _ => Session::None,
    }
}

fn has_admin_token(world: &World, headers: &HeaderMap) -> bool {
    bearer(headers) == Some(world.credentials.admin_token.as_str())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer "))
}

/// The refusal of a request without the session of an administrator.
fn refused(world: &World, session: Session) -> Option<Response> {
    let (status, code, message) = match session {
        Session::Admin => return None,
        Session::Customer => (StatusCode::FORBIDDEN, "FORBIDDEN", "Admin access required"),
        Session::None => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "Unauthorized"),
    };
    Some(json_text(status, request::error(code, message, &world.dice.hex())))
}

fn json_text(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The answer with the headers that belong to it.
fn respond(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = json_text(status, answer.body);
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    };
    put("x-trace-id", &answer.trace);
    if let Some((hit, key)) = &answer.cache {
        put("x-cache", if *hit { "HIT" } else { "MISS" });
        put("x-cache-key", key);
    }
    if let Some(allowance) = answer.allowance {
        put("x-ratelimit-limit", &allowance.limit.to_string());
        put("x-ratelimit-remaining", &allowance.remaining.to_string());
        put("x-ratelimit-reset", &resets_at(allowance));
        if !allowance.allowed {
            put("retry-after", &request::retry_after(allowance).to_string());
        }
    }
    response
}

fn resets_at(allowance: Allowance) -> String {
    let millis = i64::try_from(allowance.resets_at).unwrap_or(i64::MAX);
    iso(Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
}

async fn listing(State(world): Service, Query(query): Params, headers: HeaderMap) -> Response {
    let number = |name: &str, otherwise: usize, most: usize| {
        let given = query.get(name).and_then(|value| value.parse().ok());
        given.filter(|number| (1..=most).contains(number)).unwrap_or(otherwise)
    };
    let ask = Ask::Listing { page: number("page", 1, 1_000), limit: number("limit", 10, 100) };
    respond(request::answer(&world, &ask, &caller(&world, &headers)).await)
}

async fn details(State(world): Service, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let Some(car) = cars::find(&id) else {
        let body = request::error("NOT_FOUND", "Car not found", &world.dice.hex());
        return json_text(StatusCode::NOT_FOUND, body);
    };
    respond(request::answer(&world, &Ask::Details { car }, &caller(&world, &headers)).await)
}

async fn availability(State(world): Service, Query(query): Params, headers: HeaderMap) -> Response {
    let bad = |message: &str| {
        let body = request::error("VALIDATION_ERROR", message, &world.dice.hex());
        json_text(StatusCode::BAD_REQUEST, body)
    };
    let get = |name: &str| query.get(name).map_or("", String::as_str);
    if !cars::is_uuid(get("carId")) {
        return bad("carId must be a UUID");
    }
    let day = |name: &str| get(name).parse::<Date>().ok();
    let (Some(from), Some(to)) = (day("startDate"), day("endDate")) else {
        return bad("startDate and endDate must be dates");
    };
    if to < from {
        return bad("endDate must not be before startDate");
    }
    let Some(car) = cars::find(get("carId")) else {
        let body = request::error("NOT_FOUND", "Car not found", &world.dice.hex());
        return json_text(StatusCode::NOT_FOUND, body);
    };
    let ask = Ask::Availability { car, from: from.to_string(), to: to.to_string() };
    respond(request::answer(&world, &ask, &caller(&world, &headers)).await)
}

async fn fleet(State(world): Service, headers: HeaderMap) -> Response {
    respond(request::answer(&world, &Ask::Fleet, &caller(&world, &headers)).await)
}

/// The page that the runbook checks Redis with. `available` says that there is a client
/// object, not that Redis answers; and the check counts against the caller's limit.
async fn demo_redis(State(world): Service, headers: HeaderMap) -> Response {
    let available = world.uses_redis();
    let status = if available { "connected" } else { "unavailable" };
    let key = "demo:test";
    let written = vec![(key.to_owned(), "works".to_owned(), std::time::Duration::from_secs(60))];
    let worked = available && request::write_cache(&world, &written).await;
    let caller = caller(&world, &headers);
    let allowance = request::check_limit(&world, "/api/demo/redis", &caller).await;
    let test = allowance.map(|allowance| {
        json!({
            "allowed": allowance.allowed,
            "remaining": allowance.remaining,
            "limit": allowance.limit,
            "resetAt": resets_at(allowance),
        })
    });
    let results = json!({
        "redis": { "available": available, "status": status },
        "cache": { "test": worked.then_some("works"), "ttl": worked.then_some(60) },
        "rateLimit": { "available": available, "test": test },
        "endpoints": ["/api/cars", "/api/cars/availability", "/api/fleet"],
        "features": { "caching": available, "rateLimiting": available },
    });
    let message = if available { "Redis demo" } else { "Redis is not configured" };
    Json(json!({ "success": true, "message": message, "results": results })).into_response()
}

/// Says that it runs, whatever becomes of the payments: a look at it proves nothing. This is
/// what the platform's cron asks for.
async fn captures_run() -> Json<Value> {
    Json(json!({
        "message": "Payment capture processor is running",
        "timestamp": iso(Timestamp::now()),
    }))
}

/// Captures what is due. The secret is asked for only where one is set: without it, anybody
/// may capture.
async fn capture(State(world): Service, headers: HeaderMap) -> Response {
    let secret = world.platform().served_variable(CRON_SECRET).map(str::to_owned);
    if secret.is_some() && bearer(&headers) != secret.as_deref() {
        let body = request::error("UNAUTHORIZED", "Unauthorized", &world.dice.hex());
        return json_text(StatusCode::UNAUTHORIZED, body);
    }
    let captured = match world.bookings.get() {
        Some(bookings) => bookings.capture().await,
        None => Err("the database is not there".to_owned()),
    };
    match captured {
        Ok(count) => {
            world.fault(CAPTURES_STUCK, false);
            let results: Vec<Value> =
                (0..count.min(MOST_RESULTS)).map(|_| json!({ "success": true })).collect();
            Json(json!({ "success": true, "processed_count": count, "results": results }))
                .into_response()
        }
        Err(why) => {
            let body = request::error("DATABASE_ERROR", &why, &world.dice.hex());
            json_text(StatusCode::INTERNAL_SERVER_ERROR, body)
        }
    }
}

async fn last_warming(State(world): Service, headers: HeaderMap) -> Response {
    if let Some(refusal) = refused(&world, session(&world, &headers)) {
        return refusal;
    }
    let last = world.last_warming.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let message = if last.is_some() { "Last cache warming" } else { "No cache warming yet" };
    Json(json!({ "success": true, "lastWarming": last, "message": message })).into_response()
}

async fn warm(State(world): Service, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refusal) = refused(&world, session(&world, &headers)) {
        return refusal;
    }
    // A body that cannot be read is no body: the defaults are used, and nobody is told.
    let wishes = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Json(warming::warm(&world, &warming::Plan::from_wishes(&wishes)).await).into_response()
}

async fn violations(State(world): Service, Query(query): Params, headers: HeaderMap) -> Response {
    let session = session(&world, &headers);
    if !has_admin_token(&world, &headers)
        && let Some(refusal) = refused(&world, session)
    {
        return refusal;
    }
    let minutes = query.get("minutes").and_then(|value| value.parse::<i64>().ok());
    let minutes = minutes.filter(|minutes| (1..=10_080).contains(minutes)).unwrap_or(60);
    let since = Timestamp::now().as_second() - minutes * 60;
    let mut found = world.violations();
    found.retain(|violation| {
        violation.at.as_second() >= since
            && query.get("identifier").is_none_or(|wanted| violation.identifier == *wanted)
    });
    let mut by_endpoint: HashMap<&str, u64> = HashMap::new();
    let mut identifiers: Vec<&str> = Vec::new();
    for violation in &found {
        *by_endpoint.entry(&violation.endpoint).or_default() += 1;
        identifiers.push(&violation.identifier);
    }
    identifiers.sort_unstable();
    identifiers.dedup();
    let shown: Vec<Value> = found
        .iter()
        .rev()
        .take(MOST_SHOWN)
        .map(|violation| {
            json!({
                "timestamp": iso(violation.at),
                "identifier": violation.identifier,
                "endpoint": violation.endpoint,
                "limit": violation.limit,
                "windowMs": violation.window.as_secs() * 1_000,
                "headers": violation.headers,
            })
        })
        .collect();
    let summary = json!({
        "totalViolations": found.len(),
        "uniqueIdentifiers": identifiers.len(),
        "byEndpoint": by_endpoint,
        "recentViolations": shown.iter().take(MOST_RECENT).collect::<Vec<_>>(),
    });
    Json(json!({ "summary": summary, "violations": shown })).into_response()
}

async fn forget_violations(State(world): Service, headers: HeaderMap) -> Response {
    let session = session(&world, &headers);
    if !has_admin_token(&world, &headers)
        && let Some(refusal) = refused(&world, session)
    {
        return refusal;
    }
    world.forget_violations();
    Json(json!({ "success": true, "message": "Rate limit violations cleared" })).into_response()
}
