//! What several tests share.

pub mod pty;
