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
    /// Who they say they are, where several people share one account. Nothing but a claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
}

/// The variable with the name of whoever uses a shared account.
pub const PERSON: &str = "WATCHFLOOR_PERSON";

/// How it is known that two people are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// The system says so: another user, or another login.
    Fact,
    /// They say so, from different terminals, or only the environment does.
    Claim,
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
            claimed: variable(PERSON),
        }
    }

    /// Whether `other` is somebody else, and how sure that is.
    ///
    /// # Errors
    /// Why it cannot be told apart, with the cure.
    pub fn apart_from(&self, other: &Self) -> Result<Apart, String> {
        match self.loginuid.zip(other.loginuid) {
            Some((ours, theirs)) if ours != theirs => return Ok(Apart::Fact),
            // On a shared account, several people log in by the same name. Whoever became
            // another user since has only changed their clothes.
            Some((login, _)) if self.uid != login || other.uid != login => {
                return Err(self.own_second(other));
            }
            _ if self.is_behind(other) => return Err(self.own_second(other)),
            _ if self.uid == other.uid => {}
            // Who became another user is said by the environment alone.
            _ if self.sudo_user.is_some() || other.sudo_user.is_some() => return Ok(Apart::Claim),
            _ => return Ok(Apart::Fact),
        }
        self.by_claims(other)
    }

    /// Whether one of them became another user, and was the other one, or the same as the
    /// other one, before.
    fn is_behind(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.before(), other.before());
        let same = ours.is_some() && ours == theirs;
        same || ours.as_ref() == Some(&other.user) || theirs.as_ref() == Some(&self.user)
    }

    /// Who they were before they became another user.
    fn before(&self) -> Option<String> {
        let login = self.loginuid.filter(|login| *login != self.uid).map(user_name);
        self.sudo_user.clone().or(login)
    }

    fn own_second(&self, other: &Self) -> String {
        format!(
            "{} and {} are one login: through sudo, nobody becomes a second person",
            self.name(),
            other.name()
        )
    }

    /// Whether two people behind one account are two, by what they say.
    fn by_claims(&self, other: &Self) -> Result<Apart, String> {
        let same_terminal = self.tty.is_some() && self.tty == other.tty;
        let same_login = self.ssh_connection.is_some()
            && self.ssh_connection == other.ssh_connection
            && same_terminal;
        let name = |who: &Self| who.claimed.as_deref().map(|name| name.trim().to_lowercase());
        match (name(self), name(other)) {
            (Some(ours), Some(theirs)) if ours == theirs => {
                Err(format!("{} cannot be the second person of their own action", other.name()))
            }
            (Some(_), Some(_)) if same_terminal || same_login => {
                Err("the second person must be at another terminal".to_owned())
            }
            (Some(_), Some(_)) => Ok(Apart::Claim),
            _ => Err(format!(
                "the account {} is the same: on a shared account both say who they are, with \
                 {PERSON}=NAME in the environment",
                self.user
            )),
        }
    }

    /// In a few words: `alice@bastion`, `alice as root@bastion`.
    pub fn name(&self) -> String {
        let name = match self.before() {
            Some(person) if person != self.user => {
                format!("{person} as {}@{}", self.user, self.host)
            }
            _ => format!("{}@{}", self.user, self.host),
        };
        match &self.claimed {
            Some(claimed) => format!("{name} (claims to be {claimed})"),
            None => name,
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
        let who = Who { claimed: Some("bob".into()), ..who };
        assert_eq!(who.name(), "alice as root@bastion (claims to be bob)");
    }

    /// Whoever becomes another user stays the same person.
    #[test]
    fn nobody_is_their_own_second_person_through_sudo() {
        let who = |uid: u32, user: &str, login: Option<u32>, sudo: Option<&str>| Who {
            uid,
            user: user.into(),
            loginuid: login,
            sudo_user: sudo.map(str::to_owned),
            // As far as words go, they are two.
            claimed: Some(format!("{user}{}", sudo.unwrap_or_default())),
            tty: Some(format!("/dev/pts/{uid}{}", sudo.unwrap_or_default())),
            ..Who::default()
        };
        let table = [
            // The system knows the login.
            (who(1000, "alice", Some(1000), None), who(0, "root", Some(1000), Some("alice")), None),
            (who(1000, "alice", Some(1000), None), who(0, "root", Some(1000), None), None),
            (who(0, "root", Some(1000), None), who(0, "root", Some(1000), Some("x")), None),
            (who(0, "root", Some(1001), None), who(0, "root", Some(1000), None), Some(Apart::Fact)),
            (
                who(0, "root", Some(1001), Some("bob")),
                who(1000, "alice", Some(1000), None),
                Some(Apart::Fact),
            ),
            // A shared account, where everybody logs in by the same name.
            (
                Who { claimed: Some("bob".into()), ..who(7, "deploy", Some(7), None) },
                Who { tty: None, ..who(7, "deploy", Some(7), None) },
                Some(Apart::Claim),
            ),
            // Only the environment says who was there before.
            (who(1000, "alice", None, None), who(0, "root", None, Some("alice")), None),
            (who(0, "root", None, Some("alice")), who(7, "deploy", None, Some("alice")), None),
            (who(0, "root", None, Some("alice")), who(0, "root", None, Some("alice")), None),
            (who(0, "root", None, Some("bob")), who(1000, "alice", None, None), Some(Apart::Claim)),
            (who(1001, "bob", None, None), who(1000, "alice", None, None), Some(Apart::Fact)),
        ];
        for (one, other, apart) in table {
            assert_eq!(one.apart_from(&other).ok(), apart, "{one:?} {other:?}");
            assert_eq!(other.apart_from(&one).ok(), apart, "{other:?} {one:?}");
        }
    }

    #[test]
    fn two_people_are_told_apart_by_facts_or_else_by_claims() {
        let shared = |claimed: Option<&str>, tty: &str| Who {
            uid: 7,
            user: "deploy".into(),
            tty: Some(tty.into()),
            claimed: claimed.map(str::to_owned),
            ..Who::default()
        };
        let alice = shared(Some("alice"), "/dev/pts/1");
        let table = [
            (shared(Some("bob"), "/dev/pts/2"), Some(Apart::Claim)),
            (shared(Some("bob"), "/dev/pts/1"), None),
            (shared(Some(" ALICE "), "/dev/pts/2"), None),
            (shared(None, "/dev/pts/2"), None),
            (Who { uid: 8, ..shared(None, "/dev/pts/1") }, Some(Apart::Fact)),
            // The system knows two logins behind one account, whatever they claim.
            (Who { loginuid: Some(9), ..shared(Some("alice"), "/dev/pts/1") }, Some(Apart::Fact)),
        ];
        let alice = Who { loginuid: Some(8), ..alice };
        for (other, apart) in table {
            assert_eq!(other.apart_from(&alice).ok(), apart, "{other:?}");
        }
    }
}
