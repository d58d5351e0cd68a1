//! What a rule says on made-up series, in our own semantics.

mod figures;

mod language;

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::{
    trial::{Input, Step, Trial},
    *,
};
use crate::domain::{time::Moment, value::Value, verdict::Quality};

const MINUTE: Duration = Duration::from_secs(60);

fn rule(when: &str, hold: u32, keep: u32) -> Rule {
    let parsed = When::parse(when).unwrap_or_else(|error| panic!("{when}: {error}"));
    Rule {
        hold: MINUTE * hold,
        keep: Some(MINUTE * keep),
        severity: Severity::Critical,
        ..Rule::new("r", "r", parsed)
    }
}

/// The steps of one rule, a minute apart, on series a minute apart.
fn steps(rule: Rule, series: &[(&str, &str)], marker: Option<u32>) -> Vec<Step> {
    let inputs: Vec<Input> = series
        .iter()
        .map(|(name, values)| Input {
            name: SeriesName::parse(name).unwrap(),
            every: MINUTE,
            values: notation::parse(values).unwrap(),
        })
        .collect();
    let longest = inputs.iter().map(|input| input.values.len()).max().unwrap_or(1);
    let trial = Trial {
        name: String::new(),
        every: MINUTE,
        until: MINUTE * (longest as u32 - 1),
        mode: Mode::Own,
        rules: vec![rule],
        series: inputs,
        marker: marker.map(|at| MINUTE * at),
        expect: Vec::new(),
    };
    trial::run(&trial).trajectories.remove("r").unwrap()
}

/// The steps of one rule, a minute apart, on a series with another time between its values.
fn steps_apart(rule: Rule, apart: Duration, values: &str) -> Vec<Step> {
    let values = notation::parse(values).unwrap();
    let until = apart * (values.len() as u32 - 1);
    let name = SeriesName::parse("a.b").unwrap();
    let trial = Trial {
        name: String::new(),
        every: MINUTE,
        until,
        mode: Mode::Own,
        rules: vec![rule],
        series: vec![Input { name, every: apart, values }],
        marker: None,
        expect: Vec::new(),
    };
    trial::run(&trial).trajectories.remove("r").unwrap()
}

/// A letter for each step: unknown, ok, pending, firing, recovering.
fn letters(steps: &[Step]) -> String {
    steps
        .iter()
        .map(|step| match step.state {
            Phase::Unknown => 'u',
            Phase::Ok => 'o',
            Phase::Pending => 'p',
            Phase::Firing => 'F',
            Phase::Recovering => 'r',
        })
        .collect()
}

fn story(when: &str, hold: u32, keep: u32, values: &str) -> String {
    letters(&steps(rule(when, hold, keep), &[("a.b", values)], None))
}

#[test]
fn how_an_alert_comes_and_goes() {
    let cases = [
        // A limit is passed only beyond it.
        ("a.b > 200", 0, 0, "200 201 200", "oFo"),
        ("a.b < 70", 0, 0, "70 69 70", "oFo"),
        // `for`: pending until observed for that long; one good look starts it over.
        ("a.b > 5", 3, 0, "1 9x4 1", "opppFFo"),
        ("a.b > 5", 3, 0, "9x1 1 9x3 1", "ppopppFo"),
        // `keep_firing_for`: a relapse is the same alert.
        ("a.b > 5", 2, 2, "9x2 1 9 1x3", "ppFrFrroo"),
        ("a.b > 5 and a.b < 8", 0, 0, "4 6 9", "oFo"),
        ("a.b > 8 or a.b < 5", 0, 0, "4 6 9", "FoF"),
    ];
    for (when, hold, keep, values, expected) in cases {
        assert_eq!(story(when, hold, keep, values), expected, "{when} for {hold}m on {values}");
    }
}

#[test]
fn what_is_used_of_a_limit() {
    let story = |used: &str, limit: &str| {
        let series = [("m.memory", used), ("m.limit", limit)];
        letters(&steps(rule("used(m.memory, m.limit) > 80%", 0, 0), &series, None))
    };
    assert_eq!(story("80 81 99", "100x2"), "oFF");
    assert_eq!(story("81x1", "100 200"), "Fo", "the newest of both");
    assert_eq!(story("81x1", "0x1"), "uu", "no limit is no share of one");
    assert_eq!(story("81 \"much\"", "100x1"), "FF", "what is no number resolves nothing");
    let found = steps(rule("used(m.memory, m.limit) > 80%", 0, 0), &[("m.memory", "81")], None);
    assert_eq!((found[0].state, found[0].quality), (Phase::Unknown, Quality::Unconfigured));
}

#[test]
fn of_what_nobody_looks_at_silence_says_nothing() {
    let name = SeriesName::parse("a.b").unwrap();
    let mut series = Series::new(MINUTE, Moment::at_seconds(0.0));
    let quality = Quality::Unconfigured;
    series.trouble = Some(Trouble { quality, why: "not configured: set A".to_owned() });
    let mut store = SeriesStore::default();
    store.insert(name, series);
    let data = Data { series: &store, bands: &[], marker_age: None, min_events: MIN_EVENTS };
    let when = When::parse("absent(a.b, 5m)").unwrap();
    let found = evaluate(&when, &data, Moment::at_seconds(3_600.0));
    assert_eq!((found.bad, found.quality), (None, Quality::Unconfigured));
}

#[test]
fn yes_no_and_words_can_be_compared() {
    assert_eq!(story("a.b == false", 0, 0, "true falsex1 true"), "oFFo");
    assert_eq!(story("a.b == \"down\"", 0, 0, "\"up\" \"down\"x1 \"up\""), "oFFo");
}

#[test]
fn missing_data_resolves_nothing_and_earns_nothing() {
    let cases = [
        // Firing stays; only a good look ends it.
        (1, 1, "9x2 _x5 1x2", "pFFFFFFFroo"),
        (0, 0, "9x1 stale _ 1", "FFFFo"),
        // Pending is frozen, and dropped after five minutes with nothing to go by.
        (10, 0, "9x1 _x12 9", "ppppppppppuuuup"),
        // That all is well is believed no longer than the data.
        (0, 0, "1x1 _x4 1", "ooooouo"),
        // No number is neither good nor bad.
        (0, 0, "1 NaN 1 9 NaN 9 1", "ouoFFFo"),
        (0, 0, "Inf -Inf 9", "uuF"),
        // Two missed looks are bridged, but four of five must have been seen.
        (4, 0, "9x2 _x4 9x3", "pppppppFFFF"),
    ];
    for (hold, keep, values, expected) in cases {
        assert_eq!(story("a.b > 5", hold, keep, values), expected, "for {hold}m on {values}");
    }
}

#[test]
fn a_rule_may_take_missing_data_as_bad_or_as_good() {
    let missing = |on_missing, values| {
        let rule = Rule { on_missing, ..rule("a.b > 5", 2, 0) };
        letters(&steps(rule, &[("a.b", values)], None))
    };
    assert_eq!(missing(OnMissing::Fire, "1 _x7"), "ooooppFF");
    assert_eq!(missing(OnMissing::Fire, "_x6"), "uuuppF", "never seen at all");
    assert_eq!(missing(OnMissing::Ok, "9x2 _x5"), "ppFFFFoo");
    assert_eq!(missing(OnMissing::Hold, "_x3"), "uuu");
}

fn store(points: &[(u64, Point)]) -> SeriesStore {
    let mut series = Series::new(MINUTE, Moment::at_seconds(0.0));
    for (second, point) in points {
        series.add(Moment::at_seconds(*second as f64), point.clone(), LONGEST);
    }
    let mut store = SeriesStore::default();
    store.insert(SeriesName::parse("a.b").unwrap(), series);
    store
}

fn found(when: &str, store: &SeriesStore, second: u64) -> Finding {
    let data = Data { series: store, bands: &[], marker_age: None, min_events: MIN_EVENTS };
    evaluate(&When::parse(when).unwrap(), &data, Moment::at_seconds(second as f64))
}

#[test]
fn the_age_of_a_point_in_time() {
    let text = |text: &str| Point::Value(Value::Text(Arc::from(text)));
    let number = |number| Point::Value(Value::Number(number));
    // The made-up clock starts at 2026-01-01T00:00:00Z, which is second 1767225600.
    let cases = [
        (text("2025-12-31T23:31:00Z"), Some(true)),
        (text("2025-12-31T23:59:00+00:00"), Some(false)),
        (number(1_767_223_000.0), Some(true)),
        (number(1_767_225_500_000.0), Some(false)),
        (number(1_767_225_603.0), Some(false)),
        (number(1_767_229_999.0), None),
        (text("yesterday"), None),
        (number(12.0), None),
        (Point::NotANumber, None),
    ];
    for (point, bad) in cases {
        let finding = found("age(a.b) > 25m", &store(&[(0, point.clone())]), 0);
        assert_eq!(finding.bad, bad, "{point:?}: {finding:?}");
        assert_eq!(finding.quality == Quality::Error, bad.is_none(), "{point:?}");
    }
}

#[test]
fn bounds_decide_only_what_they_can() {
    let cases = [
        (Value::Below(10.0), "a.b > 200", Some(false)),
        (Value::Below(10.0), "a.b < 5", None),
        (Value::AtLeast(3_000.0), "a.b > 200", Some(true)),
        (Value::AtLeast(3_000.0), "a.b > 5000", None),
        (Value::Bool(false), "a.b == false", Some(true)),
        (Value::Text("DOWN".into()), "a.b == \"down\"", Some(true)),
        (Value::Text("soon".into()), "a.b > 5", None),
        (Value::AtLeast(3_000.0), "max(a.b, 5m) > 200", Some(true)),
        (Value::Below(10.0), "max(a.b, 5m) > 5", None),
        (Value::Below(10.0), "count(a.b <= 5, 5m) == 0", None),
        (Value::Below(10.0), "count(a.b > 5, 5m) > 0", None),
        (Value::Below(10.0), "count(a.b < 10, 5m) > 0", Some(true)),
    ];
    for (value, when, bad) in cases {
        let finding = found(when, &store(&[(0, Point::Value(value.clone()))]), 1);
        assert_eq!(finding.bad, bad, "{when} on {value:?}");
    }
}

#[test]
fn a_history_shorter_than_the_window_proves_only_the_worse() {
    let point = |number| Point::Value(Value::Number(number));
    let store = store(&[(0, point(0.0)), (60, point(3.0)), (120, point(9.0))]);
    let young = found("increase(a.b, 1h) > 5", &store, 120);
    assert_eq!((young.bad, young.covered), (Some(true), Some(MINUTE * 2)));
    let mut alert = Alert::default();
    alert.phase = Phase::Firing;
    let timing = rule("increase(a.b, 1h) > 20", 0, 0).timing(MINUTE, Mode::Own);
    let few = found("increase(a.b, 1h) > 20", &store, 120);
    assert_eq!((few.bad, few.quality), (None, Quality::TooFew));
    assert_eq!(few.value, Some(Value::AtLeast(9.0)), "so many at least, and more before");
    assert_eq!(few.why.as_deref(), Some("watched too little: only the last 2m were watched"));
    // Nothing is known of it before the window was watched whole: that is no good news.
    let mut fresh = Alert::default();
    fresh.step(few.clone(), Moment::at_seconds(120.0), &timing);
    assert_eq!(fresh.phase, Phase::Unknown);
    let cases = [
        ("increase(a.b, 1h) >= 9", Some(true)),
        ("increase(a.b, 1h) < 9", Some(false)),
        ("increase(a.b, 1h) < 10", None),
        ("increase(a.b, 1h) <= 8", Some(false)),
        ("increase(a.b, 1h) == 9", None),
        ("increase(a.b, 1h) == 8", Some(false)),
        ("increase(a.b, 1h) != 8", Some(true)),
        ("increase(a.b, 1h) != 10", None),
        // A mean of less is a mean all the same.
        ("avg(a.b, 1h) > 5", Some(false)),
    ];
    for (when, bad) in cases {
        assert_eq!(found(when, &store, 120).bad, bad, "{when}");
    }
    alert.step(few, Moment::at_seconds(120.0), &timing);
    assert_eq!(alert.phase, Phase::Firing, "that it is over is not known yet");
}

/// A stopped process, a suspended machine: the time in between was not observed.
#[test]
fn time_that_nobody_watched_is_not_credited() {
    let timing = rule("a.b > 5", 5, 0).timing(MINUTE, Mode::Own);
    let mut alert = Alert::default();
    let bad = |second: u64| {
        let seen = Some(Moment::at_seconds(second as f64));
        Finding { seen, bad: Some(true), ..Finding::known(Some(true), Value::Number(9.0), 1) }
    };
    let step = |alert: &mut Alert, second: u64| {
        alert.step(bad(second), Moment::at_seconds(second as f64), &timing);
        alert.observed_bad.as_secs()
    };
    assert_eq!(step(&mut alert, 0), 0);
    assert_eq!(step(&mut alert, 60), 60);
    assert_eq!(step(&mut alert, 3_600), 180, "an hour counts as two intervals");
    alert.skip_gap(Moment::at_seconds(7_200.0));
    assert_eq!(step(&mut alert, 7_200), 180, "a gap that is known counts as nothing");
    assert_eq!(alert.phase, Phase::Pending);
    assert_eq!(alert.fires_in(&timing), Some(MINUTE * 2));
}

#[test]
fn an_error_freezes() {
    let timing = rule("a.b > 5", 1, 1).timing(MINUTE, Mode::Own);
    let at = |second: u64| Moment::at_seconds(second as f64);
    let good = |second| Finding {
        seen: Some(at(second)),
        ..Finding::known(Some(false), Value::Number(1.0), 1)
    };
    let error =
        |seen| Finding { seen: Some(at(seen)), ..Finding::unknown(Quality::Error, "HTTP 401") };
    let mut alert = Alert::default();
    alert.step(good(0), at(0), &timing);
    alert.step(error(0), at(60), &timing);
    assert_eq!((alert.phase, alert.quality()), (Phase::Ok, Quality::Error));
    alert.step(error(0), at(600), &timing);
    assert_eq!(alert.phase, Phase::Unknown, "nothing is believed for ten minutes");
    let mut firing = Alert::default();
    firing.phase = Phase::Firing;
    firing.step(error(0), at(6_000), &timing);
    assert_eq!((firing.phase, firing.quality()), (Phase::Firing, Quality::Error));
}

#[test]
fn the_peak_is_the_worst_in_the_direction_of_the_rule() {
    let peak = |when: &str, values: &[f64]| {
        let rule = rule(when, 0, 0);
        let timing = rule.timing(MINUTE, Mode::Own);
        let mut alert = Alert::default();
        for (minute, value) in values.iter().enumerate() {
            let second = minute as u64 * 60;
            let store = store(&[(second, Point::Value(Value::Number(*value)))]);
            alert.step(found(when, &store, second), Moment::at_seconds(second as f64), &timing);
        }
        alert.peak
    };
    assert_eq!(peak("a.b > 5", &[1.0, 7.0, 9.0, 6.0]), Some(9.0));
    assert_eq!(peak("a.b < 5", &[4.0, 2.0, 3.0]), Some(2.0));
}

proptest! {
    /// Whatever comes in: fires only after `for`, and resolves only on a good look.
    #[test]
    fn no_series_breaks_the_promises(
        looks in prop::collection::vec(prop_oneof![
            3 => Just("9"), 3 => Just("1"), 1 => Just("_"), 1 => Just("stale"), 1 => Just("NaN"),
        ], 1..80),
        hold in 0u32..6,
        keep in 0u32..4,
    ) {
        let steps = steps(rule("a.b > 5", hold, keep), &[("a.b", &looks.join(" "))], None);
        for (number, pair) in steps.windows(2).enumerate() {
            let look = looks[number + 1];
            if pair[1].state == Phase::Firing && pair[0].state == Phase::Pending {
                let started = pair[1].since.unwrap();
                prop_assert!(pair[1].at - started >= MINUTE * hold);
                let first = (started.as_secs() / 60) as usize;
                let seen = looks[first..=number + 1].iter().filter(|look| **look == "9").count();
                prop_assert!(seen as f64 >= 0.8 * f64::from(hold), "{seen} looks for {hold}m");
                prop_assert_ne!(look, "1");
            }
            if pair[0].state == Phase::Firing && pair[1].state != Phase::Firing {
                prop_assert_eq!(look, "1", "only a good look ends it");
            }
            if pair[0].state == Phase::Recovering && pair[1].state == Phase::Firing {
                prop_assert_eq!(pair[0].since, pair[1].since, "a relapse is the same alert");
            }
        }
    }
}

/// Live, every look is evaluated when it is made: a test with rare steps credits as much.
#[test]
fn looks_between_two_steps_are_credited() {
    let ten = Duration::from_secs(10);
    let story = |values: &str| letters(&steps_apart(rule("a.b > 5", 3, 0), ten, values));
    assert_eq!(story("9x30"), "pppFFF", "three minutes are three minutes");
    assert_eq!(story("9x12 1 9x17"), "pppppp", "one good look between two steps starts it over");
}

#[test]
fn each_series_has_the_clock_of_its_own_server() {
    let series = |ahead: i64| {
        let mut series = Series::new(MINUTE, Moment::at_seconds(0.0));
        let point = Point::Value(Value::Text(Arc::from("2025-12-31T23:50:00Z")));
        series.add(Moment::at_seconds(0.0), point, MINUTE);
        series.clock_ahead = SignedDuration::from_mins(ahead);
        series
    };
    let mut store = SeriesStore::default();
    store.insert(SeriesName::parse("a.then").unwrap(), series(0));
    store.insert(SeriesName::parse("b.then").unwrap(), series(30));
    assert_eq!(found("age(a.then) > 25m", &store, 0).bad, Some(false));
    let skewed = found("age(b.then) > 25m", &store, 0);
    assert_eq!(skewed.bad, Some(true));
    assert_eq!(skewed.why.as_deref(), Some("the server's clock is 1800 s ahead of ours"));
    let both = found("age(a.then) > 25m or age(b.then) > 25m", &store, 0);
    assert_eq!((both.bad, both.value), (Some(true), Some(Value::Number(2_400.0))));
}

/// Its source answers, and has never had it: after its time, that is bad.
#[test]
fn what_was_never_seen_is_unknown_and_then_too_long_ago() {
    let name = SeriesName::parse("a.b").unwrap();
    let at = |second: f64| Moment::at_seconds(second);
    let lacks = || Trouble { quality: Quality::Error, why: "b: is null".to_owned() };
    let mut series = Series::new(MINUTE, at(0.0));
    let look = |series: &Series, second: u64| {
        let mut store = SeriesStore::default();
        store.insert(name.clone(), series.clone());
        found("age(a.b) > 30m", &store, second)
    };
    assert_eq!(look(&series, 3_600).bad, None, "nobody has answered yet");
    series.fail(at(60.0), lacks(), true);
    let waits = look(&series, 1_800);
    assert_eq!((waits.bad, waits.quality), (None, Quality::Waiting));
    assert!(waits.why.unwrap().contains("never seen in 29m: b: is null"));
    series.fail(at(1_800.0), lacks(), true);
    assert_eq!(look(&series, 1_860).bad, None, "30 minutes are not more than 30");
    let never = look(&series, 1_861);
    assert_eq!((never.bad, never.quality), (Some(true), Quality::Fresh));
    // Whoever fails does not say that it never was.
    series.fail(at(1_870.0), Trouble { quality: Quality::Stale, why: "down".to_owned() }, false);
    assert_eq!(look(&series, 9_000).bad, None);
    // What was seen once is held, not never seen.
    series.add(at(9_000.0), Point::Value(Value::Number(1_767_225_600.0)), MINUTE);
    series.fail(at(9_060.0), lacks(), true);
    assert_eq!(look(&series, 90_000).bad, None);
}
