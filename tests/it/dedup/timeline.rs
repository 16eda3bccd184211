//! Whole timelines, as WeChat and the user see them: read them as documentation.

use std::sync::{Arc, Mutex, atomic::AtomicU32};

use tower::ServiceBuilder;
use tower_wechat::{
    Account, Message, Reply, VerifySignatureLayer,
    dedup::store::MemoryStore,
    message_fn,
    simulator::{Shown, Simulator, Transcript},
};

use super::*;

/// When WeChat delivered, in seconds, and what it got.
fn deliveries(transcript: &Transcript) -> Vec<(u64, Option<u16>)> {
    let deliveries = transcript.deliveries().iter();
    deliveries
        .map(|delivery| {
            let status = delivery.status().map(|status| status.as_u16());
            (delivery.at().as_secs(), status)
        })
        .collect()
}

/// A bot that thinks for so many seconds, in this run and the next ones; `None` is a failure.
async fn tell(thinks: &[Option<u64>]) -> (Transcript, u32, Vec<String>) {
    let account = Account::plain("rosebud7").unwrap();
    let runs = Arc::new(AtomicU32::new(0));
    let late = Arc::new(Mutex::new(Vec::new()));
    let bot = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account.clone()))
        .layer(DedupLayer::in_memory().with_late_reply({
            let late = Arc::clone(&late);
            move |reply| {
                let cause = format!("{:?} for {:?}", reply.cause(), reply.openid().unwrap());
                late.lock().unwrap().push(cause);
                std::future::ready(())
            }
        }))
        .service(message_fn({
            let (runs, thinks) = (Arc::clone(&runs), thinks.to_vec());
            move |_: Message| {
                let run = runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed) as usize;
                let thinks = thinks.get(run).copied().unwrap_or_default();
                async move {
                    let seconds = thinks.ok_or("out of ideas")?;
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    Ok::<_, BoxError>(Reply::text("an idea"))
                }
            }
        }));
    let wechat = Simulator::new(account);
    let transcript = wechat.text("think!").from_user("oUser").deliver(bot).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    let runs = runs.load(std::sync::atomic::Ordering::Relaxed);
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

    // Too slow for all three: the user sees nothing yet, and then what the hook sends.
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
    // The task runs it again after half a second, and after two.
    let (transcript, runs, late) = tell(&[None, None, Some(1)]).await;
    assert_eq!(deliveries(&transcript), [(0, Some(200))]);
    assert_eq!(transcript.shown().text(), Some("an idea"));
    assert_eq!((runs, late), (3, vec![]));

    // Three times is enough: acknowledged, no fault in the user's chat.
    let (transcript, runs, late) = tell(&[None, None, None]).await;
    assert_eq!(deliveries(&transcript), [(0, Some(200))]);
    assert_eq!(transcript.shown(), &Shown::Nothing);
    assert_eq!((runs, late), (3, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_node_lost() {
    let account = Account::plain("rosebud7").unwrap();
    let store = MemoryStore::new();
    let runs = Arc::new(Mutex::new(Vec::new()));
    // Each node has a layer of its own; they share the store. The first one is gone after 2 s.
    let first = DedupLayer::with_store(store.clone());
    let second = DedupLayer::with_store(store);
    let node = |name: &'static str, layer: &DedupLayer<MemoryStore>| {
        let runs = Arc::clone(&runs);
        let handler = move |_: Message| {
            runs.lock().unwrap().push(name);
            async {
                tokio::time::sleep(Duration::from_secs(3)).await;
                Ok::<_, BoxError>(Reply::text("an idea"))
            }
        };
        ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(account.clone()))
            .layer(layer.clone())
            .service(message_fn(handler))
    };
    let (a, b) = (node("A", &first), node("B", &second));
    let deliveries_so_far = Arc::new(AtomicU32::new(0));
    let balancer = service_fn(move |request: Request<Full<Bytes>>| {
        let delivery = deliveries_so_far.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (a, b) = (a.clone(), b.clone());
        async move {
            if delivery > 0 {
                return b.oneshot(request).await.map_err(BoxError::from);
            }
            // The connection breaks off with the node, which gives up what it had claimed.
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
