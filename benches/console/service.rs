//! What the console watches: an HTTP service and a Redis server with some traffic, and a
//! configuration of 20 sources for them.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use axum::{Json, Router, extract::Path, routing::get};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::servers::RedisServer;

/// Sources over HTTP and to Redis.
const HTTP: usize = 16;
const REDIS: usize = 4;

/// Everything that is watched.
pub struct Service {
    redis: RedisServer,
    http: SocketAddr,
    hanging: Arc<AtomicBool>,
}

/// A configuration in a directory of its own, which is also the home of the program.
pub struct Configuration {
    /// The file.
    pub file: PathBuf,
    _dir: TempDir,
}

/// As long as this lives, nothing answers.
pub struct Hanging<'a>(&'a Service);

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.hanging.store(false, Ordering::SeqCst);
        self.0.redis.signal(Signal::CONT);
    }
}

impl Service {
    /// Starts the servers.
    pub fn start() -> Self {
        let redis = RedisServer::start(&[]);
        let port = redis.port;
        thread::spawn(move || traffic(port));
        let hanging = Arc::new(AtomicBool::new(false));
        let http = serve(Arc::clone(&hanging));
        Self { redis, http, hanging }
    }

    /// What the screen shows when every source answers.
    pub fn all_answer(&self) -> &'static str {
        "20/20 sources answer"
    }

    /// What the screen shows when none does.
    pub fn none_answers(&self) -> &'static str {
        "0/20 sources answer"
    }

    /// Nothing answers any more: connections are accepted, and that is all.
    pub fn hang(&self) -> Hanging<'_> {
        self.hanging.store(true, Ordering::SeqCst);
        self.redis.signal(Signal::STOP);
        Hanging(self)
    }

    /// A fresh configuration.
    pub fn configuration(&self) -> Configuration {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("watchfloor.toml");
        fs::write(&file, self.text(dir.path())).unwrap();
        Configuration { file, _dir: dir }
    }

    fn text(&self, dir: &std::path::Path) -> String {
        let mut text = format!(
            "[service]\nname = \"shop\"\nenvironment = \"production\"\n\
             [defaults]\ninterval = \"5s\"\ntimeout = \"2s\"\nbackoff_max = \"5s\"\n\
             [state]\ndir = {:?}\n",
            dir.join("state")
        );
        for number in 1..=HTTP {
            self.http_source(&mut text, number).unwrap();
        }
        for number in 1..=REDIS {
            self.redis_source(&mut text, number).unwrap();
        }
        text.push_str(AROUND);
        text.replace("HTTP", &self.http.to_string())
    }

    fn http_source(&self, text: &mut String, number: usize) -> std::fmt::Result {
        let violations =
            if number == 1 { "violations = \"$.limiter.violations[*]\"\n" } else { "" };
        writeln!(
            text,
            "[source.api_{number}]\nkind = \"http\"\ntitle = \"API {number}\"\n\
             url = \"http://{}/api/{number}\"\n{violations}\
             [source.api_{number}.readings]\nstate = \"$.status\"\nredis = \"$.redis.connected\"\n\
             depth = \"$.queue.depth\"\nalerts = {{ count = \"$.alerts[*]\" }}\n\
             [check.api_{number}]\ntitle = \"API {number}\"\nsource = \"api_{number}\"\n\
             critical = [\"up == false\", \"redis == false\"]\n\
             warning = [\"total_ms > 500ms\", \"depth > 100\"]\n{}",
            self.http,
            // Half of the checks show what was said, the others how long it took.
            if number.is_multiple_of(2) { "shows = [\"state\"]\n" } else { "" },
        )?;
        if number % 3 == 1 {
            writeln!(
                text,
                "[latency.api_{number}]\ntitle = \"API {number}\"\nsource = \"api_{number}\"\n\
                 target = \"100ms\"\nwarning_above = \"200ms\"\ncritical_above = \"1s\""
            )?;
        }
        Ok(())
    }

    fn redis_source(&self, text: &mut String, number: usize) -> std::fmt::Result {
        let port = self.redis.port;
        let database = number - 1;
        writeln!(
            text,
            "[source.redis_{number}]\nkind = \"redis\"\ntitle = \"Redis {number}\"\n\
             url = \"redis://127.0.0.1:{port}/{database}\"\n\
             [check.redis_{number}]\ntitle = \"Redis {number}\"\nsource = \"redis_{number}\"\n\
             critical = [\"up == false\"]\nwarning = [\"ping_ms > 100ms\"]\n\
             [cache.redis_{number}]\ntitle = \"Redis {number}\"\nsource = \"redis_{number}\"\n\
             target = \"85%\"\nwarning_below = \"70%\"\ncritical_below = \"30%\""
        )?;
        if number == 1 {
            writeln!(
                text,
                "[[source.redis_1.pressure]]\npattern = \"rate:public:*\"\ntier = \"public\"\n\
                 limit = 600\nwindow = \"1m\""
            )?;
        }
        Ok(())
    }
}

/// Limits, contacts and an action, so that every pane has rows.
const AROUND: &str = r#"
[limits]
violations = ["api_1"]
pressure = ["redis_1"]
window = "60m"
enforcing = ["api_1.redis == true"]
failing_open = ["api_1.redis == false"]
warning_above = 1000

[contact.first]
level = 1
name = "Shop team"
contact = "+49 30 1234567"
respond_within = "15m"
handles = "everything, first"

[contact.second]
level = 2
name = "Platform"
contact = "platform@shop.example"
respond_within = "30m"
handles = "databases and caches"

[action.warm]
kind = "http"
title = "Warm the cache"
guard = "G1"
key = "w"
method = "POST"
url = "http://HTTP/warm"
proof = ["redis_1.keys > before"]
"#;

/// Serves on a port of its own, from a thread of its own.
fn serve(hanging: Arc<AtomicBool>) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let answer = move |path| answer(path, Arc::clone(&hanging));
            let routes = Router::new().route("/api/{number}", get(answer));
            axum::serve(listener, routes).await.unwrap();
        });
    });
    told.recv().unwrap()
}

/// An answer of the service, after a while that differs between endpoints and from one
/// request to the next.
async fn answer(Path(number): Path<u64>, hanging: Arc<AtomicBool>) -> Json<Value> {
    if hanging.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    let now = jiff::Timestamp::now();
    let spread = u64::from(now.subsec_nanosecond().unsigned_abs()) / 1_000 % 5;
    tokio::time::sleep(Duration::from_millis(3 + number * 7 % 40 + spread)).await;
    let violations: Vec<Value> =
        if number == 1 { (0..60).map(|back| violation(now, back)).collect() } else { Vec::new() };
    Json(json!({
        "status": "ok",
        "version": "1.4.2",
        "redis": { "connected": true, "used_memory_human": "1.52M" },
        // Moves every 20 s.
        "queue": { "depth": now.as_second() / 20 % 40 },
        "alerts": [],
        "limiter": { "violations": violations },
    }))
}

/// One of the refused requests of the past half hour: one every 30 s.
fn violation(now: jiff::Timestamp, back: i64) -> Value {
    let step = now.as_second() / 30 - back;
    let at = jiff::Timestamp::from_second(step * 30).unwrap();
    json!({
        "timestamp": at.to_string(),
        "identifier": format!("203.0.113.{}", step % 12),
        "endpoint": format!("/api/v1/{}", ["search", "login", "cart"][(step % 3) as usize]),
        "limit": 60,
        "windowMs": 60_000,
    })
}

/// A hundred lookups a second of which eight in ten hit, and a few requests that count
/// against a limit; until the server is gone.
fn traffic(port: u16) {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/0")).unwrap();
    let Ok(mut link) = client.get_connection() else { return };
    let mut round = 0u64;
    loop {
        round += 1;
        let mut commands = redis::pipe();
        if round == 1 {
            for key in 0..500 {
                commands.cmd("SET").arg(format!("page:{key}")).arg("x".repeat(200));
            }
        }
        for key in 0..8 {
            commands.cmd("GET").arg(format!("page:{}", (round * 8 + key) % 500));
        }
        for key in 0..2 {
            commands.cmd("GET").arg(format!("gone:{}", round * 2 + key));
        }
        let now = jiff::Timestamp::now().as_millisecond();
        let set = format!("rate:public:198.51.100.{}", round % 6);
        commands.cmd("ZADD").arg(&set).arg(now).arg(format!("{now}-{round}"));
        commands.cmd("ZREMRANGEBYSCORE").arg(&set).arg("-inf").arg(now - 60_000);
        if commands.query::<Vec<redis::Value>>(&mut link).is_err() {
            return;
        }
        // This is the rate of the traffic, not a wait for something.
        thread::sleep(Duration::from_millis(100));
    }
}
