//! What an action would do, measured now. Nothing in here changes anything.

mod command;

mod http;

mod redis;

mod sequence;

mod sql;

use std::time::Duration;

use tokio::time::timeout;

use super::{
    plan::{self, Job, Plan},
    words,
};
use crate::{
    config::profile::{ActionConfig, SqlAction},
    domain::{
        action::Preview,
        ask::Answers,
        catalog::PrefixSpec,
        failure::{Failure, FailureKind},
        observation::KeyGroup,
        time::Moment,
    },
};

/// When a preview is given up.
const LIMIT: Duration = Duration::from_secs(5);

/// What was measured.
#[derive(Debug, Default)]
pub struct Findings {
    groups: Vec<KeyGroup>,
    /// What was found.
    pub findings: Vec<String>,
    /// Why it must not be done.
    pub refusals: Vec<String>,
}

impl Findings {
    fn find(&mut self, text: impl Into<String>) {
        self.findings.push(words::plain(&text.into()));
    }

    fn refuse(&mut self, text: impl Into<String>) {
        self.refusals.push(words::plain(&text.into()));
    }
}

/// Measures what an action would do with what was asked for, without a journal and without
/// looking who holds a lock.
///
/// # Errors
/// It took longer than five seconds, or what it would act on cannot be reached.
pub async fn measure(
    config: &ActionConfig,
    answers: &Answers,
    groups: &[PrefixSpec],
    at: Moment,
) -> Result<Preview, Failure> {
    let too_slow = || {
        let message = format!("the preview took longer than {LIMIT:?}");
        Failure::new(FailureKind::Timeout, message)
    };
    let work = async {
        let (config, answers) = (config.clone(), answers.clone());
        let plan = tokio::task::spawn_blocking(move || Plan::make(&config, &answers))
            .await
            .map_err(|_| Failure::new(FailureKind::Misconfigured, "no plan could be made"))?;
        let mut found = Findings::default();
        match &plan.job {
            Some(Job::Sequence(job)) => sequence::look(job, groups, &mut found).await,
            Some(job) => look(job, groups, &mut found).await?,
            None => {}
        }
        Ok(preview(plan, found, at))
    };
    timeout(LIMIT, work).await.unwrap_or_else(|_| Err(too_slow()))
}

/// The action with what was asked for put in, as it would be run. The steps of a sequence keep
/// their places until they are due.
///
/// # Errors
/// An answer is missing or cannot be taken, with the cure.
pub fn filled(config: &ActionConfig, answers: &Answers) -> Result<ActionConfig, String> {
    plan::filled(config, answers)
}

/// Has the server look at statements without running them. `known`: so are all parameters.
///
/// # Errors
/// It took longer than five seconds, or the server cannot be reached.
pub async fn look_at_statements(action: &SqlAction, known: bool) -> Result<Findings, Failure> {
    let mut found = Findings::default();
    let (job, refusals) = plan::sql::alone(action);
    found.refusals = refusals;
    if let Some(mut job) = job {
        job.known &= known;
        let looked = timeout(LIMIT, sql::look(&job, &mut found)).await;
        looked.unwrap_or_else(|_| {
            let message = format!("the look took longer than {LIMIT:?}");
            Err(Failure::new(FailureKind::Timeout, message))
        })?;
    }
    Ok(found)
}

/// Looks at what one kind of action would meet.
async fn look(job: &Job, groups: &[PrefixSpec], found: &mut Findings) -> Result<(), Failure> {
    match job {
        Job::Http(job) => http::look(job, found).await,
        Job::Redis(job) => redis::look(job, groups, found).await?,
        Job::Command(job) => command::look(job, found),
        Job::Sql(job) => sql::look(job, found).await?,
        // No step is a sequence itself.
        Job::Sequence(_) => {}
    }
    Ok(())
}

fn preview(plan: Plan, found: Findings, at: Moment) -> Preview {
    let mut refusals = plan.refusals;
    refusals.extend(found.refusals);
    Preview {
        action: plan.action,
        at,
        request: plan.request,
        groups: found.groups,
        findings: found.findings,
        refusals,
        holders: Vec::new(),
        digest: plan.digest,
    }
}
