//! The rules of ARCHITECTURE.md that a machine can check: who may import whom, how long
//! files and functions may be, where unsafe code may stand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The floors, and what each may import besides itself.
const FLOORS: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("config", &["domain"]),
    ("app", &["domain"]),
    ("demo", &["domain"]),
    ("ui", &["app", "domain"]),
    ("net", &["config", "domain"]),
    ("sources", &["net", "config", "domain"]),
    ("actions", &["net", "config", "domain"]),
    ("notify", &["net", "config", "domain"]),
    ("doctor", &["net", "config", "domain"]),
    ("terminal", &["domain"]),
    (
        "runtime",
        &[
            "domain", "config", "app", "demo", "ui", "sources", "actions", "notify", "doctor",
            "terminal",
        ],
    ),
    (
        "cli",
        &[
            "domain", "config", "app", "demo", "ui", "sources", "actions", "notify", "doctor",
            "terminal", "runtime",
        ],
    ),
];

/// Files and functions may not be longer than this, tests not counted.
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 80;

/// The one place where unsafe code may stand.
const UNSAFE: &str = "src/terminal/sys.rs";

fn source_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The file without its tests and comments.
fn code(path: &Path) -> String {
    let is_test = path.file_name().is_some_and(|name| name == "tests.rs")
        || path.parent().is_some_and(|folder| folder.ends_with("tests"));
    if is_test {
        return String::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    body.lines()
        .map(|line| if line.trim_start().starts_with("//") { "" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

fn all_code() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    source_files(&root.join("src"))
        .into_iter()
        .map(|path| (path.strip_prefix(root).unwrap().to_path_buf(), code(&path)))
        .collect()
}

/// The names that stand directly behind a prefix such as `crate::`, alone or in braces.
fn named_after(code: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 && (c.is_alphanumeric() || c == '_') {
                    word.push(c);
                } else if depth == 0 || c == '{' {
                    if !word.is_empty() {
                        found.push(std::mem::take(&mut word));
                    }
                    // What follows a path separator belongs to the module before it.
                    if c == ':' {
                        word.push(':');
                    }
                }
            }
            if !word.is_empty() {
                found.push(word);
            }
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
        }
    }
    found
}

/// How deep the module of a file is: `src/app/mod.rs` 1, `src/app/state.rs` 2.
fn depth(path: &Path) -> usize {
    let depth = path.components().count().saturating_sub(1);
    depth - usize::from(path.file_name().is_some_and(|name| name == "mod.rs"))
}

/// The floors that a piece of code names: behind `crate::`, or behind as many `super::` as
/// lead out of its own floor.
fn imports(path: &Path, code: &str) -> Vec<String> {
    let mut found = named_after(code, "crate::");
    for ups in depth(path)..depth(path) + 3 {
        found.extend(named_after(code, &"super::".repeat(ups.max(1))));
    }
    found.retain(|name| FLOORS.iter().any(|(floor, _)| floor == name));
    found
}

fn breaches(files: &BTreeMap<PathBuf, String>) -> Vec<String> {
    let mut breaches = Vec::new();
    for (path, code) in files {
        let Some(floor) = path.components().nth(1).and_then(|part| part.as_os_str().to_str())
        else {
            continue;
        };
        let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == floor) else { continue };
        for import in imports(path, code) {
            if import != floor && !allowed.contains(&import.as_str()) {
                breaches.push(format!("{}: {floor} may not import {import}", path.display()));
            }
        }
    }
    breaches
}

#[test]
fn a_module_imports_only_from_floors_below_its_own() {
    let found = breaches(&all_code());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_breach_would_be_seen() {
    let planted = [
        ("src/domain/x.rs", "use crate::app::state::State;"),
        ("src/app/x.rs", "use crate::{\n    domain::time::Moment,\n    ui::theme::Theme,\n};"),
        ("src/ui/x.rs", "fn f() { crate::runtime::run(); }"),
        ("src/sources/x.rs", "use crate::{actions::Journal, domain::text};"),
        ("src/net/x.rs", "use crate::{config::profile::Text, sources::Source};"),
        ("src/ui/x.rs", "use crate::net::dial::Endpoint;"),
        ("src/notify/x.rs", "use crate::actions::Clock;"),
        ("src/doctor/x.rs", "use crate::sources::Source;"),
        ("src/ui/x.rs", "use super::super::runtime::clock::Clock;"),
        ("src/ui/mod.rs", "use super::{app::state::State, sources::Source};"),
        ("src/app/update/line.rs", "fn f() { super::super::super::ui::draw(); }"),
        ("src/app/update/mod.rs", "use super::super::{domain::time::Moment, config};"),
    ];
    for (path, code) in planted {
        let files = BTreeMap::from([(PathBuf::from(path), code.to_owned())]);
        let found = breaches(&files);
        assert_eq!(found.len(), 1, "{path}: {:?}", imports(Path::new(path), code));
    }
    let fine = "use crate::{\n    app::{state::State, view::View},\n    domain::text,\n};";
    let files = BTreeMap::from([(PathBuf::from("src/ui/x.rs"), fine.to_owned())]);
    assert_eq!(breaches(&files), Vec::<String>::new());
    let inside = "use super::super::{actions::run, sources::Sources, format};";
    let files = BTreeMap::from([(PathBuf::from("src/app/update/line.rs"), inside.to_owned())]);
    assert_eq!(
        breaches(&files),
        Vec::<String>::new(),
        "app has an actions and a sources of its own"
    );
}

/// The floors that only compute: what they know of time and the world is told them.
const PURE: [&str; 3] = ["domain", "app", "ui"];

/// What would let them find out by themselves.
const OUTSIDE: [(&str, &[&str]); 3] = [
    ("std::", &["env", "fs", "net", "os", "process", "thread"]),
    ("std::time::", &["Instant", "SystemTime"]),
    ("std::io::", &["stdin", "stdout", "stderr"]),
];
const CALLS: [&str; 9] = [
    "Timestamp::now",
    "Zoned::now",
    "Instant::now",
    "SystemTime::now",
    ".elapsed()",
    "tokio::",
    "rustix::",
    "rand::",
    "tracing::",
];

fn impurities(path: &Path, code: &str) -> Vec<String> {
    let floor = path.components().nth(1).and_then(|part| part.as_os_str().to_str());
    if !floor.is_some_and(|floor| PURE.contains(&floor)) {
        return Vec::new();
    }
    let mut found: Vec<String> = CALLS
        .iter()
        .filter(|call| {
            let starts = |at: usize| {
                let before = code[..at].chars().next_back();
                call.starts_with('.') || !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            };
            code.match_indices(**call).any(|(at, _)| starts(at))
        })
        .map(|call| format!("{} has {call}", path.display()))
        .collect();
    for (prefix, names) in OUTSIDE {
        let named = named_after(code, prefix);
        let outside = named.iter().filter(|name| names.contains(&name.as_str()));
        found.extend(outside.map(|name| format!("{} has {prefix}{name}", path.display())));
    }
    found
}

#[test]
fn what_only_computes_reads_no_clock_and_does_no_io() {
    let found: Vec<String> =
        all_code().iter().flat_map(|(path, code)| impurities(path, code)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    for planted in [
        "let now = jiff::Timestamp::now();",
        "use std::{collections::BTreeMap, fs};",
        "use std::time::{Duration, Instant};",
        "let home = std::env::var(name);",
        "tokio::spawn(async {});",
        "tracing::info!(x);",
    ] {
        for floor in PURE {
            let path = PathBuf::from(format!("src/{floor}/x.rs"));
            assert_eq!(impurities(&path, planted).len(), 1, "{floor}: {planted}");
        }
        assert_eq!(impurities(Path::new("src/runtime/x.rs"), planted).len(), 0);
    }
}

#[test]
fn files_and_functions_stay_short() {
    let mut long = Vec::new();
    for (path, code) in all_code() {
        let lines = code.trim_end().lines().count();
        if lines > FILE_LINES {
            long.push(format!("{}: {lines} lines, at most {FILE_LINES}", path.display()));
        }
        let mut open: Option<(usize, String, String)> = None;
        for (number, line) in code.lines().enumerate() {
            let indent = &line[..line.len() - line.trim_start().len()];
            let is_function = line
                .trim_start()
                .split('(')
                .next()
                .is_some_and(|head| head.split_whitespace().any(|word| word == "fn"));
            if is_function && (line.trim_end().ends_with('{') || !line.contains(';')) {
                open = Some((number, indent.to_owned(), line.trim().to_owned()));
            } else if let Some((start, at, name)) = &open
                && line == format!("{at}}}")
            {
                let length = number - start + 1;
                if length > FUNCTION_LINES {
                    let at = start + 1;
                    long.push(format!("{}:{at}: {length} lines: {name}", path.display()));
                }
                open = None;
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn unsafe_code_stands_in_one_file_only() {
    for (path, code) in all_code() {
        let has = code.lines().any(|line| {
            line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe")
        });
        assert!(!has || path == Path::new(UNSAFE), "{} has unsafe code", path.display());
    }
}

#[test]
fn commands_that_harm_a_redis_stand_nowhere() {
    for (path, code) in all_code() {
        for word in ["\"KEYS\"", "\"MONITOR\"", "\"FLUSHALL\"", "\"FLUSHDB\""] {
            assert!(!code.contains(word), "{} says {word}", path.display());
        }
    }
}
