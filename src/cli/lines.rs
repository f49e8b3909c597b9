//! Lines of JSON, as the daemon sends them.

/// Pieces of text become whole lines.
#[derive(Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// The lines that are whole with another piece, each with its end.
    pub(super) fn add(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        self.unfinished.extend_from_slice(piece);
        let end = self.unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.unfinished.split_off(end);
        let whole = std::mem::replace(&mut self.unfinished, rest);
        whole.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }
}
