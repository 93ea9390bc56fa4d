//! All that is logged, and what must not be in it.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use log::{LevelFilter, Metadata, Record};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

/// All that this process logs: of every crate and at every level, spans too, through `tracing` and through `log`.
///
/// ```
/// use longshore_http_script::Log;
///
/// let log = Log::capture().unwrap();
/// assert!(Log::capture().is_err(), "a process has one");
/// assert_eq!(log.text(), "");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Listens from now on. Of one process only one can.
    pub fn capture() -> io::Result<Self> {
        let log = Self::default();
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(log.clone())
            .try_init()
            .map_err(io::Error::other)?;
        log::set_boxed_logger(Box::new(log.clone())).map_err(io::Error::other)?;
        log::set_max_level(LevelFilter::Trace);
        Ok(log)
    }

    /// What was logged until now.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// The first line that holds this secret: as it is, in hex, with escapes as in an address, or in base64 with anything before and
    /// after it.
    pub fn holding(&self, secret: &str) -> Option<String> {
        let forms = forms(secret);
        let holds = |line: &&str| forms.iter().any(|form| line.contains(form.as_str()));
        self.text().lines().find(holds).map(str::to_owned)
    }

    fn write(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }
}

fn forms(secret: &str) -> Vec<String> {
    let (mut hex, mut escaped) = (String::new(), String::new());
    for byte in secret.bytes() {
        let _ = write!(hex, "{byte:02x}");
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let _ = if plain { write!(escaped, "{}", byte as char) } else { write!(escaped, "%{byte:02X}") };
    }
    let mut forms = vec![secret.to_owned(), hex, escaped];
    for before in 0..3 {
        let text = base64(&[&vec![0; before], secret.as_bytes()].concat());
        // What is next to it is in its first and its last character.
        let inner = text[(before * 8).div_ceil(6)..text.len() - 1].to_owned();
        forms.push(inner.replace('+', "-").replace('/', "_"));
        forms.push(inner);
    }
    forms
}

/// Without padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number =
            three.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        (0..=three.len()).for_each(|at| text.push(char::from(DIGITS[number >> (18 - 6 * at) & 63])));
    }
    text
}

impl log::Log for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.write(format!("{} {} {}\n", record.level(), record.target(), record.args()).as_bytes());
    }

    fn flush(&self) {}
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::write(self, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_all_its_forms() {
        assert_eq!(base64(b"Aladdin:open sesame"), "QWxhZGRpbjpvcGVuIHNlc2FtZQ");
        for line in [
            "an open/sesame!",
            "open%2Fsesame",
            "Basic QWxhZGRpbjpvcGVuL3Nlc2FtZQ==",
            "6f70656e2f736573616d65",
            &base64(b"me:open/sesame"),
            &base64(b"a:open/sesame@"),
            &base64(b"you:open/sesame, and more"),
        ] {
            let log = Log::default();
            log.write(format!("first\n{line}\nlast\n").as_bytes());
            assert_eq!(log.holding("open/sesame").as_deref(), Some(line));
            assert_eq!(log.holding("open/sEsame"), None, "{line}");
        }
    }
}
