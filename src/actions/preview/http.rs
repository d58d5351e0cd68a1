//! Whether the other side of an HTTP action can be reached. The request is not sent.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Findings;
use crate::actions::plan::http::HttpJob;

/// How long the connection may take, so that the preview stays within its limit.
const REACH: Duration = Duration::from_secs(3);

/// Looks without sending anything.
pub(super) async fn look(job: &HttpJob, found: &mut Findings) {
    let whom = job.endpoint.shown();
    let start = Instant::now();
    match timeout(REACH, job.endpoint.reach()).await {
        Ok(Ok(())) => {
            let millis = start.elapsed().as_millis();
            found.find(format!("{whom} takes connections ({millis} ms); nothing was sent"));
        }
        Ok(Err(failure)) => found.find(format!("NOT REACHABLE: {failure}")),
        Err(_) => found.find(format!("NOT REACHABLE: {whom} took no connection in {REACH:?}")),
    }
    if job.endpoint.tls.as_ref().is_some_and(|tls| tls.insecure) {
        found.find("the server's certificate is not verified");
    }
    if job.exposes_secret {
        found.find("a secret travels without encryption: the address is not https");
    }
}
