//! The content of a reply, and WeChat's limits on it.

use super::{
    error::{Cause, Error},
    parts::{Article, Media, Music, TransInfo, Video},
};

/// The content of a reply, one variant for each MsgType.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    Image(Media),
    Voice(Media),
    Video(Video),
    Music(Music),
    News(Vec<Article>),
    /// To this agent, or to any agent.
    TransferCustomerService(Option<TransInfo>),
}

impl Content {
    pub(super) fn msg_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "image",
            Self::Voice(_) => "voice",
            Self::Video(_) => "video",
            Self::Music(_) => "music",
            Self::News(_) => "news",
            Self::TransferCustomerService(_) => "transfer_customer_service",
        }
    }

    pub(super) fn check(&self, article_limit: usize) -> Result<(), Error> {
        let id = match self {
            Self::Text(text) => return check_text(text),
            Self::News(articles) => return check_articles(articles, article_limit),
            Self::TransferCustomerService(None) => return Ok(()),
            Self::TransferCustomerService(Some(agent)) => {
                (agent.kf_account(), Cause::KfAccountEmpty)
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
    if is_blank(text) {
        return Err(Error(Cause::TextEmpty));
    }
    match text.len() {
        0..=TEXT_LIMIT => Ok(()),
        found => Err(Error(Cause::TextLength {
            found,
            limit: TEXT_LIMIT,
        })),
    }
}

fn check_articles(articles: &[Article], limit: usize) -> Result<(), Error> {
    let found = articles.len();
    if found == 0 {
        return Err(Error(Cause::ArticlesEmpty));
    }
    if found > limit {
        return Err(Error(Cause::ArticleCount { found, limit }));
    }
    let mut titles = articles.iter().map(|article| &article.title);
    match titles.position(|title| is_blank(title)) {
        Some(position) => Err(Error(Cause::ArticleTitleEmpty { position })),
        None => Ok(()),
    }
}

/// Whether the user would see nothing of `text`.
fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// In bytes of UTF-8. WeChat does not document it; integrations report 2047 (dodgepudding/wechat-php-sdk #363) or 2048.
pub(crate) const TEXT_LIMIT: usize = 2048;

/// The most articles in answer to anything but a user's message. Source: WeChat's page on passive replies.
pub(super) const EVENT_ARTICLE_LIMIT: usize = 8;

/// The most articles in answer to a user's message, since October 2018. Source: the same page.
pub(super) const MESSAGE_ARTICLE_LIMIT: usize = 1;
