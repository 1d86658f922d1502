//! The losses, over tensors alone: image-text contrastive (ITC), image-text matching (ITM) and
//! language modelling (LM) as in BLIP (Li et al., arXiv 2201.12086, section 3.2, and its reference
//! implementation), CLIP's symmetric contrastive loss (Radford et al., arXiv 2103.00020), and SigLIP's,
//! of each pair by itself (Zhai et al., arXiv 2303.15343).

use crate::kernels::ids_tensor;
use burn::tensor::{
    Device, Int, Tensor, TensorData,
    activation::{log_sigmoid, log_softmax, softmax},
};

/// Vectors of one batch in the shared space, `[batch, width]` each, of length one.
#[derive(Debug, Clone)]
pub struct Vectors {
    /// The pictures'.
    pub images: Tensor<2>,
    /// Their texts'.
    pub texts: Tensor<2>,
}

/// Vectors of earlier batches, from the momentum encoders: `[width, queue]` each.
#[derive(Debug, Clone)]
pub struct Queue {
    /// The pictures'.
    pub images: Tensor<2>,
    /// Their texts'.
    pub texts: Tensor<2>,
}

/// What [`contrastive`] finds.
#[derive(Debug)]
pub struct Contrast {
    /// The loss, `[1]`.
    pub loss: Tensor<1>,
    /// How similar each picture is to each text of the batch by the momentum encoders, over the
    /// temperature: `[pictures, texts]`. Wrong texts are drawn by it.
    pub to_texts: Tensor<2>,
    /// The other way round, `[texts, pictures]`. Wrong pictures are drawn by it.
    pub to_images: Tensor<2>,
}

/// ITC with momentum targets (ALBEF's, arXiv 2107.07651): each picture against all texts of the
/// batch and the queue, and the other way round. The target is `alpha` parts the momentum encoders'
/// own softmax, `1 - alpha` parts the picture's own text; texts of the same `group` share it.
/// `temperature` is `[1]`.
pub fn contrastive(
    current: &Vectors,
    momentum: &Vectors,
    queue: Option<&Queue>,
    temperature: Tensor<1>,
    alpha: f32,
    groups: &[usize],
) -> Contrast {
    let batch = groups.len();
    let with_queue = |vectors: &Tensor<2>, queue: Option<&Tensor<2>>| {
        let own = vectors.clone().detach().transpose(); // [width, batch]
        match queue {
            Some(queue) => Tensor::cat(vec![own, queue.clone()], 1),
            None => own,
        }
    };
    let all_texts = with_queue(&momentum.texts, queue.map(|queue| &queue.texts));
    let all_images = with_queue(&momentum.images, queue.map(|queue| &queue.images));
    let own = own_targets(groups, all_texts.dims()[1], &temperature.device());
    let scale = temperature.unsqueeze::<2>(); // [1, 1]
    let direction = |vectors: &Tensor<2>, momentum: &Tensor<2>, all: &Tensor<2>| {
        let similarities = vectors.clone().matmul(all.clone()) / scale.clone();
        let soft = momentum.clone().detach().matmul(all.clone()) / scale.clone().detach();
        let targets = softmax(soft, 1) * alpha + own.clone() * (1.0 - alpha);
        let loss = -(log_softmax(similarities.clone(), 1) * targets)
            .sum()
            .div_scalar(batch as f32);
        (loss, similarities.narrow(1, 0, batch).detach())
    };
    let (text_loss, to_texts) = direction(&current.images, &momentum.images, &all_texts);
    let (image_loss, to_images) = direction(&current.texts, &momentum.texts, &all_images);
    Contrast {
        loss: (text_loss + image_loss) / 2.0,
        to_texts,
        to_images,
    }
}

/// Each row's own column, and those of the same group: rows that sum to one, `[batch, columns]`.
fn own_targets(groups: &[usize], columns: usize, device: &Device) -> Tensor<2> {
    let mut targets = vec![0.0_f32; groups.len() * columns];
    for (row, group) in targets.chunks_exact_mut(columns).zip(groups) {
        let same = groups.iter().filter(|other| *other == group).count();
        for (target, other) in row.iter_mut().zip(groups) {
            if other == group {
                *target = 1.0 / same as f32;
            }
        }
    }
    Tensor::from_data(TensorData::new(targets, [groups.len(), columns]), device)
}

/// CLIP's loss: the picture's own text among the batch's, and the text's own picture. `scale` is
/// `exp(logit_scale)`, `[1]`.
pub fn symmetric_contrastive(vectors: &Vectors, scale: Tensor<1>) -> Tensor<1> {
    let logits = vectors
        .texts
        .clone()
        .matmul(vectors.images.clone().transpose())
        * scale.unsqueeze::<2>(); // [texts, pictures]
    let diagonal = Tensor::eye(logits.dims()[0], &logits.device());
    let direction = |logits: Tensor<2>| {
        -(log_softmax(logits, 1) * diagonal.clone())
            .sum_dim(1)
            .mean()
    };
    (direction(logits.clone()) + direction(logits.transpose())) / 2.0
}

/// SigLIP's loss: each picture with each text of the batch is a question of its own, of which the pairs
/// alone are to be affirmed; summed over the texts, averaged over the pictures. `scale` is
/// `exp(logit_scale)`, `bias` the logit bias, `[1]` both.
pub fn pairwise_sigmoid(vectors: &Vectors, scale: Tensor<1>, bias: Tensor<1>) -> Tensor<1> {
    let products = vectors
        .texts
        .clone()
        .matmul(vectors.images.clone().transpose()); // [texts, pictures]
    let logits = products * scale.unsqueeze::<2>() + bias.unsqueeze::<2>();
    let batch = logits.dims()[0];
    let signs = Tensor::eye(batch, &logits.device()) * 2.0 - 1.0; // 1 for a pair, else -1
    -log_sigmoid(logits * signs).sum().div_scalar(batch as f32)
}

/// Cross-entropy of `logits` (`[rows, classes]`) with the true classes, averaged over the rows that
/// have one: PyTorch's `CrossEntropyLoss(label_smoothing)`, whose smoothing is spread over all
/// classes, the true one included.
pub fn cross_entropy(logits: Tensor<2>, classes: &[Option<u32>], smoothing: f32) -> Tensor<1> {
    let [rows, width] = logits.dims();
    assert_eq!(rows, classes.len(), "one class per row");
    let device = logits.device();
    let counted = classes.iter().flatten().count().max(1) as f32;
    let weights: Vec<f32> = classes
        .iter()
        .map(|class| f32::from(class.is_some()) / counted)
        .collect();
    let weights: Tensor<1> = Tensor::from_data(TensorData::new(weights, [rows]), &device);
    let indices = classes.iter().map(|class| class.unwrap_or(0) as i32);
    let indices: Tensor<2, Int> = ids_tensor(indices, &device).reshape([rows, 1]);
    let log_probabilities = log_softmax(logits, 1);
    let own = log_probabilities.clone().gather(1, indices).reshape([rows]);
    let all: Tensor<1> = log_probabilities.sum_dim(1).reshape([rows]);
    let row_losses = own * (1.0 - smoothing) + all * (smoothing / width as f32);
    -(row_losses * weights).sum()
}

/// Cross-entropy of `logits` with shares of the classes, `[rows, classes]` both, averaged over the rows
/// whose shares are not all 0.
pub fn shares_cross_entropy(logits: Tensor<2>, shares: Tensor<2>) -> Tensor<1> {
    let counted = shares.clone().sum().clamp_min(1.0); // each row that counts sums to one
    -(log_softmax(logits, 1) * shares).sum() / counted
}
