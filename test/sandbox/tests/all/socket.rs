//! Over a real socket.

use databricks_sandbox::{Fault, Moment, On, Running, Sandbox, Trouble};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const ME: &str = "/api/2.0/preview/scim/v2/Me";

fn connect(running: &Running) -> TcpStream {
    let stream = TcpStream::connect(running.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn send(stream: &mut TcpStream, token: &str, target: &str) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: example.test\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
}

/// Reads a head, and a body of the length that it names.
fn receive(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

#[test]
fn serves_several_requests_on_one_connection() {
    let running = Running::start(Sandbox::new()).unwrap();
    assert_eq!(running.url(), format!("http://127.0.0.1:{}", running.address().port()));
    let mut stream = connect(&running);
    for _ in 0..3 {
        send(&mut stream, &running.sandbox().token(), ME);
        let (head, body) = receive(&mut stream);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(head.matches("date: ").count(), 1, "{head}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["userName"], "ci@example.com");
    }
    assert_eq!((running.sandbox().connections(), running.sandbox().requests().len()), (1, 3));
    assert_eq!(running.sandbox().requests()[0].host.as_deref(), Some("example.test"));
    let address = running.address();
    drop(running);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_drop_closes_the_connection_without_a_byte() {
    let running = Running::start(Sandbox::new()).unwrap();
    running.sandbox().fault(Fault::once(On::any(), Trouble::Drop(Moment::After)));
    let mut stream = connect(&running);
    send(&mut stream, &running.sandbox().token(), ME);
    let mut rest = Vec::new();
    // Closed or reset: both say that there is nothing to come.
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
    let mut stream = connect(&running);
    send(&mut stream, &running.sandbox().token(), ME);
    assert!(receive(&mut stream).0.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(running.sandbox().connections(), 2);
}

#[test]
fn a_truncated_body_is_shorter_than_its_length() {
    let running = Running::start(Sandbox::new()).unwrap();
    running.sandbox().fault(Fault::once(On::any(), Trouble::Truncate(10)));
    let mut stream = connect(&running);
    send(&mut stream, &running.sandbox().token(), ME);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let all = String::from_utf8(all).unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && !head.contains("content-length: 10\r\n"), "{head}");
    assert_eq!(body.len(), 10);
}

#[test]
fn a_client_that_hangs_up_in_its_body_has_no_effect() {
    let running = Running::start(Sandbox::new()).unwrap();
    let mut stream = connect(&running);
    let token = running.sandbox().token();
    let head = "POST /api/2.0/workspace/mkdirs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000";
    write!(stream, "{head}\r\nAuthorization: Bearer {token}\r\n\r\n{{\"path\":\"/Shared/x\"}}").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!running.sandbox().objects().contains_key("/Workspace/Shared/x"));
}
