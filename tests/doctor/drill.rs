//! Actions that are run for practice.

use crate::Place;

const ACTION: &str = "[source.files]\nkind = \"command\"\nargv = [\"sh\", \"-c\", \"find . -name acted | wc -l\"]\n\
    interval = \"1s\"\ntimeout = \"900ms\"\nreadings = { acted = { output = \"number\" } }\n[action.touch]\nkind = \"command\"\nguard = \"G1\"\nargv = [\"touch\", \"acted\"]\n\
    proof = [\"files.acted == 1\"]\ncooldown = \"0s\"\n";

#[test]
fn a_drill_is_marked_in_the_journal_and_counts_for_the_doctor() {
    let place = Place::new(&format!("{ACTION}drill = true\n"));
    let (report, _) = place.examine_only(&["action"]);
    report.says("action", "touch", "warning", &["never drilled", "watchfloor run touch --drill"]);
    let run = place.run(&["run", "touch", "--drill", "--json"]);
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(place.path().join("acted").exists(), "a drill is carried out");
    let shown = place.run(&["journal", "show", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let text = document.to_string();
    assert!(text.contains("\"drill\":true"), "{text}");
    let (report, _) = place.examine_only(&["action"]);
    report.says("action", "touch", "ok", &["last drilled just now by", "confirmed"]);
}

#[test]
fn a_journal_that_was_changed_is_found() {
    let place = Place::new(&format!("{ACTION}drill = true\n"));
    let run = place.run(&["run", "touch", "--drill"]);
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let (report, _) = place.examine_only(&["journal"]);
    report.says("journal", "journal", "ok", &["the journal verifies"]);
    let file = place.path().join("state/journal.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"intent\"", "\"note\"", 1)).unwrap();
    let (report, _) = place.examine_only(&["journal"]);
    report.says("journal", "journal", "critical", &["watchfloor journal verify"]);
}

#[test]
fn nothing_is_drilled_in_production_or_where_it_was_not_meant() {
    for (place, why) in [
        (
            Place::of("production", &format!("{ACTION}drill = true\n")),
            "nothing is drilled in production",
        ),
        (Place::new(ACTION), "is not for practice: write drill = true"),
    ] {
        let run = place.run(&["run", "touch", "--drill"]);
        assert_eq!(run.status.code(), Some(2));
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(said.contains(why), "{said}");
        assert!(!place.path().join("acted").exists());
    }
}
