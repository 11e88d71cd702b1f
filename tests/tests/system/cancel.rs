//! Cancel: after the answer not one more record of the operation becomes visible.

use std::io::BufWriter;
use std::time::Duration;

use carrack_tests::fleet::Fleet;
use carrack_tests::generate::{Generator, Recipe, Shape};
use carrack_tests::wait::{nothing_for, until};
use tokio::time::Instant;

/// How long nothing may appear.
const WATCHED: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn after_the_answer_to_a_cancel_no_row_appears() {
    let mut fleet = Fleet::new(&[]).await.unwrap();
    for name in ["coordinator", "worker-0", "worker-1", "worker-2"] {
        fleet.start(name).await.unwrap();
    }
    let file = fleet.path("contexts.csv");
    let mut output = BufWriter::new(std::fs::File::create(&file).unwrap());
    Generator::new(Recipe::new(60_000)).write(Shape::Csv, &mut output).unwrap();
    drop(output);
    let args = ["import", "contexts.csv", "--type", "contexts", "--batch-size", "50", "--json"];
    let import = fleet.command("import", &args).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    until(
        deadline,
        || "the first batches".into(),
        async || {
            let tables = fleet.count("SELECT count(*) FROM carrack.operations").await?;
            let committed = fleet.count("SELECT count(*) FROM carrack.ledger").await?;
            Ok((tables == 1 && committed >= 20).then_some(()))
        },
    )
    .await
    .unwrap();

    let id: String =
        fleet.database.query_one("SELECT id::text FROM carrack.operations", &[]).await.unwrap().get(0);
    let cancel = fleet.command("cancel", &["operations", "cancel", &id]).unwrap();
    assert_eq!(cancel.wait(Duration::from_secs(30)).await.unwrap().code, Some(0));
    let rows = r#"SELECT count(*) FROM carrack_data."contexts""#;
    let at_the_answer = fleet.count(rows).await.unwrap();
    assert!(
        at_the_answer > 0 && at_the_answer < 60_000,
        "{at_the_answer} rows: the cancel came too early or too late"
    );
    nothing_for(WATCHED).await;
    assert_eq!(fleet.count(rows).await.unwrap(), at_the_answer);

    let ended = import.wait(Duration::from_secs(30)).await.unwrap();
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["status"], "cancelled");
    assert_eq!(report["created"], at_the_answer, "the report counts what has stayed");
}
