//! Accuracy of answers, as the VQA v2 challenge's evaluation computes it (Goyal et al. 2017;
//! `vqaEval.py` of the official repository).

/// Annotators of a question in VQA v2.
const ANNOTATORS: usize = 10;

/// How many other annotators have to agree for full marks.
const AGREEING: f64 = 3.0;

const PUNCTUATION: [char; 21] = [
    ';', '/', '[', ']', '"', '{', '}', '(', ')', '=', '+', '\\', '_', '-', '>', '<', '@', '`', ',',
    '?', '!',
];

const ARTICLES: [&str; 3] = ["a", "an", "the"];

#[rustfmt::skip]
const NUMBERS: [&str; 11] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
];

/// Short forms that get back a forgotten apostrophe; where there are two, one may be missing.
/// No more than the evaluation knows: `lets`, `im` and `shes` stay as they are.
#[rustfmt::skip]
const CONTRACTIONS: [&str; 92] = [
    "ain't", "aren't", "can't", "could've", "couldn't", "couldn't've", "didn't", "doesn't", "don't",
    "hadn't", "hadn't've", "hasn't", "haven't", "he'd", "he'd've", "he's", "how'd", "how'll",
    "how's", "isn't", "it'd", "it'd've", "it'll", "ma'am", "mightn't", "mightn't've", "might've",
    "mustn't", "must've", "needn't", "not've", "o'clock", "oughtn't", "'ow's'at", "shan't",
    "she'd've", "should've", "shouldn't", "shouldn't've", "somebody'd've", "somebody'll",
    "somebody's", "someone'd", "someone'd've", "someone'll", "someone's", "something'd",
    "something'd've", "something'll", "that's", "there'd", "there'd've", "there're", "there's",
    "they'd", "they'd've", "they'll", "they're", "they've", "'twas", "wasn't", "we'd've", "we've",
    "weren't", "what'll", "what're", "what's", "what've", "when's", "where'd", "where's",
    "where've", "who'd", "who'd've", "who'll", "who's", "who've", "why'll", "why're", "why's",
    "won't", "would've", "wouldn't", "wouldn't've", "y'all", "y'all'll", "y'all'd've", "you'd",
    "you'd've", "you'll", "you're", "you've",
];

/// An answer without what does not matter: case, punctuation, articles, the spelling of small
/// numbers, forgotten apostrophes.
pub fn normalize(answer: &str) -> String {
    let text = without_punctuation(answer.trim()).to_lowercase();
    let words = text.split_whitespace().map(small_number);
    let words = words.filter(|word| !ARTICLES.contains(&word.as_str()));
    let words: Vec<String> = words.map(with_apostrophe).collect();
    words.join(" ")
}

/// Are the two the same answer?
pub fn exact_match(answer: &str, truth: &str) -> bool {
    normalize(answer) == normalize(truth)
}

/// What an answer is worth, in 0..=1.
///
/// Ten given answers are ten annotators: the mean, over the ten ways to leave one out, of
/// min(n / 3, 1), where n of the other nine gave this answer. As in the official evaluation, the
/// texts are normalised only where the annotators disagree. Any other number of given answers are
/// alternatives, each of them right.
pub fn accuracy(answer: &str, given: &[String]) -> f64 {
    if given.len() == ANNOTATORS {
        return agreement(answer, given);
    }
    let right = given.iter().any(|truth| exact_match(answer, truth));
    f64::from(u8::from(right))
}

fn agreement(answer: &str, given: &[String]) -> f64 {
    let given: Vec<String> = given.iter().map(|text| one_line(text)).collect();
    let unanimous = given.iter().all(|text| *text == given[0]);
    let matches: Vec<bool> = if unanimous {
        vec![one_line(answer) == given[0]; ANNOTATORS]
    } else {
        let answer = normalize(&one_line(answer));
        given.iter().map(|text| normalize(text) == answer).collect()
    };
    let count = matches.iter().filter(|matched| **matched).count();
    let without = |left_out: &bool| (count - usize::from(*left_out)) as f64;
    let worth = matches
        .iter()
        .map(|left_out| (without(left_out) / AGREEING).min(1.0));
    super::mean(worth)
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\t'], " ").trim().to_owned()
}

/// A mark next to a space goes, and every mark of a text with a thousands separator; any other
/// becomes a space. Full stops go, except before a digit.
fn without_punctuation(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let separated = characters
        .windows(3)
        .any(|window| matches!(window, [a, ',', b] if a.is_numeric() && b.is_numeric()));
    let mut plain = text.to_owned();
    for mark in PUNCTUATION {
        let beside_space = text.contains(&format!("{mark} ")) || text.contains(&format!(" {mark}"));
        let with = if beside_space || separated { "" } else { " " };
        plain = plain.replace(mark, with);
    }
    let mut rest = plain.chars().peekable();
    let mut kept = String::with_capacity(plain.len());
    while let Some(character) = rest.next() {
        if character != '.' || rest.peek().is_some_and(|next| next.is_numeric()) {
            kept.push(character);
        }
    }
    kept
}

fn small_number(word: &str) -> String {
    match NUMBERS.iter().position(|number| *number == word) {
        Some(value) => value.to_string(),
        None if word == "none" => "0".to_owned(),
        None => word.to_owned(),
    }
}

fn with_apostrophe(word: String) -> String {
    if word == "somebody'd" {
        return "somebodyd".to_owned(); // sic
    }
    let known = CONTRACTIONS
        .iter()
        .find(|full| lacks_one_apostrophe(&word, full));
    known.map_or(word.clone(), |full| (*full).to_owned())
}

fn lacks_one_apostrophe(word: &str, full: &str) -> bool {
    let shorter = word.len() + 1 == full.len();
    shorter
        && full.match_indices('\'').any(|(place, mark)| {
            let (before, after) = (&full[..place], &full[place + mark.len()..]);
            word.strip_prefix(before) == Some(after)
        })
}
