//! What the simulator lets go wrong on request, against the finished stack.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Service, ServiceBuilder, service_fn};
use tower_wechat::{
    Account, DedupLayer, Message, ResponseBody, VerifySignatureLayer,
    message::Event,
    message_fn,
    simulator::{Fault, FaultKind, Part, Push, RequestBody, Shown, Simulator, Transcript},
    xml,
};

const KEY: &str = "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb";

fn plain() -> Account {
    Account::plain("rosebud7").unwrap()
}

fn encrypted() -> Account {
    Account::encrypted("rosebud7", "wx0a1b", KEY).unwrap()
}

/// A bot that thinks for a second, and how often it did.
struct Bot {
    account: Account,
    runs: Arc<AtomicUsize>,
}

impl Bot {
    fn new(account: Account) -> Self {
        let runs = Arc::default();
        Self { account, runs }
    }

    fn wechat(&self) -> Simulator {
        Simulator::new(self.account.clone())
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    async fn hears(&self, push: Push) -> Transcript {
        push.deliver(self.stack()).await
    }

    fn stack(
        &self,
    ) -> impl Service<Request<RequestBody>, Response = Response<ResponseBody>, Error = Infallible> + use<>
    {
        let runs = Arc::clone(&self.runs);
        ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(self.account.clone()))
            .layer(DedupLayer::in_memory())
            .service(message_fn(move |_: Message| {
                runs.fetch_add(1, Ordering::Relaxed);
                async {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    "heard"
                }
            }))
    }
}

/// When each delivery was sent and how it ended, in milliseconds; what the user sees.
#[track_caller]
fn check(
    transcript: &Transcript,
    deliveries: &[(u64, u64, Option<FaultKind>)],
    shown: Option<&str>,
) {
    let found: Vec<_> = transcript
        .deliveries()
        .iter()
        .map(|it| {
            let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap();
            (
                millis(it.at()),
                millis(it.took()),
                it.fault().map(Fault::kind),
            )
        })
        .collect();
    assert_eq!(found, deliveries, "{transcript}");
    assert_eq!(transcript.shown().text(), shown, "{transcript}");
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_answered_like_its_original() {
    let bot = Bot::new(plain());
    let transcript = bot.hears(bot.wechat().text("hi").duplicate()).await;
    check(
        &transcript,
        &[(0, 1000, None), (0, 1000, None)],
        Some("heard"),
    );
    assert_eq!(bot.runs(), 1);
}

/// The service takes one request at a time: the copy waits for its turn, and not the original for the copy.
#[tokio::test(start_paused = true)]
async fn a_duplicate_waits_for_a_service_that_is_not_ready() {
    let bot = Bot::new(plain());
    let one = ServiceBuilder::new()
        .concurrency_limit(1)
        .service(bot.stack());
    let transcript = bot.wechat().text("hi").duplicate().deliver(one).await;
    check(
        &transcript,
        &[(0, 1000, None), (0, 1000, None)],
        Some("heard"),
    );
    assert_eq!(bot.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_delivery_of_a_duplicated_message_has_its_copy() {
    let down = service_fn(|_: Request<RequestBody>| async {
        Ok::<_, Infallible>(
            Response::builder()
                .status(500)
                .body(Full::<Bytes>::default())
                .unwrap(),
        )
    });
    let transcript = Simulator::new(plain())
        .text("hi")
        .duplicate()
        .deliver(down)
        .await;
    let failed = Some(FaultKind::Status);
    let twice = |at| [(at, 0, failed), (at, 0, failed)];
    check(
        &transcript,
        &[twice(0), twice(500), twice(1000)].concat(),
        None,
    );
    assert_eq!(transcript.shown(), &Shown::Fault);
}

#[tokio::test(start_paused = true)]
async fn a_retry_overtakes_the_first_delivery() {
    let bot = Bot::new(encrypted());
    let transcript = bot.hears(bot.wechat().text("hi").reorder()).await;
    let hung_up = Some(FaultKind::HungUp);
    check(
        &transcript,
        &[(0, 5000, hung_up), (5000, 1000, None)],
        Some("heard"),
    );
    assert_eq!(bot.runs(), 1);

    // Both reach the service, and not before WeChat has hung up on the first.
    let start = tokio::time::Instant::now();
    let mut arrivals = Vec::new();
    let log = service_fn(|_: Request<RequestBody>| {
        arrivals.push(start.elapsed().as_secs());
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    });
    let _ = bot.wechat().text("hi").reorder().deliver(log).await;
    assert_eq!(arrivals, [5, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_network_uses_up_wechats_patience() {
    let bot = Bot::new(plain());
    let push = |millis| {
        bot.wechat()
            .text("hi")
            .latency(Duration::from_millis(millis))
    };
    check(
        &bot.hears(push(1900)).await,
        &[(0, 4800, None)],
        Some("heard"),
    );
    // The reply is kept, and comes half a second too late for the retry as well.
    let hung_up = Some(FaultKind::HungUp);
    let deliveries = [
        (0, 5000, hung_up),
        (5000, 5000, hung_up),
        (10_000, 5000, hung_up),
    ];
    check(&bot.hears(push(2600)).await, &deliveries, None);
    assert_eq!(bot.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_in_is_waited_for() {
    let bot = Bot::new(encrypted());
    let push = || bot.wechat().text("hi");
    let in_time = push().deliver_slowly(Duration::from_millis(1600), bot.stack());
    check(&in_time.await, &[(0, 2600, None)], Some("heard"));

    let late = push()
        .deliver_slowly(Duration::from_millis(2400), bot.stack())
        .await;
    let statuses: Vec<_> = late
        .deliveries()
        .iter()
        .map(|it| it.status().unwrap().as_u16())
        .collect();
    assert_eq!((statuses, late.shown()), (vec![408; 3], &Shown::Fault));
    assert_eq!(bot.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_tampered_request_is_rejected() {
    let bot = Bot::new(encrypted());
    let push = || bot.wechat().text("hi");
    for (push, status) in [
        (push().forge_signature(), 403),
        (push().tamper(Part::Timestamp), 403),
        (push().tamper(Part::Nonce), 403),
        (push().tamper(Part::Body), 403),
        (push().downgrade(), 400),
    ] {
        let transcript = bot.hears(push).await;
        let found = transcript.deliveries()[0].status().unwrap().as_u16();
        assert_eq!(
            (found, transcript.deliveries().len()),
            (status, 1),
            "{transcript}"
        );
        assert_eq!(transcript.shown(), &Shown::Nothing, "{transcript}");
    }
    assert_eq!(bot.runs(), 0);
}

/// As the docs of plain mode say.
#[tokio::test(start_paused = true)]
async fn plain_mode_protects_no_body() {
    let bot = Bot::new(plain());
    let push = || bot.wechat().text("hi");
    for push in [push().tamper(Part::Body), push().downgrade()] {
        check(&bot.hears(push).await, &[(0, 1000, None)], None);
    }
    assert_eq!(bot.runs(), 2);
    check(
        &bot.hears(push().tamper(Part::Nonce)).await,
        &[(0, 0, Some(FaultKind::Status))],
        None,
    );
    assert_eq!(bot.runs(), 2);
}

/// The last one called holds.
#[tokio::test]
async fn a_push_is_meddled_with_in_one_way() {
    let bot = Bot::new(plain());
    let push = bot.wechat().text("hi").forge_signature().downgrade();
    assert_eq!(bot.hears(push).await.deliveries()[0].fault(), None);
}

fn read(push: &Push) -> Message {
    xml::from_slice(push.request().unwrap().body()).unwrap()
}

#[test]
fn builders_write_what_wechat_sends() {
    let wechat = Simulator::new(plain());
    let Message::Image(image) = read(&wechat.image("media-1", "https://example.com/1.jpg")) else {
        panic!("no image");
    };
    assert_eq!(image.media_id.as_deref(), Some("media-1"));
    let Message::Location(location) = read(&wechat.location(23.134_521, -113.358_803, "<here>"))
    else {
        panic!("no location");
    };
    assert_eq!(
        (location.location_x, location.location_y),
        (Some(23.134_521), Some(-113.358_803))
    );
    assert_eq!(location.label, "<here>");
    let Message::Link(link) = read(&wechat.link("a title", "https://example.com/?a=1&b=2")) else {
        panic!("no link");
    };
    assert_eq!(
        (&*link.title, &*link.url),
        ("a title", "https://example.com/?a=1&b=2")
    );
    let Message::Voice(voice) = read(&wechat.voice("media-2").field("Format", "speex")) else {
        panic!("no voice");
    };
    assert_eq!(
        (voice.format.as_deref(), voice.recognition),
        (Some("speex"), None)
    );
}

#[test]
fn an_event_has_a_name_and_fields() {
    let wechat = Simulator::new(plain());
    let click = wechat
        .event("CLICK")
        .field("EventKey", "today")
        .from_user("someone");
    let message = read(&click);
    assert_eq!(message.from_user_name(), Some("someone"));
    assert_eq!(message.msg_id(), None);
    let Message::Event(event) = message else {
        panic!("no event");
    };
    let Event::Click(click) = event.event else {
        panic!("no click");
    };
    assert_eq!(click.event_key.as_deref(), Some("today"));
}

/// Who subscribes by a QR code gets an answer, and the second delivery of it the same.
#[tokio::test(start_paused = true)]
async fn an_event_is_answered_as_a_message_is() {
    let bot = Bot::new(encrypted());
    let scan = bot
        .wechat()
        .event("subscribe")
        .field("EventKey", "qrscene_7");
    let transcript = bot.hears(scan.lose_answers(1)).await;
    let lost = Some(FaultKind::Lost);
    check(
        &transcript,
        &[(0, 1000, lost), (1500, 0, None)],
        Some("heard"),
    );
    assert_eq!(bot.runs(), 1);
}
