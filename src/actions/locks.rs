//! Who may act on what at the same time.
//!
//! A lock is a file that the runner has locked: it is free when the runner is gone, however
//! it ended. Names form a tree; whoever locks `shop/deploy` also keeps off what wants all
//! of `shop`, but not what wants `shop/cache`. The file says who holds it.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{journal::place, verdict::Program};
use crate::domain::ids::{ActionId, RunId};

/// Longer than any owner that this program writes.
const LONGEST: u64 = 64 << 10;
/// Stands for `/` in the name of a file; no name of a lock has it.
const DIVIDES: &str = "+";
/// How the name of a file ends.
const SUFFIX: &str = ".lock";

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// The run.
    pub(super) run: RunId,
    /// Of which action.
    pub(super) action: ActionId,
    /// On what, as `service/environment`.
    #[serde(default)]
    pub(super) target: String,
    /// By whom.
    pub(super) by: String,
    /// Since when.
    pub(super) since: Timestamp,
}

impl Owner {
    /// What they do, and on what.
    fn what(&self) -> String {
        match self.target.as_str() {
            "" => self.action.to_string(),
            target => format!("{} on {target}", self.action),
        }
    }
}

/// Why a lock is not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    /// Somebody holds it.
    Held {
        /// The lock.
        scope: String,
        /// Who, where that is known already.
        owner: Option<Owner>,
    },
    /// The runner that held it is gone, but the program that it started goes on.
    Unsupervised {
        /// The lock.
        scope: String,
        /// Whose it was.
        owner: Box<Owner>,
        /// The process; none where it may run and cannot be seen from here.
        pid: Option<i32>,
    },
    /// The files cannot be used.
    Unusable(String),
}

impl Conflict {
    /// The run that is in the way, where it is known.
    pub(super) fn holder(&self) -> Option<&RunId> {
        match self {
            Self::Held { owner, .. } => owner.as_ref().map(|owner| &owner.run),
            Self::Unsupervised { owner, .. } => Some(&owner.run),
            Self::Unusable(_) => None,
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { scope, owner: Some(owner) } => {
                let since = owner.since.strftime("%H:%M:%SZ");
                let (by, what, run) = (&owner.by, owner.what(), &owner.run);
                write!(f, "{by} has been running {what} since {since} (run {run}, lock {scope})")
            }
            Self::Held { scope, owner: None } => {
                write!(f, "somebody else on this machine is just taking the lock {scope}")
            }
            Self::Unsupervised { scope, owner, pid } => {
                let (by, what, run) = (&owner.by, owner.what(), &owner.run);
                match pid {
                    Some(pid) => write!(
                        f,
                        "process {pid} of {what} by {by} still runs, UNSUPERVISED (run {run}, \
                         lock {scope})"
                    ),
                    None => write!(
                        f,
                        "the runner of {what} by {by} is gone, and whether its program still \
                         runs can only be seen by them or by root: a console of theirs tells, \
                         and frees the lock {scope} (run {run})"
                    ),
                }
            }
            Self::Unusable(why) => f.write_str(why),
        }
    }
}

/// Locks that are held until this is dropped, also by the end of the process.
#[derive(Debug)]
pub(super) struct Held {
    _files: Vec<File>,
}

/// The locks of an action, each once.
pub(super) fn scopes(configured: &[String]) -> Vec<String> {
    let mut scopes = configured.to_vec();
    scopes.sort();
    scopes.dedup();
    // Whoever holds all of `shop` needs no `shop/deploy` besides.
    let all = scopes.clone();
    scopes.retain(|scope| !all.iter().any(|other| scope.starts_with(&format!("{other}/"))));
    scopes
}

/// Takes all the locks, or none. `running` tells whether the program of a run still runs.
pub(super) fn take(
    state_dir: &Path,
    scopes: &[String],
    owner: &Owner,
    running: &dyn Fn(&RunId) -> Program,
) -> Result<Held, Conflict> {
    let directory = prepare(state_dir)?;
    let (files, mut own) = lock_all(&directory, scopes)?;
    if let Some(conflict) = left_behind(&directory, scopes, running).into_iter().next() {
        return Err(conflict);
    }
    for (_, file) in &mut own {
        write_owner(file, owner).map_err(|error| unusable(&directory, &error))?;
    }
    Ok(Held { _files: files.into_iter().chain(own.into_iter().map(|(_, file)| file)).collect() })
}

/// Everything because of which the locks could not be taken now, without taking them: each
/// run that is in the way once.
pub(super) fn probe(
    state_dir: &Path,
    scopes: &[String],
    running: &dyn Fn(&RunId) -> Program,
) -> Vec<Conflict> {
    let directory = match prepare(state_dir) {
        Ok(directory) => directory,
        Err(conflict) => return vec![conflict],
    };
    let mut found: Vec<Conflict> = Vec::new();
    for scope in scopes {
        let above = above(scope).map(|scope| (scope, false));
        let tried = above.chain([(scope.as_str(), true)]);
        for (scope, alone) in tried {
            let Err(conflict) = lock(&directory, scope, alone) else { continue };
            found.push(conflict);
            found.extend(
                owners_below(&directory, scope)
                    .into_iter()
                    .map(|owner| Conflict::Held { scope: scope.to_owned(), owner: Some(owner) }),
            );
        }
    }
    found.extend(left_behind(&directory, scopes, running));
    let mut holders = BTreeSet::new();
    found.retain(|conflict| conflict.holder().is_none_or(|run| holders.insert(run.clone())));
    found
}

/// Programs that go on without their runner, anywhere in the way: at a lock itself, above it
/// and below it. Whoever holds the locks shuts everybody else out there, so that a name of a
/// run that still runs is that of one without a runner.
fn left_behind(
    directory: &Path,
    scopes: &[String],
    running: &dyn Fn(&RunId) -> Program,
) -> Vec<Conflict> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for scope in scopes {
        names.extend(above(scope).map(str::to_owned));
        names.insert(scope.clone());
        names.extend(below(directory, scope));
    }
    let conflict = |scope: String| {
        let owner = owner_in(&mut File::open(file_of(directory, &scope)).ok()?)?;
        let pid = match running(&owner.run) {
            Program::Alive(pid) => Some(pid),
            Program::Hidden => None,
            Program::Gone => return None,
        };
        Some(Conflict::Unsupervised { scope, owner: Box::new(owner), pid })
    };
    names.into_iter().filter_map(conflict).collect()
}

/// The locks above one.
fn above(scope: &str) -> impl Iterator<Item = &str> {
    scope.match_indices('/').map(|(at, _)| &scope[..at])
}

/// The locks below one that were ever held.
fn below(directory: &Path, scope: &str) -> Vec<String> {
    let begins = format!("{}{DIVIDES}", scope.replace('/', DIVIDES));
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_str()?.strip_suffix(SUFFIX)?;
        name.starts_with(&begins).then(|| name.replace(DIVIDES, "/"))
    };
    entries.flatten().filter_map(name).collect()
}

fn prepare(state_dir: &Path) -> Result<PathBuf, Conflict> {
    let directory = state_dir.join("locks");
    place::directory(&directory).map_err(|error| Conflict::Unusable(error.to_string()))?;
    Ok(directory)
}

type Locked = (Vec<File>, Vec<(String, File)>);

/// What stands above each is shared; each itself is exclusive.
fn lock_all(directory: &Path, scopes: &[String]) -> Result<Locked, Conflict> {
    let mut above = Vec::new();
    let mut own = Vec::new();
    for scope in scopes {
        for name in self::above(scope) {
            above.push(lock(directory, name, false)?);
        }
        let file = lock(directory, scope, true)?;
        own.push((scope.clone(), file));
    }
    Ok((above, own))
}

fn lock(directory: &Path, scope: &str, alone: bool) -> Result<File, Conflict> {
    let path = file_of(directory, scope);
    let mut file = place::lock_file(&path).map_err(|error| unusable(&path, &error))?;
    let locked = if alone { file.try_lock() } else { file.try_lock_shared() };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
        Err(TryLockError::WouldBlock) => {
            // Held alone by its owner, or shared by those who hold something below it.
            let own = if held_alone(&path) { owner_in(&mut file) } else { None };
            let owner = own.or_else(|| owners_below(directory, scope).into_iter().next());
            Err(Conflict::Held { scope: scope.to_owned(), owner })
        }
    }
}

/// Whether somebody holds the file for themselves alone.
fn held_alone(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Who holds something below a lock.
fn owners_below(directory: &Path, scope: &str) -> Vec<Owner> {
    let held = below(directory, scope).into_iter().map(|scope| file_of(directory, &scope));
    held.filter(|path| held_alone(path))
        .filter_map(|path| owner_in(&mut File::open(path).ok()?))
        .collect()
}

fn file_of(directory: &Path, scope: &str) -> PathBuf {
    directory.join(format!("{}{SUFFIX}", scope.replace('/', DIVIDES)))
}

fn owner_in(file: &mut File) -> Option<Owner> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write_owner(file: &mut File, owner: &Owner) -> std::io::Result<()> {
    let text = serde_json::to_vec(owner)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&text)
}

fn unusable(path: &Path, error: &std::io::Error) -> Conflict {
    Conflict::Unusable(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(run: &str) -> Owner {
        Owner {
            run: run.into(),
            action: "deploy".into(),
            target: "shop/production".to_owned(),
            by: "alice@bastion".to_owned(),
            since: Timestamp::UNIX_EPOCH,
        }
    }

    fn some(names: &[&str]) -> Vec<String> {
        scopes(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    fn nothing_runs(_: &RunId) -> Program {
        Program::Gone
    }

    /// The program of one run does.
    fn the_first_runs(run: &RunId) -> Program {
        if run.as_str() == "r1" { Program::Alive(77) } else { Program::Gone }
    }

    #[test]
    fn a_lock_keeps_off_itself_and_what_is_above_and_below() {
        let place = tempfile::tempdir().expect("a directory");
        let _held = take(place.path(), &some(&["shop/env"]), &owner("r1"), &nothing_runs);
        let table = [
            (vec!["shop/env"], false),
            (vec!["shop"], false),
            (vec!["shop/env/prod"], false),
            (vec!["shop/cache"], true),
            (vec!["shopping"], true),
            (vec!["other", "shop/env"], false),
            (vec!["other"], true),
        ];
        for (names, free) in table {
            let conflict = probe(place.path(), &some(&names), &nothing_runs).into_iter().next();
            assert_eq!(conflict.is_none(), free, "{names:?}: {conflict:?}");
            if let Some(Conflict::Held { owner: Some(found), .. }) = conflict {
                assert_eq!(found, owner("r1"), "{names:?}");
            } else {
                assert!(free, "{names:?}: the owner is not named: {conflict:?}");
            }
        }
    }

    #[test]
    fn a_lock_ends_with_its_holder_but_not_with_what_still_runs() {
        let place = tempfile::tempdir().expect("a directory");
        let scopes = some(&["shop/env", "shop/env/deep"]);
        assert_eq!(scopes, ["shop/env"]);
        drop(take(place.path(), &scopes, &owner("r1"), &nothing_runs).expect("free"));
        assert_eq!(probe(place.path(), &scopes, &nothing_runs), []);
        let second = owner("r2");
        let conflict = take(place.path(), &scopes, &second, &the_first_runs);
        let conflict = conflict.expect_err("still runs").to_string();
        assert!(conflict.contains("process 77"), "{conflict}");
        // What cannot be seen may run.
        let hidden = |_: &RunId| Program::Hidden;
        let conflict = take(place.path(), &scopes, &second, &hidden);
        let conflict = conflict.expect_err("may run").to_string();
        assert!(conflict.contains("only be seen by them or by root"), "{conflict}");
        assert!(take(place.path(), &scopes, &owner("r2"), &nothing_runs).is_ok());
    }

    /// A program that goes on without its runner keeps off the whole tree, as its runner did.
    #[test]
    fn what_still_runs_keeps_off_what_is_above_and_below() {
        let runs = the_first_runs;
        for (names, free) in [
            (vec!["shop"], false),
            (vec!["shop/env"], false),
            (vec!["shop/env/prod/eu"], false),
            (vec!["other", "shop"], false),
            (vec!["shop/cache"], true),
            (vec!["shopping"], true),
        ] {
            let place = tempfile::tempdir().expect("a directory");
            drop(take(place.path(), &some(&["shop/env"]), &owner("r1"), &nothing_runs));
            let scopes = some(&names);
            let shown = probe(place.path(), &scopes, &runs);
            let shown: Vec<&RunId> = shown.iter().filter_map(Conflict::holder).collect();
            assert_eq!(shown, [&RunId::from("r1")][..usize::from(!free)], "{names:?}");
            let taken = take(place.path(), &scopes, &owner("r2"), &runs);
            assert_eq!(taken.is_ok(), free, "{names:?}: {taken:?}");
        }
    }

    /// Whoever takes over asks everybody who is in the way.
    #[test]
    fn everybody_who_is_in_the_way_is_named_once() {
        let place = tempfile::tempdir().expect("a directory");
        let one = some(&["shop/env", "shop/queue"]);
        let _one = take(place.path(), &one, &owner("r1"), &nothing_runs).expect("free");
        let two = some(&["shop/cache"]);
        let _two = take(place.path(), &two, &owner("r2"), &nothing_runs).expect("free");
        let found = probe(place.path(), &some(&["shop"]), &nothing_runs);
        let mut runs: Vec<&str> =
            found.iter().filter_map(Conflict::holder).map(RunId::as_str).collect();
        runs.sort_unstable();
        assert_eq!(runs, ["r1", "r2"]);
    }
}
