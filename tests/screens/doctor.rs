//! What an examination found: as it comes, filtered, in detail, and asked for again.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use watchfloor::{
    app::{
        examination::Examination,
        msg::{Effect, Event, Level},
        state::State,
        view::{Context, Layer},
    },
    domain::{
        action::{ActionOutcome, PastRun, Trace},
        examination::{Examined, Finding, Grade, Subject, Thing},
    },
};

use crate::common::{
    desk::{ASCII, COLOURS, Desk, NO_COLOUR},
    example, screen,
};

fn finding(subject: Subject, id: &str, verdict: Grade, what: &str, cure: &str) -> Finding {
    let finding =
        Finding::new(&Thing::new(subject, id), verdict, what).took(Duration::from_millis(34));
    if cure.is_empty() { finding } else { finding.cure(cure) }
}

fn first_news() -> Vec<Finding> {
    vec![
        finding(Subject::Source, "api", Grade::Ok, "answers in 12ms with 14 readings", ""),
        finding(
            Subject::Contact,
            "1",
            Grade::Critical,
            "the contact of level 1 is a placeholder: [Name]",
            "fill in `contact` of the contact: nobody can be reached by it",
        ),
    ]
}

fn later_news() -> Vec<Finding> {
    vec![
        finding(
            Subject::Action,
            "roll_back",
            Grade::Critical,
            "vercel rollback without a deployment only prints the status of an earlier one, and ends with 0",
            "name the deployment to go back to: its id or its address",
        ),
        finding(
            Subject::Action,
            "roll_back",
            Grade::Warning,
            "never drilled, and never run from here: nobody knows whether it works",
            "practise it: watchfloor run roll_back --drill",
        ),
        finding(
            Subject::Action,
            "clear_cache",
            Grade::Critical,
            "the user ops may not UNLINK",
            "ACL SETUSER ops ~list:*",
        ),
        finding(Subject::Check, "api", Grade::Ok, "all that it reads is there: api.status", ""),
        finding(Subject::Rule, "slow", Grade::Unknown, "api.p95_ms is not known", "see source/api"),
        finding(
            Subject::Source,
            "mail",
            Grade::Skipped,
            "not configured: set MAIL_URL; off because of that: check mail",
            "set MAIL_URL to have it",
        ),
        finding(
            Subject::Source,
            "db",
            Grade::Warning,
            "the certificate of db.internal:5432 expires in 14 days, on 2026-01-15",
            "renew it, and look whether its renewal still works",
        ),
    ]
}

fn news(desk: &mut Desk, done: usize, findings: Vec<Finding>) {
    let examined = Examined { number: number(&desk.state), done, of: 31, findings };
    desk.send(Event::Examined(Box::new(examined)));
}

fn number(state: &State) -> u64 {
    state.world.examination.as_ref().map_or(0, |found| found.number)
}

fn found(state: &State) -> &Examination {
    state.world.examination.as_ref().unwrap()
}

/// An examination that is half way through.
fn half_way() -> Desk {
    let mut desk = example::calm();
    desk.press("D");
    desk.wait(3.0);
    news(&mut desk, 14, first_news());
    desk
}

fn over() -> Desk {
    let mut desk = half_way();
    desk.wait(1.0);
    news(&mut desk, 31, later_news());
    desk
}

#[test]
fn it_is_asked_for_once_and_again_only_when_it_is_over() {
    let mut desk = example::calm();
    desk.press("D");
    assert_eq!(desk.state.view.context(), Context::Findings);
    let asked = |desk: &Desk| {
        desk.effects.iter().filter(|effect| matches!(effect, Effect::Doctor { .. })).count()
    };
    assert_eq!(asked(&desk), 1);
    desk.press("r");
    assert_eq!(asked(&desk), 1, "one goes on already");
    news(&mut desk, 31, first_news());
    assert_eq!(found(&desk.state).findings.len(), 2);
    // What is known is shown again without another examination.
    desk.press("q");
    desk.press("D");
    assert_eq!((asked(&desk), found(&desk.state).findings.len()), (1, 2));
    desk.press("r");
    assert_eq!((asked(&desk), number(&desk.state)), (2, 2));
    // Late news of the first one are not heard.
    let late = Examined { number: 1, done: 31, of: 31, findings: later_news() };
    desk.send(Event::Examined(Box::new(late)));
    assert!(found(&desk.state).findings.is_empty());
    assert!(found(&desk.state).ended.is_none());
}

#[test]
fn what_is_not_known_is_not_said_to_work() {
    let told = |grades: &[Grade]| {
        let mut desk = example::calm();
        desk.press("D");
        let of = |(at, grade): (usize, &Grade)| {
            finding(Subject::Source, &format!("s{at}"), *grade, "it was looked at", "look")
        };
        let findings = grades.iter().enumerate().map(of).collect();
        news(&mut desk, 31, findings);
        desk.press("<Esc>");
        desk.state.world.notices.current(desk.state.world.now).unwrap().notice.clone()
    };
    let unknown = told(&[Grade::Ok, Grade::Unknown, Grade::Unknown]);
    assert_eq!(unknown.level, Level::Warning);
    assert!(unknown.text.contains("0 critical, 0 to look at, 2 unknown"), "{}", unknown.text);
    let critical = told(&[Grade::Critical, Grade::Unknown, Grade::Warning]);
    assert_eq!(critical.level, Level::Error);
    assert!(critical.text.contains("1 critical, 1 to look at, 1 unknown"), "{}", critical.text);
    let well = told(&[Grade::Ok, Grade::Skipped]);
    assert_eq!(well.level, Level::Info);
    assert!(well.text.contains("everything would work now"), "{}", well.text);
    let nothing = told(&[Grade::Skipped]);
    assert_eq!(nothing.level, Level::Warning);
    assert!(nothing.text.contains("nothing could be judged"), "{}", nothing.text);
}

#[test]
fn the_selection_stays_on_its_finding_while_worse_ones_come_in_before_it() {
    let mut desk = half_way();
    desk.press("j");
    news(&mut desk, 31, later_news());
    let Some(Layer::Doctor(view)) = desk.state.view.layers.last() else { panic!("no list") };
    let selected = found(&desk.state).selected(view).unwrap();
    assert_eq!(selected.what, "answers in 12ms with 14 readings");
    assert!(found(&desk.state).position(view) > 1);
}

#[test]
fn esc_goes_one_step_back_at_a_time() {
    let mut desk = over();
    desk.press("/");
    assert_eq!(desk.state.view.context(), Context::Line);
    desk.press("drilled<Enter>");
    assert_eq!(desk.state.view.context(), Context::Findings);
    let Some(Layer::Doctor(view)) = desk.state.view.layers.last() else { panic!("no list") };
    assert_eq!(found(&desk.state).rows(&view.filter).len(), 1);
    desk.press("<Enter>");
    let steps = ["detail", "filter", "list"];
    for step in steps {
        let Some(Layer::Doctor(view)) = desk.state.view.layers.last() else { panic!("{step}") };
        assert_eq!(
            (view.detail.is_some(), !view.filter.is_empty()),
            (step == "detail", step != "list")
        );
        desk.press("<Esc>");
    }
    assert_eq!(desk.state.view.context(), Context::Panes);
}

#[test]
fn the_state_with_an_examination_can_be_kept() {
    let desk = over();
    let text = serde_json::to_string(&desk.state).unwrap();
    let back: State = serde_json::from_str(&text).unwrap();
    assert_eq!(found(&back).findings.len(), found(&desk.state).findings.len());
}

#[test]
fn what_was_found_is_drawn() {
    let mut detail = over();
    detail.press("<Enter>");
    let mut filtered = over();
    filtered.press("/").press("action");
    let mut begun = example::calm();
    begun.press("D");
    for (name, mut desk) in [
        ("begun", begun),
        ("half_way", half_way()),
        ("over", over()),
        ("detail", detail),
        ("filter", filtered),
    ] {
        for (columns, rows) in [(80, 24), (120, 40)] {
            let (buffer, _) = desk.screen(columns, rows, COLOURS);
            insta::assert_snapshot!(format!("doctor_{name}_{columns}"), screen::shown(&buffer));
        }
        for theme in [COLOURS, NO_COLOUR, ASCII] {
            for (columns, rows) in [(40, 10), (20, 5), (1, 1), (200, 60)] {
                let _ = desk.screen(columns, rows, theme);
            }
        }
    }
}

#[test]
fn the_menu_says_when_an_action_was_last_practised() {
    let mut catalog = example::catalog();
    for action in &mut catalog.actions {
        action.drill = true;
    }
    let mut production = Desk::new(catalog.clone());
    assert!(production.press("x").text().contains("not here: this is production"));
    catalog.environment = "staging".to_owned();
    let mut desk = Desk::new(catalog);
    assert!(desk.press("x").text().contains("never drilled; watchfloor run"));
    let past = PastRun {
        run: "r1".into(),
        action: desk.state.world.catalog.actions[0].id.clone(),
        target: None,
        wall: desk.now().wall - jiff::SignedDuration::from_hours(12 * 24),
        by: "bob@ops2".to_owned(),
        outcome: ActionOutcome::Confirmed,
        resolved: true,
        trace: Trace { drill: true, ..Trace::default() },
    };
    desk.send(Event::History(vec![past]));
    let text = desk.text();
    assert!(text.contains("last drilled 12d ago"), "{text}");
    assert!(text.contains("by bob@ops2, for practice"), "{text}");
}
