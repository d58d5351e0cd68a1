//! `${NAME}` and `${NAME:-default}` in texts; `${today+30d}` is a date; `$${` is a literal `${`.
//!
//! In the texts of an action that are filled when it is started, `${ask.NAME}` and
//! `${step.STEP.READING}` stay as they are: they are read by [`template`].

use std::collections::BTreeMap;

use super::{
    Request,
    diagnostics::{Diagnostic, Severity},
    mask::is_secret_name,
    secret::Secret,
    tree::{Data, Node, Path, Place},
};
use crate::domain::template;

/// Keys of an action, and of a step of one, whose texts may hold places to fill.
const FILLED: [&str; 13] = [
    "url",
    "headers",
    "body",
    "argv",
    "environment",
    "stdin",
    "delete",
    "proof",
    "parameters",
    "set",
    "verify",
    "until",
    "fail_when",
];

/// A variable that is used and not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unset {
    /// The value that uses it.
    pub path: Path,
    /// Where that stands.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// Needed by `{ env = … }`, not by `${…}`: it holds a secret.
    pub secret: bool,
}

/// What was found on the way.
#[derive(Default)]
pub struct Found {
    /// Variables that are used and not set.
    pub unset: Vec<Unset>,
    /// Whatever is malformed or doubtful.
    pub diagnostics: Vec<Diagnostic>,
}

/// Replaces variables in every text of the tree, `[vars]` first. Looks in what the program
/// itself provides, then in `[vars]`, then in the environment; an empty variable counts as
/// not set.
pub fn interpolate(root: &mut Node, request: &Request) -> Found {
    let mut walk = Walk { request, vars: BTreeMap::new(), found: Found::default() };
    if let Data::Table(table) = &mut root.data {
        if let Some(vars) = table.entries.get_mut("vars") {
            walk.node(&mut vars.node, &Path::root("vars"));
            walk.vars = texts(&vars.node);
        }
        for (key, entry) in &mut table.entries {
            if key != "vars" {
                walk.node(&mut entry.node, &Path::root(key));
            }
        }
    }
    walk.found
}

/// Whether what stands there is filled when an action is started.
pub fn is_filled(path: &Path) -> bool {
    let keys: Vec<&str> = path.keys().collect();
    match keys.as_slice() {
        ["action", _, part, ..] if *part == "ask" => false,
        ["action", _, rest @ ..] => rest.iter().any(|key| FILLED.contains(key)),
        _ => false,
    }
}

/// `${today}`, `${today+30d}`: the date in UTC, when the configuration is loaded.
fn date(inside: &str, request: &Request) -> Option<String> {
    let rest = inside.strip_prefix("today")?;
    let days: i64 = match rest {
        "" => 0,
        _ => rest.strip_suffix('d').filter(|_| rest.starts_with(['+', '-']))?.parse().ok()?,
    };
    let today = request
        .today
        .unwrap_or_else(|| jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date());
    let moved = jiff::Span::new().try_days(days).and_then(|span| today.checked_add(span));
    moved.ok().map(|date| date.to_string())
}

fn texts(vars: &Node) -> BTreeMap<String, String> {
    let Some(table) = vars.table() else { return BTreeMap::new() };
    let text = |node: &Node| match &node.data {
        Data::Text(text) => Some(text.clone()),
        Data::Integer(number) => Some(number.to_string()),
        Data::Float(number) => Some(number.to_string()),
        _ => None,
    };
    let entries = table.entries.iter();
    entries.filter_map(|(name, entry)| Some((name.clone(), text(&entry.node)?))).collect()
}

struct Walk<'a> {
    request: &'a Request,
    vars: BTreeMap<String, String>,
    found: Found,
}

impl Walk<'_> {
    fn node(&mut self, node: &mut Node, path: &Path) {
        match &mut node.data {
            Data::Text(text) if text.contains("${") => {
                *text = self.text(text, path, node.place);
            }
            Data::List(items) => {
                for (position, item) in items.iter_mut().enumerate() {
                    self.node(item, &path.index(position));
                }
            }
            Data::Table(table) => {
                for (key, entry) in &mut table.entries {
                    self.node(&mut entry.node, &path.key(key));
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, path: &Path, place: Place) -> String {
        let filled = is_filled(path);
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            let to_fill = filled && template::is_blank(&from[2..]);
            if let Some(literal) = before.strip_suffix('$') {
                out.push_str(if to_fill { before } else { literal });
                out.push_str("${");
                rest = &from[2..];
                continue;
            }
            out.push_str(before);
            let Some(end) = from.find('}') else {
                self.malformed(place, "`${` is not closed by `}`".to_owned());
                out.push_str(from);
                return out;
            };
            if to_fill {
                out.push_str(&from[..=end]);
            } else {
                let value = self.variable(&from[2..end], path, place);
                // A variable is never read for places to fill.
                out.push_str(&if filled { template::literal(&value) } else { value });
            }
            rest = &from[end + 1..];
        }
        out.push_str(rest);
        out
    }

    fn variable(&mut self, inside: &str, path: &Path, place: Place) -> String {
        if let Some(date) = date(inside, self.request) {
            return date;
        }
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let nested = default.is_some_and(|default| default.contains("${"));
        let valid = !nested
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            self.malformed(place, format!("`{name}` cannot be the name of a variable"));
            return format!("${{{inside}}}");
        }
        let value = self.lookup(name).map(str::to_owned);
        if let (Some(value), true) = (&value, is_secret_name(name)) {
            self.secret_in_text(name, value, place);
        }
        value.or_else(|| default.map(str::to_owned)).unwrap_or_else(|| {
            let unset = Unset { path: path.clone(), place, name: name.to_owned(), secret: false };
            if !self.found.unset.contains(&unset) {
                self.found.unset.push(unset);
            }
            format!("${{{name}}}")
        })
    }

    fn lookup(&self, name: &str) -> Option<&str> {
        let given = self.request.extra_vars.get(name).or_else(|| self.vars.get(name));
        let given = given.map(String::as_str).filter(|value| !value.is_empty());
        given.or_else(|| self.request.variable(name))
    }

    fn malformed(&mut self, place: Place, message: String) {
        self.found.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            place: Some(place),
            message,
            cure: Some(
                "write ${NAME} or ${NAME:-default}, with letters, digits and _; a literal `${` is `$${`"
                    .to_owned(),
            ),
        });
    }

    fn secret_in_text(&mut self, name: &str, value: &str, place: Place) {
        // Remembered, so that it is blanked wherever this text is shown.
        drop(Secret::new(value.to_owned(), format!("env {name}")));
        self.found.diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            place: Some(place),
            message: format!(
                "`${{{name}}}` puts what looks like a secret into a text that is shown"
            ),
            cure: Some(format!("where a key takes it, write {{ env = \"{name}\" }}")),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpolated(source: &str) -> (Node, Found) {
        let (mut root, errors) = Node::parse(0, source);
        assert!(errors.is_empty(), "{errors:?}");
        let vars = [("HOST", "h.example"), ("ODD", "${ask.odd}")];
        let extra_vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let found = interpolate(&mut root, &Request { extra_vars, ..Request::default() });
        (root, found)
    }

    #[test]
    fn places_to_fill_survive_where_they_are_filled() {
        let source = r#"
            [action.roll]
            url = "https://${HOST}/${ask.id}?to=${step.find.id}"
            argv = ["$${ask.id}", "$${HOME}", "${ODD}", "${ask.id}"]
            body = { a = [{ b = "${ask.id}" }] }
            [[action.roll.step]]
            stdin = "${ask.id}"
        "#;
        let (root, found) = interpolated(source);
        assert!(found.diagnostics.is_empty() && found.unset.is_empty(), "{:?}", found.diagnostics);
        let roll = &root.to_json()["action"]["roll"];
        assert_eq!(roll["url"], "https://h.example/${ask.id}?to=${step.find.id}");
        let argv = serde_json::json!(["$${ask.id}", "${HOME}", "$${ask.odd}", "${ask.id}"]);
        assert_eq!(roll["argv"], argv);
        assert_eq!(roll["body"]["a"][0]["b"], "${ask.id}");
        assert_eq!(roll["step"][0]["stdin"], "${ask.id}");
    }

    #[test]
    fn elsewhere_they_are_names_that_no_variable_can_have() {
        for line in ["title = \"${ask.id}\"", "ask.url = { title = \"${ask.id}\" }"] {
            let (_, found) = interpolated(&format!("[action.roll]\n{line}"));
            assert_eq!(found.diagnostics.len(), 1, "{line}");
        }
        let (root, found) = interpolated("[source.a]\nurl = \"$${ask.id}\"");
        assert!(found.diagnostics.is_empty());
        assert_eq!(root.to_json()["source"]["a"]["url"], "${ask.id}");
    }
}
