//! A file's objects.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use serde::Deserialize;
use serde_json::Value;

/// Larger files are not read: no object that the API server takes is as large (3 MiB), and no file holds as many.
const MOST: u64 = 64 << 20;

/// An object of a file.
#[derive(Debug)]
pub(super) struct Object {
    /// The document it is in, from 1.
    pub(super) document: usize,
    /// Its place there; empty where it is the whole document.
    pub(super) path: String,
    pub(super) value: Value,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{file} cannot be read: {source}")]
    Io { file: String, source: io::Error },
    #[error("{file} is larger than {} MiB", MOST >> 20)]
    TooLarge { file: String },
}

/// The text of a file, or of the standard input.
///
/// # Errors
/// It cannot be read, is no UTF-8, or is too large.
pub(super) fn file(file: &Path) -> Result<String, FileError> {
    let name = || file.display().to_string();
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(MOST + 1).read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|file| file.take(MOST + 1).read_to_string(&mut text))
    };
    match read {
        Err(source) => Err(FileError::Io { file: name(), source }),
        Ok(length) if length as u64 > MOST => Err(FileError::TooLarge { file: name() }),
        Ok(_) => Ok(text),
    }
}

/// The objects of all documents, those of lists one by one, and why the rest cannot be read, if it cannot.
pub(super) fn objects(text: &str) -> (Vec<Object>, Option<String>) {
    let mut objects = Vec::new();
    for (index, document) in serde_yaml_ng::Deserializer::from_str(text).enumerate() {
        let document_number = index + 1;
        match Value::deserialize(document) {
            Ok(Value::Null) => {}
            Ok(mut value) if value["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => {
                let items = value.get_mut("items").map(Value::take).unwrap_or_default();
                let items = if let Value::Array(items) = items { items } else { Vec::new() };
                objects.extend(items.into_iter().enumerate().map(|(item, value)| Object {
                    document: document_number,
                    path: format!("items[{item}]"),
                    value,
                }));
            }
            Ok(value) => objects.push(Object { document: document_number, path: String::new(), value }),
            Err(error) => {
                return (objects, Some(format!("document {document_number} cannot be read: {error}")));
            }
        }
    }
    (objects, None)
}
