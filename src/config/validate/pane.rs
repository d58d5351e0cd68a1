//! Checks, the rows of the panes, and contacts.

use std::time::Duration;

use super::{Cx, Path, condition::Setting, value::written};
use crate::{
    config::raw::{
        RawConfig,
        pane::{RawCache, RawCheck, RawContact, RawDatabase, RawLatency, RawLimits, RawPrefix},
        source::RawSource,
    },
    domain::{
        catalog::{
            CacheSpec, Catalog, CheckSpec, ContactSpec, DatabaseSpec, LatencySpec, LimitsSpec,
            PrefixSpec,
        },
        ids::{CheckId, PanelId, ReadingName, SourceId},
    },
};

/// Fills in everything that the panes show.
pub fn panes(cx: &mut Cx<'_>, raw: &RawConfig, catalog: &mut Catalog) {
    for (name, check) in cx.ordered("check", &raw.check) {
        catalog.checks.extend(cx.check(raw, name, check));
    }
    for (name, cache) in cx.ordered("cache", &raw.cache) {
        catalog.caches.extend(cx.cache(raw, name, cache));
    }
    for (name, latency) in cx.ordered("latency", &raw.latency) {
        catalog.latencies.extend(cx.latency(name, latency));
    }
    catalog.limits = raw.limits.as_ref().and_then(|limits| cx.limits(raw, limits));
    for (name, database) in cx.ordered("database", &raw.database) {
        catalog.databases.extend(cx.database(raw, name, database));
    }
    for (name, contact) in cx.ordered("contact", &raw.contact) {
        catalog.contacts.extend(cx.contact(name, contact));
    }
    catalog.contacts.sort_by_key(|contact| contact.level);
}

impl Cx<'_> {
    fn check(&mut self, raw: &RawConfig, name: &str, check: &RawCheck) -> Option<CheckSpec> {
        let path = Path::root("check").key(name);
        let source = self.source_named(&path, &check.source);
        let setting = Setting::Of(&check.source);
        let critical = self.conditions(&path.key("critical"), &check.critical, setting);
        let warning = self.conditions(&path.key("warning"), &check.warning, setting);
        let mut shows: Vec<ReadingName> = Vec::new();
        for (position, reading) in check.shows.iter().enumerate() {
            shows.extend(self.reading_of(
                &path.key("shows").index(position),
                &check.source,
                reading,
            ));
        }
        let primary = match &check.primary {
            Some(primary) if primary == name => {
                self.error(
                    &path.key("primary"),
                    "a check cannot be its own primary",
                    "name another check, or leave it out",
                );
                None
            }
            Some(primary) => {
                let known = self.refers(&path.key("primary"), "check", primary, "check");
                known.then(|| CheckId::from(primary.as_str()))
            }
            None => None,
        };
        if check.expect_disagreement && check.primary.is_none() {
            self.error(
                &path.key("expect_disagreement"),
                "there is no primary to disagree with",
                "name the check on the thing itself with primary, or leave it out",
            );
        }
        Some(CheckSpec {
            id: CheckId::from(name),
            title: check.title.clone().unwrap_or_else(|| name.to_owned()),
            source: source?,
            critical,
            warning,
            shows,
            down_after: check.down_after.unwrap_or(raw.defaults.down_after),
            up_after: check.up_after.unwrap_or(raw.defaults.up_after),
            primary,
            expect_disagreement: check.expect_disagreement,
        })
    }

    /// The source that something reads.
    fn source_named(&mut self, path: &Path, name: &str) -> Option<SourceId> {
        self.refers(&path.key("source"), "source", name, "source").then(|| SourceId::from(name))
    }

    fn cache(&mut self, raw: &RawConfig, name: &str, cache: &RawCache) -> Option<CacheSpec> {
        let path = Path::root("cache").key(name);
        let source = self.source_named(&path, &cache.source);
        let redis = matches!(
            raw.source.get(&cache.source),
            Some(RawSource::Redis(_) | RawSource::Upstash(_))
        );
        let reading = |cx: &mut Self, key: &str, written: &Option<String>, usual: &str| {
            let usual = redis.then_some(usual);
            cx.maybe_reading(&path.key(key), &cache.source, written.as_deref().or(usual))
        };
        let hits = reading(self, "hits", &cache.hits, "keyspace_hits");
        let misses = reading(self, "misses", &cache.misses, "keyspace_misses");
        let used_memory = reading(self, "used_memory", &cache.used_memory, "used_memory");
        let max_memory = reading(self, "max_memory", &cache.max_memory, "maxmemory");
        let keys = reading(self, "keys", &cache.keys, "keys");
        let ops = reading(self, "ops", &cache.ops, "instantaneous_ops_per_sec");
        let evictions = reading(self, "evictions", &cache.evictions, "evicted_keys");
        let run = reading(self, "run", &cache.run, "run_id");
        self.counters_named(&path, cache, redis);
        let window = self.duration(&path.key("window"), &cache.window);
        let target = self.maybe_share(&path.key("target"), cache.target.as_ref());
        let warning = self.maybe_share(&path.key("warning_below"), cache.warning_below.as_ref());
        let critical = self.maybe_share(&path.key("critical_below"), cache.critical_below.as_ref());
        let memory = self
            .maybe_share(&path.key("memory_warning_above"), cache.memory_warning_above.as_ref());
        self.falling(&path, warning.flatten(), critical.flatten());
        let prefixes = self.prefixes(&path.key("prefix"), &cache.prefix);
        Some(CacheSpec {
            id: PanelId::from(name),
            title: cache.title.clone().unwrap_or_else(|| name.to_owned()),
            source: source?,
            hits: hits?,
            misses: misses?,
            used_memory,
            max_memory,
            keys,
            ops,
            evictions,
            run,
            window: window?,
            min_lookups: cache.min_lookups,
            target: target?,
            warning_below: warning?,
            critical_below: critical?,
            memory_warning_above: memory?,
            prefixes,
            note: cache.note.clone(),
        })
    }

    fn falling(&mut self, path: &Path, warning: Option<f64>, critical: Option<f64>) {
        if warning.is_some_and(|warning| critical.is_some_and(|critical| critical > warning)) {
            let message = "critical_below is above warning_below";
            self.error(&path.key("critical_below"), message, "critical is the lower of the two");
        }
    }

    /// Outside Redis, nobody knows what the counters are called.
    fn counters_named(&mut self, path: &Path, cache: &RawCache, redis: bool) {
        let known = self.known.contains_key(&SourceId::from(cache.source.as_str()));
        for (key, written) in [("hits", &cache.hits), ("misses", &cache.misses)] {
            if written.is_none() && !redis && known {
                self.error(
                    path,
                    format!("`{key}` is missing in [{path}]"),
                    format!("write {key} = \"READING\": the counter of {key}"),
                );
            }
        }
    }

    fn prefixes(&mut self, path: &Path, raw: &[RawPrefix]) -> Vec<PrefixSpec> {
        let mut out: Vec<PrefixSpec> = Vec::new();
        for (position, prefix) in raw.iter().enumerate() {
            let path = path.index(position);
            if self.prefix_pattern(&path.key("pattern"), &prefix.pattern).is_none() {
                continue;
            }
            if out.iter().any(|other| other.name == prefix.name) {
                self.error(
                    &path.key("name"),
                    format!("there are two prefixes named {:?}", prefix.name),
                    "give each its own name",
                );
            }
            out.push(PrefixSpec {
                name: prefix.name.clone(),
                pattern: prefix.pattern.clone(),
                protected: prefix.protected,
                note: prefix.note.clone(),
            });
        }
        out
    }

    fn latency(&mut self, name: &str, latency: &RawLatency) -> Option<LatencySpec> {
        let path = Path::root("latency").key(name);
        let source = self.source_named(&path, &latency.source);
        let reading = self.reading_of(&path.key("reading"), &latency.source, &latency.reading);
        let target = self.maybe_duration(&path.key("target"), latency.target.as_ref());
        let warning =
            self.maybe_duration(&path.key("warning_above"), latency.warning_above.as_ref());
        let critical =
            self.maybe_duration(&path.key("critical_above"), latency.critical_above.as_ref());
        self.rising(&path, "critical_above", warning, critical);
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        Some(LatencySpec {
            id: PanelId::from(name),
            title: latency.title.clone().unwrap_or_else(|| name.to_owned()),
            source: source?,
            reading: reading?,
            target_ms: target?.map(ms),
            warning_ms: warning?.map(ms),
            critical_ms: critical?.map(ms),
        })
    }

    fn rising(
        &mut self,
        path: &Path,
        key: &str,
        warning: Option<Option<Duration>>,
        critical: Option<Option<Duration>>,
    ) {
        if let (Some(Some(warning)), Some(Some(critical))) = (warning, critical)
            && critical < warning
        {
            let message = format!(
                "critical above {} comes before warning above {}",
                written(critical),
                written(warning)
            );
            self.error(&path.key(key), message, "critical is the higher of the two");
        }
    }

    fn limits(&mut self, raw: &RawConfig, limits: &RawLimits) -> Option<LimitsSpec> {
        let path = Path::root("limits");
        let violations = self.sources_that(&path.key("violations"), &limits.violations, |name| {
            match raw.source.get(name)? {
                RawSource::Http(http) if http.violations.is_some() => None,
                _ => Some("write violations = \"$.violations[*]\" in it, and kind = \"http\""),
            }
        });
        let pressure = self.sources_that(&path.key("pressure"), &limits.pressure, |name| match raw
            .source
            .get(name)?
        {
            RawSource::Redis(redis) if !redis.pressure.is_empty() => None,
            _ => Some("give it a [[source.….pressure]], and kind = \"redis\""),
        });
        let window = self.duration(&path.key("window"), &limits.window);
        let failing_open =
            self.conditions(&path.key("failing_open"), &limits.failing_open, Setting::Anywhere);
        let enforcing =
            self.conditions(&path.key("enforcing"), &limits.enforcing, Setting::Anywhere);
        Some(LimitsSpec {
            violations,
            pressure,
            window: window?,
            failing_open,
            enforcing,
            warning_above: limits.warning_above,
            lower_bound: limits.lower_bound.clone(),
        })
    }

    /// Sources that must be able to tell something; `lacks` says how to cure one that cannot.
    fn sources_that(
        &mut self,
        path: &Path,
        names: &[String],
        lacks: impl Fn(&str) -> Option<&'static str>,
    ) -> Vec<SourceId> {
        let mut out = Vec::new();
        for (position, name) in names.iter().enumerate() {
            let path = path.index(position);
            if !self.refers(&path, "source", name, "source") {
                continue;
            }
            match lacks(name) {
                Some(cure) => self.error(
                    &path,
                    format!("the source `{name}` does not report {}", path_word(&path)),
                    cure,
                ),
                None => out.push(SourceId::from(name.as_str())),
            }
        }
        out
    }

    fn database(
        &mut self,
        raw: &RawConfig,
        name: &str,
        database: &RawDatabase,
    ) -> Option<DatabaseSpec> {
        let path = Path::root("database").key(name);
        let source = self.source_named(&path, &database.source);
        if let Some(other) = raw.source.get(&database.source)
            && !matches!(other, RawSource::Postgres(_))
        {
            self.error(
                &path.key("source"),
                format!("the source `{}` is of kind {:?}", database.source, other.kind()),
                "name a source of kind \"postgres\"",
            );
        }
        let warning =
            self.share(&path.key("connections_warning_above"), &database.connections_warning_above);
        let critical = self
            .share(&path.key("connections_critical_above"), &database.connections_critical_above);
        let long_query = self.duration(&path.key("long_query"), &database.long_query);
        let (warning, critical) = (warning?, critical?);
        if critical < warning {
            self.error(
                &path.key("connections_critical_above"),
                "critical comes before warning",
                "critical is the higher of the two",
            );
        }
        Some(DatabaseSpec {
            id: PanelId::from(name),
            title: database.title.clone().unwrap_or_else(|| name.to_owned()),
            source: source?,
            connections_warning_above: warning,
            connections_critical_above: critical,
            long_query: long_query?,
            down_after: crate::domain::catalog::down_after(),
        })
    }

    fn contact(&mut self, name: &str, contact: &RawContact) -> Option<ContactSpec> {
        let path = Path::root("contact").key(name);
        let respond_within =
            self.maybe_duration(&path.key("respond_within"), contact.respond_within.as_ref())?;
        let spec = ContactSpec {
            level: contact.level,
            name: contact.name.clone(),
            contact: contact.contact.clone(),
            backup: contact.backup.clone(),
            respond_within,
            handles: contact.handles.clone(),
        };
        if !spec.is_configured() {
            self.warning(
                &path.key("contact"),
                format!("the contact of level {} is not filled in", spec.level),
                "write the telephone number or the address that is really answered",
            );
        }
        Some(spec)
    }
}

/// `violations` or `pressure`, for the message.
fn path_word(path: &Path) -> &'static str {
    if path.last_key() == "violations" { "violations" } else { "who is near a limit" }
}
