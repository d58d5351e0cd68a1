//! The rate limits: a sorted set per caller with one member per request, in Redis.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::store::{Store, Unavailable, unix_millis};

/// A class of callers, with what they may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    /// Anybody, by address.
    Public,
    /// A user who has logged in.
    Auth,
    /// A user who makes a booking.
    Booking,
    /// An administrator.
    Admin,
}

impl Tier {
    /// The part of the key that names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Auth => "auth",
            Self::Booking => "booking",
            Self::Admin => "admin",
        }
    }

    /// Requests allowed per window.
    pub(super) fn limit(self) -> u64 {
        match self {
            Self::Public => 60,
            Self::Auth => 120,
            Self::Booking => 10,
            Self::Admin => 300,
        }
    }

    /// The window.
    pub(super) fn window(self) -> Duration {
        match self {
            Self::Booking => Duration::from_secs(3_600),
            Self::Public | Self::Auth | Self::Admin => Duration::from_secs(60),
        }
    }
}

/// What the limiter found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Whether the request may go on.
    pub(super) allowed: bool,
    /// Requests allowed per window.
    pub(super) limit: u64,
    /// How many more the caller may make.
    pub(super) remaining: u64,
    /// When the window ends, in milliseconds since the epoch.
    pub(super) resets_at: u64,
}

/// Keeps the members of one millisecond apart.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Leaves the traces of requests that came so many seconds ago.
pub(super) async fn remember(store: &Store, tier: Tier, identifier: &str, seconds_ago: &[u64]) {
    let (key, now) = (key(tier, identifier), unix_millis());
    let mut commands = redis::pipe();
    for seconds in seconds_ago {
        let at = now.saturating_sub(seconds * 1_000);
        commands.cmd("ZADD").arg(&key).arg(at).arg(member(at)).ignore();
    }
    commands.cmd("EXPIRE").arg(&key).arg(tier.window().as_secs()).ignore();
    // Without Redis there is nothing to leave them in.
    let _ = store.run::<()>(&commands).await;
}

fn key(tier: Tier, identifier: &str) -> String {
    format!("rate:{}:{identifier}", tier.name())
}

fn member(at: u64) -> String {
    format!("{at}-{}", SERIAL.fetch_add(1, Ordering::Relaxed))
}

/// Counts a request and says whether it may go on. A request that may not is counted too,
/// so a caller who does not stop stays refused.
pub(super) async fn count(
    store: &Store,
    tier: Tier,
    identifier: &str,
) -> Result<Allowance, Unavailable> {
    let key = key(tier, identifier);
    let (now, window) = (unix_millis(), tier.window());
    let window_millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
    let mut commands = redis::pipe();
    commands
        .cmd("ZREMRANGEBYSCORE")
        .arg(&key)
        .arg(0)
        .arg(now.saturating_sub(window_millis))
        .ignore();
    commands.cmd("ZCARD").arg(&key);
    commands.cmd("ZADD").arg(&key).arg(now).arg(member(now)).ignore();
    commands.cmd("EXPIRE").arg(&key).arg(window.as_secs()).ignore();
    let (before,): (u64,) = store.run(&commands).await?;
    let limit = tier.limit();
    Ok(Allowance {
        allowed: before < limit,
        limit,
        remaining: limit.saturating_sub(before + 1),
        resets_at: now + window_millis,
    })
}
