//! The streams with which a smart bot answers messages that still run: WeCom polls them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{Request, Response};
use tokio::{
    sync::watch,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use super::node::Node;
use crate::{
    delivery::Verified,
    key::{BuildKeyHasher, Key},
    late::{LateCause, LateReply},
    message::Head,
    observe::{self, Way},
    partial::Partial,
    reply,
    response::{self, ResponseBody, StoredResponse},
};

/// The streams of this node.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    streams: HashMap<Key, Stream, BuildKeyHasher>,
    /// At this number, the streams that have ended are forgotten.
    sweep_above: usize,
}

#[derive(Debug)]
struct Stream {
    partial: Partial,
    /// Whether it has answered the message.
    is_begun: bool,
    /// Cancelled when the message is over. It ended without a reply unless `state` has one.
    over: CancellationToken,
    /// When WeCom stops polling: six minutes after the message, or some seconds after it has got the reply.
    ends: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The message runs.
    Running,
    /// Its reply waits for a poll, or has been fetched by one: then the channel says so.
    Replied(StoredResponse, watch::Sender<bool>),
    /// Its reply is left to the sinks.
    Left,
}

/// Whether it is a message to a smart bot, which a stream can answer.
pub(super) fn is_streamed(request: &Request<Verified>) -> bool {
    let head = request.body().head();
    head.is_ok_and(|head| head.is_smart_bot() && head.is_message() && head.stream_id().is_none())
}

/// The stream of a message that runs on this node. Dropped before it has answered the message, it is forgotten.
pub(super) struct Open {
    node: Arc<Node>,
    key: Key,
}

impl Open {
    /// Opens the stream of a message, if there is room. A message that runs again keeps the one that has answered it.
    pub(super) fn new(
        node: &Arc<Node>,
        request: &Request<Verified>,
        over: impl FnOnce() -> CancellationToken,
    ) -> Option<Self> {
        let partial = request.extensions().get::<Partial>()?.clone();
        let key = key_of(request)?;
        let mut known = node.streams.lock();
        if !known.has_room(Instant::now()) {
            return None;
        }
        let streams = &mut known.streams;
        let stream = Stream {
            partial,
            is_begun: streams.get(&key).is_some_and(|stream| stream.is_begun),
            over: over(),
            ends: request.body().delivery().arrived() + POLLED_FOR,
            state: State::Running,
        };
        streams.insert(key, stream);
        drop(known);
        let node = Arc::clone(node);
        Some(Self { node, key })
    }
}

impl Known {
    /// Forgets the streams that have ended whenever the number of streams has doubled. Returns whether there is room.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.streams.len() >= self.sweep_above {
            self.streams.retain(|_, stream| now < stream.ends);
            self.sweep_above = (2 * self.streams.len()).clamp(FEW_STREAMS, MAX_STREAMS);
        }
        self.streams.len() < MAX_STREAMS
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let streams = &mut self.node.streams.lock().streams;
        if streams
            .get(&self.key)
            .is_some_and(|stream| !stream.is_begun)
        {
            streams.remove(&self.key);
        }
    }
}

impl Streams {
    /// Answers a message that still runs with its stream, if it has one.
    pub(super) fn begin(&self, request: &Request<Verified>) -> Option<Response<ResponseBody>> {
        let key = key_of(request)?;
        let mut known = self.lock();
        let stream = known.streams.get_mut(&key)?;
        stream.is_begun = true;
        Some(unfinished(request, &stream.partial.text()))
    }

    /// Answers a poll. `None` if the request is no poll, or if this node does not know the stream and there is no other node.
    pub(super) fn poll(
        &self,
        request: &Request<Verified>,
        has_others: bool,
    ) -> Option<Response<ResponseBody>> {
        request.body().head().ok()?.stream_id()?;
        let answer = self.answer(request);
        if answer.is_some() {
            request.body().trace().record_polled();
            return answer;
        }
        observe::unknown_stream(request.body().delivery().account());
        // WeCom polls again.
        has_others.then(response::success)
    }

    /// Answers a poll, or a message that was answered with its stream before: WeCom has not got that answer.
    pub(super) fn answer(&self, request: &Request<Verified>) -> Option<Response<ResponseBody>> {
        let (head, key) = (request.body().head().ok()?, key_of(request)?);
        let mut known = self.lock();
        let stream = known.streams.get_mut(&key)?;
        if matches!(stream.state, State::Running) && !stream.over.is_cancelled() {
            return Some(unfinished(request, &stream.partial.text()));
        }
        // WeCom asks again if this answer is lost.
        stream.ends = stream.ends.min(Instant::now() + ASKED_AGAIN);
        Some(match &stream.state {
            State::Running | State::Left => stream_of(head, true, &stream.partial.text()),
            State::Replied(response, is_fetched) => {
                is_fetched.send_replace(true);
                response.clone().into_response()
            }
        })
    }

    /// Gives the late reply of a message to the next poll of its stream. What no poll fetches is left in it.
    pub(super) async fn finish(&self, late: &mut LateReply, cut: &CancellationToken) {
        let Some(key) = key_of(late.request()) else {
            return;
        };
        let response = match (late.response(), late.reply()) {
            // It must not replace the first part.
            _ if late.cause() == LateCause::Rest => return,
            (Some(response), _) => response.clone(),
            (None, Some(reply)) => {
                let response = response::of_whole_reply(reply.clone(), late.request().body());
                StoredResponse::of_own(&response)
            }
            (None, None) => return,
        };
        let until = Instant::now() + PATIENCE;
        let (mut fetched, until) = match self.lock().streams.get_mut(&key) {
            Some(stream) if stream.is_begun => {
                let (sender, receiver) = watch::channel(false);
                stream.state = State::Replied(response.clone(), sender);
                (receiver, until.min(stream.ends))
            }
            _ => return,
        };
        let waiting = time::timeout_at(until, fetched.wait_for(|is_fetched| *is_fetched));
        cut.run_until_cancelled(waiting).await;
        let mut known = self.lock();
        // Under the lock: a poll that comes now gets what is left.
        if *fetched.borrow() {
            observe::parts_went(late.account(), late.key().observed(), Way::Stream, 1);
            late.hand_over_first(response.rest().cloned());
        } else if let Some(stream) = known.streams.get_mut(&key) {
            stream.state = State::Left;
        }
    }

    /// Each change of the map and of a stream is one assignment, so a poisoned lock guards whole ones.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers with a stream that goes on.
pub(super) fn unfinished(request: &Request<Verified>, text: &str) -> Response<ResponseBody> {
    match request.body().head() {
        Ok(head) => stream_of(head, false, text),
        Err(_) => response::success(),
    }
}

fn stream_of(head: &Head, is_finished: bool, text: &str) -> Response<ResponseBody> {
    response::of_rendered(reply::partial_stream(head, is_finished, text))
}

/// The stream of a message or of a poll. No other account can ask for it.
fn key_of(request: &Request<Verified>) -> Option<Key> {
    let body = request.body();
    let head = body.head().ok().filter(|head| head.is_smart_bot())?;
    let (account, id) = (body.delivery().account(), reply::stream_id(head));
    Some(Key::new(["stream", account, &id]))
}

/// With fewer, nothing is forgotten.
const FEW_STREAMS: usize = 64;

/// Beyond them, a slow message has none.
const MAX_STREAMS: usize = 4096;

/// From the message on. Source: WeCom's page "Receive messages" (100719).
const POLLED_FOR: Duration = Duration::from_mins(6);

/// How long a reply waits for a poll. WeCom's come about once a second.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a fetched reply is kept for further polls.
const ASKED_AGAIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn open(known: &mut Known, number: usize, ends: Instant) {
        let stream = Stream {
            partial: Partial::new(),
            is_begun: false,
            over: CancellationToken::new(),
            ends,
            state: State::Running,
        };
        known
            .streams
            .insert(Key::new([number.to_be_bytes()]), stream);
    }

    #[test]
    fn streams_that_have_ended_are_forgotten_whenever_their_number_has_doubled() {
        let (mut known, now) = (Known::default(), Instant::now());
        let later = now + Duration::from_millis(1);
        for number in 0..100 {
            let ends = if number % 2 == 0 { now } else { later };
            open(&mut known, number, ends);
        }
        assert!(known.has_room(now));
        assert_eq!(known.streams.len(), 50);
        for number in 100..140 {
            open(&mut known, number, now);
        }
        assert!(known.has_room(now));
        assert_eq!(known.streams.len(), 90, "fewer than 100");
        for number in 140..150 {
            open(&mut known, number, now);
        }
        assert!(known.has_room(now));
        assert_eq!(known.streams.len(), 50);
    }

    #[test]
    fn the_number_of_streams_is_bounded() {
        let (mut known, now) = (Known::default(), Instant::now());
        let later = now + Duration::from_millis(1);
        for number in 0..MAX_STREAMS {
            assert!(known.has_room(now), "{number}");
            open(&mut known, number, later);
        }
        assert!(!known.has_room(now));
        assert!(known.has_room(later));
        assert!(known.streams.is_empty());
    }
}
