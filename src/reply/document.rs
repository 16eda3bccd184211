use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{addressing::Addressing, content::Content, error::Error, parts::Article};

/// A reply on the wire, elements in the order of WeChat's samples.
pub(super) struct Document<'a> {
    to_user_name: &'a str,
    from_user_name: &'a str,
    create_time: u64,
    content: &'a Content,
}

impl<'a> Document<'a> {
    pub(super) fn new(
        addressing: &'a Addressing<'_>,
        create_time: u64,
        content: &'a Content,
    ) -> Result<Self, Error> {
        let (to_user_name, from_user_name) = addressing.names()?;
        Ok(Self {
            to_user_name,
            from_user_name,
            create_time,
            content,
        })
    }

    fn msg_type(&self) -> &'static str {
        match self.content {
            Content::Text(_) => "text",
            Content::Image(_) => "image",
            Content::Voice(_) => "voice",
            Content::Video(_) => "video",
            Content::Music(_) => "music",
            Content::News(_) => "news",
            Content::TransferCustomerService(_) => "transfer_customer_service",
        }
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut xml = serializer.serialize_struct("xml", FIELDS)?;
        xml.serialize_field("ToUserName", self.to_user_name)?;
        xml.serialize_field("FromUserName", self.from_user_name)?;
        xml.serialize_field("CreateTime", &self.create_time)?;
        xml.serialize_field("MsgType", self.msg_type())?;
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

/// At most; the format does not need it to be exact.
const FIELDS: usize = 6;
