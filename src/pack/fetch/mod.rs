//! Bringing the files of a pack to this machine: over HTTP, from a folder, out of an archive, or as files that a person
//! holds in hand.
//!
//! Everything arrives beside its place under the name `<file>.part` and moves there only when size and sha256 are those of
//! the manifest, so a pack never holds half or foreign bytes. Nothing here decides about licences or asks anybody; `cli`
//! does, before it calls. Called by `cli`; blocks.

mod archive;
mod error;
mod http;
mod import;
mod part;
mod pull;

pub use error::FetchError;
pub use import::{Destination, Imported, Placed, import, wanted_by};
pub use pull::{Origin, Outcome, Pulled, pull};

/// How far a file has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    pub file: &'a str,
    pub bytes: u64,
    pub of_bytes: u64,
}

/// Who wants to know.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress<'_>);
