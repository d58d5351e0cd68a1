//! An upper bound on what one answer may bring over a connection.
//!
//! The clients for Redis and Postgres buffer whole replies and know no limit of their own.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::BoxStream;
use crate::domain::failure::{Failure, FailureKind};

/// The bytes that may still be received.
#[derive(Clone, Debug)]
pub struct Allowance {
    left: Arc<AtomicU64>,
    size: u64,
}

impl Allowance {
    /// An allowance of that many bytes per answer.
    pub fn new(size: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(size)), size }
    }

    /// Restores the full allowance, before something new is asked.
    pub fn refill(&self) {
        self.left.store(self.size, Ordering::Relaxed);
    }

    /// The failure to report where the allowance was the reason for an error.
    pub fn exceeded(&self) -> Option<Failure> {
        (self.left.load(Ordering::Relaxed) == 0).then(|| {
            let message = format!("the answer is larger than {} MiB", self.size >> 20);
            Failure::new(FailureKind::BadAnswer, message)
        })
    }

    /// Takes from what is left; false where it does not suffice.
    fn take(&self, bytes: u64) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(bytes), Ordering::Relaxed);
        bytes < left
    }
}

/// A stream that fails once its allowance is used up.
pub struct Metered {
    inner: BoxStream,
    allowance: Allowance,
}

impl Metered {
    /// The stream, bounded.
    pub fn new(inner: BoxStream, allowance: Allowance) -> Self {
        Self { inner, allowance }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let received = (buffer.filled().len() - before) as u64;
        if received == 0 || self.allowance.take(received) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too large")))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn reading_stops_at_the_allowance_and_goes_on_after_a_refill() {
        let allowance = Allowance::new(1 << 20);
        let endless = tokio::io::join(tokio::io::repeat(b'x'), tokio::io::sink());
        let mut stream = Metered::new(Box::new(endless), allowance.clone());
        let mut taken = 0;
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count) = stream.read(&mut buffer).await {
            taken += count;
            assert!(taken <= 1 << 20, "the bound was passed");
        }
        let failure = allowance.exceeded().expect("a reason");
        assert_eq!(failure.kind, FailureKind::BadAnswer);
        assert!(failure.message.contains("1 MiB"), "{}", failure.message);

        allowance.refill();
        assert!(allowance.exceeded().is_none());
        stream.read_exact(&mut buffer).await.expect("readable again");
    }
}
