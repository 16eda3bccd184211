//! When WeChat takes a customer-service message, and how many.

use super::*;

const HOUR: u64 = 3600;

/// A push, and the seconds and the quota of its window.
type Case<'a> = (&'a dyn Fn(&Simulator) -> Push, Option<(u64, usize)>);

/// Sends texts until WeChat takes no more. Returns their number, and the errcode of the one that failed.
async fn spend(api: &Api) -> (usize, i64) {
    for sent in 0..20 {
        if let Some(errcode) = errcode(api.send(USER, &"天亮了".into()).await) {
            return (sent, errcode);
        }
    }
    panic!("no quota");
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_push_opens_its_window() {
    let voice = |wechat: &Simulator| wechat.voice("Vo1");
    let menu = |wechat: &Simulator| wechat.text("1").field("bizmsgmenuid", "101");
    let empty_menu = |wechat: &Simulator| wechat.text("1").field("bizmsgmenuid", "");
    let raw = |wechat: &Simulator| {
        wechat.xml(format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>{USER}</FromUserName>\
             <CreateTime>1760000000</CreateTime><MsgType>text</MsgType><Content>hi</Content>\
             <MsgId>1</MsgId></xml>"
        ))
    };
    macro_rules! event {
        ($name:literal) => {
            &|wechat: &Simulator| wechat.event($name)
        };
    }
    let (long, short) = (Some((48 * HOUR, 5)), Some((60, 3)));
    let cases: [Case<'_>; 20] = [
        (&|wechat| wechat.text("hi"), long),
        (&voice, long),
        (&|wechat| wechat.image("Im1", "http://p"), long),
        (&|wechat| wechat.location(1.0, 2.0, "x"), long),
        (&|wechat| wechat.link("x", "http://l"), long),
        (&raw, long),
        (&empty_menu, long),
        (&menu, short),
        (event!("subscribe"), short),
        (event!("SCAN"), short),
        (event!("scan"), short),
        (event!("CLICK"), short),
        (event!("click"), short),
        (event!("scancode_push"), short),
        (event!("scancode_waitmsg"), short),
        (event!("VIEW"), None),
        (event!("LOCATION"), None),
        (event!("view_miniprogram"), None),
        (event!("TEMPLATESENDJOBFINISH"), None),
        (event!("unsubscribe"), None),
    ];
    for (push, window) in cases {
        let wechat = wechat();
        let api = api(&wechat);
        hear(push(&wechat)).await;
        let Some((seconds, quota)) = window else {
            assert_eq!(spend(&api).await, (0, 45_015), "{:?}", push(&wechat));
            continue;
        };
        assert_eq!(spend(&api).await, (quota, 45_047), "{:?}", push(&wechat));
        // Another one, at its edges.
        hear(push(&wechat)).await;
        advance(almost(seconds)).await;
        assert_eq!(errcode(api.send(USER, &"1".into()).await), None);
        advance(MILLISECOND).await;
        assert_eq!(spend(&api).await, (0, 45_015), "{:?}", push(&wechat));
    }
}

#[cfg(feature = "json")]
#[tokio::test(start_paused = true)]
async fn a_push_in_json_opens_a_window_too() {
    for (more, quota) in [("", 5), (r#","bizmsgmenuid":"101""#, 3)] {
        let wechat = wechat();
        let push = wechat.xml(format!(
            r#"{{"ToUserName":"gh_1","FromUserName":"{USER}","CreateTime":1760000000,"MsgType":"text",
            "Content":"hi","MsgId":"1"{more}}}"#
        ));
        hear(push).await;
        assert_eq!(spend(&api(&wechat)).await, (quota, 45_047));
    }
}

#[tokio::test(start_paused = true)]
async fn both_windows_may_be_open() {
    let wechat = wechat();
    let api = api(&wechat);
    hear(wechat.text("hi")).await;
    hear(wechat.event("CLICK").field("EventKey", "today")).await;
    assert_eq!(spend(&api).await, (8, 45_047));

    // The short one is spent first, so that nothing is lost with its end.
    hear(wechat.text("hi")).await;
    hear(wechat.event("CLICK").field("EventKey", "today")).await;
    for _ in 0..3 {
        api.send(USER, &"1".into()).await.unwrap();
    }
    advance(secs(60)).await;
    assert_eq!(spend(&api).await, (5, 45_047));
    advance(secs(48 * HOUR)).await;
    assert_eq!(spend(&api).await, (0, 45_015));
}

#[tokio::test(start_paused = true)]
async fn a_message_fills_its_quota_up() {
    let wechat = wechat();
    let api = api(&wechat);
    for _ in 0..3 {
        hear(wechat.text("hi")).await;
        for _ in 0..4 {
            api.send(USER, &"1".into()).await.unwrap();
        }
    }
    assert_eq!(spend(&api).await, (1, 45_047));
}

#[tokio::test(start_paused = true)]
async fn an_unsubscribed_user_gets_nothing_before_a_new_subscription() {
    let wechat = wechat();
    let api = api(&wechat);
    hear(wechat.text("hi")).await;
    hear(wechat.event("subscribe")).await;
    hear(wechat.event("unsubscribe")).await;
    assert_eq!(spend(&api).await, (0, 45_015));
    assert_eq!(errcode(api.typing(USER, true).await), Some(45_080));
    hear(wechat.event("subscribe")).await;
    assert_eq!(spend(&api).await, (3, 45_047));
}

#[tokio::test(start_paused = true)]
async fn a_window_is_the_users_own() {
    let wechat = wechat();
    let api = api(&wechat);
    hear(wechat.text("hi").from_user("o1")).await;
    assert_eq!(
        kind(api.send(USER, &"1".into()).await),
        Some(ErrorKind::OpenId)
    );
    assert_eq!(errcode(api.typing(USER, true).await), Some(40_003));
    hear(wechat.text("hi")).await;
    assert_eq!(spend(&api).await.0, 5);
    api.send("o1", &"1".into()).await.unwrap();
}

/// What WeChat sends again is no new message of the user.
#[tokio::test(start_paused = true)]
async fn only_the_first_delivery_of_a_message_opens_a_window() {
    let wechat = wechat();
    let api = api(&wechat);
    let push = wechat.text("hi");
    hear(push.clone()).await;
    assert_eq!(spend(&api).await, (5, 45_047));
    hear(push.clone()).await;
    push.request().unwrap();
    assert_eq!(spend(&api).await, (0, 45_047));
    // Another user's and another message are others.
    hear(push.clone().from_user("o1")).await;
    assert_eq!(errcode(api.send("o1", &"1".into()).await), None);
    hear(push.msg_id(7)).await;
    assert_eq!(spend(&api).await, (5, 45_047));

    // It opens when the user sends the message, not when WeChat gives up.
    let failing = service_fn(async |_: Request<RequestBody>| {
        tokio::time::sleep(secs(60)).await;
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let push = wechat.event("CLICK").from_user("o2");
    let transcript = push.deliver(failing).await;
    assert_eq!(transcript.deliveries().len(), 3);
    advance(almost(60 - 15)).await;
    api.send("o2", &"1".into()).await.unwrap();
    advance(MILLISECOND).await;
    assert_eq!(errcode(api.send("o2", &"1".into()).await), Some(45_015));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_test_sends_itself_is_a_message_too() {
    let wechat = wechat();
    wechat.text("hi").request().unwrap();
    api(&wechat).send(USER, &"1".into()).await.unwrap();
}

/// Nobody has written it.
#[tokio::test(start_paused = true)]
async fn an_attack_opens_no_window() {
    let wechat = wechat();
    let api = api(&wechat);
    hear(wechat.text("hi").forge_signature()).await;
    assert_eq!(spend(&api).await, (0, 40_003));
}

#[tokio::test(start_paused = true)]
async fn typing_is_shown_for_15_s() {
    let wechat = wechat();
    let api = api(&wechat);
    hear(wechat.text("hi")).await;
    let is_typing = || wechat.chat(USER).is_typing();
    assert!(!is_typing());
    api.typing(USER, true).await.unwrap();
    assert!(is_typing());
    advance(almost(15)).await;
    assert!(is_typing());
    assert_eq!(errcode(api.typing(USER, true).await), Some(45_081));
    advance(MILLISECOND).await;
    assert!(!is_typing());
    api.typing(USER, true).await.unwrap();
    api.typing(USER, false).await.unwrap();
    assert!(!is_typing());
    // Not shown, and cancelled all the same.
    api.typing(USER, false).await.unwrap();

    // A message takes its place, and so does a passive reply.
    api.typing(USER, true).await.unwrap();
    api.send(USER, &"1".into()).await.unwrap();
    assert!(!is_typing());
    api.typing(USER, true).await.unwrap();
    hear(wechat.text("hi")).await;
    assert!(is_typing());
    let failing = service_fn(async |_: Request<RequestBody>| {
        Ok::<_, Infallible>(Response::new("Success".to_owned()))
    });
    let _ = wechat.text("hi").deliver(failing).await;
    assert!(!is_typing());
}

#[tokio::test(start_paused = true)]
async fn typing_is_shown_within_30_s_of_contact() {
    let wechat = wechat();
    let api = api(&wechat);
    for (push, is_contact) in [
        (wechat.event("VIEW"), false),
        (wechat.text("hi"), true),
        (wechat.event("CLICK"), true),
    ] {
        hear(push).await;
        advance(almost(30)).await;
        let expected = (!is_contact).then_some(45_080);
        assert_eq!(errcode(api.typing(USER, true).await), expected);
        let _ = api.typing(USER, false).await;
        advance(MILLISECOND).await;
        assert_eq!(errcode(api.typing(USER, true).await), Some(45_080));
    }
    assert!(!wechat.chat(USER).is_typing());
}
