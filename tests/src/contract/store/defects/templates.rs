//! The port of templates, with its defects.

use async_trait::async_trait;
use carrack_shared::error::PortResult;
use carrack_shared::operation::Operation;
use carrack_shared::pipeline::refit::Filled;
use carrack_shared::port::Templates;
use carrack_shared::port::batches::Commit;
use carrack_shared::port::templates::{Added, NewTemplate, StoredTemplate, TemplateEffect};
use carrack_shared::schema::DataType;
use carrack_shared::segment::Claim;

use super::{Defect, Defective};
use crate::port::port;

port! {
    Defective: Templates {
        fn template(reference: &str) -> Option<StoredTemplate>;
        fn templates() -> Vec<StoredTemplate>;
        fn data_types() -> Vec<DataType>;
    }

    async fn add_template(&self, new: &NewTemplate) -> PortResult<Added> {
        let added = self.inner.add_template(new).await?;
        Ok(match added {
            Added::OtherDocument(before) if self.gets_wrong(Defect::TakesAnyDocument) => Added::Before(before),
            Added::New(stored, _) if self.gets_wrong(Defect::ForgetsWhatItFilled) => {
                Added::New(stored, Filled::default())
            }
            added => added,
        })
    }

    async fn commit_template(
        &self,
        operation: &Operation,
        claim: &Claim,
        effect: TemplateEffect<'_>,
    ) -> PortResult<Commit> {
        let new = effect.new.filter(|_| !self.gets_wrong(Defect::ForgetsTheTemplate));
        self.inner.commit_template(operation, claim, TemplateEffect { new, ..effect }).await
    }
}
