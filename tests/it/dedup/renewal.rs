//! How long the lease of a running message is renewed.

use super::{
    faulty::{Faulty, Operation},
    nodes::pass,
    *,
};

/// Renewing ends with the run, not with the store's answer that the message is over.
#[tokio::test(start_paused = true)]
async fn a_message_is_renewed_every_second_of_its_run_and_not_after_it() {
    let store = Faulty::new();
    let (stack, mut runs) = stack(&DedupLayer::shared(store.clone()));
    let delivery = stack.deliver(&text("user", "1", "hi")).await;
    let (_, verdict) = runs.next().await;
    pass(2_500).await;
    assert_eq!(store.calls(Operation::Renew), 2);
    verdict.send(Ok(ok("reply"))).unwrap();
    check(&delivery.await.unwrap(), 200, "reply");
    pass(5_000).await;
    assert_eq!(store.calls(Operation::Renew), 2);
}
