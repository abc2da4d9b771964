//! What several rounds say together.

use serde::{Deserialize, Serialize};

/// The middle of several values and how far they lie apart.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// A quarter of the values is below this.
    pub(crate) lower: f64,
    /// A quarter of the values is above this.
    pub(crate) upper: f64,
}

impl Spread {
    /// Of values that are numbers; `None` of no value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 2)?,
            min: *sorted.first()?,
            max: *sorted.last()?,
            lower: quantile(&sorted, 1)?,
            upper: quantile(&sorted, 3)?,
        })
    }
}

/// The value below which so many quarters of the others lie; between two of them, in proportion.
fn quantile(sorted: &[f64], quarters: usize) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? * quarters;
    let (below, above) = (sorted.get(place / 4)?, sorted.get(place.div_ceil(4))?);
    let part = (place % 4) as f64 / 4.0;
    Some(below + (above - below) * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        let spread = Spread::of([5.0, 1.0, 3.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (3.0, 1.0, 5.0));
        assert_eq!((spread.lower, spread.upper), (2.0, 4.0));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(
            Spread::of([7.0]).unwrap(),
            Spread { median: 7.0, min: 7.0, max: 7.0, lower: 7.0, upper: 7.0 }
        );
    }

    #[test]
    fn what_is_no_number_does_not_count() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN, f64::INFINITY]), None);
        assert_eq!(Spread::of([f64::NAN, 2.0]).unwrap().median, 2.0);
    }
}
