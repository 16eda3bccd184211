//! A user who sends many messages and hangs up leaves no task behind.

use tokio::{runtime::Handle, time::sleep};
use tower_wechat::{
    Message, Reply,
    dedup::{Acknowledgement, DedupBuilder},
    late::NextMessage,
    message_fn,
};

use super::*;

/// A bot that thinks for as many seconds as a text says.
fn bot(builder: DedupBuilder) -> impl Delivers {
    builder
        .with_retry_delays([])
        .build()
        .layer(message_fn(|message: Message| async move {
            let Message::Text(text) = message else {
                return Reply::success();
            };
            let thinks = text.content.parse().unwrap_or(0);
            sleep(Duration::from_secs(thinks)).await;
            Reply::text("thought")
        }))
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Its first answer is still awaited. Nobody waits for the other ones: each client is gone at once.
#[tokio::test(start_paused = true)]
async fn messages_whose_clients_are_gone_wait_for_no_earlier_answer() {
    for (text_of_each, next) in [
        (
            "继续",
            NextMessage::in_memory().with_words(["继续"]).unwrap(),
        ),
        ("0", NextMessage::in_memory()),
        ("0", NextMessage::in_memory().with_fetching_only()),
    ] {
        let builder = DedupLayer::builder().with_acknowledgement(Acknowledgement::FirstDelivery);
        let bot = bot(builder.with_next_message(next));
        let first = bot.start(&text("user", "0", "50"));
        first.await.unwrap();
        let before = tasks();
        for number in 1..=200 {
            let delivery = bot
                .deliver(&text("user", &number.to_string(), text_of_each))
                .await;
            delivery.abort();
        }
        // WeChat makes no further delivery of them.
        sleep(Duration::from_secs(25)).await;
        assert!(
            tasks() <= before + 10,
            "{} tasks for {text_of_each}",
            tasks()
        );
        sleep(Duration::from_secs(100)).await;
        assert_eq!(tasks(), 0, "{text_of_each}");
    }
}
