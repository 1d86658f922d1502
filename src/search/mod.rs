//! Search among a million pictures, in a tab: vectors with keys, in one file, and a scan over short
//! codes of all of them that leaves a few thousand to compare exactly. Nothing here knows models or
//! JavaScript; the file is behind the trait [`Store`].
//!
//! ```text
//! vectors -Rotation, Coder-> 100 bytes each -Blocks-> memory        (512 numbers)
//!         -f16-------------> Log -> Store                           (1,024 bytes each)
//! query   -Coder-> tables -Blocks::scan-> candidates -exact products, read from the Store-> the nearest
//! ```
//!
//! - [`album`]: adding, deleting, searching; start here.
//! - [`codes`], [`rotation`], [`scan`], [`index`]: what is in memory.
//! - [`log`], [`store`], [`vectors`]: what is in the file.
//! - [`identity`]: whose vectors these are; [`npy`]: how they come and go (natively as Parquet files, too).
//!
//! Why a scan and no graph (HNSW) or lists (IVF): a scan needs no training and no building, takes
//! new and forgets deleted vectors at once, misses nothing because of where it started, and a
//! million vectors take it some hundredths of a second. Beyond that, export to a vector database.

pub mod album;
pub mod codes;
pub mod identity;
pub mod index;
pub mod log;
pub mod npy;
pub mod rotation;
pub mod scan;
pub mod store;
pub mod vectors;

pub use album::{Album, Found};
pub use identity::{Identity, PROBE_TEXT};
pub use store::Store;
#[cfg(not(target_arch = "wasm32"))]
pub use store::disk::FileStore;

#[cfg(test)]
mod tests;
