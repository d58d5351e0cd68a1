//! A configuration file in a directory of its own.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use watchfloor::config::{Diagnostics, Loaded, Request, load};

/// A directory with a `watchfloor.toml`, and the request that finds it.
pub struct Place {
    /// Removed at the end of the test.
    pub dir: TempDir,
    /// What to load.
    pub request: Request,
}

impl Place {
    /// With this text as the configuration.
    pub fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("watchfloor.toml"), text).unwrap();
        let request = Request {
            directory: dir.path().to_owned(),
            home: Some(dir.path().join("home")),
            ..Request::default()
        };
        Self { dir, request }
    }

    /// With this text, after a service and a source that are right.
    pub fn within(text: &str) -> Self {
        Self::new(&format!("{SOUND}\n{text}"))
    }

    /// With a variable in the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.request.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a `--set`.
    pub fn set(mut self, argument: &str) -> Self {
        self.request.set.push(argument.to_owned());
        self
    }

    /// With another file beside it.
    pub fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    /// The path of a file beside it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Loads it.
    pub fn load(&self) -> Result<Loaded, Diagnostics> {
        load(&self.request)
    }

    /// Loads it, and fails the test with the errors where there are some.
    #[track_caller]
    pub fn sound(&self) -> Loaded {
        match self.load() {
            Ok(loaded) => loaded,
            Err(errors) => panic!("{}", errors.render(false)),
        }
    }

    /// The errors as they are shown, with the directory as `DIR`.
    #[track_caller]
    pub fn errors(&self) -> String {
        match self.load() {
            Ok(_) => panic!("the configuration was taken for right"),
            Err(errors) => self.tidy(&errors.render(false)),
        }
    }

    /// The warnings as they are shown.
    #[track_caller]
    pub fn warnings(&self) -> String {
        self.tidy(&self.sound().warnings.render(false))
    }

    /// The text with the directory as `DIR`.
    pub fn tidy(&self, text: &str) -> String {
        text.replace(&self.dir.path().display().to_string(), "DIR")
    }
}

/// Compares with the text in `tests/config/snapshots`.
macro_rules! as_snapshot {
    ($name:expr, $text:expr) => {
        insta::with_settings!({
            omit_expression => true,
            prepend_module_to_snapshot => false,
            snapshot_path => "snapshots",
        }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}
pub(crate) use as_snapshot;

/// A service and one source of which nothing can be said.
pub const SOUND: &str = r#"[service]
name = "shop"
environment = "test"

[source.api]
kind = "http"
url = "https://api.example/health"
readings = { state = "$.status" }
"#;

/// Of each diagnostic: line, column, message, cure.
pub fn table(diagnostics: &Diagnostics) -> Vec<String> {
    let json = diagnostics.to_json();
    json.as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let at = match (one["line"].as_u64(), one["column"].as_u64()) {
                (Some(line), Some(column)) => format!("{line}:{column} "),
                _ => String::new(),
            };
            format!("{at}{} | {}", one["message"].as_str().unwrap(), one["cure"].as_str().unwrap())
        })
        .collect()
}
