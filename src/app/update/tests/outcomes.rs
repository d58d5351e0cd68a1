//! How a run ends, and what proves it.

use super::*;

#[test]
fn the_effect_must_be_seen_after_the_end() {
    let mut console = Console::new();
    console.good("redis", &[("ping_ms", number(1.0))]).arm().prepare("warm");
    console.second = 1.0;
    console.command(Command::Confirm);
    console.second = 2.0;
    console.report(ActionStage::Journaled).report(ActionStage::Started);
    console.finish(Claim::Done, &[("keys", number(20.0))]);
    assert!(console.effects.contains(&Effect::Poll(vec!["redis".into()])));
    assert_eq!(console.outcome(), None, "what was seen before it ended proves nothing");
    console.second = 3.0;
    console.good("redis", &[("ping_ms", number(1.0))]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Confirmed));
    let concluded = console.effects.iter().find_map(|effect| match effect {
        Effect::Conclude { outcome, evidence, .. } => Some((*outcome, evidence.join("\n"))),
        _ => None,
    });
    let (outcome, evidence) = concluded.expect("concluded");
    assert_eq!(outcome, ActionOutcome::Confirmed);
    // It was so before, too: the run may have done nothing.
    assert!(evidence.contains("and held before"), "{evidence}");
    assert!(evidence.contains("all of it was so before"), "{evidence}");
}

#[test]
fn what_was_so_before_is_not_taken_for_the_effect_of_what_failed() {
    for (before, effective) in [(1.0, false), (900.0, true)] {
        let mut console = Console::new();
        console.good("redis", &[("ping_ms", number(before))]).arm().prepare("warm");
        console.second = 1.0;
        console.command(Command::Confirm);
        console.second = 2.0;
        console.report(ActionStage::Journaled).report(ActionStage::Started);
        console.finish(Claim::Refused, &[("keys", number(20.0))]);
        console.second = 3.0;
        console.good("redis", &[("ping_ms", number(1.0))]);
        assert_eq!(console.outcome(), Some(ActionOutcome::Failed));
        let run = console.state.world.actions.runs.back().unwrap();
        assert_eq!(run.failed_but_effective(), effective, "{before}: {:?}", run.proofs);
    }
}

/// Starts `warm` and lets its carrying out end with a claim at second 2.
fn ran(claim: Claim, readings: &[(&str, Value)]) -> Console {
    let mut console = Console::new();
    console.good("redis", &[("ping_ms", number(1.0))]).arm().prepare("warm");
    console.second = 1.0;
    console.command(Command::Confirm);
    console.second = 2.0;
    console.report(ActionStage::Started).finish(claim, readings);
    console
}

#[test]
fn success_without_effect_is_refuted() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.at(60.0).good("redis", &[("ping_ms", number(90.0))]);
    assert_eq!(console.outcome(), None);
    console.at(63.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Refuted));
    let last = console.state.world.notices.newest_first().next().unwrap();
    assert_eq!(last.notice.level, Level::Error);
}

#[test]
fn an_answer_that_proves_nothing_is_not_waited_for() {
    let console = ran(Claim::Done, &[("keys", number(0.0))]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Refuted));
    let console = ran(Claim::Done, &[]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown), "the answer has no keys");
}

#[test]
fn a_server_that_restarted_cannot_be_compared_with_what_it_was_before() {
    let mut console = Console::new();
    console.state.world.catalog.actions = vec![action("warm", Guard::G1, &["redis.keys < before"])];
    let server = |run: &str, keys| [("keys", number(keys)), ("run_id", word(run))];
    console.good("redis", &server("a", 100.0)).arm().prepare("warm");
    console.second = 1.0;
    console.command(Command::Confirm);
    console.second = 2.0;
    console.report(ActionStage::Started).finish(Claim::Unclear, &[]);
    console.second = 3.0;
    console.good("redis", &server("b", 0.0));
    assert_eq!(console.outcome(), None);
    console.at(63.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
}

#[test]
fn an_exit_code_alone_proves_nothing() {
    let mut console = Console::new();
    console.state.world.catalog.actions =
        vec![action("warm", Guard::G1, &["result.exit_code == 0"])];
    console.arm().prepare("warm");
    console.second = 1.0;
    console.command(Command::Confirm);
    console.finish(Claim::Done, &[("exit_code", number(0.0))]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
}

#[test]
fn waiting_for_a_proof_can_be_given_up() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.command(Command::CancelRun);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
    assert!(console.effects.iter().any(|effect| matches!(effect, Effect::Conclude { .. })));
}

#[test]
fn an_effect_that_cannot_be_seen_is_unknown_and_so_is_an_unclear_end() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.at(60.0).bad("redis", FailureKind::Timeout).at(63.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
    let mut console = ran(Claim::Unclear, &[("keys", number(5.0))]);
    console.at(60.0).good("redis", &[("ping_ms", number(90.0))]).at(63.0);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
}

#[test]
fn what_was_refused_cancelled_or_never_sent_ends_as_that() {
    for (claim, outcome) in [
        (Claim::Refused, ActionOutcome::Failed),
        (Claim::Cancelled, ActionOutcome::Cancelled),
        (Claim::NotSent, ActionOutcome::NeverStarted),
    ] {
        assert_eq!(ran(claim, &[]).outcome(), Some(outcome));
    }
}

#[test]
fn without_a_proof_the_best_outcome_is_unknown() {
    let mut console = Console::new();
    console.arm().prepare("note");
    console.second = 1.0;
    console.type_line("because");
    console.second = 2.0;
    console.command(Command::Confirm);
    console.finish(Claim::Done, &[]);
    assert_eq!(console.outcome(), Some(ActionOutcome::Unknown));
}

#[test]
fn one_at_a_time_and_not_again_before_it_has_cooled_down() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.command(Command::Prepare("note".into()));
    assert!(console.said().contains("Do warm is not proven yet"), "{}", console.said());
    console.second = 3.0;
    console.good("redis", &[("ping_ms", number(1.0))]).command(Command::Prepare("warm".into()));
    assert!(console.said().contains("cooling down, 1:58 left"), "{}", console.said());
}

#[test]
fn without_a_journal_nothing_starts() {
    let mut console = Console::new();
    console.arm().prepare("warm");
    console.tell(Event::JournalFailed("no space left".to_owned()));
    console.second = 1.0;
    console.command(Command::Confirm);
    assert!(console.started().is_none());
    assert!(console.said().contains("no space left"));
}

#[test]
fn an_action_of_an_earlier_console_without_an_end_is_said_at_the_start() {
    let mut console = Console::new();
    console.tell(Event::History(vec![PastRun {
        run: RunId::from("r"),
        action: "warm".into(),
        target: None,
        wall: Moment::at_seconds(0.0).wall,
        by: "ana".to_owned(),
        outcome: ActionOutcome::Unknown,
        resolved: false,
        trace: Default::default(),
    }]));
    assert!(console.said().starts_with("1 action unresolved: no known end"));
}

#[test]
fn leaving_while_an_action_is_unproven_must_be_asked_for_twice() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.command(Command::Back).command(Command::Quit);
    assert!(!console.effects.contains(&Effect::Quit));
    console.command(Command::Quit);
    assert!(console.effects.contains(&Effect::Quit));
}

#[test]
fn leaving_all_the_same_leaves_the_end_to_the_next_console() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    console.command(Command::QuitNow);
    assert!(console.said().contains("the next console follows it"), "{}", console.said());
    console.command(Command::QuitNow);
    assert!(console.effects.contains(&Effect::Quit));
    let concluded = |effect: &Effect| matches!(effect, Effect::Conclude { .. });
    assert!(!console.effects.iter().any(concluded));
}

#[test]
fn the_dialog_of_a_run_can_be_opened_again() {
    let mut console = ran(Claim::Done, &[("keys", number(5.0))]);
    let run = console.dialog().run.clone();
    console.command(Command::Back).command(Command::Prepare("warm".into()));
    assert_eq!(console.dialog().run, run);
    assert_eq!(console.state.view.context(), Context::Run);
    assert!(console.started().is_none());
}

#[test]
fn the_document_names_who_ran_it() {
    let mut console = ran(Claim::NotSent, &[]);
    console.state.world.actions.operator = "ana@bastion".to_owned();
    let document = summary::summary(&console.state.world);
    let last = document.actions.iter().find_map(|action| action.last.as_ref()).unwrap();
    assert_eq!(last.by, "ana@bastion");
}

#[test]
fn a_run_that_never_started_has_nothing_to_rest_from() {
    let mut console = ran(Claim::NotSent, &[]);
    assert_eq!(console.outcome(), Some(ActionOutcome::NeverStarted));
    console.second = 3.0;
    console.command(Command::Back).command(Command::Prepare("warm".into()));
    assert!(!console.said().contains("cooling down"), "{}", console.said());
    assert!(console.effects.iter().any(|effect| matches!(effect, Effect::Preview { .. })));
}

#[test]
fn a_journal_that_works_again_allows_actions_again() {
    let mut console = Console::new();
    console.arm().tell(Event::JournalFailed("no space left".to_owned()));
    console.command(Command::Prepare("warm".into()));
    assert!(console.said().contains("no space left"));
    let probed = |effect: &Effect| matches!(effect, Effect::Note { kind: "journal", .. });
    assert!(console.effects.iter().any(probed), "wanting it looks again");
    console.tell(Event::JournalWorks);
    assert!(console.said().contains("can be written again"));
    console.command(Command::Prepare("warm".into()));
    assert!(console.effects.iter().any(|effect| matches!(effect, Effect::Preview { .. })));
}

#[test]
fn what_has_acted_can_be_undone_from_where_its_end_is_shown() {
    let undone = |outcome: Claim| {
        let mut console = Console::new();
        let actions = &mut console.state.world.catalog.actions;
        let warm = actions.iter_mut().find(|spec| spec.id.as_str() == "warm").unwrap();
        warm.undo = Some("cool".into());
        actions.push(action("cool", Guard::G1, &[]));
        console.good("redis", &[("ping_ms", number(1.0))]).arm().prepare("warm");
        console.second = 1.0;
        console.command(Command::Confirm);
        console.command(Command::Undo);
        assert!(console.said().contains("not over"), "{}", console.said());
        console.second = 2.0;
        console.report(ActionStage::Journaled);
        console.finish(outcome, &[]);
        console.command(Command::Undo);
        console
    };
    let console = undone(Claim::Cancelled);
    assert_eq!(console.dialog().action.as_str(), "cool");
    assert_eq!(console.dialog().stage, crate::app::actions::Stage::Previewing);
    let console = undone(Claim::NotSent);
    assert_eq!(console.dialog().action.as_str(), "warm", "it did nothing");
    assert!(console.said().contains("nothing to undo it with"), "{}", console.said());
}
