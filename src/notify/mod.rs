//! Telling people who do not look at the screen: webhooks and programs.
//!
//! What is told and when is decided in `domain::outbox`; here it is delivered, or said why
//! not. Each target has a task and a bounded queue of its own, so that one in trouble holds
//! up neither the others nor the console, and a message is tried again until it is taken,
//! refused for good, too old, or overtaken by a newer one of the same incident.
//!
//! Suggested reading order: `queue`, `worker`, `body`, `post`, `command`, `lock`.

mod body;

mod command;

mod guard;

mod lock;

mod post;

mod queue;

#[cfg(test)]
mod samples;

#[cfg(test)]
mod tests;

mod worker;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use self::{
    guard::guard,
    lock::{Held, Owed, Record},
    queue::Refused,
    worker::Desk,
};
use crate::{
    config::profile::{NotifyConfig, NotifyKind, NotifyTarget},
    domain::{
        delivery::{Delivery, Sender},
        notification::Notification,
        time::Moment,
    },
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// How often a console that does not send looks whether it has to.
const TAKE_OVER: Duration = Duration::from_secs(2);

/// How often whoever sends shows that it still runs.
const BEAT: Duration = Duration::from_secs(5);

/// Whoever shows nothing for this long is stopped, and sends nothing.
const SILENT: Duration = Duration::from_secs(45);

/// The disk may take so long until the lock is taken or refused; without an answer this
/// console sends meanwhile.
const TAKEN_WITHIN: Duration = Duration::from_secs(3);

/// The disk may take so long to remember what was delivered.
const REMEMBERED_WITHIN: Duration = Duration::from_secs(1);

/// A message that is held back is still sent by whoever takes over within this time.
const STILL_NEWS: Duration = Duration::from_secs(5 * 60);

/// The most messages of a target that are remembered for whoever takes over.
const OWED: usize = 20;

/// Reports that wait to be read.
const REPORTS: usize = 256;

/// Whose notifications these are, and where they are sent from.
#[derive(Clone)]
pub struct Place {
    /// The service.
    pub service: String,
    /// Its environment.
    pub environment: String,
    /// Where the lock is kept.
    pub state_dir: PathBuf,
    /// The time.
    pub clock: Clock,
}

/// Delivers messages to every target. Dropping it stops what is under way.
pub struct Notifier {
    shared: Arc<Shared>,
    place: Place,
    reports: mpsc::Sender<Delivery>,
    /// Whoever waits for the lock, or holds it.
    guard: Option<AbortOnDropHandle<()>>,
}

/// What the guard of the lock and the tasks of the targets share.
struct Shared {
    desks: Mutex<BTreeMap<String, Open>>,
    /// The last message of each incident while another console sends.
    held_back: Mutex<BTreeMap<String, (Instant, Notification)>>,
    lock: Mutex<Option<Arc<Held>>>,
    /// What another console owed when this one went without the lock: it was taken over then.
    taken: Mutex<Vec<Owed>>,
    /// What waits at a desk has changed.
    stirred: Arc<Notify>,
    /// Since when this console watches.
    since: Timestamp,
    sender: watch::Sender<Sender>,
}

/// A target and its task.
struct Open {
    desk: Arc<Desk>,
    _task: AbortOnDropHandle<()>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Notifier {
    /// Starts the tasks. The reports say what became of each message; one that is not read
    /// in time is dropped, the messages are not.
    pub fn spawn(config: NotifyConfig, place: Place) -> (Self, mpsc::Receiver<Delivery>) {
        let (reports, reports_in) = mpsc::channel(REPORTS);
        let shared = Arc::new(Shared {
            desks: Mutex::default(),
            held_back: Mutex::default(),
            lock: Mutex::default(),
            taken: Mutex::default(),
            stirred: Arc::default(),
            since: (place.clock)().wall,
            sender: watch::Sender::new(Sender::Nobody),
        });
        let mut notifier = Self { shared, place, reports, guard: None };
        notifier.reconfigure(config);
        (notifier, reports_in)
    }

    /// Takes over a changed configuration. What waits for a target that is still there goes
    /// on waiting for it, and is sent as the new configuration says.
    pub fn reconfigure(&mut self, config: NotifyConfig) {
        let targets: Vec<NotifyTarget> = config
            .targets
            .into_iter()
            .filter(|target| !matches!(target.kind, NotifyKind::Bell(_)))
            .collect();
        {
            let mut desks = locked(&self.shared.desks);
            desks.retain(|name, _| targets.iter().any(|target| target.name == *name));
            for target in targets {
                match desks.get(&target.name) {
                    Some(open) => open.desk.reconfigure(target),
                    None => {
                        desks.insert(target.name.clone(), self.open(target));
                    }
                }
            }
        }
        let wanted = !locked(&self.shared.desks).is_empty();
        if wanted && self.guard.is_none() {
            self.shared.sender.send_replace(Sender::Undecided);
            let guard = guard(Arc::clone(&self.shared), self.place.clone());
            self.guard = Some(AbortOnDropHandle::new(tokio::spawn(guard)));
        } else if !wanted {
            self.guard = None;
            *locked(&self.shared.lock) = None;
            self.shared.sender.send_replace(Sender::Nobody);
        }
    }

    fn open(&self, target: NotifyTarget) -> Open {
        let clock = Arc::clone(&self.place.clock);
        let desk = Desk::new(
            target,
            self.reports.clone(),
            Arc::clone(&clock),
            Arc::clone(&self.shared.stirred),
        );
        // Weak: the task is owned by what it would keep alive.
        let shared = Arc::downgrade(&self.shared);
        let deliver = move |config: Arc<NotifyTarget>, message: Notification| {
            let (shared, clock) = (shared.clone(), Arc::clone(&clock));
            async move {
                let now = clock().wall;
                deliver(&config, &message, now).await?;
                let held = shared.upgrade().and_then(|shared| locked(&shared.lock).clone());
                if let Some(held) = held {
                    // Only for whoever takes over; the message was delivered.
                    held.remember(&config.name, &message, now);
                    held.on_disk(REMEMBERED_WITHIN, Held::write).await;
                }
                Ok(())
            }
        };
        let task = tokio::spawn(Arc::clone(&desk).work(deliver));
        Open { desk, _task: AbortOnDropHandle::new(task) }
    }

    /// Sends a message to every target that is told of such. Never waits: what cannot be
    /// delivered now is tried again in the background.
    pub fn send(&self, message: Notification) {
        self.shared.send(body::cleaned(message));
    }

    /// Which console sends; changes when this one takes over.
    pub fn sender(&self) -> watch::Receiver<Sender> {
        self.shared.sender.subscribe()
    }

    /// Ends, after every message has had an attempt or `limit` has passed, and a moment for
    /// the disk. The messages that some target has not got; [`Outbox::not_delivered`] takes them back.
    ///
    /// [`Outbox::not_delivered`]: crate::domain::outbox::Outbox::not_delivered
    pub async fn stop(self, limit: Duration) -> Vec<Notification> {
        let desks: Vec<Arc<Desk>> =
            locked(&self.shared.desks).values().map(|open| Arc::clone(&open.desk)).collect();
        let all = async {
            for desk in &desks {
                desk.tried().await;
            }
        };
        // Whether or not it came in time: what is left is counted.
        let _ = timeout(limit, all).await;
        let mut left: Vec<Notification> = Vec::new();
        for message in desks.iter().flat_map(|desk| desk.left()) {
            if left.iter().all(|known| known.sequence != message.sequence) {
                left.push(message);
            }
        }
        left.sort_by_key(|message| message.sequence);
        let held = locked(&self.shared.lock).clone();
        if let Some(held) = held {
            let (owed, now) = (self.shared.owed(), (self.place.clock)().wall);
            // For a console that watches already; one that starts later has what is returned.
            held.end(owed, now);
            held.on_disk(REMEMBERED_WITHIN, Held::write).await;
        }
        left
    }
}

impl Shared {
    fn send(&self, mut message: Notification) {
        let mut held_back = locked(&self.held_back);
        if self.sender.borrow().is_here() {
            for open in locked(&self.desks).values() {
                if open.desk.takes(&message) {
                    open.desk.put(message.clone());
                }
            }
            return;
        }
        if let Some((_, older)) = held_back.remove(&message.dedup_key) {
            message.instead_of(older);
        }
        let now = Instant::now();
        held_back.retain(|_, (since, _)| now.duration_since(*since) < STILL_NEWS);
        held_back.insert(message.dedup_key.clone(), (now, message));
    }

    /// This console sends from now on: first what whoever sent before has not delivered, and
    /// what was held back and is still news.
    fn take_over(&self, sender: Sender, before: &Record) {
        // Held until the end, so that no newer message gets ahead.
        let mut held_back = locked(&self.held_back);
        self.sender.send_replace(sender);
        let now = Instant::now();
        let held_back = std::mem::take(&mut *held_back);
        let mut taken = locked(&self.taken);
        let known = std::mem::take(&mut *taken);
        for (name, open) in locked(&self.desks).iter() {
            let mut held_back = held_back.clone();
            for owed in before.owed(name, self.since) {
                taken.push(Owed { target: name.clone(), message: owed.clone() });
                if known.contains(&taken[taken.len() - 1]) {
                    continue;
                }
                let message = match held_back.remove(&owed.dedup_key) {
                    Some((_, mut newer)) if newer.at.wall >= owed.at.wall => {
                        newer.instead_of(owed);
                        newer
                    }
                    _ => owed,
                };
                if open.desk.takes(&message) && !before.was_delivered(name, &message) {
                    open.desk.put(message);
                }
            }
            for (since, message) in held_back.into_values() {
                let news = now.duration_since(since) < STILL_NEWS;
                if news && open.desk.takes(&message) && !before.was_delivered(name, &message) {
                    open.desk.put(message);
                }
            }
        }
    }

    /// What is not delivered yet, the newest of each target.
    fn owed(&self) -> Vec<Owed> {
        let desks = locked(&self.desks);
        let of_desk = |(name, open): (&String, &Open)| {
            let left = open.desk.left();
            let newest = left.len().saturating_sub(OWED);
            let owed = left.into_iter().skip(newest);
            owed.map(|message| Owed { target: name.clone(), message }).collect::<Vec<_>>()
        };
        desks.iter().flat_map(of_desk).collect()
    }

    /// This console sends without the lock: twice is better than not at all.
    fn go_without(&self, why: String, before: &Record) {
        let sender = Sender::Unlocked { why };
        let known = *self.sender.borrow() == sender;
        if !known {
            self.take_over(sender, before);
        }
    }

    /// Another console sends.
    fn leave_to(&self, record: &Record) {
        let Record { pid, since, .. } = *record;
        self.sender.send_if_modified(|sender| {
            // While the other one writes the file, it says nothing.
            let known = matches!(sender, Sender::Elsewhere { .. }) && pid.is_none();
            let now = Sender::Elsewhere { pid, since };
            let changed = !known && *sender != now;
            if changed {
                *sender = now;
            }
            changed
        });
    }
}

/// One attempt.
async fn deliver(
    config: &NotifyTarget,
    message: &Notification,
    now: jiff::Timestamp,
) -> Result<(), Refused> {
    match &config.kind {
        NotifyKind::Webhook(webhook) => post::post(webhook, message, config.timeout, now).await,
        NotifyKind::Command(program) => command::run(program, message, config.timeout).await,
        // Belongs to whoever owns the terminal.
        NotifyKind::Bell(_) => Ok(()),
    }
}
