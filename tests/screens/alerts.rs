//! Alerts on whole screens: what calls must be seen at every size, without a key.

use insta::assert_snapshot;
use watchfloor::{
    app::{msg::Event, summary::summary, view::Layer},
    ui::{bands, plain},
};

use crate::common::{
    alerting::{self, Round, WELL, rounds},
    desk::{ASCII, COLOURS, Desk},
    screen,
};

fn shown(desk: &mut Desk, columns: u16, rows: u16) -> String {
    screen::shown(&desk.screen(columns, rows, COLOURS).0)
}

const SIZES: [(u16, u16); 5] = [(40, 10), (59, 14), (80, 24), (120, 40), (200, 60)];

#[test]
fn screens_of_every_situation() {
    for (name, mut desk) in alerting::situations() {
        for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
            let name = format!("{name}_{columns}x{rows}");
            assert_snapshot!(name, shown(&mut desk, columns, rows));
        }
    }
    for (name, mut desk) in [("firing", alerting::firing()), ("called", alerting::called())] {
        assert_snapshot!(format!("{name}_40x10"), shown(&mut desk, 40, 10));
        desk.press("7<Enter>");
        assert_snapshot!(format!("{name}_zoomed_80x24"), shown(&mut desk, 80, 24));
        desk.press("<Esc>5");
        assert_snapshot!(format!("{name}_escalation_80x24"), shown(&mut desk, 80, 24));
    }
    let mut desk = alerting::firing();
    assert_snapshot!("firing_ascii_80x24", screen::shown(&desk.screen(80, 24, ASCII).0));
}

/// The first alert that calls is named on every screen that has room for a band, whatever
/// pane has the focus.
#[test]
fn what_fires_is_seen_at_every_size_without_a_key() {
    let mut desk = alerting::firing();
    for (columns, rows) in SIZES {
        for focus in ["1", "4", "6", "1<Enter>"] {
            desk.press(focus);
            let text = screen::characters(&desk.screen(columns, rows, COLOURS).0);
            let band = text.lines().nth(1).unwrap_or_default();
            assert!(band.contains("CRIT Redis is gone since"), "{columns}x{rows} {focus}:\n{text}");
            desk.press("<Esc>");
        }
    }
}

#[test]
fn what_is_well_or_only_pending_takes_no_line() {
    for desk in [alerting::calm(), alerting::pending()] {
        assert_eq!(bands::of(&desk.state), []);
    }
}

#[test]
fn what_is_handled_or_muted_is_told_without_noise() {
    for (desk, words) in [
        (
            alerting::acknowledged(),
            "fires and is handled: Redis is gone and 2 more (acked by alice",
        ),
        (
            alerting::silenced(),
            "maintenance by alice@bastion until 01:15: moving to the new cluster",
        ),
    ] {
        let bands = bands::of(&desk.state);
        let [(tone, text)] = bands.as_slice() else { panic!("{bands:?}") };
        assert_eq!(*tone, bands::Tone::Quiet);
        assert!(text.contains(words), "{text}");
    }
}

/// An action is offered below the header only on grounds that hold now.
#[test]
fn old_data_offers_no_action_below_the_header() {
    let first = |desk: &Desk| bands::of(&desk.state)[0].1.clone();
    assert!(first(&alerting::firing()).contains("x → Switch the cache off (d)"));
    let stale = first(&alerting::stale());
    assert!(stale.contains("stale") && !stale.contains("x →"), "{stale}");
}

#[test]
fn the_keys_of_the_alerts_begin_a_command_on_the_selected_one() {
    for (keys, line) in [
        ("7a", "ack redis_down 30m "),
        ("7ja", "ack web_slow 30m "),
        ("7s", "silence redis_down 30m "),
        ("7P", "priority redis_down "),
        ("5jt", "taken 2 "),
    ] {
        let mut desk = alerting::firing();
        desk.press(keys);
        let Some(Layer::Palette(typed)) = desk.state.view.layers.last() else { panic!("{keys}") };
        assert_eq!(typed.text, line);
    }
    let mut desk = alerting::firing();
    desk.press("5t").press("Bob<Enter>");
    let taken = desk.state.world.escalation.taken.as_ref().unwrap();
    assert_eq!((taken.level, taken.who.as_str()), (1, "Bob"));
    desk.press("1t");
    assert!(desk.text().contains("select a level in the escalation pane first"));
}

#[test]
fn hints_of_alerts_are_only_where_the_alerts_are() {
    let mut desk = alerting::firing();
    let footer = |desk: &mut Desk| {
        let text = screen::characters(&desk.screen(80, 24, COLOURS).0);
        text.lines().last().unwrap_or_default().to_owned()
    };
    assert!(!footer(&mut desk).contains("silence"));
    desk.press("7");
    let hints = footer(&mut desk);
    assert!(hints.contains("a ack") && hints.contains("s silence"), "{hints}");
}

/// What is ok is folded to a line, and unfolds for who moves there or looks for it.
#[test]
fn what_is_ok_unfolds_on_request() {
    let mut desk = alerting::pending();
    desk.press("7");
    let rows = |desk: &mut Desk| {
        let text = screen::characters(&desk.screen(80, 24, COLOURS).0);
        text.lines().filter(|line| line.contains("● ok")).count()
    };
    assert!(desk.text().contains("5 rules ok"));
    assert_eq!(rows(&mut desk), 0);
    desk.press("j");
    assert_eq!(rows(&mut desk), 5);
    desk.press("k");
    assert_eq!(rows(&mut desk), 0);
    desk.press("/memory<Enter>");
    assert_eq!(rows(&mut desk), 1);
}

/// While the panes are frozen the line below the header speaks of the present.
#[test]
fn a_frozen_screen_still_tells_of_an_alert() {
    let mut desk = alerting::calm();
    desk.press("Z");
    rounds(&mut desk, 2, Round { redis: false, ..WELL });
    let text = desk.text();
    assert!(text.contains("FROZEN") && text.contains("CRIT Redis is gone since"), "{text}");
    assert!(text.contains("6 rules ok"), "{text}");
}

#[test]
fn the_plain_mode_has_a_line_for_every_change_of_a_state() {
    let mut desk = alerting::calm();
    let mut before = summary(&desk.state.world);
    let mut lines = Vec::new();
    let mut look = |desk: &mut Desk| {
        let after = summary(&desk.state.world);
        let changes = plain::changes(&before, &after);
        lines.extend(changes.into_iter().filter(|line| line.contains(" alert ")));
        before = after;
    };
    for round in [Round { web_ms: 2_000.0, ..WELL }, WELL] {
        for _ in 0..9 {
            rounds(&mut desk, 1, round);
            look(&mut desk);
        }
    }
    desk.send(Event::Tick);
    let when = "alert The start page is slow: warning P2, web.latency_ms > 1500ms";
    assert_eq!(
        lines,
        [
            format!("2026-01-01T00:10:10Z pending {when}, last 2000"),
            format!("2026-01-01T00:10:30Z FIRING {when}, last 2000 (was pending)"),
            format!("2026-01-01T00:11:40Z RECOVERING {when}, last 230 (was firing)"),
            "2026-01-01T00:12:40Z over alert The start page is slow: no longer recovering"
                .to_owned(),
        ]
    );
    let opening = plain::opening(&summary(&alerting::acknowledged().state.world));
    let line = opening.iter().find(|line| line.contains("alert Redis is gone")).unwrap();
    assert!(line.contains(" firing alert ") && line.contains("acked by alice@bastion"), "{line}");
    assert!(line.contains("critical P0"), "{line}");
}

/// A state that somebody has to end keeps its line, whatever fires beside it and whoever looks
/// after it; and is not said twice.
#[test]
fn a_state_that_is_to_be_ended_keeps_a_line_of_its_own() {
    for (mut desk, place) in [(alerting::firing(), 1), (alerting::acknowledged(), 0)] {
        let before = bands::of(&desk.state);
        let active: Vec<_> =
            desk.state.world.alerts.rules.iter().map(|rule| rule.id.clone()).collect();
        let active: Vec<_> =
            active.into_iter().filter(|id| desk.state.world.alerts.is_firing(id)).collect();
        let worst = active.iter().position(|id| id.contains("redis")).unwrap_or(0);
        for (at, id) in active.iter().enumerate() {
            for rule in &mut desk.state.world.alerts.rules {
                rule.banner = rule.id == *id;
                rule.summary = Some("it stays until somebody ends it".to_owned());
            }
            let now = bands::of(&desk.state);
            let told = now.iter().filter(|(_, text)| text.contains("until somebody ends")).count();
            let is_worst = place == 1 && at == worst;
            assert_eq!(now.len(), before.len() + usize::from(!is_worst), "{id}: {now:?}");
            assert!(told >= usize::from(!is_worst), "{id}: {now:?}");
        }
    }
}
