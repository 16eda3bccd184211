//! Reading the scripts' answers.

use std::time::Duration;

use ::redis::Value;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use super::Error;
use crate::dedup::{
    response::StoredResponse,
    store::{Acknowledged, Claimed, Completed, Released, Renewed, Run},
};

pub(super) fn claim(answer: Value) -> Result<Claimed, Error> {
    let mut parts = parts(answer)?;
    match &*word(&mut parts)? {
        b"run" => {
            let (age, number) = (time(&mut parts)?, count(&mut parts)?);
            Ok(Claimed::Run(Run::new(age, number)))
        }
        b"running" => Ok(Claimed::running(time(&mut parts)?, time(&mut parts)?)),
        b"replied" => {
            let age = time(&mut parts)?;
            Ok(Claimed::replied(age, response(&mut parts)?))
        }
        b"done" => Ok(Claimed::Done),
        _ => Err(Error::foreign()),
    }
}

pub(super) fn completed(answer: Value) -> Result<Completed, Error> {
    match &*word(&mut parts(answer)?)? {
        b"stored" => Ok(Completed::Stored),
        b"acknowledged" => Ok(Completed::Acknowledged),
        b"lost" => Ok(Completed::Lost),
        _ => Err(Error::foreign()),
    }
}

pub(super) fn acknowledged(answer: Value) -> Result<Acknowledged, Error> {
    let mut parts = parts(answer)?;
    match &*word(&mut parts)? {
        b"recorded" => Ok(Acknowledged::Recorded),
        b"replied" => {
            let _age = time(&mut parts)?;
            Ok(Acknowledged::Replied(response(&mut parts)?))
        }
        _ => Err(Error::foreign()),
    }
}

pub(super) fn renewed(answer: Value) -> Result<Renewed, Error> {
    match &*word(&mut parts(answer)?)? {
        b"yours" => Ok(Renewed::Yours),
        b"lost" => Ok(Renewed::Lost),
        _ => Err(Error::foreign()),
    }
}

pub(super) fn released(answer: Value) -> Result<Released, Error> {
    match &*word(&mut parts(answer)?)? {
        b"last" => Ok(Released::LastHold),
        b"held" => Ok(Released::HeldElsewhere),
        b"running" => Ok(Released::NotCompleted),
        b"unknown" => Ok(Released::Unknown),
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

fn response(parts: &mut Parts) -> Result<StoredResponse, Error> {
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
    Ok(StoredResponse::new(status, content_type, body))
}
