//! A changed configuration.

use super::*;
use crate::app::msg::Reloaded;

fn reloaded(catalog: Catalog) -> Reloaded {
    Reloaded {
        catalog,
        read_only: false,
        utc: None,
        needs_restart: Vec::new(),
        since: Moment::at_seconds(0.0),
    }
}

fn tell(console: &mut Console, changed: Reloaded) {
    console.tell(Event::Reloaded(Box::new(changed)));
}

#[test]
fn a_reload_closes_an_open_dialog() {
    let mut console = Console::new();
    console.arm().prepare("warm");
    tell(&mut console, reloaded(catalog()));
    assert!(console.state.view.layers.is_empty());
    assert!(console.said().contains("dialog was closed"));
}

#[test]
fn a_refused_reload_keeps_the_old_configuration_and_stays_readable() {
    let mut console = Console::new();
    console.tell(Event::ReloadFailed("line 3: unknown key".to_owned()));
    assert!(console.said().contains("line 3"));
    console.tell(Event::Notice(Notice::info("later")));
    let all: Vec<&str> =
        console.state.world.notices.newest_first().map(|said| said.notice.text.as_str()).collect();
    assert!(all.iter().any(|text| text.contains("line 3")));
}

#[test]
fn a_configuration_that_becomes_read_only_disarms_and_says_so() {
    let mut console = Console::new();
    console.arm();
    tell(&mut console, Reloaded { read_only: true, ..reloaded(catalog()) });
    assert!(console.state.world.actions.armed.is_none());
    assert!(console.said().contains("it is read-only, and disarmed"), "{}", console.said());
    let noted = |effect: &Effect| matches!(effect, Effect::Note { kind: "disarmed", .. });
    assert!(console.effects.iter().any(noted));
    console.arm();
    assert!(console.state.world.actions.armed.is_none(), "it stays so");
    tell(&mut console, reloaded(catalog()));
    assert!(console.said().contains("no more read-only"), "{}", console.said());
    console.arm();
    assert!(console.state.world.actions.armed.is_some());
}

#[test]
fn what_takes_effect_only_at_the_next_start_is_named() {
    let mut console = Console::new();
    let needs_restart = vec!["display.color".to_owned(), "state.dir".to_owned()];
    tell(&mut console, Reloaded { needs_restart, utc: Some(true), ..reloaded(catalog()) });
    let said = console.said();
    assert!(said.contains("not, before the console is started again: display.color, state.dir"));
    assert!(console.state.view.utc);
}

#[test]
fn a_source_at_another_address_begins_anew_and_the_others_go_on() {
    let mut console = Console::new();
    for second in [1.0, 6.0] {
        console.at(second).good("redis", &counters(second * 1e3, 10.0));
        console.good("api", &[("status", word("ok")), ("total_ms", number(9.0))]);
    }
    let world = &console.state.world;
    assert!(world.sources.get(&"redis".into()).unwrap().last.is_some());
    let cached = world.caches.clone();
    tell(&mut console, Reloaded { since: Moment::at_seconds(6.5), ..reloaded(catalog()) });
    assert_eq!(console.state.world.caches, cached, "the same sources keep what they know");

    let mut changed = catalog();
    changed.sources.get_mut(&SourceId::from("redis")).unwrap().target = "redis://other".to_owned();
    tell(&mut console, Reloaded { since: Moment::at_seconds(7.0), ..reloaded(changed) });
    assert!(console.said().contains("begun anew, because it is another one: redis"));
    let row = console.check("redis answers");
    assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Waiting));
    assert_ne!(console.state.world.caches, cached, "counters of another server are none");
    assert_eq!(console.check("api says").quality, Quality::Fresh);
    // What the old one had said is still on its way.
    console.second = 6.9;
    console.good("redis", &counters(7e3, 10.0));
    assert_eq!(console.check("redis answers").quality, Quality::Waiting);
    console.second = 7.5;
    console.good("redis", &counters(7e3, 10.0));
    assert_eq!(console.check("redis answers").quality, Quality::Fresh);
}
