//! The texts of actions and of their steps that have places to fill.

use serde_json::{Map, Value as Json};

use super::{Cx, Path};
use crate::{
    config::{
        mask::is_secret_name,
        profile::{Gap, Spot},
        raw::{
            action::RawAction,
            step::RawStep,
            value::{Headers, TextValue},
        },
    },
    domain::{
        ask::Ask,
        template::{Blank, Template},
    },
};

/// Stands where a value will be, while the rest is checked.
const SAMPLE: &str = "x";

/// The texts of an action or of a step that have places to fill.
pub struct Open {
    /// The texts.
    pub gaps: Vec<Gap>,
    /// Whether arguments are read by a shell.
    shell: bool,
    /// The key under which variables are written.
    variables: &'static str,
}

impl Cx<'_> {
    /// Whether what is asked for, and what earlier steps bring, can stand there.
    pub fn gap(&mut self, path: &Path, open: &Open, gap: &Gap, asks: &[Ask]) -> bool {
        let named = |blank: &Blank| match blank {
            Blank::Ask(name) => asks.iter().find(|ask| ask.name == *name),
            Blank::Step { .. } => None,
        };
        let asked: Vec<&Ask> = gap.text.blanks().filter_map(named).collect();
        let secret = asked.iter().find(|ask| ask.secret);
        let place = open.place_of(path, &gap.at);
        let refuse = match (&gap.at, secret) {
            (Spot::Argument(_), _) if open.shell => Some((
                "with shell = true a value would be read by the shell".to_owned(),
                "pass it by the environment, and write \"$NAME\" in the script",
            )),
            (Spot::Argument(0), _) => Some((
                "the program itself must be written down".to_owned(),
                "put the value into its arguments",
            )),
            (Spot::Argument(_), Some(ask)) => Some((
                format!(
                    "`{}` is a secret, and everybody on this machine can read arguments",
                    ask.name
                ),
                "pass it by the environment or by stdin",
            )),
            (Spot::Url, Some(ask)) => Some((
                format!("`{}` is a secret, and addresses are shown and logged", ask.name),
                "send it in a header or in the body",
            )),
            (Spot::Pattern(_), Some(ask)) => Some((
                format!("`{}` is a secret, and patterns of keys are shown", ask.name),
                "take it out",
            )),
            (Spot::Url, None) if !is_behind_host(&gap.text) => Some((
                "only the path and the query of an address can have places to fill".to_owned(),
                "write the host down",
            )),
            (Spot::Header(name) | Spot::Variable(name), None)
                if !asked.is_empty() && is_secret_name(name) =>
            {
                Some((
                    format!("{name} holds a secret, and what is asked for it is shown"),
                    "declare it a secret where it is asked for",
                ))
            }
            _ => None,
        };
        let mut sound = refuse.is_none();
        if let Some((message, cure)) = refuse {
            self.error(&place, message, cure);
        }
        if let Spot::Header(name) = &gap.at {
            sound &= self.header_name(&place, name);
        }
        sound
    }
}

/// Whether scheme, host and port are written down, and the values come behind them.
fn is_behind_host(url: &Template) -> bool {
    let marked = url.show(|_| "\0".to_owned());
    let before = marked.split('\0').next().unwrap_or_default();
    let host = before.split_once("://").map(|(_, rest)| rest);
    host.is_some_and(|rest| rest.contains(['/', '?']) && !marked.contains('#'))
}

impl Open {
    fn none() -> Self {
        Self { gaps: Vec::new(), shell: false, variables: "environment" }
    }

    /// Takes the texts with places to fill out of an action, and the escapes out of the
    /// others. What is left can be checked without the values. The steps of a sequence keep
    /// theirs.
    pub fn of_action(action: &mut RawAction) -> Self {
        let mut open = Self::none();
        match action {
            RawAction::Http(http) => {
                open.request(&mut http.url, &mut http.headers, http.body.as_mut());
            }
            RawAction::Redis(redis) => open.patterns(&mut redis.delete),
            RawAction::Command(command) => {
                open.shell = command.shell;
                open.program(&mut command.argv, &mut command.environment);
                open.value(Spot::Stdin, command.stdin.as_mut());
            }
            RawAction::Sql(sql) => open.parameters(&mut sql.parameters),
            RawAction::Sequence(_) => {}
        }
        open
    }

    /// The same for a step.
    pub fn of_step(step: &mut RawStep) -> Self {
        let mut open = Self::none();
        match step {
            RawStep::Http(http) => {
                open.request(&mut http.url, &mut http.headers, http.body.as_mut());
            }
            RawStep::Redis(redis) => open.patterns(&mut redis.delete),
            RawStep::Command(command) => {
                open.shell = command.shell;
                open.program(&mut command.argv, &mut command.environment);
                open.value(Spot::Stdin, command.stdin.as_mut());
            }
            RawStep::Sql(sql) => open.parameters(&mut sql.parameters),
            RawStep::Wait(wait) => {
                if let Some(url) = &mut wait.url {
                    open.take(Spot::Url, url, SAMPLE);
                }
                open.named(&mut wait.headers, Spot::Header);
                open.parameters(&mut wait.parameters);
                let argv = wait.argv.as_deref_mut().unwrap_or_default();
                open.program(argv, &mut wait.environment);
            }
            RawStep::EnvFile(file) => {
                open.variables = "set";
                open.named(&mut file.set, Spot::Variable);
            }
        }
        open
    }

    /// Where a text is written.
    fn place_of(&self, path: &Path, at: &Spot) -> Path {
        match at {
            Spot::Url => path.key("url"),
            Spot::Header(name) => path.key("headers").key(name),
            Spot::Body(_) => path.key("body"),
            Spot::Argument(position) => path.key("argv").index(*position),
            Spot::Variable(name) => path.key(self.variables).key(name),
            Spot::Stdin => path.key("stdin"),
            Spot::Pattern(position) => path.key("delete").index(*position),
            Spot::Parameter(position) => path.key("parameters").index(*position),
        }
    }

    fn request(
        &mut self,
        url: &mut String,
        headers: &mut Headers,
        body: Option<&mut Map<String, Json>>,
    ) {
        self.take(Spot::Url, url, SAMPLE);
        self.named(headers, Spot::Header);
        for (key, value) in body.into_iter().flatten() {
            self.in_json(&pointer("", key), value);
        }
    }

    fn patterns(&mut self, patterns: &mut [String]) {
        for (position, pattern) in patterns.iter_mut().enumerate() {
            // The part that is written down must be narrow enough by itself.
            self.take(Spot::Pattern(position), pattern, "");
        }
    }

    fn program(&mut self, argv: &mut [String], environment: &mut Headers) {
        for (position, argument) in argv.iter_mut().enumerate() {
            self.take(Spot::Argument(position), argument, SAMPLE);
        }
        self.named(environment, Spot::Variable);
    }

    fn parameters(&mut self, values: &mut [TextValue]) {
        for (position, value) in values.iter_mut().enumerate() {
            self.value(Spot::Parameter(position), Some(value));
        }
    }

    fn value(&mut self, at: Spot, value: Option<&mut TextValue>) {
        if let Some(TextValue::Plain(text)) = value {
            self.take(at, text, SAMPLE);
        }
    }

    /// Headers and variables: what they are called decides what they may hold, so that those
    /// with places to fill are looked at by themselves.
    fn named(&mut self, texts: &mut Headers, spot: fn(String) -> Spot) {
        texts.retain(|name, value| match value {
            TextValue::Plain(text) => !self.take(spot(name.clone()), text, SAMPLE),
            TextValue::Secret(_) => true,
        });
    }

    /// Every text in a body.
    fn in_json(&mut self, at: &str, value: &mut Json) {
        match value {
            Json::String(text) => {
                self.take(Spot::Body(at.to_owned()), text, SAMPLE);
            }
            Json::Array(items) => {
                for (position, item) in items.iter_mut().enumerate() {
                    self.in_json(&pointer(at, &position.to_string()), item);
                }
            }
            Json::Object(fields) => {
                for (key, value) in fields {
                    self.in_json(&pointer(at, key), value);
                }
            }
            _ => {}
        }
    }

    /// Whether the text had places to fill. One that cannot be read has been reported.
    fn take(&mut self, at: Spot, text: &mut String, sample: &str) -> bool {
        let Ok(template) = Template::parse(text) else { return false };
        *text = template.show(|_| sample.to_owned());
        let open = template.plain().is_none();
        if open {
            self.gaps.push(Gap { at, text: template });
        }
        open
    }
}

/// One step further into a body (RFC 6901).
fn pointer(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}
