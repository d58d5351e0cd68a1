//! Rate-limit violations over all polls, who is near a limit, and whether the limiter works.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    cache::source_trouble,
    health::{Decision, decide},
    sources::CUT_OFF,
    state::World,
};
use crate::domain::{
    catalog::LimitsSpec,
    ids::SourceId,
    observation::Exhibit,
    time::{Moment, short_duration},
    verdict::{Quality, Verdict},
    violations::{Pressure, Shape, ViolationLog},
};

/// The state of the pane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitsState {
    /// Violations merged over polls.
    pub log: ViolationLog,
    /// When the first page was read: the window is covered from here.
    pub first_page: Option<Moment>,
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
    /// Violations in it.
    pub total: u64,
    /// Identifiers that caused them.
    pub identifiers: u64,
    /// Violations per minute, oldest first, one for each minute of the window.
    pub trend: Vec<u64>,
    /// By identifier, most first.
    pub by_identifier: Vec<(String, u64)>,
    /// By endpoint, most first.
    pub by_endpoint: Vec<(String, u64)>,
    /// By tier, most first.
    pub by_tier: Vec<(String, u64)>,
    /// The shape of the burst.
    pub shape: Shape,
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

impl LimitsView {
    /// Its part in the judgement on the whole.
    pub fn judged(&self) -> Verdict {
        if self.quality == Quality::Unconfigured { Verdict::Ok } else { self.verdict }
    }
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
    for exhibit in world.sources.exhibits(source) {
        if let (Exhibit::Violations(page), true) = (exhibit, fresh) {
            world.limits.log.merge(page, now, keep);
            world.limits.first_page.get_or_insert(now);
        }
    }
}

/// The pane as shown; none where it is not configured.
pub fn view(world: &World) -> Option<LimitsView> {
    let spec = world.catalog.limits.as_ref()?;
    let now = world.now;
    let told_by = if spec.violations.is_empty() { &spec.pressure } else { &spec.violations };
    let quality = best_quality(world, told_by);
    let (mut who, mut what, mut tiers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let minutes = (spec.window.as_secs() / 60).max(1) as usize;
    let mut trend = vec![0; minutes];
    let mut total = 0;
    for violation in world.limits.log.within(now, spec.window) {
        total += 1;
        *who.entry(violation.identifier.as_str()).or_insert(0) += 1;
        *what.entry(violation.endpoint.as_str()).or_insert(0) += 1;
        if let Some(tier) = &violation.tier {
            *tiers.entry(tier.as_str()).or_insert(0) += 1;
        }
        let age = now.wall.duration_since(violation.at).as_secs().max(0) as usize / 60;
        if let Some(slot) = minutes.checked_sub(age + 1).and_then(|slot| trend.get_mut(slot)) {
            *slot += 1;
        }
    }
    let by_identifier = ranked(who);
    let (limiter, limiter_reason) = limiter(world, spec);
    let (pressure, pressure_complete) = pressure(world, spec);
    let mut view = LimitsView {
        verdict: Verdict::Unknown,
        quality,
        reason: String::new(),
        window: spec.window,
        total,
        identifiers: by_identifier.len() as u64,
        trend,
        shape: Shape::of(&by_identifier),
        by_identifier,
        by_endpoint: ranked(what),
        by_tier: ranked(tiers),
        pressure,
        pressure_complete,
        limiter,
        limiter_reason,
        lower_bound: spec.lower_bound.clone(),
        seen: told_by.iter().filter_map(|source| world.sources.get(source)?.last_good_at()).max(),
    };
    judge(world, spec, &mut view);
    Some(view)
}

fn judge(world: &World, spec: &LimitsSpec, view: &mut LimitsView) {
    let over = short_duration(spec.window);
    if world.sources.cut_off() {
        view.quality = Quality::Offline;
        (view.limiter, view.limiter_reason) = (Limiter::Unknown, CUT_OFF.to_owned());
        view.reason = CUT_OFF.to_owned();
    } else if view.limiter == Limiter::FailingOpen {
        view.verdict = Verdict::Critical;
        view.reason = format!("the limiter is failing open: {}", view.limiter_reason);
    } else if !view.quality.usable() {
        let source = spec.violations.first().or(spec.pressure.first());
        view.reason = source.map_or_else(
            || "no source of violations is configured".to_owned(),
            |source| source_trouble(world, source, view.quality),
        );
    } else if let Some(limit) = spec.warning_above.filter(|limit| view.total > *limit) {
        view.verdict = Verdict::Warning;
        view.reason = format!(
            "{} violations in {over}, warning above {limit}: {}",
            view.total,
            view.shape.words()
        );
    } else if let Some(blind) = blind_pressure(world, spec, view) {
        view.reason = format!("who is near a limit is not known: {blind}");
    } else if spec.violations.is_empty() {
        view.verdict = Verdict::Ok;
        view.reason = nearest(view);
    } else {
        view.verdict = Verdict::Ok;
        view.reason = format!("{} violations in {over}", view.total);
    }
}

/// Why nothing is known of who is near a limit, where that is configured and not known.
fn blind_pressure(world: &World, spec: &LimitsSpec, view: &LimitsView) -> Option<String> {
    let source = spec.pressure.first()?;
    let configured = world.sources.get(source).is_some_and(|state| state.disabled.is_none());
    let quality = world.sources.quality(source, world.now);
    (configured && view.pressure.is_none() && !quality.usable())
        .then(|| source_trouble(world, source, quality))
}

fn nearest(view: &LimitsView) -> String {
    match view.pressure.as_ref().and_then(|pressure| pressure.first()) {
        Some(first) => {
            format!("nearest to a limit: {:.0} % of {}", first.share() * 100.0, first.tier)
        }
        None => "nobody is near a limit".to_owned(),
    }
}

/// Most first, then by name.
fn ranked(counts: BTreeMap<&str, u64>) -> Vec<(String, u64)> {
    let mut ranked: Vec<(String, u64)> =
        counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    ranked
}

/// The best quality of the sources: one that answers is enough to show its numbers.
fn best_quality(world: &World, sources: &[SourceId]) -> Quality {
    sources
        .iter()
        .map(|source| world.sources.quality(source, world.now))
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
