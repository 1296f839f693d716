//! Opens what a path names: a regular file and nothing else, without waiting for anybody.
//!
//! A path comes from a variable, or from a clone that the step's own commands may still change, and anything can be in its
//! place: a named pipe, whose opening would wait for somebody at its other end, or a device that never ends.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// `O_NONBLOCK`: to open a named pipe does not wait for its other end; to a regular file it makes no difference.
const WITHOUT_WAITING: i32 = if cfg!(target_os = "linux") { 0o4000 } else { 0o4 };

/// Opens a file to read it.
///
/// # Errors
///
/// Besides the system's own: what is there is no regular file, in words that say what it is.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    opened(path, OpenOptions::new().read(true))
}

/// Opens a file to write at its end; makes it where there is none.
///
/// # Errors
///
/// As for [`open`].
pub(crate) fn append(path: &Path) -> io::Result<File> {
    opened(path, OpenOptions::new().append(true).create(true))
}

/// Reads a whole file of up to `most` bytes.
///
/// # Errors
///
/// As for [`open`]; a larger file is [`ErrorKind::FileTooLarge`].
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    // One more, so that a larger file is seen; its length says nothing where it still grows, or is a system's own.
    open(path)?.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {most} bytes")));
    }
    Ok(content)
}

/// Makes a new file in the place of whatever is there, which is neither waited for nor followed, should it be a link.
///
/// # Errors
///
/// The system's own, for a folder in its place too.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => OpenOptions::new().write(true).create_new(true).open(path),
    }
}

fn opened(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    match options.custom_flags(WITHOUT_WAITING).open(path) {
        // Not before it is open: something else could take its place between the look and the opening.
        Ok(file) => {
            regular(file.metadata()?.file_type())?;
            Ok(file)
        }
        // The system's words for a socket, or for a pipe that nobody reads, are "No such device or address".
        Err(error) => {
            if let Ok(found) = fs::metadata(path) {
                regular(found.file_type())?;
            }
            Err(error)
        }
    }
}

fn regular(kind: FileType) -> io::Result<()> {
    let (error, what) = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        (ErrorKind::IsADirectory, "a folder")
    } else if kind.is_fifo() {
        (ErrorKind::InvalidInput, "a named pipe")
    } else if kind.is_socket() {
        (ErrorKind::InvalidInput, "a socket")
    } else {
        (ErrorKind::InvalidInput, "a device")
    };
    Err(io::Error::new(error, format!("it is {what}, not a file")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    fn words<T>(result: io::Result<T>) -> Result<(), String> {
        result.map(|_| ()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, socket, link] = ["pipe", "socket", "link"].map(|name| folder.path().join(name));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let _listener = UnixListener::bind(&socket).unwrap();
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for (path, what) in [
            (pipe.as_path(), "a named pipe"),
            (&link, "a named pipe"),
            (&socket, "a socket"),
            (folder.path(), "a folder"),
            (Path::new("/dev/zero"), "a device"),
        ] {
            let refused = Err(format!("it is {what}, not a file"));
            assert_eq!(words(open(path)), refused, "{}", path.display());
            assert_eq!(words(read(path, 10)), refused, "{}", path.display());
            if path.starts_with(folder.path()) {
                assert_eq!(words(append(path)), refused, "{}", path.display());
            }
        }
        assert_eq!(open(&folder.path().join("gone")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn no_more_is_read_than_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        let error = read(&file, 4).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::FileTooLarge, "it has more than 4 bytes"));
    }

    #[test]
    fn a_new_file_takes_the_place_of_anything_but_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let [kept, link, pipe] = ["kept", "link", "pipe"].map(|name| folder.path().join(name));
        fs::write(&kept, "kept").unwrap();
        std::os::unix::fs::symlink(&kept, &link).unwrap();
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [&link, &pipe, &folder.path().join("new")] {
            assert_eq!(words(create(path)), Ok(()));
            assert!(fs::symlink_metadata(path).unwrap().is_file(), "{}", path.display());
        }
        assert_eq!(fs::read(&kept).unwrap(), b"kept");
        assert!(create(folder.path()).is_err());
    }
}
