//! Rate-limit violations over all polls, who is near a limit, and whether the limiter works.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    cache::{source_trouble, without_data},
    health::{Decision, decide},
    sources::CUT_OFF,
    state::World,
    tally::Tally,
};
use crate::domain::{
    catalog::LimitsSpec,
    ids::SourceId,
    observation::Exhibit,
    time::{Moment, short_duration},
    value::grouped,
    verdict::{Quality, Verdict},
    violations::{Pressure, ViolationLog},
};

/// The state of the pane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitsState {
    /// Violations merged over polls.
    pub log: ViolationLog,
    /// Those of the window, counted.
    pub tally: Arc<Tally>,
    /// When the first page was read: the window is covered from here.
    pub first_page: Option<Moment>,
    /// When violations were last left out of the log, and why.
    #[serde(default)]
    pub left_out: Option<(Moment, String)>,
}

/// Whether the limiter does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limiter {
    /// It refuses what is too much.
    Enforcing,
    /// It lets everything through.
    FailingOpen,
    /// Not known.
    Unknown,
}

impl Limiter {
    /// The words on the screen.
    pub fn words(self) -> &'static str {
        match self {
            Self::Enforcing => "enforcing",
            Self::FailingOpen => "FAILING OPEN",
            Self::Unknown => "unknown",
        }
    }
}

/// The pane as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitsView {
    /// What we think.
    pub verdict: Verdict,
    /// What the data is worth.
    pub quality: Quality,
    /// Why.
    pub reason: String,
    /// The window.
    pub window: Duration,
    /// Whether any source is asked for violations at all. Where none is, the tally is empty
    /// and says nothing.
    pub counts: bool,
    /// The violations in it.
    pub tally: Arc<Tally>,
    /// Who is near a limit, nearest first; none where it is not configured or not known.
    pub pressure: Option<Vec<Pressure>>,
    /// Whether every key was looked at.
    pub pressure_complete: bool,
    /// Whether the limiter works.
    pub limiter: Limiter,
    /// Why we think so.
    pub limiter_reason: String,
    /// Why the numbers may be too low.
    pub lower_bound: Option<String>,
    /// When a page was last read.
    pub seen: Option<Moment>,
}

/// Takes a page of violations in.
pub fn observe(world: &mut World, source: &SourceId) {
    let now = world.now;
    let Some(spec) = &world.catalog.limits else { return };
    if !spec.violations.contains(source) {
        return;
    }
    let fresh = world.sources.quality(source, now).usable();
    let keep = spec.window.max(Duration::from_secs(3_600));
    for exhibit in world.sources.exhibits(source).iter().filter(|_| fresh) {
        match exhibit {
            Exhibit::Violations(page) => {
                let log = &mut world.limits.log;
                let before = (log.dropped, log.from_the_future);
                log.merge(page, now, keep);
                let why = if log.dropped > before.0 {
                    "more than can be remembered"
                } else if log.from_the_future > before.1 {
                    "some claim to be from the future"
                } else {
                    ""
                };
                if !why.is_empty() {
                    world.limits.left_out = Some((now, why.to_owned()));
                }
                world.limits.first_page.get_or_insert(now);
            }
            Exhibit::Incomplete { unreadable, left_out } => {
                let why = match (unreadable, left_out) {
                    (0, more) => format!("{more} more were not taken"),
                    (bad, 0) => format!("{bad} could not be read"),
                    (bad, more) => format!("{bad} could not be read, {more} more were not taken"),
                };
                world.limits.left_out = Some((now, why));
            }
            _ => {}
        }
    }
    count(world);
}

/// Lets time pass: what is too old leaves the window.
pub fn refresh(world: &mut World) {
    let Some(spec) = &world.catalog.limits else { return };
    if world.limits.tally.is_outdated(world.now, spec.window) {
        count(world);
    }
}

/// Counts what is in the window.
pub fn count(world: &mut World) {
    let Some(spec) = &world.catalog.limits else { return };
    let tally = Tally::count(&world.limits.log, world.now, spec.window);
    world.limits.tally = Arc::new(tally);
}

/// The pane as shown; none where it is not configured.
pub fn view(world: &World) -> Option<LimitsView> {
    let spec = world.catalog.limits.as_ref()?;
    let counts = !spec.violations.is_empty();
    let told_by = if counts { &spec.violations } else { &spec.pressure };
    let quality = if counts {
        best_quality(told_by, |source| violations_quality(world, source))
    } else {
        best_quality(told_by, |source| world.sources.quality(source, world.now))
    };
    let (limiter, limiter_reason) = limiter(world, spec);
    let (pressure, pressure_complete) = pressure(world, spec);
    let seen = told_by.iter().filter_map(|source| world.sources.get(source)?.last_good_at()).max();
    let mut view = LimitsView {
        verdict: Verdict::Unknown,
        quality,
        reason: String::new(),
        window: spec.window,
        counts,
        tally: Arc::clone(&world.limits.tally),
        pressure,
        pressure_complete,
        limiter,
        limiter_reason,
        lower_bound: lower_bound(world, spec),
        seen: if counts { world.limits.first_page.and(seen) } else { seen },
    };
    judge(world, spec, &mut view);
    Some(view)
}

/// What a source's count of violations is worth: an answer without it is no answer.
fn violations_quality(world: &World, source: &SourceId) -> Quality {
    let quality = world.sources.quality(source, world.now);
    if quality.usable() && silent(world, source).is_some() { Quality::Error } else { quality }
}

/// Why the last answer of a source has no violations, not even none.
fn silent(world: &World, source: &SourceId) -> Option<String> {
    let exhibits = world.sources.exhibits(source);
    if exhibits.iter().any(|exhibit| matches!(exhibit, Exhibit::Violations(_))) {
        return None;
    }
    let why = world.sources.missing(source, "violations").map(str::to_owned);
    Some(why.unwrap_or_else(|| format!("{source} does not report violations")))
}

/// Why the numbers may be too low: because it is configured so, because something was left
/// out within the window, or because one of several sources does not tell.
fn lower_bound(world: &World, spec: &LimitsSpec) -> Option<String> {
    let left_out = world.limits.left_out.as_ref();
    let recent = left_out.filter(|(at, _)| world.now.since(*at) < spec.window);
    let mut reasons: Vec<String> = recent.map(|(_, why)| why.clone()).into_iter().collect();
    let told = spec.violations.iter().any(|source| violations_quality(world, source).usable());
    if told {
        reasons.extend(blind_sources(world, spec));
    }
    reasons.extend(spec.lower_bound.clone());
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The sources of violations that do not tell now, each with its trouble. What is not
/// configured is not missed.
fn blind_sources(world: &World, spec: &LimitsSpec) -> Vec<String> {
    let trouble = |source: &SourceId| {
        let quality = violations_quality(world, source);
        if quality.usable() || quality == Quality::Unconfigured {
            return None;
        }
        Some(format!("{source}: {}", violations_trouble(world, source, quality)))
    };
    spec.violations.iter().filter_map(trouble).collect()
}

/// Why a source's violations are not known, in words.
fn violations_trouble(world: &World, source: &SourceId, quality: Quality) -> String {
    if world.sources.quality(source, world.now).usable() {
        silent(world, source).unwrap_or_default()
    } else {
        source_trouble(world, source, quality)
    }
}

fn judge(world: &World, spec: &LimitsSpec, view: &mut LimitsView) {
    if world.sources.cut_off() && view.quality != Quality::Unconfigured {
        view.quality = Quality::Offline;
        (view.limiter, view.limiter_reason) = (Limiter::Unknown, CUT_OFF.to_owned());
        view.reason = CUT_OFF.to_owned();
    } else if view.limiter == Limiter::FailingOpen {
        view.verdict = Verdict::Critical;
        view.reason = format!("the limiter is failing open: {}", view.limiter_reason);
    } else if !view.quality.usable() {
        view.verdict = without_data(view.quality);
        let source = spec.violations.first().or(spec.pressure.first());
        view.reason = source.map_or_else(
            || "no source of violations is configured".to_owned(),
            |source| {
                if view.counts {
                    violations_trouble(world, source, view.quality)
                } else {
                    source_trouble(world, source, view.quality)
                }
            },
        );
    } else if let Some(limit) = spec.warning_above.filter(|limit| view.tally.total > *limit) {
        view.verdict = Verdict::Warning;
        view.reason = format!(
            "{}, warning above {}: {}",
            refused(view),
            grouped(limit),
            view.tally.shape.words()
        );
    } else if let Some(blind) = blind_pressure(world, spec) {
        view.reason = format!("who is near a limit is not known: {blind}");
    } else if let [blind, ..] = blind_sources(world, spec).as_slice() {
        view.reason = format!("{}, but not all is known: {blind}", refused(view));
    } else if spec.violations.is_empty() {
        view.verdict = Verdict::Ok;
        view.reason = nearest(view);
    } else {
        view.verdict = Verdict::Ok;
        view.reason = refused(view);
        let left_out = world.limits.left_out.as_ref();
        if let Some((_, why)) = left_out.filter(|(at, _)| world.now.since(*at) < spec.window) {
            view.reason = format!("{}: {why}", view.reason);
        }
    }
}

/// How many were refused, in words. A lower bound says so, except where it bounds nothing.
fn refused(view: &LimitsView) -> String {
    let (total, over) = (view.tally.total, short_duration(view.window));
    let s = if total == 1 { "" } else { "s" };
    match (total, &view.lower_bound) {
        (0, Some(_)) => format!("no violation known in {over}"),
        (total, Some(_)) => format!("at least {} violation{s} in {over}", grouped(total)),
        (total, None) => format!("{} violation{s} in {over}", grouped(total)),
    }
}

/// Why it is not known who is near a limit, where a source is asked for it.
fn blind_pressure(world: &World, spec: &LimitsSpec) -> Option<String> {
    spec.pressure.iter().find_map(|source| {
        let asked = world.sources.get(source).is_some_and(|state| state.disabled.is_none());
        let quality = world.sources.quality(source, world.now);
        if !asked {
            return None;
        }
        if !quality.usable() {
            return Some(source_trouble(world, source, quality));
        }
        let exhibits = world.sources.exhibits(source);
        let told = exhibits.iter().any(|exhibit| matches!(exhibit, Exhibit::Pressure { .. }));
        let why = world.sources.missing(source, "pressure").map(str::to_owned);
        (!told).then(|| why.unwrap_or_else(|| format!("{source} does not tell")))
    })
}

fn nearest(view: &LimitsView) -> String {
    match view.pressure.as_ref().and_then(|pressure| pressure.first()) {
        Some(first) => {
            format!("nearest to a limit: {:.0} % of {}", first.share() * 100.0, first.tier)
        }
        None => "nobody is near a limit".to_owned(),
    }
}

/// The best quality of the sources: one that answers is enough to show its numbers.
fn best_quality(sources: &[SourceId], quality: impl Fn(&SourceId) -> Quality) -> Quality {
    sources
        .iter()
        .map(quality)
        .min_by_key(|quality| match quality {
            Quality::Fresh => 0,
            Quality::Late => 1,
            Quality::Stale => 2,
            Quality::Error => 3,
            _ => 4,
        })
        .unwrap_or(Quality::Unconfigured)
}

fn limiter(world: &World, spec: &LimitsSpec) -> (Limiter, String) {
    let home = SourceId::from("");
    for condition in &spec.failing_open {
        if let Decision::Holds(shown) = decide(world, &home, condition, None) {
            return (Limiter::FailingOpen, format!("{condition}, it is {shown}"));
        }
    }
    if spec.enforcing.is_empty() {
        return (Limiter::Unknown, "nothing is configured that would tell".to_owned());
    }
    for condition in &spec.enforcing {
        match decide(world, &home, condition, None) {
            Decision::Holds(_) => {}
            Decision::DoesNot(shown) => {
                return (Limiter::Unknown, format!("not so: {condition}, it is {shown}"));
            }
            Decision::Open(why) => return (Limiter::Unknown, why),
        }
    }
    let proof: Vec<String> = spec.enforcing.iter().map(ToString::to_string).collect();
    (Limiter::Enforcing, proof.join(" and "))
}

fn pressure(world: &World, spec: &LimitsSpec) -> (Option<Vec<Pressure>>, bool) {
    let mut found: Option<Vec<Pressure>> = None;
    let mut all = true;
    for source in &spec.pressure {
        if !world.sources.quality(source, world.now).usable() {
            continue;
        }
        for exhibit in world.sources.exhibits(source) {
            if let Exhibit::Pressure { entries, complete } = exhibit {
                found.get_or_insert_with(Vec::new).extend(entries.iter().cloned());
                all &= complete;
            }
        }
    }
    if let Some(found) = &mut found {
        found.sort_by(|a, b| {
            b.share().total_cmp(&a.share()).then_with(|| a.identifier.cmp(&b.identifier))
        });
    }
    (found, all)
}
