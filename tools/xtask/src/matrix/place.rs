//! Where the tests can run.

use std::fmt;

/// What is promised, oldest first.
const MAJORS: [u16; 4] = [15, 16, 17, 18];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A private server of this major version.
    Major(u16),
    /// A server in a container of Docker.
    Container,
}

impl Place {
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        if word == "container" {
            return Ok(Self::Container);
        }
        let major = word.parse().ok().filter(|major| MAJORS.contains(major));
        major.map(Self::Major).ok_or_else(|| {
            let known: Vec<String> = every_place().iter().map(ToString::to_string).collect();
            format!("`{word}` is no place; there are {}", known.join(", "))
        })
    }
}

pub(crate) fn every_place() -> Vec<Place> {
    MAJORS.map(Place::Major).into_iter().chain([Place::Container]).collect()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Major(major) => write!(f, "{major}"),
            Self::Container => f.write_str("container"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for place in every_place() {
            assert_eq!(Place::parse(&place.to_string()), Ok(place));
        }
        let refused = Place::parse("14").expect_err("too old");
        assert_eq!(refused, "`14` is no place; there are 15, 16, 17, 18, container");
    }
}
