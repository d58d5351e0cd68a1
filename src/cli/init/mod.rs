//! `init`: writes a starting configuration, and never over anything.

mod ask;

use std::{
    fs::OpenOptions,
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use super::{
    CONFIGURATION,
    args::{Common, Init},
    out,
};
use crate::config;

/// Writes the template of a profile, or a general one.
pub(super) fn run(common: &Common, options: &Init) -> color_eyre::Result<ExitCode> {
    let text = match config::template(common.profile.as_deref()) {
        Ok(text) => text,
        Err(wrong) => {
            out::error(&wrong.render(out::stderr_has_color()));
            return Ok(ExitCode::from(CONFIGURATION));
        }
    };
    if options.file == Path::new("-") {
        return out::bytes(text.as_bytes());
    }
    if options.file.exists() {
        return Ok(is_there(&options.file));
    }
    let asks = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let text = match &common.profile {
        Some(profile) if asks && !options.no_questions => ask::fill_in(profile, text)?,
        _ => text,
    };
    let created = OpenOptions::new().write(true).create_new(true).open(&options.file);
    let written = created.and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => out::line(&format!(
            "wrote {}; fill it in, then: watchfloor config check",
            options.file.display()
        )),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(is_there(&options.file))
        }
        Err(error) => {
            out::error(&format!("cannot write {}: {error}", options.file.display()));
            Ok(ExitCode::from(super::SOFTWARE))
        }
    }
}

fn is_there(file: &Path) -> ExitCode {
    let file = file.display();
    out::error(&format!("{file} is there already and stays as it is; name another file"));
    ExitCode::from(super::USAGE)
}
