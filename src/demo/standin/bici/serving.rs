//! The agent behind its platform: what answers, and how it is started.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use tokio::{sync::oneshot, task::JoinSet};

use super::{
    super::super::{
        Cast, DemoError, Ground,
        agent::{self, Agent, Resolves},
        calls,
        chance::{self, Dice},
        monitoring_api, postgres,
        postgres::within,
        rental,
        stage::Stage,
        store::Store,
        world::Database,
    },
    BAD_BUILD, NOT_MOUNTED,
    checkout::Checkout,
    platform::{self, OWNER},
    render::{Render, SERVICE},
    render_api,
};

/// The owner of the data, and the name of the database.
const DATABASE: &str = "bici";

/// What the agent works on where it has no Redis.
const SCHEMA: &str = "
    CREATE TABLE leads (
        id int PRIMARY KEY,
        phone text NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
    );
    INSERT INTO leads SELECT n, '+1555' || n FROM generate_series(4100, 4400) n;
    ANALYZE leads;
";

/// The agent and its platform.
pub(super) struct Bici {
    pub(super) stage: Arc<Stage>,
    pub(super) agent: Arc<Agent>,
    /// Bearer token of the platform.
    pub(super) key: String,
    render: Mutex<Render>,
    database: Database,
    dice: Dice,
    /// None where there is no directory for it.
    checkout: Option<Checkout>,
}

impl Bici {
    /// The platform's state.
    pub(super) fn render(&self) -> MutexGuard<'_, Render> {
        self.render.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the switch follow what is live, after something else is.
    pub(super) fn served_changed(&self) {
        let bad = self.render().serves_bad();
        self.stage.switches.set(BAD_BUILD, bad);
    }

    /// Turns a fault on or off; false where it was so already.
    fn fault(&self, name: &str, on: bool) -> bool {
        if !self.stage.switches.set(name, on) {
            return false;
        }
        if let Some(checkout) = &self.checkout {
            checkout.tell(name, on);
        }
        if name == BAD_BUILD {
            let brings = self.render().push(on, Timestamp::now());
            self.agent.restart(brings.enabled);
        }
        true
    }
}

/// Starts the agent, those who call it, and its platform.
pub(in crate::demo) async fn start(
    ground: &mut Ground,
    tasks: &mut JoinSet<()>,
) -> Result<Cast, DemoError> {
    let stage = Arc::clone(&ground.stage);
    let store = Store::new(ground.redis()?, "bici-agent");
    let agent = Arc::new(Agent::new(Arc::clone(&stage), store, Resolves::Connection));
    let key = format!("rnd_demo-{}", chance::unguessable(24).map_err(DemoError::Random)?);
    let mut variables = variables(ground, &key);
    let root = ground.ward.as_ref().map(|ward| ward.directory().join("bici"));
    let checkout = root.map(Checkout::create).transpose().map_err(DemoError::Files)?;
    let programs = checkout.as_ref().map(Checkout::programs);
    if let Some(checkout) = &checkout {
        variables.insert("BICI_DIR".to_owned(), checkout.directory().display().to_string());
    }
    let bici = Arc::new(Bici {
        stage: Arc::clone(&stage),
        agent: Arc::clone(&agent),
        key,
        render: Mutex::new(Render::new(Timestamp::now())),
        database: Database::default(),
        dice: Dice::new(ground.options.seed),
        checkout,
    });
    calls::prepare(&agent).await;
    agent.check().await;
    let monitoring = monitoring_api::routes()
        .with_state(Arc::clone(&agent))
        .layer(from_fn_with_state(Arc::clone(&bici), at_the_edge));
    let platform = render_api::routes(Arc::clone(&bici))
        .merge(platform::routes(Arc::clone(&bici)))
        .with_state(Arc::clone(&bici));
    if let Some(listener) = ground.listener.take() {
        tasks.spawn(rental::serve(
            listener,
            Router::new().merge(monitoring).merge(platform),
            stage,
        ));
    }
    tasks.spawn(live(Arc::clone(&bici), ground.options.seed));
    let no_postgres = match ground.postgres(DATABASE) {
        Ok(plan) => {
            variables.insert("DATABASE_URL".to_owned(), plan.url(DATABASE));
            let (ready, is_ready) = oneshot::channel();
            tasks.spawn(keep_postgres(plan, Arc::clone(&bici), ready));
            ground.wait_for(is_ready).await?;
            None
        }
        Err(reason) => Some(ground.without_postgres(reason)?),
    };
    let throw = Arc::new(move |fault: &str, on: bool| bici.fault(fault, on));
    Ok(Cast { throw, variables, no_postgres, programs })
}

fn variables(ground: &Ground, key: &str) -> BTreeMap<String, String> {
    let pairs = [
        ("BICI_URL", ground.base()),
        ("REDIS_URL", ground.site.url()),
        ("RENDER_API", ground.base()),
        ("RENDER_API_KEY", key.to_owned()),
        ("RENDER_SERVICE_ID", SERVICE.to_owned()),
        ("RENDER_OWNER_ID", OWNER.to_owned()),
        ("BICI_INFRASTRUCTURE", "infrastructure@bici.example".to_owned()),
        ("BICI_INCIDENT_TEAM", "incidents@bici.example".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The platform answers itself where the agent does not run, and the agent where its routes
/// are not mounted.
async fn at_the_edge(State(bici): State<Arc<Bici>>, request: Request, next: Next) -> Response {
    if bici.render().is_suspended() {
        return (StatusCode::SERVICE_UNAVAILABLE, "Service Suspended").into_response();
    }
    if bici.render().serves_bad() {
        return (StatusCode::BAD_GATEWAY, "502 Bad Gateway").into_response();
    }
    if bici.stage.switches.is_on(NOT_MOUNTED) {
        let page = format!("Cannot {} {}", request.method(), request.uri().path());
        return (StatusCode::NOT_FOUND, page).into_response();
    }
    next.run(request).await
}

/// The agent looks after itself, and is called.
async fn live(bici: Arc<Bici>, seed: u64) {
    let work = async {
        tokio::join!(
            agent::look_after(&bici.agent),
            calls::run(&bici.agent, &bici.database, &bici.dice, seed),
        )
    };
    // There is no result: the work ends only by being interrupted.
    let _ = bici.stage.until_over(work).await;
}

/// Makes the database, keeps it busy with what the cache did not have, and ends it.
async fn keep_postgres(
    plan: postgres::Plan,
    bici: Arc<Bici>,
    ready: oneshot::Sender<Result<(), String>>,
) {
    let server = match bici.stage.until_over(plan.start()).await {
        None => return,
        Some(Ok(server)) => server,
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
            loop {
                // It ends by an error only; a new connection is made.
                let _ = keep_busy(&plan, &bici.database).await;
                tokio::time::sleep(postgres::PATIENCE).await;
            }
        }
    };
    if bici.stage.until_over(work).await.is_some() {
        bici.stage.stopping.cancelled().await;
    }
    // Its end is waited for, which blocks.
    let _ = tokio::task::spawn_blocking(move || drop(server)).await;
}

async fn prepare(plan: &postgres::Plan) -> Result<(), String> {
    let first = plan.answers().await?;
    within(first.batch_execute(&format!("CREATE DATABASE {DATABASE}"))).await?;
    within(plan.connect("watchfloor demo", DATABASE).await?.batch_execute(SCHEMA)).await
}

async fn keep_busy(plan: &postgres::Plan, database: &Database) -> Result<(), String> {
    let client = plan.connect("bici-agent", DATABASE).await?;
    loop {
        for _ in 0..database.take_owed().min(20) {
            within(client.query("SELECT phone FROM leads WHERE id = 4100", &[])).await?;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}
