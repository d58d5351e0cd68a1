//! Alert rules: that they can be read, name what is there, and can ever fire.

use std::{sync::Arc, time::Duration};

use super::{Cx, Path, Severity, value::written};
use crate::{
    config::raw::{
        RawConfig,
        rule::{RawBand, RawOnMissing, RawPriority, RawRule, RawSeverity},
    },
    domain::{
        catalog::Catalog,
        condition::Op,
        ids::{ActionId, SourceId},
        percentile::enough_for,
        rule::{
            self, Band, Clause, Function, Marker, OnMissing, Priority, Rule, SeriesName, Subject,
            Test, Unit, When,
        },
        value::Value,
    },
};

/// How a `when` line is written, for the cure.
const FORM: &str = "such as p95(api.total_ms, 5m) > 200ms, increase(api.errors, 1h) > 5, \
                    hit_rate(redis.keyspace_hits, redis.keyspace_misses, 5m) < 70%, \
                    api.up == false, absent(cron.last_run, 30m)";

/// Fills in the rules.
pub fn rules(cx: &mut Cx<'_>, raw: &RawConfig, catalog: &mut Catalog) {
    for (name, rule) in cx.ordered("rule", &raw.rule) {
        let path = Path::root("rule").key(name);
        let Some(rule) = cx.rule(&path, name, rule) else { continue };
        if cx.rule_names(&path, &rule) {
            cx.rule_can_fire(&path, &rule, raw, catalog);
        }
        for (position, other) in rule.inhibited_by.iter().enumerate() {
            let at = path.key("inhibited_by").index(position);
            if other.as_ref() == name {
                cx.error(&at, "a rule cannot inhibit itself", "name another rule");
            } else if raw
                .rule
                .get(other.as_ref())
                .is_some_and(|other| other.inhibited_by.iter().any(|back| back == name))
            {
                let message = format!("`{other}` and `{name}` would inhibit each other");
                cx.error(&at, message, "leave one of the two out: the cause has no cause");
            } else {
                cx.refers(&at, "rule", other, "rule");
            }
        }
        for (position, action) in rule.suggests.iter().enumerate() {
            let at = path.key("suggests").index(position);
            cx.refers(&at, "action", action.as_str(), "action");
        }
        catalog.rules.push(rule);
    }
}

impl Cx<'_> {
    /// A rule, as far as it can be judged by itself.
    pub fn rule(&mut self, path: &Path, name: &str, raw: &RawRule) -> Option<Rule> {
        let when = self.when(&path.key("when"), &raw.when.0);
        let hold = self.duration_or_zero(&path.key("for"), &raw.hold);
        let keep = match &raw.keep_firing_for {
            Some(keep) => Some(self.duration_or_zero(&path.key("keep_firing_for"), keep)?),
            None => None,
        };
        let bands = self.bands(&path.key("expected"), &raw.expected);
        let marker = raw.marker.as_ref().map(|marker| self.marker(&path.key("marker"), marker));
        let (when, hold) = (when?, hold?);
        self.bands_belong(path, &when, raw);
        let severity = severity(raw.severity);
        Some(Rule {
            id: Arc::from(name),
            title: raw.title.clone().unwrap_or_else(|| name.to_owned()),
            when,
            hold,
            keep,
            severity,
            priority: raw.priority.map_or_else(|| severity.proposes(), priority),
            on_missing: match raw.on_missing {
                RawOnMissing::Hold => OnMissing::Hold,
                RawOnMissing::Fire => OnMissing::Fire,
                RawOnMissing::Ok => OnMissing::Ok,
            },
            min_events: raw.min_events,
            bands,
            marker: marker.flatten(),
            inhibited_by: raw.inhibited_by.iter().map(|name| Arc::from(name.as_str())).collect(),
            suggests: raw.suggests.iter().map(|name| ActionId::from(name.as_str())).collect(),
            banner: raw.banner,
            runbook: raw.runbook.clone(),
            summary: raw.summary.clone(),
        })
    }

    fn when(&mut self, path: &Path, text: &str) -> Option<When> {
        match When::parse(text) {
            Ok(when) => Some(when),
            Err(error) => {
                let place = self.inside(path, error.offset);
                self.push(Severity::Error, place, error.message, FORM.to_owned());
                None
            }
        }
    }

    fn bands(&mut self, path: &Path, raw: &[RawBand]) -> Vec<Band> {
        let mut out: Vec<Band> = Vec::new();
        for (position, band) in raw.iter().enumerate() {
            let path = path.index(position);
            let after = self.duration_or_zero(&path.key("after"), &band.after);
            let from = self.maybe_share(&path.key("from"), band.from.as_ref());
            let to = self.maybe_share(&path.key("to"), band.to.as_ref());
            let (Some(after), Some(from), Some(to)) = (after, from, to) else { continue };
            if from.is_none() && to.is_none() {
                self.error(
                    &path,
                    "nothing is expected here",
                    "write from = \"60%\" or to = \"80%\"",
                );
            }
            if matches!((from, to), (Some(from), Some(to)) if from > to) {
                self.error(&path.key("from"), "`from` is above `to`", "swap the two");
            }
            if out.last().is_some_and(|last| last.after >= after) {
                self.error(
                    &path.key("after"),
                    "this is not after the one before",
                    "write them in order of time",
                );
            }
            out.push(Band { after, from, to });
        }
        out
    }

    fn bands_belong(&mut self, path: &Path, when: &When, raw: &RawRule) {
        let of_a_share =
            |clause: &Clause| matches!(rule::unit_of(&clause.subject), Unit::Ratio | Unit::Unknown);
        let banded = |clause: &&Clause| matches!(clause.test, Test::Expected(_));
        if !when.clauses.iter().filter(banded).all(of_a_share) {
            let cure = "compare a ratio with it, or write the limit into `when`";
            self.error(&path.key("when"), "what is expected is a share, and this is none", cure);
        }
        match (when.needs_bands(), raw.expected.is_empty(), raw.marker.is_none()) {
            (true, true, _) => self.error(
                &path.key("when"),
                "nothing is said of what is expected",
                "write expected = [{ after = \"1h\", from = \"70%\", to = \"90%\" }]",
            ),
            (true, _, true) => self.error(
                &path.key("when"),
                "nothing is said of what the expectation is counted from",
                "write marker = \"deploy\", \"action:NAME\" or a reading such as \"redis.uptime_in_seconds\"",
            ),
            (false, false, _) => self.error(
                &path.key("expected"),
                "`expected` is not used",
                "compare with it in `when`: hit_rate(…) < expected",
            ),
            (false, true, false) => self.error(
                &path.key("marker"),
                "`marker` is not used",
                "it is what `expected` is counted from",
            ),
            _ => {}
        }
    }

    fn marker(&mut self, path: &Path, text: &str) -> Option<Marker> {
        if text == "deploy" {
            return Some(Marker::Deploy);
        }
        if let Some(action) = text.strip_prefix("action:") {
            let known = self.refers(path, "action", action, "action");
            return known.then(|| Marker::Action(ActionId::from(action)));
        }
        let Some((source, reading)) = text.split_once('.') else {
            self.error(
                path,
                format!("{text:?} is no marker"),
                "write \"deploy\", \"action:NAME\" or a reading in seconds, \"redis.uptime_in_seconds\"",
            );
            return None;
        };
        let known = self.refers(path, "source", source, "source")
            && self.reading_of(path, source, reading).is_some();
        known.then(|| {
            Marker::Uptime(SeriesName { source: Arc::from(source), reading: Arc::from(reading) })
        })
    }

    /// Whether everything that the rule looks at is there.
    fn rule_names(&mut self, path: &Path, rule: &Rule) -> bool {
        let path = path.key("when");
        let mut all = true;
        for name in rule.when.series() {
            // Where it stands in the line; the same name twice is right or wrong both times.
            let offset = rule.when.text().find(&name.to_string()).unwrap_or(0);
            if name.source.is_empty() {
                let place = self.inside(&path, offset);
                let message = format!("`{name}` does not say of which source");
                self.push(Severity::Error, place, message, format!("write SOURCE.{name}"));
                all = false;
                continue;
            }
            let reading_at = offset + name.source.len() + 1;
            all &= self.refers(&path, "source", &name.source, "source")
                && self.reading_at(&path, reading_at, &name.source, &name.reading);
        }
        all
    }

    /// Says of a rule that can never fire, or fires on a single look against its word.
    fn rule_can_fire(&mut self, path: &Path, rule: &Rule, raw: &RawConfig, catalog: &Catalog) {
        let interval_of = |name: &SeriesName| {
            Some(catalog.sources.get(&SourceId::from(name.source.as_ref()))?.interval)
        };
        let Some(slowest) = rule.when.series().filter_map(interval_of).max() else { return };
        if !rule.hold.is_zero() && rule.hold < slowest * 2 {
            self.warning(
                &path.key("for"),
                format!(
                    "for = {:?} is shorter than two intervals of its source, {}: one look decides",
                    written(rule.hold),
                    written(slowest)
                ),
                format!(
                    "write at least {:?}, or \"0s\" where one look is to decide",
                    written(slowest * 2)
                ),
            );
        }
        self.rule_makes_sense(path, rule, raw, slowest);
        for clause in &rule.when.clauses {
            if let Some((message, cure)) = never(clause, rule, slowest) {
                self.error(&path.key("when"), format!("this can never fire: {message}"), cure);
            }
        }
    }
}

/// Why a clause can never be true.
fn never(clause: &Clause, rule: &Rule, interval: Duration) -> Option<(String, String)> {
    if let Subject::Window(_, _, window) | Subject::CountOf(_, window) | Subject::ShareOf(_, window) =
        &clause.subject
        && *window < interval
    {
        return Some((
            format!(
                "the window of {} is shorter than the interval of {}",
                written(*window),
                written(interval)
            ),
            format!("write a window of {} or more", written(interval * 2)),
        ));
    }
    let room = |window: Duration| (window.as_secs_f64() / interval.as_secs_f64()).floor() as usize;
    if let Subject::Window(Function::Percentile(per_mille), _, window) = &clause.subject {
        let needed = enough_for(f64::from(*per_mille) / 10.0);
        if room(*window) < needed {
            return Some((
                format!(
                    "{} at intervals of {} hold {} values, and this percentile needs {needed}",
                    written(*window),
                    written(interval),
                    room(*window)
                ),
                "take a longer window, a shorter interval, or max(…)".to_owned(),
            ));
        }
    }
    if let Subject::ShareOf(_, window) = &clause.subject
        && (room(*window) as u64) < rule.min_events
    {
        return Some((
            format!(
                "{} at intervals of {} hold {} values, and {} are needed",
                written(*window),
                written(interval),
                room(*window),
                rule.min_events
            ),
            "take a longer window, or write a smaller min_events".to_owned(),
        ));
    }
    // With a look at each end there is one more than there are intervals.
    let most = |window: Duration| (room(window) + 1) as f64;
    if let (Subject::CountOf(_, window), Test::Against(Op::Greater, Value::Number(limit))) =
        (&clause.subject, &clause.test)
        && *limit >= most(*window)
    {
        return Some((
            format!(
                "{} at intervals of {} hold {} looks, and more than {limit} are wanted",
                written(*window),
                written(interval),
                most(*window)
            ),
            "take a longer window, a shorter interval, or a smaller number".to_owned(),
        ));
    }
    out_of_reach(clause)
}

/// Thresholds that the figure cannot pass.
fn out_of_reach(clause: &Clause) -> Option<(String, String)> {
    let Test::Against(op, Value::Number(limit)) = &clause.test else { return None };
    let unit = rule::unit_of(&clause.subject);
    let bounded = !matches!(clause.subject, Subject::Change(..) | Subject::Used { .. });
    let cure = |text: &str| Some(text.to_owned());
    let (message, cure) = match (op, unit) {
        (Op::Greater, Unit::Ratio) if *limit >= 1.0 && bounded => {
            ("a ratio is never above 100%", cure("write a smaller share"))
        }
        (
            Op::Less,
            Unit::Ratio | Unit::Count | Unit::Bytes | Unit::Milliseconds | Unit::Seconds,
        ) if *limit <= 0.0 && bounded => ("it is never below zero", cure("write a larger number")),
        _ => return None,
    };
    Some((message.to_owned(), cure?))
}

fn severity(raw: RawSeverity) -> rule::Severity {
    match raw {
        RawSeverity::Warning => rule::Severity::Warning,
        RawSeverity::Critical => rule::Severity::Critical,
    }
}

fn priority(raw: RawPriority) -> Priority {
    match raw {
        RawPriority::P0 => Priority::P0,
        RawPriority::P1 => Priority::P1,
        RawPriority::P2 => Priority::P2,
        RawPriority::P3 => Priority::P3,
    }
}
