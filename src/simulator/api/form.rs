//! The form that uploads a file: `multipart/form-data`.

use bytes::Bytes;
use http::HeaderValue;
use memchr::memmem;

/// A file of a form.
pub(super) struct FormFile {
    pub(super) name: String,
    pub(super) bytes: Bytes,
}

/// Finds the file in the field `media`.
pub(super) fn media_file(content_type: Option<&HeaderValue>, body: &Bytes) -> Option<FormFile> {
    let content_type = content_type?.to_str().ok()?;
    let media_type = content_type.split(';').next()?.trim();
    if !media_type.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let delimiter = format!("\r\n--{}", parameter(content_type, "boundary")?);
    // No line end comes before the first one.
    let (_, mut rest) = split(body, delimiter.trim_ascii_start().as_bytes())?;
    while !rest.starts_with(b"--") {
        let (head, contents) = split(rest, b"\r\n\r\n")?;
        let (contents, next) = split(contents, delimiter.as_bytes())?;
        let head = str::from_utf8(head).ok()?;
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim()
                .eq_ignore_ascii_case("content-disposition")
                .then_some(value)
        });
        if let Some(disposition) = disposition
            && parameter(disposition, "name") == Some("media")
            && let Some(name) = parameter(disposition, "filename")
        {
            return Some(FormFile {
                name: name.to_owned(),
                bytes: body.slice_ref(contents),
            });
        }
        rest = next;
    }
    None
}

/// Returns what stands before and behind the first `separator`.
fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (before, rest) = bytes.split_at_checked(memmem::find(bytes, separator)?)?;
    Some((before, rest.strip_prefix(separator)?))
}

/// Returns a parameter of a header's value, without quotes.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').find_map(|part| {
        let (found, value) = part.split_once('=')?;
        let is_it = found.trim().eq_ignore_ascii_case(name);
        is_it.then(|| value.trim().trim_matches('"'))
    })
}
