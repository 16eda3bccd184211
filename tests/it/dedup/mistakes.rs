//! The classic mistakes of a dedup layer: each is a switch in a double, and the suite has to notice it.
//! The mistakes of a store are in `store::double`.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{sync::watch, task::yield_now, time::timeout_at};
use tower_wechat::late::LateReply;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// A delivery reads whether the message is new, and records it later.
    TornClaim,
    /// A run that panics leaves its message running.
    NoGuard,
    /// The run ends with the delivery that began it.
    NotDetached,
    /// A delivery reads whether there is a reply, and records the acknowledgement later.
    TornAcknowledgement,
}

/// The state of a message, no more than these tests need.
#[derive(Clone)]
enum Entry {
    Running(watch::Receiver<()>),
    Acknowledged,
    Replied(Bytes),
}

/// The smallest dedup layer: one run for each message, joins, kept replies, acknowledgements after 4.5 s.
#[derive(Clone)]
struct Double<S> {
    mistake: Mistake,
    inner: S,
    entries: Arc<Mutex<HashMap<Bytes, Entry>>>,
    late: Arc<AtomicUsize>,
}

impl<S> Double<S>
where
    S: Service<Request<Verified>, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static,
{
    async fn answer(self, request: Request<Verified>) -> Bytes {
        let message = request.body().to_bytes();
        let deadline = Instant::now() + Duration::from_millis(4500);
        let mut inline = None;
        loop {
            let entry = self.entries.lock().unwrap().get(&message).cloned();
            let mut ended = match entry {
                Some(Entry::Replied(reply)) => return reply,
                Some(Entry::Acknowledged) => return Bytes::from("success"),
                Some(Entry::Running(ended)) => ended,
                None => {
                    if self.mistake == Mistake::TornClaim {
                        yield_now().await;
                    }
                    let (running, ended) = watch::channel(());
                    let entry = Entry::Running(ended.clone());
                    self.entries.lock().unwrap().insert(message.clone(), entry);
                    let run = self.clone().run(request.clone(), message.clone(), running);
                    if self.mistake == Mistake::NotDetached {
                        inline = Some(Box::pin(run));
                    } else {
                        tokio::spawn(run);
                    }
                    ended
                }
            };
            let ended = async {
                match inline.take() {
                    Some(run) => run.await,
                    None => _ = ended.changed().await,
                }
            };
            if timeout_at(deadline, ended).await.is_err() {
                return self.acknowledge(message).await;
            }
        }
    }

    async fn acknowledge(self, message: Bytes) -> Bytes {
        let found = self.entries.lock().unwrap().get(&message).cloned();
        if self.mistake == Mistake::TornAcknowledgement {
            yield_now().await;
        }
        if let Some(Entry::Replied(reply)) = found {
            return reply;
        }
        let mut entries = self.entries.lock().unwrap();
        match (self.mistake, entries.get(&message)) {
            (Mistake::TornAcknowledgement, _) | (_, Some(Entry::Running(_))) => {
                entries.insert(message, Entry::Acknowledged);
                Bytes::from("success")
            }
            (_, Some(Entry::Replied(reply))) => reply.clone(),
            (_, Some(Entry::Acknowledged) | None) => Bytes::from("success"),
        }
    }

    async fn run(self, request: Request<Verified>, message: Bytes, running: watch::Sender<()>) {
        let run = AssertUnwindSafe(self.inner.clone().oneshot(request)).catch_unwind();
        match run.await {
            Ok(Ok(response)) => {
                let reply = response.into_body().collect().await.unwrap().to_bytes();
                let mut entries = self.entries.lock().unwrap();
                if let Some(Entry::Acknowledged) = entries.get(&message) {
                    self.late.fetch_add(1, Ordering::Relaxed);
                } else {
                    entries.insert(message, Entry::Replied(reply));
                }
            }
            Ok(Err(_)) | Err(_) if self.mistake == Mistake::NoGuard => {}
            Ok(Err(_)) | Err(_) => {
                self.entries.lock().unwrap().remove(&message);
            }
        }
        drop(running);
    }
}

impl<S> Service<Request<Verified>> for Double<S>
where
    S: Service<Request<Verified>, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Verified>) -> Self::Future {
        let answer = self.clone().answer(request);
        async { Ok(Response::new(Full::from(answer.await))) }.boxed()
    }
}

/// The subject of the suite: a layer that acknowledges after 4.5 s and counts late replies.
trait Subject {
    fn stack(&self, late: &Arc<AtomicUsize>) -> (impl Delivers, Runs);
}

impl Subject for Mistake {
    fn stack(&self, late: &Arc<AtomicUsize>) -> (impl Delivers, Runs) {
        let (inner, runs) = inner();
        let double = Double {
            mistake: *self,
            inner,
            entries: Arc::default(),
            late: Arc::clone(late),
        };
        (double, runs)
    }
}

struct Layer;

impl Subject for Layer {
    fn stack(&self, late: &Arc<AtomicUsize>) -> (impl Delivers, Runs) {
        let late = Arc::clone(late);
        let layer = DedupLayer::builder()
            .with_reply_filter(|_| false)
            .with_retry_delays([Duration::ZERO])
            .with_late_replies(move |_: LateReply| {
                late.fetch_add(1, Ordering::Relaxed);
                ready(())
            })
            .build();
        stack(&layer)
    }
}

/// Checks the rules. Returns the first broken one.
async fn suite(subject: &impl Subject) -> Result<(), &'static str> {
    let late = Arc::new(AtomicUsize::new(0));

    let (stack, mut runs) = subject.stack(&late);
    let both = [
        stack.start(&text("user", "1", "hi")),
        stack.start(&text("user", "1", "hi")),
    ];
    settle().await;
    let verdict = runs.verdict().expect("a run");
    if runs.verdict().is_some() {
        return Err("one run for deliveries that come together");
    }
    verdict.send(Ok(ok("reply"))).unwrap();
    for delivery in both {
        check(&delivery.await.unwrap(), 200, "reply");
    }

    let (stack, mut runs) = subject.stack(&late);
    let first = stack.deliver(&text("user", "1", "hi")).await;
    let verdict = runs.verdict().expect("a run");
    first.abort();
    settle().await;
    if verdict.send(Ok(ok("reply"))).is_err() {
        return Err("a client that goes away stops no run");
    }
    settle().await;
    let retry = stack.deliver(&text("user", "1", "hi")).await;
    check(&retry.await.unwrap(), 200, "reply");

    let (stack, mut runs) = subject.stack(&late);
    let delivery = stack.deliver(&text("user", "1", "hi")).await;
    drop(runs.verdict().expect("a run"));
    settle().await;
    let retry = stack.deliver(&text("user", "1", "hi")).await;
    let Some(verdict) = runs.verdict() else {
        return Err("a message whose run panicked runs again");
    };
    verdict.send(Ok(ok("reply"))).unwrap();
    for delivery in [delivery, retry] {
        check(&delivery.await.unwrap(), 200, "reply");
    }

    // The run ends at every step of an acknowledgement.
    for steps in 0..32 {
        late.store(0, Ordering::Relaxed);
        let (stack, mut runs) = subject.stack(&late);
        let delivery = stack.deliver(&text("user", "1", "hi")).await;
        let verdict = runs.verdict().expect("a run");
        advance(Duration::from_millis(4499)).await;
        settle().await;
        advance(Duration::from_millis(1)).await;
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
        verdict.send(Ok(ok("reply"))).unwrap();
        settle().await;
        let (_, answer) = delivery.await.unwrap();
        settle().await;
        let is_delivered = answer == "reply";
        if is_delivered == (late.load(Ordering::Relaxed) == 1) {
            return Err("a reply is delivered or handed over");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_suite_notices_each_classic_mistake() {
    for (mistake, broken) in [
        (Mistake::None, Ok(())),
        (
            Mistake::TornClaim,
            Err("one run for deliveries that come together"),
        ),
        (
            Mistake::NotDetached,
            Err("a client that goes away stops no run"),
        ),
        (
            Mistake::NoGuard,
            Err("a message whose run panicked runs again"),
        ),
        (
            Mistake::TornAcknowledgement,
            Err("a reply is delivered or handed over"),
        ),
    ] {
        assert_eq!(suite(&mistake).await, broken, "{mistake:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_layer_makes_none_of_them() {
    assert_eq!(suite(&Layer).await, Ok(()));
}
