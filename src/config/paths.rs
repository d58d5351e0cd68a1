//! Where files are looked for and kept.

use std::path::{Path, PathBuf};

use super::Request;

/// The configuration file that is looked for where none is named.
const FILE: &str = "watchfloor.toml";

/// A file that was named, by a flag or the environment: it must be there. Otherwise the
/// first of the usual ones that is there.
pub fn find(request: &Request) -> Option<PathBuf> {
    if let Some(named) = named(request) {
        return Some(named);
    }
    if request.isolated {
        return None;
    }
    let beside = request.directory.join(FILE);
    let usual = config_home(request).map(|dir| dir.join("watchfloor").join("config.toml"));
    std::iter::once(beside).chain(usual).find(|path| path.is_file())
}

/// The file named by `--config` or `$WATCHFLOOR_CONFIG`.
fn named(request: &Request) -> Option<PathBuf> {
    let by_environment = || {
        let value = request.environment.get("WATCHFLOOR_CONFIG")?;
        (!request.isolated && !value.is_empty()).then(|| PathBuf::from(value))
    };
    let named = request.config.clone().or_else(by_environment)?;
    Some(expand(request, &request.directory, &named.to_string_lossy()))
}

fn config_home(request: &Request) -> Option<PathBuf> {
    xdg(request, "XDG_CONFIG_HOME", ".config")
}

/// Where the journal and the log go where the configuration does not say.
pub fn state_dir(request: &Request) -> PathBuf {
    let base = xdg(request, "XDG_STATE_HOME", ".local/state");
    base.unwrap_or_else(|| request.directory.clone()).join("watchfloor")
}

/// An XDG base directory: as the standard has it, a relative one counts as none.
fn xdg(request: &Request, variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = request.environment.get(variable).map(PathBuf::from);
    set.filter(|path| path.is_absolute())
        .or_else(|| request.home.as_ref().map(|home| home.join(below_home)))
}

/// A path as it is written in a configuration: `~/` is the home, and a relative one starts
/// at `base`.
pub fn expand(request: &Request, base: &Path, written: &str) -> PathBuf {
    match (written.strip_prefix("~/"), &request.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => base.join(written),
    }
}
