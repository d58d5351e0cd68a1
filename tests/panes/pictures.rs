//! Every pane in every situation at several sizes, characters and styles.

use std::fmt::Write;

use ratatui::{buffer::Buffer, layout::Rect};
use watchfloor::{
    app::view::Pane,
    ui::{panes, scene::Scene, theme::Theme},
};

use super::{
    common::{
        desk::{COLOURS, Desk},
        screen,
    },
    service,
};

/// One pane alone on a buffer of that size.
pub fn drawn(desk: &Desk, pane: Pane, size: (u16, u16), zoomed: bool, theme: Theme) -> Buffer {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    panes::draw(&mut buffer, area, &Scene::new(&desk.state, theme), pane, true, zoomed);
    buffer
}

/// Columns and rows, and whether it fills the screen: a corner, one pane of a small screen,
/// one of a grid, and zoomed on a small and on a large screen.
const SIZES: [((u16, u16), bool); 5] =
    [((40, 10), false), ((78, 15), false), ((118, 28), false), ((80, 21), true), ((198, 53), true)];

/// The pane's line and the pane at all sizes.
fn picture(desk: &Desk, pane: Pane) -> String {
    let line = panes::line(&Scene::new(&desk.state, COLOURS), pane);
    let mut out = format!("line: {} {:?}: {}\n", line.verdict.word(), line.quality, line.text);
    for (size, zoomed) in SIZES {
        let buffer = drawn(desk, pane, size, zoomed, COLOURS);
        let zoom = if zoomed { ", zoomed" } else { "" };
        let _ = write!(out, "\n{}x{}{zoom}\n{}", size.0, size.1, screen::shown(&buffer));
    }
    out
}

fn check(situation: &str, desk: &Desk) {
    for pane in Pane::ALL {
        insta::assert_snapshot!(
            format!("{pane:?}_{situation}").to_lowercase(),
            picture(desk, pane)
        );
    }
}

#[test]
fn nothing_observed_yet() {
    check("never", &service::never());
}

#[test]
fn everything_well() {
    check("calm", &service::calm());
}

#[test]
fn attention_needed() {
    check("warning", &service::warning());
}

#[test]
fn broken() {
    check("critical", &service::critical());
}

#[test]
fn no_news() {
    check("stale", &service::stale());
}

#[test]
fn every_look_fails_with_last_known_values() {
    check("failed", &service::failed());
}

#[test]
fn nothing_configured() {
    check("unconfigured", &service::unconfigured());
}

#[test]
fn everything_switched_off() {
    check("switched_off", &service::switched_off());
}

#[test]
fn more_rows_than_room() {
    check("crowded", &service::crowded());
}

#[test]
fn hostile_and_wide_text() {
    check("hostile", &service::hostile());
}
