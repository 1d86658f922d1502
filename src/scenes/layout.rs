//! Where things go. Every layout gives each thing a cell of its own, so that nothing hides anything;
//! within its cell a thing has a free size and place.

use rand::Rng;

use super::facts::Bounds;

/// No thing is smaller: 23 pixels of 96.
pub const SMALLEST: f32 = 0.24;
/// The side of the pictures, in pixels, that these shares were chosen for.
const SIDE: f32 = 96.0;
const LARGEST: f32 = 0.92;
/// Between things that do not touch lie at least two of these.
const INSET: f32 = 0.02;

/// Width and height of a drawing, of which the longer is 1.
pub type Shape = (f32, f32);

/// The things of a scene by kind: one shape for each thing of each kind.
pub type Kinds = [Vec<Shape>];

/// A place for every thing, in the order of `kinds`, in a picture of `side` pixels.
pub fn arrange(kinds: &Kinds, side: u32, rng: &mut impl Rng) -> Vec<Bounds> {
    match kinds {
        [only] if only.len() == 1 => vec![fit_single(only[0], side, rng)],
        [only] => spread(only, whole(), rng),
        [first, second] if first.len() == 1 && second.len() == 1 => pair(first[0], second[0], rng),
        [first, second] => beside(first, second, rng),
        [first, second, third] => three(&[first, second, third].map(|kind| kind[0]), rng),
        _ => quarters(&kinds.iter().flatten().copied().collect::<Vec<_>>(), rng),
    }
}

fn whole() -> Bounds {
    Bounds {
        left: 0.0,
        top: 0.0,
        width: 1.0,
        height: 1.0,
    }
}

/// A thing alone is small, middling or large equally often, but in a small picture no smaller in
/// pixels than in others.
fn fit_single(shape: Shape, side: u32, rng: &mut impl Rng) -> Bounds {
    let smallest = (SMALLEST * SIDE / side as f32).min(LARGEST);
    let extent = match rng.random_range(0..3) {
        0 => rng.random_range(SMALLEST..0.31),
        1 => rng.random_range(0.31..0.44),
        _ => rng.random_range(0.44..LARGEST),
    };
    place(shape, extent.max(smallest), inset(&whole()), rng)
}

/// Two things: side by side, one above the other, or one on the other.
fn pair(first: Shape, second: Shape, rng: &mut impl Rng) -> Vec<Bounds> {
    match rng.random_range(0..10) {
        0..2 => on(first, second, rng),
        2..6 => level(first, second, rng),
        _ => {
            // The same, seen sideways: the second lies under the first.
            let turned = level((first.1, first.0), (second.1, second.0), rng);
            turned.iter().map(turn).collect()
        }
    }
}

fn turn(bounds: &Bounds) -> Bounds {
    Bounds {
        left: bounds.top,
        top: bounds.left,
        width: bounds.height,
        height: bounds.width,
    }
}

/// Side by side, at about the same height.
fn level(first: Shape, second: Shape, rng: &mut impl Rng) -> Vec<Bounds> {
    let cut = rng.random_range(0.42..0.58);
    let cells = [strip(0.0, cut), strip(cut, 1.0)];
    let extents = [(cells[0], first), (cells[1], second)]
        .map(|(cell, shape)| extent_within(&cell, shape, rng));
    let tallest = (extents[0] * first.1).max(extents[1] * second.1);
    let middle =
        rng.random_range(tallest / 2.0 + INSET..1.0 - tallest / 2.0 - INSET + f32::EPSILON);
    let mut cells = cells.into_iter().zip(extents);
    [first, second]
        .into_iter()
        .zip(cells.by_ref())
        .map(|(shape, (cell, extent))| {
            let mut bounds = place(shape, extent, cell, rng);
            let shift = rng.random_range(-0.04..0.04);
            bounds.top = (middle - bounds.height / 2.0 + shift).clamp(0.0, 1.0 - bounds.height);
            bounds
        })
        .collect()
}

/// A column of the picture, from `left` to `right`, with room to the next.
fn strip(left: f32, right: f32) -> Bounds {
    let mut cell = inset(&Bounds {
        left,
        width: right - left,
        ..whole()
    });
    // Wider than elsewhere: what stands apart must not be taken for what touches.
    cell.left += INSET;
    cell.width -= 2.0 * INSET;
    cell
}

/// The first stands on the second, which is at least as wide as half of it.
fn on(first: Shape, second: Shape, rng: &mut impl Rng) -> Vec<Bounds> {
    let upper = rng.random_range(SMALLEST..0.45);
    let lower = rng.random_range(0.34..0.5);
    let (upper_width, upper_height) = (upper * first.0, upper * first.1);
    let (lower_width, lower_height) = (lower * second.0, lower * second.1);
    let middle_from = upper_width.max(lower_width) / 2.0;
    let middle = rng.random_range(middle_from..1.0 - middle_from);
    let top = rng.random_range(0.0..1.0 - upper_height - lower_height);
    let bounds = |top, width, height| Bounds {
        left: middle - width / 2.0,
        top,
        width,
        height,
    };
    vec![
        bounds(top, upper_width, upper_height),
        bounds(top + upper_height, lower_width, lower_height),
    ]
}

/// Two kinds with several things: each kind in a half of its own.
fn beside(first: &[Shape], second: &[Shape], rng: &mut impl Rng) -> Vec<Bounds> {
    let halves = halves(rng.random());
    let mut bounds = spread(first, halves[0], rng);
    bounds.extend(spread(second, halves[1], rng));
    bounds
}

fn halves(upright: bool) -> [Bounds; 2] {
    let half = |start| Bounds {
        left: start,
        width: 0.5,
        ..whole()
    };
    match upright {
        true => [turn(&half(0.0)), turn(&half(0.5))],
        false => [half(0.0), half(0.5)],
    }
}

/// Things of one kind, all of one size, over a part of the picture.
fn spread(shapes: &[Shape], part: Bounds, rng: &mut impl Rng) -> Vec<Bounds> {
    let cells = cells(shapes.len(), &part, rng);
    let room = cells
        .iter()
        .map(|cell| cell.width.min(cell.height))
        .fold(1.0, f32::min);
    let extent = rng.random_range(SMALLEST..room.max(SMALLEST + 0.01));
    let places = shapes.iter().zip(cells);
    places
        .map(|(shape, cell)| place(*shape, extent, cell, rng))
        .collect()
}

/// `count` cells: in a line along the longer side, or in quarters where the part is square.
fn cells(count: usize, part: &Bounds, rng: &mut impl Rng) -> Vec<Bounds> {
    let square = part.width == part.height;
    if square && (count == 4 || rng.random_bool(0.4)) {
        let mut quarters = grid(part, 2, 2);
        while quarters.len() > count {
            quarters.remove(rng.random_range(0..quarters.len()));
        }
        return quarters;
    }
    match part.width > part.height || square && rng.random() {
        true => grid(part, count, 1),
        false => grid(part, 1, count),
    }
}

fn grid(part: &Bounds, columns: usize, rows: usize) -> Vec<Bounds> {
    let (width, height) = (part.width / columns as f32, part.height / rows as f32);
    (0..rows * columns)
        .map(|position| {
            inset(&Bounds {
                left: part.left + (position % columns) as f32 * width,
                top: part.top + (position / columns) as f32 * height,
                width,
                height,
            })
        })
        .collect()
}

/// Three kinds: in a row, in a column, or two beside each other and the third across from both.
fn three(shapes: &[Shape; 3], rng: &mut impl Rng) -> Vec<Bounds> {
    let upright = rng.random();
    if rng.random_bool(0.5) {
        let cells = if upright {
            grid(&whole(), 1, 3)
        } else {
            grid(&whole(), 3, 1)
        };
        return fill(shapes, &cells, rng);
    }
    let [near, far] = halves(upright);
    let (both, alone) = if rng.random() {
        (near, far)
    } else {
        (far, near)
    };
    let mut cells = if upright {
        grid(&both, 2, 1)
    } else {
        grid(&both, 1, 2)
    };
    cells.push(inset(&alone));
    fill(shapes, &cells, rng)
}

fn quarters(shapes: &[Shape], rng: &mut impl Rng) -> Vec<Bounds> {
    fill(shapes, &grid(&whole(), 2, 2), rng)
}

fn fill(shapes: &[Shape], cells: &[Bounds], rng: &mut impl Rng) -> Vec<Bounds> {
    let places = shapes.iter().zip(cells);
    places
        .map(|(shape, cell)| {
            let extent = extent_within(cell, *shape, rng);
            place(*shape, extent, *cell, rng)
        })
        .collect()
}

fn inset(cell: &Bounds) -> Bounds {
    Bounds {
        left: cell.left + INSET,
        top: cell.top + INSET,
        width: cell.width - 2.0 * INSET,
        height: cell.height - 2.0 * INSET,
    }
}

/// A size that fits into the cell.
fn extent_within(cell: &Bounds, shape: Shape, rng: &mut impl Rng) -> f32 {
    let largest = (cell.width / shape.0).min(cell.height / shape.1).min(0.6);
    rng.random_range(SMALLEST..largest.max(SMALLEST + 0.01))
}

/// Somewhere within the cell.
fn place(shape: Shape, extent: f32, cell: Bounds, rng: &mut impl Rng) -> Bounds {
    let (width, height) = (extent * shape.0, extent * shape.1);
    let mut within = |start: f32, room: f32| start + rng.random::<f32>() * room.max(0.0);
    Bounds {
        left: within(cell.left, cell.width - width),
        top: within(cell.top, cell.height - height),
        width,
        height,
    }
}
