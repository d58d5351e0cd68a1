//! Runs of actions: started, followed, and agreed to by a second person.

use std::{collections::BTreeMap, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{super::attach::Wanted, Engine, groups_of};
use crate::{
    app::msg::{Event, StartRun},
    domain::{
        action::{APPROVAL_LASTS, ActionEvent, ActionStage, Claim, RunResult, has_grown},
        ids::{ActionId, RunId},
    },
};

/// How often it is looked at whether a second person has agreed.
const APPROVAL_EVERY: Duration = Duration::from_millis(500);

impl Engine {
    pub(super) fn start(&mut self, start: StartRun) {
        let Some((actions, Some(config))) = self.action(&start.action) else {
            self.not_started(&start);
            return;
        };
        let events = self.outlets.actions.clone();
        let groups = groups_of(&self.profile.catalog, &config);
        let (agreed, clock) = (start.affected, self.clock);
        let order = self.order(start);
        self.waiting.remove(&order.run);
        tokio::spawn(async move {
            let Some(agreed) = agreed else { return actions.launch(&config, order, events).await };
            // What is there may have changed since it was counted.
            let again = actions.preview(&config, &order.asked, order.run.clone(), &groups).await;
            let now = again.outcome.ok().and_then(|preview| preview.affected());
            match now.filter(|now| has_grown(agreed, *now)) {
                None => actions.launch(&config, order, events).await,
                Some(now) => {
                    let why = format!(
                        "not sent: it would affect {now} keys now, and {agreed} were agreed to"
                    );
                    let (run, action) = (order.run, config.id);
                    let event = ActionEvent { run, action, at: clock.now(), stage: unsent(why) };
                    let _ = events.send(event).await;
                }
            }
        });
    }

    fn order(&self, start: StartRun) -> crate::actions::Order {
        crate::actions::Order {
            reason: start.reason,
            confirmation: start.confirmation,
            before: start.before,
            readings: start.readings,
            servers: start.servers,
            cooldown: start.cooldown,
            needs_second: start.needs_second,
            break_glass: start.break_glass,
            take_over: start.take_over,
            asked: start.asked,
            drill: start.drill,
            // The service that it acts on ends with the console, and so does the journal.
            ends_with_us: self.demo.is_some(),
            ..crate::actions::Order::new(start.run, start.digest, start.target)
        }
    }

    /// Follows a run that this console did not start.
    pub(super) fn follow(&self, run: RunId, action: ActionId) {
        let Some(actions) = self.actions.clone() else { return };
        let events = self.outlets.actions.clone();
        tokio::spawn(async move { actions.follow(run, action, events).await });
    }

    /// Hands the terminal over to a run that asks.
    pub(super) fn hand_over(&mut self, run: RunId, title: String) {
        let Some(actions) = self.actions.clone() else { return };
        // Without a terminal, whoever has one can attach.
        if !(self.attach)(Wanted { actions, run: run.clone(), title }) {
            tracing::info!(%run, "there is no terminal to hand over");
        }
    }

    /// Asks for a second person, and looks for as long as an agreement would count.
    pub(super) fn ask(&mut self, start: StartRun, request: Vec<String>) {
        let Some(actions) = self.actions.clone() else { return };
        let (action, order) = (start.action.clone(), self.order(start));
        // Only one dialog can wait; whoever waited before has given up.
        self.waiting.clear();
        let (events, waiting) = (self.outlets.events.clone(), CancellationToken::new());
        self.waiting.insert(order.run.clone(), waiting.clone().drop_guard());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = actions.ask(&order, &action, &request) {
                let _ = events.blocking_send(Event::JournalFailed(error.to_string()));
                return;
            }
            let give_up = std::time::Instant::now() + APPROVAL_LASTS;
            while !waiting.is_cancelled() && std::time::Instant::now() < give_up {
                if let Some(approval) = actions.approval(&order.run) {
                    let _ = events.blocking_send(Event::Approved(Box::new(approval)));
                    return;
                }
                std::thread::sleep(APPROVAL_EVERY);
            }
        });
    }

    fn not_started(&self, start: &StartRun) {
        let stage = unsent("it is not configured any more, or there is no journal".to_owned());
        let event = ActionEvent {
            run: start.run.clone(),
            action: start.action.clone(),
            at: self.clock.now(),
            stage,
        };
        // The only one of this run: where it is lost, the run would be under way for ever.
        let events = self.outlets.actions.clone();
        tokio::spawn(async move { events.send(event).await });
    }
}

/// It never began, and why.
fn unsent(summary: String) -> ActionStage {
    ActionStage::Finished(RunResult {
        claim: Claim::NotSent,
        summary,
        readings: BTreeMap::new(),
        took: Duration::ZERO,
    })
}
