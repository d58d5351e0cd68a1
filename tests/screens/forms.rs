//! Forms: what an action asks for before it is measured, confirmed and sent.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::{sync::Arc, time::Duration};

use insta::assert_snapshot;
use watchfloor::{
    app::{
        command::Edit,
        msg::{Effect, Event, Msg},
        view::{Context, Layer},
    },
    domain::{
        ask::{Answer, Ask, Candidates, Deny, Pattern},
        catalog::{ActionSpec, Proof},
        condition::Condition,
        failure::FailureKind,
        guard::Guard,
        ids::{ActionId, SourceId},
        value::Value,
        wanted::Wanted,
    },
    ui::keys,
};

use crate::common::{
    desk::{self, COLOURS, Desk},
    example, screen,
};

fn shown(desk: &mut Desk, columns: u16, rows: u16) -> String {
    let (buffer, cursor) = desk.screen(columns, rows, COLOURS);
    format!("{}cursor: {cursor:?}\n", screen::shown(&buffer))
}

fn ask(name: &str, title: &str, pattern: &str) -> Ask {
    Ask {
        name: name.to_owned(),
        title: title.to_owned(),
        hint: None,
        default: None,
        pattern: (!pattern.is_empty()).then(|| Pattern::parse(pattern).expect("a pattern")),
        wanted: None,
        choices: Vec::new(),
        candidates: None,
        secret: false,
        max_length: 40,
        deny: Vec::new(),
    }
}

/// A console with an action that asks for four things.
fn console() -> Desk {
    let mut desk = example::armed();
    let block = desk.state.world.catalog.actions[1].clone();
    let from = Candidates {
        source: SourceId::from("api"),
        reading: "candidates".into(),
        labels: Some("labels".into()),
    };
    let asks = vec![
        Ask {
            hint: Some("such as dpl_4f2a".to_owned()),
            candidates: Some(from),
            ..ask("to", "Deployment", "dpl_[a-z0-9]+")
        },
        Ask {
            hint: Some("an address, such as 203.0.113.7".to_owned()),
            deny: vec![Deny {
                pattern: Pattern::parse(r"10\..*").expect("a pattern"),
                why: "a private address: that would block our own machines".to_owned(),
            }],
            ..ask("ip", "Address to block", "[0-9]{1,3}(\\.[0-9]{1,3}){3}")
        },
        Ask {
            choices: vec!["off".to_owned(), "on".to_owned()],
            default: Some("off".to_owned()),
            ..ask("mode", "Mode", "")
        },
        Ask {
            secret: true,
            hint: Some("8 characters at least".to_owned()),
            ..ask("token", "One-time token", ".{8,}")
        },
    ];
    let when = Condition::parse("api.deployment == \"${ask.to}\"").expect("a condition");
    let spec = ActionSpec {
        id: ActionId::from("block"),
        title: "Roll back and block an address".to_owned(),
        guard: Guard::G1,
        key: Some('b'),
        proof: vec![Proof { when }],
        asks,
        ..block
    };
    desk.state.world.catalog.actions.push(spec);
    desk
}

fn candidates(desk: &mut Desk) -> &mut Desk {
    let names = ["dpl_4f2a", "dpl_4f19", "dpl_3c77", "--not-one"];
    let list = Value::List(names.iter().map(|name| Arc::from(*name)).collect());
    desk.answer("api", &[("candidates", list)])
}

/// Everything but the token, whose field has the keys.
fn filled() -> Desk {
    let mut desk = console();
    candidates(&mut desk);
    desk.press("xb").press("dpl_4f2a<Enter>203.0.113.7<Enter><Down><Enter>");
    desk
}

fn previews(desk: &Desk) -> usize {
    desk.effects.iter().filter(|effect| matches!(effect, Effect::Preview { .. })).count()
}

#[test]
fn a_form_in_its_stages() {
    let mut desk = console();
    desk.press("xb");
    assert_snapshot!("form_1_no_candidates", shown(&mut desk, 80, 24));
    candidates(&mut desk);
    assert_snapshot!("form_1_open", shown(&mut desk, 80, 24));
    assert_snapshot!("form_1_open_120x40", shown(&mut desk, 120, 40));
    assert_snapshot!("form_1_open_40x10", shown(&mut desk, 40, 10));
    desk.press("4f<Down><Down>");
    assert_snapshot!("form_2_choosing", shown(&mut desk, 80, 24));
    assert_snapshot!("form_2_choosing_120x40", shown(&mut desk, 120, 40));
    desk.press("<Enter>10.0.0.9");
    assert_snapshot!("form_3_refused", shown(&mut desk, 80, 24));
    assert_snapshot!("form_3_refused_120x40", shown(&mut desk, 120, 40));
    desk.press("<C-u>203.0.113.7<Enter><Down><Enter>hunter2");
    assert_snapshot!("form_4_secret", shown(&mut desk, 80, 24));
    desk.fail("api", FailureKind::Timeout, "no answer within 5 s");
    desk.press("<Tab>");
    assert_snapshot!("form_5_source_failed", shown(&mut desk, 80, 24));
}

#[test]
fn enter_behind_the_last_field_shows_what_would_be_done_with_exactly_these_values() {
    let mut desk = filled();
    assert_eq!(previews(&desk), 0, "nothing is measured before everything is there");
    desk.press("hunter22!<Enter>");
    let asked = desk.effects.iter().find_map(|effect| match effect {
        Effect::Preview { asked, .. } => Some(asked.clone()),
        _ => None,
    });
    let asked = asked.expect("a preview was asked for");
    let given: Vec<(&str, &str)> =
        asked.iter().map(|(name, answer)| (name, answer.expose())).collect();
    let expected =
        [("ip", "203.0.113.7"), ("mode", "on"), ("to", "dpl_4f2a"), ("token", "hunter22!")];
    assert_eq!(given, expected);
    assert!(asked.get("token").is_some_and(Answer::is_secret));
    desk.preview(|preview| preview.request = vec!["POST https://x/dpl_4f2a".to_owned()]);
    desk.pause(0.5);
    let text = desk.text();
    assert!(text.contains("dpl_4f2a") && text.contains("⟨secret⟩"), "{text}");
    assert!(!text.contains("hunter22"), "{text}");
    desk.press("y");
    let started = desk.effects.iter().find_map(|effect| match effect {
        Effect::Start(start) => Some(start.clone()),
        _ => None,
    });
    assert_eq!(started.expect("it was started").asked, asked);
    let run = desk.state.world.actions.runs.back().expect("a run");
    assert_eq!(run.asked["token"], "⟨secret⟩");
    assert_eq!(run.proofs[0].when.to_string(), "api.deployment == \"dpl_4f2a\"");
}

fn lists(desk: &mut Desk, names: &[&str]) {
    let list = Value::List(names.iter().map(|name| Arc::from(*name)).collect());
    desk.answer("api", &[("candidates", list)]);
}

fn first_field(desk: &Desk) -> (String, usize, Option<String>) {
    let Some(Layer::Form(form)) = desk.state.view.layers.last() else { panic!("no form") };
    (form.fields[0].text.expose().to_owned(), form.focus, form.complaint.clone())
}

#[test]
fn what_was_chosen_stays_chosen_while_the_list_changes() {
    let mut desk = console();
    candidates(&mut desk);
    desk.press("xb<Down><Down>");
    // A new deployment comes in before the chosen one.
    lists(&mut desk, &["dpl_new1", "dpl_4f2a", "dpl_4f19", "dpl_3c77"]);
    desk.press("<Enter>");
    assert_eq!(first_field(&desk), ("dpl_4f19".to_owned(), 1, None));
}

#[test]
fn what_was_chosen_and_is_gone_is_not_replaced_by_another() {
    let mut desk = console();
    candidates(&mut desk);
    desk.press("xb<Down><Down>");
    lists(&mut desk, &["dpl_4f2a", "dpl_3c77"]);
    desk.press("<Enter>");
    let (text, focus, complaint) = first_field(&desk);
    assert_eq!((text.as_str(), focus), ("", 0));
    assert!(complaint.unwrap_or_default().contains("dpl_4f19 is not listed any more"));
    desk.press("<Down><Enter>");
    assert_eq!(first_field(&desk), ("dpl_4f2a".to_owned(), 1, None));
}

#[test]
fn nothing_goes_on_before_every_value_is_sound() {
    let mut desk = filled();
    desk.press("short<Enter>");
    assert_eq!((previews(&desk), desk.state.view.context()), (0, Context::Form));
    // The first one that is wrong gets the keys.
    desk.press("<C-u>long enough<Tab><Tab><C-u>10.0.0.1<Tab><Tab><Enter>");
    assert_eq!(previews(&desk), 0);
    let Some(Layer::Form(form)) = desk.state.view.layers.last() else { panic!("no form") };
    assert_eq!(form.focus, 1);
    for keys in ["<Esc>", "<C-c>"] {
        let mut desk = filled();
        desk.press("hunter22!").press(keys);
        assert_eq!((previews(&desk), desk.started()), (0, false));
        assert_eq!(desk.state.view.context(), Context::Panes);
    }
}

#[test]
fn one_line_can_be_pasted_and_is_taken_whole_or_not_at_all() {
    let mut desk = console();
    desk.press("xb").paste("dpl_9\n");
    let typed = |desk: &Desk| match desk.state.view.layers.last() {
        Some(Layer::Form(form)) => {
            (form.fields[form.focus].text.expose().to_owned(), form.complaint.clone())
        }
        other => panic!("no form: {other:?}"),
    };
    assert_eq!(typed(&desk), ("dpl_9".to_owned(), None));
    for (pasted, why) in [
        ("a\nb", "more than one line"),
        ("a\u{1b}[2Jb", "control characters"),
        (&*"x".repeat(41), "40 characters at most"),
    ] {
        desk.paste(pasted);
        let (text, complaint) = typed(&desk);
        assert_eq!(text, "dpl_9");
        assert!(complaint.as_ref().is_some_and(|said| said.contains(why)), "{complaint:?}");
    }
}

/// What is recorded are the messages and the state: neither may hold what is typed.
#[test]
fn a_secret_is_in_no_message_and_in_no_state() {
    let mut desk = filled();
    let mut record = String::new();
    for key in desk::parse("k9q7<Back>zw8jv5") {
        let event = keys::resolve(&desk.state, key).expect("it means something");
        record += &serde_json::to_string(&Msg { at: desk.now(), event: event.clone() }).unwrap();
        desk.send(event);
    }
    let event = keys::paste(&desk.state, "pasted-canary");
    record += &serde_json::to_string(&Msg { at: desk.now(), event: event.clone() }).unwrap();
    assert!(!format!("{event:?}").contains("canary"));
    desk.send(event);
    desk.press("<Enter>");
    desk.preview(|_| {}).pause(0.5);
    desk.press("y");
    assert!(desk.started());
    let state = serde_json::to_string(&desk.state).unwrap();
    let debug = format!("{:?} {:?}", desk.state, desk.effects);
    for text in [&record, &state, &debug] {
        assert!(!text.contains("canary") && !text.contains("zw8jv5"), "{text}");
    }
    for letter in ["k", "9", "q", "z", "w", "8", "j"] {
        assert!(!record.contains(&format!("\"{letter}\"")), "{letter} is in {record}");
    }
    // A character of anything else is in the record.
    let mut desk = console();
    desk.press("xb");
    let event = keys::resolve(&desk.state, desk::parse("q")[0]).expect("a letter");
    assert_eq!(event, Event::Edit(Edit::Insert('q')));
}

#[test]
fn a_form_of_a_changed_configuration_is_closed() {
    let mut desk = filled();
    desk.state.world.catalog.actions.last_mut().expect("an action").asks.pop();
    desk.press("hunter22!<Enter>");
    assert_eq!(previews(&desk), 0);
    assert!(desk.text().contains("has changed: begin again"), "{}", desk.text());
}

/// A console with an action that asks for an end, and the end that was typed.
fn until(within: u64) -> (Desk, String) {
    let mut desk = console();
    let position = desk.state.world.catalog.actions.len() - 1;
    let wanted = Some(Wanted::Time { within: Some(Duration::from_secs(within)) });
    let ask = Ask { wanted, ..ask("until", "Until when", "") };
    let proof = vec![Proof { when: Condition::parse("api.up == true").expect("a condition") }];
    let spec = &mut desk.state.world.catalog.actions[position];
    (spec.asks, spec.proof) = (vec![ask], proof);
    let end = desk.now().plus(Duration::from_secs(120)).wall.to_string();
    (desk, end)
}

#[test]
fn a_time_is_still_to_come_when_it_is_typed_and_when_the_run_starts() {
    let (mut desk, end) = until(3600);
    desk.press("xb");
    assert_snapshot!("form_6_time_hint", shown(&mut desk, 80, 24));
    desk.press("2020-01-01T00:00Z<Enter>");
    assert_snapshot!("form_6_time_over", shown(&mut desk, 80, 24));
    assert_eq!(previews(&desk), 0);
    desk.press("<C-u>").press(&end).press("<Enter>");
    assert_eq!(previews(&desk), 1);
    desk.preview(|_| {});
    // The dialog is left open until the end is over.
    desk.pause(121.0);
    desk.press("y").preview(|_| {});
    desk.pause(0.5);
    desk.press("y");
    assert!(!desk.started(), "{}", desk.text());
    let text = desk.text();
    assert!(text.contains("that is over"), "{text}");
}

#[test]
fn candidates_come_with_what_tells_them_apart() {
    let mut desk = console();
    let texts = |texts: &[&str]| Value::List(texts.iter().map(|text| Arc::from(*text)).collect());
    let names = texts(&["dpl_4f2a", "dpl_4f19", "dpl_3c77b", "--not-one"]);
    let labels = [
        "2026-01-01 00:02Z  main  Show prices of the week",
        "",
        "2025-12-31 18:40Z  main  A long message of a commit that nobody could shorten to one line of eighty columns",
        "not one",
    ];
    desk.answer("api", &[("candidates", names.clone()), ("labels", texts(&labels))]);
    desk.press("xb<Down>");
    assert_snapshot!("form_7_labels_80x24", shown(&mut desk, 80, 24));
    assert_snapshot!("form_7_labels_120x40", shown(&mut desk, 120, 40));
    // What tells it apart finds it, and its name is what is given.
    desk.press("prices");
    assert!(desk.text().contains("1 of 3 to choose from"), "{}", desk.text());
    desk.press("<Down><Enter>");
    assert_eq!(first_field(&desk), ("dpl_4f2a".to_owned(), 1, None));
    // Of another number, they would stand beside each other's.
    desk.answer("api", &[("candidates", names), ("labels", texts(&labels[1..]))]);
    desk.press("<Tab><Tab><Tab><C-u>");
    let text = desk.text();
    assert!(text.contains("dpl_3c77b") && !text.contains("commit that nobody"), "{text}");
}
