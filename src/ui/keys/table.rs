//! The table of keys.

use crossterm::event::KeyCode;

use crate::app::{
    command::{AlertCommand, Begun, Command, Edit, LogCommand},
    view::Context,
};

/// A key, with or without Ctrl. Shift is part of the character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    /// The key.
    pub code: KeyCode,
    /// Ctrl is held.
    pub control: bool,
}

/// What a key does.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// A command.
    Command(Command),
    /// An edit of the line that is being typed.
    Edit(Edit),
}

/// The sections of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Moving about.
    Moving,
    /// What is shown.
    Looking,
    /// Where the figures come from, and where they go.
    Data,
    /// Changing something.
    Acting,
    /// Typing.
    Typing,
    /// The program itself.
    Program,
}

/// One line of the table.
#[derive(Debug)]
pub struct Binding {
    /// Where it holds.
    pub contexts: &'static [Context],
    /// The keys; the first is the one that hints show.
    pub chords: &'static [Chord],
    /// What they do.
    pub meaning: Meaning,
    /// What they do, in words.
    pub help: &'static str,
    /// The word in the footer and how soon it is left out there, 1 being the last to go;
    /// none where the footer does not show it.
    pub hint: Option<(&'static str, u8)>,
    /// The section of the help.
    pub group: Group,
    /// The name in the palette; empty where it has none.
    pub name: &'static str,
}

impl Chord {
    /// A character.
    pub const fn key(letter: char) -> Self {
        Self { code: KeyCode::Char(letter), control: false }
    }

    /// A character with Ctrl.
    pub const fn ctrl(letter: char) -> Self {
        Self { code: KeyCode::Char(letter), control: true }
    }

    /// A key without a character.
    pub const fn code(code: KeyCode) -> Self {
        Self { code, control: false }
    }

    /// With the differences between terminals removed: Ctrl with a capital is Ctrl with the
    /// small letter, Shift and Tab is one key.
    #[must_use]
    pub fn tidied(self) -> Self {
        match self.code {
            KeyCode::Char(letter) if self.control => {
                Self { code: KeyCode::Char(letter.to_ascii_lowercase()), control: true }
            }
            _ => self,
        }
    }

    /// The key as written in the help.
    pub fn shown(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(letter) => letter.to_string(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::F(number) => format!("F{number}"),
            other => format!("{other:?}"),
        };
        if self.control { format!("Ctrl-{name}") } else { name }
    }
}

impl Binding {
    /// Its keys as written in the help.
    pub fn keys(&self) -> String {
        let keys: Vec<String> = self.chords.iter().map(|chord| chord.shown()).collect();
        keys.join(" ")
    }
}

const fn key(letter: char) -> Chord {
    Chord::key(letter)
}

const fn ctrl(letter: char) -> Chord {
    Chord::ctrl(letter)
}

const fn code(code: KeyCode) -> Chord {
    Chord::code(code)
}

const ESC: Chord = code(KeyCode::Esc);
const ENTER: Chord = code(KeyCode::Enter);
const UP: Chord = code(KeyCode::Up);
const DOWN: Chord = code(KeyCode::Down);
const PAGE_UP: Chord = code(KeyCode::PageUp);
const PAGE_DOWN: Chord = code(KeyCode::PageDown);
const F1: Chord = code(KeyCode::F(1));

/// The panes, and the list of log entries, which is one of them.
const PANES: &[Context] = &[Context::Panes, Context::Log];
/// The panes but for the list of log entries, where these keys mean something else.
const OTHER_PANES: &[Context] = &[Context::Panes];
const LOG: &[Context] = &[Context::Log];
const ENTRY: &[Context] = &[Context::Entry];
const MENU: &[Context] = &[Context::Menu];
const FINDINGS: &[Context] = &[Context::Findings];
const SCROLL: &[Context] = &[Context::Scroll, Context::Entry];
const RUN: &[Context] = &[Context::Run];
const CONFIRM: &[Context] = &[Context::Confirm];
const PALETTE: &[Context] = &[Context::Palette];
const LINE: &[Context] = &[Context::Line];
const FORM: &[Context] = &[Context::Form];
const TYPED: &[Context] = &[Context::Palette, Context::Line];
/// Where a line of any kind is edited.
const EDITED: &[Context] = &[Context::Palette, Context::Line, Context::Form];
/// Where letters are not text.
const LETTERS: &[Context] = &[
    Context::Panes,
    Context::Log,
    Context::Entry,
    Context::Scroll,
    Context::Menu,
    Context::Run,
    Context::Confirm,
    Context::Findings,
];
/// Where something longer than the screen can be scrolled by letters.
const SCROLLED: &[Context] = &[Context::Scroll, Context::Entry, Context::Run, Context::Confirm];
/// Rows to move about in.
const ROWS: &[Context] = &[Context::Panes, Context::Log, Context::Menu, Context::Findings];
/// Everywhere but in a countdown, where every key stops it.
const EVERYWHERE: &[Context] = &[
    Context::Panes,
    Context::Log,
    Context::Entry,
    Context::Scroll,
    Context::Menu,
    Context::Palette,
    Context::Line,
    Context::Form,
    Context::Confirm,
    Context::Run,
    Context::Findings,
];

const fn row(
    contexts: &'static [Context],
    chords: &'static [Chord],
    command: Command,
    group: Group,
    help: &'static str,
) -> Binding {
    Binding {
        contexts,
        chords,
        meaning: Meaning::Command(command),
        help,
        hint: None,
        group,
        name: "",
    }
}

const fn typing(
    contexts: &'static [Context],
    chords: &'static [Chord],
    edit: Edit,
    help: &'static str,
) -> Binding {
    Binding {
        contexts,
        chords,
        meaning: Meaning::Edit(edit),
        help,
        hint: None,
        group: Group::Typing,
        name: "",
    }
}

macro_rules! bound {
    ($binding:expr $(, name $name:literal)? $(, hint $hint:literal $rank:literal)?) => {{
        #[allow(unused_mut)]
        let mut binding = $binding;
        $(binding.name = $name;)?
        $(binding.hint = Some(($hint, $rank));)?
        binding
    }};
}

/// Every key that means something, in the order of the help.
pub static BINDINGS: &[Binding] = {
    use Command::*;
    use Group::{Acting, Data, Looking, Moving, Program};
    &[
        // --- a question: only `y` says yes
        bound!(row(CONFIRM, &[ESC, key('n'), key('q')], Back, Acting, "cancel: nothing is sent"), hint "cancel" 1),
        bound!(row(CONFIRM, &[key('y')], Confirm, Acting, "do it, exactly as shown"), hint "do it" 2),
        // --- a run, a preview
        bound!(row(RUN, &[ESC, ENTER, key('q')], Back, Moving, "close; what is running goes on"), hint "close" 1),
        bound!(row(
            RUN,
            &[key('U')],
            Undo,
            Acting,
            "open what undoes a run that has ended; it starts nothing yet"
        )),
        bound!(row(RUN, &[key('T')], TakeOver, Acting, "take over from the run that is in the way"), hint "take over" 2),
        bound!(row(RUN, &[key('S')], CancelRun, Acting, "ask the runner to stop"), name "cancel", hint "ask it to stop" 2),
        bound!(row(RUN, &[key('o')], Attach, Acting, "answer an interactive run: this terminal is handed over"), name "attach"),
        // --- the menus
        bound!(row(MENU, &[ENTER], Enter, Acting, "open the selected entry; it starts nothing yet"), hint "open" 2),
        bound!(row(MENU, &[ESC, key('q')], Back, Moving, "close the menu"), hint "close" 1),
        // --- what the doctor found
        bound!(row(FINDINGS, &[ENTER], Enter, Looking, "details of the selected finding, and its cure"), hint "details" 2),
        bound!(row(FINDINGS, &[ESC, key('q')], Back, Moving, "one step back: details, filter, close"), hint "close" 1),
        bound!(row(FINDINGS, &[key('r')], Examine, Data, "examine everything again"), hint "again" 3),
        bound!(row(FINDINGS, &[key('/')], Filter, Looking, "only findings with a text; a leading ! turns it round"), hint "filter" 4),
        // --- the palette and the other lines
        bound!(typing(PALETTE, &[ENTER], Edit::Accept, "complete the name; once it is spelled out, do it"), hint "do it" 2),
        bound!(typing(PALETTE, &[code(KeyCode::Tab)], Edit::Complete, "complete the name"), hint "complete" 3),
        bound!(typing(PALETTE, &[DOWN, ctrl('n')], Edit::Choose(1), "the next proposal"), hint "choose" 4),
        typing(
            PALETTE,
            &[UP, code(KeyCode::BackTab), ctrl('p')],
            Edit::Choose(-1),
            "the proposal before",
        ),
        bound!(typing(LINE, &[ENTER], Edit::Accept, "take the line"), hint "take" 2),
        bound!(row(TYPED, &[ESC], Back, Group::Typing, "close without taking the line"), hint "close" 1),
        // --- a form
        bound!(row(FORM, &[ESC], Back, Group::Typing, "cancel: nothing is measured or sent"), hint "cancel" 1),
        bound!(typing(FORM, &[ENTER], Edit::Accept, "to the next field; behind the last one: what it would do"), hint "go on" 2),
        bound!(typing(FORM, &[code(KeyCode::Tab)], Edit::Field(1), "the next field"), hint "field" 3),
        typing(FORM, &[code(KeyCode::BackTab)], Edit::Field(-1), "the field before"),
        bound!(typing(FORM, &[DOWN, ctrl('n')], Edit::Choose(1), "the next choice, or the next field"), hint "choose" 4),
        typing(FORM, &[UP, ctrl('p')], Edit::Choose(-1), "the choice or the field before"),
        typing(
            EDITED,
            &[code(KeyCode::Backspace), ctrl('h')],
            Edit::Backspace,
            "remove a character",
        ),
        typing(EDITED, &[ctrl('w')], Edit::DeleteWord, "remove a word"),
        typing(EDITED, &[ctrl('u')], Edit::Clear, "remove everything"),
        row(LINE, &[UP], Move(-1), Moving, "scroll up"),
        row(LINE, &[DOWN], Move(1), Moving, "scroll down"),
        row(LINE, &[PAGE_UP], Page(-1), Moving, "scroll a page up"),
        bound!(row(LINE, &[PAGE_DOWN], Page(1), Moving, "scroll a page down"), hint "scroll" 3),
        // --- something to scroll
        bound!(row(SCROLL, &[ESC, ENTER, key('q')], Back, Moving, "close"), hint "close" 1),
        bound!(row(SCROLLED, &[key('j'), DOWN], Move(1), Moving, "scroll down"), hint "scroll" 3),
        row(SCROLLED, &[key('k'), UP], Move(-1), Moving, "scroll up"),
        row(SCROLLED, &[PAGE_DOWN, key(' '), ctrl('d')], Page(1), Moving, "a page down"),
        row(SCROLLED, &[PAGE_UP, ctrl('u')], Page(-1), Moving, "a page up"),
        row(SCROLLED, &[key('g'), code(KeyCode::Home)], First, Moving, "to the top"),
        row(SCROLLED, &[key('G'), code(KeyCode::End)], Last, Moving, "to the end"),
        // --- the panes
        bound!(row(PANES, &[key('1')], FocusPane(1), Moving, "to the health pane"), name "health"),
        bound!(row(PANES, &[key('2')], FocusPane(2), Moving, "to the cache pane"), name "cache"),
        bound!(row(PANES, &[key('3')], FocusPane(3), Moving, "to the latency pane"), name "latency"),
        bound!(row(PANES, &[key('4')], FocusPane(4), Moving, "to the rate-limit pane"), name "limits"),
        bound!(row(PANES, &[key('5')], FocusPane(5), Moving, "to the escalation pane"), name "escalation"),
        bound!(row(PANES, &[key('6')], FocusPane(6), Moving, "to the database pane"), name "database"),
        bound!(row(PANES, &[key('7')], FocusPane(7), Moving, "to the alerts pane"), name "alerts"),
        bound!(row(PANES, &[key('8')], FocusPane(8), Moving, "to the log pane"), name "logs"),
        bound!(row(PANES, &[code(KeyCode::Tab), key('l'), code(KeyCode::Right)], NextPane, Moving, "to the next pane"), name "next", hint "pane" 3),
        bound!(row(PANES, &[code(KeyCode::BackTab), key('h'), code(KeyCode::Left)], PreviousPane, Moving, "to the pane before"), name "previous"),
        row(ROWS, &[key('j'), DOWN], Move(1), Moving, "down a row"),
        row(ROWS, &[key('k'), UP], Move(-1), Moving, "up a row"),
        row(ROWS, &[PAGE_DOWN, ctrl('d')], Page(1), Moving, "half a page down"),
        row(ROWS, &[PAGE_UP, ctrl('u')], Page(-1), Moving, "half a page up"),
        row(ROWS, &[key('g'), code(KeyCode::Home)], First, Moving, "to the first row"),
        row(ROWS, &[key('G'), code(KeyCode::End)], Last, Moving, "to the last row"),
        bound!(row(PANES, &[key(']')], NextTab, Moving, "the pane's next window or tab"), name "next-tab", hint "tab" 8),
        bound!(row(PANES, &[key('[')], PreviousTab, Moving, "the pane's window or tab before"), name "previous-tab"),
        bound!(row(OTHER_PANES, &[ENTER], Enter, Looking, "details: the focused pane alone"), hint "details" 5),
        bound!(row(PANES, &[key('f'), key('z')], Zoom, Looking, "the focused pane alone, or all of them"), name "zoom", hint "zoom" 9),
        bound!(row(OTHER_PANES, &[key('/')], Filter, Looking, "only rows with a text; a leading ! turns it round"), name "filter", hint "filter" 6),
        bound!(row(PANES, &[key('Z'), key(' ')], Freeze, Looking, "hold the panes still, or go on; data is still collected"), name "freeze", hint "freeze" 7),
        bound!(row(PANES, &[key('u')], ToggleUtc, Looking, "times in UTC or local"), name "utc"),
        bound!(row(OTHER_PANES, &[key('m')], Unmask, Looking, "show or mask identifiers; noted in the journal"), name "unmask"),
        bound!(row(PANES, &[key('M')], Messages, Looking, "everything that was said"), name "messages", hint "messages" 10),
        bound!(row(PANES, &[key('D')], Doctor, Looking, "whether everything that is configured would work now"), name "doctor"),
        row(OTHER_PANES, &[ESC], Back, Looking, "one step back: filter, freeze, zoom"),
        bound!(row(PANES, &[ctrl('r')], PollNow, Data, "ask the pane's sources now"), name "poll"),
        bound!(row(PANES, &[key('+'), key('=')], Slower, Data, "longer interval: ask the pane's sources less often"), name "slower"),
        bound!(row(PANES, &[key('-')], Faster, Data, "shorter interval: ask the pane's sources more often"), name "faster"),
        bound!(row(OTHER_PANES, &[key('K')], ScanKeys, Data, "count the selected cache's keys by prefix"), name "keys"),
        bound!(row(PANES, &[key('y'), key('c')], Copy, Data, "copy the selected row"), name "copy"),
        bound!(row(PANES, &[key('Y')], CopyMarkdown, Data, "copy the selected row as Markdown"), name "copy-markdown"),
        bound!(row(PANES, &[ctrl('s')], Save, Data, "write the state to a file"), name "save"),
        bound!(row(PANES, &[key('x')], ActionMenu, Acting, "the menu of actions: the only road to them"), name "actions", hint "actions" 2),
        bound!(row(OTHER_PANES, &[key('C')], Contacted(true), Acting, "the selected level was contacted: starts its clock"), name "contacted"),
        bound!(row(OTHER_PANES, &[key('a')], Alert(AlertCommand::Begin(Begun::Acknowledge)), Acting, "say that you look after the selected alert"), hint "ack" 2),
        bound!(row(OTHER_PANES, &[key('s')], Alert(AlertCommand::Begin(Begun::Silence)), Acting, "keep the selected alert quiet for a time"), hint "silence" 3),
        bound!(row(OTHER_PANES, &[key('P')], Alert(AlertCommand::Begin(Begun::Priority)), Acting, "decide the priority of the selected alert"), hint "priority" 5),
        bound!(row(OTHER_PANES, &[key('t')], Alert(AlertCommand::Begin(Begun::Taken)), Acting, "say who of the selected level took it: the clocks stop"), hint "taken by" 3),
        bound!(row(PANES, &[key('F')], DemoMenu, Program, "the faults of the demo"), name "faults"),
        // --- the list of log entries
        bound!(row(LOG, &[ENTER], Enter, Looking, "everything that the entry says"), hint "details" 5),
        bound!(row(LOG, &[key('s')], Log(LogCommand::Follow), Looking, "follow what comes, or stop; moving up also stops, G follows again"), name "follow", hint "follow" 2),
        bound!(row(LOG, &[key('/')], Log(LogCommand::Search), Looking, "search upwards, by a regular expression"), name "search", hint "search" 3),
        bound!(row(LOG, &[key('n')], Log(LogCommand::Next), Moving, "to the next match, further up"), name "next-match"),
        bound!(row(LOG, &[key('N')], Log(LogCommand::Previous), Moving, "to the match before, back down"), name "previous-match"),
        bound!(row(LOG, &[key('&')], Filter, Looking, "only entries that match a regular expression; a leading ! turns it round"), name "filter", hint "filter" 4),
        bound!(row(LOG, &[key('e')], Log(LogCommand::Level), Looking, "every level, warnings and errors, errors only"), name "level", hint "level" 4),
        bound!(row(LOG, &[key('w')], Log(LogCommand::Wrap), Looking, "break long lines, or cut them"), name "wrap", hint "wrap" 6),
        bound!(row(LOG, &[key('t')], Log(LogCommand::Times), Looking, "with or without times"), name "times", hint "times" 7),
        bound!(row(LOG, &[key('m')], Log(LogCommand::Mark), Looking, "draw a line with the time"), name "mark", hint "mark" 6),
        row(LOG, &[ESC], Back, Looking, "one step back: search, filter, pause, freeze, zoom"),
        bound!(row(ENTRY, &[key('y'), key('c')], Copy, Data, "copy the entry with all its fields"), name "copy", hint "copy" 2),
        bound!(row(ENTRY, &[key('Y')], CopyMarkdown, Data, "copy the entry as Markdown"), name "copy-markdown"),
        // --- the program
        bound!(row(LETTERS, &[key('?'), F1], Help, Program, "keys and commands, for where one is"), name "help", hint "help" 1),
        bound!(row(EDITED, &[F1], Help, Program, "keys, for where one is"), hint "help" 5),
        bound!(row(LETTERS_WITHOUT_CONFIRM, &[key(':')], Palette, Program, "every command by its name"), hint "command" 4),
        bound!(row(PANES, &[key('q')], Quit, Program, "one step back; from all panes: leave"), hint "quit" 11),
        row(
            EVERYWHERE,
            &[ctrl('c')],
            Interrupt,
            Program,
            "close what is open; twice within 2 s: leave",
        ),
        row(EVERYWHERE, &[ctrl('z')], Suspend, Program, "back to the shell; fg returns"),
        row(EVERYWHERE, &[ctrl('l')], Redraw, Program, "draw everything again"),
        bound!(row(RUN, &[key('M')], Messages, Looking, "everything that was said"), name "messages"),
    ]
};

/// In a question nothing else can be opened but the help.
const LETTERS_WITHOUT_CONFIRM: &[Context] = &[
    Context::Panes,
    Context::Log,
    Context::Entry,
    Context::Scroll,
    Context::Menu,
    Context::Run,
    Context::Findings,
];
