use super::*;

/// Reproducible numbers around zero, of the size of a model's weights.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        })
        .collect()
}

fn largest_error(format: Format, values: &[f32]) -> f32 {
    let bytes = quantize(format, values).unwrap();
    let restored = dequantize(format, &bytes, values.len()).unwrap();
    let errors = values
        .iter()
        .zip(restored)
        .map(|(value, restored)| (value - restored).abs());
    errors.fold(0.0, f32::max)
}

#[test]
fn what_is_quantized_comes_back_as_closely_as_the_format_allows() {
    let values = numbers(32 * 64);
    assert_eq!(largest_error(Format::F32, &values), 0.0);
    assert!(largest_error(Format::F16, &values) <= 0.5 / 2048.0);
    assert!(largest_error(Format::Q8_0, &values) <= 0.5 / 127.0 * 0.6);
    assert!(largest_error(Format::Q4_0, &values) <= 0.5 / 8.0 * 1.01);
}

#[test]
fn bf16_and_f64_widen_and_narrow() {
    let bytes: Vec<u8> = [1.5_f32, -3.0]
        .iter()
        .flat_map(|v| {
            v.to_bits().to_be_bytes()[..2]
                .iter()
                .rev()
                .copied()
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(dequantize(Format::BF16, &bytes, 2), Ok(vec![1.5, -3.0]));
    let bytes: Vec<u8> = [0.1_f64, -2.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    assert_eq!(dequantize(Format::F64, &bytes, 2), Ok(vec![0.1, -2.0]));
}

#[test]
fn a_block_of_zeros_stays_zero() {
    let q8_0 = quantize(Format::Q8_0, &[0.0; 32]).unwrap();
    assert_eq!(q8_0, vec![0; 34]);
    let q4_0 = quantize(Format::Q4_0, &[0.0; 32]).unwrap();
    assert_eq!(q4_0[..2], [0x00, 0x80]); // minus zero, as in the reference
    assert_eq!(q4_0[2..], [0x88; 16]);
}

#[test]
fn a_block_too_small_for_its_scale_is_stored_as_zeros() {
    let tiny = f32::from_bits(1);
    for value in [tiny, -tiny, 1e-39, -1e-38] {
        for format in [Format::Q8_0, Format::Q4_0] {
            let mut values = [0.0; 32];
            values[7] = value;
            let bytes = quantize(format, &values).unwrap();
            let restored = dequantize(format, &bytes, 32).unwrap();
            assert!(
                restored.iter().all(|value| *value == 0.0),
                "{format} {value:e}"
            );
        }
    }
}

#[test]
fn the_first_of_two_extremes_sets_the_sign_of_a_q4_0_scale() {
    for (first, scale) in [(4.0, -0.5), (-4.0, 0.5)] {
        let mut values = [0.0; 32];
        (values[3], values[20]) = (first, -first);
        let bytes = quantize(Format::Q4_0, &values).unwrap();
        assert_eq!(half_at(&bytes, 0), scale);
        let restored = dequantize(Format::Q4_0, &bytes, 32).unwrap();
        assert_eq!(restored[3], first);
        assert_eq!(restored[20], -first * 7.0 / 8.0);
    }
}

#[test]
fn what_is_not_finite_is_refused_where_it_would_spoil_a_block() {
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = vec![1.0; 96];
        values[70] = wrong;
        for format in [Format::Q8_0, Format::Q4_0] {
            let error = quantize(format, &values).unwrap_err().to_string();
            assert!(error.starts_with("value 70 is "), "{error}");
        }
        for format in [Format::F32, Format::F16] {
            let bytes = quantize(format, &values).unwrap();
            let restored = dequantize(format, &bytes, 96).unwrap();
            assert_eq!(restored[70].to_string(), wrong.to_string());
        }
    }
}

#[test]
fn lengths_that_do_not_fit_are_errors() {
    let formats = (0..64).filter_map(Format::from_ggml_type);
    for format in formats.filter(|format| !format.is_integer()) {
        let (length, bytes) = (format.block_length(), format.block_bytes());
        assert!(dequantize(format, &vec![0; bytes], length).is_ok());
        assert!(dequantize(format, &vec![0; bytes - 1], length).is_err());
        assert!(dequantize(format, &vec![0; bytes + 1], length).is_err());
        assert!(dequantize(format, &vec![0; bytes], length + 1).is_err());
        assert!(dequantize(format, &vec![0; bytes], usize::MAX / 2).is_err());
        assert_eq!(dequantize(format, &[], 0), Ok(vec![]));
        assert!(dequantize_into(format, &vec![0; bytes], &mut vec![0.0; 2 * length]).is_err());
    }
    assert!(quantize(Format::Q8_0, &[0.0; 33]).is_err());
    assert!(quantize(Format::Q6_K, &[0.0; 256]).is_err());
    let integers = Format::Integer {
        bytes_per_element: 8,
    };
    assert!(dequantize(integers, &[0; 16], 2).is_err());
}
