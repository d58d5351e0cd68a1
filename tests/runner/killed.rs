//! Killed at any moment.

use std::{
    process::Child,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Place, eventually, fs, runs};

/// Rounds, and the time they may take together.
const ROUNDS: u64 = 100;
const TOGETHER: Duration = Duration::from_secs(75);

/// Quick, but not instant, so that a kill can hit its middle.
const QUICK: &str = r#"
[action.quick]
kind = "command"
guard = "G1"
cooldown = "0s"
timeout = "20s"
shell = true
argv = ["sleep 0.03; echo $WATCHFLOOR_RUN >> @/done; sleep 0.05"]
"#;

fn kill(pid: i64) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn kill_child(child: &mut Child) {
    // A child that was not waited for keeps its number.
    let _ = child.kill();
    child.wait().unwrap();
}

/// The runner of the newest run, where it has reported.
fn runner(place: &Place, seen: usize) -> Option<i64> {
    place.of_kind("supervisor").get(seen)?["process"]["pid"].as_i64()
}

/// Numbers without a pattern, the same in every run of the test.
fn scattered(round: u64) -> u64 {
    round.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33
}

/// Lines of the journal after which something is killed; the last is the deed itself.
const MOMENTS: [&str; 5] = ["intent", "supervisor", "start", "process", "done"];

fn seen(place: &Place, moment: &str) -> usize {
    if moment == "done" { place.done() } else { place.of_kind(moment).len() }
}

#[test]
fn whatever_is_killed_when_nothing_is_lost_and_nothing_is_done_twice() {
    let place = Place::new(QUICK);
    let began = Instant::now();
    let mut rounds = 0;
    while rounds < ROUNDS && (rounds < 18 || began.elapsed() < TOGETHER) {
        let reported = place.of_kind("supervisor").len();
        let chance = scattered(rounds);
        // Any moment after a line that was just written, or any moment at all.
        let moment = MOMENTS.get(usize::try_from(rounds / 3 % 6).unwrap());
        let before = moment.map(|moment| seen(&place, moment));
        let mut asker = place.command(&["run", "quick"]).spawn().unwrap();
        if let (Some(moment), Some(before)) = (moment, before) {
            while seen(&place, moment) == before && asker.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_micros(chance % 20_000));
        } else {
            thread::sleep(Duration::from_millis(chance % 300));
        }
        match rounds % 3 {
            0 => kill_child(&mut asker),
            1 => {
                runner(&place, reported).into_iter().for_each(kill);
                asker.wait().unwrap();
            }
            _ => {
                runner(&place, reported).into_iter().for_each(kill);
                kill_child(&mut asker);
            }
        }
        at_rest(&place);
        rounds += 1;
    }
    settle(&place);
    judge(&place);
}

/// The next round must not meet the lock of this one.
fn at_rest(place: &Place) {
    let all = |kind: &str, gone: &dyn Fn(i64) -> bool| {
        place.of_kind(kind).iter().all(|line| line["process"]["pid"].as_i64().is_none_or(gone))
    };
    eventually("the runner to be gone", || all("supervisor", &|pid| !is_runner(pid)));
    eventually("the program to be gone", || all("process", &|pid| !is_program(pid)));
}

/// A number that was given again belongs to another program.
fn is_runner(pid: i64) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    runs(pid) && String::from_utf8_lossy(&line).contains("supervise")
}

fn is_program(pid: i64) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    runs(pid) && String::from_utf8_lossy(&environment).contains("WATCHFLOOR_RUN=")
}

/// A console that looks at everything that was left open. What was intended a moment ago
/// might still get its runner: that is waited for, too.
fn settle(place: &Place) {
    for _ in 0..20 {
        let open = open_runs(place);
        if open.is_empty() {
            return;
        }
        let (code, _, complaint) = place.tell(&["live", "--headless", "--for", "3s"]);
        assert_eq!(code, 0, "{complaint}");
    }
    panic!("left open: {:?}", open_runs(place));
}

fn open_runs(place: &Place) -> Vec<String> {
    let ended: Vec<_> = place.of_kind("outcome").iter().map(|line| line["run"].clone()).collect();
    let never = |run: &serde_json::Value| {
        place
            .of_kind("finish")
            .iter()
            .any(|line| line["run"] == *run && line["result"]["claim"] == "not_sent")
    };
    place
        .of_kind("intent")
        .iter()
        .map(|line| line["run"].clone())
        .filter(|run| !ended.contains(run) && !never(run))
        .map(|run| run.to_string())
        .collect()
}

/// What the journal says must be what happened.
fn judge(place: &Place) {
    place.verify();
    let done = fs::read_to_string(place.path("done")).unwrap_or_default();
    let times = |run: &str| done.lines().filter(|line| *line == run).count();
    let all = |kind: &str, run: &str| -> Vec<serde_json::Value> {
        place.of_kind(kind).into_iter().filter(|line| line["run"] == run).collect()
    };
    let intents = place.of_kind("intent");
    let mut outcomes = std::collections::BTreeMap::<String, usize>::new();
    for intent in &intents {
        let run = intent["run"].as_str().unwrap();
        let lines = || {
            format!(
                "{:#?}",
                place.lines().into_iter().filter(|l| l["run"] == run).collect::<Vec<_>>()
            )
        };
        assert!(times(run) <= 1, "{run} was done {} times: {}", times(run), lines());
        for once in ["intent", "supervisor", "start", "process", "finish"] {
            assert!(all(once, run).len() <= 1, "{once} twice: {}", lines());
        }
        let finish = all("finish", run);
        assert_eq!(finish.len(), 1, "no end: {}", lines());
        let claim = finish[0]["result"]["claim"].as_str().unwrap();
        *outcomes.entry(claim.to_owned()).or_default() += 1;
        match claim {
            "done" => assert_eq!(times(run), 1, "claimed and not done: {}", lines()),
            "not_sent" => assert_eq!(times(run), 0, "done all the same: {}", lines()),
            "unclear" => assert_eq!(all("start", run).len(), 1, "{}", lines()),
            other => panic!("{other}: {}", lines()),
        }
    }
    // The kills must have hit something, and must not have hit everything.
    for claim in ["done", "unclear"] {
        assert!(outcomes.contains_key(claim), "none is {claim}: {outcomes:?}");
    }
}

const TREE: &str = r#"
[action.stubborn]
kind = "command"
guard = "G1"
timeout = "2s"
shell = true
argv = ["""
trap '' TERM
stubborn='trap "" TERM; echo $$ >> @/pids; while :; do sleep 1; done'
sh -c "$stubborn" &
setsid sh -c "$stubborn" &
echo $$ >> @/pids
while :; do sleep 1; done
"""]
"#;

/// Also what left the group of the program is ended with it.
#[test]
fn a_tree_that_ignores_the_request_to_end_leaves_no_process() {
    let place = Place::new(TREE);
    let (code, said, _) = place.tell(&["run", "stubborn"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("its time was up"), "{said}");
    let pids = fs::read_to_string(place.path("pids")).unwrap();
    let pids: Vec<i64> = pids.lines().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 3, "{pids:?}");
    for pid in pids {
        assert!(!runs(pid), "{pid} is still there");
    }
}

const SLOW: &str = r#"
[action.slow]
kind = "command"
guard = "G1"
cooldown = "0s"
timeout = "60s"
shell = true
argv = ["echo begun; while [ ! -e @/go ]; do sleep 0.05; done; echo $WATCHFLOOR_RUN >> @/done; echo over"]
"#;

/// A run that is under way, and its runner.
fn under_way(place: &Place) -> (String, i64, i64) {
    let (code, said, complaint) = place.tell(&["run", "slow", "--detach"]);
    assert_eq!(code, 3, "{said}{complaint}");
    eventually("the program to run", || place.of_kind("process").len() == 1);
    let run = place.of_kind("intent")[0]["run"].as_str().unwrap().to_owned();
    let pid = |kind: &str| place.of_kind(kind)[0]["process"]["pid"].as_i64().unwrap();
    (run, pid("supervisor"), pid("process"))
}

#[test]
fn a_program_whose_runner_was_killed_goes_on_is_said_so_and_keeps_its_lock() {
    let place = Place::new(SLOW);
    let (run, runner, program) = under_way(&place);
    kill(runner);
    eventually("the runner to be gone", || !runs(runner));
    assert!(runs(program), "it goes on");

    let (code, _, why) = place.tell(&["run", "slow"]);
    assert_eq!(code, 2, "{why}");
    assert!(why.contains(&format!("process {program}")) && why.contains("UNSUPERVISED"), "{why}");

    let live = place.command(&["live", "--for", "60s"]).env("TERM", "dumb").spawn().unwrap();
    fs::write(place.path("go"), "").unwrap();
    eventually("the end to be written", || place.of_kind("outcome").len() == 1);
    let mut live = live;
    kill_child(&mut live);
    assert_eq!(place.done(), 1);
    let finish = &place.of_kind("finish")[0];
    assert_eq!(finish["result"]["claim"], "unclear", "its exit code is not known");
    assert_eq!(place.of_kind("outcome")[0]["outcome"], "unknown");
    assert_eq!(finish["run"], run.as_str());
    place.verify();
    let (code, _, complaint) = place.tell(&["run", "slow"]);
    assert_eq!(code, 3, "free again: {complaint}");
}

/// The number of a process that is gone may be given to another one.
#[test]
fn a_process_with_the_same_number_is_not_taken_for_the_program() {
    let place = Place::new(SLOW);
    let (_, runner, program) = under_way(&place);
    kill(program);
    kill(runner);
    eventually("both to be gone", || !runs(program) && !runs(runner));
    // The journal is written again with the number of a process that is there: this one.
    forge(&place, program, i64::from(std::process::id()));
    let (code, said, _) = place.tell(&["live", "--headless", "--for", "3s"]);
    assert_eq!(code, 0, "{said}");
    let finish = place.of_kind("finish");
    assert!(finish[0]["result"]["summary"].as_str().unwrap().contains("interrupted"), "{finish:?}");
}

/// Gives another number to the program in the journal, with hashes that fit.
fn forge(place: &Place, from: i64, to: i64) {
    use sha2::{Digest, Sha256};
    let file = place.state().join("journal.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let mut prev = "0".repeat(64);
    let mut out = String::new();
    for line in text.lines() {
        let contents = line.split(",\"hash\":\"").next().unwrap();
        let (before, after) = contents.split_once("\"prev\":\"").unwrap();
        let contents = format!("{before}\"prev\":\"{prev}{}", &after[64..]);
        let contents = contents.replace(&format!("\"pid\":{from},"), &format!("\"pid\":{to},"));
        prev =
            Sha256::digest(contents.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        out.push_str(&format!("{contents},\"hash\":\"{prev}\"}}\n"));
    }
    assert!(out.contains(&format!("\"pid\":{to},")), "nothing was forged");
    fs::write(&file, out).unwrap();
    // What was remembered of its end is that of the other journal.
    fs::remove_file(file.with_extension("head")).unwrap();
    place.verify();
}

#[test]
fn a_torn_line_is_closed_and_the_run_goes_on() {
    use std::io::Write;
    let place = Place::new(SLOW);
    let (_, runner, _) = under_way(&place);
    let file = place.state().join("journal.jsonl");
    let mut journal = fs::OpenOptions::new().append(true).open(&file).unwrap();
    journal.write_all(b"{\"seq\":99,\"ts\":\"2026-").unwrap();
    fs::write(place.path("go"), "").unwrap();
    eventually("the runner to be over", || !runs(runner));
    assert_eq!(place.of_kind("finish")[0]["result"]["claim"], "done");
    assert_eq!(place.of_kind("repaired").len(), 1);
    place.verify();
    assert_eq!(place.tell(&["journal", "verify"]).0, 0);
}

#[test]
fn a_hangup_and_an_interrupt_do_not_reach_the_runner_but_a_shutdown_does() {
    let place = Place::new(SLOW);
    let (_, runner, program) = under_way(&place);
    let pid = Pid::from_raw(i32::try_from(runner).unwrap()).unwrap();
    kill_process(pid, Signal::HUP).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert!(runs(runner) && runs(program));
    kill_process(pid, Signal::TERM).unwrap();
    eventually("both to be gone", || !runs(program) && !runs(runner));
    let finish = &place.of_kind("finish")[0]["result"];
    assert_eq!(finish["claim"], "unclear");
    assert!(finish["summary"].as_str().unwrap().contains("the system asked"), "{finish}");
    assert_eq!(place.done(), 0);
}
