//! What it would do, and what speaks against that now.

use std::time::Duration;

use tokio::time::Instant;

use super::{Came, Ended, Session, guard::stopped};
use crate::{
    app::{
        actions::reach,
        msg::{Effect, Event},
    },
    domain::{
        action::{LOCKED, Preview},
        catalog::ActionSpec,
    },
    runtime::event_loop::Hands,
};

/// How long a preview may take, its own limit and some more.
const PREVIEW: Duration = Duration::from_secs(8);

impl Session<'_> {
    /// What it would do, and why it could not be done now.
    pub(super) async fn plan(&mut self, spec: &ActionSpec) -> Ended {
        match self.measured(spec).await {
            Ok(mut preview) => {
                let mut against = self.in_the_way(spec);
                against.append(&mut preview.refusals);
                Ended::Planned(Box::new(preview), against)
            }
            Err(ended) => ended,
        }
    }

    /// The preview of what may be started.
    pub(super) async fn preview(&mut self, spec: &ActionSpec) -> Result<Preview, Ended> {
        let preview = self.measured(spec).await?;
        if preview.refusals.is_empty() {
            return Ok(preview);
        }
        Err(Ended::Refused(preview.refusals.join("; ")))
    }

    /// The preview, with all that speaks against it but the locks that are to be taken over.
    async fn measured(&mut self, spec: &ActionSpec) -> Result<Preview, Ended> {
        let (run, action, asked) = (self.run.clone(), spec.id.clone(), self.answers.clone());
        let effect = Effect::Preview { run, action, asked };
        self.engine.carry_out(effect, &self.state);
        let until = Instant::now() + PREVIEW;
        loop {
            match self.next(Some(until)).await {
                Came::Event(Event::Previewed(previewed)) => {
                    let mut preview =
                        previewed.outcome.map_err(|failure| Ended::Refused(failure.to_string()))?;
                    reach::consider(&self.state.world, spec, &mut preview);
                    if self.asked.take_over.is_some() {
                        let refusals = std::mem::take(&mut preview.refusals);
                        let (locked, others): (Vec<_>, Vec<_>) =
                            refusals.into_iter().partition(|why| why.starts_with(LOCKED));
                        preview.refusals = others;
                        for holder in locked {
                            self.note(format!("to be taken over: {}", &holder[LOCKED.len()..]));
                        }
                    }
                    return Ok(preview);
                }
                Came::Event(event) => self.apply(event),
                Came::TooLate => return Err(Ended::Refused("no preview could be made".to_owned())),
                Came::Signal(signal) if signal.exit_code().is_some() => return Err(stopped()),
                Came::Signal(_) | Came::Left(_) => {}
            }
        }
    }
}
