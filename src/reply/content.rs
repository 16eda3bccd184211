//! One message of a reply: its kinds, and how long WeChat lets its text be.

use std::borrow::Cow;

use super::{
    custom::Custom,
    error::{Cause, Error},
    parts::{Article, Button, Media, Music, TransInfo, Video},
    smart_bot::Card,
    split::split_with_tail,
};

/// The content of a reply: one variant for each MsgType, and one for custom answers.
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
    UpdateButton(Button),
    TemplateCard(Card),
    /// No message, and no MsgType.
    Custom(Custom),
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
            Self::UpdateButton(_) => "update_button",
            Self::TemplateCard(_) => "update_template_card",
            Self::Custom(_) => "",
        }
    }

    pub(super) fn check(&self, article_limit: usize) -> Result<(), Error> {
        let id = match self {
            Self::Text(text) if is_blank(text) => return Err(Error(Cause::TextEmpty)),
            Self::News(articles) => return check_articles(articles, article_limit),
            Self::UpdateButton(button) if is_blank(&button.replace_name) => {
                return Err(Error(Cause::TextEmpty));
            }
            Self::TemplateCard(card) => return card.check(),
            Self::Custom(custom) => return custom.check(),
            Self::Text(_) | Self::TransferCustomerService(None) | Self::UpdateButton(_) => {
                return Ok(());
            }
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

    /// Checks that a passive reply shows all of the content.
    #[cfg(feature = "layers")]
    pub(super) fn check_whole(&self) -> Result<(), Error> {
        match self {
            Self::Text(text) => check_length(text, PASSIVE_TEXT_LIMIT),
            _ => Ok(()),
        }
    }

    /// Returns what a message of at most `limit` bytes of text shows, and the text that it does not. If there is such a text,
    /// what is shown ends in `marker`. The last `tail` bytes of the text stay together.
    pub(super) fn cut(
        &self,
        limit: usize,
        marker: &str,
        tail: usize,
    ) -> (Cow<'_, Self>, Option<String>) {
        let text = match self {
            Self::Text(text) if text.len() > limit => text.trim_end(),
            _ => return (Cow::Borrowed(self), None),
        };
        if text.len() <= limit {
            return (Cow::Owned(Self::Text(text.to_owned())), None);
        }
        let mut parts = split_with_tail(text, limit.saturating_sub(marker.len()), tail);
        let first = parts.next().unwrap_or_default();
        match parts.as_str() {
            "" => (Cow::Owned(Self::Text(first.to_owned())), None),
            rest => (
                Cow::Owned(Self::Text([first, marker].concat())),
                Some(rest.to_owned()),
            ),
        }
    }
}

/// Checks that `text` has at most `limit` bytes.
#[cfg(any(feature = "json", feature = "layers"))]
pub(super) fn check_length(text: &str, limit: usize) -> Result<(), Error> {
    match text.len() {
        found if found > limit => Err(Error(Cause::TextLength { found, limit })),
        _ => Ok(()),
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
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// The longest text that WeChat accepts in any message, in bytes of UTF-8. WeChat does not document it.
pub(crate) const TEXT_LIMIT: usize = 2048;

/// The longest text of a passive reply. Integrations report 2047 (dodgepudding/wechat-php-sdk #363) or 2048.
pub(super) const PASSIVE_TEXT_LIMIT: usize = 2047;

/// The longest marker or footer, so that half of a part is the text.
#[cfg(feature = "layers")]
pub(super) const ADDITION_LIMIT: usize = PASSIVE_TEXT_LIMIT / 2;

/// The most articles in answer to anything but a user's message. Source: WeChat's page on passive replies.
pub(super) const EVENT_ARTICLE_LIMIT: usize = 8;

/// The most articles in answer to a user's message, since October 2018. Source: the same page.
pub(super) const MESSAGE_ARTICLE_LIMIT: usize = 1;
