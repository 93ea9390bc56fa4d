//! Where HTTP/1.1 messages begin and end (RFC 9112, section 6).

/// The longest head that is kept: of one that goes on, the rest is counted and not read.
const MOST: usize = 64 << 10;

/// What follows on a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes, also none.
    Sized(u64),
    Chunked,
    /// Everything up to the end of the connection.
    Rest,
}

impl Body {
    /// Of a request with this head.
    pub(super) fn of_request(head: &Head) -> Self {
        head.body().unwrap_or(Self::Sized(0))
    }

    /// Of an answer with this head to a request by this method.
    pub(super) fn of_answer(head: &Head, method: &str) -> Self {
        if method == "HEAD" || matches!(head.status(), 100..200 | 204 | 304) {
            return Self::Sized(0);
        }
        head.body().unwrap_or(Self::Rest)
    }
}

/// A head as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head(String);

impl Head {
    /// The words of the first line: method and target, or version and status.
    pub(super) fn word(&self, number: usize) -> &str {
        self.0.lines().next().and_then(|line| line.split(' ').nth(number)).unwrap_or_default()
    }

    /// Of an answer; 0 if there is none.
    pub(super) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or(0)
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// What its fields say.
    fn body(&self) -> Option<Body> {
        let coding = self.field("transfer-encoding").map(str::to_ascii_lowercase);
        if coding.is_some_and(|coding| coding.ends_with("chunked")) {
            return Some(Body::Chunked);
        }
        Some(Body::Sized(self.field("content-length")?.parse().ok()?))
    }
}

/// What the bytes of a piece made whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    /// A head; [`Messages::expect`] has to be told what follows on it.
    Head(Head),
    /// A whole message.
    End,
}

/// One direction of a connection: message after message.
#[derive(Debug, Default)]
pub(super) struct Messages {
    within: Within,
    /// The line, or the head, so far.
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Head,
    Sized(u64),
    ChunkSize,
    /// With the end of its line.
    Chunk(u64),
    Trailer,
    Rest,
}

impl Messages {
    /// Whether the next byte begins a message.
    pub(super) fn is_between(&self) -> bool {
        self.within == Within::Head && self.text.is_empty()
    }

    /// What follows on the head that was just seen.
    pub(super) fn expect(&mut self, body: Body) {
        self.within = match body {
            Body::Sized(0) => Within::Head,
            Body::Sized(left) => Within::Sized(left),
            Body::Chunked => Within::ChunkSize,
            Body::Rest => Within::Rest,
        };
    }

    /// Takes bytes in, up to the next thing of note: how many, and that.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, Seen) {
        match self.within {
            Within::Head => {
                let Some(taken) = self.text_to(bytes, b"\r\n\r\n") else { return (bytes.len(), Seen::Nothing) };
                (taken, Seen::Head(Head(self.line())))
            }
            Within::Sized(left) => self.counted(bytes, left, Within::Sized, Within::Head),
            Within::Chunk(left) => self.counted(bytes, left, Within::Chunk, Within::ChunkSize),
            Within::ChunkSize => {
                let Some(taken) = self.text_to(bytes, b"\r\n") else { return (bytes.len(), Seen::Nothing) };
                let line = self.line();
                let size = line.split(';').next().and_then(|size| u64::from_str_radix(size.trim(), 16).ok());
                self.within = match size {
                    Some(0) => Within::Trailer,
                    Some(size) => Within::Chunk(size.saturating_add(2)),
                    None => Within::Rest,
                };
                (taken, Seen::Nothing)
            }
            Within::Trailer => {
                let Some(taken) = self.text_to(bytes, b"\r\n") else { return (bytes.len(), Seen::Nothing) };
                let last = self.line().trim().is_empty();
                self.within = if last { Within::Head } else { Within::Trailer };
                (taken, if last { Seen::End } else { Seen::Nothing })
            }
            Within::Rest => (bytes.len(), Seen::Nothing),
        }
    }

    fn counted(&mut self, bytes: &[u8], left: u64, more: fn(u64) -> Within, then: Within) -> (usize, Seen) {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - taken as u64;
        self.within = if left == 0 { then } else { more(left) };
        (taken, if self.within == Within::Head { Seen::End } else { Seen::Nothing })
    }

    /// How many bytes there are up to the end of this text, which may have begun before; `None`: it goes on.
    fn text_to(&mut self, bytes: &[u8], end: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.text.len() == MOST {
                self.text.drain(..MOST / 2);
            }
            self.text.push(*byte);
            if self.text.ends_with(end) {
                return Some(at + 1);
            }
        }
        None
    }

    fn line(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first lines of these answers, each with how many bytes the whole has; in pieces of this size.
    fn answers(bytes: &[u8], piece: usize, method: &str) -> Vec<(u16, usize)> {
        let (mut messages, mut all, mut len, mut status) = (Messages::default(), Vec::new(), 0, 0);
        for mut bytes in bytes.chunks(piece) {
            while !bytes.is_empty() {
                let (taken, seen) = messages.take(bytes);
                (bytes, len) = (&bytes[taken..], len + taken);
                if let Seen::Head(head) = &seen {
                    status = head.status();
                    messages.expect(Body::of_answer(head, method));
                }
                if messages.is_between() {
                    all.push((status, len));
                    len = 0;
                }
            }
        }
        all
    }

    #[test]
    fn messages_end_where_they_say() {
        let sized = "HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\n\r\n\r\n\r\n!";
        let chunked = "HTTP/1.1 201 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n\
                       3;x=y\r\n\r\n0\r\n0\r\nA: b\r\n\r\n";
        let empty = "HTTP/1.1 204 No Content\r\n\r\n";
        let text = format!("{sized}{chunked}{empty}{sized}");
        let expected = [(200, sized.len()), (201, chunked.len()), (204, empty.len()), (200, sized.len())];
        for piece in 1..=text.len() {
            assert_eq!(answers(text.as_bytes(), piece, "GET"), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n";
        assert_eq!(answers(text.as_bytes(), 7, "HEAD").len(), 2);
        let text = "HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nHTTP/1.1 304 No\r\n\r\n";
        assert_eq!(answers(text.as_bytes(), 7, "GET").len(), 2);
    }

    #[test]
    fn a_body_without_a_length_never_ends() {
        assert!(answers(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 5, "GET").is_empty());
        assert!(answers(b"no HTTP at all", 5, "GET").is_empty());
    }

    #[test]
    fn a_head_without_end_takes_little_memory() {
        let mut messages = Messages::default();
        assert_eq!(messages.take(&vec![b'a'; 3 * MOST]), (3 * MOST, Seen::Nothing));
        assert!(messages.text.len() <= MOST);
    }
}
