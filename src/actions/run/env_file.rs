//! Variables set in a file of `NAME=value` lines. The new file is complete and on the disk
//! before it takes the place of the old one, of which a copy stays beside it.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::time::timeout;

use super::{Ended, Stage, log::DISK_LIMIT};
use crate::{
    actions::words,
    config::profile::{EnvFile, Text},
    domain::action::Claim,
};

/// The largest file that is taken for one, bytes.
const LARGEST: u64 = 1 << 20;

/// Sets the variables. Whatever goes wrong before is `Err`.
pub(super) async fn run(file: &EnvFile, stage: &Stage<'_>) -> Result<Ended, Ended> {
    let (own, key) = (file.clone(), stage.key.clone());
    let mut preparing = tokio::task::spawn_blocking(move || prepare(&own, &key));
    // A disk that hangs keeps nobody from stopping it.
    let ready = match stage.wait(&mut preparing).await {
        Ok(Ok(Ok(ready))) => ready,
        Ok(Ok(Err(error))) => {
            return Err(Ended::not_sent(format!("{}: {error}", file.path.display())));
        }
        Ok(Err(_)) => return Err(Ended::not_sent("the new file could not be made")),
        Err(interruption) => {
            // What is being written is removed again once it is complete.
            let _ = timeout(DISK_LIMIT, preparing).await;
            return Err(Ended::not_sent(interruption.words()));
        }
    };
    if let Err(early) = stage.start().await {
        let _ = timeout(DISK_LIMIT, tokio::task::spawn_blocking(move || drop(ready))).await;
        return Err(early);
    }
    let target = file.path.clone();
    let count = words::count(file.set.len() as u64, "variable", "variables");
    let copy = ready.copy.path.display().to_string();
    let replacing = tokio::task::spawn_blocking(move || replace(ready, &target));
    Ok(match timeout(DISK_LIMIT, replacing).await {
        Ok(Ok(Ok(()))) => Ended::new(Claim::Done, format!("{count} set; the old file is {copy}")),
        Ok(Ok(Err(NotReplaced::NotAtAll(error)))) => {
            Ended::new(Claim::Refused, format!("{}: {error}", file.path.display()))
        }
        Ok(Ok(Err(NotReplaced::Unsynced(error)))) => Ended::new(
            Claim::Unclear,
            format!("{count} set, but perhaps not on the disk: {error}; the old file is {copy}"),
        ),
        Ok(Err(_)) | Err(_) => {
            Ended::new(Claim::Unclear, "it is not known whether the file was replaced")
        }
    })
}

/// What lies ready beside the file.
struct Ready {
    new: Made,
    copy: Made,
}

/// A file of ours. It is full of secrets, and of no use where nothing was replaced: it is
/// removed then.
struct Made {
    path: PathBuf,
    stays: bool,
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.stays {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes the copy and the new file, both with the owner and the rights of the old one.
/// `key` is of this step of this run alone, and so are the names.
fn prepare(file: &EnvFile, key: &str) -> io::Result<Ready> {
    // A link is followed once, so that it stays a link.
    let target = fs::canonicalize(&file.path)?;
    let facts = fs::metadata(&target)?;
    if facts.len() > LARGEST {
        return Err(io::Error::other("it is too large for a file of variables"));
    }
    let old = fs::read(&target)?;
    let beside = |ending: &str| {
        let mut name = target.clone().into_os_string();
        name.push(format!(".{ending}-{key}"));
        PathBuf::from(name)
    };
    let text = String::from_utf8(old.clone()).map_err(|_| io::Error::other("it is not text"))?;
    let changed = with(&text, &file.set).map_err(io::Error::other)?;
    let copy = written(beside("bak"), &old, &facts)?;
    let new = written(beside("new"), changed.as_bytes(), &facts)?;
    Ok(Ready { new, copy })
}

fn written(path: PathBuf, bytes: &[u8], like: &fs::Metadata) -> io::Result<Made> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
    let made = Made { path, stays: false };
    // Only root may give a file away; anybody else owns it already, or could not replace it.
    if (like.uid(), like.gid()) != (file.metadata()?.uid(), file.metadata()?.gid()) {
        std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(made)
}

/// Why the new file is not in its place for certain.
#[derive(Debug)]
enum NotReplaced {
    /// The old one still is.
    NotAtAll(io::Error),
    /// It is, and may be gone again after a power failure.
    Unsynced(io::Error),
}

fn replace(mut ready: Ready, target: &Path) -> Result<(), NotReplaced> {
    fs::canonicalize(target)
        .and_then(|target| fs::rename(&ready.new.path, target))
        .map_err(NotReplaced::NotAtAll)?;
    // Its name is another one now.
    ready.new.stays = true;
    ready.copy.stays = true;
    let Some(directory) = ready.new.path.parent() else { return Ok(()) };
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(NotReplaced::Unsynced)
}

/// The text with these variables: each on the line where it stood, or at the end. Every
/// other line stays as it is, and so do the ends of the lines.
fn with(text: &str, set: &[(String, Text)]) -> Result<String, String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let usual =
        if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    for (name, value) in set {
        let value = value.expose();
        if value.contains(['\n', '\r', '\0']) {
            return Err(format!("the value of {name} does not fit on one line"));
        }
        // The last one counts for whoever reads the file.
        let found = lines.iter().enumerate().rev().find_map(|(at, line)| {
            let (before, key) = variable(line)?;
            (key == name).then(|| (at, before.to_owned(), end_of(line).to_owned()))
        });
        match found {
            Some((at, before, end)) => lines[at] = format!("{before}{name}={value}{end}"),
            None => {
                if let Some(last) = lines.last_mut().filter(|last| end_of(last).is_empty()) {
                    last.push_str(usual);
                }
                lines.push(format!("{name}={value}{usual}"));
            }
        }
    }
    Ok(lines.concat())
}

/// What stands before the name of the variable that a line sets, such as `export `, and the
/// name.
fn variable(line: &str) -> Option<(&str, &str)> {
    let (left, _) = line.split_once('=')?;
    let rest = left.trim_start();
    let exported = rest.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let rest = exported.map_or(rest, str::trim_start);
    Some((&left[..left.len() - rest.len()], rest.trim_end()))
}

fn end_of(line: &str) -> &str {
    &line[line.trim_end_matches(['\r', '\n']).len()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Vec<(String, Text)> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), Text::Plain((*v).to_owned()))).collect()
    }

    #[test]
    fn a_variable_is_replaced_where_it_stands_or_added() {
        let table = [
            ("A=1\nB=2\n", "A=x\nB=2\nC=3\n"),
            // Without a last line break, the last variable stays whole.
            ("B=2\nA=1", "B=2\nA=x\nC=3\n"),
            ("", "A=x\nC=3\n"),
            ("# A=0\nAA=1\nexport A = 1\n\n", "# A=0\nAA=1\nexport A=x\n\nC=3\n"),
            ("\texport\t A=1\nexported=1\n", "\texport\t A=x\nexported=1\nC=3\n"),
            ("A=1\nA=2\n", "A=1\nA=x\nC=3\n"),
            ("B=2\r\nA=1\r\n\r\n", "B=2\r\nA=x\r\n\r\nC=3\r\n"),
            ("B=2\r\nA=1", "B=2\r\nA=x\r\nC=3\r\n"),
            ("C=1\nB=2\r\nA=1", "C=3\nB=2\r\nA=x"),
        ];
        for (before, after) in table {
            assert_eq!(with(before, &set(&[("A", "x"), ("C", "3")])).as_deref(), Ok(after));
        }
        assert!(with("", &set(&[("A", "x\nB=1")])).is_err());
    }

    fn file(path: &Path) -> EnvFile {
        EnvFile { path: path.to_owned(), set: set(&[("A", "x")]) }
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory").flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn two_steps_may_change_one_file_at_the_same_moment() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join(".env");
        fs::write(&path, "A=1\n").expect("a file");
        for key in ["run-1", "run-2"] {
            let ready = prepare(&file(&path), key).expect("prepared");
            replace(ready, &path).expect("replaced");
        }
        assert_eq!(names(place.path()), [".env", ".env.bak-run-1", ".env.bak-run-2"]);
        assert_eq!(fs::read_to_string(&path).expect("text"), "A=x\n");
    }

    #[test]
    fn nothing_lies_about_where_nothing_was_replaced() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join(".env");
        fs::write(&path, "A=1\n").expect("a file");
        drop(prepare(&file(&path), "given-up").expect("prepared"));
        assert_eq!(names(place.path()), [".env"]);
        let ready = prepare(&file(&path), "in-vain").expect("prepared");
        let gone = place.path().join("gone");
        assert!(matches!(replace(ready, &gone), Err(NotReplaced::NotAtAll(_))));
        assert_eq!(names(place.path()), [".env"]);
        // Only half of it can be made.
        fs::create_dir(place.path().join(".env.new-half")).expect("in the way");
        assert!(prepare(&file(&path), "half").is_err());
        assert_eq!(names(place.path()), [".env", ".env.new-half"]);
    }
}
