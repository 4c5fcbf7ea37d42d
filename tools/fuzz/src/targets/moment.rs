//! Times as text.

use std::time::{Duration, SystemTime};

use crate::input::text;

#[path = "../../../../core/src/given/fixture/moment.rs"]
#[allow(unreachable_pub, reason = "it is public where it is from")]
mod decoder;

pub(super) fn check(data: &[u8]) {
    let text = text(data);
    if let Some(time) = decoder::read(&text) {
        let written = decoder::write(time);
        assert_eq!(decoder::read(&written), Some(time), "{text:?}");
        // The day and the second are as they were; only a fraction may have more digits, or none.
        assert_eq!(text[..19], written[..19]);
    }
    let Some((seconds, rest)) = data.split_first_chunk::<8>() else { return };
    let Some((nanos, _)) = rest.split_first_chunk::<4>() else { return };
    // From the year 1 to the end of the year 9999.
    let seconds = u64::from_be_bytes(*seconds) % (9_999 * 31_556_952);
    let whole = Duration::new(seconds, u32::from_be_bytes(*nanos) % 1_000_000_000);
    let first = SystemTime::UNIX_EPOCH - Duration::from_secs(62_135_596_800);
    let written = decoder::write(first + whole);
    assert_eq!(decoder::read(&written), Some(first + whole), "{written}");
}
