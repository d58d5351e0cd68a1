//! The rules of the built-in profiles, by their own tests.

use std::{path::Path, process::Command};

use serde_json::Value;

/// Every rule of the profile has a test that makes it fire, and every test passes.
#[test]
fn every_rule_of_the_profile_is_tested_and_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("assets/profiles/tests/exodrive.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_watchfloor"))
        .args(["rules", "test", "--json"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let fires = |rule: &str| {
        document["tests"].as_array().unwrap().iter().any(|test| {
            let steps = test["rules"][rule].as_array().cloned().unwrap_or_default();
            steps.iter().any(|step| step["state"] == "firing")
        })
    };
    let profile = std::fs::read_to_string(root.join("assets/profiles/exodrive.toml")).unwrap();
    let profile: toml::Table = profile.parse().unwrap();
    let rules = profile["rule"].as_table().unwrap();
    assert!(rules.len() >= 6, "{rules:?}");
    for (rule, _) in rules {
        assert!(fires(rule), "no test makes {rule} fire");
    }
}
