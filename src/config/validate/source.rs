//! Sources: what they have in common, and which of them are asked at all.

use std::{collections::BTreeMap, time::Duration};

use super::{Cx, Path, known::Known, value::written};
use crate::{
    config::{
        profile::{SourceConfig, SourceKind},
        raw::{
            RawConfig, RawDefaults,
            source::{Polling, RawSource},
            value::DurationText,
        },
        secret::redact,
        tree::Data,
    },
    domain::{
        catalog::{Catalog, SourceInfo},
        ids::SourceId,
    },
};

/// How often Upstash is asked where nothing is said: each command there is billed.
const UPSTASH_INTERVAL: Duration = Duration::from_secs(60);

/// Nothing is asked more often than this.
const SHORTEST: Duration = Duration::from_millis(100);

/// The sources that can be asked, by name.
pub type Sources = BTreeMap<SourceId, SourceConfig>;

/// A source under the name it is used by, which is another's where it takes its place.
struct Candidate<'r> {
    id: SourceId,
    path: Path,
    raw: &'r RawSource,
}

/// Builds every source. The catalogue also names those that are not configured.
pub fn sources(cx: &mut Cx<'_>, raw: &RawConfig, catalog: &mut Catalog) -> Sources {
    let mut sources = Sources::new();
    let candidates = candidates(cx, raw);
    for candidate in &candidates {
        cx.known.insert(candidate.id.clone(), Known::of(candidate.raw));
    }
    for Candidate { id, path, raw: source } in candidates {
        let common = common(cx, &path, source, &raw.defaults);
        let disabled = why_disabled(cx, &path, source.polling());
        cx.forget_or_report(&path, disabled.is_some());
        let optional = source.polling().optional;
        let (kind, without) = cx.or_left_out(optional, |cx| cx.source_kind(&path, source));
        let disabled = disabled.or(without);
        let Some(Common { interval, jitter, timeout, backoff_max }) = common else { continue };
        let info = SourceInfo {
            id: id.clone(),
            kind: source.kind().to_owned(),
            title: source.polling().title.unwrap_or(id.as_str()).to_owned(),
            target: kind.as_ref().map_or_else(|| written_target(cx, &path), target),
            interval,
            timeout,
            disabled: disabled.clone(),
        };
        match (kind, disabled) {
            (_, Some(why)) => {
                cx.disabled.insert(id.clone(), why);
            }
            (Some(kind), disabled @ None) => {
                let config = SourceConfig {
                    id: id.clone(),
                    kind,
                    interval,
                    jitter,
                    timeout,
                    backoff_max,
                    disabled,
                };
                sources.insert(id.clone(), config);
            }
            (None, None) => {}
        }
        catalog.sources.insert(id, info);
    }
    sources
}

/// The sources that count: an alternative is only there in place of another.
fn candidates<'r>(cx: &mut Cx<'_>, raw: &'r RawConfig) -> Vec<Candidate<'r>> {
    let mut out: Vec<Candidate<'r>> = Vec::new();
    let mut alternatives = Vec::new();
    for (name, source) in cx.ordered("source", &raw.source) {
        let path = Path::root("source").key(name);
        match source.polling().instead_of {
            None => out.push(Candidate { id: SourceId::from(name), path, raw: source }),
            Some(other) => alternatives.push((name, other, path, source)),
        }
    }
    for (name, other, path, source) in alternatives {
        let key = path.key("instead_of");
        if !cx.refers(&key, "source", other, "source") {
            continue;
        }
        let Some(first) = out.iter_mut().find(|candidate| candidate.id.as_str() == other) else {
            if other == name || raw.source.contains_key(other) {
                cx.error(
                    &key,
                    format!("`{name}` cannot take the place of `{other}`"),
                    "name a source that has no instead_of itself",
                );
            }
            continue;
        };
        if !first.raw.polling().optional {
            cx.error(
                &key,
                format!("`{other}` is never left out, so nothing can take its place"),
                format!("write optional = true in [source.{other}]"),
            );
        }
        let configured = |cx: &Cx<'_>, path: &Path| cx.unset_within(path).is_empty();
        if !configured(cx, &first.path) && configured(cx, &path) {
            let left_out = std::mem::replace(&mut first.path, path);
            first.raw = source;
            cx.forget_unset(&left_out);
        } else {
            cx.forget_unset(&path);
        }
    }
    out
}

/// Why a source is not asked, where it is not.
fn why_disabled(cx: &Cx<'_>, path: &Path, polling: Polling<'_>) -> Option<String> {
    if !polling.enabled {
        return Some("switched off: enabled = false".to_owned());
    }
    let unset = cx.unset_within(path);
    (polling.optional && !unset.is_empty()).then(|| not_configured(&unset))
}

/// The words for something that lacks variables.
pub fn not_configured(unset: &[String]) -> String {
    format!("not configured: set {}", unset.join(", "))
}

impl Cx<'_> {
    /// Variables that are not set are no fault in what is not used; elsewhere each is one.
    pub fn forget_or_report(&mut self, path: &Path, unused: bool) -> bool {
        if unused {
            self.forget_unset(path);
            return false;
        }
        self.report_unset(path)
    }

    fn source_kind(&mut self, path: &Path, source: &RawSource) -> Option<SourceKind> {
        self.switched_off = !source.polling().enabled;
        let kind = match source {
            RawSource::Http(raw) => {
                self.http(path, raw).map(|http| SourceKind::Http(Box::new(http)))
            }
            RawSource::Redis(raw) => {
                self.redis(path, raw).map(|redis| SourceKind::Redis(Box::new(redis)))
            }
            RawSource::Upstash(raw) => {
                self.upstash(path, raw).map(|upstash| SourceKind::Upstash(Box::new(upstash)))
            }
            RawSource::Postgres(raw) => {
                self.postgres(path, raw).map(|postgres| SourceKind::Postgres(Box::new(postgres)))
            }
            RawSource::Command(raw) => {
                self.command(path, raw).map(|command| SourceKind::Command(Box::new(command)))
            }
            RawSource::Logs(raw) => {
                self.logs(path, raw).map(|logs| SourceKind::Logs(Box::new(logs)))
            }
            RawSource::Prometheus(raw) => {
                self.prometheus(path, raw).map(|source| SourceKind::Prometheus(Box::new(source)))
            }
            RawSource::Tcp(raw) => self.tcp(path, raw).map(|tcp| SourceKind::Tcp(Box::new(tcp))),
            RawSource::Tls(raw) => {
                self.tls_source(path, raw).map(|tls| SourceKind::Tls(Box::new(tls)))
            }
            RawSource::Statuspage(raw) => {
                self.statuspage(path, raw).map(|page| SourceKind::Statuspage(Box::new(page)))
            }
            RawSource::Sse(raw) => self.sse(path, raw).map(|sse| SourceKind::Sse(Box::new(sse))),
        };
        self.switched_off = false;
        kind
    }
}

/// What every kind has, with the defaults filled in.
struct Common {
    interval: Duration,
    jitter: f64,
    timeout: Duration,
    backoff_max: Duration,
}

fn common(
    cx: &mut Cx<'_>,
    path: &Path,
    source: &RawSource,
    defaults: &RawDefaults,
) -> Option<Common> {
    let polling = source.polling();
    let upstash = matches!(source, RawSource::Upstash(_));
    let interval = match polling.interval {
        None if upstash => Some(UPSTASH_INTERVAL),
        own => cx.own_or_default(path, "interval", own, &defaults.interval),
    };
    let timeout = cx.own_or_default(path, "timeout", polling.timeout, &defaults.timeout);
    let backoff_max =
        cx.own_or_default(path, "backoff_max", polling.backoff_max, &defaults.backoff_max);
    let jitter = jitter(cx, path, polling.jitter, defaults.jitter);
    let (interval, timeout) = (interval?, timeout?);
    if interval < SHORTEST {
        cx.error(
            &path.key("interval"),
            format!("{} is too often", written(interval)),
            format!("at least {}", written(SHORTEST)),
        );
    }
    if upstash && interval < UPSTASH_INTERVAL {
        let month = 30 * 24 * 3600 / interval.as_secs().max(1);
        cx.warning(
            &path.key("interval"),
            format!("this makes about {month} billed commands a month"),
            "\"60s\" makes 43,200",
        );
    }
    timeout_within(cx, path, interval, timeout, polling.timeout.is_some());
    Some(Common { interval, jitter: jitter?, timeout, backoff_max: backoff_max?.max(interval) })
}

fn jitter(cx: &mut Cx<'_>, path: &Path, own: Option<f64>, default: f64) -> Option<f64> {
    let jitter = own.unwrap_or(default);
    if (0.0..=0.5).contains(&jitter) {
        return Some(jitter);
    }
    let path =
        if own.is_some() { path.key("jitter") } else { Path::root("defaults").key("jitter") };
    cx.error(&path, format!("`{path}` cannot be {jitter}"), "from 0 to 0.5");
    None
}

/// A poll that is given up only after the next is due lets polls pile up. That is only as
/// wanted where it is written at the source itself.
fn timeout_within(cx: &mut Cx<'_>, path: &Path, interval: Duration, timeout: Duration, own: bool) {
    if timeout < interval {
        return;
    }
    let message = format!(
        "the timeout of {} is not shorter than the interval of {}",
        written(timeout),
        written(interval)
    );
    if own {
        cx.warning(
            &path.key("timeout"),
            message,
            "the source is then asked less often than the interval says",
        );
    } else {
        let cure = format!(
            "write timeout = \"{}\" in [{path}], or a longer interval",
            written(interval / 2)
        );
        cx.error(&path.key("interval"), message, cure);
    }
}

impl Cx<'_> {
    fn own_or_default(
        &mut self,
        path: &Path,
        key: &str,
        own: Option<&DurationText>,
        default: &DurationText,
    ) -> Option<Duration> {
        match own {
            Some(text) => self.duration(&path.key(key), text),
            None => self.duration(&Path::root("defaults").key(key), default),
        }
    }
}

/// Where a source is, without secrets.
fn target(kind: &SourceKind) -> String {
    use crate::config::profile::RedisAddress::{Tcp, Unix};
    let text = match kind {
        SourceKind::Http(http) => http.url.to_string(),
        SourceKind::Upstash(upstash) => upstash.url.to_string(),
        SourceKind::Redis(redis) => match &redis.address {
            Tcp { host, port } => {
                let scheme = if redis.tls.is_some() { "rediss" } else { "redis" };
                format!("{scheme}://{host}:{port}/{}", redis.database)
            }
            Unix(path) => format!("unix://{}", path.display()),
        },
        SourceKind::Postgres(pg) => {
            format!("postgres://{}@{}:{}/{}", pg.user, pg.host, pg.port, pg.database)
        }
        SourceKind::Command(command) => command.program.shown(),
        SourceKind::Logs(logs) => logs.shown(),
        SourceKind::Prometheus(prometheus) => prometheus.url.to_string(),
        SourceKind::Tcp(tcp) => format!("tcp://{}", tcp.at.shown()),
        SourceKind::Tls(tls) => format!("tls://{}", tls.at.shown()),
        SourceKind::Statuspage(page) => page.url.to_string(),
        SourceKind::Sse(sse) => sse.url.to_string(),
    };
    redact(&text)
}

/// The address of a source that cannot be built, as it is written.
fn written_target(cx: &Cx<'_>, path: &Path) -> String {
    match cx.prepared.written.at(&path.key("url")).map(|node| &node.data) {
        Some(Data::Text(text)) => redact(&crate::config::mask::mask(text)),
        Some(Data::Table(table)) => {
            let name = ["env", "file"].iter().find_map(|key| table.entries.get(*key)?.node.text());
            name.map_or_else(String::new, |name| format!("⟨{name}⟩"))
        }
        _ => String::new(),
    }
}
