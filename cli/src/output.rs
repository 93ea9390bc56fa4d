//! Standard output: a reader that goes away early is no failure, a full disk is one, and neither is a panic.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Mutex;

use crate::exit::{Exit, Failure, Result};

/// Why standard output cannot be written any more, if it cannot.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints one line on standard output. Where it cannot be written, the work goes on, and [`check`] tells in the end.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::line(format_args!($($text)*))
    };
}
pub(crate) use say;

pub(crate) fn line(text: fmt::Arguments<'_>) {
    note(writeln!(io::stdout().lock(), "{text}"));
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    note(io::stdout().lock().write_all(bytes));
}

fn note(written: io::Result<()>) {
    if let (Err(error), Ok(mut failed)) = (written, FAILED.lock()) {
        failed.get_or_insert(error);
    }
}

/// Whether all that was printed arrived. A reader that closed its end, as `head` does, has what it wanted.
pub(crate) fn check() -> Result<()> {
    let flushed = io::stdout().flush();
    let failed = FAILED.lock().ok().and_then(|mut failed| failed.take());
    match failed.or(flushed.err()) {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let what = format!("cannot be written ({error}); what was asked for is done");
            Err(Failure::new(Exit::Failure, "standard output", what))
        }
        _ => Ok(()),
    }
}
