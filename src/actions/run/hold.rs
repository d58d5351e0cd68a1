//! Keeping off whatever must not happen at the same time, and taking over.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::{Stage, Task, log::DISK_LIMIT};
use crate::{
    actions::{
        cancel_line,
        left::{ask_to_end, still_running},
        locks::{self, Conflict, Held, Owner},
        verdict::Last,
    },
    domain::{action::TakeOver, ids::RunId},
};

/// How long a lock is waited for that somebody may only be looking at.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// How long the holder of a lock that is taken over may take to stop.
const TAKE_OVER: Duration = Duration::from_secs(30);
/// Between two attempts to take a lock.
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// Takes the locks of a run, until they are dropped.
pub(super) async fn hold(task: &Task, stage: &Stage<'_>) -> Result<Held, String> {
    let scopes = locks::scopes(&task.config.locks);
    let owner = Owner {
        run: task.run.clone(),
        action: task.config.id.clone(),
        target: task.target.clone(),
        by: task.journal.who().name(),
        since: (task.clock)().wall,
    };
    let mut give_up = Instant::now() + LOCK_PATIENCE;
    let mut asked = BTreeSet::new();
    loop {
        let (state_dir, journal) = (task.state_dir.clone(), Arc::clone(&task.journal));
        let (scopes, owner) = (scopes.clone(), owner.clone());
        let taking = move || {
            locks::take(&state_dir, &scopes, &owner, &|run: &RunId| still_running(&journal, run))
        };
        let conflict = match on_the_disk(stage, taking).await? {
            Ok(held) => return Ok(held),
            Err(conflict) => conflict,
        };
        let wait = match &task.take_over {
            Some(over) => {
                if ask(task, stage, over, &conflict, &mut asked).await? {
                    give_up = Instant::now() + TAKE_OVER;
                }
                !matches!(conflict, Conflict::Unusable(_))
            }
            None => matches!(conflict, Conflict::Held { .. }),
        };
        if !wait || Instant::now() >= give_up || stage.stop.token.is_cancelled() {
            return Err(conflict.to_string());
        }
        tokio::time::sleep(LOCK_RETRY).await;
    }
}

/// Does what waits for the disk. The runner has one thread alone, which must not hang with it:
/// then nobody could stop it any more. What is brought too late is dropped.
async fn on_the_disk<T: Send + 'static>(
    stage: &Stage<'_>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let working = timeout(DISK_LIMIT, tokio::task::spawn_blocking(work));
    tokio::select! {
        biased;
        () = stage.stop.token.cancelled() => Err(stage.stop.why().words().to_owned()),
        done = working => match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err("who holds its locks could not be found out".to_owned()),
            Err(_) => Err("its locks could not be taken: the disk does not answer".to_owned()),
        },
    }
}

/// Asks whoever is in the way to stop, each of them once. Whether somebody was asked.
async fn ask(
    task: &Task,
    stage: &Stage<'_>,
    over: &TakeOver,
    conflict: &Conflict,
    asked: &mut BTreeSet<RunId>,
) -> Result<bool, String> {
    let (holder, orphan) = match conflict {
        Conflict::Held { owner: Some(holder), .. } => (holder, false),
        Conflict::Unsupervised { owner: holder, pid: Some(_), .. } => (holder.as_ref(), true),
        // Whoever cannot be seen cannot be asked either.
        Conflict::Unsupervised { pid: None, .. } => return Err(conflict.to_string()),
        Conflict::Held { owner: None, .. } | Conflict::Unusable(_) => return Ok(false),
    };
    let (journal, run) = (Arc::clone(&task.journal), holder.run.clone());
    let record = on_the_disk(stage, move || journal.record(&run)).await?;
    let over_already = record.as_ref().is_none_or(|record| record.last == Last::Finished);
    // Whoever has just taken the lock has not put their name in yet: the name is that of
    // the run before.
    if asked.contains(&holder.run) || (over_already && !orphan) {
        return Ok(false);
    }
    if !over.from.contains(&holder.run) {
        return Err(format!("{conflict}; that is not whom it was to be taken over from"));
    }
    asked.insert(holder.run.clone());
    stage.step(format!("takes over from {}: {}", holder.run, over.reason)).await;
    let line = cancel_line(&holder.run, &holder.action, &over.reason);
    stage.log.put(line).await.map_err(|error| error.to_string())?;
    if orphan && let Some(record) = record {
        // Its runner cannot read that any more.
        let asked = on_the_disk(stage, move || ask_to_end(&record)).await?;
        asked.map_err(|why| format!("{conflict}; {why}"))?;
    }
    Ok(true)
}
