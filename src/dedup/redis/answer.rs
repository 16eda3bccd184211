//! What the scripts answer.

use std::time::Duration;

use ::redis::Value;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use super::Error;
use crate::dedup::{
    Outcome,
    store::{Acknowledged, Claim, Completed},
};

pub(super) fn claim(answer: Value) -> Result<Claim, Error> {
    let mut parts = parts(answer)?;
    match &*word(&mut parts)? {
        b"run" => Ok(Claim::Run {
            age: time(&mut parts)?,
            number: count(&mut parts)?,
        }),
        b"running" => Ok(Claim::Running {
            age: time(&mut parts)?,
            lease: time(&mut parts)?,
        }),
        b"replied" => Ok(Claim::Replied(outcome(&mut parts)?)),
        b"done" => Ok(Claim::Done),
        _ => Err(Error::foreign()),
    }
}

pub(super) fn completed(answer: Value) -> Result<Completed, Error> {
    match &*word(&mut parts(answer)?)? {
        b"kept" => Ok(Completed::Kept),
        b"acknowledged" => Ok(Completed::Acknowledged),
        b"lost" => Ok(Completed::Lost),
        _ => Err(Error::foreign()),
    }
}

pub(super) fn acknowledged(answer: Value) -> Result<Acknowledged, Error> {
    let mut parts = parts(answer)?;
    match &*word(&mut parts)? {
        b"acknowledged" => Ok(Acknowledged::Acknowledged),
        b"replied" => Ok(Acknowledged::Replied(outcome(&mut parts)?)),
        _ => Err(Error::foreign()),
    }
}

pub(super) fn yes(answer: &Value) -> Result<bool, Error> {
    match answer {
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        _ => Err(Error::foreign()),
    }
}

type Parts = std::vec::IntoIter<Value>;

fn parts(answer: Value) -> Result<Parts, Error> {
    match answer {
        Value::Array(parts) => Ok(parts.into_iter()),
        _ => Err(Error::foreign()),
    }
}

fn word(parts: &mut Parts) -> Result<Vec<u8>, Error> {
    match parts.next() {
        Some(Value::BulkString(word)) => Ok(word),
        _ => Err(Error::foreign()),
    }
}

fn number(parts: &mut Parts) -> Result<i64, Error> {
    match parts.next() {
        Some(Value::Int(number)) => Ok(number),
        _ => Err(Error::foreign()),
    }
}

fn count(parts: &mut Parts) -> Result<u32, Error> {
    u32::try_from(number(parts)?).map_err(|_negative| Error::foreign())
}

fn time(parts: &mut Parts) -> Result<Duration, Error> {
    let milliseconds = u64::try_from(number(parts)?).map_err(|_negative| Error::foreign())?;
    Ok(Duration::from_millis(milliseconds))
}

fn outcome(parts: &mut Parts) -> Result<Outcome, Error> {
    let status = StatusCode::from_bytes(&word(parts)?).map_err(|_invalid| Error::foreign())?;
    let body = Bytes::from(word(parts)?);
    let content_type = match parts.next() {
        None | Some(Value::Nil) => None,
        Some(Value::BulkString(value)) => {
            let value = HeaderValue::from_maybe_shared(Bytes::from(value));
            Some(value.map_err(|_invalid| Error::foreign())?)
        }
        Some(_) => return Err(Error::foreign()),
    };
    Ok(Outcome::new(status, content_type, body))
}
