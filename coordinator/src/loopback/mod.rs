//! The whole coordinator over real TLS on loopback, with agents that are scripted message by message.

mod again;
mod agent;
mod enrolment;
mod operators;
mod rounds;
mod schedule;
mod world;

use agent::Agent;
use world::World;
