//! What a status means to the operator.

use hyper::HeaderMap;
use jiff::Timestamp;

use crate::{
    config::profile::Text,
    domain::{
        failure::{Failure, FailureKind},
        time::clock,
    },
    net::{http::status_line, retry},
};

/// An answer whose status is not an accepted one.
pub(in crate::sources) struct Refusal<'a> {
    /// The status.
    pub(in crate::sources) status: u16,
    /// The headers of the answer.
    pub(in crate::sources) headers: &'a HeaderMap,
    /// The beginning of the body, made safe.
    pub(in crate::sources) excerpt: &'a str,
    /// The headers that were sent from the configuration.
    pub(in crate::sources) credentials: &'a [(String, Text)],
    /// The time, for dates in the answer.
    pub(in crate::sources) now: Timestamp,
}

/// Whether the status sends the client elsewhere.
pub(in crate::sources) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

impl Refusal<'_> {
    /// The failure that the status stands for.
    pub(in crate::sources) fn failure(&self) -> Failure {
        let kind = match self.status {
            401 => FailureKind::NotAuthorised,
            403 => FailureKind::Forbidden,
            404 | 410 => FailureKind::MissingEndpoint,
            405 | 501 => FailureKind::WrongMethod,
            429 => FailureKind::Throttled,
            500..=599 => FailureKind::Server,
            _ => FailureKind::BadAnswer,
        };
        let mut message = status_line(self.status);
        if let FailureKind::NotAuthorised | FailureKind::Forbidden = kind {
            message = format!("{message}: {}", self.sent());
        }
        let retry_after = match self.status {
            429 | 503 => retry::after(self.headers, self.now),
            _ => None,
        };
        if let Some(wait) = retry_after {
            message.push_str(&format!(", to be asked again in {}", clock(wait)));
        }
        if !self.excerpt.is_empty() {
            message = format!("{message}: {}", self.excerpt);
        }
        let failure = Failure { retry_after, ..Failure::new(kind, message) };
        match self.cure(kind) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// The headers with secrets that were sent, their secrets hidden.
    fn sent(&self) -> String {
        let sent: Vec<String> =
            self.secrets().map(|(name, text, _)| format!("{name}: {}", text.shown())).collect();
        if sent.is_empty() {
            "no credential was sent".to_owned()
        } else {
            format!("sent {}", sent.join(", "))
        }
    }

    fn secrets(&self) -> impl Iterator<Item = (&str, &Text, &str)> {
        self.credentials.iter().filter_map(|(name, text)| match text {
            Text::Secret { secret, .. } => Some((name.as_str(), text, secret.origin())),
            Text::Plain(_) => None,
        })
    }

    fn cure(&self, kind: FailureKind) -> Option<String> {
        let origins: Vec<&str> = self.secrets().map(|(_, _, origin)| origin).collect();
        match kind {
            FailureKind::NotAuthorised if origins.is_empty() => {
                Some("configure a header with the credential".to_owned())
            }
            FailureKind::NotAuthorised => Some(format!("check {}", origins.join(", "))),
            FailureKind::Forbidden if !origins.is_empty() => {
                Some(format!("{} is valid, but lacks the right", origins.join(", ")))
            }
            FailureKind::MissingEndpoint => {
                Some("the path may not exist in this deployment; this is not an outage".to_owned())
            }
            FailureKind::WrongMethod => {
                Some("it does not take GET: name the address that is read with it".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::secret::Secret;

    fn refusal(status: u16, excerpt: &str, credentials: &[(String, Text)]) -> Failure {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "90".parse().expect("a header"));
        let now = Timestamp::UNIX_EPOCH;
        Refusal { status, headers: &headers, excerpt, credentials, now }.failure()
    }

    #[test]
    fn each_status_has_its_class() {
        let table = [
            (401, FailureKind::NotAuthorised),
            (403, FailureKind::Forbidden),
            (404, FailureKind::MissingEndpoint),
            (405, FailureKind::WrongMethod),
            (501, FailureKind::WrongMethod),
            (429, FailureKind::Throttled),
            (500, FailureKind::Server),
            (503, FailureKind::Server),
            (302, FailureKind::BadAnswer),
            (400, FailureKind::BadAnswer),
            (299, FailureKind::BadAnswer),
        ];
        for (status, kind) in table {
            let failure = refusal(status, "", &[]);
            assert_eq!(failure.kind, kind, "{status}");
            assert!(failure.message.starts_with(&status.to_string()), "{}", failure.message);
        }
    }

    #[test]
    fn a_refused_credential_is_named_and_not_shown() {
        let secret = Secret::new("correct-horse".to_owned(), "env ADMIN_TOKEN");
        let text = Text::Secret { prefix: "Bearer ".to_owned(), secret };
        let failure = refusal(401, "token expired", &[("Authorization".to_owned(), text)]);
        let whole = failure.to_string();
        assert_eq!(
            whole,
            "not authorised: 401 Unauthorized: sent Authorization: Bearer ⟨ADMIN_TOKEN⟩: \
             token expired (check env ADMIN_TOKEN)"
        );
        let failure = refusal(401, "", &[]);
        assert!(failure.message.contains("no credential was sent"), "{}", failure.message);
    }

    #[test]
    fn only_throttling_and_unavailability_make_us_wait() {
        assert_eq!(refusal(429, "", &[]).retry_after, Some(Duration::from_secs(90)));
        assert_eq!(refusal(503, "", &[]).retry_after, Some(Duration::from_secs(90)));
        assert_eq!(refusal(500, "", &[]).retry_after, None);
        assert!(refusal(429, "", &[]).message.contains("again in 1:30"));
    }
}
