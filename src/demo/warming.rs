//! Filling the cache before anybody asks.

use std::{sync::PoisonError, time::Duration};

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    cars,
    fault::COLD_CACHE,
    request::{Ask, iso, write_cache},
    world::World,
};

/// Keys written at a time.
const BATCH: usize = 50;
/// The days, counted from today, on which rentals that customers ask about begin.
pub(super) const ASKED_DAYS: &[i64] = &[1, 3, 7, 13];
/// How many days they last.
const RENTAL_DAYS: i64 = 4;

/// What is to be warmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    cars: Option<usize>,
    days: Option<i64>,
}

impl Plan {
    /// Everything that customers ask for.
    pub(super) const EVERYTHING: Self = Self { cars: Some(cars::COUNT), days: Some(30) };

    /// What a request wishes for. Wishes that are out of bounds or of the wrong kind are
    /// replaced by the defaults without a word.
    pub(super) fn from_wishes(wishes: &Value) -> Self {
        let number = |name: &str, most: i64, otherwise: i64| {
            let given = wishes[name].as_i64();
            given.filter(|number| (1..=most).contains(number)).unwrap_or(otherwise)
        };
        let wanted = |name: &str| wishes[name].as_bool().unwrap_or(true);
        let cars = usize::try_from(number("popularCarsLimit", 50, 20)).unwrap_or(20);
        let days = number("availabilityDays", 30, 14);
        Self {
            cars: wanted("warmPopularCars").then_some(cars.min(cars::COUNT)),
            days: wanted("warmUpcomingAvailability").then_some(days),
        }
    }

    fn asks(self) -> Vec<Ask> {
        let cars = 0..self.cars.unwrap_or(20);
        let mut asks = Vec::new();
        if self.cars.is_some() {
            asks.push(Ask::Fleet);
            asks.extend((1..=4).map(|page| Ask::Listing { page, limit: 10 }));
            asks.extend(cars.clone().map(|car| Ask::Details { car }));
        }
        if let Some(days) = self.days {
            let asked = ASKED_DAYS.iter().filter(|day| **day <= days);
            asks.extend(asked.flat_map(|day| cars.clone().map(|car| availability(car, *day))));
        }
        asks
    }
}

/// The question whether a car is free from so many days after today.
pub(super) fn availability(car: usize, in_days: i64) -> Ask {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let from = today.saturating_add(in_days.days());
    let to = from.saturating_add(RENTAL_DAYS.days());
    Ask::Availability { car, from: from.to_string(), to: to.to_string() }
}

/// Warms the cache; what happened, as the service tells it. Success is claimed for a
/// warming that wrote anything at all.
pub(super) async fn warm(world: &World, plan: &Plan) -> Value {
    let began = Timestamp::now();
    let entries: Vec<(String, String, Duration)> = plan
        .asks()
        .iter()
        .filter_map(|ask| ask.cached().map(|(key, ttl)| (key, ask.compute().to_string(), ttl)))
        .collect();
    let (mut warmed, mut errors) = (0, Vec::new());
    for batch in entries.chunks(BATCH) {
        let worked = world.uses_redis() && write_cache(world, batch).await;
        if worked {
            warmed += batch.len();
        } else {
            errors.push(format!("Failed to warm {} keys: Redis is not available", batch.len()));
        }
    }
    let status = match (warmed, errors.is_empty()) {
        (_, true) => "success",
        (0, false) => "failed",
        (_, false) => "partial",
    };
    if status == "success" {
        world.fault(COLD_CACHE, false);
    }
    let ended = Timestamp::now();
    let metrics = json!({
        "startTime": iso(began),
        "endTime": iso(ended),
        "duration": ended.as_millisecond() - began.as_millisecond(),
        "keysWarmed": warmed,
        "status": status,
        "errors": errors,
    });
    *world.last_warming.lock().unwrap_or_else(PoisonError::into_inner) = Some(metrics.clone());
    let message = format!("Cache warming {status}: {warmed} keys");
    json!({ "success": status != "failed", "metrics": metrics, "message": message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_out_of_bounds_silently_become_the_defaults() {
        let usual = Plan { cars: Some(20), days: Some(14) };
        for wishes in [
            Value::Null,
            json!({}),
            json!("nonsense"),
            json!({"popularCarsLimit": 51, "availabilityDays": 31}),
            json!({"popularCarsLimit": 0, "availabilityDays": "7"}),
        ] {
            assert_eq!(Plan::from_wishes(&wishes), usual, "{wishes}");
        }
        let wishes = json!({"popularCarsLimit": 5, "warmUpcomingAvailability": false});
        assert_eq!(Plan::from_wishes(&wishes), Plan { cars: Some(5), days: None });
        assert_eq!(Plan::from_wishes(&wishes).asks().len(), 5 + 4 + 1);
    }
}
