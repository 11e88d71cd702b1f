//! The hash of a segment whose end is not known yet.
//!
//! When a piece of the input ends inside a record, two things are open: whether the record will still join
//! the batch or begin the next one, and whether the last blanks before the cut belong to it. Keeping the
//! bytes until that is known would take memory that depends on the record; keeping hash states does not.

use blake3::Hasher;

/// The hash from some first byte on, up to the input's end so far.
#[derive(Debug)]
pub(super) struct Lane {
    /// Over the bytes that certainly belong to the record.
    certain: Hasher,
    /// Over those and the ones behind them, if there are any.
    whole: Option<Hasher>,
}

impl Lane {
    /// Goes on from `hasher`.
    pub fn from(hasher: Hasher) -> Self {
        Self { certain: hasher, whole: None }
    }

    /// Takes the next bytes. The first `certain` of them are certain and with them, even if they are none,
    /// everything before; without a number nothing becomes certain.
    pub fn feed(&mut self, bytes: &[u8], certain: Option<usize>) {
        let (sure, doubtful) = bytes.split_at(certain.unwrap_or_default());
        if certain.is_some() {
            if let Some(whole) = self.whole.take() {
                self.certain = whole;
            }
            self.certain.update(sure);
        }
        if !doubtful.is_empty() {
            self.whole.get_or_insert_with(|| self.certain.clone()).update(doubtful);
        }
    }

    /// The hash up to the record's end, which is that of the certain bytes.
    pub fn end(&self) -> Hasher {
        self.certain.clone()
    }

    /// The hash up to the record's end, which lies behind the next `bytes`.
    pub fn end_behind(&self, bytes: &[u8]) -> Hasher {
        let mut hasher = self.whole();
        hasher.update(bytes);
        hasher
    }

    /// The hash of everything so far.
    pub fn whole(&self) -> Hasher {
        self.whole.as_ref().unwrap_or(&self.certain).clone()
    }
}

/// What goes on from one piece to the next.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// From the first byte of the batch on, as if the open record joined it.
    pub joined: Option<Lane>,
    /// From this byte on, the first of the open record, as if it began a batch. What looked like a record's
    /// first byte can turn out to be other markup.
    pub fresh: Option<(u64, Lane)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubtful_bytes_count_once_something_follows() {
        let hash = |text: &str| blake3::hash(text.as_bytes());
        let lane = || {
            let mut lane = Lane::from(Hasher::new());
            lane.feed(b"ab  ", Some(2));
            lane.feed(b"  ", None);
            lane
        };
        assert_eq!(lane().end().finalize(), hash("ab"));
        assert_eq!(lane().end_behind(b"").finalize(), hash("ab    "));
        assert_eq!(lane().end_behind(b"c").finalize(), hash("ab    c"));
        assert_eq!(lane().whole().finalize(), hash("ab    "));
        let mut longer = lane();
        longer.feed(b"c ", Some(1));
        assert_eq!(longer.end().finalize(), hash("ab    c"));
        longer.feed(b"", Some(0));
        assert_eq!(longer.end().finalize(), hash("ab    c "));
    }
}
