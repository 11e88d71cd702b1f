//! What goes in comes out, compared by a script that knows nothing of Carrack.

use std::io::BufWriter;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use carrack_tests::generate::{Generator, Recipe, Shape};
use carrack_tests::process::{Process, Setting};
use carrack_tests::services;

/// Memory that an embedded import may take, whatever its input.
const PEAK_MEMORY: u64 = 128 * 1024 * 1024;
const ENDS_WITHIN: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn json_and_csv_come_back_as_the_same_records_in_bounded_memory() {
    for (layout, ending, format) in
        [(Shape::JsonArray, "json", "csv"), (Shape::Csv, "csv", "json"), (Shape::Ndjson, "ndjson", "json")]
    {
        let folder = tempfile::tempdir().unwrap();
        let (source, result) = (format!("source.{ending}"), format!("result.{format}"));
        let mut output = BufWriter::new(std::fs::File::create(folder.path().join(&source)).unwrap());
        Generator::new(Recipe::new(40_000)).write(layout, &mut output).unwrap();
        drop(output);
        let setting = Setting { folder: folder.path().to_path_buf(), ..Setting::default() };
        let import = Process::start("import", &["import", &source, "--json"], &setting).unwrap();
        let (ended, peak) = import.wait_measured(ENDS_WITHIN).await.unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stdout);
        assert!(peak <= PEAK_MEMORY, "peak memory: found {peak} bytes, expected at most {PEAK_MEMORY}");
        let args = ["export", "--type", "contexts", "--format", format, "-o", &result];
        let ended = Process::start("export", &args, &setting).unwrap().wait(ENDS_WITHIN).await.unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stdout);
        assert_same_records(folder.path(), &source, &result);
    }
}

fn assert_same_records(folder: &Path, source: &str, result: &str) {
    let script = services::workspace().join("tests/tools/compare.py");
    let output =
        Command::new("python3").arg(script).args([source, result]).current_dir(folder).output().unwrap();
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{source} against {result}: {told}{wrong}");
}
