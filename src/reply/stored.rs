//! Replies as bytes that another node can read.

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

use super::{
    Reply, Tail,
    content::Content,
    custom::NO_JSON,
    parts::{Article, Button, Media, Music, TransInfo, Video},
    smart_bot::Card,
};
use crate::xml::{self, Value};

impl Reply {
    /// Writes all messages, of which `rest` is what the passive reply does not show. [`decode`](Self::decode) reads them.
    pub(crate) fn encode(&self, rest: Option<&Self>) -> Result<String, xml::Error> {
        let mut contents: Vec<_> = self.contents().cloned().collect();
        let mut is_cut = false;
        if let (Some(Content::Text(first)), Some(rest)) = (contents.first_mut(), rest)
            && let Some(Content::Text(second)) = &rest.first
            && rest.contents().count() > self.then.len()
        {
            // What is shown, then what is not.
            let shown = first.trim_end().len().saturating_sub(second.len());
            first.truncate(shown);
            contents.insert(1, Content::Text(second.clone()));
            is_cut = true;
        }
        xml::to_string(&Stored {
            is_cut,
            tail: self.tail.0,
            contents: &contents,
        })
    }

    /// Whether the body of the passive reply lacks a field of its only message.
    pub(crate) fn has_unwritten(&self) -> bool {
        match &self.first {
            Some(Content::Video(video)) => video.thumb_media_id.is_some(),
            Some(Content::TemplateCard(card)) => card.json.is_ok(),
            _ => false,
        }
    }

    /// Reads all messages, and those that the passive reply does not show.
    pub(crate) fn decode(encoded: &str) -> Result<(Self, Option<Self>), xml::Error> {
        let stored: StoredOwned = read(encoded)?;
        let mut contents: Vec<_> = stored
            .item
            .into_iter()
            .filter_map(Fields::content)
            .collect();
        let all = Self {
            tail: Tail(stored.tail.unwrap_or_default()),
            ..Self::default()
        };
        let rest = all.rest_of(contents.iter().skip(1).cloned());
        if stored.is_cut == Some(true)
            && contents.len() > 1
            && let Content::Text(second) = contents.remove(1)
            && let Some(Content::Text(first)) = contents.first_mut()
        {
            first.push_str(&second);
        }
        Ok((all.rest_of(contents), (!rest.is_success()).then_some(rest)))
    }

    /// Reads the message that the body of a passive reply says. `None` if it says none.
    pub(crate) fn read_body(body: &[u8]) -> Option<Self> {
        let fields: Fields = read(str::from_utf8(body).ok()?).ok()?;
        fields.content().map(Self::of)
    }
}

/// Reads what this crate has written, or another conforming writer: no user has typed markup into it.
fn read<'de, T: Deserialize<'de>>(document: &'de str) -> Result<T, xml::Error> {
    T::deserialize(&mut xml::Deserializer::first(document))
}

struct Stored<'a> {
    is_cut: bool,
    tail: usize,
    contents: &'a [Content],
}

impl Serialize for Stored<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut xml = serializer.serialize_struct("xml", 3)?;
        xml.serialize_field("IsCut", &self.is_cut)?;
        xml.serialize_field("Tail", &self.tail)?;
        let items: Vec<_> = self.contents.iter().map(Item).collect();
        xml.serialize_field("item", &items)?;
        xml.end()
    }
}

struct Item<'a>(&'a Content);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut xml = serializer.serialize_struct("item", 4)?;
        self.0.write(&mut xml)?;
        if let Content::Video(Video { thumb_media_id, .. }) = self.0 {
            xml.serialize_field("ThumbMediaId", thumb_media_id)?;
        }
        if let Content::TemplateCard(card) = self.0 {
            xml.serialize_field("CardJson", &card.json.as_ref().ok())?;
        }
        xml.end()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StoredOwned {
    is_cut: Option<bool>,
    tail: Option<usize>,
    #[serde(default, rename = "item")]
    item: Vec<Fields>,
}

/// The elements of a passive reply from MsgType on, and of a stored message.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fields {
    msg_type: String,
    content: Option<String>,
    image: Option<Media>,
    voice: Option<Media>,
    video: Option<Video>,
    thumb_media_id: Option<String>,
    music: Option<Music>,
    articles: Option<Articles>,
    trans_info: Option<TransInfo>,
    button: Option<Button>,
    template_card: Option<Value>,
    card_json: Option<String>,
}

#[derive(Deserialize)]
struct Articles {
    #[serde(default)]
    item: Vec<Article>,
}

impl Fields {
    fn content(self) -> Option<Content> {
        Some(match &*self.msg_type {
            "text" => Content::Text(self.content?),
            "image" => Content::Image(self.image?),
            "voice" => Content::Voice(self.voice?),
            "video" => Content::Video(Video {
                thumb_media_id: self.thumb_media_id,
                ..self.video?
            }),
            "music" => Content::Music(self.music?),
            "news" => Content::News(self.articles?.item),
            "transfer_customer_service" => Content::TransferCustomerService(self.trans_info),
            "update_button" => Content::UpdateButton(self.button?),
            "update_template_card" => Content::TemplateCard(Card {
                xml: self.template_card.ok_or_else(String::new),
                json: self.card_json.ok_or_else(|| NO_JSON.to_owned()),
            }),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
