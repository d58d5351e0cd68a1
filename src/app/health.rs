//! Health checks: conditions on readings, settled by hysteresis.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    cache::WRITES_REFUSED,
    sources::{CUT_OFF, Lookup},
    state::World,
};
use crate::domain::{
    catalog::CheckSpec,
    condition::Condition,
    failure::Failure,
    hysteresis::{Hysteresis, Settled},
    ids::{CheckId, SourceId},
    reading::Reading,
    text,
    time::Moment,
    value::Value,
    verdict::{Quality, Verdict},
};

/// How many changes of verdict are remembered.
const HISTORY: usize = 50;

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckState {
    /// What we think.
    pub verdict: Verdict,
    /// What the thought is worth.
    pub quality: Quality,
    /// Why, in words.
    pub reason: String,
    /// Since when the verdict is this.
    pub since: Moment,
    /// The last failure of its source, kept after recovery.
    pub last_error: Option<(Failure, Moment)>,
    /// Changes of verdict, oldest first.
    pub changes: VecDeque<(Moment, Verdict)>,
    hysteresis: Hysteresis,
}

/// What a look says by itself, before hysteresis.
struct Look {
    verdict: Verdict,
    quality: Quality,
    reason: String,
}

/// One check as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckRow {
    /// Its name.
    pub id: CheckId,
    /// Its title.
    pub title: String,
    /// Its source.
    pub source: SourceId,
    /// What we think.
    pub verdict: Verdict,
    /// What the thought is worth.
    pub quality: Quality,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Moment,
    /// When its source last answered.
    pub seen: Option<Moment>,
    /// How long the last poll took.
    pub took: Option<Duration>,
    /// Where it and its primary source disagree: both, in words.
    pub disagreement: Option<String>,
}

impl CheckState {
    /// A check that was not looked at yet.
    pub fn new(now: Moment) -> Self {
        Self {
            verdict: Verdict::Unknown,
            quality: Quality::Waiting,
            reason: "not looked at yet".to_owned(),
            since: now,
            last_error: None,
            changes: VecDeque::new(),
            hysteresis: Hysteresis::default(),
        }
    }

    fn settle(&mut self, look: Look, now: Moment, spec: &CheckSpec) {
        let settled = self.hysteresis.look(look.verdict, spec.down_after, spec.up_after);
        let (verdict, reason) = match settled {
            Settled::Yes => (look.verdict, look.reason),
            Settled::FailingSoft { seen, of } => {
                (Verdict::Warning, format!("{} ({seen} of {of} before critical)", look.reason))
            }
            Settled::Recovering { seen, of } => {
                (Verdict::Warning, format!("good again ({seen} of {of}): {}", look.reason))
            }
        };
        self.set(verdict, look.quality, reason, now);
    }

    fn set(&mut self, verdict: Verdict, quality: Quality, reason: String, now: Moment) {
        if verdict != self.verdict {
            self.since = now;
            self.changes.push_back((now, verdict));
            if self.changes.len() > HISTORY {
                self.changes.pop_front();
            }
        }
        (self.verdict, self.quality, self.reason) = (verdict, quality, reason);
    }
}

/// Looks at every check of the source that was just observed.
pub fn observe(world: &mut World, source: &SourceId) {
    let now = world.now;
    let specs: Vec<CheckSpec> =
        world.catalog.checks.iter().filter(|spec| spec.source == *source).cloned().collect();
    let failure = world.sources.get(source).and_then(|state| state.last_failure.clone());
    for spec in specs {
        let look = look(world, &spec);
        if let Some(state) = world.checks.get_mut(&spec.id) {
            state.last_error.clone_from(&failure);
            state.settle(look, now, &spec);
        }
    }
}

/// Brings every check up to date with the passing of time: data grows old, and then
/// supports nothing any more.
pub fn refresh(world: &mut World) {
    let now = world.now;
    let cut_off = world.sources.cut_off();
    let specs = world.catalog.checks.clone();
    for spec in specs {
        let Some(source) = world.sources.get(&spec.source) else { continue };
        let disabled = source.disabled.clone();
        let quality = source.quality(now);
        let seen = source.last_good_at();
        let Some(state) = world.checks.get_mut(&spec.id) else { continue };
        if let Some(reason) = disabled {
            state.set(Verdict::Unjudged, Quality::Unconfigured, reason, now);
        } else if cut_off {
            state.set(Verdict::Unknown, Quality::Offline, CUT_OFF.to_owned(), now);
        } else if quality == Quality::Stale {
            let last =
                seen.map_or_else(String::new, |at| format!(", last answer {}", clock_time(at)));
            state.set(Verdict::Unknown, Quality::Stale, format!("no news{last}"), now);
        } else if quality == Quality::Late && state.quality == Quality::Fresh {
            state.quality = Quality::Late;
        }
    }
}

/// The wall-clock time of a moment, in UTC: `14:02:10Z`.
fn clock_time(at: Moment) -> String {
    at.wall.strftime("%H:%M:%SZ").to_string()
}

fn look(world: &World, spec: &CheckSpec) -> Look {
    let Some(source) = world.sources.get(&spec.source) else {
        return unknown(Quality::Unconfigured, "its source is not configured".to_owned());
    };
    if let Some(reason) = &source.disabled {
        let (verdict, quality) = (Verdict::Unjudged, Quality::Unconfigured);
        return Look { verdict, quality, reason: reason.clone() };
    }
    if world.sources.cut_off() {
        return unknown(Quality::Offline, CUT_OFF.to_owned());
    }
    match &source.facts {
        Reading::Never => unknown(Quality::Waiting, "not looked at yet".to_owned()),
        Reading::Stale { .. } => unknown(Quality::Stale, "no news".to_owned()),
        Reading::Failed { why, .. } => {
            let verdict = if why.kind.means_down() { Verdict::Critical } else { Verdict::Unknown };
            let again = if why.kind.retry_slowly() {
                "; asked rarely now, Ctrl-r asks at once"
            } else {
                ""
            };
            Look { verdict, quality: Quality::Error, reason: format!("{why}{again}") }
        }
        Reading::Fresh { value: facts, .. } => {
            let mut judged = judge(world, spec);
            let refused = facts.readings.get(WRITES_REFUSED) == Some(&Value::Bool(true));
            if refused && judged.verdict == Verdict::Ok {
                judged.verdict = Verdict::Warning;
            }
            for remark in &facts.remarks {
                judged.reason.push_str("; ");
                judged.reason.push_str(&text::clip(remark, 120));
            }
            judged
        }
    }
}

fn unknown(quality: Quality, reason: String) -> Look {
    Look { verdict: Verdict::Unknown, quality, reason }
}

/// Judges the readings of a source that answered. What holds beats what is missing; what
/// is missing beats what does not hold.
fn judge(world: &World, spec: &CheckSpec) -> Look {
    let mut gaps = Vec::new();
    for (conditions, verdict) in
        [(&spec.critical, Verdict::Critical), (&spec.warning, Verdict::Warning)]
    {
        for condition in conditions {
            match decide(world, &spec.source, condition, None) {
                Decision::Holds(shown) => {
                    let reason = format!("{} is {shown} ({condition})", condition.reading);
                    return Look { verdict, quality: Quality::Fresh, reason };
                }
                Decision::DoesNot(_) => {}
                Decision::Open(why) => gaps.push(why),
            }
        }
    }
    let mut shown = Vec::new();
    for name in &spec.shows {
        match world.sources.lookup(spec.source.as_str(), name) {
            Lookup::Known { value, .. } => {
                shown.push(format!("{} {}", name, shown_value(name, value)))
            }
            other => gaps.push(in_words(name, &other)),
        }
    }
    gaps.dedup();
    if !gaps.is_empty() {
        return Look {
            verdict: Verdict::Unknown,
            quality: Quality::Error,
            reason: gaps.join("; "),
        };
    }
    let took = world.sources.get(&spec.source).and_then(|source| source.last.as_ref());
    let reason = match (shown.is_empty(), took) {
        (false, _) => shown.join(", "),
        (true, Some(last)) => format!("answers in {} ms", whole_ms(last.took)),
        (true, None) => "answers".to_owned(),
    };
    Look { verdict: Verdict::Ok, quality: Quality::Fresh, reason }
}

/// A duration in milliseconds, coarse enough not to change with every poll: two
/// significant digits.
pub fn whole_ms(took: Duration) -> String {
    let ms = took.as_secs_f64() * 1_000.0;
    if ms < 1.0 {
        return "< 1".to_owned();
    }
    let step = 10f64.powf((ms.log10().floor() - 1.0).max(0.0));
    format!("{:.0}", (ms / step).round() * step)
}

/// Whether a condition holds, with the value in words; or why it cannot be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It holds.
    Holds(String),
    /// It does not.
    DoesNot(String),
    /// It cannot be decided.
    Open(String),
}

/// Decides a condition on the readings of `home` or of the source that it names.
pub fn decide(
    world: &World,
    home: &SourceId,
    condition: &Condition,
    before: Option<&Value>,
) -> Decision {
    let source = condition.source.as_deref().unwrap_or(home.as_str());
    match world.sources.lookup(source, &condition.reading) {
        Lookup::Known { value, .. } => {
            let shown = shown_value(&condition.reading, value);
            match condition.holds(value, before) {
                Some(true) => Decision::Holds(shown),
                Some(false) => Decision::DoesNot(shown),
                None => Decision::Open(format!(
                    "{} is {shown}, which cannot be compared ({condition})",
                    condition.reading
                )),
            }
        }
        other => Decision::Open(in_words(&condition.reading, &other)),
    }
}

/// A value for the screen; milliseconds get their unit.
pub fn shown_value(name: &str, value: &Value) -> String {
    let unit = if name.ends_with("_ms") { " ms" } else { "" };
    format!("{}{unit}", text::clip(&value.to_string(), 60))
}

fn in_words(name: &str, lookup: &Lookup<'_>) -> String {
    match lookup {
        Lookup::Known { .. } => format!("{name} is known"),
        Lookup::Missing(why) => why.clone(),
        Lookup::Failing(why) => why.to_string(),
        Lookup::Stale(at) => format!("{name}: no news since {}", clock_time(*at)),
        Lookup::Waiting => format!("{name}: not looked at yet"),
        Lookup::Disabled(reason) => reason.clone(),
    }
}

/// The checks as shown, worst first, what disagrees before what does not, then by title.
pub fn rows(world: &World) -> Vec<CheckRow> {
    let mut rows: Vec<CheckRow> = world
        .catalog
        .checks
        .iter()
        .filter_map(|spec| Some(row(world, spec, world.checks.get(&spec.id)?)))
        .collect();
    rows.sort_by(|a, b| {
        let rank = |row: &CheckRow| (row.verdict.badness(), row.disagreement.is_some());
        rank(b).cmp(&rank(a)).then_with(|| a.title.cmp(&b.title))
    });
    rows
}

fn row(world: &World, spec: &CheckSpec, state: &CheckState) -> CheckRow {
    let source = world.sources.get(&spec.source);
    let mut row = CheckRow {
        id: spec.id.clone(),
        title: spec.title.clone(),
        source: spec.source.clone(),
        verdict: state.verdict,
        quality: state.quality,
        reason: state.reason.clone(),
        since: state.since,
        seen: source.and_then(super::sources::SourceState::last_good_at),
        took: source.and_then(|source| source.last.as_ref()).map(|last| last.took),
        disagreement: None,
    };
    if let Some((title, primary)) = primary(world, spec) {
        compare(&mut row, spec, title, primary);
    }
    row
}

/// The check on the thing itself, where this one is on what a service says about it.
fn primary<'a>(world: &'a World, spec: &CheckSpec) -> Option<(&'a str, &'a CheckState)> {
    let id = spec.primary.as_ref()?;
    let title = &world.catalog.checks.iter().find(|check| check.id == *id)?.title;
    Some((title, world.checks.get(id)?))
}

/// Where a check on what a service says and the check on the thing itself come to different
/// verdicts, both are told, and each counts. Only what a service is known to say wrongly of
/// a thing that is well does not; and a service that cannot be asked says nothing: then it
/// is this check that is not well.
fn compare(row: &mut CheckRow, spec: &CheckSpec, title: &str, primary: &CheckState) {
    let known = |verdict: Verdict| !matches!(verdict, Verdict::Unknown | Verdict::Unjudged);
    let (own, other) = (row.verdict, primary.verdict);
    if !known(own) || !known(other) || own == other {
        return;
    }
    let both_answer = primary.quality.usable() && row.quality.usable();
    if spec.expect_disagreement && other == Verdict::Ok && both_answer {
        row.disagreement =
            Some(format!("says {} of itself, does not count: {}", own.word(), row.reason));
        row.verdict = Verdict::Ok;
        row.reason = format!("{title}: {}", primary.reason);
    } else {
        let (here, there) = (own.word(), other.word());
        row.disagreement = Some(format!(
            "disagrees with {title}: here {here}, there {there} ({})",
            primary.reason
        ));
    }
}
