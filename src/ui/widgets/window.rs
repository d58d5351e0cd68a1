//! Which part of a list is visible: always the part around the selection.

use std::ops::Range;

/// The items that are visible in `room` rows when each takes as many rows as `heights`
/// says. The selection stands in the middle where that leaves no room unused.
pub fn visible(heights: &[usize], selected: usize, room: usize) -> Range<usize> {
    if heights.is_empty() || room == 0 {
        return 0..0;
    }
    let selected = selected.min(heights.len() - 1);
    let mut range = selected..selected + 1;
    let mut used = heights[selected];
    // Grow by turns, first upwards, as long as the next item fits.
    loop {
        let above = range.start.checked_sub(1).filter(|at| used + heights[*at] <= room);
        if let Some(at) = above {
            used += heights[at];
            range.start = at;
        }
        let below = Some(range.end)
            .filter(|at| heights.get(*at).is_some_and(|height| used + height <= room));
        if let Some(at) = below {
            used += heights[at];
            range.end = at + 1;
        }
        if above.is_none() && below.is_none() {
            return range;
        }
    }
}

/// The same for a list whose items take one row each.
pub fn around(selected: usize, total: usize, room: usize) -> Range<usize> {
    let start = selected.saturating_sub(room / 2).min(total.saturating_sub(room));
    start..(start + room).min(total)
}

/// What of a list is visible, in words; nothing where all of it is.
pub fn note(range: &Range<usize>, total: usize) -> Option<String> {
    (!range.is_empty() && range.len() < total)
        .then(|| format!("rows {}-{} of {total}", range.start + 1, range.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_is_always_visible() {
        for total in 1..12 {
            for room in 1..9 {
                for selected in 0..total {
                    let range = around(selected, total, room);
                    assert!(range.contains(&selected), "{selected} of {total} in {room}");
                    assert_eq!(range.len(), room.min(total));
                    let heights: Vec<usize> = (0..total).map(|at| 1 + at % 2).collect();
                    let range = visible(&heights, selected, room);
                    assert!(range.contains(&selected), "{selected} of {total} in {room}");
                    let used: usize = heights[range.clone()].iter().sum();
                    assert!(used <= room || range.len() == 1);
                }
            }
        }
    }

    #[test]
    fn without_room_nothing_is_visible() {
        assert_eq!(visible(&[1, 1], 0, 0), 0..0);
        assert_eq!(visible(&[], 3, 5), 0..0);
        assert_eq!(around(5, 3, 2), 1..3);
        assert_eq!(around(0, 0, 4), 0..0);
    }
}
