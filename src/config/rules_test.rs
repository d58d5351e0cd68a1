//! Files that test rules: from text to [`Trial`]s, or to everything that is wrong with them.

use std::{
    path::{Path as FilePath, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};

use serde_json::Value;

use super::{
    Prepared, Request, builtin,
    diagnostics::{Diagnostic, Diagnostics, Severity},
    layers::{Origin, SourceText},
    mask::mask,
    nearest::suggestion,
    raw::rule::{RawCompat, RawExpect, RawPhase, RawQuality, RawSeries, RawTest, RawTests},
    schema, strict,
    tree::{Data, Node, Path, Place, Table},
    validate::Cx,
};
use crate::domain::{
    rule::{
        Mode, Phase, Rule, SeriesName, notation, prometheus,
        trial::{self, Expectation, Input, MOST_STEPS, MOST_WORK, Trial},
    },
    verdict::Quality,
};

static TESTS: LazyLock<Value> = LazyLock::new(schema::of_tests);

/// Reads a file of rule tests.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn rules_test(file: &FilePath) -> Result<Vec<Trial>, Diagnostics> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("{} cannot be read: {error}", file.display());
            return Err(Diagnostics::new(Arc::default(), vec![unplaced(message)]));
        }
    };
    let mut reader = Reader { texts: Vec::new(), found: Vec::new() };
    let Some(prepared) = reader.prepare(file, text, |root| strict::check_against(root, &TESTS))
    else {
        return Err(reader.refused());
    };
    let raw: Result<RawTests, _> = serde_path_to_error::deserialize(prepared.sound.to_json());
    let raw = match raw {
        Ok(raw) => raw,
        Err(error) => {
            reader.found.push(unplaced(format!("`{}`: {}", error.path(), error.inner())));
            return Err(reader.refused());
        }
    };
    let mut trials = Vec::new();
    for (position, test) in raw.test.iter().enumerate() {
        trials.extend(reader.trial(&prepared, &Path::root("test").index(position), test, file));
    }
    if raw.test.is_empty() && reader.found.is_empty() {
        reader.found.push(unplaced(format!("{} has no [[test]]", file.display())));
    }
    if reader.found.is_empty() { Ok(trials) } else { Err(reader.refused()) }
}

fn unplaced(message: String) -> Diagnostic {
    Diagnostic { severity: Severity::Error, place: None, message, cure: None }
}

struct Reader {
    texts: Vec<SourceText>,
    found: Vec<Diagnostic>,
}

impl Reader {
    fn refused(self) -> Diagnostics {
        Diagnostics::new(Arc::new(self.texts), self.found)
    }

    /// Reads a text and checks its keys and types. None where it is not TOML.
    fn prepare(
        &mut self,
        file: &FilePath,
        text: String,
        check: impl FnOnce(&mut Node) -> Vec<Diagnostic>,
    ) -> Option<Prepared> {
        let number = self.texts.len();
        let (mut root, errors) = Node::parse(number, &text);
        let name = file.display().to_string();
        let (shown, origin) = (mask(&text), Origin::File(file.to_owned()));
        self.texts.push(SourceText { name, text, shown, origin });
        if !errors.is_empty() {
            self.found.extend(errors.into_iter().map(|(place, message)| Diagnostic {
                severity: Severity::Error,
                place: Some(place),
                message,
                cure: None,
            }));
            return None;
        }
        let written = root.clone();
        self.found.extend(check(&mut root));
        let texts = Arc::new(self.texts.clone());
        Some(Prepared { texts, files: Vec::new(), written, sound: root, unset: Vec::new() })
    }

    fn error(
        &mut self,
        prepared: &Prepared,
        path: &Path,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.found.push(Diagnostic {
            severity: Severity::Error,
            place: Some(prepared.sound.place_of(path)),
            message: message.into(),
            cure: Some(cure.into()),
        });
    }

    fn trial(
        &mut self,
        prepared: &Prepared,
        path: &Path,
        raw: &RawTest,
        file: &FilePath,
    ) -> Option<Trial> {
        let mut rules = match &raw.rules {
            Some(named) => self.rules_of(prepared, &path.key("rules"), named, file),
            None => Vec::new(),
        };
        let request = Request::default();
        let mut cx = Cx::alone(prepared, &request, &mut self.found);
        for (position, rule) in raw.rule.iter().enumerate() {
            rules.extend(cx.rule(&path.key("rule").index(position), &rule.id, &rule.rule));
        }
        let every = cx.duration(&path.key("every"), &raw.every);
        let until = raw.until.as_ref().map(|until| cx.duration_or_zero(&path.key("until"), until));
        let marker =
            raw.marker_at.as_ref().map(|at| cx.duration_or_zero(&path.key("marker_at"), at));
        let every = every?;
        let mut series = Vec::new();
        for (position, written) in raw.series.iter().enumerate() {
            series.extend(input(&mut cx, &path.key("series").index(position), written, every));
        }
        let until = match until {
            Some(until) => until?,
            None => series.iter().map(end).max().unwrap_or_default(),
        };
        let mut expect = Vec::new();
        for (position, written) in raw.expect.iter().enumerate() {
            let path = path.key("expect").index(position);
            let faulty = raw.rule.iter().any(|rule| Some(&rule.id) == written.rule.as_ref())
                && !rules.iter().any(|rule| Some(rule.id.as_ref()) == written.rule.as_deref());
            // A rule that cannot be read has been reported; what is expected of it is not known.
            if !faulty {
                expect.extend(expectation(&mut cx, &path, written, &rules));
            }
        }
        let mode = match raw.compat {
            None => Mode::Own,
            Some(RawCompat::Prometheus) => Mode::Prometheus(prometheus::Version::Three),
            Some(RawCompat::Prometheus2) => Mode::Prometheus(prometheus::Version::Two),
        };
        let name = raw.name.clone();
        let marker = marker.flatten();
        let trial = Trial { name, every, until, mode, rules, series, marker, expect };
        self.sensible(prepared, path, raw, &trial);
        Some(trial)
    }

    /// What can only be said of the test as a whole.
    fn sensible(&mut self, prepared: &Prepared, path: &Path, raw: &RawTest, trial: &Trial) {
        if trial.rules.is_empty() && raw.rule.is_empty() {
            let cure = "write a [[test.rule]] or rules = \"FILE\"";
            self.error(prepared, path, "this test has no rule", cure);
        }
        if trial.until.as_nanos() / trial.every.as_nanos().max(1) > u128::from(MOST_STEPS) {
            let cure = "write a longer `every` or a shorter `until`";
            self.error(prepared, &path.key("until"), format!("more than {MOST_STEPS} steps"), cure);
        }
        let work = trial::work(trial);
        if work > MOST_WORK {
            let message = format!(
                "the rules would be evaluated {work} times, at most {MOST_WORK}: at each step and at each value, each rule"
            );
            let cure = "write a longer `every`, fewer values, or fewer rules into one test";
            self.error(prepared, path, message, cure);
        }
        for (position, one) in raw.series.iter().enumerate() {
            if raw.series[..position].iter().any(|before| before.name == one.name) {
                let path = path.key("series").index(position).key("name");
                let message = format!("there are two series {:?}", one.name);
                self.error(prepared, &path, message, "put their values into one");
            }
        }
        for (position, one) in raw.rule.iter().enumerate() {
            let path = path.key("rule").index(position);
            let mut same = trial.rules.iter().filter(|rule| rule.id.as_ref() == one.id);
            let Some(rule) = same.next() else { continue };
            if same.next().is_some() {
                let message = format!("there are two rules {:?}", one.id);
                self.error(prepared, &path.key("id"), message, "give each its own name");
            }
            for name in rule.when.series().map(ToString::to_string) {
                let known = || raw.series.iter().map(|series| series.name.as_str());
                if !known().any(|known| known == name) {
                    let cure = suggestion(&name, known(), "series");
                    let message = format!("the test has no series {name}");
                    self.error(prepared, &path.key("when"), message, cure);
                }
            }
        }
    }

    /// The rules of another file, or of a built-in profile: of its layers, what stands in
    /// the upper one wins.
    fn rules_of(
        &mut self,
        prepared: &Prepared,
        path: &Path,
        named: &str,
        file: &FilePath,
    ) -> Vec<Rule> {
        let texts: Vec<(PathBuf, String)> = match named.strip_prefix("profile:") {
            Some(profile) => {
                let Some(layers) = builtin::layers(profile) else {
                    let cure = suggestion(profile, builtin::NAMES, "profiles");
                    self.error(prepared, path, format!("there is no profile `{profile}`"), cure);
                    return Vec::new();
                };
                layers.iter().map(|(name, text)| (name.into(), (*text).to_owned())).collect()
            }
            None => {
                let other = file.parent().unwrap_or(FilePath::new("")).join(named);
                match std::fs::read_to_string(&other) {
                    Ok(text) => vec![(other, text)],
                    Err(error) => {
                        let message = format!("{} cannot be read: {error}", other.display());
                        let cure = "the path starts at the directory of this file";
                        self.error(prepared, path, message, cure);
                        return Vec::new();
                    }
                }
            }
        };
        let mut rules: Vec<Rule> = Vec::new();
        for (name, text) in texts {
            for rule in self.rules_in(&name, text) {
                rules.retain(|lower| lower.id != rule.id);
                rules.push(rule);
            }
        }
        rules
    }

    fn rules_in(&mut self, name: &FilePath, text: String) -> Vec<Rule> {
        let prepared = self.prepare(name, text, |root| {
            only_rules(root);
            strict::check_section(root, "rule")
        });
        let Some(prepared) = prepared else { return Vec::new() };
        let section = match serde_path_to_error::deserialize(prepared.sound.to_json()) {
            Ok(Rules { rule }) => rule,
            Err(error) => {
                self.found.push(unplaced(format!("`{}`: {}", error.path(), error.inner())));
                return Vec::new();
            }
        };
        let request = Request::default();
        let mut cx = Cx::alone(&prepared, &request, &mut self.found);
        let mut out = Vec::new();
        for (name, rule) in cx.ordered("rule", &section) {
            out.extend(cx.rule(&Path::root("rule").key(name), name, rule));
        }
        out
    }
}

/// Nothing but the rules of a configuration.
#[derive(serde::Deserialize)]
struct Rules {
    #[serde(default)]
    rule: std::collections::BTreeMap<String, super::raw::rule::RawRule>,
}

/// Leaves nothing but the rules: the rest of a configuration needs its variables, and a
/// test of rules does not.
fn only_rules(root: &mut Node) {
    if let Data::Table(Table { entries, .. }) = &mut root.data {
        entries.retain(|key, _| key == "rule");
    }
}

fn end(input: &Input) -> Duration {
    input
        .every
        .saturating_mul(u32::try_from(input.values.len().saturating_sub(1)).unwrap_or(u32::MAX))
}

fn input(cx: &mut Cx<'_>, path: &Path, raw: &RawSeries, every: Duration) -> Option<Input> {
    let name = match SeriesName::parse(&raw.name) {
        Ok(name) => Some(name),
        Err(error) => {
            let place = cx.inside(&path.key("name"), error.offset);
            cx.push(Severity::Error, place, error.message, "such as cars.p95".to_owned());
            None
        }
    };
    let every = match &raw.every {
        Some(text) => cx.duration(&path.key("every"), text),
        None => Some(every),
    };
    match notation::parse(&raw.values) {
        Ok(values) => Some(Input { name: name?, every: every?, values }),
        Err(error) => {
            let place: Place = cx.inside(&path.key("values"), error.offset);
            let cure = "values as in the rule tests of Prometheus: 0+10x5 _x3 stale".to_owned();
            cx.push(Severity::Error, place, error.message, cure);
            None
        }
    }
}

fn expectation(
    cx: &mut Cx<'_>,
    path: &Path,
    raw: &RawExpect,
    rules: &[Rule],
) -> Option<Expectation> {
    let at = cx.duration_or_zero(&path.key("at"), &raw.at);
    let since = match &raw.since {
        Some(since) => Some(cx.duration_or_zero(&path.key("since"), since)?),
        None => None,
    };
    let known = || rules.iter().map(|rule| rule.id.as_ref());
    let rule = match (&raw.rule, rules) {
        (Some(rule), _) if known().any(|id| id == rule) => rule.clone(),
        (Some(rule), _) => {
            let cure = suggestion(rule, known(), "rules");
            cx.error(&path.key("rule"), format!("the test has no rule `{rule}`"), cure);
            return None;
        }
        (None, [only]) => only.id.as_ref().to_owned(),
        (None, _) => {
            cx.error(path, "it does not say of which rule", "write rule = \"NAME\"");
            return None;
        }
    };
    let state = raw.state.map(phase);
    // What cannot be read has been reported.
    let said =
        ["state", "since", "value", "quality"].iter().any(|key| cx.is_written(&path.key(key)));
    if !said {
        cx.error(path, "nothing is expected here", "write state, since, value or quality");
    }
    Some(Expectation {
        at: at?,
        rule,
        state,
        since,
        value: raw.value,
        quality: raw.quality.map(quality),
    })
}

fn phase(raw: RawPhase) -> Phase {
    match raw {
        RawPhase::Unknown => Phase::Unknown,
        RawPhase::Ok => Phase::Ok,
        RawPhase::Pending => Phase::Pending,
        RawPhase::Firing => Phase::Firing,
        RawPhase::Recovering => Phase::Recovering,
    }
}

fn quality(raw: RawQuality) -> Quality {
    match raw {
        RawQuality::Fresh => Quality::Fresh,
        RawQuality::Late => Quality::Late,
        RawQuality::Stale => Quality::Stale,
        RawQuality::Error => Quality::Error,
        RawQuality::NoTraffic => Quality::NoTraffic,
        RawQuality::TooFew => Quality::TooFew,
        RawQuality::Waiting => Quality::Waiting,
        RawQuality::Unconfigured => Quality::Unconfigured,
    }
}
