//! From what is written to what is meant: one function per rule. A rule that finds fault
//! reports it and goes on; nothing is built from faulty parts.

mod action;
mod ask;
mod blank;
mod command;
mod condition;
mod gap;
mod http;
mod known;
mod logs;
mod notify;
mod pane;
mod pattern;
mod postgres;
mod probe;
mod program;
mod prometheus;
mod redis;
mod rule;
mod rule_sense;
mod sequence;
mod source;
mod sql;
mod sse;
mod text;
mod value;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    Prepared, Request,
    diagnostics::{Diagnostic, Severity, not_set},
    interpolate::Unset,
    layers::{Layers, Origin},
    mask::is_secret_name,
    nearest::suggestion,
    paths,
    profile::{ColorMode, Display, DoctorConfig, Profile},
    raw::{RawColor, RawConfig, RawDisplay},
    resolve::Resolver,
    tree::{Node, Path, Place},
};
use crate::domain::{
    catalog::{Catalog, NotifySpec},
    ids::SourceId,
};
use known::Known;

/// What every rule needs: where things are written, and where to report.
pub struct Cx<'a> {
    prepared: &'a Prepared,
    request: &'a Request,
    found: &'a mut Vec<Diagnostic>,
    secrets: Resolver,
    /// Variables that are used and not set, and that nobody has dealt with yet.
    unset: Vec<Unset>,
    /// All of them.
    all_unset: Vec<Unset>,
    /// Where each was reported, and what else needs it.
    unset_told: BTreeMap<String, Told>,
    /// What is looked at now is switched off.
    switched_off: bool,
    /// What is looked at now is left out where a file with a secret of it cannot be read, and
    /// the rest goes on without it.
    left_out_without_files: bool,
    /// The files that could not be read, of what is looked at now.
    unreadable: BTreeSet<PathBuf>,
    /// What each source can be asked for; for every source that is sound enough to say.
    known: BTreeMap<SourceId, Known>,
    /// Why a source is not asked.
    disabled: BTreeMap<SourceId, String>,
    /// A part of a configuration is looked at by itself: what it refers to is elsewhere.
    alone: bool,
}

/// A variable that is not set, as it was reported.
struct Told {
    /// Which of the diagnostics it is.
    at: usize,
    /// What needs it, such as `source.api`.
    by: BTreeSet<String>,
}

impl Told {
    /// What needs it, in words; empty where that is one thing.
    fn others(&self) -> String {
        const NAMED: usize = 8;
        if self.by.len() < 2 {
            return String::new();
        }
        let mut named: Vec<&str> = self.by.iter().map(String::as_str).take(NAMED).collect();
        let more = self.by.len().saturating_sub(NAMED);
        let more = format!("{more} more");
        if self.by.len() > NAMED {
            named.push(&more);
        }
        format!("{} need it", named.join(", "))
    }
}

/// Builds the profile. None where too much is missing for one.
pub fn profile(
    prepared: &Prepared,
    request: &Request,
    found: &mut Vec<Diagnostic>,
) -> Option<Profile> {
    let raw = read(prepared, found)?;
    let mut cx = Cx { alone: false, ..Cx::alone(prepared, request, found) };
    cx.unset = prepared.unset.clone();
    cx.unset.extend(text::unset_references(&prepared.sound, request));
    cx.all_unset = cx.unset.clone();
    plain_secrets_in_vars(&mut cx);
    let mut catalog = Catalog {
        service: service_word(&mut cx, "name", &raw.service.name),
        environment: service_word(&mut cx, "environment", &raw.service.environment),
        ..Catalog::default()
    };
    let sources = source::sources(&mut cx, &raw, &mut catalog);
    pane::panes(&mut cx, &raw, &mut catalog);
    rule::rules(&mut cx, &raw, &mut catalog);
    let actions = action::actions(&mut cx, &raw, &sources, &mut catalog);
    let notify = notify::notify(&mut cx, raw.notify.as_ref());
    catalog.notify = NotifySpec { policy: notify.policy, targets: notify.infos.clone() };
    let display = display(&mut cx, &raw.display);
    let state_dir = state_dir(&cx, raw.state.dir.as_deref());
    cx.report_unset(&Path::default());
    let doctor =
        DoctorConfig { safe_get: action::readable(&raw), secret_files: cx.secrets.files().clone() };
    let warnings = Vec::new();
    Some(Profile { catalog, sources, actions, notify, display, state_dir, doctor, warnings })
}

/// Reads the sound part. Only a service may be missing there: the strict check has taken
/// out everything else that is not as the structures want it.
fn read(prepared: &Prepared, found: &mut Vec<Diagnostic>) -> Option<RawConfig> {
    let mut json = prepared.sound.to_json();
    if let Some(root) = json.as_object_mut() {
        root.entry("service")
            .or_insert_with(|| serde_json::json!({ "name": "unnamed", "environment": "unnamed" }));
    }
    match serde_path_to_error::deserialize(json) {
        Ok(raw) => Some(raw),
        Err(error) => {
            found.push(Diagnostic {
                severity: Severity::Error,
                place: None,
                message: format!("`{}`: {}", error.path(), error.inner()),
                cure: Some("see `watchfloor config schema` for what may stand there".to_owned()),
            });
            None
        }
    }
}

impl<'a> Cx<'a> {
    /// Whether something is written there, sound or not.
    pub fn is_written(&self, path: &Path) -> bool {
        self.prepared.written.at(path).is_some()
    }

    /// For a part of a configuration by itself: nothing is known of the rest.
    pub fn alone(
        prepared: &'a Prepared,
        request: &'a Request,
        found: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            prepared,
            request,
            found,
            secrets: Resolver::default(),
            unset: Vec::new(),
            all_unset: Vec::new(),
            unset_told: BTreeMap::new(),
            switched_off: false,
            left_out_without_files: false,
            unreadable: BTreeSet::new(),
            known: BTreeMap::new(),
            disabled: BTreeMap::new(),
            alone: true,
        }
    }
}

impl Cx<'_> {
    /// Reports something with its place and its cure.
    pub fn push(&mut self, severity: Severity, place: Place, message: String, cure: String) {
        let place = Some(place);
        self.found.push(Diagnostic { severity, place, message, cure: Some(cure) });
    }

    /// Reports an error in the value at `path`; unless a variable is missing in it, because
    /// that is said already, and whatever else is wrong with it comes from that.
    pub fn error(&mut self, path: &Path, message: impl Into<String>, cure: impl Into<String>) {
        if self.all_unset.iter().any(|unset| path.is_within(&unset.path)) {
            return;
        }
        let place = self.place(path);
        self.push(Severity::Error, place, message.into(), cure.into());
    }

    /// Reports something doubtful in the value at `path`.
    fn warning(&mut self, path: &Path, message: impl Into<String>, cure: impl Into<String>) {
        let place = self.place(path);
        self.push(Severity::Warning, place, message.into(), cure.into());
    }

    /// Where the value at `path` was written. In the sound tree, because positions in lists
    /// count only what is sound.
    fn place(&self, path: &Path) -> Place {
        self.prepared.sound.place_of(path)
    }

    /// Where the layer came from that wrote the value at `path`.
    fn origin(&self, path: &Path) -> Option<&Origin> {
        self.prepared.texts.get(self.place(path).text).map(|text| &text.origin)
    }

    /// A path as written in the value at `path`.
    fn file_path(&self, path: &Path, written: &str) -> PathBuf {
        let base =
            Layers::base_dir(&self.prepared.texts, self.place(path), self.request.base_dir());
        paths::expand(self.request, base, written)
    }

    /// Names of a section in the order in which they are written.
    pub fn ordered<'r, T>(
        &self,
        section: &str,
        raw: &'r BTreeMap<String, T>,
    ) -> Vec<(&'r str, &'r T)> {
        self.ordered_at(&Path::root(section), raw)
    }

    /// The same for a section that is not of the root.
    pub fn ordered_at<'r, T>(
        &self,
        section: &Path,
        raw: &'r BTreeMap<String, T>,
    ) -> Vec<(&'r str, &'r T)> {
        let keys = self.prepared.sound.ordered_keys(section);
        keys.iter()
            .filter_map(|key| raw.get_key_value(key))
            .map(|(key, value)| (key.as_str(), value))
            .collect()
    }

    /// Checks that a thing of that name was written, and says what is near where not.
    fn refers(&mut self, path: &Path, section: &str, name: &str, what: &str) -> bool {
        let node = self.prepared.written.child(section).and_then(Node::table);
        let names: Vec<String> =
            node.map(|table| table.entries.keys().cloned().collect()).unwrap_or_default();
        if self.alone || names.iter().any(|known| known == name) {
            return true;
        }
        let cure = suggestion(name, names.iter().map(String::as_str), &format!("{what}s"));
        self.error(path, format!("there is no {what} `{name}`"), cure);
        false
    }

    /// Names of variables that are used within `path` and not set.
    fn unset_within(&self, path: &Path) -> Vec<String> {
        let names: BTreeSet<String> = self
            .unset
            .iter()
            .filter(|unset| unset.path.is_within(path))
            .map(|unset| unset.name.clone())
            .collect();
        names.into_iter().collect()
    }

    /// Takes variables as dealt with.
    fn forget_unset(&mut self, path: &Path) {
        self.unset.retain(|unset| !unset.path.is_within(path));
    }

    /// Reports every variable within `path` that is not set. Whether there were any.
    fn report_unset(&mut self, path: &Path) -> bool {
        let (within, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unset)
            .into_iter()
            .partition(|unset| unset.path.is_within(path));
        self.unset = rest;
        for unset in &within {
            let name = &unset.name;
            let part = unset.path.keys().take(2).collect::<Vec<_>>().join(".");
            // One that many things need is one fault, and has one cure.
            if let Some(told) = self.unset_told.get_mut(name) {
                told.by.insert(part);
                let (at, more) = (told.at, told.others());
                if let Some(first) = self.found.get_mut(at).filter(|_| !more.is_empty()) {
                    first.message = not_set(name, &more);
                }
                continue;
            }
            let depth = if path.is_within(&Path::root("notify").key("target")) { 3 } else { 2 };
            let optional = path.steps().len() == depth;
            let or = if optional { ", or write optional = true to do without" } else { "" };
            let cure = if unset.secret {
                format!("export {name} before watchfloor starts{or}")
            } else {
                format!("export {name}, or set it in [vars], or write ${{{name}:-default}}{or}")
            };
            let told = Told { at: self.found.len(), by: BTreeSet::from([part]) };
            self.unset_told.insert(name.clone(), told);
            self.push(Severity::Error, unset.place, not_set(name, ""), cure);
        }
        !within.is_empty()
    }
}

/// A password under `[vars]` would be one in the file like any other.
fn plain_secrets_in_vars(cx: &mut Cx<'_>) {
    let Some(vars) = cx.prepared.written.child("vars").and_then(Node::table) else { return };
    for (name, entry) in &vars.entries {
        let path = Path::root("vars").key(name);
        let from_environment = matches!(cx.origin(&path), Some(Origin::Environment));
        if is_secret_name(name) && entry.node.text().is_some() && !from_environment {
            cx.error(
                &path,
                format!("{name} looks like a secret in plain text"),
                format!(
                    "take it out, export {name}, and write {{ env = \"{name}\" }} where it is used"
                ),
            );
        }
    }
}

/// `name/environment` is typed to confirm: it must be typable.
fn service_word(cx: &mut Cx<'_>, key: &str, word: &str) -> String {
    let typable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if word.is_empty() || word.len() > 40 || !word.chars().all(typable) {
        cx.error(
            &Path::root("service").key(key),
            format!("the {key} of the service must be typable: it is typed to confirm an action"),
            "up to 40 letters, digits, - _ and .",
        );
    }
    word.to_owned()
}

fn display(cx: &mut Cx<'_>, raw: &RawDisplay) -> Display {
    if raw.fps_ssh > raw.fps {
        cx.warning(
            &Path::root("display").key("fps_ssh"),
            format!("fps_ssh = {} is more than fps = {}", raw.fps_ssh, raw.fps),
            "over SSH the screen is drawn at most as often as elsewhere",
        );
    }
    Display {
        color: match raw.color {
            RawColor::Auto => ColorMode::Auto,
            RawColor::Ansi16 => ColorMode::Ansi16,
            RawColor::Ansi256 => ColorMode::Ansi256,
            RawColor::TrueColor => ColorMode::TrueColor,
            RawColor::Never => ColorMode::Never,
        },
        ascii: raw.ascii,
        utc: raw.utc,
        fps: raw.fps,
        fps_ssh: raw.fps_ssh.min(raw.fps),
        read_only: raw.read_only,
        title: raw.title,
    }
}

fn state_dir(cx: &Cx<'_>, written: Option<&str>) -> PathBuf {
    match written {
        Some(written) => cx.file_path(&Path::root("state").key("dir"), written),
        None => paths::state_dir(cx.request),
    }
}
