//! What a file is that should be a model and is something else: a page of a website, a pointer to a
//! file that stayed elsewhere, the weights of another framework. Its first bytes say so.

/// Bytes of a file's beginning that [`recognized`] looks at, at most.
pub const LOOKED_AT: usize = 512;

/// Marks of files, and what to say of them. The longest come first where one begins another.
const MARKS: [(&[u8], &str); 18] = [
    (
        b"version https://git-lfs",
        "is a pointer of git-lfs, not the file that it stands for: run `git lfs pull` in its folder, or download the file itself",
    ),
    (
        b"\x89HDF\r\n\x1a\n",
        "holds TensorFlow's weights (HDF5), which are not read: take model.safetensors or pytorch_model.bin of the same model, or save it from PyTorch",
    ),
    (b"\x1f\x8b", "is compressed with gzip: unpack it first"),
    (b"BZh", "is compressed with bzip2: unpack it first"),
    (b"\xfd7zXZ\x00", "is compressed with xz: unpack it first"),
    (
        b"\x28\xb5\x2f\xfd",
        "is compressed with zstd: unpack it first",
    ),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive: unpack it first"),
    (b"Rar!", "is a rar archive: unpack it first"),
    (b"\x89PNG", "is a picture, not a model"),
    (b"\xff\xd8\xff", "is a picture, not a model"),
    (b"%PDF", "is a PDF document, not a model"),
    (b"lmgg", OLD_GGML),
    (b"fmgg", OLD_GGML),
    (b"tjgg", OLD_GGML),
    (b"ggml", OLD_GGML),
    (
        b"FUGG",
        "is a big endian GGUF file, only little endian is supported",
    ),
    (
        b"\x93NUMPY",
        "is an array of numpy, not a model: save the weights as safetensors",
    ),
    (b"SQLite format 3", "is a database, not a model"),
];

const OLD_GGML: &str = "has the format that ggml had before GGUF, which is not read: convert the original checkpoint with `obscura convert`";

/// A sentence without its subject about a file of `length` bytes, from its beginning: what it is and
/// what to do. `None` if it may be a model.
pub fn recognized(beginning: &[u8], length: u64) -> Option<String> {
    let beginning = &beginning[..beginning.len().min(LOOKED_AT)];
    if length == 0 {
        return Some("is empty: it was not downloaded, or not written".to_string());
    }
    let mark = MARKS.iter().find(|(mark, _)| beginning.starts_with(mark));
    let known = mark.map(|(_, what)| *what);
    known
        .or_else(|| other_framework(beginning))
        .or_else(|| old_archive(beginning))
        .map(str::to_string)
        .or_else(|| document(beginning, length))
        .or_else(|| zeros(beginning))
}

/// The same of a file that should be a text, or JSON where its name says so: whether something else stands in
/// for it.
pub fn stand_in(name: &str, text: &[u8]) -> Option<String> {
    let beginning = &text[..text.len().min(LOOKED_AT)];
    let start = beginning.strip_prefix(b"\xef\xbb\xbf");
    let start = start.unwrap_or(beginning).trim_ascii_start();
    let lower = start.to_ascii_lowercase();
    let marks: [&[u8]; 7] = [
        b"version https://git-lfs",
        b"<!doctype",
        b"<html",
        b"<?xml",
        b"<!--",
        b"<error>",
        b"\x1f\x8b",
    ];
    let is_json = name.ends_with(".json");
    let is_other = marks.iter().any(|mark| lower.starts_with(mark))
        || (is_json && (!matches!(start, [b'{' | b'[', ..]) || tells_an_error(text)));
    is_other
        .then(|| recognized(beginning, text.len() as u64))
        .flatten()
}

/// Whether JSON is what a server says of a failure: no configuration has an error.
fn tells_an_error(text: &[u8]) -> bool {
    const SHORT: usize = 4096;
    text.len() <= SHORT
        && serde_json::from_slice::<serde_json::Value>(text)
            .is_ok_and(|value| value.get("error").is_some() && value.get("model_type").is_none())
}

/// Weights of frameworks whose files begin with no mark of their own.
fn other_framework(beginning: &[u8]) -> Option<&'static str> {
    match beginning {
        // A protocol buffer: the version of ONNX, then who made it, or what is in it.
        [
            0x08,
            1..=20,
            0x12 | 0x1a | 0x22 | 0x2a | 0x32 | 0x3a | 0x42,
            ..,
        ] => Some(
            "is an ONNX model, which is not read: take model.safetensors or pytorch_model.bin of the same model",
        ),
        // MessagePack: a map of a few texts.
        [0x81..=0x8f, 0xa1..=0xbf | 0xd9, ..] | [0xde, _, _, 0xa1..=0xbf | 0xd9, ..] => Some(
            "holds Flax's weights (MessagePack), which are not read: take model.safetensors or pytorch_model.bin of the same model, or save it from PyTorch",
        ),
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Some(
            "is a TensorFlow Lite model, which is not read: take model.safetensors or pytorch_model.bin of the same model",
        ),
        _ => None,
    }
}

/// A tar archive, which PyTorch's first versions wrote.
fn old_archive(beginning: &[u8]) -> Option<&'static str> {
    let is_tar = beginning.get(257..262) == Some(b"ustar");
    is_tar.then_some(
        "is a tar archive: unpack it first; if an early PyTorch wrote it (before 0.1.10), load it with torch.load in PyTorch and save it again with torch.save",
    )
}

/// A text: a page, an answer of a server in JSON, or anything else that can be read.
fn document(beginning: &[u8], length: u64) -> Option<String> {
    let text = match std::str::from_utf8(beginning) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.valid_up_to() + 4 > LOOKED_AT => {
            std::str::from_utf8(&beginning[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let readable = |character: char| !character.is_control() || "\t\r\n".contains(character);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    if !text.chars().all(readable) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    if let Some(said) = storage_error(text) {
        return Some(format!(
            "is the answer of a storage host, not a model: {said}"
        ));
    }
    if ["<!doctype", "<html", "<head", "<body", "<?xml", "<!--"]
        .iter()
        .any(|mark| lower.starts_with(mark))
    {
        return Some(
            "is a page of a website, not a model: its address leads to a page (on the hub /blob/ instead of /resolve/), or the server wants a sign-in".to_string(),
        );
    }
    if text.starts_with(['{', '[']) && length >= 9 {
        return Some(format!(
            "is a JSON document, not a model{}",
            quoted(text, length)
        ));
    }
    (length >= 9).then(|| format!("is a text, not a model{}", quoted(text, length)))
}

/// What S3, and hosts that answer like it, say of what they do not give, in XML.
fn storage_error(text: &str) -> Option<String> {
    let within = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>"))
            .map(|(found, _)| found)
    };
    let is_error = text.starts_with("<?xml") || text.starts_with("<Error>");
    let code = within("Code").filter(|_| is_error)?;
    Some(match within("Message") {
        Some(message) => format!("{code} ({message})"),
        None => code.to_string(),
    })
}

/// The text itself where it is short, as what servers say is.
fn quoted(text: &str, length: u64) -> String {
    const SHORT: u64 = 300;
    match length <= SHORT {
        true => format!(": {}", text.trim_end().replace(char::is_control, " ")),
        false => String::new(),
    }
}

/// A file that was made as long as it will be, and never filled.
fn zeros(beginning: &[u8]) -> Option<String> {
    let empty = beginning.len() > 16 && beginning.iter().all(|byte| *byte == 0);
    empty.then(|| "begins with nothing but zeros: it is damaged, download it again".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(beginning: &[u8], expected: &str) {
        let found = recognized(beginning, beginning.len() as u64);
        let found = found.unwrap_or_else(|| panic!("nothing, expected {expected:?}"));
        assert!(found.contains(expected), "{found}");
        assert!(!found.contains("truncated"), "{found}");
    }

    #[test]
    fn files_that_are_no_models_are_told_by_their_beginning() {
        check(b"", "empty");
        check(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "git lfs pull",
        );
        check(b"\xef\xbb\xbf  <!DOCTYPE html><html>", "page of a website");
        check(b"<html lang=\"en\">", "page of a website");
        check(
            b"{\"error\":\"Repository not found\"}",
            "Repository not found",
        );
        check(b"Entry not found", "Entry not found");
        check(b"\x89HDF\r\n\x1a\n\0\0\0\0", "TensorFlow");
        check(b"\x08\x07\x12\x07pytorch\x1a\x05", "ONNX");
        check(b"\x83\xaatext_model\x84", "Flax");
        check(b"lmgg\0\0\0\0\0\0", "before GGUF");
        check(b"\x1f\x8b\x08\0", "gzip");
        check(&[0; 600], "zeros");
        let mut tar = vec![b'a'; 512];
        tar[5..250].fill(0);
        tar[257..262].copy_from_slice(b"ustar");
        check(&tar, "tar archive");
        let cut = [&[b'a'; 511][..], "é".as_bytes()].concat();
        check(&cut, "a text");
    }

    #[test]
    fn what_stands_in_for_a_text_is_told() {
        let told = |name: &str, text: &[u8], expected: &str| {
            let found =
                stand_in(name, text).unwrap_or_else(|| panic!("nothing, expected {expected:?}"));
            assert!(found.contains(expected), "{found}");
        };
        for name in ["config.json", "vocab.txt"] {
            told(name, b"\n<!doctype html><html>", "page of a website");
            told(name, b"<?xml version=\"1.0\"?><html>", "page of a website");
            told(
                name,
                b"version https://git-lfs.github.com/spec/v1\n",
                "git lfs pull",
            );
            told(name, b"\x1f\x8b\x08\0", "gzip");
            let missing = b"<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>It is not here.</Message></Error>";
            told(
                name,
                missing,
                "a storage host, not a model: NoSuchKey (It is not here.)",
            );
        }
        told(
            "config.json",
            b"Entry not found",
            "a text, not a model: Entry not found",
        );
        told("config.json", b"", "empty");
        told("config.json", b"{\"error\": \"not found\"}", "not found");
        for text in [&b"{\"a\": 1}"[..], b"[PAD]\n[UNK]", b"", b"<unk>\n<pad>\n"] {
            assert_eq!(stand_in("vocab.txt", text), None);
        }
        assert_eq!(
            stand_in("config.json", b"\xef\xbb\xbf{\"model_type\": \"clip\"}"),
            None
        );
    }

    #[test]
    fn what_may_be_a_model_is_not_refused_here() {
        for beginning in [
            &b"GGUF\x03\0\0\0\0\0\0\0"[..],
            b"PK\x03\x04\0\0\0\0\0\0",
            b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20",
            b"\x10\x01\0\0\0\0\0\0{\"a\":",
            b"\x91\x7f\x22\x83\xe1\x9a\x0c\x55\x5a",
        ] {
            assert_eq!(recognized(beginning, 1 << 20), None, "{beginning:?}");
        }
    }
}
