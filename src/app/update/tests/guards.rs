//! What must hold before an action is started.

use super::*;
use crate::domain::catalog::LoadSpec;

// --- guarded actions

#[test]
fn nothing_starts_unless_it_is_armed_and_arming_ends_by_itself() {
    let mut console = Console::new();
    console.command(Command::Prepare("warm".into()));
    assert!(console.said().contains(":arm"), "{}", console.said());
    console.arm().at(599.0);
    assert!(console.state.world.actions.armed_for(console.state.world.now).is_some());
    console.at(601.0);
    assert!(console.state.world.actions.armed.is_none());
    assert!(
        console
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Note { kind: "disarmed", .. }))
    );
    console.command(Command::Prepare("warm".into()));
    assert!(console.state.view.layers.is_empty());
}

#[test]
fn a_read_only_console_cannot_be_armed() {
    let mut console = Console::new();
    console.state.world.actions.read_only = true;
    console.arm();
    assert!(console.state.world.actions.armed.is_none());
    assert!(console.said().contains("read-only"));
}

#[test]
fn a_cheap_action_takes_y_and_nothing_else() {
    let mut console = Console::new();
    console.arm().prepare("warm");
    console.second = 1.0;
    for command in [Command::Enter, Command::Move(1), Command::PollNow] {
        console.command(command);
        assert!(console.started().is_none());
    }
    console.command(Command::Confirm);
    let start = console.started().unwrap();
    assert_eq!((start.confirmation.as_str(), start.digest.as_str()), ("y", "d1g35t"));
    assert_eq!(start.target, "shop/production");
}

#[test]
fn what_comes_while_the_dialog_is_open_blocks_it_there() {
    let mut console = Console::new();
    let warm =
        console.state.world.catalog.actions.iter_mut().find(|spec| spec.id.as_str() == "warm");
    warm.unwrap().refuse_when = vec![condition("redis.load > 80%")];
    console.arm().good("redis", &[("load", Value::Number(0.5))]).prepare("warm");
    console.at(2.0).good("redis", &[("load", Value::Number(0.9))]).at(3.0);
    assert_eq!(console.dialog().stage, crate::app::actions::Stage::Blocked);
    let preview = console.dialog().preview.as_ref().unwrap().as_ref().unwrap();
    assert!(preview.refusals[0].contains("redis.load > 80%"), "{:?}", preview.refusals);
    console.command(Command::Confirm);
    assert!(console.started().is_none());
}

#[test]
fn what_must_not_be_started_now_says_under_which_condition() {
    let mut console = Console::new();
    let warm =
        console.state.world.catalog.actions.iter_mut().find(|spec| spec.id.as_str() == "warm");
    warm.unwrap().refuse_when = vec![condition("redis.load > 80%")];
    console.arm().good("redis", &[("load", Value::Number(0.81))]);
    console.command(Command::Prepare("warm".into()));
    assert!(console.state.view.layers.is_empty());
    let said = console.said();
    assert!(said.contains("not while redis.load > 80%: it is 0.81"), "{said}");
    console.good("redis", &[("load", Value::Number(0.5))]).prepare("warm");
    assert!(console.dialog().clear_preview().is_some());
}

#[test]
fn a_condition_that_cannot_be_looked_at_is_said_and_refuses_nothing() {
    let mut console = Console::new();
    let warm =
        console.state.world.catalog.actions.iter_mut().find(|spec| spec.id.as_str() == "warm");
    warm.unwrap().refuse_when = vec![condition("redis.load > 80%")];
    console.arm().bad("redis", FailureKind::Refused).prepare("warm");
    let findings = &console.dialog().clear_preview().unwrap().findings;
    assert!(findings[0].starts_with("it is not known whether redis.load > 80%"), "{findings:?}");
}

#[test]
fn what_takes_a_cache_away_says_how_much_more_reaches_the_database() {
    let mut console = Console::new();
    let warm =
        console.state.world.catalog.actions.iter_mut().find(|spec| spec.id.as_str() == "warm");
    warm.unwrap().load = Some(LoadSpec { cache: "main".into(), database: None });
    let counted = |hits: f64, misses: f64| {
        [
            ("hits", Value::Number(hits)),
            ("misses", Value::Number(misses)),
            ("run", Value::Text("a".into())),
        ]
    };
    console.arm().good("redis", &counted(1_000.0, 1_000.0)).prepare("warm");
    let findings = console.dialog().clear_preview().unwrap().findings.clone();
    assert!(findings[0].contains("is not known"), "one look is no rate: {findings:?}");
    console.command(Command::Back).at(30.0).good("redis", &counted(1_900.0, 1_100.0));
    console.prepare("warm");
    let findings = &console.dialog().clear_preview().unwrap().findings;
    assert_eq!(
        findings[0],
        "Main cache answered 90 % of 1000 lookups in 30s: without it 10 times as many reach the database"
    );
}

#[test]
fn keys_typed_before_the_question_could_be_read_are_dropped() {
    let mut console = Console::new();
    console.arm().prepare("warm");
    console.second = 0.2;
    console.command(Command::Confirm);
    assert!(console.started().is_none());
    console.second = 0.4;
    console.command(Command::Confirm);
    assert!(console.started().is_some());
}

#[test]
fn a_disruptive_action_wants_a_reason_the_target_and_five_quiet_seconds() {
    let mut console = Console::new();
    console.arm().prepare("disable");
    console.second = 1.0;
    console.command(Command::Confirm).type_line("n");
    assert!(console.dialog().complaint.as_ref().unwrap().contains("say why"));
    console.type_line("o p99 is burning");
    console.second = 2.0;
    console.tell(Event::Edit(Edit::Paste("shop/production".to_owned())));
    assert!(console.dialog().complaint.as_ref().unwrap().contains("pasting is refused"));
    console.type_line("yes");
    assert!(console.dialog().complaint.as_ref().unwrap().contains("not shop/production"));
    console.tell(Event::Edit(Edit::Clear)).type_line("shop/production");
    assert_eq!(console.state.view.context(), Context::Countdown);
    console.at(6.0);
    assert!(console.started().is_none());
    console.at(7.1);
    let start = console.started().unwrap();
    assert_eq!(start.reason, "no p99 is burning");
    assert_eq!(start.confirmation, "shop/production");
}

#[test]
fn any_key_stops_the_countdown() {
    for event in [
        Event::Command(Command::Back),
        Event::Edit(Edit::Insert('x')),
        Event::Command(Command::Confirm),
    ] {
        let mut console = Console::new();
        console.arm().prepare("disable");
        console.second = 1.0;
        console.type_line("because");
        console.second = 2.0;
        console.type_line("shop/production");
        console.second = 4.0;
        console.tell(event);
        assert!(console.state.view.layers.is_empty());
        console.at(10.0);
        assert!(console.started().is_none() && console.state.world.actions.runs.is_empty());
    }
}

#[test]
fn a_preview_that_speaks_against_it_blocks() {
    let mut console = Console::new();
    console.arm().command(Command::Prepare("warm".into()));
    let run = console.dialog().run.clone();
    let mut refused = preview(&"warm".into(), Moment::at_seconds(0.0));
    refused.refusals.push("the server is a replica".to_owned());
    console.tell(Event::Previewed(Box::new(Previewed { run, outcome: Ok(refused) })));
    console.second = 1.0;
    console.command(Command::Confirm);
    assert!(console.started().is_none());
}

#[test]
fn an_old_preview_is_made_again() {
    let mut console = Console::new();
    console.arm().prepare("warm").at(61.0);
    assert!(console.effects.iter().any(|effect| matches!(effect, Effect::Preview { .. })));
    console.second = 62.0;
    console.command(Command::Confirm);
    assert!(console.started().is_none());
}
