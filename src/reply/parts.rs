//! Media, articles, music and buttons of replies.

use serde::{Deserialize, Serialize};

use super::characters::written;

/// The video of a reply, for [`Reply::video`](super::Reply::video).
///
/// It serializes as the reply's `Video` element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Video {
    pub(super) media_id: String,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    /// Not part of the passive reply.
    #[serde(skip)]
    pub(super) thumb_media_id: Option<String>,
}

impl Video {
    /// Makes the video with the MediaId `media_id`.
    pub fn new(media_id: impl Into<String>) -> Self {
        Self {
            media_id: written(media_id),
            title: None,
            description: None,
            thumb_media_id: None,
        }
    }

    /// Sets the title above the description; none by default.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(written(title));
        self
    }

    /// Sets the description of the video; none by default.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(written(description));
        self
    }

    /// Sets the MediaId of the picture that represents the video; none by default.
    ///
    /// Only the customer-service API uses it, and requires it.
    #[must_use]
    pub fn with_thumb_media_id(mut self, thumb_media_id: impl Into<String>) -> Self {
        self.thumb_media_id = Some(written(thumb_media_id));
        self
    }
}

/// The music card of a reply, for [`Reply::music`](super::Reply::music).
///
/// It serializes as the reply's `Music` element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Music {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    #[serde(rename = "MusicUrl")]
    pub(super) url: Option<String>,
    #[serde(rename = "HQMusicUrl")]
    pub(super) hq_url: Option<String>,
    pub(super) thumb_media_id: String,
}

impl Music {
    /// Makes the card whose picture has the MediaId `thumb_media_id`.
    pub fn new(thumb_media_id: impl Into<String>) -> Self {
        Self {
            title: None,
            description: None,
            url: None,
            hq_url: None,
            thumb_media_id: written(thumb_media_id),
        }
    }

    /// Sets the title of the card; none by default.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(written(title));
        self
    }

    /// Sets the line below the title; none by default.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(written(description));
        self
    }

    /// Sets the URL of the music; none by default.
    #[must_use]
    pub fn with_music_url(mut self, music_url: impl Into<String>) -> Self {
        self.url = Some(written(music_url));
        self
    }

    /// Sets the URL of the music in better quality; none by default. On Wi-Fi, WeChat plays it first.
    #[must_use]
    pub fn with_hq_music_url(mut self, hq_music_url: impl Into<String>) -> Self {
        self.hq_url = Some(written(hq_music_url));
        self
    }
}

/// One article of [`Reply::news`](super::Reply::news).
///
/// It serializes as an `item` of the reply's `Articles` element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Article {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) pic_url: String,
    pub(super) url: String,
}

impl Article {
    /// Makes an article from its title, its description, the URL of its picture, and the URL that a tap opens.
    ///
    /// The picture is a JPG or PNG; 360×200 or 200×200 pixels look best. WeChat's page on passive replies requires all
    /// four parts, in this order. Here only the title is required. Any other part that is empty is written as an empty
    /// element.
    pub fn new(
        title: impl Into<String>,
        description: impl Into<String>,
        pic_url: impl Into<String>,
        url: impl Into<String>,
    ) -> Self {
        Self {
            title: written(title),
            description: written(description),
            pic_url: written(pic_url),
            url: written(url),
        }
    }
}

/// The element of an image or a voice message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Media {
    pub(super) media_id: String,
}

impl Media {
    pub(super) fn new(media_id: impl Into<String>) -> Self {
        Self {
            media_id: written(media_id),
        }
    }
}

/// The element that names a customer-service agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TransInfo {
    kf_account: String,
}

impl TransInfo {
    pub(super) fn new(kf_account: impl Into<String>) -> Self {
        Self {
            kf_account: written(kf_account),
        }
    }

    pub(super) fn kf_account(&self) -> &str {
        &self.kf_account
    }
}

/// The element that renames a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Button {
    pub(super) replace_name: String,
}
