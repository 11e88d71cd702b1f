//! Headers and keys: every bit of a header counts, costs have bounds, keys open what they sealed, and none
//! is ever shown.

use carrack_shared::fault::Stage;
use carrack_shared::layer::derived::DerivedKeys;
use carrack_shared::layer::envelope::{Envelope, Part};
use carrack_shared::layer::sealed::{Opener, Sealer};
use carrack_shared::layer::secret::{DataKey, MasterKey, UserKey};
use carrack_shared::layer::wrapping::{Cost, KdfParameters, Method, WrappingKey, derive};
use carrack_shared::limits;
use sha2::{Digest, Sha256};

use crate::sealed;

/// The least that Argon2id takes.
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

fn raw(byte: &str) -> UserKey {
    UserKey::parse(&byte.repeat(32)).unwrap()
}

fn passphrase() -> UserKey {
    UserKey::parse("correct horse battery staple").unwrap()
}

fn wrapping(key: &UserKey) -> WrappingKey {
    let method = if key.is_passphrase() { Method::Passphrase(CHEAP) } else { Method::Raw };
    derive(key, &KdfParameters { salt: [0xa5; 16], method }).unwrap()
}

fn envelope(key: &WrappingKey) -> Envelope {
    Envelope::seal(&DataKey::new([7; 32]), key, Part::new([0xf1; 16], 2, 3).unwrap(), [9; 12])
}

/// Data keys do not compare; what they say of the same bytes does.
fn holds(key: &DataKey) -> bool {
    key.verifies("test", b"x", &DataKey::new([7; 32]).mac("test", b"x"))
}

/// The bytes that version 1 has for ever. Computed once by another program from the description in the docs.
const GOLDEN: [(&str, &str); 2] =
    [("raw", include_str!("golden/raw.hex")), ("passphrase", include_str!("golden/passphrase.hex"))];

#[test]
fn version_1_stays_as_it_is() {
    for ((name, golden), key) in GOLDEN.into_iter().zip([raw("5a"), passphrase()]) {
        let bytes = envelope(&wrapping(&key)).encode();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden.trim_end(), "{name}");
        assert!(Envelope::recognises(&bytes));
        let read = Envelope::decode(&bytes).unwrap();
        assert_eq!(read, envelope(&wrapping(&key)), "{name}");
        assert!(holds(&read.open(&key).unwrap()), "{name}");
    }
}

/// As the headers above: computed once by another program.
#[test]
fn what_is_derived_stays_as_it_is() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (key, context) = (DataKey::new([7; 32]), Part::new([0xf1; 16], 2, 3).unwrap().context());
    let plain: Vec<u8> = (0..16_389_u32).map(|at| (at * 7) as u8).collect();
    let content = sealed(&key, &context, key.file_salt(&context), &plain, 1_000);
    for (name, found, expected) in [
        (
            "mac",
            hex(&key.mac("manifest", b"x")),
            "a442ece94ca3b176dd12cf8f697622066d014fa2df8875800080e941f4bf7280",
        ),
        ("salt", hex(&key.file_salt(&context)), "f7824a63fd6abdd3a1273282f8c4d3968d0f7ee42e2ee207"),
        (
            "SHA-256 of the content",
            hex(&Sha256::digest(&content)),
            "077a38679a445f4c8ce7004db7360fcecd0ce45360eb12415583963cea71371d",
        ),
    ] {
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn every_bit_of_a_header_counts() {
    for key in [raw("5a"), passphrase()] {
        let bytes = envelope(&wrapping(&key)).encode();
        for bit in 0..8 * bytes.len() {
            let mut altered = bytes;
            altered[bit / 8] ^= 1 << (bit % 8);
            let result = Envelope::decode(&altered).and_then(|envelope| envelope.open(&key));
            let fault = result.expect_err("an altered header opens");
            let expected = if bit < 72 { "seal.header" } else { &fault.code };
            assert_eq!((fault.stage, &*fault.code), (Stage::Open, expected), "bit {bit}: {fault:?}");
            assert!(["seal.header", "seal.wrong_key"].contains(&&*fault.code), "bit {bit}: {fault:?}");
        }
        for length in 0..bytes.len() {
            assert_eq!(Envelope::decode(&bytes[..length]).unwrap_err().code, "seal.truncated", "{length}");
        }
        assert!(Envelope::decode(&[&bytes[..], b"more"].concat()).is_ok());
    }
    for text in ["id,title", "{", "\u{8f}CARRACK", "\u{feff}[]"] {
        assert!(!Envelope::recognises(text.as_bytes()));
        assert_eq!(Envelope::decode(text.as_bytes()).unwrap_err().code, "seal.header", "{text}");
    }
}

#[test]
fn a_header_asks_for_no_more_than_the_limits() {
    let bytes = envelope(&wrapping(&passphrase())).encode();
    let most = limits::PASSPHRASE_KIB_MAX;
    for (passes, lanes, memory_kib, is_accepted) in [
        (1, 1, 8, true),
        (1, 1, 7, false),
        (1, 4, 32, true),
        (1, 4, 31, false),
        (0, 1, 8, false),
        (1, 0, 8, false),
        (10, 4, most - 1, true),
        (10, 4, most, true),
        (10, 4, most + 1, false),
        (11, 4, most, false),
        (10, 5, most, false),
        (1, 1, u32::MAX, false),
    ] {
        let mut asking = bytes;
        (asking[10], asking[11]) = (passes, lanes);
        asking[12..16].copy_from_slice(&memory_kib.to_be_bytes());
        let result = Envelope::decode(&asking);
        assert_eq!(result.is_ok(), is_accepted, "{passes} {lanes} {memory_kib}: {result:?}");
        assert!(result.map_or_else(|fault| fault.code == "seal.header", |_| true));
        let parameters =
            KdfParameters { salt: [0; 16], method: Method::Passphrase(Cost { memory_kib, passes, lanes }) };
        if !is_accepted {
            assert_eq!(derive(&passphrase(), &parameters).unwrap_err().code, "seal.header");
        }
    }
    assert!(Cost::DEFAULT.check().is_ok());
    for (number, count, is_part) in [(1, 1, true), (3, 3, true), (0, 1, false), (4, 3, false), (0, 0, false)]
    {
        assert_eq!(Part::new([0; 16], number, count).is_ok(), is_part, "{number} of {count}");
    }
}

#[test]
fn a_new_key_replaces_the_old_one() {
    let keys = [raw("5a"), passphrase(), raw("5b"), UserKey::parse("another one").unwrap()];
    for (old, old_key) in keys.iter().enumerate() {
        for (new, new_key) in keys.iter().enumerate() {
            let envelope = envelope(&wrapping(old_key));
            let again = envelope.rewrap(&wrapping(old_key), &wrapping(new_key), [8; 12]).unwrap();
            assert_eq!(again.part(), envelope.part());
            assert_ne!(again.encode(), envelope.encode());
            for (number, key) in keys.iter().enumerate() {
                let opened = again.open(key);
                assert_eq!(opened.is_ok_and(|key| holds(&key)), number == new, "{old} {new} {number}");
            }
            if old != new {
                let refused = envelope.rewrap(&wrapping(new_key), &wrapping(old_key), [8; 12]);
                assert_eq!(refused.unwrap_err().code, "seal.wrong_key");
            }
        }
    }
}

#[test]
fn a_wrong_kind_of_key_is_told() {
    for (kind, found, message) in [
        (raw("5a"), passphrase(), "found a passphrase, expected the key of 32 bytes"),
        (passphrase(), raw("5a"), "found a key of 32 bytes, expected the passphrase"),
    ] {
        let fault = envelope(&wrapping(&kind)).open(&found).unwrap_err();
        assert_eq!(fault.code, "seal.wrong_key");
        assert!(fault.message.starts_with(message), "{fault:?}");
    }
    for (key, is_raw) in [(raw("5a"), true), (passphrase(), false)] {
        let method = KdfParameters::new(&key, [0; 16]).method;
        assert_eq!(method, if is_raw { Method::Raw } else { Method::Passphrase(Cost::DEFAULT) });
    }
}

#[test]
fn no_key_is_shown() {
    let (data_key, key) = (DataKey::new([7; 32]), passphrase());
    for shown in [
        format!("{data_key:?}"),
        format!("{key:?}"),
        format!("{:?}", raw("5a")),
        format!("{:?}", MasterKey::parse(&"11".repeat(32)).unwrap()),
        format!("{:?}", wrapping(&key)),
        format!("{:?}", Sealer::new(&data_key, b"", [0; 24])),
        format!("{:?}", Opener::new(&data_key, b"")),
        format!("{:#?}", Some(&data_key))
            .replace(char::is_whitespace, "")
            .replace("Some(", "")
            .replace(",)", ""),
    ] {
        assert_eq!(shown, "[redacted]");
    }
    for text in ["secret that is no key", "zz".repeat(32).as_str()] {
        let error = MasterKey::parse(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&text[..6]), "{error}");
    }
}

#[test]
fn the_salts_of_passphrases_have_a_limit() {
    let most = limits::PASSPHRASE_SALTS;
    let salted = |number: usize, method| {
        let mut salt = [0; 16];
        salt[..8].copy_from_slice(&number.to_be_bytes());
        KdfParameters { salt, method }
    };
    for (key, method, salts, expected) in [
        (passphrase(), Method::Passphrase(CHEAP), most - 1, None),
        (passphrase(), Method::Passphrase(CHEAP), most, None),
        (passphrase(), Method::Passphrase(CHEAP), most + 1, Some("seal.salts")),
        // Another kind of key costs nothing, and a wrong one as much as a right one.
        (raw("5a"), Method::Raw, most + 1, None),
        (raw("5a"), Method::Passphrase(CHEAP), 1, Some("seal.wrong_key")),
    ] {
        let mut keys = DerivedKeys::default();
        let of = |keys: &mut DerivedKeys, number| keys.of(&key, salted(number, method)).map(|_| ());
        let made: Result<Vec<_>, _> = (0..salts).map(|number| of(&mut keys, number)).collect();
        assert_eq!(made.err().map(|fault| fault.code.to_string()).as_deref(), expected, "{salts} {method:?}");
        // Those that are there are had again, whatever was refused.
        let again = (0..salts.min(most)).filter(|number| keys.known(&salted(*number, method)).is_some());
        let has_any = expected != Some("seal.wrong_key");
        assert_eq!(again.count(), if has_any { salts.min(most) } else { 0 }, "{salts} {method:?}");
    }
}
