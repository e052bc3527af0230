//! What a session prints: the output of a command and the line with the mark that ends it, cut apart.

use crate::probe::exec_stream::KEPT;

/// Longest exit code with its line end.
const MAX_REST: usize = 8;

/// One stream of a session, from the start of a command to its mark. Bytes come in pieces of any size.
#[derive(Debug)]
pub(super) struct Output {
    /// What begins the last line: a line end and the mark.
    mark: Vec<u8>,
    /// The beginning of what the command printed.
    kept: Vec<u8>,
    /// What may yet be the beginning of the mark, or is it and what follows.
    pending: Vec<u8>,
    exit_code: Option<i32>,
    late: bool,
}

/// What stands for an exit code where the command was not run, as an earlier one has left something behind.
const OCCUPIED: &[u8] = b"left";

/// The mark is there, and no exit code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoCode {
    /// The shell has not run the command: what an earlier one has left behind is there yet.
    #[error("an earlier command has left something behind")]
    Occupied,
    /// Something else has written it.
    #[error("the mark is not followed by an exit code")]
    Other,
}

impl Output {
    /// Nothing yet, to be ended by this mark.
    pub(super) fn new(mark: &str) -> Self {
        let mark = format!("\n{mark} ").into_bytes();
        Self { mark, kept: Vec::new(), pending: Vec::new(), exit_code: None, late: false }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// It cannot be: the session is of no more use.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(), NoCode> {
        if self.exit_code.is_some() {
            self.late |= !piece.is_empty();
            return Ok(());
        }
        self.pending.extend_from_slice(piece);
        let Some(at) = find(&self.pending, &self.mark) else {
            let undecided = self.mark.len() - 1;
            self.keep(self.pending.len().saturating_sub(undecided));
            return Ok(());
        };
        self.keep(at);
        let rest = &self.pending[self.mark.len()..];
        match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                if &rest[..end] == OCCUPIED {
                    return Err(NoCode::Occupied);
                }
                let code = std::str::from_utf8(&rest[..end]).ok().and_then(|code| code.parse().ok());
                self.exit_code = Some(code.ok_or(NoCode::Other)?);
                self.late = rest.len() > end + 1;
                self.pending.clear();
                Ok(())
            }
            None if rest.len() > MAX_REST => Err(NoCode::Other),
            None => Ok(()),
        }
    }

    /// The exit code, once the mark was there.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// Whether anything came behind the mark: a daemon that a command has left behind writes here.
    pub(super) fn is_late(&self) -> bool {
        self.late
    }

    /// The beginning of what was printed before the mark.
    pub(super) fn into_kept(self) -> Vec<u8> {
        self.kept
    }

    /// The beginning of all that was printed where no mark will come any more.
    pub(super) fn into_all(mut self) -> Vec<u8> {
        self.keep(self.pending.len());
        self.kept
    }

    /// Takes so many of the pending bytes for output.
    fn keep(&mut self, bytes: usize) {
        let room = KEPT - self.kept.len();
        self.kept.extend_from_slice(&self.pending[..bytes.min(room)]);
        self.pending.drain(..bytes);
    }
}

/// Where the mark is. It begins with a line end, which is sought first: most output has few.
fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    let (first, _) = mark.split_first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        if bytes[from + at..].starts_with(mark) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARK: &str = "0123456789abcdef";

    fn fed(pieces: &[&[u8]]) -> Result<(Option<i32>, Vec<u8>), NoCode> {
        let mut output = Output::new(MARK);
        for piece in pieces {
            output.feed(piece)?;
        }
        Ok((output.exit_code(), output.into_kept()))
    }

    #[test]
    fn the_output_is_what_comes_before_the_mark() {
        for (whole, expected) in [
            ("\n0123456789abcdef 0\n", Ok((Some(0), ""))),
            ("out\n\n0123456789abcdef 3\n", Ok((Some(3), "out\n"))),
            ("no line end\n0123456789abcdef 137\n", Ok((Some(137), "no line end"))),
            ("\n0123456789abcdeF 3\n\n0123456789abcdef 1\n", Ok((Some(1), "\n0123456789abcdeF 3\n"))),
            ("x 0123456789abcdef 3\n\n0123456789abcdef 1\n", Ok((Some(1), "x 0123456789abcdef 3\n"))),
            ("\n0123456789abcdef nan\n", Err(NoCode::Other)),
            ("\n0123456789abcdef 123456789", Err(NoCode::Other)),
            ("\n0123456789abcdef left\n", Err(NoCode::Occupied)),
        ] {
            let expected = expected.map(|(code, text)| (code, text.as_bytes().to_vec()));
            assert_eq!(fed(&[whole.as_bytes()]), expected, "{whole:?}");
        }
    }

    #[test]
    fn what_comes_behind_the_mark_is_noticed_and_no_output() {
        for (pieces, late) in [
            (&["a\n0123456789abcdef 0\n"][..], false),
            (&["a\n0123456789abcdef 0\n", ""], false),
            (&["a\n0123456789abcdef 0\nlate"], true),
            (&["a\n0123456789abcdef 0\n", "late"], true),
        ] {
            let mut output = Output::new(MARK);
            for piece in pieces {
                output.feed(piece.as_bytes()).unwrap();
            }
            assert_eq!((output.exit_code(), output.is_late()), (Some(0), late), "{pieces:?}");
            assert_eq!(output.into_kept(), b"a");
        }
    }

    #[test]
    fn of_a_flood_the_beginning_is_kept_and_nothing_piles_up() {
        let mut output = Output::new(MARK);
        for _ in 0..1000 {
            output.feed(&[b'x'; 5000]).unwrap();
            assert!(output.pending.len() < MARK.len() + 2 && output.kept.len() <= KEPT);
        }
        output.feed(b"\n0123456789abcdef 0\n").unwrap();
        assert_eq!(output.exit_code(), Some(0));
        assert_eq!(output.into_kept(), vec![b'x'; KEPT]);
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_is_the_same(
            text in "[\n01x ]{0,40}",
            code in 0..256_i32,
            cuts in prop::collection::vec(0..90_usize, 0..6),
        ) {
            let whole = format!("{text}\n{MARK} {code}\n").into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &whole[ends[0]..ends[1]]).collect();
            prop_assert_eq!(fed(&pieces).unwrap(), (Some(code), text.into_bytes()));
        }
    }
}
