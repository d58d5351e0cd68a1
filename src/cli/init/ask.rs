//! The questions of `init` on a terminal: each answer is checked before the next question.

use std::{
    collections::BTreeSet,
    io::{self, BufRead},
};

use super::super::{live, out};
use crate::{
    config::{self, Blank, Diagnostics, Loaded, Request},
    domain::{ids::SourceId, time::short_duration},
    runtime,
};

/// Fills a template in by asking. The end of the input ends the questions: what was not
/// answered stays as it is.
pub(super) fn fill_in(profile: &str, template: String) -> color_eyre::Result<String> {
    let mut form = Form {
        runtime: live::tokio()?,
        request: Request { profile: Some(profile.to_owned()), ..Request::from_process() },
        looked_at: BTreeSet::new(),
        possible: BTreeSet::new(),
        text: template.clone(),
    };
    out::error("Enter takes what stands in [brackets], and leaves out where nothing does.");
    out::error("Ctrl-D leaves out the rest; Ctrl-C writes nothing.");
    form.compare();
    let mut about = String::new();
    for blank in config::blanks(&template) {
        if blank.about != about {
            about.clone_from(&blank.about);
            out::error(&format!("\n{about}"));
        }
        if !form.ask(&blank)? {
            break;
        }
    }
    form.secrets(&template);
    form.missing();
    Ok(form.text)
}

struct Form {
    runtime: tokio::runtime::Runtime,
    /// The profile with the answers so far.
    request: Request,
    looked_at: BTreeSet<SourceId>,
    /// Actions that are known to be possible.
    possible: BTreeSet<String>,
    text: String,
}

impl Form {
    /// Asks until the answer can be used; false where the input is over.
    fn ask(&mut self, blank: &Blank) -> io::Result<bool> {
        loop {
            out::prompt(&prompt(blank));
            let Some(answer) = line()? else { return Ok(false) };
            if answer.is_empty() {
                return Ok(true);
            }
            if answer.chars().any(char::is_control) {
                out::error("  that holds control characters: type it again");
                continue;
            }
            if blank.holds {
                self.text = config::fill(&self.text, blank, &answer);
                return Ok(true);
            }
            let before = config::load(&self.request);
            let value = toml::Value::String(answer.clone());
            self.request.set.push(format!("vars.{}={value}", blank.key));
            let after = config::load(&self.request);
            let (before, after) = (Told::of(before), Told::of(after));
            let wrong = after.new_errors(&before);
            let doubts = after.doubts_about(&answer, &before);
            // A directory that is not there may be on the machine that it is for.
            for (message, cure) in &doubts {
                out::error(&format!("  {message}"));
                cure.iter().for_each(|cure| out::error(&format!("  -> {cure}")));
            }
            if wrong.is_empty() && self.look(&answer) && doubts.is_empty() {
                self.compare();
                self.text = config::fill(&self.text, blank, &answer);
                return Ok(true);
            }
            // What is wrong with one answer is wrong at every place that it goes to.
            if let Some((message, cure)) = wrong.first() {
                out::error(&format!("  {message}"));
                if let Some(cure) = cure {
                    out::error(&format!("  -> {cure}"));
                }
            }
            if wrong.is_empty() {
                out::prompt("  Keep it all the same? [n] ");
                match line()? {
                    None => return Ok(false),
                    Some(word) if word.eq_ignore_ascii_case("y") || word == "yes" => {
                        self.text = config::fill(&self.text, blank, &answer);
                        return Ok(true);
                    }
                    Some(_) => {}
                }
            }
            self.request.set.pop();
        }
    }

    /// Looks at every source that can be asked now and was not asked yet; whether all of those
    /// answer whose address has this answer in it. They are looked at again after the next one.
    fn look(&mut self, answer: &str) -> bool {
        let Ok(Loaded { profile, .. }) = config::load(&self.request) else { return true };
        let usable = profile.sources.values().filter(|source| source.disabled.is_none());
        let new: Vec<SourceId> = usable
            .filter(|source| !self.looked_at.contains(&source.id))
            .map(|source| source.id.clone())
            .collect();
        let mut all = true;
        for seen in self.runtime.block_on(runtime::check::at(&profile, &new)) {
            let took = short_duration(seen.took);
            match &seen.outcome {
                Ok(_) => {
                    self.looked_at.insert(seen.source.clone());
                    out::error(&format!("  {}: answers in {took}", seen.source));
                }
                Err(failure) => {
                    let info = profile.catalog.sources.get(&seen.source);
                    let concerned =
                        info.is_some_and(|info| info.target.contains(answer.trim_end_matches('/')));
                    all &= !concerned;
                    if !concerned {
                        self.looked_at.insert(seen.source.clone());
                    }
                    out::error(&format!("  {}: {failure}", seen.source));
                }
            }
        }
        all
    }

    /// Says which actions have become possible.
    fn compare(&mut self) {
        let Ok(Loaded { profile, .. }) = config::load(&self.request) else { return };
        let catalog = &profile.catalog;
        let possible =
            catalog.actions.iter().filter(|action| catalog.why_unavailable(&action.id).is_none());
        for action in possible {
            if self.possible.insert(action.id.to_string()) {
                out::error(&format!("  possible now: {} ({})", action.title, action.id));
            }
        }
    }

    /// Says what must be set and is not: without it nothing starts.
    fn missing(&self) {
        let Err(wrong) = config::load(&self.request) else { return };
        let missing = wrong.unset();
        if !missing.is_empty() {
            out::error(&format!(
                "\nstill missing: {}; `config check` will refuse it",
                missing.join(", ")
            ));
        }
    }

    /// Says which secrets are not in the environment: they never stand in the file.
    fn secrets(&self, template: &str) {
        let set = |name: &String| {
            self.request.environment.get(name).is_some_and(|value| !value.is_empty())
        };
        let secrets = config::secrets(template);
        let missing: Vec<_> = secrets.iter().filter(|(name, _)| !set(name)).collect();
        if missing.is_empty() {
            return;
        }
        out::error("\nSecrets are not asked for and never stand in the file. Not set:");
        for (name, words) in missing {
            out::error(&format!("  {name:<26} {words}"));
        }
    }
}

fn prompt(blank: &Blank) -> String {
    match (blank.holds, blank.example.is_empty()) {
        (true, _) => format!("  {} [{}]: ", blank.key, blank.example),
        (false, true) => format!("  {}: ", blank.key),
        (false, false) => format!("  {} (such as {}): ", blank.key, blank.example),
    }
}

/// What is said of a configuration, each with its cure.
struct Told {
    errors: Vec<(String, Option<String>)>,
    warnings: Vec<(String, Option<String>)>,
    /// The variables that must be set and are not.
    unset: Vec<String>,
}

impl Told {
    fn of(loaded: Result<Loaded, Diagnostics>) -> Self {
        let all = loaded.map_or_else(|wrong| wrong, |loaded| loaded.warnings);
        let unset = all.unset();
        let (errors, warnings) = all.split();
        Self { errors: errors.told(), warnings: warnings.told(), unset }
    }

    /// What is wrong and was not before.
    fn new_errors(&self, before: &Self) -> Vec<(String, Option<String>)> {
        // That something else is missing still is not the answer's fault, whoever needs it now.
        let is_unset =
            |message: &str| self.unset.iter().any(|name| config::is_not_set(message, name));
        let known = |message: &str| before.errors.iter().any(|(old, _)| old == message);
        let new = self.errors.iter();
        new.filter(|(message, _)| !known(message) && !is_unset(message)).cloned().collect()
    }

    /// What is doubtful, was not before, and speaks of the answer. Each once: the same
    /// directory is needed at several places.
    fn doubts_about(&self, answer: &str, before: &Self) -> Vec<(String, Option<String>)> {
        let known = |message: &str| before.warnings.iter().any(|(old, _)| old == message);
        let new = self.warnings.iter();
        new.filter(|(message, _)| message.contains(answer) && !known(message)).cloned().collect()
    }
}

/// A line, without what surrounds it; none at the end of the input.
fn line() -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if io::stdin().lock().read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&bytes);
    Ok(Some(line.trim().to_owned()))
}
