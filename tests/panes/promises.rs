//! What every pane promises in every situation.

use ratatui::buffer::Buffer;
use watchfloor::{
    app::{command::Command, msg::Event, view::Pane},
    domain::verdict::Verdict,
    ui::{panes, scene::Scene},
};

use super::{
    common::{
        desk::{COLOURS, Desk},
        screen,
    },
    corners::filter,
    pictures::drawn,
    service,
};

fn text(desk: &Desk, pane: Pane, size: (u16, u16), zoomed: bool) -> String {
    screen::characters(&drawn(desk, pane, size, zoomed, COLOURS))
}

fn hard_situations() -> Vec<Desk> {
    vec![
        service::never(),
        service::critical(),
        service::unconfigured(),
        service::crowded(),
        service::hostile(),
    ]
}

#[test]
fn no_size_makes_a_pane_panic() {
    for desk in hard_situations() {
        for pane in Pane::ALL {
            for width in (1..=120).step_by(3) {
                for height in (1..=40).step_by(3) {
                    let zoomed = (width / 3 + height / 3) % 2 == 0;
                    drawn(&desk, pane, (width, height), zoomed, COLOURS);
                }
            }
            for size in [(200, 60), (400, 3), (3, 200), (0, 0), (250, 90)] {
                drawn(&desk, pane, size, true, COLOURS);
            }
        }
    }
}

#[test]
fn a_pane_draws_only_inside_its_place() {
    let desk = service::hostile();
    let whole = ratatui::layout::Rect::new(0, 0, 90, 30);
    let place = ratatui::layout::Rect::new(10, 5, 61, 17);
    for pane in Pane::ALL {
        for zoomed in [false, true] {
            let mut buffer = Buffer::empty(whole);
            let scene = Scene::new(&desk.state, COLOURS);
            panes::draw(&mut buffer, place, &scene, pane, true, zoomed);
            for position in whole.positions().filter(|position| !place.contains(*position)) {
                assert_eq!(buffer[position].symbol(), " ", "{pane:?} at {position}");
            }
        }
    }
}

/// The word and the glyph of what is well.
fn says_ok(text: &str) -> bool {
    text.contains('●') || text.split(|c: char| !c.is_alphabetic()).any(|word| word == "OK")
}

#[test]
fn what_is_not_known_is_never_called_well() {
    for (name, desk) in [
        ("never", service::never()),
        ("stale", service::stale()),
        ("failed", service::failed()),
        ("unconfigured", service::unconfigured()),
        ("switched off", service::switched_off()),
    ] {
        for pane in [Pane::Health, Pane::Cache, Pane::Latency, Pane::Limits, Pane::Database] {
            let line = panes::line(&Scene::new(&desk.state, COLOURS), pane);
            let left_out = name == "unconfigured" || name == "switched off";
            let expected = if left_out { Verdict::Unjudged } else { Verdict::Unknown };
            assert_eq!(line.verdict, expected, "{pane:?} when {name}: {line:?}");
            for size in [(20, 3), (40, 10), (78, 15), (118, 30)] {
                let text = text(&desk, pane, size, false);
                assert!(!says_ok(&text), "{pane:?} when {name}:\n{text}");
            }
        }
    }
    assert!(says_ok(&text(&service::calm(), Pane::Health, (78, 15), false)));
}

#[test]
fn what_was_never_seen_is_never_a_zero() {
    let desk = service::never();
    for pane in [Pane::Health, Pane::Limits, Pane::Database] {
        for zoomed in [false, true] {
            let text = text(&desk, pane, (118, 30), zoomed);
            let zero = text.split_whitespace().any(|word| word == "0");
            assert!(!zero, "{pane:?}:\n{text}");
        }
    }
    let cache = text(&desk, Pane::Cache, (78, 6), false);
    assert!(!cache.contains('0'), "{}", cache.replace('\u{2014}', "-"));
}

#[test]
fn what_is_not_fresh_says_how_old_it_is() {
    for (desk, word) in [(service::stale(), "stale 3m"), (service::failed(), "error 2m")] {
        for pane in [Pane::Health, Pane::Cache, Pane::Latency, Pane::Limits, Pane::Database] {
            for size in [(59, 12), (78, 15), (118, 30)] {
                let text = text(&desk, pane, size, false);
                assert!(text.contains(word), "{pane:?} without '{word}':\n{text}");
            }
        }
    }
}

#[test]
fn the_selection_stays_visible_and_stays_on_its_thing() {
    let mut desk = service::crowded();
    desk.send(Event::Command(Command::FocusPane(1)));
    desk.send(Event::Command(Command::Move(20)));
    let chosen = desk.state.view.pane(Pane::Health).selected.expect("a row is selected");
    for (width, height) in [(20, 3), (40, 5), (78, 15), (118, 30)] {
        let text = text(&desk, Pane::Health, (width, height), false);
        let pointed: Vec<&str> = text.lines().filter(|line| line.contains('▸')).collect();
        assert_eq!(pointed.len(), 1, "{width}x{height}:\n{text}");
    }
    filter(&mut desk, "endpoint");
    desk.wait(30.0);
    assert_eq!(desk.state.view.pane(Pane::Health).selected.as_deref(), Some(chosen.as_str()));
    let title = chosen.replace("extra_", "Endpoint ");
    let text = text(&desk, Pane::Health, (78, 9), false);
    let line = text.lines().find(|line| line.contains('▸')).expect("the selection is visible");
    assert!(line.contains(&title), "{title} in {line}");
}

#[test]
fn identifiers_are_masked_until_they_are_asked_for() {
    let mut desk = service::warning();
    let whole = |desk: &Desk| text(desk, Pane::Limits, (118, 30), false);
    assert!(!whole(&desk).contains("203.0.113."), "{}", whole(&desk));
    desk.send(Event::Command(Command::Unmask));
    assert!(whole(&desk).contains("203.0.113."), "{}", whole(&desk));
}

#[test]
fn no_foreign_control_character_reaches_a_cell_or_a_line() {
    let desk = service::hostile();
    let evil = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    for pane in Pane::ALL {
        let line = panes::line(&Scene::new(&desk.state, COLOURS), pane);
        assert!(!line.text.contains(evil), "{pane:?}: {:?}", line.text);
        for zoomed in [false, true] {
            let buffer = drawn(&desk, pane, (150, 40), zoomed, COLOURS);
            let found = buffer.content.iter().find(|cell| cell.symbol().contains(evil));
            assert!(found.is_none(), "{pane:?}: {found:?}");
        }
    }
}

/// Cells in which two pictures differ.
fn changed(before: &Buffer, after: &Buffer) -> usize {
    before.content.iter().zip(&after.content).filter(|(a, b)| a != b).count()
}

#[test]
fn a_second_without_news_repaints_nothing() {
    let mut desk = service::calm();
    for pane in Pane::ALL {
        for zoomed in [false, true] {
            let before = drawn(&desk, pane, (118, 30), zoomed, COLOURS);
            desk.wait(0.5);
            let after = drawn(&desk, pane, (118, 30), zoomed, COLOURS);
            assert_eq!(changed(&before, &after), 0, "{pane:?}, zoomed: {zoomed}");
        }
    }
}

#[test]
fn a_chart_moves_once_a_step() {
    let mut desk = service::calm();
    let before = drawn(&desk, Pane::Cache, (118, 30), false, COLOURS);
    desk.wait(3.0);
    let same_step = drawn(&desk, Pane::Cache, (118, 30), false, COLOURS);
    assert_eq!(changed(&before, &same_step), 0);
    desk.wait(16.0);
    let next_step = drawn(&desk, Pane::Cache, (118, 30), false, COLOURS);
    assert!(changed(&before, &next_step) > 0);
}
