// The best continuations of all texts, and which of them go on. One workgroup: all invocations score the
// candidates; then one for each text looks for its best candidate that was not taken yet, and the first
// one takes the best of all texts.

@group(0) @binding(0) var<storage, read_write> best: array<f32>;
@group(0) @binding(1) var<storage, read_write> watched: array<i32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<f32>;
@group(0) @binding(4) var<storage, read_write> parents: array<i32>;
@group(0) @binding(5) var<storage, read_write> ids: array<i32>;
@group(0) @binding(6) var<storage, read_write> next_watched: array<i32>;
// Of each candidate of each text, after the processors: LEAST for those that may not come.
@group(0) @binding(7) var<storage, read_write> scores: array<f32>;

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
    no_repeat_ngram_size: u32,
}
@group(0) @binding(8) var<uniform> sizes: Sizes;

const MOST_TEXTS = 32u;
const LANES = 256u;
const NONE = -1;
const LEAST = -3.4028234663852886e38;

struct Candidate {
    id: i32,
    score: f32,
    place: u32,
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

// Whether the text has the tokens already that would be its last ones with `id` behind it, as many as
// may not come twice.
fn completes_repetition(text: u32, id: i32) -> bool {
    let size = sizes.no_repeat_ngram_size;
    if (size == 0u || sizes.watched - 1u < size) {
        return false;
    }
    let first = text * sizes.watched + 1u;
    let end = (text + 1u) * sizes.watched + 1u - size;
    for (var run = first; run + size <= (text + 1u) * sizes.watched; run++) {
        var same = watched[run + size - 1u] == id;
        for (var i = 0u; same && i + 1u < size; i++) {
            same = watched[run + i] == watched[end + i];
        }
        if (same) {
            return true;
        }
    }
    return false;
}

// Where the text's numbers begin in `best`.
fn row(text: u32) -> u32 {
    return text * (2u * sizes.top + sizes.watched + 1u);
}

// The token of a text's candidate: the likeliest come first, then the watched ones.
fn token(text: u32, place: u32) -> i32 {
    if (place < sizes.top) {
        return i32(best[row(text) + sizes.top + place]);
    }
    return watched[text * sizes.watched + place - sizes.top];
}

fn logit(text: u32, place: u32) -> f32 {
    return best[row(text) + select(sizes.top + place, place, place < sizes.top)];
}

fn log_probability(text: u32, place: u32) -> f32 {
    return logit(text, place) - best[row(text) + 2u * sizes.top + sizes.watched];
}

fn score(text: u32, place: u32) -> f32 {
    let id = token(text, place);
    let is_stop = place == sizes.top;
    // Tokens that come again as watched ones count there.
    if ((place < sizes.top && has(text, id, 0u)) || (is_stop && has(text, id, 1u))) {
        return LEAST;
    }
    if ((id == sizes.stop && sizes.may_stop == 0u) || completes_repetition(text, id)) {
        return LEAST;
    }
    let penalty = select(1.0, sizes.repetition_penalty, place > sizes.top);
    let unpenalised = select(log_probability(text, place), logit(text, place), sizes.beams == 1u);
    return select(unpenalised / penalty, unpenalised * penalty, unpenalised < 0.0);
}

// Whether candidate a comes before candidate b: larger score first, lower token first among equals.
fn before(a: Candidate, b: Candidate) -> bool {
    return a.score > b.score || (a.score == b.score && a.id < b.id);
}

// The text's best candidate behind `last`, or its best one if that is none.
fn candidate_after(text: u32, last: Candidate) -> Candidate {
    let count = sizes.top + sizes.watched;
    var found = Candidate(NONE, LEAST, 0u);
    for (var place = 0u; place < count; place++) {
        let score = scores[text * count + place];
        if (score == LEAST) {
            continue;
        }
        let candidate = Candidate(token(text, place), score, place);
        let is_left = last.id == NONE || before(last, candidate);
        if (is_left && (found.id == NONE || before(candidate, found))) {
            found = candidate;
        }
    }
    return found;
}

// What a candidate adds to its text's sum.
fn added(text: u32, candidate: Candidate) -> f32 {
    if (sizes.beams == 1u) {
        return log_probability(text, candidate.place);
    }
    return candidate.score;
}

@compute @workgroup_size(LANES, 1, 1)
fn main(@builtin(local_invocation_index) lane: u32) {
    let count = sizes.top + sizes.watched;
    for (var i = lane; i < sizes.texts * count; i += LANES) {
        scores[i] = score(i / count, i % count);
    }
    storageBarrier();
    var head = Candidate(NONE, 0.0, 0u);
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
            head_sums[lane] = sums[lane] + added(lane, head);
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
