//! The keys of the rows that an event touches.

/// The keys of the rows that an event touches: none, one or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys<K>(Vec<K>);

impl<K> Keys<K> {
    /// The event touches no row.
    #[must_use]
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// The event touches one row.
    #[must_use]
    pub fn one(key: K) -> Self {
        Self(vec![key])
    }

    /// The event touches each of these rows; a key that comes twice is touched once.
    #[must_use]
    pub fn each(keys: impl IntoIterator<Item = K>) -> Self
    where
        K: PartialEq,
    {
        let mut each = Vec::new();
        for key in keys {
            if !each.contains(&key) {
                each.push(key);
            }
        }
        Self(each)
    }
}

impl<K> IntoIterator for Keys<K> {
    type Item = K;
    type IntoIter = std::vec::IntoIter<K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K> From<Option<K>> for Keys<K> {
    fn from(key: Option<K>) -> Self {
        Self(key.into_iter().collect())
    }
}

impl<K: PartialEq, const N: usize> From<[K; N]> for Keys<K> {
    fn from(keys: [K; N]) -> Self {
        Self::each(keys)
    }
}
