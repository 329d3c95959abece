//! Follows the brackets and strings of JSON, in pieces, without recursion.
//!
//! Everything about structure is checked here (what may follow what, which bracket closes which), so that a
//! missing brace or quote is noticed where it happens and not at the end of the file. What a number or a literal
//! looks like, and whether bytes are UTF-8, is left to the parse that follows. It is never stricter than that
//! parse: what a parser accepts has the end that is found here.

const LOW: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
const BACKSLASHES: u64 = u64::from_le_bytes([b'\\'; 8]);

/// How far a walk came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// The value ended before this index.
    Ended(usize),
    /// The byte at this index cannot stand there.
    Broken(usize),
    /// The bytes ended first.
    More,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    FirstItem,
    FirstKey,
    Key,
    Colon,
    After,
    Text { is_key: bool },
    Escape { is_key: bool },
    Scalar,
}

/// A walk over one JSON value; goes on where the last piece ended.
#[derive(Debug)]
pub(super) struct Walker {
    state: State,
    nest: Nest,
}

impl Default for Walker {
    fn default() -> Self {
        Walker { state: State::Value, nest: Nest::default() }
    }
}

impl Walker {
    /// Begins anew, at a value.
    pub(super) fn reset(&mut self) {
        self.state = State::Value;
        self.nest.clear();
    }

    /// Walks over the next piece.
    pub(super) fn walk(&mut self, bytes: &[u8]) -> Walk {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::Text { is_key } => {
                    at = text_end(bytes, at);
                    match bytes.get(at) {
                        None => return Walk::More,
                        Some(b'\\') => {
                            self.state = State::Escape { is_key };
                            at += 1;
                        }
                        Some(_) => {
                            at += 1;
                            if is_key {
                                self.state = State::Colon;
                            } else if self.value_ended() {
                                return Walk::Ended(at);
                            }
                        }
                    }
                }
                State::Escape { is_key } => {
                    self.state = State::Text { is_key };
                    at += 1;
                }
                State::Scalar => {
                    if !ends_scalar(byte) {
                        at += 1;
                    } else if self.value_ended() {
                        return Walk::Ended(at);
                    }
                }
                _ if is_space(byte) => at += 1,
                _ => match self.structural(byte) {
                    Some(is_over) => {
                        at += 1;
                        if is_over {
                            return Walk::Ended(at);
                        }
                    }
                    None => return Walk::Broken(at),
                },
            }
        }
        Walk::More
    }

    /// Takes one byte outside strings and scalars; whether the value is over, `None` where it cannot stand.
    #[inline(always)]
    fn structural(&mut self, byte: u8) -> Option<bool> {
        match (self.state, byte) {
            (State::After, b',') => {
                self.state = if self.nest.is_in_object() { State::Key } else { State::Value };
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::Key | State::FirstKey, b'"') => self.state = State::Text { is_key: true },
            (State::Value | State::FirstItem, _) if opens(byte) => self.open(byte),
            (State::FirstKey, b'}') | (State::FirstItem, b']') => {
                self.nest.pop();
                return Some(self.value_ended());
            }
            (State::After, b'}') if self.nest.is_in_object() => {
                self.nest.pop();
                return Some(self.value_ended());
            }
            (State::After, b']') if !self.nest.is_in_object() => {
                self.nest.pop();
                return Some(self.value_ended());
            }
            _ => return None,
        }
        Some(false)
    }

    #[inline(always)]
    fn open(&mut self, byte: u8) {
        self.state = match byte {
            b'"' => State::Text { is_key: false },
            b'{' => {
                self.nest.push(true);
                State::FirstKey
            }
            b'[' => {
                self.nest.push(false);
                State::FirstItem
            }
            _ => State::Scalar,
        };
    }

    #[inline(always)]
    fn value_ended(&mut self) -> bool {
        self.state = State::After;
        self.nest.depth == 0
    }
}

#[inline(always)]
fn opens(byte: u8) -> bool {
    !matches!(byte, b'}' | b']' | b',' | b':')
}

#[inline(always)]
fn ends_scalar(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b':' | b'"' | b'{' | b'[') || is_space(byte)
}

/// Whether JSON takes a byte for white space.
#[inline(always)]
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\t' | b'\r')
}

/// The index of the next quote or backslash, or the length.
#[inline(always)]
pub(super) fn text_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|b| b.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let (quote, slash) = (word ^ QUOTES, word ^ BACKSLASHES);
        // The lowest marked byte is exact: a borrow can only mark bytes above a true match.
        let hits = (quote.wrapping_sub(LOW) & !quote | slash.wrapping_sub(LOW) & !slash) & HIGH;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = &bytes[at.min(bytes.len())..];
    at + rest.iter().position(|b| matches!(b, b'"' | b'\\')).unwrap_or(rest.len())
}

/// Which brackets are open: one bit a level, so that a bomb of brackets costs an eighth of its bytes.
#[derive(Debug, Default)]
struct Nest {
    top: u64,
    below: Vec<u64>,
    depth: usize,
}

impl Nest {
    fn clear(&mut self) {
        self.below.clear();
        (self.top, self.depth) = (0, 0);
    }

    #[inline(always)]
    fn push(&mut self, is_object: bool) {
        if self.depth != 0 && self.depth.is_multiple_of(64) {
            self.below.push(self.top);
        }
        self.top = self.top << 1 | u64::from(is_object);
        self.depth += 1;
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.depth -= 1;
        self.top >>= 1;
        if self.depth != 0 && self.depth.is_multiple_of(64) {
            self.top = self.below.pop().unwrap_or(0);
        }
    }

    #[inline(always)]
    fn is_in_object(&self) -> bool {
        self.top & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(json: &[u8]) -> Walk {
        Walker::default().walk(json)
    }

    #[test]
    fn a_value_ends_where_its_last_bracket_closes() {
        assert_eq!(walk(br#"{"a":[1,{"b":"}]\""}],"c":null} ,"#), Walk::Ended(31));
        assert_eq!(walk(b"[] x"), Walk::Ended(2));
        assert_eq!(walk(b" 12,"), Walk::Ended(3));
        assert_eq!(walk(br#"{"a":"\\"}"#), Walk::Ended(10));
    }

    #[test]
    fn a_missing_brace_or_quote_is_noticed_at_once() {
        for json in [
            &br#"{"a":{"b":1},{"a":2}"#[..],
            br#"{"a":"x,"b":1}"#,
            br#"{"a":[1}"#,
            br#"{"a" 1}"#,
            br#"{,}"#,
            br#"{"a":1,}"#,
            br#"[1,]"#,
            br#"{"a":1"b":2}"#,
        ] {
            assert!(matches!(walk(json), Walk::Broken(_)), "{}", String::from_utf8_lossy(json));
        }
    }

    #[test]
    fn pieces_of_any_size_give_the_same_end() {
        let json = format!(
            r#"{{"k\"\\":"{}","d":{}{},"n":[-1.5e3,true]}}x"#,
            "é\\n".repeat(9),
            "[".repeat(200),
            "]".repeat(200)
        );
        let json = json.as_bytes();
        for size in 1..json.len() {
            let mut walker = Walker::default();
            let mut ended = None;
            for (n, piece) in json.chunks(size).enumerate() {
                if let Walk::Ended(at) = walker.walk(piece) {
                    ended = Some(n * size + at);
                    break;
                }
            }
            assert_eq!(ended, Some(json.len() - 1), "pieces of {size}");
        }
    }

    #[test]
    fn a_million_brackets_are_walked_without_recursion() {
        let deep = [vec![b'['; 1_000_000], vec![b']'; 1_000_000]].concat();
        assert_eq!(walk(&deep), Walk::Ended(2_000_000));
    }
}
