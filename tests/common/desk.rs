//! An operator's desk without a terminal: keys go in through the table of keys, messages
//! through `update`, and the screen comes out as a buffer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{buffer::Buffer, layout::Rect};
use watchfloor::{
    app::{
        msg::{Effect, Event, Msg},
        state::{Settings, State},
        update::update,
    },
    domain::{
        action::{ActionEvent, ActionStage, Preview, Previewed, RunResult},
        catalog::Catalog,
        failure::{Failure, FailureKind},
        ids::{ActionId, RunId, SourceId},
        observation::{Exhibit, Facts, Observation},
        time::Moment,
        value::Value,
    },
    ui::{
        self, Chrome, keys,
        theme::{Depth, Theme},
    },
};

/// The terminal's own 16 colours, with Unicode.
pub const COLOURS: Theme = Theme { depth: Depth::Ansi16, ascii: false };

/// Attributes only, with Unicode.
pub const NO_COLOUR: Theme = Theme { depth: Depth::None, ascii: false };

/// Attributes and ASCII only.
pub const ASCII: Theme = Theme { depth: Depth::None, ascii: true };

/// A console and the effects that it has asked for.
pub struct Desk {
    pub state: State,
    pub effects: Vec<Effect>,
    seconds: f64,
}

impl Desk {
    pub fn new(catalog: Catalog) -> Self {
        Self::with(catalog, false)
    }

    pub fn with(catalog: Catalog, read_only: bool) -> Self {
        let settings = Settings {
            console: "abc".to_owned(),
            operator: "alice@bastion".to_owned(),
            read_only,
            utc: true,
        };
        let state = State::new(catalog, Moment::at_seconds(0.0), settings);
        Self { state, effects: Vec::new(), seconds: 0.0 }
    }

    pub fn now(&self) -> Moment {
        Moment::at_seconds(self.seconds)
    }

    pub fn send(&mut self, event: Event) -> &mut Self {
        let at = self.now();
        self.effects.extend(update(&mut self.state, Msg { at, event }));
        self
    }

    /// Lets time pass, with a tick each second.
    pub fn wait(&mut self, seconds: f64) -> &mut Self {
        let until = self.seconds + seconds;
        while self.seconds + 1.0 <= until {
            self.seconds += 1.0;
            self.send(Event::Tick);
        }
        self.seconds = until;
        self.send(Event::Tick)
    }

    /// Lets a moment pass without a tick, as between two keys.
    pub fn pause(&mut self, seconds: f64) -> &mut Self {
        self.seconds += seconds;
        self
    }

    /// Presses keys: characters, and names such as `<Esc>`, `<Enter>`, `<C-c>`, `<Tab>`.
    /// Between two keys half a second passes.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        for key in parse(keys) {
            self.pause(0.5);
            self.key(key);
        }
        self
    }

    /// Presses keys without any time between them, as they arrive when they were typed ahead.
    pub fn rush(&mut self, keys: &str) -> &mut Self {
        for key in parse(keys) {
            self.key(key);
        }
        self
    }

    pub fn key(&mut self, key: KeyEvent) -> &mut Self {
        if let Some(event) = keys::resolve(&self.state, key) {
            self.send(event);
        }
        self
    }

    pub fn paste(&mut self, text: &str) -> &mut Self {
        self.pause(0.5);
        let event = keys::paste(&self.state, text);
        self.send(event)
    }

    pub fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.send(Event::Resized { columns, rows })
    }

    /// A good answer.
    pub fn answer(&mut self, source: &str, readings: &[(&str, Value)]) -> &mut Self {
        self.answer_with(source, readings, Vec::new())
    }

    pub fn answer_with(
        &mut self,
        source: &str,
        readings: &[(&str, Value)],
        exhibits: Vec<Exhibit>,
    ) -> &mut Self {
        let readings: BTreeMap<Arc<str>, Value> =
            readings.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect();
        self.observed(source, Ok(Facts { readings, exhibits, ..Facts::default() }))
    }

    /// A failed poll.
    pub fn fail(&mut self, source: &str, kind: FailureKind, message: &str) -> &mut Self {
        self.observed(source, Err(Failure::new(kind, message)))
    }

    fn observed(&mut self, source: &str, outcome: Result<Facts, Failure>) -> &mut Self {
        let observation = Observation {
            source: SourceId::from(source),
            at: self.now(),
            took: Duration::from_millis(42),
            request: Arc::from(format!("GET {source}")),
            phases: None,
            outcome,
        };
        self.send(Event::Observed(Box::new(observation)))
    }

    /// The run and the action that a preview was last asked for.
    pub fn asked_preview(&self) -> Option<(RunId, ActionId)> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Preview { run, action, .. } => Some((run.clone(), action.clone())),
            _ => None,
        })
    }

    /// Answers the last question for a preview.
    pub fn preview(&mut self, change: impl FnOnce(&mut Preview)) -> &mut Self {
        let (run, action) = self.asked_preview().expect("a preview was asked for");
        let mut preview = Preview {
            action,
            at: self.now(),
            request: Vec::new(),
            groups: Vec::new(),
            findings: Vec::new(),
            refusals: Vec::new(),
            holders: Vec::new(),
            digest: "5f".repeat(32),
        };
        change(&mut preview);
        self.send(Event::Previewed(Box::new(Previewed { run, outcome: Ok(preview) })))
    }

    /// Whether something was handed to the runner.
    pub fn started(&self) -> bool {
        self.effects.iter().any(|effect| matches!(effect, Effect::Start(_)))
    }

    /// A report of the runner about the last run.
    pub fn report(&mut self, stage: ActionStage) -> &mut Self {
        let run = self.state.world.actions.runs.back().expect("there is a run");
        let (run, action) = (run.id.clone(), run.action.clone());
        let at = self.now();
        self.send(Event::Action(Box::new(ActionEvent { run, action, at, stage })))
    }

    pub fn finish(&mut self, result: RunResult) -> &mut Self {
        self.report(ActionStage::Finished(result))
    }

    /// The screen at a size, and the cursor.
    pub fn screen(
        &mut self,
        columns: u16,
        rows: u16,
        theme: Theme,
    ) -> (Buffer, Option<(u16, u16)>) {
        self.resize(columns, rows);
        let area = Rect::new(0, 0, columns, rows);
        let mut buffer = Buffer::empty(area);
        let chrome = Chrome { identity: "eva@ops1".to_owned() };
        let cursor = ui::draw(&mut buffer, area, &self.state, theme, &chrome);
        (buffer, cursor)
    }

    /// The characters of the screen at 80x24.
    pub fn text(&mut self) -> String {
        super::screen::characters(&self.screen(80, 24, COLOURS).0)
    }
}

/// Keys from a text, in which names stand between angle brackets.
pub fn parse(keys: &str) -> Vec<KeyEvent> {
    let mut events = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        if let Some((name, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            events.push(named(name));
            rest = after;
        } else {
            events.push(KeyEvent::new(KeyCode::Char(first), KeyModifiers::NONE));
            rest = &rest[first.len_utf8()..];
        }
    }
    events
}

fn named(name: &str) -> KeyEvent {
    if let Some(letter) = name.strip_prefix("C-").and_then(|letter| letter.chars().next()) {
        return KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
    }
    if let Some(letter) = name.strip_prefix("A-").and_then(|letter| letter.chars().next()) {
        return KeyEvent::new(KeyCode::Char(letter), KeyModifiers::ALT);
    }
    let code = match name {
        "Esc" => KeyCode::Esc,
        "Enter" => KeyCode::Enter,
        "Tab" => KeyCode::Tab,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "PgUp" => KeyCode::PageUp,
        "PgDn" => KeyCode::PageDown,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "Back" => KeyCode::Backspace,
        "F1" => KeyCode::F(1),
        other => panic!("no key is called {other}"),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}
