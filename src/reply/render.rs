//! A reply on the wire.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{
    Reply,
    content::{ARTICLE_LIMIT, Content, MESSAGE_ARTICLE_LIMIT},
    error::{Cause, Error},
    parts::{Article, writable},
};
use crate::{message::Head, timestamp::Timestamp, xml};

impl Reply {
    /// Renders the reply as the body of the HTTP response, sent at `create_time`.
    ///
    /// # Errors
    ///
    /// If the reply is over a [limit](super#limits) or `addressing` lacks a name.
    pub fn render(
        &self,
        addressing: &Addressing<'_>,
        create_time: Timestamp,
    ) -> Result<Rendered, Error> {
        let Some(content) = &self.0 else {
            return Ok(Rendered {
                body: Cow::Borrowed("success"),
                content_type: "text/plain",
            });
        };
        content.check(addressing.article_limit)?;
        let (to_user_name, from_user_name) = addressing.names()?;
        let document = Document {
            to_user_name,
            from_user_name,
            create_time,
            content,
        };
        let body = xml::to_string(&document).map_err(|error| Error(Cause::Unwritable(error)))?;
        Ok(Rendered {
            body: Cow::Owned(body),
            content_type: "application/xml",
        })
    }
}

/// A rendered reply: the body of an HTTP response and its Content-Type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    body: Cow<'static, str>,
    content_type: &'static str,
}

impl Rendered {
    /// Returns the body: the reply's XML, or the word `success` for [`Reply::success`].
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Returns the body.
    pub fn into_body(self) -> Cow<'static, str> {
        self.body
    }

    /// Returns the Content-Type: `application/xml`, or `text/plain` for [`Reply::success`].
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }
}

/// The receiver and the sender of a reply: the names of a message, exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressing<'a> {
    to_user_name: Cow<'a, str>,
    from_user_name: Cow<'a, str>,
    article_limit: usize,
}

impl<'a> Addressing<'a> {
    /// Addresses a reply to the user with the OpenID `to_user_name`, from the account with the original id
    /// (`gh_…`) `from_user_name`.
    ///
    /// The reply may hold eight articles, as in answer to an event.
    pub fn new(
        to_user_name: impl Into<Cow<'a, str>>,
        from_user_name: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self {
            to_user_name: writable(to_user_name.into()),
            from_user_name: writable(from_user_name.into()),
            article_limit: ARTICLE_LIMIT,
        }
    }

    /// Addresses an answer to `message`: to its sender, from its receiver.
    ///
    /// Unless the message is an event, the answer may hold one article. A name that the message does not have stays
    /// empty, and rendering reports it. Some pushes of the open platform and of WeCom name no sender.
    pub fn answering(message: &'a Head) -> Self {
        // WeChat's page lists the types of message that get a single article and calls the rest other scenes. It does
        // not mention types that are newer than the list; they are a user's messages as well.
        let article_limit = if message.is_message() {
            MESSAGE_ARTICLE_LIMIT
        } else {
            ARTICLE_LIMIT
        };
        let sender = message.from_user_name().unwrap_or_default();
        let receiver = message.to_user_name().unwrap_or_default();
        Self {
            article_limit,
            ..Self::new(sender, receiver)
        }
    }

    /// The receiver and the sender of the reply.
    fn names(&self) -> Result<(&str, &str), Error> {
        if self.to_user_name.is_empty() || self.from_user_name.is_empty() {
            return Err(Error(Cause::Unaddressed));
        }
        Ok((&self.to_user_name, &self.from_user_name))
    }
}

/// The document, its elements in the order of WeChat's samples.
struct Document<'a> {
    to_user_name: &'a str,
    from_user_name: &'a str,
    create_time: Timestamp,
    content: &'a Content,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut xml = serializer.serialize_struct("xml", FIELDS)?;
        xml.serialize_field("ToUserName", self.to_user_name)?;
        xml.serialize_field("FromUserName", self.from_user_name)?;
        xml.serialize_field("CreateTime", &self.create_time)?;
        xml.serialize_field("MsgType", self.content.msg_type())?;
        match self.content {
            Content::Text(text) => xml.serialize_field("Content", text)?,
            Content::Image(media) => xml.serialize_field("Image", media)?,
            Content::Voice(media) => xml.serialize_field("Voice", media)?,
            Content::Video(video) => xml.serialize_field("Video", video)?,
            Content::Music(music) => xml.serialize_field("Music", music)?,
            Content::News(articles) => {
                xml.serialize_field("ArticleCount", &articles.len())?;
                xml.serialize_field("Articles", &Articles { item: articles })?;
            }
            Content::TransferCustomerService(agent) => xml.serialize_field("TransInfo", agent)?,
        }
        xml.end()
    }
}

#[derive(Serialize)]
struct Articles<'a> {
    item: &'a [Article],
}

/// At most; the format does not need the exact number.
const FIELDS: usize = 6;
