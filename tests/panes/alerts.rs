//! The alerts in every situation, at several sizes, characters and styles.

use std::fmt::Write;

use watchfloor::{
    app::view::Pane,
    ui::{panes, scene::Scene},
};

use super::{
    common::{
        alerting,
        desk::{COLOURS, Desk},
        screen,
    },
    pictures::drawn,
};

/// A corner, the pane of a small screen, the strip of a grid; zoomed on a small and on large
/// screens.
const SIZES: [((u16, u16), bool); 6] = [
    ((40, 10), false),
    ((80, 15), false),
    ((120, 8), false),
    ((80, 21), true),
    ((120, 37), true),
    ((200, 57), true),
];

fn picture(desk: &Desk) -> String {
    let line = panes::line(&Scene::new(&desk.state, COLOURS), Pane::Alerts);
    let mut out = format!("line: {} {:?}: {}\n", line.verdict.word(), line.quality, line.text);
    for (size, zoomed) in SIZES {
        let buffer = drawn(desk, Pane::Alerts, size, zoomed, COLOURS);
        let zoom = if zoomed { ", zoomed" } else { "" };
        let _ = write!(out, "\n{}x{}{zoom}\n{}", size.0, size.1, screen::shown(&buffer));
    }
    out
}

#[test]
fn every_situation() {
    for (name, desk) in alerting::situations() {
        insta::assert_snapshot!(name, picture(&desk));
    }
}
