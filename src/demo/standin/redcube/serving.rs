//! How RedCube is started, and what happens in it between two looks.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use tokio::{sync::oneshot, task::JoinSet, time::sleep};

use super::{
    super::super::{
        Cast, DemoError, Ground,
        chance::{self, Dice},
        postgres::Plan,
        rental,
        stage::Stage,
    },
    BAD_IMAGE, DUMP_CUT, FLAG_WIRED, OOM, POSTGRES_DOWN,
    containers::{Containers, PROJECT},
    database,
    gateway::{self, ACCOUNT, USER_SERVICE},
    log,
};

/// How often the containers are looked after.
const EVERY: Duration = Duration::from_millis(250);
/// The share of its memory that the content service uses when it has just started, and how
/// much a leak adds each time it is looked after, in percent.
const FRESH: f64 = 21.4;
const LEAKS: f64 = 0.7;

/// The containers and what runs in them.
pub(super) struct Cube {
    pub(super) stage: Arc<Stage>,
    pub(super) containers: Containers,
    pub(super) dice: Dice,
    /// The key of the account that pays for the analyses.
    pub(super) key: String,
    /// The databases, where there are any.
    pub(super) plan: Option<Arc<Plan>>,
}

impl Cube {
    /// Turns a fault on or off; false where it was so already.
    fn fault(&self, name: &str, on: bool) -> bool {
        if !self.stage.switches.set(name, on) {
            return false;
        }
        let done = match name {
            BAD_IMAGE => self.containers.release(on),
            FLAG_WIRED => self.containers.wire_flags(on),
            DUMP_CUT => self.containers.cut_dumps(on),
            POSTGRES_DOWN => self.stop_postgres(on),
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.stage.say(format!("The stand-in could not do that: {error}"));
        }
        true
    }

    fn stop_postgres(&self, stopped: bool) -> io::Result<()> {
        if stopped {
            self.containers.put("postgres", "exit", "137")?;
            self.containers.put("postgres", "state", "exited")
        } else {
            self.containers.put("postgres", "exit", "0")?;
            self.containers.start("postgres")
        }
    }

    /// The memory of the content service, and what follows from it; the switch of its image.
    async fn look_after_content(&self) {
        let content = "content-service";
        let mut operated = self.containers.get(content, "operated");
        let mut memory = FRESH;
        loop {
            sleep(EVERY).await;
            let now = self.containers.get(content, "operated");
            if now != operated {
                operated = now;
                memory = FRESH;
                self.stage.switches.set(OOM, false);
                self.stage.switches.set(BAD_IMAGE, self.containers.runs_bad());
            }
            memory = if self.stage.switches.is_on(OOM) { memory + LEAKS } else { FRESH };
            let done = if memory > 99.0 {
                memory = FRESH;
                self.kill_content()
            } else {
                self.containers.put(content, "memory", &format!("{memory:.2}"))
            };
            if let Err(error) = done {
                self.stage.say(format!("The stand-in could not go on: {error}"));
            }
        }
    }

    /// The kernel kills it, and docker starts it again.
    fn kill_content(&self) -> io::Result<()> {
        let content = "content-service";
        let restarts: u32 = self.containers.get(content, "restarts").parse().unwrap_or(0);
        self.containers.put(content, "oom", "true")?;
        self.containers.put(content, "restarts", &(restarts + 1).to_string())?;
        self.containers.start(content)
    }
}

/// Starts the services on the ground that is prepared.
pub(in crate::demo) async fn start(
    ground: &mut Ground,
    tasks: &mut JoinSet<()>,
) -> Result<Cast, DemoError> {
    let stage = Arc::clone(&ground.stage);
    let ward = ground.ward.as_ref().ok_or_else(|| {
        DemoError::Files(io::Error::other("there is no shell that could watch over it"))
    })?;
    let plan = match ground.postgres(database::OWNER) {
        Ok(plan) => Ok(Arc::new(plan)),
        Err(reason) => Err(ground.without_postgres(reason)?),
    };
    let root = ward.directory().join("redcube");
    let containers = Containers::create(root, plan.as_deref().ok()).map_err(DemoError::Files)?;
    let key = format!("sk-or-demo-{}", chance::unguessable(24).map_err(DemoError::Random)?);
    let mut variables = variables(ground, &containers, &key);
    let own = containers.clone();
    if tokio::task::spawn_blocking(move || own.check_out()).await.unwrap_or(false) {
        variables.insert("REDCUBE_BRANCH".to_owned(), "main".to_owned());
    }
    let programs = containers.programs();
    let dice = Dice::new(ground.options.seed);
    let cube = Arc::new(Cube {
        stage: Arc::clone(&stage),
        containers,
        dice,
        key,
        plan: plan.clone().ok(),
    });
    let routes = gateway::routes().with_state(Arc::clone(&cube));
    if let Some(listener) = ground.listener.take() {
        tasks.spawn(rental::serve(listener, routes, stage));
    }
    tasks.spawn(live(Arc::clone(&cube)));
    let no_postgres = match plan {
        Ok(plan) => {
            for (name, database) in [
                ("REDCUBE_DATABASE_URL", database::OWNER),
                ("REDCUBE_USERS_DATABASE_URL", database::USERS),
            ] {
                variables.insert(name.to_owned(), plan.url(database));
            }
            let (ready, is_ready) = oneshot::channel();
            tasks.spawn(database::run(plan, Arc::clone(&cube), ready));
            ground.wait_for(is_ready).await?;
            None
        }
        Err(reason) => Some(reason),
    };
    let throw = Arc::new(move |fault: &str, on: bool| cube.fault(fault, on));
    Ok(Cast { throw, variables, no_postgres, programs: Some(programs) })
}

async fn live(cube: Arc<Cube>) {
    let work = async { tokio::join!(log::write(&cube), cube.look_after_content()) };
    // There is no result: the work ends only by being interrupted.
    let _ = cube.stage.until_over(work).await;
}

fn variables(ground: &Ground, containers: &Containers, key: &str) -> BTreeMap<String, String> {
    let base = ground.base();
    let path = |path: std::path::PathBuf| path.display().to_string();
    let pairs = [
        ("REDCUBE_URL", base.clone()),
        ("REDCUBE_USER_URL", format!("{base}{USER_SERVICE}")),
        ("REDCUBE_REDIS_URL", ground.site.url()),
        ("REDCUBE_PROJECT", PROJECT.to_owned()),
        ("REDCUBE_DIR", path(containers.project())),
        ("REDCUBE_BACKUPS", path(containers.backups())),
        ("REDCUBE_ROLLBACKS", path(containers.rollbacks())),
        ("OPENROUTER_API", format!("{base}{ACCOUNT}")),
        ("OPENROUTER_API_KEY", key.to_owned()),
        ("REDCUBE_ON_CALL", "on-call@redcube.example".to_owned()),
        ("REDCUBE_DATABASE_ADMIN", "database@redcube.example".to_owned()),
        ("REDCUBE_PRODUCT_OWNER", "product@redcube.example".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
