use serde::Serialize;

use super::{
    characters::written,
    error::{Cause, Error},
    parts::{Article, Music, Video},
};

/// What a reply says, by its MsgType.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    Image(Media),
    Voice(Media),
    Video(Video),
    Music(Music),
    News(Vec<Article>),
    /// To any agent, or to one.
    TransferCustomerService(Option<TransInfo>),
}

impl Content {
    pub(super) fn check(&self, article_limit: usize) -> Result<(), Error> {
        let id = match self {
            Self::Text(text) => return check_text(text),
            Self::News(articles) => return check_articles(articles.len(), article_limit),
            Self::TransferCustomerService(None) => return Ok(()),
            Self::TransferCustomerService(Some(agent)) => {
                (&*agent.kf_account, Cause::KfAccountEmpty)
            }
            Self::Image(media) | Self::Voice(media) => {
                (&*media.media_id, Cause::MediaIdEmpty("MediaId"))
            }
            Self::Video(video) => (&*video.media_id, Cause::MediaIdEmpty("MediaId")),
            Self::Music(music) => (&*music.thumb_media_id, Cause::MediaIdEmpty("ThumbMediaId")),
        };
        match id {
            ("", cause) => Err(Error(cause)),
            _ => Ok(()),
        }
    }
}

fn check_text(text: &str) -> Result<(), Error> {
    match text.len() {
        0 => Err(Error(Cause::TextEmpty)),
        1..=TEXT_LIMIT => Ok(()),
        found => Err(Error(Cause::TextLength(found))),
    }
}

fn check_articles(found: usize, limit: usize) -> Result<(), Error> {
    if found == 0 {
        Err(Error(Cause::ArticlesEmpty))
    } else if found > limit {
        Err(Error(Cause::ArticleCount { found, limit }))
    } else {
        Ok(())
    }
}

/// The element of an image and of a voice message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
}

/// In bytes of UTF-8. Undocumented; integrations report 2047 (dodgepudding/wechat-php-sdk #363) or 2048.
pub(super) const TEXT_LIMIT: usize = 2048;
