//! The containers and images, as files that the stand-in of docker reads and writes, and the
//! project's directory with its scripts.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use jiff::Timestamp;

use super::super::super::postgres;

/// The compose project.
pub(super) const PROJECT: &str = "redcube3_xhs";
/// The services, and the images that they have at first.
const SERVICES: [&str; 5] = ["content-service", "gateway", "postgres", "redis", "user-service"];
/// The image of the content service that works, and the one that does not.
const GOOD_IMAGE: &str = "sha256:9f0d35c1a7e2";
const BAD_IMAGE: &str = "sha256:bad0e84d6b13";

const DOCKER: &str = include_str!("docker.sh");
/// The options of docker that are given to it.
const OPTIONS: &str = "--all --filter --force-recreate --follow --format --no-build --no-color \
                       --no-deps --no-stream --no-trunc --since --tail --timestamps";
const COMPOSE: &str = include_str!("project/docker-compose.yml");
const FULL_ROLLBACK: &str = include_str!("project/full-rollback.sh");
const ROLLBACK_DEPLOYMENT: &str = include_str!("project/rollback-deployment.sh");
const ROLLBACK_MIGRATION: &str = include_str!("project/rollback-migration.sh");
/// The migration of the user sync, with a place for the way to the other database.
const MIGRATION: &str = include_str!("project/99-user-sync-trigger.sql");
const MIGRATION_BACK: &str = include_str!("project/99-rollback.sql");
/// Whether it is undone.
const MIGRATION_BACK_CHECK: &str = include_str!("project/99-rollback.check.sql");
/// What the compose file says where it hands the flags on.
const WIRED: &str = "      NODE_ENV: production\n      FEATURE_UGC_ANALYSIS: ${FEATURE_UGC_ANALYSIS}\n      \
                     BETA_USERS_ENABLED: ${BETA_USERS_ENABLED}\n";
const NOT_WIRED: &str = "      NODE_ENV: production\n";

/// The files.
#[derive(Clone, Debug)]
pub(super) struct Containers {
    root: PathBuf,
}

impl Containers {
    /// Writes everything, in a directory that is ours: every service runs, and the image that
    /// was there before a release is kept.
    pub(super) fn create(root: PathBuf, postgres: Option<&postgres::Plan>) -> io::Result<Self> {
        let all = Self { root };
        for name in [
            "",
            "bin",
            "project",
            "project/scripts",
            "backups",
            "state",
            "state/images",
            "state/containers",
            "state/logs",
            "state/docker-entrypoint-initdb.d",
            "project/rollback",
        ] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(all.root.join(name))?;
        }
        for service in SERVICES {
            all.create_container(service)?;
        }
        fs::write(all.state("built"), "")?;
        for service in ["content-service", "user-service", "gateway"] {
            all.name_image(service, "latest", GOOD_IMAGE)?;
        }
        for tag in ["previous", "prev-20260101T000000Z"] {
            all.name_image("content-service", tag, GOOD_IMAGE)?;
        }
        all.name_image("user-service", "previous", GOOD_IMAGE)?;
        all.write_programs(postgres)?;
        all.write_project()?;
        if let Some(plan) = postgres {
            let line = format!("127.0.0.1:{}:*:*:{}\n", plan.port(), plan.password());
            let mut open = fs::OpenOptions::new();
            let mut file =
                open.write(true).create_new(true).mode(0o600).open(all.state("pgpass"))?;
            io::Write::write_all(&mut file, line.as_bytes())?;
            let migration = migration(&plan.link("postgres"));
            fs::write(all.state("docker-entrypoint-initdb.d/99-user-sync-trigger.sql"), migration)?;
            fs::write(all.rollbacks().join("99.sql"), MIGRATION_BACK)?;
            fs::write(all.rollbacks().join("99.check.sql"), MIGRATION_BACK_CHECK)?;
        }
        Ok(all)
    }

    fn create_container(&self, service: &str) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).create(self.container(service, "env"))?;
        for (name, value) in [
            ("image", GOOD_IMAGE),
            ("restarts", "0"),
            ("oom", "false"),
            ("state", "running"),
            ("exit", "0"),
            ("health", ""),
            ("memory", "21.40"),
            ("cpu", "3.10"),
            ("operated", "0"),
        ] {
            self.put(service, name, value)?;
        }
        let an_hour_ago = Timestamp::now().as_second().saturating_sub(3_600);
        let started = Timestamp::from_second(an_hour_ago).unwrap_or(Timestamp::UNIX_EPOCH);
        self.put(service, "started", &format!("{started:.9}"))?;
        fs::write(self.log(service), "")
    }

    fn write_programs(&self, postgres: Option<&postgres::Plan>) -> io::Result<()> {
        let (programs, port) = match postgres {
            Some(plan) => (plan.programs().display().to_string(), plan.port()),
            None => ("/nonexistent".to_owned(), 0),
        };
        let docker = DOCKER
            .replace("@STATE@", &self.root.join("state").display().to_string())
            .replace("@PROJECT@", PROJECT)
            .replace("@PGBIN@", &programs)
            .replace("@PGPORT@", &port.to_string());
        // What is on the search path is no script of the operated system's: it hands everything on
        // to the one that answers, and names the options that this knows.
        program(&self.state("docker"), &docker)?;
        let answers = self.state("docker").display().to_string();
        let entrance = format!("#!/bin/sh -e\n# {OPTIONS}\nexec '{answers}' \"$@\"\n");
        program(&self.root.join("bin/docker"), &entrance)?;
        let compose = "#!/bin/sh\nexec \"$(dirname \"$0\")/docker\" compose \"$@\"\n";
        program(&self.root.join("bin/docker-compose"), compose)
    }

    fn write_project(&self) -> io::Result<()> {
        let project = self.project();
        fs::write(project.join("docker-compose.yml"), COMPOSE)?;
        // Without a line break at its end, as an editor left it.
        fs::write(project.join(".env"), "SECRET=demo")?;
        fs::write(project.join(".gitignore"), ".env*\n")?;
        for (name, text) in [
            ("full-rollback.sh", FULL_ROLLBACK),
            ("rollback-deployment.sh", ROLLBACK_DEPLOYMENT),
            ("rollback-migration.sh", ROLLBACK_MIGRATION),
        ] {
            program(&project.join("scripts").join(name), text)?;
        }
        // As of last night.
        for name in ["backup-20260101T000000Z.sql", "backup-users-20260101T000000Z.sql"] {
            fs::write(self.backups().join(name), "-- PostgreSQL database dump complete\n")?;
        }
        symlink(self.state("docker-entrypoint-initdb.d"), project.join("migrations"))
    }

    /// Where the programs are that stand in for others.
    pub(super) fn programs(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// The project's directory.
    pub(super) fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    /// The directory for backups.
    pub(super) fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    /// The directory for reviewed SQL that undoes migrations.
    pub(super) fn rollbacks(&self) -> PathBuf {
        self.project().join("rollback")
    }

    /// Makes the project a checkout of a repository beside it. False where git cannot.
    pub(super) fn check_out(&self) -> bool {
        let origin = self.root.join("origin.git").display().to_string();
        let as_somebody = ["-c", "user.name=demo", "-c", "user.email=demo@redcube.example"];
        let commit = [&as_somebody[..], &["commit", "-q", "-m", "As it runs"]].concat();
        let steps: [&[&str]; 5] = [
            &["init", "-q", "-b", "main"],
            &["add", "--all"],
            &commit,
            &["init", "-q", "--bare", "-b", "main", &origin],
            &["remote", "add", "origin", &origin],
        ];
        let git = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.args(arguments).current_dir(self.project());
            git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            git.status().is_ok_and(|status| status.success())
        };
        steps.into_iter().all(git) && git(&["push", "-q", "-u", "origin", "main"])
    }

    /// What a service has logged.
    pub(super) fn log(&self, service: &str) -> PathBuf {
        self.state("logs").join(service)
    }

    fn state(&self, name: &str) -> PathBuf {
        self.root.join("state").join(name)
    }

    fn container(&self, service: &str, name: &str) -> PathBuf {
        self.state("containers").join(service).join(name)
    }

    /// What a container's file says; empty where it is just being made anew.
    pub(super) fn get(&self, service: &str, name: &str) -> String {
        let text = fs::read_to_string(self.container(service, name)).unwrap_or_default();
        text.trim_end().to_owned()
    }

    /// Changes it, at once as a whole.
    pub(super) fn put(&self, service: &str, name: &str, value: &str) -> io::Result<()> {
        let new = self.container(service, &format!(".{name}-of-the-demo"));
        fs::write(&new, format!("{value}\n"))?;
        fs::rename(new, self.container(service, name))
    }

    fn name_image(&self, service: &str, tag: &str, id: &str) -> io::Result<()> {
        fs::write(
            self.state("images").join(format!("{PROJECT}-{service}:{tag}")),
            format!("{id}\n"),
        )
    }

    /// A release of the content service that fails, or the one before it again; the image
    /// that works is kept.
    pub(super) fn release(&self, bad: bool) -> io::Result<()> {
        let image = if bad { BAD_IMAGE } else { GOOD_IMAGE };
        self.name_image("content-service", "previous", GOOD_IMAGE)?;
        self.name_image("content-service", "latest", image)?;
        self.put("content-service", "image", image)?;
        self.start("content-service")
    }

    /// Whether the content service runs from the image that fails.
    pub(super) fn runs_bad(&self) -> bool {
        self.get("content-service", "image") == BAD_IMAGE
    }

    /// A container starts, by itself.
    pub(super) fn start(&self, service: &str) -> io::Result<()> {
        self.put(service, "state", "running")?;
        self.put(service, "started", &format!("{:.9}", Timestamp::now()))
    }

    /// Whether a service runs, and has had the time to start.
    pub(super) fn answers(&self, service: &str) -> bool {
        let started: Option<Timestamp> = self.get(service, "started").parse().ok();
        let up = started.is_none_or(|at| {
            Timestamp::now().as_millisecond().saturating_sub(at.as_millisecond()) > STARTS_IN
        });
        self.get(service, "state") == "running" && up
    }

    /// Whether the content service has been told to leave the analyses alone.
    pub(super) fn analyses_are_off(&self) -> bool {
        self.get("content-service", "env/FEATURE_UGC_ANALYSIS") == "false"
    }

    /// Makes the compose file hand the flags on, or not.
    pub(super) fn wire_flags(&self, wired: bool) -> io::Result<()> {
        let text = if wired { COMPOSE.replace(NOT_WIRED, WIRED) } else { COMPOSE.to_owned() };
        fs::write(self.project().join("docker-compose.yml"), text)
    }

    /// Makes dumps end before they are whole, or not.
    pub(super) fn cut_dumps(&self, cut: bool) -> io::Result<()> {
        let mark = self.state("dump-cut");
        if cut { fs::write(mark, "") } else { fs::remove_file(mark) }
    }
}

/// How long a service takes to start, in milliseconds.
const STARTS_IN: i64 = 1_000;

/// The migration of the user sync, with the way to the other database in it.
pub(super) fn migration(link: &str) -> String {
    MIGRATION.replace("@LINK@", link)
}

fn program(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}
