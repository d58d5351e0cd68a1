//! Rights, on real servers.

use crate::{
    Place,
    common::{certs::Authority, postgres::PostgresServer, servers::RedisServer},
};

fn redis(server: &RedisServer, user: &str) -> String {
    format!(
        "[source.cache]\nkind = \"redis\"\nurl = \"redis://{user}@127.0.0.1:{}\"\npassword = {{ env = \"CANARY_TOKEN\" }}\n\
         [action.clear]\nkind = \"redis\"\nguard = \"G2\"\nsource = \"cache\"\ndelete = [\"page:*\", \"list:*\"]\n\
         proof = [\"cache.keys == 0\"]\n",
        server.port
    )
}

#[test]
fn what_a_user_of_redis_lacks_comes_with_the_line_that_grants_it() {
    let server = RedisServer::start(&[]);
    server.cli(&["SET", "page:1", "x"]);
    server.cli(&[
        "ACL",
        "SETUSER",
        "ops",
        "on",
        ">hunter2-hunter2",
        "resetkeys",
        "~page:*",
        "-@all",
        "+ping",
        "+info",
        "+hello",
        "+select",
        "+scan",
        "+unlink",
        "+time",
    ]);
    let place = Place::new(&redis(&server, "ops"));
    let (report, code) = place.examine();
    assert_eq!(code, 2, "{}", report.0);
    report.says(
        "action",
        "clear",
        "critical",
        &["the user ops may not UNLINK", "ACL SETUSER ops ~list:*"],
    );
    report.says("source", "cache", "warning", &["may not DBSIZE", "+dbsize"]);
    assert_eq!(server.cli(&["GET", "page:1"]), "x", "nothing was deleted");
    assert_eq!(server.cli(&["DBSIZE"]), "1", "and nothing was left behind");

    server.cli(&["ACL", "SETUSER", "ops", "~list:*", "+dbsize", "+slowlog|get", "+latency|latest"]);
    let (report, _) = place.examine();
    report.says("action", "clear", "ok", &["the user ops may INFO, PING, SCAN, UNLINK"]);
    report.is_well("source", "cache");
    assert_eq!(server.cli(&["GET", "page:1"]), "x");
}

#[test]
fn the_access_list_is_asked_where_it_may_be() {
    let server = RedisServer::start(&[]);
    let all = ["ACL", "SETUSER", "ops", "on", ">hunter2-hunter2", "allkeys", "+@all", "-unlink"];
    server.cli(&all);
    let place = Place::new(&redis(&server, "ops"));
    let (report, _) = place.examine_only(&["action"]);
    report.says("action", "clear", "critical", &["the user ops may not UNLINK", "+unlink"]);
    let calls = server.cli(&["INFO", "commandstats"]);
    assert!(calls.contains("cmdstat_acl|dryrun:calls="), "{calls}");
    assert!(!calls.contains("cmdstat_unlink:calls="), "it was not sent: {calls}");
}

fn postgres(server: &PostgresServer, user: &str, query: &str) -> String {
    format!(
        "[source.db]\nkind = \"postgres\"\nurl = \"postgres://{user}@127.0.0.1:{}/postgres\"\npassword = {{ env = \"CANARY_TOKEN\" }}\n\
         queries = [\"{query}\"]\n",
        server.port
    )
}

#[test]
fn a_role_that_sees_only_itself_is_found() {
    let server = PostgresServer::start(&[]);
    server.sql(
        "CREATE TABLE orders(state text, acted int); INSERT INTO orders VALUES ('new', 0); \
         CREATE FUNCTION act() RETURNS int LANGUAGE sql AS 'UPDATE orders SET acted = 1 RETURNING 1'; \
         CREATE ROLE plain LOGIN PASSWORD 'hunter2-hunter2'; \
         CREATE ROLE ops LOGIN PASSWORD 'hunter2-hunter2' IN ROLE pg_monitor; \
         GRANT SELECT ON orders TO ops",
    );
    let query = "SELECT count(*) AS open FROM orders";
    let (report, code) = Place::new(&postgres(&server, "plain", query)).examine_only(&["source"]);
    assert_eq!(code, 2);
    report.says(
        "source",
        "db",
        "critical",
        &["plain does not see the sessions of others", "GRANT pg_monitor TO plain"],
    );
    report.says("source", "db", "critical", &["statement 1 would not run", "permission denied"]);

    let (report, code) = Place::new(&postgres(&server, "ops", query)).examine_only(&["source"]);
    report.says(
        "source",
        "db",
        "ok",
        &["the role ops sees all sessions, and its statement would run"],
    );
    assert_eq!(code, 0, "{}", report.0);
    assert_eq!(server.sql("SELECT acted FROM orders"), "0");
}

#[test]
fn the_certificate_of_postgres_is_looked_at_behind_its_own_request() {
    let authority = Authority::new();
    let leaf = authority.lasting(&["127.0.0.1"], 5);
    let server = PostgresServer::start_tls(&leaf, &[]);
    server.sql("CREATE ROLE ops LOGIN PASSWORD 'hunter2-hunter2' IN ROLE pg_monitor");
    let sections = format!(
        "[source.db]\nkind = \"postgres\"\nurl = \"postgres://ops@127.0.0.1:{}/postgres?sslmode=verify-full\"\n\
         password = {{ env = \"CANARY_TOKEN\" }}\nca_file = \"{}\"\n",
        server.port,
        authority.root.display()
    );
    let (report, _) = Place::new(&sections).examine_only(&["source"]);
    report.says("source", "db", "critical", &["the certificate of 127.0.0.1:", "in 5 days"]);
}
