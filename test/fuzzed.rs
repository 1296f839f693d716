//! The corpus of the fuzz targets, given to the same functions that `cargo fuzz` calls: what was found once stays fixed,
//! also where nothing can be fuzzed.

#[allow(unreachable_pub, dead_code, reason = "it is the library of the fuzz targets, a crate of its own")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names_in(folder: PathBuf) -> BTreeSet<String> {
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_input_of_the_corpus_holds() {
    for (target, _) in targets::TARGETS {
        for name in names_in(fuzz().join("corpus").join(target)) {
            let input = fs::read(fuzz().join("corpus").join(target).join(&name)).unwrap();
            let held = std::panic::catch_unwind(|| targets::holds(target, &input));
            assert!(held.is_ok(), "fuzz/corpus/{target}/{name}: see above");
        }
    }
}

#[test]
fn every_target_is_built_run_and_has_a_corpus() {
    let targets: BTreeSet<String> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in(fuzz().join("corpus")), targets);
    let built = names_in(fuzz().join("targets")).into_iter().map(|name| name.trim_end_matches(".rs").to_owned());
    assert_eq!(built.collect::<BTreeSet<_>>(), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let script = fs::read_to_string(fuzz().join("../.ci/fuzz")).unwrap();
    for name in &targets {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"\n")), "{name}");
        assert!(
            script.split(|char: char| !char.is_alphanumeric() && char != '_').any(|word| word == name),
            "{name} is not run by .ci/fuzz"
        );
        let own = fs::read_to_string(fuzz().join(format!("targets/{name}.rs"))).unwrap();
        assert!(own.contains(&format!("holds(\"{name}\", input)")), "{name}");
    }
}

#[test]
fn the_dictionary_knows_every_variable() {
    let words = fs::read_to_string(fuzz().join("dictionaries/variables")).unwrap();
    for variable in databricks_deploy::settings::VARIABLES {
        assert!(words.lines().any(|word| word == format!("\"{}\"", variable.name)), "{}", variable.name);
    }
}
