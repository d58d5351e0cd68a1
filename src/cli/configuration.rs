//! `config check`, `config show`, `config schema`, and how every command gets its configuration.

use std::process::ExitCode;

use super::{
    CONFIGURATION,
    args::{Color, Common, Output},
    out,
};
use crate::config::{self, Diagnostics, Loaded, Request, profile::ColorMode};

/// What the command line asks for.
pub(super) fn request(common: &Common) -> Request {
    let mut set = Vec::new();
    // The options of the command line are keys of the configuration, stated last.
    if common.read_only {
        set.push("display.read_only=true".to_owned());
    }
    if common.ascii {
        set.push("display.ascii=true".to_owned());
    }
    if common.utc {
        set.push("display.utc=true".to_owned());
    }
    set.extend(common.set.iter().cloned());
    Request {
        config: common.config.clone(),
        profile: common.profile.clone(),
        set,
        ..Request::from_process()
    }
}

/// Loads the configuration and says everything that is wrong with it.
pub(super) fn load(common: &Common, request: &Request) -> Result<Loaded, ExitCode> {
    match config::load(request) {
        Ok(mut loaded) => {
            if let Some(color) = common.color {
                loaded.profile.display.color = mode(color);
            }
            Ok(loaded)
        }
        Err(wrong) => {
            out::error(&wrong.render(out::stderr_has_color()));
            Err(ExitCode::from(CONFIGURATION))
        }
    }
}

fn mode(color: Color) -> ColorMode {
    match color {
        Color::Auto => ColorMode::Auto,
        Color::Sixteen => ColorMode::Ansi16,
        Color::TwoHundred => ColorMode::Ansi256,
        Color::True => ColorMode::TrueColor,
        Color::Never => ColorMode::Never,
    }
}

/// `1 check`, `2 checks`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `config check`.
pub(super) fn check(common: &Common, output: &Output) -> color_eyre::Result<ExitCode> {
    match config::load(&request(common)) {
        Ok(loaded) if output.json => {
            out::json(&verdict(true, &loaded.warnings))?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                out::error(&loaded.warnings.render(out::stderr_has_color()));
            }
            let catalog = &loaded.profile.catalog;
            out::line(&format!(
                "the configuration of {} is valid: {}, {}, {}",
                catalog.target(),
                counted(catalog.sources.len(), "source"),
                counted(catalog.checks.len(), "check"),
                counted(catalog.actions.len(), "action")
            ))
        }
        Err(wrong) => {
            if output.json {
                out::json(&verdict(false, &wrong))?;
            } else {
                out::error(&wrong.render(out::stderr_has_color()));
            }
            Ok(ExitCode::from(CONFIGURATION))
        }
    }
}

fn verdict(valid: bool, found: &Diagnostics) -> serde_json::Value {
    serde_json::json!({ "schema": 1, "valid": valid, "diagnostics": found.to_json() })
}

/// `config show`.
pub(super) fn show(common: &Common, output: &Output) -> color_eyre::Result<ExitCode> {
    match config::show(&request(common), output.json) {
        Ok(text) => out::line(text.trim_end()),
        Err(wrong) => {
            out::error(&wrong.render(out::stderr_has_color()));
            Ok(ExitCode::from(CONFIGURATION))
        }
    }
}

/// `config schema`.
pub(super) fn schema() -> color_eyre::Result<ExitCode> {
    out::line(config::schema().trim_end())
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_of_something_is_one() {
        assert_eq!(
            (counted(1, "check"), counted(0, "check")),
            ("1 check".into(), "0 checks".into())
        );
    }
}
