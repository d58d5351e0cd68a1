//! The key groups that an action may meet.

use crate::{
    config::profile::{ActionConfig, ActionKind, StepKind},
    domain::{
        catalog::{Catalog, PrefixSpec},
        ids::SourceId,
    },
};

/// The key groups of each Redis that an action deletes from, in one of its steps as well: they
/// give the counted keys their names, and those that are protected must not be met.
pub(in crate::runtime) fn groups_of(catalog: &Catalog, config: &ActionConfig) -> Vec<PrefixSpec> {
    let sources = emptied(&config.kind);
    let caches = catalog.caches.iter().filter(|cache| sources.contains(&&cache.source));
    caches.flat_map(|cache| cache.prefixes.clone()).collect()
}

/// Where an action deletes keys.
fn emptied(kind: &ActionKind) -> Vec<&SourceId> {
    match kind {
        ActionKind::Redis(redis) => vec![&redis.source],
        ActionKind::Sequence(sequence) => {
            let steps = sequence.steps.iter().filter_map(|step| match &step.kind {
                StepKind::Act(kind) => Some(kind),
                _ => None,
            });
            steps.flat_map(emptied).collect()
        }
        _ => Vec::new(),
    }
}
