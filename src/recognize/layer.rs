//! The layer: its settings, and the state that all its services share.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tower::{Layer, ServiceExt};

use super::{
    Recognizer,
    recognition::{Limits, Recognition},
    service::Recognize,
};
use crate::api::{Api, one_short_line};

/// Gives voice messages their words before the handler sees them. See the [module docs](super).
///
/// It goes around a handler: [`MessageService::layer`](crate::MessageService::layer) puts it there. All services that it
/// makes share what has been recognized.
#[derive(Clone)]
pub struct RecognizeLayer(Recognition);

impl RecognizeLayer {
    /// Makes the layer that fetches recordings with `api`, and has `recognizer` recognize them.
    ///
    /// Each recording is recognized by a clone of `recognizer`. The text of its error is logged, up to 400 characters in
    /// one line.
    pub fn new<R>(api: Api, recognizer: R) -> Self
    where
        R: Recognizer,
    {
        let recognizer = move |recording| {
            let words = recognizer.clone().oneshot(recording);
            async {
                words
                    .await
                    .map_err(|error| one_short_line(&format!("{error:#}")))
            }
            .boxed()
        };
        Self(Recognition {
            api,
            recognizer: Arc::new(recognizer),
            limits: Limits::default(),
            memo: Arc::default(),
        })
    }

    /// Sets how long it may take to fetch and recognize one recording; the default is 20 s. After it, the handler gets the
    /// message without words, and [`Timeout`](super::ErrorKind::Timeout).
    ///
    /// It is part of [the time of a run](crate::dedup::DedupBuilder::with_run_timeout).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.0.limits.timeout = timeout;
        self
    }

    /// Sets how many bytes a recording may have; the default is 2 MiB, WeChat's own limit. The handler gets the message of a
    /// larger recording without words, and [`TooLarge`](super::ErrorKind::TooLarge).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.0.limits.bytes = bytes;
        self.forgetting()
    }

    /// Sets how long a recording may be; the default is 61 s: WeChat's 60 s, and one of tolerance.
    ///
    /// The handler gets the message of a longer recording without words, and [`TooLong`](super::ErrorKind::TooLong). The
    /// duration of a recording that is not AMR is [not known](crate::api::Recording::duration), and not limited.
    #[must_use]
    pub fn with_max_duration(mut self, duration: Duration) -> Self {
        self.0.limits.duration = duration;
        self.forgetting()
    }

    /// Forgets earlier results: a recording over the former limit may be within the new one.
    fn forgetting(mut self) -> Self {
        self.0.memo = Arc::default();
        self
    }
}

impl<H> Layer<H> for RecognizeLayer {
    type Service = Recognize<H>;

    fn layer(&self, handler: H) -> Recognize<H> {
        Recognize::new(handler, Arc::new(self.0.clone()))
    }
}

impl fmt::Debug for RecognizeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecognizeLayer")
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
