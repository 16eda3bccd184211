//! What WeChat makes of an answer, as the simulator plays it. The paused clock makes its waiting free.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{BoxError, Service, service_fn};
use tower_wechat::{
    Account, Message, Reply, Timestamp,
    callback::{self, ErrorKind, Query},
    message::{Head, VoiceMessage},
    reply::Addressing,
    simulator::{
        DeliveryRecord, Fault, FaultKind, Push, RequestBody, Shown, Simulator, Transcript,
    },
    xml,
};

const TOLERANCE: Duration = Duration::from_mins(5);

fn account() -> Account {
    Account::plain("walnut42").unwrap()
}

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_000)
}

fn wechat() -> Simulator {
    Simulator::new(account()).with_clock(noon)
}

/// A server that answers each request with what `respond` makes of its body.
fn server<R>(
    respond: R,
) -> impl Service<Request<RequestBody>, Response = Response<Full<Bytes>>, Error = Infallible>
where
    R: Fn(&str) -> Response<Full<Bytes>> + Clone,
{
    service_fn(move |request: Request<RequestBody>| {
        let respond = respond.clone();
        async move {
            let body = request.into_body().collect().await?.to_bytes();
            Ok(respond(str::from_utf8(&body).unwrap()))
        }
    })
}

fn respond(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status);
    response.body(Full::new(body.into())).unwrap()
}

/// The reply's document, addressed as it should be.
fn addressed(message: &str, reply: &Reply) -> String {
    let head = Head::read(message.as_bytes()).unwrap();
    let now = Timestamp::from_secs(1_760_000_001);
    let rendered = reply.render(&Addressing::answering(&head), now).unwrap();
    rendered.into_body().into_owned()
}

fn seconds(transcript: &Transcript) -> Vec<f64> {
    let deliveries = transcript.deliveries().iter();
    deliveries
        .map(|delivery| delivery.at().as_secs_f64())
        .collect()
}

/// Checks when the deliveries are sent, and how the last one ends.
#[track_caller]
fn check(transcript: &Transcript, sent: &[f64], fault: Option<FaultKind>, shown: &Shown) {
    let last = transcript.deliveries().last().unwrap();
    assert_eq!(last.fault().map(Fault::kind), fault, "{transcript}");
    assert_eq!(transcript.shown(), shown, "{transcript}");
    assert_eq!(seconds(transcript), sent, "{transcript}");
    let first = transcript.deliveries()[0].query();
    assert!(
        transcript
            .deliveries()
            .iter()
            .all(|delivery| delivery.query() == first),
        "the query string is repeated: {transcript}"
    );
}

const ONCE: &[f64] = &[0.0];

const WHEN_REFUSED: &[f64] = &[0.0, 0.5, 1.0];

const WHEN_HUNG_UP: &[f64] = &[0.0, 5.0, 10.0];

#[tokio::test(start_paused = true)]
async fn nothing_is_shown_of_an_acknowledgement() {
    for body in ["success", ""] {
        let transcript = wechat()
            .text("hi")
            .deliver(server(move |_| respond(200, body)))
            .await;
        check(&transcript, ONCE, None, &Shown::Nothing);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_shown() {
    let echo = server(|message| {
        let voice: VoiceMessage = xml::from_str(message).unwrap();
        let reply = Reply::text(format!(
            "{} ]]> {}",
            voice.recognition.unwrap(),
            voice.media_id
        ));
        respond(200, addressed(message, &reply))
    });
    let voice = wechat().voice("media-7").recognition("你好");
    let transcript = voice.deliver(echo).await;
    assert_eq!(transcript.shown().text(), Some("你好 ]]> media-7"));
    assert_eq!(transcript.shown().to_string(), "你好 ]]> media-7");
    check(&transcript, ONCE, None, transcript.shown());
}

/// A server that answered 201 with `success` got every message several times, and its users the fault
/// text (a published log).
#[tokio::test(start_paused = true)]
async fn only_status_200_counts() {
    for status in [201, 204, 302, 403, 500, 503] {
        let transcript = wechat()
            .text("hi")
            .deliver(server(move |_| respond(status, "success")))
            .await;
        check(
            &transcript,
            WHEN_REFUSED,
            Some(FaultKind::Status),
            &Shown::Fault,
        );
        let statuses = transcript.deliveries().iter().map(DeliveryRecord::status);
        let expected = StatusCode::from_u16(status).unwrap();
        assert!(statuses.eq([Some(expected); 3]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_does_not_count() {
    let late = service_fn(|_: Request<RequestBody>| async {
        tokio::time::sleep(Duration::from_millis(5001)).await;
        Ok::<_, Infallible>(respond(200, "success"))
    });
    let transcript = wechat().text("hi").deliver(late).await;
    check(
        &transcript,
        WHEN_HUNG_UP,
        Some(FaultKind::HungUp),
        &Shown::Fault,
    );
    assert_eq!(transcript.deliveries()[0].status(), None);

    let just_in_time = service_fn(|_: Request<RequestBody>| async {
        tokio::time::sleep(Duration::from_millis(4999)).await;
        Ok::<_, Infallible>(respond(200, "success"))
    });
    let transcript = wechat().text("hi").deliver(just_in_time).await;
    check(&transcript, ONCE, None, &Shown::Nothing);
}

/// The head alone is no answer.
#[tokio::test(start_paused = true)]
async fn an_answer_whose_body_does_not_end_does_not_count() {
    let endless = service_fn(|_: Request<RequestBody>| async {
        let frames = futures_util::stream::pending::<Result<http_body::Frame<Bytes>, Infallible>>();
        Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
    });
    let transcript = wechat().text("hi").deliver(endless).await;
    check(
        &transcript,
        WHEN_HUNG_UP,
        Some(FaultKind::HungUp),
        &Shown::Fault,
    );
}

/// The basis of holding a delivery until its retry: each is judged by itself.
#[tokio::test(start_paused = true)]
async fn an_answer_to_the_third_delivery_is_shown() {
    let mut number = 0;
    let third = service_fn(move |request: Request<RequestBody>| {
        number += 1;
        async move {
            if number < 3 {
                return pending().await;
            }
            let message = request.into_body().collect().await?.to_bytes();
            let message = str::from_utf8(&message).unwrap();
            Ok::<_, Infallible>(respond(200, addressed(message, &Reply::text("at last"))))
        }
    });
    let transcript = wechat().text("hi").deliver(third).await;
    assert_eq!(transcript.shown().text(), Some("at last"));
    check(&transcript, WHEN_HUNG_UP, None, transcript.shown());
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_tried_again() {
    let broken = service_fn(|_: Request<RequestBody>| async {
        Err::<Response<Full<Bytes>>, BoxError>("connection reset".into())
    });
    let transcript = wechat().text("hi").deliver(broken).await;
    check(
        &transcript,
        WHEN_REFUSED,
        Some(FaultKind::Connection),
        &Shown::Fault,
    );
    let fault = transcript.deliveries()[0].fault().unwrap();
    assert_eq!(fault.to_string(), "connection reset");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_makes_it_send_again() {
    let mut calls = 0;
    let mut count = service_fn(|_: Request<RequestBody>| {
        calls += 1;
        async { Ok::<_, Infallible>(respond(200, "success")) }
    });
    let transcript = wechat()
        .text("hi")
        .lose_answers(2)
        .deliver(&mut count)
        .await;
    check(&transcript, WHEN_REFUSED, None, &Shown::Nothing);
    let faults = transcript
        .deliveries()
        .iter()
        .map(|delivery| delivery.fault().is_some());
    assert!(faults.eq([true, true, false]));

    let transcript = wechat()
        .text("hi")
        .lose_answers(9)
        .deliver(&mut count)
        .await;
    check(
        &transcript,
        WHEN_REFUSED,
        Some(FaultKind::Lost),
        &Shown::Fault,
    );
    assert_eq!(calls, 6);
}

/// Answers a text message from `user` to `account` with a document made from a pattern.
async fn answer_with(pattern: &'static str) -> Transcript {
    let body = pattern
        .replace("{to}", "<ToUserName><![CDATA[user]]></ToUserName>")
        .replace("{from}", "<FromUserName><![CDATA[account]]></FromUserName>")
        .replace("{time}", "<CreateTime>1760000001</CreateTime>");
    let message = "<xml><ToUserName>account</ToUserName><FromUserName>user</FromUserName>\
        <CreateTime>1760000000</CreateTime><MsgType>text</MsgType><Content>hi</Content>\
        <MsgId>1</MsgId></xml>";
    wechat()
        .xml(message)
        .deliver(server(move |_| respond(200, body.clone())))
        .await
}

#[tokio::test(start_paused = true)]
async fn replies_of_every_type_are_shown() {
    for (pattern, shown) in [
        (
            "{to}{from}{time}<MsgType>text</MsgType><Content>a</Content>",
            "a",
        ),
        (
            "{from}<MsgType>text</MsgType><Content> b </Content>{time}{to}",
            "b",
        ),
        (
            "{to}{from}{time}<MsgType>image</MsgType><Image><MediaId>m</MediaId></Image>",
            "[image]",
        ),
        (
            "{to}{from}{time}<MsgType>voice</MsgType><Voice><MediaId>m</MediaId></Voice>",
            "[voice]",
        ),
        (
            "{to}{from}{time}<MsgType>video</MsgType><Video><MediaId>m</MediaId></Video>",
            "[video]",
        ),
        (
            "{to}{from}{time}<MsgType>music</MsgType><Music><ThumbMediaId>m</ThumbMediaId></Music>",
            "[music]",
        ),
        (
            "{to}{from}{time}<MsgType>news</MsgType><ArticleCount>1</ArticleCount>\
             <Articles><item><Title>t</Title></item></Articles>",
            "[news]",
        ),
        (
            "{to}{from}{time}<MsgType>transfer_customer_service</MsgType>",
            "",
        ),
    ] {
        let pattern: &str = Box::leak(format!("<xml>{pattern}</xml>").into_boxed_str());
        let transcript = answer_with(pattern).await;
        assert_eq!(
            transcript.shown().to_string(),
            shown,
            "{pattern}: {transcript}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_shows_the_fault_text() {
    use FaultKind::{Addressing, Malformed};
    for (pattern, kind) in [
        // No reply at all.
        ("Success", Malformed),
        ("success\n", Malformed),
        ("{\"errcode\":0}", Malformed),
        ("<!DOCTYPE html><html></html>", Malformed),
        (
            "<reply>{to}{from}{time}<MsgType>text</MsgType><Content>a</Content></reply>",
            Malformed,
        ),
        ("<xml/>", Malformed),
        ("<xml>", Malformed),
        // XML that WeChat's own messages get away with.
        (
            "<xml>{to}{from}{time}<MsgType>text</MsgType><Content>a\u{2}b</Content></xml>",
            Malformed,
        ),
        (
            "<xml>{to}{from}{time}<MsgType>text</MsgType><Content><![CDATA[a]]>b]]></Content></xml>",
            Malformed,
        ),
        (
            "<xml>{to}{from}{time}<MsgType>text</MsgType><Content>a & b</Content></xml>",
            Malformed,
        ),
        (
            "<xml>{to}{from}{time}<MsgType>text</MsgType><Content>a</Content></xml>?",
            Malformed,
        ),
        // A field without which it is no reply of its type.
        ("<xml>{to}{from}{time}<Content>a</Content></xml>", Malformed),
        (
            "<xml>{to}{from}{time}<MsgType>text</MsgType></xml>",
            Malformed,
        ),
        (
            "<xml>{to}{from}{time}<MsgType>text</MsgType><Content><![CDATA[]]></Content></xml>",
            Malformed,
        ),
        (
            "<xml>{to}{from}<MsgType>text</MsgType><Content>a</Content></xml>",
            Malformed,
        ),
        (
            "<xml>{to}{from}<CreateTime>noon</CreateTime><MsgType>text</MsgType>\
             <Content>a</Content></xml>",
            Malformed,
        ),
        (
            "<xml>{from}{time}<MsgType>text</MsgType><Content>a</Content></xml>",
            Malformed,
        ),
        (
            "<xml>{to}{from}{time}<MsgType>image</MsgType><MediaId>m</MediaId></xml>",
            Malformed,
        ),
        (
            "<xml>{to}{from}{time}<MsgType>music</MsgType><Music><Title>t</Title></Music></xml>",
            Malformed,
        ),
        (
            "<xml>{to}{from}{time}<MsgType>news</MsgType><ArticleCount>0</ArticleCount>\
             <Articles></Articles></xml>",
            Malformed,
        ),
        (
            "<xml>{to}{from}{time}<MsgType>event</MsgType></xml>",
            Malformed,
        ),
        // Names that have not changed places, or are somebody else's.
        (
            "<xml><ToUserName>account</ToUserName><FromUserName>user</FromUserName>{time}\
             <MsgType>text</MsgType><Content>a</Content></xml>",
            Addressing,
        ),
        (
            "<xml><ToUserName>other</ToUserName>{from}{time}<MsgType>text</MsgType>\
             <Content>a</Content></xml>",
            Addressing,
        ),
        (
            "<xml>{to}<FromUserName>other</FromUserName>{time}<MsgType>text</MsgType>\
             <Content>a</Content></xml>",
            Addressing,
        ),
    ] {
        let transcript = answer_with(pattern).await;
        let fault = transcript.deliveries()[0].fault().map(Fault::kind);
        assert_eq!(fault, Some(kind), "{pattern}: {transcript}");
        check(&transcript, ONCE, Some(kind), &Shown::Fault);
    }
    assert_eq!(
        Shown::Fault.to_string(),
        "该公众号提供的服务出现故障，请稍后再试"
    );
}

#[tokio::test(start_paused = true)]
async fn a_text_has_at_most_2048_bytes() {
    for (length, fault) in [(2048, None), (2049, Some(FaultKind::Limit))] {
        let long = server(move |message| {
            let document = addressed(message, &Reply::text("{long}"));
            respond(200, document.replace("{long}", &"x".repeat(length)))
        });
        let transcript = wechat().text("hi").deliver(long).await;
        let found = transcript.deliveries()[0].fault().map(Fault::kind);
        assert_eq!(found, fault, "{length}");
    }

    let endless = server(|_| respond(200, "x".repeat(1 << 20)));
    let transcript = wechat().text("hi").deliver(endless).await;
    check(&transcript, ONCE, Some(FaultKind::Limit), &Shown::Fault);
}

/// Everything that a server gets to see of a push.
async fn seen(push: Push) -> (Request<Bytes>, Transcript) {
    let seen = Arc::new(Mutex::new(None));
    let keep = seen.clone();
    let service = service_fn(move |request: Request<RequestBody>| {
        let keep = keep.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            *keep.lock().unwrap() = Some(Request::from_parts(head, body));
            Ok::<_, Infallible>(respond(200, "success"))
        }
    });
    let transcript = push.deliver(service).await;
    let request = seen.lock().unwrap().take().unwrap();
    (request, transcript)
}

#[tokio::test(start_paused = true)]
async fn a_body_is_written_as_wechat_writes_it() {
    let voice = wechat()
        .voice("media-7")
        .recognition("你]]>好")
        .from_user("o/1")
        .msg_id(77);
    let (request, _) = seen(voice).await;
    assert_eq!(
        request.body(),
        "<xml>\n\
         <ToUserName><![CDATA[gh_5130c4e1d2a7]]></ToUserName>\n\
         <FromUserName><![CDATA[o/1]]></FromUserName>\n\
         <CreateTime>1760000000</CreateTime>\n\
         <MsgType><![CDATA[voice]]></MsgType>\n\
         <MediaId><![CDATA[media-7]]></MediaId>\n\
         <Format><![CDATA[amr]]></Format>\n\
         <Recognition><![CDATA[你]]>好]]></Recognition>\n\
         <MsgId>77</MsgId>\n\
         </xml>"
    );
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.headers()["content-type"], "text/xml");
    assert!(request.uri().query().unwrap().ends_with("&openid=o%2F1"));
}

#[tokio::test(start_paused = true)]
async fn messages_are_read_back() {
    let wechat = wechat();
    let mut ids = Vec::new();
    for push in [
        wechat.text("hi"),
        wechat.voice("m"),
        wechat.voice("m").recognition(""),
    ] {
        let (request, _) = seen(push).await;
        let message: Message = xml::from_slice(request.body()).unwrap();
        assert!(!matches!(message, Message::Other(_)));
        ids.push(message.msg_id().unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "a message id of its own each: {ids:?}");
}

#[tokio::test(start_paused = true)]
async fn what_it_signs_verifies() {
    let (request, _) = seen(wechat().text("hi")).await;
    let query = request.uri().query().unwrap();
    let verdict = Query::parse(query)
        .unwrap()
        .verify(&account(), noon(), TOLERANCE);
    verdict.unwrap();

    let (request, transcript) = seen(wechat().text("hi").forge_signature()).await;
    let query = Query::parse(request.uri().query().unwrap()).unwrap();
    let error = query.verify(&account(), noon(), TOLERANCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signature);
    check(&transcript, ONCE, None, &Shown::Nothing);
}

/// A forger has one try, and whatever comes of it, no user sees it.
#[tokio::test(start_paused = true)]
async fn a_forged_request_is_sent_once() {
    let transcript = wechat()
        .text("hi")
        .forge_signature()
        .deliver(server(|_| respond(403, "")))
        .await;
    check(&transcript, ONCE, Some(FaultKind::Status), &Shown::Nothing);
}

#[tokio::test(start_paused = true)]
async fn a_uri_keeps_its_own_query() {
    for (uri, expected) in [
        ("/callback", "/callback?signature="),
        ("/callback?app=7", "/callback?app=7&signature="),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/?signature="),
        (
            "http://127.0.0.1:8080/a/b",
            "http://127.0.0.1:8080/a/b?signature=",
        ),
    ] {
        let push = wechat().with_uri(uri).unwrap().text("hi");
        let request = push.request().unwrap();
        assert!(
            request.uri().to_string().starts_with(expected),
            "{}",
            request.uri()
        );
    }
    for nowhere in ["", "not a URI", "localhost:8080", "*"] {
        wechat().with_uri(nowhere).expect_err(nowhere);
    }
}

#[tokio::test(start_paused = true)]
async fn an_openid_that_no_uri_can_hold_is_not_sent() {
    let push = wechat().text("hi").from_user("x".repeat(1 << 17));
    push.request().expect_err("too long");
    let transcript = push.deliver(server(|_| panic!("cannot be reached"))).await;
    check(&transcript, ONCE, Some(FaultKind::Unsent), &Shown::Fault);
}

#[tokio::test(start_paused = true)]
async fn the_echo_is_exact() {
    type Echo = fn(&str) -> String;
    let echoes: [(Echo, u16, Option<FaultKind>); 5] = [
        (|echostr| echostr.to_owned(), 200, None),
        (
            |echostr| format!("\"{echostr}\""),
            200,
            Some(FaultKind::Echo),
        ),
        (|echostr| format!("{echostr}\n"), 200, Some(FaultKind::Echo)),
        (|_| "success".to_owned(), 200, Some(FaultKind::Echo)),
        (|echostr| echostr.to_owned(), 202, Some(FaultKind::Status)),
    ];
    for (echo, status, fault) in echoes {
        let service = service_fn(move |request: Request<RequestBody>| async move {
            assert_eq!(request.method(), Method::GET);
            let query = Query::parse(request.uri().query().unwrap()).unwrap();
            query.verify(&account(), noon(), TOLERANCE).unwrap();
            let echostr = callback::echostr(&account(), &query).unwrap();
            Ok::<_, Infallible>(respond(status, echo(str::from_utf8(&echostr).unwrap())))
        });
        let delivery = wechat().verify_url(service).await;
        assert_eq!(delivery.fault().map(Fault::kind), fault, "{delivery}");
    }

    let silent = service_fn(|_: Request<RequestBody>| {
        pending::<Result<Response<Full<Bytes>>, Infallible>>()
    });
    let delivery = wechat().verify_url(silent).await;
    assert_eq!(delivery.fault().unwrap().kind(), FaultKind::HungUp);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_moves_between_threads() {
    let service = service_fn(|_: Request<RequestBody>| async {
        Ok::<_, Infallible>(respond(200, "success"))
    });
    let delivery = tokio::spawn(wechat().text("hi").deliver(service));
    assert_eq!(delivery.await.unwrap().shown(), &Shown::Nothing);
}
