//! A disk that does not answer: a file system of its own, frozen.

use std::{fs, path::PathBuf, process::Command, sync::Arc, time::Duration};

use tempfile::TempDir;
use watchfloor::domain::action::Claim;

use super::{Desk, action, command::shell, eventually, open};

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
