//! What the terminal can do, as far as the environment tells.

use std::time::Duration;

/// How many colours to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colors {
    /// None; attributes only.
    None,
    /// The terminal's own 16, which the operator has chosen.
    Ansi16,
    /// The palette of 256.
    Ansi256,
    /// Any colour.
    True,
}

/// What the operator wants of the colours: `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// The 16, or none under `NO_COLOR`.
    #[default]
    Auto,
    /// Exactly that many, whatever the environment says.
    Exactly(Colors),
}

/// What stands between us and the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiplexer {
    /// Nothing, as far as one can tell.
    None,
    /// tmux.
    Tmux,
    /// GNU screen.
    Screen,
}

/// What the operator said on the command line or in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Colours.
    pub color: ColorChoice,
    /// ASCII only.
    pub ascii: bool,
}

/// What the terminal can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Not a screen at all: the output is no terminal, or a dumb one. Print lines.
    pub plain: bool,
    /// The colours to use.
    pub colors: Colors,
    /// The colours that the terminal says it has. They are used only when asked for, and
    /// are here to be reported.
    pub offered: Colors,
    /// ASCII only: not a UTF-8 locale, or the console of the kernel with its few glyphs.
    pub ascii: bool,
    /// Over SSH: every byte counts, and sequences arrive in pieces.
    pub ssh: bool,
    /// What stands in between.
    pub multiplexer: Multiplexer,
    /// The window has a title that can be set.
    pub title: bool,
}

impl Capabilities {
    /// Reads the environment. `lookup` is `|name| std::env::var(name).ok()`, `is_terminal`
    /// whether the standard output is one.
    pub fn detect(
        lookup: impl Fn(&str) -> Option<String>,
        is_terminal: bool,
        wishes: Wishes,
    ) -> Self {
        // A variable that is set to nothing is not set.
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let term = get("TERM").unwrap_or_else(|| "dumb".to_owned());
        let plain = !is_terminal || term == "dumb" || term == "unknown";
        let offered = if plain { Colors::None } else { offered(&term, get("COLORTERM")) };
        let colors = match wishes.color {
            ColorChoice::Exactly(colors) => colors,
            ColorChoice::Auto if get("NO_COLOR").is_some() => Colors::None,
            ColorChoice::Auto => offered.min(Colors::Ansi16),
        };
        Self {
            plain,
            colors,
            offered,
            ascii: wishes.ascii || term == "linux" || !is_utf8(&get),
            ssh: ["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"]
                .into_iter()
                .any(|name| get(name).is_some()),
            multiplexer: multiplexer(&term, &get),
            title: !plain && term != "linux" && !term.starts_with("vt"),
        }
    }

    /// How long to wait for the rest of a sequence after an Esc: sequences were seen torn
    /// apart by 16 ms on a good line.
    pub fn escape_wait(&self) -> Duration {
        Duration::from_millis(if self.ssh { 100 } else { 25 })
    }
}

fn offered(term: &str, colorterm: Option<String>) -> Colors {
    // GNU screen inherits the variable from a terminal whose colours it cannot show.
    let trusted = !term.starts_with("screen");
    let names_true = matches!(colorterm.as_deref(), Some("truecolor" | "24bit"));
    if (trusted && names_true) || term.ends_with("-direct") {
        Colors::True
    } else if term.contains("256color") {
        Colors::Ansi256
    } else if term.ends_with("-mono") || term.ends_with("-m") || is_old(term) {
        Colors::None
    } else {
        Colors::Ansi16
    }
}

/// The terminals of the time before colours.
fn is_old(term: &str) -> bool {
    term.strip_prefix("vt").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The first of these that is set decides (POSIX, environment variables of the locale).
fn is_utf8(get: &impl Fn(&str) -> Option<String>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(get).is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

fn multiplexer(term: &str, get: &impl Fn(&str) -> Option<String>) -> Multiplexer {
    if get("TMUX").is_some() || term.starts_with("tmux") {
        Multiplexer::Tmux
    } else if get("STY").is_some() {
        Multiplexer::Screen
    } else {
        // `screen*` alone tells nothing: over SSH it is more often a tmux at home, which
        // would not pass on what is wrapped for GNU screen.
        Multiplexer::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(environment: &[(&str, &str)]) -> Capabilities {
        wishing(environment, Wishes::default())
    }

    fn wishing(environment: &[(&str, &str)], wishes: Wishes) -> Capabilities {
        let lookup = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Capabilities::detect(lookup, true, wishes)
    }

    #[test]
    fn sixteen_colours_unless_asked_for_more() {
        let rich = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor")];
        assert_eq!((on(&rich).colors, on(&rich).offered), (Colors::Ansi16, Colors::True));
        for colors in [Colors::None, Colors::Ansi256, Colors::True] {
            let wishes = Wishes { color: ColorChoice::Exactly(colors), ascii: false };
            assert_eq!(wishing(&rich, wishes).colors, colors);
        }
        assert_eq!(on(&[("TERM", "vt220")]).colors, Colors::None);
        assert_eq!(on(&[("TERM", "xterm-mono")]).colors, Colors::None);
        assert_eq!(on(&[("TERM", "xterm")]).offered, Colors::Ansi16);
    }

    #[test]
    fn no_color_counts_when_it_says_something_and_nothing_else_was_asked_for() {
        let base = ("TERM", "xterm");
        assert_eq!(on(&[base, ("NO_COLOR", "")]).colors, Colors::Ansi16);
        assert_eq!(on(&[base, ("NO_COLOR", "1")]).colors, Colors::None);
        let wishes = Wishes { color: ColorChoice::Exactly(Colors::Ansi16), ascii: false };
        assert_eq!(wishing(&[base, ("NO_COLOR", "1")], wishes).colors, Colors::Ansi16);
    }

    #[test]
    fn colorterm_is_not_trusted_inside_gnu_screen() {
        let inherited = ("COLORTERM", "truecolor");
        assert_eq!(on(&[("TERM", "screen-256color"), inherited]).offered, Colors::Ansi256);
        assert_eq!(on(&[("TERM", "screen"), inherited]).offered, Colors::Ansi16);
        assert_eq!(on(&[("TERM", "tmux-256color"), inherited]).offered, Colors::True);
    }

    #[test]
    fn what_is_no_terminal_gets_lines() {
        for environment in [&[][..], &[("TERM", "dumb")], &[("TERM", "")], &[("TERM", "unknown")]] {
            let found = on(environment);
            assert!(found.plain && found.colors == Colors::None && !found.title, "{environment:?}");
        }
        let lookup = |name: &str| (name == "TERM").then(|| "xterm".to_owned());
        assert!(Capabilities::detect(lookup, false, Wishes::default()).plain);
        assert!(!Capabilities::detect(lookup, true, Wishes::default()).plain);
    }

    #[test]
    fn unicode_only_where_the_locale_says_so() {
        let ascii = |environment: &[(&str, &str)]| on(environment).ascii;
        assert!(ascii(&[("TERM", "xterm")]));
        assert!(ascii(&[("TERM", "xterm"), ("LANG", "C")]));
        assert!(!ascii(&[("TERM", "xterm"), ("LANG", "C.UTF-8")]));
        assert!(!ascii(&[("TERM", "xterm"), ("LANG", "de_DE.utf8")]));
        assert!(ascii(&[("TERM", "xterm"), ("LANG", "C.UTF-8"), ("LC_ALL", "POSIX")]));
        assert!(!ascii(&[("TERM", "xterm"), ("LANG", "C"), ("LC_CTYPE", "C.UTF-8")]));
        assert!(!ascii(&[("TERM", "xterm"), ("LANG", "C.UTF-8"), ("LC_ALL", "")]));
        assert!(ascii(&[("TERM", "linux"), ("LANG", "C.UTF-8")]));
        let wishes = Wishes { ascii: true, ..Wishes::default() };
        assert!(wishing(&[("TERM", "xterm"), ("LANG", "C.UTF-8")], wishes).ascii);
    }

    #[test]
    fn ssh_and_multiplexers() {
        let far = on(&[("TERM", "xterm"), ("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")]);
        assert!(far.ssh && far.escape_wait() > on(&[("TERM", "xterm")]).escape_wait());
        assert!(!on(&[("TERM", "xterm"), ("SSH_TTY", "")]).ssh);
        let between = |environment: &[(&str, &str)]| on(environment).multiplexer;
        assert_eq!(between(&[("TERM", "xterm")]), Multiplexer::None);
        assert_eq!(between(&[("TERM", "screen-256color"), ("TMUX", "x")]), Multiplexer::Tmux);
        assert_eq!(between(&[("TERM", "tmux-256color")]), Multiplexer::Tmux);
        assert_eq!(between(&[("TERM", "screen"), ("STY", "x")]), Multiplexer::Screen);
        assert_eq!(between(&[("TERM", "screen-256color")]), Multiplexer::None);
    }
}
