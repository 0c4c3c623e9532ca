//! A network made of rules.
