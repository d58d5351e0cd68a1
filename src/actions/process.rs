//! Processes by an identity that is never given twice.
//!
//! A process id alone is not one: a busy machine comes round to the same number within a
//! minute. The boot, the id and the time the process began, together, are.

use std::{fs, io};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

/// One process of one boot of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: i32,
    /// When it began, in ticks since the boot: field 22 of `/proc/PID/stat`.
    pub start: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
}

/// What `/proc/PID/stat` says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    /// `R`, `S`, `Z` and so on.
    state: char,
    parent: i32,
    group: i32,
    start: u64,
}

impl Stat {
    /// Reads `pid (name) state parent group …`. The name may hold anything, brackets too.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        // Fields 3, 4 and 5 are taken; the start is field 22.
        let start = fields.nth(16)?.parse().ok()?;
        Some(Self { state, parent, group, start })
    }

    fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// One that has ended and only waits for its parent to take note does not run.
    fn runs(self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

impl ProcessId {
    /// The identity of a process that is there now.
    pub fn of(pid: i32) -> Option<Self> {
        Some(Self { pid, start: Stat::of(pid)?.start, boot: boot()? })
    }

    /// The identity of this process.
    pub fn current() -> Option<Self> {
        Self::of(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// Whether the machine has not been started again since.
    pub fn is_of_this_boot(&self) -> bool {
        boot().as_ref() == Some(&self.boot)
    }

    /// Whether this very process still runs.
    pub fn is_alive(&self) -> bool {
        self.is_of_this_boot()
            && Stat::of(self.pid).is_some_and(|stat| stat.start == self.start && stat.runs())
    }

    /// Sends a signal to this very process, and never to another that got its number
    /// meanwhile: the handle is opened first, the identity looked at after.
    ///
    /// # Errors
    /// It is gone, or belongs to somebody else.
    #[cfg(target_os = "linux")]
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
        let pid = Pid::from_raw(self.pid).ok_or(io::ErrorKind::NotFound)?;
        let handle = pidfd_open(pid, PidfdFlags::empty())?;
        if !self.is_alive() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(pidfd_send_signal(handle, signal)?)
    }

    /// Sends a signal to this very process, as far as it can be told.
    ///
    /// # Errors
    /// It is gone, or belongs to somebody else.
    #[cfg(not(target_os = "linux"))]
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = Pid::from_raw(self.pid).ok_or(io::ErrorKind::NotFound)?;
        if !self.is_alive() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// Sends a signal to the group that the process is in, and to the process itself. The
    /// group keeps its number for as long as the process is there.
    ///
    /// # Errors
    /// It is gone, or everything belongs to somebody else: nothing was signalled.
    pub fn signal_group(&self, signal: Signal) -> io::Result<()> {
        if !self.is_alive() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let stat = Stat::of(self.pid).filter(|stat| stat.start == self.start);
        let own = rustix::process::getpgrp();
        // The number 1 would mean everybody; ours, whoever asks.
        let group = stat.filter(|stat| stat.group > 1).and_then(|stat| Pid::from_raw(stat.group));
        let group = group
            .filter(|group| *group != own)
            .map(|group| rustix::process::kill_process_group(group, signal));
        let alone = self.signal(signal);
        if matches!(group, Some(Ok(()))) { Ok(()) } else { alone }
    }
}

/// All processes that can be seen.
fn all() -> Vec<(i32, Stat)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Some((pid, Stat::of(pid)?))).collect()
}

/// What still runs of all that a process has started, and of a process group: the children,
/// their children, and, where the process adopts orphans, also those that left the group.
pub(super) fn remaining(ancestor: i32, group: i32) -> Vec<ProcessId> {
    let (all, Some(boot)) = (all(), boot()) else { return Vec::new() };
    let mut family = vec![ancestor];
    let mut grown = true;
    while grown {
        grown = false;
        for (pid, stat) in &all {
            if !family.contains(pid) && family.contains(&stat.parent) {
                family.push(*pid);
                grown = true;
            }
        }
    }
    all.into_iter()
        .filter(|(pid, stat)| {
            *pid != ancestor && stat.runs() && (family.contains(pid) || stat.group == group)
        })
        .map(|(pid, stat)| ProcessId { pid, start: stat.start, boot: boot.clone() })
        .collect()
}

/// The processes of ours that carry a variable of this name and value, but not this one.
pub(super) fn with_variable(name: &str, value: &str) -> impl Iterator<Item = ProcessId> {
    let wanted = format!("{name}={value}");
    let us = rustix::process::getpid().as_raw_nonzero().get();
    let others = all().into_iter().filter(move |(pid, stat)| *pid != us && stat.runs());
    others.filter_map(move |(pid, _)| {
        // Those of other users cannot be read.
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let carries = environment.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes());
        carries.then(|| ProcessId::of(pid))?
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let cases = [
            ("7 (sh) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4242 99", Some(4242)),
            ("7 (a) Z 9 9 (b)) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 31 99", Some(31)),
            ("7 (sh) S 1 7", None),
            ("7 sh S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4242 99", None),
            ("", None),
        ];
        for (text, start) in cases {
            assert_eq!(Stat::parse(text).map(|stat| stat.start), start, "{text}");
        }
        assert_eq!(
            Stat::parse(cases[0].0).map(|s| (s.state, s.parent, s.group)),
            Some(('S', 1, 7))
        );
    }

    #[test]
    fn a_number_that_was_given_again_is_another_process() {
        let us = ProcessId::current().expect("an identity");
        assert!(us.is_alive());
        let forged = [
            ProcessId { start: us.start + 1, ..us.clone() },
            ProcessId { boot: "another boot".to_owned(), ..us.clone() },
            ProcessId { pid: i32::MAX, ..us },
        ];
        for forged in forged {
            assert!(!forged.is_alive(), "{forged:?}");
            assert!(forged.signal(Signal::KILL).is_err(), "{forged:?}");
            assert!(forged.signal_group(Signal::KILL).is_err(), "{forged:?}");
        }
    }

    /// What is found by its variable need not lead a group: it may be any child.
    #[test]
    fn the_group_of_a_process_is_reached_through_any_member() {
        use std::os::unix::process::CommandExt;
        let mut leader = Command::new("sh")
            .args(["-c", "sleep 60 & wait"])
            .process_group(0)
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell");
        let number = i32::try_from(leader.id()).expect("a number");
        let member = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            all().into_iter().find(|(_, stat)| stat.parent == number)
        });
        let (pid, stat) = member.expect("the child of the shell");
        assert_eq!(stat.group, number);
        ProcessId::of(pid).expect("there").signal_group(Signal::KILL).expect("sent");
        assert!(!leader.wait().expect("ended").success());
    }

    #[test]
    fn a_process_is_found_by_its_variable_and_is_gone_when_it_has_ended() {
        let value = format!("test-{}", std::process::id());
        let mut child = Command::new("sleep")
            .arg("60")
            .env("WATCHFLOOR_RUN", &value)
            .stdout(Stdio::null())
            .spawn()
            .expect("sleep");
        // Until it has become `sleep`, the environment is still ours.
        let found = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            with_variable("WATCHFLOOR_RUN", &value).next()
        });
        let found = found.expect("found");
        assert_eq!(u32::try_from(found.pid), Ok(child.id()));
        found.signal(Signal::KILL).expect("sent");
        child.wait().expect("ended");
        assert!(!found.is_alive());
        assert_eq!(with_variable("WATCHFLOOR_RUN", &value).next(), None);
    }
}
