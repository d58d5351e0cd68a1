//! No size and no situation may make the console panic or draw outside its area.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::common::{
    alerting,
    desk::{ASCII, COLOURS, Desk, NO_COLOUR},
    example,
};
use watchfloor::ui::{self, Chrome};

fn situations() -> Vec<(&'static str, Desk)> {
    let mut all = vec![
        ("nothing observed", example::nothing_observed()),
        ("nothing configured", Desk::new(Default::default())),
        ("problems", example::several_problems()),
        ("offline", example::offline()),
        ("armed", example::armed()),
    ];
    all.extend(alerting::situations());
    for (name, keys) in [("alerts", "7"), ("an alert", "7<Enter>")] {
        let mut desk = alerting::hostile();
        desk.press(keys);
        all.push((name, desk));
    }
    for (name, keys) in [
        ("zoomed", "2<Enter>"),
        ("help", "?"),
        ("palette", ":ca"),
        ("filter", "/post"),
        ("messages", "M"),
        ("menu", "xj"),
        ("frozen", "Z"),
    ] {
        let mut desk = example::several_problems();
        desk.press(keys);
        all.push((name, desk));
    }
    for (name, keys) in [
        ("reason", ""),
        ("phrase", "stale prices<Enter>exo"),
        ("countdown", "stale prices<Enter>exodrive/production<Enter>"),
    ] {
        let mut desk = example::armed();
        desk.press("xc").pause(0.4).preview(example::clear_preview).press(keys);
        all.push((name, desk));
    }
    all
}

#[test]
fn no_size_makes_it_panic() {
    let chrome = Chrome { identity: "eva@ops1".to_owned() };
    let widths = [1, 2, 3, 8, 19, 20, 40, 59, 60, 80, 110, 165, 300];
    let heights = [1, 2, 3, 4, 6, 8, 10, 14, 15, 20, 24, 30, 100];
    for (_, mut desk) in situations() {
        for width in widths {
            for height in heights {
                desk.resize(width, height);
                let area = Rect::new(0, 0, width, height);
                let mut buffer = Buffer::empty(area);
                let cursor = ui::draw(&mut buffer, area, &desk.state, COLOURS, &chrome);
                if let Some((x, y)) = cursor {
                    assert!(
                        x < width && y < height,
                        "the cursor is at {x},{y} of {width}x{height}"
                    );
                }
            }
        }
    }
}

/// The area may lie anywhere in the buffer, and nothing outside it is touched.
#[test]
fn nothing_is_drawn_outside_the_area() {
    let chrome = Chrome::default();
    for (name, mut desk) in situations() {
        desk.resize(70, 20);
        for theme in [COLOURS, NO_COLOUR, ASCII] {
            let whole = Rect::new(0, 0, 80, 24);
            let area = Rect::new(5, 2, 70, 20);
            let mut buffer = Buffer::filled(whole, ratatui::buffer::Cell::new("x"));
            ui::draw(&mut buffer, area, &desk.state, theme, &chrome);
            for position in whole.positions().filter(|position| !area.contains(*position)) {
                assert_eq!(buffer[position].symbol(), "x", "{name} at {position}");
            }
        }
    }
}

/// What is wrong is on the screen at every size, and so is the environment.
#[test]
fn the_worst_is_on_the_screen_at_every_usable_size() {
    let mut desk = example::several_problems();
    for (width, height) in [(30, 8), (40, 10), (59, 14), (60, 15), (80, 24), (120, 40), (200, 60)] {
        let (buffer, _) = desk.screen(width, height, COLOURS);
        let text = crate::common::screen::characters(&buffer);
        let first = text.lines().next().expect("a header");
        assert!(first.contains("PROD"), "{width}x{height}: {first}");
        assert!(first.contains("CRIT"), "{width}x{height}: {first}");
        assert!(text.contains("Redis"), "{width}x{height}:\n{text}");
    }
}

/// What does not change is drawn the same: an idle screen costs nothing.
#[test]
fn an_idle_second_changes_nothing_on_the_screen() {
    let mut desk = example::calm();
    desk.wait(12.0);
    let (before, _) = desk.screen(80, 24, COLOURS);
    desk.wait(1.0);
    let (after, _) = desk.screen(80, 24, COLOURS);
    assert_eq!(before, after);
}
