//! What `top_logits` computes, by sorting everything.

/// One row of the result of [`crate::kernels::top_logits()`].
pub fn top_logits_row(logits: &[f32], watched: &[i32], count: usize) -> Vec<f32> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    let best = &order[..count];
    let largest = f64::from(logits[order[0]]);
    let sum: f64 = logits.iter().map(|l| (f64::from(*l) - largest).exp()).sum();
    let mut row: Vec<f32> = best.iter().map(|index| logits[*index]).collect();
    row.extend(best.iter().map(|index| *index as f32));
    row.extend(watched.iter().map(|index| logits[*index as usize]));
    row.push((largest + sum.ln()) as f32);
    row
}
