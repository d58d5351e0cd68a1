//! The two databases: what is in them, the registrations that are taken over from one to the
//! other, and the server, which stops and starts as its container does.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::sleep};

use super::{
    super::super::{
        postgres::{Plan, within},
        ward::Process,
    },
    POSTGRES_DOWN, SYNC_BROKEN,
    containers::migration,
    serving::Cube,
};

/// The owner of the data, and the first of the two databases.
pub(super) const OWNER: &str = "postgres";
/// The second one.
pub(super) const USERS: &str = "redcube_users";
/// How often somebody registers or earns something, and how often it is looked after.
const EVERY: Duration = Duration::from_secs(3);
const LOOK_AFTER: Duration = Duration::from_millis(200);

const SCHEMA: &str = "
CREATE TABLE users (id int PRIMARY KEY, email text, created_at timestamp DEFAULT now());
CREATE TABLE reputation_events (id bigserial PRIMARY KEY, created_at timestamptz DEFAULT now());
INSERT INTO reputation_events (created_at) SELECT now() - n * interval '1 minute'
FROM generate_series(1, 50) n;
INSERT INTO users SELECT n, 'person' || n || '@example.com' FROM generate_series(1, 240) n;";

const USERS_SCHEMA: &str = "
CREATE TABLE users (id int PRIMARY KEY, email text, created_at timestamp DEFAULT now());
INSERT INTO users SELECT n, 'person' || n || '@example.com' FROM generate_series(1, 240) n;";

const REGISTER: &str = "
INSERT INTO users (id, email)
SELECT n, 'person' || n || '@example.com' FROM (SELECT coalesce(max(id), 0) + 1 AS n FROM users) AS x";

/// Makes the databases, and lets the server live as its container does.
pub(super) async fn run(
    plan: Arc<Plan>,
    cube: Arc<Cube>,
    ready: oneshot::Sender<Result<(), String>>,
) {
    let mut server = match cube.stage.until_over(plan.start()).await {
        None => return,
        Some(Ok(server)) => Some(server),
        Some(Err(error)) => {
            // Whoever waited has gone where the demo is being stopped.
            let _ = ready.send(Err(error.to_string()));
            return;
        }
    };
    let work = async {
        let made = prepare(&plan).await;
        let there = made.is_ok();
        let _ = ready.send(made);
        if there {
            tokio::join!(
                follow_container(&plan, &cube, &mut server),
                registrations(&plan, &cube),
                follow_sync(&plan, &cube)
            );
        }
    };
    if cube.stage.until_over(work).await.is_some() {
        cube.stage.stopping.cancelled().await;
    }
    // Its end is waited for, which blocks.
    let _ = tokio::task::spawn_blocking(move || drop(server)).await;
}

async fn prepare(plan: &Plan) -> Result<(), String> {
    let first = plan.answers().await?;
    within(first.batch_execute(SCHEMA)).await?;
    within(first.batch_execute(&format!("CREATE DATABASE {USERS}"))).await?;
    let users = plan.connect("watchfloor demo", USERS).await?;
    within(users.batch_execute(USERS_SCHEMA)).await?;
    within(users.batch_execute(&migration(&plan.link(OWNER)))).await
}

/// The server stops with its container and starts with it; a restart is a new server.
async fn follow_container(plan: &Plan, cube: &Cube, server: &mut Option<Process>) {
    let mut operated = cube.containers.get("postgres", "operated");
    loop {
        sleep(LOOK_AFTER).await;
        let now = cube.containers.get("postgres", "operated");
        if now != operated {
            operated = now;
            cube.stage.switches.set(POSTGRES_DOWN, false);
            end(server).await;
        }
        let runs = cube.containers.get("postgres", "state") == "running";
        if !runs {
            end(server).await;
        } else if server.as_mut().is_none_or(|server| server.ended().is_some()) {
            match plan.serve() {
                Ok(started) => *server = Some(started),
                Err(error) => cube.stage.say(format!("Postgres does not start: {error}")),
            }
        }
    }
}

async fn end(server: &mut Option<Process>) {
    let ended = server.take();
    // Its end is waited for, which blocks.
    let _ = tokio::task::spawn_blocking(move || drop(ended)).await;
}

/// People register and earn something.
async fn registrations(plan: &Plan, cube: &Cube) {
    loop {
        sleep(EVERY).await;
        // Without a database nobody registers.
        let _ = register(plan, cube).await;
    }
}

async fn register(plan: &Plan, cube: &Cube) -> Result<(), String> {
    let main = plan.connect("content-service", OWNER).await?;
    within(main.batch_execute("INSERT INTO reputation_events DEFAULT VALUES")).await?;
    if cube.containers.answers("user-service") {
        let users = plan.connect("user-service", USERS).await?;
        within(users.batch_execute(REGISTER)).await?;
    }
    Ok(())
}

/// Adds somebody; false where the address is there already.
pub(super) async fn add_user(cube: &Cube, email: &str) -> Result<bool, String> {
    let Some(plan) = &cube.plan else { return Err("there is no database".to_owned()) };
    let users = plan.connect("user-service", USERS).await?;
    let sql = "INSERT INTO users (id, email) SELECT coalesce(max(id), 0) + 1, $1 FROM users \
               HAVING coalesce(bool_or(email = $1), false) IS FALSE";
    within(users.execute(sql, &[&email])).await.map(|rows| rows == 1)
}

/// While the fault is on, the trigger is gone; once it is back and nobody is missing, the
/// fault is over.
async fn follow_sync(plan: &Plan, cube: &Cube) {
    let mut broken = false;
    loop {
        sleep(LOOK_AFTER).await;
        let wanted = cube.stage.switches.is_on(SYNC_BROKEN);
        if wanted && !broken {
            broken = break_sync(plan).await.is_ok();
        } else if broken && !wanted {
            // Somebody else has installed it again.
            broken = mend_sync(plan).await.is_err();
        } else if broken && is_whole(plan).await == Ok(true) {
            broken = false;
            cube.stage.switches.set(SYNC_BROKEN, false);
        }
    }
}

async fn break_sync(plan: &Plan) -> Result<(), String> {
    let users = plan.connect("user-service", USERS).await?;
    let gone = "DROP TRIGGER IF EXISTS trigger_sync_user_to_postgres ON users";
    within(users.batch_execute(gone)).await?;
    within(users.batch_execute(REGISTER)).await
}

async fn mend_sync(plan: &Plan) -> Result<(), String> {
    let users = plan.connect("user-service", USERS).await?;
    within(users.batch_execute(&migration(&plan.link(OWNER)))).await
}

async fn is_whole(plan: &Plan) -> Result<bool, String> {
    let users = plan.connect("user-service", USERS).await?;
    let sql = "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'trigger_sync_user_to_postgres') \
               AND NOT EXISTS (SELECT FROM v_user_sync_missing)";
    within(users.query_one(sql, &[])).await.map(|row| row.get(0))
}
