//! The embedded service, over real sockets: what the console will see of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    future::Future,
    time::{Duration, Instant},
};

use redis::aio::MultiplexedConnection;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use watchfloor::demo::{Demo, Options, Scenario, System};

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(12);

struct Harness {
    demo: Demo,
    variables: BTreeMap<String, String>,
    http: Client,
}

async fn start(embedded_redis: bool) -> Harness {
    let scenario = Scenario::Calm;
    start_with(Options { scenario, seed: 7, embedded_redis, postgres: false, ..Options::default() })
        .await
}

async fn start_with(options: Options) -> Harness {
    let demo = Demo::start(options).await.unwrap();
    let wanted = if options.embedded_redis { "embedded" } else { "redis-server" };
    assert_eq!(demo.redis(), wanted, "install redis-server (Debian: apt-get install redis-server)");
    let http = Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    Harness { variables: demo.variables(), demo, http }
}

impl Harness {
    fn variable(&self, name: &str) -> &str {
        &self.variables[name]
    }

    async fn get(&self, path: &str) -> Response {
        self.from("192.0.2.1", path).await
    }

    /// A request from an address, as a proxy would pass it on.
    async fn from(&self, address: &str, path: &str) -> Response {
        let url = format!("{}{path}", self.variable("EXODRIVE_URL"));
        self.http.get(url).header("x-forwarded-for", address).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    async fn admin(&self, method: Method, path: &str, body: &str) -> Response {
        let url = format!("{}{path}", self.variable("EXODRIVE_URL"));
        let cookie = self.variable("EXODRIVE_ADMIN_COOKIE");
        let request = self.http.request(method, url).header("cookie", cookie);
        request.body(body.to_owned()).send().await.unwrap()
    }

    async fn platform(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.variable("VERCEL_API"));
        let request = self.http.request(method, url).bearer_auth(self.variable("VERCEL_TOKEN"));
        let answer = request.json(&body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn project(&self) -> Value {
        let path = format!("/v9/projects/{}", self.variable("VERCEL_PROJECT_ID"));
        self.platform(Method::GET, &path, Value::Null).await.1
    }

    async fn set_edge_item(&self, value: bool) {
        let path = format!("/v1/edge-config/{}/items", self.variable("EDGE_CONFIG_ID"));
        let item = json!({"operation": "upsert", "key": "disable_redis", "value": value});
        let (status, body) = self.platform(Method::PATCH, &path, json!({"items": [item]})).await;
        assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("ok")));
    }

    async fn redis(&self) -> redis::RedisResult<MultiplexedConnection> {
        let client = redis::Client::open(self.variable("REDIS_URL"))?;
        let settings = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(500)))
            .set_response_timeout(Some(Duration::from_millis(500)));
        client.get_multiplexed_async_connection_with_config(&settings).await
    }

    async fn redis_answers(&self) -> bool {
        let Ok(mut connection) = self.redis().await else { return false };
        redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
    }

    /// Hits and misses of the cache, as Redis counts them.
    async fn hits_and_misses(&self) -> (u64, u64) {
        let mut connection = self.redis().await.unwrap();
        let info: String = redis::cmd("INFO").query_async(&mut connection).await.unwrap();
        let field = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').trim().parse::<u64>().unwrap()
        };
        (field("keyspace_hits"), field("keyspace_misses"))
    }

    /// A few requests for the same page, and the time each took from here. What the service
    /// waits for is a lower bound of it on any machine; an upper bound there is none.
    async fn a_few(&self) -> Vec<(Response, Duration)> {
        let mut answers = Vec::new();
        for i in 0..7 {
            let began = Instant::now();
            let from = format!("192.0.2.{}", 100 + i);
            let answer = self.from(&from, "/api/cars?page=1&limit=10").await;
            answers.push((answer, began.elapsed()));
        }
        answers
    }
}

/// The least that an answer of the database takes, however lucky.
const DATABASE: Duration = Duration::from_millis(29);

/// The least that the bad deployment adds to every answer.
const REGRESSION: Duration = Duration::from_millis(170);

/// Waits until something is so.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn answers_have_the_shapes_of_the_service() {
    let it = start(true).await;
    let demo = it.json("/api/demo/redis").await;
    assert_eq!(demo["success"], true);
    assert_eq!(demo["results"]["redis"], json!({"available": true, "status": "connected"}));
    assert_eq!(demo["results"]["rateLimit"]["test"]["limit"], 60);
    assert!(demo["results"]["rateLimit"]["test"]["resetAt"].as_str().unwrap().ends_with('Z'));

    let first = it.get("/api/cars?page=3&limit=7").await;
    assert_eq!(header(&first, "x-cache"), "MISS");
    assert_eq!(header(&first, "x-ratelimit-limit"), "60");
    let cars: Value = first.json().await.unwrap();
    assert_eq!(cars["cars"].as_array().unwrap().len(), 7);
    assert_eq!(cars["pagination"], json!({"page": 3, "limit": 7, "total": 40}));
    let second = it.get("/api/cars?page=3&limit=7").await;
    assert_eq!(header(&second, "x-cache"), "HIT");
    assert_eq!(header(&second, "x-cache-key"), "fleet:page:3:limit:7");
    let remaining = |answer: &Response| header(answer, "x-ratelimit-remaining").parse::<u64>();
    assert_eq!(remaining(&second).unwrap(), 57);

    let car = it.variable("EXODRIVE_CAR_ID");
    let dates = "startDate=2031-02-01&endDate=2031-02-05";
    let answer = it.json(&format!("/api/cars/availability?carId={car}&{dates}")).await;
    assert_eq!(answer["carId"], car);
    assert!(answer["available"].is_boolean());
    let refused = it.get(&format!("/api/cars/availability?carId=123&{dates}")).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);

    for missing in
        ["/api/admin/metrics", "/api/admin/metrics/errors", "/api/admin/metrics/cache/analysis"]
    {
        assert_eq!(it.get(missing).await.status(), StatusCode::NOT_FOUND, "{missing}");
    }
    let clear = it.admin(Method::POST, "/api/admin/cache/clear", "").await;
    assert_eq!(clear.status(), StatusCode::NOT_FOUND);
    it.demo.stop().await;
}

#[tokio::test]
async fn the_agent_reports_itself_in_its_own_peculiar_way() {
    let it = start(true).await;
    let redis = it.json("/api/monitoring/health/redis").await;
    assert_eq!(redis["status"], "degraded", "although it is well");
    assert_eq!(redis["redis"]["connected"], true);
    assert_eq!(redis["redis"]["connectionTest"]["status"], "healthy");
    assert!(redis["redis"]["connectionTest"]["latency"].is_number());
    assert!(redis["redis"]["connectionTest"].get("connected").is_none());
    assert_eq!(it.json("/api/monitoring/health").await["status"], "healthy");

    let before = it.json("/api/monitoring/metrics/performance").await;
    assert!((0.0..=100.0).contains(&before["caching"]["hitRate"].as_f64().unwrap()));
    let total = |metrics: &Value| metrics["operations"]["totalOperations"].as_u64().unwrap();
    until("the counters move", async || {
        total(&it.json("/api/monitoring/metrics/performance").await) > total(&before)
    })
    .await;
    assert_eq!(
        it.json("/api/monitoring/metrics").await["alerts"],
        json!({"active": [], "total": 0})
    );
    assert_eq!(it.json("/api/monitoring/alerts").await["summary"]["total"], 0);
    assert_eq!(it.json("/api/monitoring/status/connection").await["connected"], true);
    assert!(it.json("/api/monitoring/stats/cache").await["cache"]["efficiency"].is_string());
    let webhook = it.json("/api/monitoring/webhook/health").await;
    assert_eq!((&webhook["status"], &webhook["redis_connected"]), (&json!("ok"), &json!(true)));
    let reset = it.admin(Method::POST, "/api/monitoring/metrics/reset", "").await;
    assert_eq!(reset.status(), StatusCode::FORBIDDEN);
    it.demo.stop().await;
}

#[tokio::test]
async fn the_limiter_refuses_at_the_limit_and_opens_without_redis() {
    let it = start(true).await;
    for n in 0..60 {
        let answer = it.from("192.0.2.60", "/api/cars").await;
        assert_eq!(answer.status(), StatusCode::OK, "request {n}");
    }
    let refused = it.from("192.0.2.60", "/api/cars").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&refused, "x-ratelimit-remaining"), "0");
    assert!(header(&refused, "x-ratelimit-reset").parse::<jiff::Timestamp>().is_ok());
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    let trace = header(&refused, "x-trace-id").to_owned();
    let error = refused.json::<Value>().await.unwrap()["error"].take();
    assert_eq!(error["code"], "RATE_LIMITED");
    assert_eq!(error["traceId"], trace);
    assert_eq!(error["retryAfter"], wait);

    // A refused request is counted too, under the caller's own key.
    let mut redis = it.redis().await.unwrap();
    let count: u64 =
        redis::cmd("ZCARD").arg("rate:public:192.0.2.60").query_async(&mut redis).await.unwrap();
    assert_eq!(count, 61);

    it.set_edge_item(true).await;
    let open = it.from("192.0.2.60", "/api/cars").await;
    assert_eq!(open.status(), StatusCode::OK);
    assert_eq!(header(&open, "x-ratelimit-limit"), "");
    it.demo.stop().await;
}

#[tokio::test]
async fn violations_carry_every_header_and_are_kept_by_instance() {
    let it = start(true).await;
    let url = format!("{}/api/cars", it.variable("EXODRIVE_URL"));
    for _ in 0..70 {
        let request = it.http.get(&url).header("x-forwarded-for", "192.0.2.70");
        request.header("cookie", "session=made-up").send().await.unwrap();
    }
    let monitoring = "/api/admin/rate-limit-monitoring?minutes=5&identifier=192.0.2.70";
    assert_eq!(it.get(monitoring).await.status(), StatusCode::UNAUTHORIZED);
    let mut known = Vec::new();
    for _ in 0..4 {
        let url = format!("{}{monitoring}", it.variable("EXODRIVE_URL"));
        let request = it.http.get(url).bearer_auth(it.variable("EXODRIVE_ADMIN_TOKEN"));
        let page: Value = request.send().await.unwrap().json().await.unwrap();
        let violations = page["violations"].as_array().unwrap();
        assert_eq!(page["summary"]["totalViolations"], violations.len());
        for violation in violations {
            assert_eq!(violation["headers"]["cookie"], "session=made-up");
            assert_eq!((&violation["limit"], &violation["windowMs"]), (&json!(60), &json!(60_000)));
        }
        known.push(violations.len());
    }
    assert!(known[0] < 10 && known[0] + known[1] == 10, "each instance knows its own: {known:?}");
    assert_eq!(known[..2], known[2..]);
    it.demo.stop().await;
}

#[tokio::test]
async fn administration_asks_for_the_right_credentials() {
    let it = start(true).await;
    let url = format!("{}/api/admin/cache-warm", it.variable("EXODRIVE_URL"));
    let bearer = it.http.post(&url).bearer_auth(it.variable("EXODRIVE_ADMIN_TOKEN"));
    assert_eq!(bearer.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let customer = it.http.post(&url).header("cookie", it.variable("EXODRIVE_CUSTOMER_COOKIE"));
    assert_eq!(customer.send().await.unwrap().status(), StatusCode::FORBIDDEN);

    let project = format!("{}/v9/projects/x", it.variable("VERCEL_API"));
    let without = it.http.get(&project).send().await.unwrap();
    assert_eq!(without.status(), StatusCode::UNAUTHORIZED);
    let (status, _) = it.platform(Method::GET, "/v9/projects/x", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = it.platform(Method::GET, "/v7/deployments?teamId=other", Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    it.demo.stop().await;
}

#[tokio::test]
async fn warming_a_cold_cache_fills_it() {
    let it = start(true).await;
    it.demo.toggle("cold-cache");
    let cached = async |answer: Response| header(&answer, "x-cache") == "HIT";
    let path = format!("/api/cars/{}", it.variable("EXODRIVE_CAR_ID"));
    until("the cache is empty", async || !cached(it.get(&path).await).await).await;
    for _ in 0..3 {
        assert!(!cached(it.get(&path).await).await, "it must not fill by itself");
    }
    let body = r#"{"warmPopularCars": true, "popularCarsLimit": 20, "availabilityDays": 14}"#;
    let warmed = it.admin(Method::POST, "/api/admin/cache-warm", body).await;
    let warmed: Value = warmed.json().await.unwrap();
    assert_eq!(warmed["success"], true);
    assert_eq!(warmed["metrics"]["status"], "success");
    assert_eq!(warmed["metrics"]["errors"], json!([]));
    let keys = warmed["metrics"]["keysWarmed"].as_u64().unwrap();
    assert!(keys > 50, "{keys}");
    assert!(cached(it.get(&path).await).await);
    assert_eq!(it.demo.active(), [""; 0]);

    let nonsense = it.admin(Method::POST, "/api/admin/cache-warm", "not json").await;
    let nonsense: Value = nonsense.json().await.unwrap();
    assert_eq!(nonsense["metrics"]["keysWarmed"], keys, "the defaults are the same wish");
    let last: Value =
        it.admin(Method::GET, "/api/admin/cache-warm", "").await.json().await.unwrap();
    assert_eq!(last["lastWarming"], nonsense["metrics"]);
    it.demo.stop().await;
}

#[tokio::test]
async fn disabling_redis_takes_effect_and_costs_what_it_should() {
    let it = start(true).await;
    let page = "/api/cars?page=1&limit=10";
    let cached = async |answer: Response| header(&answer, "x-cache") == "HIT";
    until("the page is in the cache", async || cached(it.get(page).await).await).await;
    it.set_edge_item(true).await;
    let demo = it.json("/api/demo/redis").await;
    assert_eq!(demo["results"]["redis"], json!({"available": false, "status": "unavailable"}));
    for (answer, took) in it.a_few().await {
        assert_eq!(header(&answer, "x-cache"), "", "nobody looks into the cache");
        assert!(took >= DATABASE, "the database is asked for every answer: {took:?}");
    }
    let body = it.admin(Method::POST, "/api/admin/cache-warm", "").await;
    assert_eq!(body.json::<Value>().await.unwrap()["metrics"]["status"], "failed");
    it.set_edge_item(false).await;
    until("it recovers", async || cached(it.get(page).await).await).await;
    it.demo.stop().await;
}

#[tokio::test]
async fn a_rollback_takes_effect_after_a_while_and_only_to_what_exists() {
    let it = start(true).await;
    let good = it.project().await["targets"]["production"]["id"].clone();
    let good = good.as_str().unwrap();
    it.demo.toggle("deploy-regression");
    let bad = it.project().await["targets"]["production"]["id"].clone();
    assert_ne!(bad, good);
    let slow = it.a_few().await;
    assert!(slow.iter().all(|(_, took)| *took >= REGRESSION), "{slow:?}");

    let project = it.variable("VERCEL_PROJECT_ID");
    let back = |to: &str| format!("/v1/projects/{project}/rollback/{to}");
    let (status, _) = it.platform(Method::POST, &back("dpl_unknown"), Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = it.platform(Method::POST, &back(good), Value::Null).await;
    assert_eq!(status, StatusCode::CREATED);
    let pending = it.project().await;
    assert_eq!(pending["lastAliasRequest"]["jobStatus"], "pending");
    assert_eq!(pending["targets"]["production"]["id"], bad, "not yet");
    let (status, _) = it.platform(Method::POST, &back(good), Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT);
    until("the rollback is done", async || {
        it.project().await["lastAliasRequest"]["jobStatus"] == "succeeded"
    })
    .await;
    let after = it.project().await;
    assert_eq!(after["targets"]["production"]["id"], good);
    assert_eq!(after["autoAssignCustomDomains"], false);
    assert_eq!(it.demo.active(), [""; 0]);
    until("no answer waits for the bad deployment any more", async || {
        it.a_few().await.iter().any(|(_, took)| *took < REGRESSION)
    })
    .await;

    let (_, list) =
        it.platform(Method::GET, "/v7/deployments?rollbackCandidate=true", Value::Null).await;
    let candidates = list["deployments"].as_array().unwrap();
    assert!(candidates.len() == 2 && candidates.iter().all(|found| found["uid"] != good));
    it.demo.stop().await;
}

#[tokio::test]
async fn the_hit_rate_follows_the_requests() {
    let it = start(true).await;
    let (hits, misses) = it.hits_and_misses().await;
    until("customers come by themselves", async || it.hits_and_misses().await.0 > hits + 60).await;
    let (more_hits, more_misses) = it.hits_and_misses().await;
    let (hits, misses) = (more_hits - hits, more_misses - misses);
    assert!(hits > misses * 5, "a warm cache answers most of them: {hits} to {misses}");
    for n in 0..40 {
        it.from(&format!("192.0.2.{}", 1 + n % 2), &format!("/api/cars?page={}", 200 + n)).await;
    }
    let (_, after) = it.hits_and_misses().await;
    assert!(after >= more_misses + 40, "every page that nobody knows is a miss");
    it.demo.stop().await;
}

#[tokio::test]
async fn the_postgres_comes_up_and_shows_who_waits() {
    let options = Options { scenario: Scenario::Calm, embedded_redis: true, ..Options::default() };
    let it = start_with(options).await;
    let hint = "install postgresql (Debian: apt-get install postgresql)";
    assert_eq!(it.demo.no_postgres(), None, "{hint}");
    let config: tokio_postgres::Config = it.variable("DEMO_POSTGRES_URL").parse().unwrap();
    let connect = async || {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.ok()?;
        tokio::spawn(connection);
        Some(client)
    };
    until("it is up", async || connect().await.is_some()).await;
    let client = connect().await.unwrap();
    let count = async |sql: &str| -> i64 { client.query_one(sql, &[]).await.unwrap().get(0) };
    let blocked =
        "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0";
    let commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
    let before = count(commits).await;
    until("it is busy", async || count(commits).await > before + 10).await;
    assert_eq!(count(blocked).await, 0);
    it.demo.toggle("blocked-session");
    until("a session waits", async || count(blocked).await == 1).await;
    it.demo.toggle("blocked-session");
    until("it goes on", async || count(blocked).await == 0).await;
    it.demo.stop().await;
    assert!(connect().await.is_none());
}

/// The processes whose command line names this text.
fn processes(text: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = all.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.bytes().all(|byte| byte.is_ascii_digit())
    });
    numbers
        .filter_map(|path| std::fs::read(path.join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(text))
        .collect()
}

/// How the processes of a demo are told from those of the others: by the port of its Redis,
/// the port of its Postgres, and its directory, which the watcher and Postgres name.
fn marks(variables: &BTreeMap<String, String>) -> Vec<String> {
    let port = |url: &str| {
        let address = url.split('@').nth(1).unwrap();
        address.split(['/', ':']).nth(1).unwrap().to_owned()
    };
    let redis = format!("127.0.0.1:{}", port(&variables["REDIS_URL"]));
    let postgres = format!(" -p {} ", port(&variables["DEMO_POSTGRES_URL"]));
    vec![redis, postgres]
}

fn directories(marks: &[String]) -> Vec<String> {
    let postgres = processes(&marks[1]);
    let named = postgres.iter().flat_map(|line| line.split(' '));
    named
        .filter_map(|word| word.strip_suffix("/postgres"))
        .filter(|word| word.contains("watchfloor-ward-"))
        .map(str::to_owned)
        .collect()
}

/// Waits until a demo has started everything, and says how to find that.
async fn everything_runs(variables: &BTreeMap<String, String>) -> Vec<String> {
    let mut marks = marks(variables);
    until("Redis and Postgres run", async || {
        marks.iter().all(|mark| !processes(mark).is_empty()) && !directories(&marks).is_empty()
    })
    .await;
    marks.push(directories(&marks).remove(0));
    assert!(processes(&marks[2]).iter().any(|line| line.contains("watcher")));
    marks
}

fn nothing_runs(marks: &[String]) -> bool {
    marks.iter().all(|mark| processes(mark).is_empty()) && !std::path::Path::new(&marks[2]).exists()
}

#[tokio::test]
async fn nothing_is_left_after_stopping_even_when_redis_hangs() {
    let options = Options { scenario: Scenario::Calm, ..Options::default() };
    let it = start_with(options).await;
    let marks = everything_runs(&it.variables).await;
    it.demo.toggle("flapping");
    until("Redis hangs", async || !it.redis_answers().await).await;
    it.demo.stop().await;
    assert!(nothing_runs(&marks), "{:?}", marks.iter().map(|mark| processes(mark)));
}

#[tokio::test]
async fn nothing_is_left_after_dropping() {
    let options = Options { scenario: Scenario::Calm, ..Options::default() };
    let it = start_with(options).await;
    let marks = everything_runs(&it.variables).await;
    drop(it);
    until("everything is gone", async || nothing_runs(&marks)).await;
}

/// Not a test of its own: it is the process that the next test kills.
#[tokio::test]
#[ignore = "the next test starts it as a process of its own"]
async fn hold_a_demo() {
    let Ok(file) = std::env::var("WATCHFLOOR_TEST_HOLD") else { return };
    let scenario = System::Mixed.scenario("redis-outage").unwrap();
    let options = Options { scenario, ..Options::default() };
    let demo = Demo::start(options).await.unwrap();
    std::fs::write(file, serde_json::to_string(&demo.variables()).unwrap()).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_is_left_after_being_killed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("variables");
    let mut held = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hold_a_demo", "--ignored"])
        .env("WATCHFLOOR_TEST_HOLD", &file)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let read = || serde_json::from_slice(&std::fs::read(&file).ok()?).ok();
    until("the demo has started", async || read().is_some()).await;
    let marks = everything_runs(&read().unwrap()).await;
    held.kill().await.unwrap();
    until("everything is gone", async || nothing_runs(&marks)).await;
}

/// The same on both back ends: everything well, an outage that is seen from outside and by
/// the service itself, and the recovery with an empty cache.
async fn outage_and_recovery(embedded: bool) {
    let it = start(embedded).await;
    assert!(it.redis_answers().await);
    let answer = it.get("/api/cars").await;
    assert_eq!(header(&answer, "x-cache"), "HIT", "the cache is warm from the start");
    let run_id = |info: String| info.split("run_id:").nth(1).unwrap()[..40].to_owned();
    let mut connection = it.redis().await.unwrap();
    let first: String = redis::cmd("INFO").query_async(&mut connection).await.unwrap();

    it.demo.toggle("redis-outage");
    until("it hangs", async || !it.redis_answers().await).await;
    let open = it.get("/api/cars").await;
    assert_eq!(open.status(), StatusCode::OK, "the service goes on without");
    until("connections are refused", async || {
        let address = it.variable("REDIS_URL").split('@').nth(1).unwrap().trim_end_matches("/0");
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    until("the agent is critical", async || {
        it.get("/api/monitoring/health").await.status() == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let alerts = it.json("/api/monitoring/alerts?resolved=false&severity=critical").await;
    assert_eq!(alerts["alerts"][0]["type"], "connection");
    let demo = it.json("/api/demo/redis").await;
    assert_eq!(demo["results"]["redis"]["available"], true, "there is a client object");
    assert_eq!(demo["results"]["cache"]["test"], Value::Null);

    it.demo.toggle("redis-outage");
    until("it is back", async || it.redis_answers().await).await;
    let mut connection = it.redis().await.unwrap();
    let second: String = redis::cmd("INFO").query_async(&mut connection).await.unwrap();
    assert_ne!(run_id(first), run_id(second), "it is another process");
    until("the cache fills again", async || header(&it.get("/api/cars").await, "x-cache") == "HIT")
        .await;
    it.demo.stop().await;
}

#[tokio::test]
async fn an_outage_of_the_real_redis() {
    outage_and_recovery(false).await;
}

#[tokio::test]
async fn an_outage_of_the_embedded_redis() {
    outage_and_recovery(true).await;
}

#[tokio::test]
async fn the_abuser_is_refused_and_seen() {
    let it = start(true).await;
    it.demo.toggle("rate-limit-abuse");
    let path = "/api/admin/rate-limit-monitoring?minutes=1&identifier=203.0.113.77";
    until("violations appear", async || {
        let page: Value = it.admin(Method::GET, path, "").await.json().await.unwrap();
        page["violations"][0]["headers"]["authorization"].is_string()
    })
    .await;
    let page: Value =
        it.admin(Method::GET, "/api/admin/rate-limit-monitoring", "").await.json().await.unwrap();
    assert_eq!(page["summary"]["uniqueIdentifiers"], 1, "nobody else is refused");
    it.demo.stop().await;
}

#[tokio::test]
async fn the_stream_yields_unnamed_events_and_alerts() {
    let it = start(true).await;
    let url = format!("{}/api/monitoring/stream", it.variable("BICI_URL"));
    let client = Client::builder().build().unwrap();
    let mut stream = client.get(url).send().await.unwrap();
    assert_eq!(header(&stream, "content-type"), "text/event-stream");
    it.demo.toggle("redis-outage");
    let mut seen = String::new();
    let reading = async {
        while !(seen.contains("event: alert\n") && seen.contains("\"health\"")) {
            let chunk = stream.chunk().await.unwrap().expect("the stream must not end");
            seen.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("an alert and an unnamed event");
    let unnamed = seen.split("\n\n").find(|event| event.starts_with("data: ")).unwrap();
    let data: Value = serde_json::from_str(&unnamed[6..]).unwrap();
    assert!(data["timestamp"].is_string() && data["metrics"].is_object());
    assert!(!seen.contains("id:") || !seen.contains("\nid:"), "there are no identifiers");
    // An open stream must not keep the demo from stopping.
    tokio::time::timeout(Duration::from_secs(4), it.demo.stop()).await.expect("it stops");
}
