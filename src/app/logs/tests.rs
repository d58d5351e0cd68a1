//! Stories of the list of entries: messages in, state out.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    app::{
        command::{Command, Edit, LogCommand},
        msg::{Effect, Event, Msg},
        state::{Settings, State},
        update::update,
        view::{Context, Layer, Pane},
    },
    domain::{
        failure::{Failure, FailureKind},
        observation::Facts,
        value::Value,
    },
};

struct Console {
    state: State,
    effects: Vec<Effect>,
    second: f64,
    lines: u64,
}

fn info(id: &str) -> SourceInfo {
    SourceInfo {
        id: SourceId::from(id),
        kind: "logs".to_owned(),
        title: id.to_owned(),
        target: id.to_owned(),
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(3),
        disabled: None,
    }
}

impl Console {
    fn new() -> Self {
        let sources = ["api", "worker"].map(|id| (SourceId::from(id), info(id)));
        let catalog = Catalog { sources: BTreeMap::from(sources), ..Catalog::default() };
        let state = State::new(catalog, Moment::at_seconds(0.0), Settings::default());
        Self { state, effects: Vec::new(), second: 0.0, lines: 0 }
    }

    /// In the list of entries.
    fn listing() -> Self {
        let mut console = Self::new();
        console.command(Command::FocusPane(8)).command(Command::Zoom);
        console
    }

    fn send(&mut self, event: Event) -> &mut Self {
        let at = Moment::at_seconds(self.second);
        self.effects = update(&mut self.state, Msg { at, event });
        self
    }

    fn command(&mut self, command: Command) -> &mut Self {
        self.send(Event::Command(command))
    }

    fn log(&mut self, command: LogCommand) -> &mut Self {
        self.command(Command::Log(command))
    }

    fn observed(&mut self, outcome: Result<Facts, Failure>) -> &mut Self {
        let observation = Observation {
            source: SourceId::from("api"),
            at: Moment::at_seconds(self.second),
            took: Duration::from_millis(1),
            request: "follow api.log".into(),
            phases: None,
            outcome,
        };
        self.send(Event::Observed(Box::new(observation)))
    }

    /// A look, a second later, that finds these messages; one that begins with `!` is an
    /// error.
    fn come(&mut self, messages: &[&str], left_out: u64) -> &mut Self {
        self.second += 1.0;
        self.lines += messages.len() as u64 + left_out;
        let entry = |message: &&str| {
            let level = if message.starts_with('!') { "error" } else { "info" };
            Arc::new(LogEntry {
                at: Moment::at_seconds(self.second).wall,
                service: None,
                level: Some(level.into()),
                message: message.trim_start_matches('!').into(),
                failed: false,
                fields: vec![("path".into(), format!("/{}", message.len()))],
            })
        };
        let entries = messages.iter().map(entry).collect();
        let part = LogPart { entries, left_out, too_long: 0 };
        let readings = BTreeMap::from([("lines_total".into(), Value::Number(self.lines as f64))]);
        let exhibits = vec![Exhibit::Log(part)];
        self.observed(Ok(Facts { readings, exhibits, ..Facts::default() }))
    }

    fn many(&mut self, count: usize) -> &mut Self {
        let messages: Vec<String> = (0..count).map(|n| format!("entry {n}")).collect();
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        self.come(&messages, 0)
    }

    fn type_line(&mut self, text: &str) -> &mut Self {
        self.send(Event::Edit(Edit::Clear));
        self.send(Event::Edit(Edit::Paste(text.to_owned())));
        self.send(Event::Edit(Edit::Accept))
    }

    /// What is listed, with the selected one in brackets while the list stands still.
    fn listed(&self) -> String {
        let buffer = shown(self.state.shown(), &self.state.view);
        let listed = buffer.listed();
        let position = self.state.view.logs.position(buffer, &listed);
        let word = |(place, at): (usize, &usize)| {
            let word = match &buffer.lines()[*at].what {
                What::Mark => "|",
                What::Entry { entry, .. } => &*entry.message,
            };
            let selected = self.state.view.logs.is_paused() && place == position;
            if selected { format!("[{word}]") } else { word.to_owned() }
        };
        listed.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
    }

    fn news(&self) -> Option<u64> {
        news(self.state.shown(), &self.state.view).map(|news| news.lines)
    }

    fn said(&self) -> String {
        let newest = self.state.world.notices.newest_first().next();
        newest.map_or_else(String::new, |said| said.notice.text.clone())
    }
}

#[test]
fn it_follows_until_somebody_moves_up_and_again_at_its_end() {
    let mut console = Console::listing();
    console.come(&["a", "b", "c"], 0);
    assert_eq!((console.listed().as_str(), console.news()), ("a b c", None));
    // Down from the end is nowhere, and stops nothing.
    console.command(Command::Move(1));
    assert_eq!(console.news(), None);
    console.command(Command::Move(-1)).come(&["d", "e"], 40);
    // What is read stays where it is; what came is counted, also what could not be shown.
    assert_eq!((console.listed().as_str(), console.news()), ("a [b] c", Some(42)));
    console.command(Command::Last);
    assert_eq!((console.listed().as_str(), console.news()), ("a b c d e", None));
    console.command(Command::First).come(&["f"], 0);
    assert_eq!((console.listed().as_str(), console.news()), ("[a] b c d e", Some(1)));
    console.command(Command::Back);
    assert_eq!((console.listed().as_str(), console.news()), ("a b c d e f", None));
    console.log(LogCommand::Follow).come(&["g"], 0);
    assert_eq!((console.listed().as_str(), console.news()), ("a b c d e [f]", Some(1)));
    console.log(LogCommand::Follow);
    assert_eq!(console.news(), None);
    assert!(console.state.view.zoomed);
    console.command(Command::Back);
    assert!(!console.state.view.zoomed);
}

#[test]
fn a_flood_does_not_take_away_what_is_being_read_and_memory_stays_bounded() {
    let mut console = Console::listing();
    console.come(&["first"], 0).command(Command::Move(-1));
    for _ in 0..30 {
        console.many(2_000);
    }
    assert_eq!(console.listed(), "[first]");
    assert_eq!(console.news(), Some(60_000));
    let buffer = &console.state.world.logs.buffer;
    assert_eq!(buffer.lines().len(), MOST);
    assert_eq!(buffer.gone(), 50_001);
    assert!(buffer.bytes() <= MOST_BYTES);
    assert!(console.state.world.logs.told.values().all(|told| told.looks.len() <= RATE_LOOKS));
    // Narrowed, what is gone cannot be counted any more, and that is said.
    console.log(LogCommand::Level);
    let news = news(console.state.shown(), &console.state.view);
    assert_eq!(news, Some(News { lines: 0, more: true }));
}

#[test]
fn errors_survive_a_flood_of_everything_else() {
    let mut console = Console::new();
    console.come(&["!database is gone"], 0);
    for _ in 0..10 {
        console.many(2_000);
    }
    let errors = &console.state.world.logs.errors;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].1.message.as_ref(), "database is gone");
    let many: Vec<String> = (0..300).map(|n| format!("!{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    console.come(&many, 0);
    assert_eq!(console.state.world.logs.errors.len(), MOST_ERRORS);
}

#[test]
fn lines_that_nobody_gets_to_see_are_counted() {
    let mut console = Console::new();
    console.come(&["a"], 300).come(&["b"], 0).come(&[], 12);
    let row = rows(&console.state.world).into_iter().find(|row| row.id.as_str() == "api").unwrap();
    assert_eq!((row.left_out, row.dropped()), (312, 312));
    assert!(row.reason.contains("312 lines dropped"), "{}", row.reason);
    assert_eq!(row.verdict, Verdict::Unjudged);
}

#[test]
fn a_log_that_is_not_read_is_not_known() {
    let mut console = Console::new();
    console.come(&["a"], 0);
    console.second += 1.0;
    console.observed(Err(Failure::new(FailureKind::MissingEndpoint, "there is no file")));
    let row = rows(&console.state.world).remove(0);
    assert_eq!((row.verdict, row.quality), (Verdict::Unknown, Quality::Error));
    assert_eq!((row.errors, row.rate), (None, None));
    assert!(row.reason.contains("there is no file"), "{}", row.reason);
    let (verdict, reasons) = console.state.world.verdict();
    assert_eq!(verdict, Verdict::Unknown);
    assert!(reasons[0].contains("there is no file"), "{reasons:?}");
    assert!(line(&console.state.world).unwrap().starts_with("2 of 2 not read"));
}

#[test]
fn the_rate_is_measured_over_the_last_looks_and_anew_after_a_restart() {
    let mut console = Console::new();
    let rate = |console: &Console| {
        rows(&console.state.world).into_iter().find(|row| row.id.as_str() == "api").unwrap().rate
    };
    console.come(&["a"; 10], 0);
    assert_eq!(rate(&console), None);
    for _ in 0..40 {
        console.come(&["a"; 10], 90);
    }
    assert_eq!(rate(&console), Some(100.0));
    console.lines = 0;
    console.come(&["a"], 0);
    assert_eq!(rate(&console), None);
    console.come(&["a"; 5], 0);
    assert_eq!(rate(&console), Some(5.0));
    assert_eq!(
        (rate_words(5.0), rate_words(1_234.4), rate_words(0.25)),
        ("5/s".into(), "1 234/s".into(), "0.3/s".into())
    );
}

#[test]
fn a_filter_keeps_what_matches_and_one_that_cannot_be_read_changes_nothing() {
    let mut console = Console::listing();
    console.come(&["timeout", "!refused", "well", "Timeout"], 0);
    console.command(Command::Filter).type_line("time.?out");
    assert_eq!(console.listed(), "timeout Timeout");
    console.come(&["no", "a timeout"], 0);
    assert_eq!(console.listed(), "timeout Timeout a timeout");
    console.command(Command::Filter).send(Event::Edit(Edit::Insert('(')));
    console.send(Event::Edit(Edit::Accept));
    // The line stays open with the reason, and the filter before it holds.
    assert_eq!(console.state.view.context(), Context::Line);
    assert_eq!(console.state.view.logs.complaint.as_deref(), Some("unclosed group"));
    assert_eq!(console.listed(), "timeout Timeout a timeout");
    console.command(Command::Back);
    assert!(console.state.view.layers.is_empty());
    assert_eq!(console.state.view.pane(Pane::Logs).filter, "time.?out");
    assert_eq!(console.state.view.logs.complaint, None);
    console.command(Command::Filter).type_line("!timeout");
    assert_eq!(console.listed(), "refused well no");
    console.command(Command::Back);
    assert_eq!(console.listed(), "timeout refused well Timeout no a timeout");
    // Fields are looked at as well.
    console.command(Command::Filter).type_line("path=/8$");
    assert_eq!(console.listed(), "refused");
}

#[test]
fn a_filter_holds_in_what_is_held_still_and_in_what_is_frozen() {
    let mut console = Console::listing();
    console.come(&["!one", "two", "!three"], 0).command(Command::Freeze);
    console.come(&["!four"], 0).command(Command::Move(-1));
    assert_eq!(console.listed(), "one [two] three");
    console.log(LogCommand::Level).log(LogCommand::Level);
    // The nearest line before the one that is not listed any more.
    assert_eq!(console.listed(), "[one] three");
    console.command(Command::Back);
    assert_eq!(console.listed(), "one [two] three");
    console.log(LogCommand::Level).log(LogCommand::Level).log(LogCommand::Follow);
    assert_eq!(console.listed(), "one three");
    console.command(Command::Freeze);
    assert_eq!(console.listed(), "one three four");
}

#[test]
fn a_search_goes_upwards_and_round_the_end_and_stops_following() {
    let mut console = Console::listing();
    console.come(&["feed 1", "other", "feed 2", "last"], 0);
    console.log(LogCommand::Search).type_line("nothing like it");
    assert_eq!(console.news(), None);
    assert!(console.said().contains("matches 'nothing like it'"), "{}", console.said());
    console.log(LogCommand::Search).type_line("FEED");
    assert_eq!(console.listed(), "feed 1 other [feed 2] last");
    assert_eq!(console.state.view.logs.found, Some(Found { at: 2, of: 2 }));
    console.log(LogCommand::Next);
    assert_eq!(console.listed(), "[feed 1] other feed 2 last");
    console.log(LogCommand::Next);
    assert_eq!(console.listed(), "feed 1 other [feed 2] last");
    console.log(LogCommand::Previous);
    assert_eq!(console.listed(), "[feed 1] other feed 2 last");
    console.command(Command::Move(1));
    assert_eq!(console.state.view.logs.found, None);
    // One that cannot be read stays open; the one before is still there.
    console.log(LogCommand::Search).type_line("[");
    assert!(matches!(console.state.view.layers.last(), Some(Layer::Search(_))));
    console.command(Command::Back);
    assert_eq!(console.state.view.logs.search, "FEED");
    // Back takes away the search, then the pause.
    console.command(Command::Back);
    assert_eq!((console.state.view.logs.search.as_str(), console.news()), ("", Some(0)));
    console.command(Command::Back);
    assert_eq!(console.news(), None);
    console.log(LogCommand::Next);
    assert!(console.said().contains("nothing is searched for"), "{}", console.said());
}

#[test]
fn a_mark_is_drawn_at_the_present_and_passes_every_filter() {
    let mut console = Console::listing();
    console.come(&["before"], 0).log(LogCommand::Mark).come(&["after"], 0);
    assert_eq!(console.listed(), "before | after");
    console.command(Command::Filter).type_line("after");
    assert_eq!(console.listed(), "| after");
    // While the list stands still as well: it is where the eyes are.
    console.command(Command::Move(-1)).log(LogCommand::Mark);
    assert_eq!(console.listed(), "[|] after |");
    assert_eq!(console.news(), Some(1));
    console.command(Command::Enter);
    assert!(console.state.view.layers.is_empty(), "a mark says nothing more");
}

#[test]
fn an_entry_opens_and_is_copied_whole() {
    let mut console = Console::listing();
    console.come(&["!database is gone"], 0).command(Command::Copy);
    let copied = |console: &Console| {
        console.effects.iter().find_map(|effect| match effect {
            Effect::Copy(text) => Some(text.clone()),
            _ => None,
        })
    };
    let line = copied(&console).expect("a line");
    assert!(line.contains("2026-01-01T00:00:01Z error database is gone path=/17"), "{line}");
    console.command(Command::Enter);
    assert_eq!(console.state.view.context(), Context::Entry);
    assert_eq!(console.news(), Some(0));
    console.command(Command::CopyMarkdown);
    let text = copied(&console).expect("a text");
    assert!(text.starts_with("**error** database is gone (") && text.ends_with("\n- path: /17"));
    console.command(Command::Back);
    assert_eq!(console.state.view.context(), Context::Log);
}

#[test]
fn a_request_leads_to_its_entries() {
    let mut console = Console::listing();
    console.come(&["trace-1 a", "trace.1 b", "trace.1 c"], 0);
    let request = |trace: Option<&str>, ms| WorstRequest {
        at: Moment::at_seconds(1.0).wall,
        trace: trace.map(Into::into),
        path: "/api".into(),
        status: 503,
        ms: Some(ms),
    };
    let window = Duration::from_secs(300);
    let worst = vec![request(Some("trace.1"), 9.0), request(None, 5.0)];
    let about = Traffic { window, paths: Vec::new(), worst, all: (0, 0), since: None };
    let exhibits = vec![Exhibit::Traffic(about)];
    console.second += 1.0;
    console.observed(Ok(Facts { exhibits, ..Facts::default() }));
    console.command(Command::NextTab);
    assert_eq!(console.state.view.context(), Context::Panes);
    console.command(Command::Move(1)).command(Command::Enter);
    assert!(console.said().contains("no trace id"), "{}", console.said());
    console.command(Command::First).command(Command::Enter);
    assert_eq!(console.state.view.context(), Context::Log);
    assert_eq!(console.listed(), "trace.1 b trace.1 c");
    console.command(Command::Back);
    assert_eq!(console.listed(), "trace-1 a trace.1 b trace.1 c");
}

#[test]
fn logs_are_looked_at_more_often_only_while_they_are_followed() {
    let polled = |console: &Console| {
        console
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Listen(ids) if *ids == [SourceId::from("api")]))
    };
    let mut console = Console::new();
    console.come(&["a"], 0).send(Event::Tick);
    assert!(!polled(&console));
    console.command(Command::FocusPane(8)).command(Command::Zoom).send(Event::Tick);
    assert!(polled(&console));
    console.command(Command::Move(-1)).send(Event::Tick);
    assert!(!polled(&console));
    console.command(Command::Last).command(Command::Freeze).send(Event::Tick);
    assert!(!polled(&console));
    console.command(Command::Freeze).send(Event::Tick);
    assert!(polled(&console));
    // What fails keeps its own rhythm.
    console.second += 1.0;
    console.observed(Err(Failure::new(FailureKind::BadAnswer, "gone"))).send(Event::Tick);
    assert!(!polled(&console));
}

#[test]
fn without_a_log_there_is_no_pane_and_no_list() {
    let mut console = Console::new();
    console.state.world.adopt(Catalog::default(), Moment::at_seconds(0.0));
    console.command(Command::FocusPane(8));
    assert_eq!(console.state.view.focus, Pane::Health);
    assert!(console.said().contains("no log is configured"), "{}", console.said());
    console.log(LogCommand::Search);
    assert!(console.state.view.layers.is_empty());
    assert!(!crate::app::rows::panes(&console.state.world).contains(&Pane::Logs));
}

#[test]
fn a_log_that_leaves_the_configuration_takes_its_entries_with_it() {
    let mut console = Console::listing();
    console.come(&["!a", "b"], 0);
    let sources = BTreeMap::from([(SourceId::from("worker"), info("worker"))]);
    let catalog = Catalog { sources, ..Catalog::default() };
    console.state.world.adopt(catalog, Moment::at_seconds(3.0));
    assert_eq!(console.listed(), "");
    assert!(console.state.world.logs.errors.is_empty());
    let text = serde_json::to_string(&console.state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), console.state);
}
