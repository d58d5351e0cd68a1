//! SQL statements that actions run.

use super::{Cx, Path, Severity, postgres::Server, source::Sources};
use crate::{
    config::{
        profile::{PostgresSource, SourceKind, SqlAction, Text},
        raw::{action::RawSqlAction, value::TextValue},
    },
    domain::{
        ids::SourceId,
        sql::{Statement, Verb},
    },
};

impl Cx<'_> {
    /// SQL statements in one transaction.
    pub fn sql_action(
        &mut self,
        path: &Path,
        raw: &RawSqlAction,
        sources: &Sources,
    ) -> Option<SqlAction> {
        let server = self.sql_server(path, raw, sources);
        let statements = self.statements(path, raw);
        let count = match &raw.count {
            Some(text) => self.counting(&path.key("count"), text).map(Some),
            None => Some(None),
        };
        let parameters = self.parameters(&path.key("parameters"), &raw.parameters);
        let lock_timeout = self.duration(&path.key("lock_timeout"), &raw.lock_timeout);
        let statement_timeout =
            self.duration(&path.key("statement_timeout"), &raw.statement_timeout);
        let deny = self.denied(&path.key("deny"), &raw.deny);
        let (statements, count) = (statements?, count?);
        let used = self.used_parameters(path, raw, &statements, count.as_ref());
        let (source, server) = server?;
        let text = |statement: Statement| statement.text;
        let action = SqlAction {
            source,
            server,
            statements: statements.into_iter().map(text).collect(),
            parameters: parameters?,
            rows_at_most: raw.rows_at_most,
            count: count.map(text),
            deny: deny?,
            lock_timeout: lock_timeout?,
            statement_timeout: statement_timeout?,
        };
        used.then_some(action)
    }

    /// The server: that of a source, or one of its own.
    fn sql_server(
        &mut self,
        path: &Path,
        raw: &RawSqlAction,
        sources: &Sources,
    ) -> Option<(Option<SourceId>, PostgresSource)> {
        match (&raw.source, &raw.url) {
            (Some(name), None) => {
                let beside = [
                    ("password", raw.password.is_some()),
                    ("sslmode", raw.sslmode.is_some()),
                    ("ca_file", raw.ca_file.is_some()),
                    ("insecure", raw.insecure),
                ];
                for (key, _) in beside.iter().filter(|(_, written)| *written) {
                    self.error(
                        &path.key(key),
                        format!("`{key}` belongs to an address, and the source has its own"),
                        "take it out, or write url in place of source",
                    );
                }
                let server = self.postgres_of(&path.key("source"), name, sources)?;
                let alone = beside.iter().all(|(_, written)| !written);
                alone.then(|| (Some(SourceId::from(name.as_str())), server))
            }
            (None, Some(url)) => {
                let server = Server {
                    url,
                    password: raw.password.as_ref(),
                    sslmode: raw.sslmode,
                    ca_file: raw.ca_file.as_deref(),
                    insecure: raw.insecure,
                };
                self.postgres_server(path, &server).map(|server| (None, server))
            }
            (Some(_), Some(_)) => {
                let cure = "take one of the two out";
                self.error(&path.key("url"), "`source` says where the database is already", cure);
                None
            }
            (None, None) => {
                let cure = "source = \"NAME\" of a source of kind \"postgres\", or url = { env = \"DATABASE_URL\" }";
                self.error(path, "nothing says in which database", cure);
                None
            }
        }
    }

    /// The server of a source of kind `postgres`. What is wrong with the source itself has
    /// been reported.
    pub fn postgres_of(
        &mut self,
        path: &Path,
        name: &str,
        sources: &Sources,
    ) -> Option<PostgresSource> {
        if !self.refers(path, "source", name, "source") {
            return None;
        }
        match sources.get(&SourceId::from(name)).map(|source| &source.kind) {
            Some(SourceKind::Postgres(server)) => Some(server.as_ref().clone()),
            None => None,
            Some(_) => {
                let message = format!("the source `{name}` is not a PostgreSQL server");
                self.error(path, message, "name a source of kind \"postgres\"");
                None
            }
        }
    }

    fn statements(&mut self, path: &Path, raw: &RawSqlAction) -> Option<Vec<Statement>> {
        let path = path.key("statements");
        if raw.statements.is_empty() {
            let cure = "such as statements = [\"UPDATE jobs SET state = 'queued' WHERE id = $1\"]";
            self.error(&path, "there is no statement to run", cure);
        }
        let mut out = Vec::new();
        for (position, text) in raw.statements.iter().enumerate() {
            let path = path.index(position);
            let Some(statement) = self.statement(&path, text) else { continue };
            if let Some((name, pattern)) = statement.drops(&raw.deny) {
                let message = format!("it drops {name}, which deny = [{pattern:?}] keeps");
                self.error(&path, message, "take the name out of the statement");
            } else {
                out.push(statement);
            }
        }
        (!out.is_empty() && out.len() == raw.statements.len()).then_some(out)
    }

    /// One statement that can be rolled back.
    fn statement(&mut self, path: &Path, text: &str) -> Option<Statement> {
        match Statement::parse(text) {
            Ok(statement) => Some(statement),
            Err(error) => {
                let place = self.inside(path, error.offset);
                self.push(Severity::Error, place, error.message, error.cure.to_owned());
                None
            }
        }
    }

    /// A statement that only looks.
    pub fn counting(&mut self, path: &Path, text: &str) -> Option<Statement> {
        let statement = self.statement(path, text)?;
        if statement.verb != Verb::Reads || !statement.can_be_explained() {
            let cure = "such as \"SELECT count(*) FROM jobs WHERE state = 'failed'\"";
            self.error(path, "only a SELECT may stand here", cure);
            return None;
        }
        Some(statement)
    }

    /// What is bound to the statements.
    pub fn parameters(&mut self, path: &Path, raw: &[TextValue]) -> Option<Vec<Text>> {
        let mut out = Vec::new();
        for (position, value) in raw.iter().enumerate() {
            out.extend(self.text(&path.index(position), value, false));
        }
        (out.len() == raw.len()).then_some(out)
    }

    /// Whether there is a value for every parameter, and a parameter for every value.
    fn used_parameters(
        &mut self,
        path: &Path,
        raw: &RawSqlAction,
        statements: &[Statement],
        count: Option<&Statement>,
    ) -> bool {
        let places = statements
            .iter()
            .enumerate()
            .map(|(position, statement)| (path.key("statements").index(position), statement));
        let counting = count.map(|statement| (path.key("count"), statement));
        let all: Vec<_> = places.chain(counting).collect();
        let mut sound = true;
        for (path, statement) in &all {
            sound &= self.has_parameters(path, statement, raw.parameters.len());
        }
        for number in 1..=raw.parameters.len() {
            if !all.iter().any(|(_, statement)| statement.parameters.contains(&number)) {
                self.warning(
                    &path.key("parameters").index(number - 1),
                    format!("no statement uses ${number}"),
                    "take it out, or write it into the statement",
                );
            }
        }
        sound
    }

    /// Whether there are as many values as the statement has parameters.
    pub fn has_parameters(&mut self, path: &Path, statement: &Statement, given: usize) -> bool {
        let highest = statement.parameters.last().copied().unwrap_or(0);
        if highest > given {
            let message = format!("${highest} stands for nothing: there are {given} parameters");
            self.error(path, message, "write parameters = [\"…\"], one text for each number");
        }
        highest <= given
    }

    fn denied(&mut self, path: &Path, raw: &[String]) -> Option<Vec<String>> {
        let mut sound = true;
        for (position, pattern) in raw.iter().enumerate() {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_*".contains(c);
            if pattern.is_empty() || !pattern.chars().all(plain) {
                let message = format!("{pattern:?} cannot be the name of a function");
                let cure = "lower case letters, digits, `_`, and `*` for any characters";
                self.error(&path.index(position), message, cure);
                sound = false;
            }
        }
        sound.then(|| raw.to_vec())
    }
}
