//! The layers of a configuration: profile, file, environment, flags. Each is a text of its
//! own, so that an error can show the very place where the wrong value was written.

use std::{
    fmt,
    path::{Path as FilePath, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    Request, builtin,
    diagnostics::{Diagnostic, Severity},
    mask::mask,
    nearest::nearest,
    paths, strict,
    tree::{Node, Place, merge},
};

/// Environment variables that begin with this set a key: `WATCHFLOOR__DISPLAY__UTC=true`.
const PREFIX: &str = "WATCHFLOOR__";

/// Larger files are not configurations.
const LARGEST: u64 = 1 << 20;

/// Where a text came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A built-in profile.
    Profile,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Environment,
    /// A `--set` argument, which every user of the machine can see in the process list.
    Argument,
}

/// One text of a configuration.
#[derive(Clone)]
pub struct SourceText {
    /// Its name in messages.
    pub name: String,
    /// As it is.
    pub text: String,
    /// As it may be shown.
    pub shown: String,
    /// Where it came from.
    pub origin: Origin,
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceText").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A file of a configuration, as it was read.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    digest: [u8; 32],
}

impl ConfigFile {
    fn new(path: PathBuf, text: &str) -> Self {
        Self { path, digest: Sha256::digest(text).into() }
    }

    /// Whether it says something else now, or cannot be read any more.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        read_text(&self.path).map_or(true, |text| self.digest[..] != Sha256::digest(&text)[..])
    }
}

/// All layers, merged.
pub struct Layers {
    /// The texts, lowest first.
    pub texts: Vec<SourceText>,
    /// What they say together.
    pub root: Node,
    /// The files among them.
    pub files: Vec<ConfigFile>,
    /// What was wrong so far: files that cannot be read, texts that are not TOML.
    pub found: Vec<Diagnostic>,
}

impl Layers {
    /// Reads and merges everything that the request names.
    pub fn gather(request: &Request) -> Self {
        let mut layers =
            Self { texts: Vec::new(), root: Node::empty(0), files: Vec::new(), found: Vec::new() };
        let file = paths::find(request).and_then(|path| layers.read(path));
        let named_in_file = file.as_ref().and_then(|(_, text)| profile_key(text));
        let profile = request.profile.clone().or(named_in_file);
        if profile.is_none() && file.is_none() && layers.found.is_empty() {
            layers.fail(
                "there is no configuration".to_owned(),
                "write one with `watchfloor init`, name one with --config FILE, or take a built-in one with --profile NAME",
            );
        }
        if let Some(name) = profile {
            layers.add_profile(&name);
        }
        if let Some((path, text)) = file {
            layers.add(path.display().to_string(), text, Origin::File(path));
        }
        if !request.isolated {
            layers.add_environment(request);
        }
        for argument in &request.set {
            layers.add_argument(argument);
        }
        layers
    }

    fn add_profile(&mut self, name: &str) {
        let Some(texts) = builtin::layers(name) else {
            let cure = match nearest(name, builtin::NAMES) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("the built-in profiles are {}", builtin::NAMES.join(", ")),
            };
            self.fail(format!("there is no profile {name:?}"), &cure);
            return;
        };
        for (name, text) in texts {
            self.add((*name).to_owned(), (*text).to_owned(), Origin::Profile);
        }
    }

    fn read(&mut self, path: PathBuf) -> Option<(PathBuf, String)> {
        match read_text(&path) {
            Ok(text) => {
                self.files.push(ConfigFile::new(path.clone(), &text));
                Some((path, text))
            }
            Err(why) => {
                self.fail(
                    format!("cannot read {}: {why}", path.display()),
                    "check the path and its permissions; `watchfloor init` writes a new file",
                );
                None
            }
        }
    }

    fn add_environment(&mut self, request: &Request) {
        for (name, value) in &request.environment {
            if let Some(path) = name.strip_prefix(PREFIX) {
                let key = path.to_ascii_lowercase().replace("__", ".");
                self.add_override(format!("environment {name}"), &key, value, Origin::Environment);
            }
        }
    }

    fn add_argument(&mut self, argument: &str) {
        let Some((key, value)) = split_argument(argument) else {
            self.fail(
                "--set needs a key and a value".to_owned(),
                "write --set display.utc=true, or --set 'source.api.url=https://…'",
            );
            return;
        };
        self.add_override("--set".to_owned(), key.trim(), value.trim(), Origin::Argument);
    }

    /// A single key: the value is TOML where that fits the key, else the text itself.
    fn add_override(&mut self, name: String, key: &str, value: &str, origin: Origin) {
        let quoted = || toml::Value::String(value.to_owned()).to_string();
        let as_toml = format!("{key} = {value}");
        let plain = value.contains(['\n', '\r'])
            || !Node::parse(0, &as_toml).1.is_empty()
            || strict::wants_text(&Node::parse(0, &as_toml).0);
        let text = if plain { format!("{key} = {}", quoted()) } else { as_toml };
        self.add(name, text.replace('\r', " "), origin);
    }

    fn add(&mut self, name: String, text: String, origin: Origin) {
        let number = self.texts.len();
        let (node, errors) = Node::parse(number, &text);
        let line =
            |place: Place| text.get(..place.start).map(|before| before.matches('\n').count());
        let mut last = None;
        for (place, message) in errors {
            // One slip on a line brings several complaints: the first says it.
            if line(place) == last && last.is_some() {
                continue;
            }
            last = line(place);
            self.found.push(Diagnostic {
                severity: Severity::Error,
                place: Some(place),
                message: format!("this is not TOML: {message}"),
                cure: Some(syntax_cure(&text, place).to_owned()),
            });
        }
        self.texts.push(SourceText { name, shown: mask(&text), text, origin });
        merge(&mut self.root, node);
    }

    fn fail(&mut self, message: String, cure: &str) {
        self.found.push(Diagnostic {
            severity: Severity::Error,
            place: None,
            message,
            cure: Some(cure.to_owned()),
        });
    }

    /// The directory in which relative paths of a text start.
    pub fn base_dir<'a>(
        texts: &'a [SourceText],
        place: Place,
        other: &'a FilePath,
    ) -> &'a FilePath {
        match texts.get(place.text).map(|text| &text.origin) {
            Some(Origin::File(path)) => path.parent().unwrap_or(other),
            _ => other,
        }
    }
}

fn read_text(path: &FilePath) -> Result<String, String> {
    let meta = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !meta.is_file() {
        return Err("not a file".to_owned());
    }
    if meta.len() > LARGEST {
        return Err("larger than 1 MiB".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())
}

/// The profile that a file names itself.
fn profile_key(text: &str) -> Option<String> {
    Node::parse(0, text).0.child("profile").and_then(Node::text).map(str::to_owned)
}

/// Splits at the first `=` that is not inside a quoted key.
fn split_argument(argument: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in argument.char_indices() {
        match (quote, c) {
            (None, '=') => return Some((&argument[..at], &argument[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (_, '\n') => return None,
            _ => {}
        }
    }
    None
}

/// The commonest slips, by what stands at the place.
fn syntax_cure(text: &str, place: Place) -> &'static str {
    let line_start =
        text.get(..place.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or("");
    if line.contains(':') && !line.contains('=') {
        "TOML puts = between a key and its value"
    } else if line.contains('=') && line.matches('"').count() % 2 == 1 {
        "close the text with \""
    } else if line.contains('=') {
        "texts stand in quotes, lists in [ ], tables in { }"
    } else {
        "each line is a [table], a key = value, or a # comment"
    }
}
