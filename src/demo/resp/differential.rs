//! The server held against the original: the same commands, the same answers.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use redis::{AsyncConnectionConfig, Value, aio::MultiplexedConnection};

use crate::demo::{redis_server::Site, ward::Ward};

/// Commands whose answers have to be the same, word by word, errors included. In order:
/// later ones see what earlier ones did.
const SAME: &[&str] = &[
    "PING",
    "PING hello",
    "PING a b",
    "ECHO hello",
    "GET none",
    "SET a 1",
    "GET a",
    "SET a 2 NX",
    "SET b 2 XX",
    "SET a 3 XX",
    "GET a",
    "SET a 4 EX 100",
    "TTL a",
    "SET a 5 KEEPTTL",
    "TTL a",
    "SET a 5 PX 100400",
    "TTL a",
    "SET a 6",
    "TTL a",
    "PTTL a",
    "TTL none",
    "PTTL none",
    "SET a 1 EX 0",
    "SET a 1 EX -5",
    "SET a 1 EX ten",
    "SET a 1 EX",
    "SET a 1 EX 5 PX 5",
    "SET a 1 NX XX",
    "SET a 1 SOON",
    "SET a",
    "EXPIRE a 50",
    "TTL a",
    "PEXPIRE a 70000",
    "TTL a",
    "EXPIRE a soon",
    "EXPIRE none 5",
    "EXPIRE a -1",
    "EXISTS a",
    "SET a 1",
    "SET b 1",
    "EXISTS a b b none",
    "TYPE a",
    "TYPE none",
    "ZADD z 1 one 2 two 3 three",
    "ZADD z 2.5 two",
    "ZADD z 1e400 far",
    "ZADD z one 1",
    "ZADD z 1 one 2",
    "ZADD a 1 one",
    "ZCARD z",
    "ZCARD none",
    "ZCARD a",
    "ZCOUNT z -inf +inf",
    "ZCOUNT z (1 3",
    "ZCOUNT z 1 (3",
    "ZCOUNT z 2.5 2.5",
    "ZCOUNT z 5 1",
    "ZCOUNT z low high",
    "ZCOUNT a 0 1",
    "ZCOUNT none 0 1",
    "TYPE z",
    "GET z",
    "ZREMRANGEBYSCORE z -inf (2.5",
    "ZCARD z",
    "ZREMRANGEBYSCORE none 0 1",
    "ZREMRANGEBYSCORE a 0 1",
    "ZREMRANGEBYSCORE z 0 x",
    "ZREMRANGEBYSCORE z -inf inf",
    "EXISTS z",
    "TYPE z",
    "DBSIZE",
    "DEL a none",
    "UNLINK b a",
    "DBSIZE",
    "MEMORY USAGE none",
    "MEMORY USAGE",
    "SCAN 0",
    "SCAN x",
    "SCAN 0 COUNT 0",
    "SCAN 0 COUNT x",
    "SCAN 0 MATCH",
    "SCAN 0 NEAR a",
    "SET key:1 x",
    "SCAN 0 MATCH key:* COUNT 1000",
    "SCAN 0 MATCH other:* COUNT 1000",
    "SCAN 0 TYPE string COUNT 1000",
    "SCAN 0 TYPE zset COUNT 1000",
    "SLOWLOG LEN",
    "SLOWLOG GET 10",
    "SLOWLOG GET -1",
    "SLOWLOG GET -2",
    "SLOWLOG GET x",
    "LATENCY LATEST",
    "ROLE",
    "CONFIG GET maxmemory",
    "CONFIG GET maxmemory-policy",
    "CONFIG GET no-such-setting",
    "CONFIG GET",
    "CLIENT SETNAME somebody",
    "CLIENT GETNAME",
    "CLIENT NOTHING",
    "CLIENT GETNAME x",
    "SELECT 0",
    "SELECT 1",
    "SELECT x",
    "AUTH wrong",
    "AUTH somebody wrong",
    "HELLO 9",
    "HELLO x",
    "HELLO 3 NOW",
    "GET",
    "GET a b",
    "DBSIZE x",
    "NOSUCH",
    "NOSUCH with 'some' arguments",
    "FLUSHEVERYTHING a b c",
];

async fn connect(url: &str) -> MultiplexedConnection {
    let limit = Some(Duration::from_secs(5));
    let settings =
        AsyncConnectionConfig::new().set_connection_timeout(limit).set_response_timeout(limit);
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection_with_config(&settings).await.unwrap()
}

/// The answer, or the error, as text. An error's text holds its code and its detail.
async fn answer(connection: &mut MultiplexedConnection, line: &str) -> String {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    match command.query_async::<Value>(connection).await {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?} {:?}", error.code(), error.detail()),
    }
}

async fn info(connection: &mut MultiplexedConnection) -> Vec<(String, String)> {
    let text: String = redis::cmd("INFO").query_async(connection).await.unwrap();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

async fn sites() -> (Site, Site, Arc<Ward>) {
    let ward = Arc::new(Ward::new().unwrap());
    let real = Site::start(Some(Arc::clone(&ward)), "secret".to_owned()).await.unwrap();
    assert!(real.is_program(), "install redis-server (Debian: apt-get install redis-server)");
    (real, Site::start(None, "secret".to_owned()).await.unwrap(), ward)
}

async fn compare(protocol: &str) {
    let (real, own, _ward) = sites().await;
    let (mut real, mut own) = (
        connect(&format!("{}?protocol={protocol}", real.url())).await,
        connect(&format!("{}?protocol={protocol}", own.url())).await,
    );
    let mut different = Vec::new();
    for line in SAME {
        let (expected, found) = (answer(&mut real, line).await, answer(&mut own, line).await);
        if found != expected {
            different.push(format!("{line}: {found} instead of {expected}"));
        }
    }
    assert!(different.is_empty(), "{protocol}: {different:#?}");
    let (real, own) = (info(&mut real).await, info(&mut own).await);
    for name in ["keyspace_hits", "keyspace_misses", "expired_keys", "db0", "maxmemory"] {
        let of = |fields: &[(String, String)]| {
            fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone())
        };
        assert_eq!(of(&own), of(&real), "{protocol}: INFO {name}");
    }
    let names = |fields: Vec<(String, String)>| -> BTreeSet<String> {
        fields.into_iter().map(|(name, _)| name).collect()
    };
    let (real, own) = (names(real), names(own));
    let invented: Vec<_> = own.difference(&real).collect();
    assert!(invented.is_empty(), "fields that the original does not have: {invented:?}");
}

#[tokio::test]
async fn answers_are_those_of_the_original_in_version_2() {
    compare("resp2").await;
}

#[tokio::test]
async fn answers_are_those_of_the_original_in_version_3() {
    compare("resp3").await;
}

#[tokio::test]
async fn strangers_are_told_the_same() {
    let (real, own, _ward) = sites().await;
    let mut told = Vec::new();
    for site in [&real, &own] {
        let url = site.url().replace(":secret@", ":guess@");
        let error = redis::Client::open(url.as_str()).unwrap();
        let error = error.get_multiplexed_async_connection().await.err().unwrap();
        let without = site.url().replace(":secret@", "");
        let mut connection = connect(&without).await;
        let refused = answer(&mut connection, "GET a").await;
        assert!(refused.contains("NOAUTH"), "{refused}");
        told.push((error.to_string(), refused, answer(&mut connection, "HELLO 3").await));
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn time_is_real_in_both() {
    let (real, own, _ward) = sites().await;
    for site in [&real, &own] {
        let mut connection = connect(&site.url()).await;
        answer(&mut connection, "SET short x PX 60").await;
        answer(&mut connection, "SET long x").await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        while answer(&mut connection, "DBSIZE").await != "int(1)" {
            assert!(tokio::time::Instant::now() < deadline, "the key does not expire");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let expired = info(&mut connection).await;
        assert!(expired.contains(&("expired_keys".to_owned(), "1".to_owned())));
        let bytes: i64 = redis::cmd("MEMORY")
            .arg("USAGE")
            .arg("long")
            .query_async(&mut connection)
            .await
            .unwrap();
        assert!((10..500).contains(&bytes), "{bytes}");
    }
}
