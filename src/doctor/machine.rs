//! The machine that the console runs on: its state directory and disk, whether runs outlive
//! a logout, files with secrets, the terminal. Blocks on the file system.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access, statvfs};

use super::program::Surroundings;
use crate::domain::examination::{Finding, Grade, Thing};

/// Less free space than this is a warning, bytes.
const FREE: u64 = 1 << 30;

/// A smaller free share than this is a warning.
const FREE_SHARE: f64 = 0.05;

/// Less free space than this is critical, bytes: the journal of a window may not fit.
const FULL: u64 = 16 << 20;

/// Looks at the directory of the journal. Creates nothing.
pub fn state_directory(thing: &Thing, directory: &Path) -> Vec<Finding> {
    let shown = directory.display();
    let is_there = directory.exists();
    let Some(place) = directory.ancestors().find(|place| place.exists()) else {
        let what = format!("{shown} cannot be made: nothing of its path is there");
        return vec![Finding::new(thing, Grade::Critical, what).cure("correct state.dir")];
    };
    let mut found = Vec::new();
    if !place.is_dir() {
        let what = format!("{} is not a directory", place.display());
        return vec![Finding::new(thing, Grade::Critical, what).cure("correct state.dir")];
    }
    if access(place, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let what =
            format!("{} may not be written by this user: nothing can be started", place.display());
        let cure = "give it to this user, or choose another state.dir";
        found.push(Finding::new(thing, Grade::Critical, what).cure(cure));
    } else if is_there {
        found.push(Finding::new(thing, Grade::Ok, format!("{shown} can be written")));
    } else {
        let what = format!("{shown} is not there yet; it can be made");
        found.push(Finding::new(thing, Grade::Ok, what));
    }
    match statvfs(place) {
        Ok(facts) => {
            let unit = facts.f_frsize.max(1);
            let free = facts.f_bavail.saturating_mul(unit);
            found.push(disk(thing, place, free, facts.f_blocks.saturating_mul(unit)));
        }
        Err(error) => {
            let what = format!("how much room {} has is not known: {error}", place.display());
            found.push(Finding::new(thing, Grade::Unknown, what));
        }
    }
    found
}

/// Judges how much room there is.
fn disk(thing: &Thing, place: &Path, free: u64, all: u64) -> Finding {
    let share = if all == 0 { 1.0 } else { free as f64 / all as f64 };
    let room = if free >= 1 << 30 {
        format!("{:.1} GB", free as f64 / f64::from(1 << 30))
    } else {
        format!("{} MB", free >> 20)
    };
    let what = format!("{} has {room} of room, {:.0} %", place.display(), share * 100.0);
    let cure = "make room: df, journalctl --vacuum-size=200M";
    if free < FULL {
        Finding::new(thing, Grade::Critical, what).cure(cure)
    } else if free < FREE || share < FREE_SHARE {
        Finding::new(thing, Grade::Warning, what).cure(cure)
    } else {
        Finding::new(thing, Grade::Ok, what)
    }
}

/// Whether a run would outlive a logout. `systemd-logind` ends everything of a session where
/// `KillUserProcesses=yes`, also what has a session of its own, unless the user lingers.
pub fn logout(thing: &Thing, around: &Surroundings) -> Finding {
    let root = &around.root;
    if !root.join("run/systemd/system").exists() {
        let what = "systemd does not run here: nothing ends a run at logout";
        return Finding::new(thing, Grade::Ok, what);
    }
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| around.variable(name));
    let settings = logind(root);
    let kills = settings.get("KillUserProcesses").is_some_and(|value| is_yes(value));
    let named = |key: &str| {
        let list = settings.get(key).map(String::as_str).unwrap_or_default();
        let list: Vec<&str> = list.split_whitespace().collect();
        (!list.is_empty(), user.is_some_and(|user| list.contains(&user)))
    };
    let (only, us) = named("KillOnlyUsers");
    // Without a list of its own, nobody but root is left out.
    let (excludes, spared) = named("KillExcludeUsers");
    let spared = spared || (!excludes && user == Some("root"));
    if !kills || (only && !us) || spared {
        return Finding::new(thing, Grade::Ok, "a run outlives the logout of whoever started it");
    }
    let lingers = user.is_some_and(|user| root.join("var/lib/systemd/linger").join(user).exists());
    let user = user.unwrap_or("$USER");
    let cure = if lingers {
        "run the console from a service of the user: systemd-run --user --scope watchfloor; or set KillUserProcesses=no".to_owned()
    } else {
        format!("loginctl enable-linger {user}; or set KillUserProcesses=no in logind.conf")
    };
    let what = "KillUserProcesses=yes: a run may be ended when whoever started it logs out";
    Finding::new(thing, Grade::Warning, what).cure(cure)
}

/// The settings of logind: the file, and what stands in its drop-ins, the later one winning.
fn logind(root: &Path) -> std::collections::BTreeMap<String, String> {
    let places = ["usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd"];
    let main = places
        .iter()
        .rev()
        .map(|place| root.join(place).join("logind.conf"))
        .find(|file| file.is_file());
    // A drop-in hides those of its name in the places before.
    let mut drop_ins: std::collections::BTreeMap<std::ffi::OsString, PathBuf> = Default::default();
    for place in places {
        let Ok(entries) = fs::read_dir(root.join(place).join("logind.conf.d")) else { continue };
        for entry in entries.flatten().take(100) {
            if entry.path().extension().is_some_and(|ending| ending == "conf") {
                drop_ins.insert(entry.file_name(), entry.path());
            }
        }
    }
    let mut settings = std::collections::BTreeMap::new();
    for file in main.into_iter().chain(drop_ins.into_values()) {
        let text = fs::read_to_string(file).unwrap_or_default();
        for line in text.lines().map(str::trim) {
            if line.starts_with(['#', ';', '[']) {
                continue;
            }
            if let Some((key, value)) = line.split_once('=') {
                settings.insert(key.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
    settings
}

fn is_yes(value: &str) -> bool {
    ["1", "yes", "y", "true", "t", "on"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// Files that secrets were read from: nobody else may read them.
pub fn secret_file(thing: &Thing, path: &Path) -> Finding {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(facts) if facts.mode() & 0o004 != 0 => {
            let what = format!("the secret in {shown} can be read by everybody on this machine");
            Finding::new(thing, Grade::Critical, what)
                .cure(format!("chmod 600 {shown}; then change the secret"))
        }
        Ok(facts) if facts.mode() & 0o022 != 0 => {
            let what = format!("the secret in {shown} can be changed by others");
            Finding::new(thing, Grade::Warning, what).cure(format!("chmod 600 {shown}"))
        }
        Ok(_) => Finding::new(
            thing,
            Grade::Ok,
            format!("the secret in {shown} is readable by us alone, or our group"),
        ),
        Err(error) => {
            let what = format!("the secret in {shown} cannot be read any more: {error}");
            Finding::new(thing, Grade::Critical, what).cure("put it back, for this user alone")
        }
    }
}

/// What the terminal can show.
pub fn terminal(thing: &Thing, around: &Surroundings, is_terminal: bool) -> Vec<Finding> {
    if !is_terminal {
        let what = "there is no terminal here: what it can show was not looked at";
        return vec![Finding::new(thing, Grade::Skipped, what)];
    }
    let mut found = Vec::new();
    let term = around.variable("TERM").unwrap_or_default();
    if term.is_empty() || term == "dumb" || term == "unknown" {
        let what = format!(
            "TERM is {}: the console prints lines instead of a screen",
            if term.is_empty() { "not set" } else { term }
        );
        found.push(Finding::new(thing, Grade::Warning, what).cure("export TERM=xterm-256color"));
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| around.variable(name));
    let lower = locale.unwrap_or_default().to_ascii_lowercase();
    if !lower.contains("utf-8") && !lower.contains("utf8") {
        let what = format!(
            "the locale {} is not UTF-8: the console draws with ASCII only",
            locale.unwrap_or("C")
        );
        found.push(Finding::new(thing, Grade::Warning, what).cure("export LANG=C.UTF-8"));
    }
    if found.is_empty() {
        found.push(Finding::new(
            thing,
            Grade::Ok,
            format!("{term} with {}", locale.unwrap_or_default()),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::examination::Subject;

    fn thing() -> Thing {
        Thing::new(Subject::Journal, "journal")
    }

    #[test]
    fn room_is_judged_by_bytes_and_by_share() {
        let place = Path::new("/var");
        let of = |free: u64, all: u64| disk(&thing(), place, free, all).verdict;
        assert_eq!(of(10 << 30, 100 << 30), Grade::Ok);
        assert_eq!(of(900 << 20, 10 << 30), Grade::Warning);
        assert_eq!(of(4 << 30, 100 << 30), Grade::Warning);
        assert_eq!(of(1 << 20, 100 << 30), Grade::Critical);
        assert_eq!(disk(&thing(), place, 900 << 20, 10 << 30).what, "/var has 900 MB of room, 9 %");
    }

    #[test]
    fn a_directory_that_can_be_made_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        let wanted = root.path().join("a/b");
        let found = state_directory(&thing(), &wanted);
        assert!(found[0].what.ends_with("is not there yet; it can be made"), "{found:?}");
        assert!(!root.path().join("a").exists());
        fs::write(root.path().join("file"), "").unwrap();
        let found = state_directory(&thing(), &root.path().join("file/x"));
        assert_eq!(found[0].verdict, Grade::Critical);
    }

    #[test]
    fn logind_is_read_with_its_drop_ins() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let around = |user: &str| Surroundings {
            variables: [("USER".to_owned(), user.to_owned())].into(),
            here: PathBuf::new(),
            root: root.path().to_owned(),
        };
        assert_eq!(logout(&thing(), &around("alice")).verdict, Grade::Ok, "no systemd");
        fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
        write("etc/systemd/logind.conf", "[Login]\n#KillUserProcesses=yes\n");
        assert_eq!(logout(&thing(), &around("alice")).verdict, Grade::Ok);
        write("usr/lib/systemd/logind.conf.d/10-kill.conf", "[Login]\nKillUserProcesses=yes\n");
        let found = logout(&thing(), &around("alice"));
        assert_eq!(found.verdict, Grade::Warning);
        assert!(found.cure.unwrap().starts_with("loginctl enable-linger alice"));
        assert_eq!(logout(&thing(), &around("root")).verdict, Grade::Ok);
        write("etc/systemd/logind.conf.d/20-who.conf", "[Login]\nKillExcludeUsers=root alice\n");
        assert_eq!(logout(&thing(), &around("alice")).verdict, Grade::Ok);
        // One of the same name hides the other.
        write("etc/systemd/logind.conf.d/20-who.conf", "");
        write("etc/systemd/logind.conf.d/10-kill.conf", "");
        assert_eq!(logout(&thing(), &around("alice")).verdict, Grade::Ok);
    }

    #[test]
    fn a_secret_that_others_read_is_critical() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("token");
        assert_eq!(secret_file(&thing(), &path).verdict, Grade::Critical);
        fs::write(&path, "x").unwrap();
        for (mode, grade) in [
            (0o600, Grade::Ok),
            (0o640, Grade::Ok),
            (0o644, Grade::Critical),
            (0o660, Grade::Warning),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(secret_file(&thing(), &path).verdict, grade, "{mode:o}");
        }
    }

    #[test]
    fn a_terminal_without_unicode_is_said_to_be_one() {
        let around = |term: &str, lang: &str| Surroundings {
            variables: [("TERM".to_owned(), term.to_owned()), ("LANG".to_owned(), lang.to_owned())]
                .into(),
            ..Surroundings::default()
        };
        let grades = |term: &str, lang: &str, is: bool| -> Vec<Grade> {
            terminal(&thing(), &around(term, lang), is).into_iter().map(|of| of.verdict).collect()
        };
        assert_eq!(grades("xterm", "en_US.UTF-8", true), [Grade::Ok]);
        assert_eq!(grades("dumb", "C", true), [Grade::Warning, Grade::Warning]);
        assert_eq!(grades("", "C.utf8", true), [Grade::Warning]);
        assert_eq!(grades("", "", false), [Grade::Skipped]);
    }
}
