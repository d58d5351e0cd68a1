//! The terminal of the command `run` in the hands of its action.

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use super::Word;
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
}

impl Handing {
    /// Of an engine that hands the terminal over by this.
    pub(super) fn from(engine: &mut Engine) -> Self {
        let handing = Self::default();
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
                left
            }
            None => pending().await,
        }
    }

    /// What may be said now. While the action has the terminal that is nothing, and what it
    /// prints has been seen by then.
    pub(super) fn keep_back(&mut self, word: Word) -> Option<Word> {
        if self.answering.is_none() {
            return Some(word);
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
