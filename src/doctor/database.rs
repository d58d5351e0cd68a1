//! Whether the role of a Postgres server sees what its source is to show.

use super::clock;
use crate::domain::{
    examination::{Finding, Grade, Thing},
    rights::DatabaseRights,
};

/// Judges what a session found out about itself.
pub fn judge(thing: &Thing, rights: &DatabaseRights) -> Vec<Finding> {
    let role = &rights.role;
    let mut found = Vec::new();
    if !rights.sees_all {
        let what = format!(
            "the role {role} does not see the sessions of others: connections and what blocks them \
             are counted too low"
        );
        let cure = format!("GRANT pg_monitor TO {}", quoted(role));
        found.push(Finding::new(thing, Grade::Critical, what).cure(cure));
    }
    if rights.superuser {
        let what = format!("the role {role} is a superuser: a look needs none of that");
        let cure = "CREATE ROLE watchfloor LOGIN CONNECTION LIMIT 3 IN ROLE pg_monitor";
        found.push(Finding::new(thing, Grade::Warning, what).cure(cure));
    }
    for (at, said) in rights.statements.iter().enumerate() {
        if let Some(said) = said {
            let what = format!("statement {} would not run: {said}", at + 1);
            let cure = "correct it, or grant the role what it reads: GRANT SELECT ON …";
            found.push(Finding::new(thing, Grade::Critical, what).cure(cure));
        }
    }
    found.extend(clock::judge(thing, rights.clock_ahead));
    if found.is_empty() {
        let statements = match rights.statements.len() {
            0 => String::new(),
            1 => ", and its statement would run".to_owned(),
            count => format!(", and its {count} statements would run"),
        };
        let what = format!("the role {role} sees all sessions{statements}");
        found.push(Finding::new(thing, Grade::Ok, what));
    }
    found
}

/// A name as SQL needs it.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::examination::Subject;

    #[test]
    fn what_a_role_lacks_comes_with_the_statement_that_grants_it() {
        let thing = Thing::new(Subject::Source, "db");
        let sound = DatabaseRights {
            role: "ops".to_owned(),
            sees_all: true,
            statements: vec![None],
            ..DatabaseRights::default()
        };
        let found = judge(&thing, &sound);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "the role ops sees all sessions, and its statement would run");
        let poor = DatabaseRights {
            role: "Ops Team".to_owned(),
            sees_all: false,
            superuser: true,
            clock_ahead: -40.0,
            statements: vec![None, Some("permission denied".to_owned())],
        };
        let found = judge(&thing, &poor);
        assert_eq!(found[0].cure.as_deref(), Some("GRANT pg_monitor TO \"Ops Team\""));
        let grades: Vec<Grade> = found.iter().map(|finding| finding.verdict).collect();
        use Grade::{Critical, Warning};
        assert_eq!(grades, [Critical, Warning, Critical, Critical]);
        assert!(found[2].what.starts_with("statement 2 would not run: permission denied"));
    }
}
