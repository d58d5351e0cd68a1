//! Things that are only probed, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::source::source;

source! {
    /// A port that must accept connections.
    pub struct RawTcp {
        /// Where it is, `host:port`.
        pub address: String,
    }
}

source! {
    /// A server whose certificate is looked at.
    pub struct RawTls {
        /// Where it is, `host` or `host:port`; otherwise port 443.
        pub address: String,
        /// The name that the certificate must be for; otherwise the host.
        pub name: Option<String>,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Only report what is wrong with the certificate, as long as it has not expired.
        #[serde(default)]
        pub insecure: bool,
    }
}

source! {
    /// A status page as Atlassian Statuspage has them.
    pub struct RawStatuspage {
        /// Its address; `/api/v2/status.json` is put behind a host alone.
        pub url: String,
        /// A PEM file with the only roots to trust.
        pub ca_file: Option<String>,
        /// Do not verify the certificate at all.
        #[serde(default)]
        pub insecure: bool,
    }
}
