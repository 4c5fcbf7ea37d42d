//! Which stream is next: for callers that know the versions, and for those that want a new one.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// A range of accounts whose streams are all at one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    pub first: i64,
    pub count: i64,
    pub version: u64,
}

impl Accounts {
    /// All of them, for one caller.
    pub fn share(self) -> Share {
        Share::new(self, 0, 1)
    }

    /// Each of so many callers' own part, in turn; of no more callers than there are streams.
    pub fn shares(self, callers: usize) -> Vec<Share> {
        let step = i64::try_from(callers).unwrap_or(i64::MAX).clamp(1, self.count.max(1));
        (0..step).map(|place| Share::new(self, place, step)).collect()
    }
}

/// The streams of one caller, and the version that each is at.
#[derive(Debug)]
pub struct Share {
    first: i64,
    step: i64,
    versions: Vec<u64>,
    at: usize,
    // Prime to the number of streams: all are met before one comes again, neighbours far apart.
    stride: usize,
}

impl Share {
    fn new(accounts: Accounts, place: i64, step: i64) -> Self {
        let count = (accounts.count - place + step - 1) / step;
        let count = usize::try_from(count).unwrap_or(0).max(1);
        Self {
            first: accounts.first + place,
            step,
            versions: vec![accounts.version; count],
            at: 0,
            stride: stride(count),
        }
    }

    /// The account that is next, and the version of its stream.
    pub fn next(&self) -> (i64, u64) {
        let version = self.versions.get(self.at).copied().unwrap_or(0);
        (self.first + i64::try_from(self.at).unwrap_or(0) * self.step, version)
    }

    /// One event was appended to it: go on to another.
    pub fn advance(&mut self) {
        if let Some(version) = self.versions.get_mut(self.at) {
            *version += 1;
        }
        self.at = (self.at + self.stride) % self.versions.len();
    }
}

/// Streams that nobody has appended to since they were filled, for whoever takes them first.
#[derive(Clone, Debug)]
pub struct Untouched(Arc<Mutex<Range>>);

#[derive(Debug)]
struct Range {
    accounts: Accounts,
    taken: usize,
}

impl Untouched {
    pub fn new(accounts: Accounts) -> Self {
        Self(Arc::new(Mutex::new(Range { accounts, taken: 0 })))
    }

    /// The next account. When all were taken they come again.
    pub fn take(&self) -> i64 {
        let mut range = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = usize::try_from(range.accounts.count).unwrap_or(0).max(1);
        let place = range.taken % count * stride(count) % count;
        range.taken += 1;
        range.accounts.first + i64::try_from(place).unwrap_or(0)
    }

    pub fn left(&self) -> i64 {
        let range = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        range.accounts.count.saturating_sub_unsigned(range.taken as u64).max(0)
    }

    /// Goes on with others.
    pub fn replace(&self, accounts: Accounts) {
        let mut range = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *range = Range { accounts, taken: 0 };
    }
}

/// A number prime to the count, at about three fifths of it.
fn stride(count: usize) -> usize {
    let near = count.saturating_mul(618) / 1_000;
    (near.max(1)..).find(|stride| greatest_divisor(*stride, count) == 1).unwrap_or(1)
}

fn greatest_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ACCOUNTS: Accounts = Accounts { first: 100, count: 50, version: 3 };

    #[test]
    fn callers_share_all_streams_and_meet_none_twice() {
        let mut met = BTreeSet::new();
        for mut share in ACCOUNTS.shares(7) {
            for _ in 0..share.versions.len() {
                let (account, version) = share.next();
                assert_eq!(version, 3);
                assert!(met.insert(account), "{account}");
                share.advance();
            }
            assert_eq!(share.next().1, 4);
        }
        assert_eq!(met, (100..150).collect());
    }

    #[test]
    fn untouched_streams_are_given_once_until_all_are_taken() {
        let untouched = Untouched::new(ACCOUNTS);
        let met: BTreeSet<i64> = (0..50).map(|_| untouched.take()).collect();
        assert_eq!(met, (100..150).collect());
        assert_eq!(untouched.left(), 0);
        assert!(met.contains(&untouched.take()));
        untouched.replace(Accounts { first: 0, count: 2, version: 1 });
        assert_eq!(untouched.left(), 2);
    }
}
