//! A unified diff of a page with texts put in. Where they go is known, so nothing has to be compared.

use super::edit::splice;
use super::with_slashes;
use std::ops::Range;
use std::path::Path;

/// Lines around a change.
const CONTEXT: usize = 3;

/// As `patch -p1` and `git apply` take it.
pub fn unified(path: &Path, bytes: &[u8], inserts: &[(usize, String)]) -> Vec<u8> {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let changes = changed_lines(&lines, inserts);
    let path = with_slashes(path);
    let mut diff = format!("--- a/{path}\n+++ b/{path}\n").into_bytes();
    for hunk in hunks(&changes, lines.len()) {
        let (first, count) = (hunk.start + 1, hunk.len());
        diff.extend(format!("@@ -{first},{count} +{first},{count} @@\n").bytes());
        let mut place = hunk.start;
        while place < hunk.end {
            place = block(&lines, &changes, place, hunk.end, &mut diff);
        }
    }
    diff
}

/// A line that changes, and what it becomes.
struct Change {
    line: usize,
    becomes: Vec<u8>,
}

fn changed_lines(lines: &[&[u8]], inserts: &[(usize, String)]) -> Vec<Change> {
    let mut changes = Vec::new();
    let (mut start, mut rest) = (0, inserts);
    for (line, bytes) in lines.iter().enumerate() {
        let end = start + bytes.len();
        let here = rest.partition_point(|(place, _)| *place < end);
        if here > 0 {
            let inside = rest[..here].iter();
            let inside: Vec<_> = inside
                .map(|(place, text)| (place - start, text.clone()))
                .collect();
            let becomes = splice(bytes, &inside);
            changes.push(Change { line, becomes });
        }
        rest = &rest[here..];
        start = end;
    }
    changes
}

/// Ranges of lines around changes; those that meet are one.
fn hunks(changes: &[Change], lines: usize) -> Vec<Range<usize>> {
    let mut hunks: Vec<Range<usize>> = Vec::new();
    for Change { line, .. } in changes {
        let around = line.saturating_sub(CONTEXT)..(line + CONTEXT + 1).min(lines);
        match hunks.last_mut() {
            Some(last) if last.end >= around.start => last.end = around.end,
            _ => hunks.push(around),
        }
    }
    hunks
}

/// An unchanged line, or changed ones that follow each other: all of the old before all of the new. Where it ends.
fn block(
    lines: &[&[u8]],
    changes: &[Change],
    start: usize,
    end: usize,
    diff: &mut Vec<u8>,
) -> usize {
    let first = changes.partition_point(|change| change.line < start);
    let run = (start..end).zip(&changes[first..]);
    let run = run
        .take_while(|(line, change)| *line == change.line)
        .count();
    if run == 0 {
        push(diff, b' ', lines[start]);
        return start + 1;
    }
    for line in &lines[start..start + run] {
        push(diff, b'-', line);
    }
    for change in &changes[first..first + run] {
        push(diff, b'+', &change.becomes);
    }
    start + run
}

fn push(diff: &mut Vec<u8>, mark: u8, line: &[u8]) {
    diff.push(mark);
    diff.extend_from_slice(line);
    if !line.ends_with(b"\n") {
        diff.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}
