//! What the golden texts of the reference cannot show: stopping, seeds, options.

use super::{GenerationOptions, NextLogits, generate};
use crate::kernels::ids_tensor;
use crate::{Error, Result};
use burn::tensor::{Device, Int, Tensor};
use pollster::block_on;

const STOP: u32 = 0;

/// Six tokens whose logits depend on the last token, so that texts differ and go on.
#[derive(Default)]
struct Chain {
    steps: usize,
    works_ahead: bool,
}

impl NextLogits for Chain {
    fn start(&mut self, prompt: &[u32]) -> Tensor<2> {
        self.follow(ids_tensor(
            [prompt[prompt.len() - 1] as i32],
            &Device::flex(),
        ))
    }

    fn follow(&mut self, ids: Tensor<1, Int>) -> Tensor<2> {
        self.steps += 1;
        let ids = ids.into_data().try_to_vec::<i32>().expect("ids");
        let rows = ids.iter().map(|last| {
            let row: [f32; 6] = std::array::from_fn(|id| ((id as i32 * 7 + last * 5) % 11) as f32);
            Tensor::from_data([row.map(|logit| logit / 5.0)], &Device::flex())
        });
        Tensor::cat(rows.collect(), 0)
    }

    fn reorder(&mut self, _parents: Tensor<1, Int>) {}

    fn works_ahead(&self) -> bool {
        self.works_ahead
    }
}

fn ids(options: &GenerationOptions) -> Vec<u32> {
    let mut chain = Chain::default();
    let generated = generate(&mut chain, &[1], STOP, options, async |_| Ok(()));
    block_on(generated).expect("a text").swap_remove(0).ids
}

#[test]
fn a_wish_to_stop_ends_every_way_of_generating_after_one_step() {
    for num_beams in [1, 3] {
        let options = GenerationOptions {
            num_beams,
            ..Default::default()
        };
        let mut chain = Chain::default();
        let stop = async |_| -> Result<()> { Err(Error::Aborted("enough".to_string())) };
        let result = block_on(generate(&mut chain, &[1], STOP, &options, stop));
        assert_eq!(result, Err(Error::Aborted("enough".to_string())));
        assert_eq!(chain.steps, 1, "{num_beams} beams");
    }
}

#[test]
fn working_ahead_gives_the_same_texts_with_one_step_more_at_most() {
    for num_beams in [1, 2, 3] {
        for (min_length, repetition_penalty) in [(0, 1.0), (8, 1.0), (6, 1.3)] {
            let options = GenerationOptions {
                num_beams,
                min_length,
                repetition_penalty,
                max_new_tokens: 9,
                ..Default::default()
            };
            let [(step_by_step, steps), (ahead, steps_ahead)] = [false, true].map(|works_ahead| {
                let mut chain = Chain {
                    works_ahead,
                    ..Chain::default()
                };
                let generated = generate(&mut chain, &[1], STOP, &options, async |_| Ok(()));
                (block_on(generated).expect("texts"), chain.steps)
            });
            assert_eq!(step_by_step, ahead, "{options:?}");
            assert!(!ahead[0].ids[1..min_length.max(1)].contains(&STOP));
            let most = (steps + 1).min(options.max_new_tokens);
            assert!(
                (steps..=most).contains(&steps_ahead),
                "{steps_ahead} steps for {steps}"
            );
        }
    }
}

#[test]
fn a_seed_draws_the_same_text_again_and_another_seed_another() {
    let draw = |seed| {
        ids(&GenerationOptions {
            do_sample: true,
            min_length: 30,
            seed: Some(seed),
            ..Default::default()
        })
    };
    assert_eq!(draw(5), draw(5));
    assert_ne!(draw(5), draw(6));
    assert!(!draw(5).contains(&STOP), "not allowed before 30 tokens");
}

#[test]
fn drawing_from_all_tokens_and_from_the_best_alone_differ() {
    let draw = |top_k| {
        ids(&GenerationOptions {
            do_sample: true,
            top_k,
            seed: Some(1),
            ..Default::default()
        })
    };
    assert_eq!(
        draw(1),
        ids(&GenerationOptions::default()),
        "top-k 1 is greedy"
    );
    assert_ne!(draw(0), draw(1));
}

#[test]
fn options_that_mean_nothing_are_refused_by_name() {
    let default = GenerationOptions::default;
    for (options, name) in [
        (
            GenerationOptions {
                max_new_tokens: 0,
                ..default()
            },
            "maxNewTokens",
        ),
        (
            GenerationOptions {
                num_beams: 0,
                ..default()
            },
            "numBeams",
        ),
        (
            GenerationOptions {
                num_beams: 2,
                do_sample: true,
                ..default()
            },
            "numBeams",
        ),
        (
            GenerationOptions {
                temperature: 0.0,
                ..default()
            },
            "temperature",
        ),
        (
            GenerationOptions {
                temperature: f32::NAN,
                ..default()
            },
            "temperature",
        ),
        (
            GenerationOptions {
                top_p: 1.5,
                ..default()
            },
            "topP",
        ),
        (
            GenerationOptions {
                repetition_penalty: 0.0,
                ..default()
            },
            "repetitionPenalty",
        ),
        (
            GenerationOptions {
                length_penalty: f32::INFINITY,
                ..default()
            },
            "lengthPenalty",
        ),
    ] {
        let error = options.check().expect_err(name);
        assert!(error.to_string().starts_with(name), "{error}");
        assert_eq!(error.code(), "bad_input");
    }
}
