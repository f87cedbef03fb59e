// SPDX-License-Identifier: MIT

fn main() {
    let root = std::env::var("DESK_SCHEMAS").expect("DESK_SCHEMAS names the folder of the schemas");
    capnpc::CompilerCommand::new()
        .src_prefix(&root)
        .import_path(&root)
        .file(format!("{root}/desk.capnp"))
        .file(format!("{root}/costar/directory.capnp"))
        .file(format!("{root}/costar/values.capnp"))
        .run()
        .expect("the schemas are compiled");
}
