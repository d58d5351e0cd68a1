//! What an action asks for, while it is being filled in. Nothing is measured or sent before
//! every field is sound; then the dialog opens with exactly these values.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    app::{
        command::Edit,
        sources::Lookup,
        state::{State, World},
        view::Layer,
    },
    domain::{
        ask::{Answer, Answers, Ask, Candidates, Veiled},
        catalog::ActionSpec,
        ids::ActionId,
        text::safe,
        time::coarse_age,
        value::Value,
    },
};

/// The form of an action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// The action.
    pub action: ActionId,
    /// What is asked for; never empty.
    pub fields: Vec<Field>,
    /// The field that takes the keys.
    pub focus: usize,
    /// What was wrong with the last key or paste.
    pub complaint: Option<String>,
}

/// One line of a form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// What is asked for.
    pub ask: Ask,
    /// What is typed so far; the cursor is at its end.
    pub text: Answer,
    /// The chosen one of the choices that are left, where the list was entered. The value
    /// itself: the list is made afresh whenever its source answers.
    pub chosen: Option<String>,
    /// It was left once: what is wrong with it is said from then on.
    pub left: bool,
}

/// What a field can be chosen from now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Those that what is typed leaves.
    pub values: Vec<String>,
    /// What tells each of them apart, in the same order; empty where nothing is known.
    pub labels: Vec<String>,
    /// How many there are without what is typed.
    pub all: usize,
    /// Why there are none, where that is the source's doing.
    pub why_none: Option<String>,
}

impl Field {
    fn new(ask: &Ask) -> Self {
        let text = ask.answer(ask.default.clone().unwrap_or_default());
        Self { ask: ask.clone(), text, chosen: None, left: false }
    }

    /// Why what is typed cannot be taken now.
    pub fn wrong(&self, world: &World) -> Option<String> {
        self.ask.check(self.text.expose(), world.now.wall).err()
    }

    /// Whether what is wrong is said: not before anything was typed.
    pub fn is_touched(&self) -> bool {
        self.left || !self.text.expose().is_empty()
    }

    /// What it can be chosen from, as far as what is typed leaves it.
    pub fn choices(&self, world: &World) -> Choices {
        let (all, why_none) = offered(&self.ask, world);
        let count = all.len();
        let typed = self.text.expose().to_lowercase();
        let exact = all.iter().any(|(value, _)| value == self.text.expose());
        let holds = |text: &str| text.to_lowercase().contains(&typed);
        let fits = |(value, label): &(String, String)| exact || holds(value) || holds(label);
        let (values, labels) = all.into_iter().filter(fits).unzip();
        Choices { values, labels, all: count, why_none }
    }

    fn put(&mut self, more: &str) -> Result<(), String> {
        let length = self.text.expose().chars().count() + more.chars().count();
        if length > self.ask.max_length {
            return Err(format!("{} characters at most; nothing was taken", self.ask.max_length));
        }
        match &mut self.text {
            Answer::Plain(text) => text.push_str(more),
            Answer::Secret(text) => text.push_str(more),
        }
        self.chosen = None;
        Ok(())
    }

    fn cut(&mut self, edit: &Edit) {
        self.chosen = None;
        match (&mut self.text, edit) {
            (Answer::Plain(text), Edit::Backspace) => drop(text.pop()),
            (Answer::Plain(text), Edit::DeleteWord) => {
                let word = |c: char| !c.is_whitespace();
                text.truncate(text.trim_end().trim_end_matches(word).len());
            }
            (Answer::Plain(text), _) => text.clear(),
            (Answer::Secret(text), Edit::Backspace) => text.pop(),
            (Answer::Secret(text), _) => text.clear(),
        }
    }

    /// Takes the chosen one over; says so where it is not listed any more.
    fn take_chosen(&mut self, world: &World) -> Result<(), String> {
        let Some(chosen) = self.chosen.take() else { return Ok(()) };
        if !self.choices(world).values.contains(&chosen) {
            return Err(format!("{} is not listed any more; choose again", safe(&chosen)));
        }
        self.text = self.ask.answer(chosen);
        Ok(())
    }
}

/// Everything that a field can be chosen from with what tells it apart, or why there is
/// nothing.
fn offered(ask: &Ask, world: &World) -> (Vec<(String, String)>, Option<String>) {
    let plain = |value: String| (value, String::new());
    let Some(from) = &ask.candidates else {
        return (ask.choices.iter().cloned().map(plain).collect(), None);
    };
    let (texts, why) = match world.sources.lookup(from.source.as_str(), &from.reading) {
        Lookup::Known { value: Value::List(texts), .. } => {
            let labels = labels(from, texts.len(), world);
            let with_label = |(at, text): (usize, &Arc<str>)| {
                (text.to_string(), labels.get(at).map(ToString::to_string).unwrap_or_default())
            };
            let fits = |(text, _): &(String, String)| ask.check(text, world.now.wall).is_ok();
            let texts: Vec<(String, String)> =
                texts.iter().enumerate().map(with_label).filter(fits).collect();
            let none = texts.is_empty().then(|| "it lists nothing that could be taken".to_owned());
            (texts, none)
        }
        Lookup::Known { value, .. } => {
            let text = value.to_string();
            match ask.check(&text, world.now.wall) {
                Ok(()) => (vec![plain(text)], None),
                Err(_) => (Vec::new(), Some("what it says cannot be taken".to_owned())),
            }
        }
        Lookup::Missing(why) => (Vec::new(), Some(why)),
        Lookup::Failing(failure) => (Vec::new(), Some(failure.to_string())),
        Lookup::Stale(at) => {
            let age = coarse_age(world.now.since(at));
            (Vec::new(), Some(format!("its last answer is {age} old")))
        }
        Lookup::Waiting => (Vec::new(), Some("it has not answered yet".to_owned())),
        Lookup::Disabled(why) => (Vec::new(), Some(why)),
    };
    (texts, why.map(|why| format!("nothing to choose from {}: {why}; type it", from.source)))
}

/// What tells candidates apart, in their order: nothing where there are not as many of it, as
/// one would then stand beside another's.
fn labels(from: &Candidates, count: usize, world: &World) -> Arc<[Arc<str>]> {
    let found = from.labels.as_ref().map(|name| world.sources.lookup(from.source.as_str(), name));
    match found {
        Some(Lookup::Known { value: Value::List(labels), .. }) if labels.len() == count => {
            labels.clone()
        }
        _ => Arc::from([]),
    }
}

impl Form {
    /// An empty form, with the defaults.
    pub fn new(spec: &ActionSpec) -> Self {
        let fields = spec.asks.iter().map(Field::new).collect();
        Self { action: spec.id.clone(), fields, focus: 0, complaint: None }
    }

    /// The field that takes the keys.
    pub fn focused(&self) -> Option<&Field> {
        self.fields.get(self.focus)
    }

    /// Applies an edit. True where the last field was entered and everything is sound.
    pub fn edit(&mut self, edit: &Edit, world: &World) -> bool {
        self.complaint = None;
        match edit {
            Edit::Accept => return self.accept(world),
            Edit::Complete => self.go(1, world),
            Edit::Field(by) => self.go(*by, world),
            Edit::Choose(by) => self.choose(*by, world),
            Edit::Insert(c) if !c.is_control() => self.put(c.encode_utf8(&mut [0; 4])),
            Edit::Insert(_) => {}
            Edit::Hidden(text) => self.put(text.expose()),
            Edit::Paste(text) => self.paste(text),
            Edit::HiddenPaste(text) => self.paste(text.expose()),
            Edit::Backspace | Edit::DeleteWord | Edit::Clear => {
                if let Some(field) = self.fields.get_mut(self.focus) {
                    field.cut(edit);
                }
            }
        }
        false
    }

    fn put(&mut self, text: &str) {
        if let Some(field) = self.fields.get_mut(self.focus) {
            self.complaint = field.put(text).err();
        }
    }

    /// One line, taken whole or not at all: a value that was changed on its way in would be
    /// another one.
    fn paste(&mut self, text: &str) {
        let line = text.trim_end_matches(['\r', '\n']);
        if line.contains(['\r', '\n']) {
            self.complaint = Some("more than one line was pasted; nothing was taken".to_owned());
        } else if safe(line) != line {
            let why = "what was pasted holds control characters; nothing was taken";
            self.complaint = Some(why.to_owned());
        } else {
            self.put(line);
        }
    }

    /// Leaves the field for another one.
    fn go(&mut self, by: i32, world: &World) {
        if let Some(field) = self.fields.get_mut(self.focus) {
            if let Err(why) = field.take_chosen(world) {
                self.complaint = Some(why);
                return;
            }
            field.left = true;
        }
        let count = self.fields.len().max(1) as i64;
        self.focus = (self.focus as i64 + i64::from(by)).rem_euclid(count) as usize;
    }

    /// Up and down: in the list, where there is one, else among the fields.
    fn choose(&mut self, by: i32, world: &World) {
        let Some(field) = self.fields.get_mut(self.focus) else { return };
        let values = field.choices(world).values;
        if values.is_empty() {
            return self.go(by, world);
        }
        let at = |wanted: &str| values.iter().position(|value| value == wanted);
        let now = field.chosen.as_deref().and_then(at).or_else(|| at(field.text.expose()));
        let count = values.len() as i64;
        let first = if by > 0 { 0 } else { count - 1 };
        let next = now.map_or(first, |now| (now as i64 + i64::from(by)).rem_euclid(count));
        field.chosen = values.into_iter().nth(next as usize);
    }

    fn accept(&mut self, world: &World) -> bool {
        if self.focus + 1 < self.fields.len() {
            self.go(1, world);
            return false;
        }
        for (position, field) in self.fields.iter_mut().enumerate() {
            if let Err(why) = field.take_chosen(world) {
                (self.focus, self.complaint) = (position, Some(why));
                return false;
            }
            field.left = true;
        }
        match self.fields.iter().position(|field| field.wrong(world).is_some()) {
            Some(wrong) => {
                self.focus = wrong;
                false
            }
            None => true,
        }
    }

    /// What was given.
    pub fn answers(&self) -> Answers {
        let mut answers = Answers::none();
        for field in &self.fields {
            answers.insert(field.ask.name.clone(), field.text.clone());
        }
        answers
    }

    /// Whether it still asks for what the action asks for.
    pub fn is_of(&self, spec: &ActionSpec) -> bool {
        self.fields.iter().map(|field| &field.ask).eq(&spec.asks)
    }
}

/// The form, where it is the topmost layer.
pub fn topmost(state: &State) -> Option<&Form> {
    match state.view.layers.last() {
        Some(Layer::Form(form)) => Some(form),
        _ => None,
    }
}

/// Whether what is typed now must not be shown or recorded.
pub fn types_secret(state: &State) -> bool {
    topmost(state).and_then(Form::focused).is_some_and(|field| field.ask.secret)
}

/// What a typed character means: one of a secret must not be in the message that says so.
pub fn typed(state: &State, letter: char) -> Edit {
    if types_secret(state) {
        Edit::Hidden(Veiled::new(letter.to_string()))
    } else {
        Edit::Insert(letter)
    }
}

/// What pasted text means, likewise.
pub fn pasted(state: &State, text: String) -> Edit {
    if types_secret(state) { Edit::HiddenPaste(Veiled::new(text)) } else { Edit::Paste(text) }
}
