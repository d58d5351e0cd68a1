//! What goes on only where a console watches: the alerts are kept, people are told.

use std::sync::Arc;

use tokio::{sync::mpsc, time::Instant};

use super::{Engine, STOP_WITHIN};
use crate::{
    app::{
        alerts,
        msg::{Effect, Event},
        state::State,
    },
    config::profile::Profile,
    domain::outbox::Outbox,
    notify::{Notifier, Place},
    runtime::{
        clock::Clock,
        kept::{self, Keeper},
        shared,
    },
};

/// What goes on only where a console watches.
pub(super) struct Watch {
    alerts: Option<shared::Keeper>,
    outbox: Keeper<Outbox>,
    notifier: Option<Notifier>,
}

impl Engine {
    /// Starts to keep the alerts, and to tell people who do not look at the screen. The demo
    /// tells nobody: nothing in it is real.
    pub(in crate::runtime) fn start_watch(&mut self) {
        let (dir, target) = (&self.profile.state_dir, self.profile.catalog.target());
        let events = &self.outlets.events;
        self.watch = Some(Watch {
            alerts: self.alerts.take().map(|file| shared::Keeper::start(file, events.clone())),
            outbox: Keeper::start(kept::outbox_file(dir, &target), events.clone()),
            notifier: self.demo.is_none().then(|| telling(&self.profile, self.clock, events)),
        });
    }

    /// Takes over a changed configuration.
    pub(super) fn reconfigure_watch(&mut self) {
        if let Some(notifier) = self.watch.as_mut().and_then(|watch| watch.notifier.as_mut()) {
            notifier.reconfigure(self.profile.notify.clone());
        }
    }

    /// Carries out an effect that is about alerts.
    pub(super) fn watched(&mut self, effect: Effect) {
        if let Effect::Ring = effect {
            return self.ring();
        }
        let Some(watch) = &self.watch else { return };
        match effect {
            Effect::KeepAlerts(kept) => {
                if let Some(alerts) = &watch.alerts {
                    alerts.keep(*kept);
                }
            }
            Effect::KeepOutbox(outbox) => watch.outbox.keep(*outbox),
            Effect::Notify(message) => {
                if let Some(notifier) = &watch.notifier {
                    notifier.send(*message);
                }
            }
            _ => {}
        }
    }

    /// Gives what still waits a moment to be delivered, and keeps what was not.
    pub(super) async fn stop_watch(&mut self, state: &mut State) {
        let Some(Watch { alerts: keeper, outbox, notifier }) = self.watch.take() else { return };
        if let Some(keeper) = keeper
            && let Err(error) = keeper.finish(alerts::kept(&state.world)).await
        {
            tracing::warn!(%error, "the alerts cannot be kept");
        }
        let missed = match notifier {
            Some(notifier) => notifier.stop(STOP_WITHIN).await,
            None => Vec::new(),
        };
        if let Err(error) = outbox.finish(alerts::take_back(&mut state.world, &missed)).await {
            tracing::warn!(%error, "what was told cannot be kept");
        }
    }

    /// Rings, where that is wanted, and not more often than is wanted.
    fn ring(&mut self) {
        let Some((_, wanted)) = self.profile.notify.bell() else { return };
        let now = Instant::now();
        if self.rang.is_none_or(|rang| now.duration_since(rang) >= wanted.at_most_every) {
            self.rang = Some(now);
            (self.bell)();
        }
    }
}

/// Starts whoever tells people who do not look at the screen.
fn telling(profile: &Profile, clock: Clock, events: &mpsc::Sender<Event>) -> Notifier {
    let place = Place {
        service: profile.catalog.service.clone(),
        environment: profile.catalog.environment.clone(),
        state_dir: profile.state_dir.clone(),
        clock: Arc::new(move || clock.now()),
    };
    let (notifier, mut reports) = Notifier::spawn(profile.notify.clone(), place);
    let (mut sender, events) = (notifier.sender(), events.clone());
    tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                report = reports.recv() => match report {
                    Some(report) => Event::Delivered(Box::new(report)),
                    None => return,
                },
                changed = sender.changed() => match changed {
                    Ok(()) => Event::NotifySender(sender.borrow_and_update().clone()),
                    Err(_) => return,
                },
            };
            if events.send(event).await.is_err() {
                return;
            }
        }
    });
    notifier
}
