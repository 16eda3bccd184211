//! One recognition: fetches the recording, asks the recognizer, and remembers the words for a later run.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::{Instant, timeout};

use super::error::{Cause, Error};
use crate::{
    api::{Api, Encoding, Recording},
    dedup::Key,
    message::VoiceMessage,
    observe,
};

/// What a layer and its services share.
#[derive(Clone)]
pub(super) struct Recognition {
    pub(super) api: Api,
    pub(super) recognizer: Arc<Recognizer>,
    pub(super) limits: Limits,
    pub(super) memo: Arc<Memo>,
}

/// An error is its text.
type Recognizer = dyn Fn(Recording) -> BoxFuture<'static, Result<String, String>> + Send + Sync;

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Of fetch and recognition together.
    pub(super) timeout: Duration,
    /// Of the recording.
    pub(super) bytes: usize,
    /// Of the recording.
    pub(super) duration: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(20),
            bytes: 2 * 1024 * 1024,
            // A frame or two more than 60 s are no reason to lose the words.
            duration: Duration::from_secs(61),
        }
    }
}

impl Recognition {
    /// Returns the words of a voice message: those of an earlier run if there are any.
    pub(super) async fn words(&self, voice: &VoiceMessage, account: &str) -> Result<String, Error> {
        let ids = [voice.media_id_16k.as_deref(), Some(&*voice.media_id)];
        let mut ids = ids.into_iter().flatten().filter(|id| !id.is_empty());
        if let Some(words) = ids.find_map(|id| self.memo.get(Key::new([id]))) {
            return words.map(String::from);
        }
        let work = self.recognize(voice, account);
        observe::in_recognition(account, work).await
    }

    async fn recognize(&self, voice: &VoiceMessage, account: &str) -> Result<String, Error> {
        let begun = Instant::now();
        let mut fetched = None;
        let work = self.fetch_and_recognize(voice, &mut fetched);
        // The work is dropped inside, where a panic of its `Drop` is caught too.
        let work = async { timeout(self.limits.timeout, work).await };
        let words = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(words)) => words,
            Ok(Err(_elapsed)) => Err(Cause::Timeout {
                limit: self.limits.timeout,
                is_fetched: fetched.is_some(),
            }),
            Err(_panic) => Err(Cause::Panicked),
        };
        let words = words.map_err(Error::new);
        observe::Recognition {
            account,
            recording: fetched.as_ref().map(Fetched::size_and_encoding),
            duration: begun.elapsed(),
        }
        .ended(words.as_ref().err());
        if words.as_ref().err().is_none_or(Error::is_final) {
            // By the recording's own id: with others beside it, a forged message would cost another recognition.
            let id = fetched.map_or_else(|| voice.media_id.clone(), |fetched| fetched.id);
            let words = words.as_deref().map(Box::from);
            self.memo
                .insert(Key::new([&*id]), words.map_err(Error::clone));
        }
        words
    }

    async fn fetch_and_recognize(
        &self,
        voice: &VoiceMessage,
        fetched: &mut Option<Fetched>,
    ) -> Result<String, Cause> {
        let fetch = self.api.recording_within(voice, self.limits.bytes);
        let (recording, id) = fetch.await.map_err(Cause::Fetch)?;
        *fetched = Some(Fetched {
            id,
            bytes: recording.as_bytes().len(),
            encoding: recording.encoding(),
        });
        let limit = self.limits.duration;
        if let Some(found) = recording.duration()
            && found > limit
        {
            return Err(Cause::TooLong { limit, found });
        }
        let words = (self.recognizer)(recording).await;
        let words = words.map_err(Cause::Recognizer)?;
        match words.trim() {
            "" => Err(Cause::NoWords),
            trimmed if trimmed.len() > MAX_WORDS => Err(Cause::TooManyWords(trimmed.len())),
            trimmed => Ok(trimmed.to_owned()),
        }
    }
}

/// A fetched recording, without its bytes.
struct Fetched {
    /// The media id by which WeChat has it.
    id: String,
    bytes: usize,
    encoding: Encoding,
}

impl Fetched {
    fn size_and_encoding(&self) -> (usize, &'static str) {
        (self.bytes, self.encoding.name())
    }
}

/// What has been recognized lately, so that another run of the same message does not pay for it again. That run may belong
/// to another delivery, so the layer holds the memo.
#[derive(Default)]
pub(super) struct Memo(Mutex<VecDeque<Remembered>>);

struct Remembered {
    key: Key,
    until: Instant,
    words: Result<Box<str>, Error>,
}

impl Memo {
    fn get(&self, key: Key) -> Option<Result<Box<str>, Error>> {
        let current = self.current();
        let latest = current.iter().rev().find(|it| it.key == key);
        latest.map(|it| it.words.clone())
    }

    fn insert(&self, key: Key, words: Result<Box<str>, Error>) {
        let mut current = self.current();
        if current.len() >= MAX_REMEMBERED {
            current.pop_front();
        }
        let until = Instant::now() + REMEMBERED_FOR;
        current.push_back(Remembered { key, until, words });
    }

    /// Forgets what is too old. The rest is in the order of its age.
    fn current(&self) -> MutexGuard<'_, VecDeque<Remembered>> {
        // Each change is one, so a poisoned lock guards a whole queue.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while all.front().is_some_and(|oldest| oldest.until <= now) {
            all.pop_front();
        }
        all
    }
}

/// In bytes. A minute of speech has about 2 KiB.
pub(super) const MAX_WORDS: usize = 8 * 1024;

/// Longer than three runs of a message take.
const REMEMBERED_FOR: Duration = Duration::from_mins(5);

/// Together they have at most 8 MiB.
const MAX_REMEMBERED: usize = 1024;
