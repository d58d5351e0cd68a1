//! Who is kept out before a request reaches the service.

use serde_json::{Value, json};

/// The most addresses that are kept out.
const MOST: usize = 64;

#[derive(Clone, Debug)]
struct Block {
    id: String,
    ip: String,
    notes: String,
}

/// The rules of the project's firewall.
#[derive(Clone, Debug, Default)]
pub(super) struct Firewall {
    blocks: Vec<Block>,
    made: u64,
    attack_mode: bool,
    paused: bool,
}

impl Firewall {
    /// The status that a request from an address is refused with, where it is.
    pub(super) fn refusal(&self, address: &str) -> Option<u16> {
        if self.paused {
            return Some(503);
        }
        let blocked = self.blocks.iter().any(|block| block.ip == address);
        // A challenge, which a browser passes and a program does not.
        (blocked || self.attack_mode).then_some(403)
    }

    /// Takes the whole project off, or brings it back.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Challenges everybody, or nobody any more.
    pub(super) fn attack_mode(&mut self, on: bool) {
        self.attack_mode = on;
    }

    /// Changes one rule; it counts at once.
    ///
    /// # Errors
    /// What is wrong with the change.
    pub(super) fn change(&mut self, body: &Value) -> Result<(), String> {
        let id = body["id"].as_str();
        match body["action"].as_str() {
            Some("ip.insert") => {
                let ip = body["value"]["ip"].as_str().filter(|ip| !ip.is_empty());
                let ip = ip.ok_or("`value.ip` should be an address")?;
                if body["value"]["action"] != "deny" {
                    return Err("`value.action` should be deny".into());
                }
                if self.blocks.len() >= MOST {
                    return Err(format!("at most {MOST} addresses can be blocked"));
                }
                self.made += 1;
                self.blocks.push(Block {
                    id: format!("ip_demo{:04}", self.made),
                    ip: ip.chars().take(64).collect(),
                    notes: body["value"]["notes"]
                        .as_str()
                        .unwrap_or("")
                        .chars()
                        .take(200)
                        .collect(),
                });
                Ok(())
            }
            Some("ip.remove") => {
                let before = self.blocks.len();
                self.blocks.retain(|block| Some(block.id.as_str()) != id);
                if self.blocks.len() == before {
                    Err("there is no such rule".into())
                } else {
                    Ok(())
                }
            }
            _ => Err("`action` should be ip.insert or ip.remove".into()),
        }
    }

    /// The rules that are in force.
    pub(super) fn shown(&self) -> Value {
        let ips: Vec<Value> = self
            .blocks
            .iter()
            .map(|block| {
                json!({
                    "id": block.id, "hostname": "*", "ip": block.ip, "action": "deny",
                    "notes": block.notes,
                })
            })
            .collect();
        json!({ "version": self.made, "firewallEnabled": true, "ips": ips, "rules": [] })
    }

    /// Whether everybody is challenged.
    pub(super) fn challenges(&self) -> bool {
        self.attack_mode
    }

    /// Whether the whole project is off.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_out_until_its_rule_is_removed() {
        let mut wall = Firewall::default();
        let insert = json!({"action": "ip.insert", "id": null,
                            "value": {"hostname": "*", "ip": "203.0.113.77", "action": "deny"}});
        wall.change(&insert).unwrap();
        assert_eq!(wall.refusal("203.0.113.77"), Some(403));
        assert_eq!(wall.refusal("203.0.113.7"), None);
        let id = wall.shown()["ips"][0]["id"].clone();
        wall.change(&json!({"action": "ip.remove", "id": id})).unwrap();
        assert_eq!(wall.refusal("203.0.113.77"), None);
        assert!(wall.change(&json!({"action": "ip.remove", "id": id})).is_err());
        wall.pause(true);
        assert_eq!(wall.refusal("anybody"), Some(503));
    }
}
