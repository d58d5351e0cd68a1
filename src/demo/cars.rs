//! The cars that the service rents out, the same on every run.

use serde_json::{Value, json};

/// How many cars.
pub(super) const COUNT: usize = 40;

const MODELS: &[(&str, &str, u32)] = &[
    ("Porsche", "911 Carrera", 349),
    ("Audi", "RS 6 Avant", 299),
    ("BMW", "M4 Competition", 279),
    ("Mercedes-AMG", "GT 53", 329),
    ("Tesla", "Model S Plaid", 259),
    ("Jaguar", "F-Type R", 249),
    ("Lotus", "Emira", 239),
    ("Alfa Romeo", "Giulia Quadrifoglio", 229),
];

const CITIES: &[&str] = &["San Francisco", "Los Angeles", "San Diego"];

/// The identifier of a car, a UUID; the lower the index, the more popular the car.
pub(super) fn id(index: usize) -> String {
    // A fixed pattern: version 4, variant 1, the index in the last digits.
    format!("6f1d2c3a-0e4b-4a57-9c10-{:012x}", 0x00ca_4000 + index)
}

/// The index of a car.
pub(super) fn find(id_wanted: &str) -> Option<usize> {
    (0..COUNT).find(|index| id(*index) == id_wanted)
}

/// Whether the text has the form of a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A car as the API shows it in a list.
pub(super) fn summary(index: usize) -> Value {
    let (make, model, price) = MODELS[index % MODELS.len()];
    json!({
        "id": id(index),
        "name": format!("{make} {model}"),
        "make": make,
        "model": model,
        "year": 2021 + index % 5,
        "pricePerDay": price,
        "currency": "USD",
        "location": CITIES[index % CITIES.len()],
    })
}

/// A car as the API shows it alone.
pub(super) fn details(index: usize) -> Value {
    let mut car = summary(index);
    let description = "Delivered to your door with a full tank and two hundred free miles a day. ";
    car["description"] = json!(description.repeat(6));
    car["features"] = json!(["Launch control", "Heated seats", "CarPlay", "Adaptive cruise"]);
    car["images"] = (1..=8).map(|n| format!("/images/cars/{}/{n}.webp", id(index))).collect();
    car
}

/// A page of the list.
pub(super) fn page(number: usize, limit: usize) -> Value {
    let first = number.saturating_sub(1).saturating_mul(limit);
    let cars: Vec<Value> = (first..first.saturating_add(limit).min(COUNT)).map(summary).collect();
    json!({ "cars": cars, "pagination": { "page": number, "limit": limit, "total": COUNT } })
}
