//! The rental service: ExoDrive itself, or the mixture of the demo, in which the voice agent
//! runs beside it.

use std::{collections::BTreeMap, io, sync::Arc};

use axum::Router;
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    Cast, DemoError, Ground,
    agent::{self, Agent, Resolves},
    bookings, calls, cars, chance,
    desk::Desk,
    exodrive_api,
    fault::COLD_CACHE,
    monitoring_api, platform,
    platform::api as platform_api,
    staging,
    standin::System,
    store::Store,
    traffic, warming,
    world::{CACHE_PREFIXES, Credentials, World},
};

/// Starts the service, its customers and its chores on the ground that is prepared.
pub(super) async fn start(ground: &mut Ground, tasks: &mut JoinSet<()>) -> Result<Cast, DemoError> {
    let (options, stage) = (ground.options, Arc::clone(&ground.stage));
    let credentials = credentials().map_err(DemoError::Random)?;
    let mut variables = variables(ground, &credentials);
    let store = Store::new(ground.redis()?, "exodrive-api");
    let world =
        Arc::new(World::new(options.system, Arc::clone(&stage), store, credentials, options.seed));
    warming::warm(&world, &warming::Plan::EVERYTHING).await;
    traffic::prepare(&world).await;

    let mut routes = Router::new()
        .merge(exodrive_api::routes(Arc::clone(&world)))
        .merge(platform_api::routes(Arc::clone(&world)))
        .merge(staging::routes())
        .with_state(Arc::clone(&world));
    if options.system == System::Mixed {
        let store = Store::new(ground.redis()?, "bici-agent");
        let agent = Arc::new(Agent::new(Arc::clone(&stage), store, Resolves::Every));
        calls::prepare(&agent).await;
        agent.check().await;
        routes = routes.merge(monitoring_api::routes().with_state(Arc::clone(&agent)));
        variables.insert("BICI_URL".to_owned(), ground.base());
        tasks.spawn(talk(agent, Arc::clone(&world), options.seed));
    }
    if let Some(listener) = ground.listener.take() {
        tasks.spawn(serve(listener, routes, Arc::clone(&stage)));
    }
    tasks.spawn(traffic::run(Arc::clone(&world), options.seed));
    tasks.spawn(keep_cold(Arc::clone(&world)));
    let no_postgres = match ground.postgres(bookings::DATABASE) {
        Ok(plan) => {
            let name =
                if options.system == System::Mixed { "DEMO_POSTGRES_URL" } else { "DATABASE_URL" };
            variables.insert(name.to_owned(), plan.url(bookings::DATABASE));
            if let (System::ExoDrive, Some(ward)) = (options.system, &ground.ward) {
                let root = ward.directory().join("desk");
                let desk =
                    Desk::create(root, &plan.link(bookings::DATABASE)).map_err(DemoError::Files)?;
                variables.extend(desk.variables());
            }
            let (ready, is_ready) = tokio::sync::oneshot::channel();
            tasks.spawn(bookings::run(Arc::new(plan), Arc::clone(&world), ready));
            ground.wait_for(is_ready).await?;
            None
        }
        Err(reason) => Some(ground.without_postgres(reason)?),
    };
    let throw = Arc::new(move |fault: &str, on: bool| world.fault(fault, on));
    Ok(Cast { throw, variables, no_postgres, programs: None })
}

/// Answers requests until the story is over.
pub(super) async fn serve(listener: TcpListener, routes: Router, stage: Arc<super::stage::Stage>) {
    let serving = axum::serve(listener, routes);
    // It only ends when it is told to.
    let _ = serving.with_graceful_shutdown(stage.stopping.clone().cancelled_owned()).await;
}

/// The agent looks after itself, and is called.
async fn talk(agent: Arc<Agent>, world: Arc<World>, seed: u64) {
    let work = async {
        tokio::join!(
            agent::look_after(&agent),
            calls::run(&agent, &world.database, &world.dice, seed)
        )
    };
    // There is no result: the work ends only by being interrupted.
    let _ = world.stage.until_over(work).await;
}

/// A cache that is to be cold is emptied.
async fn keep_cold(world: Arc<World>) {
    let work = async {
        let mut was_cold = false;
        loop {
            let changed = world.stage.switches.changed.notified();
            let cold = world.stage.switches.is_on(COLD_CACHE);
            if cold && !was_cold && world.store.clear(CACHE_PREFIXES).await.is_err() {
                world.stage.say("The cache could not be emptied: Redis does not answer.");
            }
            was_cold = cold;
            changed.await;
        }
    };
    let _: Option<()> = world.stage.until_over(work).await;
}

fn credentials() -> io::Result<Credentials> {
    Ok(Credentials {
        admin_token: format!("demo-admin-{}", chance::unguessable(24)?),
        admin_session: format!("demo-session-{}", chance::unguessable(24)?),
        customer_session: format!("demo-customer-{}", chance::unguessable(24)?),
        platform_token: format!("demo-platform-{}", chance::unguessable(24)?),
        cron_secret: format!("demo-cron-{}", chance::unguessable(24)?),
    })
}

fn variables(ground: &Ground, secrets: &Credentials) -> BTreeMap<String, String> {
    let base = ground.base();
    let cookie = |session: &str| format!("{}={session}", exodrive_api::SESSION_COOKIE);
    let pairs = [
        ("EXODRIVE_URL", base.clone()),
        ("EXODRIVE_ADMIN_TOKEN", secrets.admin_token.clone()),
        ("EXODRIVE_ADMIN_COOKIE", cookie(&secrets.admin_session)),
        ("EXODRIVE_CUSTOMER_COOKIE", cookie(&secrets.customer_session)),
        ("EXODRIVE_CRON_SECRET", secrets.cron_secret.clone()),
        ("CRON_SECRET", secrets.cron_secret.clone()),
        ("EXODRIVE_CAR_ID", cars::id(0)),
        ("REDIS_URL", ground.site.url()),
        ("VERCEL_API", format!("{base}{}", platform_api::PREFIX)),
        ("VERCEL_TOKEN", secrets.platform_token.clone()),
        ("VERCEL_PROJECT_ID", platform::PROJECT.to_owned()),
        ("VERCEL_TEAM_ID", platform::TEAM.to_owned()),
        ("EDGE_CONFIG_ID", platform::EDGE_CONFIG.to_owned()),
        ("UPSTASH_STATUS_URL", format!("{base}{}", platform_api::UPSTASH_STATUS)),
        ("EXODRIVE_STAGING_URL", format!("{base}{}", staging::PREFIX)),
        // As what serves reads it: neither of the names in the runbook.
        ("EXODRIVE_REDIS_SWITCH", platform::REDIS_ADDRESS.to_owned()),
        ("EXODRIVE_REDIS_OFF", "off".to_owned()),
        ("EXODRIVE_REDIS_ON", platform::REDIS_AT.to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
