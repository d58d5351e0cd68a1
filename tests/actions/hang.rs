//! A disk that does not answer: a file system of its own, frozen.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use watchfloor::domain::action::Claim;

use super::{Desk, LIMIT, PROGRAM, action, command::shell, eventually, open};

fn succeeds(program: &str, args: &[&str]) -> bool {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program} must be installed: {error}"));
    output.status.success()
}

/// A mounted file system that can be frozen. It is thawed and gone when this is dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` where this system does not let anybody mount a file.
    fn mount(place: &TempDir) -> Option<Self> {
        let (image, at) = (place.path().join("image"), place.path().join("state"));
        fs::File::create(&image).and_then(|file| file.set_len(96 << 20)).expect("an image");
        fs::create_dir(&at).expect("a place");
        let (image, name) = (image.to_string_lossy(), at.to_string_lossy());
        assert!(succeeds("mkfs.ext4", &["-q", &image]));
        succeeds("mount", &["-o", "loop,noatime", &image, &name]).then(|| {
            fs::remove_dir(at.join("lost+found")).expect("an empty one");
            Self(at.clone())
        })
    }

    fn freeze(&self) {
        assert!(succeeds("fsfreeze", &["--freeze", &self.0.to_string_lossy()]));
    }

    fn thaw(&self) -> bool {
        succeeds("fsfreeze", &["--unfreeze", &self.0.to_string_lossy()])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.thaw();
        succeeds("umount", &["--lazy", &self.0.to_string_lossy()]);
    }
}

fn runs(pid: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The program is ended in time, although neither its output nor a line of the journal can be
/// written.
#[tokio::test]
async fn a_disk_that_hangs_does_not_keep_a_program_from_being_ended() {
    if !rustix::process::geteuid().is_root() {
        // Only root can mount and freeze.
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let Some(disk) = Disk::mount(&place) else { return };
    let (actions, _) = open(&place.path().join("state")).expect("opened");
    let desk = Desk { place, actions: Arc::new(actions) };
    let printed = desk.place.path().join("printed");
    // More than can be followed at once, so that the disk freezes under the follower.
    let text = format!(
        "trap '' TERM; yes 'a line' | head -c 16000000; touch {}; while :; do sleep 0.1; done",
        printed.display()
    );
    let config = action(shell(&text).kind, Duration::from_secs(6));
    let digest = desk.preview(&config).await.digest;
    let started = desk.start(&config, &digest);
    eventually("the program", || desk.kinds().iter().any(|kind| kind == "process")).await;
    eventually("its output", || printed.exists()).await;
    disk.freeze();
    let lines = desk.lines();
    let program = lines.iter().find(|line| line["kind"] == "process").expect("a program");
    let program = program["process"]["pid"].as_i64().expect("a number");
    assert!(runs(program));
    eventually("the program to be ended while the disk hangs", || !runs(program)).await;
    assert!(disk.thaw(), "it was frozen all the time");
    let (result, _) = started.finish().await;
    assert_eq!(result.claim, Claim::Unclear, "{}", result.summary);
    assert!(result.summary.contains("its time was up"), "{}", result.summary);
    watchfloor::actions::journal::verify(&desk.journal()).expect("sound");
}

/// The outcome is known, and its line alone cannot be written: it is told all the same.
#[test]
fn a_disk_that_hangs_does_not_keep_the_outcome_back() {
    if !rustix::process::geteuid().is_root() {
        // Only root can mount and freeze.
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let Some(disk) = Disk::mount(&place) else { return };
    let at = place.path().display().to_string();
    let text = format!(
        "[service]\nname = \"shop\"\nenvironment = \"test\"\n[state]\ndir = \"{at}/state\"\n\
         [source.flag]\nkind = \"command\"\nargv = [\"echo\", \"0\"]\n\
         readings = {{ there = {{ output = \"number\" }} }}\n\
         [action.go]\nkind = \"command\"\nguard = \"G1\"\nargv = [\"true\"]\n\
         proof = [\"flag.there == 1\"]\nproof_within = \"4s\"\n"
    );
    let config = place.path().join("watchfloor.toml");
    fs::write(&config, text).expect("a configuration");
    let mut running = Command::new(PROGRAM)
        .arg("--config")
        .arg(&config)
        .args(["run", "go"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let said = BufReader::new(running.stderr.take().expect("what it says"));
    let mut said = said.lines().map_while(Result::ok);
    let judged = said.any(|line| line.contains("looking at the proof"));
    assert!(judged, "it did not come to its end");
    disk.freeze();
    // Its process itself cannot go before the disk answers.
    let printed = running.stdout.take().expect("its output");
    let (told, telling) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let line = BufReader::new(printed).lines().next();
        let _ = told.send(line.and_then(Result::ok).unwrap_or_default());
    });
    let line = telling.recv_timeout(LIMIT);
    assert!(disk.thaw(), "it was frozen all the time");
    let code = running.wait().expect("ended").code();
    let line = line.expect("the outcome is told while the disk hangs");
    assert!(line.starts_with("REFUTED"), "{line}");
    assert_eq!(code, Some(1));
}
