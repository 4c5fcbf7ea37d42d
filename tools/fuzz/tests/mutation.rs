//! Inputs made of other inputs.

use fastrand::Rng;

/// No longer than this: a test has a second.
const BYTES_MAX: usize = 4_096;

/// What decoders stumble over.
const PIECES: &[&[u8]] = &[
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b"-",
    b"/",
    b"%2F",
    b"%25",
    b"%",
    b":",
    b"@",
    b"?",
    b"=",
    b"&",
    b"|",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[[[[[[[[[[[[[[[",
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"0.30000000000000004",
    b"18446744073709551616",
    b"340282366920938463463374607431768211456",
    b"\"type\":",
    b"{\"a\":1,\"a\":2}",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\xff",
    b"\xf0\x9f\x98\x80",
];

/// One to four changes of one of the inputs.
pub(crate) fn of(inputs: &[(String, Vec<u8>)], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = rng.choice(inputs).map(|(_, bytes)| bytes.clone()).unwrap_or_default();
    bytes.truncate(BYTES_MAX);
    for _ in 0..rng.usize(1..=4) {
        change(&mut bytes, inputs, rng);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, inputs: &[(String, Vec<u8>)], rng: &mut Rng) {
    let from = rng.usize(..=bytes.len());
    let to = (from + rng.usize(..16)).min(bytes.len());
    match rng.u32(..6) {
        0 => bytes[from..to].iter_mut().for_each(|byte| *byte = rng.u8(..)),
        1 => drop(bytes.splice(from..to, [])),
        2 => {
            let part = bytes[from..to].to_vec();
            bytes.splice(from..from, part);
        }
        3 if from < to => bytes[from] ^= 1 << rng.u32(..8),
        4 => {
            let other = rng.choice(inputs).map_or(&[][..], |(_, other)| other);
            let start = rng.usize(..=other.len());
            let end = (start + rng.usize(..64)).min(other.len());
            bytes.splice(from..to, other[start..end].iter().copied());
        }
        _ => {
            let piece = rng.choice(PIECES).copied().unwrap_or_default();
            bytes.splice(from..to, piece.iter().copied());
        }
    }
}
