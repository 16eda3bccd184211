//! Tags, comments and processing instructions.

use memchr::{memchr2, memmem};

use super::{MAX_DEPTH, Reader, Tag, is_name_byte, is_name_start};
use crate::xml::error::{ErrorKind, Quoted, Result};

impl<'de> Reader<'de> {
    /// Reads a start tag, its attributes included.
    pub(super) fn start_tag(&mut self, depth: u8) -> Result<Tag<'de>> {
        let at = self.at;
        if depth > MAX_DEPTH {
            let expected = format_args!("at most {MAX_DEPTH} nested elements");
            return Err(self.error(ErrorKind::Depth, expected, "another one"));
        }
        let rest = self.rest().get(1..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&byte| !is_name_byte(byte)) else {
            return Err(self.error(ErrorKind::Eof, "the end of a tag", "the end of the input"));
        };
        let name = self.slice(at + 1, at + 1 + length)?;
        if !rest.first().is_some_and(|&first| is_name_start(first)) {
            return Err(self.error(ErrorKind::Syntax, "an element's name", Quoted(name)));
        }
        self.advance(at + 1 + length);
        let closed = if self.rest().first() == Some(&b'>') {
            self.advance(self.at + 1);
            false
        } else {
            self.attributes()?
        };
        Ok(Tag {
            name,
            depth,
            closed,
        })
    }

    /// Skips the attributes and the end of a start tag; says whether the tag closes itself.
    fn attributes(&mut self) -> Result<bool> {
        loop {
            let before = self.at;
            self.skip_white();
            let rest = self.rest();
            match rest {
                [b'>', ..] => {
                    self.advance(self.at + 1);
                    return Ok(false);
                }
                [b'/', b'>', ..] => {
                    self.advance(self.at + 2);
                    return Ok(true);
                }
                [] => {
                    return Err(self.error(
                        ErrorKind::Eof,
                        "the end of a tag",
                        "the end of the input",
                    ));
                }
                _ if before == self.at => {
                    return Err(self.error(
                        ErrorKind::Syntax,
                        "the end of a tag",
                        "something else",
                    ));
                }
                _ => {}
            }
            let name = rest.iter().take_while(|&&byte| is_name_byte(byte)).count();
            if name == 0 {
                return Err(self.error(ErrorKind::Syntax, "an attribute", "something else"));
            }
            self.advance(self.at + name);
            self.skip_white();
            if self.rest().first() != Some(&b'=') {
                return Err(self.error(
                    ErrorKind::Syntax,
                    "`=` after an attribute's name",
                    "something else",
                ));
            }
            self.advance(self.at + 1);
            self.skip_white();
            let (quote, value) = match self.rest() {
                [quote @ (b'"' | b'\''), value @ ..] => (*quote, value),
                _ => return Err(self.error(ErrorKind::Syntax, "a quoted value", "something else")),
            };
            match memchr2(quote, b'<', value) {
                Some(length) if value.get(length) == Some(&quote) => {
                    self.advance(self.at + length + 2);
                }
                Some(_) => return Err(self.error(ErrorKind::Syntax, "the end of a value", "`<`")),
                None => {
                    return Err(self.error(
                        ErrorKind::Eof,
                        "the end of a value",
                        "the end of the input",
                    ));
                }
            }
        }
    }

    /// Reads the end tag of `tag`.
    pub(super) fn end_tag(&mut self, tag: &Tag<'de>) -> Result<()> {
        if let Some(after) = self.closing(self.at, tag.name) {
            self.advance(after);
            return Ok(());
        }
        let rest = self.rest().get(2..).unwrap_or_default();
        let length = rest.iter().take_while(|&&byte| is_name_byte(byte)).count();
        let name = self.slice(self.at + 2, self.at + 2 + length)?;
        let expected = format_args!("end tag {}", Quoted(tag.name));
        if length == rest.len() {
            return Err(self.error(ErrorKind::Eof, expected, "the end of the input"));
        }
        Err(self.error(
            ErrorKind::Syntax,
            expected,
            format_args!("end tag {}", Quoted(name)),
        ))
    }

    /// Where the end tag of `name` ends, if one stands at `at`.
    #[inline]
    pub(super) fn closing(&self, at: usize, name: &str) -> Option<usize> {
        let rest = self.input.as_bytes().get(at..)?.strip_prefix(b"</")?;
        let mut rest = rest.strip_prefix(name.as_bytes())?;
        while let [byte, more @ ..] = rest {
            match byte {
                b'>' => return Some(self.input.len() - more.len()),
                b' ' | b'\t' | b'\r' | b'\n' => rest = more,
                _ => return None,
            }
        }
        None
    }

    /// Skips white space, comments and processing instructions.
    pub(super) fn skip_misc(&mut self) -> Result<()> {
        loop {
            self.skip_white();
            match self.rest() {
                [b'<', b'!' | b'?', ..] if self.skip_markup()? => {}
                _ => return Ok(()),
            }
        }
    }

    #[inline]
    pub(super) fn skip_white(&mut self) {
        let mut rest = self.rest();
        while let [b' ' | b'\t' | b'\r' | b'\n', more @ ..] = rest {
            rest = more;
        }
        self.advance(self.input.len() - rest.len());
    }

    /// Skips one comment or processing instruction, if one stands here.
    pub(super) fn skip_markup(&mut self) -> Result<bool> {
        let rest = self.rest();
        let (open, close) = if rest.starts_with(b"<!--") {
            ("<!--", "-->")
        } else if rest.starts_with(b"<?") {
            ("<?", "?>")
        } else {
            return Ok(false);
        };
        let inside = rest.get(open.len()..).unwrap_or_default();
        let Some(length) = memmem::find(inside, close.as_bytes()) else {
            let error = self.error(ErrorKind::Eof, Quoted(close), "the end of the input");
            // All of the rest has been looked at, which `raw_section` has to know.
            self.advance(self.input.len());
            return Err(error);
        };
        self.advance(self.at + open.len() + length + close.len());
        Ok(true)
    }
}
