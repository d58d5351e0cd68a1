//! What was asked for, and what earlier steps have brought, put into the texts of an action
//! or of a step.

use jiff::Timestamp;
use serde_json::Value as Json;
use url::Url;

use crate::{
    config::{
        profile::{
            ActionConfig, ActionKind, CommandAction, Form, Gap, HttpAction, Look, Spot, Step,
            StepKind, Text,
        },
        secret::Secret,
    },
    domain::{
        ask::{Answer, Answers},
        condition::Condition,
        template::{Blank, Filling, Place, Template},
    },
};

/// What is known by now: what was asked for, and what earlier steps of a sequence brought.
#[derive(Clone, Copy)]
pub(in crate::actions) struct Known<'a> {
    answers: &'a Answers,
    brought: &'a dyn Fn(&Blank) -> Option<Filling>,
}

impl<'a> Known<'a> {
    /// `brought` is asked for the readings of steps only.
    pub(in crate::actions) fn new(
        answers: &'a Answers,
        brought: &'a dyn Fn(&Blank) -> Option<Filling>,
    ) -> Self {
        Self { answers, brought }
    }

    fn filling(self, blank: &Blank) -> Option<Filling> {
        match blank {
            Blank::Ask(_) => self.answers.filling(blank),
            Blank::Step { .. } => (self.brought)(blank),
        }
    }

    fn is_secret(self, blank: &Blank) -> bool {
        matches!(blank, Blank::Ask(name) if self.answers.get(name).is_some_and(Answer::is_secret))
    }

    /// A text that may be seen.
    fn plain(self, text: &Template, place: Place) -> Result<String, String> {
        text.fill(place, |blank| self.filling(blank)).map_err(|error| error.to_string())
    }

    /// A text by itself. From its first secret on, it is one.
    fn whole(self, text: &Template) -> Result<Text, String> {
        let filled = self.plain(text, Place::Whole)?;
        let Some(first) = text.blanks().find(|blank| self.is_secret(blank)) else {
            return Ok(Text::Plain(filled));
        };
        // No value holds a control character, so that the mark is unmistakable.
        let marked = text
            .fill(Place::Whole, |blank| match self.is_secret(blank) {
                true => Some(Filling::Stand("\0".to_owned())),
                false => self.filling(blank),
            })
            .map_err(|error| error.to_string())?;
        let prefix = marked.split('\0').next().unwrap_or_default().to_owned();
        let rest = filled.get(prefix.len()..).unwrap_or_default().to_owned();
        Ok(Text::Secret { prefix, secret: Secret::new(rest, first.to_string()) })
    }

    fn conditions(self, written: &mut [Condition]) -> Result<(), String> {
        for condition in written {
            *condition = condition.filled(|blank| self.filling(blank))?;
        }
        Ok(())
    }
}

/// The action with every text complete. The steps of a sequence keep their places, and what
/// was given is kept beside them.
///
/// # Errors
/// An answer is missing or cannot be taken, with the cure.
pub(in crate::actions) fn filled(
    config: &ActionConfig,
    answers: &Answers,
) -> Result<ActionConfig, String> {
    let Form { asks, gaps } = &config.form;
    answers.check(asks, Timestamp::now())?;
    for (name, answer) in answers.iter().filter(|(_, answer)| answer.is_secret()) {
        // Remembered by itself, too: it may be quoted without what stands around it.
        drop(Secret::new(answer.expose().to_owned(), format!("ask.{name}")));
    }
    let mut kind = config.kind.clone();
    let known = Known::new(answers, &|_| None);
    for gap in gaps {
        in_action(&mut kind, gap, known)?;
    }
    if let ActionKind::Sequence(sequence) = &mut kind
        && !answers.is_empty()
    {
        sequence.given = answers.clone();
    }
    let (id, timeout, locks) = (config.id.clone(), config.timeout, config.locks.clone());
    Ok(ActionConfig { id, kind, timeout, locks, form: Form::default() })
}

/// The step with every text complete.
///
/// # Errors
/// A value is missing or cannot stand there. Never quotes it.
pub(in crate::actions) fn filled_step(step: &Step, known: Known<'_>) -> Result<Step, String> {
    let mut step = step.clone();
    for gap in std::mem::take(&mut step.gaps) {
        match &mut step.kind {
            StepKind::Act(kind) => in_action(kind, &gap, known)?,
            StepKind::Wait(wait) => in_look(&mut wait.look, &gap, known)?,
            StepKind::EnvFile(file) => {
                let Spot::Variable(name) = &gap.at else { return nowhere(&gap.at) };
                file.set.push((name.clone(), known.whole(&gap.text)?));
            }
        }
    }
    known.conditions(&mut step.verify)?;
    if let StepKind::Wait(wait) = &mut step.kind {
        known.conditions(&mut wait.until)?;
        known.conditions(&mut wait.fail_when)?;
    }
    Ok(step)
}

fn in_action(kind: &mut ActionKind, gap: &Gap, known: Known<'_>) -> Result<(), String> {
    match (kind, &gap.at) {
        (ActionKind::Http(http), _) => in_http(http, gap, known),
        (ActionKind::Command(command), _) => in_command(command, gap, known),
        (ActionKind::Sql(sql), _) => in_parameters(&mut sql.parameters, gap, known),
        (ActionKind::Redis(redis), Spot::Pattern(position)) => {
            let pattern = redis.delete.get_mut(*position).ok_or("there is no such pattern")?;
            *pattern = known.plain(&gap.text, Place::Pattern)?;
            Ok(())
        }
        (ActionKind::Redis(_) | ActionKind::Sequence(_), at) => nowhere(at),
    }
}

fn in_look(look: &mut Look, gap: &Gap, known: Known<'_>) -> Result<(), String> {
    match look {
        Look::Http(http) => in_http(http, gap, known),
        Look::Sql { parameters, .. } => in_parameters(parameters, gap, known),
        Look::Command { command, .. } => in_command(command, gap, known),
    }
}

fn nowhere<T>(at: &Spot) -> Result<T, String> {
    Err(format!("what is done here has no {at:?}"))
}

fn in_http(http: &mut HttpAction, gap: &Gap, known: Known<'_>) -> Result<(), String> {
    let Gap { at, text } = gap;
    match at {
        Spot::Url => http.url = address(&http.url, text, known)?,
        Spot::Header(name) => http.headers.push((name.clone(), known.whole(text)?)),
        Spot::Body(place) => in_body(http, place, known.whole(text)?)?,
        _ => return nowhere(at),
    }
    Ok(())
}

/// A text in the body. What must not be seen stands beside it.
fn in_body(http: &mut HttpAction, place: &str, text: Text) -> Result<(), String> {
    let body = http.body.as_mut().and_then(|body| body.pointer_mut(place));
    *body.ok_or("the body has no such place")? = Json::String(text.shown());
    if matches!(text, Text::Secret { .. }) {
        http.hidden.push((place.to_owned(), text));
    }
    Ok(())
}

fn in_command(command: &mut CommandAction, gap: &Gap, known: Known<'_>) -> Result<(), String> {
    let Gap { at, text } = gap;
    match at {
        Spot::Argument(position) => {
            let argument = command.argv.get_mut(*position).ok_or("there is no such argument")?;
            *argument = known.plain(text, Place::Whole)?;
        }
        Spot::Variable(name) => command.environment.push((name.clone(), known.whole(text)?)),
        Spot::Stdin => command.stdin = Some(known.whole(text)?),
        _ => return nowhere(at),
    }
    Ok(())
}

fn in_parameters(parameters: &mut [Text], gap: &Gap, known: Known<'_>) -> Result<(), String> {
    let Spot::Parameter(position) = &gap.at else { return nowhere(&gap.at) };
    let parameter = parameters.get_mut(*position).ok_or("there is no such parameter")?;
    *parameter = known.whole(&gap.text)?;
    Ok(())
}

/// An address. It has the shape that was checked: no value changes where it leads to, adds
/// a segment to its path, or begins a query.
fn address(checked: &Url, text: &Template, known: Known<'_>) -> Result<Url, String> {
    let (path, query) = text.split_at('?');
    let filled = known.plain(&path, Place::Path)? + &known.plain(&query, Place::Query)?;
    let url = Url::parse(filled.trim()).map_err(|error| format!("no address: {error}"))?;
    let shape = |url: &Url| {
        (url.origin(), url.path_segments().map(Iterator::count), url.query_pairs().count())
    };
    if shape(&url) != shape(checked) {
        return Err("a value would make another address of it".to_owned());
    }
    Ok(url)
}
