//! The temporary media files: what users have sent, and what the account has uploaded.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::Refusal;
use crate::api::{Encoding, Recording};

#[derive(Default)]
pub(in super::super) struct MediaFiles {
    /// The oldest first.
    files: VecDeque<MediaFile>,
    /// The size of all files.
    size: usize,
}

pub(super) struct MediaFile {
    id: String,
    ends_at: Instant,
    /// `None` if only the id is known: the user has sent a file, and the test has none.
    contents: Option<(Bytes, Format)>,
}

/// A media type, and the file extension.
pub(super) type Format = (&'static str, &'static str);

impl MediaFiles {
    /// Keeps a recording under the id of its voice message.
    pub(in super::super) fn keep_recording(&mut self, id: &str, recording: &Recording) {
        let format = match recording.encoding() {
            Encoding::Speex => ("voice/speex", "speex"),
            // What WeChat says of SILK is unknown.
            _ => ("audio/amr", "amr"),
        };
        self.keep(id, recording.to_bytes(), format);
    }

    pub(super) fn keep(&mut self, id: &str, bytes: Bytes, format: Format) {
        self.insert(id, Some((bytes, format)));
    }

    /// Notes the id of a file that is not there, unless it is.
    pub(in super::super) fn name(&mut self, id: &str) {
        if self.find(id).is_err() {
            self.insert(id, None);
        }
    }

    fn insert(&mut self, id: &str, contents: Option<(Bytes, Format)>) {
        if let Some(former) = self.files.iter().position(|file| file.id == id) {
            let former = self.files.remove(former);
            self.size -= former.as_ref().map_or(0, MediaFile::size);
        }
        let file = MediaFile {
            id: id.to_owned(),
            ends_at: Instant::now() + LIFE,
            contents,
        };
        self.size += file.size();
        self.files.push_back(file);
        while self.files.len() > MAX_FILES || self.size > MAX_SIZE && self.files.len() > 1 {
            let oldest = self.files.pop_front();
            self.size -= oldest.as_ref().map_or(0, MediaFile::size);
        }
    }

    /// Returns the file with this id, if WeChat still has it.
    pub(super) fn find(&self, id: &str) -> Result<&MediaFile, Refusal> {
        let file = self.files.iter().find(|file| file.id == id);
        let file = file.filter(|file| Instant::now() < file.ends_at);
        file.ok_or(Refusal::MEDIA_ID)
    }
}

impl MediaFile {
    pub(super) fn contents(&self) -> Result<&(Bytes, Format), Refusal> {
        self.contents.as_ref().ok_or(Refusal::MEDIA_ID)
    }

    fn size(&self) -> usize {
        let contents = self.contents.as_ref();
        contents.map_or(0, |(bytes, _)| bytes.len())
    }
}

const LIFE: Duration = Duration::from_hours(72);

const MAX_FILES: usize = 4096;

/// In bytes. A single larger file is kept too.
const MAX_SIZE: usize = 64 * 1024 * 1024;
