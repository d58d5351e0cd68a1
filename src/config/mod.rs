//! From files, environment and flags to a validated [`profile::Profile`], or to a list of
//! everything that is wrong with them.
//!
//! The way: the layers are read as trees that remember where everything was written
//! (`layers`); variables are put in (`interpolate`); keys and types are checked against
//! the schema (`strict`); what is left is read into plain structures (`raw`) and turned
//! into the profile, one rule at a time (`validate`). Each step reports all that it finds
//! and goes on with what is sound.

pub mod mask;

pub mod place;

pub mod profile;

pub mod secret;

pub mod diagnostics;
pub mod schema;
pub mod show;
pub mod template;

mod builtin;
mod interpolate;
mod layers;
mod likely;
pub(crate) mod nearest;
mod paths;
mod raw;
mod resolve;
mod rules_test;
mod strict;
mod tree;
mod validate;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use builtin::NAMES as PROFILES;
pub use diagnostics::{Diagnostic, Diagnostics, Severity, is_not_set};
pub use layers::ConfigFile;
pub use paths::state_dir;
pub use rules_test::rules_test;
pub use schema::schema;
pub use show::show;
pub use template::{Blank, blanks, fill, secrets, template};

use layers::Layers;
use profile::Profile;

/// Where a configuration comes from. Everything about the process is given, so that a test
/// needs neither its environment nor its directory.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The file, where one is named.
    pub config: Option<PathBuf>,
    /// The built-in profile, where one is named.
    pub profile: Option<String>,
    /// `key=value`, each over everything else.
    pub set: Vec<String>,
    /// The environment of the process.
    pub environment: BTreeMap<String, String>,
    /// Variables that the program itself provides; they win over all others.
    pub extra_vars: BTreeMap<String, String>,
    /// The current directory.
    pub directory: PathBuf,
    /// The operator's home.
    pub home: Option<PathBuf>,
    /// The date that `${today}` stands for; otherwise it is looked up.
    pub today: Option<jiff::civil::Date>,
    /// The value of `PATH` that every configured program is started with and looked for in,
    /// where its own configuration does not set one.
    pub search_path: Option<String>,
    /// Takes nothing that is not named here: no usual file, no `WATCHFLOOR_…` variable, and
    /// variables only from [`extra_vars`](Self::extra_vars). For the demonstration, which
    /// must never reach a real system.
    pub isolated: bool,
}

impl Request {
    /// A request with the environment, the directory and the home of this process.
    pub fn from_process() -> Self {
        Self {
            // A variable that is not UTF-8 cannot be named in a configuration.
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            directory: std::env::current_dir().unwrap_or_default(),
            home: etcetera::home_dir().ok(),
            ..Self::default()
        }
    }

    /// The value of a variable, if it is set and not empty.
    fn variable(&self, name: &str) -> Option<&str> {
        let environment = if self.isolated { None } else { self.environment.get(name) };
        let value = self.extra_vars.get(name).or(environment)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    fn base_dir(&self) -> &Path {
        &self.directory
    }
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub profile: Profile,
    /// The files it came from, to be watched for changes.
    pub files: Vec<ConfigFile>,
    /// What is doubtful in it.
    pub warnings: Diagnostics,
}

/// Reads, merges and checks a configuration.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load(request: &Request) -> Result<Loaded, Diagnostics> {
    let (tree, mut found) = prepare(request)?;
    let texts = Arc::clone(&tree.texts);
    let profile = validate::profile(&tree, request, &mut found);
    let (errors, warnings) = Diagnostics::new(texts, found).split();
    match profile {
        Some(mut profile) if errors.is_empty() => {
            profile.warnings = warnings.lines();
            Ok(Loaded { profile, files: tree.files, warnings })
        }
        _ => Err(errors.with(warnings)),
    }
}

/// A merged configuration whose keys and types are right.
struct Prepared {
    texts: Arc<Vec<layers::SourceText>>,
    files: Vec<ConfigFile>,
    /// Before anything wrong was taken out, with the variables put in.
    written: tree::Node,
    /// What is sound.
    sound: tree::Node,
    unset: Vec<interpolate::Unset>,
}

/// Everything before the rules: stops only where a text is not TOML or cannot be read,
/// because then nothing else that could be said is certain.
fn prepare(request: &Request) -> Result<(Prepared, Vec<Diagnostic>), Diagnostics> {
    let layers = Layers::gather(request);
    let texts = Arc::new(layers.texts);
    if !layers.found.is_empty() {
        return Err(Diagnostics::new(texts, layers.found));
    }
    let mut written = layers.root;
    let interpolate::Found { unset, diagnostics: mut found } =
        interpolate::interpolate(&mut written, request);
    let mut sound = written.clone();
    found.extend(strict::check(&mut sound));
    Ok((Prepared { texts, files: layers.files, written, sound, unset }, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_profile_is_sound_with_its_variables() {
        let names = ["EXODRIVE_URL", "BICI_URL", "EXODRIVE_CUSTOMER_COOKIE"];
        let extra_vars =
            names.map(|name| (name.to_owned(), "http://127.0.0.1:1".to_owned())).into();
        let profile = Some("demo".to_owned());
        let request = Request { profile, extra_vars, isolated: true, ..Request::default() };
        let loaded = load(&request).map_err(|errors| errors.render(false)).unwrap();
        assert_eq!(loaded.profile.catalog.target(), "exodrive/demo");
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings.render(false));
    }
}
