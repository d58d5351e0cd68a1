//! Whether notifications would leave this machine. Nothing is sent.

use std::time::Duration;

use tokio::time::timeout;

use super::program::{self, Runnable, Surroundings};
use crate::{
    config::profile::{Program, Webhook},
    domain::examination::{Finding, Grade, Thing},
    net::{http, progress::Progress, words},
};

/// Whether the server of a webhook takes connections.
pub async fn webhook(thing: &Thing, webhook: &Webhook, limit: Duration) -> Finding {
    let mut progress = Progress::new(limit);
    let reached = match http::endpoint(&webhook.address.url, &webhook.tls) {
        Ok(endpoint) => timeout(limit, endpoint.reach(&mut progress)).await,
        Err(failure) => Ok(Err(failure)),
    };
    let shown = words::clip(&webhook.address.shown, 100);
    match reached.unwrap_or_else(|_| Err(progress.too_late(limit))) {
        Ok(()) => {
            let what = format!("{shown} takes connections; nothing was sent to it");
            Finding::new(thing, Grade::Ok, what)
        }
        Err(failure) => {
            let what = format!("nobody would be told: {}", failure.message);
            Finding::new(thing, Grade::Critical, words::clip(&what, 400))
                .cure(failure.hint.unwrap_or_else(|| format!("look at the way to {shown}")))
        }
    }
}

/// Whether the program that tells people is there. Blocks on the file system.
pub fn command(thing: &Thing, command: &Program, around: &Surroundings) -> Vec<Finding> {
    let runnable = Runnable {
        argv: &command.argv,
        shell: false,
        directory: command.directory.as_deref(),
        environment: &command.environment,
        // It is handed the message.
        fed: true,
        purpose: "notify",
        follows: false,
    };
    program::look(thing, runnable, around)
}
