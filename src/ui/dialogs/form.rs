//! The form of an action: one line for each thing that is asked for, what is wrong with it
//! beside it, and what the focused one can be chosen from below.

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{
    super::{
        format,
        layers::{Sheet, line},
        paint,
        theme::Theme,
    },
    decision, frame, place,
};
use crate::{
    app::{
        actions::form::{Choices, Field, Form},
        state::{State, World},
    },
    domain::text::safe,
};

/// The columns of a label at most.
const LABELS: usize = 24;
/// The columns that what is typed has at least.
const TYPED: usize = 12;
/// Choices that are in sight at once.
const IN_SIGHT: usize = 8;
/// Lines above the focused field that stay in sight where all do not fit.
const ABOVE: usize = 4;

/// The form as it stands.
pub fn sheet(state: &State, form: &Form, width: usize, theme: Theme) -> Sheet {
    let spec = state.world.catalog.action(&form.action);
    let title = spec.map_or(form.action.as_str(), |spec| spec.title.as_str());
    let mut page = Page::new(form, width, theme);
    for (position, field) in form.fields.iter().enumerate() {
        page.field(field, &state.world, position == form.focus);
    }
    if let Some(field) = form.focused() {
        page.list(field, &field.choices(&state.world));
    }
    Sheet {
        title: title.to_owned(),
        frame: frame(state, spec, theme),
        top: place(state, &state.world.catalog.target(), spec, width, theme),
        scroll: page.focused.saturating_sub(ABOVE),
        typed: page.cursor,
        middle: page.lines,
        vital: 0,
        head: None,
        bottom: bottom(form, width, theme),
        cursor: None,
    }
}

/// Collects the lines, and where the cursor stands.
struct Page {
    lines: Vec<Line<'static>>,
    label: usize,
    width: usize,
    theme: Theme,
    focused: usize,
    cursor: Option<(u16, u16)>,
}

impl Page {
    fn new(form: &Form, width: usize, theme: Theme) -> Self {
        let longest = form.fields.iter().map(|field| safe(&field.ask.title).width()).max();
        let label = longest.unwrap_or(0).min(LABELS).min(width / 3);
        Self { lines: Vec::new(), label, width, theme, focused: 0, cursor: None }
    }

    /// The columns before what is typed.
    fn lead(&self) -> usize {
        self.label + 4
    }

    fn field(&mut self, field: &Field, world: &World, focused: bool) {
        let theme = self.theme;
        let pointer = if focused { theme.glyphs().pointer } else { " " };
        let style = if focused { theme.strong() } else { theme.text() };
        let label = paint::column(&field.ask.title, self.label, theme);
        let room = self.width.saturating_sub(self.lead());
        let said = beside(field, world, focused);
        let typed = shown(field, theme);
        let beside = typed.width().max(TYPED) + 2 + said.0.width() <= room;
        // The cursor needs a column behind the last character.
        let typed = line::tail(&typed, room.saturating_sub(1), theme);
        if focused {
            self.focused = self.lines.len();
            let row = u16::try_from(self.lines.len()).unwrap_or(u16::MAX);
            let column = u16::try_from(self.lead() + typed.width()).unwrap_or(u16::MAX);
            self.cursor = Some((row, column));
        }
        let said_style = if said.1 { theme.warning() } else { theme.quiet() };
        let gap = " ".repeat(TYPED.saturating_sub(typed.width()) + 2);
        let mut spans = vec![
            Span::styled(format!("{pointer} "), theme.key()),
            Span::styled(format!("{label}  "), style),
            Span::styled(typed, theme.strong()),
        ];
        if beside && !said.0.is_empty() {
            spans.push(Span::styled(format!("{gap}{}", said.0), said_style));
        }
        self.lines.push(Line::from(spans));
        if !beside {
            let lead = " ".repeat(self.lead());
            self.lines.extend(paint::wrapped(
                &lead,
                &said.0,
                self.width,
                theme.quiet(),
                said_style,
            ));
        }
    }

    /// What the focused field can be chosen from.
    fn list(&mut self, field: &Field, choices: &Choices) {
        let theme = self.theme;
        if let Some(why) = &choices.why_none {
            self.lines.push(Line::default());
            self.lines.extend(paint::wrapped("", why, self.width, theme.text(), theme.warning()));
            return;
        }
        if choices.all == 0 {
            return;
        }
        self.lines.push(Line::default());
        let head = format!("  {} of {} to choose from", choices.values.len(), choices.all);
        self.lines.push(Line::styled(head, theme.quiet()));
        let at = |wanted: &str| choices.values.iter().position(|value| value == wanted);
        let marked = field.chosen.as_deref().and_then(at).or_else(|| at(field.text.expose()));
        let first = (marked.unwrap_or(0) + 1).saturating_sub(IN_SIGHT);
        let in_sight = choices.values.iter().skip(first).take(IN_SIGHT);
        let widest = in_sight.map(|value| value.width()).max().unwrap_or_default();
        for (position, value) in choices.values.iter().enumerate().skip(first).take(IN_SIGHT) {
            let chosen = marked == Some(position);
            let pointer = if chosen { theme.glyphs().pointer } else { " " };
            let label = choices.labels.get(position).map(|label| safe(label)).unwrap_or_default();
            let value = if label.is_empty() {
                value.clone()
            } else {
                let gap = " ".repeat(widest.saturating_sub(value.width()));
                format!("{value}{gap}  {label}")
            };
            let value = format::fit(&value, self.width.saturating_sub(6), theme.glyphs().ellipsis);
            let style = if chosen { theme.selected() } else { theme.text() };
            self.lines.push(Line::styled(format!("  {pointer} {value} "), style));
        }
    }
}

/// What is typed, a secret as so many dots.
fn shown(field: &Field, theme: Theme) -> String {
    if field.ask.secret {
        let dot = if theme.ascii { "*" } else { "•" };
        return dot.repeat(field.text.expose().chars().count());
    }
    field.text.expose().to_owned()
}

/// What stands beside a field, and whether it is a complaint.
fn beside(field: &Field, world: &World, focused: bool) -> (String, bool) {
    match field.wrong(world) {
        Some(why) if field.is_touched() => (safe(&why).into_owned(), true),
        Some(_) | None if !field.text.expose().is_empty() && !focused => (String::new(), false),
        _ => (
            field.ask.hint(world.now.wall).map(|hint| safe(&hint).into_owned()).unwrap_or_default(),
            false,
        ),
    }
}

/// What was wrong with the last key, and what the next one does.
fn bottom(form: &Form, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = match &form.complaint {
        Some(why) => paint::wrapped("", why, width, theme.text(), theme.warning()),
        None => vec![Line::styled(
            "nothing is sent yet: what it would send is shown next",
            theme.quiet(),
        )],
    };
    let last = form.focus + 1 >= form.fields.len();
    let next = if last {
        ("Enter", "show what it would do", "show it")
    } else {
        ("Enter", "next field", "next")
    };
    let offered = [("Esc", "Cancel", "Cancel"), next];
    lines.push(decision::choices(&offered, width, theme));
    lines
}
