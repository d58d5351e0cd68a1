//! Texts that may be secrets, and headers.

use std::{io::Read, os::unix::fs::MetadataExt, path::PathBuf};

use super::{Cx, Origin, Path};
use crate::config::{
    Request,
    interpolate::Unset,
    layers::Layers,
    mask::is_secret_name,
    profile::{Text, TlsOptions},
    raw::value::{Headers, SecretRef, TextValue},
    secret::{SHORTEST, Secret},
    tree::{Data, Node, Table},
};

/// Larger files hold more roots than any system trusts.
const LARGEST_PEM: u64 = 4 << 20;

/// Variables that a `{ env = … }` of a source, an action or a target names and that are not set.
pub fn unset_references(root: &Node, request: &Request) -> Vec<Unset> {
    let mut unset = Vec::new();
    for section in ["source", "action", "notify"] {
        if let Some(node) = root.child(section) {
            collect(node, &Path::root(section), request, &mut unset);
        }
    }
    unset
}

fn collect(node: &Node, path: &Path, request: &Request, unset: &mut Vec<Unset>) {
    if let Data::List(items) = &node.data {
        for (position, item) in items.iter().enumerate() {
            collect(item, &path.index(position), request, unset);
        }
    }
    let Data::Table(table) = &node.data else { return };
    if let Some(name) = referenced(table) {
        if request.variable(name).is_none() {
            let name = name.to_owned();
            unset.push(Unset { path: path.clone(), place: node.place, name, secret: true });
        }
        return;
    }
    for (key, entry) in &table.entries {
        // What stands under these is data, whatever its keys are called.
        if !matches!(key.as_str(), "readings" | "body") {
            collect(&entry.node, &path.key(key), request, unset);
        }
    }
}

/// The variable of `{ env = "NAME" }` and `{ env = "NAME", prefix = "…" }`.
fn referenced(table: &Table) -> Option<&str> {
    let only_reference = table.entries.keys().all(|key| key == "env" || key == "prefix");
    let name = table.entries.get("env")?.node.text()?;
    only_reference.then_some(name)
}

/// A text in which the secret has been separated from what stands before it.
struct Fetched {
    prefix: String,
    secret: Secret,
}

impl Cx<'_> {
    /// What a reference names: what stands before it, the value, and its origin in words.
    /// Of what is switched off nothing is fetched: no secret store is asked for it.
    fn resolve(&mut self, path: &Path, reference: &SecretRef) -> Option<(String, String, String)> {
        let prefix = reference.prefix.clone().unwrap_or_default();
        if self.switched_off {
            return Some((prefix, String::new(), "switched off".to_owned()));
        }
        let place = self.place(path);
        let base = Layers::base_dir(&self.prepared.texts, place, self.request.base_dir());
        match self.secrets.fetch(reference, self.request, base) {
            Ok((value, origin)) => {
                self.readable_by_others(path, reference);
                Some((prefix, value, origin))
            }
            Err(problem) => {
                match problem.unreadable.filter(|_| self.left_out_without_files) {
                    Some(file) => {
                        self.unreadable.insert(file);
                        self.warning(path, problem.message, problem.cure);
                    }
                    None => self.error(path, problem.message, problem.cure),
                }
                None
            }
        }
    }

    /// Looks at a part of the configuration that the rest can do without. Why it is left out,
    /// where a file with a secret of it cannot be read: that is only warned about.
    pub fn or_left_out<T>(
        &mut self,
        may_be: bool,
        look: impl FnOnce(&mut Self) -> Option<T>,
    ) -> (Option<T>, Option<String>) {
        self.left_out_without_files = may_be;
        let looked = look(self);
        self.left_out_without_files = false;
        let files = std::mem::take(&mut self.unreadable);
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let why = (!files.is_empty())
            .then(|| format!("not configured: {} cannot be read", files.join(", ")));
        (looked.filter(|_| why.is_none()), why)
    }

    fn readable_by_others(&mut self, path: &Path, reference: &SecretRef) {
        let Some(written) = &reference.file else { return };
        let file = self.file_path(path, written);
        let open = std::fs::metadata(&file).is_ok_and(|meta| meta.mode() & 0o077 != 0);
        if open {
            let message = format!("the secret in {} can be read by others", file.display());
            self.warning(path, message, format!("chmod 600 {}", file.display()));
        }
    }

    /// Warns of a secret that cannot be looked for in foreign text.
    pub fn too_short_to_hide(&mut self, path: &Path, secret: &str) {
        if secret.len() < SHORTEST {
            self.warning(
                path,
                format!(
                    "the secret of `{path}` is shorter than {SHORTEST} bytes: where a server or a program repeats it, it may be shown"
                ),
                "use a longer one",
            );
        }
    }

    /// A secret, with what stands before it.
    fn fetch(&mut self, path: &Path, reference: &SecretRef) -> Option<Fetched> {
        let (prefix, value, origin) = self.resolve(path, reference)?;
        if !self.switched_off {
            self.too_short_to_hide(path, &value);
        }
        Some(Fetched { prefix, secret: Secret::new(value, origin) })
    }

    /// An address that may stand in the file or come from elsewhere; with its origin, where
    /// it does. It is not a secret as a whole: only a password in it is one.
    pub fn address_text(
        &mut self,
        path: &Path,
        value: &TextValue,
    ) -> Option<(String, Option<String>)> {
        match value {
            TextValue::Plain(text) => Some((text.clone(), None)),
            TextValue::Secret(_) if self.switched_off => None,
            TextValue::Secret(reference) => {
                let (prefix, value, origin) = self.resolve(path, reference)?;
                Some((format!("{prefix}{value}"), Some(origin)))
            }
        }
    }

    /// A text. Where `sensitive`, it may not stand in a file.
    pub fn text(&mut self, path: &Path, value: &TextValue, sensitive: bool) -> Option<Text> {
        match value {
            TextValue::Secret(reference) => {
                let Fetched { prefix, secret } = self.fetch(path, reference)?;
                Some(Text::Secret { prefix, secret })
            }
            TextValue::Plain(text) if sensitive => {
                let secret = self.plain_secret(path, text)?;
                Some(Text::Secret { prefix: String::new(), secret })
            }
            TextValue::Plain(text) => Some(Text::Plain(text.clone())),
        }
    }

    /// A secret alone: a password, a token.
    pub fn secret(&mut self, path: &Path, value: &TextValue) -> Option<Secret> {
        match value {
            TextValue::Plain(text) => self.plain_secret(path, text),
            TextValue::Secret(reference) => {
                let Fetched { prefix, secret } = self.fetch(path, reference)?;
                let origin = secret.origin().to_owned();
                Some(if prefix.is_empty() {
                    secret
                } else {
                    Secret::new(format!("{prefix}{}", secret.expose()), origin)
                })
            }
        }
    }

    /// A secret that may be left out. The outer None is an error.
    pub fn maybe_secret(
        &mut self,
        path: &Path,
        value: Option<&TextValue>,
    ) -> Option<Option<Secret>> {
        match value {
            Some(value) => self.secret(path, value).map(Some),
            None => Some(None),
        }
    }

    /// A secret in plain text: right from an environment variable, wrong anywhere else.
    fn plain_secret(&mut self, path: &Path, text: &str) -> Option<Secret> {
        let name = path.last_key();
        match self.origin(path) {
            Some(Origin::Environment) => {
                self.too_short_to_hide(path, text);
                Some(Secret::new(text.to_owned(), format!("env {name}")))
            }
            origin => {
                // Remembered, so that no other message shows it either.
                let argument = matches!(origin, Some(Origin::Argument));
                drop(Secret::new(text.to_owned(), "file"));
                let message = if argument {
                    format!(
                        "`{path}` is a secret; on the command line every user of this machine can read it"
                    )
                } else {
                    format!("`{path}` is a secret in plain text")
                };
                let variable = name.to_ascii_uppercase().replace('-', "_");
                self.error(
                    path,
                    message,
                    format!("write {{ env = \"{variable}\" }}, {{ file = \"PATH\" }} or {{ command = [\"PROGRAM\"] }}, and change the secret if others could read it"),
                );
                None
            }
        }
    }

    /// Headers. Those that carry credentials must be secrets.
    pub fn headers(&mut self, path: &Path, headers: &Headers) -> Option<Vec<(String, Text)>> {
        let mut out = Vec::new();
        for (name, value) in headers {
            let path = path.key(name);
            let named = self.header_name(&path, name);
            let text = self.text(&path, value, is_secret_name(name));
            let Some(text) = text.filter(|_| named) else { continue };
            // Tabs are the only control character that a header may hold.
            if text.expose().chars().any(|c| c.is_control() && c != '\t') {
                self.error(
                    &path,
                    format!("the header {name} has a control character in its value"),
                    "a header is one line",
                );
                continue;
            }
            out.push((name.clone(), text));
        }
        (out.len() == headers.len()).then_some(out)
    }

    /// Whether a header may be called so (RFC 9110, section 5.6.2).
    pub fn header_name(&mut self, path: &Path, name: &str) -> bool {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let valid = !name.is_empty() && name.chars().all(token);
        if !valid {
            self.error(
                path,
                format!("{name:?} cannot be the name of a header"),
                "letters, digits and -",
            );
        }
        valid
    }

    /// Whom to trust. `tls` says whether the address uses TLS at all.
    pub fn tls(
        &mut self,
        path: &Path,
        ca_file: Option<&str>,
        insecure: bool,
        tls: bool,
    ) -> Option<TlsOptions> {
        if insecure && tls {
            self.warning(
                &path.key("insecure"),
                format!("[{path}] does not verify whom it talks to"),
                "name the right root with ca_file instead",
            );
        }
        if !tls && (insecure || ca_file.is_some()) {
            let key = if insecure { "insecure" } else { "ca_file" };
            self.warning(
                &path.key(key),
                format!("`{key}` means nothing here: the address does not use TLS"),
                "take it out, or use the address with TLS",
            );
        }
        let Some(written) = ca_file else { return Some(TlsOptions { ca_file: None, insecure }) };
        let key = path.key("ca_file");
        if insecure {
            self.error(&key, "ca_file and insecure exclude each other", "take one of them out");
            return None;
        }
        self.pem_file(&key, written).map(|file| TlsOptions { ca_file: Some(file), insecure })
    }

    /// A file that holds a certificate.
    fn pem_file(&mut self, path: &Path, written: &str) -> Option<PathBuf> {
        let file = self.file_path(path, written);
        let mut text = String::new();
        let read = std::fs::File::open(&file)
            .and_then(|opened| opened.take(LARGEST_PEM).read_to_string(&mut text));
        let (message, cure) = match read {
            Ok(_) if text.contains("-----BEGIN CERTIFICATE-----") => return Some(file),
            Ok(_) => (
                format!("{} holds no PEM certificate", file.display()),
                "it must contain -----BEGIN CERTIFICATE-----",
            ),
            Err(error) => (
                format!("cannot read {}: {error}", file.display()),
                "check the path and its permissions",
            ),
        };
        self.error(path, message, cure);
        None
    }
}
