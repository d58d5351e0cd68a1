//! An authority of one's own and certificates by it.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tempfile::TempDir;

/// An authority whose root certificate is a file.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
    /// Its root, as PEM.
    pub root: PathBuf,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Authority {
    /// A new authority that nobody trusts yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, "watchfloor test root");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
            .expect("a root");
        let dir = TempDir::new().expect("a directory");
        let root = dir.path().join("root.pem");
        std::fs::write(&root, issuer.pem()).expect("written");
        readable_by_all(dir.path());
        Self { issuer, dir, root }
    }

    /// A certificate for these names and addresses.
    pub fn leaf(&self, names: &[&str]) -> Leaf {
        self.issue(names, |_| {})
    }

    /// A certificate that expired at the beginning of 2025.
    pub fn expired(&self, names: &[&str]) -> Leaf {
        self.issue(names, |params| {
            params.not_before = date_time_ymd(2024, 1, 1);
            params.not_after = date_time_ymd(2025, 1, 1);
        })
    }

    /// A certificate that expires in so many days, and some hours.
    pub fn lasting(&self, names: &[&str], days: u64) -> Leaf {
        let left = std::time::Duration::from_secs(days * 86_400 + 6 * 3_600);
        self.issue(names, |params| {
            let now = std::time::SystemTime::now();
            params.not_before = (now - std::time::Duration::from_secs(86_400)).into();
            params.not_after = (now + left).into();
        })
    }

    fn issue(&self, names: &[&str], adapt: impl Fn(&mut CertificateParams)) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).expect("names");
        adapt(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let number = std::fs::read_dir(self.dir.path()).expect("readable").count();
        let leaf = Leaf {
            certificate: self.dir.path().join(format!("leaf{number}.pem")),
            key: self.dir.path().join(format!("leaf{number}.key")),
        };
        std::fs::write(&leaf.certificate, certificate.pem()).expect("written");
        std::fs::write(&leaf.key, key.serialize_pem()).expect("written");
        leaf
    }
}

/// Servers that run as another user must be able to read what is in the directory.
fn readable_by_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).expect("permitted");
}
