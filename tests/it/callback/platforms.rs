//! WeCom and the open platform, whose rules differ; and many accounts behind one layer.

use super::*;

const COMPONENT: &str = "wx9f8e7d6c5b4a3021";

#[tokio::test]
async fn wecom_signs_nothing_but_ciphertexts() {
    for receive_id in ["ww1234567890abcdef", ""] {
        let account = Account::wecom(TOKEN, receive_id, KEY).unwrap();
        let encrypt = encrypt(KEY, &padded(content(MESSAGE.as_bytes(), receive_id)));
        let layer = VerifySignatureLayer::new(account.clone());
        let reply = Response::new("<xml/>".into());
        let outcome = send_through(
            layer,
            Method::POST,
            &wecom_query(&encrypt),
            &document(&encrypt),
            reply,
        )
        .await;
        assert_eq!(outcome.inner.as_deref(), Some(MESSAGE.as_bytes()));
        assert_eq!(layer::open_reply(&account, &outcome.body), "<xml/>");

        // A plain signature authenticates nothing here.
        let signature = Signature::sign(&Token::new(TOKEN).unwrap(), [TIMESTAMP, NONCE]);
        let plain = format!("signature={signature}&timestamp={TIMESTAMP}&nonce={NONCE}");
        post(account.clone(), &plain, MESSAGE)
            .await
            .check_rejected(400, RejectionKind::Callback(ErrorKind::Parameters));
        let stale = wecom_query(&encrypt).replace(TIMESTAMP, "1735689299");
        post(account, &stale, &document(&encrypt))
            .await
            .check_rejected(403, RejectionKind::Callback(ErrorKind::Timestamp));
    }
}

/// Within a second, no quotes, no byte order mark, no line end.
#[tokio::test]
async fn wecom_gets_the_plaintext_of_its_echostr() {
    let account = Account::wecom(TOKEN, "ww1", KEY).unwrap();
    // One with a plus sign in its base64, which is no blank.
    let (answer, echostr) = (0..1000)
        .map(|number| 1_616_140_317_555_161_061_u64 + number)
        .map(|number| number.to_string())
        .map(|answer| {
            let echostr = encrypt(KEY, &padded(content(answer.as_bytes(), "ww1")));
            (answer, echostr)
        })
        .find(|(_, echostr)| echostr.contains('+'))
        .unwrap();
    let signed = wecom_query(&echostr);
    let escaped = echostr
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    for echostr in [&echostr, &escaped] {
        let query = format!("{signed}&echostr={echostr}");
        let outcome = send(account.clone(), Method::GET, &query, "").await;
        assert_eq!(
            (outcome.status.as_u16(), &outcome.body[..]),
            (200, answer.as_bytes())
        );
    }
    for wrong in [
        format!("{signed}&echostr=1616140317555161061"),
        format!("{signed}&echostr={}", escaped.replace("%2B", "%20")),
        signed.clone(),
    ] {
        let outcome = send(account.clone(), Method::GET, &wrong, "").await;
        assert!(outcome.status.is_client_error(), "{wrong}");
        assert_eq!(outcome.body, "");
    }
}

/// The path is not signed: what was captured on its way to one authorizer verifies on another's path.
#[tokio::test]
async fn an_authorizers_message_is_for_its_own_path_alone() {
    let component = Account::component(TOKEN, COMPONENT, KEY).unwrap();
    let to_one = "<xml><ToUserName>gh_1</ToUserName><MsgType>text</MsgType></xml>";
    let ticket =
        "<xml><AppId>wx9f8e7d6c5b4a3021</AppId><InfoType>component_verify_ticket</InfoType></xml>";
    for (message, account, passes) in [
        (to_one, component.authorizer("gh_1").unwrap(), true),
        (to_one, component.authorizer("gh_2").unwrap(), false),
        (to_one, component.clone(), false),
        (ticket, component.clone(), true),
        (ticket, component.authorizer("gh_1").unwrap(), false),
        // The second one is what a user has typed.
        (
            "<xml><ToUserName>gh_1</ToUserName><ToUserName>gh_2</ToUserName></xml>",
            component.authorizer("gh_2").unwrap(),
            false,
        ),
        ("no document", component.clone(), false),
    ] {
        let encrypt = encrypt(KEY, &padded(content(message.as_bytes(), COMPONENT)));
        let outcome = post(account, &query(&encrypt), &document(&encrypt)).await;
        if passes {
            assert_eq!(outcome.inner.as_deref(), Some(message.as_bytes()));
        } else {
            outcome.check_rejected(400, RejectionKind::Callback(ErrorKind::Receiver));
        }
    }
}

/// What one of them leaves unanswered is not counted against another.
#[test]
fn an_authorizer_has_a_name_of_its_own() {
    let component = Account::component(TOKEN, COMPONENT, KEY).unwrap();
    let name = |account: &Account| account.authorizer("gh_1").unwrap().name().to_owned();
    assert_eq!(name(&component), "gh_1");
    assert_eq!(name(&component.with_name("all")), "all");
}

#[tokio::test]
async fn accounts_are_picked_by_path_and_share_nothing() {
    let accounts = [
        ("/news", Account::encrypted(TOKEN, "wxnews", KEY).unwrap()),
        ("/shop", Account::encrypted(TOKEN, "wxshop", KEY).unwrap()),
    ];
    let layer = VerifySignatureLayer::from_fn(move |head| {
        let mut accounts = accounts.iter();
        let (_, account) = accounts.find(|(path, _)| *path == head.uri.path())?;
        Some(account.clone())
    })
    .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
    let encrypt = encrypt(KEY, &padded(content(MESSAGE.as_bytes(), "wxnews")));
    for (path, status, name) in [
        ("/news", 200, "wxnews"),
        ("/shop", 400, ""),
        ("/else", 404, ""),
    ] {
        let inner = service_fn(|request: Request<Verified>| async move {
            // The account of dedup's keys.
            let name = request.body().delivery().account().to_owned();
            Ok::<_, Infallible>(
                Response::builder()
                    .header("name", name)
                    .body(Full::<Bytes>::default())
                    .unwrap(),
            )
        });
        let request = Request::post(format!("{path}?{}", query(&encrypt)))
            .body(Full::<Bytes>::from(document(&encrypt)))
            .unwrap();
        let response = layer.layer(inner).oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
        let found = response
            .headers()
            .get("name")
            .map_or("", |name| name.to_str().unwrap());
        assert_eq!(found, name);
    }
}

/// What a user types must not make a delivery fail: WeChat counts failures, and stops pushing.
#[tokio::test]
async fn an_authorizers_user_cannot_make_a_delivery_fail() {
    let component = Account::component(TOKEN, COMPONENT, KEY).unwrap();
    for typed in [
        "]]></Content><MsgId>1</MsgId><Content><![CDATA[",
        "]]></Content><ToUserName>gh_2</ToUserName><Content><![CDATA[",
        "]]></Content><!--",
        "]]></Content></xml>",
    ] {
        let message = format!(
            "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>\
             <CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType>\
             <Content><![CDATA[{typed}]]></Content><MsgId>7</MsgId></xml>"
        );
        let encrypt = encrypt(KEY, &padded(content(message.as_bytes(), COMPONENT)));
        let account = component.authorizer("gh_1").unwrap();
        let outcome = post(account, &query(&encrypt), &document(&encrypt)).await;
        assert_eq!(outcome.status, 200, "{typed}");
        // It is still for no other path.
        for other in [component.authorizer("gh_2").unwrap(), component.clone()] {
            post(other, &query(&encrypt), &document(&encrypt))
                .await
                .check_rejected(400, RejectionKind::Callback(ErrorKind::Receiver));
        }
    }
}

/// A push that was captured is not decrypted for whoever sends it back as an echostr.
#[tokio::test]
async fn wecom_decrypts_no_push_for_a_get() {
    for (receive_id, push) in [
        (
            "ww1",
            "<xml><InfoType>suite_ticket</InfoType><SuiteTicket>secret</SuiteTicket></xml>",
        ),
        ("", r#"{"msgid":"1","event":{"eventtype":"enter_chat"}}"#),
        ("", "  <xml>\n</xml>"),
    ] {
        let account = Account::wecom(TOKEN, receive_id, KEY).unwrap();
        let encrypt = encrypt(KEY, &padded(content(push.as_bytes(), receive_id)));
        let query = format!("{}&echostr={encrypt}", wecom_query(&encrypt));
        let outcome = send(account, Method::GET, &query, "").await;
        assert_eq!(
            (outcome.status.as_u16(), &outcome.body[..]),
            (400, &b""[..])
        );
    }
}

/// Our own sealed reply, sent back to us, is no push.
#[tokio::test]
async fn wecom_takes_no_reply_of_ours_for_a_push() {
    let account = Account::wecom(TOKEN, "ww1234567890abcdef", KEY).unwrap();
    let reply = "<xml><ToUserName>u1</ToUserName><FromUserName>ww1234567890abcdef</FromUserName>\
        <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>transfer 100</Content></xml>";
    let push = encrypt(
        KEY,
        &padded(content(MESSAGE.as_bytes(), "ww1234567890abcdef")),
    );
    let layer = VerifySignatureLayer::new(account.clone());
    let answer = Response::new(reply.into());
    let outcome = send_through(
        layer,
        Method::POST,
        &wecom_query(&push),
        &document(&push),
        answer,
    )
    .await;
    let sealed = String::from_utf8(outcome.body.to_vec()).unwrap();
    let part = |name: &str| {
        let text = sealed.split(&format!("<{name}>")).nth(1).unwrap();
        let text = text.split(&format!("</{name}>")).next().unwrap();
        text.trim_start_matches("<![CDATA[")
            .trim_end_matches("]]>")
            .to_owned()
    };
    let query = format!(
        "msg_signature={}&timestamp={}&nonce={}",
        part("MsgSignature"),
        part("TimeStamp"),
        part("Nonce")
    );
    // By the system's clock, as it was sealed.
    let layer = VerifySignatureLayer::new(account).with_clock(SystemTime::now);
    let inner = service_fn(|_: Request<Verified>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("success")))
    });
    for (method, query) in [
        (Method::POST, query.clone()),
        (Method::GET, format!("{query}&echostr={}", part("Encrypt"))),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("/wechat?{query}"))
            .body(Full::<Bytes>::from(sealed.clone()))
            .unwrap();
        let response = layer.layer(inner).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 403);
    }
}
