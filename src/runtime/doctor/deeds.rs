//! What an action does, and each step of a sequence: looked at by its kind. Nothing of it is
//! done.

use std::time::Duration;

use futures_util::future::join_all;

use super::{
    Around, EXCHANGE, aside,
    given::{self, Given},
    readings,
};
use crate::{
    actions,
    config::profile::{
        ActionConfig, ActionKind, CommandAction, EnvFile, Gap, HttpAction, Look, PostgresSource,
        Spot, SqlAction, Step, StepKind, Text,
    },
    doctor::{
        endpoint,
        program::{self, Runnable},
        redis,
    },
    domain::{
        catalog::ActionSpec,
        examination::{Finding, Grade, Thing},
        template::Blank,
    },
};

/// When the server gives up a look at one statement.
const STATEMENT: Duration = Duration::from_secs(2);

/// What is looked at, and on whose behalf.
struct Deed<'a> {
    around: &'a Around,
    thing: &'a Thing,
    /// What it is for, in the operator's words.
    purpose: &'a str,
    /// A GET of its address only reads.
    safe_get: bool,
    /// Its texts that are not known before it runs.
    gaps: &'a [Gap],
}

/// Looks at what an action does.
pub(super) async fn look(
    around: &Around,
    thing: &Thing,
    spec: &ActionSpec,
    config: &ActionConfig,
    given: &Given,
) -> Vec<Finding> {
    let purpose = format!("{} {} {}", spec.title, spec.id, spec.effects.join(" "));
    let safe_get = around.profile.doctor.safe_get.contains(&config.id);
    let deed = Deed { around, thing, purpose: &purpose, safe_get, gaps: &config.form.gaps };
    let ActionKind::Sequence(sequence) = &config.kind else {
        // With its defaults and first choices, where these are all that it asks for.
        if !given.answers.is_empty() && given.missing.is_empty() {
            return match actions::filled(config, &given.answers) {
                Ok(filled) => Deed { gaps: &[], ..deed }.act(&filled.kind).await,
                Err(why) => vec![Finding::new(thing, Grade::Critical, why)],
            };
        }
        return deed.act(&config.kind).await;
    };
    let looks = sequence.steps.iter().map(|step| {
        let deed = Deed { safe_get: false, gaps: &step.gaps, ..deed };
        async move { deed.step(step).await }
    });
    let mut all = Vec::new();
    for (position, found) in join_all(looks).await.into_iter().enumerate() {
        all.extend(found.into_iter().map(|finding| {
            let what = format!("step {}: {}", position + 1, finding.what);
            Finding { what, ..finding }
        }));
    }
    all
}

impl Deed<'_> {
    async fn act(&self, kind: &ActionKind) -> Vec<Finding> {
        match kind {
            ActionKind::Http(http) => self.endpoint(http).await,
            ActionKind::Redis(action) => {
                let is_open = |at: usize| self.gaps.iter().any(|gap| gap.at == Spot::Pattern(at));
                let known: Vec<String> = action
                    .delete
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| !is_open(*at))
                    .map(|(_, pattern)| pattern.clone())
                    .collect();
                let mut found = redis::action(self.thing, &action.redis, &known, EXCHANGE).await;
                found.extend(self.unknown(
                    |at| matches!(at, Spot::Pattern(_)),
                    "whether the keys may be deleted",
                ));
                found
            }
            ActionKind::Command(command) => self.program(command).await,
            ActionKind::Sql(sql) => self.statements(sql).await,
            // No step is a sequence itself.
            ActionKind::Sequence(_) => Vec::new(),
        }
    }

    async fn step(&self, step: &Step) -> Vec<Finding> {
        match &step.kind {
            StepKind::Act(kind) => self.act(kind).await,
            StepKind::Wait(wait) => match &wait.look {
                Look::Http(http) => self.endpoint(http).await,
                Look::Command { command, .. } => self.program(command).await,
                Look::Sql { server, query, parameters } => {
                    self.statements(&looking(server, query, parameters)).await
                }
            },
            StepKind::EnvFile(file) => self.file(file).await,
        }
    }

    /// When the texts at these places are known; none where they are now.
    fn later(&self, of: impl Fn(&Spot) -> bool) -> Option<String> {
        let gaps = self.gaps.iter().filter(|gap| of(&gap.at));
        given::later(gaps.flat_map(|gap| gap.text.blanks()))
    }

    /// Whether somebody has to be asked for the texts at these places; the others come from
    /// earlier steps, and nobody could give them now.
    fn is_asked(&self, of: impl Fn(&Spot) -> bool) -> bool {
        let mut gaps = self.gaps.iter().filter(|gap| of(&gap.at));
        gaps.any(|gap| gap.text.blanks().any(|blank| matches!(blank, Blank::Ask(_))))
    }

    /// Something of which only a part could be looked at.
    fn known_later(&self, is_unknown: bool, what: String) -> Finding {
        let grade = if is_unknown { Grade::Unknown } else { Grade::Ok };
        Finding::new(self.thing, grade, what).cure("only a run tells")
    }

    /// What cannot be judged without the texts at these places.
    fn unknown(&self, of: impl Fn(&Spot) -> bool, what: &str) -> Option<Finding> {
        let what = format!("{what} is only known {}", self.later(of)?);
        Some(Finding::new(self.thing, Grade::Unknown, what).cure("only a run tells"))
    }

    /// Of an address that is not whole, only the way to its server is judged: what answers there
    /// answers another question.
    async fn endpoint(&self, http: &HttpAction) -> Vec<Finding> {
        let headers = self.later(|at| matches!(at, Spot::Header(_)));
        let address = self.later(|at| *at == Spot::Url);
        let whole = headers.is_none();
        let safe_get = self.safe_get && whole && address.is_none();
        let found = match endpoint::look(self.thing, http, safe_get, whole, EXCHANGE).await {
            Ok(found) => found,
            Err(unreachable) => return vec![*unreachable],
        };
        let Some(later) = address else { return found };
        let asked = self.is_asked(|at| *at == Spot::Url);
        let guessed = |finding: Finding| {
            let what = format!(
                "the server answers; whether the address is right is only known {later} (with a made-up value: {})",
                finding.what
            );
            self.known_later(asked || finding.verdict != Grade::Ok, what)
        };
        found.into_iter().map(guessed).collect()
    }

    async fn program(&self, command: &CommandAction) -> Vec<Finding> {
        let (of, mut command) = (self.thing.clone(), command.clone());
        // What is only known when it runs is set then.
        let later = self.gaps.iter().filter_map(|gap| match &gap.at {
            Spot::Variable(name) => Some((name.clone(), Text::Plain(String::new()))),
            _ => None,
        });
        command.environment.extend(later);
        for gap in self.gaps {
            if let Spot::Argument(at) = gap.at
                && let Some(argument) = command.argv.get_mut(at)
            {
                *argument = gap.text.show(|blank| format!("{}{blank}⟩", program::OPEN));
            }
        }
        let (surroundings, purpose) = (self.around.surroundings.clone(), self.purpose.to_owned());
        aside(self.thing, move || {
            let runnable = Runnable {
                argv: &command.argv,
                shell: command.shell,
                directory: command.directory.as_deref(),
                environment: &command.environment,
                fed: command.stdin.is_some() || command.interactive,
                purpose: &purpose,
                follows: false,
            };
            program::look(&of, runnable, &surroundings)
        })
        .await
    }

    /// The server plans the statements: what they name is there, and the role may.
    async fn statements(&self, sql: &SqlAction) -> Vec<Finding> {
        let known = !self.gaps.iter().any(|gap| matches!(gap.at, Spot::Parameter(_)));
        let looked = match actions::look_at_statements(sql, known).await {
            Ok(looked) => looked,
            Err(failure) => return vec![readings::failed(self.thing, &failure)],
        };
        let refused = looked.refusals.iter().map(|why| {
            Finding::new(self.thing, Grade::Critical, why.clone())
                .cure("correct the statement, or grant the role what it needs")
        });
        let found = looked.findings.iter().map(|what| {
            let doubt = ["not verified", "not encrypted", "could not be looked at"];
            if !known && what.contains("only the grammar") {
                // A value is missing, and the server cannot plan the statement without it.
                let is_parameter = |at: &Spot| matches!(at, Spot::Parameter(_));
                let later = self.later(is_parameter).unwrap_or_default();
                let what = what.split_once(", is known when it runs").map_or(&**what, |of| of.0);
                let what = format!("{what}, is only known {later}");
                return self.known_later(self.is_asked(is_parameter), what);
            }
            let doubtful = doubt.iter().any(|text| what.contains(text));
            let grade = if doubtful { Grade::Warning } else { Grade::Ok };
            let finding = Finding::new(self.thing, grade, what.clone());
            if doubtful {
                finding.cure("see the server's address, sslmode and load")
            } else {
                finding
            }
        });
        refused.chain(found).collect()
    }

    async fn file(&self, file: &EnvFile) -> Vec<Finding> {
        let (of, path) = (self.thing.clone(), file.path.clone());
        aside(self.thing, move || {
            let shown = path.display();
            let refused =
                |why: String, cure: &str| vec![Finding::new(&of, Grade::Critical, why).cure(cure)];
            if !path.is_file() {
                return refused(format!("{shown} is not a file"), "correct its path");
            }
            // The new file is made beside it and takes its place.
            let directory = path.parent().unwrap_or_else(|| std::path::Path::new("/"));
            let writable = rustix::fs::access(directory, rustix::fs::Access::WRITE_OK);
            if let Err(error) = writable {
                let why = format!("{} may not be written: {error}", directory.display());
                return refused(why, "let this user write there: the file is replaced");
            }
            vec![Finding::new(&of, Grade::Ok, format!("{shown} is there and can be replaced"))]
        })
        .await
    }
}

/// The statement of a step that waits.
fn looking(server: &PostgresSource, query: &str, parameters: &[Text]) -> SqlAction {
    SqlAction {
        source: None,
        server: server.clone(),
        statements: vec![query.to_owned()],
        parameters: parameters.to_vec(),
        rows_at_most: 0,
        count: None,
        deny: Vec::new(),
        lock_timeout: STATEMENT,
        statement_timeout: STATEMENT,
    }
}
