//! Voice messages that get their words before the handler sees them, against a WeChat written for the tests of `api`.

mod failures;
mod messages;
mod once;
#[cfg(feature = "tracing")]
mod shown;
#[cfg(feature = "simulator")]
mod stack;

use std::{
    convert::Infallible,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::Request;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_wechat::{
    Api, RecognizeLayer,
    api::Recording,
    message::VoiceMessage,
    recognize::{Error, HasVoice},
};

use crate::api::{Answer, MEDIA, WeChat, api, secs};

/// A recognizer under test.
trait Recognizes:
    Service<Recording, Response = String, Error: fmt::Display, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<R> Recognizes for R where
    R: Service<Recording, Response = String, Error: fmt::Display, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Counts the recordings that its recognizers get.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    /// Does with a recording as the function says.
    fn recognizer<F, Fut, E>(&self, function: F) -> impl Recognizes + use<F, Fut, E>
    where
        F: Fn(Recording) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<String, E>> + Send + 'static,
        E: fmt::Display + 'static,
    {
        let count = Arc::clone(&self.0);
        service_fn(move |recording| {
            count.fetch_add(1, Ordering::SeqCst);
            function(recording)
        })
    }

    /// Says the same of each recording.
    fn saying(&self, words: &'static str) -> impl Recognizes + use<> {
        self.recognizer(move |_| async move { Ok::<_, Infallible>(words.to_owned()) })
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Makes a WeChat that keeps `recording`, for as many fetches as any test makes.
fn keeping(recording: impl Into<Bytes>) -> WeChat {
    let wechat = WeChat::new();
    wechat.script(MEDIA, vec![file(recording); 8]);
    wechat
}

fn file(recording: impl Into<Bytes>) -> Answer {
    Answer::Http(200, "audio/amr", recording.into())
}

/// A recording of this many frames at 12.2 kbit/s, each of 20 ms.
fn amr(frames: usize) -> Vec<u8> {
    let frame = [&[7 << 3 | 4][..], &[0x5a; 31]].concat();
    [b"#!AMR\n".to_vec(), frame.repeat(frames)].concat()
}

fn voice(media_id: &str) -> VoiceMessage {
    let mut voice = VoiceMessage::default();
    media_id.clone_into(&mut voice.media_id);
    voice
}

fn xml(media_id: &str, recognition: &str) -> String {
    format!(
        "<xml><ToUserName>gh_7a</ToUserName><FromUserName>{OPENID}</FromUserName>\
         <CreateTime>1790000000</CreateTime><MsgType>voice</MsgType><MediaId>{media_id}</MediaId>\
         <Format>amr</Format><MsgId>77</MsgId>{recognition}</xml>"
    )
}

/// Returns the request that a handler behind the layer gets.
async fn seen<M: HasVoice + Send + 'static>(layer: &RecognizeLayer, message: M) -> Request<M> {
    let handler = service_fn(async |request: Request<M>| Ok::<_, Infallible>(request));
    let request = layer.layer(handler).oneshot(Request::new(message)).await;
    request.unwrap()
}

/// Returns the words that a handler sees, or the reason why there are none.
async fn words(layer: &RecognizeLayer, voice: VoiceMessage) -> Result<String, Error> {
    let request = seen(layer, voice).await;
    let reason = request.extensions().get::<Error>().cloned();
    let words = request.into_body().recognition;
    assert_eq!(words.is_none(), reason.is_some());
    reason.map_or_else(|| Ok(words.unwrap()), Err)
}

const OPENID: &str = "oRecUser5mWq";
