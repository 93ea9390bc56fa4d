//! Which case catches which mistake.

use std::collections::BTreeSet;
use std::fmt;

use longshore_conformance::{Case, Group, Suite};

use super::judge::{Cell, Judged};

/// A mistake, and what each case that ran made of it.
pub(crate) struct Row {
    /// What is wrong.
    pub(crate) name: String,
    /// Cases that must catch it.
    pub(crate) caught_by: Vec<&'static str>,
    pub(crate) judged: Vec<Judged>,
}

/// Every mistake, and what each case made of it.
#[derive(Default)]
pub(crate) struct Matrix {
    pub(crate) rows: Vec<Row>,
}

impl Matrix {
    /// What is wrong with the suite or the table, one line each: both ways, for the cases of these groups.
    pub(crate) fn complaints(&self, groups: &[Group]) -> Vec<String> {
        let mut complaints: Vec<String> = self.rows.iter().flat_map(Row::missed).collect();
        let caught = self.catching();
        let idle =
            Suite::cases().into_iter().filter(|case| groups.contains(&case.group()) && !caught.contains(case.name()));
        complaints.extend(idle.map(|case| format!("no mistake is caught by {}", case.name())));
        complaints
    }

    fn catching(&self) -> BTreeSet<&str> {
        let judged = self.rows.iter().flat_map(|row| &row.judged);
        judged.filter(|judged| judged.cell == Cell::Caught).map(|judged| judged.case.as_str()).collect()
    }
}

impl Row {
    /// The cases that should have caught this one and did not.
    pub(crate) fn missed(&self) -> Vec<String> {
        if self.caught_by.is_empty() {
            return vec![format!("{}: names no case that must catch it", self.name)];
        }
        let missed = |case: &&str| match self.find(case) {
            Some(judged) if judged.cell == Cell::Caught => None,
            Some(judged) => Some(format!("{}: {case}: {:?} {}", self.name, judged.cell, judged.seen)),
            None => Some(format!("{}: {case} was not run", self.name)),
        };
        self.caught_by.iter().filter_map(missed).collect()
    }

    /// The failures, one line each.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = self.judged.iter().filter(|judged| matches!(judged.cell, Cell::Caught | Cell::Beside));
        failed.map(|judged| format!("{}: {}: {}", self.name, judged.case, judged.seen)).collect()
    }

    fn find(&self, case: &str) -> Option<&Judged> {
        self.judged.iter().find(|judged| judged.case == case)
    }

    fn mark(&self, case: &str) -> char {
        match self.find(case).map_or(Cell::Ignored, |judged| judged.cell) {
            Cell::Passed => '.',
            Cell::Ignored => '-',
            Cell::Beside => 'o',
            Cell::Caught if self.caught_by.contains(&case) => 'X',
            Cell::Caught => 'x',
        }
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run: BTreeSet<&str> =
            self.rows.iter().flat_map(|row| &row.judged).map(|judged| judged.case.as_str()).collect();
        let columns: Vec<&str> = Suite::cases().iter().map(Case::name).filter(|name| run.contains(name)).collect();
        writeln!(f, "x: caught, X: caught as the table says, o: fails beside the point, -: not run\n")?;
        for (at, name) in columns.iter().enumerate() {
            writeln!(f, "{:3} {name}", at + 1)?;
        }
        let digits = |of: fn(usize) -> usize| (1..=columns.len()).map(|at| of(at).to_string()).collect::<String>();
        writeln!(f, "\n{:56} {}\n{:56} {}", "", digits(|at| at / 10 % 10), "", digits(|at| at % 10))?;
        for row in &self.rows {
            let cells: String = columns.iter().map(|name| row.mark(name)).collect();
            writeln!(f, "{:56} {cells}", row.name)?;
        }
        writeln!(f, "\n{} mistakes, {} cases", self.rows.len(), columns.len())
    }
}
