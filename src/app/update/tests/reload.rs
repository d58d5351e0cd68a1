//! A changed configuration.

use super::*;

#[test]
fn a_reload_closes_an_open_dialog() {
    let mut console = Console::new();
    console.arm().prepare("warm");
    console.tell(Event::Reloaded(Box::new(catalog())));
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
