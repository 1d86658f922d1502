// The best continuations of all texts, and which of them go on. One workgroup: an invocation looks for
// the best candidate of its text that was not taken yet, the first one takes the best of all texts.

@group(0) @binding(0) var<storage, read_write> best: array<f32>;
@group(0) @binding(1) var<storage, read_write> watched: array<i32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<f32>;
@group(0) @binding(4) var<storage, read_write> parents: array<i32>;
@group(0) @binding(5) var<storage, read_write> ids: array<i32>;
@group(0) @binding(6) var<storage, read_write> next_watched: array<i32>;

struct Sizes {
    texts: u32,
    top: u32, // best logits of each text
    watched: u32,
    next_watched: u32,
    beams: u32,
    kept: u32,
    stop: i32,
    may_stop: u32,
    repetition_penalty: f32,
}
@group(0) @binding(7) var<uniform> sizes: Sizes;

const MOST_TEXTS = 32u;
const NONE = -1;
const LEAST = -3.4028234663852886e38;

struct Candidate {
    id: i32,
    score: f32,
    log_probability: f32,
}

// Of each text, the best one that was not taken yet: its token and the sum with it.
var<workgroup> head_ids: array<i32, MOST_TEXTS>;
var<workgroup> head_sums: array<f32, MOST_TEXTS>;
// The text whose head was taken last.
var<workgroup> taken: u32;
// Of each text that goes on.
var<workgroup> next_parents: array<u32, MOST_TEXTS>;
var<workgroup> next_ids: array<i32, MOST_TEXTS>;

// Whether the text's tokens, from the watched ones at `first` on, hold `id`.
fn has(text: u32, id: i32, first: u32) -> bool {
    for (var i = first; i < sizes.watched; i++) {
        if (watched[text * sizes.watched + i] == id) {
            return true;
        }
    }
    return false;
}

// Whether candidate a comes before candidate b: larger score first, lower token first among equals.
fn before(a: Candidate, b: Candidate) -> bool {
    return a.score > b.score || (a.score == b.score && a.id < b.id);
}

// The text's best candidate behind `last`, or its best one if that is none.
fn candidate_after(text: u32, last: Candidate) -> Candidate {
    let row = text * (2u * sizes.top + sizes.watched + 1u);
    let log_sum_exp = best[row + 2u * sizes.top + sizes.watched];
    var found = Candidate(NONE, LEAST, 0.0);
    for (var i = 0u; i < sizes.top + sizes.watched; i++) {
        var id: i32;
        var logit: f32;
        var penalty = 1.0;
        if (i < sizes.top) {
            logit = best[row + i];
            id = i32(best[row + sizes.top + i]);
            if (has(text, id, 0u)) {
                continue; // it comes again
            }
        } else {
            let place = i - sizes.top;
            logit = best[row + 2u * sizes.top + place];
            id = watched[text * sizes.watched + place];
            if (place > 0u) {
                penalty = sizes.repetition_penalty;
            } else if (has(text, id, 1u)) {
                continue;
            }
        }
        if (id == sizes.stop && sizes.may_stop == 0u) {
            continue;
        }
        let log_probability = logit - log_sum_exp;
        let unpenalised = select(log_probability, logit, sizes.beams == 1u);
        let score = select(unpenalised / penalty, unpenalised * penalty, unpenalised < 0.0);
        let candidate = Candidate(id, score, log_probability);
        let is_left = last.id == NONE || before(last, candidate);
        if (is_left && (found.id == NONE || before(candidate, found))) {
            found = candidate;
        }
    }
    return found;
}

@compute @workgroup_size(32, 1, 1)
fn main(@builtin(local_invocation_index) lane: u32) {
    var head = Candidate(NONE, 0.0, 0.0);
    if (lane == 0u) {
        taken = MOST_TEXTS; // every text looks for its first head
    }
    var running = 0u;
    for (var rank = 0u; rank < sizes.kept; rank++) {
        workgroupBarrier();
        let moves = rank == 0u || taken == lane;
        if (lane < sizes.texts && moves && (rank == 0u || head.id != NONE)) {
            head = candidate_after(lane, head);
            head_ids[lane] = head.id;
            head_sums[lane] = sums[lane] + select(head.score, head.log_probability, sizes.beams == 1u);
        }
        workgroupBarrier();
        if (lane == 0u) {
            var text = MOST_TEXTS;
            for (var other = 0u; other < sizes.texts; other++) {
                if (head_ids[other] != NONE && (text == MOST_TEXTS || head_sums[other] > head_sums[text])) {
                    text = other;
                }
            }
            taken = text;
            var parent = 0u;
            var id = 0;
            var sum = LEAST; // there is none
            if (text != MOST_TEXTS) {
                parent = text;
                id = head_ids[text];
                sum = head_sums[text];
            }
            let at = sizes.beams + 3u * rank;
            state[at] = f32(parent);
            state[at + 1u] = f32(id);
            state[at + 2u] = sum;
            if (running < sizes.beams && (sizes.beams == 1u || id != sizes.stop || sum == LEAST)) {
                state[running] = sum;
                next_parents[running] = parent;
                next_ids[running] = id;
                running++;
            }
        }
    }
    workgroupBarrier();
    if (lane >= sizes.beams) {
        return;
    }
    let parent = next_parents[lane];
    parents[lane] = i32(parent);
    ids[lane] = next_ids[lane];
    let first = lane * sizes.next_watched;
    if (sizes.next_watched == 1u) {
        next_watched[first] = sizes.stop;
        return;
    }
    for (var i = 0u; i < sizes.watched; i++) {
        next_watched[first + i] = watched[parent * sizes.watched + i];
    }
    next_watched[first + sizes.watched] = next_ids[lane];
}
