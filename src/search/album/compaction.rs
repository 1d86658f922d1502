//! Getting rid of what deleted and replaced vectors have left in the file.

use super::{Album, BATCH, FEW, FORMAT, Start, json};
use crate::Result;
use crate::search::index::Index;
use crate::search::log::{Body, Kind};
use crate::search::store::Store;

impl<S: Store> Album<S> {
    /// Whether a good part of the file is of no use any more, or is in many small pieces.
    pub fn wants_compaction(&self) -> bool {
        let Some(index) = &self.index else {
            return false;
        };
        let (_, records) = self.log.length();
        let dead = index.total() - index.len();
        dead > index.len().max(FEW) || records > (index.len() / 16 + 2 * FEW) as u64
    }

    /// Writes what there is to another, empty file, in the same order and with the same codes, and
    /// opens that.
    pub fn compact_into<T: Store>(&self, store: T) -> Result<Album<T>> {
        let mut compact = Album::open(store, self.model.clone())?;
        compact.maker = self.maker.clone();
        let Some(index) = &self.index else {
            return Ok(compact);
        };
        let start = Start {
            format: FORMAT,
            width: index.width(),
            model: self.origin(),
        };
        let body = Body {
            keys: json(&start)?,
            ..Body::default()
        };
        compact.log.append(Kind::Start, 0, &body)?;
        compact.index = Some(Index::new(index.width()));
        let rows: Vec<u32> = index.live().map(|(row, _)| row).collect();
        for rows in rows.chunk_by(|a, b| index.run_of(*a) == index.run_of(*b)) {
            compact.write_centre(index.centre_of(index.run_of(rows[0])).to_vec())?;
            for rows in rows.chunks(BATCH) {
                self.copy(rows, &mut compact)?;
            }
        }
        Ok(compact)
    }

    fn copy<T: Store>(&self, rows: &[u32], to: &mut Album<T>) -> Result<()> {
        let (Some(index), Some(compact)) = (&self.index, &mut to.index) else {
            return Ok(());
        };
        let keys = rows.iter().filter_map(|row| index.key(*row));
        let keys: Vec<String> = keys.map(|key| key.to_string()).collect();
        let mut body = Body {
            keys: json(&keys)?,
            codes: rows.iter().flat_map(|row| index.code(*row)).collect(),
            vectors: Vec::new(),
        };
        self.each_of(rows, |_, bytes| body.vectors.extend_from_slice(bytes))?;
        let head = to.log.append(Kind::Add, keys.len(), &body)?;
        compact.insert(keys, &body.codes, head.vectors_at())
    }
}
