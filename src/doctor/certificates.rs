//! How long the certificates of servers are still good.

use std::time::Duration;

use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    config::profile::TlsOptions,
    domain::{
        examination::{Finding, Grade, Thing},
        failure::{Failure, FailureKind},
    },
    net::{
        certificate::{self, Seen},
        dial,
        progress::Progress,
    },
};

/// Fewer days than this are a warning.
const WARNING: f64 = 21.0;

/// Fewer days than this are critical.
const CRITICAL: f64 = 7.0;

/// A server that shows a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// Postgres, which is asked for encryption first.
    pub postgres: bool,
}

/// Shakes hands and looks at the certificate. Sends nothing else.
///
/// # Errors
/// There was no handshake in that time.
pub async fn look(target: &Target, limit: Duration) -> Result<Seen, Failure> {
    let mut progress = Progress::new(limit);
    let work = async {
        let mut stream = dial::connect(&target.host, target.port, &mut progress).await?;
        if target.postgres {
            ask_postgres(&mut stream, &target.host).await?;
        }
        certificate::inspect(stream, &target.host, &target.tls, &mut progress).await
    };
    let looked = timeout(limit, work).await;
    looked.unwrap_or_else(|_| Err(progress.too_late(limit)))
}

/// The request for encryption of Postgres's protocol: its length, and a number that no
/// version of the protocol has. The answer is one letter.
async fn ask_postgres(stream: &mut TcpStream, host: &str) -> Result<(), Failure> {
    const REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    let failed = |error: std::io::Error| dial::from_io(&error, host);
    stream.write_all(&REQUEST).await.map_err(failed)?;
    match stream.read_u8().await.map_err(failed)? {
        b'S' => Ok(()),
        _ => Err(Failure::new(FailureKind::Tls, format!("{host} offers no encryption"))),
    }
}

/// Judges when a certificate expires.
pub fn judge(thing: &Thing, target: &Target, expiry: Option<Timestamp>, now: Timestamp) -> Finding {
    let name = format!("{}:{}", target.host, target.port);
    let Some(expiry) = expiry else {
        let what = format!("when the certificate of {name} expires cannot be read from it");
        return Finding::new(thing, Grade::Unknown, what);
    };
    let days = expiry.duration_since(now).as_secs_f64() / 86_400.0;
    let date = expiry.to_zoned(jiff::tz::TimeZone::UTC).date();
    let renew = "renew it, and look whether its renewal still works";
    if days < 0.0 {
        let what = format!("the certificate of {name} expired on {date}");
        return Finding::new(thing, Grade::Critical, what).cure(renew);
    }
    let left = days.floor();
    let plural = if left == 1.0 { "" } else { "s" };
    let what = format!("the certificate of {name} expires in {left} day{plural}, on {date}");
    if days < CRITICAL {
        Finding::new(thing, Grade::Critical, what).cure(renew)
    } else if days < WARNING {
        Finding::new(thing, Grade::Warning, what).cure(renew)
    } else {
        Finding::new(thing, Grade::Ok, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::examination::Subject;

    #[test]
    fn certificates_are_judged_by_the_days_that_are_left() {
        let thing = Thing::new(Subject::Source, "api");
        let target = Target {
            host: "a.test".to_owned(),
            port: 443,
            tls: TlsOptions::default(),
            postgres: false,
        };
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let table = [
            ("2026-03-01T00:00:00Z", Grade::Ok, "expires in 59 days, on 2026-03-01"),
            ("2026-01-21T23:00:00Z", Grade::Warning, "expires in 20 days"),
            ("2026-01-07T23:00:00Z", Grade::Critical, "expires in 6 days"),
            ("2026-01-02T01:00:00Z", Grade::Critical, "expires in 1 day, on"),
            ("2025-12-31T00:00:00Z", Grade::Critical, "expired on 2025-12-31"),
        ];
        for (expiry, grade, words) in table {
            let found = judge(&thing, &target, expiry.parse().ok(), now);
            assert_eq!(found.verdict, grade, "{expiry}");
            assert!(found.what.contains(words), "{}", found.what);
        }
        assert_eq!(judge(&thing, &target, None, now).verdict, Grade::Unknown);
    }
}
