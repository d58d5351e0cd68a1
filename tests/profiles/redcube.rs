//! The profile `redcube`: real databases, a real gateway, and a docker that has its oddities.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    common::{
        postgres::{PostgresServer, tool},
        servers::{NginxServer, RedisServer},
    },
    console::{Place, alerts, check, unanswered},
};

/// Faster than in production, and nothing else changed.
const FAST: &str = r#"
profile = "redcube"
[defaults]
interval = "1s"
timeout = "900ms"
[source.feature]
interval = "1s"
[source.backups]
interval = "1s"
[action.feature_off]
proof_within = "6s"
cooldown = "0s"
[action.image_back]
proof_within = "10s"
[action.rollback_content]
proof_within = "10s"
[action.rollback_script]
proof_within = "6s"
[action.full_rollback]
proof_within = "6s"
[action.backup]
proof_within = "10s"
cooldown = "0s"
"#;

/// The two databases and the views between them.
const SCHEMA: &str = "
CREATE TABLE users (id int PRIMARY KEY, email text, created_at timestamp DEFAULT now());
CREATE TABLE reputation_events (id serial, created_at timestamptz DEFAULT now());
INSERT INTO reputation_events DEFAULT VALUES;
INSERT INTO users SELECT n, 'person' || n || '@example.com' FROM generate_series(1, 3) n;";

fn users_schema(server: &PostgresServer) -> String {
    let socket = server.dir.path().display();
    let link = format!("host={socket} port={} user=postgres dbname=postgres", server.port);
    format!(
        "CREATE EXTENSION dblink;
CREATE TABLE users (id int PRIMARY KEY, email text, created_at timestamp DEFAULT now());
INSERT INTO users SELECT n, 'person' || n || '@example.com' FROM generate_series(1, 3) n;
CREATE FUNCTION sync_user() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER trigger_sync_user_to_postgres AFTER INSERT ON users
  FOR EACH ROW EXECUTE FUNCTION sync_user();
CREATE VIEW v_user_sync_status AS
  SELECT 'redcube_users'::text AS source_database, count(*) AS user_count,
         max(created_at) AS last_user_created FROM users
  UNION ALL
  SELECT 'postgres', n, t FROM dblink('{link}', 'SELECT count(*), max(created_at) FROM users')
    AS other(n bigint, t timestamp);
CREATE VIEW v_user_sync_missing AS
  SELECT u.id, u.email, u.created_at, 'MISSING'::text AS sync_status FROM users u
  WHERE u.id NOT IN (SELECT id FROM dblink('{link}', 'SELECT id FROM users') AS o(id int));"
    )
}

struct Desk {
    postgres: PostgresServer,
    _redis: RedisServer,
    _gateway: NginxServer,
    files: TempDir,
    place: Place,
}

impl Desk {
    fn new(text: &str) -> Self {
        let postgres = PostgresServer::start(&[]);
        postgres.sql(SCHEMA);
        postgres.sql("CREATE DATABASE redcube_users");
        let made = postgres
            .psql("postgres", &users_schema(&postgres))
            .args(["-d", "redcube_users"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let redis = RedisServer::start(&[]);
        let gateway = NginxServer::start(
            "server { listen 127.0.0.1:{port}; location / { return 200 '{}'; } }",
        );
        let files = tempfile::tempdir().unwrap();
        let place = place(text, &postgres, &redis, &gateway, &files);
        Self { postgres, _redis: redis, _gateway: gateway, files, place }
    }

    /// What the docker keeps under a name.
    fn docker(&self, name: &str) -> PathBuf {
        self.files.path().join("bin").join(name)
    }

    fn image(&self) -> String {
        fs::read_to_string(self.docker("running")).unwrap().trim().to_owned()
    }

    fn backups(&self) -> Vec<String> {
        let entries = fs::read_dir(self.files.path().join("backups")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn executable(path: PathBuf, text: &str) {
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A docker on the path, the project's directory with its scripts, and one for backups.
fn place(
    text: &str,
    postgres: &PostgresServer,
    redis: &RedisServer,
    gateway: &NginxServer,
    files: &TempDir,
) -> Place {
    let root = files.path();
    for directory in ["bin", "project/scripts", "backups"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let (pg, socket) = (tool("pg_dump"), postgres.dir.path().display());
    let docker = include_str!("docker.sh")
        .replace("$PGHOST_OF_TEST", &socket.to_string())
        .replace("$PGPORT_OF_TEST", &postgres.port.to_string())
        .replace("$PG/", &format!("{}/", pg.parent().unwrap().display()));
    executable(root.join("bin/docker"), &docker);
    let start =
        [("running", "bad0\n"), ("latest", "bad0\n"), ("previous", "900d\n"), ("starts", "1\n")];
    for (name, text) in start {
        fs::write(root.join("bin").join(name), text).unwrap();
    }
    // As the scripts are: the image that is found is never used, and success is printed.
    let script = "#!/bin/sh\nset -e\necho Found previous image: 900d\n\
                  docker stop content-service\ndocker start content-service\n\
                  echo '✅ Rollback successful!'\n";
    executable(root.join("project/scripts/rollback-deployment.sh"), script);
    let script = "#!/bin/sh\nset -e\nread -r go\n[ \"$go\" = yes ] || exit 0\nread -r migrations\n\
                  echo \"$go, $migrations\" > asked\nexport FEATURE_UGC_ANALYSIS=false\n\
                  ./scripts/rollback-deployment.sh content-service\n";
    executable(root.join("project/scripts/full-rollback.sh"), script);

    let path = format!("{}/bin:{}", root.display(), std::env::var("PATH").unwrap());
    let address = |name: &str| format!("postgres://postgres@127.0.0.1:{}/{name}", postgres.port);
    let (main, users) = (address("postgres"), address("redcube_users"));
    let url = format!("http://127.0.0.1:{}", gateway.port);
    let redis = format!("redis://127.0.0.1:{}", redis.port);
    let (project, backups) = (root.join("project"), root.join("backups"));
    let text = format!(
        "{text}\n[source.postgres]\npassword = {{ env = \"PG_PASSWORD\" }}\n\
         [source.users]\npassword = {{ env = \"PG_PASSWORD\" }}\n"
    );
    let environment = [
        ("PATH", path.as_str()),
        ("PG_PASSWORD", "superuser-password"),
        ("REDCUBE_URL", &url),
        ("REDCUBE_DATABASE_URL", &main),
        ("REDCUBE_USERS_DATABASE_URL", &users),
        ("REDCUBE_REDIS_URL", &redis),
        ("REDCUBE_PROJECT", "cube"),
        ("REDCUBE_DIR", project.to_str().unwrap()),
        ("REDCUBE_BACKUPS", backups.to_str().unwrap()),
        ("REDCUBE_ON_CALL", "+49 30 1"),
        ("REDCUBE_DATABASE_ADMIN", "+49 30 2"),
        ("REDCUBE_PRODUCT_OWNER", "+49 30 3"),
    ];
    Place::new(&text, &environment)
}

fn reason<'a>(document: &'a Value, id: &str) -> &'a str {
    check(document, id)["reason"].as_str().unwrap()
}

#[test]
fn a_whole_cube_is_seen_and_so_is_a_user_who_was_not_taken_over() {
    let desk = Desk::new("profile = \"redcube\"");
    for name in ["backup-20260101T000000Z.sql", "backup-users-20260101T000000Z.sql"] {
        fs::write(desk.files.path().join("backups").join(name), "-- done\n").unwrap();
    }
    let (code, document) = desk.place.check();
    let off = ["\"credits\": \"unconfigured\" null", "\"user_health\": \"unconfigured\" null"];
    assert_eq!(unanswered(&document), off);
    assert_eq!((code, &document["verdict"]), (0, &"ok".into()), "{}", document["reasons"]);
    let sync = reason(&document, "sync");
    assert!(sync.starts_with("users 3, users_synced 3"), "{sync}");
    assert_eq!(reason(&document, "services"), "running 3");
    assert!(!document.to_string().contains("example.com"), "people are counted, not shown");

    desk.postgres.sql("DELETE FROM users WHERE id = 2");
    let (code, document) = desk.place.check();
    assert_eq!(code, 2);
    assert!(reason(&document, "sync").contains("missing_users is 1"), "{document}");

    // Without its other half nothing can be said, and that is not zero.
    desk.postgres.sql("ALTER TABLE users RENAME TO people");
    let (_, document) = desk.place.check();
    assert_eq!(check(&document, "sync")["verdict"], "unknown", "{}", reason(&document, "sync"));
}

#[test]
fn failed_requests_are_counted_where_a_search_for_the_status_finds_none() {
    let desk = Desk::new(&format!(
        "{FAST}\n[rule.errors]\nfor = \"0s\"\n[rule.errors_high]\nwhen = \"content_log.error_rate > 9%\"\nfor = \"0s\""
    ));
    fs::write(desk.docker("failing"), "yes").unwrap();
    let document = desk.place.watch(8).state();
    let firing = alerts(&document, &["firing"]);
    assert!(firing.contains(&"errors_high"), "{firing:?}: {}", reason(&document, "content_log"));
    assert_eq!(reason(&document, "content_log"), "requests 40, failed 4");
    assert!(!document.to_string().contains("agent-canary"));
}

#[test]
fn a_script_that_prints_success_is_refuted_and_the_roll_back_that_works_is_confirmed() {
    let desk = Desk::new(FAST);
    let mut console = desk.place.armed();
    assert_eq!(console.run_disruptive("rollback_script", "redcube/production"), "refuted");
    assert_eq!(desk.image(), "bad0");
    assert_eq!(console.run("image_back"), "confirmed");
    assert_eq!(desk.image(), "bad0", "a name is no container");
    assert_eq!(console.run_disruptive("rollback_content", "redcube/production"), "confirmed");
    assert_eq!(desk.image(), "900d");
}

#[test]
fn a_script_that_asks_is_answered_and_not_believed() {
    let desk = Desk::new(FAST);
    let mut console = desk.place.armed();
    assert_eq!(console.run_disruptive("full_rollback", "redcube/production"), "refuted");
    let asked = fs::read_to_string(desk.files.path().join("project/asked")).unwrap();
    assert_eq!(asked, "yes, no\n");
    assert_eq!(desk.image(), "bad0");
}

#[test]
fn a_flag_counts_once_the_service_has_it_and_a_backup_once_it_is_whole() {
    let desk = Desk::new(FAST);
    let mut console = desk.place.armed();
    // The compose file does not hand the flag on: all ends well, and nothing is off.
    assert_eq!(console.run("feature_off"), "refuted");
    fs::write(desk.docker("wired"), "yes").unwrap();
    assert_eq!(console.run("feature_off"), "confirmed");
    assert_eq!(fs::read_to_string(desk.docker("flag")).unwrap(), "false\n");

    fs::write(desk.docker("cut"), "yes").unwrap();
    assert_eq!(console.run_at_once("backup"), "failed");
    assert!(desk.backups().iter().all(|name| name.ends_with(".part")), "{:?}", desk.backups());
    fs::remove_file(desk.docker("cut")).unwrap();
    assert_eq!(console.run_at_once("backup"), "confirmed");
    let whole = desk.backups().into_iter().find(|name| name.ends_with(".sql")).unwrap();
    let dump = fs::read_to_string(desk.files.path().join("backups").join(whole)).unwrap();
    assert!(dump.contains("person2@example.com"));
}
