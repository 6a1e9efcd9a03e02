//! Makes the committed code of `giftcard-client` from the contract: `giftcard-generator <protos> <out>`.
//!
//! `mod.rs` and the files it includes are prost's and tonic's. Beside them come `debug.rs`, the `Debug` of
//! every enum and of every message with a secret field, and `calls.rs`, what each call of the contract is to
//! the client.

mod calls;
mod debug;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost_reflect::DescriptorPool;
use prost_reflect::prost::Message;
use prost_types::FileDescriptorSet;

const PACKAGE: &str = "giftcard.v1";
/// What no file of ours imports, but everybody needs who reads our errors.
const BESIDE: &str = "google/rpc/error_details.proto";
/// The file that includes all others.
const MODULES: &str = "mod.rs";
/// The package of which only options are used, and those are read here, not by users.
const LEFT_OUT: &str = "google.api";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(protos), Some(out), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("Give the folder of the contract and the folder to write to.".into());
    };
    fs::create_dir_all(&out)?;
    generate(&protos, &out)
}

/// Write all generated files.
fn generate(protos: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut compiler = protox::Compiler::new([protos.to_path_buf(), protos.join("include")])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(files_of(protos)?)?;
    let pool = compiler.descriptor_pool();
    write_descriptors(compiler.file_descriptor_set(), out)?;
    write_stubs(compiler.file_descriptor_set(), &pool, out)?;
    let modules = fs::read_to_string(out.join(MODULES))?;
    fs::write(out.join(MODULES), modules + "pub(crate) mod calls;\nmod debug;\n")?;
    let config = fs::read_to_string(protos.join("grpc_service_config.json"))?;
    fs::write(out.join("calls.rs"), calls::write(&pool, &config)?)?;
    fs::write(out.join("debug.rs"), debug::write(&pool)?)?;
    Ok(())
}

/// List the files to compile, in one order on every machine.
fn files_of(protos: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let folder = PACKAGE.replace('.', "/");
    let mut files = vec![PathBuf::from(BESIDE)];
    for entry in fs::read_dir(protos.join(&folder))? {
        files.push(Path::new(&folder).join(entry?.file_name()));
    }
    files.retain(|file| file.extension().is_some_and(|ending| ending == "proto"));
    files.sort();
    Ok(files)
}

/// Write the contract's descriptors, for reflection and for reading messages as JSON.
fn write_descriptors(mut set: FileDescriptorSet, out: &Path) -> Result<(), Box<dyn Error>> {
    for file in &mut set.file {
        file.source_code_info = None;
    }
    fs::write(out.join("descriptors.binpb"), set.encode_to_vec())?;
    Ok(())
}

/// Write the messages and the clients of the services.
fn write_stubs(mut set: FileDescriptorSet, pool: &DescriptorPool, out: &Path) -> Result<(), Box<dyn Error>> {
    set.file.retain(|file| file.package() != LEFT_OUT);
    for file in &mut set.file {
        // Google's comments have examples in other languages, which rustdoc would compile.
        if file.package() != PACKAGE {
            file.source_code_info = None;
        }
    }
    let messages = debug::messages(pool).map(|message| message.full_name().to_owned());
    let enums = debug::enums(pool).map(|kind| kind.full_name().to_owned());
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .btree_map(".")
        .skip_debug(messages.chain(enums).map(|name| format!(".{name}")))
        .emit_rerun_if_changed(false)
        .include_file(MODULES)
        .out_dir(out)
        .compile_fds(set)?;
    Ok(())
}
