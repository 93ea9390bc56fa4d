//! What the program that lives histories is told, in words: the replay command of a failure is the same, written.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::{Options, Simulation};

/// Which histories, how large, and what is told of them. Read from words and written as words.
///
/// ```
/// use longshore_conformance::simulation::Arguments;
///
/// let line = "--seeds 7..8 --clients 2..=3 --faults 30 --trace";
/// let arguments = Arguments::parse(line.split(' '))?;
/// assert_eq!((arguments.seeds.clone(), arguments.options.clients, arguments.trace), (7..8, (2, 3), true));
/// assert_eq!(arguments.to_string(), line);
/// assert!(Arguments::parse(["--clients", "7"]).is_err(), "there are at most 6");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arguments {
    /// Which histories.
    pub seeds: Range<u64>,
    /// How large a history is.
    pub options: Options,
    /// Whether every step and every storage call of the first seed is shown.
    pub trace: bool,
}

impl Arguments {
    /// The histories of these seeds, with nothing unusual.
    pub fn new(seeds: Range<u64>) -> Self {
        Self { seeds, options: Options::default(), trace: false }
    }

    /// What these words say; without any, a thousand histories. An error is one line.
    pub fn parse(words: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, String> {
        let mut found = Self::new(0..1000);
        let mut words = words.into_iter().map(Into::into);
        while let Some(name) = words.next() {
            if name == "--trace" {
                found.trace = true;
            } else {
                let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
                found.set(&name, &value)?;
            }
        }
        Ok(found)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "--seeds" => self.seeds = seeds(value)?,
            "--clients" => self.options.clients = clients(value)?,
            "--operations" => self.options.operations = number(value)?,
            "--faults" => self.options.faults = number(value)?,
            "--tries" => self.options.tries = number(value)?,
            _ => return Err(format!("there is no argument {name}")),
        }
        Ok(())
    }

    /// The run that they ask for.
    pub fn simulation(&self) -> Simulation {
        Simulation::new(self.seeds.clone()).options(self.options.clone())
    }
}

impl fmt::Display for Arguments {
    /// Only what is not usual, but for the seeds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Options { clients, operations, faults, tries }, usual) = (&self.options, Options::default());
        write!(f, "--seeds {}..{}", self.seeds.start, self.seeds.end)?;
        if *clients != usual.clients {
            write!(f, " --clients {}..={}", clients.0, clients.1)?;
        }
        let numbers = [
            ("--operations", *operations, usual.operations),
            ("--faults", *faults, usual.faults),
            ("--tries", *tries, usual.tries),
        ];
        for (name, number, usual) in numbers {
            if number != usual {
                write!(f, " {name} {number}")?;
            }
        }
        f.write_str(if self.trace { " --trace" } else { "" })
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    if let Some((first, end)) = text.split_once("..") {
        return Ok(number(first)?..number(end)?);
    }
    let seed: u64 = number(text)?;
    let end = seed.checked_add(1).ok_or_else(|| format!("there is no history after that of seed {seed}"))?;
    Ok(seed..end)
}

fn clients(text: &str) -> Result<(usize, usize), String> {
    let (fewest, most) = text.split_once("..=").unwrap_or((text, text));
    let (fewest, most) = (number(fewest)?, number(most)?);
    if fewest < 1 || fewest > most || most > 6 {
        return Err(format!("--clients takes a number from 1 to 6, or two as in 2..=6, not {text}"));
    }
    Ok((fewest, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let options = Options::default();
        let all = [
            options.clone(),
            options.clone().clients(2, 2),
            options.clone().operations(7),
            options.clone().faults(0),
            options.clients(1, 6).operations(100).faults(3).tries(9),
        ];
        for (options, trace) in all.iter().flat_map(|options| [(options, true), (options, false)]) {
            let arguments = Arguments { options: options.clone(), trace, ..Arguments::new(3..9) };
            let text = arguments.to_string();
            assert_eq!(Arguments::parse(text.split(' ')), Ok(arguments), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_its_name() {
        for words in [
            &["--seeds"][..],
            &["--seeds", "x"],
            &["--seeds", "18446744073709551615"],
            &["--clients", "0"],
            &["--clients", "5..=2"],
            &["--clients", "2..6"],
            &["--faults", "-1"],
            &["--fault", "1"],
        ] {
            let why = Arguments::parse(words.iter().copied()).unwrap_err();
            assert!(words.iter().any(|word| why.contains(word)), "{words:?}: {why}");
        }
    }
}
