//! The public vectors of Wycheproof: the cipher, and the chunked construction.

use std::io::Read;

use carrack_shared::layer::cipher::{Cipher, NotAuthentic};
use carrack_shared::layer::secret::DataKey;
use sha2::{Digest, Sha512};
use wycheproof::{TestResult, aead, chunked_encryption};

use crate::{Opened, accessed, sealed, streamed};

#[test]
fn aes_gcm() {
    let (mut run, mut left_out) = (0, 0);
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        for test in group.tests {
            // Other sizes of key and nonce, which the door to the cipher does not take.
            let (Ok(key), Ok(nonce)) = (test.key[..].try_into(), test.nonce[..].try_into()) else {
                left_out += 1;
                continue;
            };
            let (cipher, tag) = (Cipher::new(key), test.tag[..].try_into().unwrap());
            let mut bytes = test.ct.to_vec();
            let opened = cipher.open(nonce, &test.aad, &mut bytes, tag);
            if test.result == TestResult::Valid {
                assert_eq!((opened, &bytes[..]), (Ok(()), &test.pt[..]), "{test:?}");
                assert_eq!(cipher.seal(nonce, &test.aad, &mut bytes), *tag, "{test:?}");
            } else {
                assert_eq!(opened, Err(NotAuthentic), "{test:?}");
            }
            assert_eq!(bytes, test.ct[..], "{test:?}");
            run += 1;
        }
    }
    assert_eq!((run, left_out), (66, 250));
}

#[test]
fn chunked_encryption() {
    let mut run = 0;
    let set = chunked_encryption::TestSet::load(chunked_encryption::TestName::Cobblestone256).unwrap();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        run += 1;
        // Keys of another size, of which there are two, are none.
        let Ok(key) = <[u8; 32]>::try_from(&test.key[..]) else {
            assert!(test.result == TestResult::Invalid, "test {}", test.tc_id);
            continue;
        };
        check(&test, &DataKey::new(key));
    }
    assert_eq!(run, 35);
}

fn check(test: &chunked_encryption::Test, key: &DataKey) {
    use chunked_encryption::TestFlag::{ChunkReordering, HeaderFailure, Truncation, ValidFinalChunk};
    let mut content = Vec::new();
    flate2::read::ZlibDecoder::new(&test.ct[..]).take(1 << 23).read_to_end(&mut content).unwrap();
    let is_valid = test.result == TestResult::Valid;
    let random = accessed(key, &test.ctx, &content);
    let ends_well = is_valid || test.flags.contains(&ValidFinalChunk);
    assert_eq!(random.end.is_ok(), ends_well, "test {} ({}): {random:?}", test.tc_id, test.comment);
    let mut ways = vec![("random access".to_owned(), random)];
    for piece in (1..=7).chain([content.len().max(1)]) {
        ways.push((format!("pieces of {piece}"), streamed(key, &test.ctx, &content, piece)));
    }
    for (way, Opened { plain, result, .. }) in ways {
        let name = format!("test {} ({}), {way}", test.tc_id, test.comment);
        // Of an invalid content exactly the chunks before the bad one are given out.
        assert_eq!(plain.len(), test.msg_length.unwrap_or(0), "{name}");
        if let Some(hash) = &test.msg_sha512 {
            assert_eq!(Sha512::digest(&plain)[..], hash[..], "{name}");
        }
        assert_eq!(result.is_ok(), is_valid, "{name}: {result:?}");
        let has = |flag| test.flags.contains(&flag);
        let expected = [
            (has(Truncation), "seal.truncated"),
            (has(HeaderFailure), "seal.foreign"),
            (has(ChunkReordering), "seal.altered"),
        ];
        let expected = expected.iter().find(|(applies, _)| *applies);
        if let (Err(fault), Some((_, code))) = (&result, expected) {
            assert_eq!(fault.code, *code, "{name}");
        }
        if is_valid {
            let salt = *content.first_chunk().unwrap();
            for piece in [1, 5, 16_384, 1 << 23] {
                assert!(sealed(key, &test.ctx, salt, &plain, piece) == content, "{name}, sealed by {piece}");
            }
        }
    }
}
