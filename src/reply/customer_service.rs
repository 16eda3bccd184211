//! Turns replies into messages of the customer-service API, for when a passive reply is too late.

use serde_json::{Value, json};

use super::{
    Error, Reply,
    content::{Content, TEXT_LIMIT, check_length},
    error::Cause,
    parts::{Article, Music, Video},
};

impl Reply {
    /// Returns the JSON that sends this reply to the user with the OpenID `openid` through the customer-service API
    /// (客服消息). Post it to `https://api.weixin.qq.com/cgi-bin/message/custom/send?access_token=…`.
    ///
    /// It is `None` if there is nothing to send: for [`Reply::success`], for a [custom](Reply::custom) answer, and
    /// for a transfer to an agent or a change of a card, which only a passive reply can do.
    ///
    /// WeChat accepts five such messages within 48 hours after the user's message. It accepts three within one minute
    /// after a menu click, a scan or a subscription.
    ///
    /// ```
    /// use tower_wechat::Reply;
    ///
    /// let body = Reply::text("done").to_customer_service("oUser9ZtRw2")?;
    /// assert_eq!(
    ///     body.as_deref(),
    ///     Some(r#"{"msgtype":"text","text":{"content":"done"},"touser":"oUser9ZtRw2"}"#),
    /// );
    /// # Ok::<(), tower_wechat::reply::Error>(())
    /// ```
    ///
    /// A long text needs several messages, and so does a reply after [`then`](Self::then):
    ///
    /// ```
    /// use tower_wechat::{Reply, reply::split};
    ///
    /// let answer = Reply::text("The tide comes in. The tide goes out.\n".repeat(100)).then(Reply::image("Im4q"));
    /// assert!(answer.to_customer_service("oUser9ZtRw2").is_err());
    ///
    /// for message in answer.messages() {
    ///     let parts = match message.as_text() {
    ///         Some(text) => split(text, 2048).map(Reply::text).collect(),
    ///         None => vec![message],
    ///     };
    ///     for part in parts {
    ///         assert!(part.to_customer_service("oUser9ZtRw2").is_ok());
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// If the reply is over a [limit](crate::reply#limits), with two differences: a text has at most 2048 bytes, and news have
    /// at most one article. Also if the reply is a video without a [picture](Video::with_thumb_media_id), or has several
    /// messages.
    pub fn to_customer_service(&self, openid: &str) -> Result<Option<String>, Error> {
        self.check_single()?;
        let Some(content) = &self.first else {
            return Ok(None);
        };
        content.check(CUSTOMER_SERVICE_ARTICLE_LIMIT)?;
        if let Content::Text(text) = content {
            check_length(text, TEXT_LIMIT)?;
        }
        let (msgtype, body) = match content {
            Content::Text(text) => ("text", json!({ "content": text })),
            Content::Image(media) => ("image", json!({ "media_id": media.media_id })),
            Content::Voice(media) => ("voice", json!({ "media_id": media.media_id })),
            Content::Video(video) => ("video", video_body(video)?),
            Content::Music(music) => ("music", music_body(music)),
            Content::News(articles) => ("news", news_body(articles)),
            Content::TransferCustomerService(_)
            | Content::UpdateButton(_)
            | Content::TemplateCard(_)
            | Content::Custom(_) => return Ok(None),
        };
        let message = json!({ "touser": openid, "msgtype": msgtype, msgtype: body });
        Ok(Some(message.to_string()))
    }
}

fn video_body(video: &Video) -> Result<Value, Error> {
    let thumb_media_id = video.thumb_media_id.as_deref().unwrap_or_default();
    if thumb_media_id.is_empty() {
        return Err(Error(Cause::MediaIdEmpty("thumb_media_id")));
    }
    let mut body = json!({ "media_id": video.media_id, "thumb_media_id": thumb_media_id });
    add(&mut body, "title", video.title.as_deref());
    add(&mut body, "description", video.description.as_deref());
    Ok(body)
}

/// Makes the body of a music card. This API requires both URLs, so a missing one is replaced by the other.
fn music_body(music: &Music) -> Value {
    let either = |one: &Option<String>, other: &Option<String>| {
        one.clone().or_else(|| other.clone()).unwrap_or_default()
    };
    let mut body = json!({
        "musicurl": either(&music.url, &music.hq_url),
        "hqmusicurl": either(&music.hq_url, &music.url),
        "thumb_media_id": music.thumb_media_id,
    });
    add(&mut body, "title", music.title.as_deref());
    add(&mut body, "description", music.description.as_deref());
    body
}

fn news_body(articles: &[Article]) -> Value {
    let article = |article: &Article| {
        json!({
            "title": article.title,
            "description": article.description,
            "url": article.url,
            "picurl": article.pic_url,
        })
    };
    json!({ "articles": articles.iter().map(article).collect::<Vec<_>>() })
}

fn add(body: &mut Value, name: &str, text: Option<&str>) {
    if let (Some(fields), Some(text)) = (body.as_object_mut(), text) {
        fields.insert(name.to_owned(), text.into());
    }
}

/// More articles are error 45008, says WeChat's page "Send customer-service messages".
const CUSTOMER_SERVICE_ARTICLE_LIMIT: usize = 1;
