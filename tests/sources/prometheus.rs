use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use watchfloor::{
    config::profile::{
        MetricPart, PrometheusSource, PrometheusTake, Selector, SourceKind, TlsOptions,
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
        let prometheus = program("prometheus", "prometheus", &[]);
        for _ in 0..5 {
            let dir = TempDir::new().expect("a directory");
            let port = free_port();
            let config = format!(
                "global: {{ scrape_interval: 500ms, scrape_timeout: 400ms }}\n\
                 scrape_configs: [{{ job_name: self, static_configs: [{{ targets: ['127.0.0.1:{port}'] }}] }}]\n{more}"
            );
            fs::write(dir.path().join("prometheus.yml"), config).expect("written");
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
        pairs.iter().map(|(name, query)| ((*name).into(), (*query).to_owned())).collect(),
    )
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
