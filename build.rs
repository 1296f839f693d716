//! How the static binary is linked, for whoever builds it: the Dockerfile, `.ci/run`, a developer.
#![allow(clippy::print_stdout, reason = "this is how Cargo is told")]
#![allow(clippy::disallowed_methods, reason = "this is how Cargo tells")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set.split(',').any(|one| one == value));
    // Where the toolchain links by lld, which knows both. GNU ld, by which it links elsewhere, does not know the first.
    let by_lld = is("CARGO_CFG_TARGET_ARCH", "x86_64") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if by_lld && is("CARGO_CFG_TARGET_FEATURE", "crt-static") {
        // Functions of the same machine code are one. Nothing here compares functions by their address.
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
        // 190 kB of relocations become 2; glibc applies them from 2.36 on, which Debian 12 has.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
