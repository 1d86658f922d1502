//! Zero-shot classification by the paper's protocol: ImageNet's labels in all 80 templates.

use super::golden::{Golden, decode_picture, load, strings};
use super::tolerance::{Tolerance, largest_difference, turned};
use obscura::Result;
use obscura::device::Placement;
use obscura::kernels::PackedFormat;
use obscura::tasks::{LabelScore, LabelSet, LabelVectors, Model, Ranking, Scores};

/// Those that the reference was run on. A software GPU takes minutes for eight hundred sentences each.
pub const MODELS: [&str; 3] = ["clip-quick", "clip-gelu", "blip-retrieval"];

/// The protocol's templates with the labels that the reference was given.
fn label_set(golden: &Golden) -> LabelSet {
    let imagenet = LabelSet::parse(include_str!("../../www/labels/imagenet.json"));
    LabelSet {
        labels: golden.names("labels"),
        ids: Vec::new(),
        ..imagenet.expect("a label set")
    }
}

/// Vectors, cosines and probabilities of the `models` are the reference's; so they are when the
/// vectors come from a file.
pub async fn check(models: &[&str], placement: &Placement) -> Result<()> {
    let golden = Golden::open("golden/zero-shot");
    let set = label_set(&golden);
    assert_eq!(set.templates.len(), 80);
    for name in models {
        let folder = format!("golden/{name}/model");
        let model = load(&folder, placement.clone(), PackedFormat::F32)?;
        let mut heard = Vec::new();
        let progress = async |done: usize, total: usize| -> Result<()> {
            heard.push((done, total));
            Ok(())
        };
        let labels = model.label_vectors(&set, progress).await?;
        assert!(heard.is_sorted() && heard.len() > 1, "{heard:?}");
        assert_eq!(heard.last(), Some(&(10, 10)));
        check_vectors(&golden, name, &model, &labels);
        check_scores(&golden, name, &model, &labels).await?;

        let file = model.label_file(&labels).await?;
        let opened = model.open_labels(&file).await?;
        assert_eq!(opened, labels);
        let again =
            model.label_vectors(&set, async |_, _| unreachable!("a label was encoded again"));
        assert_eq!(again.await?, labels);
    }
    Ok(())
}

fn check_vectors(golden: &Golden, name: &str, model: &Model, labels: &LabelVectors) {
    let bounds = Tolerance::of(model.placement());
    let expected = golden.values(&format!("vectors/{name}"));
    let width = expected.len() / labels.set().labels.len();
    assert_eq!(labels.vectors().len(), expected.len());
    let rows = labels.vectors().chunks(width).zip(expected.chunks(width));
    for ((ours, reference), label) in rows.zip(&labels.set().labels) {
        let error = turned(ours, reference);
        assert!(error <= bounds.cosine, "{name} {label}: 1 - {error:.1e}");
        let length = ours.iter().map(|value| value * value).sum::<f32>();
        assert!((length - 1.0).abs() < 1e-5, "{name} {label}: {length}");
    }
    let scale = golden.json["scales"][name].as_f64().expect("a scale") as f32;
    assert!((labels.scale() / scale - 1.0).abs() < 1e-5, "{name}");
}

async fn check_scores(
    golden: &Golden,
    name: &str,
    model: &Model,
    labels: &LabelVectors,
) -> Result<()> {
    let bound = Tolerance::of(model.placement()).score;
    for picture in strings(&golden.json["pictures"]) {
        let image = decode_picture(&picture);
        for (scores, key) in [
            (Scores::Cosine, "cosines"),
            (Scores::Softmax, "probabilities"),
        ] {
            let expected = golden.values(&format!("{key}/{name}/{picture}"));
            let all = Ranking {
                scores: Some(scores),
                top_k: None,
            };
            let found = model.classify_among(&image, labels, all).await?;
            let mut best = expected.to_vec();
            best.sort_by(|a, b| b.total_cmp(a));
            let error = largest_difference(&values(&found), &best);
            println!("{name} {picture} {key}: {error:.1e}");
            assert!(error <= bound, "{name} {picture} {key}: {error:.1e}");
            for one in &found {
                let places = labels.set().labels.iter().zip(expected);
                let mut own = places.filter(|(label, _)| **label == one.label);
                let near = |expected: f32| (expected - one.score).abs() <= bound as f32;
                assert!(
                    own.any(|(_, expected)| near(*expected)),
                    "{picture} {one:?}"
                );
            }
            let three = Ranking {
                scores: Some(scores),
                top_k: Some(3),
            };
            let first = model.classify_among(&image, labels, three).await?;
            assert_eq!(first, found[..3]);
        }
    }
    Ok(())
}

fn values(found: &[LabelScore]) -> Vec<f32> {
    found.iter().map(|label| label.score).collect()
}

/// A file of vectors is refused by every model but its own, and when it is damaged.
pub async fn check_files(placement: &Placement) -> Result<()> {
    let set = LabelSet::new(&["a cat".to_string(), "a dog".to_string()], &[]);
    let open =
        |name: &str, format| load(&format!("golden/{name}/model"), placement.clone(), format);
    let quick = open("clip-quick", PackedFormat::F32)?;
    let file = quick
        .label_file(&quick.label_vectors(&set, async |_, _| Ok(())).await?)
        .await?;
    let quantized = open("clip-quick", PackedFormat::Q8)?;
    assert_eq!(quantized.open_labels(&file).await?.set(), &set);
    for (other, word) in [("blip-retrieval", "cosine"), ("clip-gelu", "24 numbers")] {
        let error = open(other, PackedFormat::F32)?.open_labels(&file).await;
        let error = error.expect_err(other);
        assert_eq!(error.code(), "bad_input");
        assert!(error.to_string().contains(word), "{other}: {error}");
    }
    let mut foreign = file.clone();
    foreign[8 + 30..][..30].fill(b' ');
    let damaged = [
        &file[..0],
        &file[..7],
        &file[..100],
        &file[..file.len() - 1],
        &foreign[..],
    ];
    for bytes in damaged {
        let error = quick.open_labels(bytes).await.expect_err("damaged");
        assert_eq!(error.code(), "bad_input", "{error}");
    }
    Ok(())
}

/// Work on labels stops where it is told to, and goes on from there.
pub async fn check_abort(placement: &Placement) -> Result<()> {
    let golden = Golden::open("golden/zero-shot");
    let set = label_set(&golden);
    let model = load(
        "golden/clip-quick/model",
        placement.clone(),
        PackedFormat::F32,
    )?;
    let stop = async |done: usize, _: usize| -> Result<()> {
        match done {
            6.. => Err(obscura::Error::Aborted("enough".to_string())),
            _ => Ok(()),
        }
    };
    let stopped = model.label_vectors(&set, stop).await;
    assert_eq!(stopped.expect_err("aborted").code(), "aborted");
    let mut first = None;
    let progress = async |done: usize, _: usize| -> Result<()> {
        first.get_or_insert(done);
        Ok(())
    };
    let labels = model.label_vectors(&set, progress).await?;
    check_vectors(&golden, "clip-quick", &model, &labels);
    assert!(first >= Some(6), "{first:?} labels were remembered");
    Ok(())
}
