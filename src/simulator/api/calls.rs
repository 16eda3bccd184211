//! What WeChat answers to each call.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Response,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    request::Parts,
};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::{ApiCall, Refusal, form::media_file, media::Format};
use crate::{
    account::{AppId, Platform},
    reply::TEXT_LIMIT,
    response::ResponseBody,
    simulator::{Shown, ShownReply, Simulator, smart_bot::check_response, unique::number},
    xml::Value,
};

/// A request, as far as WeChat looks at it.
pub(super) struct ApiRequest {
    method: Method,
    /// Whether it is the older call for a token, which has its parameters in the query.
    is_plain_token: bool,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
}

impl ApiRequest {
    pub(super) fn new(head: Parts, body: Bytes) -> Self {
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let query = head.uri.query().unwrap_or_default().split('&');
        let query = query.filter_map(|parameter| parameter.split_once('='));
        Self {
            query: query.map(|(n, v)| (decoded(n), decoded(v))).collect(),
            method: head.method,
            is_plain_token: head.uri.path().ends_with("/token"),
            headers: head.headers,
            body,
        }
    }

    /// Returns a parameter of the query. One that is absent is empty.
    fn parameter(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    /// Reads the body. A field that is absent is empty.
    fn json(&self) -> Result<Value, Refusal> {
        if self.body.is_empty() {
            return Err(Refusal::BODY_EMPTY);
        }
        match serde_json::from_slice(&self.body) {
            Ok(json) if self.body.trim_ascii_start().starts_with(b"{") => Ok(json),
            _ => Err(Refusal::JSON),
        }
    }
}

type Answer = Result<Response<ResponseBody>, Refusal>;

impl Simulator {
    /// Answers a call as WeChat does.
    pub(super) fn answer_call(&self, call: ApiCall, request: &ApiRequest) -> Answer {
        let (method, refusal) =
            if matches!(call, ApiCall::CallbackIps | ApiCall::Media) || request.is_plain_token {
                (Method::GET, Refusal::GET_REQUIRED)
            } else {
                (Method::POST, Refusal::POST_REQUIRED)
            };
        if request.method != method {
            return Err(refusal);
        }
        if !matches!(call, ApiCall::Token | ApiCall::Respond) {
            match request.parameter("access_token") {
                "" => return Err(Refusal::TOKEN_MISSING),
                token => self.state().tokens.check(token)?,
            }
        }
        match call {
            ApiCall::Token => self.token(request),
            ApiCall::CallbackIps => Ok(json_response(&json!({ "ip_list": CALLBACK_IPS }))),
            ApiCall::Media => self.media(request),
            ApiCall::Upload => self.upload(request),
            ApiCall::Send => self.send(request),
            ApiCall::Typing => self.typing(request),
            ApiCall::Respond => self.respond(request),
        }
    }

    fn token(&self, request: &ApiRequest) -> Answer {
        let json = if request.is_plain_token {
            let query = request.query.iter().cloned();
            Value::Elements(query.map(|(n, v)| (n, Value::Text(v))).collect())
        } else {
            request.json()?
        };
        if json["grant_type"].as_str() != Some("client_credential") {
            return Err(Refusal::GRANT_TYPE);
        }
        let app_id = json["appid"].as_str().unwrap_or_default();
        let secret = json["secret"].as_str().unwrap_or_default();
        if app_id.is_empty() {
            return Err(Refusal::APP_ID_MISSING);
        }
        if !self.has_app_id(app_id) {
            return Err(Refusal::APP_ID);
        }
        if secret.is_empty() {
            return Err(Refusal::APP_SECRET_MISSING);
        }
        if secret != self.app_secret() {
            return Err(Refusal::APP_SECRET);
        }
        let tokens = &mut self.state().tokens;
        let (token, expires_in) = if request.is_plain_token {
            tokens.plain(app_id)
        } else if json["force_refresh"].as_bool() == Some(true) {
            tokens.refresh(app_id)?
        } else {
            tokens.stable(app_id)
        };
        Ok(json_response(
            &json!({ "access_token": token, "expires_in": expires_in }),
        ))
    }

    /// Returns whether it is the account's AppID, or could be one if the account's is not known.
    fn has_app_id(&self, app_id: &str) -> bool {
        match self.account().encryption() {
            Some(encryption) if encryption.platform == Platform::OfficialAccount => {
                *encryption.receive_id == *app_id
            }
            _ => AppId::new(app_id).is_ok(),
        }
    }

    fn media(&self, request: &ApiRequest) -> Answer {
        let id = request.parameter("media_id");
        let state = self.state();
        let (bytes, (media_type, extension)) = state.media.find(id)?.contents()?;
        let mut response = response(media_type, bytes.clone());
        let disposition = format!("attachment; filename=\"{id}.{extension}\"");
        // An id that a test has chosen may have characters that a header cannot have.
        if let Ok(disposition) = disposition.parse() {
            response
                .headers_mut()
                .insert(CONTENT_DISPOSITION, disposition);
        }
        Ok(response)
    }

    fn upload(&self, request: &ApiRequest) -> Answer {
        let kind = request.parameter("type");
        let (_, limit, formats) = UPLOADS
            .into_iter()
            .find(|(name, ..)| *name == kind)
            .ok_or(Refusal::MEDIA_TYPE)?;
        let file = media_file(request.headers.get(CONTENT_TYPE), &request.body)
            .filter(|file| !file.bytes.is_empty())
            .ok_or(Refusal::MEDIA_MISSING)?;
        let extension = file.name.rsplit('.').next().unwrap_or_default();
        let is_it = |format: &&Format| format.1.eq_ignore_ascii_case(extension);
        let format = formats.iter().find(is_it).ok_or(Refusal::FILE_TYPE)?;
        if file.bytes.len() > limit {
            return Err(Refusal::MEDIA_SIZE);
        }
        let id = format!("simulated-{}", number());
        self.state().media.keep(&id, file.bytes, *format);
        let name = match kind {
            "thumb" => "thumb_media_id",
            _ => "media_id",
        };
        let created_at = self.now().as_secs();
        Ok(json_response(
            &json!({ "type": kind, name: id, "created_at": created_at }),
        ))
    }

    fn send(&self, request: &ApiRequest) -> Answer {
        let json = request.json()?;
        let msgtype = json["msgtype"].as_str().unwrap_or_default();
        let content = &json[msgtype];
        let text = |name: &str| content[name].as_str().unwrap_or_default();
        let state = &mut *self.state();
        match msgtype {
            "text" => match text("content").len() {
                0 => return Err(Refusal::TEXT_EMPTY),
                1..=TEXT_LIMIT => {}
                _ => return Err(Refusal::TEXT_SIZE),
            },
            "image" | "voice" => {
                state.media.find(text("media_id"))?;
            }
            "video" => {
                state.media.find(text("media_id"))?;
                state.media.find(text("thumb_media_id"))?;
            }
            "music" => {
                state.media.find(text("thumb_media_id"))?;
            }
            "news" => match articles(content).count() {
                0 => return Err(Refusal::NEWS_EMPTY),
                1 => {}
                _ => return Err(Refusal::ARTICLES),
            },
            // Their contents are not checked.
            "mpnews" | "mpnewsarticle" | "msgmenu" | "wxcard" | "miniprogrampage"
                if !content.elements().is_empty() => {}
            _ => return Err(Refusal::MESSAGE_TYPE),
        }
        let openid = json["touser"].as_str().unwrap_or_default().to_owned();
        let shown = Shown::Reply(ShownReply::new(json));
        state.chats.send(&openid, shown)?;
        Ok(done())
    }

    fn respond(&self, request: &ApiRequest) -> Answer {
        let json = request.json()?;
        check_response(&json)?;
        let state = &mut *self.state();
        let user_id = state
            .response_urls
            .take(request.parameter("response_code"))?;
        state
            .chats
            .respond(&user_id, Shown::Reply(ShownReply::new(json)));
        Ok(done())
    }

    fn typing(&self, request: &ApiRequest) -> Answer {
        let json = request.json()?;
        let openid = json["touser"].as_str().unwrap_or_default();
        let chats = &mut self.state().chats;
        match json["command"].as_str() {
            Some("Typing") => chats.begin_typing(openid)?,
            Some("CancelTyping") => chats.cancel_typing(openid)?,
            _ => return Err(Refusal::COMMAND),
        }
        Ok(done())
    }
}

impl Refusal {
    /// Makes the answer. Its status is 200.
    pub(super) fn into_response(self) -> Response<ResponseBody> {
        let Self { errcode, errmsg } = self;
        json_response(&json!({ "errcode": errcode, "errmsg": errmsg }))
    }
}

fn done() -> Response<ResponseBody> {
    Refusal::new(0, "ok").into_response()
}

/// An empty list is read as an empty field.
fn articles(news: &Value) -> impl Iterator<Item = &Value> {
    let articles = news.all("articles");
    articles.filter(|article| !article.elements().is_empty())
}

fn json_response(json: &serde_json::Value) -> Response<ResponseBody> {
    response("application/json; encoding=utf-8", json.to_string().into())
}

pub(super) fn response(content_type: &'static str, body: Bytes) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::new(body));
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// This machine, and those that RFC 5737 keeps for documentation. WeChat's list has addresses and networks too.
const CALLBACK_IPS: [&str; 3] = ["127.0.0.1", "192.0.2.7", "198.51.100.0/25"];

/// The types of uploads, their limits in bytes, and their formats. Source: WeChat's page on temporary media.
const UPLOADS: [(&str, usize, &[Format]); 4] = [
    (
        "image",
        10 << 20,
        &[
            ("image/jpeg", "jpg"),
            ("image/jpeg", "jpeg"),
            ("image/png", "png"),
            ("image/gif", "gif"),
            ("image/bmp", "bmp"),
        ],
    ),
    (
        "voice",
        2 << 20,
        &[("audio/amr", "amr"), ("audio/mpeg", "mp3")],
    ),
    ("video", 10 << 20, &[("video/mp4", "mp4")]),
    (
        "thumb",
        64 << 10,
        &[("image/jpeg", "jpg"), ("image/jpeg", "jpeg")],
    ),
];
