//! Replies that wait for the user's next message, as the user sees them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::sleep;
use tower::{ServiceBuilder, util::BoxCloneSyncService};
use tower_wechat::{
    Account, DedupLayer, Message, Reply, VerifySignatureLayer,
    dedup::{Acknowledgement, DedupBuilder, store::MemoryStore},
    late::{NextMessage, mailbox::MemoryMailbox},
    message_fn,
    simulator::{RequestBody, Simulator, USER},
};

#[cfg(feature = "tracing")]
use crate::dedup::faulty::{Faulty, Operation};

const WAIT: &str = "还在想，回复“继续”看结果";
const FAILED: &str = "没有结果";

fn account() -> Account {
    Account::plain("walnut42").unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

type Stack = BoxCloneSyncService<
    http::Request<RequestBody>,
    http::Response<tower_wechat::ResponseBody>,
    std::convert::Infallible,
>;

/// A node of a bot that thinks as many seconds as a text says, and answers with the text and what follows.
#[derive(Clone)]
struct Node {
    stack: Stack,
    dedup: DedupLayer,
    handled: Arc<Mutex<Vec<String>>>,
}

impl Node {
    fn new<Scope>(builder: DedupBuilder<Scope>, next: NextMessage) -> Self {
        let dedup = builder
            .with_fallback(Reply::text(WAIT))
            .unwrap()
            .with_failure_reply(Reply::text(FAILED))
            .unwrap()
            .with_retry_delays([])
            .with_next_message(next)
            .build();
        let handled = Arc::new(Mutex::new(Vec::new()));
        let service = message_fn({
            let handled = Arc::clone(&handled);
            move |message: Message| {
                let handled = Arc::clone(&handled);
                async move {
                    let Message::Text(text) = message else {
                        return Ok(Reply::success());
                    };
                    handled.lock().unwrap().push(text.content.clone());
                    let thinks = text.content.split(' ').next().unwrap().parse();
                    sleep(secs(thinks.unwrap_or(0))).await;
                    if text.content.contains("fail") {
                        return Err("no idea");
                    }
                    if text.content.contains("silent") {
                        return Ok(Reply::success());
                    }
                    Ok(match text.content.split_once("long ") {
                        Some((_, length)) => Reply::text("字".repeat(length.parse().unwrap())),
                        None => Reply::text(format!("re: {}", text.content)),
                    })
                }
            }
        });
        let stack = ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(account()))
            .layer(&dedup)
            .service(service);
        Self {
            stack: BoxCloneSyncService::new(stack),
            dedup,
            handled,
        }
    }

    fn in_memory(next: NextMessage) -> Self {
        Self::new(DedupLayer::builder(), next)
    }

    fn handled(&self) -> Vec<String> {
        self.handled.lock().unwrap().clone()
    }

    async fn tell(&self, wechat: &Simulator, text: &str) {
        let _ = wechat.text(text).deliver(self.stack.clone()).await;
    }
}

fn words() -> NextMessage {
    NextMessage::in_memory().with_words(["继续"]).unwrap()
}

/// Two nodes that share everything.
fn nodes() -> [Node; 2] {
    let (store, mailbox) = (MemoryStore::new(), MemoryMailbox::new());
    [(); 2].map(|()| {
        let next = NextMessage::shared(mailbox.clone()).with_words(["继续"]);
        let builder = DedupLayer::builder().with_store(store.clone());
        Node::new(builder, next.unwrap())
    })
}

fn chat(wechat: &Simulator) -> Vec<String> {
    let chat = wechat.chat(USER);
    chat.shown().iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_the_answer_to_the_next_word() {
    let (bot, wechat) = (Node::in_memory(words()), Simulator::new(account()));
    bot.tell(&wechat, "30").await;
    sleep(secs(20)).await;
    bot.tell(&wechat, " 继续\n").await;
    assert_eq!(chat(&wechat), [WAIT, "re: 30"]);
    assert_eq!(bot.handled(), ["30"]);
    // Nothing is kept any more: the word is a message like any other.
    bot.tell(&wechat, "继续").await;
    assert_eq!(chat(&wechat), [WAIT, "re: 30", "re: 继续"]);
}

#[tokio::test(start_paused = true)]
async fn a_word_waits_for_an_awaited_reply_as_the_question_did() {
    let (bot, wechat) = (Node::in_memory(words()), Simulator::new(account()));
    bot.tell(&wechat, "26").await;
    bot.tell(&wechat, "继续").await;
    assert_eq!(chat(&wechat), [WAIT, "re: 26"]);
    let shown = wechat.chat(USER).shown()[1].at();
    assert!((secs(26)..secs(27)).contains(&shown), "{shown:?}");
    // A reply that takes longer than two messages wait.
    bot.tell(&wechat, "40").await;
    bot.tell(&wechat, "继续").await;
    bot.tell(&wechat, "继续").await;
    assert_eq!(chat(&wechat)[2..], [WAIT, WAIT, "re: 40"]);
    assert_eq!(bot.handled(), ["26", "40"]);
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_message_fetches_and_its_own_reply_queues_behind() {
    let (bot, wechat) = (Node::in_memory(words()), Simulator::new(account()));
    bot.tell(&wechat, "20 first").await;
    sleep(secs(10)).await;
    bot.tell(&wechat, "2 second").await;
    // The order of messages is that of their milliseconds.
    sleep(secs(1)).await;
    bot.tell(&wechat, "1 third").await;
    sleep(secs(1)).await;
    bot.tell(&wechat, "继续").await;
    sleep(secs(10)).await;
    let expected = [WAIT, "re: 20 first", "re: 2 second", "re: 1 third"];
    assert_eq!(chat(&wechat), expected);
    assert_eq!(bot.handled(), ["20 first", "2 second", "1 third"]);
}

#[tokio::test(start_paused = true)]
async fn five_questions_in_a_row_get_five_answers_in_their_order() {
    for nodes in [vec![Node::in_memory(words())], nodes().to_vec()] {
        let wechat = Simulator::new(account());
        let asked = ["20 a", "20 b", "20 c", "20 d", "20 e"];
        let questions = asked.iter().enumerate().map(|(position, text)| {
            let (bot, wechat) = (nodes[position % nodes.len()].clone(), wechat.clone());
            async move {
                sleep(secs(position as u64)).await;
                bot.tell(&wechat, text).await;
            }
        });
        futures_util::future::join_all(questions).await;
        sleep(secs(10)).await;
        for turn in 0..5 {
            nodes[turn % nodes.len()].tell(&wechat, "继续").await;
        }
        let answers: Vec<_> = chat(&wechat)
            .into_iter()
            .filter(|text| text != WAIT)
            .collect();
        assert_eq!(answers, asked.map(|text| format!("re: {text}")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_reply_comes_in_parts() {
    let (bot, wechat) = (Node::in_memory(words()), Simulator::new(account()));
    bot.tell(&wechat, "0 long 1700").await;
    sleep(secs(2)).await;
    bot.tell(&wechat, "继续").await;
    bot.tell(&wechat, "继续").await;
    let shown = chat(&wechat);
    assert_eq!(shown.len(), 3);
    assert!(shown[0].ends_with('…') && shown[1].ends_with('…') && shown[2].ends_with('字'));
    assert_eq!(shown.concat().matches('字').count(), 1700);
    assert!(shown.iter().all(|part| part.len() <= 2047));
}

#[tokio::test(start_paused = true)]
async fn any_node_gives_what_another_has_kept() {
    let ([one, other], wechat) = (nodes(), Simulator::new(account()));
    one.tell(&wechat, "20").await;
    sleep(secs(10)).await;
    other.tell(&wechat, "继续").await;
    assert_eq!(chat(&wechat), [WAIT, "re: 20"]);
    assert_eq!(other.handled(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_waiting_the_placeholder_comes_at_once() {
    let next = words().without_waiting();
    let (bot, wechat) = (Node::in_memory(next), Simulator::new(account()));
    bot.tell(&wechat, "40").await;
    bot.tell(&wechat, "继续").await;
    let shown = wechat.chat(USER).shown()[1].at();
    assert!(shown < secs(15), "{shown:?}");
    bot.tell(&wechat, "1 too").await;
    sleep(secs(30)).await;
    bot.tell(&wechat, "继续").await;
    bot.tell(&wechat, "继续").await;
    assert_eq!(chat(&wechat), [WAIT, WAIT, WAIT, "re: 40", "re: 1 too"]);
}

/// The timelines of the guide.
#[tokio::test(start_paused = true)]
async fn the_chat_stays_one_answer_behind_until_the_word_catches_up() {
    assert_eq!(
        timeline(&[
            (0, "20 tea"),
            (30, "1 coffee"),
            (40, "1 cocoa"),
            (50, "继续"),
            (60, "1 milk"),
        ])
        .await,
        [
            (14, WAIT),
            (30, "re: 20 tea"),
            (40, "re: 1 coffee"),
            (50, "re: 1 cocoa"),
            (61, "re: 1 milk"),
        ]
        .map(|(at, text)| (at, text.to_owned()))
    );
}

#[tokio::test(start_paused = true)]
async fn a_word_that_comes_too_early_waits_for_the_answer() {
    assert_eq!(
        timeline(&[(0, "40"), (16, "继续"), (32, "继续")]).await,
        [(14, WAIT), (30, WAIT), (40, "re: 40")].map(|(at, text)| (at, text.to_owned()))
    );
}

/// What the user sees, and in which second, if they write a text in each of these seconds.
async fn timeline(written: &[(u64, &str)]) -> Vec<(u64, String)> {
    let (bot, wechat) = (Node::in_memory(words()), Simulator::new(account()));
    let start = tokio::time::Instant::now();
    for (at, text) in written {
        tokio::time::sleep_until(start + secs(*at)).await;
        bot.tell(&wechat, text).await;
    }
    let chat = wechat.chat(USER);
    let shown = chat.shown().iter();
    shown
        .map(|shown| (shown.at().as_secs(), shown.to_string()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_bot_may_only_fetch_while_something_is_kept() {
    let next = words().with_fetching_only();
    let (bot, wechat) = (Node::in_memory(next), Simulator::new(account()));
    bot.tell(&wechat, "20").await;
    sleep(secs(10)).await;
    bot.tell(&wechat, "1 dropped").await;
    bot.tell(&wechat, "1 handled").await;
    assert_eq!(chat(&wechat), [WAIT, "re: 20", "re: 1 handled"]);
    assert_eq!(bot.handled(), ["20", "1 handled"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_may_be_acknowledged_on_its_first_delivery() {
    let builder = DedupLayer::builder().with_acknowledgement(Acknowledgement::FirstDelivery);
    let (bot, wechat) = (Node::new(builder, words()), Simulator::new(account()));
    bot.tell(&wechat, "8").await;
    let shown = wechat.chat(USER).shown()[0].at();
    assert!(shown < secs(5), "{shown:?}");
    bot.tell(&wechat, "继续").await;
    assert_eq!(chat(&wechat), [WAIT, "re: 8"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_has_a_text_of_its_own() {
    let (bot, wechat) = (Node::in_memory(words()), Simulator::new(account()));
    bot.tell(&wechat, "20 fail").await;
    sleep(secs(10)).await;
    bot.tell(&wechat, "继续").await;
    assert_eq!(chat(&wechat), [WAIT, FAILED]);
}

#[tokio::test(start_paused = true)]
async fn who_unsubscribes_gets_nothing_that_was_kept_or_still_runs() {
    let (bot, wechat) = (Node::in_memory(words()), Simulator::new(account()));
    bot.tell(&wechat, "20 kept").await;
    sleep(secs(10)).await;
    bot.tell(&wechat, "0 hi").await;
    // "hi" is kept, and this one runs.
    let slow = bot.tell(&wechat, "60 runs");
    tokio::join!(slow, async {
        sleep(secs(1)).await;
        let unsubscribe = wechat.event("unsubscribe");
        let _ = unsubscribe.deliver(bot.stack.clone()).await;
    });
    sleep(secs(60)).await;
    let seen = chat(&wechat).len();
    bot.tell(&wechat, "继续").await;
    assert_eq!(chat(&wechat)[seen..], ["re: 继续"]);
}

/// The runs never meet: each user gets the own answers.
#[tokio::test(start_paused = true)]
async fn users_do_not_get_each_others_replies() {
    let (bot, wechat) = (Node::in_memory(words()), Simulator::new(account()));
    for user in ["oAnna", "oBert"] {
        let push = wechat.text(format!("20 {user}")).from_user(user);
        let _ = push.deliver(bot.stack.clone()).await;
    }
    sleep(secs(10)).await;
    for user in ["oBert", "oAnna"] {
        let _ = wechat
            .text("继续")
            .from_user(user)
            .deliver(bot.stack.clone())
            .await;
        let shown = wechat.chat(user).shown()[1].to_string();
        assert_eq!(shown, format!("re: 20 {user}"));
    }
}

/// WeChat's retries of the message that fetches get the same part.
#[tokio::test(start_paused = true)]
async fn a_part_is_shown_once_however_often_its_message_comes() {
    for nodes in [vec![Node::in_memory(words())], nodes().to_vec()] {
        let wechat = Simulator::new(account());
        nodes[0].tell(&wechat, "20 long 1300").await;
        sleep(secs(10)).await;
        let last = nodes.len() - 1;
        let fetch = wechat.text("继续").lose_answers(1);
        let _ = fetch.deliver(nodes[last].stack.clone()).await;
        nodes[0].tell(&wechat, "继续").await;
        let shown = chat(&wechat);
        assert_eq!(shown.len(), 3, "{shown:?}");
        assert_eq!(shown.concat().matches('字').count(), 1300);
    }
}

/// The node that runs the question is lost. Another one has acknowledged it.
#[tokio::test(start_paused = true)]
async fn a_lost_node_ends_in_another_run_or_in_the_failure_reply() {
    let ([one, other], wechat) = (nodes(), Simulator::new(account()));
    one.tell(&wechat, "60").await;
    one.dedup.drain(Duration::ZERO).await;
    other.tell(&wechat, "继续").await;
    other.tell(&wechat, "继续").await;
    let answers: Vec<_> = chat(&wechat)
        .into_iter()
        .filter(|text| text != WAIT)
        .collect();
    assert_eq!(answers, [FAILED, "re: 继续"]);
}

/// The one error is of the message that its node has lost.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_later_is_no_warning() {
    let log = crate::log::of(async || {
        let ([one, other], wechat) = (nodes(), Simulator::new(account()));
        one.tell(&wechat, "20").await;
        sleep(secs(10)).await;
        other.tell(&wechat, "继续").await;
        one.tell(&wechat, "60").await;
        one.dedup.drain(Duration::ZERO).await;
        other.tell(&wechat, "继续").await;
        assert_eq!(chat(&wechat), [WAIT, "re: 20", WAIT, FAILED]);
    })
    .await;
    let warnings = crate::log::warnings(&log);
    assert!(
        matches!(*warnings, [lost] if lost.contains("reason=\"its message was cut\"")),
        "{warnings:?}"
    );
}

/// A recovery takes longer than the time between two questions.
#[tokio::test(start_paused = true)]
async fn the_failure_reply_comes_in_the_place_of_its_question() {
    let ([one, other], wechat) = (nodes(), Simulator::new(account()));
    let first = async {
        one.tell(&wechat, "60 first").await;
        one.dedup.drain(Duration::ZERO).await;
    };
    let second = async {
        sleep(Duration::from_millis(500)).await;
        other.tell(&wechat, "20 second").await;
    };
    tokio::join!(first, second);
    // The second answer is ready, and the first one is awaited from nobody.
    sleep(secs(10)).await;
    other.tell(&wechat, "继续").await;
    other.tell(&wechat, "继续").await;
    assert_eq!(chat(&wechat), [WAIT, WAIT, FAILED, "re: 20 second"]);
}

/// While a node cannot reach the store, another one takes over the message that recovers the question, and gives it up. The first
/// one has it again before the store has said what became of the question.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_question_that_a_message_recovers_twice_has_one_failure_reply() {
    let (store, mailbox) = (Faulty::new(), MemoryMailbox::new());
    let ways = [(); 3].map(|()| store.beside());
    let [lost, node, other] = ways.each_ref().map(|way| {
        let next = NextMessage::shared(mailbox.clone()).with_words(["继续"]);
        let builder = DedupLayer::builder().with_store(way.clone());
        Node::new(builder, next.unwrap())
    });
    let wechat = Simulator::new(account());
    let log = crate::log::of(async || {
        lost.tell(&wechat, "60").await;
        lost.dedup.drain(Duration::ZERO).await;
        sleep(secs(10)).await;
        let word = wechat.text("继续");
        let first = tokio::spawn(word.clone().deliver(node.stack.clone()));
        sleep(Duration::from_millis(100)).await;
        ways[1].go_away();
        sleep(Duration::from_millis(4_800)).await;
        first.abort();
        let second = tokio::spawn(word.clone().deliver(other.stack.clone()));
        sleep(Duration::from_millis(1_600)).await;
        second.abort();
        other.dedup.drain(Duration::ZERO).await;
        // Both recoveries ask before one of them is answered.
        let tenth = Duration::from_millis(100);
        ways[1].delay(Operation::Claim, Duration::ZERO, tenth);
        ways[1].come_back();
        sleep(secs(3)).await;
        let _ = word.deliver(node.stack.clone()).await;
    })
    .await;
    assert_eq!(chat(&wechat), [WAIT, FAILED]);
    assert_eq!(
        log.matches("lost the lease of a message").count(),
        1,
        "{log}"
    );
    let kept = log.lines().filter(|line| line.contains("way=\"kept\""));
    assert_eq!(kept.count(), 1, "{log}");
}

/// The result of a message that has fetched is awaited as well.
#[tokio::test(start_paused = true)]
async fn a_queued_result_that_is_lost_with_its_node_ends_in_the_failure_reply() {
    for later in [secs(10), secs(120)] {
        let ([one, other], wechat) = (nodes(), Simulator::new(account()));
        one.tell(&wechat, "20 first").await;
        sleep(secs(10)).await;
        one.tell(&wechat, "50 second").await;
        one.dedup.drain(Duration::ZERO).await;
        sleep(later).await;
        other.tell(&wechat, "继续").await;
        assert_eq!(chat(&wechat), [WAIT, "re: 20 first", FAILED], "{later:?}");
    }
}

/// Waiting is no run.
#[tokio::test(start_paused = true)]
async fn a_word_that_waits_holds_no_permit() {
    let builder = DedupLayer::builder().with_max_concurrent_runs(2);
    let (bot, wechat) = (Node::new(builder, words()), Simulator::new(account()));
    bot.tell(&wechat, "50").await;
    let words = (0..3).map(|after| {
        let (bot, wechat) = (bot.clone(), wechat.clone());
        async move {
            sleep(secs(after)).await;
            bot.tell(&wechat, "继续").await;
        }
    });
    let other = async {
        sleep(secs(5)).await;
        let push = wechat.text("0 hi").from_user("oBert");
        let _ = push.deliver(bot.stack.clone()).await;
    };
    tokio::join!(futures_util::future::join_all(words), other);
    assert_eq!(wechat.chat("oBert").shown(), ["re: 0 hi"]);
}

#[test]
fn an_empty_word_is_an_error() {
    for word in ["", " \n"] {
        assert!(NextMessage::in_memory().with_words([word]).is_err());
        let error = NextMessage::in_memory().with_menu_keys([word]).unwrap_err();
        assert!(error.to_string().contains("expected a word"));
    }
}

/// A word that finds nothing after all runs like any message. The messages behind it hold the permits, and wait for it.
#[tokio::test(start_paused = true)]
async fn a_word_that_finds_nothing_and_messages_in_turn_do_not_wait_for_each_other() {
    let builder = DedupLayer::builder().with_max_concurrent_runs(2);
    let node = Node::new(builder.with_runs_in_turn(), words());
    let wechat = Simulator::new(account());
    let mut told = Vec::new();
    for (at, text) in [
        (0, "20 silent"),
        (15_000, "继续"),
        (15_500, "0 b"),
        (16_500, "0 c"),
    ] {
        let (node, wechat) = (node.clone(), wechat.clone());
        told.push(tokio::spawn(async move {
            sleep(Duration::from_millis(at)).await;
            node.tell(&wechat, text).await;
        }));
    }
    sleep(secs(40)).await;
    let mut handled = node.handled();
    handled.sort();
    assert_eq!(handled, ["0 b", "0 c", "20 silent", "继续"]);
    for told in told {
        told.await.unwrap();
    }
}

/// The placeholder is no answer: the mailbox keeps the real one.
#[tokio::test(start_paused = true)]
async fn a_placeholder_that_nobody_gets_takes_the_place_of_no_answer() {
    let node = Node::in_memory(words().without_waiting());
    let wechat = Simulator::new(account());
    node.tell(&wechat, "40 first").await;
    // The placeholder is ready at once, and the client has gone.
    let push = wechat.text("20 second");
    let gone = tokio::time::timeout(Duration::ZERO, push.deliver(node.stack.clone())).await;
    assert!(gone.is_err());
    sleep(secs(60)).await;
    node.tell(&wechat, "继续").await;
    node.tell(&wechat, "继续").await;
    let shown = chat(&wechat);
    assert!(shown.contains(&"re: 20 second".to_owned()), "{shown:?}");
}
