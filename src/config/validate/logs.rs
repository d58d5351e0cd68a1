//! Logs that are followed.

use std::time::Duration;

use jiff::tz::TimeZone;
use regex::Regex;

use super::{Cx, Path, value::written};
use crate::config::{
    profile::{LogExclude, LogFields, LogOrigin, LogsSource},
    raw::logs::RawLogs,
};

/// Longer windows would not fit into what is kept of a busy log.
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Shorter silences are ordinary.
const SHORTEST_SILENCE: Duration = Duration::from_secs(10);

/// Programs that print everything again unless they are told from when on.
const REPEATING: [&str; 5] = ["docker", "docker-compose", "podman", "kubectl", "journalctl"];

impl Cx<'_> {
    /// A log.
    pub fn logs(&mut self, path: &Path, raw: &RawLogs) -> Option<LogsSource> {
        let from = self.log_origin(path, raw);
        let windows = self.log_windows(&path.key("windows"), raw);
        let zone = match TimeZone::get(&raw.timezone) {
            Ok(zone) => Some(zone),
            Err(_) => {
                let message = format!("there is no time zone {:?}", raw.timezone);
                self.error(&path.key("timezone"), message, "such as \"UTC\" or \"Europe/Berlin\"");
                None
            }
        };
        let exclude = self.log_exclude(&path.key("exclude"), raw);
        let fields = &raw.fields;
        Some(LogsSource {
            from: from?,
            windows: windows?,
            request: raw.request.clone(),
            fields: LogFields {
                time: fields.time.clone(),
                level: fields.level.clone(),
                message: fields.message.clone(),
                status: fields.status.clone(),
                duration: fields.duration.clone(),
                path: fields.path.clone(),
                trace: fields.trace.clone(),
                agent: fields.agent.clone(),
            },
            exclude: exclude?,
            drop: raw.drop.clone(),
            zone: zone?,
        })
    }

    fn log_origin(&mut self, path: &Path, raw: &RawLogs) -> Option<LogOrigin> {
        match (&raw.file, &raw.argv) {
            (Some(file), None) => {
                for (key, there) in [
                    ("directory", raw.directory.is_some()),
                    ("environment", !raw.environment.is_empty()),
                ] {
                    if there {
                        let message = format!("`{key}` means nothing for a file");
                        self.warning(&path.key(key), message, "take it out");
                    }
                }
                Some(LogOrigin::File(self.file_path(&path.key("file"), file)))
            }
            (None, Some(argv)) => {
                let directory = raw.directory.as_deref();
                let program = self.program(path, argv, directory, &raw.environment);
                let silent_after = self.duration(&path.key("silent_after"), &raw.silent_after);
                if silent_after.is_some_and(|silence| silence < SHORTEST_SILENCE) {
                    self.error(
                        &path.key("silent_after"),
                        "the program would be started anew all the time",
                        format!("at least {}", written(SHORTEST_SILENCE)),
                    );
                }
                self.repeats(path, argv);
                Some(LogOrigin::Command { program: program?, silent_after: silent_after? })
            }
            _ => {
                self.error(
                    path,
                    format!("[{path}] must say exactly one of file and argv"),
                    "write file = \"/var/log/api.log\", or argv = [\"docker\", \"logs\", \"-f\", \"--timestamps\", \"--since\", \"{since}\", \"api\"]",
                );
                None
            }
        }
    }

    fn log_exclude(&mut self, path: &Path, raw: &RawLogs) -> Option<LogExclude> {
        let raw = &raw.exclude;
        let by_path = match &raw.path {
            Some(text) => Some(self.exclusion(&path.key("path"), text)?),
            None => None,
        };
        let agent = match raw.agent.as_str() {
            "" => None,
            text => Some(self.exclusion(&path.key("agent"), text)?),
        };
        Some(LogExclude { path: by_path, agent })
    }

    /// An expression that does not match everything.
    fn exclusion(&mut self, path: &Path, text: &str) -> Option<Regex> {
        let regex = self.regular_expression(path, text)?;
        if regex.is_match("") {
            self.error(
                path,
                "this matches every request, so that none would count",
                "such as \"^/health\"",
            );
            return None;
        }
        Some(regex)
    }

    /// A program that is started anew prints lines again that were counted already.
    fn repeats(&mut self, path: &Path, argv: &[String]) {
        let name = argv.first().map(|name| name.rsplit('/').next().unwrap_or(name));
        let told = argv.iter().any(|argument| argument.contains("{since"));
        if name.is_some_and(|name| REPEATING.contains(&name)) && !told {
            self.warning(
                &path.key("argv"),
                "nothing says from when on it is to print when it is started anew",
                "add \"--since\", \"{since}\" (kubectl: \"--since-time={since}\", journalctl: \"--since=@{since_unix}\")",
            );
        }
    }

    fn log_windows(&mut self, path: &Path, raw: &RawLogs) -> Option<Vec<Duration>> {
        let mut windows: Vec<Duration> = Vec::new();
        for (position, text) in raw.windows.iter().enumerate() {
            let path = path.index(position);
            let Some(window) = self.duration(&path, text) else { continue };
            if windows.contains(&window) {
                self.error(&path, format!("{} is there already", written(window)), "take it out");
            } else if window > LONGEST_WINDOW {
                let message = format!("a window of {} is too long", written(window));
                self.error(&path, message, format!("at most {}", written(LONGEST_WINDOW)));
            } else {
                windows.push(window);
            }
        }
        if raw.windows.is_empty() {
            self.error(path, "there is no window to look at", "such as [\"5m\", \"1h\"]");
        }
        (!windows.is_empty() && windows.len() == raw.windows.len()).then_some(windows)
    }
}
