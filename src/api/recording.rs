//! The bytes of a voice message, with the encoding and the duration that they tell.

use std::{fmt, time::Duration};

use bytes::Bytes;

/// The recording of a voice message, as WeChat keeps it.
///
/// A test of a recognizer makes one with [`Recording::new`].
///
/// ```
/// use std::time::Duration;
/// use tower_wechat::api::{Encoding, Recording};
///
/// // Two frames, each a byte and twelve more: 40 ms.
/// let recording = Recording::new([&b"#!AMR\n"[..], &[0x04; 26]].concat());
/// assert_eq!(recording.encoding(), Encoding::AmrNb);
/// assert_eq!(recording.duration(), Some(Duration::from_millis(40)));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Recording(Bytes);

/// How a [`Recording`] is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// AMR narrow band at 8 kHz, in the file format of RFC 4867. The usual encoding of a voice message.
    AmrNb,
    /// AMR wide band at 16 kHz, in the file format of RFC 4867.
    AmrWb,
    /// SILK in version 3 of Skype's file format, which WeChat's own clients use. A byte 2 may come before its header.
    Silk,
    /// Speex in an Ogg file.
    Speex,
    /// Any other, such as Speex without a file format.
    Other,
}

impl Encoding {
    /// Returns the encoding as events name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AmrNb => "amr_nb",
            Self::AmrWb => "amr_wb",
            Self::Silk => "silk",
            Self::Speex => "speex",
            Self::Other => "other",
        }
    }
}

impl Recording {
    /// Makes a recording from the bytes of its file.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes of the file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the bytes of the file, without copying them.
    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }

    /// Returns the encoding, which the first bytes tell. The message's `Format` says `amr` for all of them.
    pub fn encoding(&self) -> Encoding {
        let bytes = self.as_bytes();
        if bytes.starts_with(AMR_NB) {
            Encoding::AmrNb
        } else if bytes.starts_with(AMR_WB) {
            Encoding::AmrWb
        } else if bytes
            .strip_prefix(b"\x02")
            .unwrap_or(bytes)
            .starts_with(b"#!SILK_V3")
        {
            Encoding::Silk
        } else if bytes.starts_with(b"OggS") && bytes.get(28..36) == Some(b"Speex   ") {
            Encoding::Speex
        } else {
            Encoding::Other
        }
    }

    /// Returns the duration of an AMR recording: 20 ms for each whole frame. `None` for another encoding.
    ///
    /// Counting ends at a frame of a type that does not exist.
    pub fn duration(&self) -> Option<Duration> {
        let (header, sizes) = match self.encoding() {
            Encoding::AmrNb => (AMR_NB, &NB_SIZES),
            Encoding::AmrWb => (AMR_WB, &WB_SIZES),
            _ => return None,
        };
        let mut frames = self.as_bytes().strip_prefix(header)?;
        let mut count: u32 = 0;
        while let Some((first, rest)) = frames.split_first()
            && let Some(&Some(size)) = sizes.get(usize::from(first >> 3 & 0xf))
            && let Some((_, rest)) = rest.split_at_checked(size)
        {
            frames = rest;
            count = count.saturating_add(1);
        }
        Some(Duration::from_millis(20).saturating_mul(count))
    }
}

/// Shows the encoding and the length, not the contents.
impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("encoding", &self.encoding())
            .field("len", &self.0.len())
            .finish_non_exhaustive()
    }
}

const AMR_NB: &[u8] = b"#!AMR\n";
const AMR_WB: &[u8] = b"#!AMR-WB\n";

/// The number of bytes behind the first byte of a frame, by the type that bits 3 to 6 of that byte have. Source: RFC
/// 4867, with the sizes of 3GPP TS 26.101 and TS 26.201.
#[rustfmt::skip]
const NB_SIZES: [Option<usize>; 16] = [
    Some(12), Some(13), Some(15), Some(17), Some(19), Some(20), Some(26), Some(31),
    Some(5), None, None, None, None, None, Some(0), Some(0),
];
#[rustfmt::skip]
const WB_SIZES: [Option<usize>; 16] = [
    Some(17), Some(23), Some(32), Some(36), Some(40), Some(46), Some(50), Some(58),
    Some(60), Some(5), None, None, None, None, Some(0), Some(0),
];
