//! A private Postgres, where one is installed: made, started, and connected to. What is in it
//! is the business of the system that it belongs to.

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
    redis_server::on_path,
    ward::{Gently, Port, Process, Ward},
};

/// The account that runs it where we are root, which Postgres refuses to be.
const ACCOUNT: &str = "postgres";
/// How long its data may take to be made, it to start, and a statement to be carried out.
const MADE_WITHIN: Duration = Duration::from_secs(60);
const STARTS_WITHIN: Duration = Duration::from_secs(30);
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A Postgres that can be started.
#[derive(Debug)]
pub(super) struct Plan {
    programs: PathBuf,
    account: Option<(u32, u32)>,
    port: Port,
    password: String,
    owner: &'static str,
    ward: Arc<Ward>,
}

impl Plan {
    /// Finds the programs and takes a port; or says in words why there will be no Postgres.
    /// `owner` is its superuser.
    pub(super) fn make(ward: Option<Arc<Ward>>, owner: &'static str) -> Result<Self, String> {
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
        Ok(Self { programs, account, port, password, owner, ward })
    }

    /// Where to connect to a database. Holds the password.
    pub(super) fn url(&self, database: &str) -> String {
        let (owner, port) = (self.owner, self.port.number());
        format!("postgres://{owner}:{}@127.0.0.1:{port}/{database}", self.password)
    }

    /// The words that a client of Postgres takes to find a database. Holds the password.
    pub(super) fn link(&self, database: &str) -> String {
        let (owner, port) = (self.owner, self.port.number());
        format!(
            "host=127.0.0.1 port={port} user={owner} password={} dbname={database}",
            self.password
        )
    }

    /// Where its programs are.
    pub(super) fn programs(&self) -> &Path {
        &self.programs
    }

    /// The port that it listens on.
    pub(super) fn port(&self) -> u16 {
        self.port.number()
    }

    /// The password of its owner.
    pub(super) fn password(&self) -> &str {
        &self.password
    }

    fn data(&self) -> PathBuf {
        self.ward.directory().join("postgres")
    }

    /// Makes the data and starts the server on it.
    pub(super) async fn start(&self) -> io::Result<Process> {
        let data = self.data();
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
        initdb
            .args(["--username", self.owner, "--pwfile"])
            .arg(&password)
            .arg("--pgdata")
            .arg(&data);
        let made = self.finish(&mut initdb).await;
        fs::remove_file(&password)?;
        made?;
        self.serve()
    }

    /// Starts the server on data that is there.
    pub(super) fn serve(&self) -> io::Result<Process> {
        self.ward.spawn(&mut self.server(&self.data()), Gently::Quit)
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
        config.host("127.0.0.1").port(self.port.number()).user(self.owner).password(&self.password);
        config.dbname(database).application_name(application).connect_timeout(PATIENCE);
        config
    }

    /// A connection, under the name of an application.
    pub(super) async fn connect(
        &self,
        application: &str,
        database: &str,
    ) -> Result<Client, String> {
        connect(&self.config(application, database)).await
    }

    /// Waits until it answers; a connection to the database that is always there.
    pub(super) async fn answers(&self) -> Result<Client, String> {
        let config = self.config("watchfloor demo", "postgres");
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            match connect(&config).await {
                Ok(client) => return Ok(client),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// The result of something that is asked of the server, in time.
pub(super) async fn within<T, F>(asked: F) -> Result<T, String>
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
