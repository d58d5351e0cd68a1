//! What the functions of the language make of a series.

use super::*;

/// The last step of a rule on some series.
fn last(when: &str, series: &[(&str, &str)]) -> (char, Option<f64>, Quality) {
    let steps = steps(rule(when, 0, 0), series, None);
    let step = steps.last().unwrap();
    (letters(&steps).pop().unwrap(), step.value, step.quality)
}

#[test]
fn figures_over_a_window() {
    use Quality::{Fresh, TooFew};
    let b = |values| [("a.b", values)];
    let cases = [
        ("max(a.b, 3m) > 5", b("9 1x1"), 'F', Some(9.0), Fresh),
        ("max(a.b, 3m) > 5", b("9 1x3"), 'o', Some(1.0), Fresh),
        ("min(a.b, 3m) < 2", b("1 5 5"), 'F', Some(1.0), Fresh),
        ("avg(a.b, 2m) > 5", b("0 4 8"), 'F', Some(6.0), Fresh),
        ("sum(a.b, 2m) > 11", b("0 4 8"), 'F', Some(12.0), Fresh),
        ("count(a.b, 5m) < 3", b("1 _ 1 _ 1"), 'o', Some(3.0), Fresh),
        ("count(a.b, 5m) > 3", b("1 _ 1 _ 1"), 'u', Some(3.0), TooFew),
        ("count(a.b, 4m) > 3", b("1 _ 1 _ 1"), 'o', Some(2.0), Fresh),
        ("count(a.b >= 500, 5m) > 1", b("500 200 503 NaN 200"), 'F', Some(2.0), Fresh),
        // Exactly five are not more than five.
        ("increase(a.b, 5m) > 5", b("0+1x5"), 'o', Some(5.0), Fresh),
        ("increase(a.b, 5m) > 5", b("0+1x4 6"), 'F', Some(6.0), Fresh),
        // A counter that restarts counts from zero; nothing is lost and nothing is negative.
        ("increase(a.b, 3m) > 5", b("100 101 2 3"), 'o', Some(4.0), Fresh),
        ("increase(a.b, 5m) > 5", b("7"), 'u', None, TooFew),
        // Below twenty values a 95th percentile is the maximum under another name.
        ("p95(a.b, 30m) > 5", b("9x18"), 'u', None, TooFew),
        ("p95(a.b, 30m) > 5", b("9x19"), 'F', Some(9.0), Fresh),
        ("share(a.b >= 500, 30m) > 10%", b("200x16 500x2"), 'F', Some(0.15), Fresh),
        ("share(a.b >= 500, 30m) > 10%", b("500x5"), 'u', None, TooFew),
    ];
    for (when, series, state, value, quality) in cases {
        assert_eq!(last(when, &series), (state, value, quality), "{when} on {series:?}");
    }
}

#[test]
fn ratios_of_counters() {
    use Quality::{Fresh, NoTraffic, TooFew};
    let cases = [
        ("hit_rate(c.hits, c.misses, 5m) < 70%", "0+20x3", "0+20x3", 'F', Some(0.5), Fresh),
        ("hit_rate(c.hits, c.misses, 5m) < 70%", "0+90x3", "0+10x3", 'o', Some(0.9), Fresh),
        // The counters grew by nothing, or by too little to judge.
        ("hit_rate(c.hits, c.misses, 5m) < 70%", "5x3", "5x3", 'u', None, NoTraffic),
        ("hit_rate(c.hits, c.misses, 5m) < 70%", "0 3", "0 4", 'u', None, TooFew),
        // Both begin again: what was before does not count against them.
        ("hit_rate(c.hits, c.misses, 9m) < 70%", "900 9 90", "100 1 10", 'o', Some(0.9), Fresh),
        ("ratio(c.hits, c.misses, 5m) > 1%", "0+1x3", "0+40x3", 'F', Some(0.025), Fresh),
    ];
    for (when, hits, misses, state, value, quality) in cases {
        let found = last(when, &[("c.hits", hits), ("c.misses", misses)]);
        assert_eq!(found, (state, value, quality), "{when} on {hits} and {misses}");
    }
}

#[test]
fn silence_is_bad_only_after_it_was_watched() {
    let story = |values: &str| story("absent(a.b, 3m)", 0, 0, values);
    assert_eq!(story("1 _x4 1"), "oooFFo");
    assert_eq!(story("_x5"), "uuuFF", "never seen: nothing is said before the limit");
    assert_eq!(story("1 stale _ _"), "oooF");
    let lasting = |values: &str| self::story("absent(a.b, 3m)", 2, 0, values);
    assert_eq!(lasting("1 _x6"), "oooppFF", "silence is seen anew each time");
}

#[test]
fn a_change_is_measured_against_the_window_before() {
    let b = |values| [("a.b", values)];
    assert_eq!(last("change(a.b, 3m) > 50%", &b("100x3 140")).0, 'o');
    assert_eq!(last("change(a.b, 3m) > 50%", &b("100x3 160")), ('F', Some(0.6), Quality::Fresh));
    assert_eq!(last("change(avg(a.b, 2m), 4m) > 50%", &b("100x4 200x1")).1, Some(1.0));
    assert_eq!(last("change(a.b, 9m) > 50%", &b("100x3 160")).0, 'u', "too little history");
    assert_eq!(last("change(a.b, 2m) > 50%", &b("0x3 9")).0, 'u', "no share of zero");
}

#[test]
fn a_spike_needs_a_usual_and_three_minutes() {
    let story = |values: &str| story("spike(a.b)", 0, 0, values);
    let quiet = "0+2x40";
    assert_eq!(story("0+90x20").pop(), Some('u'), "less than half an hour of history");
    assert_eq!(story(&format!("{quiet} 82+2x5")).pop(), Some('o'));
    assert_eq!(story(&format!("{quiet} 180 280")).pop(), Some('o'), "two minutes are no spike");
    assert_eq!(story(&format!("{quiet} 180 280 380")).pop(), Some('F'));
    assert_eq!(story("0x40 5 10 15").pop(), Some('o'), "ten in a minute are never a spike");
    // Forty minutes in which nobody looked are no forty minutes of nothing: what grew in them
    // is no spike, and of the usual too little is known.
    assert_eq!(story("0+100x10 _x40 5100+100x8").pop(), Some('u'));
    assert_eq!(story("0+100x45 _x8 5400+100x8").pop(), Some('o'), "as much as ever");
    // Looks that are minutes apart: nobody knows in which of them it grew.
    let slow = steps_apart(rule("spike(a.b)", 0, 0), MINUTE * 4, "0+400x14 6200 7000");
    let last = slow.last().unwrap();
    assert_eq!((last.state, last.value), (Phase::Ok, Some(200.0)), "twice the usual is none");
}

#[test]
fn a_share_of_two_counts_needs_enough_of_them() {
    let story = |part: &str, whole: &str| {
        let series = [("p.good", part), ("p.all", whole)];
        let few = Rule { min_events: 5, ..rule("ratio(p.good, p.all) < 95%", 0, 0) };
        letters(&steps(few, &series, None))
    };
    assert_eq!(story("19 18", "20x1"), "oF");
    assert_eq!(story("0x1", "0 4"), "uu", "none of none, and none of four");
    assert_eq!(story("0x1", "5x1"), "FF");
    assert_eq!(story("-1x1", "20x1"), "uu", "less than nothing is no count");
}

#[test]
fn what_is_expected_grows_with_the_time_since_the_marker() {
    let band = |after: u32, from: f64, to: f64| Band {
        after: MINUTE * after,
        from: Some(from),
        to: Some(to),
    };
    let warming = |values: &str, marker| {
        let mut rule = rule("a.b < expected", 0, 0);
        rule.bands = vec![band(10, 0.2, 0.4), band(30, 0.6, 0.8)];
        letters(&steps(rule, &[("a.b", values)], marker))
    };
    let low = warming("0.1x40", Some(0));
    assert_eq!(&low[..10], "uuuuuuuuuu", "warming up: nothing is expected yet");
    assert_eq!(&low[10..], "F".repeat(31));
    let rising = warming("0.3x40", Some(0));
    assert_eq!(&rising[10..30], "o".repeat(20));
    assert_eq!(&rising[30..], "F".repeat(11));
    assert_eq!(warming("0.1x3", None), "uuuu", "nobody knows when the marker was");
}
