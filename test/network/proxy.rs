//! A small proxy that opens connections by `CONNECT` (RFC 9110, 9.3.6).

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What it does with a `CONNECT`, whatever the name in it.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// Opens a way to this address.
    Open(SocketAddr),
    /// The same for those who send this `Proxy-Authorization`, and 407 for all others.
    OpenFor(&'static str, SocketAddr),
    /// Answers with this status.
    Status(&'static str),
    /// Closes the connection.
    HangUp,
}

/// A `CONNECT` that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Host and port.
    pub(crate) target: String,
    /// The `Proxy-Authorization`.
    pub(crate) authorization: Option<String>,
}

/// Listens on a free port of 127.0.0.1 until it is dropped.
pub(crate) struct ConnectProxy {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ConnectProxy {
    pub(crate) fn start(answer: Answer) -> ConnectProxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stopped) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<AtomicBool>::default());
        let (record, stop) = (Arc::clone(&seen), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(SeqCst) {
                    break;
                }
                let record = Arc::clone(&record);
                std::thread::spawn(move || stream.and_then(|stream| converse(stream, answer, &record)));
            }
        });
        ConnectProxy { address, seen, stopped, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.stopped.store(true, SeqCst);
        // Wakes the thread, which waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn converse(stream: TcpStream, answer: Answer, record: &Mutex<Vec<Seen>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let target = lines[0].strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    let target = target.expect("nothing but CONNECT is sent to a proxy").to_owned();
    let field = |line: &String| {
        Some(line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))?.1.to_owned())
    };
    let authorization = lines.iter().find_map(field);
    record.lock().unwrap().push(Seen { target, authorization: authorization.clone() });
    let mut stream = stream;
    let mut refuse = |status: &str| write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    let to = match answer {
        Answer::HangUp => return Ok(()),
        Answer::Status(status) => return refuse(status),
        Answer::OpenFor(expected, _) if authorization.as_deref() != Some(expected) => {
            return refuse("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"");
        }
        Answer::Open(to) | Answer::OpenFor(_, to) => to,
    };
    let far = TcpStream::connect(to)?;
    write!(stream, "HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut back_from, mut back_to) = (far.try_clone()?, stream.try_clone()?);
    let back = std::thread::spawn(move || {
        let _ = std::io::copy(&mut back_from, &mut back_to);
        let _ = back_to.shutdown(Shutdown::Write);
    });
    let mut far_to = far;
    let _ = std::io::copy(&mut reader, &mut far_to);
    let _ = far_to.shutdown(Shutdown::Write);
    let _ = back.join();
    Ok(())
}
