//! Server-sent events: what happens in the chat, while it happens.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use tokio::sync::watch;

use crate::chat::{Chat, Position};

/// All that is new to a page which has heard of everything up to `position`.
///
/// Every event tells a message whole, so that a page that was away for a while misses nothing, and one that
/// cannot keep up skips what is out of date.
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
            // Before looking, or a change in between would go unheard.
            self.changes.mark_unchanged();
            let Some(news) = self.chat.news(self.position.as_ref()) else {
                self.changes.changed().await.ok()?;
                continue;
            };
            if news.is_another_chat {
                // One without data would not be heard.
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
