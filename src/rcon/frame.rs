//! One RCON frame: little-endian `length, id, kind, payload, 0, 0` (contract/rcon.md).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The kind of a login.
pub const LOGIN: i32 = 3;
/// The kind of a command; a server answers a login with it as well.
pub const COMMAND: i32 = 2;
/// The kind of a reply.
pub const REPLY: i32 = 0;
/// The id that answers a login that was refused, or a command after a login that has expired.
pub const REFUSED_ID: i32 = -1;

/// `id`, `kind` and the two zeros: what the length counts beside the payload.
const OVERHEAD: usize = 10;
/// A reply is cut at 4096 characters, each at most three bytes in the game's encoding.
const LONGEST_PAYLOAD: usize = 3 * 4096;

/// A frame, either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Chosen by the client; the server repeats it.
    pub id: i32,
    /// [`LOGIN`], [`COMMAND`] or [`REPLY`].
    pub kind: i32,
    /// Text, usually UTF-8.
    pub payload: Bytes,
}

/// A frame that claims an impossible length: the other side does not speak RCON, or the stream is out of step.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("a frame claims a length of {0} bytes, which no RCON server sends")]
pub struct BadLength(pub i32);

impl Frame {
    /// A frame with a text in it.
    pub fn new(id: i32, kind: i32, text: impl Into<Bytes>) -> Self {
        Frame { id, kind, payload: text.into() }
    }

    /// The frame as it goes over the wire, to be written at once: vanilla does not put split frames together.
    pub fn encode(&self) -> Bytes {
        let mut wire = BytesMut::with_capacity(4 + OVERHEAD + self.payload.len());
        // Payloads are at most 12,288 bytes, so the length fits.
        wire.put_i32_le((OVERHEAD + self.payload.len()) as i32);
        wire.put_i32_le(self.id);
        wire.put_i32_le(self.kind);
        wire.put_slice(&self.payload);
        wire.put_slice(&[0, 0]);
        wire.freeze()
    }

    /// Takes the first frame out of `received`, if it is there in full.
    ///
    /// # Errors
    /// [`BadLength`] where the length is outside 10..=12298; nothing is reserved for it.
    pub fn decode(received: &mut BytesMut) -> Result<Option<Frame>, BadLength> {
        let Some(mut header) = received.get(..4) else {
            return Ok(None);
        };
        let length = header.get_i32_le();
        let body = match usize::try_from(length) {
            Ok(body) if (OVERHEAD..=OVERHEAD + LONGEST_PAYLOAD).contains(&body) => body,
            _ => return Err(BadLength(length)),
        };
        if received.len() < 4 + body {
            return Ok(None);
        }
        received.advance(4);
        let mut frame = received.split_to(body).freeze();
        let (id, kind) = (frame.get_i32_le(), frame.get_i32_le());
        frame.truncate(frame.len() - 2);
        Ok(Some(Frame { id, kind, payload: frame }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_the_wire_in_any_pieces() {
        let frames = [
            Frame::new(7, COMMAND, "list"),
            Frame::new(-1, REPLY, ""),
            Frame::new(i32::MAX, 9, "ж".repeat(6144)),
        ];
        let wire: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        for piece in [1, 3, 14, 4096, wire.len()] {
            let mut received = BytesMut::new();
            let mut decoded = Vec::new();
            for bytes in wire.chunks(piece) {
                received.extend_from_slice(bytes);
                while let Some(frame) = Frame::decode(&mut received).unwrap() {
                    decoded.push(frame);
                }
            }
            assert_eq!(decoded, frames);
        }
    }

    #[test]
    fn a_hostile_length_is_refused_at_once() {
        for length in [i32::MIN, -1, 0, 9, 12299, i32::MAX] {
            let mut received = BytesMut::from(&length.to_le_bytes()[..]);
            assert_eq!(Frame::decode(&mut received), Err(BadLength(length)));
        }
    }

    #[test]
    fn the_wire_form_of_the_fact_sheet() {
        let wire = Frame::new(1, LOGIN, "pw").encode();
        assert_eq!(&wire[..], [12, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, b'p', b'w', 0, 0]);
    }
}
