//! What a Redis-protocol server means when it says no.

use redis::{ErrorKind, RedisError};

use crate::{
    config::profile::RedisSource,
    domain::failure::{Failure, FailureKind},
    net::words::clip,
};

/// Whom the server refused, for messages.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// The ACL user.
    pub user: Option<String>,
    /// Where the password or token came from.
    pub origin: Option<String>,
}

impl Who {
    /// The one who logs in with these settings.
    pub fn of(config: &RedisSource) -> Self {
        Self {
            user: config.username.clone(),
            origin: config.password.as_ref().map(|password| password.origin().to_owned()),
        }
    }

    fn name(&self) -> String {
        match &self.user {
            Some(user) => format!("the user {user}"),
            None => "the default user".to_owned(),
        }
    }
}

/// Whether the error is an answer of the server, after which the connection is still good.
pub fn is_from_server(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// The first word of the server's refusal, and the rest of it.
pub fn code_and_text(error: &RedisError) -> (String, String) {
    if let Some(errors) = error.clone().into_server_errors()
        && let Some((_, first)) = errors.first()
    {
        return (first.code().to_owned(), first.details().unwrap_or_default().to_owned());
    }
    let code = error.code().unwrap_or_default().to_owned();
    (code, error.detail().map_or_else(|| error.to_string(), str::to_owned))
}

/// The failure that an error stands for.
pub fn failure(error: &RedisError, who: &Who) -> Failure {
    match error.kind() {
        ErrorKind::AuthenticationFailed => from_server("WRONGPASS", "", who),
        ErrorKind::Server(_) | ErrorKind::Extension => {
            let (code, text) = code_and_text(error);
            from_server(&code, &text, who)
        }
        ErrorKind::Io if error.is_timeout() => {
            Failure::new(FailureKind::Timeout, "connected, but packets go unanswered")
        }
        ErrorKind::Io => {
            let message = format!("the connection was closed ({error})");
            Failure::new(FailureKind::Closed, message)
        }
        ErrorKind::Parse => {
            let message = "the answer is not in Redis's protocol";
            Failure::new(FailureKind::BadAnswer, message)
        }
        ErrorKind::InvalidClientConfig => {
            Failure::new(FailureKind::Misconfigured, error.to_string())
        }
        _ => Failure::new(FailureKind::BadAnswer, error.to_string()),
    }
}

/// The failure that the server's own words stand for: `code` is the first of them.
pub fn from_server(code: &str, text: &str, who: &Who) -> Failure {
    let said = clip(format!("{code} {text}").trim(), 200);
    let lower = text.to_ascii_lowercase();
    let is = |kind: FailureKind, words: &str| Failure::new(kind, format!("{words}: {said}"));
    match code {
        "NOAUTH" => not_authorised("a password is required", &said, who),
        "WRONGPASS" => {
            not_authorised(&format!("the password of {} is refused", who.name()), &said, who)
        }
        "NOPERM" => is(FailureKind::Forbidden, &format!("{} lacks a permission", who.name())),
        "DENIED" => is(FailureKind::Forbidden, "the server accepts only its own machine"),
        "LOADING" => is(FailureKind::Starting, "loading its data"),
        "BUSY" => is(FailureKind::Busy, "blocked by a script"),
        "OOM" => is(FailureKind::OutOfMemory, "no memory for writes"),
        "MISCONF" => is(FailureKind::Server, "it cannot save to disk and refuses writes"),
        "MASTERDOWN" => is(FailureKind::Server, "a replica without its master"),
        "CLUSTERDOWN" => is(FailureKind::Server, "the cluster is down"),
        _ if lower.contains("max number of clients") => {
            is(FailureKind::Full, "no room for another connection")
        }
        _ if lower.contains("max requests limit") || lower.contains("max daily request limit") => {
            is(FailureKind::Quota, "the plan's requests are used up")
        }
        _ if lower.contains("db index is out of range")
            || lower.contains("select is not allowed") =>
        {
            is(FailureKind::Misconfigured, "there is no such database")
        }
        _ if lower.contains("without any password configured")
            || lower.contains("no password is set") =>
        {
            not_authorised("a password was sent to a server that has none", &said, who)
        }
        _ if said.is_empty() => Failure::new(FailureKind::Server, "it refused without a reason"),
        _ => Failure::new(FailureKind::Server, said),
    }
}

fn not_authorised(words: &str, said: &str, who: &Who) -> Failure {
    let message = match said {
        "" | "WRONGPASS" => words.to_owned(),
        said => format!("{words}: {said}"),
    };
    let hint = match &who.origin {
        Some(origin) => format!("check {origin}"),
        None => "no password is configured".to_owned(),
    };
    Failure::new(FailureKind::NotAuthorised, message).hint(hint)
}

/// Whether the server does not have a command, or not for us: asking again is pointless.
pub fn is_not_offered(error: &RedisError) -> bool {
    let (code, text) = code_and_text(error);
    let lower = text.to_ascii_lowercase();
    code == "NOPERM"
        || [
            "unknown command",
            "unknown subcommand",
            "not supported",
            "not allowed",
            "not available",
        ]
        .iter()
        .any(|words| lower.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let table = [
            ("NOAUTH", "Authentication required.", FailureKind::NotAuthorised),
            ("WRONGPASS", "invalid username-password pair", FailureKind::NotAuthorised),
            ("NOPERM", "this user has no permissions", FailureKind::Forbidden),
            ("DENIED", "Redis is running in protected mode", FailureKind::Forbidden),
            ("LOADING", "Redis is loading the dataset in memory", FailureKind::Starting),
            ("BUSY", "Redis is busy running a script.", FailureKind::Busy),
            (
                "OOM",
                "command not allowed when used memory > 'maxmemory'.",
                FailureKind::OutOfMemory,
            ),
            ("MISCONF", "Redis is configured to save RDB snapshots", FailureKind::Server),
            ("ERR", "max number of clients reached", FailureKind::Full),
            ("ERR", "max daily request limit exceeded. Limit: 10000", FailureKind::Quota),
            ("ERR", "max requests limit exceeded", FailureKind::Quota),
            ("ERR", "DB index is out of range", FailureKind::Misconfigured),
            ("ERR", "SELECT is not allowed in cluster mode", FailureKind::Misconfigured),
            ("ERR", "something else", FailureKind::Server),
            ("", "", FailureKind::Server),
        ];
        for (code, text, kind) in table {
            let failure = from_server(code, text, &Who::default());
            assert_eq!(failure.kind, kind, "{code} {text}");
            assert!(!failure.message.is_empty());
        }
    }

    #[test]
    fn the_credential_to_fix_is_named() {
        let who =
            Who { user: Some("monitor".to_owned()), origin: Some("env REDIS_PASSWORD".to_owned()) };
        let failure = from_server("WRONGPASS", "", &who);
        assert_eq!(failure.message, "the password of the user monitor is refused");
        assert_eq!(failure.hint.as_deref(), Some("check env REDIS_PASSWORD"));
        let failure = from_server("NOAUTH", "Authentication required.", &Who::default());
        assert_eq!(failure.hint.as_deref(), Some("no password is configured"));
    }
}
