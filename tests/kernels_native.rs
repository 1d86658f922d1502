//! The kernels on the host: the CPU, and the GPU where there is one.
#![cfg(not(target_arch = "wasm32"))]

mod kernels;

use kernels::{
    check_attention, check_attention_variants, check_gather_rows, check_layer_norm, check_linear,
    check_linear_edges, check_linear_fast, check_linear_variants, check_linear_without_numbers,
    check_matmul, check_next_tokens, check_top_logits,
};
use obscura::device::{self, DevicePreference, Placement};
use pollster::block_on;

#[test]
fn linear_layers_on_the_cpu_equal_their_definition() {
    block_on(check_linear(&Placement::cpu()));
}

#[test]
fn linear_layers_on_the_cpu_equal_their_definition_around_every_edge() {
    block_on(check_linear_edges(&Placement::cpu()));
}

#[test]
fn linear_layers_with_inputs_of_8_bits_equal_their_definition() {
    block_on(check_linear_fast(&Placement::cpu()));
}

#[test]
fn what_is_no_number_comes_out_of_linear_layers_on_the_cpu() {
    block_on(check_linear_without_numbers(&Placement::cpu()));
}

#[test]
fn attention_on_the_cpu_equals_its_definition() {
    block_on(check_attention(&Placement::cpu()));
}

#[test]
fn layer_norm_on_the_cpu_equals_its_definition() {
    block_on(check_layer_norm(&Placement::cpu()));
}

#[test]
fn row_lookup_on_the_cpu_equals_its_definition() {
    block_on(check_gather_rows(&Placement::cpu()));
}

#[test]
fn top_logits_on_the_cpu_equal_their_definition() {
    block_on(check_top_logits(&Placement::cpu()));
}

#[test]
fn next_tokens_on_the_cpu_equal_their_definition() {
    block_on(check_next_tokens(&Placement::cpu()));
}

#[test]
fn products_of_matrices_on_the_cpu_equal_their_definition() {
    block_on(check_matmul(&Placement::cpu()));
}

#[test]
fn all_kernels_on_the_gpu_equal_their_definitions() {
    let placement = match device::open(DevicePreference::Gpu) {
        Ok(placement) => placement,
        Err(error) => return skipped(&error.to_string()),
    };
    block_on(async {
        check_linear_variants(&placement).await;
        check_attention_variants(&placement).await;
        check_layer_norm(&placement).await;
        check_gather_rows(&placement).await;
        check_top_logits(&placement).await;
        check_next_tokens(&placement).await;
        check_matmul(&placement).await;
    });
}

/// Says so past the test harness, which hides what a passing test prints.
fn skipped(why: &str) {
    use std::io::Write;
    let line = format!("skipped the GPU tests: {why}\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error");
}
