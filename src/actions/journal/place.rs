//! Where the journal lives, and who may touch it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use super::JournalError;

/// Anybody but the owner may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Makes the directory if it is not there, for its owner alone, and refuses one that
/// somebody else could have prepared or could change.
pub(in crate::actions) fn directory(path: &Path) -> Result<(), JournalError> {
    let failed = |error| JournalError::io("cannot be created", path, error);
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let facts = fs::metadata(path).map_err(|error| JournalError::io("is unusable", path, error))?;
    if !facts.is_dir() {
        return Err(JournalError::unsafe_place(path, "is not a directory"));
    }
    belongs_to_us(path, &facts)
}

/// Opens a file for appending, made for its owner alone where it is not there. A link in
/// its place is refused, so that nobody can lead the lines elsewhere.
pub(super) fn append_file(path: &Path) -> Result<File, JournalError> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
        .map_err(|error| JournalError::io("cannot be opened for appending", path, error))?;
    let facts = file.metadata().map_err(|error| JournalError::io("is unusable", path, error))?;
    if !facts.is_file() {
        return Err(JournalError::unsafe_place(path, "is not a regular file"));
    }
    belongs_to_us(path, &facts)?;
    if facts.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(|error| JournalError::io("cannot be made private", path, error))?;
    }
    Ok(file)
}

/// Makes a new file for its owner alone; one that is already there is an error.
pub(in crate::actions) fn new_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
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
