//! Whoever waits for the lock of the notifications, or holds it.

use std::sync::Arc;

use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    BEAT, Place, SILENT, Shared, TAKE_OVER, TAKEN_WITHIN,
    lock::{self, Held, Record, Tried},
    locked,
};
use crate::domain::delivery::Sender;

/// Waits for the lock, says who has it meanwhile, and keeps it.
pub(super) async fn guard(shared: Arc<Shared>, place: Place) {
    let path = lock::place(&place.state_dir, &place.service, &place.environment);
    // The last sign of life of whoever has the lock, and when it was new.
    let mut sign = (None, Instant::now());
    loop {
        let (path, now) = (path.clone(), (place.clock)().wall);
        match answered(tokio::task::spawn_blocking(move || lock::take(&path, now)), &shared).await {
            Ok(Tried::Ours(held, before)) => {
                *locked(&shared.lock) = Some(Arc::clone(&held));
                shared.take_over(Sender::Here, &before);
                return keep(&shared, held).await;
            }
            Ok(Tried::Theirs(record, beat)) => {
                if sign.0 != Some(beat) {
                    sign = (Some(beat), Instant::now());
                }
                let record = record.unwrap_or_default();
                if sign.1.elapsed() < SILENT {
                    shared.leave_to(&record);
                } else {
                    let whose = record.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
                    let why = format!("the console that has to send{whose} is stopped");
                    shared.go_without(why, &record);
                }
            }
            Ok(Tried::Unusable(why)) => shared.go_without(why, &Record::default()),
            Err(error) => shared.go_without(error.to_string(), &Record::default()),
        }
        sleep(TAKE_OVER).await;
    }
}

/// Waits for the attempt to take the lock. Without an answer this console sends: what hangs may
/// do so for hours, and would hold back every message.
async fn answered(
    mut attempt: JoinHandle<Tried>,
    shared: &Shared,
) -> Result<Tried, tokio::task::JoinError> {
    if let Ok(tried) = timeout(TAKEN_WITHIN, &mut attempt).await {
        return tried;
    }
    let why = "the disk with the lock of the notifications does not answer".to_owned();
    shared.go_without(why, &Record::default());
    // The same attempt: another one would only hang beside it.
    attempt.await
}

/// Shows that this console runs, and what it owes, for ever.
async fn keep(shared: &Shared, held: Arc<Held>) {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let alive = tokio::select! {
            _ = beat.tick() => true,
            () = shared.stirred.notified() => false,
        };
        held.owe(shared.owed());
        let write = move |held: &Held| {
            held.write();
            if alive {
                held.beat();
            }
        };
        Arc::clone(&held).on_disk(BEAT, write).await;
    }
}
