//! Chance: unguessable for names and passwords, repeatable for everything else.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use rand::{Rng, SeedableRng, TryRngCore, rngs::OsRng, rngs::SmallRng};

/// Hexadecimal digits from the operating system.
pub(super) fn unguessable(digits: usize) -> io::Result<String> {
    let mut bytes = vec![0_u8; digits.div_ceil(2)];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(digits);
    Ok(text)
}

/// A sequence that a seed decides, shared by everybody who needs a little chance.
#[derive(Debug)]
pub(super) struct Dice(Mutex<SmallRng>);

impl Dice {
    /// The dice of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(SmallRng::seed_from_u64(seed)))
    }

    /// A number from `low` up to, but not including, `high`.
    pub(super) fn between(&self, low: f64, high: f64) -> f64 {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        low + rng.random::<f64>() * (high - low)
    }

    /// True with this probability.
    pub(super) fn happens(&self, probability: f64) -> bool {
        self.between(0.0, 1.0) < probability
    }

    /// Hexadecimal digits.
    pub(super) fn hex(&self) -> String {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{:032x}", rng.random::<u128>())
    }
}
