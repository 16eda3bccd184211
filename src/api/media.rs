//! Temporary media: what an answer with a user's file says, and the form that uploads one for a reply.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
};

use bytes::Bytes;
use http::{HeaderValue, header::CONTENT_DISPOSITION};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    MAX_MEDIA_ID,
    call::{Call, FAILURE_LIMIT, content_type, object, read, text_of, unexpected},
    client::Answer,
    error::{Cause, Error},
    text::is_plain,
};

/// A media file that WeChat keeps.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    content_type: Option<String>,
    file_name: Option<String>,
    bytes: Bytes,
}

impl Media {
    /// Reads a successful answer. WeChat's media are never text, so a text is a proxy's.
    pub(super) fn read(answer: Answer, wanted: Wanted) -> Result<Self, Error> {
        let content_type = content_type(&answer).map(str::to_owned);
        let is_of = |prefix: &str| {
            let start = content_type
                .as_deref()
                .and_then(|it| it.get(..prefix.len()));
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let body = answer.body();
        let is_text = is_of("text/")
            || is_of("application/json")
            || text_of(body).starts_with(b"<")
            || body.len() <= FAILURE_LIMIT && object::<Map<String, Value>>(body).is_some();
        let is_it = match wanted {
            Wanted::File => !is_text || is_video_url(body),
            Wanted::Recording => !is_text && !is_of("image/") && !is_of("video/"),
        };
        if body.is_empty() || !is_it {
            return Err(Error::new(Call::Media, unexpected(wanted.name(), &answer)));
        }
        let disposition = answer.headers().get(CONTENT_DISPOSITION);
        Ok(Self {
            file_name: disposition.and_then(file_name),
            content_type,
            bytes: answer.into_body(),
        })
    }

    /// Returns the media type that WeChat says, such as `image/jpeg`, without parameters.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Returns the file's name. It has at most 200 bytes, no folder, no colon and no control character, and is not
    /// `..`.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// Returns the bytes of the file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes of the file, without copying them.
    pub fn to_bytes(&self) -> Bytes {
        self.bytes.clone()
    }
}

/// Shows the length of the file, not its contents.
impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("content_type", &self.content_type)
            .field("file_name", &self.file_name)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// What a media id should be of.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    File,
    Recording,
}

impl Wanted {
    fn name(self) -> &'static str {
        match self {
            Self::File => "a media file",
            Self::Recording => "a recording",
        }
    }
}

/// What is uploaded. The limits are those of WeChat's page "Adding temporary material" (新增临时素材).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaKind {
    /// A picture: PNG, JPEG or GIF, at most 10 MiB.
    Image,
    /// A voice message: AMR or MP3, at most 2 MiB and 60 s.
    Voice,
    /// A video: MP4, at most 10 MiB.
    Video,
    /// The picture of a video or a music card: JPEG, at most 64 KiB.
    Thumb,
}

impl MediaKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::Thumb => "thumb",
        }
    }

    /// In bytes.
    fn limit(self) -> usize {
        match self {
            Self::Image | Self::Video => 10 * 1024 * 1024,
            Self::Voice => 2 * 1024 * 1024,
            Self::Thumb => 64 * 1024,
        }
    }

    /// Returns the file extension, by which WeChat knows the format, and the media type.
    fn format(self, bytes: &[u8]) -> (&'static str, &'static str) {
        match self {
            Self::Image if bytes.starts_with(b"\x89PNG") => ("png", "image/png"),
            Self::Image if bytes.starts_with(b"GIF8") => ("gif", "image/gif"),
            Self::Image | Self::Thumb => ("jpg", "image/jpeg"),
            Self::Voice if bytes.starts_with(b"#!AMR") => ("amr", "audio/amr"),
            Self::Voice => ("mp3", "audio/mpeg"),
            Self::Video => ("mp4", "video/mp4"),
        }
    }
}

/// Makes the form that uploads a file, and its Content-Type.
pub(super) fn form(kind: MediaKind, file: &[u8]) -> Result<(HeaderValue, Bytes), Error> {
    let (limit, found) = (kind.limit(), file.len());
    if found > limit {
        let cause = Cause::FileTooLarge { limit, found };
        return Err(Error::new(Call::Upload, cause));
    }
    let (extension, media_type) = kind.format(file);
    // The keys of std's hash maps are random, so the file does not contain the boundary.
    let random = || RandomState::new().hash_one(file.len());
    let boundary = format!("tower-wechat-{:016x}{:016x}", random(), random());
    let head = format!(
        "--{boundary}\r\n\
         Content-Disposition: form-data; name=\"media\"; filename=\"media.{extension}\"\r\n\
         Content-Type: {media_type}\r\n\r\n"
    );
    let end = format!("\r\n--{boundary}--\r\n");
    let form = [head.as_bytes(), file, end.as_bytes()].concat();
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let impossible = |_| Error::new(Call::Upload, Cause::Client("no Content-Type".to_owned()));
    let content_type = HeaderValue::try_from(content_type).map_err(impossible)?;
    Ok((content_type, form.into()))
}

/// Reads the media id that an upload has got.
pub(super) fn uploaded(answer: &Answer) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Uploaded {
        #[serde(alias = "thumb_media_id")]
        media_id: String,
    }
    let expected = "a media_id";
    let Uploaded { media_id } = read(Call::Upload, answer, expected)?;
    if !(1..=MAX_MEDIA_ID).contains(&media_id.len()) {
        return Err(Error::new(Call::Upload, unexpected(expected, answer)));
    }
    Ok(media_id)
}

/// Returns whether the body is what WeChat answers for a video: where to download it.
fn is_video_url(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Video {
        #[serde(rename = "video_url")]
        _url: String,
    }
    object::<Video>(body).is_some()
}

/// Returns the file name of a Content-Disposition. Users of the crate may write to a file of that name, so nothing is left
/// that leads out of its folder.
fn file_name(disposition: &HeaderValue) -> Option<String> {
    let text = std::str::from_utf8(disposition.as_bytes()).ok()?;
    let parameter = |part: &str| -> Option<String> {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("filename")
            .then(|| value.trim().replace('"', ""))
    };
    let name = text.split(';').find_map(parameter)?;
    let name = name.rsplit(['/', '\\']).next()?;
    // A colon names a drive, or a stream of a file.
    let is_part = |c: &char| is_plain(*c) && *c != ':';
    let mut name: String = name.chars().filter(is_part).collect();
    name.truncate(name.floor_char_boundary(MAX_NAME));
    (!matches!(&*name, "" | "." | "..")).then_some(name)
}

/// In bytes. Most file systems take 255.
const MAX_NAME: usize = 200;
