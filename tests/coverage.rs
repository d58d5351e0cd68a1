//! Every line of the runbooks is served by something in the profiles, or it is said why not;
//! and docs/coverage.md says so as it is.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf};

use serde::Deserialize;

/// The operated systems.
const SYSTEMS: [(&str, &str); 3] =
    [("exodrive", "ExoDrive"), ("bici", "BICI voice agent"), ("redcube", "RedCube")];

/// What a line of a runbook can be served by. What only supports these needs no line.
const SERVES: [&str; 5] = ["check", "rule", "action", "contact", "latency"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Coverage {
    /// What is in the profile for another reason than a line of a runbook, with that reason.
    #[serde(default)]
    besides: std::collections::BTreeMap<String, String>,
    row: Vec<Row>,
}

/// A line of a runbook. Exactly one of `by`, `later` and `not` says what becomes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    /// What it asks for.
    line: String,
    /// What serves it, as `check.redis`.
    #[serde(default)]
    by: Vec<String>,
    /// What it waits for.
    later: Option<String>,
    /// Why it is not served on purpose.
    not: Option<String>,
    /// Where what serves it differs from the line, and why.
    note: Option<String>,
}

fn here(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn coverage(system: &str) -> Coverage {
    let path = here(&format!("assets/coverage/{system}.toml"));
    let text = fs::read_to_string(&path).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn profile(system: &str) -> toml::Table {
    let text = fs::read_to_string(here(&format!("assets/profiles/{system}.toml"))).unwrap();
    text.parse().unwrap()
}

/// A part of a profile in words; none where it is not there.
fn described(profile: &toml::Table, name: &str) -> Option<String> {
    let (section, id) = name.split_once('.').unwrap_or((name, ""));
    let part = profile.get(section)?;
    let part = if id.is_empty() {
        part
    } else {
        id.split('.').try_fold(part, |part, key| part.get(key))?
    };
    let text = |key: &str| part.get(key).and_then(toml::Value::as_str);
    Some(match section {
        "rule" => {
            let lasting = text("for").map_or_else(String::new, |lasting| format!(" for {lasting}"));
            let severity = text("severity").unwrap_or("warning");
            format!("{name}: `{}`{lasting}, {severity}", text("when").unwrap_or_default())
        }
        "action" => {
            let guard = text("guard").unwrap_or_default();
            format!("{name}: {} ({guard})", text("title").unwrap_or(id))
        }
        "source" => format!("{name} ({})", text("kind").unwrap_or_default()),
        _ => match text("title").or_else(|| text("name")) {
            Some(title) => format!("{name}: {title}"),
            None => name.to_owned(),
        },
    })
}

/// The page, and everything that is wrong with what it is made from.
fn page() -> (String, Vec<String>) {
    let mut page = "# What serves the runbooks\n\n\
        Every line of the runbooks of the three built-in profiles by its number: what in the profile\n\
        serves it, or why nothing does. Made from `assets/coverage` and the profiles by\n\
        `WATCHFLOOR_WRITE=1 cargo test --test coverage`; a test holds it current.\n"
        .to_owned();
    let mut wrong = Vec::new();
    for (system, title) in SYSTEMS {
        let (coverage, profile) = (coverage(system), profile(system));
        let mut seen = BTreeSet::new();
        let mut used: BTreeSet<&str> = coverage.besides.keys().map(String::as_str).collect();
        let count = |of: fn(&Row) -> bool| coverage.row.iter().filter(|row| of(row)).count();
        write!(
            page,
            "\n## {title}\n\n{} lines: {} served, {} later, {} not on purpose.\n\n\
             | no. | asks for | served by |\n| --- | --- | --- |\n",
            coverage.row.len(),
            count(|row| !row.by.is_empty()),
            count(|row| row.later.is_some()),
            count(|row| row.not.is_some()),
        )
        .unwrap();
        for row in &coverage.row {
            let Row { id, line, .. } = row;
            if !seen.insert(id) {
                wrong.push(format!("{system} {id}: is there twice"));
            }
            let said = [!row.by.is_empty(), row.later.is_some(), row.not.is_some()];
            if said.iter().filter(|said| **said).count() != 1 {
                wrong.push(format!("{system} {id}: say exactly one of by, later and not"));
            }
            let mut parts = Vec::new();
            for name in &row.by {
                used.insert(name);
                match described(&profile, name) {
                    Some(words) => parts.push(words),
                    None => wrong.push(format!("{system} {id}: the profile has no {name}")),
                }
            }
            parts.extend(row.later.iter().map(|why| format!("later: {why}")));
            parts.extend(row.not.iter().map(|why| format!("not: {why}")));
            parts.extend(row.note.clone());
            let cell = parts.join("<br>").replace('|', "\\|");
            writeln!(page, "| {id} | {} | {cell} |", line.replace('|', "\\|")).unwrap();
        }
        for name in coverage.besides.keys().filter(|name| described(&profile, name).is_none()) {
            wrong.push(format!("{system}: the profile has no {name}, which is there besides"));
        }
        if !coverage.besides.is_empty() {
            page.push_str("\nBesides, for no line of a runbook:\n\n");
            for (name, why) in &coverage.besides {
                writeln!(page, "* {}: {why}", described(&profile, name).unwrap_or_default())
                    .unwrap();
            }
        }
        for section in SERVES {
            let names = profile.get(section).and_then(toml::Value::as_table);
            for id in names.into_iter().flat_map(|names| names.keys()) {
                let name = format!("{section}.{id}");
                if !used.contains(name.as_str()) {
                    wrong
                        .push(format!("{system}: {name} serves no line, and is not there besides"));
                }
            }
        }
    }
    (page, wrong)
}

#[test]
fn every_line_is_served_or_says_why_not() {
    let (_, wrong) = page();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_is_current() {
    let (made, _) = page();
    let path = here("docs/coverage.md");
    if std::env::var_os("WATCHFLOOR_WRITE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == made,
        "docs/coverage.md is not what the profiles say: \
         WATCHFLOOR_WRITE=1 cargo test --test coverage writes it"
    );
}
