//! What is known here of the reach of an action: the load that would come on a database, and
//! the conditions under which it must not be started.

use super::run::RESULT;
use crate::{
    app::{
        cache::{self, HitRate},
        database,
        health::{Decision, decide},
        state::World,
    },
    domain::{
        action::Preview,
        catalog::{ActionSpec, LoadSpec},
        condition::{Condition, Operand},
        ids::SourceId,
        time::short_duration,
    },
};

/// Why it must not be started now: the first of its conditions that holds.
pub fn objection(world: &World, spec: &ActionSpec) -> Option<String> {
    spec.refuse_when.iter().find_map(|when| match decide(world, &nowhere(), when, None) {
        Decision::Holds(shown) => Some(format!("not while {when}: it is {shown}")),
        Decision::DoesNot(_) | Decision::Open(_) => None,
    })
}

/// The sources that have to be asked for all of this.
pub fn sources(world: &World, spec: &ActionSpec) -> Vec<SourceId> {
    let catalog = &world.catalog;
    let named = spec.refuse_when.iter().filter_map(|when| when.source.as_deref());
    let mut sources: Vec<SourceId> = named.map(SourceId::from).collect();
    if let Some(load) = &spec.load {
        let caches = catalog.caches.iter().filter(|cache| cache.id == load.cache);
        sources.extend(caches.map(|cache| cache.source.clone()));
        let databases =
            catalog.databases.iter().filter(|row| Some(&row.id) == load.database.as_ref());
        sources.extend(databases.map(|database| database.source.clone()));
    }
    sources
}

/// The conditions that cannot be decided, which refuse nothing.
pub fn unsure(world: &World, spec: &ActionSpec) -> Vec<String> {
    let open = |when| match decide(world, &nowhere(), when, None) {
        Decision::Open(why) => Some(format!("it is not known whether {when}: {why}")),
        Decision::Holds(_) | Decision::DoesNot(_) => None,
    };
    spec.refuse_when.iter().filter_map(open).collect()
}

/// Adds what the console knows to what was measured.
pub fn consider(world: &World, spec: &ActionSpec, preview: &mut Preview) {
    let mut findings: Vec<String> = spec.load.iter().flat_map(|load| said(world, load)).collect();
    findings.extend(unsure(world, spec));
    findings.extend(proven_already(world, spec));
    findings.append(&mut preview.findings);
    preview.findings = findings;
}

/// What would prove it holds now: it would not tell what the run did.
fn proven_already(world: &World, spec: &ActionSpec) -> Option<String> {
    let mut proofs = spec
        .proof
        .iter()
        .map(|proof| &proof.when)
        .filter(|when| when.source.as_deref() != Some(RESULT))
        .peekable();
    proofs.peek()?;
    let holds = |when: &Condition| {
        !matches!(when.operand, Operand::Before(_))
            && matches!(decide(world, &nowhere(), when, None), Decision::Holds(_))
    };
    proofs.all(holds).then(|| "what would prove it holds already: it may be done".to_owned())
}

/// Every one of these conditions names its source.
fn nowhere() -> SourceId {
    SourceId::from("")
}

/// How much more reaches the database when the cache no longer answers, and the room there
/// is for it. Of the lookups only the misses reach it now; without the cache all of them
/// would: 1 / (1 - hit rate) times as many.
fn said(world: &World, load: &LoadSpec) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(spec) = world.catalog.caches.iter().find(|spec| spec.id == load.cache) {
        let row = cache::row(world, spec);
        let title = &row.title;
        let window = row.covered.min(row.window).as_secs().max(1);
        let window = short_duration(std::time::Duration::from_secs(window));
        lines.push(match (row.quality.usable(), row.rate, row.lookups) {
            (false, ..) => format!("how much {title} takes off the database is not known: {}", row.reason),
            (true, HitRate::Known(rate), Some(lookups)) => {
                format!("{title} answered {} % of {lookups} lookups in {window}: {}", percent(rate), more(rate))
            }
            (true, HitRate::TooFew, Some(lookups)) => {
                format!("{title} had {lookups} lookups in {window}: too few to say what reaches the database without it")
            }
            _ => format!("how much {title} takes off the database is not known: {}", row.reason),
        });
    }
    let database = load.database.as_ref();
    for row in database::rows(world).iter().filter(|row| Some(&row.id) == database) {
        let title = &row.title;
        lines.push(match (row.connections, row.max_connections) {
            (Some(used), Some(most)) if row.quality.usable() => {
                format!(
                    "{title}: {used:.0} of {most:.0} connections are in use, {:.0} are free",
                    (most - used).max(0.0)
                )
            }
            _ => format!("{title}: how many connections are free is not known: {}", row.reason),
        });
    }
    lines
}

/// A rate in percent, never rounded to all or nothing.
fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    if rate >= 1.0 || rate <= 0.0 || (0.1..99.9).contains(&percent) {
        let rounded = format!("{percent:.1}");
        return rounded.trim_end_matches(".0").to_owned();
    }
    if percent < 0.1 { "less than 0.1".to_owned() } else { "more than 99.9".to_owned() }
}

/// What comes on the database without the cache, as a multiple of what does now.
fn more(rate: f64) -> String {
    let missed = 1.0 - rate;
    if missed <= 0.0 {
        return "without it all of them reach the database, where none do now".to_owned();
    }
    let times = 1.0 / missed;
    let shown = if times < 10.0 { format!("{times:.1}") } else { format!("{times:.0}") };
    format!("without it {shown} times as many reach the database")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_what_the_cache_had_answered() {
        for (rate, words) in [
            (0.0, "without it 1.0 times as many reach the database"),
            (0.5, "without it 2.0 times as many reach the database"),
            (0.85, "without it 6.7 times as many reach the database"),
            (0.99, "without it 100 times as many reach the database"),
            (1.0, "without it all of them reach the database, where none do now"),
        ] {
            assert_eq!(more(rate), words);
        }
    }

    #[test]
    fn almost_all_is_not_all() {
        for (rate, words) in [
            (0.0, "0"),
            (0.0001, "less than 0.1"),
            (0.856, "85.6"),
            (0.9996, "more than 99.9"),
            (1.0, "100"),
        ] {
            assert_eq!(percent(rate), words);
        }
    }
}
