//! Where the journal lives, and who may touch it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use super::JournalError;

/// Anybody but the owner may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// New entries get the group of the directory, and the group may write.
const SHARED: u32 = 0o2020;
/// Everybody may write.
const WRITABLE_BY_ALL: u32 = 0o002;

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

/// Whether a directory was made for a group on purpose.
fn is_shared(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|facts| facts.is_dir() && is_for_a_group(&facts))
}

fn is_for_a_group(facts: &fs::Metadata) -> bool {
    facts.mode() & SHARED == SHARED && facts.mode() & WRITABLE_BY_ALL == 0
}

/// Who may use what is made in the directory of this file.
fn mode_of(path: &Path) -> u32 {
    if path.parent().is_some_and(is_shared) { 0o660 } else { 0o600 }
}

/// Gives a file of ours the mode that it should have, whatever the umask.
fn settle_mode(path: &Path, file: &File) -> std::io::Result<()> {
    let (facts, mode) = (file.metadata()?, mode_of(path));
    let ours = facts.uid() == rustix::process::geteuid().as_raw();
    if ours && facts.mode() & 0o777 != mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
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

/// Makes a new file for its owner alone, or for the group of a shared directory; one that
/// is already there is an error.
pub(in crate::actions) fn new_file(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(mode_of(path))
        .custom_flags(no_follow())
        .open(path)?;
    settle_mode(path, &file)?;
    Ok(file)
}

/// Opens a file that is there to be locked, and to say by whom.
pub(in crate::actions) fn lock_file(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode_of(path))
        .custom_flags(no_follow())
        .open(path)?;
    settle_mode(path, &file)?;
    Ok(file)
}

fn no_follow() -> i32 {
    // The flag's bits fit in an i32 on every platform that has it.
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
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
