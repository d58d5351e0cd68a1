//! The examination that the operator asks for, while the console goes on.

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::Engine;
use crate::{
    app::msg::{Event, Notice},
    runtime::doctor::{self, Only},
};

impl Engine {
    /// Begins an examination. One that still goes on is given up.
    pub(super) fn examine(&mut self, number: u64) {
        let (profile, events) = (Arc::clone(&self.profile), self.outlets.events.clone());
        let (news_to, mut news) = tokio::sync::mpsc::channel(16);
        let task = tokio::spawn(async move {
            let hear = async {
                while let Some(examined) = news.recv().await {
                    if events.send(Event::Examined(Box::new(examined))).await.is_err() {
                        return;
                    }
                }
            };
            let all = Only::default();
            let look = doctor::examine(profile, &all, number, true, news_to);
            if let (Err(why), ()) = tokio::join!(look, hear) {
                let _ = events.send(Event::Notice(Notice::error(why))).await;
            }
        });
        self.examining = Some(AbortOnDropHandle::new(task));
    }
}
