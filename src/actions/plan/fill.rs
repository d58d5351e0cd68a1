//! What was asked for, put into the texts of an action.

use serde_json::Value as Json;
use url::Url;

use crate::{
    config::{
        profile::{ActionConfig, ActionKind, Form, Gap, HttpAction, Spot, Text},
        secret::Secret,
    },
    domain::{
        ask::{Answer, Answers},
        template::{Blank, Filling, Place, Template},
    },
};

/// The action with every text complete.
///
/// # Errors
/// An answer is missing or cannot be taken, with the cure.
pub(in crate::actions) fn filled(
    config: &ActionConfig,
    answers: &Answers,
) -> Result<ActionConfig, String> {
    let Form { asks, gaps } = &config.form;
    answers.check(asks)?;
    for (name, answer) in answers.iter().filter(|(_, answer)| answer.is_secret()) {
        // Remembered by itself, too: it may be quoted without what stands around it.
        drop(Secret::new(answer.expose().to_owned(), format!("ask.{name}")));
    }
    let mut kind = config.kind.clone();
    for gap in gaps {
        fill(&mut kind, gap, answers)?;
    }
    let (id, timeout, locks) = (config.id.clone(), config.timeout, config.locks.clone());
    Ok(ActionConfig { id, kind, timeout, locks, form: Form::default() })
}

fn fill(kind: &mut ActionKind, gap: &Gap, answers: &Answers) -> Result<(), String> {
    let Gap { at, text } = gap;
    match (kind, at) {
        (ActionKind::Http(http), Spot::Url) => {
            http.url = address(&http.url, text, answers)?;
        }
        (ActionKind::Http(http), Spot::Header(name)) => {
            http.headers.push((name.clone(), whole(text, answers)?));
        }
        (ActionKind::Http(http), Spot::Body(place)) => {
            in_body(http, place, whole(text, answers)?)?;
        }
        (ActionKind::Command(command), Spot::Argument(position)) => {
            let argument = command.argv.get_mut(*position).ok_or("there is no such argument")?;
            *argument = plain(text, Place::Whole, answers)?;
        }
        (ActionKind::Command(command), Spot::Variable(name)) => {
            command.environment.push((name.clone(), whole(text, answers)?));
        }
        (ActionKind::Command(command), Spot::Stdin) => {
            command.stdin = Some(whole(text, answers)?);
        }
        (ActionKind::Redis(redis), Spot::Pattern(position)) => {
            let pattern = redis.delete.get_mut(*position).ok_or("there is no such pattern")?;
            *pattern = plain(text, Place::Pattern, answers)?;
        }
        (_, at) => return Err(format!("this kind of action has no {at:?}")),
    }
    Ok(())
}

/// A text that may be seen.
fn plain(text: &Template, place: Place, answers: &Answers) -> Result<String, String> {
    text.fill(place, |blank| answers.filling(blank)).map_err(|error| error.to_string())
}

/// A text by itself. From its first secret on, it is one.
fn whole(text: &Template, answers: &Answers) -> Result<Text, String> {
    let filled = plain(text, Place::Whole, answers)?;
    let Some(first) = text.blanks().find(|blank| is_secret(blank, answers)) else {
        return Ok(Text::Plain(filled));
    };
    // No value holds a control character, so that the mark is unmistakable.
    let marked = text
        .fill(Place::Whole, |blank| match is_secret(blank, answers) {
            true => Some(Filling::Stand("\0".to_owned())),
            false => answers.filling(blank),
        })
        .map_err(|error| error.to_string())?;
    let prefix = marked.split('\0').next().unwrap_or_default().to_owned();
    let rest = filled.get(prefix.len()..).unwrap_or_default().to_owned();
    Ok(Text::Secret { prefix, secret: Secret::new(rest, first.to_string()) })
}

fn is_secret(blank: &Blank, answers: &Answers) -> bool {
    matches!(blank, Blank::Ask(name) if answers.get(name).is_some_and(Answer::is_secret))
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

/// An address. It has the shape that was checked: no value changes where it leads to, adds
/// a segment to its path, or begins a query.
fn address(checked: &Url, text: &Template, answers: &Answers) -> Result<Url, String> {
    let (path, query) = text.split_at('?');
    let filled = plain(&path, Place::Path, answers)? + &plain(&query, Place::Query, answers)?;
    let url = Url::parse(filled.trim()).map_err(|error| format!("no address: {error}"))?;
    let shape = |url: &Url| {
        (url.origin(), url.path_segments().map(Iterator::count), url.query_pairs().count())
    };
    if shape(&url) != shape(checked) {
        return Err("what was given would make another address of it".to_owned());
    }
    Ok(url)
}
