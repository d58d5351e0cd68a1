//! Files in the state directory: for their owner alone, or for the group of a directory that
//! was made for a group on purpose (`chgrp oncall`, `chmod 2770`).

use std::{
    fs::{self, File, OpenOptions, Permissions},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// New entries get the group of the directory, and the group may write.
const SHARED: u32 = 0o2020;
/// Everybody may write.
const WRITABLE_BY_ALL: u32 = 0o002;

/// Whether a directory was made for a group on purpose.
pub fn is_shared(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|facts| facts.is_dir() && is_for_a_group(&facts))
}

/// Whether new entries get the group of the directory, the group may write, and nobody else.
pub fn is_for_a_group(facts: &fs::Metadata) -> bool {
    facts.mode() & SHARED == SHARED && facts.mode() & WRITABLE_BY_ALL == 0
}

/// Who may use what is made in the directory of this file.
pub fn mode_of(path: &Path) -> u32 {
    if path.parent().is_some_and(is_shared) { 0o660 } else { 0o600 }
}

/// Gives a file of ours the mode that it should have, whatever the umask.
pub fn settle_mode(path: &Path, file: &File) -> std::io::Result<()> {
    let (facts, mode) = (file.metadata()?, mode_of(path));
    let ours = facts.uid() == rustix::process::geteuid().as_raw();
    if ours && facts.mode() & 0o777 != mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Makes a new file for its owner alone, or for the group of a shared directory; one that
/// is already there is an error.
pub fn new_file(path: &Path) -> std::io::Result<File> {
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
pub fn lock_file(path: &Path) -> std::io::Result<File> {
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

/// Flags to open a file with, for which a link in its place is an error.
pub fn no_follow() -> i32 {
    // The flag's bits fit in an i32 on every platform that has it.
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}
