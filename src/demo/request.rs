//! What the service does with a request, whoever sends it: the traffic of the demo comes
//! here directly, the requests of the console through HTTP.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    cars,
    fault::DEPLOY_REGRESSION,
    limit::{self, Allowance, Tier},
    standin::exodrive::{ERROR_BURST, SLOW_CARS},
    world::{Violation, World},
};

/// The lifetimes of the cache are a tenth of what the service uses in production, so that
/// the hit rate moves while somebody watches.
const TTL_SCALE: u64 = 10;

/// How long the listing waits for a service that it needs, on a bad day.
const INVENTORY: Duration = Duration::from_millis(400);

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A page of the cars.
    Listing { page: usize, limit: usize },
    /// One car, by its place.
    Details { car: usize },
    /// Whether a car is free, from a day to a day.
    Availability { car: usize, from: String, to: String },
    /// The cars of a city, for those who are logged in.
    Fleet,
    /// A booking.
    Booking { car: usize },
}

impl Ask {
    /// The path that it is asked by.
    pub(super) fn endpoint(&self) -> String {
        match self {
            Self::Listing { .. } => "/api/cars".to_owned(),
            Self::Details { car } => format!("/api/cars/{}", cars::id(*car)),
            Self::Availability { .. } => "/api/cars/availability".to_owned(),
            Self::Fleet => "/api/fleet".to_owned(),
            Self::Booking { .. } => "/api/bookings".to_owned(),
        }
    }

    /// The key that its answer is cached under and how long; none where it is not cached.
    pub(super) fn cached(&self) -> Option<(String, Duration)> {
        let (key, production_seconds) = match self {
            Self::Listing { page, limit } => (format!("fleet:page:{page}:limit:{limit}"), 3_600),
            Self::Details { car } => (format!("car:{}", cars::id(*car)), 1_800),
            Self::Availability { car, from, to } => {
                (format!("availability:{}:{from}:{to}", cars::id(*car)), 300)
            }
            Self::Fleet => ("fleet:all".to_owned(), 3_600),
            Self::Booking { .. } => return None,
        };
        Some((key, Duration::from_secs(production_seconds / TTL_SCALE)))
    }

    /// The answer itself, as the database has it.
    pub(super) fn compute(&self) -> Value {
        match self {
            Self::Listing { page, limit } => cars::page(*page, *limit),
            Self::Details { car } => json!({ "car": cars::details(*car) }),
            Self::Availability { car, from, to } => json!({
                "carId": cars::id(*car),
                "startDate": from,
                "endDate": to,
                // Booked or not, but always the same for the same days.
                "available": from.bytes().map(usize::from).sum::<usize>().wrapping_add(*car) % 4 != 0,
                "pricePerDay": cars::summary(*car)["pricePerDay"],
            }),
            Self::Fleet => cars::page(1, cars::COUNT),
            Self::Booking { car } => json!({ "carId": cars::id(*car), "status": "pending" }),
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The limit that applies.
    pub(super) tier: Tier,
    /// Who it is counted for: an address or a user.
    pub(super) identifier: String,
    /// Every header of the request.
    pub(super) headers: Value,
}

/// What comes back.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The body, JSON.
    pub(super) body: String,
    /// Whether the cache had it, and under which key; none where it was not looked up.
    pub(super) cache: Option<(bool, String)>,
    /// What the limiter found; none where Redis could not be asked, and nobody is refused.
    pub(super) allowance: Option<Allowance>,
    /// Identifies the request in the service's logs.
    pub(super) trace: String,
}

/// Answers a request, in the time that it takes.
pub(super) async fn answer(world: &World, ask: &Ask, caller: &Caller) -> Answer {
    let began = Instant::now();
    let answer = unlogged(world, ask, caller).await;
    world.stage.log.write(&ask.endpoint(), answer.status, &answer.trace, began.elapsed());
    answer
}

async fn unlogged(world: &World, ask: &Ask, caller: &Caller) -> Answer {
    let trace = world.dice.hex();
    if let Some(status) = world.platform().refusal(&caller.identifier) {
        let body = error("FORBIDDEN", "Forbidden", &trace);
        return Answer { status, body, cache: None, allowance: None, trace };
    }
    let allowance = check_limit(world, &ask.endpoint(), caller).await;
    if let Some(refused) = allowance.filter(|allowance| !allowance.allowed) {
        return Answer {
            status: 429,
            body: too_many(&trace, refused),
            cache: None,
            allowance,
            trace,
        };
    }
    if world.stage.switches.is_on(DEPLOY_REGRESSION) {
        sleep(milliseconds(world.dice.between(170.0, 320.0))).await;
        if world.dice.happens(0.04) {
            let body = error("INTERNAL_ERROR", "Cannot read properties of undefined", &trace);
            return Answer { status: 500, body, cache: None, allowance, trace };
        }
    }
    if world.stage.switches.is_on(ERROR_BURST) && world.dice.happens(0.25) {
        let body = error("INTERNAL_ERROR", "fetch failed", &trace);
        return Answer { status: 500, body, cache: None, allowance, trace };
    }
    if world.stage.switches.is_on(SLOW_CARS) && matches!(ask, Ask::Listing { .. }) {
        sleep(INVENTORY).await;
    }
    let (body, cache) = look_up(world, ask).await;
    Answer { status: 200, body, cache, allowance, trace }
}

/// Counts the request. Without Redis nobody is counted and everybody is let through.
pub(super) async fn check_limit(
    world: &World,
    endpoint: &str,
    caller: &Caller,
) -> Option<Allowance> {
    if !world.uses_redis() {
        return None;
    }
    let allowance = limit::count(&world.store, caller.tier, &caller.identifier).await.ok()?;
    if !allowance.allowed {
        world.violated(Violation {
            at: Timestamp::now(),
            identifier: caller.identifier.clone(),
            endpoint: endpoint.to_owned(),
            limit: allowance.limit,
            window: caller.tier.window(),
            headers: caller.headers.clone(),
        });
    }
    Some(allowance)
}

/// The answer from the cache, or from the database and then into the cache.
async fn look_up(world: &World, ask: &Ask) -> (String, Option<(bool, String)>) {
    let cached = ask.cached().filter(|_| world.uses_redis());
    if let Some((key, _)) = &cached
        && let Some(body) = read_cache(world, key).await
    {
        sleep(milliseconds(world.dice.between(3.0, 9.0))).await;
        return (body, Some((true, key.clone())));
    }
    let luck = world.dice.between(0.7, 1.3);
    sleep(world.database.query(Instant::now(), luck)).await;
    let body = ask.compute().to_string();
    if let Some((key, ttl)) = &cached
        && world.fills_cache()
    {
        write_cache(world, &[(key.clone(), body.clone(), *ttl)]).await;
    }
    (body, cached.map(|(key, _)| (false, key)))
}

async fn read_cache(world: &World, key: &str) -> Option<String> {
    let mut command = redis::pipe();
    command.cmd("GET").arg(key);
    let (body,): (Option<String>,) = world.store.run(&command).await.ok()?;
    body
}

/// Puts answers into the cache; true where that worked.
pub(super) async fn write_cache(world: &World, entries: &[(String, String, Duration)]) -> bool {
    let mut commands = redis::pipe();
    for (key, body, ttl) in entries {
        commands.cmd("SET").arg(key).arg(body).arg("EX").arg(ttl.as_secs()).ignore();
    }
    world.store.run::<()>(&commands).await.is_ok()
}

fn milliseconds(number: f64) -> Duration {
    Duration::from_secs_f64(number / 1_000.0)
}

/// A point in time as the service writes it: to the millisecond.
pub(super) fn iso(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The body of an error.
pub(super) fn error(code: &str, message: &str, trace: &str) -> String {
    error_value(code, message, trace).to_string()
}

fn error_value(code: &str, message: &str, trace: &str) -> Value {
    json!({ "error": {
        "code": code,
        "message": message,
        "timestamp": iso(Timestamp::now()),
        "traceId": trace,
    }})
}

/// How many seconds a refused caller should wait.
pub(super) fn retry_after(allowance: Allowance) -> u64 {
    let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
    allowance.resets_at.saturating_sub(now).div_ceil(1_000)
}

fn too_many(trace: &str, allowance: Allowance) -> String {
    let mut body = error_value("RATE_LIMITED", "Too many requests, please try again later", trace);
    body["error"]["retryAfter"] = json!(retry_after(allowance));
    body.to_string()
}
