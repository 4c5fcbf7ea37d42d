//! Slices: a fixed division of all streams into 1,024 parts, by the name of the stream.

/// How many slices there are. Fixed for ever: stored events carry their slice.
pub const SLICES: u16 = 1024;

/// The slice of a stream (by its name, without the tenant) or of a record key.
///
/// The formula is Kafka's default placement, so a log of up to 1,024 partitions, a power of two,
/// keeps its keys where a Kafka topic would.
#[must_use]
pub fn slice_of(key: &[u8]) -> u16 {
    let positive = murmur2(key) & 0x7fff_ffff;
    u16::try_from(positive % u32::from(SLICES)).unwrap_or(0)
}

/// Austin Appleby's `MurmurHash2` with the seed that Kafka's clients use.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    // Kafka mixes in the length as a 32-bit integer; a longer key than that can't exist here.
    let mut h = SEED ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word);
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * index);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

/// The slices `s` with `s mod modulus = remainder`: the share of one checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SliceClass {
    modulus: u16,
    remainder: u16,
}

impl SliceClass {
    /// All slices: the only class of a view that is not divided.
    pub const ALL: Self = Self { modulus: 1, remainder: 0 };

    /// A class. `None` unless the modulus is a power of two up to 1,024 and the remainder below it.
    #[must_use]
    pub fn new(modulus: u16, remainder: u16) -> Option<Self> {
        let fits = modulus.is_power_of_two() && modulus <= SLICES && remainder < modulus;
        fits.then_some(Self { modulus, remainder })
    }

    /// Every class of a modulus, in order. Empty for a modulus that is none.
    pub fn all(modulus: u16) -> impl Iterator<Item = Self> {
        (0..modulus).filter_map(move |remainder| Self::new(modulus, remainder))
    }

    /// The class of this modulus that a key falls into.
    #[must_use]
    pub fn of_key(modulus: u16, key: &[u8]) -> Option<Self> {
        Self::new(modulus, slice_of(key).checked_rem(modulus)?)
    }

    /// Into how many classes the slices are divided.
    #[must_use]
    pub fn modulus(self) -> u16 {
        self.modulus
    }

    /// Which of them this is, counted from 0.
    #[must_use]
    pub fn remainder(self) -> u16 {
        self.remainder
    }
}

impl std::fmt::Display for SliceClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.remainder, self.modulus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_the_vectors_of_kafkas_own_tests() {
        let vectors: [(&[u8], i32); 7] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"", 275_646_681),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key), hash.cast_unsigned(), "{key:?}");
        }
    }

    #[test]
    fn every_key_falls_into_exactly_one_class_of_each_modulus() {
        for key in ["account-1", "stock-85123A", "ä", ""] {
            for modulus in [1, 4, 16, 1024] {
                let class = SliceClass::of_key(modulus, key.as_bytes()).unwrap();
                assert_eq!(SliceClass::all(modulus).filter(|c| *c == class).count(), 1);
            }
        }
        assert_eq!(SliceClass::new(3, 0), None);
        assert_eq!(SliceClass::new(4, 4), None);
        assert_eq!(SliceClass::of_key(0, b"x"), None);
    }
}
