//! One look at everything.

use std::time::Duration;

use tokio::task::JoinSet;

use super::{clock::Clock, engine::HISTORY};
use crate::{
    actions::journal::history,
    app::{
        msg::{Event, Msg},
        state::{Settings, State},
        update::update,
    },
    config::profile::{Profile, SourceConfig},
    domain::{failure::FailureKind, ids::SourceId, observation::Observation},
    sources::Source,
};

/// Counters need two looks, this far apart.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Looks at every source once, at those with counters twice, and judges. One bad look is
/// enough here: there is no second one that could settle it.
pub async fn once(profile: Profile) -> State {
    let clock = Clock::start();
    let mut catalog = profile.catalog.clone();
    for check in &mut catalog.checks {
        (check.down_after, check.up_after) = (1, 1);
    }
    for database in &mut catalog.databases {
        database.down_after = 1;
    }
    let settings = Settings {
        operator: crate::actions::operator(),
        read_only: profile.display.read_only,
        utc: profile.display.utc,
        ..Settings::default()
    };
    let mut state = State::new(catalog, clock.now(), settings);
    let event = remembered(&profile).await;
    update(&mut state, Msg { at: clock.now(), event });
    let mut looks = JoinSet::new();
    for config in profile.sources.values().filter(|config| config.disabled.is_none()) {
        let times = if has_counters(&profile, &config.id) { 2 } else { 1 };
        looks.spawn(look(config.clone(), times));
    }
    let mut all: Vec<Observation> = Vec::new();
    while let Some(seen) = looks.join_next().await {
        match seen {
            Ok(seen) => all.extend(seen),
            Err(error) => tracing::error!(%error, "a look broke down"),
        }
    }
    // All at the same age, so that a slow source does not make a quick one look late.
    all.sort_by_key(|observation| observation.at);
    // Those that show that the console itself is not cut off come first.
    all.sort_by_key(is_out_of_reach);
    for mut observation in all {
        observation.at = clock.now();
        let at = observation.at;
        update(&mut state, Msg { at, event: Event::Observed(Box::new(observation)) });
    }
    // Rules on what is not configured are not reached by any observation: they are told so.
    update(&mut state, Msg { at: clock.now(), event: Event::Tick });
    state
}

fn is_out_of_reach(observation: &Observation) -> bool {
    let kind = observation.outcome.as_ref().err().map(|failure| failure.kind);
    matches!(kind, Some(FailureKind::Dns | FailureKind::Unreachable))
}

/// Looks once at each of these sources, all at the same time.
pub async fn at(profile: &Profile, sources: &[SourceId]) -> Vec<Observation> {
    let wanted = profile.sources.values().filter(|config| sources.contains(&config.id));
    let looks: Vec<_> = wanted.map(|config| look(config.clone(), 1)).collect();
    futures_util::future::join_all(looks).await.into_iter().flatten().collect()
}

/// What was done before, so that the last run of an action and its rest are told as the
/// console would tell them. Only read: a look from outside leaves nothing behind.
async fn remembered(profile: &Profile) -> Event {
    let directory = profile.state_dir.clone();
    let reading = tokio::task::spawn_blocking(move || history(&directory, HISTORY));
    match reading.await {
        Ok(Ok(history)) => Event::History(history),
        Ok(Err(error)) => Event::JournalFailed(error.to_string()),
        Err(error) => Event::JournalFailed(error.to_string()),
    }
}

/// Whether a source has counters, which say nothing at the first look.
pub(super) fn has_counters(profile: &Profile, source: &SourceId) -> bool {
    let catalog = &profile.catalog;
    catalog.caches.iter().any(|cache| cache.source == *source)
        || catalog.databases.iter().any(|database| database.source == *source)
}

/// Looks at a source so many times, or until it fails.
pub(super) async fn look(config: SourceConfig, times: u32) -> Vec<Observation> {
    let clock = crate::sources::Clock::start();
    let mut source = Source::new(&config);
    let mut seen = Vec::new();
    for time in 0..times {
        if time > 0 {
            tokio::time::sleep(SECOND_LOOK).await;
        }
        let intended = clock.now();
        let observation = source.observe(&clock, intended).await;
        let failed = observation.outcome.is_err();
        seen.push(observation);
        if failed {
            break;
        }
    }
    seen
}
