//! Tensors that are missing, of another shape, superfluous, larger than any memory, or no numbers.

use super::{NAME, Parts, gguf, load, refused};
use obscura::nn::Dtype;
use obscura::weights::Format;
use obscura::weights::gguf::Planned;

#[test]
fn a_missing_tensor_is_named() {
    let file = gguf("blip-all", Dtype::F16);
    for (planned, _) in &Parts::of(&file).tensors {
        let mut parts = Parts::of(&file);
        parts
            .tensors
            .retain(|(other, _)| other.name != planned.name);
        refused(load(&parts.file()), &[NAME, &planned.name, "missing"]);
    }
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    for dtype in [Dtype::F32, Dtype::F16] {
        let file = gguf("clip-quick", dtype);
        for (planned, bytes) in &Parts::of(&file).tensors {
            let mut parts = Parts::of(&file);
            let (wrong, double) = parts.tensor(&planned.name);
            double.extend_from_slice(bytes);
            match wrong.shape.first_mut() {
                Some(rows) => *rows *= 2,
                None => wrong.shape = vec![2],
            }
            let found = format!("{:?}", wrong.shape);
            let result = load(&parts.file());
            refused(result, &[NAME, &planned.name, &found]);
        }
    }
}

#[test]
fn tensors_of_training_do_no_harm_whatever_their_shape() {
    let file = gguf("clip-quick", Dtype::F32);
    for (shape, format) in [
        (vec![], Format::F32),
        (vec![0], Format::F32),
        (vec![0, 32], Format::F32),
        (vec![3, 0], Format::F16),
        (vec![2, 0, 5], Format::F32),
        (vec![1, 1, 1, 1], Format::F16),
        (vec![2, 3, 1, 32], Format::Q8_0),
        (vec![5], Format::F16),
        (vec![32], Format::Q4_0),
    ] {
        let elements: usize = shape.iter().product();
        let bytes = vec![0; format.bytes(elements).expect("whole blocks")];
        for name in ["image_queue", "text_encoder_m.more_embedding.weight"] {
            let mut parts = Parts::of(&file);
            let planned = Planned {
                name: name.to_string(),
                shape: shape.clone(),
                format,
            };
            parts.tensors.insert(1, (planned, bytes.clone()));
            eprintln!("{name} {shape:?} in {format}"); // shown if it fails
            match load(&parts.file()) {
                Ok(model) => assert_eq!(model.info().family, "clip"),
                // To refuse a tensor without numbers is as good as to overlook it.
                error if elements == 0 => refused(error, &[NAME, name]),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_tensor_that_nobody_asks_for_is_refused_by_name() {
    for name in [
        "text_model.more",
        "text_model.more_embedding.weight",
        "logit_bias",
    ] {
        let mut parts = Parts::of(&gguf("clip-quick", Dtype::F32));
        let planned = Planned {
            name: name.to_string(),
            shape: vec![2],
            format: Format::F32,
        };
        parts.tensors.insert(1, (planned, vec![0; 8]));
        refused(load(&parts.file()), &[NAME, name, "config.json"]);
    }
}

/// A convolution has one order of dimensions; what lies otherwise has as many numbers.
#[test]
fn a_convolution_in_another_order_is_refused() {
    let mut parts = Parts::of(&gguf("clip-quick", Dtype::F32));
    let name = "vision_model.embeddings.patch_embedding.weight";
    let shape = &mut parts.tensor(name).0.shape;
    assert_eq!(*shape, [64, 3, 8, 8]);
    *shape = vec![64, 8, 3, 8];
    refused(load(&parts.file()), &[NAME, name, "[64, 8, 3, 8]"]);
}

#[test]
fn transposed_and_flattened_tensors_are_refused() {
    let file = gguf("clip-quick", Dtype::F32);
    for (planned, _) in &Parts::of(&file).tensors {
        let elements: usize = planned.shape.iter().product();
        let reversed: Vec<usize> = planned.shape.iter().rev().copied().collect();
        for shape in [reversed, vec![elements], vec![1, elements]] {
            let plain = |shape: &[usize]| shape.iter().filter(|size| **size != 1).count();
            if shape == planned.shape || plain(&shape) == plain(&planned.shape) && plain(&shape) < 2
            {
                continue; // dimensions of 1 do not matter
            }
            let mut parts = Parts::of(&file);
            parts.tensor(&planned.name).0.shape = shape;
            refused(load(&parts.file()), &[NAME, &planned.name]);
        }
    }
}

#[test]
fn numbers_that_are_none_are_refused_in_every_format() {
    for (dtype, name) in [
        (Dtype::F32, "visual_projection.weight"),
        (Dtype::F16, "visual_projection.weight"),
        (Dtype::Q8, "visual_projection.weight"),
        (Dtype::Q4, "visual_projection.weight"),
        (Dtype::F16, "text_model.embeddings.token_embedding.weight"),
        (Dtype::Q8, "vision_model.post_layernorm.weight"),
        (Dtype::Q8, "logit_scale"),
    ] {
        let mut parts = Parts::of(&gguf("clip-quick", dtype));
        let (planned, bytes) = parts.tensor(name);
        // A block of Q8_0 or Q4_0 begins with its scale in half precision.
        match planned.format {
            Format::F32 => bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes()),
            _ => bytes[..2].copy_from_slice(&[0x00, 0x7e]),
        }
        eprintln!("{name} in {dtype:?}"); // shown if it fails
        refused(load(&parts.file()), &[NAME, name, "NaN"]);
    }
}

#[test]
fn a_tensor_larger_than_any_memory_is_refused() {
    let mut parts = Parts::of(&gguf("clip-quick", Dtype::F32));
    let (first, _) = parts.tensors.remove(0);
    parts.tensors.truncate(0);
    parts.tensors.push((
        Planned {
            shape: vec![8, 8],
            ..first.clone()
        },
        vec![0; 256],
    ));
    let file = parts.file();
    // A row of the table: the name's length and the name, how many dimensions, the dimensions.
    let row = [
        &(first.name.len() as u64).to_le_bytes(),
        first.name.as_bytes(),
    ]
    .concat();
    let found = file.windows(row.len()).position(|bytes| bytes == row);
    let dimensions = found.expect("the tensor's row") + row.len() + 4;
    for size in [1u64 << 20, 1 << 24, 1 << 28] {
        let mut file = file.clone();
        for at in [dimensions, dimensions + 8] {
            file[at..at + 8].copy_from_slice(&size.to_le_bytes());
        }
        refused(load(&file), &[NAME, &first.name]);
    }
}
