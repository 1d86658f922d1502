//! Decoding while the ids arrive, for showing a caption as it is written.

use super::{Tokenizer, is_python_space};
use crate::Result;

/// Turns ids into pieces of text, one at a time. The pieces, with [`Self::finish`]'s, make up exactly
/// what [`Tokenizer::decode`] gives for all the ids.
///
/// All ids are decoded again at each step: captions are short, and the end of a text can change as
/// long as more follows (half a character, an end-of-word mark, a space that may turn out to be the
/// last). That end is held back, what is certain is handed out.
#[derive(Debug, Clone, Default)]
pub struct StreamDecoder {
    ids: Vec<u32>,
    /// How many bytes of the text were handed out.
    given: usize,
}

impl StreamDecoder {
    /// A decoder at the start of a text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next id and returns the text that has become certain, often with a space in front,
    /// or nothing yet.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> Result<String> {
        self.ids.push(id);
        let pieces = tokenizer.decode_pieces(&self.ids)?;
        // An incomplete character shows as the replacement character.
        let certain = pieces.trim_end_matches(char::REPLACEMENT_CHARACTER);
        let Some(end) = &tokenizer.end_of_word else {
            return Ok(self.give(certain));
        };
        let certain = without_start_of(end, certain).replace(end, " ");
        let certain = certain.trim_start_matches(is_python_space);
        Ok(self.give(certain.trim_end_matches(is_python_space)))
    }

    /// The rest of the text, after the last id.
    pub fn finish(&mut self, tokenizer: &Tokenizer) -> Result<String> {
        let text = tokenizer.decode(&self.ids)?;
        Ok(self.give(&text))
    }

    fn give(&mut self, text: &str) -> String {
        let piece = text.get(self.given..).unwrap_or_default().to_owned();
        self.given += piece.len();
        piece
    }
}

/// `text` without an end that could be the start of `mark`.
fn without_start_of<'a>(mark: &str, text: &'a str) -> &'a str {
    let mut starts = (1..mark.len())
        .rev()
        .filter_map(|length| mark.get(..length));
    starts
        .find_map(|start| text.strip_suffix(start))
        .unwrap_or(text)
}
