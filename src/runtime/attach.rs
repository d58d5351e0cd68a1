//! The operator's terminal in the hands of an interactive action, and back.

mod settle;

use std::{convert::Infallible, future::pending, io, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    time::sleep,
};

use super::engine::HISTORY;
use crate::{
    actions::{Actions, Attachment, NotAttached, Shown},
    app::{
        actions::Run,
        msg::{Event, Notice},
    },
    config::profile::Profile,
    domain::{
        action::{ActionOutcome, PastRun, Standing},
        catalog::Catalog,
        ids::{ActionId, RunId},
        text::safe,
    },
    terminal::{
        input::Input,
        lent::{Lender, Lent},
        signals::Signals,
        tty::Tty,
    },
};

/// Ctrl-], which gives the terminal back. It is what telnet and others leave by, and no
/// program asks for it.
const LEAVE: u8 = 0x1d;
/// The same from terminals that a program has told to report keys in another way (xterm's
/// `modifyOtherKeys`, and what kitty has made of it).
const ALSO_LEAVE: [&[u8]; 2] = [b"\x1b[27;5;93~", b"\x1b[93;5u"];
/// How often a terminal that took nothing is asked again.
const AGAIN: Duration = Duration::from_millis(10);
/// What is typed and waits, in pieces.
const TYPED: usize = 64;
/// Runs that are named where none is meant.
const LISTED: usize = 5;

/// Where keys go while a program has the terminal.
pub(super) type Keys = Option<mpsc::Sender<Vec<u8>>>;

/// A run that is to have the terminal.
pub(super) struct Wanted {
    pub(super) actions: Arc<Actions>,
    pub(super) run: RunId,
    /// What it is called.
    pub(super) title: String,
}

/// Why the operator has the terminal back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// The program has ended.
    Ended,
    /// They pressed Ctrl-]. The program goes on.
    Key,
    /// The connection is over, and why. The program goes on.
    Lost(String),
    /// The operator's own terminal is gone, or was taken from the program.
    Gone,
}

/// Passes everything on between the operator's terminal and a run's, until one of them is
/// over or the operator wants it back.
async fn relay(
    mut attachment: Attachment,
    lent: &Lent,
    keys: &mut mpsc::Receiver<Vec<u8>>,
    title: &str,
    resized: &mut Signal,
) -> Left {
    let mut waiting =
        format!("running {}; Ctrl-] returns, the action goes on\r\n", safe(title)).into_bytes();
    let mut nap = Duration::ZERO;
    loop {
        tokio::select! {
            () = sleep(nap), if !waiting.is_empty() => match lent.write(&waiting) {
                Ok(written) => {
                    waiting.drain(..written);
                    nap = if written == 0 { AGAIN } else { Duration::ZERO };
                }
                Err(error) => {
                    tracing::info!(%error, "the terminal is not the program's any more");
                    return Left::Gone;
                }
            },
            // What the terminal has not taken keeps back what comes after it.
            shown = attachment.next(), if waiting.is_empty() => match shown {
                Shown::Bytes(bytes) => waiting = bytes,
                Shown::Ended => return Left::Ended,
                Shown::Lost(why) => return Left::Lost(why),
            },
            piece = keys.recv() => {
                let Some(piece) = piece else { return Left::Gone };
                let (typed, leave) = until_leave(piece);
                if !typed.is_empty() {
                    attachment.type_in(typed);
                }
                if leave {
                    return Left::Key;
                }
            }
            _ = resized.recv() => attachment.resize(lent.size()),
        }
    }
}

/// What is typed before the key that leaves, and whether that is there. What comes after it
/// is for nobody.
fn until_leave(mut piece: Vec<u8>) -> (Vec<u8>, bool) {
    let key = piece.iter().position(|byte| *byte == LEAVE);
    let others = ALSO_LEAVE
        .iter()
        .filter_map(|keys| piece.windows(keys.len()).position(|window| window == *keys));
    match key.into_iter().chain(others).min() {
        Some(at) => {
            piece.truncate(at);
            (piece, true)
        }
        None => (piece, false),
    }
}

/// Hands the terminal of a console over.
pub(super) struct HandsOver {
    pub(super) lender: Lender,
    pub(super) keys: watch::Sender<Keys>,
    pub(super) events: mpsc::Sender<Event>,
}

impl HandsOver {
    /// Hands it over to one run after the other.
    pub(super) async fn serve(self, mut wanted: mpsc::Receiver<Wanted>) -> Infallible {
        while let Some(wanted) = wanted.recv().await {
            let title = wanted.title.clone();
            let notice = match self.hand_over(wanted).await {
                Ok(Left::Ended) => Notice::info(format!("{title} has ended")),
                Ok(Left::Key) => {
                    Notice::warning(format!("{title} goes on, and may wait for an answer"))
                }
                Ok(Left::Lost(why)) => Notice::warning(format!("{title} goes on: {why}")),
                Ok(Left::Gone) => Notice::warning(format!("{title} goes on without a terminal")),
                Err(why) => Notice::warning(why),
            };
            // Nobody listens any more: then nobody has to be told.
            let _ = self.events.send(Event::Notice(notice)).await;
        }
        pending().await
    }

    async fn hand_over(&self, wanted: Wanted) -> Result<Left, String> {
        let Wanted { actions, run, title } = wanted;
        let size = self.lender.size();
        let attachment = actions.attach(&run, size, false).await.map_err(|why| match why {
            NotAttached::Refused(who) => format!(
                "{title} is answered elsewhere: {who}; to send them away: watchfloor attach {run} --take-over"
            ),
            why => format!("{title} cannot be answered: {why}"),
        })?;
        let mut resized = window_changes().map_err(|error| error.to_string())?;
        let (keys, mut keys_in) = mpsc::channel(TYPED);
        let lent = self.lender.lend().map_err(|error| error.to_string())?;
        let given = GivenKeys(&self.keys);
        given.0.send_replace(Some(keys));
        Ok(relay(attachment, &lent, &mut keys_in, &title, &mut resized).await)
    }
}

/// Keys are the program's until this is dropped.
struct GivenKeys<'a>(&'a watch::Sender<Keys>);

impl Drop for GivenKeys<'_> {
    fn drop(&mut self) {
        self.0.send_replace(None);
    }
}

fn window_changes() -> io::Result<Signal> {
    signal(SignalKind::window_change())
}

/// Hands the terminal of this program over to a run, where no screen is on it.
///
/// # Errors
/// There is no terminal, or the run cannot be attached to, with the reason.
pub async fn answer(
    actions: &Actions,
    run: &RunId,
    title: &str,
    take_over: bool,
) -> Result<Left, String> {
    let tty = Tty::open().map_err(|error| format!("there is no terminal: {error}"))?;
    let lender = Lender::of(tty.clone()).map_err(|error| error.to_string())?;
    let attachment =
        actions.attach(run, lender.size(), take_over).await.map_err(|why| why.to_string())?;
    let mut resized = window_changes().map_err(|error| error.to_string())?;
    let lent = lender.lend().map_err(|error| format!("the terminal: {error}"))?;
    let mut keyboard = Input::open(tty, Duration::ZERO).map_err(|error| error.to_string())?;
    let (keys, mut keys_in) = mpsc::channel(TYPED);
    let typing = async {
        while let Some(piece) = keyboard.piece().await {
            // As in a console: what nobody takes is lost.
            let _ = keys.try_send(piece);
        }
    };
    let left = tokio::select! {
        () = typing => Left::Gone,
        left = relay(attachment, &lent, &mut keys_in, title, &mut resized) => left,
    };
    // Wherever the program left the cursor, what is said next has a line of its own.
    let _ = lent.write(b"\r\n");
    Ok(left)
}

/// How a run ended that was answered to its end.
#[derive(Clone, Debug, PartialEq)]
pub enum HowItEnded {
    /// Its proof was looked at; with what keeps the outcome from the journal.
    Proven(Box<Run>, Option<String>),
    /// Somebody else was faster: the journal has the outcome.
    Known(ActionOutcome),
    /// Nobody looked at its proof, and why.
    Unseen(String),
}

/// What became of answering a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Answered {
    /// The operator has left, and it goes on; or they were sent away.
    Left(Left),
    /// It has ended.
    Over(HowItEnded),
}

/// Answers a run that goes on, and looks at its proof when it has ended: the command `attach`.
/// `name` is that of the run, or of its action where one run of it alone is under way.
/// `proving` is told when the waiting for the proof begins.
///
/// # Errors
/// There is no terminal, no journal, or no such run that could be answered.
pub async fn answer_run(
    profile: Profile,
    name: &str,
    take_over: bool,
    proving: &mut dyn FnMut(),
) -> Result<(RunId, Answered), String> {
    let clock = super::clock::Clock::start();
    let opened = Actions::open(&profile.state_dir, Arc::new(move || clock.now()));
    let actions = Arc::new(opened.map_err(|error| error.to_string())?.0);
    let run = which(&actions, &profile.catalog, name)?;
    let mut signals = Signals::listen(None).map_err(|error| error.to_string())?;
    let ending = async { while signals.next().await.exit_code().is_none() {} };
    let left = tokio::select! {
        left = answer(&actions, &run, run.as_str(), take_over) => left?,
        () = ending => Left::Gone,
    };
    if left != Left::Ended {
        return Ok((run, Answered::Left(left)));
    }
    proving();
    let how = settle::settle(profile, actions, clock, &run, &mut signals).await;
    Ok((run, Answered::Over(how)))
}

/// The run that is meant. Blocks on the disk.
fn which(actions: &Actions, catalog: &Catalog, name: &str) -> Result<RunId, String> {
    let run = RunId::from(name);
    if actions.past(&run).is_some() {
        return Ok(run);
    }
    let target = catalog.target();
    let asks = |past: &PastRun| {
        past.is_on(&target)
            && past.trace.standing.is_some_and(Standing::is_running)
            && catalog.action(&past.action).is_some_and(|action| action.interactive)
    };
    let open: Vec<PastRun> = actions.history(HISTORY).into_iter().filter(asks).collect();
    let of_action: Vec<&PastRun> =
        open.iter().filter(|past| past.action.as_str() == name).collect();
    if let [only] = of_action[..] {
        return Ok(only.run.clone());
    }
    let what = if !of_action.is_empty() {
        "several of its runs can be answered"
    } else if catalog.action(&ActionId::from(name)).is_some() {
        "no run of it can be answered"
    } else {
        "there is no run and no action of that name"
    };
    let shown = |past: &PastRun| format!("{} ({} by {})", past.run, past.action, past.by);
    let runs: Vec<String> = open.iter().take(LISTED).map(shown).collect();
    Err(match open.len().saturating_sub(LISTED) {
        _ if runs.is_empty() => format!("{what}; nothing that asks is under way"),
        0 => format!("{what}; under way: {}", runs.join(", ")),
        more => format!("{what}; under way: {}, and {more} more", runs.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_leaves_is_found_wherever_it_stands() {
        let cases: [(&[u8], &[u8], bool); 6] = [
            (b"yes\r", b"yes\r", false),
            (b"\x1d", b"", true),
            (b"pass\x1dword", b"pass", true),
            (b"a\x1b[93;5ub", b"a", true),
            (b"a\x1b[27;5;93~\x1d", b"a", true),
            ("grün\x1b[A".as_bytes(), "grün\x1b[A".as_bytes(), false),
        ];
        for (piece, typed, leave) in cases {
            assert_eq!(until_leave(piece.to_vec()), (typed.to_vec(), leave), "{piece:?}");
        }
    }
}
