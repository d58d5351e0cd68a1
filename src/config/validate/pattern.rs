//! Patterns of Redis keys.

use super::{Cx, Path};
use crate::domain::keys::{SHORTEST_PREFIX, is_special};

impl Cx<'_> {
    /// A pattern of at least three literal characters and a final `*`. Gives the literal part.
    pub fn prefix_pattern<'p>(&mut self, path: &Path, pattern: &'p str) -> Option<&'p str> {
        let cure = "at least three plain characters and a final *, such as \"availability:*\"";
        let Some(prefix) = pattern.strip_suffix('*') else {
            self.error(path, format!("the pattern {pattern:?} does not end in *"), cure);
            return None;
        };
        if prefix.contains(is_special) || prefix.chars().any(char::is_control) {
            self.error(
                path,
                format!("the pattern {pattern:?} has a special character before its end"),
                cure,
            );
            return None;
        }
        if prefix.chars().count() < SHORTEST_PREFIX {
            self.error(
                path,
                format!("the pattern {pattern:?} would match nearly everything"),
                cure,
            );
            return None;
        }
        Some(prefix)
    }

    /// A pattern of literal characters with one `*`, which stands for an identifier.
    pub fn identifier_pattern(&mut self, path: &Path, pattern: &str) -> bool {
        let parts: Vec<&str> = pattern.split('*').collect();
        let literal =
            |part: &&str| !part.contains(is_special) && !part.chars().any(char::is_control);
        let fine = parts.len() == 2
            && parts.iter().all(literal)
            && parts[0].chars().count() >= SHORTEST_PREFIX;
        if !fine {
            self.error(
                path,
                format!("the pattern {pattern:?} does not say where the identifier stands"),
                "at least three plain characters and one * for the identifier, such as \"rate:public:*\"",
            );
        }
        fine
    }
}
