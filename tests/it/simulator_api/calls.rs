//! What each call gives, and what WeChat does not accept.

use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use proptest::prelude::*;
use tower_wechat::{
    api::Encoding,
    message::VoiceMessage,
    reply::{Article, Music, Video},
    xml,
};

use super::*;

const DAY: u64 = 24 * 3600;

/// Delivers a push, and returns the voice message that the bot gets.
async fn voice(push: Push) -> VoiceMessage {
    let body = push.request().unwrap().into_body();
    hear(push).await;
    xml::from_slice(&body).unwrap()
}

/// Uploads a picture, so that a reply can carry it.
async fn picture(api: &Api) -> String {
    api.upload(MediaKind::Image, b"\x89PNG\r\n\x1a\n--")
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_recording_lies_behind_its_media_id() {
    let wechat = wechat();
    let api = api(&wechat);
    let voice = voice(wechat.voice("Vo1").sound(AMR)).await;
    assert_eq!(api.recording(&voice).await.unwrap().as_bytes(), AMR);
    let media = api.media("Vo1").await.unwrap();
    assert_eq!(media.content_type(), Some("audio/amr"));
    assert_eq!(media.file_name(), Some("Vo1.amr"));

    // The same id again, as a careless test may choose it.
    hear(wechat.voice("Vo1").sound(&b"#!AMR\nother"[..])).await;
    let media = api.media("Vo1").await.unwrap();
    assert_eq!(media.as_bytes(), b"#!AMR\nother");
}

#[tokio::test(start_paused = true)]
async fn a_recording_at_16_khz_is_preferred() {
    let wechat = wechat();
    let api = api(&wechat);
    let wide = &b"#!AMR-WB\n\x04"[..];
    let push = wechat.voice("Vo1").sound(AMR).sound_16k(wide);
    let heard = voice(push.clone()).await;
    assert_ne!(heard.media_id_16k.as_deref(), Some("Vo1"));
    let recording = api.recording(&heard).await.unwrap();
    assert_eq!(recording.encoding(), Encoding::AmrWb);
    assert_eq!(api.media("Vo1").await.unwrap().as_bytes(), AMR);
    // Each push has an id of its own, or the one that the test has chosen.
    let other = voice(wechat.voice("Vo2").sound_16k(wide)).await;
    assert_ne!(other.media_id_16k, heard.media_id_16k);
    let chosen = wechat
        .voice("Vo3")
        .field("MediaId16K", "Wi3")
        .sound_16k(wide);
    assert_eq!(voice(chosen).await.media_id_16k.as_deref(), Some("Wi3"));
    assert_eq!(api.media("Wi3").await.unwrap().as_bytes(), wide);

    // Only the other one is there.
    let push = wechat.voice("Vo4").sound(AMR).field("MediaId16K", "Wi4");
    let recording = api.recording(&voice(push).await).await.unwrap();
    assert_eq!(recording.encoding(), Encoding::AmrNb);
}

#[tokio::test(start_paused = true)]
async fn the_addresses_are_those_of_the_docs() {
    let nets = api(&wechat()).callback_ips().await.unwrap();
    let nets: Vec<_> = nets.iter().map(ToString::to_string).collect();
    assert_eq!(nets, ["127.0.0.1", "192.0.2.7", "198.51.100.0/25"]);
}

#[tokio::test(start_paused = true)]
async fn media_are_kept_for_three_days() {
    let wechat = wechat();
    let api = api(&wechat);
    hear(wechat.voice("Vo1").sound(AMR)).await;
    let uploaded = picture(&api).await;
    advance(almost(3 * DAY)).await;
    for id in ["Vo1", &*uploaded] {
        api.media(id).await.unwrap();
    }
    advance(MILLISECOND).await;
    for id in ["Vo1", &*uploaded] {
        assert_eq!(errcode(api.media(id).await), Some(40_007), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_no_other_media() {
    let wechat = wechat();
    let api = api(&wechat);
    // Not sent yet, without sound, and sent by nobody.
    let _later = wechat.voice("Vo1").sound(AMR);
    hear(wechat.voice("Vo2")).await;
    hear(wechat.voice("Vo3").sound(AMR).forge_signature()).await;
    hear(wechat.image("Im1", "http://p")).await;
    for id in ["Vo1", "Vo2", "Vo3", "Im1", "Vo4"] {
        assert_eq!(errcode(api.media(id).await), Some(40_007), "{id}");
    }
    // A failure is JSON with the status 200.
    let (token, _) = token(&wechat).await;
    let uri = format!("/cgi-bin/media/get?access_token={token}&media_id=Vo1");
    let (status, _, body) = raw(&wechat, Method::GET, &uri, "").await;
    assert_eq!(status, StatusCode::OK);
    let json: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        json,
        json!({ "errcode": 40_007, "errmsg": "invalid media_id" })
    );
}

/// As with a picture that the user sends on.
#[tokio::test(start_paused = true)]
async fn a_push_that_names_a_file_does_not_remove_it() {
    let wechat = wechat();
    let api = api(&wechat);
    hear(wechat.voice("Vo1").sound(AMR)).await;
    hear(wechat.voice("Vo1")).await;
    assert_eq!(api.media("Vo1").await.unwrap().as_bytes(), AMR);
}

/// A raw body is sent as it is, and a sound is that of a voice message.
#[tokio::test(start_paused = true)]
async fn what_has_no_media_id_has_no_sound() {
    let wechat = wechat();
    hear(wechat.text("hi").sound(AMR)).await;
    let raw = wechat.xml("<xml/>").sound(AMR).sound_16k(AMR);
    assert_eq!(raw.request().unwrap().body(), "<xml/>");
}

#[tokio::test(start_paused = true)]
async fn what_is_uploaded_can_be_fetched_and_sent() {
    let wechat = wechat();
    let api = api(&wechat);
    for (kind, bytes, content_type) in [
        (
            MediaKind::Image,
            &b"\x89PNG\r\n--x\r\n\r\n"[..],
            "image/png",
        ),
        (MediaKind::Image, b"\xff\xd8\xff", "image/jpeg"),
        (MediaKind::Voice, AMR, "audio/amr"),
        (MediaKind::Voice, b"ID3", "audio/mpeg"),
        (MediaKind::Video, b"....ftyp", "video/mp4"),
        (MediaKind::Thumb, b"\xff\xd8\xff", "image/jpeg"),
    ] {
        let id = api.upload(kind, bytes).await.unwrap();
        let media = api.media(&id).await.unwrap();
        assert_eq!(media.as_bytes(), bytes);
        assert_eq!(media.content_type(), Some(content_type));
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_has_limits() {
    let wechat = wechat();
    let api = api(&wechat);
    let form = |extension, length| {
        let head =
            format!("Content-Disposition: form-data; name=\"media\"; filename=\"m.{extension}\"");
        format!("--b\r\n{head}\r\n\r\n{}\r\n--b--\r\n", "1".repeat(length))
    };
    let multipart = "multipart/form-data; boundary=b";
    for (kind, name, extension, limit) in [
        (MediaKind::Image, "image", "jpg", 10 << 20),
        (MediaKind::Voice, "voice", "mp3", 2 << 20),
        (MediaKind::Video, "video", "mp4", 10 << 20),
        (MediaKind::Thumb, "thumb", "jpg", 64 << 10),
    ] {
        api.upload(kind, vec![1; limit]).await.unwrap();
        // `Api` does not send it.
        let larger = form(extension, limit + 1);
        let larger = upload(&wechat, name, multipart, &larger).await;
        assert_eq!(larger["errcode"], 40_006, "{kind:?}");
        assert_eq!(errcode(api.upload(kind, b"").await), Some(41_005));
    }
    let huge = form("mp4", 12 << 20);
    let (status, ..) = raw(&wechat, Method::POST, "/cgi-bin/media/upload", huge).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

/// Uploads a form as it is. Returns the answer.
async fn upload(wechat: &Simulator, kind: &str, content_type: &str, form: &str) -> Value {
    let (token, _) = token(wechat).await;
    let uri = format!("/cgi-bin/media/upload?access_token={token}&type={kind}");
    let request = Request::post(uri).header("Content-Type", content_type);
    let request = request
        .body(Full::new(Bytes::from(form.to_owned())))
        .unwrap();
    let (_, _, body) = answer(wechat.api().oneshot(request).await.unwrap()).await;
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_form_is_read_as_other_clients_write_it() {
    let wechat = wechat();
    let api = api(&wechat);
    let form = "multipart/form-data; boundary=b";
    let media = "Content-Disposition: form-data; name=\"media\"; filename=\"a.jpg\"";
    let one = format!("--b\r\n{media}\r\n\r\n\r\n--c\r\n--b--\r\n");
    let two = format!(
        "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"x\"; filename=\"media\"\r\n\r\n1\r\n\
         --b\r\ncontent-type: image/jpeg\r\n{}\r\n\r\n\r\n--c\r\n--b--",
        media.to_ascii_lowercase().replace('"', ""),
    );
    let quoted = "Multipart/Form-Data; charset=utf-8; Boundary=\"b\"";
    for (content_type, form) in [(form, &one), (quoted, &one), (form, &two)] {
        let json = upload(&wechat, "image", content_type, form).await;
        assert_eq!(json["type"], "image");
        assert!(json["created_at"].is_u64());
        let id = json["media_id"].as_str().unwrap();
        assert_eq!(api.media(id).await.unwrap().as_bytes(), b"\r\n--c");
    }
    let thumb = upload(&wechat, "thumb", form, &one).await;
    assert!(thumb["thumb_media_id"].is_string() && thumb["media_id"].is_null());

    for (kind, content_type, form, errcode) in [
        ("", form, &*one, 40_004),
        ("news", form, &one, 40_004),
        ("voice", form, &one, 40_005),
        ("video", form, &one, 40_005),
        ("image", "image/jpeg", &one, 41_005),
        ("image", "multipart/form-data", &one, 41_005),
        ("image", "multipart/form-data; boundary=c", &one, 41_005),
        ("image", form, "", 41_005),
        ("image", form, "--b", 41_005),
        ("image", form, "--b--", 41_005),
        ("image", form, "--b\r\n", 41_005),
        ("image", form, &one.replace("\r\n--b--", ""), 41_005),
        (
            "image",
            form,
            &one.replace("name=\"media\"", "name=\"file\""),
            41_005,
        ),
        (
            "image",
            form,
            &one.replace("; filename=\"a.jpg\"", ""),
            41_005,
        ),
        ("image", form, &one.replace(".jpg", ""), 40_005),
    ] {
        let json = upload(&wechat, kind, content_type, form).await;
        assert_eq!(json["errcode"], errcode, "{kind} {content_type} {form:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_type_of_reply_is_sent() {
    let wechat = wechat();
    let api = api(&wechat);
    let media = picture(&api).await;
    let image = wechat.image("Im1", "http://p");
    hear(image.field("ThumbMediaId", "Th1")).await;
    let article = || Article::new("t", "d", "http://p", "http://u");
    for (reply, shown) in [
        (Reply::text("天亮了"), "天亮了"),
        (Reply::image(&*media), "[image]"),
        (Reply::voice(&*media), "[voice]"),
        (
            Reply::video(Video::new(&*media).with_thumb_media_id(&*media)),
            "[video]",
        ),
        (Reply::music(Music::new(&*media)), "[music]"),
        (Reply::news([article()]), "[news]"),
        // What the user has sent, although the test has no bytes of it.
        (Reply::image("Im1"), "[image]"),
        (Reply::music(Music::new("Th1")), "[music]"),
    ] {
        hear(wechat.text("hi")).await;
        api.send(USER, &reply).await.unwrap();
        let chat = wechat.chat(USER);
        assert_eq!(*chat.shown().last().unwrap(), shown);
    }
    let unknown = Reply::video(Video::new(&*media).with_thumb_media_id("Th2"));
    for reply in [
        Reply::image("Im2"),
        Reply::voice("Im2"),
        Reply::music(Music::new("Im2")),
        unknown,
    ] {
        assert_eq!(errcode(api.send(USER, &reply).await), Some(40_007));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_checked() {
    let wechat = wechat();
    hear(wechat.text("hi")).await;
    let send = |json: Value| {
        let wechat = wechat.clone();
        async move {
            let mut message = json!({ "touser": USER });
            let fields = message.as_object_mut().unwrap();
            fields.extend(json.as_object().unwrap().clone());
            command(&wechat, "message/custom/send", &message).await
        }
    };
    let text = |content: &str| json!({ "msgtype": "text", "text": { "content": content } });
    let news = |articles: usize| {
        let articles = vec![json!({ "title": "t", "url": "http://u" }); articles];
        json!({ "msgtype": "news", "news": { "articles": articles } })
    };
    for (json, errcode) in [
        (json!({}), 40_008),
        (json!({ "msgtype": "file", "file": {} }), 40_008),
        (json!({ "msgtype": "text" }), 44_004),
        (text(""), 44_004),
        (text(&"语".repeat(683)), 45_002),
        (text(&"x".repeat(2048)), 0),
        (json!({ "msgtype": "news", "news": {} }), 44_003),
        (news(0), 44_003),
        (news(1), 0),
        (news(2), 45_008),
        (json!({ "msgtype": "image" }), 40_007),
        (json!({ "msgtype": "wxcard" }), 40_008),
        (
            json!({ "msgtype": "wxcard", "wxcard": { "card_id": "1" } }),
            0,
        ),
        (
            json!({ "touser": "o1", "msgtype": "text", "text": { "content": "1" } }),
            40_003,
        ),
        (
            json!({ "touser": null, "msgtype": "text", "text": { "content": "1" } }),
            40_003,
        ),
    ] {
        assert_eq!(send(json.clone()).await, errcode, "{json}");
    }
    // What failed has cost nothing.
    assert_eq!(send(text("4")).await, 0);
    assert_eq!(send(text("5")).await, 0);
    assert_eq!(send(text("6")).await, 45_047);

    let typing = json!({ "touser": USER, "command": "typing" });
    assert_eq!(
        command(&wechat, "message/custom/typing", &typing).await,
        45_072
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_is_checked() {
    let wechat = wechat();
    let (token, _) = token(&wechat).await;
    let token = &*token;
    let valid = |path: &str| format!("/cgi-bin/{path}?access_token={token}");
    for (method, uri, body, errcode) in [
        (Method::GET, "/".to_owned(), "", 40_066),
        (Method::GET, valid("menu/get"), "", 40_066),
        (
            Method::POST,
            "/proxy".to_owned() + &valid("message/custom/send"),
            "{}",
            40_066,
        ),
        (Method::POST, valid("message/custom/send/"), "{}", 40_066),
        (Method::GET, "/cgi-bin/stable_token".to_owned(), "", 43_002),
        (Method::POST, "/cgi-bin/token".to_owned(), "{}", 43_001),
        (Method::PUT, valid("message/custom/send"), "{}", 43_002),
        (Method::GET, valid("message/custom/typing"), "", 43_002),
        (Method::GET, valid("media/upload"), "", 43_002),
        (Method::POST, valid("media/get"), "", 43_001),
        (Method::POST, valid("message/custom/send"), "", 44_002),
        (Method::POST, valid("message/custom/send"), "{", 47_001),
        (Method::POST, valid("message/custom/send"), "[]", 47_001),
        (Method::POST, valid("message/custom/send"), "[{}]", 47_001),
        (
            Method::POST,
            valid("message/custom/typing"),
            "touser=1",
            47_001,
        ),
        (
            Method::POST,
            "/cgi-bin/stable_token".to_owned(),
            "null",
            47_001,
        ),
        (Method::POST, valid("message/custom/typing"), "{}", 45_072),
    ] {
        let (status, content_type, body) = raw(&wechat, method.clone(), &uri, body).await;
        assert_eq!(
            (status, &*content_type),
            (StatusCode::OK, "application/json; encoding=utf-8")
        );
        let json: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["errcode"], errcode, "{method} {uri}");
    }
    let huge = vec![b' '; (64 << 10) + 1];
    for path in ["stable_token", "message/custom/send", "other"] {
        let (status, ..) = raw(
            &wechat,
            Method::POST,
            &format!("/cgi-bin/{path}"),
            huge.clone(),
        )
        .await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

proptest! {
    #![proptest_config(crate::cases(256))]

    /// Whatever its bytes, also those that look like the form around it.
    #[test]
    fn an_uploaded_file_comes_back(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just(b"\r\n--".to_vec()),
                Just(b"\r\n\r\n".to_vec()),
                proptest::collection::vec(any::<u8>(), 1..20),
            ],
            1..10,
        ),
    ) {
        // `Api` takes a file that begins with `<` or `{` for a proxy's page or a failure.
        let file = [b"ftyp", &*pieces.concat()].concat();
        let found = paused(async {
            let api = api(&wechat());
            let id = api.upload(MediaKind::Video, &file).await.unwrap();
            api.media(&id).await.unwrap().to_bytes()
        });
        prop_assert_eq!(found, file);
    }

    /// No request is left without an answer.
    #[test]
    fn each_request_is_answered(
        call in 0..6_usize,
        get in any::<bool>(),
        query in "[&=%a-f0-9]{0,12}",
        content_type in "(multipart/form-data; boundary=b|[!-~]{0,12})",
        body in prop_oneof![
            "(--b|\r\n|name=\"media\"|: ;|filename=a.jpg|Content-Disposition){0,12}",
            r#"\{("touser":"o1",|"msgtype":("text"|[0-9]),|"text":(1|\[\]|\{"content":1\}),|"news":\{"articles":1\},){0,4}"appid":1\}"#,
            any::<String>(),
        ],
    ) {
        const PATHS: [&str; 6] =
            ["stable_token", "media/get", "media/upload", "message/custom/send", "message/custom/typing", ""];
        paused(async {
            let wechat = wechat();
            let (token, _) = token(&wechat).await;
            let uri = format!("/cgi-bin/{}?access_token={token}&type=image&{query}", PATHS[call]);
            let request = Request::builder().method(if get { Method::GET } else { Method::POST });
            let request = request.uri(uri).header("Content-Type", content_type);
            let request = request.body(Full::new(Bytes::from(body))).unwrap();
            let (status, _, body) = answer(wechat.api().oneshot(request).await.unwrap()).await;
            assert_eq!(status, StatusCode::OK);
            let json: Value = serde_json::from_slice(&body).unwrap();
            assert!(json["errcode"].is_i64() || json["media_id"].is_string(), "{json}");
        });
    }
}

fn paused<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

/// What the playground does, with the clients that bots have.
#[tokio::test]
async fn it_is_served_on_loopback() {
    let wechat = wechat();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let service = TowerToHyperService::new(wechat.api());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service.clone();
            tokio::spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                http.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let api = Api::new(client, APP_ID, APP_SECRET).unwrap();
    let api = api.with_base_url(base_url).unwrap();

    let voice = voice(wechat.voice("Vo1").sound(vec![7; 1 << 20])).await;
    assert_eq!(
        api.recording(&voice).await.unwrap().as_bytes().len(),
        1 << 20
    );
    let id = picture(&api).await;
    api.typing(USER, true).await.unwrap();
    api.send(USER, &Reply::image(id)).await.unwrap();
    assert_eq!(wechat.chat(USER).shown(), ["[image]"]);
    wechat
        .api()
        .fail_next(1, ApiCall::Send, ApiFailure::LostAnswer);
    assert_eq!(
        kind(api.send(USER, &"1".into()).await),
        Some(ErrorKind::Client)
    );
    assert_eq!(kind(api.media("Vo2").await), Some(ErrorKind::MediaId));
}
