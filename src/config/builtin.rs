//! The profiles that are part of the program.

/// Names of the built-in profiles.
pub const NAMES: [&str; 4] = ["exodrive", "bici", "redcube", "demo"];

const EXODRIVE: (&str, &str) =
    ("profile exodrive", include_str!("../../assets/profiles/exodrive.toml"));
const BICI: (&str, &str) = ("profile bici", include_str!("../../assets/profiles/bici.toml"));
const REDCUBE: (&str, &str) =
    ("profile redcube", include_str!("../../assets/profiles/redcube.toml"));
const DEMO: (&str, &str) = ("profile demo", include_str!("../../assets/profiles/demo.toml"));

/// The texts of a profile with their names, the lowest layer first.
pub fn layers(name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    match name {
        "exodrive" => Some(&[EXODRIVE]),
        "bici" => Some(&[BICI]),
        "redcube" => Some(&[REDCUBE]),
        "demo" => Some(&[EXODRIVE, DEMO]),
        _ => None,
    }
}

/// A starting configuration without a profile.
pub const START: &str = include_str!("../../assets/start/generic.toml");

/// A starting configuration on a profile, where it needs one.
pub fn start(name: &str) -> Option<&'static str> {
    match name {
        "exodrive" => Some(include_str!("../../assets/start/exodrive.toml")),
        "redcube" => Some(include_str!("../../assets/start/redcube.toml")),
        "bici" => Some(include_str!("../../assets/start/bici.toml")),
        _ => None,
    }
}
