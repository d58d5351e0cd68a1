//! Exactly what will be sent, worked out before anything is: its lines for the dialog and
//! the journal, its digest for the confirmation, and the reasons why it must not be sent.
//!
//! Nothing here touches the network. The same configuration on the same machine gives the
//! same plan, so that the runner can make it again and compare.

pub(super) mod command;

pub(super) mod fill;

pub(super) mod http;

pub(super) mod redis;

pub(super) mod sequence;

pub(super) mod sql;

use std::time::Duration;

use sha2::{Digest, Sha256};

pub(super) use self::fill::filled;
use self::{
    command::CommandJob, http::HttpJob, redis::RedisJob, sequence::SequenceJob, sql::SqlJob,
};
use super::{journal::hex, words};
use crate::{
    config::profile::{ActionConfig, ActionKind, Text, TlsOptions},
    domain::{ask::Answers, ids::ActionId},
};

/// A plan.
#[derive(Debug)]
pub(super) struct Plan {
    /// The action.
    pub(super) action: ActionId,
    /// When the run is given up.
    pub(super) timeout: Duration,
    /// The request for the eyes, secrets masked.
    pub(super) request: Vec<String>,
    /// Why it must not be sent.
    pub(super) refusals: Vec<String>,
    /// SHA-256 over everything that would be sent, in hex. A secret is represented by
    /// where it comes from.
    pub(super) digest: String,
    /// What to do; `None` where something about it is impossible, with the reason among
    /// the refusals.
    pub(super) job: Option<Job>,
}

/// What to do.
#[derive(Debug)]
pub(super) enum Job {
    /// One HTTP request.
    Http(HttpJob),
    /// Keys to delete.
    Redis(RedisJob),
    /// A program to run.
    Command(CommandJob),
    /// Statements to run in one transaction.
    Sql(SqlJob),
    /// Several steps, one after the other.
    Sequence(SequenceJob),
}

/// What the kinds of plan have in common while they are made.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// See [`Plan::request`].
    pub(super) request: Vec<String>,
    /// See [`Plan::refusals`].
    pub(super) refusals: Vec<String>,
    /// Grows into [`Plan::digest`].
    pub(super) fingerprint: Fingerprint,
}

impl Draft {
    /// Adds a reason why it must not be sent.
    pub(super) fn refuse(&mut self, why: impl Into<String>) {
        self.refusals.push(words::plain(&why.into()));
    }

    /// Adds a line of the request. A text of several lines becomes several.
    pub(super) fn line(&mut self, text: &str) {
        self.request.extend(text.split('\n').map(words::plain));
    }
}

impl Plan {
    /// Works the plan out, with what was asked for. Blocks on the file system, for programs
    /// and directories.
    pub(super) fn make(config: &ActionConfig, answers: &Answers) -> Self {
        match fill::filled(config, answers) {
            Ok(config) => Self::of(&config),
            Err(why) => Self::impossible(config, &why),
        }
    }

    /// What is asked for was not given.
    fn impossible(config: &ActionConfig, why: &str) -> Self {
        Self {
            action: config.id.clone(),
            timeout: config.timeout,
            request: Vec::new(),
            refusals: vec![words::plain(why)],
            digest: String::new(),
            job: None,
        }
    }

    fn of(config: &ActionConfig) -> Self {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add("plan", "1");
        fingerprint.add("action", config.id.as_str());
        fingerprint.add("timeout_ms", config.timeout.as_millis().to_string());
        let mut draft = Draft { request: Vec::new(), refusals: Vec::new(), fingerprint };
        let job = job_of(&config.kind, &mut draft);
        Self {
            action: config.id.clone(),
            timeout: config.timeout,
            request: draft.request,
            refusals: draft.refusals,
            digest: hex(&draft.fingerprint.0.finalize()),
            job,
        }
    }
}

/// Works out what one kind of action does.
fn job_of(kind: &ActionKind, draft: &mut Draft) -> Option<Job> {
    match kind {
        ActionKind::Http(action) => http::draft(action, draft).map(Job::Http),
        ActionKind::Redis(action) => redis::draft(action, draft).map(Job::Redis),
        ActionKind::Command(action) => command::draft(action, draft).map(Job::Command),
        ActionKind::Sql(action) => sql::draft(action, draft).map(Job::Sql),
        ActionKind::Sequence(action) => sequence::draft(action, draft).map(Job::Sequence),
    }
}

/// A hash over named fields. Each is preceded by its length, so that no two different
/// lists of fields look alike.
#[derive(Debug, Default)]
pub(super) struct Fingerprint(Sha256);

impl Fingerprint {
    /// Adds a field.
    pub(super) fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        for part in [name.as_bytes(), value.as_ref()] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    /// Adds a text, a secret by its origin.
    pub(super) fn add_text(&mut self, name: &str, text: &Text) {
        match text {
            Text::Plain(text) => self.add(name, text),
            Text::Secret { prefix, secret } => {
                self.add(name, prefix);
                self.add("secret", secret.origin());
            }
        }
    }

    /// Adds whom to trust.
    pub(super) fn add_tls(&mut self, tls: Option<&TlsOptions>) {
        let Some(tls) = tls else {
            return self.add("tls", "none");
        };
        self.add("tls", if tls.insecure { "insecure" } else { "verified" });
        if let Some(file) = &tls.ca_file {
            self.add("ca_file", file.as_os_str().as_encoded_bytes());
        }
    }
}
