//! What used to go wrong at the edges of `run`.

use std::process::Stdio;

use super::{Place, fs};

const QUICK: &str = r#"
[action.quick]
kind = "command"
guard = "G1"
cooldown = "0s"
argv = ["true"]

[action.fails]
kind = "command"
guard = "G1"
cooldown = "0s"
argv = ["false"]
"#;

/// A script asks for the exit code: that nothing could be printed must not replace it.
#[test]
fn the_exit_code_is_the_outcome_also_where_the_disk_is_full() {
    let place = Place::new(QUICK);
    for (args, outcome) in [
        (vec!["run", "fails"], 1),
        (vec!["run", "fails", "--json"], 1),
        (vec!["run", "quick"], 3),
        (vec!["run", "absent", "--json"], 2),
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = place.command(&args).stdout(Stdio::from(full)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(outcome), "{args:?}: {said}");
        assert!(said.contains("it cannot be printed"), "{args:?}: {said}");
    }
}
