//! What earlier steps have brought, put into the texts of a later one.

use serde_json::Value as Json;
use url::Url;

use crate::{
    config::profile::{
        ActionKind, CommandAction, Gap, HttpAction, Look, Spot, Step, StepKind, Text,
    },
    domain::template::{Blank, Filling, Place, Template},
};

/// Knows the values.
pub(in crate::actions) type Lookup<'a> = &'a dyn Fn(&Blank) -> Option<Filling>;

/// A step with every text complete.
///
/// # Errors
/// A value is missing or cannot stand there. Never quotes it.
pub(in crate::actions) fn filled(step: &Step, lookup: Lookup<'_>) -> Result<StepKind, String> {
    let mut kind = step.kind.clone();
    for gap in &step.gaps {
        fill(&mut kind, gap, lookup)?;
    }
    Ok(kind)
}

fn fill(kind: &mut StepKind, gap: &Gap, lookup: Lookup<'_>) -> Result<(), String> {
    let Gap { at, text } = gap;
    match kind {
        StepKind::Act(ActionKind::Http(http)) => in_http(http, at, text, lookup),
        StepKind::Act(ActionKind::Command(command)) => in_command(command, at, text, lookup),
        StepKind::Act(ActionKind::Sql(sql)) => in_parameters(&mut sql.parameters, at, text, lookup),
        StepKind::Act(ActionKind::Redis(redis)) => {
            let Spot::Pattern(position) = at else { return nowhere(at) };
            let pattern = redis.delete.get_mut(*position).ok_or("there is no such pattern")?;
            *pattern = put(text, Place::Pattern, lookup)?;
            Ok(())
        }
        StepKind::Act(ActionKind::Sequence(_)) => nowhere(at),
        StepKind::Wait(wait) => match &mut wait.look {
            Look::Http(http) => in_http(http, at, text, lookup),
            Look::Sql { parameters, .. } => in_parameters(parameters, at, text, lookup),
            Look::Command { command, .. } => in_command(command, at, text, lookup),
        },
        StepKind::EnvFile(file) => {
            let Spot::Variable(name) = at else { return nowhere(at) };
            file.set.push((name.clone(), Text::Plain(put(text, Place::Whole, lookup)?)));
            Ok(())
        }
    }
}

fn nowhere(at: &Spot) -> Result<(), String> {
    Err(format!("this kind of step has no {at:?}"))
}

fn put(text: &Template, place: Place, lookup: Lookup<'_>) -> Result<String, String> {
    text.fill(place, lookup).map_err(|error| error.to_string())
}

fn in_http(
    http: &mut HttpAction,
    at: &Spot,
    text: &Template,
    lookup: Lookup<'_>,
) -> Result<(), String> {
    match at {
        Spot::Url => http.url = address(&http.url, text, lookup)?,
        Spot::Header(name) => {
            http.headers.push((name.clone(), Text::Plain(put(text, Place::Whole, lookup)?)));
        }
        Spot::Body(place) => {
            let value = Json::String(put(text, Place::Whole, lookup)?);
            let body = http.body.as_mut().and_then(|body| body.pointer_mut(place));
            *body.ok_or("the body has no such place")? = value;
        }
        _ => return nowhere(at),
    }
    Ok(())
}

fn in_command(
    command: &mut CommandAction,
    at: &Spot,
    text: &Template,
    lookup: Lookup<'_>,
) -> Result<(), String> {
    let value = put(text, Place::Whole, lookup)?;
    match at {
        Spot::Argument(position) => {
            *command.argv.get_mut(*position).ok_or("there is no such argument")? = value;
        }
        Spot::Variable(name) => command.environment.push((name.clone(), Text::Plain(value))),
        Spot::Stdin => command.stdin = Some(Text::Plain(value)),
        _ => return nowhere(at),
    }
    Ok(())
}

fn in_parameters(
    parameters: &mut [Text],
    at: &Spot,
    text: &Template,
    lookup: Lookup<'_>,
) -> Result<(), String> {
    let Spot::Parameter(position) = at else { return nowhere(at) };
    let parameter = parameters.get_mut(*position).ok_or("there is no such parameter")?;
    *parameter = Text::Plain(put(text, Place::Whole, lookup)?);
    Ok(())
}

/// An address. It has the shape that was checked: no value changes where it leads to, adds
/// a segment to its path, or begins a query.
fn address(checked: &Url, text: &Template, lookup: Lookup<'_>) -> Result<Url, String> {
    let (path, query) = text.split_at('?');
    let filled = put(&path, Place::Path, lookup)? + &put(&query, Place::Query, lookup)?;
    let url = Url::parse(filled.trim()).map_err(|error| format!("no address: {error}"))?;
    let shape = |url: &Url| {
        (url.origin(), url.path_segments().map(Iterator::count), url.query_pairs().count())
    };
    if shape(&url) != shape(checked) {
        return Err("what an earlier step brought would make another address of it".to_owned());
    }
    Ok(url)
}
