//! A smart bot of WeCom behind the layers, as its members see it: the simulator plays WeCom's polling. The paused clock makes minutes
//! free.

mod nodes;
mod wrong;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use http::{Request, Response};
use serde::Serialize;
use tokio::time::sleep;
use tower::{Service, ServiceBuilder};
use tower_wechat::{
    Account, DedupLayer, Reply, ResponseBody, Verified, VerifySignatureLayer,
    dedup::store::MemoryStore,
    handler::{Partial, stream_fn},
    late::{NextMessage, ResponseUrl},
    message::smart_bot::{BotContent, BotEvent, BotMessage},
    message_fn,
    simulator::{
        ApiCall, ApiFailure, DeliveryRecord, Push, Shown, Simulator, Transcript, USER, Way,
    },
};

use crate::late::{Bot, Collected};

const TOKEN: &str = "walnut42";
const KEY: &str = "kWxPzR4mNq7vTc2Lb9HsYf0Jd3Ua6Ge8Xi5Oo1Zt4Qw";

fn account() -> Account {
    Account::smart_bot(TOKEN, KEY).unwrap().with_name("bot")
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_000)
}

fn wecom() -> Simulator {
    Simulator::new(account()).with_clock(now)
}

fn stack<S>(dedup: &DedupLayer, handler: S) -> impl Bot + use<S>
where
    S: Service<
            Request<Verified>,
            Response = Response<ResponseBody>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static,
{
    ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account()).with_clock(now))
        .layer(dedup.clone())
        .service(handler)
}

/// A bot that answers everything with `reply`, `after` seconds.
fn answering<R: Into<Reply>>(dedup: &DedupLayer, after: u64, reply: R) -> impl Bot + use<R> {
    let reply = reply.into();
    let answer = move |_: BotMessage| {
        let reply = reply.clone();
        async move {
            sleep(secs(after)).await;
            reply
        }
    };
    stack(dedup, message_fn(answer))
}

/// A bot that writes a word each second, and returns what `end` makes of them.
fn counting(
    dedup: &DedupLayer,
    words: u64,
    end: impl Fn(&Partial) -> Reply + Clone + Send + Sync + 'static,
) -> impl Bot {
    let count = move |_: BotMessage, partial: Partial| {
        let end = end.clone();
        async move {
            for number in 1..=words {
                partial.push(format!("{number} "));
                sleep(secs(1)).await;
            }
            end(&partial)
        }
    };
    stack(dedup, stream_fn(count))
}

#[derive(Serialize)]
struct Card {
    card_type: &'static str,
    task_id: u32,
}

fn card() -> Reply {
    Reply::template_card(&Card {
        card_type: "text_notice",
        task_id: 7,
    })
}

fn shown(wecom: &Simulator) -> Vec<String> {
    let chat = wecom.chat(USER);
    chat.shown().iter().map(ToString::to_string).collect()
}

fn fields(transcript: &Transcript) -> &tower_wechat::xml::Value {
    match transcript.shown() {
        Shown::Reply(reply) => reply.fields(),
        other => panic!("{other:?}: {transcript}"),
    }
}

/// Delivers a push to a slow bot. WeCom gets its stream, and does not poll it.
async fn unpolled(push: Push, bot: impl Bot) {
    let delivered = tokio::time::timeout(Duration::from_millis(1500), push.deliver(bot)).await;
    assert!(delivered.is_err(), "{delivered:?}");
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn the_url_is_verified() {
    let bot = answering(&DedupLayer::in_memory(), 0, "hi");
    assert_eq!(wecom().verify_url(bot).await.fault(), None);
}

#[tokio::test(start_paused = true)]
async fn a_quick_reply_is_a_finished_stream() {
    let wecom = wecom();
    let bot = answering(&DedupLayer::in_memory(), 0, "潮水六点");
    let transcript = wecom.text("几点？").deliver(bot).await;
    assert_eq!(transcript, "潮水六点");
    assert_eq!(transcript.deliveries().len(), 1, "{transcript}");
    assert_eq!(
        fields(&transcript)["stream"]["finish"].as_bool(),
        Some(true)
    );
    assert_eq!(shown(&wecom), ["潮水六点"]);
}

/// The polls show the text as it grows, and reach no handler.
#[tokio::test(start_paused = true)]
async fn polls_show_what_the_handler_has_written() {
    let (wecom, runs) = (wecom(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&runs);
    let count = move |_: BotMessage, partial: Partial| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            for _ in 0..20 {
                // More than the padding of an answer.
                partial.push("涨潮落潮。".repeat(3));
                sleep(secs(1)).await;
            }
            "all of them"
        }
    };
    let bot = stack(&DedupLayer::in_memory(), stream_fn(count));
    let polled = Arc::new(Mutex::new(Vec::new()));
    let transcript = wecom.text("count").deliver(recording(bot, &polled)).await;
    assert_eq!(transcript, "all of them");
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    let polls = transcript.deliveries();
    // The answer comes after a second, and then one poll a second.
    assert_eq!(polls[0].took(), secs(1), "{transcript}");
    assert_eq!(polls[0].outcome(), Some("acknowledged"));
    assert!((18..22).contains(&polls.len()), "{transcript}");
    assert!(
        polls[1..]
            .iter()
            .all(|poll| poll.outcome() == Some("polled")),
        "{transcript}"
    );
    let polled = polled.lock().unwrap();
    let grow = polled
        .windows(2)
        .filter(|pair| pair[1].len() > pair[0].len())
        .count();
    assert!(grow > 15, "{polled:?}");
}

/// Keeps the length of each answer. The texts are sealed, but grow with what is in them.
fn recording(bot: impl Bot, answers: &Arc<Mutex<Vec<bytes::Bytes>>>) -> impl Bot {
    let answers = Arc::clone(answers);
    tower::ServiceExt::map_response(bot, move |response: Response<ResponseBody>| {
        answers.lock().unwrap().push(response.body().to_bytes());
        response
    })
}

/// The text that the handler has written is its reply if it returns none, whenever it returns.
#[tokio::test(start_paused = true)]
async fn what_was_written_is_the_reply() {
    for words in [0, 3] {
        let dedup = DedupLayer::in_memory();
        let bot = counting(&dedup, words, |partial| {
            partial.push("end");
            Reply::success()
        });
        let transcript = wecom().text("count").deliver(bot).await;
        let expected = if words == 0 { "end" } else { "1 2 3 end" };
        assert_eq!(transcript, expected);
    }
}

/// A handler that knows of no streams has one all the same.
#[tokio::test(start_paused = true)]
async fn a_slow_reply_ends_the_stream() {
    for after in [2, 30, 59] {
        let wecom = wecom();
        let bot = answering(&DedupLayer::in_memory(), after, "done");
        let transcript = wecom.voice("m").recognition("几点").deliver(bot).await;
        assert_eq!(transcript, "done");
        assert_eq!(
            fields(&transcript)["stream"]["finish"].as_bool(),
            Some(true)
        );
        let (at, polls) = (
            wecom.chat(USER).shown()[0].at(),
            transcript.deliveries().len(),
        );
        assert!(at >= secs(after) && at <= secs(after + 2), "{transcript}");
        assert!(polls > usize::try_from(after).unwrap() - 2, "{transcript}");
    }
}

/// After six minutes WeCom does not poll any more, and the reply goes to the `response_url`.
#[tokio::test(start_paused = true)]
async fn after_six_minutes_the_reply_goes_to_the_response_url() {
    let wecom = wecom();
    let dedup = DedupLayer::builder()
        .with_run_timeout(secs(1000))
        .with_late_replies(ResponseUrl::new(wecom.api()))
        .build();
    let bot = counting(&dedup, 400, |_| Reply::text("**at last**"));
    let transcript = wecom.text("slow").deliver(bot).await;
    let polls = transcript.deliveries();
    let last = polls.last().unwrap();
    assert!(last.at() < secs(360) && last.at() >= secs(357), "{last}");
    let text = transcript.shown().text().unwrap();
    assert!(text.ends_with(" 359 ") || text.ends_with(" 360 "), "{text}");
    dedup.drain(secs(1000)).await;
    let chat = wecom.chat(USER);
    let message = chat.shown().last().unwrap();
    assert_eq!(
        (message.to_string().as_str(), message.way()),
        ("**at last**", Way::ResponseUrl)
    );
}

/// Without a poll, the reply waits 15 seconds for one.
#[tokio::test(start_paused = true)]
async fn a_reply_that_no_poll_fetches_goes_to_the_response_url() {
    for reply in [Reply::text("done"), card()] {
        let wecom = wecom();
        let dedup = DedupLayer::builder()
            .with_late_replies(ResponseUrl::new(wecom.api()))
            .build();
        unpolled(wecom.text("hi"), answering(&dedup, 5, reply.clone())).await;
        sleep(secs(18)).await;
        assert_eq!(wecom.chat(USER).shown().len(), 0);
        sleep(secs(5)).await;
        let expected = reply.as_text().unwrap_or("[template_card]");
        assert_eq!(shown(&wecom), [expected]);
        dedup.drain(secs(1)).await;
    }
}

/// A drain does not wait for a poll.
#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_posts_the_reply_at_once() {
    let wecom = wecom();
    let dedup = DedupLayer::builder()
        .with_late_replies(ResponseUrl::new(wecom.api()))
        .build();
    unpolled(wecom.text("hi"), answering(&dedup, 5, "done")).await;
    dedup.drain(secs(6)).await;
    assert_eq!(shown(&wecom), ["done"]);
}

#[tokio::test(start_paused = true)]
async fn a_url_that_has_ended_leaves_the_reply_to_the_next_sink() {
    for failure in [
        ApiFailure::Errcode(40_058),
        ApiFailure::Status(http::StatusCode::BAD_GATEWAY),
    ] {
        let (wecom, left) = (wecom(), Collected::default());
        wecom.api().fail_always(ApiCall::Respond, failure);
        let dedup = DedupLayer::builder()
            .with_late_replies(ResponseUrl::new(wecom.api()))
            .with_late_replies(left.sink())
            .build();
        unpolled(wecom.text("hi"), answering(&dedup, 5, "done")).await;
        dedup.drain(secs(100)).await;
        // After a bad gateway, WeCom may have shown the message.
        let expected = match failure {
            ApiFailure::Errcode(_) => vec![Some(Reply::text("done"))],
            _ => Vec::new(),
        };
        assert_eq!(left.replies(), expected);
    }
}

/// WeCom takes one message. The rest is the next sink's.
#[tokio::test(start_paused = true)]
async fn a_long_reply_is_a_stream_and_what_the_sinks_send() {
    let story = "涨潮落潮。\n".repeat(3000);
    assert!(story.len() > 2 * 20_480);
    for after in [0, 10] {
        let (wecom, left) = (wecom(), Collected::default());
        let dedup = DedupLayer::builder()
            .with_late_replies(ResponseUrl::new(wecom.api()))
            .with_late_replies(left.sink())
            .build();
        let bot = answering(&dedup, after, story.as_str());
        let transcript = wecom.text("tell").deliver(bot).await;
        dedup.drain(secs(100)).await;
        let texts = shown(&wecom);
        assert_eq!(texts.len(), 2, "{transcript}");
        assert!(texts[0].len() <= 20_480 && texts[0].ends_with('…'));
        let left = left.replies();
        let rest = left[0].as_ref().and_then(Reply::as_text).unwrap();
        let joined = [texts[0].trim_end_matches('…'), &texts[1], rest].concat();
        assert_eq!(joined.replace('\n', ""), story.replace('\n', ""));
    }
}

#[tokio::test(start_paused = true)]
async fn cards_and_welcomes_have_their_forms() {
    let bot = |reply: Reply| answering(&DedupLayer::in_memory(), 0, reply);
    let wecom = wecom();
    let greeted = wecom.event("enter_chat").deliver(bot("hello".into())).await;
    assert_eq!(greeted, "hello");
    assert_eq!(fields(&greeted)["msgtype"].as_str(), Some("text"));
    for push in [wecom.event("enter_chat"), wecom.text("a")] {
        let transcript = push.deliver(bot(card())).await;
        let fields = fields(&transcript);
        assert_eq!(fields["msgtype"].as_str(), Some("template_card"));
        assert_eq!(fields["template_card"]["task_id"].as_str(), Some("7"));
    }
    let tap = || wecom.event("template_card_event").field("event_key", "yes");
    let tapped = tap().deliver(bot(card())).await;
    assert_eq!(
        fields(&tapped)["response_type"].as_str(),
        Some("update_template_card")
    );
    for after in [0, 3] {
        let both = answering(
            &DedupLayer::in_memory(),
            after,
            Reply::text("look").then(card()),
        );
        let both = wecom.text("a").deliver(both).await;
        assert_eq!(both, "look");
        assert_eq!(
            fields(&both)["msgtype"].as_str(),
            Some("stream_with_template_card")
        );
        assert_eq!(fields(&both)["stream"]["finish"].as_bool(), Some(true));
    }
    // What a bot cannot say is acknowledged, and the reason is in the log.
    for (push, reply) in [
        (wecom.text("a"), Reply::image("m")),
        (wecom.text("a"), Reply::update_button("m")),
        (tap(), Reply::text("a")),
        (wecom.event("feedback_event"), Reply::text("a")),
    ] {
        let transcript = push.deliver(bot(reply)).await;
        assert_eq!(transcript, "");
        assert_eq!(transcript.deliveries()[0].status().unwrap(), 200);
        let reason = transcript.deliveries()[0].reason().unwrap();
        assert!(reason.contains("smart bot"), "{reason}");
    }
}

/// A tap on a card is sent once, so it is never left to hang.
#[tokio::test(start_paused = true)]
async fn a_slow_event_is_acknowledged_on_its_first_delivery() {
    let wecom = wecom();
    let dedup = DedupLayer::builder()
        .with_late_replies(ResponseUrl::new(wecom.api()))
        .build();
    let bot = answering(&dedup, 10, "done");
    let transcript = wecom.event("template_card_event").deliver(bot).await;
    assert_eq!(transcript.deliveries().len(), 1, "{transcript}");
    dedup.drain(secs(100)).await;
    // The log has an error for the text: it would answer a tap. But it is late, and the URL takes it.
    assert_eq!(shown(&wecom), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_run_is_repeated_and_its_stream_begins_anew() {
    let runs = Arc::new(AtomicUsize::new(0));
    let bot = |dedup: &DedupLayer, failures: usize| {
        let runs = Arc::clone(&runs);
        runs.store(0, Ordering::Relaxed);
        let answer = move |_: BotMessage, partial: Partial| {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            async move {
                partial.push(format!("run {run}"));
                sleep(secs(3)).await;
                if run < failures {
                    Err("broken")
                } else {
                    Ok(())
                }
            }
        };
        stack(dedup, stream_fn(answer))
    };
    let dedup = DedupLayer::builder()
        .with_failure_reply(Reply::text("sorry"))
        .unwrap()
        .build();
    let transcript = wecom().text("a").deliver(bot(&dedup, 1)).await;
    assert_eq!(transcript, "run 1");
    let transcript = wecom().text("a").deliver(bot(&dedup, 3)).await;
    assert_eq!(transcript, "sorry");
    // Without such a reply, the stream ends all the same.
    let transcript = wecom()
        .text("a")
        .deliver(bot(&DedupLayer::in_memory(), 3))
        .await;
    assert_eq!(transcript, "run 2");
    assert_eq!(
        fields(&transcript)["stream"]["finish"].as_bool(),
        Some(true)
    );
}

/// A retry has the id of its message, and so has a duplicate.
#[tokio::test(start_paused = true)]
async fn a_message_runs_once_however_often_it_comes() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let bot = counting(&DedupLayer::in_memory(), 5, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Reply::text("once")
    });
    let wecom = wecom();
    let transcript = wecom
        .text("a")
        .duplicate()
        .lose_answers(1)
        .deliver(bot.clone())
        .await;
    assert_eq!(transcript, "once");
    assert_eq!(runs.load(Ordering::Relaxed), 1, "{transcript}");
    // The same id in another chat, or of an event with other fields, is another message.
    for push in [
        wecom.text("a"),
        wecom.text("a").in_chat("c1"),
        wecom.text("a").in_chat("c2"),
    ] {
        let _ = push.msg_id("same").deliver(bot.clone()).await;
    }
    assert_eq!(runs.load(Ordering::Relaxed), 4);
    let event = wecom.event("enter_chat").msg_id("e");
    let _ = event.clone().deliver(bot.clone()).await;
    let _ = event.field("later", 1).deliver(bot).await;
    // The events were acknowledged before their runs had ended.
    sleep(secs(5)).await;
    assert_eq!(runs.load(Ordering::Relaxed), 5);
}

/// What one member has waiting in a chat is not shown in another.
#[tokio::test(start_paused = true)]
async fn a_late_reply_waits_in_its_own_chat() {
    let wecom = wecom();
    let next = NextMessage::in_memory().with_words(["more"]).unwrap();
    let dedup = DedupLayer::builder().with_next_message(next).build();
    let bot = stack(
        &dedup,
        message_fn(|message: BotMessage| async move {
            let words = message.content.text().unwrap_or_default().to_owned();
            if words == "slow" {
                sleep(secs(10)).await;
            }
            format!("to {words}")
        }),
    );
    unpolled(wecom.text("slow").in_chat("harbour"), bot.clone()).await;
    sleep(secs(60)).await;
    assert_eq!(wecom.text("more").deliver(bot.clone()).await, "to more");
    assert_eq!(
        wecom
            .text("more")
            .in_chat("pier")
            .deliver(bot.clone())
            .await,
        "to more"
    );
    assert_eq!(
        wecom.text("more").in_chat("harbour").deliver(bot).await,
        "to slow"
    );
}

/// A second question has its own stream, and does not wait for the first.
#[tokio::test(start_paused = true)]
async fn several_streams_are_open_at_once() {
    let (wecom, dedup) = (wecom(), DedupLayer::in_memory());
    let bot = stack(
        &dedup,
        message_fn(|message: BotMessage| async move {
            let words = message.content.text().unwrap_or_default().to_owned();
            sleep(secs(words.len() as u64)).await;
            words
        }),
    );
    let [slow, quick] = [8, 4].map(|length| wecom.text("x".repeat(length)).deliver(bot.clone()));
    let (slow, quick) = tokio::join!(slow, quick);
    assert_eq!(slow, "xxxxxxxx");
    assert_eq!(quick, "xxxx");
}

/// No user's stream has the text of another one, even if WeCom repeats an id.
#[tokio::test(start_paused = true)]
async fn messages_of_two_users_with_one_id_have_two_streams() {
    let (wecom, dedup) = (wecom(), DedupLayer::in_memory());
    let bot = stack(
        &dedup,
        message_fn(|message: BotMessage| async move {
            sleep(secs(5)).await;
            message.content.text().unwrap_or_default().to_owned()
        }),
    );
    let [mei, bob] = ["mei", "bob"].map(|user| {
        let push = wecom.text(user).from_user(user).msg_id("same");
        push.deliver(bot.clone())
    });
    let (mei, bob) = tokio::join!(mei, bob);
    assert_eq!(mei, "mei");
    assert_eq!(bob, "bob");
}

/// A message that is answered at once leaves no room for a stream taken.
#[tokio::test(start_paused = true)]
async fn quick_messages_leave_room_for_streams() {
    let (wecom, dedup) = (wecom(), DedupLayer::in_memory());
    let bot = stack(
        &dedup,
        message_fn(|message: BotMessage| async move {
            if message.content.text() == Some("slow") {
                sleep(secs(5)).await;
            }
            "done"
        }),
    );
    for _ in 0..4100 {
        assert_eq!(wecom.text("quick").deliver(bot.clone()).await, "done");
    }
    assert_eq!(wecom.text("slow").deliver(bot).await, "done");
}

/// Runs that end with their delivery have no stream.
#[tokio::test(start_paused = true)]
async fn inline_runs_are_acknowledged() {
    let store = MemoryStore::new();
    let dedup = DedupLayer::builder()
        .with_store(store)
        .with_inline_runs()
        .build();
    let transcript = wecom()
        .text("a")
        .deliver(answering(&dedup, 3, "quick"))
        .await;
    assert_eq!(transcript, "quick");
    assert_eq!(transcript.deliveries().len(), 1, "{transcript}");
}

#[test]
fn a_partial_text_is_bounded() {
    let partial = Partial::new();
    partial.push("潮".repeat(30_000));
    assert!(partial.text().len() <= 64 * 1024 && partial.text().len() > 64 * 1024 - 3);
    partial.push("a".repeat(5));
    assert_eq!(partial.text().len(), 64 * 1024);
    partial.set("b");
    assert_eq!(partial.text(), "b");
    assert_eq!(format!("{partial:?}"), "Partial { len: 1, .. }");
}

/// What a stream shows is cut to what it can show.
#[tokio::test(start_paused = true)]
async fn a_long_partial_text_is_shown_as_far_as_it_fits() {
    let bot = stack(
        &DedupLayer::in_memory(),
        stream_fn(|_: BotMessage, partial: Partial| async move {
            partial.push("潮".repeat(10_000));
            sleep(secs(5)).await;
            "short"
        }),
    );
    let transcript = wecom().text("a").deliver(bot).await;
    assert_eq!(transcript, "short");
    assert!(
        transcript
            .deliveries()
            .iter()
            .all(|poll| poll.fault().is_none()),
        "{transcript}"
    );
}

/// The function is the same for every account.
#[tokio::test(start_paused = true)]
async fn a_stream_function_answers_an_official_account() {
    let account = Account::plain(TOKEN).unwrap();
    let bot = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(account.clone()))
        .layer(DedupLayer::in_memory())
        .service(stream_fn(
            |_: tower_wechat::Message, partial: Partial| async move {
                partial.push("hi ");
                partial.push("there");
            },
        ));
    assert_eq!(
        Simulator::new(account).text("a").deliver(bot).await,
        "hi there"
    );
}

#[tokio::test(start_paused = true)]
async fn feedback_and_taps_arrive_typed() {
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let noted = Arc::clone(&seen);
    let bot = stack(
        &DedupLayer::in_memory(),
        message_fn(move |message: BotMessage| {
            let BotContent::Event(event) = message.content else {
                panic!("an event")
            };
            let key = match event {
                BotEvent::TemplateCard(card) => card.event_key.unwrap(),
                BotEvent::Feedback(feedback) => feedback.content.unwrap(),
                _ => "enter".to_owned(),
            };
            noted.lock().unwrap().insert(key, message.user_id);
            async {}
        }),
    );
    let wecom = wecom();
    let _ = wecom
        .event("template_card_event")
        .field("event_key", "k")
        .deliver(bot.clone())
        .await;
    let _ = wecom
        .event("feedback_event")
        .field("content", "more")
        .deliver(bot.clone())
        .await;
    let _ = wecom
        .event("enter_chat")
        .from_user("mei")
        .deliver(bot)
        .await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["enter", "k", "more"]);
    assert_eq!(seen["enter"].as_deref(), Some("mei"));
}
