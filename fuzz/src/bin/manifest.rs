//! Reading manifests of split exports: what is read is written as it was, and its names have no folders.
#![no_main]

use carrack_coordinator::join::manifest::Manifest;
use carrack_coordinator::join::name;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(manifest) = Manifest::read(input) {
        assert_eq!(Manifest::read(&manifest.text()).expect("as it was"), manifest);
        for file in &manifest.files {
            assert!(!file.name.contains('/') && file.name != "..");
        }
    }
    let text = String::from_utf8_lossy(input);
    let part = name::part(&text, 2, 3);
    assert_eq!(name::number(&part), Some((2, 3)), "{part}");
});
