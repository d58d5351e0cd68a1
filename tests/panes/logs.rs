//! The logs in every situation, at several sizes, characters and styles.

use std::fmt::Write;

use ratatui::buffer::Buffer;
use watchfloor::{
    app::view::Pane,
    domain::verdict::Verdict,
    ui::{panes, scene::Scene},
};

use super::{
    common::{
        desk::{ASCII, COLOURS, Desk},
        logging, screen,
    },
    pictures::drawn,
};

/// A corner, the pane of a small screen, the strip of a grid; zoomed on a small and on a large
/// screen.
const SIZES: [((u16, u16), bool); 5] =
    [((40, 10), false), ((80, 15), false), ((120, 8), false), ((80, 21), true), ((150, 30), true)];

fn picture(desk: &Desk) -> String {
    let line = panes::line(&Scene::new(&desk.state, COLOURS), Pane::Logs);
    let mut out = format!("line: {} {:?}: {}\n", line.word(), line.quality, line.text);
    for (size, zoomed) in SIZES {
        let buffer = drawn(desk, Pane::Logs, size, zoomed, COLOURS);
        let zoom = if zoomed { ", zoomed" } else { "" };
        let _ = write!(out, "\n{}x{}{zoom}\n{}", size.0, size.1, screen::shown(&buffer));
    }
    out
}

#[test]
fn every_situation() {
    for (name, desk) in logging::situations() {
        insta::assert_snapshot!(format!("logs_{name}_of_one"), picture(&desk));
    }
}

#[test]
fn what_the_requests_were_about() {
    for (name, mut desk) in
        [("errors", logging::errors()), ("empty", logging::empty()), ("failed", logging::failed())]
    {
        desk.press("8]");
        insta::assert_snapshot!(format!("logs_traffic_{name}"), picture(&desk));
    }
}

#[test]
fn without_colours_and_without_unicode() {
    let mut out = String::new();
    for desk in [logging::searched(), logging::wrapped(), logging::paused()] {
        let buffer = drawn(&desk, Pane::Logs, (80, 16), true, ASCII);
        let _ = writeln!(out, "{}", screen::shown(&buffer));
    }
    insta::assert_snapshot!("logs_ascii", out);
}

fn text(desk: &Desk, size: (u16, u16), zoomed: bool) -> String {
    screen::characters(&drawn(desk, Pane::Logs, size, zoomed, COLOURS))
}

/// A log that is not read has no figure, and nobody is told that there is no error in it.
#[test]
fn what_is_not_read_is_never_called_well() {
    for (name, desk) in [
        ("waiting", logging::waiting()),
        ("failed", logging::failed()),
        ("stale", logging::stale()),
        ("several", logging::several()),
    ] {
        let line = panes::line(&Scene::new(&desk.state, COLOURS), Pane::Logs);
        assert_eq!(line.verdict, Verdict::Unknown, "{name}: {line:?}");
        for (size, zoomed) in SIZES {
            let text = text(&desk, size, zoomed);
            let said = text.replace("no error is known", "");
            assert!(!said.contains("no error") && !said.contains('●'), "{name}:\n{text}");
            assert!(said.contains("UNKN"), "{name}:\n{text}");
        }
    }
}

#[test]
fn dropped_lines_are_told_at_every_size() {
    for (size, zoomed) in SIZES {
        let text = text(&logging::following(), size, zoomed);
        assert!(text.contains("312 lines dropped"), "{size:?}:\n{text}");
    }
}

#[test]
fn no_size_makes_it_panic_and_nothing_foreign_reaches_a_cell() {
    let evil = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    let clean = |buffer: &Buffer| !buffer.content.iter().any(|cell| cell.symbol().contains(evil));
    for (name, mut desk) in logging::situations() {
        for tab in 0..2 {
            for width in (1..=120).step_by(7) {
                for height in (1..=40).step_by(5) {
                    for zoomed in [false, true] {
                        let buffer = drawn(&desk, Pane::Logs, (width, height), zoomed, COLOURS);
                        assert!(clean(&buffer), "{name}, {tab}, {width}x{height}");
                    }
                }
            }
            desk.press("<Esc>8]");
        }
    }
}
