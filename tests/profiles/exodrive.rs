//! The profile `exodrive`: the payments, in a real database with the application's tables.

use serde_json::Value;

use super::{
    common::{postgres::PostgresServer, servers::NginxServer},
    console::Place,
};

/// Faster than in production, and nothing else changed.
const FAST: &str = r#"
profile = "exodrive"
[defaults]
interval = "1s"
timeout = "900ms"
[source.redis_demo]
interval = "1s"
[source.cars]
interval = "1s"
[source.payments]
interval = "1s"
"#;

/// The tables as the application has them, as far as it is looked at them.
const SCHEMA: &str = "
CREATE TABLE bookings (id int PRIMARY KEY, overall_status text DEFAULT 'confirmed',
    payment_capture_scheduled_at timestamptz, payment_capture_attempted_at timestamptz);
CREATE TYPE event_type_enum AS ENUM ('payment_captured', 'payment_capture_failed',
    'booking_price_validation_failed', 'wrong_price');
CREATE TABLE booking_events (id serial, event_type event_type_enum,
    created_at timestamptz DEFAULT now());";

/// Everything that is asked of the payments is there, but only as far as `extra` goes.
struct Desk {
    postgres: PostgresServer,
    _gateway: NginxServer,
    place: Place,
}

impl Desk {
    fn new(schema: &str, extra: &[(&str, &str)]) -> Self {
        let postgres = PostgresServer::start(&[]);
        if !schema.is_empty() {
            postgres.sql(schema);
        }
        let gateway = NginxServer::start(
            "server { listen 127.0.0.1:{port}; location / { return 200 '{}'; } }",
        );
        let url = format!("http://127.0.0.1:{}", gateway.port);

        let database =
            format!("postgres://postgres:superuser-password@127.0.0.1:{}/postgres", postgres.port);
        let mut environment = vec![
            ("EXODRIVE_URL", url.as_str()),
            ("UPSTASH_STATUS_URL", url.as_str()),
            ("DATABASE_URL", &database),
        ];
        environment.extend(extra);
        let place = Place::new(FAST, &environment);
        Self { postgres, _gateway: gateway, place }
    }

    /// Each rule of the payments: `firing`, `unknown` or nothing, and why.
    fn rules(&self) -> Vec<(&'static str, String)> {
        let document = self.place.watch(4).state();
        let alerts = document["alerts"].as_array().unwrap();
        let reasons: Vec<&str> =
            document["reasons"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let state = |(rule, title): &(&str, &str)| {
            if let Some(alert) = alerts.iter().find(|alert| alert["rule"] == *rule) {
                assert_eq!(alert["state"], "firing", "{alert:#}");
                return ("firing", alert["reason"].as_str().unwrap().to_owned());
            }
            let unknown = format!("UNKNOWN {title}: ");
            match reasons.iter().find_map(|reason| reason.strip_prefix(&unknown)) {
                Some(why) => ("unknown", why.to_owned()),
                None => ("", String::new()),
            }
        };
        PAYMENTS.iter().map(state).collect()
    }
}

const PAYMENTS: [(&str, &str); 5] = [
    ("price_refused", "Price validation fails"),
    ("capture_success", "Payment captures succeed"),
    ("capture_retries", "Failed payment captures"),
    ("capture_cron", "Payment capture cron"),
    ("capture_overdue", "Payments overdue"),
];

/// So many events, `minutes` ago.
fn events(kind: &str, count: u32, minutes: u32) -> String {
    format!(
        "INSERT INTO booking_events (event_type, created_at)
         SELECT '{kind}', now() - interval '{minutes} minutes' FROM generate_series(1, {count});"
    )
}

fn states(rules: &[(&'static str, String)]) -> Vec<&'static str> {
    rules.iter().map(|(state, _)| *state).collect()
}

#[test]
fn the_payments_are_judged_by_what_the_database_says() {
    let desk = Desk::new(SCHEMA, &[]);
    // Nothing has happened yet: nothing is counted, and of the rest nothing is known.
    let rules = desk.rules();
    assert_eq!(states(&rules), ["", "", "", "unknown", ""], "{rules:#?}");
    assert!(rules[3].1.contains("nothing yet to take it from"), "{rules:#?}");

    // Too long ago to count, and at the limit.
    let quiet = [
        events("booking_price_validation_failed", 9, 61),
        events("booking_price_validation_failed", 5, 10),
        events("payment_captured", 19, 600),
        events("payment_capture_failed", 1, 600),
        events("payment_capture_failed", 99, 1_500),
        "INSERT INTO bookings VALUES
             (1, 'confirmed', now() - interval '20 minutes', now() - interval '20 minutes'),
             (2, 'confirmed', now() - interval '29 minutes', NULL),
             (3, 'cancelled', now() - interval '5 hours', NULL);"
            .to_owned(),
    ];
    desk.postgres.sql(&quiet.concat());
    let rules = desk.rules();
    assert_eq!(states(&rules), [""; 5], "{rules:#?}");

    // One more of each.
    let loud = [
        events("booking_price_validation_failed", 1, 1),
        events("payment_capture_failed", 11, 1),
        "UPDATE bookings SET payment_capture_attempted_at = now() - interval '31 minutes'
             WHERE id = 1;
         UPDATE bookings SET payment_capture_scheduled_at = now() - interval '31 minutes'
             WHERE id = 2;"
            .to_owned(),
    ];
    desk.postgres.sql(&loud.concat());
    let rules = desk.rules();
    assert_eq!(states(&rules), ["firing"; 5], "{rules:#?}");
}

#[test]
fn what_cannot_be_asked_is_unknown_with_the_cure() {
    let desk = Desk::new("", &[]);
    for (state, reason) in desk.rules() {
        assert_eq!(state, "unknown", "{reason}");
        let helps = reason.contains("does not exist") && reason.contains("what it is called");
        assert!(helps, "{reason}");
    }
    desk.postgres.sql(SCHEMA);
    assert_eq!(states(&desk.rules()), ["", "", "", "unknown", ""]);
}

#[test]
fn other_names_are_set_in_the_environment() {
    let schema = SCHEMA.replace("booking_events", "audit").replace("bookings", "rentals");
    let names = [
        ("EXODRIVE_BOOKING_EVENTS", "audit"),
        ("EXODRIVE_BOOKINGS", "rentals"),
        ("EXODRIVE_PRICE_REFUSED", "wrong_price"),
    ];
    let desk = Desk::new(&schema, &names);
    let event = events("wrong_price", 6, 1).replace("booking_events", "audit");
    desk.postgres.sql(&event);
    let rules = desk.rules();
    assert_eq!(states(&rules), ["firing", "", "", "unknown", ""], "{rules:#?}");
}
