//! Whom to call: whether the levels are filled in.

use crate::domain::{
    catalog::{ContactSpec, is_placeholder},
    examination::{Finding, Grade, Subject, Thing},
};

/// Parts of an address that nobody has.
const MADE_UP: [&str; 10] = [
    "example.com",
    "example.org",
    "example.net",
    "example.test",
    "your-domain",
    "yourdomain",
    "your-company",
    "555-01",
    "foo@bar",
    "changeme",
];

/// Looks at one level among all.
pub fn look(spec: &ContactSpec, all: &[ContactSpec]) -> Vec<Finding> {
    let thing = Thing::new(Subject::Contact, spec.level);
    let level = spec.level;
    let mut found = Vec::new();
    for (key, text) in [("name", &spec.name), ("contact", &spec.contact)] {
        if let Some(why) = unfilled(text) {
            let what = format!("the {key} of level {level} {why}");
            let cure = format!("fill in `{key}`: nobody can be reached by it");
            found.push(Finding::new(&thing, Grade::Critical, what).cure(cure));
        }
    }
    if let Some(why) = spec.backup.as_deref().and_then(unfilled) {
        let what = format!("the backup of level {level} {why}");
        found.push(Finding::new(&thing, Grade::Warning, what).cure("fill it in, or leave it out"));
    }
    if spec.respond_within.is_none() {
        let what = format!("level {level} does not say how fast it answers: no clock runs for it");
        found.push(
            Finding::new(&thing, Grade::Warning, what).cure("write respond_within = \"15m\""),
        );
    }
    let lowest = all.iter().map(|other| other.level).min().unwrap_or(level);
    if level == lowest && level != 1 {
        let what = format!("the escalation begins with level {level}: there is no level 1");
        found.push(Finding::new(&thing, Grade::Warning, what).cure("say who is called first"));
    }
    let next = all.iter().map(|other| other.level).filter(|other| *other > level).min();
    if let Some(next) = next.filter(|next| *next != level + 1) {
        let what =
            format!("behind level {level} comes level {next}: the levels between are missing");
        found.push(
            Finding::new(&thing, Grade::Warning, what).cure("number the levels without a gap"),
        );
    }
    if found.is_empty() {
        found.push(Finding::new(&thing, Grade::Ok, format!("level {level} is filled in")));
    }
    found
}

/// Why a text is nothing that somebody filled in.
fn unfilled(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if text.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    if is_placeholder(text) {
        return Some(format!("is a placeholder: {text}"));
    }
    let bracket = lower.split_once('[').is_some_and(|(_, rest)| rest.contains(']'));
    (bracket || MADE_UP.iter().any(|part| lower.contains(part)))
        .then(|| format!("is made up: {text}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn level(level: u8, name: &str, contact: &str) -> ContactSpec {
        ContactSpec {
            level,
            name: name.to_owned(),
            contact: contact.to_owned(),
            backup: None,
            respond_within: Some(Duration::from_secs(900)),
            handles: None,
        }
    }

    #[test]
    fn what_was_never_filled_in_is_critical() {
        for (name, contact, expected) in [
            ("Team", "[Name]", "the contact of level 1 is a placeholder: [Name]"),
            ("Team", "", "the contact of level 1 is empty"),
            ("[Name]", "+49 30 1", "the name of level 1 is a placeholder"),
            ("Team", "oncall@example.com", "the contact of level 1 is made up"),
            ("Team", "+49 XXX", "the contact of level 1 is a placeholder: +49 XXX"),
            ("Team", "call [Phone] now", "the contact of level 1 is made up"),
        ] {
            let spec = level(1, name, contact);
            let found = look(&spec, std::slice::from_ref(&spec));
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].verdict, Grade::Critical);
            assert!(found[0].what.starts_with(expected), "{}", found[0].what);
        }
    }

    #[test]
    fn levels_have_no_gaps() {
        let all = [level(2, "Infra", "+49 30 2"), level(4, "Lead", "+49 30 4")];
        let found = look(&all[0], &all);
        let words: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(
            words,
            [
                "the escalation begins with level 2: there is no level 1",
                "behind level 2 comes level 4: the levels between are missing",
            ]
        );
        assert_eq!(look(&all[1], &all)[0].verdict, Grade::Ok);
        let mut vague = level(1, "Dev", "dev-oncall@exodrive.com");
        vague.respond_within = None;
        assert_eq!(look(&vague, std::slice::from_ref(&vague))[0].verdict, Grade::Warning);
    }
}
