//! Scripts, and what is said of them.

use super::*;

fn said(text: &str, setting: &Setting<'_>) -> Vec<String> {
    look(text, Language::Shell, setting)
        .into_iter()
        .map(|fault| format!("{} {}", fault.line.unwrap_or(0), fault.what))
        .collect()
}

#[track_caller]
fn says(text: &str, expected: &[&str]) {
    let found = said(text, &Setting::default());
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found} / {expected}");
    }
}

#[test]
fn a_script_that_would_ask_is_found() {
    says("set -e\nread -p 'Sure? ' answer", &["2 asks a question"]);
    says("set -e\nread answer", &["2 asks a question"]);
    says("set -e\nselect x in a b; do :; done", &["2 asks a question"]);
    for feeds in [
        "set -e\nread version < VERSION",
        "set -e\necho yes | read answer",
        "set -e\nwhile read line; do echo \"$line\"; done < file",
        "set -e\nls | while read -r line; do echo \"$line\"; done",
        "set -e\nread -r a <<< \"$1\"",
        "# read -p nothing\nset -e\necho 'read -p'",
    ] {
        says(feeds, &[]);
    }
    let fed = Setting { fed: true, ..Setting::default() };
    assert!(said("set -e\nread -p 'Sure? ' answer", &fed).is_empty());
}

#[test]
fn a_rollback_that_only_says_so_is_found() {
    let text = "#!/bin/bash\n\
        PREVIOUS_IMAGE=$(docker images web --format '{{.ID}}' | sed -n 2p)\n\
        docker compose stop web\n\
        docker compose up -d web\n\
        echo '✅ Rollback successful!'\n";
    let setting = Setting { purpose: "Rollback the image", ..Setting::default() };
    let found = said(text, &setting);
    for expected in [
        "4 up starts the image that the tag names now",
        "2 works PREVIOUS_IMAGE out and never uses it",
        "0 goes on after an error",
    ] {
        assert!(found.iter().any(|line| line.starts_with(expected)), "{expected}: {found:#?}");
    }
}

#[test]
fn a_text_that_reaches_nobody_is_found() {
    let text = "set -eu\ndocker exec db psql -v ON_ERROR_STOP=1 -1 <<EOF\nDELETE FROM a;\nEOF\n";
    says(text, &["2 docker exec without -i"]);
    says(
        "set -eu\nexport FEATURE=false\ndocker-compose restart web\n",
        &["3 a restart does not read", "3 what was exported before"],
    );
    says("set -eu\necho FEATURE=false >> .env\n", &["2 appends to a file of settings"]);
    says(
        "set -eu\nX=$(vercel ls --prod | grep Production)\necho \"$X\"",
        &["2 in a pipe vercel prints"],
    );
    says("set -eu\ncurl -fm 5 http://a.test/?page=1&limit=10", &["2 the `&` in an address"]);
    says("set -eu\ncat a.sql | psql -d shop", &["2 psql goes on", "2 statements of a file"]);
}

#[test]
fn a_variable_that_nobody_sets_is_found() {
    says(
        "set -eu\nrun \"$DATABASE_URL\" ${API_KEY}",
        &["0 API_KEY, DATABASE_URL are used and not set"],
    );
    for cared in [
        "set -eu\nrun ${DATABASE_URL:-x} ${API_KEY:?missing}",
        "set -eu\nDATABASE_URL=x\nrun $DATABASE_URL",
        "set -eu\n. ./settings\nrun $DATABASE_URL",
        "set -eu\nfor HOST in a b; do run $HOST; done",
    ] {
        says(cared, &[]);
    }
    let setting = Setting { variables: ["DATABASE_URL"].into(), ..Setting::default() };
    assert!(said("set -e\nrun $DATABASE_URL", &setting).is_empty());
}

#[test]
fn an_option_that_stands_nowhere_in_a_script_is_found() {
    let text = "const limit = flag('--limit'); const lastHour = args.lastHour";
    let setting = Setting {
        options: vec!["--emergency", "--limit=20", "--last-hour", "-x", "--"],
        ..Setting::default()
    };
    let found = look(text, Language::Other, &setting);
    assert_eq!(found.len(), 1);
    assert!(found[0].what.starts_with("--emergency stands nowhere"));
}

#[test]
fn the_interpreter_of_a_script_is_read_as_the_system_does() {
    let table = [
        ("#!/bin/sh\n", Some(("/bin/sh", None))),
        ("#! /usr/bin/env bash\n", Some(("/usr/bin/env", Some("bash")))),
        ("#!/bin/bash\r\nx", Some(("/bin/bash\r", None))),
        ("#!\n", None),
        ("echo", None),
    ];
    for (text, expected) in table {
        assert_eq!(shebang(text), expected, "{text:?}");
    }
    assert_eq!(Language::of("bash", "x"), Language::Shell);
    assert_eq!(Language::of("", "x.sh"), Language::Shell);
    assert_eq!(Language::of("bun", "x.ts"), Language::Other);
}
