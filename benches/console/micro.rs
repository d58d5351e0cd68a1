//! Single functions, timed by repeating them.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};

use ratatui::{buffer::Buffer, layout::Rect};
use watchfloor::{
    app::{
        msg::{Event, Msg},
        state::{Settings, State},
        update::update,
    },
    config::{self, Request, profile::Profile},
    domain::{
        observation::{Exhibit, Observation},
        time::Moment,
        value::Value,
        violations::Violation,
    },
    sources::{Clock, Source},
    ui::{
        self, Chrome,
        theme::{Depth, Theme},
    },
};

use super::{
    Plan,
    service::Service,
    table::{quantile, shown},
};

/// An hour of observations, in seconds.
const HOUR: u32 = 3_600;
/// The interval of the sources, in seconds.
const INTERVAL: u32 = 5;

/// Times everything; returns a table.
pub fn measure(plan: &Plan, service: &Service) -> String {
    let configuration = service.configuration();
    let profile = load(&configuration.file);
    let observations = observe(&profile);
    let mut state = an_hour(&profile, &observations);
    let mut timings = Timings::new(plan.micro);

    replay(&observations, &mut state, &mut timings);
    timings.time("the verdict on the whole", || (), |()| state.world.verdict());
    let theme = Theme { depth: Depth::Rich, ascii: false };
    let chrome = Chrome { identity: "eva@ops1".to_owned() };
    for (columns, rows) in [(80, 24), (160, 48), (200, 60)] {
        let area = Rect::new(0, 0, columns, rows);
        let resized = Msg { at: state.world.now, event: Event::Resized { columns, rows } };
        update(&mut state, resized);
        let mut buffer = Buffer::empty(area);
        timings.time(
            &format!("ui::draw at {columns}x{rows}"),
            || (),
            |()| {
                buffer.reset();
                ui::draw(&mut buffer, area, &state, theme, &chrome)
            },
        );
        let same = buffer.clone();
        timings.time(
            &format!("difference of two equal screens of {columns}x{rows}"),
            || (),
            |()| same.diff(&buffer).len(),
        );
    }
    flood(&mut state, http_with_violations(&observations), &mut timings);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
    timings.time("config::load of the example", || request(&example), |r| config::load(&r).is_ok());
    timings.time(
        "config::load of 20 sources",
        || request(&configuration.file),
        |r| config::load(&r).is_ok(),
    );
    timings.table
}

/// As many violations as are remembered, each from a client of its own.
const FLOOD: i64 = 20_000;

/// The same while the limiter refuses thousands of clients.
fn flood(state: &mut State, like: &Observation, timings: &mut Timings) {
    let mut observation = moved_on(like, state.world.now.plus(Duration::from_secs(1)));
    let at = observation.at;
    if let Ok(facts) = &mut observation.outcome {
        let violations = (0..FLOOD).map(|number| Violation {
            at: at.wall - jiff::SignedDuration::from_millis(number * 100),
            identifier: format!("2001:db8::{number:x}"),
            endpoint: "/api/v1/search".to_owned(),
            limit: Some(60),
            window: Some(Duration::from_secs(60)),
            tier: Some("public".to_owned()),
        });
        facts.exhibits = vec![Exhibit::Violations(violations.collect())];
    }
    update(state, Msg { at, event: Event::Observed(Box::new(observation)) });
    timings.time("20,000 violations: the verdict on the whole", || (), |()| state.world.verdict());
    let area = Rect::new(0, 0, 160, 48);
    let resized = Event::Resized { columns: area.width, rows: area.height };
    update(state, Msg { at, event: resized });
    let (theme, chrome) = (Theme { depth: Depth::Rich, ascii: false }, Chrome::default());
    let mut buffer = Buffer::empty(area);
    timings.time(
        "20,000 violations: ui::draw at 160x48",
        || (),
        |()| {
            buffer.reset();
            ui::draw(&mut buffer, area, state, theme, &chrome)
        },
    );
}

fn http_with_violations(observations: &[Observation]) -> &Observation {
    observations.iter().find(|observation| observation.source.as_str() == "api_1").unwrap()
}

/// What takes part in the timing of one function.
struct Timings {
    lasting: Duration,
    table: String,
}

impl Timings {
    fn new(lasting: Duration) -> Self {
        let table = "| function | median µs | min µs | p99 µs | times |\n|---|---|---|---|---|\n";
        Self { lasting, table: table.to_owned() }
    }

    /// Repeats a function; what `prepare` does is not counted.
    fn time<P, R>(
        &mut self,
        what: &str,
        mut prepare: impl FnMut() -> P,
        mut run: impl FnMut(P) -> R,
    ) {
        let mut times = Vec::new();
        let start = Instant::now();
        while start.elapsed() < self.lasting || times.len() < 10 {
            let input = prepare();
            let began = Instant::now();
            let result = black_box(run(black_box(input)));
            times.push(began.elapsed().as_secs_f64() * 1e6);
            drop(result);
        }
        self.row(what, times);
    }

    fn row(&mut self, what: &str, mut times: Vec<f64>) {
        times.sort_by(f64::total_cmp);
        let _ = writeln!(
            self.table,
            "| {what} | {} | {} | {} | {} |",
            shown(quantile(&times, 0.5)),
            shown(times[0]),
            shown(quantile(&times, 0.99)),
            times.len()
        );
    }
}

fn request(file: &Path) -> Request {
    let text = |name: &str| (name.to_owned(), "http://127.0.0.1:9".to_owned());
    let names = ["SHOP_TOKEN", "SHOP_REDIS_PASSWORD", "SHOP_UPSTASH_TOKEN"];
    Request {
        config: Some(file.to_owned()),
        environment: BTreeMap::from(names.map(text)),
        directory: file.parent().unwrap().to_owned(),
        ..Request::default()
    }
}

fn load(file: &Path) -> Profile {
    let loaded = config::load(&request(file));
    loaded.map_err(|errors| errors.render(false)).unwrap().profile
}

/// A real answer of every source.
fn observe(profile: &Profile) -> Vec<Observation> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::start();
        let mut all = Vec::new();
        for config in profile.sources.values() {
            let observation = Source::new(config).observe(&clock, clock.now()).await;
            assert!(observation.outcome.is_ok(), "{observation:?}");
            all.push(observation);
        }
        all
    })
}

/// The state after an hour of such answers.
fn an_hour(profile: &Profile, observations: &[Observation]) -> State {
    let start = Moment { mono: Duration::ZERO, wall: jiff::Timestamp::now() };
    let mut state = State::new(profile.catalog.clone(), start, Settings::default());
    for second in 0..HOUR {
        a_second(&mut state, second, observations, |_, _| {});
    }
    state
}

/// Goes on in the same rhythm, and times every message by its kind.
fn replay(observations: &[Observation], state: &mut State, timings: &mut Timings) {
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let start = Instant::now();
    let mut second = HOUR;
    while start.elapsed() < timings.lasting {
        a_second(state, second, observations, |kind, took| {
            times.entry(kind).or_default().push(took.as_secs_f64() * 1e6);
        });
        second += 1;
    }
    for (kind, times) in times {
        timings.row(&format!("update: {kind}"), times);
    }
}

/// A second of the console: the answers of the sources whose turn it is, and a tick.
fn a_second(
    state: &mut State,
    second: u32,
    observations: &[Observation],
    mut timed: impl FnMut(&'static str, Duration),
) {
    let at = state.world.now.plus(Duration::from_secs(1));
    for (number, observation) in observations.iter().enumerate() {
        if (number as u32 + second).is_multiple_of(INTERVAL) {
            let kind = match observation.source.as_str() {
                "api_1" => "an HTTP answer with a latency and 60 violations",
                id if id.starts_with("api") => "an HTTP answer",
                _ => "a Redis answer",
            };
            let msg = Msg { at, event: Event::Observed(Box::new(moved_on(observation, at))) };
            let began = Instant::now();
            black_box(update(state, black_box(msg)));
            timed(kind, began.elapsed());
        }
    }
    let msg = Msg { at, event: Event::Tick };
    let began = Instant::now();
    black_box(update(state, black_box(msg)));
    timed("a tick", began.elapsed());
}

/// The same answer at another time, with counters that have moved on.
fn moved_on(like: &Observation, at: Moment) -> Observation {
    let mut observation = like.clone();
    observation.at = at;
    if let Ok(facts) = &mut observation.outcome {
        for (name, share) in [("keyspace_hits", 80.0), ("keyspace_misses", 20.0)] {
            if let Some(value) = facts.readings.get_mut(name) {
                *value = Value::Number(1e6 + share * at.mono.as_secs_f64());
            }
        }
    }
    observation
}
