//! The state of the server, and how a command reaches it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    codec::Reply,
    commands::{self, Command},
    keyspace::{Keyspace, Value},
    server_commands,
};

/// Data beyond this is refused, as the original does at its own limit.
pub(super) const MAX_MEMORY: usize = 64 << 20;
/// What an empty server takes.
pub(super) const EMPTY_MEMORY: usize = 860 << 10;
/// The most clients at a time.
pub(super) const MAX_CLIENTS: usize = 512;
/// Commands slower than this are remembered, the last so many.
const SLOW: Duration = Duration::from_millis(10);
const SLOW_LENGTH: usize = 128;
/// The most arguments of a slow command that are kept.
const SLOW_ARGUMENTS: usize = 31;

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: i64,
    pub(super) address: String,
    pub(super) name: Vec<u8>,
    pub(super) version: u8,
    pub(super) authenticated: bool,
    pub(super) leaving: bool,
}

/// A command that took long.
#[derive(Debug)]
pub(super) struct Slow {
    pub(super) id: i64,
    pub(super) at_seconds: i64,
    pub(super) micros: i64,
    pub(super) arguments: Vec<Vec<u8>>,
    pub(super) client: String,
    pub(super) client_name: Vec<u8>,
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) commands: u64,
    pub(super) connections: u64,
    pub(super) rejected: u64,
    pub(super) errors: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) peak_memory: usize,
    pub(super) by_command: BTreeMap<&'static str, (u64, Duration)>,
    pub(super) by_error: BTreeMap<String, u64>,
}

/// The server.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) keys: Keyspace,
    pub(super) counters: Counters,
    pub(super) slow: VecDeque<Slow>,
    pub(super) password: Option<String>,
    pub(super) run_id: String,
    pub(super) port: u16,
    pub(super) started: Instant,
    pub(super) clients: usize,
    slow_count: i64,
    next_client: i64,
    /// Commands counted at a few moments of the last seconds, for the current rate.
    samples: VecDeque<(Instant, u64)>,
}

impl Database {
    /// An empty server that asks for a password, where there is one.
    pub(super) fn new(password: Option<String>, port: u16, run_id: String) -> Self {
        Self {
            keys: Keyspace::default(),
            counters: Counters::default(),
            slow: VecDeque::new(),
            password,
            run_id,
            port,
            started: Instant::now(),
            clients: 0,
            slow_count: 0,
            next_client: 1,
            samples: VecDeque::new(),
        }
    }

    /// A connection, unless there are too many.
    pub(super) fn connect(&mut self, address: String) -> Option<Session> {
        self.counters.connections += 1;
        if self.clients >= MAX_CLIENTS {
            self.counters.rejected += 1;
            return None;
        }
        self.clients += 1;
        let id = self.next_client;
        self.next_client += 1;
        Some(Session {
            id,
            address,
            name: Vec::new(),
            version: 2,
            authenticated: self.password.is_none(),
            leaving: false,
        })
    }

    /// The value of a key, counted as a hit or a miss.
    pub(super) fn look(&mut self, key: &[u8], now: u64) -> Option<&Value> {
        let value = self.keys.get(key, now);
        let counter =
            if value.is_some() { &mut self.counters.hits } else { &mut self.counters.misses };
        *counter += 1;
        value
    }

    /// What the server says it uses: what it takes empty, and the data.
    pub(super) fn memory(&self) -> usize {
        EMPTY_MEMORY + self.keys.bytes()
    }

    /// The settings that can be asked for.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("appendonly", "no".to_owned()),
            ("databases", "1".to_owned()),
            ("maxclients", MAX_CLIENTS.to_string()),
            ("maxmemory", MAX_MEMORY.to_string()),
            ("maxmemory-policy", "noeviction".to_owned()),
            ("save", String::new()),
            ("slowlog-log-slower-than", SLOW.as_micros().to_string()),
            ("slowlog-max-len", SLOW_LENGTH.to_string()),
        ]
    }

    /// Carries out one command. `now` is in milliseconds since the epoch.
    pub(super) fn execute(
        &mut self,
        session: &mut Session,
        request: &[Vec<u8>],
        now: u64,
    ) -> Reply {
        let Some((name, arguments)) = request.split_first() else { return Reply::Null };
        let began = Instant::now();
        self.sample(began);
        let reply = match find(name) {
            None => unknown(name, arguments),
            Some(command) => self.run(command, session, request, now),
        };
        if let (Some(command), false) = (find(name), matches!(reply, Reply::Error(_))) {
            let took = began.elapsed();
            let entry = self.counters.by_command.entry(command.name).or_default();
            *entry = (entry.0 + 1, entry.1 + took);
            self.remember_slow(session, request, took, now);
        }
        if let Reply::Error(message) = &reply {
            self.counters.errors += 1;
            let code = message.split(' ').next().unwrap_or("ERR").to_owned();
            *self.counters.by_error.entry(code).or_default() += 1;
        }
        self.counters.commands += 1;
        self.counters.peak_memory = self.counters.peak_memory.max(self.memory());
        reply
    }

    fn run(
        &mut self,
        command: &Command,
        session: &mut Session,
        request: &[Vec<u8>],
        now: u64,
    ) -> Reply {
        let given = i32::try_from(request.len()).unwrap_or(i32::MAX);
        let fits = if command.arity < 0 { given >= -command.arity } else { given == command.arity };
        if !fits {
            return server_commands::wrong_arity(command.name);
        }
        if !session.authenticated && !matches!(command.name, "auth" | "hello" | "quit") {
            return Reply::Error("NOAUTH Authentication required.".to_owned());
        }
        if command.grows && self.memory() > MAX_MEMORY {
            return Reply::Error(
                "OOM command not allowed when used memory > 'maxmemory'.".to_owned(),
            );
        }
        (command.run)(self, session, &request[1..], now)
    }

    fn remember_slow(&mut self, session: &Session, request: &[Vec<u8>], took: Duration, now: u64) {
        if took < SLOW {
            return;
        }
        let arguments = request
            .iter()
            .take(SLOW_ARGUMENTS)
            .map(|argument| argument[..argument.len().min(128)].to_vec());
        self.slow.push_back(Slow {
            id: self.slow_count,
            at_seconds: i64::try_from(now / 1_000).unwrap_or(i64::MAX),
            micros: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            arguments: arguments.collect(),
            client: session.address.clone(),
            client_name: session.name.clone(),
        });
        self.slow_count += 1;
        if self.slow.len() > SLOW_LENGTH {
            self.slow.pop_front();
        }
    }

    fn sample(&mut self, at: Instant) {
        let due =
            self.samples.back().is_none_or(|(last, _)| at - *last > Duration::from_millis(100));
        if due {
            self.samples.push_back((at, self.counters.commands));
            while self.samples.len() > 16 {
                self.samples.pop_front();
            }
        }
    }

    /// Commands per second over the last samples.
    pub(super) fn commands_per_second(&self) -> u64 {
        let Some((first, count)) = self.samples.front() else { return 0 };
        let seconds = first.elapsed().as_secs_f64().max(0.1);
        ((self.counters.commands - count) as f64 / seconds).round() as u64
    }
}

fn find(name: &[u8]) -> Option<&'static Command> {
    let mut all = commands::COMMANDS.iter().chain(server_commands::COMMANDS);
    all.find(|command| name.eq_ignore_ascii_case(command.name.as_bytes()))
}

fn unknown(name: &[u8], arguments: &[Vec<u8>]) -> Reply {
    let short = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(128)]).into_owned();
    let shown: String =
        arguments.iter().take(8).map(|argument| format!("'{}' ", short(argument))).collect();
    let name = short(name);
    Reply::Error(format!("ERR unknown command '{name}', with args beginning with: {shown}"))
}
