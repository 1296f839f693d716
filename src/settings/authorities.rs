//! `CA_BUNDLE`: authorities that are trusted beside the built-in ones.

use super::echo::Echo;
use crate::disk;
use crate::problem::{Code, Problem};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use std::io::ErrorKind;
use std::path::Path;

/// How a certificate begins in PEM form.
const BEGIN: &str = "-----BEGIN ";

/// A file with all authorities that browsers know has a quarter of a megabyte.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Reads the certificates in a file, or in the value itself.
pub(super) fn authorities(
    text: &str,
    working_directory: &Path,
    echo: Echo<'_>,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    if text.contains(BEGIN) {
        return certificates(text.as_bytes(), "the PEM text");
    }
    let shown = echo.show(text);
    let wrong = |what: &str, hint: &str| Problem::new(Code::InvalidValue, format!("{shown} {what}")).hint(hint);
    if text.contains(['\n', '\r']) {
        return Err(wrong(
            "is neither the path of a file nor PEM text",
            "PEM text starts with `-----BEGIN CERTIFICATE-----`",
        ));
    }
    let path = working_directory.join(text);
    let relative = "the path is relative to the step's working directory; the file must be in the clone, or the value the PEM text itself";
    match disk::read(&path, LARGEST) {
        Ok(content) => certificates(&content, &format!("the file {shown}")),
        Err(error) => Err(match error.kind() {
            ErrorKind::NotFound => wrong("is not there", relative),
            ErrorKind::IsADirectory => wrong("is a folder, not a file", relative),
            ErrorKind::FileTooLarge => wrong("is over 4 MiB, so it is no bundle of certificates", relative),
            _ => wrong(&format!("cannot be read: {error}"), relative),
        }),
    }
}

/// Every certificate of a PEM text, each of which can be an authority's.
fn certificates(text: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    const HINT: &str = "the bundle holds one or more blocks from `-----BEGIN CERTIFICATE-----` to \
                        `-----END CERTIFICATE-----`; a value of several lines is written after `|` in YAML";
    let wrong = |message: String| Problem::new(Code::InvalidValue, message).hint(HINT);
    let mut found = Vec::new();
    for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(text)) {
        let certificate = certificate.map_err(|error| {
            let why = match error {
                pem::Error::MissingSectionEnd { .. } => "has no end line",
                pem::Error::IllegalSectionStart { .. } => "has a broken first line",
                pem::Error::Base64Decode(_) => "is no base64",
                _ => "cannot be read",
            };
            wrong(format!("{what} is not PEM: block {number} {why}"))
        })?;
        RootCertStore::empty()
            .add(certificate.clone())
            .map_err(|_| wrong(format!("block {number} in {what} is not a certificate that can be trusted")))?;
        found.push(certificate);
    }
    if found.is_empty() {
        let begins = text.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes());
        let message = if begins { "has no certificate in it" } else { "is not PEM, and has no certificate in it" };
        return Err(wrong(format!("{what} {message}")));
    }
    Ok(found)
}
