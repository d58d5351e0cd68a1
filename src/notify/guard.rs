//! Whoever waits for the lock of the notifications, or holds it.

use std::sync::Arc;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{
    BEAT, Place, SILENT, Shared, TAKE_OVER,
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
        let tried = tokio::task::spawn_blocking(move || lock::take(&path, now)).await;
        match tried {
            Ok(Tried::Ours(held, before)) => {
                let held = Arc::new(held);
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

/// Shows that this console runs, and what it owes, for ever.
async fn keep(shared: &Shared, held: Arc<Held>) {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let held = Arc::clone(&held);
        let write: Box<dyn FnOnce() + Send> = tokio::select! {
            _ = beat.tick() => Box::new(move || held.beat()),
            () = shared.stirred.notified() => {
                let owed = shared.owed();
                Box::new(move || held.owe(owed))
            }
        };
        // What is missed is made up for by the next.
        let _ = tokio::task::spawn_blocking(write).await;
    }
}
