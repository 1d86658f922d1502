//! Tensors whose numbers don't follow each other row by row: transposed matrices, patches with their
//! colours last, parts of a larger tensor.

use super::Format;

/// How far it is from one number to the next along each dimension, row by row.
pub fn row_by_row(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for dimension in (1..shape.len()).rev() {
        strides[dimension - 1] = strides[dimension].saturating_mul(shape[dimension].max(1));
    }
    strides
}

/// Whether numbers that are so far apart lie row by row.
pub fn is_row_by_row(shape: &[usize], strides: &[usize]) -> bool {
    let mut pairs = shape.iter().zip(strides).zip(row_by_row(shape));
    shape.contains(&0) || pairs.all(|((size, stride), dense)| *size == 1 || *stride == dense)
}

/// How many numbers lie from the first to the last, both included; `None` if they cannot be counted.
pub fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    let mut pairs = shape.iter().zip(strides);
    pairs.try_fold(1_usize, |span, (size, stride)| {
        span.checked_add((size - 1).checked_mul(*stride)?)
    })
}

/// The bytes row by row, from `bytes` in which they are `strides` apart.
pub fn gathered(bytes: &[u8], shape: &[usize], strides: &[usize], format: Format) -> Vec<u8> {
    let width = format.block_bytes();
    let elements: usize = shape.iter().product();
    let mut ordered = Vec::with_capacity(elements * width);
    let Some((columns, rows)) = shape.split_last() else {
        return bytes[..width].to_vec();
    };
    let step = strides[rows.len()];
    let mut place = vec![0; rows.len()]; // of the row, in all dimensions but the last
    for _ in 0..rows.iter().product::<usize>() {
        let start: usize = place.iter().zip(strides).map(|(at, by)| at * by).sum();
        for column in 0..*columns {
            let at = (start + column * step) * width;
            ordered.extend_from_slice(&bytes[at..at + width]);
        }
        for (at, size) in place.iter_mut().zip(rows).rev() {
            *at = (*at + 1) % size;
            if *at > 0 {
                break;
            }
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_gathered_from_where_they_lie() {
        let bytes: Vec<u8> = (0..24).collect();
        let format = Format::Integer {
            bytes_per_element: 1,
        };
        let gather = |shape: &[usize], strides: &[usize]| gathered(&bytes, shape, strides, format);
        assert_eq!(gather(&[2, 3], &[1, 2]), [0, 2, 4, 1, 3, 5]);
        assert_eq!(gather(&[3, 2], &[4, 1]), [0, 1, 4, 5, 8, 9]);
        assert_eq!(gather(&[2, 2], &[0, 1]), [0, 1, 0, 1]);
        assert_eq!(gather(&[3], &[2]), [0, 2, 4]);
        assert_eq!(gather(&[], &[]), [0]);
        assert_eq!(gather(&[2, 0], &[1, 1]), [0; 0]);
        let channels_last = gather(&[1, 3, 2, 2], &[12, 1, 6, 3]);
        assert_eq!(channels_last, [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    }

    #[test]
    fn a_span_is_from_the_first_number_to_the_last() {
        assert_eq!(span(&[3, 2], &[4, 1]), Some(10));
        assert_eq!(span(&[], &[]), Some(1));
        assert_eq!(span(&[0, 9], &[usize::MAX, 1]), Some(0));
        assert_eq!(span(&[3, 3], &[usize::MAX, 1]), None);
    }

    #[test]
    fn sides_of_one_may_have_any_stride() {
        assert!(is_row_by_row(&[2, 1, 2], &[2, 77, 1]));
        assert!(!is_row_by_row(&[2, 3], &[1, 2]));
        assert_eq!(row_by_row(&[2, 3, 4]), [12, 4, 1]);
    }
}
