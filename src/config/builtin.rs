//! The profiles that are part of the program.

/// Names of the built-in profiles.
pub const NAMES: [&str; 2] = ["exodrive", "demo"];

const EXODRIVE: (&str, &str) =
    ("profile exodrive", include_str!("../../assets/profiles/exodrive.toml"));
const DEMO: (&str, &str) = ("profile demo", include_str!("../../assets/profiles/demo.toml"));

/// The texts of a profile with their names, the lowest layer first.
pub fn layers(name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    match name {
        "exodrive" => Some(&[EXODRIVE]),
        "demo" => Some(&[EXODRIVE, DEMO]),
        _ => None,
    }
}
