//! The protocol of PostgreSQL, as the proxy of the torture hears it.

#[path = "../../../torture/src/proxy/talk.rs"]
#[allow(dead_code, reason = "it is used where it is from")]
mod decoder;

use decoder::{Answers, Talk, Work};

/// What was heard: the bytes passed on, what each message asks for, and whether it broke off.
type Heard = (Vec<u8>, Vec<(bool, Option<Work>)>, bool);

/// The first byte says in pieces of which size the rest comes; it makes no difference.
pub(super) fn check(data: &[u8]) {
    let Some((&size, bytes)) = data.split_first() else { return };
    let size = usize::from(size).max(1);
    let whole = heard(bytes, usize::MAX);
    assert!(bytes.starts_with(&whole.0), "what is passed on is what came");
    assert_eq!(heard(bytes, size), whole);
    assert_eq!(answers(bytes, size), answers(bytes, usize::MAX));
    assert_eq!(greetings(bytes, size), greetings(bytes, usize::MAX));
}

fn heard(bytes: &[u8], size: usize) -> Heard {
    let mut talk = Talk::default();
    let mut heard = Heard::default();
    for piece in bytes.chunks(size) {
        talk.hear(piece);
        loop {
            match talk.message() {
                Ok(Some(message)) => {
                    heard.0.extend(&message.bytes);
                    heard.1.push((message.asks, message.work));
                }
                Ok(None) => break,
                Err(_) => {
                    heard.2 = true;
                    return heard;
                }
            }
        }
    }
    heard
}

fn answers(bytes: &[u8], size: usize) -> (usize, bool) {
    let mut answers = Answers::default();
    bytes.chunks(size).for_each(|piece| answers.hear(piece));
    (answers.ended, answers.in_transaction)
}

fn greetings(bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
    let mut talk = Talk::default();
    let mut packets = Vec::new();
    for piece in bytes.chunks(size) {
        talk.hear(piece);
        while let Ok(Some((_, packet))) = talk.greeting() {
            packets.push(packet);
        }
    }
    packets
}
