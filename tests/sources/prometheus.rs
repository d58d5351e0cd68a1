use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use watchfloor::{
    config::profile::{
        MetricPart, PointTake, PromQuery, PrometheusSource, PrometheusTake, QueryRange, Selector,
        SourceKind, TlsOptions,
    },
    domain::{failure::FailureKind, observation::Facts},
    sources::Source,
};

use super::{
    SHORT, TIMEOUT, bad,
    common::{
        raw::{RawServer, answer},
        servers::{PATIENCE, Process, free_port, listens, program},
    },
    good, missing, number, poll, source,
};

/// A Prometheus that scrapes itself every half second.
struct Server {
    _process: Process,
    _dir: TempDir,
    port: u16,
}

impl Server {
    fn start() -> Self {
        Self::with("")
    }

    /// With more lines in its configuration.
    fn with(more: &str) -> Self {
        Self::launch(
            |port| {
                format!(
                    "global: {{ scrape_interval: 500ms, scrape_timeout: 400ms }}\n\
                     scrape_configs: [{{ job_name: self, static_configs: [{{ targets: ['127.0.0.1:{port}'] }}] }}]\n{more}"
                )
            },
            |_| {},
        )
    }

    /// One that scrapes nothing and has these samples, in the text of OpenMetrics.
    fn holding(samples: &str) -> Self {
        let promtool = program("promtool", "prometheus", &[]);
        Self::launch(
            |_| "scrape_configs: []\n".to_owned(),
            |dir| {
                let file = dir.join("samples");
                fs::write(&file, samples).expect("written");
                let made = Command::new(&promtool)
                    .args(["tsdb", "create-blocks-from", "openmetrics"])
                    .args([&file, &dir.join("data")])
                    .output()
                    .expect("promtool runs");
                assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            },
        )
    }

    /// With that configuration for its port, and what is put into its directory before.
    fn launch(config: impl Fn(u16) -> String, fill: impl Fn(&Path)) -> Self {
        let prometheus = program("prometheus", "prometheus", &[]);
        for _ in 0..5 {
            let dir = TempDir::new().expect("a directory");
            let port = free_port();
            fs::write(dir.path().join("prometheus.yml"), config(port)).expect("written");
            fill(dir.path());
            let mut command = Command::new(&prometheus);
            command
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()))
                .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
            let mut process = Process::start(&mut command, &dir.path().join("log"));
            let begun = Instant::now();
            while process.runs() && begun.elapsed() < PATIENCE {
                if listens(port) {
                    return Self { _process: process, _dir: dir, port };
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            assert!(process.output().contains("in use"), "it did not start:\n{}", process.output());
        }
        panic!("no free port in five attempts");
    }
}

fn of(url: &str, take: PrometheusTake, timeout: Duration) -> Source {
    let config = PrometheusSource {
        url: url::Url::parse(url).expect("an address"),
        headers: Vec::new(),
        max_body: 4 << 20,
        tls: TlsOptions::default(),
        take,
    };
    source(SourceKind::Prometheus(Box::new(config)), timeout)
}

fn queries(pairs: &[(&str, &str)]) -> PrometheusTake {
    PrometheusTake::Queries(
        pairs
            .iter()
            .map(|(name, query)| {
                ((*name).into(), PromQuery { text: (*query).to_owned(), over: None })
            })
            .collect(),
    )
}

/// Queries over so many minutes, a point every 15 seconds.
fn ranges(asked: &[(&str, &str, u64, PointTake)]) -> PrometheusTake {
    let step = Duration::from_secs(15);
    let queries = asked.iter().map(|(name, query, minutes, take)| {
        let range = Duration::from_secs(60 * minutes);
        let over = Some(QueryRange { range, step, take: *take });
        ((*name).into(), PromQuery { text: (*query).to_owned(), over })
    });
    PrometheusTake::Queries(queries.collect())
}

fn metric(name: &str, labels: &[(&str, &str)], quantile: Option<f64>, sum: bool) -> MetricPart {
    let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    MetricPart { selector: Selector { metric: name.to_owned(), labels }, quantile, sum }
}

fn metrics(parts: &[(&str, MetricPart)]) -> PrometheusTake {
    PrometheusTake::Metrics(
        parts.iter().map(|(name, part)| ((*name).into(), part.clone())).collect(),
    )
}

/// Polls until the reading is there: the server has to scrape first.
async fn until(source: &mut Source, name: &str) -> Facts {
    let start = Instant::now();
    loop {
        let outcome = poll(source).await;
        if outcome.as_ref().is_ok_and(|facts| facts.readings.contains_key(name)) {
            return good(outcome);
        }
        assert!(start.elapsed() < PATIENCE, "{name} never comes: {outcome:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_real_server_answers_queries_and_lists_its_metrics() {
    let server = Server::start();
    let url = format!("http://127.0.0.1:{}", server.port);
    let take = queries(&[
        ("targets", "sum(up{job=\"self\"})"),
        ("scalar", "scalar(vector(1.5)) * 2"),
        ("nothing", "up{job=\"other\"}"),
        ("several", "prometheus_http_requests_total or up"),
        ("wrong", "sum(("),
        ("divided", "0 / (up{job=\"self\"} - 1)"),
        ("matrix", "up[1m]"),
    ]);
    let mut tested = of(&url, take, TIMEOUT);
    let facts = until(&mut tested, "targets").await;
    assert_eq!(number(&facts, "targets"), 1.0);
    assert_eq!(number(&facts, "scalar"), 3.0);
    assert_eq!(missing(&facts, "nothing"), "no series: nothing matches the query");
    assert!(missing(&facts, "several").contains("series, not one"), "{:?}", facts.missing);
    assert!(missing(&facts, "wrong").starts_with("the query is refused"), "{:?}", facts.missing);
    assert!(missing(&facts, "divided").contains("is NaN"), "{:?}", facts.missing);
    assert_eq!(missing(&facts, "matrix"), "the query gives a matrix, not one value");

    // The histogram of what was just asked, straight from the endpoint.
    let histogram = "prometheus_http_request_duration_seconds";
    let take = metrics(&[
        (
            "asked",
            metric(
                "prometheus_http_requests_total",
                &[("handler", "/api/v1/query"), ("code", "200")],
                None,
                false,
            ),
        ),
        ("all", metric("prometheus_http_requests_total", &[], None, true)),
        ("p95", metric(histogram, &[("handler", "/api/v1/query")], Some(0.95), false)),
        ("gone", metric("no_such_metric", &[], None, false)),
    ]);
    let mut asking = tested;
    let mut tested = of(&format!("{url}/metrics"), take, TIMEOUT);
    let facts = good(poll(&mut tested).await);
    // What was asked before the first look is none of what is asked now.
    assert!(missing(&facts, "p95_high").starts_with("the first look"), "{:?}", facts.missing);
    for _ in 0..4 {
        good(poll(&mut asking).await);
    }
    let facts = until(&mut tested, "p95_high").await;
    assert!(number(&facts, "asked") >= 4.0);
    assert!(number(&facts, "all") >= number(&facts, "asked"));
    assert!(number(&facts, "p95_low") < number(&facts, "p95_high"));
    assert!(number(&facts, "samples") > 100.0);
    assert_eq!(missing(&facts, "gone"), "there is no metric no_such_metric");
    let [remark] = facts.remarks.as_slice() else { panic!("one remark: {:?}", facts.remarks) };
    assert!(
        remark.starts_with("p95: only what was measured after"),
        "every line is read: {remark}"
    );

    // A server's address where an endpoint's belongs, and the other way round.
    let mut wrong = of(&format!("{url}/classic/graph"), metrics(&[]), TIMEOUT);
    assert!(poll(&mut wrong).await.is_err());
    let mut wrong = of(&format!("{url}/metrics"), queries(&[("a", "up")]), TIMEOUT);
    bad(poll(&mut wrong).await, FailureKind::MissingEndpoint, "404");
}

/// Samples of the last hour, one every 15 seconds: a quiet gauge with one spike and one dip, one
/// that ended 20 minutes ago, two of a name, one that is no number, one that is partly none.
fn an_hour_of_samples() -> String {
    let now = jiff::Timestamp::now().as_second().div_euclid(15) * 15;
    let times = || (0..240).rev().map(move |back| (back, now - 15 * back));
    let mut text = String::from("# TYPE load gauge\n");
    for (back, time) in times() {
        // Two minutes and three minutes ago.
        let value = match back {
            8 => 9.0,
            12 => -1.0,
            _ => 2.0,
        };
        writeln!(text, "load {value} {time}").expect("written");
    }
    text.push_str("# TYPE ended gauge\n");
    for (_, time) in times().filter(|(back, _)| *back >= 80) {
        writeln!(text, "ended 7 {time}").expect("written");
    }
    text.push_str("# TYPE pair gauge\n");
    for side in ["a", "b"] {
        for (_, time) in times() {
            writeln!(text, "pair{{side=\"{side}\"}} 1 {time}").expect("written");
        }
    }
    text.push_str("# TYPE none gauge\n");
    for (_, time) in times() {
        writeln!(text, "none NaN {time}").expect("written");
    }
    text.push_str("# TYPE partly gauge\n");
    for (back, time) in times() {
        let value = if back == 8 { "+Inf" } else { "3" };
        writeln!(text, "partly {value} {time}").expect("written");
    }
    text.push_str("# EOF\n");
    text
}

#[tokio::test]
async fn a_real_server_answers_queries_over_a_range() {
    use PointTake::{Avg, Count, Last, Max, Min};
    let server = Server::holding(&an_hour_of_samples());
    let url = format!("http://127.0.0.1:{}", server.port);
    let mut ready = of(&url, queries(&[("load", "load")]), TIMEOUT);
    // The value of now knows nothing of the spike.
    assert_eq!(number(&until(&mut ready, "load").await, "load"), 2.0);

    let take = ranges(&[
        ("max", "load", 5, Max),
        ("min", "load", 5, Min),
        ("avg", "load", 5, Avg),
        ("last", "load", 5, Last),
        ("count", "load", 5, Count),
        ("short", "load", 1, Max),
        ("scalar", "scalar(vector(4))", 5, Avg),
        ("summed", "sum(pair)", 5, Max),
        ("partly", "partly", 5, Max),
        ("ended", "ended", 45, Max),
        ("gone", "no_such_metric", 5, Count),
        ("pair", "pair", 5, Max),
        ("none", "none", 5, Max),
        ("matrix", "load[1m]", 5, Max),
        ("wrong", "sum((", 5, Max),
    ]);
    let facts = good(poll(&mut of(&url, take, TIMEOUT)).await);
    assert_eq!(number(&facts, "max"), 9.0);
    assert_eq!(number(&facts, "min"), -1.0);
    assert_eq!(number(&facts, "avg"), (19.0 * 2.0 + 9.0 - 1.0) / 21.0);
    assert_eq!(number(&facts, "last"), 2.0);
    assert_eq!(number(&facts, "count"), 21.0);
    assert_eq!(number(&facts, "short"), 2.0);
    assert_eq!(number(&facts, "scalar"), 4.0);
    assert_eq!(number(&facts, "summed"), 2.0);
    assert_eq!(number(&facts, "partly"), 3.0);
    assert_eq!(facts.remarks, ["partly: 1 of 21 points are no numbers and left out"]);
    assert!(missing(&facts, "ended").contains("older than 5 minutes"), "{:?}", facts.missing);
    assert!(missing(&facts, "gone").starts_with("no series"), "{:?}", facts.missing);
    assert!(missing(&facts, "pair").starts_with("2 series, not one: aggregate"));
    assert_eq!(missing(&facts, "none"), "none of its 21 points is a number to judge by");
    for name in ["matrix", "wrong"] {
        let why = missing(&facts, name);
        assert!(why.starts_with("the query is refused: "), "{why}");
    }

    // The most that is allowed by the configuration is answered.
    let (range, step) = (Duration::from_millis(10_999 * 290), Duration::from_millis(290));
    let over = Some(QueryRange { range, step, take: Count });
    let query = PromQuery { text: "vector(1)".to_owned(), over };
    let take = PrometheusTake::Queries(vec![("most".into(), query)]);
    assert_eq!(number(&good(poll(&mut of(&url, take, TIMEOUT)).await), "most"), 11_000.0);
}

#[tokio::test]
async fn what_is_not_prometheus_is_no_answer() {
    let server =
        RawServer::http(answer("200 OK", &["Content-Type: text/html"], "<html>login</html>"));
    let mut tested = of(&server.url("/"), queries(&[("a", "up")]), TIMEOUT);
    bad(poll(&mut tested).await, FailureKind::BadAnswer, "not one of Prometheus");
    assert!(server.requests()[0].starts_with("GET /api/v1/query?query=up "));
    let mut tested = of(&server.url("/metrics"), metrics(&[]), TIMEOUT);
    bad(poll(&mut tested).await, FailureKind::BadAnswer, "no list of metrics");
    assert!(server.requests()[1].contains("openmetrics-text"), "{:?}", server.requests());

    let error = "{\"status\":\"error\",\"errorType\":\"unavailable\",\"error\":\"starting\"}";
    server.become_http(answer("503 Service Unavailable", &[], error));
    let mut tested = of(&server.url("/"), queries(&[("a", "up")]), TIMEOUT);
    assert!(poll(&mut tested).await.expect_err("down").kind.means_down());

    let silent = RawServer::start(|exchange| {
        exchange.request();
        exchange.hang();
    });
    let mut tested = of(&silent.url("/"), queries(&[("a", "up")]), SHORT);
    bad(poll(&mut tested).await, FailureKind::Timeout, "no answer within");
    let port = free_port();
    let mut tested = of(&format!("http://127.0.0.1:{port}"), queries(&[("a", "up")]), TIMEOUT);
    bad(poll(&mut tested).await, FailureKind::Refused, "nothing listens");
}

#[tokio::test]
async fn an_answer_of_which_a_part_is_missing_is_no_value() {
    // Half of the data of this server is kept by another one, which is away.
    let away = free_port();
    let server = Server::with(&format!(
        "remote_read: [{{ url: 'http://127.0.0.1:{away}/read', read_recent: true }}]\n"
    ));
    let url = format!("http://127.0.0.1:{}", server.port);
    let mut tested =
        of(&url, queries(&[("all", "count(up)"), ("one", "scalar(vector(1))")]), TIMEOUT);
    let facts = until(&mut tested, "one").await;
    let why = missing(&facts, "all");
    assert!(why.starts_with("the answer may not be whole: the server warns:"), "{why}");
    assert!(facts.remarks.iter().any(|remark| remark.starts_with("all: the server warns")));
}

#[tokio::test]
async fn a_list_of_metrics_that_was_cut_off_is_not_read_as_if_it_were_whole() {
    let kind = "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    let server = RawServer::http(answer("200 OK", &[kind], "queue_length 120\n"));
    let url = server.url("/metrics");
    let take = || metrics(&[("queue", metric("queue_length", &[], None, false))]);
    let mut tested = of(&url, take(), TIMEOUT);
    bad(poll(&mut tested).await, FailureKind::BadAnswer, "does not end with # EOF");
    server.become_http(answer("200 OK", &[kind], "queue_length 120\n# EOF\n"));
    assert_eq!(number(&good(poll(&mut tested).await), "queue"), 120.0);
    server.become_http(answer("200 OK", &["Content-Type: text/plain"], "a 1\nqueue_length 1"));
    let facts = good(poll(&mut tested).await);
    missing(&facts, "queue");
    assert!(facts.remarks[0].contains("may be cut off"), "{:?}", facts.remarks);
}
