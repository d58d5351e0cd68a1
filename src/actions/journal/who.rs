//! Who sits in front of the console.

use std::{env, fs};

use serde::{Deserialize, Serialize};

/// The person behind a line, as far as the system tells. The user ids are facts; what
/// comes from the environment is a claim of whoever set it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The real user id.
    pub uid: u32,
    /// Its name.
    pub user: String,
    /// The user id of the login, which survives `su` and `sudo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loginuid: Option<u32>,
    /// `SUDO_USER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
    /// `SSH_CONNECTION`: client address and port, server address and port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_connection: Option<String>,
    /// The terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// The machine that the console runs on.
    pub host: String,
}

impl Who {
    /// The person behind this process.
    pub fn current() -> Self {
        let uid = rustix::process::getuid().as_raw();
        Self {
            uid,
            user: user_name(uid),
            loginuid: login_uid(),
            sudo_user: variable("SUDO_USER"),
            ssh_connection: variable("SSH_CONNECTION"),
            tty: tty().or_else(|| variable("SSH_TTY")),
            host: host(),
        }
    }

    /// In a few words: `alice@bastion`, `alice as root@bastion`.
    pub fn name(&self) -> String {
        let login = self.loginuid.filter(|login| *login != self.uid).map(user_name);
        match self.sudo_user.clone().or(login) {
            Some(person) if person != self.user => {
                format!("{person} as {}@{}", self.user, self.host)
            }
            _ => format!("{}@{}", self.user, self.host),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The name of a user id by the local list of users, else by the environment.
fn user_name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let listed = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    listed
        .or_else(|| {
            let ours = uid == rustix::process::getuid().as_raw();
            if ours { variable("USER").or_else(|| variable("LOGNAME")) } else { None }
        })
        .unwrap_or_else(|| format!("uid {uid}"))
}

/// The kernel's record of the login, where it keeps one; all ones means "not set".
fn login_uid() -> Option<u32> {
    let uid: u32 = fs::read_to_string("/proc/self/loginuid").ok()?.trim().parse().ok()?;
    (uid != u32::MAX).then_some(uid)
}

fn tty() -> Option<String> {
    let name = rustix::termios::ttyname(std::io::stdin(), Vec::new()).ok()?;
    Some(name.to_string_lossy().into_owned())
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| fs::read_to_string("/etc/hostname"))
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| variable("HOSTNAME"))
        .unwrap_or_else(|| "unknown host".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_an_owner_and_a_host() {
        let who = Who::current();
        assert_eq!(who.uid, rustix::process::getuid().as_raw());
        assert!(!who.user.is_empty() && !who.host.is_empty());
    }

    #[test]
    fn the_person_behind_sudo_is_named_first() {
        let who = Who { user: "root".into(), host: "bastion".into(), ..Who::default() };
        assert_eq!(who.name(), "root@bastion");
        let who = Who { sudo_user: Some("alice".into()), ..who };
        assert_eq!(who.name(), "alice as root@bastion");
    }
}
