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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_in_a_format_is_imported_from_it_as_the_same_records() {
    for format in ["xml", "yaml", "markdown"] {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut output = BufWriter::new(std::fs::File::create(folder.path().join("source.json")).unwrap());
        Generator::new(Recipe::new(25_000)).write(Shape::JsonArray, &mut output).unwrap();
        drop(output);
        let (here, there) = (
            Setting { folder: folder.path().to_path_buf(), ..Setting::default() },
            Setting { folder: other.path().to_path_buf(), ..Setting::default() },
        );
        let file = other.path().join(format!("contexts.{format}"));
        let (file, result) = (file.to_str().unwrap(), folder.path().join("result.json"));
        // Two key ranges and more, so that parts are joined; and batches that the splitter cuts.
        for (setting, args) in [
            (&here, vec!["import", "source.json", "--json"]),
            (&here, vec!["export", "--type", "contexts", "--format", format, "-o", file]),
            (&there, vec!["import", file, "--batch-size", "700", "--json"]),
            (
                &there,
                vec!["export", "--type", "contexts", "--format", "json", "-o", result.to_str().unwrap()],
            ),
        ] {
            let process = Process::start("command", &args, setting).unwrap();
            let (ended, peak) = process.wait_measured(ENDS_WITHIN).await.unwrap();
            assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stdout);
            assert!(peak <= PEAK_MEMORY, "{args:?}: peak memory {peak}, expected at most {PEAK_MEMORY}");
        }
        assert_same_records(folder.path(), "source.json", "result.json");
    }
}

fn assert_same_records(folder: &Path, source: &str, result: &str) {
    let script = services::workspace().join("tests/tools/compare.py");
    let output =
        Command::new("python3").arg(script).args([source, result]).current_dir(folder).output().unwrap();
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{source} against {result}: {told}{wrong}");
}
