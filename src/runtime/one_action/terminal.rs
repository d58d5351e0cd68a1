//! The terminal of the command `run` in the hands of its action.

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Ended, Session, Word};
use crate::runtime::{
    attach::{self, Left, Wanted},
    engine::Engine,
};

/// The most words that wait until the terminal is ours again; older ones are left out.
const KEPT: usize = 200;

type Answering = Pin<Box<dyn Future<Output = Result<Left, String>>>>;

/// The terminal, and what would be said on it meanwhile.
#[derive(Default)]
pub(super) struct Handing {
    wanted: Arc<Mutex<Option<Wanted>>>,
    answering: Option<Answering>,
    kept: Vec<Word>,
    /// The operator was there to the end, and has seen all that it printed.
    seen: bool,
}

impl Handing {
    /// Of an engine that hands the terminal over by this, where there is one.
    pub(super) fn new(engine: &mut Engine, terminal: bool) -> Self {
        let handing = Self::default();
        if !terminal {
            return handing;
        }
        let wanted = Arc::clone(&handing.wanted);
        engine.attach = Box::new(move |one| {
            *wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(one);
            true
        });
        handing
    }

    /// Waits until the terminal is ours again; for ever where it is.
    pub(super) async fn left(&mut self) -> Result<Left, String> {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Wanted { actions, run, title }) = wanted {
            self.answering =
                Some(Box::pin(async move { attach::answer(&actions, &run, &title, false).await }));
        }
        match &mut self.answering {
            Some(answering) => {
                let left = answering.await;
                self.answering = None;
                self.seen = left == Ok(Left::Ended);
                left
            }
            None => pending().await,
        }
    }

    /// Whether the action has the terminal.
    pub(super) fn is_lent(&self) -> bool {
        self.answering.is_some()
    }

    /// What may be said now. While the action has the terminal that is nothing, and what it
    /// prints has been seen by then.
    pub(super) fn keep_back(&mut self, word: Word) -> Option<Word> {
        if self.answering.is_none() {
            let seen = self.seen && matches!(word, Word::Output(_));
            return (!seen).then_some(word);
        }
        if matches!(word, Word::Note(_)) && self.kept.len() < KEPT {
            self.kept.push(word);
        }
        None
    }

    /// What was kept back.
    pub(super) fn take_back(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.kept)
    }
}

impl Session<'_> {
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.tell(Word::Note(text.into()));
    }

    /// Says something, once the terminal is ours.
    pub(super) fn tell(&mut self, word: Word) {
        if let Some(word) = self.terminal.keep_back(word) {
            (self.say)(word);
        }
    }

    /// The terminal is ours again; `Some` where the operator has left the action alone.
    pub(super) fn returned(&mut self, left: Result<Left, String>) -> Option<Ended> {
        let kept = self.terminal.take_back();
        kept.into_iter().for_each(|word| (self.say)(word));
        let how = format!("to answer: watchfloor attach {}", self.run);
        match left {
            Ok(Left::Ended) => None,
            Ok(Left::Key | Left::Gone) => {
                self.note(how);
                Some(Ended::Detached(self.run.clone()))
            }
            Ok(Left::Lost(why)) | Err(why) => {
                self.note(format!("{why}; {how}"));
                None
            }
        }
    }
}
