//! Streams of server-sent events.

use std::time::Duration;

use super::{ReadingConfig, Text, TlsOptions};
use crate::domain::ids::ReadingName;

/// A stream.
#[derive(Clone, Debug)]
pub struct SseSource {
    /// The address.
    pub url: url::Url,
    /// Header names and values.
    pub headers: Vec<(String, Text)>,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// The largest event that is kept, bytes.
    pub max_event: u64,
    /// A stream without an event for this long is given up and opened anew.
    pub silent_after: Duration,
    /// The name of the events that the readings are taken from: `message` where they have
    /// none.
    pub event: String,
    /// Values to take out of the last of these.
    pub readings: Vec<ReadingConfig>,
    /// Readings that count the events of a name.
    pub counts: Vec<(ReadingName, String)>,
}
