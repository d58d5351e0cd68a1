//! Where the journal lives, and who may touch it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use super::JournalError;
use crate::config::place::{is_for_a_group, is_shared, mode_of, no_follow, settle_mode};
pub(in crate::actions) use crate::config::place::{lock_file, new_file};

/// Anybody but the owner may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Makes the directory if it is not there, for its owner alone, and refuses one that
/// somebody else could have prepared or could change. A directory that was made for a group
/// on purpose (`chgrp oncall`, `chmod 2770`) is taken, and so is all that is made in it.
pub(in crate::actions) fn directory(path: &Path) -> Result<(), JournalError> {
    let failed = |error| JournalError::io("cannot be created", path, error);
    let shared = path.parent().is_some_and(is_shared);
    let before = path.exists();
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    if shared && !before {
        // What the umask took away.
        fs::set_permissions(path, Permissions::from_mode(0o2770)).map_err(failed)?;
    }
    let facts = fs::metadata(path).map_err(|error| JournalError::io("is unusable", path, error))?;
    if !facts.is_dir() {
        return Err(JournalError::unsafe_place(path, "is not a directory"));
    }
    if is_for_a_group(&facts) {
        return Ok(());
    }
    belongs_to_us(path, &facts)
}

/// Opens a file for appending, made for its owner alone, or for the group of a shared
/// directory, where it is not there. A link in its place is refused, so that nobody can
/// lead the lines elsewhere.
pub(super) fn append_file(path: &Path) -> Result<File, JournalError> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(mode_of(path))
        .custom_flags(no_follow())
        .open(path)
        .map_err(|error| JournalError::io("cannot be opened for appending", path, error))?;
    let facts = file.metadata().map_err(|error| JournalError::io("is unusable", path, error))?;
    if !facts.is_file() {
        return Err(JournalError::unsafe_place(path, "is not a regular file"));
    }
    if !path.parent().is_some_and(is_shared) {
        belongs_to_us(path, &facts)?;
    }
    settle_mode(path, &file)
        .map_err(|error| JournalError::io("cannot be made private", path, error))?;
    Ok(file)
}

fn belongs_to_us(path: &Path, facts: &fs::Metadata) -> Result<(), JournalError> {
    let us = rustix::process::geteuid().as_raw();
    if facts.uid() != us {
        let why = format!("belongs to user {}, and this is user {us}", facts.uid());
        return Err(JournalError::unsafe_place(path, why));
    }
    if facts.mode() & WRITABLE_BY_OTHERS != 0 {
        let mode = facts.mode() & 0o7777;
        let why = format!("may be written by others (mode {mode:04o}): chmod go-w it");
        return Err(JournalError::unsafe_place(path, why));
    }
    Ok(())
}
