//! What `watchfloor init` writes: a short file with just what must be filled in.

use std::sync::Arc;

use super::{Diagnostic, Diagnostics, Severity, builtin, nearest::suggestion};

/// A commented starting configuration, on a built-in profile or on none.
///
/// # Errors
/// There is no such profile, or it needs no configuration.
pub fn template(profile: Option<&str>) -> Result<String, Diagnostics> {
    let Some(name) = profile else { return Ok(builtin::START.to_owned()) };
    let failed = |message: String, cure: String| {
        let list =
            vec![Diagnostic { severity: Severity::Error, place: None, message, cure: Some(cure) }];
        Diagnostics::new(Arc::new(Vec::new()), list)
    };
    match (builtin::start(name), builtin::layers(name)) {
        (Some(text), _) => Ok(text.to_owned()),
        (None, Some(_)) => Err(failed(
            format!("the profile {name:?} needs no configuration"),
            "run `watchfloor demo`".to_owned(),
        )),
        (None, None) => Err(failed(
            format!("there is no profile {name:?}"),
            suggestion(name, builtin::NAMES, "profiles"),
        )),
    }
}
