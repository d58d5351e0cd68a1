//! The dialog that stands between a key and production.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    app::view::{Context, Line},
    domain::{
        action::{Approval, LOCKED, Preview, TakeOver},
        ask::Answers,
        catalog::ActionSpec,
        failure::Failure,
        ids::{ActionId, RunId},
        time::Moment,
    },
};

/// Keys that arrive this soon after a stage has begun were typed before it could be read,
/// and are dropped.
pub const TYPE_AHEAD: Duration = Duration::from_millis(300);

/// A preview that is older than this must be made again.
pub const PREVIEW_LASTS: Duration = Duration::from_secs(60);

/// How long the countdown of a disruptive action runs.
pub const COUNTDOWN: Duration = Duration::from_secs(5);

/// The shortest reason that is taken, in characters.
pub const SHORTEST_REASON: usize = 2;

/// A guarded action on its way from the menu to the runner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dialog {
    /// The run that it would become.
    pub run: RunId,
    /// The action.
    pub action: ActionId,
    /// What it acts on, pinned when the dialog was opened.
    pub target: String,
    /// What was given for what the action asks for.
    #[serde(default)]
    pub asked: Answers,
    /// What it would do.
    pub preview: Option<Result<Preview, Failure>>,
    /// How far the operator has come.
    pub stage: Stage,
    /// Since when it stands there.
    pub stage_since: Moment,
    /// The reason, once given.
    pub reason: String,
    /// Who agreed, where a second person was asked.
    pub approval: Option<Approval>,
    /// It goes on without the second person that it needs.
    pub break_glass: bool,
    /// Whose lock is taken over, once that was decided.
    #[serde(default)]
    pub take_over: Option<TakeOver>,
    /// The digest of the plan that a second person was asked about.
    pub pinned: Option<String>,
    /// What was wrong with the last input.
    pub complaint: Option<String>,
    /// How far the text is scrolled.
    pub scroll: usize,
}

/// How far the operator has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The preview is being made.
    Previewing,
    /// It must not be started: the preview says why.
    Blocked,
    /// Why a lock is taken over from its holder is being typed.
    TakeOver(Line),
    /// A reason is being typed.
    Reason(Line),
    /// The target's name is being typed.
    Phrase(Line),
    /// A second person is waited for, on another login; or the glass is broken by typing.
    Approval {
        /// What is typed.
        line: Line,
        /// Until when.
        until: Moment,
    },
    /// `y` starts it.
    Confirm,
    /// It starts when this is over; any key stops it.
    Countdown {
        /// When.
        until: Moment,
    },
    /// It was handed to the runner.
    Running,
}

impl Dialog {
    /// A dialog that has just been opened.
    pub fn new(run: RunId, action: ActionId, target: String, now: Moment) -> Self {
        Self {
            run,
            action,
            target,
            asked: Answers::none(),
            preview: None,
            stage: Stage::Previewing,
            stage_since: now,
            reason: String::new(),
            approval: None,
            break_glass: false,
            take_over: None,
            pinned: None,
            complaint: None,
            scroll: 0,
        }
    }

    /// Which keys mean what.
    pub fn context(&self) -> Context {
        match self.stage {
            Stage::TakeOver(_) | Stage::Reason(_) | Stage::Phrase(_) | Stage::Approval { .. } => {
                Context::Line
            }
            Stage::Confirm => Context::Confirm,
            Stage::Countdown { .. } => Context::Countdown,
            Stage::Previewing | Stage::Blocked | Stage::Running => Context::Run,
        }
    }

    /// Goes on to a stage.
    pub fn enter(&mut self, stage: Stage, now: Moment) {
        self.stage = stage;
        self.stage_since = now;
        self.complaint = None;
        self.scroll = 0;
    }

    /// Whether a key that arrives now may have been typed before the stage could be read.
    pub fn is_type_ahead(&self, now: Moment) -> bool {
        now.since(self.stage_since) < TYPE_AHEAD
    }

    /// The line that is being typed.
    pub fn line_mut(&mut self) -> Option<&mut Line> {
        match &mut self.stage {
            Stage::TakeOver(line)
            | Stage::Reason(line)
            | Stage::Phrase(line)
            | Stage::Approval { line, .. } => Some(line),
            _ => None,
        }
    }

    /// Takes the preview and goes on to the first question, or blocks.
    pub fn take_preview(
        &mut self,
        outcome: Result<Preview, Failure>,
        spec: &ActionSpec,
        now: Moment,
    ) {
        let mut outcome = outcome;
        let pinned = self.pinned.as_deref();
        if let (Ok(preview), Some(pinned)) = (&mut outcome, pinned)
            && preview.digest != pinned
        {
            let text = "what the second person was asked about is not what would be sent now";
            preview.refusals.push(text.to_owned());
        }
        self.preview = Some(outcome);
        let stage = if self.clear_preview().is_none() {
            // It was agreed to for those that were shown, not for whoever holds it now.
            self.take_over = None;
            Stage::Blocked
        } else if self.approval.is_some() || self.break_glass {
            Stage::Countdown { until: now.plus(COUNTDOWN) }
        } else if self.take_over.is_some() {
            Self::after_reason(spec)
        } else if spec.guard.wants_reason() {
            Stage::Reason(Line::default())
        } else {
            Stage::Confirm
        };
        self.enter(stage, now);
    }

    /// Something speaks against it that did not when it was looked at.
    pub fn block(&mut self, why: String, now: Moment) {
        if let Some(Ok(preview)) = &mut self.preview {
            preview.refusals.push(why);
        }
        self.enter(Stage::Blocked, now);
    }

    /// What is asked once it was said why.
    pub fn after_reason(spec: &ActionSpec) -> Stage {
        if spec.guard.wants_target_typed() {
            Stage::Phrase(Line::default())
        } else {
            Stage::Confirm
        }
    }

    /// The preview, where it was made and nothing speaks against it: a lock does not where it
    /// is taken over from its holders.
    pub fn clear_preview(&self) -> Option<&Preview> {
        let preview = self.preview.as_ref()?.as_ref().ok()?;
        let taken = self
            .take_over
            .as_ref()
            .is_some_and(|over| preview.holders.iter().all(|holder| over.from.contains(holder)));
        let against = |why: &String| !(taken && why.starts_with(LOCKED));
        (!preview.refusals.iter().any(against)).then_some(preview)
    }

    /// The locks that stand in the way, in words.
    pub fn locks(&self) -> impl Iterator<Item = &str> {
        let preview = self.preview.as_ref().and_then(|outcome| outcome.as_ref().ok());
        let refusals = preview.into_iter().flat_map(|preview| &preview.refusals);
        refusals.filter_map(|why| why.strip_prefix(LOCKED))
    }

    /// Whose locks stand in the way, where nothing else does: they can be taken over.
    pub fn holders(&self) -> Option<&[RunId]> {
        let preview = self.preview.as_ref()?.as_ref().ok()?;
        let only_locks = preview.refusals.iter().all(|why| why.starts_with(LOCKED));
        (only_locks && !preview.holders.is_empty()).then_some(&preview.holders)
    }
}
