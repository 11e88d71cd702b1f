//! Pieces of what flows: what stands behind so many bytes, and the first so many.

use futures_util::stream::try_unfold;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::Opened;
use crate::error::{ErrorKind, PortError};

/// `text` without its first `bytes`.
pub fn behind(text: Opened, bytes: u64) -> Opened {
    if bytes == 0 {
        return text;
    }
    let mut left = bytes;
    let rest = text.try_filter_map(move |mut piece| {
        let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        left -= skipped as u64;
        let rest = piece.split_off(skipped);
        std::future::ready(Ok((!rest.is_empty()).then_some(rest)))
    });
    rest.boxed()
}

/// The first `bytes` of `text`; an error where it has fewer.
pub fn first(text: Opened, bytes: u64) -> Opened {
    let state = (text, bytes);
    try_unfold(state, |(mut text, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(mut piece) = text.next().await.transpose()? else {
            let message = format!("found the end {left} bytes before that of what was to be read");
            return Err(PortError::new(ErrorKind::Changed, "objects", message).into());
        };
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - piece.len() as u64;
        Ok(Some((piece, (text, left))))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::{FutureExt as _, stream};

    fn text() -> Opened {
        stream::iter(["ab", "", "cde", "f"].map(|piece| Ok(Bytes::from(piece)))).boxed()
    }

    fn whole(text: Opened) -> Option<String> {
        let pieces: Vec<Bytes> = text.try_collect().now_or_never()?.ok()?;
        String::from_utf8(pieces.concat()).ok()
    }

    #[test]
    fn every_cut_gives_what_stands_on_its_side() {
        for at in 0..=6 {
            assert_eq!(whole(first(text(), at)).unwrap() + &whole(behind(text(), at)).unwrap(), "abcdef");
        }
        assert!(whole(first(text(), 7)).is_none());
        assert_eq!(whole(behind(text(), 7)).unwrap(), "");
    }
}
