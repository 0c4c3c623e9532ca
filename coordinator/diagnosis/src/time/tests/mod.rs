//! Rounds in short, and the incidents that they make.

mod always;
mod changes;
mod scale;
mod story;
mod tables;
