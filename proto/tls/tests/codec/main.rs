//! The codec from outside: recorded bytes, values round, hostile bytes.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod known_hellos;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod server_flights;
#[cfg(test)]
mod support;
