//! Every limit of the core, by name, with its unit, its default and why it has that value.

/// Bytes of one record, as it stands in the file. A longer record becomes the reject `record.too_large`.
pub const RECORD_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes after which a batch ends even if it holds fewer than `batchSize` records: bounds what one
/// transaction holds and what one crash can cost.
pub const BATCH_BYTES: u64 = 4 * 1024 * 1024;

/// Records of a batch where the user gives no `batchSize`.
pub const BATCH_RECORDS: u32 = 5_000;

/// The largest `batchSize` that is accepted.
pub const BATCH_RECORDS_MAX: u32 = 50_000;

/// Bytes of the run of batches that one task names. One ranged GET reads them: 1,000 GETs of 480 KB took
/// 27 s where 60 of 8 MB took 2.6 s.
pub const TASK_BYTES: u64 = 8 * 1024 * 1024;

/// Rows of one export batch.
pub const EXPORT_ROWS: u32 = 10_000;

/// Rows of one batch of an undo.
pub const UNDO_ROWS: u32 = 2_000;

/// Bytes of the rows and images of one batch of an undo, as the database stores them; the last one may go beyond. A
/// statement of PostgreSQL takes 60 seconds at most, and what is stored in little room may be long.
pub const UNDO_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of a record's key. PostgreSQL refuses index rows above a third of a page (2,704 bytes).
pub const KEY_BYTES: usize = 1024;

/// Levels of arrays and objects inside one record.
pub const DEPTH: usize = 128;

/// Columns of a CSV file.
pub const COLUMNS: usize = 4_096;

/// Bytes of a CSV header row.
pub const HEADER_BYTES: usize = 1024 * 1024;

/// Attributes of an XML element.
pub const ATTRIBUTES: usize = 1_024;

/// Keys, scalars and collections of one YAML record. The parser takes about half a microsecond for each, and
/// 16 MiB could hold 8 million of them.
pub const NODES: usize = 1_000_000;

/// Bytes that the anchors and aliases of one YAML record may stand for, and [`ANCHOR_BYTES`] for each anchor.
pub const ALIAS_BYTES: usize = 16 * 1024 * 1024;

/// What it takes to remember an anchor, beside what it stands for.
pub const ANCHOR_BYTES: usize = 64;

/// Bytes of the name of an XML element.
pub const NAME_BYTES: usize = 1_024;

/// Names of the path that leads to the records of a document.
pub const PATH_NAMES: usize = 64;

/// Digits of a number, once written without an exponent. `1e131071` is a legal JSON number of eight characters
/// that PostgreSQL would store as 131,072 digits, the most that its `numeric` has before the point; behind it
/// there may be 16,383.
pub const NUMBER_DIGITS: usize = 1_000;

/// Texts of one filter, such as `tags`.
pub const FILTER_TEXTS: usize = 1_000;

/// Faults of one record that are told; one more says that there are others. A record of 16 MiB could have
/// 1.7 million of them, which would take 450 MiB.
pub const FAULTS: usize = 1_000;

/// Bytes of a rejected record that are stored in the database; a longer frame goes, whole, to an object.
pub const INLINE_FRAME_BYTES: usize = 64 * 1024;

/// Bytes of one queue message.
pub const TASK_MESSAGE_BYTES: usize = 1024;

/// Bytes read from the head of a source to recognise its format and fields.
pub const SNIFF_BYTES: usize = 256 * 1024;

/// Records whose fields are looked at to tell the type of a source.
pub const SNIFF_RECORDS: usize = 1_000;

/// Of the records that are looked at and fit a type, so many in a hundred have to fit the same one.
pub const SNIFF_PERCENT: usize = 90;

/// Sources (files) of one operation.
pub const SOURCES: usize = 10_000;

/// Records that have to be read before the share of bad ones among them is judged, unless they are all.
pub const BUDGET_RATE_RECORDS: u64 = 1_000;

/// Executions of a batch that end without an answer before it is worked on alone, and the record is looked
/// for that ends them.
pub const BATCH_DEATHS: u32 = 5;

/// Executions of an export's batch that end without an answer before the operation is stopped. Behind
/// [`BATCH_DEATHS`] it was alone in its process, so that no neighbour can have been the cause.
pub const EXPORT_DEATHS: u32 = BATCH_DEATHS + POISON_DEATHS;

/// Pieces into which suspects are cut when the record is looked for that ends workers. Each costs a small
/// write, each cut a worker: with 64, the largest batch takes three cuts.
pub const PROBE_PIECES: u32 = 64;

/// Workers that a record has to end by itself, read alone, before it is held for poison. More than one: a
/// worker may be killed from outside at that very moment.
pub const POISON_DEATHS: u32 = 3;

/// Records of one batch that may be poison; with more, it is not the records that are wrong.
pub const POISON_RECORDS: usize = 16;

/// Searches for the record that ends workers that may lead to nothing before the operation is stopped.
pub const DEAD_ENDS: u32 = 3;

/// Bytes of the text that holds a key or a passphrase. A file named by mistake is not one.
pub const KEY_TEXT_BYTES: usize = 4_096;

/// KiB that Argon2id takes to turn a passphrase into a key, where Carrack seals: 64 MiB and 3 passes take
/// about 140 ms, once for all parts of a file, and as much for every guess.
pub const PASSPHRASE_KIB: u32 = 64 * 1024;

/// KiB that the header of a sealed file may ask for: whoever wrote it may mean harm.
pub const PASSPHRASE_KIB_MAX: u32 = 256 * 1024;

/// Passes that Argon2id makes over that memory, where Carrack seals.
pub const PASSPHRASE_PASSES: u8 = 3;

/// Passes that the header of a sealed file may ask for.
pub const PASSPHRASE_PASSES_MAX: u8 = 10;

/// Lanes of that memory, where Carrack seals: they are computed one after another.
pub const PASSPHRASE_LANES: u8 = 1;

/// Lanes that the header of a sealed file may ask for.
pub const PASSPHRASE_LANES_MAX: u8 = 4;

/// Ways in which the passphrases of the files of one request may be salted: each takes [`PASSPHRASE_KIB`] and its
/// time, or what its header asks for. The files of one export share one.
pub const PASSPHRASE_SALTS: usize = 64;

/// Chunks of one sealed file, 16 KiB each: 4 PiB, which the construction sets.
pub const SEALED_CHUNKS: u64 = 1 << 38;

/// Bytes in which layers hand on what they open.
pub const LAYER_PIECE_BYTES: usize = 256 * 1024;

/// Bytes that are gathered before a layer sees them. Compressed text grows about fourfold, so one block
/// gives about one piece.
pub const LAYER_BLOCK_BYTES: usize = 64 * 1024;

/// Bytes of text that a compressed file may open to. More is `compression.too_large`.
pub const OPENED_BYTES: u64 = 1024 * 1024 * 1024 * 1024;

/// Bytes of text for each byte of a compressed file. More is `compression.bomb`. Records compress 4 to 20
/// times; zeros about 1,000 times with gzip and 600,000 times with brotli.
pub const OPENED_RATIO: u64 = 200;

/// Bytes of text up to which [`OPENED_RATIO`] is not judged: a small file may repeat itself.
pub const OPENED_RATIO_FROM: u64 = 10 * 1024 * 1024;

/// The largest window of a zstd frame, as a power of two: 128 MiB, the most that `zstd` itself opens
/// without being asked to. The decoder holds one window in memory.
pub const ZSTD_WINDOW_LOG: u32 = 27;

/// The level of gzip where none is asked for. Level 1 makes files 31 % larger at 1.8 times the speed, level 6
/// makes them 5 % smaller at 0.6 times (docs/compression.md has the figures).
pub const GZIP_LEVEL: i32 = 2;

/// The level of brotli where none is asked for.
pub const BROTLI_LEVEL: i32 = 5;

/// The level of zstd where none is asked for: its own default.
pub const ZSTD_LEVEL: i32 = 3;

/// Bytes read from the end of a compressed file to look for the index of its frames.
pub const INDEX_TAIL_BYTES: usize = 64 * 1024;

/// Bytes of such an index, as it stands in the file. Each frame takes about 10.
pub const INDEX_BYTES: u64 = 16 * 1024 * 1024;

/// Frames of such an index: with frames of 4 MiB of text, a file of 4 TiB.
pub const INDEX_FRAMES: usize = 1024 * 1024;

/// Bytes of one frame, compressed or as text, that an index may name: whoever opens a frame holds it in
/// memory.
pub const INDEX_FRAME_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of text of one frame of an export: small frames make batches of any size, large ones compress better.
pub const FRAME_BYTES: u64 = 1024 * 1024;

/// Records of one frame of an export, at most: an import with a smaller `batchSize` does not split it by its
/// index.
pub const FRAME_RECORDS: u32 = 1_000;

/// The least that `splitLargeFiles.maxSizeBytes` may be: room for an envelope and a record.
pub const SPLIT_BYTES_LEAST: u64 = 1024;

/// Levels of objects whose members are merged one by one; a deeper object is replaced whole. Who has set which member
/// is stored as JSON of twice as many levels, of which readers take 128.
pub const MERGE_DEPTH: usize = 32;

/// Bytes of rows that are held at a time to be merged with; the last row may go beyond.
pub const MERGED_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of the values of rows that are held at a time to be compared with records; the row of a single record may
/// take more.
pub const COMPARED_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of a template's document.
pub const TEMPLATE_BYTES: usize = 1024 * 1024;

/// Bytes that the references of a JSON Schema may lead to, all together, with [`REFERENCED_VALUE_BYTES`] for each
/// value: a thousand fields could lead to the same half of a megabyte. It is more than the translation may hold,
/// which is a template's document.
pub const REFERENCED_BYTES: usize = 16 * 1024 * 1024;

/// What it takes to hold a value of a document, beside its text.
pub const REFERENCED_VALUE_BYTES: usize = 64;

/// Bytes of a file of templates.
pub const TEMPLATES_FILE_BYTES: usize = 64 * 1024 * 1024;

/// Fields of a data type: PostgreSQL takes at most 1,600 columns, some of which are ours.
pub const FIELDS: usize = 1_000;

/// Values of a field that are shown where a template is inferred.
pub const INFERRED_EXAMPLES: usize = 3;

/// Different texts of a field up to which they may be all that there are.
pub const INFERRED_VALUES: usize = 20;

/// Hashes of values, of 16 bytes each, by which a key is found; where there are more, uniqueness is not known.
pub const INFERRED_KEYS: usize = 4_000_000;

/// Examples of a template, and faults of one.
pub const TEMPLATE_EXAMPLES: usize = 1_000;

/// Values that a template may allow for a field.
pub const ALLOWED_VALUES: usize = 10_000;

/// Bytes of a compiled regular expression.
pub const PATTERN_BYTES: usize = 1024 * 1024;

/// Requests for binary content that a worker has under way at once, for one batch.
pub const BINARY_REQUESTS: usize = 8;

/// Bytes of base64 that a worker puts into rows at a time when it exports binary content.
pub const BINARY_GROUP_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes of base64 in one exported record. No file brings a longer one; references by hand could.
pub const BINARY_RECORD_BYTES: u64 = RECORD_BYTES;

/// Bytes of one expression of a mapping.
pub const EXPRESSION_BYTES: usize = 4_096;

/// Brackets of an expression that may stand inside one another: its parser calls itself.
pub const EXPRESSION_DEPTH: usize = 32;

/// Parts of an expression that may stand inside one another, such as the sums in `1 + 2 + 3`: its evaluation
/// calls itself.
pub const EXPRESSION_LEVELS: usize = 250;

/// Loops of an expression that may stand inside one another.
pub const EXPRESSION_LOOPS: usize = 2;

/// Steps that an expression may take for one record, by a bound that is told beforehand; about a fifth of a
/// second. More is `expression.cost`.
pub const EXPRESSION_STEPS: u64 = 4_000_000;

/// Bytes of a mapping, as JSON: every worker of an operation reads it.
pub const MAPPING_BYTES: usize = 64 * 1024;

/// Records of each kind (created, updated and so on) that a dry run tells as examples.
pub const EXAMPLES: u32 = 10;

/// Staged rows that are published at a time; between two pieces a cancel is looked for.
pub const PUBLISHED_ROWS: usize = 10_000;

/// Bytes of such a piece; the last row may go beyond.
pub const PUBLISHED_BYTES: usize = 16 * 1024 * 1024;

/// Records refused by their table after which publishing is given up.
pub const PUBLISHED_REFUSED: usize = 10_000;

/// Entries of each list of a mapping: of its fields, transformations, functions and computed fields.
pub const MAPPING_ENTRIES: usize = 1_000;

/// Records of each kind (missing, different, extra) that a verification tells as examples.
pub const FINDINGS: usize = 20;
