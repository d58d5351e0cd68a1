//! A port that must accept connections, and a server whose certificate is looked at.

use crate::{
    config::profile::{TcpSource, TlsSource},
    domain::{
        failure::{Failure, FailureKind},
        observation::Facts,
        time::Moment,
        value::Value,
    },
    net::{certificate, dial, progress::Progress},
};

/// A port.
pub(super) struct Tcp {
    config: TcpSource,
}

/// A certificate.
pub(super) struct Tls {
    config: TlsSource,
}

impl Tcp {
    /// A port that was not probed yet.
    pub(super) fn new(config: &TcpSource) -> Self {
        Self { config: config.clone() }
    }

    /// Connects, and closes the connection again without a word.
    pub(super) async fn poll(&mut self, progress: &mut Progress) -> Result<Facts, Failure> {
        let at = &self.config.at;
        dial::connect(&at.host, at.port, progress).await?;
        let mut facts = Facts::default();
        times(progress, &mut facts);
        Ok(facts)
    }
}

impl Tls {
    /// A certificate that was not looked at yet.
    pub(super) fn new(config: &TlsSource) -> Self {
        Self { config: config.clone() }
    }

    /// Shakes hands and looks at the certificate.
    pub(super) async fn poll(
        &mut self,
        now: Moment,
        progress: &mut Progress,
    ) -> Result<Facts, Failure> {
        let TlsSource { at, name, tls } = &self.config;
        let stream = dial::connect(&at.host, at.port, progress).await?;
        let seen = certificate::inspect(stream, name, tls, progress).await?;
        let mut facts = Facts::default();
        times(progress, &mut facts);
        let valid = [("chain_valid", &seen.chain), ("name_matches", &seen.name)];
        for (name, wrong) in valid {
            facts.readings.insert(name.into(), Value::Bool(wrong.is_none()));
        }
        let tolerated = tls.insecure && !seen.out_of_time;
        for wrong in [seen.chain, seen.name].into_iter().flatten() {
            if !tolerated {
                return Err(wrong);
            }
            facts.remarks.push(wrong.message);
        }
        let expiry = seen.expiry.ok_or_else(|| {
            let message = "when the certificate expires cannot be read from it";
            Failure::new(FailureKind::BadAnswer, message)
        })?;
        let days = expiry.duration_since(now.wall).as_secs_f64() / 86_400.0;
        if days < 0.0 {
            let message = format!("the certificate of {name} has expired");
            return Err(Failure::new(FailureKind::Tls, message).hint("renew it"));
        }
        facts.readings.insert("cert_days".into(), Value::Number(days));
        Ok(facts)
    }
}

/// How long each part took.
fn times(progress: &Progress, facts: &mut Facts) {
    let phases = progress.phases;
    let parts = [("dns_ms", phases.dns), ("connect_ms", phases.connect), ("tls_ms", phases.tls)];
    let mut total = 0.0;
    for (name, duration) in parts {
        if let Some(duration) = duration {
            let millis = duration.as_secs_f64() * 1000.0;
            total += millis;
            facts.readings.insert(name.into(), Value::Number(millis));
        }
    }
    facts.readings.insert("total_ms".into(), Value::Number(total));
}
