use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use redis::Commands;
use tempfile::TempDir;
use watchfloor::{
    actions::new_run_id,
    config::{
        profile::{ActionConfig, ActionKind, RedisAction, RedisAddress, RedisSource},
        secret::Secret,
    },
    domain::{
        action::{ActionOutcome, ActionStage, Claim, Preview},
        ask::Answers,
        catalog::PrefixSpec,
        failure::FailureKind,
        value::Value,
    },
};

use super::{Desk, LIMIT, action, assert_not_sent, reading};

/// A Redis server that ends with the test.
struct Server {
    child: Child,
    port: u16,
    _place: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(options: &[&str]) -> Self {
        // Another test may take the port first: then another one is tried.
        for _ in 0..5 {
            if let Some(server) = Self::attempt(options) {
                return server;
            }
        }
        panic!("redis-server does not start");
    }

    fn attempt(options: &[&str]) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let place = tempfile::tempdir().expect("a directory");
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--dir", &place.path().to_string_lossy()])
            .args(["--enable-debug-command", "yes"])
            .args(options)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is missing: apt-get install redis-server");
        let mut server = Self { child, port, _place: place };
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if server.child.try_wait().expect("a child").is_some() {
                return None;
            }
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn connect(&self) -> redis::Connection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/0", self.port));
        client.expect("an address").get_connection().expect("connected")
    }

    fn source(&self) -> RedisSource {
        RedisSource {
            address: RedisAddress::Tcp { host: "127.0.0.1".to_owned(), port: self.port },
            database: 0,
            username: None,
            password: None,
            tls: None,
            readings: Vec::new(),
            slowlog: 0,
            pressure: Vec::new(),
            scan_budget: 0,
        }
    }

    fn clear(&self, delete: &[&str], protect: &[&str]) -> RedisAction {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        RedisAction {
            source: "cache".into(),
            redis: self.source(),
            delete: texts(delete),
            protect: texts(protect),
            keys_per_second: 100_000,
        }
    }

    fn fill(&self, prefix: &str, count: usize) {
        let mut connection = self.connect();
        let mut pipe = redis::pipe();
        for number in 0..count {
            pipe.set(format!("{prefix}{number}"), "x".repeat(100)).ignore();
        }
        pipe.query::<()>(&mut connection).expect("filled");
    }

    fn count(&self, pattern: &str) -> usize {
        let mut connection = self.connect();
        let keys: Vec<Vec<u8>> = connection.keys(pattern).expect("keys");
        keys.len()
    }
}

fn configured(redis: RedisAction) -> ActionConfig {
    action(ActionKind::Redis(Box::new(redis)), Duration::from_secs(30))
}

fn counted(preview: &Preview) -> Vec<(&str, u64, bool, bool)> {
    preview
        .groups
        .iter()
        .map(|group| (group.name.as_str(), group.keys, group.exact, group.protected))
        .collect()
}

#[tokio::test]
async fn exactly_the_meant_keys_are_deleted() {
    let server = Server::start(&[]);
    server.fill("cache:page:", 1500);
    server.fill("cache:session:", 120);
    server.fill("car:", 300);
    server.fill("rate:", 400);
    server.fill("other:", 80);
    let mut connection = server.connect();
    connection.set::<_, _, ()>(b"cache:\xff\x00\n", "binary").expect("set");
    connection.set::<_, _, ()>(b"rate:\xff\x00\n", "binary").expect("set");
    connection.set::<_, _, ()>("cach", "nearly").expect("set");

    let desk = Desk::new();
    let config = configured(server.clear(&["cache:*", "car:*"], &["rate:*", "cache:session:*"]));
    let preview = desk.preview(&config).await;
    assert!(preview.refusals.is_empty(), "{:?}", preview.refusals);
    assert_eq!(
        counted(&preview),
        [
            ("cache:*", 1501, true, false),
            ("car:*", 300, true, false),
            ("rate:*", 401, true, true),
            ("cache:session:*", 120, true, true),
        ]
    );
    assert!(preview.groups.iter().all(|group| group.bytes.is_some_and(|b| b > group.keys * 100)));
    let findings = preview.findings.join("\n");
    for text in [
        "is a master",
        "deletes 1801 of 2403 keys (74.9 %)",
        "keeps rate:*: 401 keys, protected",
        "a FLUSHDB would also have deleted 602 other keys, 521 of them protected",
    ] {
        assert!(findings.contains(text), "{text}: {findings}");
    }
    assert_eq!(server.count("*"), 2403, "a preview deletes nothing");

    let (result, stages) = desk.start(&config, &preview.digest).finish().await;
    assert_eq!(result.claim, Claim::Done, "{}", result.summary);
    assert_eq!(reading(&result, "deleted"), Some(&Value::Number(1801.0)));
    assert_eq!(reading(&result, "remaining"), Some(&Value::Number(0.0)));
    assert_eq!(result.summary, "1801 keys deleted, 0 left");
    assert_eq!(server.count("*"), 602);
    assert_eq!(server.count("cache:session:*"), 120);
    assert_eq!(server.count("rate:*"), 401);
    assert_eq!(server.count("cach"), 1);
    assert_eq!(stages[..2], [ActionStage::Journaled, ActionStage::Started]);
    assert_eq!(desk.kinds(), ["intent", "supervisor", "start", "step", "step", "finish"]);
    assert_eq!(desk.lines()[3]["text"], "cache:*: 1501 keys deleted");

    let stats: String =
        redis::cmd("INFO").arg("commandstats").query(&mut connection).expect("info");
    assert!(stats.contains("cmdstat_unlink") && !stats.contains("cmdstat_del"), "{stats}");
    assert!(!stats.contains("cmdstat_flush"), "{stats}");
}

#[tokio::test]
async fn groups_have_the_names_of_the_catalog_and_its_protection() {
    let server = Server::start(&[]);
    server.fill("cache:page:", 10);
    server.fill("cache:lock:", 5);
    let group = |name: &str, pattern: &str, protected| PrefixSpec {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        protected,
        note: None,
    };
    let desk = Desk::new();
    let groups = [group("pages", "cache:page:*", false), group("locks", "cache:lock:*", true)];
    let preview = async |delete: &[&str], protect: &[&str]| {
        let config = configured(server.clear(delete, protect));
        let preview = desk.actions.preview(&config, &Answers::none(), new_run_id(), &groups).await;
        preview.outcome.expect("a preview")
    };
    let sound = preview(&["cache:page:*"], &["cache:lock:*"]).await;
    assert_eq!(counted(&sound), [("pages", 10, true, false), ("locks", 5, true, true)]);
    assert!(sound.refusals.is_empty(), "{:?}", sound.refusals);
    let filtered = preview(&["cache:*"], &["cache:lock:*"]).await;
    assert!(filtered.refusals.is_empty(), "{:?}", filtered.refusals);

    let wide = preview(&["cache:*"], &[]).await;
    assert!(wide.refusals[0].contains("cache:lock:* (locks)"), "{:?}", wide.refusals);
    let inside = preview(&["cache:lock:1*"], &["cache:*"]).await;
    assert!(inside.refusals[0].contains("all of it is protected"), "{:?}", inside.refusals);
}

#[tokio::test]
async fn an_unbounded_pattern_is_refused() {
    let server = Server::start(&[]);
    server.fill("cache:", 10);
    let desk = Desk::new();
    for delete in [&["*"][..], &["c*"], &["ca?he:*"], &["cache:"], &[]] {
        let config = configured(server.clear(delete, &[]));
        let preview = desk.preview(&config).await;
        assert!(!preview.refusals.is_empty(), "{delete:?}");
        let (result, _) = desk.start(&config, &preview.digest).finish().await;
        assert_eq!(result.claim, Claim::NotSent, "{delete:?}");
    }
    assert_eq!(server.count("*"), 10);
}

#[tokio::test]
async fn a_large_keyspace_is_estimated_and_says_so() {
    let server = Server::start(&[]);
    let mut connection = server.connect();
    for (count, prefix) in [(300_000, "cache"), (300_000, "rate")] {
        let populate = redis::cmd("DEBUG").arg("POPULATE").arg(count).arg(prefix).clone();
        populate.query::<()>(&mut connection).expect("filled");
    }
    let desk = Desk::new();
    let preview = desk.preview(&configured(server.clear(&["cache:*"], &["rate:*"]))).await;
    for group in &preview.groups {
        assert!(!group.exact);
        assert!((285_000..315_000).contains(&group.keys), "{group:?}");
    }
    let findings = preview.findings.join("\n");
    assert!(findings.contains("an estimate: ") && findings.contains("of 600000"), "{findings}");
}

#[tokio::test]
async fn it_can_be_stopped_midway_and_knows_how_far_it_came() {
    let server = Server::start(&[]);
    server.fill("cache:", 3000);
    let desk = Desk::new();
    let redis = RedisAction { keys_per_second: 200, ..server.clear(&["cache:*"], &[]) };
    let config = configured(redis);
    let digest = desk.preview(&config).await.digest;
    let mut started = desk.start(&config, &digest);
    started.until(|stage| matches!(stage, ActionStage::Progress { done, .. } if *done >= 80)).await;
    started.stop();
    let (result, _) = started.finish().await;
    assert_eq!(result.claim, Claim::Cancelled);
    let left = server.count("cache:*");
    let deleted = 3000 - left;
    assert!((80..1500).contains(&deleted), "{deleted}");
    assert_eq!(reading(&result, "deleted"), Some(&Value::Number(deleted as f64)));
    assert_eq!(reading(&result, "remaining"), None, "not counted is not zero");
    assert!(result.summary.contains(&format!("{deleted} keys deleted")), "{}", result.summary);
    assert_eq!(desk.actions.history(1)[0].outcome, ActionOutcome::Cancelled);
}

#[tokio::test]
async fn when_its_time_is_up_it_stops_between_two_batches() {
    let server = Server::start(&[]);
    server.fill("cache:", 3000);
    let desk = Desk::new();
    let redis = RedisAction { keys_per_second: 100, ..server.clear(&["cache:*"], &[]) };
    let config = action(ActionKind::Redis(Box::new(redis)), Duration::from_secs(3));
    let (result, _) = desk.run(&config).await;
    assert_eq!(result.claim, Claim::Refused);
    let deleted = 3000 - server.count("cache:*");
    assert!(deleted > 0);
    assert_eq!(reading(&result, "deleted"), Some(&Value::Number(deleted as f64)));
    assert!(result.summary.contains("not all"), "{}", result.summary);
}

#[tokio::test]
async fn a_replica_is_refused() {
    let master = Server::start(&[]);
    master.fill("cache:", 10);
    let replica = Server::start(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    super::eventually("replication", || replica.count("cache:*") == 10).await;
    let desk = Desk::new();
    let config = configured(replica.clear(&["cache:*"], &[]));
    let preview = desk.preview(&config).await;
    assert!(preview.refusals[0].contains("not the master"), "{:?}", preview.refusals);
    let (result, stages) = desk.start(&config, &preview.digest).finish().await;
    assert_not_sent(&result, "not the master");
    assert!(!stages.contains(&ActionStage::Started));
    assert_eq!(replica.count("cache:*"), 10);
}

#[tokio::test]
async fn a_node_of_a_cluster_is_refused() {
    let server = Server::start(&["--cluster-enabled", "yes"]);
    let desk = Desk::new();
    let preview = desk.preview(&configured(server.clear(&["cache:*"], &[]))).await;
    assert!(preview.refusals[0].contains("cluster"), "{:?}", preview.refusals);
}

#[tokio::test]
async fn a_password_is_used_and_never_shown() {
    const CANARY: &str = "canary-redis-91be";
    let server = Server::start(&["--requirepass", CANARY]);
    let desk = Desk::new();
    let mut redis = server.clear(&["cache:*"], &[]);
    let without =
        desk.actions.preview(&configured(redis.clone()), &Answers::none(), new_run_id(), &[]).await;
    let failure = without.outcome.expect_err("a password is needed");
    assert_eq!(failure.kind, FailureKind::NotAuthorised, "{failure}");

    redis.redis.password = Some(Secret::new("wrong-password".to_owned(), "env CACHE_PASSWORD"));
    let wrong =
        desk.actions.preview(&configured(redis.clone()), &Answers::none(), new_run_id(), &[]).await;
    let failure = wrong.outcome.expect_err("another one is needed");
    assert_eq!(failure.kind, FailureKind::NotAuthorised, "{failure}");

    redis.redis.password = Some(Secret::new(CANARY.to_owned(), "env CACHE_PASSWORD"));
    let (result, _) = desk.run(&configured(redis)).await;
    assert_eq!(result.claim, Claim::Done, "{}", result.summary);
    assert!(super::found_in(&desk.state(), CANARY).is_empty());
}

#[tokio::test]
async fn a_user_who_may_not_delete_is_refused_by_the_server() {
    let server = Server::start(&[]);
    server.fill("cache:", 10);
    let mut connection = server.connect();
    redis::cmd("ACL")
        .arg(&[
            "SETUSER",
            "watch",
            "on",
            ">pass-of-watch",
            "~*",
            "+@read",
            "+info",
            "+ping",
            "+select",
        ])
        .query::<()>(&mut connection)
        .expect("a user");
    let desk = Desk::new();
    let mut redis = server.clear(&["cache:*"], &[]);
    redis.redis.username = Some("watch".to_owned());
    redis.redis.password = Some(Secret::new("pass-of-watch".to_owned(), "env WATCH_PASSWORD"));
    let (result, _) = desk.run(&configured(redis)).await;
    assert_eq!(result.claim, Claim::Refused);
    assert!(
        result.summary.contains("0 keys deleted") && result.summary.contains("unlink"),
        "{}",
        result.summary
    );
    assert_eq!(server.count("cache:*"), 10);
}

#[tokio::test]
async fn a_server_that_is_not_there_was_never_sent_anything() {
    let server = Server::start(&[]);
    let desk = Desk::new();
    let config = configured(server.clear(&["cache:*"], &[]));
    let digest = desk.preview(&config).await.digest;
    drop(server);
    let failure = desk
        .actions
        .preview(&config, &Answers::none(), new_run_id(), &[])
        .await
        .outcome
        .expect_err("gone");
    assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
    let (result, _) = desk.start(&config, &digest).finish().await;
    assert_eq!(result.claim, Claim::NotSent, "{}", result.summary);
}

#[tokio::test]
async fn a_server_that_dies_midway_is_never_called_done() {
    let mut server = Server::start(&[]);
    server.fill("cache:", 3000);
    let desk = Desk::new();
    let redis = RedisAction { keys_per_second: 500, ..server.clear(&["cache:*"], &[]) };
    let config = configured(redis);
    let digest = desk.preview(&config).await.digest;
    let mut started = desk.start(&config, &digest);
    started.until(|stage| matches!(stage, ActionStage::Progress { .. })).await;
    server.child.kill().expect("killed");
    let (result, _) = tokio::time::timeout(LIMIT, started.finish()).await.expect("in time");
    assert!(matches!(result.claim, Claim::Refused | Claim::Unclear), "{result:?}");
    assert!(result.summary.contains("deleted"), "{}", result.summary);
}

#[tokio::test]
async fn a_busy_server_is_left_alone_until_it_keeps_up() {
    let server = Server::start(&[]);
    server.fill("cache:", 2000);
    let desk = Desk::new();
    let redis = RedisAction { keys_per_second: 700, ..server.clear(&["cache:*"], &[]) };
    let config = configured(redis);
    let digest = desk.preview(&config).await.digest;
    let mut started = desk.start(&config, &digest);
    started.until(|stage| matches!(stage, ActionStage::Progress { .. })).await;
    let mut connection = server.connect();
    let busy = tokio::task::spawn_blocking(move || {
        // The server does nothing else, again and again.
        for _ in 0..12 {
            redis::cmd("DEBUG")
                .arg("SLEEP")
                .arg("0.2")
                .query::<()>(&mut connection)
                .expect("slept");
        }
    });
    let paused = |stage: &ActionStage| matches!(stage, ActionStage::Progress { note, .. } if note.contains("paused"));
    started.until(paused).await;
    busy.await.expect("slept");
    let (result, _) = started.finish().await;
    assert_eq!(result.claim, Claim::Done, "{}", result.summary);
    assert_eq!(server.count("cache:*"), 0);
}
