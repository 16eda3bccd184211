//! What each call sends, and what it makes of WeChat's answer.

use http::Method;
use http_body::Body as _;
use tower_wechat::{
    Reply,
    api::{Encoding, MediaKind, RequestBody},
    message::VoiceMessage,
    reply::{Article, Video},
};

use super::*;

const TOKEN_1: &str = "7_t0ken%2B1%2F%3D%3D";

fn voice(wide: Option<&str>, narrow: &str) -> VoiceMessage {
    let mut voice = VoiceMessage::default();
    voice.media_id_16k = wide.map(str::to_owned);
    narrow.clone_into(&mut voice.media_id);
    voice
}

fn amr() -> Answer {
    Answer::File(
        "voice/amr",
        "attachment; filename=\"a.amr\"",
        b"#!AMR\n\x3c",
    )
}

#[tokio::test(start_paused = true)]
async fn media_has_its_type_its_name_and_its_bytes() {
    let wechat = WeChat::new();
    let media = api(&wechat).media("Me1").await.unwrap();
    assert_eq!(media.content_type(), Some("image/jpeg"));
    assert_eq!(media.file_name(), Some("Me1.jpg"));
    assert_eq!(media.as_bytes(), b"\xff\xd8\xff!");
    assert_eq!(media.to_bytes(), media.as_bytes());
    let shown =
        "Media { content_type: Some(\"image/jpeg\"), file_name: Some(\"Me1.jpg\"), len: 4, .. }";
    assert_eq!(format!("{media:?}"), shown);
    let [seen] = wechat.seen(MEDIA).try_into().unwrap();
    assert_eq!((&seen.method, &*seen.body), (&Method::GET, &b""[..]));
    let base = "https://api.weixin.qq.com/cgi-bin/media/get";
    assert_eq!(
        seen.uri,
        format!("{base}?access_token={TOKEN_1}&media_id=Me1")
    );
}

#[tokio::test(start_paused = true)]
async fn a_media_id_is_escaped() {
    let wechat = WeChat::new();
    let hostile = "Me1&access_token=x#/../ 语";
    check(
        api(&wechat).media(hostile).await,
        ErrorKind::MediaId,
        "cannot fetch a media file: WeChat answered 40007 (invalid media_id): media are kept for three days, and \
         belong to one account",
    );
    let [seen] = wechat.seen(MEDIA).try_into().unwrap();
    assert_eq!(seen.query["media_id"], hostile);
    assert_eq!(seen.query.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_media_id_that_cannot_be_one_is_not_asked_for() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    for (id, problem) in [("", "is empty"), (&"x".repeat(1025), "is over 1024 bytes")] {
        let message = format!("cannot fetch a media file: the media id {problem}");
        check(api.media(id).await, ErrorKind::MediaId, &message);
        check(
            api.recording(&voice(None, id)).await,
            ErrorKind::MediaId,
            &message,
        );
    }
    assert_eq!((wechat.count(TOKEN), wechat.count(MEDIA)), (0, 0));
    wechat.script(MEDIA, [amr()]);
    api.media(&"x".repeat(1024)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_file_name_stays_in_its_folder() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    for (disposition, name) in [
        ("attachment; filename=\"M.amr\"", Some("M.amr")),
        ("attachment;FileName = M.amr ; size=3", Some("M.amr")),
        ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
        ("attachment; filename=\"C:\\\\x\\\\语.amr\"", Some("语.amr")),
        ("attachment; filename=\"c:a:$DATA\"", Some("ca$DATA")),
        (
            "attachment; filename=\"a\u{202e}rma.exe\"",
            Some("arma.exe"),
        ),
        ("attachment; filename=\"a/..\"", None),
        ("attachment; filename=\"..:\"", None),
        ("attachment; filename=\".\"", None),
        ("attachment; filename=\"\"", None),
        ("attachment; filename*=UTF-8''a", None),
        ("attachment", None),
    ] {
        wechat.script(MEDIA, [Answer::File("voice/amr", disposition, b"#!AMR\n")]);
        let media = api.media("M").await.unwrap();
        assert_eq!(media.file_name(), name, "{disposition}");
    }
    let long = format!("attachment; filename=\"a{}\"", "语".repeat(100));
    let answer = Answer::File("voice/amr", long.leak(), b"#!AMR\n");
    wechat.script(MEDIA, [answer]);
    let name = format!("a{}", "语".repeat(66));
    assert_eq!(api.media("M").await.unwrap().file_name(), Some(&*name));
}

#[tokio::test(start_paused = true)]
async fn a_video_is_a_url() {
    let wechat = WeChat::new();
    let body = r#"{"video_url":"https://example.com/v.mp4"}"#;
    for content_type in ["text/plain", "application/json"] {
        wechat.script(MEDIA, [Answer::Http(200, content_type, body.into())]);
        let media = api(&wechat).media("Vi1").await.unwrap();
        assert_eq!(media.as_bytes(), body.as_bytes());
        assert_eq!(media.content_type(), Some(content_type));
    }
}

#[tokio::test(start_paused = true)]
async fn ten_mebibytes_are_a_file_and_one_byte_more_is_an_error() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    wechat.script(
        MEDIA,
        [10, 11].map(|mebibytes| Answer::Bytes(mebibytes << 20)),
    );
    wechat.script(MEDIA, [Answer::Bytes((10 << 20) + 1)]);
    assert_eq!(api.media("M").await.unwrap().as_bytes().len(), 10 << 20);
    for _ in 0..2 {
        check(
            api.media("M").await,
            ErrorKind::TooLarge,
            "cannot fetch a media file: expected an answer of at most 10485760 bytes, found more",
        );
    }
}

/// A body with a Content-Length is gathered where it stays. Without one, the buffer grows, and its bytes move.
#[tokio::test(start_paused = true)]
async fn a_file_is_copied_once() {
    let wechat = WeChat::new();
    wechat.script(MEDIA, [Answer::Sized(100 << 10), Answer::Sized(11 << 20)]);
    let api = api(&wechat);
    let file = api.media("M").await.unwrap().to_bytes();
    let file = file.try_into_mut().unwrap();
    assert_eq!((file.len(), file.capacity()), (100 << 10, 100 << 10));
    assert_eq!(
        api.media("M").await.unwrap_err().kind(),
        ErrorKind::TooLarge
    );
}

#[tokio::test(start_paused = true)]
async fn a_text_is_no_media_file() {
    let wechat = WeChat::new();
    for (content_type, body, found) in [
        ("text/html", "<html>", "6 bytes of text/html"),
        ("", "<!DOCTYPE html>", "15 bytes without a Content-Type"),
        ("text/plain", "{\"errcode\":", "11 bytes of text/plain"),
        (
            "application/json",
            "{\"errcode\":\"no\"}",
            "16 bytes of application/json",
        ),
        (
            "application/json",
            "{\"errcode\":0}",
            "13 bytes of application/json",
        ),
        ("image/png", "", "0 bytes of image/png"),
        ("Text/HTML", "gone", "4 bytes of text/html"),
        ("image/png", "\u{feff} \n<html>", "11 bytes of image/png"),
        ("", "{\"code\":500}", "12 bytes without a Content-Type"),
        ("image/x-own", " { } ", "5 bytes of another type"),
    ] {
        wechat.script(MEDIA, [Answer::Http(200, content_type, body.into())]);
        let message = format!("cannot fetch a media file: expected a media file, found {found}");
        check(api(&wechat).media("M").await, ErrorKind::Response, &message);
    }
    // Not WeChat's JSON of a failure, although serde reads a struct from a list too.
    wechat.script(MEDIA, [Answer::Http(200, "text/plain", "[40007]".into())]);
    let error = api(&wechat).media("M").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Response);
    // WeChat sends failures of this call as text.
    let body = "{\"errcode\":40007,\"errmsg\":\"invalid media_id hint\"}";
    wechat.script(MEDIA, [Answer::Http(200, "text/plain", body.into())]);
    let error = api(&wechat).media("M").await.unwrap_err();
    assert_eq!(error.errcode(), Some(40_007));
}

/// A failure is short. A file is not parsed.
#[tokio::test(start_paused = true)]
async fn a_long_file_is_never_a_failure() {
    let wechat = WeChat::new();
    let json = br#"{"errcode":40007,"errmsg":""}"#;
    let body = |length: usize| [json, &*vec![b' '; length - json.len()]].concat().into();
    let answers =
        [64 << 10, (64 << 10) + 1].map(|length| Answer::Http(200, "image/png", body(length)));
    wechat.script(MEDIA, answers);
    let api = api(&wechat);
    assert_eq!(api.media("M").await.unwrap_err().errcode(), Some(40_007));
    assert_eq!(
        api.media("M").await.unwrap().as_bytes().len(),
        (64 << 10) + 1
    );
}

#[tokio::test(start_paused = true)]
async fn a_recording_is_the_one_at_16_khz_if_there_is_one() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    let unknown = || Answer::Code(40_007, "invalid media_id");
    let wide = || Answer::File("voice/amr", "attachment", b"#!AMR-WB\n");
    for (voice, answers, encoding, asked) in [
        (
            voice(Some("Wi1"), "Na1"),
            vec![wide()],
            Encoding::AmrWb,
            &["Wi1"][..],
        ),
        (
            voice(Some("Wi1"), "Na1"),
            vec![unknown(), amr()],
            Encoding::AmrNb,
            &["Wi1", "Na1"],
        ),
        (
            voice(Some(""), "Na1"),
            vec![amr()],
            Encoding::AmrNb,
            &["Na1"],
        ),
        (voice(None, "Na1"), vec![amr()], Encoding::AmrNb, &["Na1"]),
        (
            voice(Some("Wi1"), ""),
            vec![wide()],
            Encoding::AmrWb,
            &["Wi1"],
        ),
    ] {
        let before = wechat.count(MEDIA);
        wechat.script(MEDIA, answers);
        let recording = api.recording(&voice).await.unwrap();
        assert_eq!(recording.encoding(), encoding);
        let ids: Vec<_> = wechat.seen(MEDIA)[before..]
            .iter()
            .map(|seen| seen.query["media_id"].clone())
            .collect();
        assert_eq!(ids, asked);
    }
    // Both are expired.
    let error = api.recording(&voice(Some("Wi1"), "Na1")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.errcode()),
        (ErrorKind::MediaId, Some(40_007))
    );
    // The first answer says more than an empty id does.
    let error = api.recording(&voice(Some("Wi1"), "")).await.unwrap_err();
    assert_eq!(error.errcode(), Some(40_007));
    // Any other failure is not asked about again.
    let before = wechat.count(MEDIA);
    wechat.script(
        MEDIA,
        [Answer::Code(45_009, "reach max api daily quota limit")],
    );
    let error = api.recording(&voice(Some("Wi1"), "Na1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimit);
    assert_eq!(wechat.count(MEDIA), before + 1);
}

/// A message in plain mode can name any media id.
#[tokio::test(start_paused = true)]
async fn a_picture_or_a_video_is_no_recording() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    let video = r#"{"video_url":"https://example.com/v.mp4"}"#;
    for (content_type, body, found) in [
        ("image/jpeg", "\u{ff}", "2 bytes of image/jpeg"),
        ("Image/JPEG; a=b", "\u{ff}", "2 bytes of image/jpeg"),
        ("video/mp4", "ftyp", "4 bytes of video/mp4"),
        ("text/plain", video, "41 bytes of text/plain"),
        ("audio/amr", video, "41 bytes of audio/amr"),
        ("text/html", "gone", "4 bytes of text/html"),
    ] {
        wechat.script(MEDIA, [Answer::Http(200, content_type, body.into())]);
        let message = format!("cannot fetch a media file: expected a recording, found {found}");
        let recording = api.recording(&voice(None, "Me1")).await;
        check(recording, ErrorKind::Response, &message);
    }
    for content_type in ["", "voice/amr", "application/octet-stream"] {
        let answer = Answer::Http(200, content_type, "#!AMR\n".into());
        wechat.script(MEDIA, [answer]);
        api.recording(&voice(None, "Me1")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_over_the_limit_is_not_uploaded() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    for (kind, limit) in [
        (MediaKind::Image, 10 << 20),
        (MediaKind::Voice, 2 << 20),
        (MediaKind::Video, 10 << 20),
        (MediaKind::Thumb, 64 << 10),
    ] {
        let file = vec![0; limit + 1];
        api.upload(kind, &file[1..]).await.unwrap();
        let found = limit + 1;
        let problem = format!("expected a file of at most {limit} bytes, found {found}");
        let message = format!("cannot upload a media file: {problem}");
        check(api.upload(kind, file).await, ErrorKind::Upload, &message);
    }
    assert_eq!(wechat.count(UPLOAD), 4);
}

/// The next reply would be sent with it.
#[tokio::test(start_paused = true)]
async fn an_uploaded_media_id_has_1_to_1024_bytes() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    for (length, is_id) in [(0, false), (1, true), (1024, true), (1025, false)] {
        let json = serde_json::json!({ "media_id": "x".repeat(length) });
        let answer = Answer::Http(200, "text/plain", json.to_string().into());
        wechat.script(UPLOAD, [answer]);
        let id = api.upload(MediaKind::Image, b"GIF8").await;
        assert_eq!(id.is_ok(), is_id, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_a_form_with_one_file() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    for (kind, name, file, file_name, media_type) in [
        (
            MediaKind::Image,
            "image",
            &b"\x89PNG\r\n--\r\n"[..],
            "media.png",
            "image/png",
        ),
        (
            MediaKind::Image,
            "image",
            b"GIF89a",
            "media.gif",
            "image/gif",
        ),
        (
            MediaKind::Image,
            "image",
            b"\xff\xd8\xff",
            "media.jpg",
            "image/jpeg",
        ),
        (
            MediaKind::Thumb,
            "thumb",
            b"\xff\xd8\xff",
            "media.jpg",
            "image/jpeg",
        ),
        (
            MediaKind::Voice,
            "voice",
            b"#!AMR\n",
            "media.amr",
            "audio/amr",
        ),
        (MediaKind::Voice, "voice", b"ID3", "media.mp3", "audio/mpeg"),
        (MediaKind::Video, "video", b"", "media.mp4", "video/mp4"),
    ] {
        assert_eq!(api.upload(kind, file).await.unwrap(), "Up1");
        let seen = wechat.seen(UPLOAD).pop().unwrap();
        assert_eq!((&seen.method, &*seen.query["type"]), (&Method::POST, name));
        let content_type = seen.headers["content-type"].to_str().unwrap();
        let boundary = content_type
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        assert!(boundary.len() <= 70);
        let expected = [
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"{file_name}\"\r\n\
                 Content-Type: {media_type}\r\n\r\n"
            )
            .as_bytes(),
            file,
            format!("\r\n--{boundary}--\r\n").as_bytes(),
        ]
        .concat();
        assert_eq!(seen.body, expected);
        assert_eq!(seen.headers["content-length"], expected.len().to_string());
    }
    let boundaries = wechat
        .seen(UPLOAD)
        .into_iter()
        .map(|seen| seen.headers["content-type"].clone());
    assert_eq!(
        boundaries.collect::<std::collections::HashSet<_>>().len(),
        7
    );

    wechat.script(
        UPLOAD,
        [Answer::Http(
            200,
            "text/plain",
            r#"{"thumb_media_id":"Th1"}"#.into(),
        )],
    );
    assert_eq!(api.upload(MediaKind::Thumb, b"").await.unwrap(), "Th1");
    wechat.script(UPLOAD, [Answer::Http(200, "text/plain", "{}".into())]);
    check(
        api.upload(MediaKind::Thumb, b"").await,
        ErrorKind::Response,
        "cannot upload a media file: expected a media_id, found 2 bytes of text/plain",
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_is_sent_as_a_customer_service_message() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    api.send(OPENID, &"天亮了\n\"".into()).await.unwrap();
    let [seen] = wechat.seen(SEND).try_into().unwrap();
    assert_eq!(seen.method, Method::POST);
    let expected = serde_json::json!({ "touser": OPENID, "msgtype": "text", "text": { "content": "天亮了\n\"" } });
    assert_eq!(seen.json(), expected);
    // The user would see escapes as they are.
    assert!(String::from_utf8_lossy(&seen.body).contains("天亮了"));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_cannot_be_sent_is_not() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    api.send(OPENID, &Reply::success()).await.unwrap();
    let article = || Article::new("a", "b", "c", "d");
    for reply in [
        Reply::text(""),
        Reply::video(Video::new("V")),
        Reply::news([article(), article()]),
    ] {
        let problem = reply.to_customer_service(OPENID).unwrap_err();
        let message = format!("cannot send a customer-service message: {problem}");
        let error = api.send(OPENID, &reply).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), problem.to_string());
        check(Err::<(), _>(error), ErrorKind::Reply, &message);
    }
    check(
        api.send(OPENID, &Reply::transfer_customer_service()).await,
        ErrorKind::Reply,
        "cannot send a customer-service message: only a passive reply can transfer to an agent",
    );
    assert_eq!((wechat.count(TOKEN), wechat.count(SEND)), (0, 0));
}

/// WeChat's list has addresses and networks. No answer empties the list of a server.
#[tokio::test(start_paused = true)]
async fn the_addresses_of_wechat_are_read() {
    const PATH: &str = "getcallbackip";
    let json = |json: &'static str| Answer::Http(200, "application/json", json.into());
    let wechat = WeChat::new();
    let api = api(&wechat);
    wechat.script(
        PATH,
        [json(
            r#"{"ip_list":["203.0.113.7","198.51.100.0/25"," 2001:db8::1 "]}"#,
        )],
    );
    let nets = api.callback_ips().await.unwrap();
    let nets: Vec<_> = nets.iter().map(ToString::to_string).collect();
    assert_eq!(nets, ["203.0.113.7", "198.51.100.0/25", "2001:db8::1"]);
    let seen = wechat.seen(PATH);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].method, http::Method::GET);

    for answer in [
        r#"{"ip_list":[]}"#,
        r#"{"ip_list":["203.0.113.7","all"]}"#,
        r#"{"ip_list":["203.0.113.7",""]}"#,
        r#"{"ip_list":"203.0.113.7"}"#,
        r#"{"ip_list":null}"#,
        "{}",
        "[]",
    ] {
        wechat.script(PATH, [json(answer)]);
        let message = format!(
            "cannot get the addresses of WeChat's servers: expected a list of IP addresses and networks, \
             found {} bytes of application/json",
            answer.len()
        );
        check(api.callback_ips().await, ErrorKind::Response, &message);
    }
    wechat.script(PATH, [Answer::Code(48_001, "api unauthorized")]);
    let error = api.callback_ips().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
}

#[tokio::test(start_paused = true)]
async fn typing_begins_and_ends() {
    let wechat = WeChat::new();
    let api = api(&wechat);
    api.typing(OPENID, true).await.unwrap();
    api.typing(OPENID, false).await.unwrap();
    let commands: Vec<_> = wechat.seen(TYPING).iter().map(wechat::Seen::json).collect();
    let command = |command| serde_json::json!({ "touser": OPENID, "command": command });
    assert_eq!(commands, [command("Typing"), command("CancelTyping")]);
}

/// The HTTP status is 200 on failure too, so nothing but the errcode 0 is a success.
#[tokio::test(start_paused = true)]
async fn only_the_errcode_0_is_a_success() {
    for (body, errcode) in [
        (r#"{"errcode":0}"#, Ok(())),
        (r#" {"errmsg":"ok","errcode":0,"more":{}}"#, Ok(())),
        (r#"{"errcode":45015}"#, Err(Some(45_015))),
        (r#"{"errcode":45015,"errmsg":null}"#, Err(Some(45_015))),
        (r#"{"errcode":45015,"errmsg":["no"]}"#, Err(Some(45_015))),
        ("\u{feff}\n{\"errcode\":45015}", Err(Some(45_015))),
        ("[0]", Err(None)),
        (r#"{"errcode":null}"#, Err(None)),
        (r#"{"errcode":0.0}"#, Err(None)),
        ("{}", Err(None)),
        ("ok", Err(None)),
        ("<html>", Err(None)),
        ("", Err(None)),
    ] {
        let wechat = WeChat::new();
        let api = api(&wechat);
        wechat.script(SEND, [Answer::Http(200, "text/plain", body.into())]);
        let sent = api.send(OPENID, &"a".into()).await;
        assert_eq!(sent.map_err(|error| error.errcode()), errcode, "{body}");
        wechat.script(TYPING, [Answer::Http(200, "text/plain", body.into())]);
        let typed = api.typing(OPENID, true).await;
        assert_eq!(typed.map_err(|error| error.errcode()), errcode, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_go_to_the_base_url() {
    let wechat = WeChat::new();
    let api = api(&wechat)
        .with_base_url("http://127.0.0.1:8080/wechat-proxy/")
        .unwrap();
    each_call(&api).await;
    for path in [TOKEN, MEDIA, UPLOAD, SEND, TYPING] {
        let [seen] = wechat.seen(path).try_into().unwrap();
        let url = format!("http://127.0.0.1:8080/wechat-proxy/cgi-bin/{path}");
        assert_eq!(seen.uri.split('?').next(), Some(&*url));
    }
}

#[test]
fn a_base_url_that_is_none_is_an_error() {
    let api = api(&WeChat::new());
    for (url, problem) in [
        ("api.weixin.qq.com", "has no scheme"),
        ("//api.weixin.qq.com", "has no scheme"),
        ("localhost:8080", "has no scheme"),
        ("", "has no scheme"),
        (
            "ftp://api.weixin.qq.com",
            "has a scheme other than `https` and `http`",
        ),
        ("https://me:key@api.weixin.qq.com", "has a user name"),
        ("https://api.weixin.qq.com?a=b", "has a query or a fragment"),
        ("https://api.weixin.qq.com/#a", "has a query or a fragment"),
        (
            "https://api.weixin.qq.com/cgi-bin/",
            "ends in `/cgi-bin`, which the calls add",
        ),
        ("https://api.weixin.qq.com /", "is no URL"),
        ("https://:8080", "is no URL"),
        ("https://", "is no URL"),
        ("https:///path", "is no URL"),
        (
            &format!("https://a/{}", "b".repeat(1024)),
            "is over 1024 bytes",
        ),
    ] {
        let message =
            format!("the base URL {problem}: pass a URL such as `https://api.weixin.qq.com`");
        check(api.clone().with_base_url(url), ErrorKind::BaseUrl, &message);
    }
    for url in [
        "https://sh.api.weixin.qq.com",
        "HTTP://[::1]:80",
        "http://localhost:8080/a//",
        "http://localhost:8080/@me",
        &format!("https://a/{}", "b".repeat(1024 - 10)),
    ] {
        api.clone().with_base_url(url).unwrap();
    }
}

#[test]
fn an_app_id_or_a_secret_that_is_none_is_an_error() {
    let new = |app_id: &str, secret: &str| Api::new(WeChat::new().client(), app_id, secret);
    let error = new("wx 1", SECRET).unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.is::<tower_wechat::account::Error>());
    check(
        new("wx 1", SECRET),
        ErrorKind::AppId,
        "the app id has a character that is no letter, digit, `_` or `-`, at byte 2: copy it from the console again, \
         without spaces or line breaks",
    );
    check(
        new(APP_ID, ""),
        ErrorKind::AppSecret,
        "the AppSecret is empty: copy it from the console again, without spaces or line breaks",
    );
    check(
        new(APP_ID, &format!("{SECRET}\n")),
        ErrorKind::AppSecret,
        "the AppSecret has a character that is no letter, digit, `_` or `-`, at byte 32: copy it from the console \
         again, without spaces or line breaks",
    );
    let debug = new(APP_ID, SECRET).unwrap();
    assert_eq!(
        format!("{debug:?}"),
        format!(
            "Api {{ app_id: \"{APP_ID}\", base_url: \"https://api.weixin.qq.com\", timeout: 10s, .. }}"
        ),
    );
}

/// Futures of the calls go into tasks, and an `Api` is made inside one.
#[tokio::test(start_paused = true)]
async fn calls_run_in_a_task() {
    let wechat = WeChat::new();
    let failed = tokio::spawn(async move {
        let api = Api::new(wechat.client(), APP_ID, SECRET)?;
        wechat.script(MEDIA, [amr()]);
        api.recording(&voice(Some("Me1"), "")).await?;
        Ok::<_, Error>(each_call(&api).await)
    });
    let failed = failed.await.unwrap().unwrap();
    assert!(
        failed.iter().all(|(_, error)| error.is_none()),
        "{failed:?}"
    );
}

#[test]
fn a_request_body_knows_its_length_and_its_end() {
    let body = RequestBody::default();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert_eq!(format!("{body:?}"), "RequestBody { len: 0, .. }");
}
