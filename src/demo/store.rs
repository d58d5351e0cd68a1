//! A client of the demo's Redis, as the service would use one: impatient, and silent about
//! failures beyond saying that there is no answer.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, aio::MultiplexedConnection};
use tokio::time::{Instant, timeout};

/// How long an answer may take, and how long is waited after one that did not come.
const PATIENCE: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_secs(1);
/// The most pages of keys that a clearing looks at.
const MOST_PAGES: usize = 1_000;

/// Redis did not answer in time, or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unavailable;

/// A client with one connection, made when it is needed and again after it broke, at most
/// once a second.
pub(super) struct Store {
    client: Client,
    name: &'static str,
    link: Mutex<Link>,
}

enum Link {
    Up { connection: MultiplexedConnection, number: u64 },
    Down { until: Instant, number: u64 },
}

impl Store {
    /// A client of that server, not connected yet; `name` is shown in its list of clients.
    pub(super) fn new(client: Client, name: &'static str) -> Self {
        Self { client, name, link: Mutex::new(Link::Down { until: Instant::now(), number: 0 }) }
    }

    /// Sends the commands and reads their answers.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, Unavailable> {
        let (mut connection, number) = self.connection().await?;
        match timeout(PATIENCE, commands.query_async(&mut connection)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => {
                self.broke(number);
                Err(Unavailable)
            }
        }
    }

    /// Removes the keys that begin with one of the prefixes.
    pub(super) async fn clear(&self, prefixes: &[&str]) -> Result<u64, Unavailable> {
        let mut removed = 0;
        for prefix in prefixes {
            let mut cursor = 0_u64;
            for _ in 0..MOST_PAGES {
                let mut page = redis::pipe();
                let pattern = format!("{prefix}*");
                page.cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(200);
                let ((next, keys),): ((u64, Vec<String>),) = self.run(&page).await?;
                if !keys.is_empty() {
                    let mut unlink = redis::pipe();
                    unlink.cmd("UNLINK").arg(&keys);
                    let (count,): (u64,) = self.run(&unlink).await?;
                    removed += count;
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(removed)
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), Unavailable> {
        let number = match &mut *self.link() {
            Link::Up { connection, number } => return Ok((connection.clone(), *number)),
            Link::Down { until, .. } if *until > Instant::now() => return Err(Unavailable),
            Link::Down { until, number } => {
                // Whoever comes while this one connects does without Redis.
                *until = Instant::now() + PAUSE;
                *number + 1
            }
        };
        let connection = self.connect().await?;
        *self.link() = Link::Up { connection: connection.clone(), number };
        Ok((connection, number))
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Unavailable> {
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&settings);
        let mut connection = timeout(PATIENCE, connecting)
            .await
            .map_err(|_| Unavailable)?
            .map_err(|_| Unavailable)?;
        let mut naming = redis::pipe();
        naming.cmd("CLIENT").arg("SETNAME").arg(self.name).ignore();
        match timeout(PATIENCE, naming.query_async::<()>(&mut connection)).await {
            Ok(Ok(())) => Ok(connection),
            _ => Err(Unavailable),
        }
    }

    fn broke(&self, broken: u64) {
        let mut link = self.link();
        if let Link::Up { number, .. } = *link
            && number == broken
        {
            *link = Link::Down { until: Instant::now() + PAUSE, number };
        }
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wall clock in milliseconds since the epoch.
pub(super) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
