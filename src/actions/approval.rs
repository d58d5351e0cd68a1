//! The second person: asking, agreeing, and what an agreement is worth.
//!
//! What is agreed to is a plan, by its digest, not an action by its name. Both sides stand
//! in the journal, each with what the system knows of the person.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{
    Actions, Order,
    journal::{
        Asked, JournalError,
        entry::{Entry, Kind},
        who::Apart,
    },
};
use crate::domain::{
    action::{APPROVAL_LASTS, Approval, BREAK_GLASS_REASON, TakeOver},
    ids::{ActionId, RunId},
};

/// A request for a second person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The run that it would become.
    pub run: RunId,
    /// The action.
    pub action: ActionId,
    /// `service/environment`: what the second person types.
    pub target: String,
    /// The digest of the plan.
    pub digest: String,
    /// The exact request, secrets masked.
    pub request: Vec<String>,
    /// What was given for what the action asks for, secrets masked.
    pub asked: BTreeMap<String, String>,
    /// Why, in the words of whoever asks.
    pub reason: String,
    /// Who would be asked to stop for it, and why.
    pub take_over: Option<TakeOver>,
    /// Who asks.
    pub by: String,
    /// When it was asked.
    pub at: Timestamp,
    /// How long it can still be agreed to.
    pub left: Duration,
}

impl Request {
    fn new(asked: &Asked, now: Timestamp) -> Self {
        let entry = &asked.entry;
        Self {
            run: asked.run.clone(),
            action: asked.action.clone(),
            target: entry.target.clone().unwrap_or_default(),
            digest: entry.digest.clone().unwrap_or_default(),
            request: entry.request.clone(),
            asked: entry.asked.clone(),
            reason: entry.reason.clone().unwrap_or_default(),
            take_over: entry.take_over.clone(),
            by: asked.who.name(),
            at: asked.at,
            left: left(asked.at, now),
        }
    }
}

/// How long something that began then still counts. Something of the future does not.
fn left(since: Timestamp, now: Timestamp) -> Duration {
    let age = Duration::try_from(now.duration_since(since)).ok();
    age.and_then(|age| APPROVAL_LASTS.checked_sub(age)).unwrap_or_default()
}

impl Actions {
    /// Asks for a second person: `request` is what would be sent, as shown. Blocks.
    ///
    /// # Errors
    /// It is not in the journal.
    pub fn ask(
        &self,
        order: &Order,
        action: &ActionId,
        request: &[String],
    ) -> Result<(), JournalError> {
        let entry = Entry {
            run: Some(order.run.clone()),
            action: Some(action.clone()),
            target: Some(order.target.clone()),
            request: request.to_vec(),
            digest: Some(order.digest.clone()),
            reason: Some(order.reason.clone()),
            asked: order.asked.shown(),
            take_over: order.take_over.clone(),
            ..Entry::new(Kind::Ask)
        };
        self.journal.append(&entry, (self.clock)().wall)
    }

    /// The request of that run, or all that can still be agreed to of that action, the
    /// newest first. Blocks.
    pub fn requests(&self, name: &str) -> Vec<Request> {
        let now = (self.clock)().wall;
        let wanted = |asked: &Asked| {
            let open = asked.approved.is_none() && !left(asked.at, now).is_zero();
            asked.run.as_str() == name || (asked.action.as_str() == name && open)
        };
        self.journal.asked(wanted).iter().map(|asked| Request::new(asked, now)).collect()
    }

    /// Agrees to a request, as the person behind this process. Blocks.
    ///
    /// # Errors
    /// Why that does not count, with the cure; or it is not in the journal.
    pub fn approve(&self, request: &Request, phrase: &str) -> Result<Approval, String> {
        let now = (self.clock)().wall;
        let asked = self.journal.asked(|asked| asked.run == request.run).into_iter().next();
        let asked = asked.ok_or_else(|| format!("nobody asked about {}", request.run))?;
        if left(asked.at, now).is_zero() {
            return Err("it was asked too long ago: have it asked again".to_owned());
        }
        if self.journal.record(&request.run).is_some() {
            return Err("it was started, or given up, meanwhile".to_owned());
        }
        if phrase != request.target {
            return Err(format!("to agree, confirm with the target: {}", request.target));
        }
        let apart = self.journal.who().apart_from(&asked.who)?;
        let entry = Entry {
            run: Some(request.run.clone()),
            action: Some(request.action.clone()),
            target: Some(request.target.clone()),
            digest: Some(request.digest.clone()),
            confirmation: Some(phrase.to_owned()),
            text: Some(match apart {
                Apart::Fact => "another person, by the system".to_owned(),
                Apart::Claim => "another person only by their own claim".to_owned(),
            }),
            ..Entry::new(Kind::Approve)
        };
        self.journal.append(&entry, now).map_err(|error| error.to_string())?;
        Ok(Approval {
            run: request.run.clone(),
            digest: request.digest.clone(),
            by: self.journal.who().name(),
            at: now,
            claim: apart == Apart::Claim,
        })
    }

    /// Who agreed to a run, where that counts still. Blocks.
    pub fn approval(&self, run: &RunId) -> Option<Approval> {
        let asked = self.journal.asked(|asked| asked.run == *run).into_iter().next()?;
        let (who, at, digest) = asked.approved.as_ref()?;
        // Judged anew: the line could have been written by another program.
        let apart = who.apart_from(&asked.who).ok()?;
        let counts = !left(*at, (self.clock)().wall).is_zero() && *at >= asked.at;
        let same = asked.entry.digest.as_ref() == Some(digest);
        (counts && same).then(|| Approval {
            run: run.clone(),
            digest: digest.clone(),
            by: who.name(),
            at: *at,
            claim: apart == Apart::Claim,
        })
    }

    /// Whether nobody is to be stopped who was not named in the request. Blocks.
    fn is_agreed_take_over(&self, order: &Order) -> bool {
        let asked = self.journal.asked(|asked| asked.run == order.run).into_iter().next();
        let agreed = asked.and_then(|asked| asked.entry.take_over);
        let named = |run: &RunId| agreed.as_ref().is_some_and(|agreed| agreed.from.contains(run));
        order.take_over.as_ref().is_none_or(|over| over.from.iter().all(named))
    }

    /// Says loudly that somebody goes on alone. Blocks.
    fn break_glass(&self, order: &Order, action: &ActionId) -> Result<(), JournalError> {
        let entry = Entry {
            run: Some(order.run.clone()),
            action: Some(action.clone()),
            target: Some(order.target.clone()),
            digest: Some(order.digest.clone()),
            reason: Some(order.reason.clone()),
            text: Some("BREAK GLASS: without a second person; to be reviewed".to_owned()),
            ..Entry::new(Kind::BreakGlass)
        };
        self.journal.append(&entry, (self.clock)().wall)
    }
}

/// Why a run may not begin that needs a second person. Blocks.
pub(super) fn objection(actions: &Actions, order: &Order, action: &ActionId) -> Option<String> {
    if !order.needs_second {
        return None;
    }
    if order.break_glass {
        if order.reason.trim().chars().count() < BREAK_GLASS_REASON {
            return Some(format!(
                "going on alone takes a reason of {BREAK_GLASS_REASON} characters at least"
            ));
        }
        return actions.break_glass(order, action).err().map(|error| error.to_string());
    }
    match actions.approval(&order.run) {
        None => Some("no second person has agreed to it".to_owned()),
        Some(approval) if approval.digest != order.digest => {
            Some("what the second person agreed to is not what would be sent now".to_owned())
        }
        Some(_) if !actions.is_agreed_take_over(order) => {
            Some("the second person did not agree to taking over from that run".to_owned())
        }
        Some(_) => None,
    }
}
