//! What every backend promises, as plain functions over [`Store`]; [`suite!`] gives them their `#[test]` names.

pub(crate) mod checks;
pub(crate) mod fleet;
pub(crate) mod housekeeping;
pub(crate) mod ingest;
pub(crate) mod operators;
pub(crate) mod rounds;
pub(crate) mod samples;
pub(crate) mod verdicts;

use std::sync::Arc;

use crate::Store;

/// A fresh, empty store, and what is needed to open it once more.
pub(crate) trait Fixture: Sized {
    /// Makes an empty store.
    async fn fresh() -> Self;
    /// Returns the store.
    fn store(&self) -> &Arc<dyn Store>;
    /// Stops the store and opens it again on the same data.
    async fn restart(self) -> Self;
}

/// Makes one test of every function of the suite for a [`Fixture`].
macro_rules! suite {
    ($fixture:ty) => {
        crate::contract::suite! { $fixture;
            fleet: tokens_are_kept_replaced_listed_and_deleted, a_token_lets_in_as_many_vantages_as_it_may, a_token_is_refused_for_the_right_reason,
                a_lost_answer_is_given_again, a_new_token_brings_a_known_key_back, a_banned_identity_does_not_come_back, fifty_agents_share_one_use,
                what_a_session_tells_is_kept, given_labels_win_over_own_ones, sessions_are_numbered, certificates_are_renewed,
                deleting_a_vantage_frees_its_name, unknown_vantages_are_said_to_be_unknown;
            operators: operators_are_found_by_their_secret, the_audit_log_ends_with_the_newest_line;
            checks: a_check_reads_back_as_it_was, revisions_grow_by_one, a_stale_revision_changes_nothing, a_name_belongs_to_one_check,
                a_deleted_check_is_gone_and_its_name_free, checks_are_listed_by_name, fifty_writers_each_get_a_revision_of_their_own;
            rounds: a_round_reads_back_as_it_was, opening_twice_changes_nothing_but_adds_vantages, shares_change_also_after_the_close,
                closing_marks_the_missing_and_keeps_its_time, open_rounds_are_listed_oldest_first, results_that_nobody_judged_keep_a_round_open, a_round_keeps_the_check_as_it_stood;
            ingest: attempts_read_back_as_they_were, a_batch_that_is_sent_twice_is_stored_once, reordered_batches_are_acknowledged_when_the_hole_is_filled,
                a_truncated_batch_is_acknowledged_as_far_as_it_came, settled_numbers_close_holes, every_boot_has_a_watermark_of_its_own,
                the_session_says_whose_attempts_they_are, the_key_holds_across_midnight, chains_come_back_in_their_order, nothing_is_lost_between_fifty_writers,
                an_empty_batch_tells_the_watermark, an_agents_wild_clock_does_no_harm;
            verdicts: revisions_count_up_from_one, the_newest_revision_of_every_round_is_listed, lists_keep_to_their_span_and_limit, keys_are_remembered_per_target,
                judged_rounds_come_page_by_page_with_their_newest_verdict;
            housekeeping: retention_drops_whole_days, retention_keeps_what_is_young_or_open, what_is_too_old_is_acknowledged_and_not_stored, a_store_is_healthy,
                everything_outlives_a_restart;
        }
    };
    ($fixture:ty; $($module:ident: $($name:ident),+;)+) => {
        $(mod $module {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::contract::$module::$name(<$fixture as crate::contract::Fixture>::fresh().await).await;
            })+
        })+
    };
}

pub(crate) use suite;
