//! JSON as WeChat writes it, where `serde_json` refuses it or loses digits.
//!
//! Unlike JSON, a string may have control characters and half a surrogate pair, which becomes U+FFFD. A number is a text,
//! so that no digit is lost. NUL may stand behind the body.

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor, value::Error,
    },
    forward_to_deserialize_any,
};

type Result<T> = std::result::Result<T, Error>;

/// Reads one body, in linear time.
pub(super) struct Lenient<'de> {
    rest: &'de str,
    /// How many lists and objects are open.
    depth: usize,
}

impl<'de> Lenient<'de> {
    pub(super) fn new(body: &'de str) -> Self {
        Self {
            rest: body,
            depth: 0,
        }
    }

    /// Checks that nothing follows.
    pub(super) fn end(&mut self) -> Result<()> {
        let rest = self
            .rest
            .trim_start_matches(|character| WHITE.contains(&character) || character == '\0');
        if rest.is_empty() {
            return Ok(());
        }
        Err(Error::custom("expected the end of the input"))
    }

    /// The next character behind white space. It stays unread.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches(WHITE);
        self.rest.chars().next()
    }

    /// Reads `expected` behind white space.
    fn take(&mut self, expected: char) -> Result<()> {
        self.peek();
        self.rest = self
            .rest
            .strip_prefix(expected)
            .ok_or_else(|| Error::custom(format_args!("expected `{expected}`")))?;
        Ok(())
    }

    /// Reads a list or an object between `open` and `close`.
    fn nested<T>(
        &mut self,
        [open, close]: [char; 2],
        read: impl FnOnce(Members<'_, 'de>) -> Result<T>,
    ) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(Error::custom("nested too deep"));
        }
        self.depth += 1;
        self.take(open)?;
        let value = read(Members {
            parser: &mut *self,
            close,
            is_first: true,
        })?;
        self.take(close)?;
        self.depth -= 1;
        Ok(value)
    }

    fn string(&mut self) -> Result<String> {
        self.take('"')?;
        let mut string = String::new();
        loop {
            let special = self.rest.find(['"', '\\']);
            let (plain, rest) = special
                .and_then(|at| self.rest.split_at_checked(at))
                .ok_or_else(|| Error::custom("expected the end of a string"))?;
            string.push_str(plain);
            if let Some(behind) = rest.strip_prefix('"') {
                self.rest = behind;
                return Ok(string);
            }
            self.rest = rest;
            string.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char> {
        let mut characters = self.rest.chars();
        let escape = (characters.next(), characters.next());
        self.rest = characters.as_str();
        Ok(match escape.1 {
            Some(itself @ ('"' | '\\' | '/')) => itself,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => return self.unicode(),
            _ => return Err(Error::custom("expected an escape")),
        })
    }

    fn unicode(&mut self) -> Result<char> {
        let unit = self.unit()?;
        let behind = self.rest;
        if let Some(second) = behind.strip_prefix("\\u") {
            self.rest = second;
            let units = [unit, self.unit()?];
            if let Some(Ok(pair @ '\u{10000}'..)) = char::decode_utf16(units).next() {
                return Ok(pair);
            }
            self.rest = behind;
        }
        Ok(char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Reads the four digits of a UTF-16 code unit.
    fn unit(&mut self) -> Result<u16> {
        let (digits, rest) = self
            .rest
            .split_at_checked(4)
            .filter(|(digits, _)| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .ok_or_else(|| Error::custom("expected four hexadecimal digits"))?;
        self.rest = rest;
        u16::from_str_radix(digits, 16).map_err(Error::custom)
    }

    /// Reads a number or a word.
    fn word(&mut self) -> Result<&'de str> {
        let is_part = |character: char| {
            character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.')
        };
        let rest = self.rest.trim_start_matches(is_part);
        let word = self.rest.strip_suffix(rest).unwrap_or_default();
        self.rest = rest;
        let digits = word.strip_prefix('-').unwrap_or(word);
        let is_number = digits.starts_with(|first: char| first.is_ascii_digit());
        if is_number && word.parse::<f64>().is_ok() || matches!(word, "null" | "true" | "false") {
            return Ok(word);
        }
        Err(Error::custom("expected a value"))
    }
}

impl<'de> Deserializer<'de> for &mut Lenient<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            Some('{') => self.nested(['{', '}'], |members| visitor.visit_map(members)),
            Some('[') => self.nested(['[', ']'], |members| visitor.visit_seq(members)),
            Some('"') => visitor.visit_string(self.string()?),
            _ => match self.word()? {
                "null" => visitor.visit_unit(),
                word => visitor.visit_borrowed_str(word),
            },
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The members of a list or an object.
struct Members<'a, 'de> {
    parser: &'a mut Lenient<'de>,
    close: char,
    is_first: bool,
}

impl Members<'_, '_> {
    /// Reads up to the next member. Returns whether there is one.
    fn has_next(&mut self) -> Result<bool> {
        if self.parser.peek() == Some(self.close) {
            return Ok(false);
        }
        if !self.is_first {
            self.parser.take(',')?;
        }
        self.is_first = false;
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Members<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.has_next()?
            .then(|| seed.deserialize(&mut *self.parser))
            .transpose()
    }
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if !self.has_next()? {
            return Ok(None);
        }
        let name = self.parser.string()?;
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.parser.take(':')?;
        seed.deserialize(&mut *self.parser)
    }
}

/// What JSON calls white space.
const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

/// As deep as `serde_json` reads.
const MAX_DEPTH: usize = 127;
