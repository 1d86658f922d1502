//! Cache entries: a second load gives the same numbers without a source, an interrupted one goes
//! on where it stopped, and damage is found and mended.

use super::memory::{Kept, Memory, load_files};
use super::sources::{folder, options, sha256};
use super::{NAME, gguf, opinions};
use obscura::Error;
use obscura::load::{Options, is_complete};
use obscura::nn::Dtype;
use std::collections::BTreeMap;

const WEIGHTS: &str = "model.safetensors";

fn nowhere() -> Memory {
    Memory::of::<String>([])
}

#[test]
fn a_second_load_needs_no_source_and_gives_the_same_numbers() {
    let from_gguf = Memory::of([(NAME, gguf("blip-all", Dtype::Q4))]);
    for (files, file, dtype) in [
        (folder("blip-all"), None, Dtype::Q8),
        (folder("blip-all"), None, Dtype::Q4),
        (folder("blip-all"), None, Dtype::F16),
        (folder("blip-all"), None, Dtype::F32),
        (folder("blip-all"), None, Dtype::Auto),
        (from_gguf, Some(NAME), Dtype::Auto),
    ] {
        let kept = Kept::default();
        let (first, told) = kept.load(&files, file, &options(dtype));
        let first = first.expect("a model");
        assert!(kept.is_complete());
        assert_eq!(told.plans.len(), 1);
        assert_eq!(told.plans[0].1, 0, "nothing was there");
        let (second, told) = kept.load(&nowhere(), file, &options(dtype));
        let second = second.expect("a model");
        assert_eq!(opinions(&first), opinions(&second), "{dtype:?}");
        assert_eq!(first.info(), second.info());
        assert!(
            told.plans.is_empty() && told.warnings.is_empty(),
            "{told:?}"
        );
    }
}

#[test]
fn an_entry_is_a_gguf_file_that_loads_by_itself() {
    let kept = Kept::default();
    let (first, _) = kept.load(&folder("blip-all"), None, &options(Dtype::Q8));
    let file = kept.model.bytes.take();
    assert_eq!(file, gguf("blip-all", Dtype::Q8), "what `convert` writes");
    let again = super::load(&file).expect("a model");
    assert_eq!(opinions(&again), opinions(&first.expect("a model")));
}

#[test]
fn a_load_that_broke_off_goes_on_where_it_stopped() {
    let whole = folder("clip-quick");
    let kept = Kept::default();
    let (model, _) = kept.load(&whole, None, &options(Dtype::Q8));
    let expected = (
        kept.model.bytes.take(),
        model.expect("a model").info().clone(),
    );
    let reads = whole.take_reads().len();
    let mut stops = 0;
    for patience in 0..reads {
        let kept = Kept::default();
        whole.patience.set(patience);
        let (broken, told) = kept.load(&whole, None, &options(Dtype::Q8));
        match broken {
            Err(Error::Network(_)) => stops += 1,
            other => panic!("{:?}", other.map(|_| ())),
        }
        assert!(!kept.is_complete());
        let done = told.tensors.len();
        whole.patience.set(usize::MAX);
        let (model, told) = kept.load(&whole, None, &options(Dtype::Q8));
        assert_eq!(*model.expect("a model").info(), expected.1);
        assert!(kept.is_complete());
        assert!(
            kept.model.bytes.take() == expected.0,
            "after {patience} reads"
        );
        let (total, cached, ranges) = &told.plans[0];
        let left: u64 = ranges.iter().map(|(.., length)| length).sum();
        assert!(left + cached >= *total, "{told:?}");
        assert_eq!(*cached > 0, done > 0, "{done} tensors were there");
    }
    assert!(stops > 10, "{stops}");
}

#[test]
fn a_hash_goes_on_where_it_stopped_too() {
    let whole = folder("clip-quick");
    let promised = Options {
        sha256: BTreeMap::from([(WEIGHTS.to_string(), sha256(&whole, WEIGHTS))]),
        ..options(Dtype::Q8)
    };
    let wrong = {
        let mut files = whole.files.clone();
        let weights = files.get_mut(WEIGHTS).expect("weights");
        let last = weights.len() - 1;
        weights[last] ^= 1;
        Memory::of(files)
    };
    let read = |files: &Memory| {
        let reads = files.take_reads();
        let weights = reads.iter().filter(|(file, ..)| file == WEIGHTS);
        weights.map(|(.., length)| length).sum::<u64>()
    };
    load_files(&whole, None, &promised).expect("a model");
    let reads = whole.take_reads().len();
    let size = whole.files[WEIGHTS].len() as u64;
    for patience in (reads / 3..reads).step_by(5) {
        let kept = Kept::default();
        whole.patience.set(patience);
        assert!(kept.load(&whole, None, &promised).0.is_err());
        whole.patience.set(usize::MAX);
        let before = read(&whole);
        let (model, told) = kept.load(&whole, None, &promised);
        model.expect("a model");
        assert!(kept.is_complete() && told.warnings.is_empty());
        // The header is read twice, and what came after the last tensor that was kept.
        let after = read(&whole);
        assert!(
            before + after < size + (1 << 18),
            "{before} and {after} of {size} bytes"
        );
        let (total, cached, ranges) = &told.plans[0];
        assert!(*cached > 0 && cached < total, "{told:?}");
        assert_eq!(ranges.len(), 1);
        assert_eq!(ranges[0].1 + ranges[0].2, size);

        let kept = Kept::default();
        wrong.patience.set(patience);
        assert!(kept.load(&wrong, None, &promised).0.is_err());
        wrong.patience.set(usize::MAX);
        let (model, _) = kept.load(&wrong, None, &promised);
        assert!(matches!(model, Err(Error::Integrity(_))));
        assert!(kept.journal.bytes.borrow().is_empty());
    }
}

#[test]
fn a_damaged_tensor_is_fetched_again_and_no_other() {
    let files = folder("clip-quick");
    let kept = Kept::default();
    let (model, told) = kept.load(&files, None, &options(Dtype::Q8));
    let (info, names) = (model.expect("a model").info().clone(), told.tensors);
    let intact = kept.model.bytes.borrow().clone();
    let header = super::Parts::of(&intact);
    assert_eq!(header.tensors.len(), names.len());
    let mut at = intact.len();
    for (index, (planned, bytes)) in header.tensors.iter().enumerate().rev() {
        at -= bytes.len().next_multiple_of(32);
        kept.model.bytes.borrow_mut()[at + bytes.len() / 2] ^= 0x10;
        files.take_reads();
        let (model, told) = kept.load(&files, None, &options(Dtype::Q8));
        assert_eq!(*model.expect("a model").info(), info);
        let warning = told.warnings.concat();
        assert!(warning.contains(&planned.name), "{index}: {warning}");
        assert!(
            *kept.model.bytes.borrow() == intact,
            "{} is mended",
            planned.name
        );
        assert!(kept.is_complete());
    }
    // Without a source it cannot be mended.
    kept.model.bytes.borrow_mut()[at] ^= 1;
    match kept.load(&nowhere(), None, &options(Dtype::Q8)).0 {
        Err(Error::Integrity(message)) => assert!(message.contains("damaged"), "{message}"),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn damage_of_header_and_journal_never_gives_another_model() {
    let files = folder("clip-quick");
    let kept = Kept::default();
    let (model, _) = kept.load(&files, None, &options(Dtype::Q8));
    let info = model.expect("a model").info().clone();
    let (model, journal) = (kept.model.bytes.take(), kept.journal.bytes.take());
    let check = |kept: &Kept, what: &str| {
        let (loaded, _) = kept.load(&files, None, &options(Dtype::Q8));
        assert_eq!(*loaded.expect(what).info(), info);
        assert!(*kept.model.bytes.borrow() == model, "{what} is mended");
        assert!(kept.is_complete(), "{what}");
    };
    for position in (0..journal.len()).step_by(7) {
        let kept = Kept::default();
        kept.model.bytes.replace(model.clone());
        let mut damaged = journal.clone();
        damaged[position] ^= 4;
        kept.journal.bytes.replace(damaged);
        check(&kept, "a journal");
    }
    for length in (0..journal.len()).step_by(41) {
        let kept = Kept::default();
        kept.model.bytes.replace(model.clone());
        kept.journal.bytes.replace(journal[..length].to_vec());
        check(&kept, "a short journal");
    }
    for position in (0..2000).step_by(97) {
        let kept = Kept::default();
        let mut damaged = model.clone();
        damaged[position] ^= 4;
        kept.model.bytes.replace(damaged);
        kept.journal.bytes.replace(journal.clone());
        check(&kept, "a header");
    }
    for length in [0, 100, model.len() / 2, model.len() - 1] {
        let kept = Kept::default();
        kept.model.bytes.replace(model[..length].to_vec());
        kept.journal.bytes.replace(journal.clone());
        check(&kept, "a short file");
    }
}

#[test]
fn an_entry_made_for_something_else_is_made_anew() {
    let kept = Kept::default();
    let files = folder("blip-all");
    let (_, _) = kept.load(&files, None, &options(Dtype::Q8));
    let (model, told) = kept.load(&files, None, &options(Dtype::F32));
    assert_eq!(model.expect("a model").info().dtype, "f32");
    assert_eq!(told.plans[0].1, 0);
    let caption = Options {
        tasks: vec!["caption".to_string()],
        ..options(Dtype::F32)
    };
    let (model, told) = kept.load(&files, None, &caption);
    assert_eq!(model.expect("a model").info().tasks, ["caption"]);
    assert_eq!(told.plans[0].1, 0);
    // Another checkpoint behind the same entry, as far as it was not complete.
    let cut = kept.journal.bytes.borrow().len() - 30;
    kept.journal.bytes.borrow_mut().truncate(cut);
    let (model, told) = kept.load(&folder("blip-caption"), None, &caption);
    assert_eq!(model.expect("a model").info().tasks, ["caption"]);
    assert_eq!(told.plans[0].1, 0);
}

#[test]
fn a_full_disk_costs_the_entry_and_not_the_model() {
    let files = folder("clip-quick");
    for (model_room, journal_room) in [
        (0, u64::MAX),
        (20_000, u64::MAX),
        (u64::MAX, 0),
        (u64::MAX, 200),
    ] {
        let kept = Kept::default();
        kept.model.room.set(model_room);
        kept.journal.room.set(journal_room);
        let (model, told) = kept.load(&files, None, &options(Dtype::Q8));
        assert_eq!(model.expect("a model").info().family, "clip");
        assert_eq!(told.uncached.len(), 1, "{told:?}");
        assert!(told.uncached[0].contains("quota"), "{told:?}");
        assert!(kept.model.bytes.borrow().is_empty(), "room is given back");
        assert!(!is_complete(&kept.journal.bytes.borrow()));
    }
}

#[test]
fn a_wrong_hash_leaves_no_entry() {
    let files = folder("clip-quick");
    let kept = Kept::default();
    let wrong = Options {
        sha256: BTreeMap::from([("model.safetensors".to_string(), "ab".repeat(32))]),
        ..options(Dtype::Q8)
    };
    let (model, _) = kept.load(&files, None, &wrong);
    assert!(matches!(model, Err(Error::Integrity(_))));
    assert!(kept.model.bytes.borrow().is_empty() && kept.journal.bytes.borrow().is_empty());
}
