//! When the terminal is handed over.

use super::*;

fn begun(interactive: bool) -> Console {
    let mut console = Console::new();
    for action in &mut console.state.world.catalog.actions {
        action.interactive = interactive;
    }
    console.good("redis", &[("ping_ms", number(1.0))]).arm().prepare("warm");
    console.second = 1.0;
    console.command(Command::Confirm);
    console.second = 2.0;
    console.command(Command::Attach);
    assert_eq!(handed(&console), 0, "nothing has begun to run");
    console.report(ActionStage::Journaled).report(ActionStage::Started);
    console
}

/// By the last message.
fn handed(console: &Console) -> usize {
    console.effects.iter().filter(|effect| matches!(effect, Effect::Attach { .. })).count()
}

#[test]
fn a_run_that_asks_gets_the_terminal_when_it_begins_and_when_somebody_says_so() {
    let mut console = begun(true);
    assert_eq!(handed(&console), 1);
    console.command(Command::Attach);
    assert_eq!(handed(&console), 1);
    console.finish(Claim::Done, &[]);
    console.command(Command::Attach);
    assert_eq!(handed(&console), 0, "it has ended");
    assert!(console.said().contains("nothing is running"), "{}", console.said());
}

#[test]
fn a_run_that_asks_nothing_never_gets_it() {
    let mut console = begun(false);
    console.command(Command::Attach);
    assert_eq!(handed(&console), 0);
    assert!(console.said().contains("not interactive"), "{}", console.said());
}

#[test]
fn a_run_of_another_console_gets_it_only_when_somebody_says_so() {
    let mut console = begun(true);
    let id = console.state.world.actions.runs[0].id.clone();
    console.state.world.actions.run_mut(&id).unwrap().by = Some("ann@bastion".into());
    console.report(ActionStage::Started);
    assert_eq!(handed(&console), 0);
    console.command(Command::Attach);
    assert_eq!(handed(&console), 1);
}
