//! Whole timelines, as WeChat and the user see them. Read them as documentation.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tower::ServiceBuilder;
use tower_wechat::{
    Account, Message, VerifySignatureLayer, message_fn,
    simulator::{RequestBody, Shown, Simulator, Transcript},
};

use super::*;

/// The deliveries: when, in seconds, and with which status.
fn deliveries(transcript: &Transcript) -> Vec<(u64, Option<u16>)> {
    let deliveries = transcript.deliveries().iter();
    deliveries
        .map(|delivery| {
            let status = delivery.status().map(|status| status.as_u16());
            (delivery.at().as_secs(), status)
        })
        .collect()
}

/// Sends a message to a bot whose runs think for these times, in seconds. `None` is a run that fails.
async fn tell(thinks: &[Option<u64>]) -> (Transcript, usize, Vec<String>) {
    let account = Account::plain("rosebud7").unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let late = Arc::new(Mutex::new(Vec::new()));
    let dedup = DedupLayer::builder()
        .with_late_replies({
            let late = Arc::clone(&late);
            move |reply: tower_wechat::late::LateReply| {
                let cause = format!("{:?} for {:?}", reply.cause(), reply.openid().unwrap());
                late.lock().unwrap().push(cause);
                ready(())
            }
        })
        .build();
    let bot = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account.clone()))
        .layer(dedup)
        .service(message_fn({
            let (runs, thinks) = (Arc::clone(&runs), thinks.to_vec());
            move |_: Message| {
                let run = runs.fetch_add(1, Ordering::Relaxed);
                let thinks = thinks.get(run).copied().unwrap_or_default();
                async move {
                    let seconds = thinks.ok_or("out of ideas")?;
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    Ok::<_, &str>("an idea")
                }
            }
        }));
    let wechat = Simulator::new(account);
    let transcript = wechat.text("think!").from_user("oUser").deliver(bot).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    let runs = runs.load(Ordering::Relaxed);
    let late = late.lock().unwrap().clone();
    (transcript, runs, late)
}

#[tokio::test(start_paused = true)]
async fn a_slow_message() {
    // Fast enough for the second delivery, and for the third.
    let (transcript, runs, late) = tell(&[Some(7)]).await;
    assert_eq!(deliveries(&transcript), [(0, None), (5, Some(200))]);
    assert_eq!(transcript.shown().text(), Some("an idea"));
    assert_eq!((runs, late), (1, vec![]));

    let (transcript, runs, late) = tell(&[Some(13)]).await;
    assert_eq!(
        deliveries(&transcript),
        [(0, None), (5, None), (10, Some(200))]
    );
    assert_eq!(transcript.shown().text(), Some("an idea"));
    assert_eq!((runs, late), (1, vec![]));

    // Too slow for all three: the user sees nothing, until the hook sends the reply.
    let (transcript, runs, late) = tell(&[Some(20)]).await;
    assert_eq!(
        deliveries(&transcript),
        [(0, None), (5, None), (10, Some(200))]
    );
    assert_eq!(transcript.shown(), &Shown::Nothing);
    assert_eq!(
        (runs, late),
        (1, vec!["Acknowledged for \"oUser\"".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_message() {
    // The task runs it again after half a second, then after two.
    let (transcript, runs, late) = tell(&[None, None, Some(1)]).await;
    assert_eq!(deliveries(&transcript), [(0, Some(200))]);
    assert_eq!(transcript.shown().text(), Some("an idea"));
    assert_eq!((runs, late), (3, vec![]));

    // After three runs it is acknowledged: no fault text in the user's chat.
    let (transcript, runs, late) = tell(&[None, None, None]).await;
    assert_eq!(deliveries(&transcript), [(0, Some(200))]);
    assert_eq!(transcript.shown(), &Shown::Nothing);
    assert_eq!((runs, late), (3, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_goes_away() {
    let account = Account::plain("rosebud7").unwrap();
    let store = MemoryStore::new();
    let runs = Arc::new(Mutex::new(Vec::new()));
    // Each node has its own layer; they share the store. The first node goes away after 2 s.
    let first = DedupLayer::shared(store.clone());
    let second = DedupLayer::shared(store);
    let node = |name: &'static str, layer: &DedupLayer| {
        let runs = Arc::clone(&runs);
        let handler = move |_: Message| {
            runs.lock().unwrap().push(name);
            async {
                tokio::time::sleep(Duration::from_secs(3)).await;
                "an idea"
            }
        };
        ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(account.clone()))
            .layer(layer.clone())
            .service(message_fn(handler))
    };
    let (a, b) = (node("A", &first), node("B", &second));
    let deliveries_so_far = Arc::new(AtomicUsize::new(0));
    let balancer = service_fn(move |request: Request<RequestBody>| {
        let delivery = deliveries_so_far.fetch_add(1, Ordering::Relaxed);
        let (a, b) = (a.clone(), b.clone());
        async move {
            if delivery > 0 {
                return b.oneshot(request).await.map_err(BoxError::from);
            }
            // The connection ends with the node, which releases its claim.
            let answer = tokio::time::timeout(Duration::from_secs(2), a.oneshot(request)).await;
            answer.map_err(BoxError::from)?.map_err(BoxError::from)
        }
    });
    let gone = tokio::spawn(async move { first.drain(Duration::from_secs(2)).await });
    let transcript = Simulator::new(account)
        .text("think!")
        .deliver(balancer)
        .await;
    gone.await.unwrap();
    assert_eq!(transcript.deliveries().len(), 2);
    assert_eq!(transcript.shown().text(), Some("an idea"));
    assert_eq!(*runs.lock().unwrap(), ["A", "B"]);
}
