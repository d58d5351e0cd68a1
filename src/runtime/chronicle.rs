//! What the log says of a console: polls, failures, changes of state, and every message.
//!
//! Derived from the states that the loop goes through, so that a headless run and a screen
//! leave the same log. Polls are details (`-v`); that something fails, changes its state,
//! or works again is always there, once.

use std::collections::BTreeMap;

use crate::{
    app::{
        findings,
        msg::Level,
        notices::Said,
        state::{State, World},
    },
    domain::{failure::FailureKind, ids::SourceId, text::safe, time::Moment, verdict::Verdict},
};

/// What was logged last.
#[derive(Default)]
pub(super) struct Chronicle {
    /// When the findings were compared.
    compared: Option<u64>,
    polls: BTreeMap<SourceId, (Moment, Option<FailureKind>)>,
    verdicts: BTreeMap<String, Verdict>,
    news: News,
}

impl Chronicle {
    /// Logs what is new in a state.
    pub(super) fn look(&mut self, state: &State) {
        self.poll(&state.world);
        // Once a second: most messages change no verdict, and judging costs.
        let second = state.world.now.mono.as_secs();
        if self.compared.replace(second) != Some(second) {
            self.judge(&state.world);
        }
        for said in self.news.of(&state.world) {
            let text = safe(&said.notice.text);
            match said.notice.level {
                Level::Info => tracing::info!("{text}"),
                Level::Warning => tracing::warn!("{text}"),
                Level::Error => tracing::error!("{text}"),
            }
        }
    }

    fn poll(&mut self, world: &World) {
        for (id, source) in world.sources.iter() {
            let Some(last) = &source.last else { continue };
            let before = self.polls.get(id);
            if before.is_some_and(|(at, _)| *at == last.at) {
                continue;
            }
            let took_ms = u64::try_from(last.took.as_millis()).unwrap_or(u64::MAX);
            let failing = source.failing().map(|why| why.kind);
            tracing::debug!(source = %id, took_ms, failed = failing.is_some(), "polled");
            let was = before.and_then(|(_, failing)| *failing);
            match source.failing() {
                None if was.is_some() => tracing::info!(source = %id, "answers again"),
                Some(why) if was != failing => {
                    tracing::warn!(source = %id, kind = why.kind.word(), "fails: {}", safe(&why.message));
                }
                _ => {}
            }
            self.polls.insert(id.clone(), (last.at, failing));
        }
        self.polls.retain(|id, _| world.sources.get(id).is_some());
    }

    fn judge(&mut self, world: &World) {
        let mut now = BTreeMap::new();
        for finding in findings::of(world) {
            let name = format!("{} {}", finding.pane.title(), finding.title);
            let was = self.verdicts.get(&name).copied();
            if was != Some(finding.verdict) {
                let was = was.map_or("nothing", Verdict::word);
                let (is, why) = (finding.verdict.word(), safe(&finding.reason));
                match finding.verdict {
                    Verdict::Ok | Verdict::Unjudged => {
                        tracing::info!("{name} is {is}, was {was}: {why}");
                    }
                    _ => tracing::warn!("{name} is {is}, was {was}: {why}"),
                }
            }
            now.insert(name, finding.verdict);
        }
        self.verdicts = now;
    }
}

/// The messages that were not seen before.
#[derive(Default)]
pub(super) struct News {
    last: u64,
}

impl News {
    /// What was said since the call before this one, oldest first.
    pub(super) fn of<'s>(&mut self, world: &'s World) -> Vec<&'s Said> {
        let news: Vec<&Said> = world.notices.since(self.last).collect();
        self.last = news.last().map_or(self.last, |said| said.number);
        news
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::{
        app::{
            msg::{Event, Msg, Notice},
            state::Settings,
            update::update,
        },
        domain::{
            catalog::{Catalog, SourceInfo},
            failure::Failure,
            observation::{Facts, Observation},
        },
    };

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn observed(second: f64, outcome: Result<Facts, Failure>) -> Msg {
        let at = Moment::at_seconds(second);
        let observation = Observation {
            source: "api".into(),
            at,
            took: std::time::Duration::from_millis(20),
            request: "GET /".into(),
            phases: None,
            outcome,
        };
        Msg { at, event: Event::Observed(Box::new(observation)) }
    }

    fn down() -> Result<Facts, Failure> {
        Err(Failure::new(FailureKind::Refused, "nothing listens"))
    }

    #[test]
    fn failures_changes_and_messages_are_logged_once_and_polls_as_details() {
        let mut catalog = Catalog::default();
        let info = SourceInfo {
            id: "api".into(),
            kind: "http".to_owned(),
            title: "API".to_owned(),
            target: "http://h/".to_owned(),
            interval: std::time::Duration::from_secs(5),
            timeout: std::time::Duration::from_secs(1),
            disabled: None,
        };
        catalog.sources.insert("api".into(), info);
        let mut state = State::new(catalog, Moment::at_seconds(0.0), Settings::default());
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let mut chronicle = Chronicle::default();
            let refused = Event::ReloadFailed("line 3".to_owned());
            let again = Event::Notice(Notice::info("the same"));
            for msg in [
                observed(1.0, Ok(Facts::default())),
                observed(2.0, down()),
                observed(3.0, down()),
                observed(4.0, Ok(Facts::default())),
                Msg { at: Moment::at_seconds(5.0), event: refused },
                Msg { at: Moment::at_seconds(6.0), event: again.clone() },
                Msg { at: Moment::at_seconds(7.0), event: again },
                Msg { at: Moment::at_seconds(8.0), event: Event::Tick },
            ] {
                update(&mut state, msg);
                chronicle.look(&state);
            }
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let count = |what: &str| text.matches(what).count();
        assert_eq!(count("DEBUG watchfloor::runtime::chronicle: polled source=api took_ms=20"), 4);
        assert_eq!(
            count("WARN watchfloor::runtime::chronicle: fails: nothing listens"),
            1,
            "{text}"
        );
        assert_eq!(count("INFO watchfloor::runtime::chronicle: answers again"), 1, "{text}");
        assert_eq!(count("ERROR"), 1, "{text}");
        assert_eq!(count("refused, the old one stays: line 3"), 1, "{text}");
        assert_eq!(count("the same"), 2, "a message that is said twice");
    }
}
