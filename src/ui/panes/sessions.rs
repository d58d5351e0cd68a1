//! The sessions of a database that are worth looking at, and which block which.

use std::collections::BTreeSet;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{context::Context, figure};
use crate::{
    app::database::DatabaseRow,
    domain::{observation::Session, text, time::coarse_age},
    ui::{
        paint,
        widgets::{
            dash, put,
            table::{Cell, Column, Table},
        },
    },
};

const COLUMNS: [Column; 7] = [
    Column::numbers("pid", 6),
    Column::words("state", 6, 20),
    Column::numbers("runs", 5).drop(1),
    Column::numbers("in tx", 5).drop(5),
    Column::words("waits for", 6, 20).drop(2),
    Column::words("who", 6, 28).drop(4),
    Column::words("statement", 12, usize::MAX).drop(3),
];

/// Draws the sessions; with the tree of who blocks whom where `tree` is set.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    row: &DatabaseRow,
    tree: bool,
) {
    let theme = context.theme;
    let known = row.quality.usable();
    if row.sessions.is_empty() {
        let text = if known {
            "no session is long, blocked, blocking or idle in a transaction"
        } else {
            "sessions are not known"
        };
        let lines = paint::wrapped("", text, usize::from(area.width), theme.quiet(), theme.quiet());
        put(buffer, area, &lines, context.theme);
        return;
    }
    let blockers = if tree { blockers(context, &row.sessions) } else { Vec::new() };
    let below = if blockers.is_empty() { 0 } else { blockers.len() + 2 };
    let room = usize::from(area.height);
    let mut lines = sessions(area.width, room - below.min(room / 2), context, row);
    if below > 0 {
        lines.push(Line::default());
        lines.push(Line::styled("Who blocks whom", theme.strong()));
        lines.extend(blockers);
    }
    put(buffer, area, &lines, theme);
}

fn sessions(
    width: u16,
    room: usize,
    context: &Context<'_>,
    row: &DatabaseRow,
) -> Vec<Line<'static>> {
    let theme = context.theme;
    let style = if row.quality.usable() { theme.text() } else { figure::faded(theme) };
    let age = |age: Option<std::time::Duration>| {
        age.map_or_else(|| dash(theme).to_owned(), |age| coarse_age(age).replace("now", "<10s"))
    };
    let cells = row.sessions.iter().map(|session| {
        let blocked = !session.blocked_by.is_empty();
        let state = if blocked { "blocked" } else { session.state.as_str() };
        let alarm = if blocked && row.quality.usable() { theme.warning() } else { style };
        let wait = session.wait.clone().unwrap_or_else(|| dash(theme).to_owned());
        vec![
            Cell::new(session.pid.to_string(), style),
            Cell::new(state, alarm),
            Cell::new(age(session.query_age), style),
            Cell::new(age(session.transaction_age), theme.quiet()),
            Cell::new(wait, theme.quiet()),
            Cell::new(who(session), theme.quiet()),
            Cell::new(session.query.clone(), style),
        ]
    });
    Table::new(&COLUMNS, cells.collect(), width, theme).lines(room)
}

fn who(session: &Session) -> String {
    match session.application.as_str() {
        "" => format!("{}@{}", session.user, session.database),
        application => format!("{}@{} {application}", session.user, session.database),
    }
}

/// The tree of blocking sessions, roots first. A session that waits for several stands
/// below the first of them; a circle is shown once and named.
fn blockers(context: &Context<'_>, sessions: &[Session]) -> Vec<Line<'static>> {
    let blocking: BTreeSet<i64> =
        sessions.iter().flat_map(|session| session.blocked_by.iter().copied()).collect();
    let waits = |pid: i64| {
        sessions.iter().any(|session| session.pid == pid && !session.blocked_by.is_empty())
    };
    let mut tree = Tree { context, sessions, seen: BTreeSet::new(), lines: Vec::new() };
    for pid in blocking.iter().filter(|pid| !waits(**pid)) {
        tree.add(*pid, 0);
    }
    // What is left waits in a circle.
    for pid in &blocking {
        if !tree.seen.contains(pid) {
            tree.lines.push(Line::styled("a circle:", context.theme.warning()));
            tree.add(*pid, 0);
        }
    }
    tree.lines
}

/// Deeper than this, a chain of waiting sessions is only indented no further.
const DEEPEST: usize = 12;

struct Tree<'a> {
    context: &'a Context<'a>,
    sessions: &'a [Session],
    seen: BTreeSet<i64>,
    lines: Vec<Line<'static>>,
}

impl Tree<'_> {
    /// Adds a session and, below it, those that wait for it.
    fn add(&mut self, root: i64, depth: usize) {
        let mut open = vec![(root, depth)];
        while let Some((pid, depth)) = open.pop() {
            if !self.seen.insert(pid) {
                continue;
            }
            self.lines.push(self.line(pid, depth));
            let waiting = self.sessions.iter().rev().filter(|session| {
                session.blocked_by.contains(&pid) && !self.seen.contains(&session.pid)
            });
            open.extend(waiting.map(|session| (session.pid, depth + 1)));
        }
    }

    fn line(&self, pid: i64, depth: usize) -> Line<'static> {
        let theme = self.context.theme;
        let indent = "   ".repeat(depth.min(DEEPEST));
        let word = if depth == 0 { "" } else { "waits: " };
        let style = if depth == 0 { theme.critical() } else { theme.warning() };
        let about = match self.sessions.iter().find(|session| session.pid == pid) {
            Some(session) => {
                let age = session.transaction_age.map_or_else(String::new, |age| {
                    format!(", transaction open {}", coarse_age(age).replace("now", "<10s"))
                });
                let query = text::clip(&session.query, 200);
                format!("  {}{age}  {query}", text::clip(&session.state, 40))
            }
            None => "  not among the sessions that are shown".to_owned(),
        };
        Line::from(vec![
            Span::styled(format!("{indent}{word}"), theme.quiet()),
            Span::styled(pid.to_string(), style),
            Span::styled(about, Style::new()),
        ])
    }
}
