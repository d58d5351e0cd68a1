//! Guarded actions.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Cx, Path,
    condition::Setting,
    known::Known,
    sequence,
    source::{Sources, not_configured},
};
use crate::{
    config::{
        profile::{ActionConfig, ActionKind, HttpAction, SourceKind},
        raw::{
            RawConfig,
            action::{RawAction, RawHttpAction, RawLoad, RawMethod},
            guard::Guarding,
            step::RawStep,
        },
    },
    domain::{
        ask::Ask,
        catalog::{ActionSpec, Catalog, LoadSpec, MENU_MOVES, Proof},
        condition::Condition,
        ids::{ActionId, PanelId, SourceId},
    },
};

/// When a run is given up that is not a sequence, where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The actions that can be carried out, by name.
pub type Actions = BTreeMap<ActionId, ActionConfig>;

/// Builds every action. Those that cannot be carried out as things are configured stay in
/// the catalogue, with the reason.
pub fn actions(
    cx: &mut Cx<'_>,
    raw: &RawConfig,
    sources: &Sources,
    catalog: &mut Catalog,
) -> Actions {
    let mut actions = Actions::new();
    let mut keys = BTreeMap::new();
    for (name, action) in cx.ordered("action", &raw.action) {
        let path = Path::root("action").key(name);
        let id = ActionId::from(name);
        let Some(mut spec) = spec(cx, &path, name, action, &mut keys) else { continue };
        let mut action = action.clone();
        let form = cx.form(&path, &mut action);
        let action = &action;
        spec.asks.clone_from(&form.asks);
        let unset = cx.unset_within(&path);
        let guarding = action.guarding();
        let unused = !guarding.enabled || (guarding.optional && !unset.is_empty());
        let incomplete = cx.forget_or_report(&path, unused) || !unset.is_empty();
        // Without a file with its secret an action cannot be started; everything else can.
        let (kind, without) = cx.or_left_out(true, |cx| {
            (!incomplete).then(|| cx.action_kind(&path, action, raw, sources, &form.asks))?
        });
        let why = unavailable(cx, guarding, &unset, action, &spec.proof, sources).or(without);
        match (kind, why) {
            (_, Some(why)) => {
                catalog.unavailable.insert(id.clone(), why);
            }
            (Some(kind), None) => {
                let locks = locks(cx, &path, guarding.locks, &id, &catalog.target());
                let timeout = spec.timeout;
                actions.insert(
                    id.clone(),
                    ActionConfig { id: id.clone(), kind, timeout, locks, form },
                );
            }
            (None, None) => {}
        }
        catalog.actions.push(spec);
    }
    actions
}

/// The actions whose address may be read with GET.
pub fn readable(raw: &RawConfig) -> BTreeSet<ActionId> {
    let readable = |action: &RawAction| matches!(action, RawAction::Http(http) if http.safe_get);
    let named = raw.action.iter().filter(|(_, action)| readable(action));
    named.map(|(name, _)| ActionId::from(name.as_str())).collect()
}

/// Why an action cannot be started, where it cannot.
fn unavailable(
    cx: &Cx<'_>,
    guarding: Guarding<'_>,
    unset: &[String],
    action: &RawAction,
    proof: &[Proof],
    sources: &Sources,
) -> Option<String> {
    if !guarding.enabled {
        return Some("switched off: enabled = false".to_owned());
    }
    if guarding.optional && !unset.is_empty() {
        return Some(not_configured(unset));
    }
    let needed = |name: &str| {
        cx.disabled.get(name).map(|why| format!("needs the source {name}, which is {why}"))
    };
    if let RawAction::Sequence(sequence) = action
        && let Some(why) = sequence.step.iter().filter_map(RawStep::source).find_map(needed)
    {
        return Some(why);
    }
    if let RawAction::Sql(sql) = action
        && let Some(why) = sql.source.as_deref().and_then(needed)
    {
        return Some(why);
    }
    if let RawAction::Redis(redis) = action {
        let id = SourceId::from(redis.source.as_str());
        let other = sources.get(&id).filter(|source| !matches!(source.kind, SourceKind::Redis(_)));
        if other.is_some() {
            return Some(format!(
                "needs the source {id} over the Redis protocol: keys are not deleted over REST"
            ));
        }
        if let Some(why) = needed(&redis.source) {
            return Some(why);
        }
    }
    proof.iter().filter_map(|proof| proof.when.source.as_deref()).find_map(needed)
}

/// Names such as `shop/deploy`: they become names of files. Where none is written, the action
/// keeps off itself, on its own target.
fn locks(
    cx: &mut Cx<'_>,
    path: &Path,
    written: &[String],
    id: &ActionId,
    target: &str,
) -> Vec<String> {
    if written.is_empty() {
        return vec![format!("action/{target}/{id}")];
    }
    let sound = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        name.split('/').all(|part| !part.is_empty() && part.len() < 64 && part.chars().all(plain))
    };
    for (position, name) in written.iter().enumerate().filter(|(_, name)| !sound(name)) {
        cx.error(
            &path.key("locks").index(position),
            format!("{name:?} cannot be the name of a lock"),
            "letters, digits, `-`, `_` and `.`, in parts divided by `/`, such as \"shop/deploy\"",
        );
    }
    written.to_vec()
}

/// What the logic and the screen need to know of an action.
fn spec(
    cx: &mut Cx<'_>,
    path: &Path,
    name: &str,
    action: &RawAction,
    keys: &mut BTreeMap<char, String>,
) -> Option<ActionSpec> {
    let guarding = action.guarding();
    let key = key(cx, path, name, guarding.key, keys);
    if let Some(undo) = guarding.undo
        && cx.refers(&path.key("undo"), "action", undo, "action")
        && undo == name
    {
        cx.error(
            &path.key("undo"),
            "an action cannot undo itself",
            "name another action, or leave it out",
        );
    }
    if guarding.proof.is_empty() {
        cx.warning(
            path,
            format!("`{name}` has no proof: it can never end as confirmed"),
            "write proof = [\"SOURCE.READING == …\"]: what is different once it worked",
        );
    }
    let answer = answer_of(action);
    let proof = cx.conditions(&path.key("proof"), guarding.proof, Setting::Proof(&answer));
    let only_its_word =
        !proof.is_empty() && proof.iter().all(|when| when.source.as_deref() == Some("result"));
    if only_its_word {
        cx.warning(
            &path.key("proof"),
            format!("every proof of `{name}` reads the action's own answer"),
            "add a condition on a source: what is different outside once it worked",
        );
    }
    let refuse_when =
        cx.conditions(&path.key("refuse_when"), guarding.refuse_when, Setting::Anywhere);
    let load = guarding.load.and_then(|load| cx.load(&path.key("load"), load));
    let proof_within = cx.duration(&path.key("proof_within"), guarding.proof_within);
    let cooldown = cx.duration_or_zero(&path.key("cooldown"), guarding.cooldown);
    let timeout = match (guarding.timeout, action) {
        (Some(written), _) => cx.duration(&path.key("timeout"), written),
        (None, RawAction::Sequence(sequence)) => Some(sequence::together(sequence)),
        (None, _) => Some(TIMEOUT),
    };
    Some(ActionSpec {
        id: ActionId::from(name),
        title: guarding.title.unwrap_or(name).to_owned(),
        kind: action.kind().to_owned(),
        guard: guarding.guard,
        key,
        effects: guarding.effects.to_vec(),
        leaves: guarding.leaves.to_vec(),
        undo: guarding.undo.map(ActionId::from),
        refuse_when,
        load,
        asks: Vec::new(),
        proof: proof.into_iter().map(|when: Condition| Proof { when }).collect(),
        proof_within: proof_within?,
        cooldown: cooldown?,
        timeout: timeout?,
        drill: guarding.drill,
        interactive: matches!(action, RawAction::Command(command) if command.interactive),
    })
}

/// The values that an action's own answer has.
fn answer_of(action: &RawAction) -> Known {
    match action {
        RawAction::Http(http) => Known::only(http.readings.keys().map(String::as_str)),
        RawAction::Redis(_) => Known::only(["deleted", "remaining"]),
        RawAction::Command(_) => Known::only(["exit_code"]),
        RawAction::Sql(_) => Known::only(["rows", "transaction"]),
        RawAction::Sequence(sequence) => sequence::answer_of(sequence),
    }
}

/// One letter, of one action only.
fn key(
    cx: &mut Cx<'_>,
    path: &Path,
    name: &str,
    written: Option<&str>,
    taken: &mut BTreeMap<char, String>,
) -> Option<char> {
    let path = path.key("key");
    let mut chars = written?.chars();
    let letter = match (chars.next(), chars.next()) {
        (Some(letter), None) if MENU_MOVES.contains(&letter) => {
            cx.error(
                &path,
                format!("the key {letter:?} moves about in the menu of actions"),
                "choose another letter or digit",
            );
            return None;
        }
        (Some(letter), None) if letter.is_ascii_alphanumeric() => letter,
        _ => {
            cx.error(
                &path,
                format!("{:?} cannot be a key", written.unwrap_or("")),
                "one letter or digit, such as \"c\"",
            );
            return None;
        }
    };
    if let Some(other) = taken.insert(letter, name.to_owned()) {
        cx.error(
            &path,
            format!("the key {letter:?} belongs to `{other}` already"),
            "give each action its own key",
        );
    }
    Some(letter)
}

impl Cx<'_> {
    fn load(&mut self, path: &Path, raw: &RawLoad) -> Option<LoadSpec> {
        let mut known = self.refers(&path.key("cache"), "cache", &raw.cache, "cache");
        if let Some(database) = &raw.database {
            known &= self.refers(&path.key("database"), "database", database, "database");
        }
        known.then(|| LoadSpec {
            cache: PanelId::from(raw.cache.as_str()),
            database: raw.database.as_deref().map(PanelId::from),
        })
    }

    fn action_kind(
        &mut self,
        path: &Path,
        action: &RawAction,
        raw: &RawConfig,
        sources: &Sources,
        asks: &[Ask],
    ) -> Option<ActionKind> {
        self.switched_off = !action.guarding().enabled;
        let kind = match action {
            RawAction::Http(http) => {
                self.http_action(path, http).map(|http| ActionKind::Http(Box::new(http)))
            }
            RawAction::Redis(redis) => self
                .redis_action(path, redis, raw, sources)
                .map(|redis| ActionKind::Redis(Box::new(redis))),
            RawAction::Command(command) => self
                .command_action(path, command)
                .map(|command| ActionKind::Command(Box::new(command))),
            RawAction::Sql(sql) => {
                self.sql_action(path, sql, sources).map(|sql| ActionKind::Sql(Box::new(sql)))
            }
            RawAction::Sequence(sequence) => {
                self.sequence_action(path, sequence, raw, sources, asks).map(ActionKind::Sequence)
            }
        };
        self.switched_off = false;
        kind
    }

    /// One HTTP request.
    pub fn http_action(&mut self, path: &Path, raw: &RawHttpAction) -> Option<HttpAction> {
        let url = self.web_address(&path.key("url"), &raw.url, "http");
        let headers = self.headers(&path.key("headers"), &raw.headers);
        let accept = self.statuses(&path.key("accept"), &raw.accept);
        let secure = url.as_ref().is_none_or(|url| url.scheme() == "https");
        let tls = self.tls(path, raw.ca_file.as_deref(), raw.insecure, secure);
        self.credentials_in_clear(path, url.as_ref(), headers.as_deref());
        let readings = self.http_readings(&path.key("readings"), &raw.readings, &[]);
        let named = raw
            .idempotency_key_header
            .as_ref()
            .is_none_or(|name| self.header_name(&path.key("idempotency_key_header"), name));
        named.then_some(())?;
        Some(HttpAction {
            method: match raw.method {
                RawMethod::Post => "POST",
                RawMethod::Put => "PUT",
                RawMethod::Patch => "PATCH",
                RawMethod::Delete => "DELETE",
            }
            .to_owned(),
            url: url?,
            headers: headers?,
            body: raw.body.clone().map(serde_json::Value::Object),
            hidden: Vec::new(),
            accept: accept?,
            tls: tls?,
            readings: readings?,
            idempotency_key_header: raw.idempotency_key_header.clone(),
        })
    }
}
