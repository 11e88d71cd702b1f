//! The contract of the database ports, one file per promise.
//!
//! A check is a function whose name is the promise. It gets a fresh, empty store and panics when the promise
//! is broken. [`crate::store_checks`] lists them all; each backend runs every one as a test of its own, and
//! wrappers with deliberate defects show that the checks can fail.

mod at_once;
mod cancel;
mod claims;
mod commits;
mod concurrency;
pub mod defects;
mod duplicates;
mod filters;
mod finalising;
mod fixture;
mod import;
mod loading;
mod merging;
mod model;
mod operations;
mod outbox;
mod planning;
mod present;
mod records;
mod refusals;
mod rejects;
mod restart;
mod staging;
mod suspicion;
mod templates;
mod tokens;
mod types;
mod undo;
mod undoing;
mod verifying;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carrack_shared::port::Store;
use futures_util::future::BoxFuture;

/// After this long a check hangs. The slowest one, hundreds of small imports, takes a tenth of it.
pub const TIME_LIMIT: Duration = Duration::from_secs(300);

/// Makes stores of one kind.
#[async_trait]
pub trait Bench: Send + Sync {
    /// A fresh, empty, migrated store.
    async fn store(&self) -> Fresh;
}

/// A store and a way to look behind it.
#[async_trait]
pub trait StoreUnderTest: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// A second, independent handle on the same database, as another process would have it.
    async fn reopened(&self) -> Arc<dyn Store>;

    /// Runs SQL; several statements are allowed. The error is the database's refusal.
    async fn execute(&self, sql: &str) -> Result<(), String>;

    /// The rows of a type's table in the order of their ids: each `id`, a blank, and all columns as the database
    /// itself shows them, also the system columns.
    async fn rows_as_they_stand(&self, data_type: &str) -> Vec<String>;

    /// The one integer that a query yields.
    async fn integer(&self, sql: &str) -> i64;

    /// The texts that a query yields.
    async fn texts(&self, sql: &str) -> Vec<String>;

    /// The names of the stages that there are.
    async fn stages(&self) -> Vec<String>;

    /// The table of a data type, as it stands in SQL.
    fn table(&self, data_type: &str) -> String;

    /// A control table, as it stands in SQL.
    fn control(&self, table: &str) -> String;

    /// Makes the table refuse, from now on, every row whose title begins with `refused`.
    async fn refuse_titles(&self, data_type: &str);

    /// Makes the table log the id of every row that is written into `effects(id)`, which has no unique key,
    /// so that an upsert cannot hide a second effect.
    async fn log_effects(&self, data_type: &str);

    /// Whether several processes read under one snapshot.
    fn shares_snapshots(&self) -> bool;

    /// How many generated cases a check runs: as many as take a few seconds.
    fn cases(&self) -> u64;

    /// Removes the store.
    async fn close(&self);
}

/// A store that belongs to one check.
pub type Fresh = Arc<dyn StoreUnderTest>;

/// A promise that can be checked.
pub struct Check {
    /// `file::promise`.
    pub name: &'static str,
    run: fn(Fresh) -> BoxFuture<'static, ()>,
}

/// Calls the macro `$then` with the list of all checks: `file { promise promise … } file { … }`.
#[macro_export]
macro_rules! store_checks {
    ($then:ident) => {
        $then! {
            operations {
                a_created_operation_reads_back_as_it_was_asked_for
                creating_makes_the_table_of_the_data_type_and_keeps_its_rows
                the_same_request_twice_is_one_operation
                another_request_under_a_used_key_is_told_apart
                twenty_creations_at_once_make_one_operation
                operations_are_listed_newest_first
                retries_are_listed_by_their_parent
                an_operation_is_retried_once_at_a_time
                an_unknown_operation_is_none
                cancelling_stops_a_running_operation_once
                cancelling_an_ended_operation_changes_nothing
                a_running_operation_is_stopped_with_its_reason
                totals_are_the_sum_of_the_ledger
            }
            planning {
                an_operation_has_one_planner
                two_planners_at_once_never_share_an_operation
                an_expired_planner_is_continued_where_it_stopped
                what_is_learned_of_sources_is_kept_by_number
                segments_are_read_again_by_source_and_record
                a_released_plan_is_taken_at_once
                a_fenced_out_planner_changes_nothing
                a_piece_of_a_plan_is_stored_whole
                a_piece_that_fails_leaves_nothing_behind
                the_end_of_a_plan_sets_time_and_counts
                a_plan_that_breaks_off_keeps_its_reason
                the_last_piece_is_stored_with_the_end
                a_cancelled_operation_is_not_planned_further
                an_export_planned_again_starts_the_next_generation
                an_export_keeps_its_planner_until_it_ends
            }
            claims {
                a_free_batch_is_claimed_once
                two_claimers_never_share_a_batch
                only_planned_batches_of_this_generation_are_claimed
                a_done_batch_is_never_claimed
                an_expired_lease_is_taken_over_and_counts_a_death
                a_redelivered_task_takes_live_leases
                released_batches_are_free_at_once_and_count_no_death
                a_stale_release_disturbs_nobody
                a_slow_holder_commits_unless_it_was_replaced
                who_answers_late_was_not_dead
                renewing_counts_the_leases_still_held
                renewing_sets_the_end_of_the_lease
                a_stopped_operation_has_nothing_to_claim
                a_batch_that_fails_stops_the_operation_and_the_lowest_is_blamed
                a_batch_that_is_done_or_lost_stops_nothing
            }
            suspicion {
                what_a_holder_notes_is_told_to_the_next
                only_the_holder_of_a_batch_notes_anything
                what_was_noted_outlives_everything_but_its_batch
            }
            commits {
                a_batch_commits_once
                a_stale_lease_commits_nothing
                a_stopped_operation_commits_nothing
                an_empty_batch_commits
                every_step_twice_counts_once
                every_effect_happens_once_when_executions_race
                the_ledger_refuses_sums_that_do_not_add_up
                an_export_batch_commits_once
                a_stale_or_stopped_export_batch_commits_nothing
            }
            loading {
                texts_come_back_byte_for_byte
                instants_come_back_to_the_microsecond
                json_comes_back_canonical
                missing_and_empty_stay_apart
                extra_fields_come_back_with_explicit_nulls
                columns_can_be_queried_by_their_names
                rejects_of_the_pipeline_are_stored_as_they_are
            }
            refusals {
                a_row_that_the_table_refuses_leaves_the_others_alone
                several_refused_rows_are_isolated_each
                a_refused_update_leaves_the_row_as_it_was
                the_next_contender_wins_when_the_first_is_refused
                a_long_frame_is_asked_for_before_anything_happens
                a_frame_of_exactly_the_limit_stands_in_the_reject
            }
            duplicates {
                every_case_of_two_records_ends_as_in_a_sequential_run
                three_records_of_one_key_end_alike_in_every_order
                skipping_never_depends_on_cut_or_order
                rejecting_never_depends_on_cut_or_order
                overwriting_never_depends_on_cut_or_order
                merging_never_depends_on_cut_or_order
                each_type_has_keys_of_its_own
            }
            at_once {
                each_import_counts_each_key_once_and_goes_by_its_own_order
                an_undo_leaves_what_an_import_works_on
                an_undo_leaves_what_another_import_wrote_in_between
                an_undo_finds_what_two_others_wrote_in_turns
            }
            merging {
                nested_objects_end_as_in_a_sequential_run
                what_changes_nothing_writes_nothing
                a_record_whose_row_is_refused_leaves_the_others
                a_key_of_many_records_is_published_as_one
            }
            staging {
                a_dry_run_tells_what_the_import_then_does
                a_dry_run_shows_the_first_of_each_count
                a_dry_run_makes_no_table
                a_stage_lives_as_long_as_its_operation
                a_stage_is_decided_on_once
                publishing_ends_as_loading_does_or_changes_nothing
                a_stage_is_published_once
                a_cancel_keeps_out_what_is_not_published
                what_is_given_up_before_it_is_published_ends_with_its_reason
                a_key_that_was_taken_meanwhile_is_found
                a_record_that_its_table_refuses_keeps_all_out
            }
            concurrency {
                skipping_batches_at_once_end_as_one_after_another
                rejecting_batches_at_once_end_as_one_after_another
                overwriting_batches_at_once_end_as_one_after_another
                merging_batches_at_once_end_as_one_after_another
            }
            outbox {
                tasks_are_due_in_order_and_gone_when_sent
                held_tasks_are_not_given_to_a_second_relay
                unsent_tasks_come_again_after_their_hold
                an_operation_has_no_more_out_than_its_window
                a_small_operation_does_not_wait_behind_a_large_one
                exports_go_to_their_own_lane
                a_batch_whose_lease_ran_out_is_sent_again
                a_batch_that_was_sent_and_never_claimed_is_sent_again
                rescuing_twice_does_not_double
                work_that_is_in_hand_is_not_rescued
            }
            restart {
                a_restart_frees_every_batch_and_counts_a_death_of_what_was_held
                a_restart_sends_again_what_was_sent_and_only_that
                a_restart_frees_plans_and_closings
            }
            cancel {
                after_a_cancel_no_record_becomes_visible
                after_a_failed_batch_no_record_becomes_visible
            }
            finalising {
                an_open_batch_keeps_an_operation_open
                an_unfinished_plan_keeps_an_operation_open
                an_empty_plan_can_be_closed
                one_finaliser_at_a_time_and_the_next_takes_over
                a_closing_that_is_kept_is_not_taken_and_one_given_back_is
                an_operation_ends_once_and_keeps_its_ending
                a_finalising_operation_is_not_cancelled
                a_cancelled_operation_waits_for_live_leases
                a_broken_plan_is_closed_with_its_reason
                losers_come_in_order_and_only_until_they_are_rejects
                a_stored_reject_is_left_as_it_is
                evidence_adds_everything_up
                parts_are_of_the_current_generation_in_order
            }
            records {
                ranges_cover_every_key_once_in_byte_order
                a_table_that_does_not_exist_has_no_ranges
                extra_fields_are_announced
                a_snapshot_sees_the_rows_as_of_its_opening
                a_snapshot_that_is_gone_is_told_so
                other_processes_read_in_the_same_snapshot
                rows_come_in_order_and_in_small_pieces
                a_dropped_stream_leaves_the_store_usable
            }
            filters {
                stores_select_what_the_reference_does
                expressions_are_pushed_down_and_lose_no_row
                expressions_over_every_type_are_pushed_down
                a_filtered_range_is_read_in_small_pieces
                what_is_left_out_is_counted
            }
            rejects {
                rejects_come_in_pages_in_the_order_of_the_input
                rejects_are_found_by_any_of_their_codes
                what_is_wrong_is_counted_over_all_rejects
            }
            templates {
                a_template_is_found_by_its_id_its_name_and_its_version
                a_version_of_a_template_never_changes
                a_new_type_has_a_table_and_a_grown_one_more_columns
                a_built_in_type_grows_with_its_rows
                two_that_make_a_type_at_once_make_it_once
                new_columns_are_filled_from_what_rows_keep_in_extra
                no_operation_begins_with_the_shape_of_before
                the_template_of_a_batch_is_stored_once
                a_batch_without_its_template_changes_nothing
                templates_are_records_in_the_order_in_which_they_were_stored
            }
            types {
                values_of_every_type_come_back_whichever_way_they_are_loaded
                columns_of_every_type_can_be_queried
                what_others_write_into_a_column_is_read_or_refused
            }
            tokens {
                a_token_is_known_by_its_hash_alone
            }
            undo {
                overwriting_keeps_one_image_of_each_row_that_it_changes
                a_refused_row_leaves_no_image
                images_are_forgotten_some_time_after_the_end
                an_undone_import_leaves_every_row_as_it_was
                undoing_never_depends_on_cut_or_order
                what_others_changed_since_is_left_alone_unless_forced
                what_an_undo_left_out_is_undone_by_the_next_one
                only_an_import_that_has_ended_and_kept_its_images_is_undone
                a_batch_of_an_undo_commits_once
                a_batch_of_an_undo_is_bounded_in_bytes
                a_row_that_the_table_does_not_take_back_is_a_reject
                images_stay_while_they_are_needed
            }
            present {
                rows_are_found_wherever_they_lie
                rows_that_are_too_much_are_asked_for_a_few_at_a_time
            }
            verifying {
                an_import_that_nobody_touched_is_matched
                what_was_changed_back_twice_is_matched_once
                what_others_have_done_to_the_rows_is_found
                rows_are_judged_by_their_values
                each_type_is_verified_for_itself
                a_table_that_is_not_there_has_no_rows
                a_batch_of_a_verification_commits_once
                a_verification_adds_up_once_and_changes_no_row
                verifying_never_depends_on_cut_or_order
            }
            workers {
                each_batch_is_counted_for_the_worker_that_committed_it
                the_rows_of_each_table_are_counted
            }
        }
    };
}

macro_rules! table_of_checks {
    ($($file:ident { $($promise:ident)+ })+) => {
        /// Every check.
        pub const ALL: &[Check] = &[$($(
            Check {
                name: concat!(stringify!($file), "::", stringify!($promise)),
                run: |fresh| Box::pin($file::$promise(fresh)),
            },
        )+)+];
    };
}
store_checks!(table_of_checks);

/// Runs the check `name` on a fresh store.
///
/// # Errors
/// How the promise was broken.
pub async fn run(name: &str, bench: &dyn Bench, limit: Duration) -> Result<(), String> {
    let check = ALL.iter().find(|check| check.name == name).expect("a check of this name");
    let fresh = bench.store().await;
    let mut running = tokio::spawn((check.run)(Arc::clone(&fresh)));
    let outcome = match tokio::time::timeout(limit, &mut running).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(panic)) => Err(format!("{name}: {panic}")),
        Err(_) => Err(format!("{name}: not done after {limit:?}, it hangs")),
    };
    running.abort();
    fresh.close().await;
    outcome
}
