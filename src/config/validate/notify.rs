//! Where alerts are told.

use std::{path::Path as FilePath, time::Duration};

use url::Url;

use super::{Cx, Path, source::not_configured, value::written};
use crate::{
    config::{
        profile::{
            Address, Bell, NotifyConfig, NotifyKind, NotifyTarget, Program, Text, Webhook,
            WebhookFormat,
        },
        raw::{
            notify::{
                RawBell, RawFormat, RawNotify, RawNotifyCommand, RawSeverity, RawTarget,
                RawWebhook, Telling,
            },
            value::{DurationText, TextValue},
        },
        secret::{Secret, redact},
    },
    domain::{delivery::TargetInfo, notification::Severity, outbox::Policy},
};

/// Where PagerDuty takes events.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// An attempt may not take longer: a queue stands behind it.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(5 * 60);

/// What fires is not repeated more often than this.
const SHORTEST_REPEAT: Duration = Duration::from_secs(60);

/// Parts of an address of at least this length are taken for a part of the secret in it.
const SECRET_PART: usize = 12;

/// Builds the policy and every target.
pub fn notify(cx: &mut Cx<'_>, raw: Option<&RawNotify>) -> NotifyConfig {
    let Some(raw) = raw else { return NotifyConfig::default() };
    let root = Path::root("notify");
    let mut config = NotifyConfig { policy: policy(cx, &root, raw), ..NotifyConfig::default() };
    let section = root.key("target");
    let mut bell = false;
    for (name, target) in cx.ordered_at(&section, &raw.target) {
        let path = section.key(name);
        let unset = cx.unset_within(&path);
        let telling = target.telling();
        let disabled = if !telling.enabled {
            Some("switched off: enabled = false".to_owned())
        } else if telling.optional && !unset.is_empty() {
            Some(not_configured(&unset))
        } else {
            None
        };
        cx.forget_or_report(&path, disabled.is_some());
        if matches!(target, RawTarget::Bell(_)) && std::mem::replace(&mut bell, true) {
            cx.error(&path, "there is one terminal, and it has a bell already", "take one out");
        }
        let built = cx.target(&path, name, target, disabled.is_some());
        config.infos.push(TargetInfo {
            name: name.to_owned(),
            kind: kind(target).to_owned(),
            to: built.as_ref().map_or_else(String::new, leads_to),
            disabled: disabled.clone(),
        });
        config.targets.extend(built.filter(|_| disabled.is_none()));
    }
    config
}

fn policy(cx: &mut Cx<'_>, root: &Path, raw: &RawNotify) -> Policy {
    let usual = Policy::default();
    let group_wait = cx.duration_or_zero(&root.key("group_wait"), &raw.group_wait);
    let repeat = cx.duration(&root.key("repeat"), &raw.repeat);
    if let Some(repeat) = repeat.filter(|repeat| *repeat < SHORTEST_REPEAT) {
        cx.error(
            &root.key("repeat"),
            format!("{} is too often", written(repeat)),
            format!("at least {}", written(SHORTEST_REPEAT)),
        );
    }
    Policy {
        group_wait: group_wait.unwrap_or(usual.group_wait),
        repeat: repeat.unwrap_or(usual.repeat),
    }
}

/// The word for a kind of target.
fn kind(target: &RawTarget) -> &'static str {
    match target {
        RawTarget::Webhook(webhook) => match webhook.format {
            RawFormat::Generic => "webhook",
            RawFormat::Slack => "slack webhook",
            RawFormat::Pagerduty => "pagerduty webhook",
        },
        RawTarget::Command(_) => "command",
        RawTarget::Bell(_) => "bell",
    }
}

/// Where a target leads, without secrets.
fn leads_to(target: &NotifyTarget) -> String {
    match &target.kind {
        NotifyKind::Webhook(webhook) => webhook.address.shown.clone(),
        NotifyKind::Command(command) => redact(&command.argv.join(" ")),
        NotifyKind::Bell(_) => "this terminal".to_owned(),
    }
}

impl Cx<'_> {
    fn target(
        &mut self,
        path: &Path,
        name: &str,
        raw: &RawTarget,
        unused: bool,
    ) -> Option<NotifyTarget> {
        let Telling { severities, resolved, enabled, .. } = raw.telling();
        self.switched_off = !enabled;
        let severities = self.severities(&path.key("severities"), severities);
        let (kind, limits) = match raw {
            RawTarget::Webhook(webhook) => (
                self.webhook(path, webhook).map(|webhook| NotifyKind::Webhook(Box::new(webhook))),
                self.limits_of(path, &webhook.timeout, &webhook.retry_for),
            ),
            RawTarget::Command(command) => (
                self.teller(path, command, unused)
                    .map(|program| NotifyKind::Command(Box::new(program))),
                self.limits_of(path, &command.timeout, &command.retry_for),
            ),
            RawTarget::Bell(bell) => {
                (self.bell(path, bell).map(NotifyKind::Bell), Some(Default::default()))
            }
        };
        self.switched_off = false;
        let (timeout, retry_for) = limits?;
        Some(NotifyTarget {
            name: name.to_owned(),
            kind: kind?,
            severities: severities?,
            resolved,
            timeout,
            retry_for,
        })
    }

    fn severities(&mut self, path: &Path, raw: &[RawSeverity]) -> Option<Vec<Severity>> {
        if raw.is_empty() && self.is_written(&path.index(0)) {
            // What cannot be read has been reported.
            return None;
        }
        if raw.is_empty() {
            self.error(
                path,
                format!("`{path}` is empty: nothing would ever be told"),
                "such as [\"critical\"]",
            );
            return None;
        }
        let severity = |raw: &RawSeverity| match raw {
            RawSeverity::Warning => Severity::Warning,
            RawSeverity::Critical => Severity::Critical,
        };
        let mut severities: Vec<Severity> = raw.iter().map(severity).collect();
        severities.sort_unstable();
        severities.dedup();
        Some(severities)
    }

    fn limits_of(
        &mut self,
        path: &Path,
        timeout: &DurationText,
        retry_for: &DurationText,
    ) -> Option<(Duration, Duration)> {
        let limit = self.duration(&path.key("timeout"), timeout);
        let retry_for = self.duration_or_zero(&path.key("retry_for"), retry_for);
        if let Some(limit) = limit.filter(|limit| *limit > LONGEST_ATTEMPT) {
            self.error(
                &path.key("timeout"),
                format!("{} is too long: other messages wait meanwhile", written(limit)),
                format!("at most {}", written(LONGEST_ATTEMPT)),
            );
            return None;
        }
        Some((limit?, retry_for?))
    }

    fn webhook(&mut self, path: &Path, raw: &RawWebhook) -> Option<Webhook> {
        let format = self.format(path, raw);
        let address = match (&raw.url, raw.format) {
            (Some(url), format) => self.address(&path.key("url"), url, format),
            (None, RawFormat::Pagerduty) => {
                Url::parse(PAGERDUTY).ok().map(|url| Address { url, shown: PAGERDUTY.to_owned() })
            }
            (None, _) => {
                self.error(
                    path,
                    format!("`url` is missing in [{path}]"),
                    "write url = { env = \"NAME\" }, or the address itself",
                );
                None
            }
        };
        let headers = self.headers(&path.key("headers"), &raw.headers);
        let secure = address.as_ref().is_none_or(|address| address.url.scheme() == "https");
        let tls = self.tls(path, raw.ca_file.as_deref(), raw.insecure, secure);
        let secret = matches!(format, Some(WebhookFormat::PagerDuty { .. }))
            || matches!(raw.url, Some(TextValue::Secret(_)))
            || headers.iter().flatten().any(|(_, text)| matches!(text, Text::Secret { .. }));
        if let Some(address) = &address {
            self.secret_in_clear(path, &address.url, secret);
        }
        Some(Webhook { format: format?, address: address?, headers: headers?, tls: tls? })
    }

    fn format(&mut self, path: &Path, raw: &RawWebhook) -> Option<WebhookFormat> {
        let key = path.key("routing_key");
        match (raw.format, &raw.routing_key) {
            (RawFormat::Generic, None) => Some(WebhookFormat::Generic),
            (RawFormat::Slack, None) => Some(WebhookFormat::Slack),
            (RawFormat::Pagerduty, Some(value)) => {
                let routing_key = self.secret(&key, value)?;
                Some(WebhookFormat::PagerDuty { routing_key })
            }
            (RawFormat::Pagerduty, None) => {
                self.error(
                    path,
                    format!("`routing_key` is missing in [{path}]"),
                    "write routing_key = { env = \"NAME\" }: the key of an Events API v2 integration",
                );
                None
            }
            (_, Some(_)) => {
                self.error(
                    &key,
                    "`routing_key` means nothing here: the format is not \"pagerduty\"",
                    "take it out, or write format = \"pagerduty\"",
                );
                None
            }
        }
    }

    /// An address. From elsewhere it is a secret as a whole, and so are its longer parts:
    /// a server may repeat its path in a refusal.
    fn address(&mut self, path: &Path, value: &TextValue, format: RawFormat) -> Option<Address> {
        let sensitive = matches!(format, RawFormat::Slack);
        match self.text(path, value, sensitive)? {
            // Of what is switched off nothing was fetched.
            Text::Secret { .. } if self.switched_off => None,
            Text::Secret { prefix, secret } => {
                let url =
                    self.web_address(path, &format!("{prefix}{}", secret.expose()), "webhook")?;
                let origin = secret.origin();
                for part in url.path_segments().into_iter().flatten() {
                    if part.len() >= SECRET_PART {
                        drop(Secret::new(part.to_owned(), origin));
                    }
                }
                let rest = &url[url::Position::BeforePath..];
                if rest.len() >= SECRET_PART {
                    drop(Secret::new(rest.to_owned(), origin));
                }
                Some(Address { shown: secret.placeholder(), url })
            }
            Text::Plain(text) => {
                let url = self.web_address(path, &text, "webhook")?;
                Some(Address { shown: redact(url.as_str()), url })
            }
        }
    }

    fn teller(&mut self, path: &Path, raw: &RawNotifyCommand, unused: bool) -> Option<Program> {
        let directory = raw.directory.as_deref();
        let program = self.program(path, &raw.argv, directory, &raw.environment)?;
        // Of one that nobody is told by, the name may be a variable that is not set.
        if !unused {
            self.program_is_there(&path.key("argv"), program.argv.first()?);
        }
        Some(program)
    }

    /// Says of a program that is not there: the first message would be the first to know.
    fn program_is_there(&mut self, path: &Path, program: &str) {
        let named = FilePath::new(program);
        let there = if named.is_absolute() {
            named.exists()
        } else if program.contains('/') {
            // Relative to a directory that may be made later.
            true
        } else {
            let Some(places) = self.request.environment.get("PATH") else { return };
            std::env::split_paths(places).any(|place| place.join(program).exists())
        };
        if !there {
            self.warning(
                path,
                format!("there is no program {program} here: nobody would be told"),
                "install it, or write its whole path",
            );
        }
    }

    fn bell(&mut self, path: &Path, raw: &RawBell) -> Option<Bell> {
        let at_most_every = self.duration(&path.key("at_most_every"), &raw.at_most_every)?;
        Some(Bell { at_most_every })
    }
}
