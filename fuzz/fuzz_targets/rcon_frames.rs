//! What a game server sends, in pieces of any length.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use votive::rcon::frame::{BadLength, Frame};

/// A reply is cut at 4096 characters of at most three bytes (contract/rcon.md).
const LONGEST_PAYLOAD: usize = 12_288;

// The first byte says how long the pieces are.
fuzz_target!(|data: &[u8]| {
    let [piece, wire @ ..] = data else { return };
    let read = decode([wire]);
    assert_eq!(read, decode(wire.chunks(usize::from(*piece) + 1)), "the pieces make a difference");

    let (frames, rest) = read;
    let mut left = wire;
    for frame in &frames {
        assert!(frame.payload.len() <= LONGEST_PAYLOAD);
        let encoded = frame.encode();
        // Nobody looks at the two bytes that end a frame.
        let end = encoded.len() - 2;
        assert_eq!(encoded[..end], left[..end], "a frame is not what stood in its place");
        left = &left[encoded.len()..];
        assert_eq!(decode([&encoded[..]]), (vec![frame.clone()], Ok(BytesMut::new())));
    }
    match rest {
        Ok(rest) => {
            assert_eq!(rest, left, "bytes got lost");
            assert!(
                length(left).is_none_or(|length| is_possible(length) && left.len() < 4 + length as usize)
            );
        }
        Err(BadLength(bad)) => assert!(length(left) == Some(bad) && !is_possible(bad)),
    }
});

/// What the next frame claims for its length.
fn length(wire: &[u8]) -> Option<i32> {
    wire.first_chunk().copied().map(i32::from_le_bytes)
}

fn is_possible(length: i32) -> bool {
    (10..=10 + LONGEST_PAYLOAD as i32).contains(&length)
}

/// Every frame that came in these pieces, and what is left of them or why no more can be read.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Result<BytesMut, BadLength>) {
    let (mut frames, mut received) = (Vec::new(), BytesMut::new());
    for piece in pieces {
        received.extend_from_slice(piece);
        loop {
            match Frame::decode(&mut received) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, Ok(received))
}
