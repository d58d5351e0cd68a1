//! The bookings of the rental service, in its Postgres: what is in it, a light load that
//! follows the requests, the capture of payments, and a session that is made to wait.

use std::{sync::Arc, time::Duration};

use jiff::civil::Date;
use tokio::{sync::oneshot, time::sleep};
use tokio_postgres::Client;

use super::{
    fault::BLOCKED_SESSION,
    postgres::{Plan, within},
    standin::exodrive::CAPTURES_STUCK,
    world::World,
};

/// The owner of the data, and the name of the database.
pub(super) const DATABASE: &str = "exodrive";
/// How often the load does what has come up since, and how much of it at most.
const LOAD_EVERY: Duration = Duration::from_millis(500);
const MOST_QUERIES: u64 = 20;

/// The bookings. Row 1 is the one that is fought over.
const SCHEMA: &str = include_str!("bookings.sql");

/// What it looks like once nothing has been captured for a while.
const STUCK: &str = include_str!("captures_stuck.sql");

/// Captures the payments that are due.
const CAPTURE: &str = "SELECT process_scheduled_payment_captures()";

/// Books a car in the staging, unless somebody has it.
const BOOK: &str = "INSERT INTO staging.bookings (car_id, start_date, end_date) \
    SELECT $1::int, $2::text::date, $3::text::date WHERE NOT EXISTS (SELECT FROM staging.bookings \
    WHERE car_id = $1 AND start_date <= $3::text::date AND end_date >= $2::text::date) RETURNING id";

/// Counts the days on which somebody has a car in the staging.
const TAKEN: &str = "SELECT count(DISTINCT day) FROM generate_series($2::text::date, \
    $3::text::date, interval '1 day') day JOIN staging.bookings ON car_id = $1 \
    AND day BETWEEN start_date AND end_date";

/// The way to the bookings.
#[derive(Clone, Debug)]
pub(super) struct Bookings(Arc<Plan>);

impl Bookings {
    /// Captures the payments that are due now; how many.
    ///
    /// # Errors
    /// Why Postgres did not do it.
    pub(super) async fn capture(&self) -> Result<i64, String> {
        let client = self.0.connect("exodrive-captures", DATABASE).await?;
        within(client.query_one(CAPTURE, &[])).await.map(|row| row.get(0))
    }

    /// Books a car for days of the staging; the number of the booking, or none where somebody
    /// has the car on one of these days.
    ///
    /// # Errors
    /// Why Postgres did not do it.
    pub(super) async fn book(&self, car: i32, from: Date, to: Date) -> Result<Option<i32>, String> {
        let client = self.0.connect("exodrive-staging", DATABASE).await?;
        let days = [from.to_string(), to.to_string()];
        let booked = within(client.query_opt(BOOK, &[&car, &days[0], &days[1]])).await?;
        Ok(booked.map(|row| row.get(0)))
    }

    /// On how many of these days the staging has a car booked.
    ///
    /// # Errors
    /// Why Postgres did not say.
    pub(super) async fn taken(&self, car: i32, from: Date, to: Date) -> Result<i64, String> {
        let client = self.0.connect("exodrive-staging", DATABASE).await?;
        let days = [from.to_string(), to.to_string()];
        within(client.query_one(TAKEN, &[&car, &days[0], &days[1]])).await.map(|row| row.get(0))
    }
}

/// Makes the data, starts the server, keeps it busy until the service stops, ends it. `ready`
/// is told when the bookings are there, or why they will not be.
pub(super) async fn run(
    plan: Arc<Plan>,
    world: Arc<World>,
    ready: oneshot::Sender<Result<(), String>>,
) {
    let stage = Arc::clone(&world.stage);
    let server = match stage.until_over(plan.start()).await {
        None => return,
        Some(Ok(server)) => server,
        Some(Err(error)) => {
            stage.say(format!("The demo has no Postgres: {error}"));
            // Whoever waited has gone where the demo is being stopped.
            let _ = ready.send(Err(error.to_string()));
            return;
        }
    };
    let work = async {
        match prepare(&plan).await {
            Ok(()) => {
                let _ = world.bookings.set(Bookings(Arc::clone(&plan)));
                let _ = ready.send(Ok(()));
                tokio::join!(load(&plan, &world), block(&plan, &world));
            }
            Err(error) => {
                stage.say(format!("The demo's Postgres has no data: {error}"));
                let _ = ready.send(Err(error));
            }
        }
    };
    if stage.until_over(work).await.is_some() {
        stage.stopping.cancelled().await;
    }
    // Its end is waited for, which blocks.
    let _ = tokio::task::spawn_blocking(move || drop(server)).await;
}

/// Waits until it answers, then makes the database and what is in it.
async fn prepare(plan: &Plan) -> Result<(), String> {
    let first = plan.answers().await?;
    within(first.batch_execute(&format!("CREATE DATABASE {DATABASE}"))).await?;
    within(plan.connect("watchfloor demo", DATABASE).await?.batch_execute(SCHEMA)).await
}

/// Carries out as many queries as the service has asked for, up to a bound.
async fn load(plan: &Plan, world: &World) {
    let mut was_stuck = false;
    loop {
        if let Ok(client) = plan.connect("exodrive-api", DATABASE).await {
            // It ends by an error only; a new connection is made.
            let _ = keep_busy(&client, world, &mut was_stuck).await;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

async fn keep_busy(client: &Client, world: &World, was_stuck: &mut bool) -> Result<(), String> {
    let select =
        within(client.prepare("SELECT overall_status FROM bookings WHERE car_id = $1")).await?;
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
        let stuck = world.stage.switches.is_on(CAPTURES_STUCK);
        if stuck && !*was_stuck {
            within(client.batch_execute(STUCK)).await?;
        }
        *was_stuck = stuck;
        if world.captures() {
            within(client.query_one(CAPTURE, &[])).await?;
        }
        sleep(LOAD_EVERY).await;
    }
}

/// While the fault is on, one session holds a row and idles, and another waits for it.
async fn block(plan: &Plan, world: &World) {
    loop {
        let changed = world.stage.switches.changed.notified();
        if world.stage.switches.is_on(BLOCKED_SESSION) {
            if hold_row(plan, world).await.is_err() {
                sleep(Duration::from_secs(1)).await;
            }
        } else {
            changed.await;
        }
    }
}

async fn hold_row(plan: &Plan, world: &World) -> Result<(), String> {
    let holder = plan.connect("exodrive-migration", DATABASE).await?;
    let waiter = plan.connect("exodrive-booking", DATABASE).await?;
    within(holder.batch_execute("BEGIN; UPDATE bookings SET car_id = car_id WHERE id = 1")).await?;
    // This one has no timeout of its own: waiting is what it is there for.
    let waiting =
        waiter.batch_execute("UPDATE bookings SET overall_status = 'confirmed' WHERE id = 1");
    tokio::pin!(waiting);
    loop {
        let changed = world.stage.switches.changed.notified();
        if !world.stage.switches.is_on(BLOCKED_SESSION) {
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

impl World {
    /// Whether payments that are due are captured by themselves.
    fn captures(&self) -> bool {
        self.platform().runs_crons() && !self.stage.switches.is_on(CAPTURES_STUCK)
    }
}
