//! Pictures of what is seen less often: tabs, filters, small sizes, plain terminals.

use std::fmt::Write;

use watchfloor::{
    app::{
        command::{Command, Edit},
        msg::Event,
        view::Pane,
    },
    ui::theme::{Depth, Theme},
};

use super::{
    common::{
        desk::{ASCII, COLOURS, Desk},
        screen,
    },
    pictures::drawn,
    service,
};

/// Goes to a pane and its n-th next tab.
fn go(desk: &mut Desk, pane: Pane, tabs: usize) {
    desk.send(Event::Command(Command::FocusPane(pane.number())));
    for _ in 0..tabs {
        desk.send(Event::Command(Command::NextTab));
    }
}

/// Filters the focused pane.
pub fn filter(desk: &mut Desk, text: &str) {
    desk.send(Event::Command(Command::Filter));
    desk.send(Event::Edit(Edit::Paste(text.to_owned())));
    desk.send(Event::Edit(Edit::Accept));
}

#[test]
fn tabs_of_the_rate_limits() {
    let mut out = String::new();
    for tab in 1..4 {
        let mut desk = service::warning();
        go(&mut desk, Pane::Limits, tab);
        let buffer = drawn(&desk, Pane::Limits, (78, 18), false, COLOURS);
        let _ = writeln!(out, "{}", screen::shown(&buffer));
    }
    insta::assert_snapshot!("limits_tabs", out);
}

#[test]
fn identifiers_in_full_only_on_demand() {
    let mut desk = service::warning();
    desk.send(Event::Command(Command::Unmask));
    let buffer = drawn(&desk, Pane::Limits, (78, 18), false, COLOURS);
    insta::assert_snapshot!("limits_unmasked", screen::characters(&buffer));
}

#[test]
fn tabs_of_a_zoomed_cache() {
    let mut out = String::new();
    for (tab, mut desk) in [
        (1, service::never()),
        (1, service::calm()),
        (2, service::never()),
        (2, service::calm()),
        (2, service::failed()),
    ] {
        go(&mut desk, Pane::Cache, tab);
        let buffer = drawn(&desk, Pane::Cache, (130, 20), true, COLOURS);
        let _ = writeln!(out, "{}", screen::shown(&buffer));
    }
    insta::assert_snapshot!("cache_tabs", out);
}

#[test]
fn a_filtered_list_says_so() {
    let mut out = String::new();
    for text in ["endpoint 1", "!endpoint", "nowhere"] {
        let mut desk = service::crowded();
        go(&mut desk, Pane::Health, 0);
        filter(&mut desk, text);
        desk.send(Event::Command(Command::Last));
        let buffer = drawn(&desk, Pane::Health, (78, 9), false, COLOURS);
        let _ = writeln!(out, "{}", screen::shown(&buffer));
    }
    insta::assert_snapshot!("health_filtered", out);
}

#[test]
fn several_caches_side_by_side_and_below_each_other() {
    let mut out = String::new();
    for size in [(130, 16), (60, 26), (60, 9)] {
        let mut desk = service::two_of_each();
        go(&mut desk, Pane::Cache, 0);
        desk.send(Event::Command(Command::Move(1)));
        let buffer = drawn(&desk, Pane::Cache, size, false, COLOURS);
        let _ = writeln!(out, "{}", screen::shown(&buffer));
    }
    insta::assert_snapshot!("cache_several", out);
}

#[test]
fn small_places_keep_the_essential_words() {
    let mut out = String::new();
    let (critical, failed) = (service::critical(), service::failed());
    for pane in Pane::ALL {
        for size in [(30, 1), (20, 3), (24, 5), (32, 7), (59, 9)] {
            for desk in [&critical, &failed] {
                let buffer = drawn(desk, pane, size, false, COLOURS);
                let _ = write!(out, "{}x{}\n{}", size.0, size.1, screen::characters(&buffer));
            }
        }
    }
    insta::assert_snapshot!("small", out);
}

#[test]
fn without_colours_and_without_unicode() {
    let mut out = String::new();
    let desk = service::warning();
    for pane in Pane::ALL {
        let buffer = drawn(&desk, pane, (78, 15), false, ASCII);
        let _ = writeln!(out, "{}", screen::shown(&buffer));
    }
    insta::assert_snapshot!("ascii", out);
}

#[test]
fn with_many_colours() {
    let rich = Theme { depth: Depth::Rich, ascii: false };
    let mut out = String::new();
    let desk = service::critical();
    for pane in Pane::ALL {
        let buffer = drawn(&desk, pane, (59, 12), false, rich);
        let _ = writeln!(out, "{}", screen::shown(&buffer));
    }
    insta::assert_snapshot!("rich", out);
}
