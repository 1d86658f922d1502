//! The CPU's linear layers against their naive definition, on processors that this machine may not be:
//! `scripts/checks/test-arm` runs it in an emulator. The files are the crate's own; what they want of the
//! rest of it is below.

#![expect(dead_code, reason = "these files serve others, too")]

mod kernels {
    #[path = "../../../src/kernels/activation.rs"]
    mod activation;
    #[path = "../../../src/kernels/layout.rs"]
    pub mod layout;
    pub mod linear;
    #[path = "../../../src/kernels/simd/mod.rs"]
    pub mod simd;

    pub use activation::Activation;
    pub use layout::{PackedFormat, PackedShape};
    pub mod packed {
        pub use super::layout::decode;
    }
}

#[cfg(test)]
mod tests {
    use super::kernels::linear::{Way, compute, exact_levels, naive};
    use super::kernels::simd::LANES;
    use super::kernels::{Activation, PackedFormat, PackedShape};

    const FORMATS: [PackedFormat; 4] = [
        PackedFormat::F32,
        PackedFormat::F16,
        PackedFormat::Q8,
        PackedFormat::Q4,
    ];

    /// Around the edges of tiles and panels: rows, inputs, outputs.
    const EDGES: [&[usize]; 3] = [
        &[1, 2, 3, 4, 7, 8, 33],
        &[1, 31, 32, 64, 384, 416],
        &[15, 16, 17, 33, 64],
    ];

    /// Numbers that look random and are the same everywhere.
    fn noise(seed: usize) -> impl FnMut() -> u32 {
        let mut state = (seed as u32).wrapping_mul(2_654_435_761) | 1;
        move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        }
    }

    fn float(bits: u32) -> f32 {
        bits as f32 / u32::MAX as f32 * 2.0 - 1.0
    }

    /// Weights of all values that the format has.
    fn words(shape: PackedShape) -> Vec<u32> {
        let mut next = noise(shape.rows * 31 + shape.columns);
        let scales = shape.rows * shape.blocks_per_row();
        let values = shape.total_words() - scales;
        let value = |next: &mut dyn FnMut() -> u32| match shape.format {
            PackedFormat::F32 => float(next()).to_bits(),
            PackedFormat::F16 => next() & 0x3bff_3bff | next() & 0x8000_8000, // from -1 to 1
            // ggml's blocks have no -128.
            PackedFormat::Q8 => u32::from_le_bytes(
                next()
                    .to_le_bytes()
                    .map(|byte| if byte == 128 { 129 } else { byte }),
            ),
            PackedFormat::Q4 => next(),
        };
        let mut words: Vec<u32> = (0..values).map(|_| value(&mut next)).collect();
        words.extend((0..scales).map(|_| (0.01 * float(next())).to_bits()));
        words
    }

    fn check(rows: usize, shape: PackedShape, way: Way) {
        let mut next = noise(rows);
        let input: Vec<f32> = (0..rows * shape.columns).map(|_| float(next())).collect();
        let words = words(shape);
        let bias: Vec<f32> = (0..shape.rows).map(|_| float(next())).collect();
        let Some(output) = compute(way, rows, &input, &words, &bias, shape) else {
            return;
        };
        let rounded = match way {
            Way::Floats => input,
            Way::Shorts => naive::rounded_to_shorts(&input, shape.columns),
            Way::Bytes(levels) => naive::rounded_to_bytes(&input, levels),
        };
        let right = naive::packed_linear(&rounded, &words, Some(&bias), shape, Activation::None);
        for (place, (output, right)) in output.iter().zip(&right).enumerate() {
            // What adding up so many products in single precision may lose.
            let bound = 1e-5 * (1.0 + right.abs()) + 2e-7 * shape.columns as f32;
            assert!(
                (output - right).abs() <= bound,
                "{way:?} of {rows} rows and {shape:?}: {output} for {right} at {place}"
            );
        }
    }

    fn check_all(way: Way) {
        for format in FORMATS {
            for &rows in EDGES[0] {
                for &columns in EDGES[1] {
                    for &outputs in EDGES[2] {
                        let shape = PackedShape {
                            rows: outputs,
                            columns,
                            format,
                        };
                        if PackedShape::fits(format, columns) {
                            check(rows, shape, way);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn floats_are_multiplied_as_their_definition_says() {
        check_all(Way::Floats);
    }

    #[test]
    fn inputs_of_sixteen_bits_are_multiplied_as_their_definition_says() {
        check_all(Way::Shorts);
    }

    #[test]
    fn inputs_of_eight_bits_are_multiplied_as_their_definition_says() {
        match exact_levels() {
            Some(levels) => check_all(Way::Bytes(levels)),
            None => println!("this processor has no products of bytes"),
        }
    }

    /// The script runs this where it knows the answer.
    #[test]
    fn this_processor_is_the_expected_one() {
        let expected = std::env::var("PRODUCTS_OF_BYTES").expect("yes or no");
        assert_eq!(expected == "yes", exact_levels().is_some());
        assert!(LANES == 4 || !cfg!(target_arch = "aarch64"));
    }
}
