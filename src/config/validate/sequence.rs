//! Several steps, one after the other.

use std::time::Duration;

use super::{
    Cx, Path,
    condition::Setting,
    gap::Open,
    known::{Answer, Known},
    source::Sources,
    value::parse_duration,
};
use crate::{
    config::{
        mask::is_secret_name,
        nearest::suggestion,
        profile::{ActionKind, EnvFile, HttpAction, Look, SequenceAction, Step, StepKind, Wait},
        raw::{
            RawConfig,
            action::RawSequenceAction,
            step::{RawEnvFileStep, RawStep, RawWaitStep},
        },
    },
    domain::{
        ask::{Answers, Ask},
        template::Blank,
    },
};

/// The most steps of one sequence.
const MOST_STEPS: usize = 20;

/// What the earlier steps of a sequence can be asked for.
type Earlier = Vec<(String, Known)>;

/// How long all steps may take together, as far as that can be read.
pub fn together(raw: &RawSequenceAction) -> Duration {
    raw.step.iter().filter_map(|step| parse_duration(&step.timeout().0).ok()).sum()
}

/// What the answer of a sequence has: the readings of all its steps.
pub fn answer_of(raw: &RawSequenceAction) -> Known {
    let mut names = Vec::new();
    let mut open = false;
    for step in &raw.step {
        let known = known(step);
        open |= matches!(step, RawStep::Wait(wait) if wait.query.is_some());
        names.extend(known.names().map(|name| format!("{}_{name}", step.name())));
    }
    let known = Known::only(names.iter().map(String::as_str));
    if open { known.or_more() } else { known }
}

/// What the answer of a step has.
fn known(step: &RawStep) -> Known {
    let with = |own: Vec<&str>, fixed: &[&'static str]| {
        Known::only(own.into_iter().chain(fixed.iter().copied()))
    };
    match step {
        RawStep::Http(http) => {
            with(http.readings.keys().map(String::as_str).collect(), &["status"])
        }
        RawStep::Redis(_) => with(Vec::new(), &["deleted", "remaining"]),
        RawStep::Command(_) => with(Vec::new(), &["exit_code", "output"]),
        RawStep::Sql(_) => with(Vec::new(), &["rows", "transaction"]),
        RawStep::EnvFile(_) => with(Vec::new(), &[]),
        RawStep::Wait(wait) => {
            let own = wait.readings.keys().map(String::as_str).collect();
            match &wait.query {
                Some(query) => Known::of_query(query),
                None if wait.url.is_some() => with(own, &["status"]),
                None => with(own, &["exit_code", "output"]),
            }
        }
    }
}

impl Cx<'_> {
    /// Several steps, one after the other.
    pub fn sequence_action(
        &mut self,
        path: &Path,
        raw: &RawSequenceAction,
        config: &RawConfig,
        sources: &Sources,
        asks: &[Ask],
    ) -> Option<SequenceAction> {
        let path = path.key("step");
        if raw.step.is_empty() || raw.step.len() > MOST_STEPS {
            let message = format!("a sequence has from 1 to {MOST_STEPS} steps");
            self.error(&path, message, "write [[action.NAME.step]] for each");
            return None;
        }
        let mut earlier = Earlier::new();
        let mut steps = Vec::new();
        for (position, step) in raw.step.iter().enumerate() {
            let path = path.index(position);
            let named = self.step_name(&path, step.name(), &earlier);
            let filled = self.filled_from(&path, &earlier);
            let built = self.step(&path, step, config, sources, asks);
            steps.extend(built.filter(|_| named && filled));
            earlier.push((step.name().to_owned(), known(step)));
        }
        let all = steps.len() == raw.step.len();
        all.then(|| SequenceAction { steps, given: Answers::none() })
    }

    fn step_name(&mut self, path: &Path, name: &str, earlier: &Earlier) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let sound = name.len() <= 30
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(plain);
        if !sound {
            let message = format!("{name:?} cannot be the name of a step");
            self.error(&path.key("name"), message, "lower case letters, digits and _");
        }
        let taken = earlier.iter().any(|(other, _)| other == name);
        if taken {
            let message = format!("there is a step `{name}` already");
            self.error(&path.key("name"), message, "give each step its own name");
        }
        sound && !taken
    }

    /// Whether everything that is put into the texts of a step is there by then.
    fn filled_from(&mut self, path: &Path, earlier: &Earlier) -> bool {
        let mut sound = true;
        for (place, template) in self.templates(path) {
            for blank in template.blanks() {
                // What is asked for is known before the first step.
                let Blank::Step { step, reading } = blank else { continue };
                let Some((_, known)) = earlier.iter().find(|(name, _)| name == step) else {
                    let names: Vec<&str> = earlier.iter().map(|(name, _)| name.as_str()).collect();
                    let message = format!("there is no step `{step}` before this one");
                    self.error(&place, message, suggestion(step, names.iter().copied(), "steps"));
                    sound = false;
                    continue;
                };
                if known.has(reading) == Answer::No {
                    let message = format!("step `{step}` has no reading `{reading}`");
                    let cure = suggestion(reading, known.names(), "readings");
                    self.error(&place, message, cure);
                    sound = false;
                }
            }
        }
        sound
    }

    fn step(
        &mut self,
        path: &Path,
        raw: &RawStep,
        config: &RawConfig,
        sources: &Sources,
        asks: &[Ask],
    ) -> Option<Step> {
        let known = known(raw);
        let mut raw = raw.clone();
        let open = Open::of_step(&mut raw);
        let mut sound = true;
        for gap in &open.gaps {
            sound &= self.gap(path, &open, gap, asks);
        }
        let timeout = self.duration(&path.key("timeout"), raw.timeout());
        let verify = self.conditions(&path.key("verify"), raw.verify(), Setting::Step(&known));
        let all = verify.len() == raw.verify().len();
        let act = |kind: ActionKind| StepKind::Act(kind);
        let kind = match &raw {
            RawStep::Http(step) => {
                let http = self.http_action(path, &step.action());
                http.map(|http| act(ActionKind::Http(Box::new(http))))
            }
            RawStep::Redis(step) => {
                let redis = self.redis_action(path, &step.action(), config, sources);
                redis.map(|redis| act(ActionKind::Redis(Box::new(redis))))
            }
            RawStep::Command(step) => {
                if step.interactive {
                    self.error(
                        &path.key("interactive"),
                        "a step cannot ask at the terminal",
                        "hand it its answers by `stdin`, or make it an action of its own",
                    );
                }
                let command = self.command_action(path, &step.action());
                command.map(|command| act(ActionKind::Command(Box::new(command))))
            }
            RawStep::Sql(step) => {
                let sql = self.sql_action(path, &step.action(), sources);
                sql.map(|sql| act(ActionKind::Sql(Box::new(sql))))
            }
            RawStep::Wait(wait) => {
                self.wait(path, wait, &known, sources).map(|wait| StepKind::Wait(Box::new(wait)))
            }
            RawStep::EnvFile(file) => self.env_file(path, file).map(StepKind::EnvFile),
        };
        let (kind, timeout) = (kind?, timeout?);
        let name = raw.name().to_owned();
        (sound && all).then_some(Step { name, kind, timeout, verify, gaps: open.gaps })
    }

    fn wait(
        &mut self,
        path: &Path,
        raw: &RawWaitStep,
        known: &Known,
        sources: &Sources,
    ) -> Option<Wait> {
        let every = self.duration(&path.key("every"), &raw.every);
        let until = self.conditions(&path.key("until"), &raw.until, Setting::Step(known));
        let fail_when =
            self.conditions(&path.key("fail_when"), &raw.fail_when, Setting::Step(known));
        if raw.until.is_empty() {
            let cure = "such as until = [\"state == \\\"ready\\\"\"]";
            self.error(&path.key("until"), "nothing says what is waited for", cure);
        }
        let look = self.look(path, raw, sources);
        let all = until.len() == raw.until.len() && fail_when.len() == raw.fail_when.len();
        let (every, look) = (every?, look?);
        let every = every.max(Duration::from_millis(100));
        (all && !until.is_empty()).then_some(Wait { look, every, until, fail_when })
    }

    fn look(&mut self, path: &Path, raw: &RawWaitStep, sources: &Sources) -> Option<Look> {
        match (&raw.url, &raw.query, &raw.argv) {
            (Some(url), None, None) => self.http_look(path, raw, url),
            (None, Some(query), None) => self.sql_look(path, raw, query, sources),
            (None, None, Some(_)) => {
                let command = self.command_action(path, &raw.command());
                let taken = ["exit_code", "output"];
                let readings = self.http_readings(&path.key("readings"), &raw.readings, &taken);
                Some(Look::Command { command: Box::new(command?), readings: readings? })
            }
            _ => {
                let cure =
                    "exactly one of url (asked with GET), query (one SELECT) and argv (a program)";
                self.error(path, "a step that waits looks at one thing", cure);
                None
            }
        }
    }

    fn http_look(&mut self, path: &Path, raw: &RawWaitStep, url: &str) -> Option<Look> {
        let url = self.web_address(&path.key("url"), url, "http");
        let headers = self.headers(&path.key("headers"), &raw.headers);
        let accept = self.statuses(&path.key("accept"), &raw.accept);
        let secure = url.as_ref().is_none_or(|url| url.scheme() == "https");
        let tls = self.tls(path, raw.ca_file.as_deref(), raw.insecure, secure);
        self.credentials_in_clear(path, url.as_ref(), headers.as_deref());
        let readings = self.http_readings(&path.key("readings"), &raw.readings, &["status"]);
        Some(Look::Http(Box::new(HttpAction {
            method: "GET".to_owned(),
            url: url?,
            headers: headers?,
            body: None,
            hidden: Vec::new(),
            accept: accept?,
            tls: tls?,
            readings: readings?,
            idempotency_key_header: None,
        })))
    }

    fn sql_look(
        &mut self,
        path: &Path,
        raw: &RawWaitStep,
        query: &str,
        sources: &Sources,
    ) -> Option<Look> {
        let statement = self.counting(&path.key("query"), query);
        let parameters = self.parameters(&path.key("parameters"), &raw.parameters);
        let Some(source) = &raw.source else {
            let cure = "source = \"NAME\" of a source of kind \"postgres\"";
            self.error(&path.key("query"), "nothing says in which database", cure);
            return None;
        };
        let server = self.postgres_of(&path.key("source"), source, sources);
        let statement = statement?;
        let enough = self.has_parameters(&path.key("query"), &statement, raw.parameters.len());
        let (server, parameters) = (Box::new(server?), parameters?);
        enough.then_some(Look::Sql { server, query: statement.text, parameters })
    }

    fn env_file(&mut self, path: &Path, raw: &RawEnvFileStep) -> Option<EnvFile> {
        let place = path.key("path");
        let file = self.file_path(&place, &raw.path);
        if !file.is_file() {
            let message = format!("{} is not a file now", file.display());
            self.warning(&place, message, "the step cannot begin without it");
        }
        let mut set = Vec::new();
        for (name, value) in &raw.set {
            let path = path.key("set").key(name);
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty()
                || name.starts_with(|c: char| c.is_ascii_digit())
                || !name.chars().all(plain)
            {
                let message = format!("{name:?} cannot be the name of a variable");
                self.error(&path, message, "letters, digits and _");
                return None;
            }
            set.push((name.clone(), self.text(&path, value, is_secret_name(name))?));
        }
        Some(EnvFile { path: file, set })
    }
}
