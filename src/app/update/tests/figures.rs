//! Caches, latencies and rate limits.

use super::*;

// --- cache and latency

fn cache_row(console: &Console) -> crate::app::cache::CacheRow {
    crate::app::cache::rows(&console.state.world).remove(0)
}

#[test]
fn a_hit_rate_needs_two_looks_and_enough_lookups() {
    let mut console = Console::new();
    console.good("redis", &counters(0.0, 0.0));
    let row = cache_row(&console);
    assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Waiting));
    console.at(5.0).good("redis", &counters(3.0, 4.0));
    let row = cache_row(&console);
    assert_eq!((row.verdict, row.quality), (Verdict::Unjudged, Quality::TooFew));
    assert_eq!(row.reason, "n = 7, too few");
}

#[test]
fn the_hit_rate_is_judged_by_its_limits() {
    let cases = [
        (90.0, 10.0, Verdict::Ok),
        (80.0, 20.0, Verdict::Ok),
        (70.0, 30.0, Verdict::Ok),
        (69.0, 31.0, Verdict::Warning),
        (29.0, 71.0, Verdict::Critical),
    ];
    for (hits, misses, verdict) in cases {
        let mut console = Console::new();
        console.good("redis", &counters(0.0, 0.0));
        console.at(5.0).good("redis", &counters(hits, misses));
        assert_eq!(cache_row(&console).verdict, verdict, "{hits} of 100");
    }
}

#[test]
fn an_outage_is_no_hit_rate_of_zero() {
    let mut console = Console::new();
    console.good("redis", &counters(0.0, 0.0));
    console.at(5.0).good("redis", &counters(90.0, 10.0));
    console.at(10.0).bad("redis", FailureKind::Timeout);
    let row = cache_row(&console);
    assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Error));
    assert!(row.reason.contains("timeout"), "{}", row.reason);
    let document = summary::summary(&console.state.world);
    assert_eq!(document.cache[0].hit_rate, None);
}

#[test]
fn full_memory_is_a_warning() {
    let mut console = Console::new();
    console.good("redis", &counters(0.0, 0.0)).at(5.0);
    let mut readings = counters(90.0, 10.0);
    readings[3].1 = number(81.0);
    console.good("redis", &readings);
    let row = cache_row(&console);
    assert_eq!(row.verdict, Verdict::Warning);
    assert!(row.reason.contains("memory 81 %"), "{}", row.reason);
}

fn latency_row(console: &Console) -> crate::app::latency::LatencyRow {
    crate::app::latency::rows(&console.state.world, WINDOWS[1]).remove(0)
}

#[test]
fn timeouts_count_with_at_least_their_time_and_refusals_do_not_count() {
    let mut console = Console::new();
    for second in 0..30 {
        console.at(f64::from(second)).good("api", &[("total_ms", number(20.0))]);
    }
    console.at(30.0).bad("api", FailureKind::Refused);
    let before = latency_row(&console).summary;
    assert_eq!((before.n, before.timeouts), (30, 0));
    console.at(31.0).good("api", &[("total_ms", number(20.0))]);
    assert_eq!(latency_row(&console).errors, 1);
    console.at(32.0).tell(Event::Skipped { source: "api".into(), waited: Duration::from_secs(4) });
    let row = latency_row(&console);
    assert_eq!(row.summary.timeouts, 1);
    assert_eq!(row.summary.max.unwrap().ms, 4_000.0);
    assert!(row.summary.max.unwrap().at_least);
    assert_eq!(row.verdict, Verdict::Warning, "something was given up");
}

#[test]
fn a_slow_endpoint_is_a_warning_with_its_figures() {
    let mut console = Console::new();
    for second in 0..60 {
        console.at(f64::from(second)).good("api", &[("total_ms", number(250.0))]);
    }
    let row = latency_row(&console);
    assert_eq!(row.verdict, Verdict::Warning);
    assert_eq!(row.reason, "p95 250 ms over 5m, warning above 200 ms");
}

// --- rate limits

#[test]
fn zero_violations_while_redis_is_down_is_a_limiter_that_fails_open() {
    let mut console = Console::new();
    let page = Facts { exhibits: vec![Exhibit::Violations(Vec::new())], ..Facts::default() };
    console.observe("api", Ok(page.clone()));
    assert_eq!(limits::view(&console.state.world).unwrap().limiter, Limiter::Unknown);
    console.at(1.0).good("redis", &[]).observe("api", Ok(page));
    let view = limits::view(&console.state.world).unwrap();
    assert_eq!((view.limiter, view.verdict), (Limiter::Enforcing, Verdict::Ok));
    console.at(2.0).bad("redis", FailureKind::Refused);
    let view = limits::view(&console.state.world).unwrap();
    assert_eq!((view.limiter, view.verdict), (Limiter::FailingOpen, Verdict::Critical));
}

#[test]
fn violations_are_counted_by_client_and_masked_in_the_document() {
    let mut console = Console::new();
    console.second = 100.0;
    let page = (0..12)
        .map(|i| Violation {
            at: Moment::at_seconds(f64::from(i)).wall,
            identifier: "203.0.113.77".to_owned(),
            endpoint: "/api/cars".to_owned(),
            limit: None,
            window: None,
            tier: None,
        })
        .collect();
    let facts = Facts { exhibits: vec![Exhibit::Violations(page)], ..Facts::default() };
    console.good("redis", &[]).observe("api", Ok(facts));
    let view = limits::view(&console.state.world).unwrap();
    assert_eq!((view.tally.total, view.tally.identifiers), (12, 1));
    assert_eq!(view.verdict, Verdict::Warning);
    assert!(view.reason.contains("one client"), "{}", view.reason);
    let document = serde_json::to_string(&summary::summary(&console.state.world)).unwrap();
    assert!(!document.contains("203.0.113.77") && document.contains("203.x.x.77"));
}

#[test]
fn rate_limits_are_not_ok_while_nobody_can_tell_who_is_near_one() {
    let mut console = Console::new();
    let limits = console.state.world.catalog.limits.as_mut().unwrap();
    limits.pressure = vec!["redis".into()];
    limits.failing_open.clear();
    let page = Facts { exhibits: vec![Exhibit::Violations(Vec::new())], ..Facts::default() };
    console.bad("redis", FailureKind::Refused).observe("api", Ok(page));
    let view = limits::view(&console.state.world).unwrap();
    assert_eq!(view.verdict, Verdict::Unknown);
    assert!(view.reason.contains("refused"), "{}", view.reason);
}

#[test]
fn what_the_console_itself_reads_is_no_traffic() {
    let mut console = Console::new();
    let readings = |hits: f64| {
        let mut all = counters(hits, 0.0).to_vec();
        all.push(("own_lookups", number(hits)));
        all
    };
    console.good("redis", &readings(0.0));
    console.at(5.0).good("redis", &readings(54.0));
    let row = cache_row(&console);
    assert_eq!((row.quality, row.lookups), (Quality::NoTraffic, Some(0)));
}

#[test]
fn a_redis_that_refuses_writes_is_not_well() {
    let mut console = Console::new();
    let mut readings = counters(0.0, 0.0).to_vec();
    readings.push(("writes_refused", Value::Bool(true)));
    console.good("redis", &readings).at(5.0).good("redis", &readings);
    assert_eq!(console.check("redis answers").verdict, Verdict::Warning);
    assert!(cache_row(&console).reason.contains("writes are refused"));
    assert_eq!(cache_row(&console).verdict, Verdict::Warning);
}

fn violation(second: i64, who: &str) -> Violation {
    Violation {
        at: Moment::at_seconds(0.0).wall + jiff::SignedDuration::from_secs(second),
        identifier: who.to_owned(),
        endpoint: "/api".to_owned(),
        limit: None,
        window: None,
        tier: None,
    }
}

fn document(console: &Console) -> summary::LimitsSummary {
    summary::summary(&console.state.world).rate_limits.unwrap()
}

#[test]
fn an_answer_without_the_list_of_violations_is_not_an_answer_without_violations() {
    let mut console = Console::new();
    let why = "$.violations is not in the answer";
    let facts = Facts { missing: vec![("violations".into(), why.to_owned())], ..Facts::default() };
    console.good("redis", &[]).observe("api", Ok(facts.clone()));
    let view = limits::view(&console.state.world).unwrap();
    assert_eq!((view.verdict, view.quality), (Verdict::Unknown, Quality::Error));
    assert_eq!(view.reason, why);
    let shown = document(&console);
    assert_eq!((shown.violations, shown.identifiers), (None, None));
    // Also after it had told before: what it told is not what holds now.
    let page = vec![violation(1, "a")];
    let told = Facts { exhibits: vec![Exhibit::Violations(page)], ..Facts::default() };
    console.at(2.0).good("redis", &[]).observe("api", Ok(told));
    assert_eq!(document(&console).violations, Some(1));
    console.at(3.0).good("redis", &[]).observe("api", Ok(facts));
    let shown = document(&console);
    assert_eq!((shown.verdict, shown.violations), (Verdict::Unknown, None));
}

#[test]
fn what_is_left_out_of_a_page_makes_its_numbers_a_lower_bound() {
    let mut console = Console::new();
    let page = |more: Option<Exhibit>| {
        let mut exhibits = vec![Exhibit::Violations(vec![violation(1, "a")])];
        exhibits.extend(more);
        Facts { exhibits, ..Facts::default() }
    };
    console.at(2.0).good("redis", &[]).observe("api", Ok(page(None)));
    assert!(!document(&console).lower_bound);
    let more = Exhibit::Incomplete { unreadable: 2, left_out: 7 };
    console.at(3.0).good("redis", &[]).observe("api", Ok(page(Some(more))));
    let shown = document(&console);
    assert!(shown.lower_bound && shown.violations == Some(1));
    let reason = "at least 1 violation in 1h: 2 could not be read, 7 more were not taken";
    assert_eq!(shown.reason, reason);
    // The window has passed.
    console.at(3_700.0).good("redis", &[]).observe("api", Ok(page(None)));
    assert!(!document(&console).lower_bound);
    let future = Facts {
        exhibits: vec![Exhibit::Violations(vec![violation(99_999, "b")])],
        ..Facts::default()
    };
    console.at(3_701.0).good("redis", &[]).observe("api", Ok(future));
    assert!(document(&console).lower_bound, "what claims to be from the future is left out");
}

#[test]
fn one_of_two_sources_of_violations_that_fails_leaves_a_lower_bound_that_is_not_ok() {
    let mut console = Console::new();
    let limits = console.state.world.catalog.limits.as_mut().unwrap();
    limits.violations = vec!["api".into(), "redis".into()];
    let page = || Facts { exhibits: vec![Exhibit::Violations(Vec::new())], ..Facts::default() };
    console.at(1.0).observe("redis", Ok(page())).observe("api", Ok(page()));
    assert_eq!(document(&console).verdict, Verdict::Ok);
    console.at(2.0).observe("api", Ok(page())).bad("redis", FailureKind::Forbidden);
    let shown = document(&console);
    assert!(shown.lower_bound);
    assert_eq!(shown.verdict, Verdict::Unknown, "{}", shown.reason);
    assert!(shown.reason.contains("not all is known: redis"), "{}", shown.reason);
}

#[test]
fn who_is_near_a_limit_is_unknown_where_the_server_refuses_to_tell() {
    let mut console = Console::new();
    let limits = console.state.world.catalog.limits.as_mut().unwrap();
    (limits.violations, limits.pressure) = (Vec::new(), vec!["redis".into()]);
    let why = "NOPERM no permission to run 'scan'";
    let facts = Facts { missing: vec![("pressure".into(), why.to_owned())], ..Facts::default() };
    console.at(1.0).observe("redis", Ok(facts));
    let shown = document(&console);
    assert_eq!(shown.verdict, Verdict::Unknown);
    assert_eq!(shown.reason, format!("who is near a limit is not known: {why}"));
    assert_eq!((shown.violations, shown.identifiers), (None, None), "nobody reports any");
    let near = Exhibit::Pressure { entries: Vec::new(), complete: true };
    let facts = Facts { exhibits: vec![near], ..Facts::default() };
    console.at(2.0).observe("redis", Ok(facts));
    let shown = document(&console);
    assert_eq!((shown.verdict, shown.violations), (Verdict::Ok, None));
}

#[test]
fn a_latency_whose_reading_disappears_is_an_error_and_no_idleness() {
    let mut console = Console::new();
    console.at(1.0).good("api", &[("status", word("ok"))]);
    let row = latency_row(&console);
    assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Error));
    assert!(row.reason.starts_with("1 failure, n = 0"), "{}", row.reason);
    assert!(row.reason.ends_with("the answer has no total_ms"), "{}", row.reason);
}

#[test]
fn the_document_has_no_number_that_is_not_known_now() {
    let mut console = Console::new();
    for second in [1.0, 6.0] {
        console.at(second).good("redis", &counters(second * 1e3, 10.0));
    }
    let cache = |console: &Console| summary::summary(&console.state.world).cache.remove(0);
    assert!(cache(&console).lifetime_hit_rate.is_some());
    console.at(7.0).bad("redis", FailureKind::Refused);
    let row = cache(&console);
    assert_eq!(
        (row.hit_rate, row.lifetime_hit_rate, row.lookups, row.keys),
        (None, None, None, None)
    );
}
