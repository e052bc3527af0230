//! A file's objects.

use std::{
    fs,
    io::{self, Read},
    path::Path,
    rc::Rc,
};

use serde_json::Value;

use super::{
    path,
    yaml::{self, Node, Remark, Unreadable},
};

/// Larger files are not read: no object that the API server takes is as large (3 MiB), and no file holds as many.
const MOST: u64 = 64 << 20;

/// An object of a file.
#[derive(Debug)]
pub(super) struct Object {
    /// The document it is in, from 1.
    pub(super) document: usize,
    pub(super) value: Value,
    /// What is wrong with how it is written.
    pub(super) remarks: Vec<Remark>,
    written: Rc<Node>,
}

impl Object {
    /// The line, from 1, of a path within it; of what holds it, where it is missing.
    pub(super) fn line(&self, path: &str) -> usize {
        path::line(&self.written, path)
    }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is larger than {} MiB", MOST >> 20)]
    TooLarge,
    #[error("is neither UTF-8 nor UTF-16")]
    NoText,
}

/// The text of a file, or of the standard input.
///
/// # Errors
/// It cannot be read, is no text, or is too large.
pub(super) fn file(file: &Path) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)?;
    } else {
        fs::File::open(file)?.take(MOST + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > MOST {
        return Err(FileError::TooLarge);
    }
    text(bytes)
}

/// UTF-8, or UTF-16 with a byte order mark.
fn text(bytes: Vec<u8>) -> Result<String, FileError> {
    let order = match bytes.as_slice() {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return String::from_utf8(bytes).map_err(|_| FileError::NoText),
    };
    let (pairs, rest) = bytes[2..].as_chunks::<2>();
    let text = char::decode_utf16(pairs.iter().map(|pair| order(*pair))).collect::<Result<String, _>>();
    text.ok().filter(|_| rest.is_empty()).ok_or(FileError::NoText)
}

/// The objects of all documents that can be read, those of lists one by one, and why the others cannot.
pub(super) fn objects(text: &str) -> (Vec<Object>, Vec<Unreadable>) {
    let (documents, unreadable) = yaml::documents(text);
    let mut objects = Vec::new();
    for yaml::Document { number: document, root, mut remarks } in documents {
        let kind = root.get("kind").and_then(|kind| kind.text()).unwrap_or_default();
        if !kind.ends_with("List") {
            objects.push(Object { document, value: root.value(), remarks, written: root });
            continue;
        }
        let items = root.get("items").map_or_else(Vec::new, |items| items.items().to_vec());
        for (index, written) in items.into_iter().enumerate() {
            let within = format!("items[{index}]");
            let own = remarks.extract_if(.., |remark| remark.path.starts_with(&within)).map(|remark| {
                Remark { path: remark.path[within.len()..].trim_start_matches('.').to_owned(), ..remark }
            });
            objects.push(Object { document, value: written.value(), remarks: own.collect(), written });
        }
    }
    (objects, unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf_8_or_utf_16() {
        let with =
            |encode: fn(u16) -> [u8; 2]| "\u{feff}a: ü😀".encode_utf16().flat_map(encode).collect::<Vec<_>>();
        assert_eq!(text(with(u16::to_le_bytes)).unwrap(), "a: ü😀");
        assert_eq!(text(with(u16::to_be_bytes)).unwrap(), "a: ü😀");
        assert_eq!(text("a: ü".into()).unwrap(), "a: ü");
        assert!(text(vec![b'a', 0xe4]).is_err());
        assert!(text(vec![0xff, 0xfe, b'a']).is_err());
    }
}
