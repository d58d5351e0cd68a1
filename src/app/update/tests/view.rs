//! Keys, the palette, and what is looked at.

use super::*;

// --- moving about

#[test]
fn escape_closes_the_topmost_thing_and_never_leaves() {
    let mut console = Console::new();
    console.command(Command::Zoom).command(Command::Freeze).command(Command::Filter);
    console.type_line("redis").command(Command::Help);
    let mut steps = 0;
    while !console.state.view.layers.is_empty()
        || !console.state.view.pane(Pane::Health).filter.is_empty()
        || console.state.frozen.is_some()
        || console.state.view.zoomed
    {
        console.command(Command::Back);
        steps += 1;
        assert!(steps < 10);
    }
    assert_eq!(steps, 4);
    console.command(Command::Back);
    assert!(!console.effects.contains(&Effect::Quit));
    console.command(Command::Quit);
    assert!(console.effects.contains(&Effect::Quit));
}

#[test]
fn control_c_leaves_only_the_second_time_within_two_seconds() {
    let mut console = Console::new();
    console.command(Command::Interrupt);
    console.second = 3.0;
    console.command(Command::Interrupt);
    assert!(!console.effects.contains(&Effect::Quit));
    console.second = 4.0;
    console.command(Command::Interrupt);
    assert!(console.effects.contains(&Effect::Quit));
}

#[test]
fn the_selection_stays_with_the_thing_when_the_order_changes() {
    let mut console = Console::new();
    for second in [1.0, 2.0] {
        console.at(second).good("redis", &[("ping_ms", number(1.0))]);
        console.good("api", &[("status", word("ok"))]);
    }
    console.command(Command::Last);
    let selected = rows::selected(&console.state, Pane::Health).unwrap();
    assert_eq!(selected, "redis answers");
    console.at(3.0).bad("redis", FailureKind::Refused);
    assert_eq!(health::rows(&console.state.world)[0].id.as_str(), "redis answers");
    assert_eq!(rows::selected(&console.state, Pane::Health).unwrap(), selected);
}

#[test]
fn pages_turn_the_detail_of_a_zoomed_check_and_another_row_begins_at_its_top() {
    let mut console = Console::new();
    console.command(Command::Zoom).command(Command::Page(1));
    assert!(console.state.view.pane(Pane::Health).scroll > 0);
    console.command(Command::Move(1));
    let view = console.state.view.pane(Pane::Health);
    assert_eq!((view.scroll, view.selected.is_some()), (0, true));
}

#[test]
fn frozen_panes_stand_still_while_data_comes_in() {
    let mut console = Console::new();
    console.good("redis", &[("ping_ms", number(1.0))]).command(Command::Freeze);
    for second in [1.0, 2.0, 3.0] {
        console.at(second).bad("redis", FailureKind::Refused);
    }
    assert_eq!(health::rows(console.state.shown())[1].verdict, Verdict::Ok);
    assert_eq!(console.check("redis answers").verdict, Verdict::Critical);
    console.command(Command::Freeze);
    assert_eq!(health::rows(console.state.shown())[0].verdict, Verdict::Critical);
}

#[test]
fn text_pasted_where_nothing_can_be_typed_does_nothing() {
    let mut console = Console::new();
    let before = console.state.view.clone();
    console.tell(Event::Edit(Edit::Paste("xdy\r:arm 10m boo\r".to_owned())));
    assert_eq!(console.state.view, before);
    assert!(console.said().contains("17 pasted characters were dropped"), "{}", console.said());
}

#[test]
fn the_palette_reads_commands_actions_and_says_what_is_wrong() {
    let console = Console::new();
    let world = &console.state.world;
    let minutes = |n: u64| Duration::from_secs(n * 60);
    let cases = [
        (
            "arm 10m the deploy",
            Ok(Command::Arm { lasting: minutes(10), reason: "the deploy".to_owned() }),
        ),
        ("warm", Ok(Command::Prepare("warm".into()))),
        ("run disable", Ok(Command::Prepare("disable".into()))),
        ("deploy v42", Ok(Command::MarkDeploy("v42".to_owned()))),
        ("q", Ok(Command::QuitNow)),
        ("arm 10m", Err("write: arm 10m REASON")),
        ("arm 9h because", Err("write: arm 10m REASON")),
        ("helpp", Err("there is no command helpp")),
        ("zoom 3", Err("zoom takes no argument")),
        ("", Err("type the name")),
    ];
    for (line, expected) in cases {
        match (palette::parse(world, line), expected) {
            (Ok(got), Ok(want)) => assert_eq!(got, want, "{line}"),
            (Err(got), Err(want)) => assert!(got.contains(want), "{line}: {got}"),
            (got, want) => panic!("{line}: {got:?}, expected {want:?}"),
        }
    }
    assert_eq!(palette::proposals(world, "esc")[0].text, "escalation");
    assert!(!palette::proposals(world, "warm")[0].enabled);
}

#[test]
fn a_contacted_level_has_a_clock_and_then_is_overdue() {
    let mut console = Console::new();
    console.command(Command::FocusPane(5)).command(Command::Contacted(true));
    let row = |console: &Console| crate::app::escalation::rows(&console.state.world).remove(0);
    assert_eq!(row(&console).remaining, Some(Duration::from_secs(900)));
    console.at(1_000.0);
    assert_eq!(row(&console).remaining, None);
    assert_eq!(row(&console).overdue, Some(Duration::from_secs(100)));
    assert!(!crate::app::escalation::rows(&console.state.world)[1].spec.is_configured());
    // The same key again does not stop what it started.
    console.command(Command::Contacted(true));
    assert_eq!(row(&console).overdue, Some(Duration::from_secs(100)));
    assert!(console.said().contains(":contacted off"), "{}", console.said());
    console.command(Command::Contacted(false));
    assert_eq!(row(&console).contacted, None);
    console.command(Command::Contacted(false));
    assert!(console.said().contains("no clock runs"), "{}", console.said());
}
