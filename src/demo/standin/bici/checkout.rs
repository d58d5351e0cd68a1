//! A checkout of the agent's repository, with programs that stand in for those that run its
//! test suites.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

const NPX: &str = include_str!("project/npx.sh");
const NPM: &str = include_str!("project/npm.sh");
const PACKAGE: &str = r#"{
  "name": "bici-agent",
  "private": true,
  "scripts": {
    "test": "vitest run",
    "test:webhooks": "vitest run tests/webhooks",
    "test:redis": "vitest run tests/redis"
  }
}
"#;

/// The checkout.
#[derive(Debug)]
pub(super) struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// Writes it, in a directory that is ours.
    pub(super) fn create(root: PathBuf) -> io::Result<Self> {
        let all = Self { root };
        for directory in [all.programs(), all.directory(), all.faults()] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        fs::write(all.directory().join("package.json"), PACKAGE)?;
        let faults = all.faults().display().to_string();
        for (name, text) in [("npx", NPX), ("npm", NPM)] {
            program(&all.programs().join(name), &text.replace("@FAULTS@", &faults))?;
        }
        Ok(all)
    }

    /// Where the programs are that stand in for others.
    pub(super) fn programs(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// The checkout itself.
    pub(super) fn directory(&self) -> PathBuf {
        self.root.join("checkout")
    }

    fn faults(&self) -> PathBuf {
        self.root.join("faults")
    }

    /// Lets the suites see that a fault is on, or is not any more.
    pub(super) fn tell(&self, fault: &str, on: bool) {
        let mark = self.faults().join(fault);
        // A suite that does not see a fault passes, which the demo survives.
        let _ = if on { fs::write(mark, "") } else { fs::remove_file(mark) };
    }
}

fn program(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}
