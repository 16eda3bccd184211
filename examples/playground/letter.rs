//! Requests of the page: a message to deliver, and the conditions of its delivery.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tower_wechat::simulator::{Part, Push, Simulator};

use crate::sound::Sound;

/// A message to deliver, with the conditions of its delivery.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the page"
)]
pub(crate) struct Letter {
    pub(crate) content: Content,
    #[serde(default)]
    pub(crate) mode: Mode,
    #[serde(default)]
    pub(crate) clock: Clock,
    /// How long the bot thinks, in seconds.
    #[serde(default)]
    thinking: f64,
    /// Whether the bot tells a long story.
    #[serde(default)]
    pub(crate) is_long: bool,
    /// Whether the account has no customer-service API, like all personal ones.
    #[serde(default)]
    pub(crate) is_personal: bool,
    #[serde(default)]
    pub(crate) recognizer: Recognizer,
    #[serde(default)]
    lost: Lost,
    #[serde(default)]
    is_slow: bool,
    #[serde(default)]
    is_duplicated: bool,
    #[serde(default)]
    attack: Attack,
    #[serde(default)]
    pub(crate) language: Language,
}

/// The message that the user sends, or the event that the user causes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Content {
    Text {
        text: String,
    },
    Voice {
        /// Empty for an id that no other message has.
        media_id: String,
        format: String,
        /// `None` if the account has no speech recognition, empty if no words were recognized.
        recognition: Option<String>,
        /// The words that a recognizer makes of the recording.
        #[serde(default)]
        spoken: String,
        #[serde(default)]
        sound: Option<Sound>,
    },
    Image {
        media_id: String,
        pic_url: String,
    },
    Location {
        latitude: f64,
        longitude: f64,
        label: String,
    },
    Link {
        title: String,
        description: String,
        url: String,
    },
    Click {
        key: String,
    },
    Scan {
        scene: String,
    },
    Subscribe {
        scene: Option<String>,
    },
    Unsubscribe,
    /// The console verifies the URL. The user does nothing.
    Verify,
}

/// The mode of the account, as the console names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Mode {
    #[default]
    Plain,
    Safe,
}

/// The clock that a message is delivered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Clock {
    #[default]
    Real,
    /// Jumps to the next timer as soon as all tasks wait.
    Simulated,
}

/// The speech recognizer of the built-in bot.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Recognizer {
    #[default]
    Knows,
    /// Knows it too, after longer than WeChat waits.
    Slow,
    Fails,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Lost {
    #[default]
    None,
    First,
    All,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Attack {
    #[default]
    None,
    Signature,
    Timestamp,
    Ciphertext,
    Plaintext,
}

/// The language of the built-in bot.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) enum Language {
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "zh")]
    Chinese,
}

impl Letter {
    /// Returns how long the bot thinks, at most [`MAX_THINKING`] seconds.
    pub(crate) fn thinking(&self) -> Duration {
        let least = if self.is_long { STORY } else { 0.0 };
        Duration::from_secs_f64(self.thinking.clamp(least, MAX_THINKING))
    }

    /// Whether an attacker sends the message.
    pub(crate) fn is_forged(&self) -> bool {
        match self.attack {
            _ if self.is_verification() => false,
            Attack::None => false,
            // In plain mode, plaintext is no attack.
            Attack::Plaintext => self.mode == Mode::Safe,
            Attack::Signature | Attack::Timestamp | Attack::Ciphertext => true,
        }
    }

    pub(crate) fn latency(&self) -> Duration {
        if self.is_slow && !self.is_verification() {
            LATENCY
        } else {
            Duration::ZERO
        }
    }

    /// Whether the console verifies the URL. The network and the attacker do not affect that.
    fn is_verification(&self) -> bool {
        matches!(self.content, Content::Verify)
    }

    /// Makes the push, or `None` for the verification of the URL.
    pub(crate) fn push(&self, wechat: &Simulator) -> Option<Push> {
        let mut push = self.content.push(wechat)?.latency(self.latency());
        push = push.lose_answers(match self.lost {
            Lost::None => 0,
            Lost::First => 1,
            Lost::All => usize::MAX,
        });
        if self.is_duplicated {
            push = push.duplicate();
        }
        Some(match self.attack {
            Attack::Signature => push.forge_signature(),
            Attack::Timestamp => push.tamper(Part::Timestamp),
            Attack::Ciphertext => push.tamper(Part::Body),
            Attack::Plaintext if self.mode == Mode::Safe => push.downgrade(),
            Attack::None | Attack::Plaintext => push,
        })
    }
}

impl Content {
    pub(crate) fn sound(&self) -> Option<&Sound> {
        match self {
            Self::Voice { sound, .. } => sound.as_ref(),
            _ => None,
        }
    }

    /// Returns the words that the user speaks.
    pub(crate) fn spoken(&self) -> &str {
        match self {
            Self::Voice { spoken, .. } => spoken,
            _ => "",
        }
    }

    fn push(&self, wechat: &Simulator) -> Option<Push> {
        Some(match self {
            Self::Text { text } => wechat.text(text),
            Self::Voice {
                media_id,
                format,
                recognition,
                sound,
                ..
            } => {
                let media_id = match &**media_id {
                    "" => new_media_id(),
                    media_id => media_id.to_owned(),
                };
                let mut voice = wechat.voice(media_id).field("Format", format);
                if let Some(words) = recognition {
                    voice = voice.recognition(words);
                }
                if let Some(sound) = sound {
                    voice = voice.sound(sound.bytes.clone());
                }
                voice
            }
            Self::Image { media_id, pic_url } => wechat.image(media_id, pic_url),
            Self::Location {
                latitude,
                longitude,
                label,
            } => wechat.location(*latitude, *longitude, label),
            Self::Link {
                title,
                description,
                url,
            } => wechat.link(title, url).field("Description", description),
            Self::Click { key } => wechat.event("CLICK").field("EventKey", key),
            Self::Scan { scene } => wechat
                .event("SCAN")
                .field("EventKey", scene)
                .field("Ticket", TICKET),
            Self::Subscribe { scene: Some(scene) } => wechat
                .event("subscribe")
                .field("EventKey", format_args!("qrscene_{scene}"))
                .field("Ticket", TICKET),
            Self::Subscribe { scene: None } => wechat.event("subscribe").field("EventKey", ""),
            Self::Unsubscribe => wechat.event("unsubscribe").field("EventKey", ""),
            Self::Verify => return None,
        })
    }
}

/// Returns an id that differs from those before a restart too: a target may remember what it has recognized.
fn new_media_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    format!("media-{:x}", now.unwrap_or_default().as_nanos())
}

/// In seconds. A run of the built-in bot fails after 60 s.
const MAX_THINKING: f64 = 55.0;

/// How long the bot thinks at least about a long story, in seconds: longer than WeChat waits.
const STORY: f64 = 6.0;

/// For each way, there and back.
const LATENCY: Duration = Duration::from_millis(1500);

/// The ticket of a QR code, in WeChat's form.
const TICKET: &str = "gQPl8TwAAAAAAAAAAS5odHRwOi8vd2VpeGluLnFxLmNvbS9xLzAyUGxheQ==";
