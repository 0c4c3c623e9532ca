//! Compiles the `.proto` files without a `protoc` binary.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const FILES: [&str; 10] = ["address", "attempt", "audit_facts", "check", "enrollment", "facts", "operator", "path_facts", "session", "witness_facts"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=parallax");
    let files: Vec<String> = FILES.iter().map(|name| format!("parallax/v1/{name}.proto")).collect();
    let descriptors = protox::compile(&files, ["."])?;
    let mut reflected = descriptors.clone();
    // Comments are for readers of the source; without them the served descriptors are a fraction of the size.
    reflected.file.iter_mut().for_each(|file| file.source_code_info = None);
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("parallax.v1.bin"), reflected.encode_to_vec())?;
    tonic_prost_build::configure().btree_map(".").compile_fds(descriptors)?;
    Ok(())
}
