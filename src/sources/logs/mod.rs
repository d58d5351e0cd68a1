//! A log that is followed in the background: a file, or a program that goes on printing.
//!
//! A poll asks nobody: it reports what has been gathered. What is kept is bounded, and
//! fields with personal data are dropped before anything is kept at all.

mod doubts;

mod follow;

mod gather;

mod growth;

mod inline;

mod lines;

mod names;

mod newest;

mod overlap;

mod parse;

mod program;

mod shown;

mod skew;

mod tail;

mod time;

mod window;

use self::gather::Gathered;
use super::background::{self, Background};
use crate::{
    config::profile::{LogOrigin, LogsSource},
    domain::{
        failure::{Failure, FailureKind},
        observation::Facts,
        time::Moment,
    },
    net::progress::Progress,
};

/// A log.
pub(super) struct Logs {
    config: LogsSource,
    following: Option<Background<Gathered, Phase>>,
    /// What was known of it was reported.
    reported: bool,
}

/// What the task that follows and the polls share.
type Shared = background::Shared<Gathered, Phase>;

/// How the following goes.
#[derive(Clone, Debug)]
enum Phase {
    /// What was there before is being read.
    Starting,
    /// What comes is read.
    Following,
    /// What comes is read, but late.
    Behind,
    /// Nothing comes.
    Trouble(Failure),
}

impl Logs {
    /// A log that is not followed yet.
    pub(super) fn new(config: &LogsSource) -> Self {
        Self { config: config.clone(), following: None, reported: false }
    }

    /// Reports what has been gathered. The first poll begins to follow, and waits until
    /// what was there before has been read.
    pub(super) async fn poll(
        &mut self,
        now: Moment,
        progress: &mut Progress,
    ) -> Result<Facts, Failure> {
        if self.following.as_ref().is_some_and(Background::is_over) {
            (self.following, self.reported) = (None, false);
        }
        let config = &self.config;
        let following = self.following.get_or_insert_with(|| start(config));
        let patience = progress.left() * 2 / 3;
        // What comes late at first may soon come in time.
        let reported = self.reported;
        let settled = |phase: &Phase| match phase {
            Phase::Starting => false,
            Phase::Behind => reported,
            Phase::Following | Phase::Trouble(_) => true,
        };
        let phase = following.settled(patience, settled).await;
        match phase {
            Phase::Trouble(failure) => Err(failure),
            Phase::Starting => {
                let message = "what was there before is still being read";
                Err(Failure::new(FailureKind::BadAnswer, message))
            }
            Phase::Following | Phase::Behind => {
                self.reported = true;
                Ok(following.found().report(now))
            }
        }
    }
}

fn start(config: &LogsSource) -> Background<Gathered, Phase> {
    let followed = config.clone();
    Background::start(Gathered::new(config), Phase::Starting, |shared| {
        follow::follow(followed, shared)
    })
}

/// What is done, in words.
pub(super) fn request(config: &LogsSource) -> String {
    match &config.from {
        LogOrigin::File(file) => format!("follow {}", file.display()),
        LogOrigin::Command { program, .. } => program.shown(),
    }
}
