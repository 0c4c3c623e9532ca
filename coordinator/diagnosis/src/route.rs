//! Who answered, and from where on the path: arrival TTLs and walks.
//!
//! | File | What it tells |
//! | --- | --- |
//! | `answerer` | who answers SYNs: the server, or something in its stead |
//! | `author` | who sent what ended an attempt: arrival TTLs, and the word of a witness |
//! | `distance` | how far away the server is |
//! | `ending` | how far ClientHellos get towards a place |
//! | `extent` | how far SYNs get towards a place |
//! | `location` | where on the path it is, and whether that may be the owner's edge |
//! | `walk` | what single walks met, and whether a seat's walks say anything |

mod answerer;
mod author;
mod distance;
mod ending;
mod extent;
mod location;
mod walk;

pub(crate) use answerer::{
    Answerer, answered_in_between, answerer, answers_from_nearer, behind_the_same_box, hears_the_server, is_answered_by_the_server, is_at_another_site,
    proxy_passes_the_name,
};
pub(crate) use author::{Author, author, is_by_somebody_nearer, same_network, what_bears};
pub(crate) use ending::{Ending, ended_early, ending, full_hello_reaches_server, hello_reaches_server, payload_stop, size_ending};
pub(crate) use extent::{Extent, extent, falls_far_short, is_last_router, lost_early, stopped};
pub(crate) use location::{is_at_the_edge, is_common, is_on_common_ground, location, location_after, may_be_the_edge, may_be_the_owners};
pub(crate) use walk::{met, router, walks_mislead};
