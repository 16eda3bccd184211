use tower::ServiceBuilder;
use tracing::{Instrument, info_span};

use super::{
    subscriber::{Told, told, told as told_of},
    *,
};

/// Plays `case` and checks that it makes these spans, in the order of their beginnings. All keys of a case are the same,
/// and `expected` leaves them out.
async fn check<F: Future<Output = ()>>(case: impl FnOnce() -> F, expected: &[String]) -> Told {
    let told = told(case).await;
    let lines = told.spans();
    check_tells_no_secret(&[&lines[..], &told.events()[..]].concat().join("\n"));
    let keys = lines.iter().filter_map(|line| line.split_once(KEY_FIELD));
    let keys: Vec<_> = keys.map(|(_, rest)| rest.split(' ').next()).collect();
    let key = keys.first().copied().flatten().unwrap_or("none");
    assert!(keys.iter().all(|other| *other == Some(key)), "{lines:#?}");
    let key = format!("{KEY_FIELD}{key}");
    let lines: Vec<_> = lines.iter().map(|line| line.replace(&key, "")).collect();
    assert_eq!(lines, expected);
    told
}

/// The span of a delivery of the text message.
fn delivery(end: &str) -> String {
    format!("INFO delivery account=post-office msg_type=text msg_id={MSG_ID}{end}")
}

/// The span of its first run, which follows from the span with number `cause`.
fn run(cause: usize, end: &str) -> String {
    format!(
        "INFO run after {cause} account=post-office number=1 msg_type=text msg_id={MSG_ID}{end}"
    )
}

/// The span of a further run. The delivery that started the first one may be over.
fn further_run(number: u32, end: &str) -> String {
    format!("INFO run account=post-office number={number} msg_type=text msg_id={MSG_ID}{end}")
}

#[tokio::test(start_paused = true)]
async fn a_rejected_delivery_says_why() {
    let end = "status=403 rejection=signature outcome=rejected duration_seconds=0.0";
    let rejection = format!("INFO delivery account=post-office {end}");
    let told = check(rejected, &[rejection]).await;
    let event = "DEBUG in 0 message=rejected an unsigned callback: wrong Token, or not from WeChat: \
                 no token of the account makes the signature account=post-office kind=signature";
    assert_eq!(told.events(), [event]);

    let end = "status=404 rejection=unknown_account outcome=rejected duration_seconds=0.0";
    check(for_no_account, &[format!("INFO delivery {end}")]).await;
}

/// A scanner must not fill the log. An error behind a signature that holds is worth a warning.
#[tokio::test(start_paused = true)]
async fn rejections_are_warnings_once_a_signature_holds() {
    let wecom = |id| {
        Account::wecom(TOKEN, id, KEY)
            .unwrap()
            .with_name("post-office")
    };
    let elsewhere = Simulator::new(wecom("ww2"));
    let of_the_past = |account| {
        let epoch = || std::time::SystemTime::UNIX_EPOCH;
        Simulator::new(account).with_clock(epoch).text(CONTENT)
    };
    let text = |account| Simulator::new(account).text(CONTENT);
    let with_body = |push: tower_wechat::simulator::Push| {
        let mut request = push.request().unwrap();
        *request.body_mut() = CONTENT.into();
        request
    };
    for (account, request, level, kind) in [
        (
            account(),
            Request::get("/").body(Bytes::new()).unwrap(),
            "DEBUG",
            "parameters",
        ),
        (
            account(),
            text(account()).forge_signature().request().unwrap(),
            "DEBUG",
            "signature",
        ),
        (
            account(),
            text(account()).downgrade().request().unwrap(),
            "ERROR",
            "encrypted_account",
        ),
        (
            account(),
            of_the_past(account()).request().unwrap(),
            "WARN",
            "timestamp",
        ),
        (account(), with_body(text(account())), "WARN", "document"),
        // WeCom signs the ciphertext alone.
        (
            wecom("ww1"),
            text(wecom("ww1")).forge_signature().request().unwrap(),
            "DEBUG",
            "signature",
        ),
        (
            wecom("ww1"),
            text(wecom("ww1")).downgrade().request().unwrap(),
            "DEBUG",
            "parameters",
        ),
        (
            wecom("ww1"),
            of_the_past(wecom("ww1")).request().unwrap(),
            "DEBUG",
            "timestamp",
        ),
        (
            wecom("ww1"),
            with_body(text(wecom("ww1"))),
            "DEBUG",
            "document",
        ),
        (
            wecom("ww1"),
            elsewhere.text(CONTENT).request().unwrap(),
            "ERROR",
            "receive_id",
        ),
    ] {
        let layer = VerifySignatureLayer::new(account);
        let service = layer.layer(MessageService::new(service_fn(handle)));
        let told = told(|| async {
            assert!(matches!(service.answer(&request).await, Some(400 | 403)));
        })
        .await;
        let signed = if level == "DEBUG" {
            "an unsigned"
        } else {
            "a signed"
        };
        let events = told.events();
        let start = format!("{level} in 0 message=rejected {signed} callback: ");
        let end = format!(" account=post-office kind={kind}");
        assert!(
            events[0].starts_with(&start) && events[0].ends_with(&end),
            "{events:?}"
        );
        assert_eq!(events.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_picked_account_is_recorded_once_the_signature_holds() {
    let told = told(named_by_the_path).await;
    let rejected =
        "INFO delivery status=403 rejection=signature outcome=rejected duration_seconds=0.0";
    let spans = told.spans();
    assert_eq!(spans[..3], [rejected; 3]);
    assert!(
        spans[3].starts_with("INFO delivery account=/one msg_type=text"),
        "{spans:#?}"
    );
    let events = told.events();
    assert!(events[2].starts_with("DEBUG in 2 message=rejected an unsigned callback: wrong Token"));
    assert!(events[2].ends_with(" account= kind=signature"));
}

#[tokio::test(start_paused = true)]
async fn the_verification_of_a_url_is_a_delivery_without_a_message() {
    let end = "status=200 outcome=url_verified duration_seconds=0.0";
    let span = format!("INFO delivery account=post-office {end}");
    let told = check(url_verified, &[span]).await;
    let event = "INFO in 0 message=WeChat has verified the URL: the Token is right, \
                 the first message checks the EncodingAESKey and the AppID account=post-office";
    assert_eq!(told.events(), [event]);

    // WeCom encrypts the echostr.
    let wecom = || Account::wecom(TOKEN, "ww1", KEY).unwrap();
    let told = told_of(async || {
        let layer = VerifySignatureLayer::new(wecom());
        let service = layer.layer(MessageService::new(service_fn(handle)));
        let delivery = Simulator::new(wecom()).verify_url(simulated(service)).await;
        assert_eq!(delivery.fault(), None);
    })
    .await;
    assert_eq!(
        told.events(),
        ["INFO in 0 message=WeChat has verified the URL account=ww1"]
    );
}

/// Without span events, too, the log shows that the bot is alive, and whether the user sees something.
#[tokio::test(start_paused = true)]
async fn each_answered_message_is_an_event() {
    let answered = |span: usize, with: &str, outcome: &str| {
        format!(
            "INFO in {span} message=answered a message with {with} account=post-office outcome={outcome}"
        )
    };
    let told = told_of(self::answered).await;
    let expected = [
        "INFO in 1 message=thinking".to_owned(),
        answered(0, "a reply", "run"),
        answered(2, "a reply", "kept_reply"),
        answered(3, "no reply", "done"),
    ];
    assert_eq!(told.events(), expected);

    let told = told_of(acknowledged).await;
    let acknowledged = answered(3, "no reply", "acknowledged");
    assert_eq!(told.events()[3], acknowledged);

    // A router behind the layer that does not know the path.
    let told = told_of(async || {
        let router = service_fn(async |_: Request<Verified>| {
            let mut response = Response::new(Full::<Bytes>::default());
            *response.status_mut() = http::StatusCode::NOT_FOUND;
            Ok::<_, Infallible>(response)
        });
        let service = overheard(VerifySignatureLayer::new(account()).layer(router));
        assert_eq!(service.answer(&text("1")).await, Some(404));
    })
    .await;
    let event = "WARN in 0 message=the inner service answered a message with a status that WeChat does not accept \
                 account=post-office outcome=passed status=404";
    assert_eq!(told.events(), [event]);
}

#[tokio::test(start_paused = true)]
async fn one_run_and_the_copies_of_its_delivery() {
    let expected = [
        delivery(" status=200 outcome=run duration_seconds=2.0"),
        run(0, " result=answered duration_seconds=2.0"),
        delivery(" status=200 outcome=kept_reply duration_seconds=0.0"),
        delivery(" status=200 outcome=done duration_seconds=0.0"),
    ];
    let told = check(answered, &expected).await;
    assert_eq!(told.events()[0], "INFO in 1 message=thinking");
}

#[tokio::test(start_paused = true)]
async fn a_run_outlives_the_delivery_that_started_it() {
    let expected = [
        delivery(" outcome=hung_up duration_seconds=5.0"),
        run(0, " result=answered duration_seconds=7.0"),
        delivery(" status=200 outcome=joined duration_seconds=2.0"),
    ];
    check(joined, &expected).await;

    let expected = [
        delivery(" outcome=hung_up duration_seconds=5.0"),
        run(0, " result=answered duration_seconds=17.0"),
        delivery(" outcome=hung_up duration_seconds=5.0"),
        delivery(" status=200 outcome=acknowledged duration_seconds=4.5"),
    ];
    let told = check(acknowledged, &expected).await;
    let [thinking, first, second, _, late, part] = &told.events()[..] else {
        panic!("{:#?}", told.events())
    };
    assert_eq!(thinking, "INFO in 1 message=thinking");
    assert!(first.starts_with("DEBUG in 0 message=a delivery got no answer"));
    assert!(second.starts_with("DEBUG in 2 message=a delivery got no answer"));
    assert!(late.starts_with("DEBUG message=a reply is late account=post-office message_key="));
    assert!(late.ends_with("cause=acknowledged"));
    assert!(part.ends_with("way=function"));
}

#[tokio::test(start_paused = true)]
async fn each_run_is_a_span_and_says_how_it_failed() {
    let expected = [
        delivery(" outcome=hung_up duration_seconds=5.0"),
        run(0, " result=failed duration_seconds=0.0"),
        further_run(2, " result=panicked duration_seconds=0.0"),
        further_run(3, " result=timed_out duration_seconds=3.0"),
        delivery(" status=200 outcome=joined duration_seconds=0.5"),
    ];
    let told = check(failed, &expected).await;
    let events = told.events();
    for number in 1..=3 {
        let event =
            format!("WARN in {number} message=a run failed account=post-office number={number}");
        let found = events.iter().filter(|found| found.starts_with(&event));
        assert_eq!(found.count(), 1, "{events:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_full_or_going_away_turns_deliveries_away() {
    let expected = [
        delivery(" outcome=hung_up duration_seconds=5.0"),
        delivery(" status=503 outcome=turned_away duration_seconds=4.5"),
        run(0, " result=answered duration_seconds=7.0"),
        delivery(" status=200 outcome=joined duration_seconds=2.0"),
    ];
    check(turned_away, &expected).await;

    let expected = [
        delivery(" status=503 outcome=turned_away duration_seconds=1.0"),
        run(0, " result=cut duration_seconds=1.0"),
    ];
    check(cut, &expected).await;
}

#[tokio::test(start_paused = true)]
async fn without_dedup_there_are_deliveries_alone() {
    let expected = [
        delivery(" status=200 outcome=passed duration_seconds=1.0"),
        delivery(" outcome=hung_up duration_seconds=5.0"),
        delivery(" outcome=failed duration_seconds=0.0"),
        delivery(" status=502 outcome=failed duration_seconds=0.0"),
    ];
    let told = check(passed, &expected).await;
    assert_eq!(told.events()[0], "INFO in 0 message=thinking");
}

#[tokio::test(start_paused = true)]
async fn the_spans_of_all_nodes_have_one_key() {
    let expected = [
        delivery(" outcome=hung_up duration_seconds=5.0"),
        run(0, " result=answered duration_seconds=7.0"),
        delivery(" status=200 outcome=joined duration_seconds=2.35"),
        delivery(" status=200 outcome=kept_reply duration_seconds=0.0"),
    ];
    check(on_two_nodes, &expected).await;

    let expected = [
        delivery(" status=200 outcome=done duration_seconds=1.0"),
        run(0, " result=lost_lease duration_seconds=1.0"),
    ];
    check(with_a_lost_lease, &expected).await;
}

/// The response waits for the store, and its publication fails every second.
#[tokio::test(start_paused = true)]
async fn a_store_that_stays_away_is_one_warning() {
    let expected = [
        delivery(" status=200 outcome=run duration_seconds=0.15"),
        run(0, " result=answered duration_seconds=0.0"),
    ];
    let told = check(without_the_store, &expected).await;
    let events = told.events();
    let failures = |level: &str, operation: &str| {
        let start = format!("{level} message=the store failed operation={operation}");
        events
            .iter()
            .filter(|event| event.starts_with(&start))
            .count()
    };
    assert_eq!(failures("WARN", ""), 1, "{events:#?}");
    assert_eq!(failures("WARN", "claim"), 1, "{events:#?}");
    assert_eq!(failures("DEBUG", "claim"), 2, "{events:#?}");
    assert!(failures("DEBUG", "publish") > 50, "{events:#?}");
}

/// Names of types are recorded. A text in their place is left out.
#[tokio::test(start_paused = true)]
async fn types_are_recorded_and_texts_in_their_place_are_not() {
    for (head, told) in [
        (
            "<MsgType>event</MsgType><Event>CLICK</Event>",
            "msg_type=event event=CLICK ",
        ),
        (
            "<MsgType>event</MsgType><Event>to be or not</Event>",
            "msg_type=event ",
        ),
        ("<MsgType>密谈</MsgType><MsgId>1</MsgId>", "msg_id=1 "),
        (
            "<MsgType>text</MsgType><MsgId>not</MsgId> to be <MsgId>2</MsgId>",
            "",
        ),
    ] {
        let case = || async {
            let service = stack(&DedupLayer::in_memory());
            let push = wechat().xml(format!(
                "<xml><ToUserName>gh_1</ToUserName><FromUserName>{OPENID}</FromUserName>\
                 <CreateTime>1700000000</CreateTime>{head}</xml>"
            ));
            assert_eq!(service.answer(&push.request().unwrap()).await, Some(200));
        };
        let expected = [
            format!(
                "INFO delivery account=post-office {told}status=200 outcome=run duration_seconds=0.0"
            ),
            format!(
                "INFO run after 0 account=post-office number=1 {told}result=answered duration_seconds=0.0"
            ),
        ];
        check(case, &expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn spans_of_other_layers_nest_around_and_between() {
    let case = || async {
        let service = ServiceBuilder::new()
            .map_future(|answer| Instrument::instrument(answer, info_span!("server")))
            .layer(VerifySignatureLayer::new(account()))
            .map_future(|answer| Instrument::instrument(answer, info_span!("between")))
            .layer(DedupLayer::in_memory())
            .service(MessageService::new(service_fn(handle)));
        let service = overheard(service);
        let span = info_span!("connection");
        assert_eq!(service.answer(&text("1")).instrument(span).await, Some(200));
    };
    let expected = [
        "INFO connection".to_owned(),
        delivery(" status=200 outcome=run duration_seconds=1.0")
            .replace("delivery", "delivery in 0"),
        "INFO server in 0".to_owned(),
        "INFO between in 1".to_owned(),
        run(1, " result=answered duration_seconds=1.0"),
    ];
    let told = check(case, &expected).await;
    assert_eq!(told.events()[0], "INFO in 4 message=thinking");
}

const KEY_FIELD: &str = " message_key=";
