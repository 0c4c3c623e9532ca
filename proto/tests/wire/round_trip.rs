//! Words to bytes and back, without a loss.

use std::fmt::Debug;

use parallax_model::{
    assignment::{Assignment, Task},
    attempt::Attempt,
    check::{Check, Limits},
    clock::Timestamp,
    vantage::Responder,
};
use parallax_proto::{
    convert::{ConvertError, ListedVantage, attempt_from, check_from_operator},
    join::JoinString,
    v1, wire,
};
use proptest::prelude::*;

use crate::words;

fn survives<W, M>(word: &W) -> Result<(), TestCaseError>
where
    W: TryFrom<M, Error = ConvertError> + PartialEq + Debug,
    M: for<'a> From<&'a W> + prost::Message + Default,
{
    let message: M = wire::decode(&wire::encode(&M::from(word))).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let back = W::try_from(message).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&back, word);
    Ok(())
}

proptest! {
    #[test]
    fn attempts_survive(word in words::attempt()) {
        survives::<Attempt, v1::Attempt>(&word)?;
    }

    #[test]
    fn checks_survive(word in words::check()) {
        survives::<Check, v1::Check>(&word)?;
    }

    #[test]
    fn assignments_survive(word in words::assignment()) {
        survives::<Assignment, v1::Assignment>(&word)?;
    }

    #[test]
    fn tasks_survive(word in words::task()) {
        survives::<Task, v1::Task>(&word)?;
    }

    #[test]
    fn responders_survive(word in words::responder()) {
        survives::<Responder, v1::Responder>(&word)?;
        survives::<Responder, v1::get_status_response::Responder>(&word)?;
    }

    #[test]
    fn listed_vantages_survive(word in words::listed_vantage()) {
        survives::<ListedVantage, v1::VantageEntry>(&word)?;
    }

    #[test]
    fn join_strings_survive(
        coordinators in proptest::collection::vec("[a-z.]{1,40}:[1-9][0-9]{0,3}", 1..4),
        authority_sha256: [u8; 32],
        token_id in "[a-z0-9]{1,16}",
        secret in proptest::collection::vec(any::<u8>(), 1..64),
    ) {
        let join = JoinString { coordinators, authority_sha256, token_id, secret };
        prop_assert_eq!(join.to_string().parse(), Ok(join));
    }

    #[test]
    fn the_vantage_of_the_session_replaces_what_the_agent_wrote(word in words::attempt(), written in "\\PC{0,20}") {
        let message = v1::Attempt { vantage: written, ..(&word).into() };
        prop_assert_eq!(attempt_from(message, &word.vantage), Ok(word));
    }
}

#[test]
fn what_an_operator_leaves_out_is_filled_with_defaults() {
    let now = Timestamp::from_micros(1_795_000_000_000_000);
    let typed = v1::Check { target: "api.example.test".into(), profiles_named: true, ..v1::Check::default() };
    let check = check_from_operator(typed, now).unwrap();
    let expected = Check { id: check.id, ..Check::once("api.example.test".parse().unwrap(), now) };
    assert_eq!(check, expected, "four profiles, none of them named");
    assert_eq!(check.limits, Limits::default());
}

#[test]
fn what_an_operator_may_not_say_is_made_by_the_coordinator() {
    let now = Timestamp::from_micros(7);
    let first = check_from_operator(v1::Check { target: "x.test".into(), id: vec![1; 3], revision: 9, anchor_us: 5, ..v1::Check::default() }, now).unwrap();
    assert_eq!((first.revision, first.anchor), (1, now));
    assert_ne!(first.id.0.as_bytes(), &[1; 16]);
}

#[test]
fn the_descriptors_for_reflection_hold_every_service() {
    let set: prost_types::FileDescriptorSet = wire::decode(parallax_proto::FILE_DESCRIPTOR_SET).unwrap();
    let services: Vec<&str> = set.file.iter().flat_map(|file| &file.service).map(|service| service.name()).collect();
    for wanted in ["EnrollmentService", "OperatorService", "SessionService"] {
        assert!(services.contains(&wanted), "{wanted} in {services:?}");
    }
}
