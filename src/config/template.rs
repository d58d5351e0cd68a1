//! What `watchfloor init` writes: a short file with just what must be filled in, and which
//! parts of it those are.

use std::sync::Arc;

use super::{Diagnostic, Diagnostics, Severity, builtin, nearest::suggestion};

/// A commented starting configuration, on a built-in profile or on none.
///
/// # Errors
/// There is no such profile, or it needs no configuration.
pub fn template(profile: Option<&str>) -> Result<String, Diagnostics> {
    let Some(name) = profile else { return Ok(builtin::START.to_owned()) };
    let failed = |message: String, cure: String| {
        let list =
            vec![Diagnostic { severity: Severity::Error, place: None, message, cure: Some(cure) }];
        Diagnostics::new(Arc::new(Vec::new()), list)
    };
    match (builtin::start(name), builtin::layers(name)) {
        (Some(text), _) => Ok(text.to_owned()),
        (None, Some(_)) => Err(failed(
            format!("the profile {name:?} needs no configuration"),
            "run `watchfloor demo`".to_owned(),
        )),
        (None, None) => Err(failed(
            format!("there is no profile {name:?}"),
            suggestion(name, builtin::NAMES, "profiles"),
        )),
    }
}

/// Something in a template that is to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blank {
    /// The line that it stands in, from 0.
    line: usize,
    /// The variable, or `contact` for how a person is reached.
    pub key: String,
    /// What it is, in the words of the template.
    pub about: String,
    /// What stands there now.
    pub example: String,
    /// Whether `example` holds where nothing else is said; otherwise it only shows the form.
    pub holds: bool,
}

/// What is to be filled in, in order: the variables in comments, `#NAME = "…"`, and the
/// contacts.
pub fn blanks(text: &str) -> Vec<Blank> {
    let mut out = Vec::new();
    let (mut about, mut section) = (String::new(), String::new());
    let mut after_blank = true;
    for (line, written) in text.lines().enumerate() {
        let commented = written.strip_prefix('#').and_then(assignment);
        let said = written.strip_prefix("# ").filter(|_| commented.is_none());
        match (said, commented, assignment(written)) {
            (Some(words), ..) => {
                // A block of comments belongs to what stands below it.
                if after_blank {
                    about.clear();
                }
                if !about.is_empty() {
                    about.push(' ');
                }
                about.push_str(words.trim());
                after_blank = false;
                continue;
            }
            (None, Some((key, example)), _) => out.push(Blank {
                line,
                key: key.to_owned(),
                about: about.clone(),
                example,
                holds: false,
            }),
            (None, None, Some(("name", name))) => section = name,
            (None, None, Some(("contact", example))) => out.push(Blank {
                line,
                key: "contact".to_owned(),
                about: format!("How {section} is reached."),
                example,
                holds: true,
            }),
            _ => {}
        }
        after_blank = true;
    }
    out
}

/// `NAME = "text"`.
fn assignment(written: &str) -> Option<(&str, String)> {
    let (key, value) = written.split_once(" = \"")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let sound = !key.is_empty() && key.chars().all(plain);
    sound.then(|| (key, value.strip_suffix('"').unwrap_or(value).to_owned()))
}

/// The template with an answer in the place of a blank.
pub fn fill(text: &str, blank: &Blank, answer: &str) -> String {
    let mut out = String::with_capacity(text.len() + answer.len());
    for (line, written) in text.lines().enumerate() {
        if line == blank.line {
            let value = toml::Value::String(answer.to_owned());
            out.push_str(&format!("{} = {value}", blank.key));
        } else {
            out.push_str(written);
        }
        out.push('\n');
    }
    out
}

/// The variables that hold secrets, with what belongs there: `#   NAME   words`.
pub fn secrets(text: &str) -> Vec<(String, String)> {
    let listed = text.lines().filter_map(|line| line.strip_prefix("#   "));
    let named = listed.filter_map(|line| line.split_once("  "));
    named.map(|(name, words)| (name.to_owned(), words.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_says_what_is_to_be_filled_in() {
        for name in ["exodrive", "bici", "redcube"] {
            let text = template(Some(name)).map_err(|wrong| wrong.render(false)).unwrap();
            let blanks = blanks(&text);
            assert!(blanks.len() > 3, "{name}: {blanks:?}");
            assert!(blanks.iter().all(|blank| !blank.about.is_empty()), "{name}: {blanks:?}");
            let secrets = secrets(&text);
            assert!(secrets.len() > 3, "{name}: {secrets:?}");
            assert!(secrets.iter().all(|(name, _)| name.chars().all(|c| c != ' ')));
            let filled = blanks.iter().fold(text.clone(), |text, blank| fill(&text, blank, "a\"b"));
            let tree: toml::Table = filled.parse().unwrap();
            let vars = tree["vars"].as_table().unwrap();
            let of_vars = blanks.iter().filter(|blank| !blank.holds);
            for blank in of_vars {
                assert_eq!(vars[&blank.key].as_str(), Some("a\"b"), "{name}: {}", blank.key);
            }
            assert_eq!(text.lines().count(), filled.lines().count());
        }
    }

    #[test]
    fn the_words_above_a_blank_are_its_own() {
        let text = "[vars]\n# The API.\n# Must be set.\n#URL = \"https://a\"\n\n# Others.\n#B = \"\"\n#C = \"c\"\n\n[contact.a]\nname = \"Ann\"\ncontact = \"ann@example.com\"\n";
        let found = blanks(text);
        let shown: Vec<_> = found
            .iter()
            .map(|blank| (blank.key.as_str(), blank.about.as_str(), blank.example.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("URL", "The API. Must be set.", "https://a"),
                ("B", "Others.", ""),
                ("C", "Others.", "c"),
                ("contact", "How Ann is reached.", "ann@example.com"),
            ]
        );
    }
}
