//! What the machine of whoever operates the rental service has on it: a directory for backups,
//! the migrations, and a file that tells the programs of Postgres where the database is.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

/// The migrations. Of the last two one breaks off half way, and one takes away what must stay.
const MIGRATIONS: [(&str, &str); 5] = [
    (
        "20250623_add_critical_performance_indexes.sql",
        include_str!("migrations/20250623_add_critical_performance_indexes.sql"),
    ),
    (
        "20250623_add_webhook_retries.sql",
        include_str!("migrations/20250623_add_webhook_retries.sql"),
    ),
    (
        "20250624000000_fix_booking_race_condition.sql",
        include_str!("migrations/20250624000000_fix_booking_race_condition.sql"),
    ),
    ("20250901000000_half_done.sql", include_str!("migrations/20250901000000_half_done.sql")),
    ("20250902000000_drop_pricing.sql", include_str!("migrations/20250902000000_drop_pricing.sql")),
];
/// How old the newest backup is.
const BACKED_UP_AGO: Duration = Duration::from_secs(7 * 3_600);
/// The section of the service file.
const SERVICE: &str = "exodrive";

/// The directories, below one that is gone when the demo is over.
pub(super) struct Desk {
    root: PathBuf,
}

impl Desk {
    /// Makes them. `link` is where the database is, in the words of its clients; it holds the
    /// password.
    pub(super) fn create(root: PathBuf, link: &str) -> io::Result<Self> {
        fs::DirBuilder::new().mode(0o700).create(&root)?;
        let desk = Self { root };
        for directory in [desk.backups(), desk.migrations()] {
            fs::DirBuilder::new().mode(0o700).create(directory)?;
        }
        for (name, text) in MIGRATIONS {
            write_private(&desk.migrations().join(name), text)?;
        }
        desk.leave_backup()?;
        let lines = link.replace(' ', "\n");
        write_private(&desk.service_file(), &format!("[{SERVICE}]\n{lines}\n"))?;
        Ok(desk)
    }

    /// The backup of some hours ago.
    fn leave_backup(&self) -> io::Result<()> {
        let made = SystemTime::now() - BACKED_UP_AGO;
        let at = Timestamp::try_from(made).map_err(io::Error::other)?;
        let path = self.backups().join(format!("exodrive-{}.dump", at.strftime("%Y%m%dT%H%M%SZ")));
        write_private(&path, "PGDMP")?;
        fs::File::options().write(true).open(path)?.set_modified(made)
    }

    /// Where backups are put.
    fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    /// Where the migrations are.
    fn migrations(&self) -> PathBuf {
        self.root.join("migrations")
    }

    fn service_file(&self) -> PathBuf {
        self.root.join("pg_service.conf")
    }

    /// The variables that name them.
    pub(super) fn variables(&self) -> [(String, String); 3] {
        [
            ("EXODRIVE_BACKUPS", self.backups()),
            ("EXODRIVE_MIGRATIONS", self.migrations()),
            ("EXODRIVE_PG_SERVICE_FILE", self.service_file()),
        ]
        .map(|(name, path)| (name.to_owned(), path.display().to_string()))
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
