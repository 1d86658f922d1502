//! Text to token ids and back, over the `tokenizers` crate, with the behaviour that the reference's
//! `BertTokenizer` and `CLIPTokenizer` add to it: truncation that keeps the last special token, no
//! padding, and the way they decode.
//!
//! - `vocabulary`: the older vocabulary files, turned into the tokenizer.json of the same tokenizer;
//!   `sentencepiece`: the same of SentencePiece's.
//! - `check`: what a tokenizer.json must look like; `precompiled`: the same of SentencePiece's tables.
//! - `stream`: decoding while the ids arrive.

mod check;
mod precompiled;
pub(crate) mod sentencepiece;
mod stream;
mod vocabulary;

use tokenizers::{ModelWrapper, TruncationDirection};

use crate::{Error, Result};
pub use stream::StreamDecoder;

/// A tokenizer of either family.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// What marks the last piece of a word in the vocabulary (`</w>` in CLIP's).
    end_of_word: Option<String>,
}

impl Tokenizer {
    /// Reads the text of a tokenizer.json. Padding and truncation that it may ask for are ignored:
    /// they are the caller's.
    ///
    /// # Errors
    /// [`Error::BadWeights`] naming tokenizer.json and the place.
    pub fn from_json(text: &str) -> Result<Self> {
        check::check(text)?;
        let mut inner: tokenizers::Tokenizer = text.parse().map_err(|error| {
            Error::BadWeights(format!(
                "tokenizer.json does not describe a tokenizer: {error}"
            ))
        })?;
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| internal("tokenizer.json", error))?;
        let end_of_word = match inner.get_model() {
            ModelWrapper::BPE(bpe) => bpe.end_of_word_suffix.clone().filter(|end| !end.is_empty()),
            _ => None,
        };
        let tokenizer = Tokenizer { inner, end_of_word };
        tokenizer.special_tokens()?; // a template that cannot be applied is found now
        Ok(tokenizer)
    }

    /// Builds BERT's tokenizer from the text of a vocab.txt, one token a line.
    ///
    /// `[DEC]` and `[ENC]`, which BLIP's models know by id only, are not among its tokens, as they
    /// are not in the reference: in a text they are ordinary characters, and decoding skips them.
    ///
    /// # Errors
    /// [`Error::BadWeights`] where a token that BERT needs is missing.
    pub fn from_wordpiece_vocabulary(vocab_txt: &str, lowercase: bool) -> Result<Self> {
        Self::from_json(&vocabulary::wordpiece(vocab_txt, lowercase)?)
    }

    /// Builds CLIP's tokenizer from the texts of a vocab.json and a merges.txt.
    ///
    /// # Errors
    /// [`Error::BadWeights`] naming the file, and the line where it is merges.txt.
    pub fn from_bpe_files(vocab_json: &str, merges_txt: &str) -> Result<Self> {
        Self::from_json(&vocabulary::bpe(vocab_json, merges_txt)?)
    }

    /// The text of a tokenizer.json that [`Self::from_json`] reads back into the same tokenizer.
    pub fn to_json(&self) -> Result<String> {
        self.inner
            .to_string(false)
            .map_err(|error| internal("the tokenizer", error))
    }

    /// The ids of a text with its special tokens, at most `max_length` of them: the text is cut, the
    /// special tokens stay.
    ///
    /// # Errors
    /// [`Error::BadInput`] where `max_length` has no room for the special tokens.
    pub fn encode(&self, text: &str, max_length: usize) -> Result<Vec<u32>> {
        let special = self.special_tokens()?;
        let room = max_length.checked_sub(special).ok_or_else(|| {
            Error::BadInput(format!(
                "max_length {max_length} has no room for the {special} special tokens of a text"
            ))
        })?;
        let mut encoding = self.inner.encode_fast(text, false).map_err(cannot_encode)?;
        encoding.truncate(room, 0, TruncationDirection::Right);
        encoding.take_overflowing();
        let encoding = self
            .inner
            .post_process(encoding, None, true)
            .map_err(cannot_encode)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of some ids, special tokens and unknown ids left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let text = self.decode_pieces(ids)?;
        Ok(match &self.end_of_word {
            Some(end) => text
                .replace(end, " ")
                .trim_matches(is_python_space)
                .to_owned(),
            None => text,
        })
    }

    /// [`Self::decode`] before the ends of words become spaces.
    fn decode_pieces(&self, ids: &[u32]) -> Result<String> {
        let decoded = self.inner.decode(ids, true);
        decoded.map_err(|error| Error::BadInput(format!("these ids cannot be decoded: {error}")))
    }

    /// How many tokens there are, special ones included.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The largest id that a text may turn into.
    pub fn largest_id(&self) -> u32 {
        self.inner.get_vocab(true).into_values().max().unwrap_or(0)
    }

    /// The id of a token as the vocabulary spells it, such as `[SEP]` or `cat</w>`.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// A token as the vocabulary spells it; nothing for an id that it lacks.
    pub fn spelling(&self, id: u32) -> String {
        self.inner.id_to_token(id).unwrap_or_default()
    }

    /// How many special tokens a text gets.
    fn special_tokens(&self) -> Result<usize> {
        let empty = tokenizers::Encoding::default();
        let encoding = self
            .inner
            .post_process(empty, None, true)
            .map_err(cannot_encode)?;
        Ok(encoding.len())
    }
}

fn cannot_encode(error: tokenizers::Error) -> Error {
    Error::BadWeights(format!("the tokenizer cannot encode a text: {error}"))
}

fn internal(file: &str, error: impl std::fmt::Display) -> Error {
    Error::BadWeights(format!("{file}: {error}"))
}

/// What Python's `str.strip` strips: Unicode's white space and four separators of ASCII.
fn is_python_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

#[cfg(test)]
mod tests;
