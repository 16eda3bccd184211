//! What a smart bot's push says.

use serde::{Deserialize, Serialize};

use crate::{message::other::OtherMessage, xml};

/// What a [`BotMessage`](super::BotMessage), a part of one, or a quoted message says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BotContent {
    /// A text (`text`). In a group chat it begins with the bot's name behind an `@`.
    Text(BotText),
    /// The words of a voice message (`voice`). WeCom does not hand out the recording.
    Voice(BotText),
    /// A picture (`image`).
    Image(BotMedia),
    /// A file of at most 100 MB (`file`).
    File(BotMedia),
    /// A video (`video`).
    Video(BotMedia),
    /// Texts and pictures, in their order (`mixed`).
    Mixed(Vec<BotContent>),
    /// WeCom asks for a stream (`stream`). Behind `DedupLayer`, only for one that this node does not know.
    Stream(BotStream),
    /// Something has happened (`event`).
    Event(BotEvent),
    /// What this crate has no type for, or what does not fit its type.
    Other(OtherMessage),
}

impl BotContent {
    /// The words of a text or a voice message, or of the first text among pictures.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Voice(text) => Some(&text.content),
            Self::Mixed(parts) => parts.iter().find_map(Self::text),
            _ => None,
        }
    }
}

/// An `Other` without fields.
impl Default for BotContent {
    fn default() -> Self {
        Self::Other(OtherMessage::default())
    }
}

/// What has happened to a smart bot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BotEvent {
    /// A member opened the chat with the bot, for the first time on this day (`enter_chat`).
    EnterChat,
    /// A member tapped a card (`template_card_event`). WeCom sends it once, and waits for five seconds.
    TemplateCard(BotCard),
    /// A member judged an answer (`feedback_event`). It takes no reply.
    Feedback(BotFeedback),
}

/// Words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotText {
    /// The words.
    pub content: String,
}

/// A picture, a file or a video.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotMedia {
    /// Where it is for five minutes, encrypted with the bot's EncodingAESKey: AES-256-CBC, padded to 32 bytes.
    pub url: String,
    /// The key of this file, if it is not encrypted with the bot's EncodingAESKey.
    pub aeskey: Option<String>,
}

/// A stream that WeCom asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotStream {
    /// The id of the stream, as the answer to the message gave it.
    pub id: String,
}

/// A tap on a card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotCard {
    /// The card's type, such as `button_interaction`.
    #[serde(alias = "cardtype")]
    pub card_type: Option<String>,
    /// The key of the button or of the menu's entry.
    #[serde(alias = "eventkey")]
    pub event_key: Option<String>,
    /// The id that the bot gave the card.
    pub task_id: Option<String>,
    /// What the member chose.
    pub selected_items: BotSelectedItems,
}

/// What a member chose on a card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotSelectedItems {
    /// One for each question.
    pub selected_item: Vec<BotSelectedItem>,
}

/// What a member chose for one question.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotSelectedItem {
    /// The question's key.
    pub question_key: String,
    /// The chosen options.
    #[serde(alias = "optionids")]
    pub option_ids: BotOptionIds,
}

/// The options that a member chose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotOptionIds {
    /// Their ids.
    #[serde(alias = "optionid")]
    pub option_id: Vec<String>,
}

/// A member's judgement of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BotFeedback {
    /// The feedback id that the answer was sent with.
    pub id: String,
    /// The judgement: 1 right, 2 wrong, 3 withdrawn.
    #[serde(rename = "type", deserialize_with = "xml::optional_number")]
    pub kind: Option<i64>,
    /// The member's words, if it is wrong.
    pub content: Option<String>,
    /// Why it is wrong: 1 off the point, 2 incomplete, 3 mistaken, 4 a mistake in the data.
    pub inaccurate_reason_list: Vec<i64>,
}
