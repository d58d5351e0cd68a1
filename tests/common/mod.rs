//! What several test programs share. Not every program uses all of it.
#![allow(dead_code)]

pub mod screen;
