//! Sources, notifications and contacts.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::{Around, EXCHANGE, aside, readings};
use crate::{
    config::profile::{
        ActionConfig, ActionKind, LogOrigin, Look, NotifyKind, Profile, Program, RedisAddress,
        SourceConfig, SourceKind, SslMode, Step, StepKind, TlsOptions,
    },
    doctor::{
        certificates::{self, Target},
        clock, contacts, database, notify as telling,
        program::{self, Runnable},
        redis,
    },
    domain::{
        examination::{Finding, Grade, Subject, Thing},
        failure::FailureKind,
        ids::SourceId,
        observation::Observation,
        time::short_duration,
        value::Value,
    },
};

/// Sources that are read with GET where an action sends to the same address: what answers
/// there may act on a GET as well. Left alone unless the configuration says that it does not.
pub(super) fn unsafe_gets(profile: &Profile) -> BTreeMap<SourceId, String> {
    let mut found = BTreeMap::new();
    for (id, action) in &profile.actions {
        let ActionKind::Http(http) = &action.kind else { continue };
        if profile.doctor.safe_get.contains(id) {
            continue;
        }
        for (source, config) in &profile.sources {
            let same = web_address(&config.kind).is_some_and(|url| {
                url.origin() == http.url.origin()
                    && url.path().trim_end_matches('/') == http.url.path().trim_end_matches('/')
            });
            if same {
                found.insert(source.clone(), id.to_string());
            }
        }
    }
    found
}

/// The address of a source over HTTP.
fn web_address(kind: &SourceKind) -> Option<&url::Url> {
    match kind {
        SourceKind::Http(http) => Some(&http.url),
        SourceKind::Prometheus(prometheus) => Some(&prometheus.url),
        SourceKind::Statuspage(page) => Some(&page.url),
        SourceKind::Sse(stream) => Some(&stream.url),
        SourceKind::Upstash(upstash) => Some(&upstash.url),
        _ => None,
    }
}

/// Whose certificates are looked at: each server once, for the first thing that uses it.
pub(super) fn certificates(profile: &Profile, things: &[Thing]) -> BTreeMap<Thing, Vec<Target>> {
    let mut seen = BTreeSet::new();
    let mut found: BTreeMap<Thing, Vec<Target>> = BTreeMap::new();
    for thing in things {
        let targets: Vec<Target> = match thing.subject {
            Subject::Source => {
                profile.sources.get(thing.id.as_str()).and_then(of_source).into_iter().collect()
            }
            Subject::Action => {
                profile.actions.get(thing.id.as_str()).map(of_action).unwrap_or_default()
            }
            Subject::Notify => {
                let target = profile.notify.targets.iter().find(|target| target.name == thing.id);
                let target = target.and_then(|target| match &target.kind {
                    NotifyKind::Webhook(webhook) => of_url(&webhook.address.url, &webhook.tls),
                    _ => None,
                });
                target.into_iter().collect()
            }
            _ => Vec::new(),
        };
        for target in targets {
            if seen.insert((target.host.clone(), target.port)) {
                found.entry(thing.clone()).or_default().push(target);
            }
        }
    }
    found
}

/// Those that an action sends to, its steps included.
fn of_action(action: &ActionConfig) -> Vec<Target> {
    let of_kind = |kind: &ActionKind| match kind {
        ActionKind::Http(http) => of_url(&http.url, &http.tls),
        _ => None,
    };
    let ActionKind::Sequence(sequence) = &action.kind else {
        return of_kind(&action.kind).into_iter().collect();
    };
    let of_step = |step: &Step| match &step.kind {
        StepKind::Act(kind) => of_kind(kind),
        StepKind::Wait(wait) => match &wait.look {
            Look::Http(http) => of_url(&http.url, &http.tls),
            Look::Command { .. } | Look::Sql { .. } => None,
        },
        StepKind::EnvFile(_) => None,
    };
    sequence.steps.iter().filter_map(of_step).collect()
}

fn of_url(url: &url::Url, tls: &TlsOptions) -> Option<Target> {
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default()?;
    (url.scheme() == "https").then(|| Target { host, port, tls: tls.clone(), postgres: false })
}

fn of_source(config: &SourceConfig) -> Option<Target> {
    if config.disabled.is_some() {
        return None;
    }
    match &config.kind {
        SourceKind::Redis(redis) => match (&redis.address, &redis.tls) {
            (RedisAddress::Tcp { host, port }, Some(tls)) => {
                Some(Target { host: host.clone(), port: *port, tls: tls.clone(), postgres: false })
            }
            _ => None,
        },
        SourceKind::Postgres(postgres) => {
            let encrypted = postgres.sslmode != SslMode::Disable && !postgres.host.starts_with('/');
            encrypted.then(|| Target {
                host: postgres.host.clone(),
                port: postgres.port,
                tls: postgres.tls.clone(),
                postgres: true,
            })
        }
        SourceKind::Tls(tls) => Some(Target {
            host: tls.at.host.clone(),
            port: tls.at.port,
            tls: tls.tls.clone(),
            postgres: false,
        }),
        SourceKind::Http(http) => of_url(&http.url, &http.tls),
        SourceKind::Prometheus(prometheus) => of_url(&prometheus.url, &prometheus.tls),
        SourceKind::Statuspage(page) => of_url(&page.url, &page.tls),
        SourceKind::Sse(stream) => of_url(&stream.url, &stream.tls),
        SourceKind::Upstash(upstash) => of_url(&upstash.url, &upstash.tls),
        _ => None,
    }
}

/// The days that are left of the certificates that this thing looks at. Where there is no
/// handshake, the look at the thing itself says so.
pub(super) async fn certificate(around: &Around, thing: &Thing) -> Vec<Finding> {
    let targets = around.certificates.get(thing).map(Vec::as_slice).unwrap_or_default();
    let looks = targets.iter().map(|target| async move {
        let seen = certificates::look(target, EXCHANGE).await.ok()?;
        Some(certificates::judge(thing, target, seen.expiry, around.now.wall))
    });
    join_all(looks).await.into_iter().flatten().collect()
}

/// One source: the look itself, its program, its rights, its certificate, its clock.
pub(super) async fn source(around: &Around, thing: &Thing) -> Vec<Finding> {
    let Some(info) = around.profile.catalog.sources.get(thing.id.as_str()) else {
        return Vec::new();
    };
    if let Some(why) = &info.disabled {
        let off = off_without(around, &info.id);
        let what =
            if off.is_empty() { why.clone() } else { format!("{why}; off because of that: {off}") };
        return vec![readings::left_out(thing, why, what)];
    }
    if let Some(action) = around.unsafe_gets.get(&info.id) {
        let what = format!(
            "not looked at: the action {action} sends to the same address, where a GET may act as well"
        );
        let cure = format!(
            "make sure that a GET only reads there, then write safe_get = true in action.{action}"
        );
        // A handshake is no GET, and nobody else looks at this server's certificate.
        let seen = certificate(around, thing).await;
        return std::iter::once(Finding::new(thing, Grade::Warning, what).cure(cure))
            .chain(seen)
            .collect();
    }
    let Some(config) = around.profile.sources.get(&info.id) else { return Vec::new() };
    let (mut found, rights, certificate, program) = tokio::join!(
        looked_at(around, thing, config),
        rights(thing, config),
        certificate(around, thing),
        program_of(around, thing, config, &info.title),
    );
    // The look at the source may have met the same, and says it in the same words.
    let new = program
        .into_iter()
        .filter(|finding| !found.iter().any(|known: &Finding| known.what.contains(&finding.what)));
    let new: Vec<Finding> = new.collect();
    found.extend(new);
    found.extend(rights);
    found.extend(certificate);
    found
}

/// What is empty without a source.
fn off_without(around: &Around, id: &SourceId) -> String {
    let catalog = &around.profile.catalog;
    let mut names: Vec<String> = Vec::new();
    let checks = catalog.checks.iter().filter(|check| check.source == *id);
    names.extend(checks.map(|check| format!("check {}", check.id)));
    let caches = catalog.caches.iter().filter(|cache| cache.source == *id);
    names.extend(caches.map(|cache| format!("cache {}", cache.id)));
    let latencies = catalog.latencies.iter().filter(|latency| latency.source == *id);
    names.extend(latencies.map(|latency| format!("latency {}", latency.id)));
    let rules = catalog.rules.iter();
    let rules =
        rules.filter(|rule| rule.when.series().any(|name| name.source.as_ref() == id.as_str()));
    names.extend(rules.map(|rule| format!("rule {}", rule.id)));
    let actions =
        catalog.unavailable.iter().filter(|(_, why)| why.contains(&format!("source {id},")));
    names.extend(actions.map(|(action, _)| format!("action {action}")));
    names.join(", ")
}

async fn looked_at(around: &Around, thing: &Thing, config: &SourceConfig) -> Vec<Finding> {
    let look = around.looks.get(&config.id).cloned();
    let observation: Option<std::sync::Arc<Observation>> = match look {
        Some(look) => look.await,
        None => None,
    };
    let Some(observation) = observation else {
        return vec![Finding::new(
            thing,
            Grade::Unknown,
            "the look at it broke down; the log has it",
        )];
    };
    let took = observation.took;
    let facts = match &observation.outcome {
        Err(failure) => return vec![readings::failed(thing, failure).took(took)],
        Ok(facts) => facts,
    };
    let count = facts.readings.len();
    let plural = if count == 1 { "" } else { "s" };
    let what = format!("answers in {} with {count} reading{plural}", short_duration(took));
    let mut found = vec![Finding::new(thing, Grade::Ok, what).took(took)];
    for (name, why) in facts.missing.iter().filter(|_| takes_what_is_configured(&config.kind)) {
        let what = readings::missing(name, why);
        let cure = "correct where it is looked for, or take it out";
        found.push(Finding::new(thing, Grade::Warning, what).cure(cure));
    }
    for remark in facts.remarks.iter().filter(|remark| !is_told_elsewhere(&config.kind, remark)) {
        let cure = "look whether that is meant";
        found.push(Finding::new(thing, Grade::Warning, remark.clone()).cure(cure));
    }
    if let Some(Value::Number(ahead)) = facts.readings.get("clock_ahead_seconds") {
        found.extend(clock::judge(thing, *ahead));
    }
    found
}

/// Whether all readings of a source are there because somebody configured them. Others have
/// many of their own, of which a first look has some and nobody needs all: what is needed is
/// looked at by the checks and rules that need it.
fn takes_what_is_configured(kind: &SourceKind) -> bool {
    matches!(
        kind,
        SourceKind::Http(_)
            | SourceKind::Command(_)
            | SourceKind::Prometheus(_)
            | SourceKind::Upstash(_)
    )
}

/// Whether the look at the rights says it too, or it does not matter on this machine.
fn is_told_elsewhere(kind: &SourceKind, remark: &str) -> bool {
    let SourceKind::Postgres(postgres) = kind else { return false };
    let host = postgres.host.as_str();
    let local =
        host == "localhost" || host == "::1" || host.starts_with("127.") || host.starts_with('/');
    remark.starts_with("query ")
        || remark.contains("sees only its own sessions")
        || (local && remark.starts_with("not encrypted"))
}

async fn rights(thing: &Thing, config: &SourceConfig) -> Vec<Finding> {
    match &config.kind {
        SourceKind::Redis(server) => redis::source(thing, server, EXCHANGE).await,
        SourceKind::Postgres(server) => match crate::sources::rights(server, EXCHANGE).await {
            Ok(rights) => database::judge(thing, &rights),
            // Nobody who cannot log in has rights: the look itself says why.
            Err(failure)
                if failure.kind == FailureKind::NotAuthorised || failure.kind.means_down() =>
            {
                Vec::new()
            }
            Err(failure) => {
                let what = format!("its rights are not known: {}", failure.message);
                vec![Finding::new(thing, Grade::Unknown, what)]
            }
        },
        _ => Vec::new(),
    }
}

async fn program_of(
    around: &Around,
    thing: &Thing,
    config: &SourceConfig,
    title: &str,
) -> Vec<Finding> {
    let (program, follows): (Program, bool) = match &config.kind {
        SourceKind::Command(command) => (command.program.clone(), false),
        SourceKind::Logs(logs) => match &logs.from {
            LogOrigin::Command { program, .. } => (program.clone(), true),
            LogOrigin::File(_) => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    let (of, around) = (thing.clone(), around.surroundings.clone());
    let purpose = format!("{title} {}", thing.id);
    aside(thing, move || {
        let runnable = Runnable {
            argv: &program.argv,
            shell: false,
            directory: program.directory.as_deref(),
            environment: &program.environment,
            fed: false,
            purpose: &purpose,
            follows,
        };
        program::look(&of, runnable, &around)
    })
    .await
}

/// Whether a target of notifications can be told.
pub(super) async fn notify(around: &Around, thing: &Thing) -> Vec<Finding> {
    let config = &around.profile.notify;
    if let Some(why) = config
        .infos
        .iter()
        .find(|info| info.name == thing.id)
        .and_then(|info| info.disabled.clone())
    {
        let cure = readings::cure_of_disabled(&why);
        return vec![Finding::new(thing, Grade::Skipped, why).cure(cure)];
    }
    let Some(target) = config.targets.iter().find(|target| target.name == thing.id) else {
        return vec![Finding::new(
            thing,
            Grade::Unknown,
            "it is not used as things are configured",
        )];
    };
    match &target.kind {
        NotifyKind::Webhook(webhook) => {
            let (reached, certificate) = tokio::join!(
                telling::webhook(thing, webhook, EXCHANGE),
                certificate(around, thing)
            );
            std::iter::once(reached).chain(certificate).collect()
        }
        NotifyKind::Command(command) => {
            let (of, command, surroundings) =
                (thing.clone(), command.as_ref().clone(), around.surroundings.clone());
            aside(thing, move || telling::command(&of, &command, &surroundings)).await
        }
        NotifyKind::Bell(_) => {
            vec![Finding::new(thing, Grade::Ok, "the bell of whoever has the console open")]
        }
    }
}

/// Whether the contacts of a level are filled in.
pub(super) fn contact(around: &Around, thing: &Thing) -> Vec<Finding> {
    let all = &around.profile.catalog.contacts;
    let level = all.iter().filter(|spec| spec.level.to_string() == thing.id);
    level.flat_map(|spec| contacts::look(spec, all)).collect()
}
