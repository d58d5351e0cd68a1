//! Programs and scripts in a directory of their own.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::domain::examination::Subject;

struct Place {
    directory: tempfile::TempDir,
    around: Surroundings,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let around = Surroundings {
            variables: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
            here: directory.path().to_owned(),
            root: directory.path().to_owned(),
        };
        Self { directory, around }
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    fn look(&self, argv: &[&str], change: impl FnOnce(&mut Runnable<'_>)) -> Vec<String> {
        let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
        let mut of = Runnable {
            argv: &argv,
            shell: false,
            directory: None,
            environment: &[],
            fed: false,
            purpose: "",
            follows: false,
        };
        change(&mut of);
        let thing = Thing::new(Subject::Action, "a");
        look(&thing, of, &self.around)
            .into_iter()
            .map(|found| format!("{} {}", found.verdict.word(), found.what))
            .collect()
    }

    #[track_caller]
    fn says(&self, argv: &[&str], expected: &str) {
        let found = self.look(argv, |_| {});
        assert!(found.iter().any(|line| line.contains(expected)), "{expected}: {found:#?}");
    }
}

#[test]
fn a_program_is_there_or_it_is_said_what_is_wrong() {
    let place = Place::new();
    place.write("locked.sh", "#!/bin/sh\n", 0o644);
    place.says(&["true"], "OK /usr/bin/true is there and may be run");
    place.says(&["no-such-program"], "CRIT no-such-program is not installed");
    place.says(&["./no-such-script"], "does not exist");
    place.says(&["./locked.sh"], "CRIT");
    place.says(&["./locked.sh"], "is not executable");
    let found = place.look(&["true"], |of| of.directory = Some(Path::new("nowhere")));
    assert!(found.len() == 1 && found[0].starts_with("CRIT its directory"), "{found:?}");
}

#[test]
fn a_script_needs_its_interpreter_and_whoever_answers() {
    let place = Place::new();
    place.write("ask.sh", "#!/bin/sh -e\nread -p 'Sure? ' answer\n", 0o755);
    place.write("none.sh", "#!/opt/no/such\n", 0o755);
    place.write("windows.sh", "#!/bin/sh\r\ntrue\r\n", 0o755);
    place.write("bare.sh", "true\n", 0o755);
    place.write("open.sh", "#!/usr/bin/env sh\ntrue\n", 0o777);
    place.says(&["./ask.sh"], "CRIT ask.sh:2: asks a question");
    place.says(&["./none.sh"], "CRIT the interpreter of");
    place.says(&["./windows.sh"], "CRIT");
    place.says(&["./windows.sh"], "line ends of Windows");
    place.says(&["./bare.sh"], "WARN");
    place.says(&["./bare.sh"], "its first line is no #!");
    place.says(&["./open.sh"], "may be changed by anybody");
    place.says(&["bash", "ask.sh"], "CRIT ask.sh:2: asks a question");
    place.says(&["bash", "gone.sh"], "CRIT the script");
    let fed = place.look(&["./ask.sh"], |of| of.fed = true);
    assert!(fed.iter().all(|line| line.starts_with("OK")), "{fed:?}");
}

#[test]
fn what_a_shell_would_run_is_looked_at_too() {
    let place = Place::new();
    let text = "cd /tmp && no-such-program --now | grep x; true";
    let found = place.look(&[text], |of| of.shell = true);
    assert_eq!(found, ["CRIT no-such-program is not installed: it is in no directory of PATH"]);
    place.says(
        &["sh", "-c", "docker exec db psql -v ON_ERROR_STOP=1 -1 < a.sql"],
        "CRIT docker exec without -i",
    );
}

#[test]
fn a_text_behind_any_form_of_c_is_no_script() {
    let place = Place::new();
    for options in [&["-lc"][..], &["-ec"], &["-l", "-c"], &["-eo", "pipefail", "-c"]] {
        let argv = [&["bash"][..], options, &["cd /tmp; vercel rollback"]].concat();
        let found = place.look(&argv, |_| {});
        assert!(found.iter().all(|line| !line.contains("the script")), "{found:?}");
        let rollbacks = found.iter().filter(|line| line.contains("vercel rollback without"));
        assert_eq!(rollbacks.count(), 1, "{found:?}");
        assert!(found.iter().any(|line| line.contains("vercel is not installed")), "{found:?}");
    }
    let asked = place.look(&["sh", "-c", "read -p sure? x < /dev/null"], |of| of.fed = true);
    assert!(asked.iter().any(|line| line.contains("asks a question")), "{asked:?}");
    let later = place.look(&["sh", "⟨ask.file⟩"], |_| {});
    assert!(later.iter().any(|line| line.starts_with("UNKNOWN")), "{later:?}");
}

#[test]
fn the_script_of_an_interpreter_is_found_among_its_arguments() {
    let table = [
        ("bash", "-lc a.sh", None),
        ("bash", "-e a.sh b", Some(1)),
        ("python3", "-m http.server", None),
        ("python3", "a.py", Some(0)),
        ("bun", "run scripts/a.ts --x", Some(1)),
        ("bun", "run build", None),
        ("bun", "test", None),
        ("node", "--test a.js", Some(1)),
        ("node", "-e 1", None),
        ("perl", "-ne print", None),
        ("python3", "-Ic 1", None),
        ("psql", "-f a.sql", None),
        ("bash", "", None),
        ("bun", "run", None),
    ];
    for (interpreter, line, expected) in table {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(script_argument(interpreter, &arguments), expected, "{interpreter} {line}");
    }
}
