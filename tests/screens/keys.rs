//! The table of keys.

use std::collections::BTreeSet;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::common::{
    desk::{COLOURS, parse},
    example, screen,
};
use watchfloor::{
    app::{
        command::{Command, Edit},
        msg::Event,
        palette,
        view::Context,
    },
    domain::catalog::MENU_MOVES,
    ui::{
        keys::{self, BINDINGS, Chord, Meaning},
        layers::help,
    },
};

#[test]
fn no_chord_means_two_things_in_one_place() {
    for context in help::CONTEXTS {
        let mut seen = BTreeSet::new();
        for binding in BINDINGS.iter().filter(|binding| binding.contexts.contains(&context)) {
            for chord in binding.chords {
                assert!(seen.insert(chord.shown()), "{} twice in {context:?}", chord.shown());
            }
        }
    }
}

#[test]
fn every_binding_says_what_it_does_and_names_a_command_that_exists() {
    for binding in BINDINGS {
        assert!(!binding.help.is_empty() && !binding.chords.is_empty(), "{binding:?}");
        assert!(!binding.contexts.is_empty(), "{binding:?}");
        if !binding.name.is_empty() {
            let world = example::calm().state.world;
            let parsed = palette::parse(&world, binding.name);
            let Meaning::Command(command) = &binding.meaning else { panic!("{binding:?}") };
            assert_eq!(parsed.as_ref(), Ok(command), "{}", binding.name);
        }
    }
}

/// A key and a name for everything, except for what only one of the two can do.
#[test]
fn what_has_a_name_has_a_key_except_for_commands_with_arguments() {
    let without: Vec<&str> = palette::ENTRIES
        .iter()
        .map(|entry| entry.name)
        .filter(|name| !BINDINGS.iter().any(|binding| binding.name == *name))
        .collect();
    // `q` leaves step by step, `quit` at once; arming and disarming are spelled out. Keys begin
    // what is done about an alert, and the rest of the line says what exactly.
    let alerts = ["ack", "unack", "silence", "unsilence", "maintenance", "priority", "taken"];
    let all = [&["arm", "disarm", "run"][..], &alerts[..], &["deploy", "quit"][..]].concat();
    assert_eq!(without, all);
}

#[test]
fn the_help_tells_of_every_binding_whatever_the_place() {
    for here in help::CONTEXTS {
        let lines: Vec<String> =
            help::lines(here, false, 200, COLOURS).iter().map(ToString::to_string).collect();
        for binding in BINDINGS {
            let count = lines
                .iter()
                .filter(|line| line.contains(binding.help) && line.contains(&binding.keys()))
                .count();
            assert!(count >= binding.contexts.len(), "{here:?}: {binding:?}");
        }
        for entry in palette::ENTRIES {
            assert!(lines.iter().any(|line| line.contains(entry.name)), "{}", entry.name);
        }
    }
}

/// Nothing that acts on production hangs on one key, except for the `y` of a question.
#[test]
fn no_single_key_acts() {
    for binding in BINDINGS {
        if let Meaning::Command(command) = &binding.meaning {
            match command {
                Command::Confirm => {
                    assert_eq!(binding.contexts, [Context::Confirm]);
                    assert_eq!(binding.chords, [Chord::key('y')]);
                }
                Command::Arm { .. } | Command::Prepare(_) | Command::DemoFault(_) => {
                    panic!("{binding:?}")
                }
                _ => {}
            }
        }
    }
}

#[test]
fn nothing_is_bound_during_a_countdown_because_every_key_stops_it() {
    assert!(BINDINGS.iter().all(|binding| !binding.contexts.contains(&Context::Countdown)));
    let mut desk = example::armed();
    desk.press("xc").pause(0.4).preview(example::clear_preview);
    desk.press("stale prices<Enter>exodrive/production<Enter>");
    assert_eq!(desk.state.view.context(), Context::Countdown);
    for keys in ["y", "<Enter>", " ", "<F1>", "<C-c>", "<C-z>", "<C-l>", "<A-x>", "ü", "<Esc>"] {
        let stop = Some(Event::Command(Command::Back));
        assert_eq!(keys::resolve(&desk.state, parse(keys)[0]), stop, "{keys}");
    }
}

#[test]
fn released_and_alternate_keys_mean_nothing() {
    let desk = example::calm();
    let mut released = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
    released.kind = KeyEventKind::Release;
    assert_eq!(keys::resolve(&desk.state, released), None);
    // What Esc and a letter become when they arrive together.
    assert_eq!(keys::resolve(&desk.state, parse("<A-q>")[0]), None);
}

#[test]
fn a_held_y_does_not_confirm() {
    let mut desk = example::armed();
    desk.press("xw").pause(0.4).preview(|_| {}).pause(1.0);
    let mut held = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::NONE);
    held.kind = KeyEventKind::Repeat;
    assert_eq!(keys::resolve(&desk.state, held), None);
}

#[test]
fn letters_are_text_where_text_is_typed() {
    let mut desk = example::calm();
    desk.press("/");
    for letter in ['q', '?', ':', 'y', ' ', 'é', '日'] {
        let key = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE);
        let insert = Some(Event::Edit(Edit::Insert(letter)));
        assert_eq!(keys::resolve(&desk.state, key), insert);
    }
}

/// The menu's own letters keep their meaning, whatever an action is configured with.
#[test]
fn an_action_cannot_take_a_letter_of_the_menu() {
    for letter in ('a'..='z').chain('A'..='Z').chain('0'..='9') {
        let moves = MENU_MOVES.contains(&letter);
        assert_eq!(keys::is_free_in_menu(letter), !moves, "{letter}");
    }
}

/// Scrolling beyond the end would have to be taken back key by key.
#[test]
fn scrolling_stops_at_the_end() {
    let mut desk = example::calm();
    desk.press("?");
    desk.screen(80, 24, COLOURS);
    for _ in 0..40 {
        desk.press("<PgDn>");
    }
    let end = screen::characters(&desk.screen(80, 24, COLOURS).0);
    assert!(end.contains("this is the end"), "{end}");
    desk.press("k");
    let above = screen::characters(&desk.screen(80, 24, COLOURS).0);
    assert!(above.contains(" 1 below"), "{above}");
    desk.press("g");
    assert_eq!(screen::characters(&desk.screen(80, 24, COLOURS).0), {
        let mut fresh = example::calm();
        screen::characters(&fresh.press("?").screen(80, 24, COLOURS).0)
    });
}
