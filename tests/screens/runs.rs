//! A second person, runs of others, and a failure with an effect, as they look.

#![allow(clippy::expect_used)]

use std::time::Duration;

use insta::assert_snapshot;

use crate::common::{
    desk::{COLOURS, Desk},
    example, screen,
};
use watchfloor::{
    app::msg::{Effect, Event},
    domain::{
        action::{ActionEvent, ActionOutcome, ActionStage, Approval, PastRun, Standing, Trace},
        guard::Guard,
        ids::RunId,
    },
};

fn shown(desk: &mut Desk, columns: u16, rows: u16) -> String {
    screen::shown(&desk.screen(columns, rows, COLOURS).0)
}

/// The dialog of an irreversible action, up to the question for a second person.
fn asking() -> Desk {
    let mut desk = example::armed();
    let spec = desk.state.world.catalog.actions.iter_mut().find(|spec| spec.key == Some('c'));
    spec.expect("the action").guard = Guard::G4;
    desk.press("xc").pause(0.4).preview(|preview| preview.request.push("UNLINK".to_owned()));
    desk.pause(0.4).press("the prices are poisoned<Enter>").pause(0.4);
    desk.press("exodrive/production<Enter>").pause(0.4);
    desk
}

#[test]
fn a_second_person_is_waited_for() {
    let mut desk = asking();
    for (columns, rows) in [(80, 24), (60, 15), (40, 10)] {
        let text = shown(&mut desk, columns, rows);
        assert!(text.contains("Esc"), "the way out at {columns}x{rows}: {text}");
        assert!(text.contains("WAITING"), "what it waits for at {columns}x{rows}: {text}");
    }
    assert_snapshot!("second_person_80x24", shown(&mut desk, 80, 24));
    let asked = desk.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask { start, .. } => Some(start.as_ref().clone()),
        _ => None,
    });
    let asked = asked.expect("asked");
    let at = desk.now().wall;
    desk.send(Event::Approved(Box::new(Approval {
        run: asked.run,
        digest: asked.digest,
        by: "deploy@ops1 (claims to be bob)".to_owned(),
        at,
        claim: true,
    })));
    desk.preview(|preview| preview.request.push("UNLINK".to_owned()));
    assert_snapshot!("second_person_agreed_80x24", shown(&mut desk, 80, 24));
}

#[test]
fn runs_of_others_are_told_with_where_they_stand() {
    let mut desk = example::calm();
    let past = |run: &str, action: &str, standing| PastRun {
        run: RunId::from(run),
        action: action.into(),
        target: None,
        wall: desk.now().wall - Duration::from_secs(95),
        by: "tom@ops2".to_owned(),
        outcome: ActionOutcome::Unknown,
        resolved: false,
        trace: Trace { standing: Some(standing), ..Trace::default() },
    };
    let history = vec![
        past("r2", "clear_cache", Standing::Unsupervised { pid: 4_711 }),
        past("r1", "gone_from_the_configuration", Standing::Interrupted),
    ];
    desk.send(Event::History(history));
    for stage in [ActionStage::Journaled, ActionStage::Started] {
        let at = desk.now();
        let event = ActionEvent { run: "r2".into(), action: "clear_cache".into(), at, stage };
        desk.send(Event::Action(Box::new(event)));
    }
    assert_snapshot!("others_80x24", shown(&mut desk, 80, 24));
    desk.press("x");
    assert_snapshot!("others_menu_80x24", shown(&mut desk, 80, 24));
}
