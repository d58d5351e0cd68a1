//! The rules of the built-in profiles, by the tests that stand beside them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use watchfloor::config::{PROFILES, Request, load};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/profiles/tests")
}

/// The files of rule tests, each named as its profile.
fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory()).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    files
}

fn tested(file: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_watchfloor"))
        .args(["rules", "test", "--json"])
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code().map(|code| code < 2), Some(true), "{}: {said}", file.display());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_expectation_is_met() {
    let files = files();
    assert!(!files.is_empty());
    for file in files {
        let document = tested(&file);
        let failed: Vec<&Value> = document["tests"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|test| test["passed"] != true)
            .collect();
        let words: Vec<String> =
            failed.iter().map(|test| format!("{}: {}", test["name"], test["failures"])).collect();
        assert!(words.is_empty(), "{}:\n{}", file.display(), words.join("\n"));
    }
}

/// A rule that no test has ever seen firing may as well never fire.
#[test]
fn every_rule_fires_in_some_test_and_is_at_rest_in_another() {
    for file in files() {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(PROFILES.contains(&name.as_str()), "{name} is no profile");
        let document = tested(&file);
        let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
        for test in document["tests"].as_array().unwrap() {
            for (rule, steps) in test["rules"].as_object().unwrap() {
                for step in steps.as_array().unwrap() {
                    seen.insert((rule.clone(), step["state"].as_str().unwrap().to_owned()));
                }
            }
        }
        let was = |rule: &str, state: &str| seen.contains(&(rule.to_owned(), state.to_owned()));
        let rules = rules_of(&name);
        assert!(!rules.is_empty(), "{name} has no rules");
        for rule in rules {
            assert!(was(&rule, "firing"), "{name}: no test makes {rule} fire");
            assert!(was(&rule, "ok"), "{name}: no test finds {rule} at rest");
        }
    }
}

/// The names of the rules of a profile, whose variables are made up.
fn rules_of(profile: &str) -> Vec<String> {
    let text = std::fs::read_to_string(directory().join(format!("../{profile}.toml"))).unwrap();
    let names = text.split("${").skip(1).filter_map(|rest| rest.split(['}', ':', '+']).next());
    let web = |name: &str| match name {
        "today" | "REDIS_PORT" | "REDIS_SCHEME" | "EXODRIVE_NEVER_BLOCK" => None,
        "REDIS_HOST" => Some((name.to_owned(), "127.0.0.1".to_owned())),
        name => Some((name.to_owned(), "http://127.0.0.1:1".to_owned())),
    };
    let request = Request {
        profile: Some(profile.to_owned()),
        extra_vars: names.filter_map(web).collect(),
        isolated: true,
        ..Request::default()
    };
    let loaded = load(&request).map_err(|errors| errors.render(false)).unwrap();
    loaded.profile.catalog.rules.iter().map(|rule| rule.id.to_string()).collect()
}
