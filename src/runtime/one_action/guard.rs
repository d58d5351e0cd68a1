//! The questions of the guard, answered beforehand or waited for.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::{Came, Ended, Session, WRITTEN};
use crate::{
    app::{
        actions::{Run, dialog, in_the_way, reach},
        msg::{Effect, Event},
        state::State,
    },
    domain::{
        action::{APPROVAL_LASTS, BREAK_GLASS_REASON, NO_DRILL, Preview},
        catalog::ActionSpec,
        ids::{ActionId, RunId, SourceId},
    },
    runtime::event_loop::Hands,
    terminal::signals::Signal,
};

/// How long the sources of the proof are waited for, so that what was before is known.
const BEFORE: Duration = Duration::from_secs(6);

/// The sources that are asked: those of the proof, and those that may speak against it.
pub(super) fn wanted(run: &RunId, spec: &ActionSpec, state: &State) -> Vec<SourceId> {
    let mut sources = Run::new(run.clone(), spec, &state.world).proof_sources();
    sources.extend(reach::sources(&state.world, spec));
    sources
}

impl Session<'_> {
    /// Waits until every source of the proof has answered, or failed, once.
    pub(super) async fn wait_for_readings(&mut self, spec: &ActionSpec) -> Option<Ended> {
        let wanted = wanted(&self.run, spec, &self.state);
        let until = Instant::now() + BEFORE;
        loop {
            let sources = &self.state.world.sources;
            let all =
                wanted.iter().all(|id| sources.get(id).is_none_or(|source| source.last.is_some()));
            if all {
                return None;
            }
            match self.next(Some(until)).await {
                Came::Event(event) => self.apply(event),
                Came::TooLate => return None,
                Came::Signal(signal) if signal.exit_code().is_some() => return Some(stopped()),
                Came::Signal(_) | Came::Left(_) => {}
            }
        }
    }

    /// Why it cannot be started at all.
    pub(super) fn objection(&self, spec: &ActionSpec) -> Option<String> {
        if self.asked.dry_run {
            // Without it there is nothing to show.
            return self.state.world.catalog.why_unavailable(&spec.id).map(str::to_owned);
        }
        self.forbidden(spec)
    }

    /// Why it must not be started as things are now: also by its conditions, once they can be
    /// seen.
    pub(super) fn forbidden(&self, spec: &ActionSpec) -> Option<String> {
        self.in_the_way(spec).into_iter().next()
    }

    /// All that stands in the way of starting it as things are now.
    pub(super) fn in_the_way(&self, spec: &ActionSpec) -> Vec<String> {
        let mut found = Vec::new();
        if self.asked.drill && self.state.world.catalog.is_production() {
            found.push(NO_DRILL.to_owned());
        }
        if self.asked.drill && !spec.drill {
            found.push(format!("{} is not for practice: write drill = true in it", spec.id));
        }
        found.extend(in_the_way(&self.state.world, spec));
        found
    }

    /// What its guard demands and was not given.
    pub(super) fn missing(&self, spec: &ActionSpec) -> Option<String> {
        let (asked, target) = (&self.asked, self.state.world.catalog.target());
        let reason = asked.reason.trim().chars().count();
        if spec.guard.wants_reason() && reason < dialog::SHORTEST_REASON {
            return Some(format!("{:?} wants a reason: --reason TEXT", spec.guard));
        }
        match &asked.confirm {
            Some(typed) if *typed != target => {
                return Some(format!("--confirm {typed} is not the target: {target}"));
            }
            None if spec.guard.wants_target_typed() => {
                return Some(format!("{:?} wants the target: --confirm {target}", spec.guard));
            }
            _ => {}
        }
        if spec.interactive && !asked.terminal && !asked.detach {
            return Some(format!(
                "{} asks questions, and there is no terminal to answer at: run it in one (ssh -t), \
                 or with --detach, and answer with `watchfloor attach`",
                spec.id
            ));
        }
        if asked.break_glass && reason < BREAK_GLASS_REASON {
            return Some(format!(
                "--break-glass takes a reason of {BREAK_GLASS_REASON} characters at least"
            ));
        }
        None
    }

    /// Asks for a second person and waits; `Some` where nobody agrees.
    pub(super) async fn second_person(
        &mut self,
        spec: &ActionSpec,
        preview: &Preview,
    ) -> Option<Ended> {
        let (start, _) = self.order(spec, preview);
        let target = start.target.clone();
        let request = preview.request.clone();
        self.engine.carry_out(Effect::Ask { start: Box::new(start), request }, &self.state);
        let run = self.run.clone();
        self.note(format!(
            "waiting 10 minutes for a second person; elsewhere: watchfloor approve {run} --confirm \
             {target}"
        ));
        let until = Instant::now() + APPROVAL_LASTS;
        loop {
            match self.next(Some(until)).await {
                Came::Event(Event::Approved(approval)) if approval.run == run => {
                    self.note(format!("agreed by {}", approval.words()));
                    return None;
                }
                // Nobody can agree to what is not in the journal.
                Came::Event(Event::JournalFailed(why)) => {
                    return Some(Ended::Refused(format!("nobody could be asked: {why}")));
                }
                Came::Event(event) => self.apply(event),
                Came::TooLate => {
                    return Some(Ended::Refused("nobody agreed within 10 minutes".to_owned()));
                }
                Came::Signal(signal) if signal.exit_code().is_some() => return Some(stopped()),
                Came::Signal(_) | Came::Left(_) => {}
            }
        }
    }

    pub(super) async fn count_down(&mut self) -> Option<Ended> {
        self.note(format!("starts in {} s; Ctrl-C stops it", dialog::COUNTDOWN.as_secs()));
        let mut until = Instant::now() + dialog::COUNTDOWN;
        loop {
            match self.next(Some(until)).await {
                // Nobody could think better of it while it was stopped.
                Came::Signal(Signal::Suspend | Signal::Continued) => {
                    until = Instant::now() + dialog::COUNTDOWN;
                    self.note(format!("starts in {} s", dialog::COUNTDOWN.as_secs()));
                }
                Came::Event(event) => self.apply(event),
                Came::TooLate => return None,
                Came::Signal(signal) if signal.exit_code().is_some() => return Some(stopped()),
                Came::Signal(_) | Came::Left(_) => {}
            }
        }
    }

    /// Whether it was asked to stop: only what is in the journal is read by its runner.
    pub(super) async fn ask_to_stop(&mut self) -> bool {
        let (journal, run) = (Arc::clone(&self.journal), self.run.clone());
        let action = ActionId::from(self.asked.action.as_str());
        let asking = tokio::task::spawn_blocking(move || journal.cancel(&run, &action, ""));
        let why = match timeout(WRITTEN, asking).await {
            Ok(Ok(Ok(()))) => {
                self.note("asked it to stop; once more leaves it alone");
                return true;
            }
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "that broke down".to_owned(),
            Err(_) => "the disk does not answer".to_owned(),
        };
        self.note(format!(
            "it could NOT be asked to stop: {why}; Ctrl-C tries again, Ctrl-\\ leaves it alone"
        ));
        false
    }
}

/// Somebody has thought better of it.
pub(super) fn stopped() -> Ended {
    Ended::Refused("stopped before it was started".to_owned())
}
