//! The staging of the rental service, under a path of its own: bookings, and which days they take.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{cars, world::World};

/// What its address ends in.
pub(super) const PREFIX: &str = "/staging";

type Service = State<Arc<World>>;

/// The routes.
pub(super) fn routes() -> Router<Arc<World>> {
    let routes = Router::new()
        .route("/api/bookings", post(book))
        .route("/api/cars/availability", get(availability));
    Router::new().nest(PREFIX, routes)
}

/// A car and the days that it is wanted for.
fn wish<'a>(text: impl Fn(&str) -> &'a str) -> Option<(i32, Date, Date)> {
    let car = cars::find(text("carId")).and_then(|car| i32::try_from(car).ok())?;
    Some((car, text("startDate").parse().ok()?, text("endDate").parse().ok()?))
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

fn no_database() -> Response {
    refused(StatusCode::INTERNAL_SERVER_ERROR, "the database is not there")
}

/// Books a car. A body that lacks something is refused before anything is done, and so are days
/// that are taken.
async fn book(State(world): Service, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let whole = body["customerDetails"]["email"].is_string()
        && body["totalPrice"].as_f64().is_some_and(|price| price > 0.0)
        && body["currency"].as_str().is_some_and(|currency| currency.len() == 3)
        && body["securityDepositAmount"].is_number();
    let wish = wish(|name| body[name].as_str().unwrap_or_default()).filter(|_| whole);
    let Some((car, from, to)) = wish else {
        return refused(StatusCode::BAD_REQUEST, "Invalid request payload");
    };
    let Some(bookings) = world.bookings.get() else { return no_database() };
    match bookings.book(car, from, to).await {
        Ok(Some(id)) => {
            let body = json!({ "bookingId": id, "status": "pending_payment" });
            (StatusCode::CREATED, Json(body)).into_response()
        }
        Ok(None) => refused(StatusCode::CONFLICT, "The selected dates are no longer available."),
        Err(why) => refused(StatusCode::INTERNAL_SERVER_ERROR, &why),
    }
}

async fn availability(
    State(world): Service,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let Some((car, from, to)) = wish(|name| query.get(name).map_or("", String::as_str)) else {
        return refused(StatusCode::BAD_REQUEST, "Invalid request parameters");
    };
    let Some(bookings) = world.bookings.get() else { return no_database() };
    match bookings.taken(car, from, to).await {
        Ok(taken) => Json(json!({ "summary": { "unavailableDays": taken } })).into_response(),
        Err(why) => refused(StatusCode::INTERNAL_SERVER_ERROR, &why),
    }
}
