//! Sorting by a text, and gathering in order.
//!
//! The standard library's sorts, and the collecting of a map or a set, which sorts first, are 5 kB of machine code for
//! each type that they are used on. What is sorted here is short, and nearly always by a path: one sort serves all.

/// Sorts `items` by the text of each; those with the same text stay in their order.
pub(crate) fn by_text<T>(items: &mut Vec<T>, text: impl Fn(&T) -> &str) {
    let mut order: Vec<(&str, usize)> = items.iter().enumerate().map(|(index, item)| (text(item), index)).collect();
    sort(&mut order);
    let order: Vec<usize> = order.into_iter().map(|(_, index)| index).collect();
    let mut unordered: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    items.extend(order.into_iter().filter_map(|index| unordered.get_mut(index)?.take()));
}

/// The one sort.
#[inline(never)]
fn sort(order: &mut [(&str, usize)]) {
    order.sort_unstable();
}

/// Collects by inserting one after the other.
pub(crate) fn gathered<T, C: Default + Extend<T>>(items: impl IntoIterator<Item = T>) -> C {
    let mut collection = C::default();
    collection.extend(items);
    collection
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(items in prop::collection::vec(("[ab]{0,2}", any::<u8>()), 0..40)) {
            let (mut sorted, mut expected) = (items.clone(), items.clone());
            by_text(&mut sorted, |item| &item.0);
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(sorted, expected);
            let map: BTreeMap<String, u8> = gathered(items.clone());
            prop_assert_eq!(map, items.into_iter().collect::<BTreeMap<_, _>>());
        }
    }
}
