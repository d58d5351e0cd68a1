//! Whether the other side of an HTTP action can be reached. The request is not sent.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Findings;
use crate::{
    actions::plan::http::HttpJob,
    net::{progress::Progress, tls},
};

/// How long the connection may take, so that the preview stays within its limit.
const REACH: Duration = Duration::from_secs(3);

/// Looks without sending anything.
pub(super) async fn look(job: &HttpJob, found: &mut Findings) {
    let whom = job.endpoint.shown();
    let start = Instant::now();
    let mut progress = Progress::new(REACH);
    let reached = timeout(REACH, job.endpoint.reach(&mut progress)).await;
    match reached.unwrap_or_else(|_| Err(progress.too_late(REACH))) {
        Ok(()) => {
            let millis = start.elapsed().as_millis();
            found.find(format!("{whom} takes connections ({millis} ms); nothing was sent"));
        }
        Err(failure) => found.find(format!("NOT REACHABLE: {whom}: {failure}")),
    }
    if job.endpoint.tls.as_ref().is_some_and(|tls| tls.insecure) {
        found.find(tls::NOT_VERIFIED);
    }
    if job.exposes_secret {
        found.find("a secret travels without encryption: the address is not https");
    }
}
