use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use watchfloor::{
    config::{
        profile::{PostgresSource, SourceKind, SslMode, Statement, TlsOptions},
        secret::Secret,
    },
    domain::{
        failure::FailureKind,
        observation::{Exhibit, Facts, Session},
        value::Value,
    },
    sources::Source,
};

use super::{
    SHORT, TIMEOUT, bad,
    common::{
        certs::Authority,
        postgres::{PostgresServer, SUPERUSER},
        raw::RawServer,
        servers::{PATIENCE, wait_until},
    },
    good, missing, number, poll, source, trusting,
};

const PASSWORD: &str = "monitor-password";

fn config(server: &PostgresServer) -> PostgresSource {
    PostgresSource {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        database: "postgres".to_owned(),
        user: "monitor".to_owned(),
        password: Some(Secret::new(PASSWORD.to_owned(), "env PGPASSWORD")),
        sslmode: SslMode::Disable,
        tls: TlsOptions::default(),
        statement_timeout: Duration::from_secs(2),
        long_query: Duration::from_secs(3600),
        queries: Vec::new(),
    }
}

fn postgres(config: PostgresSource) -> Source {
    source(SourceKind::Postgres(Box::new(config)), TIMEOUT)
}

/// The role that the console should have.
fn add_monitor(server: &PostgresServer) {
    server.sql(&format!("CREATE ROLE monitor LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_monitor"));
}

fn sessions(facts: &Facts) -> &[Session] {
    let found = facts.exhibits.iter().find_map(|exhibit| match exhibit {
        Exhibit::Sessions(sessions) => Some(sessions.as_slice()),
        _ => None,
    });
    found.expect("sessions")
}

/// Waits until a session of that application is in that state.
fn await_session(server: &PostgresServer, condition: &str) {
    let query = format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}");
    wait_until(condition, || server.sql(&query) != "0");
}

#[tokio::test]
async fn figures_rates_and_sessions_are_read() {
    let server = PostgresServer::start(&["max_connections=20"]);
    add_monitor(&server);
    server.sql("CREATE TABLE t (id int, note text); INSERT INTO t VALUES (1, 'x')");
    server.sql("GRANT SELECT ON t TO monitor");
    let mut config = config(&server);
    config.queries = vec![
        "SELECT count(*) AS rows, max(note) AS note, NULL AS nothing, true AS yes FROM t".into(),
        "SELECT pg_sleep(60) AS slow -- a comment at the end".into(),
        "SELECT id AS many FROM t UNION ALL SELECT 2".into(),
        "DELETE FROM t".into(),
    ];
    config.statement_timeout = Duration::from_millis(300);
    let mut source = postgres(config);
    let facts = good(poll(&mut source).await);
    assert_eq!(number(&facts, "max_connections"), 17.0, "three are for the superuser");
    assert!(number(&facts, "connections") >= 1.0);
    assert!(number(&facts, "size_bytes") > 1e6);
    assert_eq!((number(&facts, "active"), number(&facts, "blocked")), (0.0, 0.0));
    assert_eq!(facts.readings["is_replica"], Value::Bool(false));
    assert!(matches!(facts.readings["server_version"], Value::Text(_)));
    assert!(missing(&facts, "tps").contains("second look"));
    assert!(missing(&facts, "replication_lag_bytes").contains("no standby"));
    assert_eq!(number(&facts, "rows"), 1.0);
    assert_eq!(facts.readings["note"], Value::Text("x".into()));
    assert_eq!(facts.readings["yes"], Value::Bool(true));
    assert!(missing(&facts, "nothing").starts_with("is null"));
    let remark = |words: &str| facts.remarks.iter().any(|remark| remark.contains(words));
    assert!(remark("query 2") && remark("statement timeout"), "{:?}", facts.remarks);
    assert!(remark("query 3") && remark("found 2 rows"), "{:?}", facts.remarks);
    assert!(remark("query 4"), "{:?}", facts.remarks);
    assert_eq!(server.sql("SELECT count(*) FROM t"), "1", "nothing can be changed");

    let facts = good(poll(&mut source).await);
    assert!(number(&facts, "tps") >= 0.0);
    assert_eq!(number(&facts, "deadlocks"), 0.0);
    assert_eq!(
        server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'watchfloor'"),
        "1"
    );
}

#[tokio::test]
async fn blocked_and_idle_sessions_are_listed_without_their_data() {
    let server = PostgresServer::start(&[]);
    add_monitor(&server);
    server.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    let _holder = server.background(
        SUPERUSER,
        "SET application_name = 'holder'; BEGIN; LOCK TABLE t; SELECT 'hidden-literal', pg_sleep(60)",
    );
    await_session(&server, "application_name = 'holder' AND wait_event = 'PgSleep'");
    let _waiter = server.background(
        SUPERUSER,
        "SET application_name = 'waiter'; SELECT 'hidden-literal' FROM t WHERE id = 42",
    );
    await_session(&server, "application_name = 'waiter' AND wait_event_type = 'Lock'");
    let mut source = postgres(config(&server));
    let facts = good(poll(&mut source).await);
    assert_eq!((number(&facts, "blocked"), number(&facts, "active")), (1.0, 2.0));
    assert!(number(&facts, "longest_query_seconds") > 0.0);
    let listed = sessions(&facts);
    let names: Vec<&str> = listed.iter().map(|session| session.application.as_str()).collect();
    assert_eq!(names, ["holder", "waiter"], "who blocks comes first");
    assert_eq!(listed[1].blocked_by, [listed[0].pid]);
    assert_eq!(listed[1].wait.as_deref(), Some("Lock: relation"));
    assert!(listed[1].query.contains("WHERE id = ?"), "{}", listed[1].query);
    assert!(!format!("{facts:?}").contains("hidden-literal"));
}

#[tokio::test]
async fn a_stopped_server_is_refused_and_a_restart_is_no_failure() {
    let mut server = PostgresServer::start(&[]);
    add_monitor(&server);
    let mut source = postgres(config(&server));
    good(poll(&mut source).await);
    server.stop();
    bad(poll(&mut source).await, FailureKind::Refused, "nothing listens there");
    server.restart();
    good(poll(&mut source).await);
    server.restart();
    let facts = good(poll(&mut source).await);
    assert!(missing(&facts, "tps").contains("restarted"));
    assert!(number(&good(poll(&mut source).await), "tps") >= 0.0);
}

#[tokio::test]
async fn wrong_credentials_are_named() {
    let server = PostgresServer::start(&[]);
    add_monitor(&server);
    let mut wrong = config(&server);
    wrong.password = Some(Secret::new("wrong-password-1".to_owned(), "env PGPASSWORD"));
    let mut source = postgres(wrong);
    let failure = bad(poll(&mut source).await, FailureKind::NotAuthorised, "28P01");
    assert_eq!(failure.hint.as_deref(), Some("check env PGPASSWORD"));
    assert!(!failure.to_string().contains("wrong-password-1"));
    server.sql("ALTER ROLE monitor PASSWORD 'wrong-password-1'");
    good(poll(&mut source).await);

    let mut none = config(&server);
    none.password = None;
    let failure =
        bad(poll(&mut postgres(none)).await, FailureKind::NotAuthorised, "wants a password");
    assert!(failure.hint.as_deref().unwrap().starts_with("no password is configured: write it"));
    let mut other = config(&server);
    other.password = Some(Secret::new("wrong-password-1".to_owned(), "env PGPASSWORD"));
    other.database = "nowhere".to_owned();
    bad(poll(&mut postgres(other)).await, FailureKind::Misconfigured, "nowhere");
}

#[tokio::test]
async fn a_role_that_sees_only_itself_is_told_so() {
    let server = PostgresServer::start(&[]);
    server.sql(&format!("CREATE ROLE monitor LOGIN PASSWORD '{PASSWORD}'"));
    let mut config = config(&server);
    config.queries = vec!["SELECT rolpassword AS hash FROM pg_authid LIMIT 1".into()];
    let mut source = postgres(config);
    let facts = good(poll(&mut source).await);
    assert!(missing(&facts, "connections").contains("only its own sessions"));
    assert!(missing(&facts, "connections_share").contains("only its own sessions"));
    let remark = |words: &str| facts.remarks.iter().any(|remark| remark.contains(words));
    assert!(remark("grant it pg_monitor"), "{:?}", facts.remarks);
    assert!(remark("42501") && remark("forbidden"), "{:?}", facts.remarks);
    server.sql("GRANT pg_monitor TO monitor");
    assert!(number(&good(poll(&mut source).await), "connections") >= 1.0);
}

#[tokio::test]
async fn a_server_without_slots_is_full_and_a_held_session_goes_on() {
    let server = PostgresServer::start(&[
        "max_connections=6",
        "superuser_reserved_connections=2",
        "max_wal_senders=0",
    ]);
    add_monitor(&server);
    server.sql("CREATE ROLE app LOGIN");
    let mut held = postgres(config(&server));
    good(poll(&mut held).await);
    let others: Vec<_> = (0..3).map(|_| server.background("app", "SELECT pg_sleep(60)")).collect();
    // The superuser must not look meanwhile: that would take a slot from the others.
    let start = Instant::now();
    while number(&good(poll(&mut held).await), "active") < 3.0 {
        assert!(start.elapsed() < PATIENCE, "the slots are not taken");
    }
    let mut late = postgres(config(&server));
    bad(poll(&mut late).await, FailureKind::Full, "53300");
    let facts = good(poll(&mut held).await);
    assert_eq!((number(&facts, "connections"), number(&facts, "max_connections")), (4.0, 4.0));
    assert_eq!(number(&facts, "connections_share"), 1.0);
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
    drop(others);
    let others = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
    wait_until("the slots are free", || server.sql(others) == "0");
    good(poll(&mut late).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_times_out_and_recovers_with_one_session() {
    let server = PostgresServer::start(&[]);
    add_monitor(&server);
    let kind = SourceKind::Postgres(Box::new(config(&server)));
    let mut source = source(kind, SHORT);
    good(poll(&mut source).await);
    server.signal_all(Signal::STOP);
    bad(poll(&mut source).await, FailureKind::Timeout, "no answer within 700ms");
    bad(poll(&mut source).await, FailureKind::Timeout, "no login within 700ms");
    server.signal_all(Signal::CONT);
    good(poll(&mut source).await);
    let mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'watchfloor'";
    wait_until("the sessions that were given up are gone", || server.sql(mine) == "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_hangs_is_cancelled_on_the_server() {
    let server = PostgresServer::start(&[]);
    add_monitor(&server);
    let mut config = config(&server);
    // The operator overrules the limit that would have ended it.
    config.queries = vec!["SET LOCAL statement_timeout = 0; SELECT pg_sleep(60)".into()];
    let mut source = source(SourceKind::Postgres(Box::new(config)), SHORT);
    bad(poll(&mut source).await, FailureKind::Timeout, "no answer within 700ms");
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    wait_until("the statement is cancelled", || server.sql(sleeping) == "0");
    assert_eq!(server.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'monitor'"), "0");
}

#[tokio::test]
async fn standbys_are_measured_from_both_ends() {
    let mut primary = PostgresServer::start(&[]);
    add_monitor(&primary);
    primary.sql("CREATE TABLE t (note text)");
    let standby = primary.standby();
    let streaming = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn IS NOT NULL";
    wait_until("the standby follows", || primary.sql(streaming) == "1");
    let (mut above, mut below) = (postgres(config(&primary)), postgres(config(&standby)));
    let caught_up = "SELECT pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()";
    wait_until("the standby caught up", || standby.sql(caught_up) == "t");
    let facts = good(poll(&mut above).await);
    assert_eq!(number(&facts, "standbys"), 1.0);
    assert!(number(&facts, "replication_lag_seconds") < 60.0);
    let facts = good(poll(&mut below).await);
    assert_eq!(facts.readings["is_replica"], Value::Bool(true));
    assert_eq!(number(&facts, "replication_lag_bytes"), 0.0);
    assert_eq!(number(&facts, "replication_lag_seconds"), 0.0);
    assert_eq!(facts.remarks, Vec::<String>::new());

    // A frozen standby is behind by what is written meanwhile, although its own figure of
    // the delay stands still.
    standby.signal_all(Signal::STOP);
    primary.sql("INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
    let facts = good(poll(&mut above).await);
    assert!(number(&facts, "replication_lag_bytes") > 1e6, "{:?}", facts.readings);
    assert!(number(&facts, "replication_lag_seconds") > 0.0);
    standby.signal_all(Signal::CONT);
    wait_until("the standby caught up", || standby.sql("SELECT count(*) FROM t") == "1000");

    primary.stop();
    let lost = "SELECT count(*) FROM pg_stat_wal_receiver";
    wait_until("the standby notices", || standby.sql(lost) == "0");
    let facts = good(poll(&mut below).await);
    assert!(facts.remarks[0].contains("this standby receives nothing"), "{:?}", facts.remarks);
    assert!(number(&facts, "replication_lag_seconds") > 0.0);
}

/// Refuses the parameter `options` at the start of a session, as poolers do; hands every
/// other session through.
fn pooler(server: &PostgresServer) -> RawServer {
    let port = server.port;
    RawServer::start(move |exchange| {
        let mut length = [0; 4];
        if exchange.stream.read_exact(&mut length).is_err() {
            return;
        }
        let mut start = vec![0; u32::from_be_bytes(length) as usize - 4];
        exchange.stream.read_exact(&mut start).expect("the rest of it");
        if start.windows(8).any(|window| window == b"options\0") {
            let fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
            let length = u32::try_from(fields.len() + 4).expect("a short message");
            exchange.send(&[&b"E"[..], &length.to_be_bytes()[..], &fields[..]].concat());
            return;
        }
        let mut behind = TcpStream::connect(("127.0.0.1", port)).expect("the server");
        behind.write_all(&[&length[..], &start[..]].concat()).expect("sent");
        let (mut from, mut to) =
            (behind.try_clone().expect("a clone"), exchange.stream.try_clone().expect("a clone"));
        let back = std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut exchange.stream, &mut behind);
        let _ = behind.shutdown(std::net::Shutdown::Both);
        let _ = back.join();
    })
}

#[tokio::test]
async fn a_pooler_that_refuses_settings_is_worked_with() {
    let server = PostgresServer::start(&[]);
    add_monitor(&server);
    let pooler = pooler(&server);
    let mut config = config(&server);
    config.port = pooler.port;
    config.statement_timeout = Duration::from_millis(300);
    // Outside of the transaction, nothing is left set: the pooler may give the connection
    // to somebody else.
    let left = "COMMIT; SELECT current_setting('default_transaction_read_only') AS read_only, \
                current_setting('statement_timeout') AS time_limit";
    config.queries = vec!["SELECT pg_sleep(60) AS slow".into(), left.into()];
    let mut source = postgres(config);
    let facts = good(poll(&mut source).await);
    assert_eq!(facts.readings["read_only"], Value::Text("off".into()));
    assert_eq!(facts.readings["time_limit"], Value::Number(0.0));
    assert!(number(&facts, "connections") >= 1.0);
    assert!(facts.remarks.iter().any(|r| r.contains("statement timeout")), "{:?}", facts.remarks);
    good(poll(&mut source).await);
}

#[tokio::test]
async fn a_silent_port_is_a_timeout() {
    let silent = RawServer::start(|exchange| exchange.hang());
    let server = PostgresServer::prepare(&[]);
    let mut config = config(&server);
    config.port = silent.port;
    let mut source = source(SourceKind::Postgres(Box::new(config)), SHORT);
    bad(poll(&mut source).await, FailureKind::Timeout, "no login within 700ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encryption_is_as_configured() {
    let authority = Authority::new();
    let server = PostgresServer::start_tls(&authority.leaf(&["localhost"]), &[]);
    add_monitor(&server);
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'watchfloor'";
    let with = |mode: SslMode, host: &str, tls: TlsOptions| {
        let config = config(&server);
        postgres(PostgresSource { sslmode: mode, host: host.to_owned(), tls, ..config })
    };
    let trusted = || trusting(&authority.root);
    let unverified = "the server's certificate is not verified";

    let mut verified = with(SslMode::VerifyFull, "localhost", trusted());
    let facts = good(poll(&mut verified).await);
    assert_eq!(facts.remarks, Vec::<String>::new());
    assert_eq!(server.sql(encrypted), "t");
    drop(verified);
    let failure = poll(&mut with(SslMode::VerifyFull, "127.0.0.1", trusted())).await;
    bad(failure, FailureKind::Tls, "not for 127.0.0.1: it names localhost");
    let failure = poll(&mut with(SslMode::VerifyFull, "localhost", TlsOptions::default())).await;
    bad(failure, FailureKind::Tls, "not trusted");

    for mode in [SslMode::Require, SslMode::Prefer] {
        let mut source = with(mode, "127.0.0.1", TlsOptions::default());
        assert_eq!(good(poll(&mut source).await).remarks, [unverified]);
        wait_until("only encrypted sessions are left", || server.sql(encrypted) == "t");
    }
    let mut plain = with(SslMode::Disable, "127.0.0.1", TlsOptions::default());
    assert_eq!(good(poll(&mut plain).await).remarks, Vec::<String>::new());
    assert_eq!(server.sql(encrypted), "f");
}

#[tokio::test]
async fn a_server_without_tls_or_with_an_expired_certificate_is_told() {
    let plain = PostgresServer::start(&[]);
    add_monitor(&plain);
    let with = |server: &PostgresServer, mode| {
        postgres(PostgresSource { sslmode: mode, ..config(server) })
    };
    let facts = good(poll(&mut with(&plain, SslMode::Prefer)).await);
    assert_eq!(facts.remarks, ["not encrypted: the server does not offer TLS"]);
    for mode in [SslMode::Require, SslMode::VerifyFull] {
        bad(poll(&mut with(&plain, mode)).await, FailureKind::Tls, "does not offer TLS");
    }

    let authority = Authority::new();
    let expired = PostgresServer::start_tls(&authority.expired(&["127.0.0.1"]), &[]);
    let tls = trusting(&authority.root);
    let config = PostgresSource { sslmode: SslMode::VerifyFull, tls, ..config(&expired) };
    bad(poll(&mut postgres(config)).await, FailureKind::Tls, "expired on 2025-01-01");
}

#[tokio::test]
async fn a_socket_is_reached_without_a_password() {
    let server = PostgresServer::start(&[]);
    add_monitor(&server);
    let mut config = config(&server);
    config.host = server.dir.path().to_str().expect("a plain path").to_owned();
    config.password = None;
    config.sslmode = SslMode::VerifyFull;
    let facts = good(poll(&mut postgres(config)).await);
    assert!(number(&facts, "connections") >= 1.0);
}

#[tokio::test]
async fn a_statement_of_its_own_interval_is_asked_no_more_often() {
    let server = PostgresServer::start(&[]);
    add_monitor(&server);
    server.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1); GRANT SELECT ON t TO monitor");
    let mut config = config(&server);
    let seldom = Statement {
        every: Duration::from_secs(3_600),
        ..Statement::from("SELECT count(*) AS seldom FROM t")
    };
    let gone = Statement {
        columns: vec!["gone".to_owned()],
        ..Statement::from("SELECT count(*) AS gone FROM not_there")
    };
    config.queries = vec![seldom, "SELECT count(*) AS always FROM t".into(), gone];
    let mut source = postgres(config);
    let facts = good(poll(&mut source).await);
    assert_eq!((number(&facts, "seldom"), number(&facts, "always")), (1.0, 1.0));
    server.sql("INSERT INTO t VALUES (2)");
    let facts = good(poll(&mut source).await);
    assert_eq!((number(&facts, "seldom"), number(&facts, "always")), (1.0, 2.0));
    // It never worked, and it is known what it would have said and what is to be done.
    let why = missing(&facts, "gone");
    assert!(why.contains("not_there") && why.contains("what it is called"), "{why}");
}
