//! What used to go wrong at the edges of `run`.

use std::{
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{PROGRAM, Place, eventually, fs, journal, runs, told};

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
        (vec!["run", "absent", "--json"], 64),
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = place.command(&args).stdout(Stdio::from(full)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(outcome), "{args:?}: {said}");
        assert!(said.contains("it cannot be printed"), "{args:?}: {said}");
    }
}

/// Needs root: a program that belongs to root, run by nobody, by way of a file that makes
/// whoever runs it root. As with `sudo`, its runner may not end it.
const NOBODY: u32 = 65_534;

fn as_nobody(place: &Place, program: &std::path::Path, args: &[&str]) -> Command {
    let mut command = place.command(args);
    let args: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let mut own = Command::new(program);
    own.args(args).env("HOME", "/").current_dir("/").uid(NOBODY).gid(NOBODY);
    own.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command = own;
    command
}

#[test]
fn what_cannot_be_ended_is_not_said_to_be_and_keeps_its_lock() {
    use std::os::unix::fs::{PermissionsExt, chown};
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new(
        r#"
[action.stuck]
kind = "command"
guard = "G1"
cooldown = "0s"
timeout = "60s"
locks = ["shop/deploy"]
argv = ["@/root", "--reuid", "0", "--regid", "0", "--clear-groups", "sleep", "300"]

[action.other]
kind = "command"
guard = "G1"
cooldown = "0s"
locks = ["shop"]
argv = ["true"]
"#,
    );
    let mode = |name: &str, mode| {
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o755);
    chown(place.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
    chown(place.path("watchfloor.toml"), Some(NOBODY), Some(NOBODY)).unwrap();
    let setpriv =
        ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().find(|file| fs::exists(file).unwrap());
    fs::copy(setpriv.expect("setpriv (util-linux) must be installed"), place.path("root")).unwrap();
    mode("root", 0o4755);
    let program = place.path("watchfloor");
    fs::copy(PROGRAM, &program).unwrap();
    mode("watchfloor", 0o755);

    let asking = as_nobody(&place, &program, &["run", "stuck"]).spawn().unwrap();
    eventually("the program", || !place.of_kind("process").is_empty());
    let stuck = place.of_kind("process")[0]["process"]["pid"].as_i64().unwrap();
    let _ended = Killed(stuck);
    let is_root = || {
        let status = fs::read_to_string(format!("/proc/{stuck}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("Uid:\t0\t0\t0"))
    };
    eventually("it to be root", is_root);
    interrupt(asking.id());
    let (code, said, why) = told(&asking.wait_with_output().unwrap());
    assert_eq!(code, 3, "it may be at work still: {said}{why}");
    assert!(said.contains("UNKNOWN") && said.contains("STILL RUNS"), "{said}{why}");
    assert!(runs(stuck));
    let other = || told(&as_nobody(&place, &program, &["run", "other"]).output().unwrap());
    let (code, _, why) = other();
    assert_eq!(code, 2, "{why}");
    assert!(why.contains("stuck"), "{why}");
    // Also when its runner is gone.
    let runner = place.of_kind("supervisor")[0]["process"]["pid"].as_i64().unwrap();
    assert!(runs(runner), "it holds the lock");
    kill(runner, Signal::KILL);
    eventually("the runner to be gone", || !runs(runner));
    let (code, _, why) = other();
    assert_eq!(code, 2, "{why}");
    assert!(why.contains(&format!("process {stuck}")), "{why}");
    kill(stuck, Signal::KILL);
    eventually("the program to be gone", || !runs(stuck));
    let (code, said, why) = other();
    assert_eq!(code, 3, "{said}{why}");
    place.verify();
}

/// Ends a process that a test has left behind.
struct Killed(i64);

impl Drop for Killed {
    fn drop(&mut self) {
        if runs(self.0) {
            kill(self.0, Signal::KILL);
        }
    }
}

fn kill(pid: i64, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    let _ = kill_process(pid, signal);
}

fn interrupt(pid: u32) {
    kill(i64::from(pid), Signal::INT);
}

/// `(name, guard, lock, timeout, script)`.
pub fn actions(table: &[(&str, &str, &str, &str, &str)]) -> String {
    let one = |(name, guard, lock, timeout, script): &(&str, &str, &str, &str, &str)| {
        format!(
            "[action.{name}]\nkind = \"command\"\nguard = \"{guard}\"\ncooldown = \"0s\"\n\
             timeout = \"{timeout}\"\nlocks = [\"{lock}\"]\nshell = true\nargv = [\"{script}\"]\n"
        )
    };
    table.iter().map(one).collect()
}

/// Goes on until it is asked to end, and then takes its time.
const STOPS_LATE: &str = "trap 'sleep 2; exit 4' TERM; while :; do sleep 0.05; done";
pub const STOPS: &str = "trap 'exit 4' TERM; while :; do sleep 0.05; done";

/// The run of an action that was detached, once its program runs.
fn detached(place: &Place, action: &str) -> String {
    let before = place.of_kind("process").len();
    let (code, said, why) = place.tell(&["run", action, "--detach"]);
    assert_eq!(code, 3, "{said}{why}");
    eventually("the program", || place.of_kind("process").len() > before);
    let intents = place.of_kind("intent");
    intents.last().unwrap()["run"].as_str().unwrap().to_owned()
}

/// Waiting for the holder to stop is not the time of whoever takes over.
#[test]
fn the_time_of_a_run_begins_when_it_has_its_locks() {
    let place = Place::new(&actions(&[
        ("deploy", "G1", "shop/deploy", "60s", STOPS_LATE),
        ("rollback", "G1", "shop", "1s", "sleep 0.3; echo x >> @/done"),
    ]));
    detached(&place, "deploy");
    let (_, said, why) = place.tell(&["run", "rollback", "--take-over", "it hangs"]);
    assert!(said.contains("exit code 0"), "{said}{why}");
    assert_eq!(place.done(), 1);
}

#[test]
fn a_take_over_asks_everybody_who_is_in_the_way_and_nobody_else() {
    let place = Place::new(&actions(&[
        ("deploy", "G1", "shop/deploy", "60s", STOPS_LATE),
        ("warm", "G1", "shop/cache", "60s", STOPS),
        ("bystander", "G1", "other", "60s", STOPS),
        ("rollback", "G1", "shop", "60s", "echo x >> @/done"),
    ]));
    let mut holders = [detached(&place, "deploy"), detached(&place, "warm")];
    let bystander = detached(&place, "bystander");
    let (_, said, why) = place.tell(&["run", "rollback", "--take-over", "both hang"]);
    assert!(said.contains("exit code 0"), "{said}{why}");
    assert!(holders.iter().all(|run| why.contains(run)), "they are named: {why}");
    let mut asked: Vec<String> = place
        .of_kind("cancel")
        .iter()
        .map(|line| line["run"].as_str().unwrap().to_owned())
        .collect();
    asked.sort();
    holders.sort();
    assert_eq!(asked, holders);
    place.tell(&["run", "bystander", "--take-over", "over", "--detach"]);
    assert!(place.of_kind("cancel").iter().any(|line| line["run"] == bystander.as_str()));
    let last = place.of_kind("process").last().unwrap()["process"]["pid"].as_i64().unwrap();
    kill(last, Signal::KILL);
}

/// Whoever came in between was not shown to whoever takes over.
#[test]
fn nobody_is_stopped_who_was_not_shown() {
    let place = Place::new(&actions(&[
        ("deploy", "G1", "shop/deploy", "60s", STOPS),
        ("rollback", "G3", "shop", "60s", "echo x >> @/done"),
    ]));
    let args = ["run", "rollback", "--take-over", "it hangs", "--reason", "it hangs"];
    let mut rollback = place.command(&[&args[..], &["--confirm", "shop/test"]].concat());
    let rollback = rollback.spawn().unwrap();
    // It counts down for five seconds, with nobody in the way.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let deploy = detached(&place, "deploy");
    let (code, said, why) = told(&rollback.wait_with_output().unwrap());
    assert_eq!(code, 2, "{said}{why}");
    assert!(said.contains("not whom it was to be taken over from"), "{said}{why}");
    assert!(said.contains(&deploy), "{said}{why}");
    assert!(place.of_kind("cancel").is_empty());
    assert_eq!(place.done(), 0);
    kill(place.of_kind("process")[0]["process"]["pid"].as_i64().unwrap(), Signal::KILL);
}

#[test]
fn the_second_person_sees_whom_it_is_taken_over_from() {
    let place = Place::new(&actions(&[
        ("deploy", "G1", "shop/deploy", "60s", STOPS),
        ("drop", "G4", "shop", "60s", "echo x >> @/done"),
    ]));
    let deploy = detached(&place, "deploy");
    let args = ["run", "drop", "--take-over", "it hangs", "--reason", "the table is corrupt"];
    let mut asking = place.command(&[&args[..], &["--confirm", "shop/test"]].concat());
    let asking = asking.env("WATCHFLOOR_PERSON", "alice").spawn().unwrap();
    eventually("the request", || !place.of_kind("ask").is_empty());
    assert_eq!(place.of_kind("ask")[0]["take_over"]["from"][0], deploy.as_str());
    let mut agreeing = place.command(&["approve", "drop", "--confirm", "shop/test"]);
    let (code, said, why) = told(&agreeing.env("WATCHFLOOR_PERSON", "bob").output().unwrap());
    assert_eq!(code, 0, "{said}{why}");
    assert!(said.contains(&format!("it would stop run {deploy} first: it hangs")), "{said}");
    let (_, said, why) = told(&asking.wait_with_output().unwrap());
    assert!(said.contains("exit code 0"), "{said}{why}");
    assert_eq!(place.of_kind("cancel")[0]["run"], deploy.as_str());
    assert_eq!(place.done(), 1);
}

#[test]
fn taking_over_from_a_program_without_a_runner_ends_it_first() {
    let place = Place::new(&actions(&[
        (
            "deploy",
            "G1",
            "shop/deploy",
            "60s",
            "trap 'sleep 1; echo deploy >> @/done; exit 4' TERM; while :; do sleep 0.05; done",
        ),
        ("rollback", "G1", "shop", "60s", "echo rollback >> @/done"),
    ]));
    let deploy = detached(&place, "deploy");
    let pid = |kind: &str| place.of_kind(kind)[0]["process"]["pid"].as_i64().unwrap();
    let (runner, program) = (pid("supervisor"), pid("process"));
    let _ended = Killed(program);
    kill(runner, Signal::KILL);
    eventually("the runner to be gone", || !runs(runner));
    assert!(runs(program));
    let (code, _, why) = place.tell(&["run", "rollback"]);
    assert_eq!(code, 2, "above it, too: {why}");
    assert!(why.contains(&format!("process {program}")), "{why}");
    let (_, said, why) = place.tell(&["run", "rollback", "--take-over", "its runner is gone"]);
    assert!(said.contains("exit code 0"), "{said}{why}");
    assert_eq!(fs::read_to_string(place.path("done")).unwrap(), "deploy\nrollback\n");
    assert_eq!(place.of_kind("cancel")[0]["run"], deploy.as_str());
    assert!(!runs(program));
    place.verify();
}

/// The program as a child for which files cannot grow beyond a limit, as on a full disk.
fn on_a_small_disk(place: &Place, blocks: Option<u64>, args: &[&str]) -> Command {
    let limit = blocks.map(|blocks| format!("ulimit -f {blocks}; ")).unwrap_or_default();
    let command = place.command(args);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{limit}trap '' XFSZ; exec \"$@\""), "sh", PROGRAM]);
    shell.args(command.get_args()).stdin(Stdio::null()).stdout(Stdio::piped());
    shell.stderr(Stdio::piped());
    shell
}

#[test]
fn a_second_person_who_cannot_be_asked_is_not_waited_for() {
    let place = Place::new(&actions(&[("drop", "G4", "shop", "60s", "echo x >> @/done")]));
    fill(&place, 8_000);
    let args = ["run", "drop", "--reason", "the table is corrupt", "--confirm", "shop/test"];
    let (code, said, why) = told(&on_a_small_disk(&place, Some(16), &args).output().unwrap());
    assert_eq!(code, 2, "{said}{why}");
    assert!(why.contains("nobody could be asked"), "{why}");
    assert_eq!(place.done(), 0);
}

/// Notes until the journal is so long, bytes.
fn fill(place: &Place, length: u64) {
    let now = jiff::Timestamp::now();
    let (journal, _) = journal::Journal::open(&place.state(), now).unwrap();
    let note = journal::entry::Entry {
        text: Some("x".repeat(300)),
        ..journal::entry::Entry::new(journal::entry::Kind::Note)
    };
    while fs::metadata(journal.path()).unwrap().len() < length {
        journal.append(&note, now).unwrap();
    }
}

/// What is not in the journal is read by no runner: then nobody was asked to stop.
#[cfg(target_os = "linux")]
#[test]
fn a_request_to_stop_that_is_not_written_is_said_and_can_be_repeated() {
    use rustix::process::{Resource, Rlimit, prlimit};
    let place = Place::new(&actions(&[("slow", "G1", "shop", "60s", STOPS)]));
    let complaints = place.path("complaints");
    let file = fs::File::create(&complaints).unwrap();
    let mut command = on_a_small_disk(&place, None, &["run", "slow"]);
    let asking = command.stderr(Stdio::from(file)).spawn().unwrap();
    eventually("the program", || place.of_kind("process").len() == 1);
    let pid = i32::try_from(asking.id()).ok().and_then(Pid::from_raw);
    let allow = |size: Option<u64>| {
        prlimit(pid, Resource::Fsize, Rlimit { current: size, maximum: None }).unwrap();
    };
    let said = |text: &str| fs::read_to_string(&complaints).unwrap().contains(text);
    eventually("it to be followed", || said("running as"));
    allow(Some(fs::metadata(place.state().join(journal::FILE)).unwrap().len()));
    // What it complains of goes to a file as well.
    let shown = fs::metadata(&complaints).unwrap().len();
    assert!(shown < fs::metadata(place.state().join(journal::FILE)).unwrap().len());
    interrupt(asking.id());
    eventually("the complaint", || said("could NOT be asked to stop"));
    assert!(place.of_kind("cancel").is_empty());
    allow(None);
    interrupt(asking.id());
    let (code, out, _) = told(&asking.wait_with_output().unwrap());
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("CANCELLED"), "{out}");
    assert_eq!(place.of_kind("cancel").len(), 1);
}
