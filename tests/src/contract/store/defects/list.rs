//! The defects, each with a check that must fail because of it.

/// What a store gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Leaves the first reject of a batch out.
    DropsAReject,
    /// Says that a second commit of a batch happened.
    IgnoresTheLedger,
    /// Commits for a worker that lost its lease.
    IgnoresTheLease,
    /// Stores a piece of a plan without its cursor.
    ForgetsTheCursor,
    /// Gives out as many tasks as there are.
    IgnoresTheWindow,
    /// Never answers a heartbeat.
    HangsInRenew,
    /// Answers a cancel before it has happened.
    CancelsLater,
    /// Creates one operation for each request.
    ForgetsTheRequest,
    /// Hands the parts of an export out in another order.
    ReordersParts,
    /// Reads the table as it is now.
    ForgetsTheSnapshot,
    /// Selects every row, whatever is asked of it.
    ForgetsConditions,
    /// Does not count what the filters left out.
    ForgetsTheFiltered,
    /// Tells nobody which records lost their key to a later batch.
    ForgetsLosers,
    /// Names the winner of a key, whatever its type.
    MixesTypes,
    /// Rescues a batch that is not lost.
    RescuesTooMuch,
    /// Keeps no note of what ends workers.
    ForgetsSuspicions,
    /// Lets a worker that lost its lease note something.
    NotesForAnybody,
    /// Counts every batch for one worker.
    CountsForTheFirst,
    /// Stops an operation and does not say why.
    ForgetsWhyItStopped,
    /// Counts the kinds of some rejects instead of all.
    CountsASample,
    /// Says of no staged record what becomes of it.
    DecidesNothing,
    /// Takes another document for the one that is stored.
    TakesAnyDocument,
    /// Ends the batch of a template without it.
    ForgetsTheTemplate,
    /// Says that nothing was filled.
    ForgetsWhatItFilled,
    /// Creates an operation although its type has grown.
    IgnoresTheShape,
    /// Forgets images at once.
    ForgetsTooEarly,
    /// Undoes rows that others have changed since.
    UndoesWhatOthersChanged,
    /// Finds no rows that no record explains.
    OverlooksExtraRows,
}

/// Every defect with a check that fails because of it, and what that check says.
pub const ALL: &[(Defect, &str, &str)] = &[
    (
        Defect::DropsAReject,
        "commits::a_batch_commits_once",
        "created: 2, updated: 0, unchanged: 0, skipped: 0, rejected: 1",
    ),
    (
        Defect::IgnoresTheLedger,
        "commits::every_effect_happens_once_when_executions_race",
        "commits that were done",
    ),
    (Defect::IgnoresTheLease, "commits::a_stale_lease_commits_nothing", "LeaseLost"),
    (Defect::ForgetsTheCursor, "planning::an_expired_planner_is_continued_where_it_stopped", "Cursor"),
    (Defect::IgnoresTheWindow, "outbox::an_operation_has_no_more_out_than_its_window", "[0, 1, 2, 3"),
    (Defect::HangsInRenew, "claims::renewing_counts_the_leases_still_held", "it hangs"),
    (Defect::CancelsLater, "cancel::after_a_cancel_no_record_becomes_visible", "after the stop: true: Done"),
    (Defect::ForgetsTheRequest, "operations::twenty_creations_at_once_make_one_operation", "(20, 0)"),
    (Defect::ReordersParts, "finalising::parts_are_of_the_current_generation_in_order", "parts/2"),
    (Defect::ForgetsTheSnapshot, "records::a_snapshot_sees_the_rows_as_of_its_opening", "a=3"),
    (Defect::ForgetsConditions, "filters::stores_select_what_the_reference_does", "selected"),
    (Defect::ForgetsTheFiltered, "filters::what_is_left_out_is_counted", "filtered: 0"),
    (Defect::ForgetsLosers, "duplicates::rejecting_never_depends_on_cut_or_order", "stored rejects"),
    (Defect::MixesTypes, "duplicates::each_type_has_keys_of_its_own", "duplicate.in_file"),
    (Defect::RescuesTooMuch, "outbox::work_that_is_in_hand_is_not_rescued", "nothing was sent yet"),
    (Defect::ForgetsSuspicions, "suspicion::what_a_holder_notes_is_told_to_the_next", "the next holder"),
    (Defect::NotesForAnybody, "suspicion::only_the_holder_of_a_batch_notes_anything", "replaced"),
    (
        Defect::CountsForTheFirst,
        "workers::each_batch_is_counted_for_the_worker_that_committed_it",
        "batches: 1",
    ),
    (
        Defect::ForgetsWhyItStopped,
        "operations::a_running_operation_is_stopped_with_its_reason",
        "why it was stopped",
    ),
    (Defect::CountsASample, "rejects::what_is_wrong_is_counted_over_all_rejects", "records: 1,"),
    (Defect::DecidesNothing, "staging::a_stage_is_decided_on_once", "left: 0"),
    (Defect::ForgetsTheTemplate, "templates::the_template_of_a_batch_is_stored_once", "skipped: 1"),
    (Defect::TakesAnyDocument, "templates::a_version_of_a_template_never_changes", "OtherDocument"),
    (
        Defect::ForgetsWhatItFilled,
        "templates::new_columns_are_filled_from_what_rows_keep_in_extra",
        "what was filled is told",
    ),
    (Defect::IgnoresTheShape, "templates::a_built_in_type_grows_with_its_rows", "New(Operation"),
    (Defect::ForgetsTooEarly, "undo::images_are_forgotten_some_time_after_the_end", "it has just ended"),
    (
        Defect::UndoesWhatOthersChanged,
        "undo::what_others_changed_since_is_left_alone_unless_forced",
        "rejected: 1",
    ),
    (Defect::OverlooksExtraRows, "verifying::what_others_have_done_to_the_rows_is_found", "extra"),
];
