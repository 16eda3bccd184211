//! The messages that users send: text, image, voice, video, location, link and others.

use serde::{Deserialize, Serialize};

use super::field::{self, MsgType, Named};
use crate::{timestamp::Timestamp, xml};

/// Declares the types: each has a MsgType, fields of its own, and the fields of all messages.
macro_rules! messages {
    ($(
        $(#[$meta:meta])*
        $type:ident: $name:literal {
            $(
                $(#[$field_meta:meta])*
                $field:ident: $field_type:ty,
            )*
        }
    )*) => {$(
        $(#[$meta])*
        ///
        #[doc = sample!("message/", $name)]
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        #[non_exhaustive]
        pub struct $type {
            /// The account's original id (`gh_…`).
            pub to_user_name: String,
            /// The sender's OpenID; `None` if WeChat names no sender.
            #[serde(
                default,
                deserialize_with = "field::sender",
                skip_serializing_if = "Option::is_none"
            )]
            pub from_user_name: Option<String>,
            /// When the message was sent.
            pub create_time: Timestamp,
            #[serde(default)]
            msg_type: MsgType<Self>,
            $(
                $(#[$field_meta])*
                pub $field: $field_type,
            )*
            /// The message's id, usually a decimal number. WeChat's retries repeat it.
            #[serde(default, alias = "MsgID", deserialize_with = "xml::text")]
            pub msg_id: Option<String>,
            /// The data id of the article that the message was sent from, if there is one.
            #[serde(default, deserialize_with = "xml::text")]
            pub msg_data_id: Option<String>,
            /// Which article of several the message was sent from, counted from 1.
            #[serde(default, deserialize_with = "xml::text")]
            pub idx: Option<String>,
            /// The [WeCom](super::wecom) app's id; `None` elsewhere.
            #[serde(default, rename = "AgentID", deserialize_with = "xml::text")]
            pub agent_id: Option<String>,
            /// Where WeCom's user wrote it, such as `wxwork`.
            #[serde(default, deserialize_with = "xml::text")]
            pub app_type: Option<String>,
        }

        impl Named for $type {
            const NAME: &'static str = $name;
        }
    )*};
}

messages! {
    /// A text message (文本消息).
    ///
    /// WeChat sends it when a user writes to the account or taps an entry of a customer-service menu
    /// message.
    ///
    /// Source: WeChat's page "Receiving standard messages" (接收普通消息).
    #[derive(Eq)]
    TextMessage: "text" {
        /// The text that the user wrote. WeChat's own emoticons are text too, such as `/::)`.
        #[serde(deserialize_with = "xml::text")]
        content: String,
        /// The id of the menu entry, if the user tapped one in a customer-service menu message.
        #[serde(default, rename = "bizmsgmenuid", deserialize_with = "xml::text")]
        biz_msg_menu_id: Option<String>,
        /// The business id that mini programs and customer service add.
        #[serde(default, deserialize_with = "xml::text")]
        business_id: Option<String>,
    }

    /// A picture (图片消息).
    ///
    /// WeChat sends it when a user sends a picture, also through a menu button.
    ///
    /// Source: WeChat's page "Receiving standard messages" (接收普通消息).
    #[derive(Eq)]
    ImageMessage: "image" {
        /// The picture's URL. It works until WeChat deletes the picture.
        #[serde(default)]
        pic_url: String,
        /// The picture's id for the media API, valid for three days. The oldest captured messages have
        /// none.
        #[serde(default, alias = "MediaID", deserialize_with = "xml::text")]
        media_id: Option<String>,
    }

    /// A voice message (语音消息).
    ///
    /// WeChat sends it when a user speaks to the account. If speech recognition is on for the account,
    /// [`recognition`](Self::recognition) has the recognized words.
    ///
    /// Source: WeChat's page "Receiving standard messages" (接收普通消息).
    #[derive(Eq)]
    VoiceMessage: "voice" {
        /// The recording's id for the media API, valid for three days.
        #[serde(alias = "MediaID")]
        media_id: String,
        /// The encoding of the recording, usually `amr`. WeChat sometimes leaves it out.
        format: Option<String>,
        /// The recognized words: empty if none were recognized, `None` if recognition is off.
        #[serde(default, alias = "Recongnition")]
        recognition: Option<String>,
        /// The id of the recording at 16 kHz, for the media API.
        #[serde(default, rename = "MediaId16K")]
        media_id_16k: Option<String>,
    }

    /// A video (视频消息).
    ///
    /// WeChat sends it when a user sends a video from the album.
    ///
    /// Source: WeChat's page "Receiving standard messages" (接收普通消息).
    #[derive(Eq)]
    VideoMessage: "video" {
        /// The video's id for the media API, valid for three days.
        #[serde(alias = "MediaID")]
        media_id: String,
        /// The thumbnail's id for the media API.
        #[serde(default)]
        thumb_media_id: String,
    }

    /// A short video (小视频消息).
    ///
    /// WeChat sends it when a user records a video in the chat.
    ///
    /// Source: WeChat's page "Receiving standard messages" (接收普通消息).
    #[derive(Eq)]
    ShortVideoMessage: "shortvideo" {
        /// The video's id for the media API, valid for three days.
        #[serde(alias = "MediaID")]
        media_id: String,
        /// The thumbnail's id for the media API.
        #[serde(default)]
        thumb_media_id: String,
    }

    /// A place (地理位置消息).
    ///
    /// WeChat sends it when a user sends a place, which need not be the user's own position.
    ///
    /// Source: WeChat's page "Receiving standard messages" (接收普通消息).
    LocationMessage: "location" {
        /// The latitude in degrees.
        #[serde(default, rename = "Location_X", deserialize_with = "xml::optional_number")]
        location_x: Option<f64>,
        /// The longitude in degrees.
        #[serde(default, rename = "Location_Y", deserialize_with = "xml::optional_number")]
        location_y: Option<f64>,
        /// The zoom level of the map. A larger one shows a smaller area.
        #[serde(default, deserialize_with = "xml::optional_number")]
        scale: Option<u64>,
        /// The place's address.
        #[serde(default)]
        label: String,
    }

    /// A link (链接消息).
    ///
    /// WeChat sends it when a user shares a page with the account.
    ///
    /// Source: WeChat's page "Receiving standard messages" (接收普通消息).
    #[derive(Eq)]
    LinkMessage: "link" {
        /// The page's title.
        #[serde(default)]
        title: String,
        /// The page's description.
        #[serde(default)]
        description: String,
        /// The page's URL.
        url: String,
    }

    /// A file (文件消息).
    ///
    /// WeChat sends it when a user sends a file.
    ///
    /// Source: captured messages. WeChat does not document this type.
    #[derive(Eq)]
    FileMessage: "file" {
        /// The file's name.
        #[serde(default)]
        title: String,
        /// A note about the file, usually empty.
        #[serde(default)]
        description: String,
        /// The file's key.
        file_key: String,
        /// The file's MD5 digest in hexadecimal.
        #[serde(default, deserialize_with = "xml::text")]
        file_md5: Option<String>,
        /// The file's length in bytes.
        #[serde(default, deserialize_with = "xml::optional_number")]
        file_total_len: Option<u64>,
    }

    /// A page of a mini program (小程序卡片消息).
    ///
    /// WeChat sends it when a user sends such a page to a mini program's customer service.
    ///
    /// Source: WeChat's page "Receiving customer-service messages" (接收消息和事件).
    #[derive(Eq)]
    MiniProgramPageMessage: "miniprogrampage" {
        /// The page's title.
        #[serde(default)]
        title: String,
        /// The mini program's app id.
        app_id: String,
        /// The page's path in the mini program.
        #[serde(default)]
        page_path: String,
        /// The URL of the page's picture. It works until WeChat deletes the picture.
        #[serde(default)]
        thumb_url: String,
        /// The id of the page's picture for the media API.
        #[serde(default, deserialize_with = "xml::text")]
        thumb_media_id: Option<String>,
    }
}

impl TextMessage {
    /// Whether WeChat sent this text in place of a message that it does not pass on, such as a sticker.
    ///
    /// The user wrote something else, so an answer to these words would surprise. The text is
    /// `【收到不支持的消息类型，暂无法显示】`, or `【收到不支援的訊息類型，無法顯示】` in traditional characters.
    ///
    /// ```
    /// use tower_wechat::{Reply, message::TextMessage};
    ///
    /// fn answer(text: &TextMessage) -> Reply {
    ///     if text.replaces_unsupported_message() {
    ///         return Reply::text("Please send it as a text or a picture.");
    ///     }
    ///     Reply::text(format!("You wrote {}", text.content))
    /// }
    ///
    /// let mut text = TextMessage::default();
    /// text.content = "【收到不支持的消息类型，暂无法显示】".to_owned();
    /// assert!(text.replaces_unsupported_message());
    /// # answer(&text);
    /// ```
    pub fn replaces_unsupported_message(&self) -> bool {
        UNSUPPORTED.contains(&self.content.trim())
    }
}

/// What WeChat sends in place of a message that it does not pass on. It does not document these texts; several bots
/// know them.
const UNSUPPORTED: [&str; 2] = [
    "【收到不支持的消息类型，暂无法显示】",
    "【收到不支援的訊息類型，無法顯示】",
];
