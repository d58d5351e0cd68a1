use std::{
    fs::{self, OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
    thread,
};

use watchfloor::{
    actions::{
        Actions, JournalError,
        journal::{FILE, verify},
        new_run_id,
    },
    domain::action::{ActionOutcome, Standing},
};

use super::{Desk, LIMIT, assert_not_sent, open};

/// A journal with five notes.
fn five() -> Desk {
    let desk = Desk::new();
    for number in 1..=5 {
        desk.actions.note("armed", &format!("note number {number}")).expect("written");
    }
    desk
}

fn rewrite(desk: &Desk, change: impl Fn(Vec<String>) -> Vec<String>) {
    let text = fs::read_to_string(desk.journal()).expect("the journal");
    let lines = change(text.lines().map(str::to_owned).collect());
    fs::write(desk.journal(), lines.join("\n") + "\n").expect("rewritten");
}

fn first_bad(desk: &Desk) -> (u64, String) {
    match verify(&desk.journal()) {
        Err(JournalError::Broken { bad, .. }) => (bad.line, bad.why),
        other => panic!("not found: {other:?}"),
    }
}

#[test]
fn an_untouched_journal_verifies() {
    let desk = five();
    let verified = verify(&desk.journal()).expect("sound");
    assert_eq!((verified.lines, verified.repaired, verified.torn), (5, 0, false));
    let lines = desk.lines();
    assert_eq!(lines[0]["prev"], "0".repeat(64));
    for (number, pair) in lines.windows(2).enumerate() {
        assert_eq!(pair[0]["seq"], number as u64 + 1);
        assert_eq!(pair[0]["hash"], pair[1]["prev"]);
    }
    assert_eq!(lines[4]["hash"], verified.head);
    for key in ["uid", "user", "host"] {
        assert!(!lines[0]["who"][key].is_null(), "{key}");
    }
    assert!(lines[0]["ts"].as_str().expect("a time").ends_with('Z'));
}

#[test]
fn an_edited_line_is_found() {
    let desk = five();
    rewrite(&desk, |mut lines| {
        lines[2] = lines[2].replace("note number 3", "note number 8");
        lines
    });
    let (line, why) = first_bad(&desk);
    assert_eq!(line, 3);
    assert!(why.contains("changed"), "{why}");

    let (_, report) = open(&desk.state()).expect("an incident is no time to lock people out");
    assert_eq!(report.bad.as_ref().map(|bad| bad.line), Some(3));
    assert!(report.remarks()[0].contains("tampered"), "{:?}", report.remarks());
}

#[test]
fn a_line_with_a_new_hash_of_its_own_is_found_at_the_next() {
    let desk = five();
    // The forger copies a whole line of another journal, with a valid hash.
    let other = Desk::new();
    other.actions.note("armed", "a").expect("written");
    other.actions.note("armed", "b").expect("written");
    other.actions.note("armed", "forged").expect("written");
    let forged = fs::read_to_string(other.journal()).expect("the journal");
    let forged = forged.lines().nth(2).expect("a third line").to_owned();
    rewrite(&desk, |mut lines| {
        lines[2].clone_from(&forged);
        lines
    });
    assert_eq!(first_bad(&desk).0, 3);
}

#[test]
fn a_removed_an_added_and_a_moved_line_are_found() {
    type Change = fn(Vec<String>) -> Vec<String>;
    let table: [(&str, Change, u64); 5] = [
        (
            "removed",
            |mut lines| {
                lines.remove(2);
                lines
            },
            3,
        ),
        (
            "first removed",
            |mut lines| {
                lines.remove(0);
                lines
            },
            1,
        ),
        (
            "doubled",
            |mut lines| {
                lines.insert(2, lines[1].clone());
                lines
            },
            3,
        ),
        (
            "moved",
            |mut lines| {
                lines.swap(1, 2);
                lines
            },
            2,
        ),
        (
            "garbage added",
            |mut lines| {
                lines.insert(1, "{\"kind\":\"note\"}".into());
                lines
            },
            2,
        ),
    ];
    for (what, change, line) in table {
        let desk = five();
        rewrite(&desk, change);
        assert_eq!(first_bad(&desk).0, line, "{what}");
    }
}

#[test]
fn a_torn_tail_is_closed_and_reported() {
    let desk = five();
    let mut file = OpenOptions::new().append(true).open(desk.journal()).expect("opened");
    file.write_all(b"{\"seq\":6,\"ts\":\"20").expect("torn");
    assert!(verify(&desk.journal()).expect("sound so far").torn);

    let (actions, report) = open(&desk.state()).expect("opened");
    assert!(report.repaired);
    assert!(report.remarks()[0].contains("cut off"), "{:?}", report.remarks());
    actions.note("armed", "after the crash").expect("written");
    let verified = verify(&desk.journal()).expect("sound");
    assert_eq!((verified.lines, verified.repaired, verified.torn), (7, 1, false));

    let (_, report) = open(&desk.state()).expect("opened");
    assert!(!report.repaired && report.bad.is_none(), "only once");
}

/// A cut is seen by whoever looks, and stays in the journal once lines follow.
#[test]
fn lines_that_are_cut_off_the_end_are_missed() {
    for (kept, garbage, why) in [
        (4, "", "line 5 was here once"),
        (2, "", "lines 3 to 5 were here once"),
        (0, "", "lines 1 to 5 were here once"),
        (4, "something else\n", "line 5 was here once"),
    ] {
        let desk = five();
        let text = fs::read_to_string(desk.journal()).expect("the journal");
        let mut left: String = text.split_inclusive('\n').take(kept).collect();
        left.push_str(garbage);
        fs::write(desk.journal(), left).expect("cut");
        assert!(first_bad(&desk).1.contains(why), "{kept}: {:?}", first_bad(&desk));

        let (actions, report) = open(&desk.state()).expect("opened");
        let said = report.remarks().join("; ");
        assert!(said.contains(why), "{said}");
        actions.note("armed", "after the cut").expect("written");
        actions.note("armed", "and more").expect("written");
        assert!(first_bad(&desk).1.contains(why), "{kept}: {:?}", first_bad(&desk));
    }
}

#[test]
fn a_journal_that_is_gone_as_a_whole_is_missed() {
    let desk = five();
    fs::remove_file(desk.journal()).expect("removed");
    assert!(first_bad(&desk).1.contains("5 lines were here once"), "{:?}", first_bad(&desk));
    fs::remove_file(desk.journal().with_extension("head")).expect("removed");
    let nothing = verify(&desk.journal()).expect_err("none was ever here");
    assert!(matches!(nothing, JournalError::Io { .. }), "{nothing}");
}

/// What is remembered may be behind after a crash, or unreadable: then it says nothing.
#[test]
fn an_end_that_was_not_remembered_complains_of_nothing() {
    let desk = five();
    let head = desk.journal().with_extension("head");
    let once = fs::read_to_string(&head).expect("remembered");
    desk.actions.note("armed", "six").expect("written");
    for left in [once.as_str(), "", "nonsense\n", &"9".repeat(200)] {
        fs::write(&head, left).expect("rewritten");
        assert_eq!(verify(&desk.journal()).expect("sound").lines, 6, "{left:?}");
        let (_, report) = open(&desk.state()).expect("opened");
        assert_eq!(report.bad, None, "{left:?}");
    }
    fs::remove_file(&head).expect("removed");
    verify(&desk.journal()).expect("sound");
}

#[test]
fn a_line_that_lacks_only_its_end_is_not_lost() {
    let desk = five();
    let whole = fs::metadata(desk.journal()).expect("there").len();
    let file = OpenOptions::new().write(true).open(desk.journal()).expect("opened");
    file.set_len(whole - 1).expect("cut");
    let (actions, report) = open(&desk.state()).expect("opened");
    assert!(!report.repaired);
    assert_eq!(report.lines, 5);
    actions.note("armed", "six").expect("written");
    assert_eq!(verify(&desk.journal()).expect("sound").lines, 6);
}

#[test]
fn a_console_that_was_open_closes_what_another_left_torn() {
    let desk = five();
    let mut file = OpenOptions::new().append(true).open(desk.journal()).expect("opened");
    file.write_all(b"{\"seq\":6,\"ts\":\"20").expect("torn");
    desk.actions.note("armed", "six").expect("written");
    let verified = verify(&desk.journal()).expect("sound");
    assert_eq!((verified.lines, verified.repaired), (7, 1));
}

#[test]
fn two_consoles_append_to_one_chain() {
    let desk = Desk::new();
    let (second, _) = open(&desk.state()).expect("opened");
    let write = |actions: &Actions, name: &str| {
        for number in 0..100 {
            actions.note("armed", &format!("{name} {number}")).expect("written");
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| write(&desk.actions, "first"));
        scope.spawn(|| write(&desk.actions, "first again"));
        scope.spawn(|| write(&second, "second"));
    });
    assert_eq!(verify(&desk.journal()).expect("sound").lines, 300);
}

#[test]
fn a_journal_that_is_locked_for_good_is_an_error_and_not_a_hang() {
    let desk = five();
    let file = fs::File::open(desk.journal()).expect("opened");
    file.lock().expect("locked");
    let error = desk.actions.note("armed", "six").expect_err("locked");
    assert!(matches!(error, JournalError::Locked(_)), "{error}");
    file.unlock().expect("unlocked");
    desk.actions.note("armed", "six").expect("written");
}

#[test]
fn only_the_owner_may_read_and_write() {
    let desk = five();
    let mode = |path| fs::metadata(path).expect("there").mode() & 0o777;
    assert_eq!(mode(desk.state()), 0o700);
    assert_eq!(mode(desk.journal()), 0o600);
    fs::set_permissions(desk.journal(), Permissions::from_mode(0o644)).expect("changed");
    open(&desk.state()).expect("opened");
    assert_eq!(mode(desk.journal()), 0o600);
}

#[test]
fn a_place_that_others_could_change_is_refused() {
    let desk = five();
    let refused = |why: &str| {
        let error = open(&desk.state()).err().expect("refused").to_string();
        assert!(error.contains(why), "{error}");
    };
    fs::set_permissions(desk.state(), Permissions::from_mode(0o777)).expect("changed");
    refused("may be written by others (mode 0777)");
    fs::set_permissions(desk.state(), Permissions::from_mode(0o700)).expect("changed");

    fs::set_permissions(desk.journal(), Permissions::from_mode(0o620)).expect("changed");
    refused("may be written by others");
    fs::remove_file(desk.journal()).expect("removed");
    let elsewhere = desk.place.path().join("elsewhere");
    fs::write(&elsewhere, "").expect("written");
    symlink(&elsewhere, desk.journal()).expect("linked");
    refused("cannot be opened");
    fs::remove_file(desk.journal()).expect("removed");
    fs::create_dir(desk.journal()).expect("created");
    refused("journal.jsonl");
}

#[test]
fn a_place_of_somebody_else_is_refused() {
    let desk = Desk::new();
    // Root may give a directory away; anybody else has one of root's at hand.
    let us = fs::metadata(desk.state()).expect("there").uid();
    let foreign = if us == 0 {
        std::os::unix::fs::chown(desk.state(), Some(65_534), None).expect("given away");
        desk.state()
    } else {
        "/usr".into()
    };
    let error = open(&foreign).err().expect("refused").to_string();
    assert!(error.contains("belongs to user"), "{error}");
}

#[test]
fn a_journal_that_was_replaced_takes_no_more_lines() {
    let desk = five();
    let text = fs::read(desk.journal()).expect("read");
    fs::remove_file(desk.journal()).expect("removed");
    let error = desk.actions.note("armed", "lost").expect_err("gone");
    assert!(matches!(error, JournalError::Replaced(_)), "{error}");
    fs::write(desk.journal(), text).expect("another file");
    let error = desk.actions.note("armed", "lost").expect_err("another");
    assert!(matches!(error, JournalError::Replaced(_)), "{error}");
}

#[test]
fn the_past_is_told_newest_first() {
    let desk = Desk::new();
    let (first, second) = (new_run_id(), new_run_id());
    let action = "restart".into();
    for (run, outcome) in [
        (&first, ActionOutcome::Unknown),
        (&second, ActionOutcome::Failed),
        (&first, ActionOutcome::Refuted),
        // Two consoles look at the same run: what is known already stands.
        (&first, ActionOutcome::Unknown),
        (&first, ActionOutcome::Confirmed),
    ] {
        desk.actions.conclude(run, &action, outcome, &["why".to_owned()]).expect("written");
    }
    let (other, _) = open(&desk.state()).expect("opened");
    let past = other.history(10);
    let told: Vec<_> = past.iter().map(|run| (&run.run, run.outcome, run.resolved)).collect();
    assert_eq!(
        told,
        [(&second, ActionOutcome::Failed, true), (&first, ActionOutcome::Refuted, true)]
    );
    assert!(past[0].by.contains('@'), "{}", past[0].by);
    assert_eq!(desk.actions.history(1).len(), 1);
    assert_eq!(desk.lines()[0]["evidence"][0], "why");
}

#[tokio::test]
async fn a_crash_is_decidable_at_every_line() {
    let desk = Desk::new();
    desk.run(&super::command::program(&["true"])).await;
    let whole = fs::read_to_string(desk.journal()).expect("the journal");
    let lines: Vec<&str> = whole.lines().collect();
    // Intent; the runner; start; the process; finish.
    for (kept, outcome, standing) in [
        (1, ActionOutcome::NeverStarted, Standing::Starting),
        (2, ActionOutcome::NeverStarted, Standing::Starting),
        (3, ActionOutcome::Unknown, Standing::Interrupted),
        (4, ActionOutcome::Unknown, Standing::Interrupted),
        (5, ActionOutcome::Unknown, Standing::Finished),
    ] {
        fs::write(desk.journal(), lines[..kept].join("\n") + "\n").expect("rewritten");
        // At that point in time no further line had been remembered.
        let _ = fs::remove_file(desk.journal().with_extension("head"));
        let (next, report) = open(&desk.state()).expect("opened");
        assert_eq!(report.bad, None);
        let past = &next.history(1)[0];
        assert_eq!((past.outcome, past.resolved), (outcome, false), "after line {kept}");
        assert_eq!(past.trace.standing, Some(standing), "after line {kept}");
    }
}

/// Fills the disk: the test runs itself again under a limit for the size of files, past
/// which a write is cut short and the next one fails, as on a full disk.
#[test]
fn a_full_disk_is_an_error_and_nothing_is_started() {
    let place = tempfile::tempdir().expect("a directory");
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "journal::on_a_full_disk", "--ignored", "--nocapture"])
        .env("WATCHFLOOR_TEST_STATE", place.path())
        .output()
        .expect("sh");
    let said = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success() && said.contains("1 passed"), "{said}");

    let state = place.path().join("state");
    let (_, report) = open(&state).expect("opened");
    assert!(report.repaired, "the line that did not fit was cut off");
    assert!(verify(&state.join(FILE)).expect("sound").repaired == 1);
}

#[tokio::test]
#[ignore = "runs under the limit that a_full_disk_is_an_error_and_nothing_is_started sets"]
async fn on_a_full_disk() {
    let place = std::env::var("WATCHFLOOR_TEST_STATE").expect("a place");
    let state = std::path::Path::new(&place).join("state");
    let (actions, _) = open(&state).expect("opened");
    let text = "x".repeat(500);
    let error = (0..1000).find_map(|_| actions.note("armed", &text).err()).expect("full");
    assert!(error.to_string().contains("cannot be written"), "{error}");

    let marker = std::path::Path::new(&place).join("marker");
    let config = super::command::program(&["touch", &marker.to_string_lossy()]);
    let desk = Desk { place: tempfile::tempdir().expect("a directory"), actions: actions.into() };
    let (result, stages) = tokio::time::timeout(LIMIT, desk.run(&config)).await.expect("in time");
    assert_not_sent(&result, "the intent could not be written to the journal");
    assert_eq!(stages.len(), 1, "{stages:?}");
    assert!(!marker.exists(), "nothing may be started without a journal");
}
