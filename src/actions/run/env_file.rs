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
    let own = file.clone();
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let blocking = tokio::task::spawn_blocking(move || prepare(&own, &stamp));
    // A disk that hangs keeps nobody from stopping it.
    let ready = match stage.wait(blocking).await {
        Ok(Ok(Ok(ready))) => ready,
        Ok(Ok(Err(error))) => {
            return Err(Ended::not_sent(format!("{}: {error}", file.path.display())));
        }
        Ok(Err(_)) => return Err(Ended::not_sent("the new file could not be made")),
        Err(interruption) => return Err(Ended::not_sent(interruption.words())),
    };
    if let Err(early) = stage.start().await {
        let _ = fs::remove_file(&ready.new);
        return Err(early);
    }
    let target = file.path.clone();
    let count = words::count(file.set.len() as u64, "variable", "variables");
    let copy = ready.copy.display().to_string();
    let replacing = tokio::task::spawn_blocking(move || replace(&ready, &target));
    Ok(match timeout(DISK_LIMIT, replacing).await {
        Ok(Ok(Ok(()))) => Ended::new(Claim::Done, format!("{count} set; the old file is {copy}")),
        Ok(Ok(Err(error))) => {
            Ended::new(Claim::Refused, format!("{}: {error}", file.path.display()))
        }
        Ok(Err(_)) | Err(_) => {
            Ended::new(Claim::Unclear, "it is not known whether the file was replaced")
        }
    })
}

/// What lies ready beside the file.
struct Ready {
    new: PathBuf,
    copy: PathBuf,
}

/// Writes the copy and the new file, both with the owner and the rights of the old one.
fn prepare(file: &EnvFile, stamp: &str) -> io::Result<Ready> {
    // A link is followed once, so that it stays a link.
    let target = fs::canonicalize(&file.path)?;
    let facts = fs::metadata(&target)?;
    if facts.len() > LARGEST {
        return Err(io::Error::other("it is too large for a file of variables"));
    }
    let old = fs::read(&target)?;
    let beside = |ending: &str| {
        let mut name = target.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    let text = String::from_utf8(old.clone()).map_err(|_| io::Error::other("it is not text"))?;
    let changed = with(&text, &file.set).map_err(io::Error::other)?;
    let ready =
        Ready { copy: beside(&format!(".bak-{stamp}")), new: beside(&format!(".new-{stamp}")) };
    written(&ready.copy, &old, &facts)?;
    if let Err(error) = written(&ready.new, changed.as_bytes(), &facts) {
        let _ = fs::remove_file(&ready.new);
        return Err(error);
    }
    Ok(ready)
}

fn written(path: &Path, bytes: &[u8], like: &fs::Metadata) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    // Only root may give a file away; anybody else owns it already, or could not replace it.
    if (like.uid(), like.gid()) != (file.metadata()?.uid(), file.metadata()?.gid()) {
        std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn replace(ready: &Ready, target: &Path) -> io::Result<()> {
    fs::rename(&ready.new, fs::canonicalize(target)?)?;
    if let Some(directory) = ready.new.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// The text with these variables: each on the line where it stood, or at the end. Every
/// other line stays as it is.
fn with(text: &str, set: &[(String, Text)]) -> Result<String, String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (name, value) in set {
        let value = value.expose();
        if value.contains(['\n', '\r', '\0']) {
            return Err(format!("the value of {name} does not fit on one line"));
        }
        let line = format!("{name}={value}");
        let is_it = |line: &String| {
            let line = line.trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line);
            line.split_once('=').is_some_and(|(key, _)| key.trim_end() == name)
        };
        // The last one counts for whoever reads the file.
        match lines.iter().rposition(is_it) {
            Some(at) => lines[at] = line,
            None => lines.push(line),
        }
    }
    Ok(lines.join("\n") + "\n")
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
            ("# A=0\nAA=1\nexport A = 1\n\n", "# A=0\nAA=1\nA=x\n\nC=3\n"),
            ("A=1\nA=2\n", "A=1\nA=x\nC=3\n"),
        ];
        for (before, after) in table {
            assert_eq!(with(before, &set(&[("A", "x"), ("C", "3")])).as_deref(), Ok(after));
        }
        assert!(with("", &set(&[("A", "x\nB=1")])).is_err());
    }
}
