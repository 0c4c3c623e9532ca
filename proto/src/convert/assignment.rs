use parallax_model::{
    assignment::{Assignment, Task, Work},
    clock::Timestamp,
};

use super::{
    address::{ip, ip_bytes},
    bounds::{cut, each, each_up_to, parsed},
    error::{ConvertError, Reason, required_inner},
    id::{id_bytes, round_id},
};
use crate::v1;

/// Most tasks of one share: several experiments at every address of a large target.
const MAX_TASKS: usize = 4_096;
/// Most repetitions of one task.
const MAX_REPEAT: u32 = 16;

impl From<&Assignment> for v1::Assignment {
    fn from(assignment: &Assignment) -> Self {
        let (follow_up, tasks) = match &assignment.work {
            Work::Row => (false, Vec::new()),
            Work::FollowUp(tasks) => (true, tasks.iter().map(v1::Task::from).collect()),
        };
        Self {
            round_id: id_bytes(&assignment.round.0),
            check: Some((&assignment.check).into()),
            start_us: assignment.start.as_micros(),
            deadline_us: assignment.deadline.as_micros(),
            live: assignment.live,
            tasks,
            follow_up,
        }
    }
}

impl TryFrom<v1::Assignment> for Assignment {
    type Error = ConvertError;
    fn try_from(message: v1::Assignment) -> Result<Self, ConvertError> {
        let follow_up = message.follow_up || !message.tasks.is_empty();
        let tasks = each_up_to(MAX_TASKS, message.tasks, "tasks", Task::try_from)?;
        Ok(Self {
            round: round_id(&message.round_id, "round_id")?,
            check: required_inner(message.check, "check")?,
            start: Timestamp::from_micros(message.start_us),
            deadline: Timestamp::from_micros(message.deadline_us),
            live: message.live,
            work: if follow_up { Work::FollowUp(tasks) } else { Work::Row },
        })
    }
}

impl From<&Task> for v1::Task {
    fn from(task: &Task) -> Self {
        Self {
            profile: task.profile.to_string(),
            experiment: task.experiment.to_string(),
            address: task.address.map_or_else(String::new, |address| address.to_string()),
            repeat: task.repeat,
            sources: cut(&task.sources).iter().copied().map(ip_bytes).collect(),
        }
    }
}

impl TryFrom<v1::Task> for Task {
    type Error = ConvertError;
    fn try_from(message: v1::Task) -> Result<Self, ConvertError> {
        if !(1..=MAX_REPEAT).contains(&message.repeat) {
            return Err(ConvertError::new("repeat", Reason::OutOfRange(u64::from(message.repeat))));
        }
        Ok(Self {
            profile: parsed(message.profile, "profile")?,
            experiment: parsed(message.experiment, "experiment")?,
            address: (!message.address.is_empty()).then(|| parsed(message.address, "address")).transpose()?,
            repeat: message.repeat,
            sources: each(message.sources, "sources", |bytes| ip(&bytes, ""))?,
        })
    }
}
