//! What a value is worth and how old it is, in words.

use std::time::Duration;

use ratatui::style::Style;

use crate::{
    domain::{
        time::{Moment, coarse_age},
        verdict::Quality,
    },
    ui::theme::Theme,
};

/// The worth and the age of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Badge {
    quality: Quality,
    age: Option<Duration>,
}

/// Younger than this, an age is not worth its space, and would repaint every row for nothing.
const YOUNG: Duration = Duration::from_secs(10);

impl Badge {
    /// The badge of a value last seen at `seen`.
    pub fn new(quality: Quality, now: Moment, seen: Option<Moment>) -> Self {
        Self { quality, age: seen.map(|seen| now.since(seen)) }
    }

    /// In the fewest words: nothing where the value is fresh and young, `40s`, `stale 3m`,
    /// `error 3m`, `not configured`.
    pub fn short(self) -> String {
        let age = self.age.filter(|age| *age >= YOUNG).map(coarse_age);
        let ageless = matches!(self.quality, Quality::Unconfigured | Quality::NotOffered);
        match (self.quality.word(), age) {
            ("", age) => age.unwrap_or_default(),
            (word, Some(age)) if !ageless => format!("{word} {age}"),
            (word, _) => word.to_owned(),
        }
    }

    /// In words for a line of its own: `seen now`, `stale, last seen 3m ago`, `never seen`.
    pub fn long(self) -> String {
        let word = self.quality.word();
        let seen = match self.age {
            None => "never seen".to_owned(),
            Some(age) if age < YOUNG => "seen now".to_owned(),
            Some(age) => format!("seen {} ago", coarse_age(age)),
        };
        if word.is_empty() {
            return seen;
        }
        match self.age {
            Some(_) if !self.quality.usable() => format!("{word}, last {seen}"),
            _ => format!("{word}, {seen}"),
        }
    }

    /// Quiet as long as the value may be believed.
    pub fn style(self, theme: Theme) -> Style {
        if self.quality.usable() { theme.quiet() } else { theme.unknown() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn badge(quality: Quality, age: Option<f64>) -> Badge {
        let now = Moment::at_seconds(1_000.0);
        Badge::new(quality, now, age.map(|age| Moment::at_seconds(1_000.0 - age)))
    }

    #[test]
    fn a_fresh_and_young_value_needs_no_words() {
        assert_eq!(badge(Quality::Fresh, Some(9.0)).short(), "");
        assert_eq!(badge(Quality::Fresh, Some(47.0)).short(), "40s");
    }

    #[test]
    fn what_is_not_fresh_always_says_so() {
        assert_eq!(badge(Quality::Late, Some(3.0)).short(), "late");
        assert_eq!(badge(Quality::Stale, Some(190.0)).short(), "stale 3m");
        assert_eq!(badge(Quality::Error, None).short(), "error");
        assert_eq!(badge(Quality::Unconfigured, Some(190.0)).short(), "not configured");
        assert_eq!(badge(Quality::Error, Some(190.0)).long(), "error, last seen 3m ago");
        assert_eq!(badge(Quality::Waiting, None).long(), "waiting, never seen");
    }
}
