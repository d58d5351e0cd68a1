//! Stories of runs that others started, that failed with an effect, and of second persons.

use std::time::Duration;

use super::{Console, action, number, preview};
use crate::{
    app::{
        actions::{Stage, dialog},
        command::Command,
        msg::{Effect, Event, Level},
        update::update,
    },
    domain::{
        action::{
            ActionEvent, ActionOutcome, ActionStage, Approval, Claim, PastRun, Previewed,
            RunResult, Standing, Trace,
        },
        failure::FailureKind,
        guard::Guard,
        ids::RunId,
        time::Moment,
    },
};

const REASON: &str = "the bookings table is corrupt";

/// A console whose action `flag` was answered with "no", proven by what redis says.
fn refused() -> Console {
    let mut console = Console::new();
    console.state.world.catalog.actions =
        vec![action("flag", Guard::G1, &["redis.flag == 1", "redis.up == true"])];
    console.good("redis", &[("flag", number(0.0))]).arm().prepare("flag");
    console.second = 1.0;
    console.command(Command::Confirm);
    console.second = 2.0;
    console.report(ActionStage::Started).finish(Claim::Refused, &[]);
    console
}

fn flag(console: &mut Console, value: f64) {
    let up = crate::domain::value::Value::Bool(true);
    console.good("redis", &[("flag", number(value)), ("up", up)]);
}

#[test]
fn what_says_no_is_looked_at_before_it_has_failed() {
    let mut console = refused();
    assert_eq!(console.outcome(), None, "an answer is no proof, neither way");
    console.second = 5.0;
    flag(&mut console, 0.0);
    assert_eq!(console.outcome(), None);
    console.at(18.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Failed));
    assert!(!console.said().contains("BUT"), "{}", console.said());
}

#[test]
fn what_says_no_and_has_its_effect_is_told_as_both() {
    let mut console = refused();
    console.second = 5.0;
    flag(&mut console, 1.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Failed));
    assert!(console.said().contains("FAILED, BUT its effect is there"), "{}", console.said());
    let evidence = console.effects.iter().find_map(|effect| match effect {
        Effect::Conclude { evidence, .. } => Some(evidence.join("; ")),
        _ => None,
    });
    assert!(evidence.unwrap().contains("its effect is there"));
}

#[test]
fn what_says_no_and_cannot_be_looked_at_has_failed() {
    let mut console = refused();
    console.at(5.0).bad("redis", FailureKind::Timeout).at(18.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Failed));
    let mut console = refused();
    console.command(Command::CancelRun);
    assert_eq!(console.outcome(), Some(ActionOutcome::Failed), "nobody waits any longer");
}

fn past(run: &str, action: &str, standing: Option<Standing>) -> PastRun {
    PastRun {
        run: RunId::from(run),
        action: action.into(),
        target: None,
        wall: Moment::at_seconds(0.0).wall,
        by: "ana@ops2".to_owned(),
        outcome: ActionOutcome::Unknown,
        resolved: false,
        trace: Trace { standing, ..Trace::default() },
    }
}

fn followed(console: &Console) -> Vec<String> {
    let run = |effect: &Effect| match effect {
        Effect::Follow { run, .. } => Some(run.to_string()),
        _ => None,
    };
    console.effects.iter().filter_map(run).collect()
}

#[test]
fn runs_of_others_are_followed_and_keep_only_their_own_action_off() {
    let mut console = Console::new();
    console.second = 100.0;
    let history = vec![
        past("r3", "warm", Some(Standing::Supervised)),
        past("r2", "warm", Some(Standing::Unsupervised { pid: 77 })),
        past("r1", "no_longer_configured", Some(Standing::Interrupted)),
    ];
    console.tell(Event::History(history.clone()));
    assert_eq!(followed(&console), ["r2", "r3"]);
    let said = console.said();
    for word in ["3 actions unresolved", "running, supervised", "process 77", "ana@ops2"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    // That one has been running since 0:00, and nobody ends it.
    let over = "process 77, 1:10 OVER its limit of 30s: nobody ends it but you (:cancel)";
    assert_eq!(said.matches("OVER its limit").count(), 1, "{said}");
    assert!(said.contains(over), "{said}");
    assert_eq!(console.state.world.actions.unresolved(), 1, "what cannot be followed stays listed");
    console.tell(Event::History(history));
    assert!(followed(&console).is_empty(), "not twice");
    console.arm().command(Command::Prepare("note".into()));
    assert!(console.effects.iter().any(|effect| matches!(effect, Effect::Preview { .. })));
    console.command(Command::Back).command(Command::Prepare("warm".into()));
    assert!(!console.effects.iter().any(|effect| matches!(effect, Effect::Preview { .. })));
    assert_eq!(console.dialog().stage, Stage::Running, "back to the run itself");
}

#[test]
fn an_interrupted_run_is_proven_by_the_next_console_with_what_was_before() {
    let mut console = Console::new();
    console.state.world.catalog.actions = vec![action("warm", Guard::G1, &["redis.keys > before"])];
    console.second = 100.0;
    let mut run = past("r", "warm", Some(Standing::Interrupted));
    run.trace.before.insert("redis.keys".into(), number(5.0));
    console.tell(Event::History(vec![run]));
    let result = RunResult {
        claim: Claim::Unclear,
        summary: "interrupted".to_owned(),
        readings: Default::default(),
        took: Duration::ZERO,
    };
    for stage in [ActionStage::Journaled, ActionStage::Started, ActionStage::Finished(result)] {
        let at = Moment::at_seconds(console.second);
        let event = ActionEvent { run: "r".into(), action: "warm".into(), at, stage };
        console.tell(Event::Action(Box::new(event)));
    }
    assert_eq!(console.outcome(), None);
    console.second = 102.0;
    console.good("redis", &[("keys", number(9.0))]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Confirmed));
    let run = console.state.world.actions.runs.back().unwrap();
    assert!(run.evidence().join(" ").contains("after the start"), "{:?}", run.evidence());
}

/// A console in which a second person is waited for.
fn waiting(reason: &str) -> Console {
    let mut console = Console::new();
    console.state.world.catalog.actions = vec![action("drop", Guard::G4, &[])];
    console.arm().prepare("drop");
    console.second = 1.0;
    console.type_line(reason);
    console.second = 2.0;
    console.type_line("shop/production");
    console
}

fn agreed(console: &Console, digest: &str) -> Event {
    Event::Approved(Box::new(Approval {
        run: console.dialog().run.clone(),
        digest: digest.to_owned(),
        by: "bob@ops1".to_owned(),
        at: Moment::at_seconds(3.0).wall,
        claim: true,
    }))
}

fn measured(console: &mut Console, digest: &str) {
    let dialog = console.dialog();
    assert_eq!(dialog.stage, Stage::Previewing);
    let mut preview = preview(&dialog.action, Moment::at_seconds(console.second));
    preview.digest = digest.to_owned();
    let run = dialog.run.clone();
    console.tell(Event::Previewed(Box::new(Previewed { run, outcome: Ok(preview) })));
}

#[test]
fn an_irreversible_action_asks_somebody_else_and_starts_when_they_agree() {
    let mut console = waiting(REASON);
    let asked = console.effects.iter().find_map(|effect| match effect {
        Effect::Ask { start, request } => Some((start.as_ref().clone(), request.clone())),
        _ => None,
    });
    let (asked, request) = asked.expect("asked");
    assert_eq!((asked.digest.as_str(), asked.reason.as_str()), ("d1g35t", REASON));
    assert_eq!(request, ["POST http://api/"]);
    // Longer than any other preview would count.
    console.at(300.0);
    assert!(matches!(console.dialog().stage, Stage::Approval { .. }));
    let other = agreed(&console, "another plan");
    console.tell(other);
    assert!(matches!(console.dialog().stage, Stage::Approval { .. }), "of another plan");
    let agreed = agreed(&console, "d1g35t");
    console.tell(agreed);
    assert!(console.said().contains("a CLAIM"), "{}", console.said());
    measured(&mut console, "d1g35t");
    assert!(matches!(console.dialog().stage, Stage::Countdown { .. }));
    console.at(305.5);
    let start = console.started().expect("started");
    assert!(start.needs_second && !start.break_glass);
}

#[test]
fn what_changed_while_somebody_was_asked_is_not_sent() {
    let mut console = waiting(REASON);
    let agreed = agreed(&console, "d1g35t");
    console.tell(agreed);
    measured(&mut console, "changed");
    assert_eq!(console.dialog().stage, Stage::Blocked);
    console.at(60.0);
    assert!(console.started().is_none());
}

#[test]
fn nobody_agrees_for_ever() {
    let mut console = waiting(REASON);
    console.at(601.0);
    assert!(matches!(console.dialog().stage, Stage::Approval { .. }));
    console.at(602.5);
    assert!(console.state.view.layers.is_empty());
    assert!(console.said().contains("nobody agreed"), "{}", console.said());
}

#[test]
fn breaking_the_glass_takes_a_long_reason_and_is_loud() {
    let mut console = waiting("quick");
    console.second = 3.0;
    console.type_line("break glass");
    let complaint = console.dialog().complaint.clone().unwrap_or_default();
    assert!(complaint.contains("20 characters"), "{complaint}");

    let mut console = waiting(REASON);
    console.second = 3.0;
    console.type_line("yes");
    assert!(console.dialog().complaint.is_some());
    console.command(Command::Back);
    let mut console = waiting(REASON);
    console.second = 3.0;
    console.type_line("break glass");
    let newest = console.state.world.notices.newest_first().next().unwrap();
    assert_eq!(newest.notice.level, Level::Error);
    measured(&mut console, "d1g35t");
    console.at(3.0 + dialog::COUNTDOWN.as_secs_f64() + 0.5);
    assert!(console.started().expect("started").break_glass);
}

#[test]
fn pasting_breaks_no_glass() {
    let mut console = waiting(REASON);
    let at = Moment::at_seconds(3.0);
    let event = Event::Edit(crate::app::command::Edit::Paste("break glass".to_owned()));
    update(&mut console.state, crate::app::msg::Msg { at, event });
    assert!(console.dialog().complaint.as_ref().is_some_and(|text| text.contains("refused")));
}

/// Several targets can share a journal, and have actions of the same name.
#[test]
fn a_run_on_another_target_is_neither_followed_nor_judged_nor_rested_from() {
    let mut console = Console::new();
    let elsewhere = |standing| PastRun {
        target: Some("shop/staging".to_owned()),
        ..past("r-1", "warm", Some(standing))
    };
    console.tell(Event::History(vec![elsewhere(Standing::Supervised)]));
    assert!(console.state.world.actions.runs.is_empty());
    assert_eq!(console.state.world.actions.unresolved(), 0);
    assert_eq!(console.state.world.actions.last_of(&"warm".into()), None);
    assert!(!console.effects.iter().any(|effect| matches!(effect, Effect::Follow { .. })));
    assert!(!console.said().contains("staging"), "{}", console.said());
    // What nobody looks after there is told once, and left alone.
    for _ in 0..2 {
        console.tell(Event::History(vec![elsewhere(Standing::Interrupted)]));
    }
    let told = console.state.world.notices.newest_first();
    let told = told.filter(|said| said.notice.text.contains("warm of shop/staging"));
    assert_eq!(told.count(), 1);
    console.arm().prepare("warm");
}

/// It began before this console did, whose own clock knows nothing of that time.
#[test]
fn the_age_of_a_run_of_another_console_is_that_of_the_run() {
    let mut console = Console::new();
    console.second = 5.0;
    let hour = Duration::from_secs(3_600);
    let began = Moment::at_seconds(0.0).wall.checked_sub(hour).unwrap();
    let standing = Some(Standing::Supervised);
    console.tell(Event::History(vec![PastRun { wall: began, ..past("r-1", "warm", standing) }]));
    let run = console.state.world.actions.runs.back().unwrap();
    assert_eq!(run.age(console.state.world.now), hour + Duration::from_secs(5));
}
