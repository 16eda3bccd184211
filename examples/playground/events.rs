//! Server-sent events: sends each change of the chat to the page.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use tokio::sync::watch;

use crate::chat::{Chat, Position};

/// Sends all changes after `position`, and then each new one.
///
/// Every event contains a whole message. So a page that reconnects misses nothing, and a slow page skips outdated
/// states.
pub(crate) fn events(
    chat: Arc<Chat>,
    setup: String,
    position: Option<Position>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let listener = Listener {
        changes: chat.subscribe(),
        chat,
        position,
        waiting: VecDeque::from([Event::default().event("setup").data(setup)]),
    };
    let events = stream::unfold(listener, |mut listener| async {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

struct Listener {
    chat: Arc<Chat>,
    changes: watch::Receiver<()>,
    position: Option<Position>,
    waiting: VecDeque<Event>,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            // This must come first: a change after it wakes the listener again.
            self.changes.mark_unchanged();
            let Some(news) = self.chat.news(self.position.as_ref()) else {
                self.changes.changed().await.ok()?;
                continue;
            };
            if news.is_another_chat {
                // Browsers ignore an event without data.
                self.waiting
                    .push_back(Event::default().event("cleared").data("-"));
            }
            let messages = news.records.into_iter();
            self.waiting.extend(
                messages.map(|(id, record)| Event::default().id(id).event("message").data(record)),
            );
            self.position = Some(news.position);
        }
    }
}
