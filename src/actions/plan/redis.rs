//! The plan of deleting keys.

use super::Draft;
use crate::{
    config::profile::{RedisAction, RedisAddress, RedisSource},
    domain::keys::{Pattern, Selection},
    net::redis,
};

/// Keys to delete, ready to be started.
#[derive(Debug)]
pub(in crate::actions) struct RedisJob {
    /// The server.
    pub(in crate::actions) source: RedisSource,
    /// Which keys.
    pub(in crate::actions) selection: Selection,
    /// The most keys deleted per second.
    pub(in crate::actions) keys_per_second: u32,
}

/// Works the deletion out.
pub(super) fn draft(action: &RedisAction, draft: &mut Draft) -> Option<RedisJob> {
    fingerprint(action, draft);
    let mut selection = Selection::default();
    selection.keep.extend(action.protect.iter().map(|text| Pattern::to_keep(text)));
    for text in &action.delete {
        match Pattern::to_delete(text) {
            Err(why) => draft.refuse(format!("will not delete: {why}")),
            Ok(pattern) => {
                if let Some(keep) = selection.keep.iter().find(|keep| keep.contains(&pattern)) {
                    draft.refuse(format!(
                        "will not delete {:?}: all of it is protected by {:?}",
                        pattern.text, keep.text
                    ));
                }
                selection.delete.push(pattern);
            }
        }
    }
    if action.delete.is_empty() {
        draft.refuse("there is nothing to delete");
    }
    draft.line(&format!("on {}", redis::shown(&action.redis)));
    for pattern in &selection.delete {
        draft.line(&format!("SCAN … MATCH {} and UNLINK what it finds", pattern.text));
    }
    for keep in &selection.keep {
        draft.line(&format!("never {}", keep.text));
    }
    draft.line(&format!("at most {} keys per second", action.keys_per_second.max(1)));
    Some(RedisJob {
        source: action.redis.clone(),
        selection,
        keys_per_second: action.keys_per_second.max(1),
    })
}

fn fingerprint(action: &RedisAction, draft: &mut Draft) {
    let print = &mut draft.fingerprint;
    print.add("kind", "redis");
    match &action.redis.address {
        RedisAddress::Tcp { host, port } => print.add("tcp", format!("{host}:{port}")),
        RedisAddress::Unix(path) => print.add("unix", path.as_os_str().as_encoded_bytes()),
    }
    print.add("database", action.redis.database.to_string());
    print.add("username", action.redis.username.as_deref().unwrap_or_default());
    let password = action.redis.password.as_ref();
    print.add("password", password.map_or("", |secret| secret.origin()));
    print.add_tls(action.redis.tls.as_ref());
    for text in &action.delete {
        print.add("delete", text);
    }
    for text in &action.protect {
        print.add("protect", text);
    }
    print.add("keys_per_second", action.keys_per_second.to_string());
}
