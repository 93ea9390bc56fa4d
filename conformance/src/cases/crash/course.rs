//! What a sync calls, one after another, and where in it a process may be killed.

use crate::crash::{Moment, Place, is_local, is_write};

/// The calls of a sync, to the server and to the replica, as a child tells them that nobody killed.
pub(super) struct Course(Vec<String>);

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::During, Moment::After];

impl Course {
    /// `None` unless it asks the server at least twice: such a sync has no middle.
    pub(super) fn new(calls: Vec<String>) -> Option<Self> {
        let course = Self(calls);
        let (first, last) = (course.server().next()?, course.server().last()?);
        (first < last).then_some(course)
    }

    fn server(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len()).filter(|call| !is_local(&self.0[*call]))
    }

    /// The places after the first call of the server and before the last.
    pub(super) fn middle(&self) -> Vec<Place> {
        let (first, last) = self.ends();
        let inner = (first + 1..last).flat_map(|call| MOMENTS.map(|moment| place(call, moment)));
        [place(first, Moment::After)].into_iter().chain(inner).chain([place(last, Moment::Before)]).collect()
    }

    /// Those of them in a call that changes something, where there is most to lose; all where there is none.
    pub(super) fn writes(&self) -> Vec<Place> {
        let all = self.middle();
        let writes: Vec<Place> = all.iter().copied().filter(|place| is_write(&self.0[place.call])).collect();
        if writes.is_empty() { all } else { writes }
    }

    /// The places outside, most telling first: an acknowledgement is lost, or what it proves is not written down.
    pub(super) fn edges(&self) -> Vec<Place> {
        let (first, last) = self.ends();
        let acknowledged = (last + 1..self.0.len()).find(|call| is_write(&self.0[*call]));
        let unanswered = [place(last, Moment::After), place(last, Moment::During)];
        let unwritten = acknowledged.map(|call| place(call, Moment::During));
        let early = [place(first, Moment::Before), place(first, Moment::During)];
        unanswered.into_iter().chain(unwritten).chain(early).collect()
    }

    fn ends(&self) -> (usize, usize) {
        (self.server().next().unwrap_or(0), self.server().last().unwrap_or(0))
    }
}

fn place(call: usize, moment: Moment) -> Place {
    Place { call, moment }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(calls: &str) -> Option<Course> {
        Course::new(calls.split(' ').map(str::to_owned).collect())
    }

    #[test]
    fn its_middle_lies_between_the_calls_of_the_server() {
        let course = course("replica.load get replica.apply create replica.apply").unwrap();
        let middle = course.middle();
        assert_eq!((middle.first(), middle.last()), (Some(&place(1, Moment::After)), Some(&place(3, Moment::Before))));
        assert_eq!(middle.len(), 5);
        assert!(course.edges().iter().all(|edge| !middle.contains(edge)));
        assert!(course.edges().contains(&place(4, Moment::During)));
        let writes: Vec<usize> = course.writes().iter().map(|place| place.call).collect();
        assert_eq!(writes, [2, 2, 2, 3]);
    }

    #[test]
    fn one_call_has_no_middle() {
        assert!(course("replica.load get replica.apply").is_none());
    }
}
