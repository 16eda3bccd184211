//! The layer in safe and compatible mode: what gets in, and how the reply gets out.

use super::*;

/// Opens a sealed reply as WeChat does: its own timestamp, nonce and signature.
#[track_caller]
pub(super) fn open_reply(account: &Account, body: &[u8]) -> String {
    let sealed: tower_wechat::xml::Value = tower_wechat::message::from_slice(body).unwrap();
    let field = |name: &str| sealed[name].as_str().unwrap().to_owned();
    let query = format!(
        "timestamp={}&nonce={}&msg_signature={}",
        field("TimeStamp"),
        field("Nonce"),
        field("MsgSignature")
    );
    let query = Query::parse(&query).unwrap();
    let opened = callback::open(account, &query, document(&field("Encrypt"))).unwrap();
    String::from_utf8(opened.plaintext().to_vec()).unwrap()
}

#[tokio::test]
async fn the_inner_service_cannot_tell_the_modes_apart() {
    let right = ciphertext(MESSAGE);
    let query = query(&right);
    for body in [
        document(&right),
        format!("<xml><Encrypt>{right}</Encrypt><ToUserName>gh_1</ToUserName></xml>"),
        // Compatible mode; what stands beside the ciphertext is nobody's word.
        format!(
            "<xml><ToUserName>gh_9</ToUserName><Content>forged</Content><Encrypt><![CDATA[{right}]]></Encrypt></xml>"
        ),
        format!(
            "<xml><Encrypt><![CDATA[{right}]]></Encrypt><Content>forged</Content><Content>twice</Content></xml>"
        ),
        format!(
            "<?xml version=\"1.0\"?>\n<xml>\n  <Encrypt>\n    <![CDATA[{right}]]>\n  </Encrypt>\n</xml>\n"
        ),
    ] {
        let outcome = post(account(), &query, &body).await;
        assert_eq!(outcome.inner.as_deref(), Some(MESSAGE.as_bytes()), "{body}");
        assert_eq!(
            (outcome.status.as_u16(), &outcome.body[..]),
            (200, &b"success"[..])
        );
    }
}

#[tokio::test]
async fn no_downgrade() {
    let right = ciphertext(MESSAGE);
    let (safe, body) = (query(&right), document(&right));
    let plain: String = safe.split('&').take(3).collect::<Vec<_>>().join("&");

    let rejected = |kind| RejectionKind::Callback(kind);
    // A plain delivery that WeChat itself has signed.
    let plain_raw = format!("{plain}&encrypt_type=raw");
    let raw = safe.replace("encrypt_type=aes", "encrypt_type=raw");
    for query in [&plain, &plain_raw, &raw] {
        for body in [MESSAGE, &body] {
            post(account(), query, body)
                .await
                .check_rejected(400, rejected(ErrorKind::EncryptedAccount));
        }
    }
    // What says that it is encrypted has to be signed as such.
    post(account(), &format!("{plain}&encrypt_type=aes"), &body)
        .await
        .check_rejected(400, rejected(ErrorKind::Parameters));
    post(account(), &safe, MESSAGE)
        .await
        .check_rejected(400, rejected(ErrorKind::Document));

    // The plain signature is right, the one over the ciphertext is not.
    let other = ciphertext("another");
    post(account(), &safe, &document(&other))
        .await
        .check_rejected(403, rejected(ErrorKind::Signature));
    // The one over the ciphertext is right, the plain one is not.
    let without = safe.split_once('&').unwrap().1;
    let forged = format!("signature={}&{without}", "0".repeat(40));
    post(account(), &forged, &body)
        .await
        .check_rejected(403, rejected(ErrorKind::Signature));

    let elsewhere = encrypt(
        KEY,
        &padded(content(MESSAGE.as_bytes(), "wx9f8e7d6c5b4a3021")),
    );
    post(account(), &query(&elsewhere), &document(&elsewhere))
        .await
        .check_rejected(400, RejectionKind::Callback(ErrorKind::ReceiveId));
}

#[tokio::test]
async fn a_reply_is_sealed_in_the_format_of_its_message() {
    let right = ciphertext(MESSAGE);
    let reply = "<xml><Content>回复</Content></xml>";
    let xml = (document(&right), "application/xml");
    let json = (
        format!("{{\"ToUserName\":\"gh_1\",\"Encrypt\":\"{right}\"}}"),
        "application/json",
    );
    for (body, content_type) in [xml, json] {
        if body.starts_with('{') && !cfg!(feature = "json") {
            continue;
        }
        let answer = Response::builder()
            .header("content-type", "application/xml")
            .header("content-length", reply.len())
            .body(Full::from(reply))
            .unwrap();
        let layer = VerifySignatureLayer::new(account());
        let outcome = send_through(layer, Method::POST, &query(&right), &body, answer).await;
        assert_eq!(outcome.headers["content-type"], content_type);
        assert!(
            !outcome.headers.contains_key("content-length"),
            "it has another length now"
        );
        assert_eq!(outcome.body.starts_with(b"{"), body.starts_with('{'));
        assert_eq!(open_reply(&account(), &outcome.body), reply);
    }
}

#[tokio::test]
async fn acknowledgements_go_out_as_they_are_and_nothing_else_does() {
    let right = ciphertext(MESSAGE);
    for (status, reply, is_sealed) in [
        (200, "", false),
        (200, "success", false),
        (200, "success ", true),
        (200, "secret", true),
        // What an inner service says with another status is said under encryption, too.
        (500, "secret", true),
        (503, "", false),
    ] {
        let answer = Response::builder()
            .status(status)
            .body(Full::from(reply))
            .unwrap();
        let layer = VerifySignatureLayer::new(account());
        let outcome = send_through(
            layer,
            Method::POST,
            &query(&right),
            &document(&right),
            answer,
        )
        .await;
        assert_eq!(outcome.status.as_u16(), status);
        if is_sealed {
            assert_eq!(open_reply(&account(), &outcome.body), reply);
        } else {
            assert_eq!(outcome.body, reply);
        }
    }
}

/// The signature that counts in safe mode is that of the ciphertext.
#[tokio::test]
async fn a_push_needs_no_signature_but_that_of_its_ciphertext() {
    let right = ciphertext(MESSAGE);
    let body = document(&right);
    let signed = query(&right);
    let (signature, without) = signed.split_once('&').unwrap();
    let rejected = |kind| RejectionKind::Callback(kind);
    for alone in [
        without,
        &format!("signature=&{without}"),
        &without.replace("&encrypt_type=aes", ""),
        &without.replace("=aes", "="),
    ] {
        let outcome = post(account(), alone, &body).await;
        assert_eq!(
            (outcome.status.as_u16(), outcome.inner.as_deref()),
            (200, Some(MESSAGE.as_bytes())),
            "{alone}"
        );
        post(account(), alone, &document(&ciphertext("another")))
            .await
            .check_rejected(403, rejected(ErrorKind::Signature));
        post(account(), alone, MESSAGE)
            .await
            .check_rejected(400, rejected(ErrorKind::Document));
        let stale = alone.replace(TIMESTAMP, "1735689299");
        post(account(), &stale, &body)
            .await
            .check_rejected(403, rejected(ErrorKind::Timestamp));
        // It is none for the query, which alone is signed in these two.
        send(account(), Method::GET, &format!("{alone}&echostr=42"), "")
            .await
            .check_rejected(400, rejected(ErrorKind::Parameters));
        let plain = Account::plain(TOKEN).unwrap();
        post(plain, alone, &body)
            .await
            .check_rejected(400, rejected(ErrorKind::Parameters));
        let both = post(account(), &format!("{signature}&{alone}"), &body).await;
        assert_eq!(both.status == 200, !alone.starts_with("signature"));
    }
}

/// A sealed reply is signed as a push is. Without a `signature`, only its nonce tells them apart.
#[tokio::test]
async fn a_reply_that_comes_back_is_no_push() {
    let sealed = callback::seal(&account(), MESSAGE.as_bytes()).unwrap();
    let seconds: u64 = sealed.timestamp().to_string().parse().unwrap();
    let query = format!(
        "timestamp={seconds}&nonce={}&encrypt_type=aes&msg_signature={}",
        sealed.nonce(),
        sealed.msg_signature()
    );
    let query = Query::parse(&query).unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let error = query.verify(&account(), now, Duration::ZERO).unwrap_err();
    assert_eq!(
        (error.kind(), error.is_signed()),
        (ErrorKind::Signature, false)
    );
}

/// The same procedure in all three modes: the echostr is not encrypted.
#[tokio::test]
async fn the_url_is_verified_as_in_plain_mode() {
    let signature = Signature::sign(&Token::new(TOKEN).unwrap(), [TIMESTAMP, NONCE]);
    let query = format!("signature={signature}&timestamp={TIMESTAMP}&nonce={NONCE}&echostr=42");
    let outcome = send(account(), Method::GET, &query, "").await;
    assert_eq!(
        (outcome.status.as_u16(), &outcome.body[..]),
        (200, &b"42"[..])
    );
    assert_eq!(outcome.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn bodies_are_bounded_as_in_plain_mode() {
    let right = ciphertext(MESSAGE);
    post(account(), &query(&right), "")
        .await
        .check_rejected(400, RejectionKind::BodyEmpty);
    let truncated = &document(&right)[..100];
    post(account(), &query(&right), truncated)
        .await
        .check_rejected(400, RejectionKind::Callback(ErrorKind::Document));

    let limit = 64 * 1024;
    let overhead = document("").len();
    // As long as fits: three quarters of it are the ciphertext's.
    let longest = (0..limit * 3 / 4)
        .rev()
        .step_by(32)
        .map(|length| ciphertext(&"x".repeat(length)))
        .find(|encrypt| overhead + encrypt.len() <= limit)
        .unwrap();
    let body = document(&longest);
    assert!(
        post(account(), &query(&longest), &body)
            .await
            .inner
            .is_some()
    );
    let over = format!("{body}{}", " ".repeat(limit + 1 - body.len()));
    post(account(), &query(&longest), &over)
        .await
        .check_rejected(413, RejectionKind::BodyTooLarge);
}

/// The plain signature is checked first, so who cannot sign makes nobody read a body.
#[tokio::test(start_paused = true)]
async fn a_body_that_stops_half_way_is_given_up() {
    use futures_util::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    let right = ciphertext(MESSAGE);
    let half = Bytes::from(document(&right)[..50].to_owned());
    let begun = tokio::time::Instant::now();
    let parts = stream::iter([Ok::<_, Infallible>(Frame::data(half))]).chain(stream::pending());
    let request = Request::post(format!("/?{}", query(&right)))
        .body(StreamBody::new(parts))
        .unwrap();
    let inner = service_fn(async |_: Request<Verified>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let service = VerifySignatureLayer::new(account())
        .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
        .layer(inner);
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 408);
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
}
