//! What the steps of a sequence would meet: each is looked at as if it were alone, all of them
//! at the same time.

use futures_util::future::join_all;

use super::{Findings, command, http};
use crate::{
    actions::plan::sequence::{LookJob, SequenceJob, StepJob},
    domain::{catalog::PrefixSpec, failure::Failure},
    net::postgres,
};

/// Looks without changing anything.
async fn look_at(
    job: &StepJob,
    groups: &[PrefixSpec],
    found: &mut Findings,
) -> Result<(), Failure> {
    match job {
        StepJob::Act(job) => super::look(job, groups, found).await?,
        StepJob::Wait(wait) => match &wait.look {
            LookJob::Http(job) => http::look(job, found).await,
            LookJob::Command { job, .. } => command::look(job, found),
            LookJob::Sql { server, .. } => found.find(format!("asks {}", postgres::shown(server))),
        },
        StepJob::EnvFile(file) => {
            found.find(format!("{} is there", file.path.display()));
        }
    }
    Ok(())
}

/// Looks at every step.
pub(super) async fn look(job: &SequenceJob, groups: &[PrefixSpec], found: &mut Findings) {
    let looks = job.looks.iter().map(|job| async move {
        let mut found = Findings::default();
        let outcome = look_at(job, groups, &mut found).await;
        (found, outcome)
    });
    for (position, (own, outcome)) in join_all(looks).await.into_iter().enumerate() {
        let at = |text: &String| format!("step {}: {text}", position + 1);
        found.groups.extend(own.groups);
        found.findings.extend(own.findings.iter().map(at));
        found.refusals.extend(own.refusals.iter().map(at));
        if let Err(failure) = outcome {
            found.refuse(format!("step {}: {failure}", position + 1));
        }
    }
}
