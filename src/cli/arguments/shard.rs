//! One of several parts of many pictures, for several processes or machines.

/// One of several parts of the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: u64,
    pub count: u64,
}

impl Shard {
    /// All of them.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether the picture at this place is one of the part's.
    pub fn holds(self, place: u64) -> bool {
        place % self.count == self.index
    }
}

/// Reads I/N.
pub fn parse_shard(text: &str) -> std::result::Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(index, count)| {
        let numbers: (u64, u64) = (index.parse().ok()?, count.parse().ok()?);
        (1..=numbers.1).contains(&numbers.0).then_some(numbers)
    });
    match numbers {
        Some((index, count)) => Ok(Shard {
            index: index - 1,
            count,
        }),
        None => Err("expected I/N, I from 1 to N, as in 2/4".to_string()),
    }
}
