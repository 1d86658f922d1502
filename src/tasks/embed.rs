//! Pictures and texts as vectors of the space they share.

use super::text::unit as to_unit;
use super::{Model, read};
use crate::image::RgbImage;
use crate::models::normalize;
use crate::{Error, Result};
use burn::tensor::Tensor;

impl Model {
    /// A picture's vector in the shared space, scaled to length one if `unit`.
    pub async fn embed_image(&self, image: &RgbImage, unit: bool) -> Result<Vec<f32>> {
        self.check_encoder("embed-image", self.network.takes_pictures())?;
        let vector = self.network.image_vectors(self.pixels(image))?;
        read(if unit { normalize(vector) } else { vector }).await
    }

    /// A video's vector: the mean of its frames' unit vectors, scaled to length one if `unit`. Each
    /// frame is encoded once. This is how CLIP is used for video retrieval (CLIP4Clip's mean pooling,
    /// arXiv 2104.08860), and it ignores the frames' order.
    pub async fn embed_frames(&self, frames: &[RgbImage], unit: bool) -> Result<Vec<f32>> {
        if frames.is_empty() {
            return Err(Error::BadInput(
                "a video without frames: give at least one".to_string(),
            ));
        }
        let mut mean: Vec<f32> = Vec::new();
        for frame in frames {
            let vector = self.embed_image(frame, true).await?;
            mean.resize(vector.len(), 0.0);
            for (sum, value) in mean.iter_mut().zip(vector) {
                *sum += value / frames.len() as f32;
            }
        }
        Ok(if unit { to_unit(mean) } else { mean })
    }

    /// A text's vector in the shared space, scaled to length one if `unit`.
    pub async fn embed_text(&self, text: &str, unit: bool) -> Result<Vec<f32>> {
        let texts = [text.to_string()];
        let mut vectors = self.embed_texts(&texts, unit, async || Ok(())).await?;
        Ok(vectors.swap_remove(0))
    }

    /// The vectors of many texts. `after_batch` is called between those that are encoded together, and
    /// its error stops the work.
    pub async fn embed_texts(
        &self,
        texts: &[String],
        unit: bool,
        after_batch: impl AsyncFnMut() -> Result<()>,
    ) -> Result<Vec<Vec<f32>>> {
        match unit {
            true => self.text_vectors_by_batch(texts, after_batch).await,
            false => self.encode_in_batches(texts, false, after_batch).await,
        }
    }

    /// Vectors of texts that may be encoded together ([`Model::text_batches`]), not normalised: `[texts,
    /// projection]`.
    pub(super) fn encode_texts(&self, ids: &[Vec<u32>]) -> Result<Tensor<2>> {
        self.check_encoder("embed-text", self.network.takes_texts())?;
        match self.texts_share() {
            true => self.network.sharing_text_vectors(ids),
            false => self.network.text_vectors(ids),
        }
    }

    /// Refuses a task of an encoder that is not there, or whose vectors are of no shared space.
    fn check_encoder(&self, half: &str, is_there: bool) -> Result<()> {
        let tasks = &self.info.tasks;
        match is_there && (tasks.contains(&"embed") || tasks.contains(&half)) {
            true => Ok(()),
            false if tasks.iter().any(|task| task.starts_with("embed-")) => {
                Err(self.unsupported(half))
            }
            false => Err(self.unsupported("embed")),
        }
    }
}
