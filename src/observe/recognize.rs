//! Logs and counts recognitions of voice messages.

use std::{borrow::Cow, fmt, time::Duration};

use super::labels::label;
use super::spans::Instrument;
#[cfg(not(feature = "tracing"))]
use super::spans::Span;

/// Puts a recognition into its span.
pub(crate) fn in_recognition<F: Future>(
    account: &str,
    work: F,
) -> impl Future<Output = F::Output> + use<F> {
    work.instrument(span!(tracing::Level::INFO, "recognize", account))
}

/// A recognition that has ended.
pub(crate) struct Recognition<'a> {
    pub(crate) account: &'a str,
    /// Its size in bytes and its encoding, if it was fetched.
    pub(crate) recording: Option<(usize, &'static str)>,
    pub(crate) duration: Duration,
}

impl Recognition<'_> {
    /// Logs and counts how it ended. The text of an error may be the recognizer's.
    ///
    /// A failed fetch is at DEBUG: the call of the API is logged too, and says why.
    pub(crate) fn ended(&self, error: Option<&impl RecognitionFailure>) {
        let Self {
            account,
            recording,
            duration,
        } = *self;
        let (bytes, encoding) = recording.unzip();
        let seconds = duration.as_secs_f64();
        let kind = error.map(RecognitionFailure::result);
        let result = kind.unwrap_or("recognized".into());
        let kind = &*result;
        match error {
            None => {
                event!(
                    DEBUG,
                    account,
                    bytes,
                    encoding,
                    seconds,
                    "recognized a voice message"
                );
            }
            Some(error) if error.is_failed_fetch() => {
                event!(DEBUG, account, kind, seconds, %error, "{FAILED}");
            }
            Some(error) => {
                event!(WARN, account, kind, bytes, encoding, seconds, %error, "{FAILED}");
            }
        }
        if let Some(bytes) = bytes {
            #[expect(clippy::cast_precision_loss, reason = "at most 10 MiB")]
            let bytes = bytes as f64;
            meter!(histogram!(RECORDING_BYTES, "account" => label(account)).record(bytes));
        }
        meter!(histogram!(RECOGNITION_DURATION, "account" => label(account)).record(duration));
        meter!(
            counter!(RECOGNITIONS, "account" => label(account), "result" => result).increment(1)
        );
    }
}

/// Why a voice message is not recognized.
pub(crate) trait RecognitionFailure: fmt::Display {
    /// The word that events and metrics have for it.
    fn result(&self) -> Cow<'static, str>;

    /// Whether the recording could not be fetched.
    fn is_failed_fetch(&self) -> bool;
}

#[cfg(feature = "tracing")]
const FAILED: &str = "cannot recognize a voice message";
