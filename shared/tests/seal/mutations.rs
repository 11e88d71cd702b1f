//! Whatever is done to a sealed part: it is refused, no byte of the chunk that it was done to is given out,
//! and nothing panics.

use carrack_shared::fault::{Fault, Stage};
use carrack_shared::layer::chunks::{CHUNK, HEAD, SEALED_CHUNK};
use carrack_shared::layer::envelope::{Envelope, Part};
use carrack_shared::layer::secret::{DataKey, UserKey};
use carrack_shared::layer::wrapping::{KdfParameters, WrappingKey, derive};

use crate::{Opened, accessed, sealed, streamed};

const ROUNDS: u64 = 10_000;
const BODY: usize = Envelope::LENGTH + HEAD;

/// The lengths of contents: around every seam.
const LENGTHS: [usize; 8] = [0, 1, 500, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + CHUNK / 2, 3 * CHUNK];

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// A part, and what may be exchanged with it.
struct Subject {
    plain: Vec<u8>,
    file: Vec<u8>,
    /// Another part of the same file, of the same length.
    sibling: Vec<u8>,
    /// The same part number of another file under the same user's key.
    stranger: Vec<u8>,
}

/// What is done, and the codes that it may be refused with.
type Mutation = (&'static str, &'static [&'static str], fn(&Subject, &mut Dice) -> Vec<u8>);

/// Every way leaves a file of the same length, unless its name says otherwise.
const MUTATIONS: &[Mutation] = &[
    ("bit of the header", &["seal.header", "seal.wrong_key"], |subject, dice| {
        flipped(&subject.file, dice.below(Envelope::LENGTH), dice)
    }),
    ("bit of the head", &["seal.foreign"], |subject, dice| {
        flipped(&subject.file, Envelope::LENGTH + dice.below(HEAD), dice)
    }),
    ("bit of a chunk", &["seal.altered", "seal.truncated"], |subject, dice| {
        flipped(&subject.file, BODY + dice.below(subject.file.len() - BODY), dice)
    }),
    ("byte of the header", &["seal.header", "seal.wrong_key"], |subject, dice| {
        let mut file = subject.file.clone();
        file[dice.below(Envelope::LENGTH)] = dice.below(256) as u8;
        file
    }),
    ("cut anywhere", &["seal.truncated"], |subject, dice| cut(&subject.file, dice.below(subject.file.len()))),
    ("cut in the header or head", &["seal.truncated"], |subject, dice| cut(&subject.file, dice.below(BODY))),
    ("cut behind a chunk", &["seal.truncated"], |subject, dice| {
        cut(&subject.file, BODY + SEALED_CHUNK * dice.below(chunks(subject)))
    }),
    ("cut in a tag", &["seal.truncated"], |subject, dice| {
        let chunk = dice.below(chunks(subject)) + 1;
        cut(&subject.file, (BODY + SEALED_CHUNK * chunk).min(subject.file.len()) - 1 - dice.below(15))
    }),
    ("chunk left out", &["seal.altered", "seal.truncated"], |subject, dice| {
        let (start, end) = chunk(subject, dice);
        [&subject.file[..start], &subject.file[end..]].concat()
    }),
    ("chunk doubled", &["seal.altered", "seal.truncated"], |subject, dice| {
        let (start, end) = chunk(subject, dice);
        [&subject.file[..end], &subject.file[start..]].concat()
    }),
    ("chunks exchanged", &["seal.altered", "seal.truncated"], |subject, dice| {
        let mut chunks: Vec<_> = subject.file[BODY..].chunks(SEALED_CHUNK).collect();
        let one = dice.below(chunks.len());
        let other = (one + 1 + dice.below(chunks.len().max(2) - 1)) % chunks.len();
        chunks.swap(one, other);
        [&subject.file[..BODY], &chunks.concat()].concat()
    }),
    ("chunk of another part", &["seal.altered", "seal.truncated"], |subject, dice| {
        let (start, end) = chunk(subject, dice);
        [&subject.file[..start], &subject.sibling[start..end], &subject.file[end..]].concat()
    }),
    ("bytes behind the end", &["seal.altered", "seal.truncated"], |subject, dice| {
        let more = [1, TAG_LESS_ONE, 17, CHUNK, SEALED_CHUNK, 20_000][dice.below(6)];
        [&subject.file[..], &vec![dice.below(256) as u8; more]].concat()
    }),
    ("content of another part", &["seal.foreign"], |subject, _| {
        header_and_content(&subject.file, &subject.sibling)
    }),
    ("header of another part", &["seal.part"], |subject, _| {
        header_and_content(&subject.sibling, &subject.file)
    }),
    ("another part whole", &["seal.part"], |subject, _| subject.sibling.clone()),
    ("content of another file", &["seal.foreign"], |subject, _| {
        header_and_content(&subject.file, &subject.stranger)
    }),
];

const TAG_LESS_ONE: usize = 15;

fn flipped(file: &[u8], at: usize, dice: &mut Dice) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at] ^= 1 << dice.below(8);
    file
}

fn cut(file: &[u8], at: usize) -> Vec<u8> {
    file[..at].to_vec()
}

fn chunks(subject: &Subject) -> usize {
    (subject.file.len() - BODY).div_ceil(SEALED_CHUNK)
}

fn chunk(subject: &Subject, dice: &mut Dice) -> (usize, usize) {
    let start = BODY + SEALED_CHUNK * dice.below(chunks(subject));
    (start, (start + SEALED_CHUNK).min(subject.file.len()))
}

fn header_and_content(header: &[u8], content: &[u8]) -> Vec<u8> {
    [&header[..Envelope::LENGTH], &content[Envelope::LENGTH..]].concat()
}

fn subject(length: usize, wrapping: &WrappingKey) -> Subject {
    let part = |byte: u8, number: u32| {
        let (key, part) = (DataKey::new([byte; 32]), Part::new([byte; 16], number, 3).unwrap());
        let plain: Vec<u8> = (0..length).map(|at| (at / 7 + at) as u8 ^ number as u8).collect();
        let salt = key.file_salt(&part.context());
        let content = sealed(&key, &part.context(), salt, &plain, usize::MAX);
        let nonce = [number as u8; 12];
        (plain, [&Envelope::seal(&key, wrapping, part, nonce).encode()[..], &content].concat())
    };
    let ((plain, file), (_, sibling), (_, stranger)) = (part(1, 2), part(1, 3), part(2, 2));
    Subject { plain, file, sibling, stranger }
}

/// Opens a file that should be part 2, in both ways. Which part is expected, the reader knows.
fn opened(file: &[u8], key: &UserKey, piece: usize) -> Result<[Opened; 2], Fault> {
    let envelope = Envelope::decode(file)?;
    let data_key = envelope.open(key)?;
    let (context, content) = (envelope.part().context(), &file[Envelope::LENGTH..]);
    if envelope.part().number() != 2 {
        return Err(Fault::new(Stage::Open, "seal.part", "found another part"));
    }
    Ok([streamed(&data_key, &context, content, piece), accessed(&data_key, &context, content)])
}

#[test]
fn whatever_is_done_is_found_before_its_chunk() {
    let key = UserKey::parse(&"5a".repeat(32)).unwrap();
    let wrapping = derive(&key, &KdfParameters::new(&key, [3; 16])).unwrap();
    let subjects = LENGTHS.map(|length| subject(length, &wrapping));
    for subject in &subjects {
        for Opened { end, plain, result } in opened(&subject.file, &key, 1_000).unwrap() {
            assert_eq!((end, result), (Ok(()), Ok(())));
            assert!(plain == subject.plain);
        }
    }
    let (mut dice, mut done) = (Dice(0x5ea1), [0; MUTATIONS.len()]);
    for round in 0_usize.. {
        let subject = &subjects[dice.below(subjects.len())];
        let number = round % MUTATIONS.len();
        let (name, codes, mutate) = &MUTATIONS[number];
        let file = mutate(subject, &mut dice);
        // A byte may be replaced by itself, and a single chunk has none to be exchanged with.
        if file == subject.file {
            continue;
        }
        let piece = [1 + dice.below(7), 1_000, SEALED_CHUNK, file.len().max(1)][dice.below(4)];
        let name = format!("round {round}: {name}, {} bytes", subject.plain.len());
        check(&name, codes, subject, &file, opened(&file, &key, piece));
        done[number] += 1;
        if done.iter().sum::<u64>() == ROUNDS {
            break;
        }
    }
    assert!(done.iter().all(|count| *count > ROUNDS / 50), "{done:?}");
}

fn check(name: &str, codes: &[&str], subject: &Subject, file: &[u8], opened: Result<[Opened; 2], Fault>) {
    let refused = |result: Result<(), Fault>| match result {
        Ok(()) => panic!("{name}: nothing was found"),
        Err(fault) => assert!(codes.contains(&&*fault.code), "{name}: {fault:?}"),
    };
    let ways = match opened {
        Err(fault) => return refused(Err(fault)),
        Ok(ways) => ways,
    };
    let same = file.iter().zip(&subject.file).take_while(|(found, sealed)| found == sealed).count();
    let untouched = same.saturating_sub(BODY) / SEALED_CHUNK * CHUNK;
    for Opened { end, plain, result } in ways {
        refused(result);
        assert!(plain.len() <= untouched, "{name}: {} bytes were given out of {untouched}", plain.len());
        assert!(subject.plain.starts_with(&plain), "{name}: other bytes were given out");
        if file.len() != subject.file.len() {
            refused(end);
        }
    }
}
