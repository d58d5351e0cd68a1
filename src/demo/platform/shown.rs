//! What the platform shows of itself, and its small settings.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Deployment, MOST_ITEMS, NAME, PROJECT, Platform, Stored, TEAM};

impl Platform {
    /// The project.
    pub(in crate::demo) fn project(&self) -> Value {
        let serving = self.find(&self.serving);
        let job = self.job.as_ref().map(|job| {
            json!({
                "type": job.kind.name(),
                "jobStatus": job.status,
                "requestedAt": job.requested.as_millisecond(),
                "fromDeploymentId": job.from,
                "toDeploymentId": job.to,
            })
        });
        json!({
            "id": PROJECT,
            "name": NAME,
            "accountId": TEAM,
            "framework": "nextjs",
            "paused": self.firewall.is_paused(),
            "autoAssignCustomDomains": self.follows_new,
            "targets": { "production": serving.map(|serving| serving.shown(true)) },
            "lastAliasRequest": job,
            "security": { "attackModeEnabled": self.firewall.challenges() },
            "crons": {
                "enabledAt": 1_750_000_000_000_i64,
                "disabledAt": self.crons_disabled.map(Timestamp::as_millisecond),
                "deploymentId": self.serving,
                "definitions": [{
                    "host": "api.exodrive.com",
                    "path": "/api/admin/process-payment-captures",
                    "schedule": "*/15 * * * *",
                }],
            },
        })
    }

    /// The deployments, newest first; those in one state, or that a rollback may go to.
    pub(in crate::demo) fn list(
        &self,
        limit: usize,
        candidates: bool,
        state: Option<&str>,
    ) -> Value {
        let all = self.deployments.iter().map(|one| one.shown(one.id == self.serving));
        let wanted = all.filter(|one| {
            (!candidates || one["isRollbackCandidate"] == true)
                && state.is_none_or(|state| one["state"] == state)
        });
        let list: Vec<Value> = wanted.take(limit).collect();
        json!({ "pagination": { "count": list.len(), "next": null, "prev": null }, "deployments": list })
    }

    /// One deployment, by its identifier or its address.
    pub(in crate::demo) fn deployment(&self, id_or_url: &str) -> Option<Value> {
        let shown = |one: &Deployment| one.shown(one.id == self.serving);
        let mut all = self.deployments.iter();
        let found = all.find(|one| one.id == id_or_url || shown(one)["url"] == id_or_url);
        found.map(shown)
    }

    /// The aliases that the last change has not moved.
    pub(in crate::demo) fn failed_aliases(&self) -> Value {
        let failed = self.job.as_ref().filter(|job| job.status == "failed");
        let aliases: Vec<Value> = failed
            .map(|job| json!({"alias": "api.exodrive.com", "status": "failed", "id": job.to}))
            .into_iter()
            .collect();
        json!({ "aliases": aliases, "pagination": { "count": aliases.len() } })
    }

    /// Lets cron jobs be started, or not.
    pub(in crate::demo) fn set_crons(&mut self, enabled: bool, now: Timestamp) {
        self.crons_disabled = (!enabled).then_some(now);
    }

    /// The stored variables.
    pub(in crate::demo) fn stored(&self) -> Value {
        self.variables.list()
    }

    /// One stored variable, by its identifier.
    pub(in crate::demo) fn stored_one(&self, id: &str) -> Option<Value> {
        self.variables.one(id)
    }

    /// Stores variables. What runs is not changed by that.
    ///
    /// # Errors
    /// What is wrong with the wish.
    pub(in crate::demo) fn store(
        &mut self,
        body: &Value,
        upsert: bool,
        now: Timestamp,
    ) -> Result<Value, String> {
        let one = !body.is_array();
        self.variables.store(body, upsert, now).map(|stored: Stored| stored.answer(one))
    }

    /// Changes the value of a stored variable.
    pub(in crate::demo) fn change_stored(
        &mut self,
        id: &str,
        body: &Value,
        now: Timestamp,
    ) -> Option<Value> {
        self.variables.change(id, body, now)
    }

    /// Removes a stored variable.
    pub(in crate::demo) fn remove_stored(&mut self, id: &str) -> Option<Value> {
        self.variables.remove(id)
    }

    /// The rules of the firewall.
    pub(in crate::demo) fn wall(&self) -> Value {
        self.firewall.shown()
    }

    /// Changes a rule of the firewall.
    ///
    /// # Errors
    /// What is wrong with the change.
    pub(in crate::demo) fn change_wall(&mut self, body: &Value) -> Result<(), String> {
        self.firewall.change(body)
    }

    /// Challenges everybody, or nobody any more.
    pub(in crate::demo) fn attack_mode(&mut self, on: bool) {
        self.firewall.attack_mode(on);
    }

    /// Takes the project off, or brings it back.
    pub(in crate::demo) fn pause(&mut self, paused: bool) {
        self.firewall.pause(paused);
    }

    /// The items of the configuration.
    pub(in crate::demo) fn items(&self) -> Value {
        let item = |(key, value): (&String, &Value)| json!({ "key": key, "value": value });
        self.items.iter().map(item).collect()
    }

    /// Changes items of the configuration, all of them or none.
    pub(in crate::demo) fn patch(&mut self, body: &Value) -> Result<(), String> {
        let operations = body["items"].as_array().ok_or("`items` should be an array")?;
        if operations.len() > MOST_ITEMS {
            return Err(format!("at most {MOST_ITEMS} items are allowed"));
        }
        let mut items = self.items.clone();
        for operation in operations {
            let key = operation["key"].as_str().ok_or("`key` should be a string")?;
            let known = items.contains_key(key);
            match (operation["operation"].as_str(), operation.get("value")) {
                (Some("upsert"), Some(value)) => _ = items.insert(key.to_owned(), value.clone()),
                (Some("create"), Some(value)) if !known => {
                    items.insert(key.to_owned(), value.clone());
                }
                (Some("update"), Some(value)) if known => {
                    items.insert(key.to_owned(), value.clone());
                }
                (Some("delete"), _) if known => _ = items.remove(key),
                (Some("upsert" | "create" | "update" | "delete"), _) => {
                    return Err(format!("the operation does not fit the item `{key}`"));
                }
                _ => return Err("`operation` should be create, update, upsert or delete".into()),
            }
        }
        if items.len() > MOST_ITEMS {
            return Err(format!("at most {MOST_ITEMS} items are allowed"));
        }
        self.items = items;
        Ok(())
    }
}
