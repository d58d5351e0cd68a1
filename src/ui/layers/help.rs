//! The help: every key, from the table, what holds here first.

use ratatui::text::{Line, Span};

use super::Sheet;
use crate::{
    app::{
        command::Command,
        palette,
        state::State,
        view::{Context, Layer},
    },
    ui::{
        keys::{BINDINGS, Meaning, table::Group},
        paint,
        theme::Theme,
    },
};

/// The columns that keys take.
const KEYS: usize = 18;

/// The place of the demo's own menu.
const FAULTS: &str = "in the menu of faults";

/// Every context, in the order in which the help tells of them.
pub const CONTEXTS: &[Context] = &[
    Context::Panes,
    Context::Log,
    Context::Entry,
    Context::Menu,
    Context::Findings,
    Context::Confirm,
    Context::Countdown,
    Context::Run,
    Context::Palette,
    Context::Line,
    Context::Form,
    Context::Scroll,
];

/// The help for where one was before it was opened.
pub fn sheet(state: &State, depth: usize, scroll: usize, width: usize, theme: Theme) -> Sheet {
    let mut below = state.view.clone();
    below.layers.truncate(depth);
    let here = below.context();
    let faults = matches!(below.layers.last(), Some(Layer::Demo { .. }));
    Sheet {
        title: format!("Help: {}", if faults { FAULTS } else { place(here) }),
        frame: theme.border(true),
        middle: lines(here, faults, width, theme),
        bottom: vec![Line::styled("Esc closes", theme.quiet())],
        scroll,
        ..Sheet::default()
    }
}

/// All lines: the keys that hold in `here`, then the commands without a key, then the keys
/// of all other places. `faults` tells the menu of the demo's faults from that of actions.
pub fn lines(here: Context, faults: bool, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    section(&mut lines, here, faults, width, theme);
    lines.push(heading("Commands without a key: type : and the name", theme));
    for entry in palette::ENTRIES {
        if !BINDINGS.iter().any(|binding| binding.name == entry.name) {
            let name = format!("{} {}", entry.name, entry.arguments);
            lines.extend(entry_lines(&name, entry.does, "", width, theme));
        }
    }
    lines.push(Line::default());
    for context in CONTEXTS.iter().copied().filter(|context| *context != here) {
        section(&mut lines, context, false, width, theme);
    }
    lines.pop();
    lines
}

fn section(
    lines: &mut Vec<Line<'static>>,
    context: Context,
    faults: bool,
    width: usize,
    theme: Theme,
) {
    let groups =
        [Group::Acting, Group::Looking, Group::Data, Group::Moving, Group::Typing, Group::Program];
    lines.push(heading(if faults { FAULTS } else { place(context) }, theme));
    let note =
        if faults { Some("each is a fault of the embedded service alone") } else { note(context) };
    if let Some(note) = note {
        lines.extend(paint::wrapped("  ", note, width, theme.text(), theme.text()));
    }
    for group in groups {
        for binding in BINDINGS
            .iter()
            .filter(|binding| binding.group == group && binding.contexts.contains(&context))
        {
            let help = match binding.meaning {
                Meaning::Command(Command::Enter) if faults => {
                    "switch the selected fault on or off, at once"
                }
                _ => binding.help,
            };
            lines.extend(entry_lines(&binding.keys(), help, binding.name, width, theme));
        }
    }
    lines.push(Line::default());
}

fn entry_lines(
    keys: &str,
    help: &str,
    name: &str,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let mut lead = format!("  {keys}");
    let used = lead.chars().count();
    lead.extend(std::iter::repeat_n(' ', (KEYS + 2).saturating_sub(used).max(2)));
    let name = if name.is_empty() { String::new() } else { format!("  :{name}") };
    let whole = lead.chars().count() + help.chars().count() + name.chars().count();
    let mut lines = paint::wrapped(&lead, help, width, theme.key(), theme.text());
    if let (Some(first), true) = (lines.first_mut(), whole <= width) {
        first.push_span(Span::styled(name, theme.quiet()));
    }
    lines
}

fn heading(text: &str, theme: Theme) -> Line<'static> {
    Line::styled(text.to_owned(), theme.strong())
}

/// Where one is, in words.
pub fn place(context: Context) -> &'static str {
    match context {
        Context::Panes => "in the panes",
        Context::Log => "in the list of log entries (the log pane, zoomed)",
        Context::Entry => "in a log entry",
        Context::Scroll => "in help and messages",
        Context::Menu => "in a menu",
        Context::Palette => "in the command line",
        Context::Line => "while typing a filter, a reason or a target",
        Context::Form => "in a form",
        Context::Confirm => "at a question",
        Context::Countdown => "during a countdown",
        Context::Run => "in a dialog that asks nothing",
        Context::Findings => "in what the doctor found",
    }
}

/// What holds in a place beside the table.
fn note(context: Context) -> Option<&'static str> {
    match context {
        Context::Menu => {
            Some("the letter of an action opens its dialog; nothing is sent before you agree there")
        }
        Context::Confirm => Some("only y says yes; Enter and every other key do nothing"),
        Context::Countdown => Some("every key stops it, and nothing is sent"),
        Context::Line => Some("letters are text; a target must be typed, pasting it is refused"),
        Context::Form => {
            Some("nothing is sent by it: Enter behind the last field shows what would be")
        }
        Context::Palette => {
            Some("letters are text; Enter does what the line spells out, never more")
        }
        Context::Log => {
            Some("it follows what comes until you move up in it; what is there then stays there")
        }
        Context::Findings => {
            Some("nothing is sent by an examination: actions are asked after, and never started")
        }
        Context::Panes | Context::Entry | Context::Scroll | Context::Run => None,
    }
}
