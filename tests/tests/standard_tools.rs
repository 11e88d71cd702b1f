//! What Carrack compresses is opened by the tools that everybody has, index and all. A tool that is not
//! installed is named and left out; `gzip` has to be there.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failure is a failed test; it says what it left out"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use carrack_shared::layer::compress::{compress, frame};
use carrack_shared::layer::compression::Compression;
use carrack_shared::layer::index::{Frame, Index};
use futures_util::{StreamExt, stream};

const PYTHON: &str = "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())";

const NODE: &str =
    "process.stdout.write(require('zlib').brotliDecompressSync(require('fs').readFileSync(process.argv[1])))";

/// A compression, a program that opens it, and what it is told before the file's name.
const TOOLS: [(Compression, &str, &[&str]); 8] = [
    (Compression::Gzip, "gzip", &["-t"]),
    (Compression::Gzip, "gzip", &["-dc"]),
    (Compression::Gzip, "pigz", &["-dc"]),
    (Compression::Gzip, "python3", &["-c", PYTHON]),
    (Compression::Zstd, "zstd", &["-q", "-t"]),
    (Compression::Zstd, "zstd", &["-q", "-dc"]),
    (Compression::Brotli, "brotli", &["-dc"]),
    (Compression::Brotli, "node", &["-e", NODE]),
];

fn is_installed(program: &str) -> bool {
    let quiet = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match quiet {
        Ok(status) => status.success(),
        Err(_) => false,
    }
}

/// So many frames, and the index behind them.
fn indexed(compression: Compression, texts: &[String]) -> Vec<u8> {
    let (mut file, mut index) = (Vec::new(), Index::default());
    for text in texts {
        let frame = frame(compression, compression.default_level(), text.as_bytes());
        let (stored, length) = (frame.len() as u64, text.len() as u64);
        index.frames.push(Frame { stored, text: length, records: 1, lines: 1 });
        file.extend(frame);
    }
    file.extend(index.trailer(compression));
    file
}

async fn streamed(compression: Compression, text: &str) -> Vec<u8> {
    let body = stream::iter([Ok(Bytes::copy_from_slice(text.as_bytes()))]).boxed();
    let pieces: Vec<_> = compress(compression, compression.default_level(), body).collect().await;
    pieces.into_iter().flat_map(Result::unwrap).collect()
}

fn check(compression: Compression, file: &[u8], text: &str, folder: &Path) {
    let path = folder.join(format!("records.json{}", compression.ending()));
    fs::write(&path, file).unwrap();
    for (_, program, arguments) in TOOLS.iter().filter(|(opens, ..)| *opens == compression) {
        if *program != "gzip" && !is_installed(program) {
            eprintln!("left out: {program} is not installed");
            continue;
        }
        let output = Command::new(program).args(*arguments).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{program} {arguments:?}: {said}");
        let expected = if arguments.contains(&"-t") { "" } else { text };
        assert!(output.stdout == expected.as_bytes(), "{program} {arguments:?} gave another text");
    }
}

#[tokio::test]
async fn standard_tools_open_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    // With 20,000 frames the index takes several gzip members.
    for count in [0, 1, 3, 20_000] {
        let texts: Vec<String> = (0..count).map(|number| format!("{{\"id\":\"{number}\"}}\n")).collect();
        for compression in [Compression::Gzip, Compression::Zstd] {
            check(compression, &indexed(compression, &texts), &texts.concat(), folder.path());
        }
        for compression in [Compression::Gzip, Compression::Brotli, Compression::Zstd] {
            let text = texts.concat();
            check(compression, &streamed(compression, &text).await, &text, folder.path());
        }
    }
}
