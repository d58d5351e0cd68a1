//! Why a program could not be started, in the words of whoever has to mend it: the system
//! says "no such file" of the interpreter of a script, of the directory to start in and of the
//! program itself alike.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// What is read of a script to find its interpreter, bytes: the system reads no more either.
const FIRST_LINE: u64 = 256;

/// Why `program` could not be started in `directory`, which is not given where the program
/// starts where its starter is. Blocks on the disk.
pub(super) fn why(program: &Path, directory: Option<&Path>, error: &io::Error) -> String {
    let shown = program.display();
    let cause = match error.kind() {
        io::ErrorKind::NotFound => absent(program, directory),
        _ => None,
    };
    match cause {
        Some(cause) => format!("{shown} could not be started: {cause}"),
        None => format!("{shown} could not be started: {error}"),
    }
}

/// What is not there, where that is not the program.
fn absent(program: &Path, directory: Option<&Path>) -> Option<String> {
    if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
        return Some(format!("the directory {} is not there", directory.display()));
    }
    let mut first = Vec::new();
    File::open(program).ok()?.take(FIRST_LINE).read_to_end(&mut first).ok()?;
    let Some(line) = first.strip_prefix(b"#!") else {
        // The program is there, and no script.
        return Some("what loads it is not there: is it built for this system?".to_owned());
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let interpreter = line.trim_start_matches([' ', '\t']);
    let interpreter = interpreter.split([' ', '\t']).next().unwrap_or_default();
    Some(match interpreter.strip_suffix('\r') {
        Some(named) => format!(
            "its interpreter is {named} with a carriage return behind it: its lines end as on \
             Windows"
        ),
        None => format!("its interpreter {interpreter}, which its first line names, is not there"),
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, process::Command};

    use super::*;

    #[test]
    fn what_is_not_there_is_named() {
        let place = tempfile::tempdir().expect("a directory");
        let here = place.path();
        let table: [(&str, &str, &str); 6] = [
            ("#!/no/such/thing -x\necho", ".", "its interpreter /no/such/thing, which"),
            ("#! /no/such/thing\n", ".", "its interpreter /no/such/thing, which"),
            ("#!/bin/sh\r\necho\r\n", ".", "/bin/sh with a carriage return"),
            ("#!/bin/sh\n", "gone", "the directory"),
            ("#!/bin/sh\nexit 0\n", ".", ""),
            ("", ".", "No such file or directory"),
        ];
        for (number, (text, directory, expected)) in table.into_iter().enumerate() {
            let program = here.join(format!("program-{number}"));
            if !text.is_empty() {
                fs::write(&program, text).expect("a file");
                fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("rights");
            }
            let directory = here.join(directory);
            match Command::new(&program).current_dir(&directory).status() {
                Ok(status) => assert!(status.success() && expected.is_empty(), "{text:?}"),
                Err(error) => {
                    let said = why(&program, Some(&directory), &error);
                    assert!(!expected.is_empty() && said.contains(expected), "{text:?}: {said}");
                }
            }
        }
    }
}
