//! How the list of entries is looked at.

use serde::{Deserialize, Serialize};

use super::{
    LogsState,
    buffer::{Buffer, Line, What},
};
use crate::{
    app::{
        state::{State, World},
        view::View,
    },
    domain::log::Pattern,
};

/// The tab of the log pane that shows what requests were about.
pub const TRAFFIC: usize = 1;

/// How the list of entries is looked at. Follows what comes, until somebody moves in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogView {
    /// The lines as they were when following stopped; none while it goes on. What is read
    /// stays where it is, however much comes meanwhile.
    pub held: Option<Box<LogsState>>,
    /// The number of the selected line; the newest where there is none.
    pub cursor: Option<u64>,
    /// Long lines are broken, not cut.
    pub wrap: bool,
    /// Without the times.
    pub timeless: bool,
    /// What is searched for.
    pub search: String,
    /// The match that was jumped to.
    pub found: Option<Found>,
    /// Why the filter that is being typed does not hold.
    pub complaint: Option<String>,
}

/// A match among others, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Which.
    pub at: usize,
    /// Of how many lines.
    pub of: usize,
}

/// What has come since following stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// Lines that would be listed.
    pub lines: u64,
    /// There were more, which are not kept any more.
    pub more: bool,
}

impl LogView {
    /// Whether the list stands still.
    pub fn is_paused(&self) -> bool {
        self.held.is_some()
    }

    /// Where the selected line stands in the list: the newest where none is selected, and the
    /// nearest one before it where it is not listed.
    pub fn position(&self, buffer: &Buffer, listed: &[usize]) -> usize {
        let last = listed.len().saturating_sub(1);
        let Some(cursor) = self.cursor else { return last };
        let Some(at) = buffer.lines().iter().position(|line| line.number == cursor) else {
            return last;
        };
        match listed.binary_search(&at) {
            Ok(position) => position,
            Err(after) => after.saturating_sub(1).min(last),
        }
    }
}

/// The lines that are shown: held still, or the newest.
pub fn shown<'a>(world: &'a World, view: &'a View) -> &'a Buffer {
    view.logs.held.as_ref().map_or(&world.logs.buffer, |held| &held.buffer)
}

/// What has come since following stopped; none while it goes on.
pub fn news(world: &World, view: &View) -> Option<News> {
    let held = view.logs.held.as_ref()?;
    let (now, first) = (&world.logs.buffer, held.buffer.next());
    let came = now.next().saturating_sub(first);
    let new = now.lines().iter().filter(|line| line.number >= first);
    if now.filter().is_open() {
        let left_out = world.logs.left_out().saturating_sub(held.left_out());
        return Some(News { lines: came + left_out, more: false });
    }
    let (mut kept, mut lines) = (0, 0);
    for line in new {
        kept += 1;
        lines += u64::from(line.passes);
    }
    Some(News { lines, more: kept < came })
}

/// Every place where entries are kept: filters hold in all of them.
pub(in crate::app) fn everywhere(state: &mut State) -> impl Iterator<Item = &mut Buffer> {
    let live = std::iter::once(&mut state.world.logs.buffer);
    let frozen = state.frozen.iter_mut().map(|world| &mut world.logs.buffer);
    let held = state.view.logs.held.iter_mut().map(|held| &mut held.buffer);
    live.chain(frozen).chain(held)
}

/// The next listed line that matches, from `position` on upwards or downwards and round the
/// end; with how many there are. `position` itself counts last, or first where it is wanted.
pub(in crate::app) fn find(
    buffer: &Buffer,
    listed: &[usize],
    pattern: &Pattern,
    position: usize,
    down: bool,
    from_here: bool,
) -> Option<(usize, Found)> {
    let mut text = String::new();
    let matching: Vec<usize> = (0..listed.len())
        .filter(|at| {
            let Some(What::Entry { entry, .. }) = what(buffer, listed, *at) else { return false };
            text.clear();
            entry.write(&mut text);
            pattern.matches(&text)
        })
        .collect();
    let (first, last) = (*matching.first()?, *matching.last()?);
    let chosen = if down {
        let beyond = |at: &&usize| **at > position || (from_here && **at == position);
        matching.iter().find(beyond).copied().unwrap_or(first)
    } else {
        let before = |at: &&usize| **at < position || (from_here && **at == position);
        matching.iter().rev().find(before).copied().unwrap_or(last)
    };
    let at = matching.iter().position(|at| *at == chosen)? + 1;
    Some((chosen, Found { at, of: matching.len() }))
}

fn what<'a>(buffer: &'a Buffer, listed: &[usize], at: usize) -> Option<&'a What> {
    buffer.lines().get(*listed.get(at)?).map(|line| &line.what)
}

/// The line that is selected.
pub(in crate::app) fn selected<'a>(world: &'a World, view: &'a View) -> Option<&'a Line> {
    let buffer = shown(world, view);
    let listed = buffer.listed();
    let position = view.logs.position(buffer, &listed);
    buffer.lines().get(*listed.get(position)?)
}

/// A line in one line of text, with its time.
pub fn entry_text(line: &Line) -> String {
    match &line.what {
        What::Mark => format!("{} mark", line.order),
        What::Entry { entry, .. } => {
            let mut text = entry.at.to_string();
            entry.write(&mut text);
            text
        }
    }
}
