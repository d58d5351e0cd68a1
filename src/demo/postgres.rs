//! A private Postgres, where one is installed: made and started in the background, with a
//! light load that follows the requests of the service.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Client, Config, NoTls};

use super::{
    chance,
    fault::BLOCKED_SESSION,
    redis_server::on_path,
    ward::{Gently, Port, Process, Ward},
    world::World,
};

/// The owner of the data, and the name of the database.
const USER: &str = "exodrive";
/// The account that runs it where we are root, which Postgres refuses to be.
const ACCOUNT: &str = "postgres";
/// How long its data may take to be made, it to start, and a statement to be carried out.
const MADE_WITHIN: Duration = Duration::from_secs(60);
const STARTS_WITHIN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the load does what has come up since, and how much of it at most.
const LOAD_EVERY: Duration = Duration::from_millis(500);
const MOST_QUERIES: u64 = 20;

/// The bookings. Row 1 is the one that is fought over.
const SCHEMA: &str = "
    CREATE TABLE bookings (
        id int PRIMARY KEY,
        car int NOT NULL,
        status text NOT NULL,
        payment_capture_scheduled_at timestamptz,
        payment_capture_attempted_at timestamptz,
        payment_captured_at timestamptz,
        updated_at timestamptz NOT NULL DEFAULT now()
    );
    INSERT INTO bookings
    SELECT n, n % 40, CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'confirmed' END,
           now() + n * interval '20 seconds', NULL, NULL
    FROM generate_series(1, 1000) n;
    ANALYZE bookings;
";

/// What the cron job of the service does: captures the payments that are due.
const CAPTURE: &str = "
    UPDATE bookings SET payment_capture_attempted_at = now(), payment_captured_at = now()
    WHERE id > 1 AND status = 'confirmed' AND payment_captured_at IS NULL
      AND payment_capture_scheduled_at <= now()";

/// A Postgres that can be started.
#[derive(Debug)]
pub(super) struct Plan {
    programs: PathBuf,
    account: Option<(u32, u32)>,
    port: Port,
    password: String,
    ward: Arc<Ward>,
}

impl Plan {
    /// Finds the programs and takes a port; or says in words why there will be no Postgres.
    pub(super) fn make(ward: Option<Arc<Ward>>) -> Result<Self, String> {
        let ward = ward.ok_or("there is no shell that could watch over it")?;
        let programs = programs()
            .ok_or("initdb and postgres are neither on the PATH nor below /usr/lib/postgresql")?;
        let account = if rustix::process::geteuid().is_root() {
            let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
            let reason = "it does not run as root, and there is no account `postgres`";
            Some(account(&accounts, ACCOUNT).ok_or(reason)?)
        } else {
            None
        };
        let port = Port::take().map_err(|error| format!("no port for it: {error}"))?;
        let password =
            chance::unguessable(32).map_err(|error| format!("no password for it: {error}"))?;
        Ok(Self { programs, account, port, password, ward })
    }

    /// Where to connect. Holds the password.
    pub(super) fn url(&self) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{USER}", self.password, self.port.number())
    }

    /// Makes the data, starts the server, keeps it busy until the service stops, ends it.
    pub(super) async fn run(self, world: Arc<World>) {
        let stopping = world.stopping.clone();
        let server = match stopping.run_until_cancelled(self.start()).await {
            None => return,
            Some(Ok(server)) => server,
            Some(Err(error)) => {
                world.say(format!("The demo has no Postgres: {error}"));
                return;
            }
        };
        let work = async {
            match self.prepare().await {
                Ok(()) => _ = tokio::join!(self.load(&world), self.block(&world)),
                Err(error) => world.say(format!("The demo's Postgres has no data: {error}")),
            }
        };
        if stopping.run_until_cancelled(work).await.is_some() {
            stopping.cancelled().await;
        }
        // Its end is waited for, which blocks.
        let _ = tokio::task::spawn_blocking(move || drop(server)).await;
    }

    async fn start(&self) -> io::Result<Process> {
        let data = self.ward.directory().join("postgres");
        fs::DirBuilder::new().mode(0o700).create(&data)?;
        let password = self.ward.directory().join("postgres-password");
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&password)?;
        io::Write::write_all(&mut file, self.password.as_bytes())?;
        if let Some((user, group)) = self.account {
            chown(&data, Some(user), Some(group))?;
            chown(&password, Some(user), Some(group))?;
        }
        let mut initdb = self.command("initdb");
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]);
        initdb.args(["--username", USER, "--pwfile"]).arg(&password).arg("--pgdata").arg(&data);
        let made = self.finish(&mut initdb).await;
        fs::remove_file(&password)?;
        made?;
        self.ward.spawn(&mut self.server(&data), Gently::Quit)
    }

    /// The server: nothing is synced to the disk, nothing is replicated, no socket file.
    fn server(&self, data: &Path) -> Command {
        let mut server = self.command("postgres");
        server.arg("-D").arg(data).arg("-p").arg(self.port.number().to_string());
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "synchronous_commit=off",
            "max_connections=30",
            "shared_buffers=16MB",
            "dynamic_shared_memory_type=mmap",
            "wal_level=minimal",
            "max_wal_senders=0",
            "max_wal_size=64MB",
            "jit=off",
        ] {
            server.arg("-c").arg(setting);
        }
        server
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.ward.directory()).env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    async fn finish(&self, command: &mut Command) -> io::Result<()> {
        let mut process = self.ward.spawn(command, Gently::Kill)?;
        let ended = async {
            loop {
                match process.ended() {
                    None => sleep(Duration::from_millis(50)).await,
                    Some(true) => return Ok(()),
                    Some(false) => return Err(io::Error::other("initdb failed")),
                }
            }
        };
        timeout(MADE_WITHIN, ended).await.map_err(io::Error::other)?
    }

    fn config(&self, application: &str, database: &str) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port.number()).user(USER).password(&self.password);
        config.dbname(database).application_name(application).connect_timeout(PATIENCE);
        config
    }

    async fn connect(&self, application: &str) -> Result<Client, String> {
        connect(&self.config(application, USER)).await
    }

    /// Waits until it answers, then makes the database and what is in it.
    async fn prepare(&self) -> Result<(), String> {
        let config = self.config("watchfloor demo", "postgres");
        let deadline = Instant::now() + STARTS_WITHIN;
        let first = loop {
            match connect(&config).await {
                Ok(client) => break client,
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        };
        within(first.batch_execute(&format!("CREATE DATABASE {USER}"))).await?;
        within(self.connect("watchfloor demo").await?.batch_execute(SCHEMA)).await
    }

    /// Carries out as many queries as the service has asked for, up to a bound.
    async fn load(&self, world: &World) {
        loop {
            if let Ok(client) = self.connect("exodrive-api").await {
                // It ends by an error only; a new connection is made.
                let _ = keep_busy(&client, world).await;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// While the fault is on, one session holds a row and idles, and another waits for it.
    async fn block(&self, world: &World) {
        loop {
            let changed = world.switches.changed.notified();
            if world.switches.is_on(BLOCKED_SESSION) {
                if self.hold_row(world).await.is_err() {
                    sleep(Duration::from_secs(1)).await;
                }
            } else {
                changed.await;
            }
        }
    }

    async fn hold_row(&self, world: &World) -> Result<(), String> {
        let holder = self.connect("exodrive-migration").await?;
        let waiter = self.connect("exodrive-booking").await?;
        within(holder.batch_execute("BEGIN; UPDATE bookings SET car = car WHERE id = 1")).await?;
        // This one has no timeout of its own: waiting is what it is there for.
        let waiting = waiter.batch_execute("UPDATE bookings SET status = 'confirmed' WHERE id = 1");
        tokio::pin!(waiting);
        loop {
            let changed = world.switches.changed.notified();
            if !world.switches.is_on(BLOCKED_SESSION) {
                break;
            }
            tokio::select! {
                () = changed => {}
                // Somebody has ended one of the two sessions from outside.
                ended = &mut waiting => return ended.map_err(|error| error.to_string()),
            }
        }
        within(holder.batch_execute("ROLLBACK")).await?;
        within(waiting).await
    }
}

/// The result of something that is asked of the server, in time.
async fn within<T, F>(asked: F) -> Result<T, String>
where
    F: Future<Output = Result<T, tokio_postgres::Error>>,
{
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("it did not answer in time".to_owned()),
    }
}

async fn connect(config: &Config) -> Result<Client, String> {
    let (client, connection) = within(config.connect(NoTls)).await?;
    // It ends with the client; its error is the client's as well.
    tokio::spawn(async move { connection.await.is_ok() });
    Ok(client)
}

async fn keep_busy(client: &Client, world: &World) -> Result<(), String> {
    let select = within(client.prepare("SELECT status FROM bookings WHERE car = $1")).await?;
    let update =
        within(client.prepare("UPDATE bookings SET updated_at = now() WHERE id = $1")).await?;
    let mut number = 0_i32;
    loop {
        for _ in 0..world.database.take_owed().min(MOST_QUERIES) {
            number = (number + 1) % 900;
            within(client.query(&select, &[&(number % 40)])).await?;
            // Never the row that is fought over.
            within(client.execute(&update, &[&(number + 2)])).await?;
        }
        within(client.batch_execute(CAPTURE)).await?;
        sleep(LOAD_EVERY).await;
    }
}

/// The directory of the newest `initdb` that has a `postgres` beside it; what is on the
/// search path comes first.
fn programs() -> Option<PathBuf> {
    let complete =
        |directory: &Path| ["initdb", "postgres"].iter().all(|name| directory.join(name).is_file());
    let on_path = on_path("initdb").and_then(|file| Some(file.parent()?.to_path_buf()));
    if let Some(directory) = on_path.filter(|directory| complete(directory)) {
        return Some(directory);
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, directory)| complete(directory))
        .collect();
    versions.sort();
    versions.pop().map(|(_, directory)| directory)
}

/// The numbers of a user and its group, from the text of the list of accounts.
fn account(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = accounts
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
    let user = fields.nth(1)?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some((user, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\npostgresql:x:7:8::/:/bin/sh\n\
                        broken\npostgres:x:102:105:PostgreSQL,,,:/var/lib:/bin/bash\n";
        assert_eq!(account(accounts, "postgres"), Some((102, 105)));
        assert_eq!(account(accounts, "nobody"), None);
    }
}
