//! Changed configuration files.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::config::{self, ConfigFile, Loaded, Request, profile::Profile};

/// Editors write a file in several steps; it is read when it has been still for so long.
const SETTLES: Duration = Duration::from_millis(300);

/// A changed configuration, or why it is refused.
pub(super) type Changed = Result<Box<Loaded>, String>;

/// Reads the configuration again when one of its files changes, or when `again` says so,
/// and sends what it found. The directories are watched rather than the files, because
/// most editors put a new file in the place of the old one.
pub(super) async fn watch(
    request: Request,
    files: Vec<ConfigFile>,
    mut again: mpsc::Receiver<()>,
    changed: mpsc::Sender<Changed>,
) {
    let (touched, mut touches) = mpsc::channel::<()>(8);
    let names: Vec<PathBuf> =
        files.iter().filter_map(|file| file.path.canonicalize().ok()).collect();
    let directories = directories(&names);
    let touch = touched.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let reads_only = event.kind.is_access();
        if !reads_only && event.paths.iter().any(|path| is_one_of(path, &names)) {
            // A full channel means that a change is already waiting to be looked at.
            let _ = touch.try_send(());
        }
    });
    let _watcher = match watcher {
        Ok(mut watcher) => {
            for directory in directories {
                if let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive) {
                    tracing::warn!(%error, directory = %directory.display(), "not watched");
                }
            }
            Some(watcher)
        }
        Err(error) => {
            tracing::warn!(%error, "changes of the configuration are not noticed");
            None
        }
    };
    // Between the first reading and the watch nobody looked.
    if files.iter().any(ConfigFile::has_changed) {
        let _ = touched.try_send(());
    }
    loop {
        tokio::select! {
            Some(()) = touches.recv() => settle(&mut touches).await,
            Some(()) = again.recv() => {}
            else => return,
        }
        let request = request.clone();
        let loading = tokio::task::spawn_blocking(move || config::load(&request));
        let found = match loading.await {
            Ok(Ok(loaded)) => Ok(Box::new(loaded)),
            Ok(Err(wrong)) => {
                let first = wrong.lines().into_iter().next().unwrap_or_default();
                Err(format!("{}: {first}; watchfloor config check has all of it", wrong.summary()))
            }
            Err(error) => Err(error.to_string()),
        };
        if changed.send(found).await.is_err() {
            return;
        }
    }
}

/// Waits until nothing has changed for a while.
async fn settle(touches: &mut mpsc::Receiver<()>) {
    while tokio::time::timeout(SETTLES, touches.recv()).await.is_ok_and(|touch| touch.is_some()) {}
}

fn is_one_of(path: &Path, files: &[PathBuf]) -> bool {
    files.iter().any(|file| {
        path == file || (path.file_name() == file.file_name() && path.parent() == file.parent())
    })
}

fn directories(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> =
        files.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
    directories.sort();
    directories.dedup();
    directories
}

/// The keys that differ and that are read only when a console starts.
pub(super) fn needs_restart(old: &Profile, new: &Profile) -> Vec<String> {
    let (before, after) = (&old.display, &new.display);
    let keys = [
        ("service.name", old.catalog.service != new.catalog.service),
        ("service.environment", old.catalog.environment != new.catalog.environment),
        ("display.color", before.color != after.color),
        ("display.ascii", before.ascii != after.ascii),
        ("display.fps", before.fps != after.fps),
        ("display.fps_ssh", before.fps_ssh != after.fps_ssh),
        ("display.title", before.title != after.title),
        ("state.dir", old.state_dir != new.state_dir),
    ];
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_change_before_the_watch_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("watchfloor.toml");
        let text = "[service]\nname = \"shop\"\nenvironment = \"test\"\n\
                    [source.api]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n";
        fs::write(&file, text).unwrap();
        let request = Request { config: Some(file.clone()), ..Request::default() };
        let files = config::load(&request).unwrap().files;
        fs::write(&file, text.replace("shop", "till")).unwrap();
        let (_again, asked) = mpsc::channel(1);
        let (changed, mut changes) = mpsc::channel(1);
        let watching = tokio::spawn(watch(request, files, asked, changed));
        let seen = changes.recv().await.unwrap().unwrap();
        assert_eq!(&*seen.profile.catalog.service, "till");
        watching.abort();
    }
}
